//! Each flag beside the application that differs in one thing and does not raise it.

use extensions::{Digest, MandateId, OwnerId, limits::LimitsDocument};

use super::*;
use crate::{
    events::{ApplicationApproved, ApplicationSubmitted, Event},
    register::Place,
    samples::{document, now},
};

/// A register of mandates, by id: their documents, and whether they are in force.
#[derive(Default)]
struct House {
    register: Register,
    position: u64,
}

impl House {
    fn apply(&mut self, event: impl Into<Event>, at: Timestamp) {
        let place = Place {
            position: self.position,
            number: self.position,
            at,
        };
        self.position += 1;
        self.register.apply(&event.into(), place);
    }

    fn asks(&mut self, document: &MandateDocument) -> &mut Self {
        let event = ApplicationSubmitted {
            agent: document.agent,
            applicant: OfficerId::new("op").unwrap(),
            document: document.clone(),
            document_digest: document.digest(),
            expires_at: now().plus_seconds(3_600),
            mandate: document.mandate,
            narrowed_by: None,
            nonce: Digest::default(),
            owner: document.owner,
            revision: self.revision(document) + 1,
            sealed: vec![],
        };
        self.apply(event, now());
        self
    }

    fn revision(&self, document: &MandateDocument) -> u32 {
        self.register.mandate(&document.mandate).map_or(0, Mandate::revision)
    }

    fn holds(&mut self, document: &MandateDocument) -> &mut Self {
        self.asks(document);
        let event = ApplicationApproved {
            agent: document.agent,
            approvers: vec![Digest::default()],
            document: document.digest(),
            mandate: document.mandate,
            revision: self.revision(document),
            rules: vec![],
        };
        self.apply(event, now());
        self
    }

    fn flags(&self, lately: Lately<'_>) -> Vec<Flag> {
        let asked = self.register.mandate(&MandateId::new("asked").unwrap()).unwrap();
        unusual(asked, &self.register, lately, now())
    }

    fn codes(&self, lately: Lately<'_>) -> Vec<&'static str> {
        self.flags(lately).iter().map(|flag| flag.code).collect()
    }
}

fn limits() -> LimitsDocument {
    let text = r#"{"counterparties":["exchange_a"],"hours":["Mon-Fri 07:00-20:00"],"instruments":["BTC_EUR"],"order_proof":false,"order_rates":["60/1s"],"order_types":["limit"],"per_day":["EUR 100000"],"per_order":["EUR 1000"],"price_collar_bps":200,"regions":["eu-west-1"]}"#;
    serde_json::from_str(text).unwrap()
}

/// A document like the one in force, but for what `change` does to its limits.
fn with(id: &str, change: impl FnOnce(&mut LimitsDocument)) -> MandateDocument {
    let mut limits = limits();
    change(&mut limits);
    MandateDocument {
        declared_code_digest: Some(Digest::of(b"code")),
        expires: now().plus_seconds(20 * 86_400),
        limits: Authority::try_from(limits).unwrap(),
        mandate: MandateId::new(id).unwrap(),
        ..document()
    }
}

/// What is asked, in a house whose one mandate is the usual one, which is also what the agent has now.
fn codes(asked: &MandateDocument) -> Vec<&'static str> {
    let held = with("held", |_| {});
    let mut house = House::default();
    house.holds(&held).asks(asked);
    let current = Some(&held);
    house.codes(Lately {
        current,
        ..Lately::default()
    })
}

/// The same limits again raise nothing: the opposite of every flag below.
#[test]
fn what_everybody_has_is_not_unusual() {
    assert!(codes(&with("asked", |_| {})).is_empty());
    assert!(codes(&with("asked", |limits| limits.price_collar_bps = 100)).is_empty());
}

/// Each dimension by itself, with the figures of the nearest mandate; what one other mandate of the owner grants is not wider than all.
#[test]
fn wider_than_anything_the_owner_holds() {
    let wide = with("asked", |limits| {
        limits.per_order = vec!["EUR 5000".into()];
        limits.price_collar_bps = 300;
    });
    assert_eq!(codes(&wide), ["OWNER_WIDER", "OWNER_WIDER"]);
    let mut house = House::default();
    let large = with("large", |limits| limits.per_order = vec!["EUR 5000".into()]);
    house.holds(&large).holds(&with("small", |_| {})).asks(&wide);
    let current = Some(&large);
    let flags = house.flags(Lately {
        current,
        ..Lately::default()
    });
    assert_eq!(flags.len(), 1, "{flags:?}");
    assert!(flags[0].words.contains("300 above 200"), "{flags:?}");
    assert!(flags[0].words.contains("large of mm-1"), "{flags:?}");
}

/// An owner without a mandate has nothing to compare with, which is said; one whose mandate ended has none.
#[test]
fn an_owner_without_mandates_is_told() {
    let mut other = with("asked", |_| {});
    other.owner = OwnerId::new("new-desk").unwrap();
    assert_eq!(codes(&other), ["OWNER_FIRST"]);
    let mut house = House::default();
    let mut ended = with("held", |_| {});
    ended.expires = now();
    house.holds(&ended).asks(&with("asked", |_| {}));
    assert_eq!(house.codes(Lately::default())[0], "OWNER_FIRST");
}

/// A name that nobody in the house trades, for each kind of name. Control: once another owner's mandate names it, it is not the first.
#[test]
fn first_uses_are_told() {
    type Case = (&'static str, fn(&mut LimitsDocument));
    let cases: [Case; 4] = [
        ("FIRST_COUNTERPARTY", |limits| {
            limits.counterparties = serde_json::from_str(r#"["exchange_a","exchange_b"]"#).unwrap();
        }),
        ("FIRST_INSTRUMENT", |limits| {
            limits.instruments = serde_json::from_str(r#"["BTC_EUR","ETH_EUR"]"#).unwrap();
        }),
        ("FIRST_REGION", |limits| {
            limits.regions = serde_json::from_str(r#"["eu-north-1"]"#).unwrap();
        }),
        ("FIRST_CURRENCY", |limits| limits.per_order.push("USD 10".into())),
    ];
    for (code, change) in cases {
        let asked = with("asked", change);
        let flags = codes(&asked);
        assert!(flags.contains(&code), "{code}: {flags:?}");
        let mut elsewhere = with("elsewhere", change);
        elsewhere.owner = OwnerId::new("other-desk").unwrap();
        let mut house = House::default();
        house.holds(&with("held", |_| {})).holds(&elsewhere).asks(&asked);
        let flags = house.codes(Lately::default());
        assert!(!flags.contains(&code), "{code}: {flags:?}");
    }
}

/// Minutes at night and at the weekend that the agent does not have now; those it has raise nothing.
#[test]
fn new_hours_at_night_and_at_the_weekend_are_told() {
    let always = |limits: &mut LimitsDocument| limits.hours = vec!["always".into()];
    let asked = with("asked", always);
    let held = with("held", |_| {});
    let mut house = House::default();
    house.holds(&held).asks(&asked);
    let current = Some(&held);
    let flags = house.flags(Lately {
        current,
        ..Lately::default()
    });
    let hours: Vec<&Flag> = flags.iter().filter(|flag| flag.code.starts_with("HOURS")).collect();
    assert!(hours[0].words.starts_with("56 h of night"), "{hours:?}");
    assert!(hours[1].words.starts_with("48 h of weekend"), "{hours:?}");
    let has = with("held", always);
    let current = Some(&has);
    let flags = house.codes(Lately {
        current,
        ..Lately::default()
    });
    assert!(!flags.iter().any(|code| code.starts_with("HOURS")), "{flags:?}");
    let evening = with("asked", |limits| limits.hours = vec!["Mon-Fri 07:00-22:00".into()]);
    assert!(!codes(&evening).contains(&"HOURS_NIGHT"));
}

/// Longer than every other; as long is not.
#[test]
fn the_longest_expiry_is_told() {
    let mut asked = with("asked", |_| {});
    asked.expires = now().plus_seconds(21 * 86_400);
    assert_eq!(codes(&asked), ["EXPIRY_LONGEST"]);
    asked.expires = now().plus_seconds(20 * 86_400);
    assert!(codes(&asked).is_empty());
}

/// Code that nobody declared, and other code than under the mandate in force; the same code raises nothing.
#[test]
fn unknown_code_is_told() {
    let mut asked = with("asked", |_| {});
    asked.declared_code_digest = None;
    assert_eq!(codes(&asked), ["CODE_UNDECLARED"]);
    asked.declared_code_digest = Some(Digest::of(b"other"));
    assert_eq!(codes(&asked), ["CODE_CHANGED"]);
    asked.declared_code_digest = Some(Digest::of(b"code"));
    assert!(codes(&asked).is_empty());
}

/// The applicant's refusals and the agent's revocation within thirty days; older ones, and those of others, raise nothing.
#[test]
fn refusals_and_halts_of_late_are_told() {
    let held = with("held", |_| {});
    let mut house = House::default();
    house.holds(&held).asks(&with("asked", |_| {}));
    let ago = |days: i64| now().plus_seconds(-days * 86_400);
    let one = |applicant: &str, days| Refused {
        applicant: OfficerId::new(applicant).unwrap(),
        by: OfficerId::new("ada").unwrap(),
        at: ago(days),
    };
    let codes = |refused: &[Refused], halted: Option<i64>| {
        let halted = halted.map(|days| Halted {
            at: ago(days),
            seconds_ago: days * 86_400,
        });
        house.codes(Lately {
            refused,
            halted,
            current: Some(&held),
        })
    };
    assert_eq!(codes(&[one("op", 29)], None), ["REFUSED_LATELY"]);
    assert_eq!(codes(&[], Some(29)), ["HALTED_LATELY"]);
    assert!(codes(&[one("op", 31), one("else", 1)], Some(31)).is_empty());
}

/// Above five times the largest that was used, of an order and of a day; exactly five times is not, nor is a currency without orders.
#[test]
fn amounts_far_above_use_are_told() {
    let asked = with("asked", |limits| limits.per_order.push("USD 1000000".into()));
    let used = |order: &str, day: &str| Used {
        order: [("EUR".parse().unwrap(), Decimal::parse(order).unwrap())].into(),
        day: [("EUR".parse().unwrap(), Decimal::parse(day).unwrap())].into(),
    };
    let flags = above_use(&asked.limits, &used("199", "19999"), 30);
    let codes: Vec<&str> = flags.iter().map(|flag| flag.code).collect();
    assert_eq!(codes, ["ORDER_ABOVE_USE", "DAY_ABOVE_USE"]);
    assert!(
        flags[0].words.contains("EUR 1000") && flags[0].words.contains("EUR 199"),
        "{flags:?}"
    );
    assert!(above_use(&asked.limits, &used("200", "20000"), 30).is_empty());
    assert!(above_use(&asked.limits, &Used::default(), 30).is_empty());
}
