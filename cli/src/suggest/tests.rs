//! Tests of the module `suggest`.

use proptest::prelude::*;

use super::*;

fn seen(at: &str, instrument: &str, notional: &str) -> Seen {
    Seen {
        at: Timestamp::parse(at).unwrap(),
        counterparty: "exchange_a".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        instrument: instrument.parse().unwrap(),
        kind: Some(OrderType::Limit),
        notional: Decimal::parse(notional).ok(),
        proven: false,
        region: "eu-west-1".parse().ok(),
        worse_bps: Some(40),
    }
}

fn history() -> Vec<Seen> {
    // A Monday and a Tuesday.
    vec![
        seen("2026-11-02T08:10:00Z", "BTC_EUR", "1000"),
        seen("2026-11-02T08:10:00.5Z", "BTC_EUR", "500"),
        seen("2026-11-02T16:59:59Z", "ETH_EUR", "250.25"),
        seen("2026-11-03T09:00:00Z", "BTC_EUR", "1234.5"),
    ]
}

#[test]
fn each_number_covers_the_history_and_says_why() {
    let suggestion = suggest(&history(), 20).unwrap();
    let limits = &suggestion.limits;
    assert_eq!(
        limits.instruments,
        ScopeDocument::Names(vec!["BTC_EUR".into(), "ETH_EUR".into()])
    );
    assert_eq!(limits.hours, ["Mon 08:00-17:00", "Tue 09:00-10:00"]);
    assert_eq!(
        limits.per_order,
        ["EUR 1490"],
        "1234.5 and a fifth is 1481.4, up to three digits"
    );
    assert_eq!(limits.per_day, ["EUR 2110"], "1750.25 and a fifth is 2100.3");
    assert_eq!(
        limits.order_rates,
        ["3/1s", "5/86400s"],
        "two in a second, and four in the 25.5 hours that the gateway may read as a day; between them nothing new"
    );
    assert_eq!((limits.price_collar_bps, limits.order_proof), (48, false));
    let members: Vec<&str> = suggestion.reasons.iter().map(|(member, _)| *member).collect();
    let document = serde_json::to_value(limits).unwrap();
    let wanted: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(members, wanted, "every member has its reason");
    let reason = |member: &str| &suggestion.reasons.iter().find(|(one, _)| *one == member).unwrap().1;
    assert!(
        reason("per_order").contains("EUR 1234.5 at 2026-11-03T09:00:00"),
        "{}",
        reason("per_order")
    );
    assert!(reason("per_day").contains("2026-11-02"), "{}", reason("per_day"));
    assert!(
        reason("instruments").contains("ETH_EUR, in 1"),
        "{}",
        reason("instruments")
    );
}

#[test]
fn what_no_mandate_covers_is_said() {
    assert!(suggest(&[], 20).unwrap_err().contains("no order"));
    let many: Vec<Seen> = (0..300)
        .map(|at| seen("2026-11-02T08:10:00Z", &format!("X{at}"), "1"))
        .collect();
    assert!(
        suggest(&many, 20).unwrap_err().contains("no one mandate"),
        "more names than a scope holds"
    );
}

proptest! {
    /// Whatever the history, no order of it lies outside. Negative control: without the rounding up, or the end of the last hour, this
    /// turns red.
    #[test]
    fn no_order_lies_outside(
        orders in proptest::collection::vec((0_i64..30 * 86_400, 1_i64..1_000_000_000, 0_u8..4), 1..60),
        headroom in 0_u32..200,
    ) {
        let start = Timestamp::parse("2026-11-02T00:00:00Z").unwrap();
        let orders: Vec<Seen> = orders
            .into_iter()
            .map(|(at, cents, scale)| Seen {
                at: start.plus_seconds(at),
                notional: Decimal::new(cents.into(), scale),
                ..history()[0]
            })
            .collect();
        let suggestion = suggest(&orders, headroom).unwrap();
        let authority = Authority::try_from(suggestion.limits).unwrap();
        let (most, day) = (authority.per_order()[0].to_decimal(), authority.per_day()[0].to_decimal());
        let mut sums: BTreeMap<i64, Decimal> = BTreeMap::new();
        for one in &orders {
            prop_assert!(one.notional.unwrap() <= most);
            let open = authority.hours().minutes().contains(one.at);
            prop_assert!(open, "{} outside the hours", one.at);
            let sum = sums.entry(one.at.day()).or_default();
            *sum = sum.checked_add(one.notional.unwrap()).unwrap();
        }
        prop_assert!(sums.values().all(|sum| *sum <= day));
        for rate in authority.order_rates() {
            let span = i64::from(rate.seconds());
            let most = orders.iter().map(|last| {
                let within = |other: &&Seen| (0..span).contains(&(last.at.seconds() - other.at.seconds()));
                orders.iter().filter(within).count()
            });
            prop_assert!(most.max().unwrap() <= rate.count() as usize);
        }
    }
}
