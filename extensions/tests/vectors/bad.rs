//! The bad vectors: one table for each group of fields, one fault a vector.

use super::{BTC_EUR, EUR, List, fields, int, mandate, money, rate, seq, set, tlv, whole, window};

pub(super) fn all(list: &mut List) {
    bad_frames(list);
    bad_money_and_rates(list);
    bad_scopes(list);
    bad_hours_and_flags(list);
    bad_references(list);
}

fn bad_frames(list: &mut List) {
    let der = whole(&fields());
    let value = "AuthorityLimits";
    list.bad("empty", vec![], ("missing", value), "no octets");
    list.bad(
        "not-a-sequence",
        tlv(0x31, &fields().concat()),
        ("unexpected-tag", value),
        "a SET",
    );
    list.bad(
        "trailing-octet",
        [der.clone(), vec![0]].concat(),
        ("trailing-bytes", value),
        "one octet behind the value",
    );
    list.bad(
        "cut-short",
        der[..der.len() - 1].to_vec(),
        ("not-der", value),
        "one octet missing",
    );
    let long_form = [vec![0x30, 0x83, 0x00], der[2..].to_vec()].concat();
    list.bad(
        "length-not-minimal",
        long_form,
        ("not-der", value),
        "BER: a length with a leading zero",
    );
    let indefinite = [vec![0x30, 0x80], fields().concat(), vec![0, 0]].concat();
    list.bad(
        "length-indefinite",
        indefinite,
        ("not-der", value),
        "BER: indefinite length",
    );
    list.bad(
        "too-long",
        tlv(0x30, &vec![0; 4_100]),
        ("too-long", value),
        "above 4096 octets",
    );
    list.field(
        "version-2",
        0,
        int(&[2]),
        ("unknown-version", "version"),
        "a later version",
    );
    list.field(
        "version-0",
        0,
        int(&[0]),
        ("unknown-version", "version"),
        "no such version",
    );
    list.field(
        "version-padded",
        0,
        int(&[0, 1]),
        ("not-canonical", "version"),
        "BER: a padded integer",
    );
    list.field(
        "subject-class-2",
        1,
        tlv(0x0a, &[2]),
        ("out-of-range", "subjectClass"),
        "no such class",
    );
    list.field(
        "subject-class-integer",
        1,
        int(&[1]),
        ("unexpected-tag", "subjectClass"),
        "INTEGER instead of ENUMERATED",
    );
    let mut extra = fields();
    extra.push(tlv(0x82, &[1]));
    list.bad(
        "unknown-field",
        whole(&extra),
        ("unexpected-tag", value),
        "a field [2] that version 1 does not have",
    );
    let mut missing = fields();
    missing.remove(7);
    list.bad(
        "regions-missing",
        whole(&missing),
        ("unknown-scheme", "regions"),
        "hours stand where regions belong",
    );
    list.bad(
        "only-version",
        whole(&fields()[..1]),
        ("missing", "subjectClass"),
        "cut behind the version",
    );
}

fn bad_money_and_rates(list: &mut List) {
    let one = |money: Vec<u8>| seq(0x30, &[money]);
    list.field(
        "money-none",
        2,
        seq(0x30, &[]),
        ("bad-count", "perOrder"),
        "an empty list",
    );
    list.field(
        "money-zero",
        2,
        one(money(EUR, &[0], &[0])),
        ("out-of-range", "perOrder"),
        "zero",
    );
    list.field(
        "money-negative",
        2,
        one(money(EUR, &[0xfb], &[0])),
        ("out-of-range", "perOrder"),
        "below zero",
    );
    list.field(
        "money-trailing-zero",
        2,
        one(money(EUR, &[50], &[4])),
        ("not-canonical", "perOrder"),
        "50 · 10^4 instead of 5 · 10^5",
    );
    list.field(
        "money-mantissa-too-high",
        3,
        one(money(EUR, &[0, 0x8a, 0xc7, 0x23, 0x04, 0x89, 0xe8, 0, 1], &[0])),
        ("out-of-range", "perDay"),
        "10^19 + 1",
    );
    list.field(
        "money-exponent-19",
        2,
        one(money(EUR, &[5], &[19])),
        ("out-of-range", "perOrder"),
        "exponent above 18",
    );
    list.field(
        "money-exponent-minus-19",
        2,
        one(money(EUR, &[5], &[0xed])),
        ("out-of-range", "perOrder"),
        "exponent below -18",
    );
    list.field(
        "money-lower-case",
        2,
        one(money((0x80, b"eur"), &[5], &[5])),
        ("bad-text", "perOrder"),
        "eur",
    );
    list.field(
        "money-four-letters",
        2,
        one(money((0x80, b"USDT"), &[5], &[5])),
        ("bad-text", "perOrder"),
        "no ISO code",
    );
    list.field(
        "money-dti-vowel",
        2,
        one(money((0x81, b"4H95J0R2A"), &[5], &[5])),
        ("bad-text", "perOrder"),
        "a vowel in a DTI",
    );
    list.field(
        "money-local-17",
        2,
        one(money((0x82, b"ABCDEFGHIJKLMNOPQ"), &[5], &[5])),
        ("bad-text", "perOrder"),
        "17 characters",
    );
    list.field(
        "money-unknown-scheme",
        2,
        one(money((0x83, b"EUR"), &[5], &[5])),
        ("unknown-scheme", "perOrder"),
        "alternative [3]",
    );
    list.field(
        "money-unsorted",
        2,
        seq(0x30, &[money((0x80, b"USD"), &[5], &[5]), money(EUR, &[5], &[5])]),
        ("not-sorted", "perOrder"),
        "USD before EUR",
    );
    list.field(
        "money-twice",
        2,
        seq(0x30, &[money(EUR, &[5], &[5]), money(EUR, &[6], &[5])]),
        ("duplicate", "perOrder"),
        "EUR twice",
    );
    list.field(
        "money-code-in-two-schemes",
        2,
        seq(0x30, &[money(EUR, &[5], &[5]), money((0x82, b"EUR"), &[9], &[9])]),
        ("duplicate", "perOrder"),
        "EUR as ISO and local code",
    );
    list.field(
        "money-fourth-member",
        2,
        one(seq(0x30, &[tlv(0x80, b"EUR"), int(&[5]), int(&[5]), int(&[5])])),
        ("trailing-bytes", "perOrder"),
        "an unknown member",
    );
    let nine: Vec<_> = (b'A'..=b'I')
        .map(|c| money((0x80, &[b'A', b'A', c]), &[1], &[0]))
        .collect();
    list.field(
        "money-nine",
        2,
        seq(0x30, &nine),
        ("bad-count", "perOrder"),
        "nine units",
    );
    list.field("rate-none", 4, seq(0x30, &[]), ("bad-count", "orderRates"), "no rate");
    list.field(
        "rate-count-zero",
        4,
        seq(0x30, &[rate(&[0], &[1])]),
        ("out-of-range", "orderRates"),
        "0 messages",
    );
    list.field(
        "rate-window-too-long",
        4,
        seq(0x30, &[rate(&[1], &[0x01, 0x51, 0x81])]),
        ("out-of-range", "orderRates"),
        "a day and a second",
    );
    list.field(
        "rate-window-twice",
        4,
        seq(0x30, &[rate(&[1], &[1]), rate(&[2], &[1])]),
        ("duplicate", "orderRates"),
        "one window twice",
    );
    list.field(
        "rate-unsorted",
        4,
        seq(0x30, &[rate(&[9], &[10]), rate(&[1], &[1])]),
        ("not-sorted", "orderRates"),
        "10 s before 1 s",
    );
}

fn bad_scopes(list: &mut List) {
    list.field(
        "instruments-any",
        5,
        vec![0x81, 0x00],
        ("any-for-agent", "instruments"),
        "any, in an agent",
    );
    list.field(
        "regions-any",
        7,
        vec![0x81, 0x00],
        ("any-for-agent", "regions"),
        "any, in an agent",
    );
    list.field(
        "instruments-null-content",
        5,
        vec![0x81, 0x01, 0x00],
        ("not-canonical", "instruments"),
        "NULL with content",
    );
    list.field(
        "instruments-empty",
        5,
        set(&[]),
        ("bad-count", "instruments"),
        "an empty set",
    );
    list.field(
        "instruments-lower-case",
        5,
        set(&[(0x80, b"btc_eur")]),
        ("bad-text", "instruments"),
        "lower case",
    );
    list.field(
        "instruments-utf8",
        5,
        set(&[(0x80, "ВТС_EUR".as_bytes())]),
        ("bad-text", "instruments"),
        "Cyrillic letters that look Latin",
    );
    list.field(
        "instruments-wildcard",
        5,
        set(&[(0x80, b"BTC_*")]),
        ("bad-text", "instruments"),
        "a wildcard",
    );
    list.field(
        "instruments-33",
        5,
        set(&[(0x80, &[b'A'; 33])]),
        ("bad-text", "instruments"),
        "33 characters",
    );
    list.field(
        "instruments-empty-name",
        5,
        set(&[(0x80, b"")]),
        ("bad-text", "instruments"),
        "an empty name",
    );
    list.field(
        "instruments-unsorted",
        5,
        set(&[(0x80, b"ETH_EUR"), BTC_EUR]),
        ("not-sorted", "instruments"),
        "ETH before BTC",
    );
    list.field(
        "instruments-twice",
        5,
        set(&[BTC_EUR, BTC_EUR]),
        ("duplicate", "instruments"),
        "one twice",
    );
    list.field(
        "instruments-mic",
        5,
        set(&[(0x82, b"XNAS")]),
        ("unknown-scheme", "instruments"),
        "a MIC is no instrument",
    );
    list.field(
        "instruments-isin-short",
        5,
        set(&[(0x83, b"US037833100")]),
        ("bad-text", "instruments"),
        "11 characters",
    );
    list.field(
        "counterparties-upper-case",
        6,
        set(&[(0x80, b"Exchange_A")]),
        ("bad-text", "counterparties"),
        "upper case",
    );
    list.field(
        "counterparties-lei-letters",
        6,
        set(&[(0x81, b"529900T8BM49AURSDOAB")]),
        ("bad-text", "counterparties"),
        "an LEI ends in two digits",
    );
    list.field(
        "regions-lei",
        7,
        set(&[(0x81, b"529900T8BM49AURSDO55")]),
        ("unknown-scheme", "regions"),
        "an LEI is no region",
    );
    list.field(
        "regions-unknown-scheme",
        7,
        set(&[(0x84, b"eu-west-1")]),
        ("unknown-scheme", "regions"),
        "alternative [4]",
    );
    let many: Vec<Vec<u8>> = (0..257_u16).map(|n| format!("{n:03}").into_bytes()).collect();
    let many: Vec<(u8, &[u8])> = many.iter().map(|text| (0x80, &**text)).collect();
    list.field(
        "instruments-257",
        5,
        set(&many),
        ("bad-count", "instruments"),
        "257 items",
    );
}

fn bad_hours_and_flags(list: &mut List) {
    let hours = |windows: &[Vec<u8>]| seq(0x30, windows);
    let day = |bits: u8, start: u8, end: u8| window(&[1, bits], &[start], &[end]);
    list.field("hours-none", 8, hours(&[]), ("bad-count", "hours"), "no window");
    list.field(
        "hours-no-weekday",
        8,
        hours(&[day(0, 0, 60)]),
        ("not-canonical", "hours"),
        "a window without weekdays",
    );
    list.field(
        "hours-eight-days",
        8,
        hours(&[window(&[0, 0xff], &[0], &[60])]),
        ("out-of-range", "hours"),
        "eight bits",
    );
    list.field(
        "hours-unused-bit",
        8,
        hours(&[day(0x81, 0, 60)]),
        ("not-canonical", "hours"),
        "an unused bit is set",
    );
    list.field(
        "hours-backwards",
        8,
        hours(&[day(0x80, 60, 30)]),
        ("not-canonical", "hours"),
        "ends before it starts",
    );
    list.field(
        "hours-start-1440",
        8,
        hours(&[window(&[1, 0x80], &[0x05, 0xa0], &[0x05, 0xa0])]),
        ("out-of-range", "hours"),
        "starts at 24:00",
    );
    list.field(
        "hours-end-1441",
        8,
        hours(&[window(&[1, 0x80], &[0], &[0x05, 0xa1])]),
        ("out-of-range", "hours"),
        "ends behind 24:00",
    );
    list.field(
        "hours-unsorted",
        8,
        hours(&[day(0x80, 60, 90), day(0x40, 0, 30)]),
        ("not-canonical", "hours"),
        "later start first",
    );
    list.field(
        "hours-touching",
        8,
        hours(&[day(0x80, 0, 30), day(0x80, 30, 60)]),
        ("not-canonical", "hours"),
        "two windows that are one",
    );
    list.field(
        "hours-overlapping",
        8,
        hours(&[day(0x80, 0, 40), day(0x80, 30, 60)]),
        ("not-canonical", "hours"),
        "two that overlap",
    );
    list.field(
        "hours-not-joined",
        8,
        hours(&[day(0x80, 0, 30), day(0x40, 0, 30)]),
        ("not-canonical", "hours"),
        "one run written once for each day",
    );
    list.field(
        "order-types-trailing-zero",
        9,
        tlv(0x03, &[4, 0xc0]),
        ("not-canonical", "orderTypes"),
        "a named bit list with trailing zero bits",
    );
    list.field(
        "order-types-fifth",
        9,
        tlv(0x03, &[3, 0xc8]),
        ("out-of-range", "orderTypes"),
        "a fifth kind",
    );
    list.field(
        "order-types-empty-content",
        9,
        tlv(0x03, &[]),
        ("not-der", "orderTypes"),
        "no count of unused bits",
    );
    list.field(
        "collar-10001",
        10,
        int(&[0x27, 0x11]),
        ("out-of-range", "priceCollar"),
        "above 100 %",
    );
    list.field(
        "collar-negative",
        10,
        int(&[0xff]),
        ("out-of-range", "priceCollar"),
        "below zero",
    );
    list.field(
        "collar-padded",
        10,
        int(&[0, 0x10]),
        ("not-canonical", "priceCollar"),
        "BER: a padded integer",
    );
    list.field(
        "collar-empty",
        10,
        int(&[]),
        ("not-der", "priceCollar"),
        "an integer without octets",
    );
    list.field(
        "collar-null",
        10,
        vec![0x05, 0x00],
        ("unexpected-tag", "priceCollar"),
        "NULL",
    );
    list.field(
        "proof-ber-true",
        11,
        tlv(0x01, &[1]),
        ("not-canonical", "orderProof"),
        "BER: TRUE as 01",
    );
}

fn bad_references(list: &mut List) {
    let mut without = fields();
    without.truncate(12);
    list.bad(
        "agent-without-mandate",
        whole(&without),
        ("wrong-subject", "mandate"),
        "an agent needs a mandate",
    );
    let mut ca = fields();
    ca[1] = tlv(0x0a, &[0]);
    list.bad(
        "ca-with-mandate",
        whole(&ca),
        ("wrong-subject", "mandate"),
        "a CA has none",
    );
    ca.truncate(12);
    ca.push(tlv(0x80, &[0xee; 32]));
    list.bad(
        "ca-with-digest",
        whole(&ca),
        ("wrong-subject", "agentDigest"),
        "a CA has no model",
    );
    let mut short = fields();
    short.insert(12, tlv(0x80, &[0xee; 31]));
    list.bad("digest-31", whole(&short), ("out-of-range", "agentDigest"), "31 octets");
    list.field(
        "mandate-id-upper-case",
        12,
        mandate(b"M-1", &[[0xaa; 32]]),
        ("bad-text", "mandate"),
        "an id of another alphabet",
    );
    list.field(
        "mandate-no-approver",
        12,
        mandate(b"m-1", &[]),
        ("bad-count", "mandate"),
        "nobody approved",
    );
    list.field(
        "mandate-five-approvers",
        12,
        mandate(b"m-1", &[[1; 32], [2; 32], [3; 32], [4; 32], [5; 32]]),
        ("bad-count", "mandate"),
        "five",
    );
    list.field(
        "mandate-approvers-unsorted",
        12,
        mandate(b"m-1", &[[2; 32], [1; 32]]),
        ("not-sorted", "mandate"),
        "unsorted",
    );
    list.field(
        "mandate-approver-twice",
        12,
        mandate(b"m-1", &[[1; 32], [1; 32]]),
        ("duplicate", "mandate"),
        "one officer is not two",
    );
    let utf8 = seq(
        0xa1,
        &[
            tlv(0x0c, b"m-1"),
            tlv(0x04, &[0xdd; 32]),
            seq(0x30, &[tlv(0x04, &[1; 32])]),
        ],
    );
    list.field(
        "mandate-utf8-string",
        12,
        utf8,
        ("unexpected-tag", "mandate"),
        "UTF8String instead of IA5String",
    );
}
