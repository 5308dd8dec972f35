//! The one registry of Mandatum's object identifiers (certificates.md §3), as DER bytes, printed and compared by our own code.
//!
//! Arc `1.3.6.1.4.1.<PEN>`: `.1.<n>` extensions, `.2.<n>` extended key usages, `.3.<n>` policies. The table for people is
//! `docs/oids.md`; a test holds the two together.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The private enterprise number for documentation (RFC 5612): development only, refused by production profiles.
pub const DOCUMENTATION_PEN: u32 = 32_473;
/// DER content of `1.3.6.1.4.1`.
const ENTERPRISES: [u8; 5] = [0x2b, 6, 1, 4, 1];

/// An object identifier as its DER content octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Box<[u8]>);

impl Oid {
    /// An identifier from its DER content octets; `None` when they are not minimal, or an arc is 2^31 or above.
    #[must_use]
    pub fn from_der_content(content: &[u8]) -> Option<Self> {
        let well_formed = arcs(content).is_some();
        well_formed.then(|| Self(content.into()))
    }

    /// The DER content octets.
    #[must_use]
    pub fn der_content(&self) -> &[u8] {
        &self.0
    }

    /// The arcs, for crates that take numbers.
    #[must_use]
    pub fn arcs(&self) -> Vec<u64> {
        arcs(&self.0).unwrap_or_default()
    }
}

/// The arcs of DER content octets; `None` when they are empty, cut short, not minimal, or an arc is 2^31 or above.
fn arcs(content: &[u8]) -> Option<Vec<u64>> {
    let mut arcs = Vec::new();
    let (mut arc, mut open) = (0_u64, false);
    for byte in content {
        if !open && *byte == 0x80 {
            return None;
        }
        arc = arc << 7 | u64::from(byte & 0x7f);
        if arc >= 1 << 31 {
            return None;
        }
        open = byte & 0x80 != 0;
        if !open {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.extend([first, arc - first * 40]);
            } else {
                arcs.push(arc);
            }
            arc = 0;
        }
    }
    (!open && !arcs.is_empty()).then_some(arcs)
}

impl fmt::Display for Oid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, arc) in self.arcs().iter().enumerate() {
            write!(formatter, "{}{arc}", if place == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Oid({self})")
    }
}

/// Which world a certificate belongs to; said by its policy OID. The two have separate roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Real venues, real time.
    Production,
    /// Paper venues; the only place for a simulated clock.
    Sandbox,
}

impl fmt::Display for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        })
    }
}

/// An arc is outside 1 to 2^31 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no private enterprise number for certificates: expected 1 to 2147483647")]
pub struct PenError(pub u64);

/// Our arc below a private enterprise number, fixed at `mandatum init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct OidArc(u32);

impl OidArc {
    /// The documentation arc.
    pub const DEVELOPMENT: Self = Self(DOCUMENTATION_PEN);

    /// The arc of a private enterprise number.
    ///
    /// # Errors
    /// When it is 0 or 2^31 or above (parser limits).
    pub fn new(pen: u64) -> Result<Self, PenError> {
        u32::try_from(pen)
            .ok()
            .filter(|pen| (1..1 << 31).contains(pen))
            .map(Self)
            .ok_or(PenError(pen))
    }

    /// The private enterprise number.
    #[must_use]
    pub fn pen(self) -> u32 {
        self.0
    }

    /// Whether this may stand in certificates of an environment: the documentation arc belongs to nobody.
    #[must_use]
    pub fn fits(self, environment: Environment) -> bool {
        environment == Environment::Sandbox || self.0 != DOCUMENTATION_PEN
    }

    /// The arc under which `oid` is extension 1, AuthorityLimits; `None` when it is something else. For readers that do not know the house.
    #[must_use]
    pub fn of_authority_limits(oid: &Oid) -> Option<Self> {
        match oid.arcs()[..] {
            [1, 3, 6, 1, 4, 1, pen, 1, 1] => Self::new(pen).ok(),
            _ => None,
        }
    }

    /// Extension 1: AuthorityLimits.
    #[must_use]
    pub fn authority_limits(self) -> Oid {
        self.child(1, 1)
    }

    /// Extended key usage 1: id-kp-tradingAgent.
    #[must_use]
    pub fn trading_agent(self) -> Oid {
        self.child(2, 1)
    }

    /// Policies 1 and 2: the environment.
    #[must_use]
    pub fn policy(self, environment: Environment) -> Oid {
        self.child(
            3,
            match environment {
                Environment::Production => 1,
                Environment::Sandbox => 2,
            },
        )
    }

    fn child(self, branch: u8, number: u8) -> Oid {
        let mut content = ENTERPRISES.to_vec();
        let groups = (32 - self.0.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group == 0 { 0 } else { 0x80 };
            content.push((self.0 >> (7 * group)) as u8 & 0x7f | more);
        }
        content.extend([branch, number]);
        Oid(content.into())
    }
}

impl TryFrom<u64> for OidArc {
    type Error = PenError;
    fn try_from(pen: u64) -> Result<Self, PenError> {
        Self::new(pen)
    }
}

impl From<OidArc> for u64 {
    fn from(arc: OidArc) -> Self {
        u64::from(arc.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_and_encoded() {
        let arc = OidArc::DEVELOPMENT;
        assert_eq!(arc.authority_limits().to_string(), "1.3.6.1.4.1.32473.1.1");
        assert_eq!(
            arc.authority_limits().der_content(),
            [0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 1, 1]
        );
        assert_eq!(OidArc::of_authority_limits(&arc.authority_limits()), Some(arc));
        assert_eq!(OidArc::of_authority_limits(&arc.trading_agent()), None);
        assert_eq!(
            OidArc::new(99_999).expect("PEN").trading_agent().to_string(),
            "1.3.6.1.4.1.99999.2.1"
        );
        for pen in [1, 127, 128, 16_383, 16_384, 2_147_483_647] {
            let oid = OidArc::new(pen).expect("PEN").policy(Environment::Sandbox);
            assert_eq!(oid.arcs(), [1, 3, 6, 1, 4, 1, pen, 3, 2]);
            assert_eq!(Oid::from_der_content(oid.der_content()), Some(oid));
        }
        assert!(OidArc::new(0).is_err() && OidArc::new(1 << 31).is_err());
    }

    #[test]
    fn odd_encodings_are_refused() {
        for bad in [
            &[][..],
            &[0x2b, 0x81],
            &[0x2b, 0x80, 0x01],
            &[0x2b, 0x88, 0x80, 0x80, 0x80, 0x00],
            &[0x81; 40],
        ] {
            assert_eq!(Oid::from_der_content(bad), None, "{bad:02x?}");
        }
    }

    #[test]
    fn the_documentation_arc_is_not_for_production() {
        assert!(!OidArc::DEVELOPMENT.fits(Environment::Production) && OidArc::DEVELOPMENT.fits(Environment::Sandbox));
    }

    /// Control: a number changed here or there.
    #[test]
    fn the_table_for_people_says_the_same() {
        let table = include_str!("../../docs/oids.md");
        let arc = OidArc::DEVELOPMENT;
        for (name, oid) in [
            ("AuthorityLimits", arc.authority_limits()),
            ("id-kp-tradingAgent", arc.trading_agent()),
            ("id-cp-production", arc.policy(Environment::Production)),
            ("id-cp-sandbox", arc.policy(Environment::Sandbox)),
        ] {
            let line = table
                .lines()
                .find(|line| line.starts_with(&format!("| {name} |")))
                .expect(name);
            assert!(line.contains(&format!("`{oid}`")), "{line}");
        }
    }
}
