//! What a new baseline changes: against the current one and against the first, with the caps that hold for all versions together.

use extensions::Decimal;

use crate::baseline::{BaselineContent, Change, Mix};

/// p99 of sizes against the first baseline, hundredths.
const SIZE_CAP: u64 = 150;
/// Orders a year against the first baseline, hundredths.
const RATE_CAP: u64 = 200;
/// Share of orders on names that the first baseline does not know, ppb.
const NEW_NAMES_CAP: u64 = 200_000_000;

/// The differences of `new` to `old`. Caps hold against the first baseline alone.
pub(super) fn changes(new: &BaselineContent, old: &BaselineContent, from_first: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut change = |what: String, from: String, to: String, beyond: bool| {
        if from != to {
            changes.push(Change {
                beyond_cap: beyond && from_first,
                from,
                from_first,
                to,
                what,
            });
        }
    };
    for size in &new.sizes.currencies {
        let before = old.sizes.currencies.iter().find(|one| one.currency == size.currency);
        match before {
            None => change(
                format!("sizes in {}", size.currency),
                "none".to_owned(),
                format!("p99 {}", size.p99),
                true,
            ),
            Some(before) => change(
                format!("p99 of sizes in {}", size.currency),
                before.p99.to_string(),
                size.p99.to_string(),
                exceeds(size.p99, before.p99, SIZE_CAP),
            ),
        }
    }
    let rate_beyond = new.lambda.saturating_mul(100) > old.lambda.saturating_mul(RATE_CAP);
    change(
        "orders a year".to_owned(),
        old.lambda.to_string(),
        new.lambda.to_string(),
        rate_beyond,
    );
    for (what, share) in [
        ("instruments", unknown(&new.instruments, &old.instruments)),
        ("counterparties", unknown(&new.counterparties, &old.counterparties)),
    ] {
        let shown = format!("{}.{} %", share / 10_000_000, share / 1_000_000 % 10);
        change(
            format!("orders on new {what}"),
            "0.0 %".to_owned(),
            shown,
            share > NEW_NAMES_CAP,
        );
    }
    let regions = |content: &BaselineContent| {
        content
            .regions
            .iter()
            .map(|one| one.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    change("regions".to_owned(), regions(old), regions(new), false);
    changes
}

/// `new` above `cap` hundredths of `old`.
fn exceeds(new: Decimal, old: Decimal, cap: u64) -> bool {
    let (new, old) = (new.checked_mul(Decimal::from(100)), old.checked_mul(Decimal::from(cap)));
    new.zip(old).is_none_or(|(new, old)| new > old)
}

/// The share of orders on names that `old` does not know, ppb.
fn unknown<T: Ord>(new: &Mix<T>, old: &Mix<T>) -> u64 {
    let known = |name: &T| old.seen.binary_search_by(|seen| seen.name.cmp(name)).is_ok();
    new.seen
        .iter()
        .filter(|seen| !known(&seen.name))
        .map(|seen| u64::from(seen.share_ppb))
        .sum()
}
