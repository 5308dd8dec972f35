//! The strict DER form of `AuthorityLimits` (X.690 §10, §11; implicit tags): read, re-encode, compare byte for byte.

use super::{
    Authority, AuthorityLimits, AuthorityParts, Field, Hours, Item, ItemScheme, LimitsError, MandateRef, Money,
    OrderTypes, Rate, Scope, Subject, Unit, UnitScheme, Weekdays, Window,
    tlv::{Fields, integer, put, put_integer},
};
use crate::{Digest, MandateId};

/// The longest value that is read or written.
pub const LONGEST_DER: usize = 4_096;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const IA5_STRING: u8 = 0x16;
const SEQUENCE: u8 = 0x30;
/// `any [1] NULL`.
const ANY: u8 = 0x81;
/// `set [2] SEQUENCE OF`.
const SET: u8 = 0xa2;
/// `agentDigest [0] OCTET STRING`.
const AGENT_DIGEST: u8 = 0x80;
/// `mandate [1] MandateRef`.
const MANDATE: u8 = 0xa1;

pub(super) fn decode(bytes: &[u8]) -> Result<AuthorityLimits, LimitsError> {
    if bytes.len() > LONGEST_DER {
        return Err(LimitsError::TooLong { length: bytes.len() });
    }
    let mut outer = Fields::new(bytes, Field::Value);
    let mut fields = outer.enter(SEQUENCE, Field::Value)?;
    outer.finish()?;
    if integer(Field::Version, fields.take(INTEGER, Field::Version)?)? != 1 {
        return Err(LimitsError::UnknownVersion);
    }
    let is_agent = match integer(Field::SubjectClass, fields.take(ENUMERATED, Field::SubjectClass)?)? {
        0 => false,
        1 => true,
        _ => {
            return Err(LimitsError::OutOfRange {
                field: Field::SubjectClass,
                range: "0..1",
            });
        }
    };
    let authority = Authority::new(AuthorityParts {
        per_order: amounts(&mut fields, Field::PerOrder)?,
        per_day: amounts(&mut fields, Field::PerDay)?,
        order_rates: rates(&mut fields)?,
        instruments: scope(&mut fields, Field::Instruments)?,
        counterparties: scope(&mut fields, Field::Counterparties)?,
        regions: scope(&mut fields, Field::Regions)?,
        hours: hours(&mut fields)?,
        order_types: order_types(fields.take(BIT_STRING, Field::OrderTypes)?)?,
        price_collar_bps: number(Field::PriceCollar, &mut fields, "0..10000")?,
        order_proof: boolean(fields.take(BOOLEAN, Field::OrderProof)?)?,
    })?;
    let limits = subject(&mut fields, is_agent, authority)?;
    if encode(&limits)? != bytes {
        return Err(LimitsError::NotCanonical {
            field: Field::Value,
            why: "the value encodes to other bytes",
        });
    }
    Ok(limits)
}

/// What stands behind the ten dimensions.
fn subject(fields: &mut Fields<'_>, is_agent: bool, authority: Authority) -> Result<AuthorityLimits, LimitsError> {
    let mut agent_digest = None;
    if fields.peek() == Some(AGENT_DIGEST) {
        agent_digest = Some(digest(
            Field::AgentDigest,
            fields.take(AGENT_DIGEST, Field::AgentDigest)?,
        )?);
    }
    let mut mandate = None;
    if fields.peek() == Some(MANDATE) {
        mandate = Some(mandate_ref(fields.enter(MANDATE, Field::Mandate)?)?);
    }
    if let Some(found) = fields.peek() {
        return Err(LimitsError::UnexpectedTag {
            field: Field::Value,
            found,
        });
    }
    match (is_agent, agent_digest, mandate) {
        (true, agent_digest, Some(mandate)) => AuthorityLimits::for_agent(authority, agent_digest, mandate),
        (false, None, None) => Ok(AuthorityLimits::for_ca(authority)),
        (false, Some(_), _) => Err(LimitsError::WrongSubject {
            field: Field::AgentDigest,
        }),
        _ => Err(LimitsError::WrongSubject { field: Field::Mandate }),
    }
}

fn amounts(fields: &mut Fields<'_>, field: Field) -> Result<Vec<Money>, LimitsError> {
    fields.list(SEQUENCE, field, |list| {
        let mut money = list.enter(SEQUENCE, field)?;
        let (tag, text) = money.take_any(field)?;
        let scheme = match tag {
            0x80 => UnitScheme::Iso4217,
            0x81 => UnitScheme::Dti,
            0x82 => UnitScheme::Local,
            found => return Err(LimitsError::UnknownScheme { field, found }),
        };
        let unit = std::str::from_utf8(text)
            .ok()
            .and_then(|text| Unit::new(scheme, text))
            .ok_or_else(|| {
                LimitsError::bad_text(field, text, "a unit of its scheme: [A-Z]{3}, a DTI or [A-Z0-9]{1,16}")
            })?;
        let mantissa = number(field, &mut money, "1..9999999999999999999 (mantissa)")?;
        let exponent = number(field, &mut money, "-18..18 (exponent)")?;
        money.finish()?;
        Money::new(field, unit, mantissa, exponent)
    })
}

fn rates(fields: &mut Fields<'_>) -> Result<Vec<Rate>, LimitsError> {
    let field = Field::OrderRates;
    fields.list(SEQUENCE, field, |list| {
        let mut rate = list.enter(SEQUENCE, field)?;
        let count = number(field, &mut rate, "1..1000000 (count)")?;
        let seconds = number(field, &mut rate, "1..86400 (seconds)")?;
        rate.finish()?;
        Rate::new(count, seconds)
    })
}

fn scope(fields: &mut Fields<'_>, field: Field) -> Result<Scope, LimitsError> {
    match fields.peek() {
        Some(ANY) => match fields.take(ANY, field)? {
            [] => Ok(Scope::ANY),
            _ => Err(LimitsError::NotCanonical {
                field,
                why: "NULL has no content",
            }),
        },
        Some(SET) => {
            let items = fields.list(SET, field, |list| {
                let (tag, text) = list.take_any(field)?;
                let scheme = match tag {
                    0x80 => ItemScheme::Name,
                    0x81 => ItemScheme::Lei,
                    0x82 => ItemScheme::Mic,
                    0x83 => ItemScheme::Isin,
                    found => return Err(LimitsError::UnknownScheme { field, found }),
                };
                let text = std::str::from_utf8(text).map_err(|_| LimitsError::bad_text(field, text, "ASCII"))?;
                Item::new(field, scheme, text)
            })?;
            Scope::new(field, items)
        }
        Some(found) => Err(LimitsError::UnknownScheme { field, found }),
        None => Err(LimitsError::Missing { field }),
    }
}

fn hours(fields: &mut Fields<'_>) -> Result<Hours, LimitsError> {
    let field = Field::Hours;
    let windows = fields.list(SEQUENCE, field, |list| {
        let mut window = list.enter(SEQUENCE, field)?;
        let weekdays = match window.take(BIT_STRING, field)? {
            [1, bits] if bits & 1 != 0 => {
                return Err(LimitsError::NotCanonical {
                    field,
                    why: "unused bits are zero",
                });
            }
            [1, bits] => Weekdays::new(bits.reverse_bits()).ok_or(LimitsError::NotCanonical {
                field,
                why: "a window has at least one weekday",
            })?,
            _ => {
                return Err(LimitsError::OutOfRange {
                    field,
                    range: "SIZE (7) (weekdays)",
                });
            }
        };
        let start = number(field, &mut window, "0..1439 (startMinute)")?;
        let end = number(field, &mut window, "1..1440 (endMinute)")?;
        window.finish()?;
        Window::new(weekdays, start, end)
    })?;
    Hours::new(windows)
}

/// A named bit list: no trailing zero bits (X.690 §11.2.2).
fn order_types(content: &[u8]) -> Result<OrderTypes, LimitsError> {
    let field = Field::OrderTypes;
    match *content {
        [0] => Ok(OrderTypes::NONE),
        [unused @ 0..8, bits] => {
            if bits & ((1 << unused) - 1) != 0 || bits & (1 << unused) == 0 {
                return Err(LimitsError::NotCanonical {
                    field,
                    why: "a named bit list ends in a one bit, unused bits are zero",
                });
            }
            OrderTypes::from_bits(bits.reverse_bits())
        }
        [0..8, _, _, ..] => Err(LimitsError::OutOfRange {
            field,
            range: "bits 0 to 3",
        }),
        _ => Err(LimitsError::NotDer { field }),
    }
}

fn boolean(content: &[u8]) -> Result<bool, LimitsError> {
    match content {
        [0x00] => Ok(false),
        [0xff] => Ok(true),
        [_] => Err(LimitsError::NotCanonical {
            field: Field::OrderProof,
            why: "a BOOLEAN is 00 or FF",
        }),
        _ => Err(LimitsError::NotDer {
            field: Field::OrderProof,
        }),
    }
}

fn digest(field: Field, content: &[u8]) -> Result<Digest, LimitsError> {
    content.try_into().map(Digest).map_err(|_| LimitsError::OutOfRange {
        field,
        range: "SIZE (32) (digest)",
    })
}

fn mandate_ref(mut fields: Fields<'_>) -> Result<MandateRef, LimitsError> {
    let field = Field::Mandate;
    let text = fields.take(IA5_STRING, field)?;
    let id = std::str::from_utf8(text)
        .ok()
        .and_then(|text| MandateId::new(text).ok())
        .ok_or_else(|| LimitsError::bad_text(field, text, "a mandate id: 1 to 64 of [a-z0-9-]"))?;
    let document_hash = digest(field, fields.take(OCTET_STRING, field)?)?;
    let approvers = fields.list(SEQUENCE, field, |list| digest(field, list.take(OCTET_STRING, field)?))?;
    fields.finish()?;
    MandateRef::new(id, document_hash, approvers)
}

fn number<T: TryFrom<i128>>(field: Field, fields: &mut Fields<'_>, range: &'static str) -> Result<T, LimitsError> {
    T::try_from(integer(field, fields.take(INTEGER, field)?)?).map_err(|_| LimitsError::OutOfRange { field, range })
}

pub(super) fn encode(limits: &AuthorityLimits) -> Result<Vec<u8>, LimitsError> {
    let authority = &limits.authority;
    let mut body = Vec::with_capacity(512);
    put_integer(INTEGER, 1, &mut body);
    put_integer(ENUMERATED, i128::from(limits.subject != Subject::Ca), &mut body);
    for amounts in [&authority.per_order, &authority.per_day] {
        put_list(SEQUENCE, amounts, put_money, &mut body);
    }
    put_list(SEQUENCE, &authority.order_rates, put_rate, &mut body);
    for scope in [&authority.instruments, &authority.counterparties, &authority.regions] {
        match scope.items() {
            None => put(ANY, &[], &mut body),
            Some(items) => put_list(SET, items, put_item, &mut body),
        }
    }
    put_list(SEQUENCE, authority.hours.windows(), put_window, &mut body);
    put(BIT_STRING, &named_bits(authority.order_types), &mut body);
    put_integer(INTEGER, i128::from(authority.price_collar_bps), &mut body);
    put(BOOLEAN, &[if authority.order_proof { 0xff } else { 0 }], &mut body);
    if let Subject::Agent { agent_digest, mandate } = &limits.subject {
        if let Some(digest) = agent_digest {
            put(AGENT_DIGEST, &digest.0, &mut body);
        }
        let mut reference = Vec::new();
        put(IA5_STRING, mandate.id.as_str().as_bytes(), &mut reference);
        put(OCTET_STRING, &mandate.document_hash.0, &mut reference);
        put_list(
            SEQUENCE,
            &mandate.approvers,
            |key, out| put(OCTET_STRING, &key.0, out),
            &mut reference,
        );
        put(MANDATE, &reference, &mut body);
    }
    let mut value = Vec::with_capacity(body.len() + 4);
    put(SEQUENCE, &body, &mut value);
    if value.len() > LONGEST_DER {
        return Err(LimitsError::TooLong { length: value.len() });
    }
    Ok(value)
}

fn put_list<T>(tag: u8, entries: &[T], write: impl Fn(&T, &mut Vec<u8>), out: &mut Vec<u8>) {
    let mut list = Vec::new();
    for entry in entries {
        write(entry, &mut list);
    }
    put(tag, &list, out);
}

fn put_money(money: &Money, out: &mut Vec<u8>) {
    let mut parts = Vec::new();
    put(
        0x80 | money.unit().scheme() as u8,
        money.unit().as_str().as_bytes(),
        &mut parts,
    );
    put_integer(INTEGER, i128::from(money.mantissa()), &mut parts);
    put_integer(INTEGER, i128::from(money.exponent()), &mut parts);
    put(SEQUENCE, &parts, out);
}

fn put_rate(rate: &Rate, out: &mut Vec<u8>) {
    let mut parts = Vec::new();
    put_integer(INTEGER, i128::from(rate.count()), &mut parts);
    put_integer(INTEGER, i128::from(rate.seconds()), &mut parts);
    put(SEQUENCE, &parts, out);
}

fn put_item(item: &Item, out: &mut Vec<u8>) {
    put(0x80 | item.scheme() as u8, item.as_str().as_bytes(), out);
}

fn put_window(window: &Window, out: &mut Vec<u8>) {
    let mut parts = Vec::new();
    put(BIT_STRING, &[1, window.weekdays().bits().reverse_bits()], &mut parts);
    put_integer(INTEGER, i128::from(window.start_minute()), &mut parts);
    put_integer(INTEGER, i128::from(window.end_minute()), &mut parts);
    put(SEQUENCE, &parts, out);
}

fn named_bits(kinds: OrderTypes) -> Vec<u8> {
    if kinds.is_empty() {
        return vec![0];
    }
    let bits = kinds.bits().reverse_bits();
    vec![bits.trailing_zeros() as u8, bits]
}
