//! Decisions above one agent: freezes of an owner or of all, thresholds, limits of exposure, the region table. All are gating kinds of the
//! `house` stream: they raise the epoch, and every order decided under an older epoch is decided again (ARCHITECTURE §2).

use std::collections::BTreeMap;
use std::sync::Arc;

use extensions::approval::ApprovalRecord;
use extensions::{Currency, Decimal, OwnerId, StreamId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::{Actor, distinct_officers};
use crate::event::{record, record_enum};
use crate::exposure::{ExposureSet, Exposures};
use crate::levels::ScoreLevels;
use crate::reason::RevocationReason;
use crate::regions::RegionTable;
use crate::standing::{Mode, REINSTATEMENT_OFFICERS};

/// Whom a decision of the house concerns. Written `all` or `owner:<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HouseScope {
    /// Every agent.
    All,
    /// Every agent of one owner.
    Owner(OwnerId),
}

impl std::fmt::Display for HouseScope {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Owner(owner) => write!(formatter, "owner:{owner}"),
        }
    }
}

impl HouseScope {
    /// Reads `all` or `owner:<id>`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Self::All);
        }
        OwnerId::new(text.strip_prefix("owner:")?).ok().map(Self::Owner)
    }

    /// Whether it concerns the agents of `owner`.
    #[must_use]
    pub fn covers(&self, owner: &OwnerId) -> bool {
        match self {
            Self::All => true,
            Self::Owner(of) => of == owner,
        }
    }
}

impl Serialize for HouseScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HouseScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected all or owner:<id>"))
    }
}

/// What the house lets an owner's agents do at most; the narrower of it and their own standing counts.
pub type HouseMode = Mode;

/// Agents of the scope may only cancel and read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseFrozen {
    /// Who decided.
    pub by: Actor,
    /// Whom it concerns.
    pub scope: HouseScope,
}
record!(HouseFrozen, "house.frozen", |_| StreamId::house(), gating: true);

/// Agents of the scope may only reduce and cancel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseReduceOnly {
    /// Who decided.
    pub by: Actor,
    /// Whom it concerns.
    pub scope: HouseScope,
}
record!(HouseReduceOnly, "house.reduce_only", |_| StreamId::house(), gating: true);

/// A freeze or reduce-only of exactly this scope ends. Only officers resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseResumed {
    /// Who decided.
    pub by: Actor,
    /// Whom it concerns.
    pub scope: HouseScope,
}
record!(HouseResumed, "house.resumed", |_| StreamId::house(), gating: true);

/// Every agent of the scope is revoked at once; each one's own `agent.revoked` follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseRevoked {
    /// Who decided.
    pub by: Actor,
    /// Why, for CRL and OCSP.
    pub reason: RevocationReason,
    /// Whom it concerns.
    pub scope: HouseScope,
}
record!(HouseRevoked, "house.revoked", |_| StreamId::house(), gating: true);

/// A revocation of exactly this scope ends; each agent still needs its own reinstatement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseReinstated {
    /// In real time: certificates of the scope whose validity begins before this moment stay revoked for ever.
    pub certificates_from: Timestamp,
    /// Whom it concerns.
    pub scope: HouseScope,
    /// The officers' signatures; at least [`REINSTATEMENT_OFFICERS`] distinct ones. `ca-core` checks them.
    pub signatures: Vec<ApprovalRecord>,
}
record!(HouseReinstated, "house.reinstated", |_| StreamId::house(), gating: true);

/// From which order size on a mandate needs two officers, per currency; and at which scores the kill switch acts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// The levels of the score; none means 0.75 and 0.85.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<ScoreLevels>,
    /// Mandates whose largest order notional is above this need two distinct officers; so does a currency without a row.
    pub two_officers_above: BTreeMap<Currency, Decimal>,
}

impl Thresholds {
    /// How many distinct officers must approve a mandate whose largest order in `currency` is `notional`.
    #[must_use]
    pub fn officers_for(&self, currency: &Currency, notional: Decimal) -> usize {
        match self.two_officers_above.get(currency) {
            Some(threshold) if notional <= *threshold => 1,
            _ => 2,
        }
    }
}

/// New thresholds, replacing the old ones whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdsSet {
    /// The officers' signatures (two: a house setting). `ca-core` checks them.
    pub signatures: Vec<ApprovalRecord>,
    /// The thresholds.
    pub thresholds: Thresholds,
}
record!(ThresholdsSet, "house.thresholds_set", |_| StreamId::house(), gating: true);

/// A new table of source networks, replacing the old one whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionsSet {
    /// The table.
    pub networks: RegionTable,
    /// The officers' signatures (two: a house setting). `ca-core` checks them.
    pub signatures: Vec<ApprovalRecord>,
}
record!(RegionsSet, "house.regions_set", |_| StreamId::house(), gating: true);

record_enum! {
    /// The decisions of the house this crate folds.
    HouseEvent {
        /// Cancels and reads only.
        Frozen(HouseFrozen),
        /// Reductions and cancels only.
        ReduceOnly(HouseReduceOnly),
        /// A freeze or reduce-only ends.
        Resumed(HouseResumed),
        /// Everyone of the scope revoked.
        Revoked(HouseRevoked),
        /// A revocation of the scope ends.
        Reinstated(HouseReinstated),
        /// New thresholds.
        ThresholdsSet(ThresholdsSet),
        /// New regions.
        RegionsSet(RegionsSet),
        /// New limits of exposure.
        ExposureSet(ExposureSet),
    }
}

/// What the house says about one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ScopeState {
    certificates_from: Option<Timestamp>,
    mode: Mode,
}

impl ScopeState {
    const ACTIVE: Self = Self {
        certificates_from: None,
        mode: Mode::Active,
    };
}

/// The state of the house, folded from its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseState {
    all: ScopeState,
    exposures: Exposures,
    owners: BTreeMap<OwnerId, ScopeState>,
    regions: Arc<RegionTable>,
    thresholds: Thresholds,
}

impl Default for HouseState {
    fn default() -> Self {
        Self {
            all: ScopeState::ACTIVE,
            exposures: Exposures::default(),
            owners: BTreeMap::new(),
            regions: Arc::default(),
            thresholds: Thresholds::default(),
        }
    }
}

impl HouseState {
    /// What the house lets the agents of `owner` do at most.
    #[must_use]
    pub fn mode_of(&self, owner: &OwnerId) -> HouseMode {
        self.owners
            .get(owner)
            .map_or(Mode::Active, |scope| scope.mode)
            .max(self.all.mode)
    }

    /// What the house lets everybody do at most.
    #[must_use]
    pub fn mode_of_all(&self) -> HouseMode {
        self.all.mode
    }

    /// No certificate of the agents of `owner` that begins earlier is ever accepted again: they were revoked with the
    /// owner, or with all.
    #[must_use]
    pub fn certificates_from(&self, owner: &OwnerId) -> Option<Timestamp> {
        let own = self.owners.get(owner).and_then(|scope| scope.certificates_from);
        own.max(self.all.certificates_from)
    }

    /// The region of a source address; none refuses.
    #[must_use]
    pub fn region_of(&self, address: std::net::IpAddr) -> Option<extensions::Region> {
        self.regions.lookup(address)
    }

    /// The table of source networks.
    #[must_use]
    pub fn regions(&self) -> &Arc<RegionTable> {
        &self.regions
    }

    /// The thresholds of approval.
    #[must_use]
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// The limits of exposure, of each owner and of all.
    #[must_use]
    pub fn exposures(&self) -> &Exposures {
        &self.exposures
    }

    /// Folds one event. Returns whether it moved anything; an event outside the table of moves does not.
    pub fn apply(&mut self, event: &HouseEvent) -> bool {
        match event {
            HouseEvent::Frozen(event) => self.shift(event.scope, |mode| (mode < Mode::Frozen).then_some(Mode::Frozen)),
            HouseEvent::ReduceOnly(event) => {
                let officer = matches!(event.by, Actor::Officer(_));
                self.shift(event.scope, |mode| match mode {
                    Mode::Active => Some(Mode::ReduceOnly),
                    Mode::Frozen if officer => Some(Mode::ReduceOnly),
                    _ => None,
                })
            }
            HouseEvent::Resumed(event) => {
                let officer = matches!(event.by, Actor::Officer(_));
                self.shift(event.scope, |mode| match mode {
                    Mode::ReduceOnly | Mode::Frozen if officer => Some(Mode::Active),
                    _ => None,
                })
            }
            HouseEvent::Revoked(event) => {
                self.shift(event.scope, |mode| (mode != Mode::Revoked).then_some(Mode::Revoked))
            }
            HouseEvent::Reinstated(event) => {
                let enough = distinct_officers(&event.signatures) >= REINSTATEMENT_OFFICERS;
                let moved = self.shift(event.scope, |mode| {
                    (enough && mode == Mode::Revoked).then_some(Mode::Active)
                });
                if moved {
                    let state = self.scope_mut(event.scope);
                    state.certificates_from = state.certificates_from.max(Some(event.certificates_from));
                }
                moved
            }
            HouseEvent::ThresholdsSet(event) => {
                self.thresholds = event.thresholds.clone();
                true
            }
            HouseEvent::RegionsSet(event) => {
                self.regions = Arc::new(event.networks.clone());
                true
            }
            HouseEvent::ExposureSet(event) => {
                self.exposures.set(event);
                true
            }
        }
    }

    fn scope_mut(&mut self, scope: HouseScope) -> &mut ScopeState {
        match scope {
            HouseScope::All => &mut self.all,
            HouseScope::Owner(owner) => self.owners.entry(owner).or_insert(ScopeState::ACTIVE),
        }
    }

    fn shift(&mut self, scope: HouseScope, step: impl Fn(Mode) -> Option<Mode>) -> bool {
        let state = self.scope_mut(scope);
        let next = step(state.mode);
        state.mode = next.unwrap_or(state.mode);
        next.is_some()
    }
}
