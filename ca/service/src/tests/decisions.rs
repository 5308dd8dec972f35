//! What officers should have signed and did not: the `ca` role does not believe the log's word for it (ARCHITECTURE §5, guarantee 5).

use ca_core::events::{OfficerProposed, OfficerSigned, OfficerTokenIssued, Role};
use revocation_core::house::ThresholdsSet;
use serde_json::{Value, json};

use super::*;

impl Bench {
    /// Both officers sign a document, as entries.
    async fn decided(&self, becomes: &str, document: &Value) -> Vec<ApprovalRecord> {
        let digest = Digest::of(&extensions::canonical::to_vec(document));
        let (proposer, nonce) = (self.officers[0].0, Digest::of(becomes.as_bytes()));
        let proposed = OfficerProposed {
            becomes: becomes.to_owned(),
            document: document.clone(),
            document_digest: digest,
            expires_at: now().plus_seconds(3_600),
            nonce,
            proposer,
            sealed: vec![],
        };
        let recorded = self.writer.append(Append::next(proposed, now())).await.unwrap();
        let mut signatures = Vec::new();
        for (officer, key, spki) in &self.officers {
            let mut approval = ApprovalRecord {
                decision: ApprovalDecision::Approve,
                document: digest,
                key: *spki,
                nonce,
                officer: *officer,
                passkey: None,
                signature: Base64(vec![]),
            };
            approval.signature = Base64(key.sign(&approval.message().0).unwrap());
            self.append(OfficerSigned {
                approval: approval.clone(),
                subject: format!("officer/{proposer}/{}", recorded.number()),
            })
            .await;
            signatures.push(approval);
        }
        signatures
    }

    /// Uses a token for a further officer; whether a certificate was issued for it.
    async fn enrols(&self, token: &OfficerTokenIssued) -> bool {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let requested = OfficerRequested {
            csr: Base64(csr(&pair)),
            name: Digest::default(),
            officer: token.officer,
            sealed: vec![],
            token: token.token,
        };
        let payload = OfficerTask { token: token.token }.to_payload();
        let append = Append::next(requested, now()).task(task(OFFICER_TASK, payload));
        self.writer.append(append).await.unwrap();
        self.service.work().await.unwrap();
        let mut view = self.service.view.lock().await;
        view.catch_up(&self.ledger).await.unwrap();
        view.register.officer(&token.officer).is_some()
    }
}

fn token(name: &str) -> OfficerTokenIssued {
    OfficerTokenIssued {
        issued_by: None,
        officer: OfficerId::new(name).unwrap(),
        roles: vec![Role::Approver],
        token: Digest::of(name.as_bytes()),
        use_before: now().plus_seconds(600),
    }
}

fn asked(token: &OfficerTokenIssued) -> Value {
    json!({
        "officer": token.officer, "purpose": "officer token", "roles": token.roles, "token": token.token,
        "use_before": token.use_before,
    })
}

/// A token that is merely written makes nobody an officer, nor does one with more roles than the officers signed; the signed one does.
///
/// Control tried: `Register::admits` that admits everything, and this test and the two below are red.
#[tokio::test]
async fn a_token_nobody_signed_certifies_nobody() {
    let bench = bench().await;
    let eve = token("eve");
    bench.append(eve.clone()).await;
    assert!(!bench.enrols(&eve).await);
    let cyd = token("cyd");
    bench.decided("officer.token_issued", &asked(&cyd)).await;
    let wider = OfficerTokenIssued {
        roles: vec![Role::Administrator, Role::Approver],
        ..cyd.clone()
    };
    bench.append(wider).await;
    assert!(!bench.enrols(&cyd).await, "more roles than were signed");

    let bench = self::bench().await;
    bench.decided("officer.token_issued", &asked(&cyd)).await;
    bench.append(cyd.clone()).await;
    assert!(bench.enrols(&cyd).await);
}

/// One officer's approval of a mandate that takes two is not made enough by a threshold that nobody signed; by a signed one it is.
#[tokio::test]
async fn a_threshold_nobody_signed_raises_nothing() {
    for signed in [false, true] {
        let bench = bench().await;
        let (eur, limit) = ("EUR".parse().unwrap(), Decimal::from(9_000_000));
        let thresholds = Thresholds {
            two_officers_above: [(eur, limit)].into(),
            ..Thresholds::default()
        };
        let document = json!({"purpose": "thresholds", "thresholds": thresholds});
        let signatures = bench.decided("house.thresholds_set", &document).await;
        let signatures = if signed { signatures } else { Vec::new() };
        bench.append(ThresholdsSet { signatures, thresholds }).await;
        let mut wide = super::document("50000");
        wide.limits = serde_json::from_value(
            serde_json::from_str(
                &serde_json::to_string(&wide.limits)
                    .unwrap()
                    .replace("EUR 500000", "EUR 5000000"),
            )
            .unwrap(),
        )
        .unwrap();
        let csr = bench.apply(&wide, 1, &wide).await;
        assert_eq!(bench.issued(&csr).await.is_some(), signed);
    }
}

/// A reinstatement that nobody signed ends no revocation here: nothing is issued to the agent.
#[tokio::test]
async fn a_reinstatement_nobody_signed_issues_nothing() {
    for signed in [false, true] {
        let bench = bench().await;
        let agent = AgentId::new("mm-1").unwrap();
        let revoked = AgentRevoked {
            agent,
            by: Actor::Officer(bench.officers[0].0),
            incident: None,
            reason: RevocationReason::PrivilegeWithdrawn,
            score: None,
        };
        let number = bench
            .writer
            .append(Append::next(revoked, now()))
            .await
            .unwrap()
            .number();
        let document = json!({"agent": agent, "purpose": "reinstate", "revoked_at": number});
        let mut signatures = bench.decided("agent.reinstated", &document).await;
        if !signed {
            signatures[1].signature = Base64(vec![1; 64]);
        }
        bench
            .append(revocation_core::standing::AgentReinstated {
                agent,
                certificates_from: now().plus_seconds(-60),
                incident: None,
                signatures,
            })
            .await;
        let csr = bench
            .apply(&super::document("50000"), 1, &super::document("50000"))
            .await;
        assert_eq!(bench.issued(&csr).await.is_some(), signed);
    }
}
