//! What a halt does with open orders: the plan, order by order, and the report, which never claims success early.

use std::{collections::BTreeMap, fmt};

use extensions::{AgentId, ClientOrderId, GatewayId, StreamId};
use serde::{Deserialize, Serialize};

use crate::event::record;

/// Why a halt cancels one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelCause {
    /// The mandate cancels all.
    MandateCancelsAll,
    /// It increases risk, or no confirmed position is left for it to reduce.
    IncreasesRisk,
    /// The venue has not confirmed its acceptance.
    InDoubt,
}

/// One order to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCancel {
    /// Why.
    pub because: CancelCause,
    /// The order.
    pub client_order_id: ClientOrderId,
}

/// What a halt does with each open order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltPlan {
    /// Orders to cancel, in the order in which to send the cancels.
    pub cancel: Vec<PlannedCancel>,
    /// Protective orders that stay.
    pub keep: Vec<ClientOrderId>,
}

/// How one planned cancel ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum CancelEnd {
    /// The venue confirmed it, or confirmed that the order was no longer open.
    Cancelled,
    /// The venue has not answered for it.
    CouldNot {
        /// Why, in a few words: `venue timeout`.
        why: String,
    },
}

/// What became of a [`HaltPlan`], order by order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltReport {
    /// Each order of the plan's `cancel` that the venue has answered for.
    pub cancelled: Vec<ClientOrderId>,
    /// Each order that could not be cancelled, and why.
    pub could_not: Vec<CouldNotCancel>,
    /// Orders that stay.
    pub kept: Vec<ClientOrderId>,
}

/// One order that could not be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CouldNotCancel {
    /// The order.
    pub client_order_id: ClientOrderId,
    /// Why, in a few words: `venue timeout`.
    pub why: String,
}

/// A halt's cancels have ended at one gateway. One entry for each revocation and instance, whoever decided the revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltReported {
    /// The agent.
    pub agent: AgentId,
    /// The instance that carried it out.
    pub gateway: GatewayId,
    /// The report as people speak: `cancelled 7, kept 2 protective, could not cancel 1: venue timeout`.
    pub in_words: String,
    /// What was to be done with each open order.
    pub plan: HaltPlan,
    /// What became of it.
    pub report: HaltReport,
    /// The number of the `agent.revoked` it answers.
    pub revoked: u64,
}
record!(HaltReported, "halt.reported", |event| StreamId::agent(&event.agent));

impl HaltReported {
    /// The entry of a report.
    #[must_use]
    pub fn new(agent: AgentId, gateway: GatewayId, revoked: u64, plan: HaltPlan, report: HaltReport) -> Self {
        Self {
            agent,
            gateway,
            in_words: report.to_string(),
            plan,
            report,
            revoked,
        }
    }

    /// What is wrong with an entry that stands as number `number` of its stream: a report answers each order of its plan once, in the
    /// plan's order, and a revocation before it.
    #[must_use]
    pub fn defect(&self, number: u64) -> Option<&'static str> {
        let mut ends: BTreeMap<ClientOrderId, CancelEnd> = BTreeMap::new();
        for id in &self.report.cancelled {
            ends.insert(*id, CancelEnd::Cancelled);
        }
        for failed in &self.report.could_not {
            let why = failed.why.clone();
            ends.insert(failed.client_order_id, CancelEnd::CouldNot { why });
        }
        if self.revoked >= number {
            Some("answers a revocation that does not stand before it")
        } else if self.plan.report(|id| ends.get(id)) != self.report {
            Some("its report does not answer each order of its plan")
        } else if self.in_words != self.report.to_string() {
            Some("its words are not its report's")
        } else {
            None
        }
    }
}

impl HaltPlan {
    /// The report of this plan, given how each cancel ended; a cancel nobody has an end for could not be cancelled.
    #[must_use]
    pub fn report<'a>(&self, end_of: impl Fn(&ClientOrderId) -> Option<&'a CancelEnd>) -> HaltReport {
        let mut report = HaltReport {
            kept: self.keep.clone(),
            ..HaltReport::default()
        };
        for planned in &self.cancel {
            let id = planned.client_order_id;
            let why = match end_of(&id) {
                Some(CancelEnd::Cancelled) => {
                    report.cancelled.push(id);
                    continue;
                }
                Some(CancelEnd::CouldNot { why }) => why.clone(),
                None => "no answer yet".to_owned(),
            };
            report.could_not.push(CouldNotCancel {
                client_order_id: id,
                why,
            });
        }
        report
    }
}

impl fmt::Display for HaltReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "cancelled {}, kept {} protective",
            self.cancelled.len(),
            self.kept.len()
        )?;
        if self.could_not.is_empty() {
            return Ok(());
        }
        let mut causes: Vec<(&str, usize)> = Vec::new();
        for failed in &self.could_not {
            match causes.iter_mut().find(|(why, _)| *why == failed.why) {
                Some((_, count)) => *count += 1,
                None => causes.push((&failed.why, 1)),
            }
        }
        write!(formatter, ", could not cancel {}: ", self.could_not.len())?;
        for (at, (why, count)) in causes.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            if causes.len() == 1 {
                write!(formatter, "{comma}{why}")?;
            } else {
                write!(formatter, "{comma}{why} ({count})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn id(text: &str) -> ClientOrderId {
        ClientOrderId::new(text).unwrap()
    }

    fn plan(cancels: usize, keeps: usize) -> HaltPlan {
        HaltPlan {
            cancel: (0..cancels)
                .map(|n| PlannedCancel {
                    because: CancelCause::IncreasesRisk,
                    client_order_id: id(&format!("c{n}")),
                })
                .collect(),
            keep: (0..keeps).map(|n| id(&format!("k{n}"))).collect(),
        }
    }

    #[test]
    fn the_report_reads_as_people_speak() {
        let mut ends: HashMap<_, _> = (0..7).map(|n| (id(&format!("c{n}")), CancelEnd::Cancelled)).collect();
        let why = "venue timeout".to_owned();
        ends.insert(id("c7"), CancelEnd::CouldNot { why });
        let report = plan(8, 2).report(|id| ends.get(id));
        assert_eq!(
            report.to_string(),
            "cancelled 7, kept 2 protective, could not cancel 1: venue timeout"
        );
    }

    /// Control, tried: counting an order without an end as cancelled claims success early.
    #[test]
    fn an_order_nobody_answered_for_is_not_cancelled() {
        let report = plan(2, 0).report(|_| None);
        assert_eq!(
            report.to_string(),
            "cancelled 0, kept 0 protective, could not cancel 2: no answer yet"
        );
        let ends = HashMap::from([(
            id("c0"),
            CancelEnd::CouldNot {
                why: "venue timeout".to_owned(),
            },
        )]);
        let report = plan(2, 0).report(|id| ends.get(id));
        assert!(
            report
                .to_string()
                .ends_with("could not cancel 2: venue timeout (1), no answer yet (1)")
        );
    }
}
