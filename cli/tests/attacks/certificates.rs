//! Certificates that are not a bot's of this house: each is refused in the handshake, with its reason in the log.

use std::{sync::Arc, time::Duration};

use ca_core::signing::RcgenKey;
use ca_keys::{FileSigner, Protection};
use extensions::{
    AuthorityLimits, Environment,
    limits::{Authority, LimitsDocument, Subject},
    oids::{Oid, OidArc},
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, IsCa, Issuer, SerialNumber};
use rustls::pki_types::CertificateDer;
use serde_json::json;

use crate::house::{House, Identity, LONG, Setup, closing_post, house, limits, logged, order, spoken, was_logged};

const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const POLICIES: &str = "2.5.29.32";
pub(crate) const DAY: i64 = 86_400;

/// One extension: its number, whether it is critical, its value.
pub(crate) type Extension = (Vec<u64>, bool, Vec<u8>);

/// The honest bot's certificate in parts, to be put together differently.
pub(crate) struct Parts {
    pub(crate) extensions: Vec<Extension>,
    /// Seconds from now.
    pub(crate) life: (i64, i64),
}

pub(crate) fn parts(house: &House) -> Parts {
    let chain = house.chain();
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let read = |extension: &x509_parser::extensions::X509Extension<'_>| {
        let oid = extension.oid.iter().unwrap().collect();
        (oid, extension.critical, extension.value.to_vec())
    };
    Parts {
        extensions: leaf.extensions().iter().map(read).collect(),
        life: (-60, DAY),
    }
}

fn numbers(oid: &str) -> Vec<u64> {
    oid.split('.').map(|number| number.parse().unwrap()).collect()
}

pub(crate) fn limits_oid(house: &House) -> Vec<u64> {
    house.running.published.settings.arc.authority_limits().arcs()
}

/// Puts the parts together for the bot's own key and has `issuer` sign.
fn made<S: rcgen::SigningKey>(house: &House, parts: &Parts, issuer: &Issuer<'_, S>) -> CertificateDer<'static> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let at = |seconds: i64| {
        let whole = u64::try_from(i64::try_from(now).unwrap() + seconds).unwrap();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(whole)
    };
    let printable = |text: &str| DnValue::PrintableString(text.try_into().unwrap());
    let mut params = CertificateParams::default();
    params.not_before = at(parts.life.0);
    params.not_after = at(parts.life.1);
    params.is_ca = IsCa::NoCa;
    params.serial_number = Some(SerialNumber::from_slice(&[0x41; 18]));
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, printable("desk"));
    params.distinguished_name.push(DnType::CommonName, printable("mm-1"));
    for (oid, critical, value) in &parts.extensions {
        let mut extension = CustomExtension::from_oid_content(oid, value.clone());
        extension.set_criticality(*critical);
        params.custom_extensions.push(extension);
    }
    let key = house.bot_key();
    let key = RcgenKey::new(key.as_ref()).unwrap();
    params.signed_by(&key, issuer).unwrap().der().clone()
}

/// As if the issuing CA's own key had been used by somebody.
pub(crate) fn by_issuing_ca(house: &House, parts: &Parts) -> CertificateDer<'static> {
    let key = FileSigner::open(&house.config.paths.keys.join("agent-issuing.key"), Protection::Plain).unwrap();
    let issuer = Issuer::from_ca_cert_der(&house.running.published.agent_issuing, RcgenKey::new(&key).unwrap());
    made(house, parts, &issuer.unwrap())
}

fn with_limits(house: &House, change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let oid = limits_oid(house);
    let own = parts(house)
        .extensions
        .into_iter()
        .find(|part| part.0 == oid)
        .unwrap()
        .2;
    let own = AuthorityLimits::decode(&own).unwrap();
    let Subject::Agent { agent_digest, mandate } = own.subject().clone() else {
        panic!("a bot's limits");
    };
    let mut document = limits(false);
    change(&mut document);
    let document: LimitsDocument = serde_json::from_value(document).unwrap();
    let authority = Authority::try_from(document).unwrap();
    AuthorityLimits::for_agent(authority, agent_digest, mandate)
        .unwrap()
        .encode()
        .unwrap()
}

fn identity(house: &House, leaf: CertificateDer<'static>) -> Identity {
    ca_keys::tls::certified_key(vec![leaf, house.chain()[1].clone()], house.bot_key())
}

/// What the gateway answers to an order on this identity's connection: nothing, when it is refused.
async fn answer(house: &House, identity: Option<Identity>, id: &str) -> String {
    match house.dial(identity).await {
        Ok(stream) => spoken(stream, &closing_post(&order(id).to_string(), ""), LONG).await.0,
        Err(_) => String::new(),
    }
}

async fn refused(house: &House, what: &str, identity: Identity, reason: &str) {
    let (before, from) = (house.orders(), logged().lock().unwrap().len());
    let said = answer(house, Some(identity), "attack").await;
    assert_eq!(said, "", "{what}: no answer but an alert");
    assert!(
        was_logged(from, reason),
        "{what}: the log tells {reason:?}: {}",
        log_since(from)
    );
    assert_eq!(house.orders(), before, "{what}: nothing was forwarded");
}

fn log_since(from: usize) -> String {
    String::from_utf8_lossy(&logged().lock().unwrap()[from..]).into_owned()
}

/// Every certificate but the bot's own is refused. Negative control: `unchanged`, put together and signed in the same way, is served;
/// take a check of the profile out and the certificate that it alone stops is served too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_certificates_of_the_profile_are_served() {
    let house = house(Setup::default()).await;
    let honest = || parts(&house);
    let unchanged = by_issuing_ca(&house, &honest());
    let said = answer(&house, Some(identity(&house, unchanged)), "unchanged").await;
    assert!(said.starts_with("HTTP/1.1 200"), "the control is served: {said}");

    let said = answer(&house, None, "none").await;
    assert!(
        said.starts_with("HTTP/1.1 401") && said.contains("CERTIFICATE_REQUIRED"),
        "{said}"
    );
    assert_eq!(house.orders(), 1, "without a certificate nothing is forwarded");

    let life = |from: i64, until: i64| Parts {
        life: (from, until),
        ..honest()
    };
    let ours = limits_oid(&house);
    let without = |oid: &[u64]| {
        let mut parts = honest();
        parts.extensions.retain(|extension| extension.0 != oid);
        parts
    };
    let with = |oid: &[u64], critical: bool, value: Vec<u8>| {
        let mut parts = without(oid);
        parts.extensions.push((oid.to_vec(), critical, value));
        parts
    };
    let mut doubled = honest();
    let again = doubled
        .extensions
        .iter()
        .find(|extension| extension.0 == ours)
        .unwrap()
        .clone();
    doubled.extensions.push(again);
    let wide = with_limits(&house, |limits| limits["per_order"] = json!(["EUR 20000000000"]));
    let purpose = numbers(EXTENDED_KEY_USAGE);
    // SEQUENCE { clientAuth }, as DER.
    let client_auth = vec![0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 2];
    let cases = [
        ("expired", life(-2 * DAY, -DAY), "CertExpired"),
        ("not yet valid", life(DAY, 2 * DAY), "CertNotValidYet"),
        ("a life above 7 days", life(-60, 8 * DAY), "its life of"),
        ("without limits", without(&ours), "carries no AuthorityLimits"),
        ("the limits twice", doubled, "appears twice"),
        (
            "damaged limits",
            with(&ours, false, vec![0x30, 3, 2, 1]),
            "AuthorityLimits",
        ),
        ("wider than its CA", with(&ours, false, wide), "over-claim"),
        (
            "for another purpose",
            with(&purpose, false, client_auth),
            "RequiredEkuNotFound",
        ),
        ("for any purpose", without(&purpose), "extKeyUsage"),
    ];
    for (what, parts, reason) in cases {
        let leaf = by_issuing_ca(&house, &parts);
        refused(&house, what, identity(&house, leaf), reason).await;
    }
    let other = by_issuing_ca(&house, &under_another_arc(&house));
    refused(&house, "of another arc", identity(&house, other), "RequiredEkuNotFound").await;
    let own = honest().extensions.into_iter().find(|extension| extension.0 == ours);
    let critical = by_issuing_ca(&house, &with(&ours, true, own.unwrap().2));
    refused(
        &house,
        "critical limits",
        identity(&house, critical),
        "UnsupportedCriticalExtension",
    )
    .await;
    strangers(&house).await;
    house.lives("after").await;
    house.running.stop().await.unwrap();
}

/// The arc that a migration comes from or goes to.
const OTHER_PEN: u64 = 70_000;

/// The honest bot's certificate with every identifier of ours under another arc.
fn under_another_arc(house: &House) -> Parts {
    let (own, other) = (house.running.published.settings.arc, OidArc::new(OTHER_PEN).unwrap());
    // Both numbers take as many octets, so no length in the values changes.
    let renamed = |value: &mut Vec<u8>, from: &Oid, to: &Oid| {
        let (from, to) = (from.der_content(), to.der_content());
        let at = value.windows(from.len()).position(|window| window == from).unwrap();
        value[at..at + to.len()].copy_from_slice(to);
    };
    let mut parts = parts(house);
    for (oid, _, value) in &mut parts.extensions {
        if *oid == own.authority_limits().arcs() {
            *oid = other.authority_limits().arcs();
        } else if *oid == numbers(EXTENDED_KEY_USAGE) {
            renamed(value, &own.trading_agent(), &other.trading_agent());
        } else if *oid == numbers(POLICIES) {
            let sandbox = Environment::Sandbox;
            renamed(value, &own.policy(sandbox), &other.policy(sandbox));
        }
    }
    parts
}

/// During a migration certificates of both arcs are served, each by its own identifiers throughout. Negative control: the same
/// certificate is refused above, where the gateway accepts the house's arc alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_arc_is_served_beside_the_houses_own() {
    let house = house(Setup {
        accepted_pen: Some(OTHER_PEN),
        ..Setup::default()
    })
    .await;
    let other = by_issuing_ca(&house, &under_another_arc(&house));
    let said = answer(&house, Some(identity(&house, other)), "other").await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    house.lives("own").await;
    house.running.stop().await.unwrap();
}

/// Certificates of other trees.
async fn strangers(house: &House) {
    let key = rcgen::KeyPair::generate().unwrap();
    let issuing = house.running.published.agent_issuing.clone();
    // Another's CA under the name of ours, and its certificate sent along.
    let pretender = Issuer::from_ca_cert_der(&issuing, &key).unwrap();
    let leaf = made(house, &parts(house), &pretender);
    refused(house, "a foreign CA", identity(house, leaf), "no valid path").await;
    let signer = house.bot_key();
    let mut name = CertificateParams::default();
    name.distinguished_name = DistinguishedName::new();
    name.distinguished_name.push(DnType::CommonName, "mm-1");
    let own = RcgenKey::new(signer.as_ref()).unwrap();
    let leaf = made(house, &parts(house), &Issuer::new(name, own));
    refused(house, "signed by itself", identity(house, leaf), "no valid path").await;
    // An officer's own certificate, of the house root.
    let folder = house.folder.path().join("officers/ada");
    let chain = mandatum::pem::certificates(&folder.join(mandatum::officer::CERTIFICATE_FILE)).unwrap();
    let key = FileSigner::open(&folder.join(mandatum::officer::KEY_FILE), Protection::Plain).unwrap();
    let officer = ca_keys::tls::certified_key(chain, Arc::new(key));
    refused(house, "an officer's", officer, "no valid path").await;
}

/// A certificate wider than the document that officers approved permits nothing beyond the document, though its CA could grant it:
/// the case of a stolen issuing key. Negative control: `agrees` in the session without the limits lets the order through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_wider_than_its_document_permits_nothing() {
    let house = house(Setup::default()).await;
    let mut parts = parts(&house);
    let ours = limits_oid(&house);
    let wide = with_limits(&house, |limits| limits["per_order"] = json!(["EUR 40000"]));
    for extension in parts.extensions.iter_mut().filter(|extension| extension.0 == ours) {
        extension.2.clone_from(&wide);
    }
    let leaf = by_issuing_ca(&house, &parts);
    let mut large = order("large");
    large["quantity"] = json!("0.8");
    let stream = house.dial(Some(identity(&house, leaf))).await.unwrap();
    let (said, _) = spoken(stream, &closing_post(&large.to_string(), ""), LONG).await;
    assert!(
        said.starts_with("HTTP/1.1 403") || said.starts_with("HTTP/1.1 422"),
        "{said}"
    );
    assert_eq!(house.orders(), 0, "{said}");
    house.lives("after").await;
    house.running.stop().await.unwrap();
}

/// A revocation closes the bot's open connection, and what it sends afterwards is refused. Negative control: the same connection is
/// open and answers just before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_bot_is_cut_off() {
    let mut house = house(Setup::default()).await;
    let ask = b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let stream = house.dial(Some(house.identity())).await.unwrap();
    let open = tokio::spawn(spoken(stream, ask, LONG));
    house.lives("before").await;
    assert!(!open.is_finished(), "the control: it stays open");
    house
        .ada
        .post("/v1/agents/mm-1/revoke", &json!({ "reason": "an attack" }))
        .await
        .unwrap();
    let (said, closed) = open.await.unwrap();
    assert!(closed && said.contains("agent.revoked"), "told, then closed: {said}");
    let said = answer(&house, Some(house.identity()), "after").await;
    assert!(said.is_empty() || said.contains("REVOKED"), "{said}");
    assert_eq!(house.orders(), 1, "nothing after the revocation was forwarded");
    house.running.stop().await.unwrap();
}
