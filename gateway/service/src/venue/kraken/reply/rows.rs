//! An object whose names are ids: each once, in its order, bounded.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The most rows of one answer.
const MOST_ROWS: usize = 5_000;

/// The rows of an answer.
#[derive(Debug, Default)]
pub(super) struct Rows<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Rows<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Rows<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of rows")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rows<'de>, A::Error> {
                let (mut rows, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
                while let Some((name, row)) = map.next_entry::<String, &'de RawValue>()? {
                    if rows.len() == MOST_ROWS || !seen.insert(name.clone()) {
                        return Err(A::Error::custom("too many rows, or one twice"));
                    }
                    rows.push((Cow::Owned(name), row));
                }
                Ok(Rows(rows))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
