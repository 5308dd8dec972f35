//! What the world sees of a revocation, with a stop-watch: idle sessions that end, OCSP that says revoked, a CRL that lists it.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use der::{
    Decode as _, Encode as _,
    asn1::{ObjectIdentifier, OctetString},
};
use extensions::{Serial, certificate::Certificate};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::{io::AsyncReadExt as _, net::TcpSocket, task::JoinHandle};
use tokio_rustls::TlsConnector;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspRequest, OcspResponse, OcspResponseStatus, Request, TbsRequest,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::trader::Identity;
use crate::client::{Client, Origin, client_config};

/// How long is waited for each of them before it counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two questions.
const AGAIN: Duration = Duration::from_millis(2);
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// Idle sessions of one bot, each watched for its end.
pub(super) struct Sessions(Vec<JoinHandle<Instant>>);

impl Sessions {
    /// Opens `count` mTLS sessions from `from` to the gateway and leaves them idle.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub(super) async fn open(
        count: usize,
        identity: &Identity,
        gateway: std::net::SocketAddr,
        host: &str,
        roots: &[CertificateDer<'static>],
        from: IpAddr,
    ) -> anyhow::Result<Self> {
        let key = ca_keys::tls::certified_key(identity.chain.clone(), identity.signer.clone());
        let connector = TlsConnector::from(Arc::new(client_config(roots, Some(key))?));
        let name = ServerName::try_from(host.to_owned()).context("the gateway's name")?;
        let mut watched = Vec::with_capacity(count);
        for _ in 0..count {
            let socket = TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            let mut stream = connector.connect(name.clone(), socket.connect(gateway).await?).await?;
            watched.push(tokio::spawn(async move {
                let mut buffer = [0; 256];
                while matches!(stream.read(&mut buffer).await, Ok(read) if read > 0) {}
                Instant::now()
            }));
        }
        Ok(Self(watched))
    }

    /// How many are watched.
    #[must_use]
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// When the last one ended; `None` when one is still open after the patience.
    pub(super) async fn last(self) -> Option<Instant> {
        let mut last = None;
        for session in self.0 {
            let ended = tokio::time::timeout(PATIENCE, session).await.ok()?.ok()?;
            last = last.max(Some(ended));
        }
        last
    }
}

/// One certificate of the agents' issuing CA, for OCSP and CRL.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    serial: Serial,
    issuer: Vec<u8>,
    status: Origin,
    ocsp: String,
    crl: String,
}

impl Watched {
    /// The certificate `leaf` of `issuer`, both DER. `status` is the listener; the paths are those of the certificate's URLs.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub(super) fn new(leaf: &[u8], issuer: &[u8], status: &str, ocsp: &str, crl: &str) -> anyhow::Result<Self> {
        let leaf = Certificate::read(leaf).map_err(|fault| anyhow::anyhow!("the bot's certificate: {fault}"))?;
        Ok(Self {
            serial: leaf.serial(),
            issuer: issuer.to_vec(),
            status: Origin::parse(status)?,
            ocsp: ocsp.to_owned(),
            crl: crl.to_owned(),
        })
    }

    /// The moment at which OCSP says `revoked`; `None` when it never does within the patience.
    ///
    /// # Errors
    /// When a reply cannot be read or its signature does not verify.
    pub(super) async fn revoked_in_ocsp(&self) -> anyhow::Result<Option<Instant>> {
        let request = self.request()?;
        let mut client = Client::new(self.status.clone(), &[], None)?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let headers = [("content-type", "application/ocsp-request")];
            if let Ok(reply) = client.send("POST", &self.ocsp, &headers, request.clone()).await
                && self.says_revoked(&reply.body)?
            {
                return Ok(Some(Instant::now()));
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(None)
    }

    /// The moment at which the CRL lists it, with the list; `None` when it never does within the patience.
    ///
    /// # Errors
    /// When the status listener cannot be reached.
    pub(super) async fn listed_in_crl(&self) -> anyhow::Result<Option<(Instant, Vec<u8>)>> {
        let mut client = Client::new(self.status.clone(), &[], None)?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let reply = client.send("GET", &self.crl, &[], "").await?;
            let listed = revocation_core::crl::listed_serials(&reply.body);
            if listed.is_some_and(|serials| serials.contains(&self.serial)) {
                return Ok(Some((Instant::now(), reply.body.to_vec())));
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(None)
    }

    /// An OCSP request for the certificate (RFC 6960 §4.1), by SHA-256 (RFC 9654 §6).
    fn request(&self) -> anyhow::Result<Vec<u8>> {
        let (_, issuer) = X509Certificate::from_der(&self.issuer).context("the issuing CA's certificate")?;
        let hash = |bytes: &[u8]| OctetString::new(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
        let certificate = CertId {
            hash_algorithm: spki::AlgorithmIdentifierOwned {
                oid: SHA256,
                parameters: None,
            },
            issuer_name_hash: hash(issuer.subject().as_raw())?,
            issuer_key_hash: hash(&issuer.public_key().subject_public_key.data)?,
            serial_number: x509_cert::serial_number::SerialNumber::new(self.serial.octets())?,
        };
        let request = Request {
            req_cert: certificate,
            single_request_extensions: None,
        };
        let tbs_request = TbsRequest {
            request_list: vec![request],
            ..TbsRequest::default()
        };
        Ok(OcspRequest {
            tbs_request,
            optional_signature: None,
        }
        .to_der()?)
    }

    /// Whether a reply says `revoked`, under the responder's signature and its certificate from the issuing CA.
    fn says_revoked(&self, reply: &[u8]) -> anyhow::Result<bool> {
        let reply = OcspResponse::from_der(reply).context("no OCSP reply")?;
        if reply.response_status != OcspResponseStatus::Successful {
            return Ok(false);
        }
        let bytes = reply.response_bytes.context("an OCSP reply without content")?;
        let basic = BasicOcspResponse::from_der(bytes.response.as_bytes()).context("no basic OCSP reply")?;
        let responder = basic
            .certs
            .iter()
            .flatten()
            .next()
            .context("an OCSP reply without the responder's certificate")?;
        let responder = responder.to_der()?;
        let (_, issuer) = X509Certificate::from_der(&self.issuer)?;
        let (_, certificate) = X509Certificate::from_der(&responder)?;
        certificate
            .verify_signature(Some(issuer.public_key()))
            .context("the responder's certificate")?;
        let signature = basic.signature.as_bytes().context("a signature in octets")?;
        let content = basic.tbs_response_data.to_der()?;
        let good = extensions::verify::verify_signature(certificate.public_key().raw, &content, signature);
        ensure!(good, "the OCSP reply's signature does not verify");
        match basic.tbs_response_data.responses.as_slice() {
            [single] if single.cert_id.serial_number.as_bytes() == self.serial.octets() => {
                Ok(matches!(single.cert_status, CertStatus::Revoked(_)))
            }
            _ => bail!("the OCSP reply is about another certificate"),
        }
    }
}
