//! Taking a recorded decision again: the same facts on the same state must give the same bytes (`mandatum replay`), and other
//! limits another decision (`mandatum whatif`).

use anomaly::ApprovedBaseline;
use extensions::{Digest, Record, Timestamp, limits::EffectiveLimits};
use revocation_core::HouseState;

use crate::{
    decide::decide,
    decision::Decision,
    events::OrderDecided,
    facts::{Facts, Mandate},
    order::{InList, Order, OrderFault, ParsedOrder},
    state::AgentState,
};

/// What a recorded decision names and does not hold: the verifier finds it by digest in the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Replay<'a> {
    /// The limits of the certificate with the recorded fingerprint, compiled; none when its extension could not be read.
    pub limits: Option<&'a EffectiveLimits>,
    /// The mandate document with the recorded digest.
    pub mandate: Option<Mandate<'a>>,
    /// The baseline with the digest in the recorded score.
    pub baseline: Option<&'a ApprovedBaseline>,
    /// The house at the entry's epoch.
    pub house: &'a HouseState,
}

/// Why a recorded decision cannot be taken again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayFault {
    /// The recorded terms are no order.
    #[error("the recorded terms are no order: {0:?}")]
    NoOrder(Vec<OrderFault>),
    /// The recorded digest of the body is not that of the recorded terms.
    #[error("the recorded body digest is not that of the recorded terms")]
    Body,
    /// The state given was folded to another entry.
    #[error("the decision was taken on the state at {recorded:?}, the state given stands at {given:?}")]
    State {
        /// What the record says.
        recorded: Option<u64>,
        /// Where the state given stands.
        given: Option<u64>,
    },
    /// Another mandate or baseline than the recorded one was given, or none.
    #[error("the decision names {what} {recorded:?}; {given:?} was given")]
    Named {
        /// Which document.
        what: &'static str,
        /// What the record says.
        recorded: Option<Digest>,
        /// What was given.
        given: Option<Digest>,
    },
}

/// The records of a decision's append, made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The body of the decision; equal to the recorded body, or the record is wrong.
    pub body: Vec<u8>,
    /// The kinds and bodies of the entries that stand behind it, in their order: a warning, its end, a revocation, its incident.
    pub behind: Vec<(&'static str, Vec<u8>)>,
}

/// What the decision gives when it is taken again at `at` on `state`. Sealed texts are not needed: their commitments are carried over.
///
/// # Errors
/// When the record is no decision, or `state` or `with` are not what it names.
pub fn replay_decision(
    recorded: &OrderDecided,
    at: Timestamp,
    epoch: u64,
    state: &AgentState,
    with: Replay<'_>,
) -> Result<Again, ReplayFault> {
    let baseline = recorded.score.map(|score| score.baseline);
    named("mandate", recorded.mandate, with.mandate.map(|mandate| mandate.digest))?;
    named("baseline", baseline, with.baseline.map(ApprovedBaseline::digest))?;
    let decision = decide_again(recorded, at, epoch, state, with)?;
    let decided = OrderDecided {
        reasoning: recorded.reasoning,
        signed_request: recorded.signed_request,
        ..decision.decided().clone()
    };
    let written = |record: &dyn Record| {
        let mut body = Vec::new();
        record.write_body(&mut body);
        body
    };
    let mut behind: Vec<_> = decision
        .also()
        .iter()
        .map(|event| (event.kind(), written(event)))
        .collect();
    behind.extend(decision.opens().map(|opened| (opened.kind(), written(opened))));
    Ok(Again {
        body: written(&decided),
        behind,
    })
}

/// The decision on the recorded order with whatever limits, mandate and baseline are given. It is an answer to a question, and carries no
/// recorded permission with it.
///
/// # Errors
/// When the record is no decision, or `state` is not the one it was taken on.
pub fn decide_again(
    recorded: &OrderDecided,
    at: Timestamp,
    epoch: u64,
    state: &AgentState,
    with: Replay<'_>,
) -> Result<Decision, ReplayFault> {
    let order = Order::new(recorded.order.clone()).map_err(ReplayFault::NoOrder)?;
    let mut order = ParsedOrder::new(order);
    order.list = recorded.list.map(|first| match first == state.next_number() {
        true => InList::First,
        false => InList::Second(first),
    });
    if order.body != recorded.body {
        return Err(ReplayFault::Body);
    }
    if state.folded_to() != recorded.folded_to {
        return Err(ReplayFault::State {
            recorded: recorded.folded_to,
            given: state.folded_to(),
        });
    }
    let facts = Facts {
        order: &order,
        certificate: recorded.certificate,
        limits: with.limits,
        mandate: with.mandate,
        baseline: with.baseline,
        house: with.house,
        view: recorded.view,
        proof: recorded.proof,
        signed_by: recorded.signed_by,
        region: recorded.region,
        reference: recorded.reference,
        reference_max_age_ms: recorded.reference_max_age_ms,
        exposure: recorded.exposure,
        known: recorded.known,
        gateway: &recorded.gateway,
        send_within_ms: recorded.send_within_ms,
        epoch,
    };
    Ok(decide(&facts, state, at))
}

fn named(what: &'static str, recorded: Option<Digest>, given: Option<Digest>) -> Result<(), ReplayFault> {
    if recorded == given {
        Ok(())
    } else {
        Err(ReplayFault::Named { what, recorded, given })
    }
}
