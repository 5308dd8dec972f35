//! That the key cannot withdraw, as the venue itself shows it: the key's own description names no such right, and the question how to withdraw, which needs
//! the right, is refused for want of permission. No order goes before.

use std::sync::atomic::Ordering;

use thiserror::Error;

use super::{reply, venue::Kraken};
use crate::venue::{Doubt, reach::settings::LONGEST_ORDER_REPLY};

/// Why a key is not used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// It could move what the account owns.
    #[error(
        "the venue's key may withdraw: {0}. Make one at the venue with the rights to query funds, to query open and closed orders and trades, to create and \
         modify orders and to cancel them, and nothing else"
    )]
    MayWithdraw(String),
    /// The venue did not say.
    #[error("the venue has not shown that its key cannot withdraw, so no order goes to it yet: {0}")]
    Unknown(Doubt),
}

impl Kraken {
    /// Asks the venue, once for all adapters of the credential.
    ///
    /// # Errors
    /// When the key may withdraw, or the venue does not show that it may not.
    pub async fn prove(&self) -> Result<(), KeyFault> {
        if self.credential.is_proven() {
            return Ok(());
        }
        let described = self.question("/0/private/GetApiKeyInfo", "", LONGEST_ORDER_REPLY);
        let described = described.await.map_err(KeyFault::Unknown)?;
        let rights = reply::read_rights(described.status, &described.body).map_err(KeyFault::Unknown)?;
        described.believed();
        let moves = |right: &&String| ["withdraw", "transfer"].iter().any(|word| right.contains(word));
        if let Some(right) = rights.iter().find(moves) {
            return Err(KeyFault::MayWithdraw(format!("its rights hold {right:?}")));
        }
        let asked = self.question("/0/private/WithdrawMethods", "", LONGEST_ORDER_REPLY);
        let asked = asked.await.map_err(KeyFault::Unknown)?;
        if !reply::is_denied(asked.status, &asked.body).map_err(KeyFault::Unknown)? {
            return Err(KeyFault::MayWithdraw("it is told how to withdraw".to_owned()));
        }
        asked.believed();
        self.credential.proven.store(true, Ordering::SeqCst);
        Ok(())
    }
}
