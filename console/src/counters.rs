//! A passkey that counts its signatures counts upwards: one whose counter does not go on may be a copy (W3C Web Authentication, level 2,
//! §7.2 step 21). What it was used for is refused, recorded and told; whether its officer stays in office is for officers to say.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use ca_core::{
    events::PasskeyDoubted,
    register::{Officer, Register},
};
use extensions::{ApprovalRecord, Digest, passkey::Assertion};

use crate::{Console, problem::Problem, record::Draft, refusals::REFUSALS};

/// What such refusals are counted under, and their code.
const DOUBTED: &str = "PASSKEY_COUNTER";

/// The highest counter of each passkey that answered rightly since the start, beside those the ledger holds. As many as there are passkeys.
#[derive(Default)]
pub(crate) struct Counters(Mutex<BTreeMap<Digest, u32>>);

impl Counters {
    /// Takes an answer's counter in, or says behind which one it is. `recorded` is the ledger's.
    fn take(&self, key: Digest, recorded: u32, counter: u32) -> Result<(), u32> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = all.get(&key).copied().unwrap_or(0).max(recorded);
        // Passkeys that are backed up by their platform keep none: always zero.
        if counter <= last && last > 0 {
            return Err(last);
        }
        all.insert(key, counter);
        Ok(())
    }
}

/// An answer that holds but for its counter.
pub(crate) struct Doubt(Box<PasskeyDoubted>);

impl Doubt {
    pub(crate) fn problem(&self) -> Problem {
        let detail = format!(
            "this passkey counted {} where it had counted {} before: a copy of it may be in use. Nothing was done; an administrator decides whether {} stays in office",
            self.0.counter, self.0.last, self.0.officer
        );
        Problem::forbidden(DOUBTED, &detail)
    }
}

impl Console {
    /// Holds the counter of an answer to those before it. Ask this last, of an answer that holds and was not given before: what is sent twice
    /// is no copy.
    pub(crate) fn counter_goes_on(
        &self,
        officer: &Officer,
        key: &Digest,
        assertion: &Assertion,
        act: &str,
    ) -> Result<(), Doubt> {
        let recorded = officer.passkey(key).map_or(0, |passkey| passkey.counter);
        let counter = assertion.counter();
        let taken = self.counters.take(*key, recorded, counter);
        taken.map_err(|last| {
            Doubt(Box::new(PasskeyDoubted {
                act: act.to_owned(),
                counter,
                key: *key,
                last,
                officer: *officer.id(),
            }))
        })
    }

    /// Writes a doubt down, sparsely, and answers with the refusal.
    pub(crate) async fn doubted(&self, doubt: Doubt) -> Problem {
        let (officer, problem) = (doubt.0.officer, doubt.problem());
        tracing::warn!(%officer, counter = doubt.0.counter, last = doubt.0.last, "a passkey's counter did not go on");
        let now = self.clocks.real.now();
        if self.refusals.count(officer, DOUBTED, REFUSALS, now).is_some() {
            // The refusal stands whether or not it could be recorded.
            drop(self.report(Draft::new(*doubt.0, now), None).await);
        }
        problem
    }
}

/// The counter of one signature, looked at once however often the signature is judged anew.
#[derive(Default)]
pub(crate) struct Counted {
    done: bool,
    doubt: Option<Doubt>,
}

impl Counted {
    /// As [`Console::counter_goes_on`], the first time it is asked; a certificate's signature has none.
    pub(crate) fn hold(
        &mut self,
        console: &Console,
        register: &Register,
        record: &ApprovalRecord,
        act: &str,
    ) -> Result<(), Problem> {
        let officer = register.officer(&record.officer).filter(|_| !self.done);
        let Some((officer, assertion)) = officer.zip(record.passkey.as_ref()) else {
            return Ok(());
        };
        self.done = true;
        match console.counter_goes_on(officer, &record.key, assertion, act) {
            Ok(()) => Ok(()),
            Err(doubt) => {
                let problem = doubt.problem();
                self.doubt = Some(doubt);
                Err(problem)
            }
        }
    }

    /// Writes a doubt down, where there is one, and hands the outcome on.
    pub(crate) async fn told<T>(self, console: &Console, ended: Result<T, Problem>) -> Result<T, Problem> {
        match self.doubt {
            Some(doubt) => Err(console.doubted(doubt).await),
            None => ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Controls tried: with `<` the same count passes twice; without `last > 0` a passkey that keeps no count never signs.
    #[test]
    fn a_counter_only_goes_on() {
        let (counters, key, other) = (Counters::default(), Digest::of(b"key"), Digest::of(b"other"));
        for _ in 0..3 {
            assert_eq!(counters.take(other, 0, 0), Ok(()), "it keeps none");
        }
        assert_eq!(counters.take(key, 0, 7), Ok(()));
        assert_eq!(counters.take(key, 0, 7), Err(7), "the same");
        assert_eq!(counters.take(key, 0, 3), Err(7), "back");
        assert_eq!(counters.take(key, 0, 0), Err(7), "none where there was one");
        assert_eq!(counters.take(key, 0, 8), Ok(()));
        assert_eq!(counters.take(key, 12, 9), Err(12), "behind the ledger's");
        assert_eq!(counters.take(key, 12, 13), Ok(()));
    }
}
