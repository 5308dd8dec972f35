//! What an officer is told who has five minutes to answer a warning.

use anomaly::{BaselineApproved, BaselineProposed, Observation, ProposedBaseline, ScorerState, score};
use extensions::{Digest, canonical};
use gateway_policy::{
    CertificateUsed, DecisionKind, Known, OrderDecided, OrderKind, OrderTerms, Proof, ScoreUse, Side, TimeInForce,
    Validity, View,
};
use revocation_core::{Actor, WarningDefault, warning::WarningOpened};
use serde_json::{Value, json};

use super::{Bench, approvals::rows};

/// Has a first baseline of mm-1 approved; gives it.
pub(crate) async fn learn(bench: &Bench) -> anomaly::ApprovedBaseline {
    let batch = json!({"batch": 0, "batches": 1, "rows": rows(bench), "source": Digest::of(b"file")});
    bench.done(&bench.ada, "/v1/agents/mm-1/observations", batch).await;
    let path = "/v1/agents/mm-1/baselines";
    let asked = bench.done(&bench.ada, path, json!({})).await;
    let sign = format!("{path}/{}/signatures", asked["document_digest"].as_str().unwrap());
    bench.done(&bench.ben, &sign, bench.ben.signs(&asked, "approve")).await;
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let of = |kind: &str| {
        entries
            .iter()
            .find(|entry| &*entry.kind == kind)
            .unwrap()
            .body()
            .to_vec()
    };
    let proposed: BaselineProposed = canonical::from_slice(&of("baseline.proposed")).unwrap();
    let approved: BaselineApproved = canonical::from_slice(&of("baseline.approved")).unwrap();
    let proposed = ProposedBaseline::new(proposed.baseline).unwrap();
    proposed.approve(&approved).unwrap()
}

/// An order as mm-1 sends them.
pub(crate) fn usual(bench: &Bench) -> Observation {
    Observation {
        at: bench.now(),
        counterparty: "exchange_a".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        instrument: "BTC_EUR".parse().unwrap(),
        notional: Some("300".parse().unwrap()),
        refused: false,
        region: Some("eu-west-1".parse().unwrap()),
    }
}

pub(crate) fn decided(bench: &Bench, id: &str, observation: &Observation, score: anomaly::ScoreRecord) -> OrderDecided {
    let order = OrderTerms {
        client_order_id: id.parse().unwrap(),
        counterparty: observation.counterparty,
        currency: observation.currency,
        instrument: observation.instrument,
        price: observation.notional,
        quantity: "1".parse().unwrap(),
        reduce_only: false,
        side: Side::Buy,
        stop_price: None,
        time_in_force: TimeInForce::Gtc,
        kind: OrderKind::Limit,
    };
    OrderDecided {
        agent: "mm-1".parse().unwrap(),
        body: Digest::default(),
        certificate: CertificateUsed {
            fingerprint: Digest::default(),
            not_after: bench.now(),
            not_before: bench.now(),
            serial: extensions::Serial::new([1; 18]).unwrap(),
            validity: Validity::Current,
        },
        checks: Vec::new(),
        counts_executions: false,
        counts_loss: false,
        decision: DecisionKind::Permit,
        exposure: None,
        folded_to: None,
        gateway: "gw-1".parse().unwrap(),
        known: Known::New,
        list: None,
        mandate: None,
        notional: observation.notional,
        order,
        overridden: None,
        plan: None,
        proof: Proof::NotRequired,
        reasoning: None,
        reduction: false,
        reference: None,
        reference_max_age_ms: 5_000,
        region: observation.region,
        score: Some(score),
        score_use: Some(ScoreUse::Enforced),
        send_within_ms: 250,
        signed_by: None,
        signed_request: None,
        state: None,
        view: View::Fresh,
    }
}

/// The order that was scored, its number, the score, the leading component and its reason in words, and every component's part. Control:
/// before the warning there is nothing to tell.
#[tokio::test]
async fn a_warning_names_its_order_and_its_reason() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let baseline = learn(&bench).await;
    let shown = async || bench.get(&bench.ada, "/v1/agents/mm-1").await.1["scored"].clone();
    let usual = usual(&bench);
    let odd = Observation {
        notional: Some("900000".parse().unwrap()),
        ..usual
    };
    for (id, observation) in [("usual", &usual), ("odd", &odd)] {
        let scored = score(&baseline, &ScorerState::NEW, observation);
        bench.append(decided(&bench, id, observation, *scored.record())).await;
        assert_eq!(shown().await, Value::Null);
    }
    let opened = WarningOpened {
        agent: "mm-1".parse().unwrap(),
        by: Actor::Scorer,
        deadline: bench.now().plus_seconds(300),
        default: WarningDefault::Freeze,
        score: Some(760_000),
    };
    bench.append(opened).await;
    let told = shown().await;
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let order = entries.iter().rfind(|entry| &*entry.kind == "order.decided").unwrap();
    assert_eq!(
        (&told["client_order_id"], &told["number"]),
        (&json!("odd"), &json!(order.number))
    );
    assert_eq!(told["leading"], "size", "{told}");
    let words = told["in_words"].as_str().unwrap();
    assert!(words.contains("size:") && words.starts_with("score 0."), "{words}");
    let parts = told["contributions"].as_array().unwrap();
    assert_eq!(parts.len(), 5);
    let shares: u64 = parts
        .iter()
        .map(|part| part["evidence"]["share"].as_u64().unwrap())
        .sum();
    assert_eq!(shares, 1_000_000, "exact");
    assert!(parts.iter().all(|part| part["reason"].is_string()), "{told}");
}
