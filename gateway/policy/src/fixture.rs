//! A small world for tests and benches: one agent, its mandate, a baseline, a quiet house, and a clock.

use anomaly::{
    ApprovedBaseline, BaselineApproved, BaselineContent, ProposedBaseline, Report, Settings,
    baseline::{
        Channels, CurrencySize, DayChannel, DayTable, HourBin, Mix, Mode, RateKnot, RateScale, SeenName, SizeKnot,
        Sizes, Step,
    },
};
use extensions::{
    AgentId, ClientOrderId, Counterparty, Currency, Decimal, Digest, GatewayId, Instrument, MandateId, OwnerId, Region,
    Serial, Timestamp,
    limits::{Authority, EffectiveLimits, LimitsDocument, ScopeDocument},
    mandate::{Conduct, MandateDocument, OnHalt, OnUnansweredWarning, Scoring},
    oids::Environment,
};
use revocation_core::HouseState;

use crate::{
    AgentEvent, AgentState, CertificateUsed, Decision, EntryAt, Exposure, Facts, Known, Mandate, Order, OrderFilled,
    OrderKind, OrderOutcome, OrderTerms, OutcomeState, ParsedOrder, Proof, REFERENCE_MAX_AGE_MS, ReferencePrice,
    SEND_WITHIN_MS, Side, TimeInForce, Validity, View, decide,
};

pub fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).expect(text)
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

pub fn instrument(text: &str) -> Instrument {
    Instrument::new(text).expect(text)
}

pub fn currency(text: &str) -> Currency {
    Currency::new(text).expect(text)
}

pub fn agent() -> AgentId {
    AgentId::new("mm-1").expect("valid")
}

/// A limit order to buy 1 BTC_EUR at 100 EUR.
pub fn terms(id: &str) -> OrderTerms {
    OrderTerms {
        client_order_id: ClientOrderId::new(id).expect(id),
        counterparty: Counterparty::new("exchange_a").expect("valid"),
        currency: currency("EUR"),
        instrument: instrument("BTC_EUR"),
        price: Some(decimal("100")),
        quantity: decimal("1"),
        reduce_only: false,
        side: Side::Buy,
        stop_price: None,
        time_in_force: TimeInForce::Gtc,
        kind: OrderKind::Limit,
    }
}

pub fn parsed(terms: OrderTerms) -> ParsedOrder {
    ParsedOrder::new(Order::new(terms).expect("well-formed"))
}

pub fn limits_document() -> LimitsDocument {
    let names = |names: &[&str]| ScopeDocument::Names(names.iter().map(ToString::to_string).collect());
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    LimitsDocument {
        counterparties: names(&["exchange_a"]),
        hours: texts(&["Mon-Fri 07:00-20:00"]),
        instruments: names(&["BTC_EUR", "ETH_EUR"]),
        order_proof: false,
        order_rates: texts(&["100/1s", "2000/1m"]),
        order_types: texts(&["limit", "market", "stop_limit", "stop_market"]),
        per_day: texts(&["EUR 5000", "USDT 5000"]),
        per_order: texts(&["EUR 1000", "USDT 1000"]),
        price_collar_bps: 500,
        regions: names(&["eu-west-1", "eu-north-1"]),
    }
}

/// A baseline of 1,000 orders a year that has seen everything but the region `eu-north-1`, one order from which is worth
/// 0.10 · 5,239: a warning (250), and two of them a revocation (10,000).
pub fn baseline(mode: Mode) -> ApprovedBaseline {
    const ALL: u32 = 1_000_000_000;
    fn seen<T>(name: T) -> SeenName<T> {
        SeenName {
            name,
            p: ALL,
            share_ppb: ALL / 2,
        }
    }
    let report = Report {
        active_days: 14,
        days: 14,
        hours_seen: 168,
        instruments_seen: 2,
        orders: 1_000,
        ..Report::default()
    };
    let content = BaselineContent {
        agent: agent(),
        anchor: None,
        channels: Channels {
            day: false,
            order: true,
        },
        counterparties: Mix {
            again_ppb: ALL,
            burst_again_ppb: ALL,
            seen: vec![seen(Counterparty::new("exchange_a").expect("valid"))],
            unseen_ppb: 1_000_000,
        },
        day: DayChannel {
            lambda: 365,
            tables: vec![
                DayTable {
                    knots: Vec::new(),
                    theta: 0
                };
                5
            ],
        },
        drift: vec![Step { d: 0, theta: 1_000_000 }; 14],
        hours: vec![
            HourBin {
                mass_ppb: ALL / 168,
                p: ALL
            };
            168
        ],
        instruments: Mix {
            again_ppb: ALL,
            burst_again_ppb: ALL,
            seen: vec![seen(instrument("BTC_EUR")), seen(instrument("ETH_EUR"))],
            unseen_ppb: 1_000_000,
        },
        lambda: 1_000,
        mode,
        rates: vec![
            RateScale {
                knots: vec![RateKnot { count: 1, p: ALL }],
                p50: 1,
                p99: 10
            };
            5
        ],
        regions: vec![Region::new("eu-west-1").expect("valid")],
        report,
        settings: Settings::house(),
        sizes: Sizes {
            currencies: vec![CurrencySize {
                currency: currency("EUR"),
                median: 0,
                p50: decimal("100"),
                p99: decimal("1000"),
            }],
            knots: vec![SizeKnot {
                p: ALL,
                size: -1_000_000_000,
            }],
            small_ppb: ALL / 2,
        },
        version: 1,
    };
    let proposed = ProposedBaseline::new(content).expect("well-formed");
    let approval = BaselineApproved {
        agent: agent(),
        approvals: vec!["officer-1".to_owned()],
        baseline: proposed.digest(),
        version: 1,
    };
    proposed.approve(&approval).expect("approved")
}

/// Everything a decision needs, with public parts to bend.
pub struct World {
    pub document: MandateDocument,
    pub limits: EffectiveLimits,
    pub baseline: Option<ApprovedBaseline>,
    pub house: HouseState,
    pub state: AgentState,
    pub now: Timestamp,
    pub certificate: CertificateUsed,
    pub proof: Proof,
    pub region: Option<Region>,
    pub reference: Option<Decimal>,
    pub quoted_in: Currency,
    pub reference_age_ms: i64,
    pub exposure: Option<Exposure>,
    pub known: Known,
    pub view: View,
    pub gateway: GatewayId,
    pub held: bool,
    pub readable: bool,
}

impl World {
    pub fn new() -> Self {
        Self::with(limits_document())
    }

    pub fn with(limits: LimitsDocument) -> Self {
        let authority = Authority::try_from(limits).expect("limits");
        let now = time("2026-11-20T12:00:00Z");
        Self {
            limits: EffectiveLimits::of(&authority),
            document: MandateDocument {
                agent: agent(),
                conduct: Conduct {
                    cancel_after_disconnect_s: None,
                    max_day_loss: None,
                    max_executions: None,
                    max_open_orders: None,
                    max_position: None,
                    on_halt: OnHalt::CancelRiskIncreasing,
                    on_unanswered_warning: OnUnansweredWarning::ReduceOnly,
                    probation_hours: None,
                    repeat_window_ms: 1_000,
                    scoring: Scoring::Enforce,
                    self_trade: None,
                },
                declared_code_digest: None,
                declared_model: "model".to_owned(),
                environment: Environment::Sandbox,
                expires: now.plus_seconds(86_400),
                limits: authority,
                mandate: MandateId::new("mandate-1").expect("valid"),
                owner: OwnerId::new("desk-1").expect("valid"),
                purpose_commitment: Digest::default(),
                rationale_commitment: Digest::default(),
                version: 1,
            },
            baseline: Some(baseline(Mode::Enforce)),
            house: HouseState::default(),
            state: AgentState::new(agent()),
            now,
            certificate: CertificateUsed {
                fingerprint: Digest::of(b"certificate"),
                not_after: now.plus_seconds(3_600),
                not_before: now.plus_seconds(-3_600),
                serial: Serial::new([1; 18]).expect("positive"),
                validity: Validity::Current,
            },
            proof: Proof::NotRequired,
            region: Region::new("eu-west-1").ok(),
            reference: Some(decimal("100")),
            quoted_in: currency("EUR"),
            reference_age_ms: 10,
            exposure: None,
            known: Known::New,
            view: View::Fresh,
            gateway: GatewayId::new("gateway-1").expect("valid"),
            held: true,
            readable: true,
        }
    }

    pub fn facts<'a>(&'a self, order: &'a ParsedOrder) -> Facts<'a> {
        Facts {
            order,
            certificate: self.certificate,
            limits: self.readable.then_some(&self.limits),
            mandate: self.held.then_some(Mandate {
                digest: Digest::of(b"document"),
                document: &self.document,
            }),
            baseline: self.baseline.as_ref(),
            house: &self.house,
            view: self.view,
            proof: self.proof,
            signed_by: None,
            region: self.region,
            reference: self.reference.map(|price| ReferencePrice {
                at: self.now.plus_millis(-self.reference_age_ms),
                currency: self.quoted_in,
                price,
            }),
            reference_max_age_ms: REFERENCE_MAX_AGE_MS,
            exposure: self.exposure,
            known: self.known,
            gateway: &self.gateway,
            send_within_ms: SEND_WITHIN_MS,
            epoch: 7,
        }
    }

    /// Decides without folding.
    pub fn ask(&self, terms: OrderTerms) -> Decision {
        let order = parsed(terms);
        decide(&self.facts(&order), &self.state, self.now)
    }

    /// Decides and folds the decision; the number of its entry comes with it.
    pub fn send(&mut self, terms: OrderTerms) -> (u64, Decision) {
        let decision = self.ask(terms);
        self.state.apply_decision(&decision);
        (decision.number(), decision)
    }

    /// Folds an event as the next entry.
    pub fn fold(&mut self, event: impl Into<AgentEvent>) {
        let entry = EntryAt {
            number: self.state.next_number(),
            at: self.now,
        };
        self.state.apply(entry, &event.into());
    }

    pub fn outcome(&mut self, id: &str, order: u64, state: OutcomeState) {
        let client_order_id = ClientOrderId::new(id).expect(id);
        self.fold(OrderOutcome {
            agent: agent(),
            client_order_id,
            order,
            state,
        });
    }

    pub fn accept(&mut self, id: &str, order: u64) {
        self.outcome(
            id,
            order,
            OutcomeState::Accepted {
                venue_reference: "v".to_owned(),
            },
        );
    }

    /// A fill of an order at its own price, under an execution id.
    pub fn fill(&mut self, order: u64, terms: &OrderTerms, quantity: &str, price: &str, execution_id: &str) {
        let fill = OrderFilled {
            agent: agent(),
            client_order_id: terms.client_order_id,
            currency: terms.currency,
            executed_at: self.now,
            execution_id: execution_id.to_owned(),
            instrument: terms.instrument,
            order,
            price: decimal(price),
            quantity: decimal(quantity),
            side: terms.side,
        };
        self.fold(fill);
    }

    /// Buys and fills `quantity` BTC_EUR at 100, so that there is a confirmed long position.
    pub fn long(&mut self, quantity: &str) {
        let order = OrderTerms {
            quantity: decimal(quantity),
            ..terms("long")
        };
        let (number, decision) = self.send(order.clone());
        assert!(matches!(decision, Decision::Permit(_)), "{decision:?}");
        self.fill(number, &order, quantity, "100", "long-1");
    }
}
