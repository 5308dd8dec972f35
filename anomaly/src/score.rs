//! One order's score: pure, without allocation, in integers.

use crate::{
    baseline::{ApprovedBaseline, BaselineContent},
    components::{self, COMPONENTS, Component, Reading},
    observation::Observation,
    record::{Channel, ComponentRecord, Components, ScoreRecord},
    scale::{MOST_EVIDENCE, ln_micro, score_of},
    settings::{CONFIG_VERSION, MILLION},
    state::ScorerState,
    window::SCALES,
};

/// The score of one order, computed here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    record: ScoreRecord,
}

/// What the scorer can say about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "boxing would allocate in the order path")]
pub enum Scoring {
    /// The order was scored.
    Scored(Scored),
    /// No approved baseline is in force (none yet, or lost): the policy refuses or observes, it never assumes health.
    NoBaseline,
}

/// Scores `observation` if a baseline is in force.
#[must_use]
pub fn assess(baseline: Option<&ApprovedBaseline>, state: &ScorerState, observation: &Observation) -> Scoring {
    baseline.map_or(Scoring::NoBaseline, |baseline| {
        Scoring::Scored(score(baseline, state, observation))
    })
}

/// Scores `observation` at its own time, after everything that `state` has folded. Also what a verifier calls: the same baseline,
/// state and observation give the same record, bit for bit.
#[must_use]
pub fn score(baseline: &ApprovedBaseline, state: &ScorerState, observation: &Observation) -> Scored {
    let content = baseline.content();
    let counts = state.counts(observation.at).map(|count| count.saturating_add(1));
    let Evidence {
        readings,
        weights,
        weighted,
        e,
    } = Evidence::read(content, &counts, observation);
    let shares = shares(&weighted);
    let before = state.component_evidence();
    let records: [ComponentRecord; COMPONENTS] = std::array::from_fn(|at| {
        let Reading { driver, e, observed, p } = readings[at];
        ComponentRecord {
            c: drift(before[at], ln_micro(e), content.d, content.theta),
            driver,
            e,
            observed,
            p,
            share: shares[at],
            weight: weights[at],
        }
    });
    let point = ln_micro(e);
    let c_after = drift(state.evidence(), point, content.d, content.theta);
    let (channel, a) = if point > c_after {
        (Channel::Point, point)
    } else {
        (Channel::Drift, c_after)
    };
    Scored {
        record: ScoreRecord {
            a,
            baseline: baseline.digest(),
            c_after,
            c_before: state.evidence(),
            channel,
            components: Components::from_order(records),
            config: CONFIG_VERSION,
            d: content.d,
            e,
            lambda: content.lambda,
            orders: if c_after > 0 {
                state.excursion().0.saturating_add(1)
            } else {
                0
            },
            score: score_of(a, content.lambda),
            theta: content.theta,
        },
    }
}

/// Computes the record of an order again from the log and the baseline; `state` is the fold of the entries before it.
#[must_use]
pub fn recompute(baseline: &ApprovedBaseline, state: &ScorerState, observation: &Observation) -> ScoreRecord {
    score(baseline, state, observation).record
}

/// The five readings and their weighted mean.
struct Evidence {
    readings: [Reading; COMPONENTS],
    weights: [u32; COMPONENTS],
    weighted: [u64; COMPONENTS],
    /// E, millionths.
    e: u64,
}

impl Evidence {
    fn read(content: &BaselineContent, counts: &[u32; SCALES], observation: &Observation) -> Self {
        let readings = components::read(content, counts, observation);
        let weights = Component::ALL.map(|component| component.weight(&content.settings.weights));
        let weighted: [u64; COMPONENTS] = std::array::from_fn(|at| u64::from(weights[at]) * readings[at].e);
        let e = weighted.iter().sum::<u64>() / u64::from(MILLION);
        Self {
            readings,
            weights,
            weighted,
            e,
        }
    }
}

/// ln E of one order, micro-nats; `counts` are the orders within each span, this one included.
pub(crate) fn point_evidence(content: &BaselineContent, counts: &[u32; SCALES], observation: &Observation) -> i64 {
    ln_micro(Evidence::read(content, counts, observation).e)
}

/// `C = max(1, C) · (E·e^-d)^theta` in logarithms; the product is rounded down, so it never adds evidence.
pub(crate) fn drift(before: i64, point: i64, d: i64, theta: u32) -> i64 {
    let step = (i128::from(point) - i128::from(d)) * i128::from(theta);
    let step = step
        .div_euclid(i128::from(MILLION))
        .clamp(-i128::from(MOST_EVIDENCE), i128::from(MOST_EVIDENCE));
    (before.clamp(0, MOST_EVIDENCE) + step as i64).clamp(-MOST_EVIDENCE, MOST_EVIDENCE)
}

/// Each part of the whole in millionths, summing to exactly one million: largest remainders first, ties in order.
fn shares(parts: &[u64; COMPONENTS]) -> [u32; COMPONENTS] {
    let million = u64::from(MILLION);
    let shift = (64 - parts.iter().sum::<u64>().leading_zeros()).saturating_sub(43);
    let parts = parts.map(|part| part >> shift);
    let total = parts.iter().sum::<u64>().max(1);
    let mut shares = parts.map(|part| (part * million / total) as u32);
    let mut rests = parts.map(|part| part * million % total);
    let mut missing = MILLION.saturating_sub(shares.iter().sum());
    while missing > 0 {
        let largest = (0..COMPONENTS).fold(0, |best, at| if rests[at] > rests[best] { at } else { best });
        shares[largest] += 1;
        rests[largest] = 0;
        missing -= 1;
    }
    shares
}

impl Scored {
    /// What is recorded with the order.
    #[must_use]
    pub fn record(&self) -> &ScoreRecord {
        &self.record
    }

    /// The score, 0 to 1,000,000.
    #[must_use]
    pub fn score(&self) -> u32 {
        self.record.score
    }

    /// The channel that gave it.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.record.channel
    }

    /// The component with the largest share of this order's evidence.
    #[must_use]
    pub fn top(&self) -> Component {
        self.record.top()
    }
}

impl ScoreRecord {
    /// The first member in which `other` differs, by its name in the log; `None` when they are the same.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let members = [
            ("baseline", self.baseline == other.baseline),
            ("config", self.config == other.config),
            ("d", self.d == other.d),
            ("theta", self.theta == other.theta),
            ("lambda", self.lambda == other.lambda),
            ("components", self.components == other.components),
            ("e", self.e == other.e),
            ("c_before", self.c_before == other.c_before),
            ("c_after", self.c_after == other.c_after),
            ("orders", self.orders == other.orders),
            ("channel", self.channel == other.channel),
            ("a", self.a == other.a),
            ("score", self.score == other.score),
        ];
        members.iter().find(|(_, same)| !same).map(|(name, _)| *name)
    }

    /// The component that explains the score best: for the point channel by share, for drift by its own evidence.
    #[must_use]
    pub fn top(&self) -> Component {
        let records = self.components.in_order();
        let weight = |at: usize| match self.channel {
            Channel::Point => i64::from(records[at].share),
            Channel::Drift => records[at].c,
        };
        Component::ALL[(0..COMPONENTS).fold(0, |best, at| if weight(at) > weight(best) { at } else { best })]
    }

    /// Each component's reason in words, heaviest weight first: "rate: 41 orders in 1 s; baseline p99 is 3; ...".
    #[must_use]
    pub fn reasons(&self, baseline: &ApprovedBaseline, observation: &Observation) -> [String; COMPONENTS] {
        Component::ALL.map(|component| self.reason(component, baseline, observation))
    }

    /// One component's reason in words.
    #[must_use]
    pub fn reason(&self, component: Component, baseline: &ApprovedBaseline, observation: &Observation) -> String {
        let record = self.components.of(component);
        let reading = Reading {
            driver: record.driver,
            e: record.e,
            observed: record.observed,
            p: record.p,
        };
        components::reason(component, baseline.content(), &reading, observation)
    }

    /// The whole score in one sentence, its leading reason last.
    #[must_use]
    pub fn summary(&self, baseline: &ApprovedBaseline, observation: &Observation) -> String {
        let channel = match self.channel {
            Channel::Point => "this order alone".to_owned(),
            Channel::Drift => format!("{} orders together", self.orders),
        };
        format!(
            "score 0.{:06} from {channel}; {}",
            self.score.min(MILLION - 1),
            self.reason(self.top(), baseline, observation)
        )
    }
}

#[cfg(test)]
mod tests;
