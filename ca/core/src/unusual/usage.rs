//! Amounts asked for beside amounts used.

use std::collections::BTreeMap;

use extensions::{
    Currency, Decimal,
    limits::{Authority, Money},
};

use super::{Flag, TIMES_USED, Used};

pub(super) fn above(limits: &Authority, used: &Used, days: u32) -> Vec<Flag> {
    let orders = each("ORDER_ABOVE_USE", "one order", limits.per_order(), &used.order, days);
    let daily = each("DAY_ABOVE_USE", "one UTC day", limits.per_day(), &used.day, days);
    orders.into_iter().chain(daily).collect()
}

fn each(code: &'static str, of: &str, asked: &[Money], used: &BTreeMap<Currency, Decimal>, days: u32) -> Vec<Flag> {
    let flag = |amount: &Money| {
        let largest = *used.get(&amount.unit().currency()).filter(|used| used.is_positive())?;
        // A product beyond what amounts can say is above every amount that can be asked for.
        let most = largest.checked_mul(Decimal::from(u64::from(TIMES_USED)))?;
        (amount.to_decimal() > most).then(|| Flag {
            code,
            asked: amount.to_string(),
            against: Some(format!("{} {largest}", amount.unit())),
            words: format!(
                "{of} may come to {amount}: more than {TIMES_USED} times the largest that was permitted in the last {days} days, {} {largest}",
                amount.unit()
            ),
        })
    };
    asked.iter().filter_map(flag).collect()
}
