//! The keys this role holds, opened from their files at start.

use std::{path::Path, sync::Arc};

use ca_core::{certificate::spki_of, succession::numbered};
use ca_keys::{FileSigner, Protection};
use extensions::{SignError, Signer, Timestamp};
use ledger::{CheckpointKey, CheckpointKeyAuthorised};
use thiserror::Error;

/// File names of the keys below the key folder.
pub(crate) const AGENT_ISSUING: &str = "agent-issuing.key";
pub(crate) const HOUSE_ISSUING: &str = "house-issuing.key";
pub(crate) const LEDGER_ROOT: &str = "ledger-root.key";
/// Issuing CAs of one kind: a year each, under a root of twenty at most.
pub(crate) const MOST_ISSUING: usize = 20;

/// A key file that does not open.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct KeysError(#[from] pub(crate) ca_keys::KeyFileError);

/// The issuing keys and the ledger root key. No root of certificates is among them.
#[derive(Clone)]
pub struct CaKeys {
    /// Sign bots' certificates, their CRLs and the OCSP responder's certificates: the first CA's, and those of its successors.
    agent_issuing: Vec<Arc<dyn Signer>>,
    /// Sign servers' and officers' certificates, likewise.
    house_issuing: Vec<Arc<dyn Signer>>,
    /// Authorises checkpoint keys.
    pub ledger_root: Arc<dyn Signer>,
}

impl std::fmt::Debug for CaKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CaKeys(agent issuing, house issuing, ledger root; secret)")
    }
}

impl CaKeys {
    /// Opens the files of `folder`, as the ceremonies wrote them. The key of a CA that has ended may be gone.
    ///
    /// # Errors
    /// When a first or only one is missing, or one is readable by others or does not open with this protection.
    pub fn open(folder: &Path, protection: Protection<'_>) -> Result<Self, KeysError> {
        let open = |name: &str| -> Result<Arc<dyn Signer>, KeysError> {
            Ok(Arc::new(FileSigner::open(&folder.join(name), protection)?))
        };
        let all = |name: &str| -> Result<Vec<Arc<dyn Signer>>, KeysError> {
            let names = (1..=MOST_ISSUING).map(|number| numbered(name, number));
            let there: Vec<String> = names.filter(|name| folder.join(name).exists()).collect();
            if there.is_empty() {
                return Ok(vec![open(name)?]);
            }
            there.iter().map(|name| open(name)).collect()
        };
        Ok(Self {
            agent_issuing: all(AGENT_ISSUING)?,
            house_issuing: all(HOUSE_ISSUING)?,
            ledger_root: open(LEDGER_ROOT)?,
        })
    }

    /// The key of an issuing CA, by its certificate.
    #[must_use]
    pub fn signer_of(&self, certificate: &[u8]) -> Option<&Arc<dyn Signer>> {
        let spki = spki_of(certificate)?;
        let mut all = self.agent_issuing.iter().chain(&self.house_issuing);
        all.find(|signer| signer.public_key_spki() == spki)
    }
}

/// Authorises a writer's checkpoint key with the ledger root key; the writer appends it (`Ledger::writer`).
///
/// # Errors
/// When the root key cannot sign.
pub fn authorise_checkpoint_key(
    keys: &CaKeys,
    ledger_id: &str,
    key: &CheckpointKey,
    from: Timestamp,
) -> Result<CheckpointKeyAuthorised, SignError> {
    CheckpointKeyAuthorised::sign(ledger_id, key, from, keys.ledger_root.as_ref())
}
