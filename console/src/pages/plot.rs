//! The score over an agent's orders as a drawing: a bar an order, split by what each component gave. Rendered here, without a script; the table of
//! the same orders says the same in words.

use super::activity::Order;

/// The drawing's own units.
const WIDTH: u32 = 720;
const HEIGHT: u32 = 160;
/// Scores and shares are in millionths.
const WHOLE: u64 = 1_000_000;

/// The drawing.
pub(super) struct Plot {
    pub(super) bars: Vec<Bar>,
    pub(super) warn: u32,
    pub(super) revoke: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// One order.
pub(super) struct Bar {
    pub(super) title: String,
    pub(super) parts: Vec<Part>,
}

/// What one component gave.
pub(super) struct Part {
    pub(super) component: String,
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A height from the ground, of a score in millionths.
fn height_of(score: u64) -> u32 {
    u32::try_from(score.min(WHOLE) * u64::from(HEIGHT) / WHOLE).unwrap_or(HEIGHT)
}

impl Plot {
    /// The orders, the newest first, drawn from the oldest on the left; none when no order has a score.
    pub(super) fn of(orders: &[Order], warn: u64, revoke: u64) -> Option<Self> {
        let scored: Vec<_> = orders
            .iter()
            .rev()
            .filter_map(|order| Some((order, order.score.as_ref()?)))
            .collect();
        let each = WIDTH / u32::try_from(scored.len()).ok().filter(|count| *count > 0)?;
        let bars = (0..).zip(&scored).map(|(at, (order, score))| {
            let mut below = 0;
            let mut parts = Vec::new();
            for one in &score.contributions {
                // From the sum, not piece by piece: what rounding takes from one part it gives to the next.
                let top = height_of(score.score * (below + one.share) / WHOLE);
                let ground = height_of(score.score * below / WHOLE);
                below += one.share;
                if top > ground {
                    parts.push(Part {
                        component: one.component.clone(),
                        x: at * each,
                        y: HEIGHT - top,
                        width: each.saturating_sub(1).max(1),
                        height: top - ground,
                    });
                }
            }
            let title = format!("{} {}: {}", order.at, order.order.client_order_id, score.words());
            Bar { title, parts }
        });
        Some(Self {
            bars: bars.collect(),
            warn: HEIGHT - height_of(warn),
            revoke: HEIGHT - height_of(revoke),
            width: WIDTH,
            height: HEIGHT,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(score: u64, shares: [u64; 2]) -> Order {
        let contributions = json!([
            {"component": "size", "share": shares[0]},
            {"component": "rate", "share": shares[1]},
        ]);
        serde_json::from_value(json!({
            "at": "2026-11-28T10:00:00.000000Z", "checks": [], "decision": "permit", "number": 3, "position": 9,
            "order": {"client_order_id": "a", "instrument": "BTC_EUR", "side": "buy", "type": "limit", "quantity": "1", "currency": "EUR"},
            "score": {"channel": "point", "contributions": contributions, "leading": "size", "score": score},
        }))
        .unwrap()
    }

    /// The parts of a bar stand on one another and reach exactly as high as the score, whatever the shares round to.
    #[test]
    fn parts_sum_to_the_score() {
        for (score, shares) in [
            (1_000_000, [333_333, 666_667]),
            (851_234, [999_999, 1]),
            (7, [500_000, 500_000]),
        ] {
            let plot = Plot::of(&[order(score, shares)], 750_000, 850_000).unwrap();
            let parts = &plot.bars[0].parts;
            let sum: u32 = parts.iter().map(|part| part.height).sum();
            assert_eq!(sum, height_of(score));
            let mut ground = HEIGHT;
            for part in parts {
                assert_eq!(part.y + part.height, ground);
                ground = part.y;
            }
        }
    }

    #[test]
    fn the_oldest_is_on_the_left_and_nothing_is_drawn_of_nothing() {
        assert!(Plot::of(&[], 750_000, 850_000).is_none());
        let plot = Plot::of(
            &[order(900_000, [1_000_000, 0]), order(100_000, [1_000_000, 0])],
            750_000,
            850_000,
        )
        .unwrap();
        let heights: Vec<_> = plot.bars.iter().map(|bar| bar.parts[0].height).collect();
        assert!(heights[0] < heights[1] && plot.bars[0].parts[0].x < plot.bars[1].parts[0].x);
        assert!(plot.revoke < plot.warn && plot.bars.len() == 2);
    }
}
