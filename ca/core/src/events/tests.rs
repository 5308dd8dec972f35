//! Every kind's body is canonical and reads back.

use extensions::{Base64, Digest, Timestamp, canonical};

use super::*;

fn samples() -> Vec<Event> {
    let officer = extensions::OfficerId::new("ada").unwrap();
    let mandate = extensions::MandateId::new("m-1").unwrap();
    let agent = extensions::AgentId::new("mm-1").unwrap();
    let owner = extensions::OwnerId::new("desk").unwrap();
    let at = Timestamp::from_seconds(1_795_000_000);
    let digest = Digest::of(b"x");
    let serial = extensions::Serial::new([7; 18]).unwrap();
    let approval = extensions::ApprovalRecord {
        decision: extensions::ApprovalDecision::Approve,
        document: digest,
        key: digest,
        nonce: digest,
        officer,
        passkey: None,
        signature: Base64(vec![1, 2, 3]),
    };
    let party = extensions::passkey::RelyingParty {
        id: "localhost".into(),
        origin: "https://localhost:8444".into(),
    };
    vec![
        PasskeyAdded {
            attestation: Base64(vec![1]),
            authorised_by: Some(approval.clone()),
            credential: Base64(vec![2]),
            name: Some(digest),
            officer,
            party,
            sealed: vec![],
            spki: Base64(vec![3]),
            token: Some(digest),
        }
        .into(),
        AgentRegistered {
            agent,
            declared_code_digest: Some(digest),
            declared_model: "m".into(),
            environment: extensions::Environment::Sandbox,
            expires_at: at,
            owner,
            purpose: digest,
            registered_by: officer,
            sealed: vec![],
        }
        .into(),
        ApplicationSubmitted {
            agent,
            applicant: officer,
            document: crate::samples::document(),
            document_digest: digest,
            expires_at: at,
            mandate,
            narrowed_by: None,
            nonce: digest,
            owner,
            revision: 1,
            sealed: vec![],
        }
        .into(),
        ApplicationSigned {
            approval: approval.clone(),
            mandate,
            revision: 1,
        }
        .into(),
        ApplicationApproved {
            agent,
            approvers: vec![digest],
            document: digest,
            mandate,
            revision: 1,
            rules: vec![RuleOutcome {
                met: true,
                reason: "r".into(),
                rule: "n".into(),
            }],
        }
        .into(),
        ApplicationRejected {
            agent,
            document: digest,
            mandate,
            reason: digest,
            rejected_by: officer,
            revision: 1,
            sealed: vec![],
        }
        .into(),
        EnrolmentTokenIssued {
            agent,
            issued_by: officer,
            mandate,
            token: digest,
            use_before: at,
        }
        .into(),
        TokenBound {
            agent,
            csr: Base64(vec![1]),
            csr_digest: digest,
            mandate,
            spki: digest,
            token: digest,
        }
        .into(),
        RenewalRequested {
            agent,
            csr: Base64(vec![1]),
            csr_digest: digest,
            current: serial,
            mandate,
            spki: digest,
        }
        .into(),
        CertificateReserved {
            agent,
            checks: 9,
            csr: digest,
            document: digest,
            issuer: digest,
            mandate,
            not_after: at,
            not_before: at,
            serial,
            spki: digest,
            tbs: digest,
        }
        .into(),
        CertificateIssued {
            agent,
            certificate: Base64(vec![1]),
            csr: digest,
            mandate,
            not_after: at,
            not_before: at,
            serial,
            spki: digest,
        }
        .into(),
        OfficerTokenIssued {
            issued_by: None,
            officer,
            roles: vec![Role::Approver],
            token: digest,
            use_before: at,
        }
        .into(),
        OfficerRegistered {
            certificate: Base64(vec![1]),
            key: digest,
            officer,
            roles: vec![Role::Approver],
            serial,
            token: digest,
        }
        .into(),
        OfficerRequested {
            csr: Base64(vec![1]),
            name: digest,
            officer,
            sealed: vec![],
            token: digest,
        }
        .into(),
        OfficerProposed {
            becomes: "house.thresholds_set".into(),
            document: serde_json::json!({"b": 1, "a": {"d": "x", "c": []}}),
            document_digest: digest,
            expires_at: at,
            nonce: digest,
            proposer: officer,
            sealed: vec![],
        }
        .into(),
        OfficerActed {
            act: "agent.frozen".to_owned(),
            officer,
            reason: digest,
            sealed: vec![],
            subject: "agent/mm-1".to_owned(),
        }
        .into(),
        OfficerRefused {
            act: "agent.frozen".to_owned(),
            code: "ROLE_MISSING".to_owned(),
            count: 3,
            officer,
        }
        .into(),
        ReplacementQueued {
            agent,
            incident: extensions::IncidentId::new("i-1").unwrap(),
            mandate,
            revoked: 4,
        }
        .into(),
        OfficerSignedIn {
            count: 1,
            counter: Some(9),
            key: digest,
            officer,
        }
        .into(),
        OfficerRead {
            count: 2,
            key: digest,
            officer,
            records: vec!["/v1/entries/7".to_owned()],
        }
        .into(),
        PasskeyDoubted {
            act: "sign in".to_owned(),
            counter: 4,
            key: digest,
            last: 9,
            officer,
        }
        .into(),
        ProposalClosed {
            accepted: true,
            proposal: "officer/ada/3".into(),
            proposer: officer,
        }
        .into(),
        OfficerRemoved {
            officer,
            removed_by: officer,
        }
        .into(),
        OfficerSigned {
            approval,
            subject: "agent/mm-1 baseline.approved".into(),
        }
        .into(),
        HouseFounded {
            arc: extensions::oids::OidArc::DEVELOPMENT,
            crl_url: "http://status.example/crl".into(),
            environment: extensions::Environment::Sandbox,
            issuer_url: "http://status.example/ca".into(),
            ocsp_url: "http://status.example/ocsp".into(),
            trust_domain: extensions::certificate::TrustDomain::new("bots.example").unwrap(),
        }
        .into(),
        HouseCertificateReserved {
            not_after: at,
            not_before: at,
            serial,
            spki: digest,
            subject: "gateway".into(),
            tbs: digest,
        }
        .into(),
        ServerCertified {
            certificate: Base64(vec![1]),
            server: "gateway".into(),
        }
        .into(),
        CaCertificateInstalled {
            certificate: Base64(vec![1]),
            purpose: CaCertificateUse::AgentRoot,
        }
        .into(),
    ]
}

/// Fails when a struct's fields leave alphabetical order, or a kind is not decodable: swap two fields to see it.
#[test]
fn bodies_are_canonical_and_read_back() {
    let samples = samples();
    assert_eq!(samples.len(), Event::KINDS.len(), "one sample a kind");
    for event in samples {
        let mut body = vec![];
        event.record().write_body(&mut body);
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(canonical::to_vec(&value), body, "{}", event.record().kind());
        let back = Event::decode(event.record().kind(), &body).unwrap().unwrap();
        assert_eq!(back, event);
    }
    assert!(Event::decode("order.decided", b"{}").is_none());
}
