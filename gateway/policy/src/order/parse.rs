//! From the body of `POST /v1/orders` to an [`Order`]: every fault at once, each with the field and what to change.

use std::str::FromStr;

use extensions::{Decimal, IdError};

use super::{
    Order, OrderKind, OrderTerms, ParsedOrder, Reasoning, Side, TimeInForce,
    fault::{FaultKind, OrderFault, excerpt},
    json::{Scanner, Value, unescape},
};

/// The longest body that is read, in bytes: 2,000 characters of reasoning, each an escaped surrogate pair, and the terms.
pub const LONGEST_BODY: usize = 32 * 1024;
/// The longest reasoning, in characters.
pub const LONGEST_REASONING: usize = 2_000;

/// The fields of an order, in the order of RFC 8785; a slot each.
pub(super) const FIELDS: [&str; 12] = [
    "client_order_id",
    "counterparty",
    "currency",
    "instrument",
    "price",
    "quantity",
    "reasoning",
    "reduce_only",
    "side",
    "stop_price",
    "time_in_force",
    "type",
];

/// The slot of a field: one comparison by length, in place of a search.
#[inline]
pub(super) fn slot_of(field: &str) -> Option<usize> {
    Some(match field {
        "client_order_id" => 0,
        "counterparty" => 1,
        "currency" => 2,
        "instrument" => 3,
        "price" => 4,
        "quantity" => 5,
        "reasoning" => 6,
        "reduce_only" => 7,
        "side" => 8,
        "stop_price" => 9,
        "time_in_force" => 10,
        "type" => 11,
        _ => return None,
    })
}

struct Fields<'a> {
    values: [Option<Value<'a>>; FIELDS.len()],
    faults: Vec<OrderFault>,
}

pub(super) fn from_json(body: &[u8]) -> Result<ParsedOrder, Vec<OrderFault>> {
    if body.len() > LONGEST_BODY {
        let message = format!("is {} bytes long; an order has at most {LONGEST_BODY}", body.len());
        return Err(vec![OrderFault::new("body", FaultKind::TooLarge, message)]);
    }
    let mut fields = Fields {
        values: [None; FIELDS.len()],
        faults: Vec::new(),
    };
    Scanner::new(body)
        .and_then(|scanner| scanner.object(|key, value| fields.take(key, value)))
        .map_err(|fault| vec![fault])?;
    fields.into_order()
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: &'a str, value: Value<'a>) -> Result<(), OrderFault> {
        match slot_of(key) {
            Some(slot) if self.values[slot].is_some() => Err(OrderFault::new(
                key,
                FaultKind::Repeated,
                "stands twice; send each field once",
            )),
            Some(slot) => {
                self.values[slot] = Some(value);
                Ok(())
            }
            None if self.faults.len() < FIELDS.len() => {
                let message = format!("is no field of an order; remove it. Fields: {}", FIELDS.join(", "));
                self.faults.push(OrderFault::new(key, FaultKind::Unknown, message));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn into_order(mut self) -> Result<ParsedOrder, Vec<OrderFault>> {
        let client_order_id = self.id("client_order_id", "bot7-000123");
        let counterparty = self.id("counterparty", "exchange_a");
        let currency = self.id("currency", "EUR");
        let instrument = self.id("instrument", "BTC_EUR");
        let price = self.decimal("price");
        let quantity = self.decimal("quantity");
        self.require("quantity", quantity.is_none());
        let reasoning = self.reasoning();
        let reduce_only = self.flag("reduce_only");
        let side = self.word("side", &[("buy", Side::Buy), ("sell", Side::Sell)]);
        self.require("side", side.is_none());
        let stop_price = self.decimal("stop_price");
        let time_in_force = self.word(
            "time_in_force",
            &[
                ("gtc", TimeInForce::Gtc),
                ("ioc", TimeInForce::Ioc),
                ("fok", TimeInForce::Fok),
            ],
        );
        let kind = self.word(
            "type",
            &[
                ("limit", OrderKind::Limit),
                ("market", OrderKind::Market),
                ("stop_limit", OrderKind::StopLimit),
                ("stop_market", OrderKind::StopMarket),
            ],
        );
        self.require("type", kind.is_none());
        self.refuse_unkept(kind, time_in_force);
        let complete = (
            client_order_id,
            counterparty,
            currency,
            instrument,
            quantity,
            side,
            kind,
        );
        let (
            Some(client_order_id),
            Some(counterparty),
            Some(currency),
            Some(instrument),
            Some(quantity),
            Some(side),
            Some(kind),
        ) = complete
        else {
            return Err(self.faults);
        };
        let time_in_force = time_in_force.unwrap_or(if kind == OrderKind::Market {
            TimeInForce::Ioc
        } else {
            TimeInForce::Gtc
        });
        let terms = OrderTerms {
            client_order_id,
            counterparty,
            currency,
            instrument,
            price,
            quantity,
            reduce_only,
            side,
            stop_price,
            time_in_force,
            kind,
        };
        let mut faults = self.faults;
        for fault in faults_of_terms(&terms) {
            if !faults.iter().any(|known| known.field == fault.field) {
                faults.push(fault);
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let order = Order(terms);
        Ok(ParsedOrder {
            body: order.body_digest(),
            order,
            list: None,
            reasoning,
        })
    }

    #[inline]
    fn value(&self, field: &str) -> Option<Value<'a>> {
        slot_of(field).and_then(|slot| self.values[slot])
    }

    /// No venue is told a time in force for these types, so one that asks for more than the type does by itself would be dropped
    /// on the way. Held to at the edge alone: an entry of an older log stays readable.
    fn refuse_unkept(&mut self, kind: Option<OrderKind>, stated: Option<TimeInForce>) {
        let (unkept, message) = match (kind, stated) {
            (Some(OrderKind::Market), Some(TimeInForce::Fok)) => (
                FaultKind::BadValue,
                "is fok; a market order fills what it finds: write ioc, leave it out, or send a limit order",
            ),
            (Some(OrderKind::StopMarket), Some(_)) => (
                FaultKind::Unexpected,
                "does not belong to a stop_market order, which waits until its stop price and then fills what it finds; remove it",
            ),
            _ => return,
        };
        self.fault("time_in_force", unkept, message);
    }

    fn fault(&mut self, field: &str, kind: FaultKind, message: impl Into<String>) {
        self.faults.push(OrderFault::new(field, kind, message));
    }

    /// Adds *missing* unless the field's value has already been found at fault.
    fn require(&mut self, field: &str, missing: bool) {
        if missing && self.value(field).is_none() {
            self.fault(field, FaultKind::Missing, "is missing; every order names it");
        }
    }

    fn id<T: FromStr<Err = IdError>>(&mut self, field: &str, example: &str) -> Option<T> {
        self.require(field, self.value(field).is_none());
        match self.value(field)? {
            Value::Text(text) => match text.parse() {
                Ok(id) => Some(id),
                Err(error) => {
                    let message = format!(
                        "is {:?}; write 1 to {} characters of [{}], such as {example:?}",
                        excerpt(text),
                        error.longest,
                        error.alphabet
                    );
                    self.fault(field, FaultKind::BadValue, message);
                    None
                }
            },
            Value::Escaped(_) => {
                self.fault(
                    field,
                    FaultKind::BadValue,
                    "holds an escape; write it in plain ASCII characters",
                );
                None
            }
            other => {
                self.fault(
                    field,
                    FaultKind::WrongType,
                    format!("is {}; write a string such as {example:?}", other.name()),
                );
                None
            }
        }
    }

    /// A decimal as a JSON string or a plain JSON number, read digit by digit.
    fn decimal(&mut self, field: &str) -> Option<Decimal> {
        let text = match self.value(field)? {
            Value::Text(text) | Value::Number(text) | Value::Escaped(text) => text,
            Value::Null if field != "quantity" => return None,
            other => {
                self.fault(
                    field,
                    FaultKind::WrongType,
                    format!("is {}; write a decimal such as \"0.125\"", other.name()),
                );
                return None;
            }
        };
        match Decimal::parse(text) {
            Ok(decimal) => Some(decimal),
            Err(error) => {
                self.fault(field, FaultKind::BadValue, format!("is {:?}: {error}", excerpt(text)));
                None
            }
        }
    }

    fn flag(&mut self, field: &str) -> bool {
        match self.value(field) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => flag,
            Some(other) => {
                self.fault(
                    field,
                    FaultKind::WrongType,
                    format!("is {}; write true or false", other.name()),
                );
                false
            }
        }
    }

    fn word<T: Copy>(&mut self, field: &str, words: &[(&str, T)]) -> Option<T> {
        let found = match self.value(field)? {
            Value::Text(text) => match words.iter().find(|(word, _)| *word == text) {
                Some((_, value)) => return Some(*value),
                None => format!("{:?}", excerpt(text)),
            },
            other => other.name().to_owned(),
        };
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.fault(
            field,
            FaultKind::BadValue,
            format!("is {found}; write one of {}", words.join(", ")),
        );
        None
    }

    fn reasoning(&mut self) -> Option<Reasoning> {
        let text = match self.value("reasoning")? {
            Value::Null => return None,
            Value::Text(text) => text.to_owned(),
            Value::Escaped(text) => unescape(text)?,
            other => {
                self.fault(
                    "reasoning",
                    FaultKind::WrongType,
                    format!("is {}; write a string", other.name()),
                );
                return None;
            }
        };
        let length = text.chars().count();
        if length > LONGEST_REASONING {
            let message = format!("is {length} characters long; write at most {LONGEST_REASONING}");
            self.fault("reasoning", FaultKind::BadValue, message);
            return None;
        }
        Some(Reasoning(text)).filter(|reasoning| !reasoning.0.is_empty())
    }
}

/// What does not fit between the terms: amounts above zero, prices exactly where the type has them.
pub(super) fn faults_of_terms(terms: &OrderTerms) -> Vec<OrderFault> {
    let mut faults = Vec::new();
    if !terms.quantity.is_positive() {
        faults.push(OrderFault::new(
            "quantity",
            FaultKind::BadValue,
            format!("is {}; write an amount above 0", terms.quantity),
        ));
    }
    for (field, value, wanted) in [
        ("price", terms.price, terms.kind.has_price()),
        ("stop_price", terms.stop_price, terms.kind.has_stop_price()),
    ] {
        let kind = terms.kind.as_str();
        match value {
            None if wanted => {
                faults.push(OrderFault::new(
                    field,
                    FaultKind::Missing,
                    format!("is missing; a {kind} order has one"),
                ));
            }
            Some(_) if !wanted => {
                let message = format!("does not belong to a {kind} order; remove it or change the type");
                faults.push(OrderFault::new(field, FaultKind::Unexpected, message));
            }
            Some(value) if !value.is_positive() => {
                faults.push(OrderFault::new(
                    field,
                    FaultKind::BadValue,
                    format!("is {value}; write a price above 0"),
                ));
            }
            _ => {}
        }
    }
    if terms.kind == OrderKind::Market && terms.time_in_force == TimeInForce::Gtc {
        let message = "is gtc; a market order does not rest: write ioc, or leave it out";
        faults.push(OrderFault::new("time_in_force", FaultKind::BadValue, message));
    }
    faults
}
