//! Rounds, and what is said of them: medians, and the rule that drops a round whose control is off.

/// A round whose control is this many times off its median is dropped.
const OFF: f64 = 1.5;

/// The median; NaN of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Keeps the rounds whose control lies near the median of all controls.
pub(crate) fn kept<T>(rounds: Vec<T>, control: impl Fn(&T) -> f64) -> Vec<T> {
    let middle = median(rounds.iter().map(&control));
    let near = |round: &T| {
        let off = control(round) / middle;
        (1.0 / OFF..=OFF).contains(&off)
    };
    rounds.into_iter().filter(near).collect()
}
