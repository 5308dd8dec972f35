//! Limits as people write and read them, in TOML and JSON mandate documents.

use serde::{Deserialize, Serialize};

use super::{
    Authority, AuthorityParts, EffectiveLimits, EffectiveRate, Field, Hours, Item, LimitsError, Money, OrderType,
    OrderTypes, Rate, Scope, Unit,
};
use crate::{Currency, Decimal};

/// A list of names, or the word `any` (CA certificates only).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScopeDocument {
    /// Exactly the text `any`, not in a list.
    Word(String),
    /// Names; bare, or with their scheme: `lei:…`, `mic:…`, `isin:…`.
    Names(Vec<String>),
}

/// The readable form of [`Authority`]. Reading sorts and merges; writing gives the one canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsDocument {
    /// With whom: `["exchange_a", "mic:XNAS"]`.
    pub counterparties: ScopeDocument,
    /// UTC hours: `["Mon-Fri 07:00-20:00"]`; over midnight runs into the next day; `["always"]`.
    pub hours: Vec<String>,
    /// What may be traded: `["BTC_EUR"]`.
    pub instruments: ScopeDocument,
    /// Whether each order must carry the bot's own signature.
    pub order_proof: bool,
    /// Risk-carrying messages: `["60/1s", "2000/1m"]`.
    pub order_rates: Vec<String>,
    /// `limit`, `market`, `stop_limit`, `stop_market`.
    pub order_types: Vec<String>,
    /// Upper notional of one UTC day, an amount for each unit: `["EUR 5000000"]`.
    pub per_day: Vec<String>,
    /// Upper notional of one order: `["EUR 500000", "USDT 500000"]`.
    pub per_order: Vec<String>,
    /// Basis points from the reference price on the worse side, 0 to 10000.
    pub price_collar_bps: u16,
    /// From where: `["eu-west-1"]`.
    pub regions: ScopeDocument,
}

impl TryFrom<LimitsDocument> for Authority {
    type Error = LimitsError;

    fn try_from(document: LimitsDocument) -> Result<Self, LimitsError> {
        let mut order_rates = document
            .order_rates
            .iter()
            .map(|text| Rate::parse(text))
            .collect::<Result<Vec<_>, _>>()?;
        order_rates.sort_by_key(|rate| rate.seconds());
        Self::new(AuthorityParts {
            per_order: amounts(Field::PerOrder, &document.per_order)?,
            per_day: amounts(Field::PerDay, &document.per_day)?,
            order_rates,
            instruments: scope(Field::Instruments, &document.instruments)?,
            counterparties: scope(Field::Counterparties, &document.counterparties)?,
            regions: scope(Field::Regions, &document.regions)?,
            hours: Hours::parse(&document.hours)?,
            order_types: order_types(&document.order_types)?,
            price_collar_bps: document.price_collar_bps,
            order_proof: document.order_proof,
        })
    }
}

fn amounts(field: Field, texts: &[String]) -> Result<Vec<Money>, LimitsError> {
    let read = |text: &String| {
        let (unit, amount) = text.split_once(' ')?;
        Money::from_decimal(Unit::parse(unit)?, Decimal::parse(amount).ok()?)
    };
    let mut amounts = texts
        .iter()
        .map(|text| {
            read(text).ok_or_else(|| {
                LimitsError::unreadable(field, text, "a unit and an amount above zero such as \"EUR 500000\"")
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    amounts.sort_by_key(Money::unit);
    Ok(amounts)
}

fn scope(field: Field, document: &ScopeDocument) -> Result<Scope, LimitsError> {
    match document {
        ScopeDocument::Word(word) if word == "any" => Ok(Scope::ANY),
        ScopeDocument::Word(word) => Err(LimitsError::unreadable(
            field,
            word,
            "a list of names, or the word \"any\" for a CA",
        )),
        ScopeDocument::Names(names) => {
            let mut items = names
                .iter()
                .map(|name| Item::parse(field, name))
                .collect::<Result<Vec<_>, _>>()?;
            items.sort_unstable();
            Scope::new(field, items)
        }
    }
}

fn order_types(words: &[String]) -> Result<OrderTypes, LimitsError> {
    let field = Field::OrderTypes;
    let mut kinds = Vec::new();
    for word in words {
        let kind = OrderType::parse(word)
            .ok_or_else(|| LimitsError::unreadable(field, word, "limit, market, stop_limit or stop_market"))?;
        if kinds.contains(&kind) {
            return Err(LimitsError::Duplicate { field });
        }
        kinds.push(kind);
    }
    Ok(OrderTypes::of(&kinds))
}

impl From<&Authority> for LimitsDocument {
    fn from(authority: &Authority) -> Self {
        fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
            values.into_iter().map(|value| value.to_string()).collect()
        }
        let scope = |scope: &Scope| match scope.items() {
            None => ScopeDocument::Word("any".to_owned()),
            Some(items) => ScopeDocument::Names(texts(items)),
        };
        Self {
            counterparties: scope(authority.counterparties()),
            hours: texts(authority.hours().windows()),
            instruments: scope(authority.instruments()),
            order_proof: authority.order_proof(),
            order_rates: texts(authority.order_rates()),
            order_types: texts(authority.order_types().iter()),
            per_day: texts(authority.per_day()),
            per_order: texts(authority.per_order()),
            price_collar_bps: authority.price_collar_bps(),
            regions: scope(authority.regions()),
        }
    }
}

impl From<&EffectiveLimits> for LimitsDocument {
    /// What is permitted in the end, in the same spelling. Narrowing may leave nothing of a dimension: its list is empty then.
    fn from(limits: &EffectiveLimits) -> Self {
        fn names<T: ToString>(members: Option<&[T]>) -> ScopeDocument {
            match members {
                None => ScopeDocument::Word("any".to_owned()),
                Some(members) => ScopeDocument::Names(members.iter().map(T::to_string).collect()),
            }
        }
        let amounts = |amounts: &[(Currency, Decimal)]| {
            let text = |(unit, amount): &(Currency, Decimal)| format!("{unit} {amount}");
            amounts.iter().map(text).collect()
        };
        let rate = |rate: &EffectiveRate| Rate {
            count: rate.count,
            seconds: rate.seconds,
        };
        Self {
            counterparties: names(limits.counterparties()),
            hours: limits.hours().windows().iter().map(ToString::to_string).collect(),
            instruments: names(limits.instruments()),
            order_proof: limits.order_proof(),
            order_rates: limits.rates().iter().map(|row| rate(row).to_string()).collect(),
            order_types: limits.order_types().iter().map(|kind| kind.to_string()).collect(),
            per_day: amounts(limits.per_day_all()),
            per_order: amounts(limits.per_order_all()),
            price_collar_bps: limits.price_collar_bps(),
            regions: names(limits.regions()),
        }
    }
}

impl From<Authority> for LimitsDocument {
    fn from(authority: Authority) -> Self {
        Self::from(&authority)
    }
}
