//! That a venue's key cannot move what the account owns: shown by the venue before the first order, and again from time to time. The question costs the
//! venue little and us one answer, and is asked no oftener than these bounds, however many orders wait for it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use thiserror::Error;

use crate::venue::Doubt;

/// How long what the venue has shown holds: somebody may give the key a further right at the venue meanwhile.
const HOLDS: Duration = Duration::from_secs(3_600);
/// How soon the question is asked again when the answer was no, or none.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Why a key is not used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// It could move what the account owns.
    #[error(
        "the venue's key may withdraw or transfer ({0}), so nothing is ordered with it. Take every right from it at the venue but reading the account and \
         trading spot, and lock it to this gateway's address; or make a new one with those, put it into the key's files, and start again"
    )]
    MayWithdraw(String),
    /// The venue did not say.
    #[error("the venue has not shown that its key cannot withdraw, so no order goes to it yet: {0}")]
    Unknown(Doubt),
}

/// What is known of one key: shared by every adapter that signs with it.
#[derive(Debug, Default)]
pub(in crate::venue) struct Proof {
    known: Mutex<Option<Known>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Known {
    at: Instant,
    shown: Result<(), KeyFault>,
}

impl Proof {
    /// What is known, or what `ask` finds out when that is too old. One asks at a time, and the others take its answer.
    pub(in crate::venue) async fn known_or(
        &self,
        ask: impl Future<Output = Result<(), KeyFault>>,
    ) -> Result<(), KeyFault> {
        self.known_or_at(Instant::now, ask).await
    }

    async fn known_or_at(
        &self,
        now: impl Fn() -> Instant,
        ask: impl Future<Output = Result<(), KeyFault>>,
    ) -> Result<(), KeyFault> {
        if let Some(known) = self.known(now()) {
            return known;
        }
        let _turn = self.turn.lock().await;
        if let Some(known) = self.known(now()) {
            return known;
        }
        let shown = ask.await;
        self.keep(now(), shown.clone());
        shown
    }

    fn known(&self, now: Instant) -> Option<Result<(), KeyFault>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref()?;
        let holds = if known.shown.is_ok() { HOLDS } else { ASK_AGAIN };
        (now.saturating_duration_since(known.at) < holds).then(|| known.shown.clone())
    }

    fn keep(&self, at: Instant, shown: Result<(), KeyFault>) {
        if let Err(fault) = &shown {
            tracing::error!(%fault, "the venue takes no orders from here");
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known { at, shown });
    }

    /// As if the venue had shown it.
    #[cfg(test)]
    pub(in crate::venue) fn assume(&self) {
        self.keep(Instant::now(), Ok(()));
    }

    /// As if enough time had passed.
    #[cfg(test)]
    pub(in crate::venue) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// However often it is wanted, it is asked for once an hour when it was shown, and once in five seconds when it was not.
    ///
    /// Control, tried: without the second look at what is known the two beside one another ask twice.
    #[tokio::test]
    async fn it_is_asked_for_within_bounds() {
        let (proof, asked, begin) = (Proof::default(), Cell::new(0), Instant::now());
        let after = Cell::new(Duration::ZERO);
        let fault = Err(KeyFault::MayWithdraw("all".to_owned()));
        let answer = |shown: Result<(), KeyFault>| {
            let ask = async {
                tokio::task::yield_now().await;
                asked.set(asked.get() + 1);
                shown
            };
            proof.known_or_at(|| begin + after.get(), ask)
        };
        assert_eq!(answer(fault.clone()).await, fault);
        assert_eq!((answer(Ok(())).await, asked.get()), (fault.clone(), 1));
        after.set(ASK_AGAIN);
        let both = tokio::join!(answer(Ok(())), answer(Ok(())));
        assert_eq!((both, asked.get()), ((Ok(()), Ok(())), 2));
        let moment = Duration::from_millis(1);
        after.set(ASK_AGAIN + HOLDS - moment);
        assert_eq!((answer(fault.clone()).await, asked.get()), (Ok(()), 2));
        after.set(ASK_AGAIN + HOLDS);
        assert_eq!((answer(fault.clone()).await, asked.get()), (fault, 3));
    }
}
