//! One order's score: pure, without allocation, in integers.

use extensions::Digest;

use crate::{
    baseline::{ApprovedBaseline, BaselineContent, DayTable, ProposedBaseline, Step},
    calibrator::{e_value, surprise},
    components::{self, COMPONENTS, Component, Look, Setting},
    detector::{self, DETECTORS, Detector},
    exponential::{Weighted, ln_sum, ln_weight},
    logarithm::ln,
    observation::Observation,
    record::{Channel, ComponentRecord, Components, ScoreRecord},
    scale::{LN_2, MOST_EVIDENCE, SMALLEST_LAMBDA, ln_micro, score_of},
    settings::{CONFIG_VERSION, MILLION, Settings},
    state::{ScorerState, Today},
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
    Scored {
        record: judge(baseline.content(), baseline.digest(), state, observation),
    }
}

/// Computes the record of an order again from the log and the baseline; `state` is the fold of the entries before it.
#[must_use]
pub fn recompute(baseline: &ApprovedBaseline, state: &ScorerState, observation: &Observation) -> ScoreRecord {
    score(baseline, state, observation).record
}

/// The score that a proposal would give: an answer to a question, from which nothing follows.
#[must_use]
pub fn rehearse(proposed: &ProposedBaseline, state: &ScorerState, observation: &Observation) -> ScoreRecord {
    judge(proposed.content(), proposed.digest(), state, observation)
}

/// The score under a content that need not be approved: what fitting replays with.
pub(crate) fn judge(
    content: &BaselineContent,
    digest: Digest,
    state: &ScorerState,
    observation: &Observation,
) -> ScoreRecord {
    let setting = state.setting(observation);
    let looks = components::read(content, &setting, observation);
    let weights = detector::weights(&content.settings);
    let drift = drifts(content, state, &setting, &looks);
    let evidence = Weighted::of(&weights, &drift);
    let c_after = evidence.ln_sum(|_| true);
    let today = state.today(observation.at).with(&setting, &looks);
    let day_drift = days(content, &today);
    let day = ln_sum(&component_weights(&content.settings), &day_drift);
    let (components, e) = parts(content, &looks, &weights, &evidence);
    let point = ln_micro(e);
    let settled = Settled::of(content, point, c_after, day);
    let (orders, step) = leading(content, state, &drift, &day_drift, &weights, settled.channel);
    ScoreRecord {
        a: settled.a,
        baseline: digest,
        c_after,
        c_before: state.total(),
        channel: settled.channel,
        components,
        config: CONFIG_VERSION,
        d: step.d,
        day,
        day_drift,
        day_products: today.products,
        day_sums: today.sums,
        drift,
        e,
        lambda: settled.lambda,
        new: components::new_names(content, setting.new, observation),
        orders,
        score: score_of(settled.a, settled.lambda),
        theta: step.theta,
    }
}

/// ln C of each detector after the order.
fn drifts(
    content: &BaselineContent,
    state: &ScorerState,
    setting: &Setting,
    looks: &[Look; DETECTORS],
) -> [i64; DETECTORS] {
    std::array::from_fn(|at| {
        let detector = Detector::ALL[at];
        if detector.skips(&setting.counted) {
            return state.evidence()[at];
        }
        let step = content.drift.get(at).copied().unwrap_or(Step::OFF);
        drift(
            state.drift_before(detector, setting),
            ln_micro(looks[at].e),
            step.d,
            step.theta,
        )
    })
}

/// ln D of each component, today included: half on how rare the day's statistic is among the days of the baseline, half on the
/// product of the day's e-values.
pub(crate) fn days(content: &BaselineContent, today: &Today) -> [i64; COMPONENTS] {
    std::array::from_fn(|at| {
        content.day.tables.get(at).map_or(0, |table| {
            drift(today.before[at], day_evidence(table, today, at), 0, table.theta)
        })
    })
}

/// ln of a component's e-value of the day so far.
pub(crate) fn day_evidence(table: &DayTable, today: &Today, at: usize) -> i64 {
    let rarity = ln_micro(e_value(table.p_value(today.sums[at])));
    ln_sum(&[500_000, 500_000], &[rarity, today.products[at]])
}

impl Today {
    /// With one more order. The statistic of a day grows and never falls: evidence above one of each detector; for rates, the
    /// fullest window by its surprise.
    pub(crate) fn with(mut self, setting: &Setting, looks: &[Look; DETECTORS]) -> Self {
        let mut means = [0_u64; COMPONENTS];
        for (detector, look) in Detector::ALL.into_iter().zip(looks) {
            let at = detector.component() as usize;
            let sum = &mut self.sums[at];
            let e = if detector.skips(&setting.counted) {
                NEUTRAL_E
            } else {
                look.e
            };
            means[at] += e * detector.part() / 1_000;
            *sum = match detector.window() {
                Some(_) => (*sum).max(surprise(look.p)),
                None => sum.saturating_add(ln_micro(e).max(0)),
            };
        }
        for (at, product) in self.products.iter_mut().enumerate() {
            // Windows do not multiply by the order: they are in the statistic alone.
            if at != Component::Rate as usize {
                *product = product
                    .saturating_add(ln_micro(means[at]))
                    .clamp(-MOST_EVIDENCE, MOST_EVIDENCE);
            }
        }
        self
    }
}

/// An e-value that says nothing, millionths.
const NEUTRAL_E: u64 = 1_000_000;

/// What the channels come to.
struct Settled {
    a: i64,
    channel: Channel,
    lambda: u64,
}

impl Settled {
    /// The channel with the fewest expected false alarms. With two of them in use each has half of the budget.
    fn of(content: &BaselineContent, point: i64, c: i64, day: i64) -> Self {
        let split = if content.channels.order && content.channels.day {
            LN_2
        } else {
            0
        };
        let (channel, a) = if point > c {
            (Channel::Point, point)
        } else {
            (Channel::Drift, c)
        };
        let order = Self {
            a: a - split,
            channel,
            lambda: content.lambda,
        };
        let day = Self {
            a: day - split,
            channel: Channel::Day,
            lambda: content.day.lambda,
        };
        let rarity = |one: &Self| one.a - ln(u128::from(one.lambda.max(SMALLEST_LAMBDA)));
        match (content.channels.order, content.channels.day) {
            (true, false) => order,
            (false, true) => day,
            _ if rarity(&day) > rarity(&order) => day,
            _ => order,
        }
    }
}

/// The orders or days behind the leading detector, and its step.
fn leading(
    content: &BaselineContent,
    state: &ScorerState,
    drift: &[i64; DETECTORS],
    day: &[i64; COMPONENTS],
    weights: &[u64; DETECTORS],
    channel: Channel,
) -> (u32, Step) {
    if channel == Channel::Day {
        let parts = component_weights(&content.settings);
        let at = largest::<COMPONENTS>(|at| day[at] + ln_weight(parts[at]));
        let theta = content.day.tables.get(at).map_or(0, |table| table.theta);
        return (state.days()[at].max(1), Step { d: 0, theta });
    }
    let at = largest::<DETECTORS>(|at| drift[at] + ln_weight(weights[at]));
    let orders = match channel {
        Channel::Point => 1,
        _ if drift[at] > 0 => state.orders()[at].saturating_add(1),
        _ => 0,
    };
    (orders, content.drift.get(at).copied().unwrap_or(Step::OFF))
}

fn largest<const N: usize>(value: impl Fn(usize) -> i64) -> usize {
    (0..N).fold(0, |best, at| if value(at) > value(best) { at } else { best })
}

pub(crate) fn component_weights(settings: &Settings) -> [u64; COMPONENTS] {
    Component::ALL.map(|component| u64::from(component.weight(&settings.weights)))
}

/// The five components and E: the weighted mean of all e-values.
fn parts(
    content: &BaselineContent,
    looks: &[Look; DETECTORS],
    weights: &[u64; DETECTORS],
    evidence: &Weighted<DETECTORS>,
) -> (Components, u64) {
    let mut weighted = [0_u64; COMPONENTS];
    let mut driver = [None::<usize>; COMPONENTS];
    for (at, look) in looks.iter().enumerate() {
        let component = Detector::ALL[at].component() as usize;
        weighted[component] += weights[at] * look.e;
        let best = driver[component].get_or_insert(at);
        if looks[*best].e * weights[*best] < look.e * weights[at] {
            *best = at;
        }
    }
    let shares = shares(&weighted);
    let records = std::array::from_fn(|at| {
        let component = Component::ALL[at];
        let weight = component.weight(&content.settings.weights);
        let driver = driver[at].unwrap_or(0);
        ComponentRecord {
            c: evidence.ln_sum(|one| Detector::ALL[one].component() == component),
            driver: Detector::ALL[driver],
            e: weighted[at] / u64::from(weight.max(1)),
            observed: looks[driver].observed,
            p: looks[driver].p,
            share: shares[at],
            weight,
        }
    });
    let e = weighted.iter().sum::<u64>() / u64::from(MILLION);
    (Components::from_order(records), e)
}

/// `C = max(1, C) · (E·e^-d)^theta` in logarithms; the product is rounded down, so it never adds evidence.
pub(crate) fn drift(before: i64, point: i64, d: i64, theta: u32) -> i64 {
    // Both are below 2^41, and theta below 2^20: the product fits.
    let gain = point.clamp(-FARTHEST, FARTHEST) - d.clamp(0, FARTHEST);
    let step = (gain * i64::from(theta))
        .div_euclid(i64::from(MILLION))
        .clamp(-MOST_EVIDENCE, MOST_EVIDENCE);
    (before.clamp(0, MOST_EVIDENCE) + step).clamp(-MOST_EVIDENCE, MOST_EVIDENCE)
}

/// The largest evidence and allowance that are told apart, micro-nats.
const FARTHEST: i64 = 1 << 41;

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
            ("drift", self.drift == other.drift),
            ("c_after", self.c_after == other.c_after),
            ("day_products", self.day_products == other.day_products),
            ("day_sums", self.day_sums == other.day_sums),
            ("day_drift", self.day_drift == other.day_drift),
            ("day", self.day == other.day),
            ("new", self.new == other.new),
            ("orders", self.orders == other.orders),
            ("channel", self.channel == other.channel),
            ("a", self.a == other.a),
            ("score", self.score == other.score),
        ];
        members.iter().find(|(_, same)| !same).map(|(name, _)| *name)
    }

    /// The component that explains the score best: of the channel that gave it, the largest part.
    #[must_use]
    pub fn top(&self) -> Component {
        let records = self.components.in_order();
        Component::ALL[largest::<COMPONENTS>(|at| match self.channel {
            Channel::Point => i64::from(records[at].share),
            Channel::Drift => records[at].c,
            Channel::Day => self.day_drift[at] + ln_weight(u64::from(records[at].weight)),
        })]
    }

    /// The detector with the largest part of C.
    #[must_use]
    pub fn leading(&self) -> Detector {
        let weights = self.components.in_order().map(|part| u64::from(part.weight));
        Detector::ALL[largest::<DETECTORS>(|at| {
            let detector = Detector::ALL[at];
            self.drift[at] + ln_weight(weights[detector.component() as usize] * detector.part() / 1_000)
        })]
    }

    /// Each component's reason in words, heaviest weight first: "rate: 41 orders in 1 s; baseline p99 is 3; ...".
    #[must_use]
    pub fn reasons(&self, baseline: &ApprovedBaseline, observation: &Observation) -> [String; COMPONENTS] {
        Component::ALL.map(|component| self.reason(component, baseline, observation))
    }

    /// One component's reason in words.
    #[must_use]
    pub fn reason(&self, component: Component, baseline: &ApprovedBaseline, observation: &Observation) -> String {
        self.reason_under(component, baseline.content(), observation)
    }

    fn reason_under(&self, component: Component, content: &BaselineContent, observation: &Observation) -> String {
        components::reason(component, content, &self.components.of(component), observation)
    }

    /// The whole score in one sentence, its leading reason last.
    #[must_use]
    pub fn summary(&self, baseline: &ApprovedBaseline, observation: &Observation) -> String {
        self.summary_under(baseline.content(), observation)
    }

    /// The same under a content that need not be approved.
    #[must_use]
    pub fn summary_under(&self, content: &BaselineContent, observation: &Observation) -> String {
        let channel = match self.channel {
            Channel::Point => "this order alone".to_owned(),
            Channel::Drift => format!("{} orders together", self.orders),
            Channel::Day => format!("{} days together", self.orders),
        };
        format!(
            "score 0.{:06} from {channel}; {}",
            self.score.min(MILLION - 1),
            self.reason_under(self.top(), content, observation)
        )
    }
}

#[cfg(test)]
mod tests;
