//! What a bot is told of its standing: the tighter of its own and the house's, for that is what its orders meet.

use extensions::OwnerId;
use revocation_core::{HouseState, Standing, standing::Mode};
use serde_json::{Value, json};

/// What the house lets an owner's agents do at most, and whose word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OfHouse {
    mode: Mode,
    scope: &'static str,
}

impl OfHouse {
    /// For the agents of `owner`; for those of whom no owner is known, what holds for all.
    pub(super) fn of(house: &HouseState, owner: Option<&OwnerId>) -> Self {
        let all = house.mode_of_all();
        let mode = owner.map_or(all, |owner| house.mode_of(owner));
        let scope = if mode == all { "all" } else { "owner" };
        Self { mode, scope }
    }

    /// Whether it narrows anything.
    pub(super) fn narrows(self) -> bool {
        self.mode != Mode::Active
    }

    /// As bots and people read it.
    pub(super) fn told(self) -> Value {
        json!({ "is": word(self.mode), "scope": self.scope })
    }
}

/// The standing that holds for an agent's next order, with the scope it comes from: `agent`, `owner` or `all`.
pub(super) fn told(own: &Standing, house: &HouseState, owner: Option<&OwnerId>) -> Value {
    let of_house = OfHouse::of(house, owner);
    let mode = match own {
        Standing::Active | Standing::Warned { .. } => Mode::Active,
        Standing::ReduceOnly => Mode::ReduceOnly,
        Standing::Frozen => Mode::Frozen,
        Standing::Revoked => Mode::Revoked,
    };
    match own {
        _ if of_house.mode > mode => of_house.told(),
        Standing::Warned { deadline, default } => {
            json!({ "is": "warned", "deadline": deadline, "default": default, "scope": "agent" })
        }
        _ => json!({ "is": word(mode), "scope": "agent" }),
    }
}

/// Whether agent, certificate and house let the agent open positions.
pub(super) fn may_open(own: &Standing, certificate: Mode, house: &HouseState, owner: Option<&OwnerId>) -> bool {
    let active = matches!(own, Standing::Active | Standing::Warned { .. });
    active && certificate == Mode::Active && !OfHouse::of(house, owner).narrows()
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Active => "active",
        Mode::ReduceOnly => "reduce_only",
        Mode::Frozen => "frozen",
        Mode::Revoked => "revoked",
    }
}

#[cfg(test)]
mod tests {
    use revocation_core::{
        Actor, HouseEvent,
        house::{HouseFrozen, HouseReduceOnly, HouseScope},
    };

    use super::*;

    /// Control tried: without the house's arm an agent of a frozen owner reads `active`, and each of its orders is refused.
    #[test]
    fn the_tighter_of_agent_and_house_is_told() {
        let (desk, other): (OwnerId, OwnerId) = ("desk".parse().expect("id"), "other".parse().expect("id"));
        let mut house = HouseState::default();
        let is = |own: &Standing, house: &HouseState, owner: &OwnerId| {
            let told = told(own, house, Some(owner));
            format!(
                "{} {}",
                told["is"].as_str().expect("word"),
                told["scope"].as_str().expect("word")
            )
        };
        assert_eq!(is(&Standing::Active, &house, &desk), "active agent");
        let by = Actor::Mandate;
        house.apply(&HouseEvent::Frozen(HouseFrozen {
            by,
            scope: HouseScope::Owner(desk),
        }));
        assert_eq!(is(&Standing::Active, &house, &desk), "frozen owner");
        assert_eq!(is(&Standing::ReduceOnly, &house, &desk), "frozen owner");
        assert_eq!(is(&Standing::Frozen, &house, &desk), "frozen agent");
        assert_eq!(is(&Standing::Revoked, &house, &desk), "revoked agent");
        assert_eq!(is(&Standing::Active, &house, &other), "active agent");
        house.apply(&HouseEvent::ReduceOnly(HouseReduceOnly {
            by,
            scope: HouseScope::All,
        }));
        assert_eq!(is(&Standing::Active, &house, &other), "reduce_only all");
        assert_eq!(is(&Standing::Active, &house, &desk), "frozen owner");
    }
}
