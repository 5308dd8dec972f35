//! Entries that a signed proposal became: that enough officers signed, and that the entry says what they signed.

use ca_core::register::Proposal;
use extensions::{AgentId, ApprovalDecision, ApprovalRecord, Digest};
use serde_json::Value;

use super::signatures::Signatures;
use crate::append::CommittedEntry;

/// Members of such an entry that officers do not sign: the signatures themselves, and what follows from when the last one came.
const UNSIGNED: [&str; 3] = ["certificates_from", "issued_by", "signatures"];

/// Checks such an entry. `Ok(false)` for what the ceremony writes while there is no officer yet.
pub(super) fn check(known: &Signatures, entry: &CommittedEntry) -> Result<bool, String> {
    let kind = &*entry.kind;
    let body: Value = serde_json::from_slice(entry.body()).map_err(|error| error.to_string())?;
    let of_ceremony = matches!(
        kind,
        "house.thresholds_set" | "house.regions_set" | "officer.token_issued"
    );
    if of_ceremony && !known.officers {
        return Ok(false);
    }
    match kind {
        "baseline.approved" => baseline(known, &body),
        "officer.token_issued" => {
            let token = body.get("token");
            let same = |proposal: &&Proposal| proposal.becomes() == kind && proposal.document().get("token") == token;
            let proposal = known.register.proposals().find(same);
            let proposal = proposal.ok_or("no officers' proposal became this token")?;
            covers(proposal, &body).and_then(|()| enough(proposal, 2))
        }
        _ => signed(known, kind, &body),
    }
    .map(|()| true)
}

/// The entry repeats the signatures: each stands in the log by itself, where it was verified.
fn signed(known: &Signatures, kind: &str, body: &Value) -> Result<(), String> {
    let records: Vec<ApprovalRecord> = body
        .get("signatures")
        .and_then(|signatures| serde_json::from_value(signatures.clone()).ok())
        .ok_or("its signatures do not read")?;
    let first = records.first().ok_or("has no officers' signatures")?;
    let same = |proposal: &&Proposal| proposal.becomes() == kind && proposal.nonce() == first.nonce;
    let proposal = known.register.proposals().find(same);
    let proposal = proposal.ok_or("has signatures that answer no proposal of its kind")?;
    for record in &records {
        if !proposal.signatures().any(|recorded| recorded == record) {
            return Err(format!(
                "repeats a signature of {} that no entry `officer.signed` holds",
                record.officer
            ));
        }
    }
    covers(proposal, body).and_then(|()| enough(proposal, 2))
}

fn baseline(known: &Signatures, body: &Value) -> Result<(), String> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let agent = AgentId::new(text("agent")).map_err(|error| error.to_string())?;
    let wanted = Digest::parse(text("baseline"));
    let references: Vec<&str> = body
        .get("approvals")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let same = |proposal: &&Proposal| {
        let own: Vec<&str> = proposal.signature_references().collect();
        proposal.becomes() == "baseline.approved"
            && Some(proposal.digest()) == wanted
            && !references.is_empty()
            && references.iter().all(|reference| own.contains(reference))
    };
    let proposal = known.register.proposals().find(same);
    let proposal = proposal.ok_or("its approvals are not signatures over this baseline")?;
    if proposal.document().get("version") != body.get("version") {
        return Err("has another version than the one that was signed".to_owned());
    }
    enough(proposal, if known.baselines.contains(&agent) { 2 } else { 1 })
}

/// That each member of the entry is what the signed document says; absent and `null` are the same.
fn covers(proposal: &Proposal, body: &Value) -> Result<(), String> {
    let said = |name: &str| proposal.document().get(name).filter(|value| !value.is_null());
    let members = body.as_object().ok_or("its body is no object")?;
    for (name, value) in members.iter().filter(|(name, _)| !UNSIGNED.contains(&name.as_str())) {
        if said(name) != Some(value).filter(|value| !value.is_null()) {
            return Err(format!(
                "says another {name} than the officers signed in {}",
                proposal.reference()
            ));
        }
    }
    Ok(())
}

/// That `needed` distinct officers approved, all of whose signatures were verified at their entries; where one is enough, another than
/// the proposer.
fn enough(proposal: &Proposal, needed: usize) -> Result<(), String> {
    let mut approved: Vec<_> = proposal
        .signatures()
        .filter(|record| record.decision == ApprovalDecision::Approve)
        .map(|record| record.officer)
        .filter(|officer| needed >= 2 || officer != proposal.proposer())
        .collect();
    approved.sort_unstable();
    approved.dedup();
    if approved.len() < needed {
        return Err(format!(
            "{needed} officers must have signed {}, {} did",
            proposal.reference(),
            approved.len()
        ));
    }
    Ok(())
}
