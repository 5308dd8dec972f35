//! Who decided, and for which CA: what officers did not sign changes no status, and no reply speaks for a CA that did not delegate its signer.

use ca_core::events::{
    CaCertificateUse, OfficerProposed, OfficerRegistered, OfficerSigned, OfficerTokenIssued, Role as OfficerRole,
};
use extensions::{ApprovalDecision, ApprovalRecord, OfficerId, Signer as _};
use revocation_core::HouseScope;
use revocation_core::house::{HouseReinstated, HouseRevoked};
use revocation_core::standing::AgentReinstated;
use revocation_core::status::CertificateStatus;

use super::*;

fn officer(name: &str) -> OfficerId {
    OfficerId::new(name).unwrap()
}

/// Makes ada and bo officers, as the ceremony does.
async fn found(running: &Running) -> [ca_keys::SecretKey; 2] {
    use ca_core::events::CaCertificateUse::{HouseIssuing, HouseRoot};
    for purpose in [HouseRoot, HouseIssuing] {
        let certificate = Base64(running.ca.certificate.clone());
        running.commit(&CaCertificateInstalled { certificate, purpose }).await;
    }
    let roles = vec![OfficerRole::Approver];
    for name in ["ada", "bo"] {
        let token = OfficerTokenIssued {
            issued_by: None,
            officer: officer(name),
            roles: roles.clone(),
            token: Digest::of(name.as_bytes()),
            use_before: real_now().plus_seconds(60),
        };
        running.commit(&token).await;
    }
    let mut keys = Vec::new();
    for (name, number) in [("ada", 7), ("bo", 8)] {
        let (certificate, key) = running.ca.leaf(name, number);
        let registered = OfficerRegistered {
            certificate: Base64(certificate),
            key: Digest::of(key.public_key_spki()),
            officer: officer(name),
            roles: roles.clone(),
            serial: serial(number),
            token: Digest::of(name.as_bytes()),
        };
        running.commit(&registered).await;
        keys.push(key);
    }
    keys.try_into().unwrap_or_else(|_| panic!("two"))
}

/// Has ada propose, and both sign.
async fn decided(
    running: &Running,
    keys: &[ca_keys::SecretKey; 2],
    (becomes, number): (&str, u64),
    document: serde_json::Value,
) -> Vec<ApprovalRecord> {
    let digest = Digest::of(&extensions::canonical::to_vec(&document));
    let proposed = OfficerProposed {
        becomes: becomes.to_owned(),
        document,
        document_digest: digest,
        expires_at: real_now().plus_seconds(600),
        nonce: Digest::of(becomes.as_bytes()),
        proposer: officer("ada"),
        sealed: Vec::new(),
    };
    running.commit(&proposed).await;
    let mut signatures = Vec::new();
    for (name, key) in ["ada", "bo"].into_iter().zip(keys) {
        let mut approval = ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document: digest,
            key: Digest::of(key.public_key_spki()),
            nonce: proposed.nonce,
            officer: officer(name),
            passkey: None,
            signature: Base64(Vec::new()),
        };
        approval.signature = Base64(key.sign(&approval.message().0).unwrap());
        let subject = format!("officer/ada/{number}");
        let signed = OfficerSigned {
            approval: approval.clone(),
            subject,
        };
        running.commit(&signed).await;
        signatures.push(approval);
    }
    signatures
}

/// Two names under signatures nobody made.
fn forged(mut signatures: Vec<ApprovalRecord>) -> Vec<ApprovalRecord> {
    signatures
        .iter_mut()
        .for_each(|record| record.signature = Base64(vec![7; 64]));
    signatures
}

/// After a revocation of the agent and one of the house, a certificate that is reserved later is good only once officers signed; names in the
/// entry are nobody's signature. A CA that the root did not sign is none of ours.
///
/// Control tried: without the look at `held` in `fold_one`, the forged reinstatement makes the next certificate good, and the foreign CA is
/// served.
#[tokio::test(flavor = "multi_thread")]
async fn what_officers_did_not_sign_changes_no_status() {
    let running = running(Bounds::default()).await;
    let keys = found(&running).await;
    let issuer = Digest::of(&running.ca.certificate);
    let agent = AgentId::new("a-1").unwrap();
    let (by, reason) = (Actor::Officer(officer("ada")), RevocationReason::PrivilegeWithdrawn);
    let again = |number| CertificateReserved {
        agent,
        ..reserved(number, issuer)
    };
    let status = |number| running.state.status(&serial(number));
    let of_agent = |signatures| AgentReinstated {
        agent,
        certificates_from: real_now(),
        incident: None,
        signatures,
    };
    let of_house = |signatures| HouseReinstated {
        certificates_from: real_now(),
        scope: HouseScope::All,
        signatures,
    };
    let by_officer = AgentRevoked {
        by,
        reason,
        score: None,
        ..revoked(1)
    };
    running.commit(&by_officer).await;
    let document = serde_json::json!({"agent": "a-1", "purpose": "reinstate", "revoked_at": 0});
    let signed = decided(&running, &keys, ("agent.reinstated", 2), document).await;
    running.commit(&of_agent(forged(signed.clone()))).await;
    running.commit(&again(20)).await;
    assert!(matches!(status(20), CertificateStatus::Revoked(_)), "forged");
    running.commit(&of_agent(signed)).await;
    running.commit(&again(21)).await;
    assert_eq!(status(21), CertificateStatus::Good);

    let revoked = HouseRevoked {
        by,
        reason,
        scope: HouseScope::All,
    };
    let number = running.log.of_stream(&revoked.stream());
    running.commit(&revoked).await;
    let document = serde_json::json!({"purpose": "reinstate", "revoked_at": number, "scope": "all"});
    let signed = decided(&running, &keys, ("house.reinstated", 4), document).await;
    running.commit(&of_house(forged(signed.clone()))).await;
    running.commit(&again(22)).await;
    assert!(matches!(status(22), CertificateStatus::Revoked(_)), "forged");
    running.commit(&of_house(signed)).await;
    running.commit(&again(23)).await;
    assert_eq!(status(23), CertificateStatus::Good);

    let known = running.state.ca_certificates().len();
    let foreign = CaCertificateInstalled {
        certificate: Base64(test_ca().certificate),
        purpose: CaCertificateUse::AgentIssuing,
    };
    running.commit(&foreign).await;
    assert_eq!(running.state.ca_certificates().len(), known);
}

/// Each CA's responder speaks for its own CA: a request that mixes two of ours is told so, not that the other's certificate is unknown.
///
/// Control tried: with the first key that is asked, as for one CA, the reply is signed and says `unknown`.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_mixes_two_cas_is_answered_by_neither() {
    let running = running(Bounds::default()).await;
    let (folder, other) = (tempfile::tempdir().unwrap(), test_ca());
    let key = |ca: &TestCa| OcspKey::new(&ca.certificate, &ca.responder, ca.responder_key.clone()).unwrap();
    let stranger = ocsp_request(folder.path(), &other, &["-no_nonce"]);
    std::fs::rename(folder.path().join("ca.pem"), folder.path().join("other.pem")).unwrap();
    let two = format!("0x{}", serial(2));
    let mixed = ["-no_nonce", "-issuer", "other.pem", "-serial", &two];
    let mixed = ocsp_request(folder.path(), &running.ca, &mixed);
    let kind = "application/ocsp-request";
    let (_, answer) = post(running.address, kind, &mixed).await;
    assert_eq!(
        answer.get(6),
        Some(&0),
        "a stranger's beside ours is unknown: {answer:02x?}"
    );
    running.replies.set_keys(vec![key(&running.ca), key(&other)]);
    let (_, answer) = post(running.address, kind, &mixed).await;
    assert_eq!(answer, [0x30, 3, 0x0a, 1, 6], "unauthorized");
    for single in [stranger, ocsp_request(folder.path(), &running.ca, &["-no_nonce"])] {
        let (_, answer) = post(running.address, kind, &single).await;
        assert_eq!(answer.get(6), Some(&0), "successful: {answer:02x?}");
    }
}
