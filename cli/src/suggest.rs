//! The smallest limits that cover a history, with a stated headroom: a pure function over orders, each number with its reason.

use std::collections::{BTreeMap, BTreeSet};

use extensions::{
    Counterparty, Currency, Decimal, Instrument, Region, Timestamp,
    limits::{Authority, Hours, LimitsDocument, OrderType, ScopeDocument, Weekdays, Window},
};

/// Windows of the rates, seconds, and their names.
const WINDOWS: [(i64, &str); 4] = [(1, "1s"), (60, "1m"), (3_600, "1h"), (86_400, "1d")];
/// The gateway reads a window up to a sixteenth early, so that it never counts too few.
const EARLY: i64 = 16;
/// The collar when no order shows how far it was from the reference, basis points.
const USUAL_COLLAR_BPS: u64 = 100;
/// Digits of an amount that are not zero; the last is rounded up.
const DIGITS: u32 = 3;

/// One order of the history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    pub(crate) counterparty: Counterparty,
    pub(crate) currency: Currency,
    pub(crate) instrument: Instrument,
    pub(crate) kind: Option<OrderType>,
    pub(crate) notional: Option<Decimal>,
    /// Whether the bot signed it.
    pub(crate) proven: bool,
    pub(crate) region: Option<Region>,
    /// Basis points from the reference price on the worse side.
    pub(crate) worse_bps: Option<u64>,
}

/// What covers the history.
#[derive(Debug)]
pub(crate) struct Suggestion {
    pub(crate) limits: LimitsDocument,
    /// Each member with its reason, in the order of the document.
    pub(crate) reasons: Vec<(&'static str, String)>,
}

/// The smallest limits that cover `orders` and `headroom` percent more of each amount, rate and distance. Names and hours get none.
///
/// # Errors
/// When the history holds nothing, or more than one mandate can name.
pub(crate) fn suggest(orders: &[Seen], headroom: u32) -> Result<Suggestion, String> {
    if orders.is_empty() {
        return Err("the history holds no order".to_owned());
    }
    let mut sorted = orders.to_vec();
    sorted.sort_by_key(|seen| seen.at);
    let mut reasons = Vec::new();
    let mut because = |member: &'static str, reason: String| reasons.push((member, reason));
    let (counterparties, reason) = names(&sorted, "counterparties", |seen| Some(seen.counterparty.as_str()));
    because("counterparties", reason);
    let (hours, reason) = hours(&sorted)?;
    because("hours", reason);
    let (instruments, reason) = names(&sorted, "instruments", |seen| Some(seen.instrument.as_str()));
    because("instruments", reason);
    let order_proof = sorted.iter().all(|seen| seen.proven);
    because("order_proof", proof_reason(order_proof));
    let (order_rates, reason) = rates(&sorted, headroom);
    because("order_rates", reason);
    let (order_types, reason) = order_types(&sorted);
    because("order_types", reason);
    let (per_day, reason) = per_day(&sorted, headroom)?;
    because("per_day", reason);
    let (per_order, reason) = per_order(&sorted, headroom)?;
    because("per_order", reason);
    let (price_collar_bps, reason) = collar(&sorted, headroom);
    because("price_collar_bps", reason);
    let (regions, reason) = names(&sorted, "regions", |seen| seen.region.as_ref().map(Region::as_str));
    because("regions", reason);
    let limits = LimitsDocument {
        counterparties: ScopeDocument::Names(counterparties),
        hours,
        instruments: ScopeDocument::Names(instruments),
        order_proof,
        order_rates,
        order_types,
        per_day,
        per_order,
        price_collar_bps,
        regions: ScopeDocument::Names(regions),
    };
    let authority = Authority::try_from(limits).map_err(|error| {
        format!(
            "no one mandate covers this history: {error}; suggest for a shorter one, or for each strategy by itself"
        )
    })?;
    Ok(Suggestion {
        limits: LimitsDocument::from(&authority),
        reasons,
    })
}

fn names<'a>(orders: &'a [Seen], what: &str, name: impl Fn(&'a Seen) -> Option<&'a str>) -> (Vec<String>, String) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut unknown = 0;
    for seen in orders {
        match name(seen) {
            Some(name) => *counts.entry(name).or_default() += 1,
            None => unknown += 1,
        }
    }
    let rarest = counts.iter().min_by_key(|(_, count)| **count);
    let rarest = rarest.map_or_else(String::new, |(name, count)| format!("; the rarest, {name}, in {count}"));
    let unknown = if unknown > 0 {
        format!("; {unknown} orders named none")
    } else {
        String::new()
    };
    let reason = format!(
        "all {} {what} of {} orders{rarest}{unknown}",
        counts.len(),
        orders.len()
    );
    (counts.into_keys().map(str::to_owned).collect(), reason)
}

/// Of each weekday with orders, from the hour of the earliest to the end of the hour of the latest.
fn hours(orders: &[Seen]) -> Result<(Vec<String>, String), String> {
    let mut days: BTreeMap<u8, (u16, u16)> = BTreeMap::new();
    for seen in orders {
        let minute = seen.at.minute_of_day();
        let day = days.entry(seen.at.weekday()).or_insert((minute, minute));
        *day = (day.0.min(minute), day.1.max(minute));
    }
    let window = |(day, (first, last)): (&u8, &(u16, u16))| {
        let (from, to) = (first / 60 * 60, (last / 60 + 1) * 60);
        let days = Weekdays::new(1 << day).ok_or_else(|| "a weekday".to_owned())?;
        Window::new(days, from, to).map_err(|error| error.to_string())
    };
    let windows = days.iter().map(window).collect::<Result<Vec<_>, _>>()?;
    let covering = Hours::covering(&windows).map_err(|error| error.to_string())?;
    let earliest = days.values().map(|(first, _)| *first).min().unwrap_or(0);
    let latest = days.values().map(|(_, last)| *last).max().unwrap_or(0);
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let reason = format!(
        "UTC, whole hours of the {} weekdays with orders; earliest {}, latest {}",
        days.len(),
        clock(earliest),
        clock(latest)
    );
    Ok((covering.windows().iter().map(ToString::to_string).collect(), reason))
}

fn proof_reason(all: bool) -> String {
    if all {
        "every order of the history was signed by the bot".to_owned()
    } else {
        "not every order of the history was signed by the bot; ask for it where its software can".to_owned()
    }
}

/// The fullest window of each span. Windows that say nothing beside the day's are left out.
fn rates(orders: &[Seen], headroom: u32) -> (Vec<String>, String) {
    let (mut rates, mut reasons) = (Vec::new(), Vec::new());
    let mut narrower = 0;
    for (seconds, name) in WINDOWS {
        let span = seconds * 1_000_000 + seconds * 1_000_000 / EARLY;
        let (mut first, mut most) = (0, 0);
        for (at, seen) in orders.iter().enumerate() {
            while orders[first].at.micros() <= seen.at.micros() - span {
                first += 1;
            }
            most = most.max(at + 1 - first);
        }
        let count = with_headroom(most as u128, headroom).min(1_000_000);
        if count > narrower {
            rates.push(format!("{count}/{name}"));
            reasons.push(format!("at most {most} in {name}"));
        }
        narrower = count;
    }
    (rates, format!("{}; plus {headroom} %", reasons.join(", ")))
}

fn with_headroom(value: u128, headroom: u32) -> u128 {
    (value * u128::from(100 + headroom)).div_ceil(100)
}

fn order_types(orders: &[Seen]) -> (Vec<String>, String) {
    let kinds: Vec<OrderType> = OrderType::ALL
        .into_iter()
        .filter(|kind| orders.iter().any(|seen| seen.kind == Some(*kind)))
        .collect();
    if kinds.is_empty() {
        let reason = "the history does not name them; limit orders are the narrowest".to_owned();
        return (vec![OrderType::Limit.to_string()], reason);
    }
    let counted = kinds.iter().map(|kind| {
        let count = orders.iter().filter(|seen| seen.kind == Some(*kind)).count();
        format!("{count} {kind}")
    });
    let reason = counted.collect::<Vec<_>>().join(", ");
    (kinds.iter().map(ToString::to_string).collect(), reason)
}

fn per_order(orders: &[Seen], headroom: u32) -> Result<(Vec<String>, String), String> {
    let mut largest: BTreeMap<Currency, (Decimal, Timestamp)> = BTreeMap::new();
    for (seen, notional) in orders.iter().filter_map(|seen| Some((seen, seen.notional?.abs()))) {
        let most = largest.entry(seen.currency).or_insert((notional, seen.at));
        if notional > most.0 {
            *most = (notional, seen.at);
        }
    }
    amounts(largest.into_iter(), headroom, |amount, at| {
        format!("the largest order was {amount} at {at}")
    })
}

fn per_day(orders: &[Seen], headroom: u32) -> Result<(Vec<String>, String), String> {
    let mut days: BTreeMap<(Currency, i64), (Decimal, Timestamp)> = BTreeMap::new();
    for (seen, notional) in orders.iter().filter_map(|seen| Some((seen, seen.notional?.abs()))) {
        let day = days
            .entry((seen.currency, seen.at.day()))
            .or_insert((Decimal::ZERO, seen.at));
        let sum = day.0.checked_add(notional);
        day.0 = sum.ok_or("a day's value leaves the range of amounts")?;
    }
    let mut fullest: BTreeMap<Currency, (Decimal, Timestamp)> = BTreeMap::new();
    for ((currency, _), day) in days {
        let most = fullest.entry(currency).or_insert(day);
        if day.0 > most.0 {
            *most = day;
        }
    }
    amounts(fullest.into_iter(), headroom, |amount, at| {
        let day = at.to_string();
        format!("all orders of {} came to {amount}", day.get(..10).unwrap_or(&day))
    })
}

fn amounts(
    largest: impl Iterator<Item = (Currency, (Decimal, Timestamp))>,
    headroom: u32,
    words: impl Fn(&str, Timestamp) -> String,
) -> Result<(Vec<String>, String), String> {
    let (mut amounts, mut reasons) = (Vec::new(), BTreeSet::new());
    for (currency, (amount, at)) in largest {
        let raised =
            rounded_up(amount, headroom).ok_or_else(|| format!("{amount} {currency} leaves the range of amounts"))?;
        amounts.push(format!("{currency} {raised}"));
        reasons.insert(words(&format!("{currency} {amount}"), at));
    }
    let reasons: Vec<String> = reasons.into_iter().collect();
    Ok((
        amounts,
        format!("{}; plus {headroom} %, rounded up", reasons.join(", ")),
    ))
}

/// With headroom, to [`DIGITS`] digits, the last rounded up.
fn rounded_up(amount: Decimal, headroom: u32) -> Option<Decimal> {
    let mantissa = u128::try_from(amount.mantissa())
        .ok()?
        .checked_mul(u128::from(100 + headroom))?;
    let digits = mantissa.checked_ilog10().map_or(1, |log| log + 1);
    let unit = 10_u128.pow(digits.saturating_sub(DIGITS));
    let mut rounded = i128::try_from(mantissa.div_ceil(unit).checked_mul(unit)?).ok()?;
    let mut scale = amount.scale() + 2;
    while scale > 0 && rounded % 10 == 0 {
        (rounded, scale) = (rounded / 10, scale - 1);
    }
    Decimal::new(rounded, scale)
}

fn collar(orders: &[Seen], headroom: u32) -> (u16, String) {
    let widest = orders.iter().filter_map(|seen| seen.worse_bps).max();
    let Some(widest) = widest else {
        let reason = "the history holds no reference prices: a usual value, to be judged by hand".to_owned();
        return (USUAL_COLLAR_BPS as u16, reason);
    };
    let bps = with_headroom(u128::from(widest), headroom).clamp(1, 10_000) as u16;
    let reason = format!(
        "the order furthest on the worse side of the reference was {widest} basis points away; plus {headroom} %"
    );
    (bps, reason)
}

#[cfg(test)]
mod tests;
