//! The book by itself: whose part counts where, which price values it, and what is too old to be believed.

use std::sync::Arc;

use extensions::Decimal;
use gateway_policy::ReferencePrice;
use revocation_core::{ExposureLimits, ExposureSet, HouseEvent, HouseScope};

use super::*;

fn decimal(text: &str) -> Decimal {
    text.parse().expect("decimal")
}

fn unit(name: &str) -> Currency {
    name.parse().expect("unit")
}

fn owner(name: &str) -> OwnerId {
    name.parse().expect("id")
}

fn agent(name: &str) -> AgentId {
    name.parse().expect("id")
}

fn part(value: &str) -> AgentExposure {
    let mut part = AgentExposure::default();
    part.reserve(unit("EUR"), decimal(value));
    part
}

fn house(scopes: &[HouseScope]) -> HouseState {
    let mut house = HouseState::default();
    for scope in scopes {
        let rows = [(unit("EUR"), decimal("1"))]
            .into_iter()
            .collect::<std::collections::BTreeMap<_, _>>();
        house.apply(&HouseEvent::from(ExposureSet {
            limits: ExposureLimits::try_from(rows).expect("limits"),
            scope: *scope,
            signatures: Vec::new(),
        }));
    }
    house
}

const NOW: i64 = 1_800_000_000;

fn quotes(venues: &HashMap<Counterparty, Arc<Prices>>) -> Quotes<'_> {
    Quotes {
        venues,
        now: Timestamp::from_seconds(NOW),
        longest: Duration::from_secs(5),
        lease: Duration::from_millis(50),
    }
}

fn amounts(book: &Book, whose: &str) -> (Option<Decimal>, Option<Decimal>) {
    let house = house(&[HouseScope::All, HouseScope::Owner(owner(whose))]);
    let told = book.told(&house, Some(&owner(whose)), &unit("EUR"), &quotes(&HashMap::new()));
    let told = told.expect("both have limits");
    let amount = |group: Option<GroupExposure>| group.expect("has limits").amount;
    (amount(told.owner), amount(told.all))
}

/// A part counts once for its owner and once for all; a later one takes the place of the earlier, and moves with its owner. Nothing is told of
/// who has no limits.
///
/// Controls: `put` that adds without taking away; without the move between owners: the second seen red.
#[test]
fn each_part_counts_for_its_owner_and_for_all() {
    let mut book = Book::default();
    book.put(agent("a"), Some(owner("desk")), part("5"));
    book.put(agent("b"), Some(owner("other")), part("7"));
    book.put(agent("c"), None, part("1"));
    assert_eq!(amounts(&book, "desk"), (Some(decimal("5")), Some(decimal("13"))));
    book.put(agent("a"), Some(owner("desk")), part("4"));
    book.reserve(agent("a"), Some(owner("desk")), unit("EUR"), decimal("0.5"));
    assert_eq!(amounts(&book, "desk"), (Some(decimal("4.5")), Some(decimal("12.5"))));
    book.put(agent("a"), Some(owner("other")), part("4"));
    assert_eq!(amounts(&book, "desk"), (Some(decimal("0")), Some(decimal("12"))));
    assert_eq!(amounts(&book, "other").0, Some(decimal("11")));
    let (prices, unlimited) = (HashMap::new(), HouseState::default());
    assert_eq!(
        book.told(&unlimited, Some(&owner("desk")), &unit("EUR"), &quotes(&prices)),
        None
    );
    let owners = house(&[HouseScope::Owner(owner("desk"))]);
    let told = |whose: &str| book.told(&owners, Some(&owner(whose)), &unit("EUR"), &quotes(&prices));
    assert_eq!(told("other"), None);
    assert!(told("desk").is_some_and(|told| told.all.is_none() && told.owner.is_some()));
}

/// A sum that left its range is told again once what was too much is gone. Control: without `mend` it never is.
#[test]
fn a_sum_that_was_too_large_is_told_again() {
    let mut book = Book::default();
    let huge = Decimal::new(i128::MAX / 2 + 1, 0).expect("scale");
    for name in ["a", "b"] {
        let mut part = AgentExposure::default();
        part.reserve(unit("EUR"), huge);
        book.put(agent(name), Some(owner("desk")), part);
    }
    assert_eq!(amounts(&book, "desk"), (None, None));
    book.put(agent("a"), Some(owner("desk")), part("1"));
    assert!(amounts(&book, "desk").0.is_some_and(|sum| sum > huge));
    book.put(agent("b"), Some(owner("desk")), part("1"));
    assert_eq!(amounts(&book, "desk"), (Some(decimal("2")), Some(decimal("2"))));
}

/// An agent whose state waits to be folded again is believed for as long as the view's lease, then its groups are not told; others are.
///
/// Controls: `overdue` of any agent for every group: seen red; never overdue.
#[test]
fn a_state_that_waits_too_long_is_not_believed() {
    let mut book = Book::default();
    book.put(agent("a"), Some(owner("desk")), part("5"));
    book.put(agent("b"), Some(owner("other")), part("7"));
    book.stale(agent("a"), true);
    assert_eq!(amounts(&book, "desk"), (Some(decimal("5")), Some(decimal("12"))));
    std::thread::sleep(Duration::from_millis(60));
    book.stale(agent("a"), true);
    assert_eq!(amounts(&book, "desk"), (None, None));
    assert_eq!(amounts(&book, "other").0, Some(decimal("7")));
    book.stale(agent("a"), false);
    assert_eq!(amounts(&book, "desk").0, Some(decimal("5")));
}

/// Of several venues the highest young price in the unit counts; an old one only where there is no young one. An instrument that is quoted in
/// another unit alone is at stake in that one; one that nobody quotes has no value.
///
/// Controls: the lowest price; the highest of whatever age, seen red; another unit as nowhere.
#[test]
fn the_highest_young_price_counts() {
    let instrument: Instrument = "BTC_EUR".parse().expect("instrument");
    let mut venues = HashMap::new();
    let mut quote = |venue: &str, price: &str, age_s: i64, currency: &str| {
        let prices: &Arc<Prices> = venues.entry(venue.parse().expect("name")).or_default();
        let price = ReferencePrice {
            at: Timestamp::from_seconds(NOW).plus_seconds(-age_s),
            currency: unit(currency),
            price: decimal(price),
        };
        prices.observe(instrument, price, Instant::now());
        let venues: HashMap<Counterparty, Arc<Prices>> = venues.clone();
        let quoted = |currency: &str| quotes(&venues).of(&instrument, &unit(currency));
        [quoted("EUR"), quoted("USD")].map(|quoted| match quoted {
            Quoted::At(price) => price.price.to_string(),
            Quoted::Otherwise => "otherwise".to_owned(),
            Quoted::Nowhere => "nowhere".to_owned(),
        })
    };
    assert_eq!(quote("a", "100", 9, "EUR"), ["100", "otherwise"]);
    assert_eq!(
        quote("b", "90", 7, "EUR"),
        ["90", "otherwise"],
        "the latest of the old ones"
    );
    assert_eq!(quote("c", "80", 5, "EUR"), ["80", "otherwise"], "a young one");
    assert_eq!(quote("d", "85", 1, "EUR"), ["85", "otherwise"]);
    assert_eq!(quote("e", "99", 0, "USD"), ["85", "99"]);
    assert_eq!(quotes(&HashMap::new()).of(&instrument, &unit("EUR")), Quoted::Nowhere);
}
