//! That the key cannot withdraw, as the venue itself shows it: the key's own description names no such right, and the question how to withdraw, which needs
//! the right, is refused for want of permission. No order goes before.

use super::{reply, venue::Kraken};
use crate::venue::{KeyFault, reach::settings::LONGEST_ORDER_REPLY};

impl Kraken {
    /// Whether the venue has shown, to any adapter of the credential and not too long ago, that its key cannot withdraw; else it is asked.
    ///
    /// # Errors
    /// When the key may withdraw, or the venue does not show that it may not.
    pub async fn prove(&self) -> Result<(), KeyFault> {
        self.credential.proof.known_or(self.ask_rights()).await
    }

    async fn ask_rights(&self) -> Result<(), KeyFault> {
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
        Ok(())
    }
}
