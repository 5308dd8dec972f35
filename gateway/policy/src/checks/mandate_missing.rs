//! `MANDATE_MISSING`: a gateway without the document whose hash the certificate carries refuses (ARCHITECTURE §4).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let observed = match context.facts.mandate {
        None => "not held by this gateway".to_owned(),
        Some(mandate) if mandate.document.agent != *context.state.agent() => {
            format!("a mandate of agent {}", mandate.document.agent)
        }
        Some(_) => return None,
    };
    fail(
        Code::MandateMissing,
        "the mandate document named by the certificate",
        observed,
        "nothing in the order: ask the operators why the gateway does not hold the mandate, then send it again under a fresh client_order_id (this one is used)",
    )
}
