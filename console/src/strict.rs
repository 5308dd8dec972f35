//! JSON as it is accepted: one value, no member twice, no fraction, not too deep, and of exactly the expected shape.
//!
//! serde alone lets a map hold one key twice and takes the last; two readers of such a text can disagree (security.md §3, CWE-436).

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use crate::{DEEPEST_JSON, problem::Problem};

/// Reads a body.
///
/// # Errors
/// Says what is wrong and where.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let refuse = |error: serde_json::Error| Problem::bad("BODY", &format!("the body is refused: {error}"));
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    Form { depth: 0 }.deserialize(&mut deserializer).map_err(refuse)?;
    deserializer.end().map_err(refuse)?;
    serde_json::from_slice(body).map_err(refuse)
}

/// Fuzz target: any bytes are refused or read, in bounded depth.
pub fn fuzz_json(data: &[u8]) {
    let _ = read::<serde_json::Value>(data);
}

#[derive(Clone, Copy)]
struct Form {
    depth: usize,
}

impl Form {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= DEEPEST_JSON {
            return Err(E::custom(format!("nested more than {DEEPEST_JSON} deep")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Form {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Form {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without fractions")
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while values.next_element_seed(inner)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let (inner, mut names) = (self.deeper()?, BTreeSet::new());
        while let Some(Name(name)) = members.next_key()? {
            members.next_value_seed(inner)?;
            if let Some(twice) = names.replace(name) {
                return Err(A::Error::custom(format!("member {twice:?} twice")));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Name(String);

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Negative control: with `serde_json::from_slice` alone all but the last two are read.
    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let deep = format!("{}1{}", "[".repeat(DEEPEST_JSON + 1), "]".repeat(DEEPEST_JSON + 1));
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"{"a":1.5}"#,
            r#"{"a":1e3}"#,
            deep.as_str(),
            r#"{"a":1} {"#,
            "\u{feff}{}",
        ] {
            assert!(read::<Value>(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(read::<Value>(br#"{"a":[1,"x",null,true,{"a":-1}]}"#).is_ok());
        let deep = format!("{}1{}", "[".repeat(DEEPEST_JSON), "]".repeat(DEEPEST_JSON));
        assert!(read::<Value>(deep.as_bytes()).is_ok());
    }
}
