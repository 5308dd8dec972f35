//! Tests of the limits: DER round trip, the laws of narrowing, mutation.

use proptest::prelude::*;

use super::*;
use crate::{Counterparty, Currency, Decimal, Instrument, Region, Timestamp};

/// A small agent's authority, as a document.
pub(crate) fn example() -> LimitsDocument {
    let names = |names: &[&str]| ScopeDocument::Names(names.iter().map(|n| (*n).to_owned()).collect());
    let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    LimitsDocument {
        counterparties: names(&["exchange_a", "mic:XNAS"]),
        hours: texts(&["Mon-Fri 07:00-20:00"]),
        instruments: names(&["BTC_EUR", "ETH_EUR"]),
        order_proof: true,
        order_rates: texts(&["60/1s", "2000/1m"]),
        order_types: texts(&["limit", "market"]),
        per_day: texts(&["EUR 5000000"]),
        per_order: texts(&["EUR 500000"]),
        price_collar_bps: 250,
        regions: names(&["eu-west-1"]),
    }
}

fn reference() -> MandateRef {
    MandateRef::new(
        MandateId::new("m-1").expect("id"),
        Digest::of(b"doc"),
        vec![Digest::of(b"key")],
    )
    .expect("one approver")
}

fn agent(document: LimitsDocument) -> AuthorityLimits {
    let authority = Authority::try_from(document).expect("a document");
    AuthorityLimits::for_agent(authority, Some(Digest::of(b"code")), reference()).expect("sets only")
}

const UNITS: [&str; 4] = ["EUR", "USD", "USDT", "dti:4H95J0R2X"];
const INSTRUMENTS: [&str; 6] = [
    "BTC_EUR",
    "ETH_EUR",
    "SOL_EUR",
    "isin:US0378331005",
    "US0378331005",
    "A",
];
const COUNTERPARTIES: [&str; 5] = [
    "exchange_a",
    "xnas",
    "mic:XNAS",
    "lei:529900T8BM49AURSDO55",
    "dark.pool-1",
];
const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap.south"];

fn money() -> impl Strategy<Value = Vec<Money>> {
    proptest::collection::btree_map(0..UNITS.len(), (1_u64..=20, -2_i8..3), 1..4).prop_map(|amounts| {
        let mut amounts: Vec<Money> = amounts
            .into_iter()
            .filter_map(|(unit, (mantissa, exponent))| {
                let unit = Unit::parse(UNITS[unit])?;
                let (mantissa, exponent) = if mantissa % 10 == 0 {
                    (mantissa / 10, exponent + 1)
                } else {
                    (mantissa, exponent)
                };
                Money::new(Field::PerOrder, unit, mantissa, exponent).ok()
            })
            .collect();
        amounts.sort_by_key(Money::unit);
        amounts
    })
}

fn scope(field: Field, names: &'static [&'static str]) -> impl Strategy<Value = Scope> {
    proptest::option::weighted(0.8, proptest::collection::btree_set(0..names.len(), 1..=names.len())).prop_map(
        move |set| {
            set.map_or(Scope::ANY, |set| {
                let mut items: Vec<Item> = set
                    .into_iter()
                    .map(|at| Item::parse(field, names[at]).expect("a name"))
                    .collect();
                items.sort_unstable();
                Scope::new(field, items).expect("sorted, unique")
            })
        },
    )
}

fn hours() -> impl Strategy<Value = Hours> {
    proptest::collection::vec((1_u8..=0x7f, 0_u16..24, 1_u16..=24), 1..4).prop_map(|windows| {
        let windows: Vec<Window> = windows
            .into_iter()
            .map(|(days, start, length)| {
                let end = (start * 60 + length * 60).min(1_440);
                Window::new(Weekdays::new(days).expect("days"), start * 60, end).expect("a window")
            })
            .collect();
        Hours::covering(&windows).expect("few")
    })
}

prop_compose! {
    /// Authority in which everything collides often.
    pub(crate) fn authority()(
        per_order in money(), per_day in money(),
        rates in proptest::collection::btree_map(prop_oneof![Just(1_u32), Just(10), Just(60)], 1_u32..6, 1..4),
        instruments in scope(Field::Instruments, &INSTRUMENTS), counterparties in scope(Field::Counterparties, &COUNTERPARTIES),
        regions in scope(Field::Regions, &REGIONS), hours in hours(), bits in 0_u8..16, collar in 0_u16..4, proof in any::<bool>(),
    ) -> Authority {
        Authority::new(AuthorityParts {
            per_order, per_day,
            order_rates: rates.into_iter().map(|(seconds, count)| Rate::new(count, seconds).expect("a rate")).collect(),
            instruments, counterparties, regions, hours,
            order_types: OrderTypes::from_bits(bits).expect("four bits"), price_collar_bps: collar, order_proof: proof,
        }).expect("canonical parts")
    }
}

/// One order as the limits see it.
#[derive(Debug, Clone)]
struct Asked {
    currency: Currency,
    notional: Decimal,
    day: Decimal,
    sent: [(u32, u32); 3],
    instrument: Instrument,
    counterparty: Counterparty,
    region: Region,
    at: Timestamp,
    kind: OrderType,
    off_bps: u16,
    signed: bool,
}

prop_compose! {
    fn asked()(
        currency in prop_oneof![Just("EUR"), Just("USD"), Just("USDT"), Just("4H95J0R2X"), Just("JPY")],
        notional in 1_u64..300, day in 1_u64..300, sent in [1_u32..7, 1_u32..7, 1_u32..7],
        instrument in prop_oneof![Just("BTC_EUR"), Just("US0378331005"), Just("A"), Just("NONE")],
        counterparty in prop_oneof![Just("exchange_a"), Just("xnas"), Just("529900t8bm49aursdo55")],
        region in prop_oneof![Just("eu-west-1"), Just("mars")],
        at in 0_i64..604_800, kind in 0_usize..4, off_bps in 0_u16..5, signed in any::<bool>(),
    ) -> Asked {
        Asked {
            currency: Currency::new(currency).expect("currency"), notional: Decimal::from(notional), day: Decimal::from(day),
            sent: [(sent[0], 1), (sent[1], 10), (sent[2], 60)],
            instrument: Instrument::new(instrument).expect("instrument"), counterparty: Counterparty::new(counterparty).expect("name"),
            region: Region::new(region).expect("region"), at: Timestamp::from_seconds(at), kind: OrderType::ALL[kind], off_bps, signed,
        }
    }
}

/// Whether each dimension allows the order; the order is allowed when all do.
fn allowed(order: &Asked, limits: &EffectiveLimits) -> [bool; 10] {
    let within = |rate: &EffectiveRate| {
        order
            .sent
            .iter()
            .all(|(sent, window)| *window != rate.seconds || *sent <= rate.count)
    };
    [
        limits
            .per_order(&order.currency)
            .is_some_and(|most| order.notional <= most),
        limits.per_day(&order.currency).is_some_and(|most| order.day <= most),
        limits.rates().iter().all(within),
        limits.permits_instrument(&order.instrument),
        limits.permits_counterparty(&order.counterparty),
        limits.permits_region(&order.region),
        limits.within_hours(order.at),
        limits.order_type(order.kind),
        order.off_bps <= limits.price_collar_bps(),
        order.signed || !limits.order_proof(),
    ]
}

/// A variant of `outer` that is narrower or equal in every dimension, made field by field.
fn narrowed(outer: &Authority, other: &Authority) -> Authority {
    let mut parts = outer.clone().into_parts();
    let theirs = other.clone().into_parts();
    let lower = |mine: &mut Vec<Money>, theirs: &[Money]| {
        for amount in mine.iter_mut() {
            if let Some(t) = theirs
                .iter()
                .find(|t| t.unit() == amount.unit() && t.to_decimal() < amount.to_decimal())
            {
                *amount = *t;
            }
        }
        mine.truncate(mine.len().max(2) - 1);
    };
    lower(&mut parts.per_order, &theirs.per_order);
    lower(&mut parts.per_day, &theirs.per_day);
    for rate in &mut parts.order_rates {
        rate.count = rate.count.min(theirs.order_rates[0].count);
    }
    if parts.instruments.is_any() {
        parts.instruments = theirs.instruments;
    }
    parts.order_types = parts.order_types.intersection(theirs.order_types);
    parts.price_collar_bps = parts.price_collar_bps.min(theirs.price_collar_bps);
    parts.order_proof |= theirs.order_proof;
    Authority::new(parts).expect("still canonical")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Control: dropping any field from `encode` makes two values share an encoding, and `decode` lose it.
    #[test]
    fn der_round_trips(authority in authority()) {
        let limits = AuthorityLimits::for_ca(authority.clone());
        let der = limits.encode().expect("small");
        prop_assert_eq!(AuthorityLimits::decode(&der), Ok(limits));
        if let Ok(limits) = AuthorityLimits::for_agent(authority, None, reference()) {
            let der = limits.encode().expect("small");
            prop_assert_eq!(AuthorityLimits::decode(&der), Ok(limits));
        }
    }

    #[test]
    fn documents_round_trip(authority in authority()) {
        let text = serde_json::to_string(&authority).expect("text");
        prop_assert_eq!(serde_json::from_str::<Authority>(&text).expect("reads"), authority.clone());
        prop_assert_eq!(crate::canonical::to_vec(&authority), text.into_bytes());
    }

    /// Control: any dimension left out of `is_subset_of` breaks antisymmetry here.
    #[test]
    fn subset_is_a_partial_order(a in authority(), b in authority(), c in authority()) {
        prop_assert_eq!(a.is_subset_of(&a), Ok(()));
        if a.is_subset_of(&b).is_ok() && b.is_subset_of(&a).is_ok() {
            prop_assert_eq!(&a, &b);
        }
        let (narrow, narrower) = (narrowed(&a, &b), narrowed(&narrowed(&a, &b), &c));
        prop_assert_eq!(narrow.is_subset_of(&a), Ok(()));
        prop_assert_eq!(narrower.is_subset_of(&narrow), Ok(()));
        prop_assert_eq!(narrower.is_subset_of(&a), Ok(()));
        if a.is_subset_of(&narrow).is_ok() {
            prop_assert_eq!(&a, &narrow);
        }
        if a.is_subset_of(&b).is_ok() {
            prop_assert!(EffectiveLimits::of(&a).is_subset_of(&EffectiveLimits::of(&b)));
        }
    }

    #[test]
    fn compiled_subset_is_a_partial_order(a in authority(), b in authority(), c in authority()) {
        let (a, b, c) = (EffectiveLimits::of(&a), EffectiveLimits::of(&b), EffectiveLimits::of(&c));
        prop_assert!(a.is_subset_of(&a));
        prop_assert!(!(a.is_subset_of(&b) && b.is_subset_of(&a)) || a == b);
        let (ab, abc) = (a.intersection(&b), a.intersection(&b).intersection(&c));
        prop_assert!(abc.is_subset_of(&ab) && ab.is_subset_of(&a) && abc.is_subset_of(&a));
    }

    #[test]
    fn intersection_laws(a in authority(), b in authority(), c in authority()) {
        let (x, y, z) = (EffectiveLimits::of(&a), EffectiveLimits::of(&b), EffectiveLimits::of(&c));
        let both = a.intersection(&b);
        prop_assert_eq!(&x.intersection(&x), &x);
        prop_assert_eq!(&both, &y.intersection(&x));
        prop_assert!(both.is_subset_of(&x) && both.is_subset_of(&y));
        prop_assert_eq!(both.intersection(&z), x.intersection(&y.intersection(&z)));
        prop_assert!(both.while_warned().is_subset_of(&both));
    }

    /// Control: taking the higher instead of the lower cap in `intersection` turns it red.
    #[test]
    fn an_order_is_allowed_by_both_or_not_at_all(a in authority(), b in authority(), order in asked()) {
        let (x, y) = (EffectiveLimits::of(&a), EffectiveLimits::of(&b));
        let (by_x, by_y, by_both) = (allowed(&order, &x), allowed(&order, &y), allowed(&order, &x.intersection(&y)));
        for dimension in 0..10 {
            prop_assert_eq!(by_both[dimension], by_x[dimension] && by_y[dimension], "{}", Dimension::ALL[dimension]);
            prop_assert!(!x.is_subset_of(&y) || !by_x[dimension] || by_y[dimension]);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(limits) = AuthorityLimits::decode(&bytes) {
            prop_assert_eq!(limits.encode().expect("decoded"), bytes);
        }
    }

    #[test]
    fn money_and_decimals_agree(mantissa in 1_u64..=money::HIGHEST_MANTISSA, exponent in -18_i8..=18) {
        let unit = Unit::parse("EUR").expect("EUR");
        if let Ok(money) = Money::new(Field::PerOrder, unit, mantissa, exponent) {
            prop_assert_eq!(Money::from_decimal(unit, money.to_decimal()), Some(money));
        } else {
            prop_assert_eq!(mantissa % 10, 0);
        }
    }
}

/// Two fences stand behind each other here, the strict checks and the final comparison. Control: with both the final comparison
/// and one strict check off (the BOOLEAN's, the padded integer's) some flip decodes to a value with other bytes.
#[test]
fn a_flipped_bit_is_refused_or_another_canonical_value() {
    let der = agent(example()).encode().expect("small");
    for at in 0..der.len() {
        for bit in 0..8 {
            let mut flipped = der.clone();
            flipped[at] ^= 1 << bit;
            if let Ok(limits) = AuthorityLimits::decode(&flipped) {
                assert_eq!(limits.encode().expect("decoded"), flipped);
            }
        }
    }
}

#[test]
fn the_first_wider_dimension_is_named() {
    let outer = Authority::try_from(example()).expect("document");
    let wider = |change: fn(&mut LimitsDocument)| {
        let mut document = example();
        change(&mut document);
        let inner = Authority::try_from(document).expect("document");
        inner.is_subset_of(&outer).expect_err("wider").dimension
    };
    assert_eq!(
        wider(|d| d.per_order[0] = "EUR 500000.01".to_owned()),
        Dimension::PerOrder
    );
    assert_eq!(wider(|d| d.per_day.push("USDT 1".to_owned())), Dimension::PerDay);
    assert_eq!(wider(|d| d.order_rates[0] = "61/1s".to_owned()), Dimension::OrderRates);
    assert_eq!(wider(|d| d.order_rates.truncate(1)), Dimension::OrderRates);
    assert_eq!(
        wider(|d| d.instruments = ScopeDocument::Word("any".to_owned())),
        Dimension::Instruments
    );
    assert_eq!(
        wider(|d| d.counterparties = ScopeDocument::Names(vec!["xnas".to_owned()])),
        Dimension::Counterparties
    );
    assert_eq!(
        wider(|d| d.regions = ScopeDocument::Names(vec!["us-east-1".to_owned()])),
        Dimension::Regions
    );
    assert_eq!(
        wider(|d| d.hours[0] = "Mon-Fri 07:00-20:01".to_owned()),
        Dimension::Hours
    );
    assert_eq!(
        wider(|d| d.order_types.push("stop_limit".to_owned())),
        Dimension::OrderTypes
    );
    assert_eq!(wider(|d| d.price_collar_bps = 251), Dimension::PriceCollar);
    assert_eq!(wider(|d| d.order_proof = false), Dimension::OrderProof);
}

#[test]
fn documents_sort_and_merge() {
    let mut document = example();
    document.hours = vec![
        "Mon 20:00-24:00".to_owned(),
        "Mon-Fri 07:00-20:00".to_owned(),
        "Fri 22:00-02:00".to_owned(),
    ];
    document.per_order = vec!["USDT 1.50".to_owned(), "EUR 500000".to_owned()];
    let read = LimitsDocument::from(Authority::try_from(document).expect("reads"));
    let hours = [
        "Sat 00:00-02:00",
        "Tue-Fri 07:00-20:00",
        "Mon 07:00-24:00",
        "Fri 22:00-24:00",
    ];
    assert_eq!(read.hours, hours);
    assert_eq!(read.per_order, ["EUR 500000", "USDT 1.5"]);
}

#[test]
fn documents_with_typing_errors_are_refused() {
    let refused = |change: fn(&mut LimitsDocument)| {
        let mut document = example();
        change(&mut document);
        Authority::try_from(document).expect_err("a typing error").field()
    };
    assert_eq!(refused(|d| d.per_order[0] = "EUR 0".to_owned()), Field::PerOrder);
    assert_eq!(refused(|d| d.per_order[0] = "EUR -1".to_owned()), Field::PerOrder);
    assert_eq!(refused(|d| d.per_order.clear()), Field::PerOrder);
    assert_eq!(refused(|d| d.per_day.push("EUR 7".to_owned())), Field::PerDay);
    assert_eq!(refused(|d| d.per_day.push("local:EUR 7".to_owned())), Field::PerDay);
    assert_eq!(refused(|d| d.order_rates[0] = "60/0s".to_owned()), Field::OrderRates);
    assert_eq!(
        refused(|d| d.instruments = ScopeDocument::Names(vec!["btc_eur".to_owned()])),
        Field::Instruments
    );
    assert_eq!(
        refused(|d| d.instruments = ScopeDocument::Names(vec!["isin:US0378331006".to_owned()])),
        Field::Instruments
    );
    assert_eq!(
        refused(|d| d.counterparties = ScopeDocument::Names(vec!["lei:529900T8BM49AURSDO56".to_owned()])),
        Field::Counterparties
    );
    assert_eq!(
        refused(|d| d.counterparties = ScopeDocument::Word("all".to_owned())),
        Field::Counterparties
    );
    assert_eq!(refused(|d| d.hours[0] = "Fri-Mon 07:00-20:00".to_owned()), Field::Hours);
    assert_eq!(refused(|d| d.hours[0] = "Mon 07:00-24:01".to_owned()), Field::Hours);
    assert_eq!(refused(|d| d.order_types.push("iceberg".to_owned())), Field::OrderTypes);
    assert_eq!(refused(|d| d.price_collar_bps = 10_001), Field::PriceCollar);
}

#[test]
fn compiled_lookups() {
    let limits = EffectiveLimits::compile(&agent(example()), []);
    let at = |text: &str| Timestamp::parse(text).expect("time");
    assert!(limits.permits_instrument(&Instrument::new("BTC_EUR").expect("name")));
    assert_eq!(limits.nearest_instrument("btc/eur"), Instrument::new("BTC_EUR").ok());
    assert_eq!(limits.nearest_instrument("BTC_EURR"), Instrument::new("BTC_EUR").ok());
    assert_eq!(limits.nearest_instrument("DOGE_JPY"), None);
    assert!(
        limits.permits_counterparty(&Counterparty::new("xnas").expect("name")),
        "a MIC in lower case"
    );
    assert_eq!(
        limits.per_order(&Currency::new("EUR").expect("unit")),
        Some(Decimal::from(500_000))
    );
    assert_eq!(limits.per_order(&Currency::new("USDT").expect("unit")), None);
    // Friday 2026-11-20: half-open to 20:00; Sunday never
    assert!(limits.within_hours(at("2026-11-20T07:00:00Z")) && limits.within_hours(at("2026-11-20T19:59:59.999999Z")));
    assert!(!limits.within_hours(at("2026-11-20T20:00:00Z")) && !limits.within_hours(at("2026-11-22T12:00:00Z")));
    let warned = limits.while_warned();
    assert_eq!(
        warned.per_order(&Currency::new("EUR").expect("unit")),
        Some(Decimal::from(250_000))
    );
    assert_eq!(warned.rates()[0], EffectiveRate { count: 30, seconds: 1 });
}

/// What a session's limits are read as is spelt like the document they came from, and shows the narrower of two.
#[test]
fn effective_limits_are_written_as_documents_are() {
    let mut document = example();
    document.counterparties = ScopeDocument::Names(vec!["exchange_a".to_owned()]);
    let read = |document: &LimitsDocument| Authority::try_from(document.clone()).expect("a document");
    let wide = EffectiveLimits::of(&read(&document));
    assert_eq!(LimitsDocument::from(&wide), LimitsDocument::from(&read(&document)));
    document.per_order = vec!["EUR 20000".to_owned()];
    document.hours = vec!["Tue 07:00-08:00".to_owned()];
    let narrow = EffectiveLimits::of(&read(&document));
    assert_eq!(
        LimitsDocument::from(&wide.intersection(&narrow)),
        LimitsDocument::from(&narrow)
    );
}
