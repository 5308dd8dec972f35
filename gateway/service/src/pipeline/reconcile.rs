//! What officers are told of a venue: doubts that asking does not resolve, and orders that no permit explains (orders.md §3: reconciliation is
//! also the bypass detector). Each once, as an entry of the gateway's stream, for webhooks and people.

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use extensions::{AgentId, Counterparty};
use gateway_policy::OpenOrder;
use ledger::{
    Append,
    events::{DoubtUnresolved, ForeignOrder, GatewayEvent},
};

use crate::{
    gateway::Gateway,
    metrics::Metrics,
    venue::{OpenOrders, OrderReport, VenueClientId},
};

/// How long a doubt may stay before officers hear of it.
const DOUBTS_AFTER: Duration = Duration::from_secs(60);
/// From one look at everything that the venue lists, open or traded, to the next, in whole rounds of the watch: officers hear of a bypass within
/// 5 s, and the venue counts that as many questions.
const LOOKS_EVERY: Duration = Duration::from_secs(3);
/// The most foreign orders that are remembered as told; the ledger knows the same one again by its id.
const MOST_TOLD: usize = 4_096;

/// What one watch has told, and when it looked.
pub(super) struct Reconciling {
    doubts_after: Duration,
    looks_every: Duration,
    looked: Option<Instant>,
    doubts: HashSet<(AgentId, u64)>,
    orders: HashSet<String>,
    /// Under ids of ours, and not open in any state, when it looked last.
    strays: BTreeSet<VenueClientId>,
}

impl Default for Reconciling {
    fn default() -> Self {
        Self::with(DOUBTS_AFTER, LOOKS_EVERY)
    }
}

impl Reconciling {
    pub(super) fn with(doubts_after: Duration, looks_every: Duration) -> Self {
        Self {
            doubts_after,
            looks_every,
            looked: None,
            doubts: HashSet::new(),
            orders: HashSet::new(),
            strays: BTreeSet::new(),
        }
    }

    /// Whether the doubt has stayed too long and nobody was told.
    pub(super) fn overdue(&mut self, key: (AgentId, u64), since: Instant) -> bool {
        since.elapsed() >= self.doubts_after && self.doubts.insert(key)
    }

    /// Keeps what `lives`.
    pub(super) fn forget(&mut self, lives: impl Fn(&(AgentId, u64)) -> bool) {
        self.doubts.retain(lives);
    }

    /// Whether it is time to look at all that the venue lists.
    pub(super) fn looks_now(&mut self) -> bool {
        let due = self.looked.is_none_or(|at| at.elapsed() >= self.looks_every);
        if due {
            self.looked = Some(Instant::now());
        }
        due
    }

    /// Tells of what is listed and not explained. An order under an id of our making that no state holds open may have ended between the two
    /// looks at once; found twice, it is as foreign as any.
    pub(super) fn compare(
        &mut self,
        gateway: &Gateway,
        counterparty: Counterparty,
        listed: &OpenOrders,
        ours: impl Fn(&VenueClientId) -> bool,
    ) {
        let stray = |report: &&OrderReport| report.client_id.is_some_and(|id| !ours(&id));
        let strays: Vec<&OrderReport> = listed.ours.iter().filter(stray).collect();
        let again = strays
            .iter()
            .filter(|report| report.client_id.is_some_and(|id| self.strays.contains(&id)));
        let foreign: Vec<&OrderReport> = listed.foreign.iter().chain(again.copied()).collect();
        for report in foreign {
            if self.orders.len() >= MOST_TOLD {
                self.orders.clear();
            }
            if self.orders.insert(report.venue_order_id.to_string()) {
                tell_foreign(gateway, counterparty, report);
            }
        }
        if listed.unread > 0 {
            tracing::warn!(%counterparty, rows = listed.unread, "the venue lists orders of others that cannot be read");
        }
        self.strays = strays.iter().filter_map(|report| report.client_id).collect();
    }
}

/// Tells of a doubt that stays.
pub(super) fn tell_doubt(gateway: &Gateway, counterparty: Counterparty, agent: AgentId, order: &OpenOrder) {
    let id = format!("doubt-{agent}-{}", order.number);
    let doubt = DoubtUnresolved {
        agent,
        client_order_id: order.order.client_order_id,
        counterparty,
        gateway: gateway.settings.id,
        instrument: order.order.instrument,
        order: order.number,
        since: order.permitted_at,
    };
    tracing::error!(%agent, order = order.number, "the venue does not tell whether it holds an order");
    record(gateway, GatewayEvent::DoubtUnresolved(doubt), id);
}

fn tell_foreign(gateway: &Gateway, counterparty: Counterparty, report: &OrderReport) {
    let id = format!("foreign-{counterparty}-{}", report.venue_order_id);
    let order = ForeignOrder {
        client_id: report.client_id.map(|id| id.to_string()),
        counterparty,
        gateway: gateway.settings.id,
        instrument: report.instrument,
        quantity: report.quantity,
        venue_reference: report.venue_order_id.to_string(),
    };
    Metrics::count(&gateway.metrics.foreign_orders);
    tracing::error!(%counterparty, order = %report.venue_order_id, "an order under our credential that no permit explains");
    record(gateway, GatewayEvent::ForeignOrder(order), id);
}

/// Whether it is on its way into the record.
pub(super) fn record(gateway: &Gateway, event: GatewayEvent, id: String) -> bool {
    let append = Append::next(event, gateway.clock.now()).with_id(id).patient();
    let queued = gateway.writer.tell(append, |answer| {
        if let Err(error) = answer {
            tracing::error!(%error, "what a gateway found at a venue was not recorded");
        }
    });
    if let Err(full) = &queued {
        tracing::error!(error = %full, "what a gateway found at a venue was not recorded");
    }
    queued.is_ok()
}
