//! Each refusal code once where it stands, and once just inside of it. `case` is a match over every code: a new one does not compile
//! without its two sides.

use std::time::Duration;

use extensions::Clock as _;
use futures_util::StreamExt;
use gateway_policy::{Code, OrderFilled, Proof};
use gateway_service::{
    gateway::Settings,
    pipeline::submit::{Signed, Submitted, submit},
};
use ledger::store::fault::Fault;
use revocation_core::{
    Actor, RevocationReason, StandingEvent,
    standing::{AgentFrozen, AgentReduceOnly, AgentResumed, AgentRevoked, CertificateRevoked},
};

use super::{edited, later, recorded, rt};
use crate::world::{
    EXCHANGE, Mood, World, agent, document, noon, order,
    wire::{Told, Wire},
};

const ENFORCED: [&str; 3] = ["cancel_all", "freeze", "enforce"];
const NAME: &str = "mm-1";

/// What becomes of a code: the answer that should carry it, and the one just inside.
enum Case {
    Sides {
        refused: Told,
        inside: Told,
    },
    /// No request can reach it, since the handshake or the record does not let it come so far; a test of the policy shows both sides.
    Policy(&'static str),
    /// Registered for service states that are not built yet.
    Reserved,
}

struct Bench {
    world: World,
    wire: Wire,
    leaf: Vec<u8>,
}

impl Bench {
    async fn new() -> Self {
        Self::tuned(|_| {}, &[]).await
    }

    async fn of(changes: &[(&str, &str)]) -> Self {
        Self::tuned(|_| {}, changes).await
    }

    async fn tuned(tune: fn(&mut Settings), changes: &[(&str, &str)]) -> Self {
        let mut world = World::new(0).await;
        world.tune = tune;
        world.start(1).await;
        let leaf = world.agent_of(edited(NAME, changes)).await;
        let wire = Wire::of(&world, &leaf).await;
        Self { world, wire, leaf }
    }

    async fn scored() -> Self {
        let world = World::new(1).await;
        let leaf = world.scored(NAME, ENFORCED).await;
        let wire = Wire::of(&world, &leaf).await;
        Self { world, wire, leaf }
    }

    async fn post(&self, order: &str) -> Told {
        self.wire.post(order).await
    }

    /// Two orders, the outer one last.
    async fn sides(&self, inside: &str, refused: &str) -> Case {
        let inside = self.post(inside).await;
        let refused = self.post(refused).await;
        Case::Sides { refused, inside }
    }

    /// An order, then a record of an officer, then an order.
    async fn once_recorded(&self, record: impl extensions::Record + std::fmt::Debug + Send + 'static) -> Case {
        let inside = self.post(&order("inside")).await;
        recorded(&self.world, record).await;
        let refused = self.post(&order("refused")).await;
        Case::Sides { refused, inside }
    }

    fn be(&self, mood: Mood) {
        self.world.instances[0].venue.be(mood);
    }
}

fn with(id: &str, from: &str, to: &str) -> String {
    let order = order(id);
    assert!(order.contains(from), "{from}");
    order.replace(from, to)
}

fn ada() -> Actor {
    Actor::Officer("ada".parse().expect("id"))
}

/// Every code, in its own small world.
///
/// Controls tried: `INSTRUMENT_NOT_ALLOWED`'s check that never fails, and its line goes red; `PRICE_COLLAR`'s that refuses the limit itself,
/// and its inside goes red.
#[test]
fn each_code_stands_at_its_limit() {
    rt().block_on(async {
        // Side by side: most of each is waiting for the disk.
        let cases = Code::ALL.iter().map(|code| async move { (code, case(*code).await) });
        let mut cases = futures_util::stream::iter(cases).buffer_unordered(4);
        while let Some((code, case)) = cases.next().await {
            match case {
                Case::Sides { refused, inside } => {
                    assert_eq!(refused.code(), Some(code.as_str()), "{code}: {refused:?}");
                    assert_eq!(refused.status, code.http_status(), "{code}: {refused:?}");
                    assert!(inside.status < 400, "{code}, just inside: {inside:?}");
                }
                Case::Policy(test) => {
                    let tests = include_str!("../../../policy/src/checks/tests.rs");
                    assert!(tests.contains(&format!("fn {test}()")), "{code}: {test}");
                }
                Case::Reserved => assert!(code.meaning().contains("reserved"), "{code}"),
            }
        }
    });
}

async fn case(code: Code) -> Case {
    match code {
        Code::PathUnknown
        | Code::BodyTooLarge
        | Code::OrderMalformed
        | Code::OrderInvalid
        | Code::CertificateRequired
        | Code::RateMessages
        | Code::OrderNotFound => of_requests(code).await,
        Code::ExtensionUnreadable => Case::Policy("extension_unreadable"),
        Code::MandateMissing
        | Code::StatusUnknown
        | Code::AgentRevoked
        | Code::CertRevoked
        | Code::CertExpired
        | Code::StateFrozen
        | Code::StateReduceOnly => of_standing(code).await,
        Code::StateSuspended | Code::StateExitOnly | Code::StateClosed => Case::Reserved,
        Code::Duplicate | Code::DuplicateSuspected | Code::ProofRequired | Code::ProofInvalid => {
            of_identity(code).await
        }
        Code::InstrumentNotAllowed
        | Code::CounterpartyNotAllowed
        | Code::OutsideHours
        | Code::RegionNotAllowed
        | Code::OrderTypeNotAllowed => of_scope(code).await,
        Code::MaxNotional
        | Code::UnitNotAllowed
        | Code::PriceCollar
        | Code::NoReferencePrice
        | Code::RateOrders
        | Code::OpenOrdersMax
        | Code::DayNotional
        | Code::PositionUnknown => of_amounts(code).await,
        Code::RepeatExecution
        | Code::OpenOrdersCap
        | Code::DayLoss
        | Code::MaxPosition
        | Code::GroupExposure
        | Code::SelfTrade => of_bounds(code).await,
        Code::BaselineMissing
        | Code::AnomalyRevoked
        | Code::Withheld
        | Code::VenueRejected
        | Code::LedgerUnavailable => of_the_rest(code).await,
    }
}

async fn of_requests(code: Code) -> Case {
    let bench = Bench::new().await;
    let wire = &bench.wire;
    match code {
        Code::PathUnknown => Case::Sides {
            refused: wire.ask("PUT", "/v1/orders", "").await,
            inside: wire.ask("GET", "/v1/orders?status=open", "").await,
        },
        Code::BodyTooLarge => {
            let room = bench.world.instances[0].gateway.settings.body_bytes;
            let padded = |id: &str, length: usize| {
                let order = order(id);
                let padding = " ".repeat(length - order.len());
                order + &padding
            };
            bench.sides(&padded("a", room), &padded("b", room + 1)).await
        }
        Code::OrderMalformed => bench.sides(&with("a", "}", " }"), &with("b", "}", ",}")).await,
        Code::OrderInvalid => {
            let smallest = with("a", r#""quantity":"1""#, r#""quantity":"0.000001""#);
            let none = with("b", r#""quantity":"1""#, r#""quantity":"0""#);
            bench.sides(&smallest, &none).await
        }
        Code::CertificateRequired => {
            let nobody = Wire::open(&bench.world, 0, None, "127.0.0.1:40000");
            Case::Sides {
                refused: nobody.ask("GET", "/v1/me", "").await,
                inside: wire.ask("GET", "/v1/me", "").await,
            }
        }
        Code::RateMessages => loop {
            let bench = Bench::tuned(|settings| settings.messages_per_second = 1, &[]).await;
            let began = std::time::Instant::now();
            let case = bench.sides(&order("a"), &order("b")).await;
            // Both in one second, or once more.
            if began.elapsed() < Duration::from_secs(1) {
                return case;
            }
        },
        _ => {
            bench.post(&order("a")).await;
            Case::Sides {
                refused: wire.ask("GET", "/v1/orders/b", "").await,
                inside: wire.ask("GET", "/v1/orders/a", "").await,
            }
        }
    }
}

async fn of_standing(code: Code) -> Case {
    let (agent, by) = (agent(NAME), ada());
    match code {
        Code::MandateMissing => {
            // The gateway hears nothing of the second agent's mandate.
            let bench = Bench::new().await;
            bench.world.instances[0].stop.cancel();
            let unheard = bench.world.agent("mm-2").await;
            let other = Wire::open(&bench.world, 0, Some(&unheard), "127.0.0.1:40000");
            Case::Sides {
                refused: other.post(&order("b")).await,
                inside: bench.post(&order("a")).await,
            }
        }
        Code::StatusUnknown => {
            let bench = Bench::tuned(|settings| settings.view_lease = Duration::from_millis(1_500), &[]).await;
            let inside = bench.post(&order("a")).await;
            bench.world.instances[0].stop.cancel();
            tokio::time::sleep(Duration::from_millis(1_600)).await;
            let refused = bench.post(&order("b")).await;
            Case::Sides { refused, inside }
        }
        Code::AgentRevoked => {
            let bench = Bench::new().await;
            let revoked = AgentRevoked {
                agent,
                by,
                incident: None,
                reason: RevocationReason::PrivilegeWithdrawn,
                score: None,
            };
            bench.once_recorded(revoked).await
        }
        Code::CertRevoked => {
            let bench = Bench::new().await;
            let session = bench.world.session(0, &bench.leaf).await;
            let leaf = session.certificate.leaf();
            let revoked = |serial| CertificateRevoked {
                agent,
                by: ada(),
                not_after: leaf.not_after(),
                reason: RevocationReason::KeyCompromise,
                serial,
            };
            let other = extensions::Serial::new([5; 18]).expect("positive");
            recorded(&bench.world, revoked(other)).await;
            bench.once_recorded(revoked(leaf.serial())).await
        }
        Code::CertExpired => {
            let bench = Bench::new().await;
            let session = bench.world.session(0, &bench.leaf).await;
            let end = session.certificate.leaf().not_after();
            later(&bench.world, end.micros_since(noon()) / 1_000_000);
            let inside = bench.post(&order("a")).await;
            later(&bench.world, 1);
            let refused = bench.post(&order("b")).await;
            Case::Sides { refused, inside }
        }
        Code::StateFrozen => Bench::new().await.once_recorded(AgentFrozen { agent, by }).await,
        _ => Bench::new().await.once_recorded(AgentReduceOnly { agent, by }).await,
    }
}

async fn of_identity(code: Code) -> Case {
    match code {
        Code::Duplicate => {
            let bench = Bench::new().await;
            bench.post(&order("a")).await;
            let other = with("a", r#""quantity":"1""#, r#""quantity":"2""#);
            bench.sides(&order("a"), &other).await
        }
        Code::DuplicateSuspected => {
            let bench = Bench::of(&[(r#""repeat_window_ms":0"#, r#""repeat_window_ms":1000"#)]).await;
            bench.be(Mood::LoseAnswers);
            bench.post(&order("a")).await;
            let other = with("b", r#""quantity":"1""#, r#""quantity":"2""#);
            bench.sides(&other, &order("c")).await
        }
        _ => {
            let bench = Bench::of(&[(r#""order_proof":false"#, r#""order_proof":true"#)]).await;
            let wrong = [("signature-input", "s=()"), ("signature", "s=:AAAA:")];
            let headers: &[_] = if code == Code::ProofInvalid { &wrong } else { &[] };
            let refused = bench.wire.ask_with("POST", "/v1/orders", &order("b"), headers).await;
            // What a good signature looks like is tried by the stock library's test; here it was found good.
            let session = bench.world.session(0, &bench.leaf).await;
            let signed = Signed {
                proof: Proof::Valid,
                by: None,
                evidence: None,
            };
            let parsed = gateway_policy::Order::from_json(order("a").as_bytes()).expect("order");
            let at = &bench.world.instances[0];
            let submitted = submit(&at.gateway, &at.venues, &session, &parsed, &signed).await;
            let status = if matches!(submitted, Submitted::Forwarded(..)) {
                200
            } else {
                500
            };
            let body = serde_json::Value::String(format!("{submitted:?}"));
            Case::Sides {
                refused,
                inside: Told { status, body },
            }
        }
    }
}

async fn of_scope(code: Code) -> Case {
    match code {
        Code::InstrumentNotAllowed => {
            Bench::new()
                .await
                .sides(&order("a"), &with("b", "BTC_EUR", "ETH_EUR"))
                .await
        }
        Code::CounterpartyNotAllowed => {
            Bench::new()
                .await
                .sides(&order("a"), &with("b", EXCHANGE, "exchange_b"))
                .await
        }
        Code::OutsideHours => {
            let hours = (r#"["Mon-Sun 00:00-24:00"]"#, r#"["Mon-Fri 11:00-13:00"]"#);
            let bench = Bench::of(&[hours]).await;
            later(&bench.world, 3_599);
            let inside = bench.post(&order("a")).await;
            later(&bench.world, 1);
            let refused = bench.post(&order("b")).await;
            Case::Sides { refused, inside }
        }
        Code::RegionNotAllowed => {
            let bench = Bench::new().await;
            let from = |address| Wire::open(&bench.world, 0, Some(&bench.leaf), address);
            Case::Sides {
                refused: from("128.0.0.0:1").post(&order("b")).await,
                inside: from("127.255.255.255:1").post(&order("a")).await,
            }
        }
        _ => {
            let stop = |id: &str, kind: &str, price: &str| {
                with(id, r#""type":"limit""#, &format!(r#""type":"{kind}""#))
                    .replace(r#""price":"100""#, &format!(r#"{price}"stop_price":"101""#))
                    .replace(r#","time_in_force":"gtc""#, "")
            };
            let inside = stop("a", "stop_market", "");
            let limit = stop("b", "stop_limit", r#""price":"101","#);
            Bench::new().await.sides(&inside, &limit).await
        }
    }
}

fn quantity(id: &str, quantity: &str) -> String {
    with(id, r#""quantity":"1""#, &format!(r#""quantity":"{quantity}""#))
}

fn price(id: &str, price: &str) -> String {
    with(id, r#""price":"100""#, &format!(r#""price":"{price}""#))
}

async fn of_amounts(code: Code) -> Case {
    match code {
        Code::MaxNotional => {
            Bench::new()
                .await
                .sides(&quantity("a", "500"), &quantity("b", "500.01"))
                .await
        }
        Code::UnitNotAllowed => {
            Bench::new()
                .await
                .sides(&order("a"), &with("b", r#""EUR""#, r#""USD""#))
                .await
        }
        Code::PriceCollar => {
            Bench::new()
                .await
                .sides(&price("a", "102"), &price("b", "102.01"))
                .await
        }
        Code::NoReferencePrice => {
            let bench = Bench::new().await;
            bench.world.clock.plus_seconds(5);
            let inside = bench.post(&order("a")).await;
            bench.world.clock.plus_seconds(1);
            let refused = bench.post(&order("b")).await;
            Case::Sides { refused, inside }
        }
        Code::RateOrders => {
            let bench = Bench::of(&[("100000/1s", "2/1s")]).await;
            bench.post(&order("a")).await;
            bench.sides(&order("b"), &order("c")).await
        }
        Code::OpenOrdersMax => {
            let bench = Bench::new().await;
            for place in 1..gateway_policy::MOST_OPEN_ORDERS {
                bench.post(&order(&format!("o-{place}"))).await;
            }
            bench.sides(&order("last"), &order("one-more")).await
        }
        Code::DayNotional => {
            let bench = Bench::of(&[("EUR 50000000", "EUR 50200")]).await;
            bench.post(&quantity("a", "500")).await;
            bench.sides(&quantity("b", "2"), &quantity("c", "0.01")).await
        }
        _ => {
            let bench = Bench::new().await;
            bench.be(Mood::Fill);
            bench.post(&order("long")).await;
            let slot = bench.world.instances[0].gateway.slot(&agent(NAME));
            super::until("the position is known", || slot.lock().state.open_orders().is_empty()).await;
            let sell = |id: &str, of: &str| {
                quantity(id, of)
                    .replace(r#""side":"buy""#, r#""side":"sell""#)
                    .replace(r#""currency""#, r#""reduce_only":true,"currency""#)
            };
            let refused = bench.post(&sell("b", "1.01")).await;
            let inside = bench.post(&sell("a", "1")).await;
            Case::Sides { refused, inside }
        }
    }
}

/// The bounds of the conduct.
async fn of_bounds(code: Code) -> Case {
    let bound = async |member: &str| Bench::of(&[(r#"{"on_halt""#, member)]).await;
    match code {
        Code::OpenOrdersCap => {
            let bench = bound(r#"{"max_open_orders":2,"on_halt""#).await;
            bench.post(&order("a")).await;
            bench.sides(&order("b"), &order("c")).await
        }
        Code::RepeatExecution => {
            let bench = bound(r#"{"max_executions":2,"on_halt""#).await;
            bench.be(Mood::Fill);
            let slot = bench.world.instances[0].gateway.slot(&agent(NAME));
            for (id, traded) in [("a", 1), ("b", 2)] {
                bench.post(&order(id)).await;
                super::until("it has traded", || slot.lock().state.executed() >= traded).await;
            }
            let refused = bench.post(&order("c")).await;
            let by = Actor::Officer("ada".parse().expect("id"));
            let resumed = StandingEvent::from(AgentResumed { agent: agent(NAME), by });
            recorded(&bench.world, resumed).await;
            let inside = bench.post(&order("d")).await;
            Case::Sides { refused, inside }
        }
        Code::DayLoss => {
            let bench = bound(r#"{"max_day_loss":["EUR 1"],"on_halt""#).await;
            bench.be(Mood::Fill);
            let slot = bench.world.instances[0].gateway.slot(&agent(NAME));
            bench.post(&order("long")).await;
            super::until("it is bought", || !slot.lock().state.positions().is_empty()).await;
            bench.be(Mood::Accept);
            bench
                .post(&price("short", "98").replace(r#""side":"buy""#, r#""side":"sell""#))
                .await;
            let sold = |execution: &str, at: &str| {
                let own = slot.lock().state.open_orders()[0].clone();
                OrderFilled {
                    agent: agent(NAME),
                    client_order_id: own.order.client_order_id,
                    currency: own.order.currency,
                    executed_at: bench.world.clock.now(),
                    execution_id: execution.to_owned(),
                    instrument: own.order.instrument,
                    order: own.number,
                    price: at.parse().expect("price"),
                    quantity: "0.5".parse().expect("quantity"),
                    side: own.order.side,
                }
            };
            recorded(&bench.world, sold("1", "98.01")).await;
            let inside = bench.post(&order("a")).await;
            recorded(&bench.world, sold("2", "99.99")).await;
            let refused = bench.post(&order("b")).await;
            Case::Sides { refused, inside }
        }
        Code::MaxPosition => {
            let bench = bound(r#"{"max_position":["BTC_EUR 3"],"on_halt""#).await;
            bench.post(&quantity("a", "2")).await;
            bench.sides(&quantity("b", "1"), &quantity("c", "0.01")).await
        }
        Code::GroupExposure => {
            let bench = Bench::new().await;
            bench.world.limit_exposure("all", Some("300")).await;
            bench.post(&quantity("a", "2")).await;
            bench.sides(&quantity("b", "1"), &quantity("c", "0.01")).await
        }
        _ => {
            let bench = Bench::of(&[(r#"},"declared_model""#, r#","self_trade":"refuse"},"declared_model""#)]).await;
            bench.post(&order("a")).await;
            let sell = |id: &str, at: &str| price(id, at).replace(r#""side":"buy""#, r#""side":"sell""#);
            bench.sides(&sell("b", "100.01"), &sell("c", "100")).await
        }
    }
}

async fn of_the_rest(code: Code) -> Case {
    match code {
        Code::BaselineMissing => {
            let world = World::new(1).await;
            let leaf = world.agent_of(crate::world::document_with(NAME, ENFORCED)).await;
            let refused = Wire::of(&world, &leaf).await.post(&order("b")).await;
            let inside = Bench::scored().await.post(&order("a")).await;
            Case::Sides { refused, inside }
        }
        Code::AnomalyRevoked => {
            let bench = Bench::scored().await;
            let mut inside = bench.post(&order("usual")).await;
            // Within the cap of a warned agent.
            let large = |id: &str| with(id, r#""quantity":"1""#, r#""quantity":"240""#);
            for count in 0..200 {
                let told = bench.post(&large(&format!("run-{count}"))).await;
                if told.status >= 400 {
                    return Case::Sides { refused: told, inside };
                }
                // The last one that passed.
                inside = told;
            }
            panic!("a runaway is caught")
        }
        Code::Withheld => {
            let bench = Bench::new().await;
            let inside = bench.post(&order("a")).await;
            // Halted elsewhere in this process, after the decision would have been made.
            bench.world.instances[0].gateway.slot(&agent(NAME)).close_gate();
            let refused = bench.post(&order("b")).await;
            Case::Sides { refused, inside }
        }
        Code::VenueRejected => {
            let bench = Bench::new().await;
            let inside = bench.post(&order("a")).await;
            bench.be(Mood::Reject);
            let refused = bench.post(&order("b")).await;
            Case::Sides { refused, inside }
        }
        _ => {
            let mut world = World::new(1).await;
            let leaf = world.agent_of(document(NAME)).await;
            let inside = Wire::of(&world, &leaf).await.post(&order("a")).await;
            world.reopen(1, Some((Fault::Lost, 0))).await;
            let refused = Wire::of(&world, &leaf).await.post(&order("b")).await;
            Case::Sides { refused, inside }
        }
    }
}
