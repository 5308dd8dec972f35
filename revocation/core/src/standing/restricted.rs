//! Single certificates that are frozen or may only reduce: a bounded list, and a mark for what no longer fits.

use extensions::{Serial, Timestamp};
use serde::{Deserialize, Serialize};

use super::Mode;

/// Restricted certificates an agent's state remembers one by one; beyond them the mark stands in.
pub const MOST_RESTRICTED_CERTIFICATES: usize = 8;

/// What an officer asks of one certificate's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateMove {
    /// Cancels and reads only.
    Freeze,
    /// Reductions and cancels only.
    ReduceOnly,
    /// Everything within its limits.
    Resume,
}

/// The restricted certificates of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restricted {
    /// Latest end first, at most [`MOST_RESTRICTED_CERTIFICATES`].
    certificates: Vec<RestrictedCertificate>,
    /// Certificates that end at or before this moment count as frozen: the overflow of `certificates`. No resuming lowers it.
    frozen_through: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestrictedCertificate {
    mode: Mode,
    not_after: Timestamp,
    serial: Serial,
}

impl Restricted {
    /// Whether no certificate is restricted.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.certificates.is_empty() && self.frozen_through.is_none()
    }

    /// What may be done over a certificate that ends at `not_after`.
    #[must_use]
    pub fn mode_of(&self, serial: &Serial, not_after: Timestamp) -> Mode {
        if self.frozen_through.is_some_and(|through| not_after <= through) {
            return Mode::Frozen;
        }
        let found = self.certificates.iter().find(|one| one.serial == *serial);
        found.map_or(Mode::Active, |one| one.mode)
    }

    /// Whether a move is in the table: one that would change nothing, or what no officer can undo any more, is not.
    #[must_use]
    pub fn permits(&self, wanted: CertificateMove, serial: &Serial, not_after: Timestamp) -> bool {
        if self.frozen_through.is_some_and(|through| not_after <= through) {
            return false;
        }
        match (self.mode_of(serial, not_after), wanted) {
            (mode, CertificateMove::Freeze) => mode < Mode::Frozen,
            (mode, CertificateMove::ReduceOnly) => mode != Mode::ReduceOnly,
            (mode, CertificateMove::Resume) => mode != Mode::Active,
        }
    }

    pub(super) fn frozen(&mut self, serial: Serial, not_after: Timestamp) -> bool {
        self.set(CertificateMove::Freeze, Mode::Frozen, serial, not_after)
    }

    pub(super) fn reduce_only(&mut self, serial: Serial, not_after: Timestamp) -> bool {
        self.set(CertificateMove::ReduceOnly, Mode::ReduceOnly, serial, not_after)
    }

    pub(super) fn resumed(&mut self, serial: &Serial) -> bool {
        let before = self.certificates.len();
        self.certificates.retain(|one| one.serial != *serial);
        self.certificates.len() < before
    }

    fn set(&mut self, wanted: CertificateMove, mode: Mode, serial: Serial, not_after: Timestamp) -> bool {
        if !self.permits(wanted, &serial, not_after) {
            return false;
        }
        self.resumed(&serial);
        let place = self.certificates.partition_point(|one| one.not_after >= not_after);
        let restricted = RestrictedCertificate {
            mode,
            not_after,
            serial,
        };
        self.certificates.insert(place, restricted);
        // Whether one has ended is a question of real time; the fold only has the decision clock, so the one that ends first raises the mark.
        if self.certificates.len() > MOST_RESTRICTED_CERTIFICATES
            && let Some(first) = self.certificates.pop()
        {
            self.frozen_through = self.frozen_through.max(Some(first.not_after));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial(number: u8) -> Serial {
        Serial::new([number; 18]).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    /// The table of moves, one certificate among others.
    #[test]
    fn one_certificate_moves_alone() {
        let mut all = Restricted::default();
        let (one, other) = (serial(1), serial(2));
        assert!(all.is_none() && !all.resumed(&one));
        assert!(all.reduce_only(one, at(100)) && !all.reduce_only(one, at(100)));
        assert!(all.frozen(one, at(100)) && !all.frozen(one, at(100)));
        assert_eq!(
            (all.mode_of(&one, at(100)), all.mode_of(&other, at(100))),
            (Mode::Frozen, Mode::Active)
        );
        assert!(all.reduce_only(one, at(100)));
        assert_eq!(all.mode_of(&one, at(100)), Mode::ReduceOnly);
        assert!(all.resumed(&one) && all.is_none());
    }

    /// What no longer fits stays narrow, and nobody widens it: without the mark the first certificate is active again.
    #[test]
    fn what_does_not_fit_stays_frozen() {
        let mut all = Restricted::default();
        for number in 1..=9 {
            assert!(all.reduce_only(serial(number), at(i64::from(number))));
        }
        assert_eq!(all.mode_of(&serial(1), at(1)), Mode::Frozen);
        assert!(!all.resumed(&serial(1)) && !all.permits(CertificateMove::Resume, &serial(1), at(1)));
        assert_eq!(all.mode_of(&serial(2), at(2)), Mode::ReduceOnly);
        assert_eq!(all.certificates.len(), MOST_RESTRICTED_CERTIFICATES);
    }
}
