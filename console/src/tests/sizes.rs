//! Every page stays below 100 KB, whatever a house has come to hold: names as long as people make them, texts as long as they may be, lists as
//! long as they grow. The pages are read from the routes, so that a new kind of page is measured without being named here.

use anomaly::{BaselineProposed, Observation, ObservationsImported, ProposedBaseline, ScorerState, score};
use axum::http::StatusCode;
use extensions::{AgentId, ClientOrderId, Digest};
use gateway_policy::{Code, DecisionKind, FailedCheck, OrderDecided, OrderFilled, OrderOutcome, OutcomeState, Side};
use revocation_core::{
    Actor, HaltPlan, HaltReport, HaltReported, IncidentOpened, RevocationReason,
    halt::{CancelCause, CouldNotCancel, PlannedCancel},
    incident::{IncidentCause, Trigger, incident_of},
    jobs::{DeliveryAttempted, DeliveryDead, DeliverySubscribed},
    standing::AgentRevoked,
};
use serde_json::{Value, json};

use super::{
    Bench,
    hostile::routes,
    pages::Browser,
    scored::{decided, learn, usual},
};

/// What a page may have without its style sheet and scripts.
const MOST_BYTES: usize = 100_000;
/// More of everything than one page lists.
const MANY: usize = 110;
/// Orders at the venue, as many as a gateway follows.
const OPEN: usize = 250;

/// A name of 40 characters.
fn name(prefix: &str, number: usize) -> String {
    format!("{prefix}-{number:04}-frankfurt-market-making-desk-xxxxxxxx")[..40].to_owned()
}

/// As long as a text may be, with the quotes and signs that people write.
fn text() -> String {
    "The desk's \"usual\" limits, <= 2 % of the day's volume & no more. "
        .repeat(64)
        .chars()
        .take(crate::LONGEST_TEXT)
        .collect()
}

/// An order's id, as long as a UUID.
fn id(number: usize) -> ClientOrderId {
    format!("3f2b8a54-9c1d-4e6f-a7b0-{number:012}").parse().unwrap()
}

/// Agents by the dozen, each stopped with an incident and an application that waits.
async fn crowd(bench: &Bench) {
    for number in 0..MANY {
        let (agent, mandate) = (name("agent", number), name("mandate", number));
        bench.agent(&agent, &name("owner", number)).await;
        let mut asked = bench.asks(&agent, &mandate, ("2000000", "50000"), None);
        asked["limits"]["per_day"] = json!(["EUR 9999999.12345678"]);
        asked["limits"]["per_order"] = json!(["EUR 99999.12345678"]);
        bench.done(&bench.ada, "/v1/applications", asked).await;
        let agent: AgentId = agent.parse().unwrap();
        let incident = incident_of(&agent, Trigger::Decision(number as u64));
        let revoked = AgentRevoked {
            agent,
            by: Actor::Scorer,
            incident: Some(incident),
            reason: RevocationReason::PrivilegeWithdrawn,
            score: None,
        };
        let opened = IncidentOpened {
            agent,
            by: Actor::Scorer,
            cause: IncidentCause::Score,
            incident,
        };
        bench.append(revoked).await;
        bench.append(opened).await;
    }
}

/// Somebody who trades: as many open orders as there can be, positions, refusals with every reason.
async fn trades(bench: &Bench, baseline: &anomaly::ApprovedBaseline) {
    let observation = usual(bench);
    let scored = score(baseline, &ScorerState::NEW, &observation);
    let agent: AgentId = "mm-1".parse().unwrap();
    let first = bench.ledger.stream_next(&extensions::StreamId::agent(&agent));
    let order = |number: usize| {
        let mut order = decided(bench, id(number).as_str(), &observation, *scored.record());
        order.order.instrument = format!("INSTRUMENT{}_EUR", number % 60).parse().unwrap();
        order
    };
    for number in 0..OPEN {
        bench.append(order(number)).await;
    }
    for number in 0..60 {
        let filled = OrderFilled {
            agent,
            client_order_id: id(number),
            currency: "EUR".parse().unwrap(),
            executed_at: bench.now(),
            execution_id: format!("execution-{number}"),
            instrument: order(number).order.instrument,
            order: first + number as u64,
            price: "300.12345678".parse().unwrap(),
            quantity: "0.00012345".parse().unwrap(),
            side: Side::Buy,
        };
        bench.append(filled).await;
    }
    for number in OPEN..OPEN + 60 {
        bench.append(refused(order(number))).await;
    }
    for number in OPEN..OPEN + 30 {
        let outcome = OrderOutcome {
            agent,
            client_order_id: id(number),
            order: first + (number + 60) as u64,
            state: OutcomeState::Rejected {
                why: "the venue's own words, of which it has many: ".repeat(5),
            },
        };
        bench.append(outcome).await;
    }
}

/// With what a refused order usually breaks at once.
fn refused(mut order: OrderDecided) -> OrderDecided {
    order.decision = DecisionKind::Refusal;
    let codes = [
        Code::MaxNotional,
        Code::PriceCollar,
        Code::OutsideHours,
        Code::DayNotional,
    ];
    order.checks.extend(codes.map(|code| FailedCheck {
        change: "send at most 0.25 INSTRUMENT0 at this price, or wait until Monday 07:00 UTC".into(),
        code,
        limit: "EUR 50000 for one order".into(),
        observed: "EUR 912345.67".into(),
    }));
    order
}

/// Baselines proposed one after the other, and an import as large as one may be.
async fn learned(bench: &Bench) {
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let proposed = entries
        .iter()
        .find(|entry| &*entry.kind == "baseline.proposed")
        .unwrap();
    let proposed: BaselineProposed = extensions::canonical::from_slice(proposed.body()).unwrap();
    for version in 2..10 {
        let mut content = proposed.baseline.clone();
        content.version = version;
        bench
            .append(BaselineProposed::of(&ProposedBaseline::new(content).unwrap()))
            .await;
    }
    let row = Observation {
        instrument: "INSTRUMENT1_EUR".parse().unwrap(),
        ..usual(bench)
    };
    bench
        .append(ObservationsImported {
            agent: "mm-1".parse().unwrap(),
            batch: 0,
            batches: 1,
            rows: vec![row; anomaly::events::MOST_ROWS],
            source: Digest::of(b"file"),
        })
        .await;
}

/// A halt of the one who trades, told by two gateways, half of its orders still open; its incident.
async fn halted(bench: &Bench) -> String {
    let reason = json!({"reason": text()});
    let acted = bench.done(&bench.ada, "/v1/agents/mm-1/revoke", reason).await;
    let revoked = acted["entry"]["number"].as_u64().unwrap();
    let cancel = (0..OPEN).map(|number| PlannedCancel {
        because: CancelCause::MandateCancelsAll,
        client_order_id: id(number),
    });
    let plan = HaltPlan {
        cancel: cancel.collect(),
        keep: Vec::new(),
    };
    for gateway in ["gateway-frankfurt-1", "gateway-frankfurt-2"] {
        let report = HaltReport {
            cancelled: (0..OPEN / 2).map(id).collect(),
            could_not: (OPEN / 2..OPEN)
                .map(|number| CouldNotCancel {
                    client_order_id: id(number),
                    why: "venue timeout".into(),
                })
                .collect(),
            kept: Vec::new(),
        };
        let agent = "mm-1".parse().unwrap();
        let gateway = gateway.parse().unwrap();
        bench
            .append(HaltReported::new(agent, gateway, revoked, plan.clone(), report))
            .await;
    }
    let position = acted["entry"]["position"].as_u64().unwrap();
    webhooks(bench, position).await;
    acted["incident"].as_str().unwrap().to_owned()
}

/// Receivers that took nothing: what was given up, and every attempt.
async fn webhooks(bench: &Bench, position: u64) {
    let fault = "the connection was refused: nothing listens at this address";
    for number in 0..30 {
        let subscription = format!("webhook-{number:02}");
        bench
            .append(DeliverySubscribed {
                from: 0,
                subscription: subscription.clone(),
            })
            .await;
        let letters = if number == 0 { 60 } else { 5 };
        for entry in 0..letters {
            bench
                .append(DeliveryDead {
                    attempts: 16,
                    entry: Some(position - entry),
                    fault: fault.into(),
                    message: "msg".into(),
                    subscription: subscription.clone(),
                })
                .await;
        }
        bench
            .append(DeliveryAttempted {
                attempt: 1,
                entry: Some(position),
                fault: Some(fault.into()),
                message: "msg".into(),
                status: Some(503),
                subscription,
                through: 0,
            })
            .await;
    }
}

/// An application with everything that can be said of one, and a review that waits.
async fn asked(bench: &Bench, incident: &str) -> Value {
    let mut asked = bench.asks("mm-1", "m-2", ("2000000", "50000"), None);
    asked["rationale"] = json!(text());
    let all = |what: &str, count: usize| {
        (0..count)
            .map(|number| json!(format!("{what}{number}")))
            .collect::<Vec<_>>()
    };
    asked["limits"]["instruments"] = json!(
        (0..100)
            .map(|number| format!("INSTRUMENT{number}_EUR"))
            .collect::<Vec<_>>()
    );
    asked["limits"]["counterparties"] = json!(all("exchange_number_", 30));
    asked["limits"]["regions"] = json!(all("eu-west-", 30));
    bench.done(&bench.ada, "/v1/applications", asked).await;
    for _ in 0..32 {
        let said = json!({"text": text()});
        bench.done(&bench.ben, "/v1/applications/m-2/questions", said).await;
    }
    let at = format!("/v1/incidents/{incident}");
    bench.done(&bench.ben, &format!("{at}/acknowledge"), json!({})).await;
    let review = json!({"finding": "confirmed", "impact": text(), "lessons": text(), "root_cause": text()});
    bench.done(&bench.ada, &format!("{at}/review"), review).await
}

/// The largest house: the pages of it that are not read from the routes.
async fn largest(bench: &Bench) -> (String, String, Vec<String>) {
    bench.agent("mm-1", "desk").await;
    let baseline = learn(bench).await;
    let application = bench.application("mm-1", "m-1", "100000").await;
    let path = "/v1/applications/m-1/signatures";
    bench
        .done(&bench.ben, path, bench.ben.signs(&application, "approve"))
        .await;
    super::subscriptions::signed(bench, "desk").await;
    learned(bench).await;
    trades(bench, &baseline).await;
    for number in 0..40 {
        let mandate = name("m", number);
        bench.application("mm-1", &mandate, "100000").await;
    }
    crowd(bench).await;
    let incident = halted(bench).await;
    let review = asked(bench, &incident).await;
    let mut officers = Vec::new();
    for number in 0..45 {
        let officer = json!({"officer": name("officer", number), "roles": ["administrator", "approver", "operator", "responder"]});
        officers.push(bench.done(&bench.ada, "/v1/officers", officer).await);
    }
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let long = entries.iter().filter(|entry| entry.body().len() > 6_000);
    let mut more: Vec<String> = long.map(|entry| format!("/entries/{}", entry.position)).collect();
    assert!(more.len() >= 10, "baselines, an import, a report: {more:?}");
    more.extend(
        [
            "/webhooks/webhook-00",
            "/applications/m-2",
            "/applications/m-2/questions",
            "/applications/m-2/whatif",
        ]
        .map(String::from),
    );
    let of_baseline = bench.get(&bench.ada, "/v1/proposals").await.1;
    let proposals = of_baseline["proposals"].as_array().unwrap().iter();
    more.extend(
        proposals
            .filter(|one| one["becomes"] == "baseline.approved")
            .map(|one| {
                format!(
                    "/proposals/{}",
                    one["proposal"].as_str().unwrap().trim_start_matches("officer/")
                )
            }),
    );
    let review = review["proposal"].as_str().unwrap().rsplit('/').next().unwrap();
    (incident, review.to_owned(), more)
}

/// Controls: with every open order on an agent's page, or every byte of an entry on its page, the page is named with its size: seen red; with every
/// question on an application's.
#[tokio::test]
async fn every_page_stays_below_its_bound() {
    let bench = Bench::new().await;
    let (incident, review, more) = largest(&bench).await;
    let ada = Browser::new(&bench, true).signed_in().await;
    let (mut over, mut measured) = (Vec::new(), Vec::new());
    for path in routes(&(incident, review)).into_iter().chain(more) {
        let (status, page) = ada.get(&path).await;
        if status != StatusCode::OK {
            continue;
        }
        measured.push((page.len(), path.clone()));
        if page.len() >= MOST_BYTES {
            over.push(format!("{path}: {} bytes", page.len()));
        }
    }
    measured.sort_unstable();
    println!("{measured:#?}");
    assert!(measured.len() >= 30, "{} pages were there", measured.len());
    assert!(over.is_empty(), "{over:#?}");
}
