//! That the key cannot withdraw, as the venue itself shows it. No order goes before.

use hyper::Method;

use super::{reply, venue::Binance};
use crate::venue::{KeyFault, reach::settings::LONGEST_ORDER_REPLY};

impl Binance {
    /// Whether the venue has shown, to any adapter of the credential and not too long ago, that its key can neither withdraw nor transfer; else it is asked.
    ///
    /// # Errors
    /// When the key may, or the venue does not show that it may not.
    pub async fn prove(&self) -> Result<(), KeyFault> {
        self.credential.proof.known_or(self.ask_rights()).await
    }

    async fn ask_rights(&self) -> Result<(), KeyFault> {
        let request = self.signed(Method::GET, "/sapi/v1/account/apiRestrictions", String::new());
        let answer = self
            .ask(request, LONGEST_ORDER_REPLY)
            .await
            .map_err(KeyFault::Unknown)?;
        let right = reply::read_rights(answer.status, &answer.body).map_err(KeyFault::Unknown)?;
        answer.believed();
        match right {
            Some(right) => Err(KeyFault::MayWithdraw(right.to_owned())),
            None => Ok(()),
        }
    }
}
