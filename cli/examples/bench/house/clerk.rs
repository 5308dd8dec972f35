//! The officer who signs the crowd's baselines: a gateway obeys no baseline that nobody signed. Certified with the keys that the founding left,
//! before anything is served.

use anomaly::ProposedBaseline;
use ca_core::{
    certificate::serial_of,
    events::{OfficerProposed, OfficerRegistered, OfficerSigned, OfficerTokenIssued, ProposalClosed, Role},
    issue::{IssuingCa, Particulars, prepare_house},
    profiles::{Profile, Settings},
};
use ca_keys::{SecretKey, SystemRandom};
use ca_service::CaKeys;
use extensions::{
    ApprovalDecision, ApprovalRecord, Base64, Clock as _, Digest, KeyAlgorithm, OfficerId, Serial, Signer as _,
    Timestamp, canonical, certificate::TrustDomain, oids::OidArc,
};
use ledger::{Append, Writer};
use mandatum::{clock::SystemClock, config::Config, founding, pem};

/// The clerk, and how many entries stand in the streams of who asks and who signs.
pub(super) struct Clerk {
    key: SecretKey,
    officer: OfficerId,
    proposer: OfficerId,
    proposed: u64,
    signed: u64,
}

impl Clerk {
    /// Appoints one. The founding's own officers are not there yet, so the token takes no signatures.
    pub(super) async fn appoint(writer: &Writer, config: &Config) -> anyhow::Result<Self> {
        let (officer, now) = (OfficerId::new("clerk")?, SystemClock.now());
        let key = SecretKey::generate("clerk", KeyAlgorithm::Ed25519)?;
        let roles = vec![Role::Approver];
        let token = Digest::of(b"clerk");
        let issued = OfficerTokenIssued {
            issued_by: None,
            officer,
            roles: roles.clone(),
            token,
            use_before: now.plus_seconds(600),
        };
        writer.append(Append::next(issued, now)).await?;
        let certificate = certificate(config, &key, officer, now)?;
        let registered = OfficerRegistered {
            serial: serial_of(&certificate).ok_or_else(|| anyhow::anyhow!("the certificate has no serial of ours"))?,
            certificate: Base64(certificate),
            key: Digest::of(key.public_key_spki()),
            officer,
            roles,
            token,
        };
        writer.append(Append::next(registered, now)).await?;
        Ok(Self {
            key,
            officer,
            proposer: OfficerId::new("usher")?,
            proposed: 0,
            signed: 2,
        })
    }

    /// The entries that ask for a baseline, sign it, and close the question; and where the signature will stand.
    pub(super) fn approve(
        &mut self,
        baseline: &ProposedBaseline,
    ) -> anyhow::Result<(OfficerProposed, OfficerSigned, ProposalClosed, String)> {
        let document = serde_json::to_value(baseline.content())?;
        let digest = Digest::of(&canonical::to_vec(&document));
        let subject = format!("officer/{}/{}", self.proposer, self.proposed);
        let proposed = OfficerProposed {
            becomes: "baseline.approved".to_owned(),
            document,
            document_digest: digest,
            expires_at: SystemClock.now().plus_seconds(86_400),
            nonce: Digest::of(subject.as_bytes()),
            proposer: self.proposer,
            sealed: Vec::new(),
        };
        let mut approval = ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document: digest,
            key: Digest::of(self.key.public_key_spki()),
            nonce: proposed.nonce,
            officer: self.officer,
            passkey: None,
            signature: Base64(Vec::new()),
        };
        approval.signature = Base64(self.key.sign(&approval.message().0)?);
        let reference = format!("officer/{}/{}", self.officer, self.signed);
        // The closing stands in the proposer's stream, behind the question.
        self.proposed += 2;
        self.signed += 1;
        let closed = ProposalClosed {
            accepted: true,
            proposal: subject.clone(),
            proposer: self.proposer,
        };
        Ok((proposed, OfficerSigned { approval, subject }, closed, reference))
    }
}

fn certificate(config: &Config, key: &SecretKey, officer: OfficerId, now: Timestamp) -> anyhow::Result<Vec<u8>> {
    let settings = Settings {
        arc: OidArc::new(config.house.pen)?,
        environment: config.house.environment,
        trust_domain: TrustDomain::new(&config.house.trust_domain)?,
        crl_url: "http://status.example/agents.crl".to_owned(),
        ocsp_url: "http://status.example/ocsp".to_owned(),
        issuer_url: "http://status.example/agents-issuing.cer".to_owned(),
    };
    let passphrase = founding::passphrase(config)?;
    let keys = CaKeys::open(&config.paths.keys, founding::protection(passphrase.as_ref()))?;
    let issuing = pem::certificates(&config.paths.certificates.join("house-issuing.pem"))?;
    let issuing = issuing
        .first()
        .ok_or_else(|| anyhow::anyhow!("no house issuing certificate"))?;
    let issuer = IssuingCa::read(issuing, &settings)?;
    let signer = keys
        .signer_of(issuing)
        .ok_or_else(|| anyhow::anyhow!("the house issuing key is another"))?;
    let begin = Timestamp::from_seconds(now.seconds());
    let particulars = Particulars {
        settings: &settings,
        spki: key.public_key_spki(),
        serial: Serial::draw(1, &mut SystemRandom::new()),
        not_before: begin,
        not_after: begin.plus_seconds(86_400),
    };
    let throwaway = SecretKey::generate("throwaway", signer.algorithm())?;
    let prepared = prepare_house(&Profile::Officer { officer }, particulars, Some(&issuer), &throwaway)?;
    Ok(prepared.sign(signer.as_ref())?.seal()?.certificate().to_vec())
}
