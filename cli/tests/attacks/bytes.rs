//! Guarantee 6 on what the product really writes: a changed byte in each field of each kind of entry is found, and its entry named.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use extensions::{AgentId, Decimal, Instrument};
use ledger::{
    export::{Line, export_directory, parse_line},
    tree,
    verify::{Fault, Options, Place, verify_export},
};
use mandatum::{
    bot::{self, Bot},
    officer::Officer,
};
use serde_json::{Value, json};

use crate::{
    alone::learned,
    house::{House, Setup, house, in_days, limits, order, origin},
};

/// Fields that are tried of one entry; imported observations have hundreds that are alike.
const MOST_FIELDS: usize = 20;

/// The kinds that a house must have written by the end of its day; more are tried when they are there.
const WRITTEN: &[&str] = &[
    "agent.frozen",
    "agent.reduce_only",
    "agent.registered",
    "agent.reinstated",
    "agent.resumed",
    "agent.revoked",
    "application.approved",
    "application.rejected",
    "application.signed",
    "application.submitted",
    "baseline.approved",
    "baseline.proposed",
    "ca.certificate_installed",
    "certificate.issued",
    "certificate.reserved",
    "certificate.revoked",
    "checkpoint_key.authorised",
    "crl.published",
    "delivery.subscribed",
    "enrolment.token_bound",
    "enrolment.token_issued",
    "house.certificate_reserved",
    "house.exposure_set",
    "house.founded",
    "house.frozen",
    "house.regions_set",
    "house.resumed",
    "house.thresholds_set",
    "incident.acknowledged",
    "incident.opened",
    "incident.reviewed",
    "ledger.started",
    "observations.imported",
    "officer.acted",
    "officer.proposed",
    "officer.registered",
    "officer.removed",
    "officer.requested",
    "officer.signed",
    "officer.token_issued",
    "order.cancel_outcome",
    "order.cancel_requested",
    "order.decided",
    "order.filled",
    "order.outcome",
    "position.attested",
    "server.certified",
];

/// A proposal of ada's that grace signs after her.
async fn both(house: &mut House, grace: &mut Officer, path: &str, body: Value) {
    let asked = house.ada.post(path, &body).await.unwrap();
    let proposal = asked["proposal"].as_str().unwrap();
    house.ada.sign_proposal(proposal, None, None).await.unwrap();
    grace.sign_proposal(proposal, None, None).await.unwrap();
}

/// A day on which everything happens.
async fn a_full_day(house: &mut House) {
    let folder = house.folder.path().join("officers/grace");
    let mut grace = Officer::open(&folder, origin(house.running.addresses.officers), &house.roots()).unwrap();
    let because = json!({"reason": "a drill"});
    let own = house.folder.path().join("bot");
    let mut bot = Bot::open(&own, origin(house.running.addresses.gateway), &house.roots()).unwrap();
    assert_eq!(bot.send(&order("rests")).await.unwrap().status, 200);
    let mut now = order("now");
    now["price"] = json!("52000");
    assert_eq!(bot.send(&now).await.unwrap().status, 200);
    assert_eq!(bot.call("DELETE", "/v1/orders/rests", "").await.unwrap().status, 200);
    for act in ["freeze", "resume", "reduce-only", "resume"] {
        house
            .ada
            .post(&format!("/v1/agents/mm-1/{act}"), &because)
            .await
            .unwrap();
    }
    for act in ["freeze", "resume"] {
        house.ada.post(&format!("/v1/house/{act}"), &because).await.unwrap();
    }
    let thresholds = json!({"two_officers_above": {"EUR": "123456"}});
    both(house, &mut grace, "/v1/house/thresholds", thresholds).await;
    let group = json!({"limits": {"EUR": "900000000"}, "scope": "all"});
    both(house, &mut grace, "/v1/house/exposure", group).await;
    let (agent, instrument) = (AgentId::new("mm-1").unwrap(), Instrument::new("BTC_EUR").unwrap());
    grace
        .attest_position(&agent, &instrument, Decimal::from(7))
        .await
        .unwrap();
    let second = json!({
        "agent": "mm-1", "mandate": "m-2", "limits": limits(true), "expires": in_days(30), "rationale": "more",
        "conduct": {"on_halt": "cancel_all", "on_unanswered_warning": "freeze", "repeat_window_ms": 0, "scoring": "enforce"},
    });
    house.ada.post("/v1/applications", &second).await.unwrap();
    let no = extensions::ApprovalDecision::Reject;
    grace.decide_application("m-2", no, Some("too wide")).await.unwrap();
    run_away(&mut bot).await;

    let incidents = house.ada.get("/v1/incidents").await.unwrap();
    let incident = incidents["incidents"][0]["incident"].as_str().unwrap().to_owned();
    let at = |act: &str| format!("/v1/incidents/{incident}/{act}");
    house.ada.post(&at("acknowledge"), &json!({})).await.unwrap();
    let found = json!({"finding": "confirmed", "impact": "none", "lessons": "a bound", "root_cause": "a loop"});
    both(house, &mut grace, &at("review"), found).await;
    house.ada.post("/v1/agents/mm-1/baselines", &json!({})).await.unwrap();
    house.ada.approve_baseline("mm-1").await.unwrap();
    grace.approve_baseline("mm-1").await.unwrap();
    let back = json!({"incident": incident});
    both(house, &mut grace, "/v1/agents/mm-1/reinstate", back).await;
    the_last_hours(house).await;
}

/// Forty times the usual size until the agent is revoked.
async fn run_away(bot: &mut Bot) {
    for count in 0..300 {
        let mut large = order(&format!("run-{count}"));
        large["quantity"] = json!("0.4");
        let Ok(reply) = bot.send(&large).await else { return };
        if reply.json().unwrap().to_string().contains("ANOMALY_REVOKED") {
            return;
        }
    }
    panic!("a runaway is caught");
}

/// A certificate after the reinstatement, and its revocation; an officer goes.
async fn the_last_hours(house: &mut House) {
    let token = house.ada.enrolment_token("mm-1", "m-1").await.unwrap();
    let token = token["token"].as_str().unwrap().to_owned();
    let to = origin(house.running.addresses.enrolment);
    let again = house.folder.path().join("again");
    bot::enrol(&again, to, &house.roots(), "mm-1", &token, &mut |_| {})
        .await
        .unwrap();
    // Not born revoked: it begins no earlier than the reinstatement, within the second.
    let mut bot = Bot::open(&again, origin(house.running.addresses.gateway), &house.roots()).unwrap();
    let served = async {
        while !bot
            .call("GET", "/v1/me", "")
            .await
            .is_ok_and(|reply| reply.status == 200)
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::house::LONG, served).await.unwrap();
    let chain = mandatum::pem::certificates(&again.join("chain.pem")).unwrap();
    let leaf = extensions::certificate::Certificate::read(&chain[0]).unwrap();
    let revoke = format!("/v1/certificates/{}/revoke", leaf.serial());
    house.ada.post(&revoke, &json!({"reason": "lost"})).await.unwrap();
    house
        .ada
        .post("/v1/officers/joan/remove", &json!({"reason": "left"}))
        .await
        .unwrap();
}

/// The places of the scalars and of the names in an entry: one byte in the middle of each.
fn fields(entry: &[u8]) -> Vec<usize> {
    let (mut places, mut at) = (Vec::new(), 0);
    while at < entry.len() {
        let end = match entry[at] {
            b'"' => {
                let mut end = at + 1;
                while entry[end] != b'"' {
                    end += 1 + usize::from(entry[end] == b'\\');
                }
                end
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let behind = entry[at..].iter().position(|octet| b",}]".contains(octet)).unwrap();
                at + behind - 1
            }
            _ => {
                at += 1;
                continue;
            }
        };
        places.push(at + (end - at) / 2);
        at = end + 1;
    }
    let step = places.len().div_ceil(MOST_FIELDS);
    places.into_iter().step_by(step).collect()
}

/// An export as lines, with the position of each entry.
struct Export {
    bytes: Vec<u8>,
    /// Kind, where the line stands, and where the entry's bytes stand.
    entries: Vec<(String, Range<usize>, Range<usize>)>,
}

fn read(bytes: Vec<u8>) -> Export {
    let (mut entries, mut at) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|octet| *octet == b'\n') {
        if let Some(Line::Entry { bytes: entry, .. }) = parse_line(line) {
            let value: Value = serde_json::from_slice(entry).unwrap();
            let kind = value["kind"].as_str().unwrap().to_owned();
            let end = at + line.len() - 1;
            entries.push((kind, at..at + line.len(), end - entry.len()..end));
        }
        at += line.len();
    }
    Export { bytes, entries }
}

/// What the verifier says when one byte of an entry is changed, its leaf hash left as it was or made to fit.
fn changed(export: &Export, position: usize, place: usize, fits: bool, file: &Path) -> Result<(), Fault> {
    let (_, line, entry) = &export.entries[position];
    let mut bytes = export.bytes[..signed_at(export, position)].to_vec();
    bytes[entry.start + place] ^= 1;
    if fits {
        let leaf = tree::leaf_hash(&bytes[entry.clone()]).to_string();
        let behind = line.start + "entry ".len();
        bytes[behind..behind + leaf.len()].copy_from_slice(leaf.as_bytes());
    }
    std::fs::write(file, bytes).unwrap();
    verify_export(file, Options::default()).map(drop)
}

/// Where the first checkpoint over an entry ends: what comes behind it cannot matter.
fn signed_at(export: &Export, position: usize) -> usize {
    let mut end = export.entries[position].1.end;
    for line in export.bytes[end..].split_inclusive(|octet| *octet == b'\n') {
        end += line.len();
        if line.starts_with(b"checkpoint ") {
            break;
        }
    }
    end
}

/// Control: the export as it is verifies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_byte_in_each_field_of_each_kind_names_its_entry() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let mut house = house(Setup {
        enforce: true,
        webhook: Some(port),
        ..Setup::default()
    })
    .await;
    learned(&mut house).await;
    a_full_day(&mut house).await;
    house.running.stop().await.unwrap();
    let mut bytes = Vec::new();
    export_directory(&house.config.paths.ledger, false, &mut bytes)
        .await
        .unwrap();
    let file = house.folder.path().join("export");
    std::fs::write(&file, &bytes).unwrap();
    verify_export(&file, Options::default()).unwrap();
    let export = read(bytes);
    let mut kinds = BTreeMap::new();
    for (position, (kind, ..)) in export.entries.iter().enumerate() {
        kinds.entry(kind.as_str()).or_insert(position);
    }
    let missing: Vec<_> = WRITTEN.iter().filter(|kind| !kinds.contains_key(**kind)).collect();
    assert!(missing.is_empty(), "{missing:?} of {:?}", kinds.keys());
    let tried = each(&export, &kinds, house.folder.path());
    println!(
        "{tried} fields of {} kinds in {} entries",
        kinds.len(),
        export.entries.len()
    );
}

/// Every field of the first entry of each kind, on two threads.
fn each(export: &Export, kinds: &BTreeMap<&str, usize>, folder: &Path) -> usize {
    let all: Vec<(&str, usize)> = kinds.iter().map(|(kind, position)| (*kind, *position)).collect();
    let (next, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = |name: &str| {
        let file = folder.join(name);
        while let Some((kind, position)) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
            let entry = &export.bytes[export.entries[*position].2.clone()];
            let here = Place::Entry(*position as u64);
            let end = signed_at(export, *position);
            let signed = export.entries.iter().filter(|(_, line, _)| line.end <= end).count() as u64;
            for (count, place) in fields(entry).into_iter().enumerate() {
                let told = changed(export, *position, place, false, &file).expect_err(kind);
                assert_eq!(told.place, here, "{kind}, byte {place}: {told}");
                // Some also with a leaf that fits: then the entry's form, its neighbour of the same batch or the signature over both does
                // not hold.
                if count % 8 == 0 {
                    let told = changed(export, *position, place, true, &file).expect_err(kind);
                    let batch = (*position as u64..signed).map(Place::Entry);
                    let found = batch
                        .chain([Place::Checkpoint(signed)])
                        .any(|place| place == told.place);
                    assert!(found, "{kind}, byte {place}, fitting leaf: {told}");
                }
                tried.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work("one"));
        work("two");
    });
    tried.into_inner()
}
