//! How much of what the venue counts by source address bots' questions about the market may take: the rest is for orders, cancels and the watch. A bot that
//! asks for much is refused here, before the venue rests all of us.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// A fifth of what Binance allows in a minute.
const WEIGHT_PER_MINUTE: u32 = 1_200;
const MINUTE: Duration = Duration::from_secs(60);
/// Questions under way at once, of all bots together.
const MOST_AT_ONCE: usize = 16;

/// Shared by every adapter of one venue.
#[derive(Debug, Default)]
pub struct Budget {
    minute: Mutex<Option<(Instant, u32)>>,
    under_way: Arc<AtomicUsize>,
}

/// One question under way.
pub(in crate::venue) struct Turn(Arc<AtomicUsize>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Budget {
    /// Takes `weight`, if the minute and the others leave it.
    pub(in crate::venue) fn take(&self, weight: u32) -> Option<Turn> {
        self.take_at(weight, Instant::now())
    }

    fn take_at(&self, weight: u32, now: Instant) -> Option<Turn> {
        let turn = Turn(self.under_way.clone());
        if self.under_way.fetch_add(1, Ordering::SeqCst) >= MOST_AT_ONCE {
            return None;
        }
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, used) = minute
            .filter(|(since, _)| now.duration_since(*since) < MINUTE)
            .unwrap_or((now, 0));
        let sum = used.saturating_add(weight);
        if sum > WEIGHT_PER_MINUTE {
            return None;
        }
        *minute = Some((since, sum));
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control, tried: without the sum's bound the minute has no end.
    #[test]
    fn a_minute_has_its_share_and_so_has_each_moment() {
        let (budget, now) = (Budget::default(), Instant::now());
        let held: Vec<_> = (0..MOST_AT_ONCE).map(|_| budget.take_at(1, now)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(budget.take_at(1, now).is_none(), "too many at once");
        drop(held);
        let rest = WEIGHT_PER_MINUTE - u32::try_from(MOST_AT_ONCE).expect("few");
        assert!(budget.take_at(rest, now).is_some());
        assert!(budget.take_at(1, now).is_none(), "the minute is used up");
        assert!(budget.take_at(1, now + MINUTE).is_some());
    }
}
