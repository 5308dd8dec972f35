//! The vectors of `AuthorityLimits`: good and bad values, each with what a reader must say. Made here, committed in
//! `fixtures/vectors/limits/`, read by three readers. Bad values are built from raw tags, not by the encoder under test.

#[path = "bad.rs"]
mod bad;

use extensions::{
    AuthorityLimits, Digest, MandateId,
    limits::{Authority, LimitsDocument, MandateRef, ScopeDocument, Subject},
};
use serde_json::{Value, json};

/// One vector.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) der: Vec<u8>,
    /// The tag of the refusal and its field; `None` for a good value.
    pub(crate) refused: Option<(&'static str, &'static str)>,
    pub(crate) note: &'static str,
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n @ 0..=0x7f => out.push(n as u8),
        n @ 0x80..=0xff => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(content);
    out
}

fn seq(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

fn int(octets: &[u8]) -> Vec<u8> {
    tlv(0x02, octets)
}

fn money(unit: (u8, &[u8]), mantissa: &[u8], exponent: &[u8]) -> Vec<u8> {
    seq(0x30, &[tlv(unit.0, unit.1), int(mantissa), int(exponent)])
}

fn rate(count: &[u8], seconds: &[u8]) -> Vec<u8> {
    seq(0x30, &[int(count), int(seconds)])
}

fn set(items: &[(u8, &[u8])]) -> Vec<u8> {
    seq(
        0xa2,
        &items.iter().map(|(tag, text)| tlv(*tag, text)).collect::<Vec<_>>(),
    )
}

fn window(bits: &[u8], start: &[u8], end: &[u8]) -> Vec<u8> {
    seq(0x30, &[tlv(0x03, bits), int(start), int(end)])
}

fn mandate(id: &[u8], approvers: &[[u8; 32]]) -> Vec<u8> {
    let approvers: Vec<_> = approvers.iter().map(|key| tlv(0x04, key)).collect();
    seq(0xa1, &[tlv(0x16, id), tlv(0x04, &[0xdd; 32]), seq(0x30, &approvers)])
}

const EUR: (u8, &[u8]) = (0x80, b"EUR");
const BTC_EUR: (u8, &[u8]) = (0x80, b"BTC_EUR");

/// The fields of a plain agent's value; bad vectors replace one of them.
fn fields() -> Vec<Vec<u8>> {
    vec![
        int(&[1]),
        tlv(0x0a, &[1]),
        seq(0x30, &[money(EUR, &[5], &[5])]),
        seq(0x30, &[money(EUR, &[5], &[6])]),
        seq(0x30, &[rate(&[60], &[1])]),
        set(&[BTC_EUR]),
        set(&[(0x80, b"exchange_a")]),
        set(&[(0x80, b"eu-west-1")]),
        seq(0x30, &[window(&[1, 0xf8], &[0x01, 0xa4], &[0x04, 0xb0])]),
        tlv(0x03, &[6, 0xc0]),
        int(&[0x00, 0xfa]),
        tlv(0x01, &[0xff]),
        mandate(b"m-1", &[[0xaa; 32]]),
    ]
}

fn whole(fields: &[Vec<u8>]) -> Vec<u8> {
    seq(0x30, fields)
}

struct List(Vec<Vector>);

impl List {
    fn good(&mut self, name: &str, der: Vec<u8>, note: &'static str) {
        self.0.push(Vector {
            name: name.to_owned(),
            der,
            refused: None,
            note,
        });
    }

    fn bad(&mut self, name: &str, der: Vec<u8>, refused: (&'static str, &'static str), note: &'static str) {
        self.0.push(Vector {
            name: name.to_owned(),
            der,
            refused: Some(refused),
            note,
        });
    }

    fn field(
        &mut self,
        name: &str,
        at: usize,
        value: Vec<u8>,
        refused: (&'static str, &'static str),
        note: &'static str,
    ) {
        let mut fields = fields();
        fields[at] = value;
        self.bad(name, whole(&fields), refused, note);
    }

    fn good_field(&mut self, name: &str, at: usize, value: Vec<u8>, note: &'static str) {
        let mut fields = fields();
        fields[at] = value;
        self.good(name, whole(&fields), note);
    }
}

/// Every vector, in the order of the index.
pub(crate) fn all() -> Vec<Vector> {
    let mut list = List(Vec::new());
    good_by_hand(&mut list);
    good_by_encoder(&mut list);
    bad::all(&mut list);
    list.0
}

fn good_by_hand(list: &mut List) {
    list.good("agent-typical", whole(&fields()), "a plain agent");
    let mut digest = fields();
    digest.insert(12, tlv(0x80, &[0xee; 32]));
    list.good(
        "agent-digest",
        whole(&digest),
        "with a declared digest of model and code",
    );
    let mut ca = fields();
    ca.truncate(12);
    ca[1] = tlv(0x0a, &[0]);
    list.good("ca-sets", whole(&ca), "a CA with sets");
    ca[5..8].fill(vec![0x81, 0x00]);
    list.good("ca-any", whole(&ca), "a CA that may grant anything in its scopes");
    list.good_field(
        "order-types-none",
        9,
        tlv(0x03, &[0]),
        "no order type at all: readable, permits nothing",
    );
    list.good_field("order-types-all", 9, tlv(0x03, &[4, 0xf0]), "all four");
    list.good_field("order-types-last", 9, tlv(0x03, &[4, 0x10]), "stop-market alone");
    list.good_field("collar-zero", 10, int(&[0]), "only at the reference price or better");
    list.good_field("collar-widest", 10, int(&[0x27, 0x10]), "10000 basis points");
    list.good_field("proof-false", 11, tlv(0x01, &[0]), "orders need no signature");
    list.good_field(
        "money-highest",
        2,
        seq(
            0x30,
            &[money(EUR, &[0, 0x8a, 0xc7, 0x23, 0x04, 0x89, 0xe7, 0xff, 0xff], &[18])],
        ),
        "19 nines and 18 zeros",
    );
    list.good_field("money-lowest", 2, seq(0x30, &[money(EUR, &[1], &[0xee])]), "10^-18");
    list.good_field(
        "money-three-schemes",
        2,
        seq(
            0x30,
            &[
                money(EUR, &[5], &[5]),
                money((0x81, b"4H95J0R2X"), &[1], &[0]),
                money((0x82, b"USDT"), &[5], &[5]),
            ],
        ),
        "sorted by alternative",
    );
    list.good_field(
        "rates-four",
        4,
        seq(
            0x30,
            &[
                rate(&[1], &[1]),
                rate(&[9], &[10]),
                rate(&[50], &[60]),
                rate(&[0x0f, 0x42, 0x40], &[0x01, 0x51, 0x80]),
            ],
        ),
        "a million a day, and less in shorter windows",
    );
    list.good_field(
        "window-always",
        8,
        seq(0x30, &[window(&[1, 0xfe], &[0], &[0x05, 0xa0])]),
        "every minute of the week",
    );
    list.good_field(
        "window-last-minute",
        8,
        seq(0x30, &[window(&[1, 0x02], &[0x05, 0x9f], &[0x05, 0xa0])]),
        "Sunday 23:59",
    );
    list.good_field(
        "counterparties-schemes",
        6,
        set(&[(0x80, b"dark.pool-1"), (0x81, b"529900T8BM49AURSDO55"), (0x82, b"XNAS")]),
        "name, LEI, MIC",
    );
    list.good_field(
        "instruments-isin",
        5,
        set(&[BTC_EUR, (0x83, b"US0378331005")]),
        "name and ISIN",
    );
    list.good_field(
        "approvers-four",
        12,
        mandate(b"m-1", &[[1; 32], [2; 32], [3; 32], [4; 32]]),
        "as many as there may be",
    );
}

/// A small seeded generator (SplitMix64), so that the vectors can be made again.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Values that the encoder makes of generated documents: what it writes, the others must read.
fn good_by_encoder(list: &mut List) {
    const DAYS: [&str; 6] = ["Mon-Fri", "Sat,Sun", "Tue", "Mon,Wed-Fri", "Sun", "Mon-Sun"];
    const KINDS: [&str; 4] = ["limit", "market", "stop_limit", "stop_market"];
    let mut seed = Seeded(2026);
    for number in 0..8 {
        let names =
            |prefix: &str, count: u64| ScopeDocument::Names((0..=count).map(|n| format!("{prefix}{n}")).collect());
        let hours = (0..=seed.below(4))
            .map(|_| {
                format!(
                    "{} {:02}:{:02}-{:02}:00",
                    DAYS[seed.below(6) as usize],
                    seed.below(12),
                    seed.below(60),
                    12 + seed.below(12)
                )
            })
            .collect();
        let document = LimitsDocument {
            counterparties: names("venue_", seed.below(3)),
            hours,
            instruments: names("PAIR_", seed.below(200)),
            order_proof: seed.below(2) == 1,
            order_rates: vec![
                format!("{}/1s", 1 + seed.below(100)),
                format!("{}/1h", 100 + seed.below(10_000)),
            ],
            order_types: KINDS[..1 + seed.below(4) as usize]
                .iter()
                .map(|k| (*k).to_owned())
                .collect(),
            per_day: vec![
                format!("EUR {}", 1 + seed.below(1 << 40)),
                format!("USDT {}.{}", seed.below(1 << 30), 1 + seed.below(9)),
            ],
            per_order: vec![format!("EUR 0.{:09}", 1 + seed.below(999_999_999))],
            price_collar_bps: seed.below(10_001) as u16,
            regions: names("region-", seed.below(4)),
        };
        let authority = Authority::try_from(document).expect("a generated document");
        let id = MandateId::new(&format!("generated-{number}")).expect("an id");
        let reference = MandateRef::new(id, Digest::of(&[number]), vec![Digest::of(b"officer")]).expect("a reference");
        let limits = AuthorityLimits::for_agent(authority, None, reference).expect("sets");
        list.good(
            &format!("generated-{number}"),
            limits.encode().expect("below 4 KiB"),
            "made by the encoder from a seeded document",
        );
    }
}

/// What a reader makes of a good value, in plain JSON, so that readers can be compared.
pub(crate) fn decoded(limits: &AuthorityLimits) -> Value {
    let authority = limits.authority();
    let amounts = |amounts: &[extensions::limits::Money]| -> Value {
        amounts
            .iter()
            .map(|m| {
                json!([
                    m.unit().scheme() as u8,
                    m.unit().as_str(),
                    m.mantissa().to_string(),
                    m.exponent()
                ])
            })
            .collect()
    };
    let scope = |scope: &extensions::limits::Scope| -> Value {
        scope.items().map_or_else(
            || json!("any"),
            |items| items.iter().map(|i| json!([i.scheme() as u8, i.as_str()])).collect(),
        )
    };
    let mandate = limits.mandate().map(|m| {
        let approvers: Vec<String> = m.approvers().iter().map(ToString::to_string).collect();
        json!({ "id": m.id(), "document_hash": m.document_hash(), "approvers": approvers })
    });
    json!({
        "agent_digest": limits.agent_digest(),
        "counterparties": scope(authority.counterparties()),
        "hours": authority.hours().windows().iter().map(|w| json!([w.weekdays().bits(), w.start_minute(), w.end_minute()])).collect::<Value>(),
        "instruments": scope(authority.instruments()),
        "mandate": mandate,
        "order_proof": authority.order_proof(),
        "order_rates": authority.order_rates().iter().map(|r| json!([r.count(), r.seconds()])).collect::<Value>(),
        "order_types": authority.order_types().iter().map(|k| k.as_str()).collect::<Vec<_>>(),
        "per_day": amounts(authority.per_day()),
        "per_order": amounts(authority.per_order()),
        "price_collar": authority.price_collar_bps(),
        "regions": scope(authority.regions()),
        "subject_class": if *limits.subject() == Subject::Ca { "ca" } else { "agent" },
    })
}

/// The index: one object a vector.
pub(crate) fn index(vectors: &[Vector]) -> String {
    let entries: Vec<String> = vectors
        .iter()
        .map(|vector| {
            let file = format!("{}.der", vector.name);
            let entry = match vector.refused {
                Some((reason, field)) => {
                    json!({ "file": file, "note": vector.note, "refused": { "field": field, "reason": reason } })
                }
                None => {
                    let limits = AuthorityLimits::decode(&vector.der).expect("a good vector");
                    json!({ "decoded": decoded(&limits), "file": file, "note": vector.note })
                }
            };
            entry.to_string()
        })
        .collect();
    format!("[\n{}\n]\n", entries.join(",\n"))
}
