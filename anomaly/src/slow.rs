//! The slow detector: orders since the first baseline against that baseline, in blocks of a week, whatever was approved between. It
//! reads histories when a baseline is proposed, never in the order path, and nothing resets it.

use crate::{
    baseline::{BaselineContent, SlowDrift},
    components::{self, Component},
    detector::{DETECTORS, Detector},
    exponential::ln_sum,
    logarithm::ln,
    observation::Observation,
    scale::ln_micro,
    state::ScorerState,
};

/// Weeks a year, and the false alarms a year at which it flags: one in ten years.
const WEEKS: u128 = 52;

/// What `observations`, by time, come to against `first`.
#[must_use]
pub fn watch(first: &BaselineContent, observations: &[Observation]) -> Vec<SlowDrift> {
    let mut state = ScorerState::NEW;
    let (mut evidence, mut block) = ([0_i64; DETECTORS], [0_i64; DETECTORS]);
    let (mut week, mut weeks) = (i64::MIN, 0_u32);
    for observation in observations {
        // Weeks from Monday: day 0 of 1970 was a Thursday.
        let this = (observation.at.day() + 3).div_euclid(7);
        if this != week {
            close(&mut evidence, &mut block);
            (week, weeks) = (this, weeks + 1);
        }
        let setting = state.setting(observation);
        let looks = components::read(first, &setting, observation);
        for (at, detector) in Detector::ALL.into_iter().enumerate() {
            let step = first.drift.get(at).copied().unwrap_or(crate::baseline::Step::OFF);
            // Windows are judged anew with every order and belong to the fast channels.
            if detector.window().is_none() && !detector.skips(&setting.counted) {
                let gain = (ln_micro(looks[at].e) - step.d) / 1_000 * i64::from(step.theta) / 1_000;
                block[at] = block[at].saturating_add(gain);
            }
        }
        rate_of_day(&mut block, first, &setting);
        state.observe(observation);
    }
    close(&mut evidence, &mut block);
    Component::ALL
        .map(|component| drift_of(component, &evidence, weeks))
        .to_vec()
}

/// A day's first order brings the rate of the day before to account.
fn rate_of_day(block: &mut [i64; DETECTORS], first: &BaselineContent, setting: &components::Setting) {
    let (day, before) = (Detector::RateDay as usize, setting.last_day);
    if !setting.counted.continued[3] && before > 0 {
        let e = first
            .rates
            .get(3)
            .map_or(500_000, |rate| components::rate_evidence(rate, before));
        block[day] = block[day].saturating_add(ln_micro(e));
    }
}

/// A week ends: its evidence is added, and never falls below none.
fn close(evidence: &mut [i64; DETECTORS], block: &mut [i64; DETECTORS]) {
    for (sum, week) in evidence.iter_mut().zip(block) {
        *sum = sum.saturating_add(*week).max(0);
        *week = 0;
    }
}

fn drift_of(component: Component, evidence: &[i64; DETECTORS], weeks: u32) -> SlowDrift {
    let parts: [u64; DETECTORS] = std::array::from_fn(|at| {
        let detector = Detector::ALL[at];
        if detector.component() == component {
            detector.part() * 1_000
        } else {
            0
        }
    });
    let evidence = ln_sum(&parts, evidence);
    // Five components share one alarm in ten years.
    let threshold = ln(WEEKS * 10 * 5);
    SlowDrift {
        component,
        evidence,
        flagged: evidence >= threshold,
        weeks,
    }
}
