//! `PROOF_INVALID`: a signature that does not verify refuses, also where none was asked for.

use super::{Context, fail};
use crate::{
    codes::Code,
    events::{FailedCheck, Proof},
};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    if context.facts.proof != Proof::Invalid {
        return None;
    }
    fail(
        Code::ProofInvalid,
        "a signature by the certificate's key, in its time window, with a fresh nonce",
        "one that does not verify",
        "sign exactly the bytes that are sent, with the key of the certificate of this connection and a new nonce; check the clock",
    )
}
