//! The world's officers, and what they decide.

use ca_core::events::{
    CaCertificateInstalled, CaCertificateUse, OfficerProposed, OfficerRegistered, OfficerSigned, OfficerTokenIssued,
    Role,
};
use serde_json::Value;

use super::*;

const ROLES: [Role; 2] = [Role::Approver, Role::Operator];

/// The one who asks is on call too.
fn roles_of(name: &str) -> Vec<Role> {
    let on_call = (name == "op").then_some(Role::Responder);
    ROLES.into_iter().chain(on_call).collect()
}

impl World {
    /// Registers the one officer who approves, and the one who asks; opens the region table.
    pub(super) async fn found(&self) {
        let house_key = key(KeyAlgorithm::EcdsaP256Sha256);
        let profile = Profile::HouseRoot {
            name: "House root".to_owned(),
        };
        let house = sealed(&profile, house_key.public_key_spki(), None, &house_key, &self.ceremony);
        for purpose in [CaCertificateUse::HouseRoot, CaCertificateUse::HouseIssuing] {
            let certificate = Base64(house.clone());
            self.append(CaCertificateInstalled { certificate, purpose }).await;
        }
        self.record(self.regions("127.0.0.0/8", Vec::new())).await;
        let house = IssuingCa::read(&house, &self.ceremony).expect("house root");
        let officers = [("ada", &self.approver), ("op", &self.operator)];
        for (name, _) in officers {
            self.append(OfficerTokenIssued {
                issued_by: None,
                officer: OfficerId::new(name).expect("id"),
                roles: roles_of(name),
                token: Digest::of(name.as_bytes()),
                use_before: noon().plus_seconds(86_400),
            })
            .await;
        }
        for (name, key) in officers {
            let officer = OfficerId::new(name).expect("id");
            let profile = Profile::Officer { officer };
            let spki = key.public_key_spki();
            let certificate = sealed(&profile, spki, Some(&house), &house_key, &self.ceremony);
            self.append(OfficerRegistered {
                serial: ca_core::certificate::serial_of(&certificate).expect("serial"),
                certificate: Base64(certificate),
                key: Digest::of(spki),
                officer,
                roles: roles_of(name),
                token: Digest::of(name.as_bytes()),
            })
            .await;
        }
    }

    /// The key of the officer who approves.
    pub fn approver(&self) -> &Key {
        &self.approver
    }

    /// A table of one network, the region every mandate allows.
    pub fn regions(&self, network: &str, signatures: Vec<ApprovalRecord>) -> revocation_core::house::RegionsSet {
        let row = revocation_core::regions::NetworkRegion {
            network: revocation_core::regions::Network::parse(network).expect("network"),
            region: "eu-west-1".parse().expect("region"),
        };
        revocation_core::house::RegionsSet {
            networks: revocation_core::RegionTable::new(vec![row]).expect("table"),
            signatures,
        }
    }

    /// Has two officers set what a group may have at stake in EUR, or end its limits, and waits until every instance knows; gives the number.
    pub async fn limit_exposure(&self, scope: &str, amount: Option<&str>) -> u64 {
        let limits: Value = amount.map_or_else(|| serde_json::json!({}), |amount| serde_json::json!({"EUR": amount}));
        let document = serde_json::json!({"limits": limits, "purpose": "house.exposure_set", "scope": scope});
        let (signatures, _) = self.decided("house.exposure_set", &document, &["ada", "op"]).await;
        let number = self.record(exposure_set(scope, amount, signatures)).await;
        for place in 0..self.instances.len() {
            self.followed(place).await;
        }
        number
    }

    /// The officer's own signature over what an agent holds.
    pub fn attests(&self, agent: &str, instrument: &str, quantity: &str) -> ApprovalRecord {
        let document = serde_json::json!({
            "agent": agent,
            "instrument": instrument,
            "purpose": "position attest",
            "quantity": quantity,
        });
        let document = Digest::of(&extensions::canonical::to_vec(&document));
        let nonce = format!("attest {agent} {instrument} {quantity} {:?}", self.ledger.head().size);
        let mut attested = ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document,
            key: Digest::of(self.approver.public_key_spki()),
            nonce: Digest::of(nonce.as_bytes()),
            officer: OfficerId::new("ada").expect("id"),
            passkey: None,
            signature: Base64(Vec::new()),
        };
        attested.signature = Base64(self.approver.sign(&attested.message().0).expect("signature"));
        attested
    }

    /// Appends a record as the console would; gives its number.
    pub async fn record(&self, record: impl Record + std::fmt::Debug + Send + 'static) -> u64 {
        let append = Append::next(record, self.clock.now());
        self.officer.append(append).await.expect("recorded").number()
    }

    /// Has op propose `document`.
    pub async fn ask(&self, becomes: &str, document: &Value) -> Asked {
        let proposer = OfficerId::new("op").expect("id");
        let digest = Digest::of(&extensions::canonical::to_vec(document));
        let nonce = Digest::of(format!("{becomes} {digest} {:?}", self.ledger.head().size).as_bytes());
        let proposed = OfficerProposed {
            becomes: becomes.to_owned(),
            document: document.clone(),
            document_digest: digest,
            expires_at: self.clock.now().plus_seconds(86_400),
            nonce,
            proposer,
            sealed: Vec::new(),
        };
        let subject = format!("officer/{proposer}/{}", self.append(proposed).await.number);
        Asked { digest, nonce, subject }
    }

    /// Has somebody approve it with a key: the signature, and where it stands.
    pub async fn answer(&self, asked: &Asked, name: &str, key: &Key) -> (ApprovalRecord, String) {
        let mut approval = ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document: asked.digest,
            key: Digest::of(key.public_key_spki()),
            nonce: asked.nonce,
            officer: OfficerId::new(name).expect("id"),
            passkey: None,
            signature: Base64(Vec::new()),
        };
        approval.signature = Base64(key.sign(&approval.message().0).expect("signature"));
        let signed = OfficerSigned {
            approval: approval.clone(),
            subject: asked.subject.clone(),
        };
        let number = self.append(signed).await.number;
        (approval, format!("officer/{name}/{number}"))
    }

    /// Has op propose `document`, and the named officers sign it: their signatures, and where those stand.
    pub async fn decided(
        &self,
        becomes: &str,
        document: &Value,
        officers: &[&str],
    ) -> (Vec<ApprovalRecord>, Vec<String>) {
        let asked = self.ask(becomes, document).await;
        let (mut signatures, mut references) = (Vec::new(), Vec::new());
        for name in officers {
            let key = if *name == "op" { &self.operator } else { &self.approver };
            let (signature, reference) = self.answer(&asked, name, key).await;
            signatures.push(signature);
            references.push(reference);
        }
        (signatures, references)
    }

    /// Writes into the log that somebody became an officer, by a token that nobody signed and a certificate of another house.
    pub async fn impostor(&self, name: &str) -> Key {
        let (own, root) = (key(KeyAlgorithm::Ed25519), key(KeyAlgorithm::EcdsaP256Sha256));
        let profile = Profile::HouseRoot {
            name: "House root".to_owned(),
        };
        let house = sealed(&profile, root.public_key_spki(), None, &root, &self.ceremony);
        self.append(CaCertificateInstalled {
            certificate: Base64(house.clone()),
            purpose: CaCertificateUse::HouseIssuing,
        })
        .await;
        let house = IssuingCa::read(&house, &self.ceremony).expect("house root");
        let officer = OfficerId::new(name).expect("id");
        let profile = Profile::Officer { officer };
        let certificate = sealed(&profile, own.public_key_spki(), Some(&house), &root, &self.ceremony);
        self.append(OfficerTokenIssued {
            issued_by: None,
            officer,
            roles: ROLES.to_vec(),
            token: Digest::of(name.as_bytes()),
            use_before: noon().plus_seconds(86_400),
        })
        .await;
        self.append(OfficerRegistered {
            serial: ca_core::certificate::serial_of(&certificate).expect("serial"),
            certificate: Base64(certificate),
            key: Digest::of(own.public_key_spki()),
            officer,
            roles: ROLES.to_vec(),
            token: Digest::of(name.as_bytes()),
        })
        .await;
        own
    }
}

/// What a group may have at stake in EUR; without an amount its limits end.
pub fn exposure_set(
    scope: &str,
    amount: Option<&str>,
    signatures: Vec<ApprovalRecord>,
) -> revocation_core::ExposureSet {
    let rows = amount.map(|amount| ("EUR".parse().expect("unit"), amount.parse().expect("amount")));
    revocation_core::ExposureSet {
        limits: revocation_core::ExposureLimits::try_from(
            rows.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        )
        .expect("limits"),
        scope: revocation_core::HouseScope::parse(scope).expect("scope"),
        signatures,
    }
}

/// What officers are asked to sign.
pub struct Asked {
    digest: Digest,
    nonce: Digest,
    subject: String,
}
