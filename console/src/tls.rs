//! TLS of both listeners: 1.3 only, client certificates checked by path and by our profile, no resumption, no early data.
//!
//! A connection without a certificate passes the handshake, to be told what is missing (and because first enrolment has none); a
//! certificate that does not hold ends it. A resumed session would skip the verifier, so there are no tickets and no session store.

use std::{fmt, sync::Arc};

use extensions::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls13_signature},
    pki_types::{CertificateDer, TrustAnchor, UnixTime},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::Identity;

/// Intermediates of a client that are looked at.
const MOST_OFFERED: usize = 4;

/// The profile check behind path validation: the path in DER, leaf first, anchor last. Answers with the reason for a refusal.
pub(crate) type ProfileCheck = dyn Fn(&[&[u8]], Timestamp) -> Result<(), String> + Send + Sync;

/// Verifies client certificates of one tree for one purpose.
pub(crate) struct PathVerifier {
    root: CertificateDer<'static>,
    anchors: Vec<TrustAnchor<'static>>,
    issuing: Vec<CertificateDer<'static>>,
    usage: KeyUsage,
    profile: Box<ProfileCheck>,
    algorithms: WebPkiSupportedAlgorithms,
    subjects: Vec<DistinguishedName>,
}

impl PathVerifier {
    /// For the tree under `root`; `issuing` completes the paths of clients that present their leaf alone.
    pub(crate) fn new(
        root: &[u8],
        issuing: &[Vec<u8>],
        usage: KeyUsage,
        profile: Box<ProfileCheck>,
    ) -> Result<Self, webpki::Error> {
        let root = CertificateDer::from(root.to_vec());
        let anchor = anchor_from_trusted_cert(&root)?.to_owned();
        let subjects = vec![DistinguishedName::in_sequence(&anchor.subject)];
        Ok(Self {
            anchors: vec![anchor],
            root,
            issuing: issuing.iter().map(|der| CertificateDer::from(der.clone())).collect(),
            usage,
            profile,
            algorithms: ring::default_provider().signature_verification_algorithms,
            subjects,
        })
    }

    fn refuse(why: String) -> Error {
        tracing::warn!(%why, "a client certificate is refused");
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refusal(why)))))
    }
}

impl fmt::Debug for PathVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PathVerifier({} issuing)", self.issuing.len())
    }
}

#[derive(Debug)]
struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl ClientCertVerifier for PathVerifier {
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
        let refused =
            |error: webpki::Error| Self::refuse(format!("no valid path to the root of this listener: {error}"));
        let leaf = EndEntityCert::try_from(end_entity).map_err(refused)?;
        let mut offered: Vec<CertificateDer<'_>> = intermediates.iter().take(MOST_OFFERED).cloned().collect();
        offered.extend(self.issuing.iter().cloned());
        let path = leaf
            .verify_for_usage(
                self.algorithms.all,
                &self.anchors,
                &offered,
                now,
                self.usage,
                None,
                None,
            )
            .map_err(refused)?;
        let between: Vec<CertificateDer<'_>> = path.intermediate_certificates().map(|c| c.der()).collect();
        let mut certificates: Vec<&[u8]> = vec![end_entity];
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

/// The server side of a listener.
pub(crate) fn server_config(verifier: PathVerifier, identity: Identity) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(config)
}
