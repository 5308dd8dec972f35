//! The keys this role holds, opened from their files at start.

use std::{path::Path, sync::Arc};

use ca_keys::{FileSigner, Protection};
use extensions::{SignError, Signer, Timestamp};
use ledger::{CheckpointKey, CheckpointKeyAuthorised};
use thiserror::Error;

/// File names of the keys below the key folder.
pub(crate) const AGENT_ISSUING: &str = "agent-issuing.key";
pub(crate) const HOUSE_ISSUING: &str = "house-issuing.key";
pub(crate) const LEDGER_ROOT: &str = "ledger-root.key";

/// A key file that does not open.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct KeysError(#[from] ca_keys::KeyFileError);

/// Both issuing keys and the ledger root key. No root of certificates is among them.
#[derive(Clone)]
pub struct CaKeys {
    /// Signs bots' certificates, their CRL and the OCSP responder's certificate.
    pub agent_issuing: Arc<dyn Signer>,
    /// Signs servers' and officers' certificates.
    pub house_issuing: Arc<dyn Signer>,
    /// Authorises checkpoint keys.
    pub ledger_root: Arc<dyn Signer>,
}

impl std::fmt::Debug for CaKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CaKeys(agent issuing, house issuing, ledger root; secret)")
    }
}

impl CaKeys {
    /// Opens the three files of `folder`, as the ceremony wrote them.
    ///
    /// # Errors
    /// When one is missing, readable by others, or does not open with this protection.
    pub fn open(folder: &Path, protection: Protection<'_>) -> Result<Self, KeysError> {
        let open = |name: &str| -> Result<Arc<dyn Signer>, KeysError> {
            Ok(Arc::new(FileSigner::open(&folder.join(name), protection)?))
        };
        Ok(Self {
            agent_issuing: open(AGENT_ISSUING)?,
            house_issuing: open(HOUSE_ISSUING)?,
            ledger_root: open(LEDGER_ROOT)?,
        })
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
