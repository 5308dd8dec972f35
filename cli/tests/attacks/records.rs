//! Records forged by whoever could write the whole ledger anew: form, tree and checkpoints would hold, signatures of officers and bots do not.

use std::{collections::HashMap, sync::Arc};

use extensions::{AgentId, Decimal, Digest, Instrument, SealedText};
use ledger::{
    CommittedEntry,
    verify::{
        Fold as _, Text,
        signatures::{Counts, Signatures},
    },
};
use mandatum::officer::Officer;
use serde_json::json;

use crate::{
    house::{House, LONG, Setup, closing_post, house, order, origin},
    proofs::{Signing, headers, now},
};

type Texts = HashMap<u64, (Digest, Text)>;

/// Folds as `mandatum verify` does: the counts, or the first position that does not hold, with the reason.
fn audited(entries: &[CommittedEntry], texts: &Texts) -> Result<Counts, (u64, String)> {
    let mut signatures = Signatures::default();
    for entry in entries {
        let at = |reason| (entry.position, reason);
        signatures.apply(entry).map_err(at)?;
        if let Some((commitment, text)) = texts.get(&entry.position) {
            signatures.text(entry.position, commitment, text).map_err(at)?;
        }
        signatures.settled();
    }
    Ok(signatures.counts())
}

/// The entry with another body.
fn forged(entry: &CommittedEntry, body: &str) -> CommittedEntry {
    let (before, after) = (&entry.bytes[..entry.body.start], &entry.bytes[entry.body.end..]);
    let bytes = [before, body.as_bytes(), after].concat();
    CommittedEntry {
        bytes: bytes.into(),
        body: before.len()..before.len() + body.len(),
        ..entry.clone()
    }
}

fn body_of(entry: &CommittedEntry) -> String {
    String::from_utf8(entry.body().to_vec()).unwrap()
}

/// `text` with another character at `at` behind `after`.
fn turned(text: &str, after: &str, at: usize) -> String {
    let at = text.find(after).unwrap_or_else(|| panic!("{after} in {text}")) + after.len() + at;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// The bodies of the first entry of a kind.
fn of_kind(entries: &[CommittedEntry], kind: &str) -> (usize, String) {
    let at = entries.iter().position(|entry| &*entry.kind == kind);
    let at = at.unwrap_or_else(|| panic!("an entry {kind}"));
    (at, body_of(&entries[at]))
}

async fn signed_house() -> (House, Vec<CommittedEntry>, Texts) {
    let mut house = house(Setup {
        order_proof: true,
        ..Setup::default()
    })
    .await;
    let of = |id: &str| {
        let own = house.folder.path().join("officers").join(id);
        Officer::open(&own, origin(house.running.addresses.officers), &house.roots()).unwrap()
    };
    let mut grace = of("grace");
    let body = order("proven").to_string();
    let signing = Signing {
        created: now(),
        expires: now() + 30,
        nonce: "n-proven",
        body: body.clone(),
    };
    let signed = headers(&house, &house.bot_key(), &signing);
    let said = house.raw(&closing_post(&body, &signed), LONG).await.0;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let thresholds = json!({"two_officers_above": {"EUR": "123456"}});
    let asked = house.ada.post("/v1/house/thresholds", &thresholds).await.unwrap();
    let proposal = asked["proposal"].as_str().unwrap();
    house.ada.sign_proposal(proposal, None, None).await.unwrap();
    let done = grace.sign_proposal(proposal, None, None).await.unwrap();
    assert_eq!(done["accepted"], json!(true), "{done}");
    let (agent, instrument) = (AgentId::new("mm-1").unwrap(), Instrument::new("BTC_EUR").unwrap());
    grace
        .attest_position(&agent, &instrument, Decimal::from(7))
        .await
        .unwrap();

    let all = house.running.ledger.read_range(0, 100_000).await.unwrap();
    let entries: Vec<CommittedEntry> = all.into_iter().map(Arc::unwrap_or_clone).collect();
    let mut texts = Texts::new();
    let (at, body) = of_kind(&entries, "order.decided");
    let decided: serde_json::Value = serde_json::from_str(&body).unwrap();
    let commitment = Digest::parse(decided["signed_request"].as_str().unwrap()).unwrap();
    let position = entries[at].position;
    let text = house.running.ledger.unseal(position, &commitment).await.unwrap();
    let text = Text::Open(SealedText {
        subject: "agent:mm-1".to_owned(),
        salt: [0; 32],
        text: text.unwrap(),
    });
    texts.insert(position, (commitment, text));
    (house, entries, texts)
}

/// Negative control: the log as it is holds, with every signature counted. Each forgery differs from it in one character and is found at
/// its own entry; leave `check_signature`, `covers`, `enough` or a line of `Evidence::check` out to see its row turn green here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_character_of_what_was_signed_is_found() {
    let (house, entries, texts) = signed_house().await;
    let counts = audited(&entries, &texts).unwrap();
    let expected = Counts {
        // The mandate's, the thresholds' two, the position's; each but one of the thresholds' decides something.
        officers: 4,
        decisions: 3,
        bots: 1,
        bots_erased: 0,
        bots_left_out: 0,
    };
    assert_eq!(counts, expected);

    let signature = "\"signature\":\"";
    for (kind, after, reason) in [
        ("application.signed", signature, "does not verify"),
        ("application.signed", "\"document\":\"", "is over document"),
        ("application.approved", "\"approvers\":[\"", "not recorded as approved"),
        ("officer.signed", signature, "does not verify"),
        ("officer.signed", "\"nonce\":\"", "nonce"),
        ("house.thresholds_set", "\"EUR\":\"", "thresholds"),
        ("position.attested", signature, "does not verify"),
        ("position.attested", "\"quantity\":\"", "document"),
    ] {
        let mut changed = entries.clone();
        // The ceremony's thresholds come first and carry no signature: the last entry of the kind is the officers'.
        let at = changed.iter().rposition(|entry| &*entry.kind == kind).unwrap();
        let body = body_of(&changed[at]);
        let other = if matches!(after, "\"EUR\":\"" | "\"quantity\":\"") {
            body.replacen("\"123456\"", "\"923456\"", 1)
                .replacen("\"7\"", "\"8\"", 1)
        } else if after == signature {
            turned(&body, after, 20)
        } else {
            let at = body.find(after).unwrap() + after.len();
            let other = if &body[at..=at] == "0" { "1" } else { "0" };
            format!("{}{other}{}", &body[..at], &body[at + 1..])
        };
        changed[at] = forged(&changed[at], &other);
        let (found, told) = audited(&changed, &texts).expect_err(kind);
        assert_eq!(found, changed[at].position, "{kind}: {told}");
        assert!(told.contains(reason), "{kind}: {told}");
    }
    one_officer_is_too_few(&entries, &texts);
    bots_evidence(&entries, &texts);
    house.running.stop().await.unwrap();
}

/// Both signatures are good; take one away, from the log and from the entry that repeats it, and the other alone decides nothing.
fn one_officer_is_too_few(entries: &[CommittedEntry], texts: &Texts) {
    let mut fewer = entries.to_vec();
    let last = fewer
        .iter()
        .rposition(|entry| &*entry.kind == "officer.signed")
        .unwrap();
    fewer.remove(last);
    let at = fewer
        .iter()
        .rposition(|entry| &*entry.kind == "house.thresholds_set")
        .unwrap();
    let (_, told) = audited(&fewer, texts).unwrap_err();
    assert!(told.contains("no entry `officer.signed` holds"), "{told}");
    let mut body: serde_json::Value = serde_json::from_str(&body_of(&fewer[at])).unwrap();
    body["signatures"].as_array_mut().unwrap().pop();
    fewer[at] = forged(&fewer[at], &body.to_string());
    let (found, told) = audited(&fewer, texts).unwrap_err();
    assert_eq!(found, fewer[at].position);
    assert!(told.contains("2 officers must have signed"), "{told}");
}

fn bots_evidence(entries: &[CommittedEntry], texts: &Texts) {
    let (position, (commitment, text)) = texts.iter().next().unwrap();
    let Text::Open(open) = text else { panic!("readable") };
    let with = |text: Text| audited(entries, &Texts::from([(*position, (*commitment, text))]));
    let body = |text: &str| turned(text, "\\\"price\\\":\\\"", 0);
    for (what, forged, reason) in [
        (
            "a changed signature",
            turned(&open.text, "\"signature\":\"", 20),
            "over the signed bytes",
        ),
        (
            "other signed bytes",
            open.text.replacen("n-proven", "n-forged", 1),
            "over the signed bytes",
        ),
        ("another body", body(&open.text), "another body"),
    ] {
        let forged = Text::Open(SealedText {
            text: forged,
            ..open.clone()
        });
        let (found, told) = with(forged).expect_err(what);
        assert_eq!(found, *position);
        assert!(told.contains(reason), "{what}: {told}");
    }
    // The signature is good, but the decision is about another order.
    let at = entries.iter().position(|entry| entry.position == *position).unwrap();
    let mut changed = entries.to_vec();
    let other = body_of(&changed[at]).replacen("\"price\":\"47000\"", "\"price\":\"47001\"", 1);
    changed[at] = forged(&changed[at], &other);
    let (_, told) = audited(&changed, texts).unwrap_err();
    assert!(told.contains("another order"), "{told}");
    // Without evidence a signature cannot have been valid; erased or left out, it is counted and not checked.
    let erased = with(Text::Erased).unwrap();
    assert_eq!((erased.bots, erased.bots_erased, erased.bots_left_out), (0, 1, 0));
    let left_out = audited(entries, &Texts::new()).unwrap();
    assert_eq!((left_out.bots, left_out.bots_erased, left_out.bots_left_out), (0, 0, 1));
}
