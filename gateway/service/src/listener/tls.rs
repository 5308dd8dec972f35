//! TLS of the bots' listener: 1.3 only, client certificates of the agent root, no resumption, no early data.
//!
//! A resumed session would skip the verifier (crates.md trials 11 to 13), so there are no tickets and no session store.
//! A connection without a certificate is let through the handshake only to be told what is missing: in TLS 1.3 the bot
//! would otherwise see no more than a read error.

use std::{fmt, sync::Arc};

use extensions::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor, UnixTime},
    server::{
        NoServerSessionStorage, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, SingleCertAndKey},
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// The profile check that follows path validation: every certificate of the path, leaf first, anchor last, in DER.
///
/// It answers with the reason for a refusal, which is logged; the bot sees a TLS alert.
pub type ProfileCheck = dyn Fn(&[&[u8]], Timestamp) -> Result<(), String> + Send + Sync;

/// Verifies bots' certificates: a path to the agent root for our one key purpose, then the profile.
pub struct AgentVerifier {
    root: CertificateDer<'static>,
    anchors: Vec<TrustAnchor<'static>>,
    issuing: Vec<CertificateDer<'static>>,
    purpose: &'static [u8],
    /// What our purpose is called in other arcs that are accepted.
    other_purposes: Vec<&'static [u8]>,
    profile: Box<ProfileCheck>,
    algorithms: WebPkiSupportedAlgorithms,
    subjects: Vec<DistinguishedName>,
}

impl AgentVerifier {
    /// A verifier for the tree under `root`. `purpose` is the DER value of `id-kp-tradingAgent`; `issuing` completes the
    /// paths of bots that present their leaf alone.
    ///
    /// # Errors
    /// When `root` is not a certificate.
    pub fn new(
        root: CertificateDer<'static>,
        issuing: Vec<CertificateDer<'static>>,
        purpose: &[u8],
        profile: Box<ProfileCheck>,
    ) -> Result<Self, webpki::Error> {
        let anchor = anchor_from_trusted_cert(&root)?.to_owned();
        let subjects = vec![DistinguishedName::in_sequence(&anchor.subject)];
        Ok(Self {
            anchors: vec![anchor],
            root,
            issuing,
            // Lives as long as the process: webpki asks for a static OID.
            purpose: Box::leak(purpose.to_vec().into_boxed_slice()),
            other_purposes: Vec::new(),
            profile,
            algorithms: ring::default_provider().signature_verification_algorithms,
            subjects,
        })
    }

    /// Accepts our purpose under another arc too, while certificates of both are in use. The profile check must know that arc as well.
    #[must_use]
    pub fn also_for(mut self, purpose: &[u8]) -> Self {
        self.other_purposes.push(Box::leak(purpose.to_vec().into_boxed_slice()));
        self
    }

    fn refuse(why: String) -> Error {
        tracing::warn!(%why, "a client certificate is outside the profile");
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(ProfileRefusal(why)))))
    }
}

impl fmt::Debug for AgentVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AgentVerifier")
            .field("issuing", &self.issuing.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct ProfileRefusal(String);

impl fmt::Display for ProfileRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "certificate profile: {}", self.0)
    }
}

impl std::error::Error for ProfileRefusal {}

impl ClientCertVerifier for AgentVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let refused = |error: webpki::Error| Self::refuse(format!("no valid path to the agent root: {error}"));
        let leaf = EndEntityCert::try_from(end_entity).map_err(refused)?;
        let mut offered: Vec<CertificateDer<'_>> = intermediates.iter().take(4).cloned().collect();
        offered.extend(self.issuing.iter().cloned());
        // webpki holds issuing CAs to a *required* purpose too, and ours have none: the profile check requires it of the leaf,
        // as the sole one.
        let verified = |purpose: &'static [u8]| {
            let usage = KeyUsage::required_if_present(purpose);
            leaf.verify_for_usage(self.algorithms.all, &self.anchors, &offered, now, usage, None, None)
        };
        let path = verified(self.purpose).or_else(|error| {
            let mut others = self.other_purposes.iter();
            others.find_map(|purpose| verified(purpose).ok()).ok_or(error)
        });
        let path = path.map_err(refused)?;
        let mut certificates: Vec<&[u8]> = vec![end_entity];
        let between: Vec<CertificateDer<'_>> = path.intermediate_certificates().map(|c| c.der()).collect();
        certificates.extend(between.iter().map(AsRef::as_ref));
        certificates.push(&self.root);
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        (self.profile)(&certificates, Timestamp::from_seconds(seconds)).map_err(Self::refuse)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The server side of the bots' listener, with a key held in memory.
///
/// # Errors
/// When the key does not go with the certificate.
pub fn server_config(
    verifier: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    let key = ring::sign::any_supported_type(&key)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match()?;
    server_config_with(verifier, Arc::new(SingleCertAndKey::from(certified)))
}

/// The server side of the bots' listener, with a key wherever it lives.
///
/// # Errors
/// When TLS 1.3 is not to be had.
pub fn server_config_with(
    verifier: Arc<dyn ClientCertVerifier>,
    identity: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, Error> {
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(config)
}
