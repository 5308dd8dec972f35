//! A bot's message on `/v1/stream`: an envelope of a few members around the same order body that `POST /v1/orders` takes.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest `id`, in bytes: it is only handed back.
const LONGEST_ID: usize = 64;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    /// The bytes of the order, not read yet.
    Order(&'a str),
    /// One open order of this id.
    Cancel(String),
    /// All open orders.
    CancelAll,
    /// The bot leaves on purpose.
    Goodbye,
}

/// A message whose envelope was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    /// Comes back with the answer.
    pub(crate) id: Option<String>,
    /// What is asked for.
    pub(crate) op: Op<'a>,
}

/// A message that asks for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its id, where it could be read.
    pub(crate) id: Option<String>,
    /// What is wrong with it.
    pub(crate) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    client_order_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow, default)]
    order: Option<&'a RawValue>,
}

/// Reads the envelope.
///
/// # Errors
/// When it is not JSON, has other members than its `op` takes, or an id above [`LONGEST_ID`].
pub(crate) fn parse(text: &str) -> Result<Asked<'_>, Fault> {
    let unread = |why: String| Fault { id: None, why };
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| {
        unread(format!(
            "expected {{\"id\":..,\"op\":\"order\",\"order\":{{..}}}} or an op of cancel, cancel_all, goodbye: {error}"
        ))
    })?;
    let id = envelope.id.map(Cow::into_owned);
    if let Some(length) = id.as_ref().map(String::len).filter(|length| *length > LONGEST_ID) {
        return Err(unread(format!("id: at most {LONGEST_ID} bytes, not {length}")));
    }
    let op = match (&*envelope.op, envelope.order, envelope.client_order_id) {
        ("order", Some(order), None) => Op::Order(order.get()),
        ("cancel", None, Some(client_order_id)) => Op::Cancel(client_order_id.into_owned()),
        ("cancel_all", None, None) => Op::CancelAll,
        ("goodbye", None, None) => Op::Goodbye,
        (op @ ("order" | "cancel" | "cancel_all" | "goodbye"), ..) => {
            let why = format!("op {op}: order takes `order`, cancel takes `client_order_id`, the others take neither");
            return Err(Fault { id, why });
        }
        (other, ..) => {
            let shown: String = other.chars().take(32).collect();
            let why = format!("op {shown:?}: expected order, cancel, cancel_all or goodbye");
            return Err(Fault { id, why });
        }
    };
    Ok(Asked { id, op })
}

/// Any bytes: what is read is bounded, and an order's bytes are a part of the message as they came.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_stream_message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(asked) => {
            assert!(asked.id.is_none_or(|id| id.len() <= LONGEST_ID));
            if let Op::Order(order) = asked.op {
                assert!(text.contains(order));
                serde_json::from_str::<serde::de::IgnoredAny>(order).expect("JSON");
            }
        }
        Err(fault) => assert!(!fault.why.is_empty() && fault.id.is_none_or(|id| id.len() <= LONGEST_ID)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(text: &str) -> Option<(Option<String>, Op<'_>)> {
        parse(text).ok().map(|asked| (asked.id, asked.op))
    }

    #[test]
    fn each_op_takes_its_own_members() {
        let id = Some("7".to_owned());
        let order = r#"{"quantity": 1e-8,"x":[{}]}"#;
        let text = format!(r#"{{"id":"7","op":"order","order":{order}}}"#);
        assert_eq!(op(&text), Some((id, Op::Order(order))), "byte for byte");
        let cancel = r#"{"op":"cancel","client_order_id":"a\u002d1"}"#;
        assert_eq!(op(cancel), Some((None, Op::Cancel("a-1".to_owned()))));
        assert_eq!(op(r#"{"op":"cancel_all"}"#), Some((None, Op::CancelAll)));
        assert_eq!(op(r#"{"op":"goodbye"}"#), Some((None, Op::Goodbye)));
    }

    /// Control, built in: the same without the fault is read above.
    #[test]
    fn anything_else_is_refused_in_words() {
        let long = format!(r#"{{"id":"{}","op":"goodbye"}}"#, "x".repeat(65));
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"op":"order"}"#,
            r#"{"op":"order","order":{},"client_order_id":"a"}"#,
            r#"{"op":"cancel"}"#,
            r#"{"op":"cancel_all","order":{}}"#,
            r#"{"op":"goodbye","op":"goodbye"}"#,
            r#"{"op":"order","order":{},"order":{}}"#,
            r#"{"op":"withdraw"}"#,
            r#"{"op":"goodbye","more":1}"#,
            r#"{"id":7,"op":"goodbye"}"#,
            r#"{"op":"goodbye"} {"op":"goodbye"}"#,
            &long,
        ] {
            let fault = parse(text).expect_err(text);
            assert!(!fault.why.is_empty());
        }
        let fault = parse(r#"{"id":"7","op":"withdraw"}"#).expect_err("unknown");
        assert_eq!(fault.id.as_deref(), Some("7"));
    }
}
