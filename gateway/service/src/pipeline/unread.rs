//! The gateway's own bound on messages per agent: above it orders are counted, not read (orders.md §2).
//!
//! One `orders.unread` entry per agent and second holds the count, and the rate component scores it; so a bad client can
//! neither fill the disk nor buy itself silence. The second is one of the monotonic clock: this is flood protection, not a
//! limit of the mandate.

use std::time::{Duration, Instant};

/// Questions of one bot in a second that scan the ledger or are passed to the venue; more are refused.
pub const QUESTIONS_PER_SECOND: u32 = 50;

/// Messages of one agent in the running second.
#[derive(Debug, Default)]
pub struct MessageBound {
    second: Option<Instant>,
    read: u32,
    unread: u32,
    /// Bodies that were no order, since the first of them.
    malformed: Option<(Instant, u32)>,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Read it. Holds the count of messages of an earlier second that were not read, to be recorded once.
    Read(u32),
    /// Answer `RATE_MESSAGES` without reading it. Holds a count of an earlier second, as above.
    Unread(u32),
}

impl MessageBound {
    /// Admits a message at `now` under a bound of `most` a second.
    pub fn admit(&mut self, now: Instant, most: u32) -> Admission {
        let mut owed = 0;
        if self
            .second
            .is_none_or(|start| now.duration_since(start) >= Duration::from_secs(1))
        {
            owed = std::mem::take(&mut self.unread);
            (self.second, self.read) = (Some(now), 0);
        }
        if self.read < most {
            self.read += 1;
            Admission::Read(owed)
        } else {
            self.unread = self.unread.saturating_add(1);
            Admission::Unread(owed)
        }
    }

    /// Counts a body that was no order, at `now`.
    pub fn malformed(&mut self, now: Instant) {
        let (_, count) = self.malformed.get_or_insert((now, 0));
        *count = count.saturating_add(1);
    }

    /// Takes the count of bodies that were no order, once a second has passed since the first of them.
    pub fn settle_malformed(&mut self, now: Instant) -> u32 {
        let ended = self
            .malformed
            .take_if(|(since, _)| now.duration_since(*since) >= Duration::from_secs(1));
        ended.map_or(0, |(_, count)| count)
    }

    /// Takes the count of a second that has ended without a further message.
    pub fn settle(&mut self, now: Instant) -> u32 {
        if self
            .second
            .is_some_and(|start| now.duration_since(start) >= Duration::from_secs(1))
        {
            return std::mem::take(&mut self.unread);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_reads_its_share_and_owes_one_count() {
        let start = Instant::now();
        let mut bound = MessageBound::default();
        assert_eq!(bound.admit(start, 2), Admission::Read(0));
        assert_eq!(bound.admit(start, 2), Admission::Read(0));
        assert_eq!(bound.admit(start, 2), Admission::Unread(0));
        assert_eq!(bound.admit(start, 2), Admission::Unread(0));
        let later = start + Duration::from_secs(1);
        assert_eq!(bound.admit(later, 2), Admission::Read(2));
        assert_eq!(bound.admit(later, 2), Admission::Read(0));
        assert_eq!(bound.admit(later, 2), Admission::Unread(0));
        assert_eq!(bound.settle(later), 0);
        assert_eq!(bound.settle(later + Duration::from_secs(1)), 1);
    }

    #[test]
    fn malformed_bodies_are_counted_by_the_second() {
        let start = Instant::now();
        let mut bound = MessageBound::default();
        assert_eq!(bound.settle_malformed(start), 0);
        (0..3).for_each(|_| bound.malformed(start));
        assert_eq!(bound.settle_malformed(start), 0, "its second is not over");
        bound.malformed(start + Duration::from_millis(900));
        let later = start + Duration::from_secs(1);
        assert_eq!(bound.settle_malformed(later), 4);
        assert_eq!(bound.settle_malformed(later), 0, "once");
    }
}
