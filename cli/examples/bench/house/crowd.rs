//! Agents by the thousand, each registered, with an approved mandate and an approved baseline, written into the ledger of a house that was just
//! founded. They never connect: they are there to be held in memory.

use anomaly::{BaselineApproved, BaselineProposed, Learning, ProposedBaseline, Settings};
use ca_core::events::{AgentRegistered, ApplicationApproved, ApplicationSubmitted};
use extensions::{AgentId, Clock as _, Digest, MandateId, OfficerId, OwnerId, Record, StreamId, oids::Environment};
use ledger::{Append, Writer};
use mandatum::{clock::SystemClock, config::Config};

use super::{clerk::Clerk, papers};

/// Agents whose entries are in one batch.
const AT_ONCE: usize = 8;

/// Registers `count` of them.
pub(super) async fn register(writer: &Writer, config: &Config, count: usize) -> anyhow::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut clerk = Clerk::appoint(writer, config).await?;
    let first = AgentId::new("crowd-0")?;
    let mut learning = Learning::new(first);
    papers::history()?.into_iter().for_each(|row| learning.observe(row));
    let baseline = learning.propose(&Settings::house(), None)?;
    let mut pending = Vec::new();
    for place in 0..count {
        let agent = AgentId::new(&format!("crowd-{place}"))?;
        let mut content = baseline.content().clone();
        content.agent = agent;
        for append in papers_of(agent, &ProposedBaseline::new(content)?, &mut clerk)? {
            pending.push(
                writer
                    .queue(append)
                    .map_err(|full| anyhow::anyhow!("{}", full.reason))?,
            );
        }
        if place % AT_ONCE == AT_ONCE - 1 || place + 1 == count {
            for one in pending.drain(..) {
                one.await?;
            }
        }
    }
    Ok(())
}

/// Any of the events, as it is written.
#[derive(Debug)]
pub(super) struct Event {
    stream: StreamId,
    kind: &'static str,
    body: Vec<u8>,
}

impl Event {
    pub(super) fn of(record: &dyn Record) -> Self {
        let mut body = Vec::new();
        record.write_body(&mut body);
        Self {
            stream: record.stream(),
            kind: record.kind(),
            body,
        }
    }
}

impl Record for Event {
    fn stream(&self) -> StreamId {
        self.stream.clone()
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.body);
    }
}

fn papers_of(agent: AgentId, baseline: &ProposedBaseline, clerk: &mut Clerk) -> anyhow::Result<Vec<Append<Event>>> {
    let now = SystemClock.now();
    let (officer, owner) = (OfficerId::new("ada")?, OwnerId::new("desk")?);
    let mandate = MandateId::new(&format!("m-{agent}"))?;
    let document = papers::document(agent, mandate, owner)?;
    let digest = document.digest();
    let expires_at = now.plus_seconds(90 * 86_400);
    let registered = AgentRegistered {
        agent,
        declared_code_digest: None,
        declared_model: "bench".to_owned(),
        environment: Environment::Sandbox,
        expires_at,
        owner,
        purpose: Digest::of(b"load"),
        registered_by: officer,
        sealed: Vec::new(),
    };
    let submitted = ApplicationSubmitted {
        agent,
        applicant: officer,
        document,
        document_digest: digest,
        expires_at,
        mandate,
        narrowed_by: None,
        nonce: Digest::of(agent.as_str().as_bytes()),
        owner,
        revision: 1,
        sealed: Vec::new(),
    };
    let approved = ApplicationApproved {
        agent,
        approvers: vec![Digest::of(b"grace")],
        document: digest,
        mandate,
        revision: 1,
        rules: Vec::new(),
    };
    let (question, signed, closed, reference) = clerk.approve(baseline)?;
    let in_force = BaselineApproved {
        agent,
        approvals: vec![reference],
        baseline: baseline.digest(),
        version: baseline.content().version,
    };
    let proposed = BaselineProposed::of(baseline);
    let events: [&dyn Record; 8] = [
        &registered,
        &submitted,
        &approved,
        &proposed,
        &question,
        &signed,
        &in_force,
        &closed,
    ];
    Ok(events.map(|event| Append::next(Event::of(event), now)).into())
}
