//! Decimals in a venue's answer: strings in plain notation, never below zero.

use extensions::Decimal;
use serde::{Deserialize, Deserializer};

/// A decimal of at least zero.
#[derive(Clone, Copy)]
pub(in crate::venue) struct Amount(pub(super) Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        match Decimal::parse(&text) {
            Ok(value) if !value.is_negative() => Ok(Self(value)),
            _ => Err(serde::de::Error::custom("not a plain decimal of at least zero")),
        }
    }
}
