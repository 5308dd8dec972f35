//! What must never happen, and what must be possible (so that nothing holds by standing still).

use crate::{Entry, World};

/// A consequence of guarantees 1 to 3 of ARCHITECTURE §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Guarantee {
    /// 1: a send starts only for a permit that is in the stream.
    RecordBeforeSend,
    /// 2: no permit is numbered between a revocation and a reinstatement.
    NoPermitWhileRevoked,
    /// 2: no permit is numbered under a revoked certificate, ever.
    NoPermitUnderRevokedCertificate,
    /// 2: no permit is numbered after the house was frozen.
    NoPermitUnderFreeze,
    /// 2: after a halt no send starts in that process until reinstatement.
    NoSendAfterHalt,
    /// 2: elsewhere none later than the send deadline.
    NoLateSendElsewhere,
    /// 2: no order is numbered once the store has processed a revocation.
    StopIsNotDelayed,
    /// 2: no order that waited in the halting process's queue is numbered after its halt.
    HaltIsAheadOfOrders,
    /// 3: no order reaches the venue twice.
    NotTwice,
    /// 3: an order whose reservation was released is not and will not be at the venue.
    ReservationHolds,
    /// 3: an end, and a revocation, is recorded once (so that a fill or a release counts once).
    RecordedOnce,
}

impl Guarantee {
    /// All of them.
    pub const ALL: [Guarantee; 11] = [
        Guarantee::RecordBeforeSend,
        Guarantee::NoPermitWhileRevoked,
        Guarantee::NoPermitUnderRevokedCertificate,
        Guarantee::NoPermitUnderFreeze,
        Guarantee::NoSendAfterHalt,
        Guarantee::NoLateSendElsewhere,
        Guarantee::StopIsNotDelayed,
        Guarantee::HaltIsAheadOfOrders,
        Guarantee::NotTwice,
        Guarantee::ReservationHolds,
        Guarantee::RecordedOnce,
    ];
}

/// Whether `world` breaks `guarantee`.
pub fn breaks(world: &World, guarantee: Guarantee) -> bool {
    match guarantee {
        Guarantee::NoPermitWhileRevoked => world.log.iter().enumerate().any(|(number, entry)| {
            matches!(entry, Entry::Permit { .. }) && world.revoked(number as u8)
        }),
        Guarantee::NoPermitUnderRevokedCertificate => world.log.iter().enumerate().any(|(number, entry)| {
            matches!(entry, Entry::Permit { certificate, .. } if *certificate < world.certificate(number as u8))
        }),
        Guarantee::NotTwice => world.reached.iter().any(|times| *times > 1),
        Guarantee::ReservationHolds => world
            .log
            .iter()
            .any(|entry| matches!(entry, Entry::End { permit, reached: false, .. } if world.venue_has(*permit))),
        Guarantee::RecordedOnce => recorded_twice(world),
        shown_by_a_step => world.broken & (1 << shown_by_a_step as u16) != 0,
    }
}

fn recorded_twice(world: &World) -> bool {
    world.log.iter().enumerate().any(|(number, entry)| {
        world.log[..number].iter().any(|earlier| match (earlier, entry) {
            (Entry::End { permit: a, .. }, Entry::End { permit: b, .. }) => a == b,
            (Entry::Revoked { id: a, .. }, Entry::Revoked { id: b, .. }) => a == b,
            _ => false,
        })
    })
}

/// Something that the world must be able to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Milestone {
    /// Both orders reach the venue, one from each gateway, and are reported.
    BothOrdersTraded,
    /// An order in hand is withheld and released.
    Withheld,
    /// A doubt is resolved by another instance as "not there".
    ReleasedByOther,
    /// A doubt is resolved by another instance as "it is there".
    FoundByOther,
    /// After a reinstatement the new certificate trades.
    TradesAgain,
}

impl Milestone {
    /// All of them.
    pub const ALL: [Milestone; 5] = [
        Milestone::BothOrdersTraded,
        Milestone::Withheld,
        Milestone::ReleasedByOther,
        Milestone::FoundByOther,
        Milestone::TradesAgain,
    ];

    /// Whether `world` has got there.
    pub fn reached(self, world: &World) -> bool {
        let ended = |reached, other| {
            world
                .log
                .iter()
                .any(|e| matches!(e, Entry::End { reached: r, by_other: o, .. } if *r == reached && *o == other))
        };
        match self {
            Milestone::BothOrdersTraded => {
                let from = |gateway: u8| {
                    world.log.iter().enumerate().any(|(number, entry)| {
                        matches!(entry, Entry::Permit { gateway: g, .. } if *g == gateway)
                            && world.log.contains(&Entry::End {
                                permit: number as u8,
                                reached: true,
                                by_other: false,
                            })
                    })
                };
                from(0) && from(1)
            }
            Milestone::Withheld => ended(false, false),
            Milestone::ReleasedByOther => ended(false, true),
            Milestone::FoundByOther => ended(true, true),
            Milestone::TradesAgain => world.log.iter().enumerate().any(|(number, entry)| {
                matches!(entry, Entry::Permit { certificate: 1, .. }) && world.venue_has(number as u8)
            }),
        }
    }
}
