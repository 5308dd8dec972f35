//! Freeze and reduce-only of one certificate.

use revocation_core::standing::{CertificateFrozen, CertificateReduceOnly, CertificateResumed};

use super::*;

/// A certificate that is frozen, or may only reduce, binds sessions under it and no other; resumed, it binds none.
#[test]
fn one_certificate_is_stopped_alone() {
    let other = extensions::Serial::new([2; 18]).expect("positive");
    let not_after = time("2026-11-20T13:00:00Z");
    for own in [true, false] {
        let mut world = World::new();
        world.long("2");
        let serial = if own { world.certificate.serial } else { other };
        let sell = OrderTerms {
            side: Side::Sell,
            quantity: decimal("2"),
            ..terms("b")
        };
        let (agent, by) = (agent(), by());
        let reduce = CertificateReduceOnly {
            agent,
            by,
            not_after,
            serial,
        };
        let freeze = CertificateFrozen {
            agent,
            by,
            not_after,
            serial,
        };
        permits(&world, terms("a"));
        world.fold(StandingEvent::from(reduce));
        permits(&world, sell.clone());
        if own {
            refuses(&world, terms("a"), Code::StateReduceOnly);
        }
        world.fold(StandingEvent::from(freeze));
        if own {
            for order in [terms("a"), sell.clone()] {
                let check = refuses(&world, order, Code::StateFrozen);
                assert_eq!(check.observed, "this certificate is frozen");
            }
            world.fold(StandingEvent::from(CertificateResumed {
                agent,
                by: Actor::Scorer,
                serial,
            }));
            refuses(&world, sell.clone(), Code::StateFrozen);
            world.fold(StandingEvent::from(CertificateResumed { agent, by, serial }));
        }
        permits(&world, terms("a"));
        permits(&world, sell);
    }
}
