//! `PROOF_REQUIRED`: where the certificate sets `orderProof`, each order carries the bot's own signature (RFC 9421).

use super::{Context, fail};
use crate::{
    codes::Code,
    events::{FailedCheck, Proof},
};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let asked = context.facts.limits?.order_proof();
    if !asked || !matches!(context.facts.proof, Proof::Missing | Proof::NotRequired) {
        return None;
    }
    fail(
        Code::ProofRequired,
        "a signature over @method, @target-uri, content-digest and content-type",
        "none",
        "sign the request with the certificate's key (RFC 9421 and RFC 9530): headers Signature-Input, Signature, Content-Digest",
    )
}
