//! Query and form parameters as one list: bounded, unescaped once, each name once. Two readers that disagree about an order are an attack.

use std::fmt;

use gateway_policy::Code;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The most parameters of one request; an order has a dozen.
const MOST_PARAMETERS: usize = 32;

/// What says nothing here: the gateway signs and times its requests itself.
pub(in crate::api) const PLACEHOLDERS: [&str; 6] = ["timestamp", "recvWindow", "signature", "apiKey", "nonce", "otp"];

/// Why a request is no order, with what to change.
pub(in crate::api) type Fault = (Code, String);

/// The plain members of a JSON body, and those that were asked for as they stand.
pub(in crate::api) type Bodied<'a> = (Parameters, Vec<(String, &'a RawValue)>);

/// The parameters of one request.
#[derive(Debug)]
pub(in crate::api) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads query and body, in whatever order the names stand.
    pub(in crate::api) fn read(query: Option<&str>, body: &[u8]) -> Result<Self, Fault> {
        let malformed = |detail: &str| (Code::OrderMalformed, detail.to_owned());
        let body = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
        let mut read: Vec<(String, String)> = Vec::new();
        let pairs = query.unwrap_or_default().split('&').chain(body.trim_end().split('&'));
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| malformed("a parameter without ="))?;
            let unescaped = unescape(name).zip(unescape(value));
            let (name, value) = unescaped.ok_or_else(|| malformed("a parameter is not escaped ASCII"))?;
            if read.len() == MOST_PARAMETERS {
                return Err(malformed("more than 32 parameters"));
            }
            if read.iter().any(|(known, _)| *known == name) {
                return Err(malformed("a parameter stands twice; send each once"));
            }
            read.push((name, value));
        }
        Ok(Self(read))
    }

    /// Reads the members of a flat JSON object under the same bounds, and hands back as they stand those named in `apart`, which may be lists.
    pub(in crate::api) fn json<'a>(text: &'a str, apart: &[&str]) -> Result<Bodied<'a>, Fault> {
        let malformed = |detail: &str| (Code::OrderMalformed, detail.to_owned());
        let Members(members) =
            serde_json::from_str(text).map_err(|_| malformed("not one JSON object of at most 32 names, each once"))?;
        let (mut read, mut lists) = (Vec::new(), Vec::new());
        for (name, value) in members {
            if apart.contains(&name.as_str()) {
                lists.push((name, value));
                continue;
            }
            let value = plain(value).ok_or_else(|| malformed("a value is no plain text, number, true or false"))?;
            read.push((name, value));
        }
        Ok((Self(read), lists))
    }

    /// A value, if sent; an empty one counts as not sent.
    pub(in crate::api) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// A value that has to be there.
    pub(in crate::api) fn needed(&self, name: &str) -> Result<&str, Fault> {
        self.text(name)
            .ok_or_else(|| (Code::OrderInvalid, format!("{name} is missing")))
    }

    /// A whole number, if sent.
    pub(in crate::api) fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let digits = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse().ok())
                .flatten()
        };
        let read = |text| digits(text).ok_or_else(|| (Code::OrderInvalid, format!("{name} is no whole number")));
        self.text(name).map(read).transpose()
    }

    /// Refuses every name but these and what says nothing here: a filter that is dropped would make the answer another one.
    pub(in crate::api) fn only(&self, known: &[&str]) -> Result<(), Fault> {
        if self
            .names()
            .all(|name| known.contains(&name) || PLACEHOLDERS.contains(&name))
        {
            return Ok(());
        }
        let detail = format!(
            "a parameter that has no meaning here; there may be {}",
            known.join(", ")
        );
        Err((Code::OrderInvalid, detail))
    }

    /// The same without some.
    pub(in crate::api) fn without(&self, names: &[&str]) -> Self {
        let others = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        Self(others.cloned().collect())
    }

    /// Every name.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// The members of a JSON object in their order, bounded and each once: a general reader keeps the last of two.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.len() == MOST_PARAMETERS || members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("too many names, or one twice"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// A value of JSON as a form would have it: a number stays as it was written, `null` counts as not sent.
fn plain(value: &RawValue) -> Option<String> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => {
            let text: String = serde_json::from_str(text).ok()?;
            text.bytes().all(|b| b.is_ascii_graphic() || b == b' ').then_some(text)
        }
        b'n' => Some(String::new()),
        b'{' | b'[' => None,
        _ => Some(text.to_owned()),
    }
}

/// How many rows are asked for: from 1 to `most`, `usual` without a wish.
pub(in crate::api) fn number_in(parameters: &Parameters, name: &str, most: u64, usual: u64) -> Result<usize, Fault> {
    let rows = parameters.number(name)?.unwrap_or(usual);
    let fits = (1..=most).contains(&rows).then(|| usize::try_from(rows).ok()).flatten();
    fits.ok_or_else(|| (Code::OrderInvalid, format!("{name} is not 1 to {most}")))
}

/// The text behind `%XX` and `+`; `None` unless all of it is printable ASCII.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = String::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (bytes.next()?, bytes.next()?);
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                digit(high)? * 16 + digit(low)?
            }
            byte => byte,
        };
        if !byte.is_ascii_graphic() && byte != b' ' {
            return None;
        }
        out.push(char::from(byte));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once_wherever_it_stands() {
        let read = Parameters::read(Some("a=1&b=%32"), b"c=x+y").expect("three");
        assert_eq!((read.text("b"), read.text("c")), (Some("2"), Some("x y")));
        for (query, body) in [
            ("a=1&a=1", ""),
            ("a=1", "a=2"),
            ("a=1", "%61=2"),
            ("a", ""),
            ("a=%0", ""),
            ("a=%00", ""),
        ] {
            let fault = Parameters::read(Some(query), body.as_bytes()).expect_err(query);
            assert_eq!(fault.0, Code::OrderMalformed, "{query} {body}");
        }
    }

    /// Control, tried: without the look for a name twice, the second one counts.
    #[test]
    fn json_says_the_same_as_a_form() {
        let text = r#"{"a":"x y","b":1e-8,"c":true,"d":null,"orders":[{"a":[]}]}"#;
        let (read, lists) = Parameters::json(text, &["orders"]).expect("members");
        let told = ["a", "b", "c", "d"].map(|name| read.text(name));
        assert_eq!(told, [Some("x y"), Some("1e-8"), Some("true"), None]);
        assert_eq!((lists.len(), lists[0].1.get()), (1, r#"[{"a":[]}]"#));
        let many: Vec<String> = (0..33).map(|n| format!("\"n{n}\":1")).collect();
        let many = format!("{{{}}}", many.join(","));
        for text in [
            "",
            "[]",
            "a=1",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"orders":[],"orders":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":"\u0000"}"#,
            r#"{"a":"é"}"#,
            r#"{"a":01}"#,
            r#"{"a":1} "#.trim_end_matches([' ', '}']),
            r#"{"a":1}{}"#,
            &many,
        ] {
            let fault = Parameters::json(text, &["orders"]).err().map(|(code, _)| code);
            assert_eq!(fault, Some(Code::OrderMalformed), "{text}");
        }
    }
}
