//! Explores the model: all rules on, nothing breaks; any rule off, something does.

use ledger_model::{Action, Guarantee, Milestone, Rule, Rules, Size, World, actions, breaks, step};
use stateright::{Checker, HasDiscoveries, Model, Property};

/// The world as the checker sees it.
struct Explored {
    rules: Rules,
    size: Size,
    milestones: bool,
}

impl Model for Explored {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.rules, self.size)]
    }

    fn actions(&self, world: &World, out: &mut Vec<Action>) {
        actions(world, self.size, out);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(step(world, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let guarantees: [fn(&Self, &World) -> bool; Guarantee::ALL.len()] = [
            holds::<0>,
            holds::<1>,
            holds::<2>,
            holds::<3>,
            holds::<4>,
            holds::<5>,
            holds::<6>,
            holds::<7>,
            holds::<8>,
            holds::<9>,
            holds::<10>,
        ];
        let always = Guarantee::ALL
            .iter()
            .zip(guarantees)
            .map(|(g, check)| Property::always(name(g), check));
        let milestones: [fn(&Self, &World) -> bool; Milestone::ALL.len()] =
            [reaches::<0>, reaches::<1>, reaches::<2>, reaches::<3>, reaches::<4>];
        let sometimes = Milestone::ALL
            .iter()
            .zip(milestones)
            .map(|(m, check)| Property::sometimes(name(m), check));
        always.chain(sometimes.filter(|_| self.milestones)).collect()
    }
}

fn holds<const N: usize>(_: &Explored, world: &World) -> bool {
    !breaks(world, Guarantee::ALL[N])
}

fn reaches<const N: usize>(_: &Explored, world: &World) -> bool {
    Milestone::ALL[N].reached(world)
}

fn name(of: &impl std::fmt::Debug) -> &'static str {
    format!("{of:?}").leak()
}

/// One order, a venue with delays and doubts, an officer who revokes and reinstates, a crash, a lost answer.
const DOUBTS: Size = Size {
    orders: 1,
    crashes: 1,
    lost_answers: 1,
    halt: false,
    revoke: true,
    reinstate: true,
    freeze: false,
    prompt_venue: false,
};

/// The gateway halts by itself instead.
const HALTS: Size = Size {
    halt: true,
    revoke: false,
    ..DOUBTS
};

/// The gateway halts beside the officer.
const BOTH_STOP: Size = Size {
    crashes: 0,
    lost_answers: 0,
    halt: true,
    ..DOUBTS
};

/// The house is frozen, too.
const FREEZE: Size = Size {
    crashes: 0,
    lost_answers: 0,
    freeze: true,
    ..DOUBTS
};

/// Two orders in the gateways' queues, an officer; the venue answers at once.
const QUEUES: Size = Size {
    orders: 2,
    crashes: 0,
    lost_answers: 0,
    reinstate: false,
    prompt_venue: true,
    ..DOUBTS
};

/// Two orders and a gateway that halts by itself.
const QUEUES_HALT: Size = Size {
    halt: true,
    revoke: false,
    ..QUEUES
};

/// Two orders, a lost answer, a freeze.
const QUEUES_FREEZE: Size = Size {
    lost_answers: 1,
    revoke: false,
    freeze: true,
    ..QUEUES
};

/// The worlds of every test run.
const WORLDS: [(&str, Size); 7] = [
    ("doubts", DOUBTS),
    ("halts", HALTS),
    ("both stop", BOTH_STOP),
    ("freeze", FREEZE),
    ("queues", QUEUES),
    ("queues and halt", QUEUES_HALT),
    ("queues, lost answer and freeze", QUEUES_FREEZE),
];

/// Larger worlds, minutes each: `cargo xtask soak`.
const SOAK_WORLDS: [(&str, Size); 4] = [
    (
        "all stops, a crash, a lost answer",
        Size {
            crashes: 1,
            lost_answers: 1,
            ..BOTH_STOP
        },
    ),
    (
        "two crashes, two lost answers",
        Size {
            crashes: 2,
            lost_answers: 2,
            ..DOUBTS
        },
    ),
    (
        "queues, all stops",
        Size {
            halt: true,
            freeze: true,
            ..QUEUES
        },
    ),
    (
        "queues and reinstatement",
        Size {
            reinstate: true,
            ..QUEUES
        },
    ),
];

/// Threads of one exploration.
const THREADS: usize = 2;

/// For each rule: a world in which its removal is seen, and the guarantee that then breaks.
const NEGATIVE_CONTROLS: [(Rule, Size, Guarantee); Rule::ALL.len()] = [
    (Rule::ExactNumber, DOUBTS, Guarantee::NoPermitWhileRevoked),
    (Rule::EpochCompared, FREEZE, Guarantee::NoPermitUnderFreeze),
    (Rule::AppendBeforeSend, DOUBTS, Guarantee::RecordBeforeSend),
    (Rule::GateClosedFirst, HALTS, Guarantee::NoSendAfterHalt),
    (Rule::SendDeadline, DOUBTS, Guarantee::NoLateSendElsewhere),
    (Rule::DeadlineFromDecision, DOUBTS, Guarantee::NoLateSendElsewhere),
    (Rule::DoubtNeverResent, DOUBTS, Guarantee::NotTwice),
    (Rule::OwnWaitsForDelay, DOUBTS, Guarantee::ReservationHolds),
    (Rule::OtherWaitsForLease, DOUBTS, Guarantee::ReservationHolds),
    (Rule::OtherWaitsForDeadline, DOUBTS, Guarantee::ReservationHolds),
    (Rule::OtherWaitsForDelay, DOUBTS, Guarantee::ReservationHolds),
    (Rule::LostAnswerIsUnknown, DOUBTS, Guarantee::RecordBeforeSend),
    (Rule::DropBehindLoser, QUEUES, Guarantee::NoPermitWhileRevoked),
    (Rule::NarrowingToFront, HALTS, Guarantee::HaltIsAheadOfOrders),
    (Rule::IdUniqueByFold, DOUBTS, Guarantee::NotTwice),
    (Rule::NextNeverFails, QUEUES, Guarantee::StopIsNotDelayed),
    (Rule::NextIdempotent, DOUBTS, Guarantee::RecordedOnce),
    (
        Rule::RevokedCertificateStays,
        DOUBTS,
        Guarantee::NoPermitUnderRevokedCertificate,
    ),
];

/// Explores a world to its end with all rules on; gives the milestones it reached.
fn explore(world: &str, size: Size) -> Vec<&'static str> {
    let started = std::time::Instant::now();
    let model = Explored {
        rules: Rules::all(),
        size,
        milestones: true,
    };
    let checker = model.checker().threads(THREADS).spawn_bfs().join();
    assert!(checker.is_done(), "{world}: not explored to its end");
    let discoveries = checker.discoveries();
    for guarantee in Guarantee::ALL {
        if let Some(path) = discoveries.get(name(&guarantee)) {
            panic!(
                "{world}: {guarantee:?} does not hold:\n{path:?}",
                path = path.clone().into_actions()
            );
        }
    }
    println!(
        "{world}: {} different states ({} steps, {} deep) in {:.1} s; no guarantee breaks",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        started.elapsed().as_secs_f64()
    );
    discoveries.into_keys().collect()
}

/// Guarantees 1 to 3 in every interleaving. The negative controls are the table below.
#[test]
fn with_all_rules_no_guarantee_breaks() {
    let mut reached = std::collections::BTreeSet::new();
    for (world, size) in WORLDS {
        reached.extend(explore(world, size));
    }
    for milestone in Milestone::ALL {
        assert!(
            reached.contains(name(&milestone)),
            "no world reaches {milestone:?}: it holds by standing still"
        );
    }
    if std::env::var_os("MANDATUM_SOAK").is_some() {
        for (world, size) in SOAK_WORLDS {
            print!("soak: model, ");
            explore(world, size);
        }
    }
}

/// Each rule is needed: without it, the guarantee named in the table breaks. A rule that nobody would miss, or a
/// guarantee that nothing can break, fails here.
#[test]
fn without_any_one_rule_a_guarantee_breaks() {
    for rule in Rule::ALL {
        let (_, size, guarantee) = NEGATIVE_CONTROLS
            .into_iter()
            .find(|(of, ..)| *of == rule)
            .unwrap_or_else(|| panic!("{rule:?} has no negative control"));
        let wanted = name(&guarantee);
        let model = Explored {
            rules: Rules::all().without(rule),
            size,
            milestones: false,
        };
        let until = HasDiscoveries::AnyOf([wanted].into());
        let checker = model.checker().threads(THREADS).finish_when(until).spawn_bfs().join();
        let path = checker.discovery(wanted);
        let path = path.unwrap_or_else(|| panic!("without {rule:?}, {guarantee:?} still holds: is the rule needed?"));
        println!("without {rule:?}: {guarantee:?} breaks after {:?}", path.into_actions());
    }
    for guarantee in Guarantee::ALL {
        let seen = NEGATIVE_CONTROLS.iter().any(|(_, _, broken)| *broken == guarantee);
        assert!(seen, "no rule's removal breaks {guarantee:?}");
    }
}
