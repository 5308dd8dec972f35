//! The fold of a role that obeys what officers decided and decides nothing itself: officers, open proposals, the authority's certificates.

use extensions::{StreamId, StreamKind};

use super::{Place, Register, Undecided, decision::is_revocation, is_held};
use crate::events::Event;

/// Tells apart which entries officers decided. Mandates are left out: such a role reads them its own way.
#[derive(Debug, Default, Clone)]
pub struct Held(Register);

impl Held {
    /// Takes in the next entry of the log, in the log's order.
    ///
    /// # Errors
    /// When the entry says that officers decided something, and they did not: it moves nothing, here or anywhere else.
    pub fn fold(&mut self, kind: &str, stream: &StreamId, body: &[u8], place: Place) -> Result<(), Undecided> {
        let concerns = match stream.kind() {
            StreamKind::Agent => is_held(kind) || is_revocation(kind),
            StreamKind::House | StreamKind::Officer => true,
            _ => false,
        };
        if !concerns {
            return Ok(());
        }
        self.0.admits(kind, stream, body, place)?;
        if let Some(Ok(event)) = Event::decode(kind, body) {
            self.0.apply(&event, place);
            if matches!(event, Event::ProposalClosed(_)) {
                self.0.forget_decided();
            }
        }
        Ok(())
    }
}
