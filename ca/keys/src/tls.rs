//! A [`Signer`] as rustls's signing key, so that listeners and clients need no key material either.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use extensions::{KeyAlgorithm, Signer};
use rustls::{
    Error, SignatureAlgorithm, SignatureScheme,
    pki_types::{CertificateDer, SubjectPublicKeyInfoDer},
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SigningKey, SingleCertAndKey},
};

#[derive(Clone)]
struct Lent(Arc<dyn Signer>);

impl fmt::Debug for Lent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Lent({:?})", self.0.algorithm())
    }
}

impl Lent {
    fn scheme_of(&self) -> SignatureScheme {
        match self.0.algorithm() {
            KeyAlgorithm::EcdsaP256Sha256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            KeyAlgorithm::EcdsaP384Sha384 => SignatureScheme::ECDSA_NISTP384_SHA384,
            KeyAlgorithm::Ed25519 => SignatureScheme::ED25519,
        }
    }
}

impl SigningKey for Lent {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        offered
            .contains(&self.scheme_of())
            .then(|| Box::new(self.clone()) as Box<dyn rustls::sign::Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.0.public_key_spki()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0.algorithm() {
            KeyAlgorithm::Ed25519 => SignatureAlgorithm::ED25519,
            KeyAlgorithm::EcdsaP256Sha256 | KeyAlgorithm::EcdsaP384Sha384 => SignatureAlgorithm::ECDSA,
        }
    }
}

impl rustls::sign::Signer for Lent {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(message).map_err(|error| Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme_of()
    }
}

/// The key `signer` holds with its certificate chain (leaf first), for `with_cert_resolver` or `with_client_cert_resolver`.
#[must_use]
pub fn certified_key(chain: Vec<CertificateDer<'static>>, signer: Arc<dyn Signer>) -> Arc<SingleCertAndKey> {
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, Arc::new(Lent(signer)))))
}

/// A listener's key with its certificate chain, which may be replaced while it listens: handshakes to come present the new one, open
/// connections know nothing of it.
pub struct ServerIdentity {
    signer: Arc<dyn Signer>,
    presented: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ServerIdentity({:?})", self.signer.algorithm())
    }
}

impl ServerIdentity {
    /// The key `signer` holds with its chain, leaf first.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>, signer: Arc<dyn Signer>) -> Self {
        let presented = CertifiedKey::new(chain, Arc::new(Lent(Arc::clone(&signer))));
        Self {
            signer,
            presented: RwLock::new(Arc::new(presented)),
        }
    }

    /// Presents another chain from now on. That its leaf is for the same key is the caller's to see to.
    pub fn present(&self, chain: Vec<CertificateDer<'static>>) {
        let presented = CertifiedKey::new(chain, Arc::new(Lent(Arc::clone(&self.signer))));
        *self.presented.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(presented);
    }

    /// The key and chain that are presented now.
    #[must_use]
    pub fn presented(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.presented.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key's SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        self.signer.public_key_spki()
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.presented())
    }
}
