//! Standing: the whole table of moves, deadlines that apply themselves, and events that must not widen anything.

use extensions::approval::Decision;
use extensions::{Base64, Digest, OfficerId, Record};
use proptest::prelude::*;

use super::*;

const DEADLINE: i64 = 300;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn agent() -> AgentId {
    AgentId::new("mm-1").unwrap()
}

fn officer(name: &str) -> Actor {
    Actor::Officer(OfficerId::new(name).unwrap())
}

fn frozen() -> StandingEvent {
    AgentFrozen {
        agent: agent(),
        by: officer("ann"),
    }
    .into()
}

fn reduce_only(by: Actor) -> StandingEvent {
    AgentReduceOnly { agent: agent(), by }.into()
}

fn resumed(by: Actor) -> StandingEvent {
    AgentResumed { agent: agent(), by }.into()
}

fn revoked() -> StandingEvent {
    AgentRevoked {
        agent: agent(),
        by: Actor::Scorer,
        incident: None,
        reason: RevocationReason::PrivilegeWithdrawn,
        score: Some(912_345),
    }
    .into()
}

fn approvals(officers: &[&str], decision: Decision) -> Vec<ApprovalRecord> {
    let approval = |name: &&str| ApprovalRecord {
        decision,
        document: Digest::of(b"reinstate"),
        key: Digest::of(name.as_bytes()),
        nonce: Digest::of(b"nonce"),
        officer: OfficerId::new(name).unwrap(),
        passkey: None,
        signature: Base64(Vec::new()),
    };
    officers.iter().map(approval).collect()
}

fn reinstated(officers: &[&str]) -> StandingEvent {
    AgentReinstated {
        agent: agent(),
        certificates_from: at(500),
        incident: None,
        signatures: approvals(officers, Decision::Approve),
    }
    .into()
}

fn probation(hours: u8) -> StandingEvent {
    ProbationStarted {
        agent: agent(),
        certificates_from: at(500),
        document: Digest::of(b"small"),
        hours,
        incident: IncidentId::new("inc-1").unwrap(),
        mandate: extensions::MandateId::new("m-small").unwrap(),
        signatures: approvals(&["ann", "bob"], Decision::Approve),
    }
    .into()
}

/// A probation opens a revoked agent once, for its hours, and closes by itself; what narrows meanwhile stays, a reinstatement ends it.
///
/// Controls tried: `mode_at` without the end of the probation, the agent trades on; `after` without `is_none`, there is a second one.
#[test]
fn a_probation_ends_by_itself_and_is_the_only_one() {
    let mut state = StandingState::default();
    assert!(!state.apply(&probation(2), at(0)), "an agent that trades needs none");
    state.apply(&revoked(), at(0));
    assert!(state.apply(&probation(2), at(600)));
    let end = 600 + 2 * 3_600;
    assert_eq!(state.effective(at(end - 1)), Standing::Active);
    assert_eq!(state.probation(at(end - 1)).map(|one| one.until), Some(at(end)));
    assert_eq!(state.certificates_from(), Some(at(500)));
    assert_eq!(state.effective(at(end)), Standing::Revoked, "nothing was written");
    assert_eq!(state.probation(at(end)), None);
    let mut again = state.clone();
    assert!(!again.apply(&probation(2), at(end + 1)), "once");
    assert!(!again.apply(&resumed(officer("ann")), at(end + 1)));

    let mut frozen_by_then = state.clone();
    frozen_by_then.apply(&frozen(), at(700));
    assert!(frozen_by_then.apply(&reinstated(&["ann", "bob"]), at(800)));
    assert_eq!(
        frozen_by_then.effective(at(end + 1)),
        Standing::Frozen,
        "the reinstatement resumes nobody"
    );

    let mut reviewed = state.clone();
    assert!(reviewed.apply(&reinstated(&["ann", "bob"]), at(800)));
    assert_eq!(
        reviewed.effective(at(end + 1)),
        Standing::Active,
        "and no probation ends it"
    );
    let mut late = state.clone();
    assert!(late.apply(&reinstated(&["ann", "bob"]), at(end + 9)));
    assert_eq!(late.effective(at(end + 9)), Standing::Active);
    state.apply(&revoked(), at(700));
    assert_eq!(state.effective(at(701)), Standing::Revoked, "a halt ends it at once");
}

fn warned(default: WarningDefault) -> StandingEvent {
    WarningOpened {
        agent: agent(),
        by: Actor::Scorer,
        deadline: at(DEADLINE),
        default,
        score: Some(760_000),
    }
    .into()
}

fn closed(why: WarningEnd) -> StandingEvent {
    WarningClosed {
        agent: agent(),
        by: officer("ann"),
        why,
    }
    .into()
}

fn certificate(number: u8, not_after: i64) -> StandingEvent {
    CertificateRevoked {
        agent: agent(),
        by: officer("ann"),
        not_after: at(not_after),
        reason: RevocationReason::Superseded,
        serial: Serial::new([number; 18]).unwrap(),
    }
    .into()
}

fn after(events: &[StandingEvent], when: i64) -> StandingState {
    let mut state = StandingState::default();
    for event in events {
        state.apply(event, at(when));
    }
    state
}

/// The table of moves, written out a second time: rows are standings, columns are events, a dot is refused.
/// Control, tried: adding `(Mode::Revoked, Move::Resume)` to the table turns it red.
#[test]
fn the_table_of_moves_is_closed() {
    use WarningDefault::Freeze as F;
    let from: [(&str, Vec<StandingEvent>); 5] = [
        ("active", vec![]),
        ("warned", vec![warned(F)]),
        ("reduce", vec![reduce_only(officer("ann"))]),
        ("frozen", vec![frozen()]),
        ("revoked", vec![revoked()]),
    ];
    let events: [StandingEvent; 8] = [
        warned(F),
        closed(WarningEnd::Decayed),
        reduce_only(officer("ann")),
        reduce_only(Actor::Mandate),
        frozen(),
        resumed(officer("ann")),
        revoked(),
        reinstated(&["ann", "bob"]),
    ];
    let table = [
        ("active", "warned . reduce reduce frozen . revoked ."),
        ("warned", ". active reduce reduce frozen . revoked ."),
        ("reduce", ". . . . frozen active revoked ."),
        ("frozen", ". . reduce . . active revoked ."),
        ("revoked", ". . . . . . . active"),
    ];
    for ((name, path), (row, cells)) in from.iter().zip(table) {
        assert_eq!(*name, row);
        for (event, cell) in events.iter().zip(cells.split(' ')) {
            let before = after(path, 1);
            let mut state = before.clone();
            let moved = state.apply(event, at(1));
            assert_eq!(moved, cell != ".", "{name} + {}", event.kind());
            if moved {
                assert_eq!(word(state.effective(at(1))), cell, "{name} + {}", event.kind());
            } else {
                assert_eq!(state, before, "a refused move leaves no trace");
            }
        }
    }
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Warned { .. } => "warned",
        Standing::ReduceOnly => "reduce",
        Standing::Frozen => "frozen",
        Standing::Revoked => "revoked",
    }
}

/// Nobody is alive to act, and yet the default holds from the deadline on.
/// Control, tried: `effective` without `mode_at` stays warned for ever.
#[test]
fn a_passed_deadline_is_the_default() {
    for (default, then) in [
        (WarningDefault::ReduceOnly, Standing::ReduceOnly),
        (WarningDefault::Freeze, Standing::Frozen),
        (WarningDefault::Revoke, Standing::Revoked),
    ] {
        let state = after(&[warned(default)], 0);
        let deadline = at(DEADLINE);
        assert_eq!(
            state.effective(deadline.plus_micros(-1)),
            Standing::Warned { deadline, default }
        );
        assert_eq!(state.effective(deadline), then);
        assert_eq!(state.owes_default(deadline), Some(default));
        assert_eq!(state.owes_default(deadline.plus_micros(-1)), None);
    }
}

/// Control, tried: without `late`, an answer after the deadline undoes the default.
#[test]
fn a_late_answer_does_not_undo_the_default() {
    for why in [
        WarningEnd::Decayed,
        WarningEnd::Acknowledged,
        WarningEnd::FalseAlarm,
        WarningEnd::Defaulted,
    ] {
        let mut state = after(&[warned(WarningDefault::Revoke)], 0);
        assert!(state.apply(&closed(why), at(DEADLINE)));
        assert_eq!(state.effective(at(DEADLINE)), Standing::Revoked, "{why:?}");
        assert_eq!(
            state.effective(at(0)),
            Standing::Revoked,
            "and it lasts, whatever the clock does"
        );
    }
    let mut state = after(&[warned(WarningDefault::Revoke)], 0);
    assert!(!state.apply(&frozen(), at(DEADLINE)), "a late freeze would widen");
    assert!(!state.apply(&resumed(officer("ann")), at(DEADLINE)));
    assert_eq!(state.effective(at(DEADLINE)), Standing::Revoked);
}

#[test]
fn an_answer_in_time_holds_instead_of_the_default() {
    let mut state = after(&[warned(WarningDefault::Revoke)], 0);
    assert!(state.apply(&closed(WarningEnd::Acknowledged), at(DEADLINE - 1)));
    assert_eq!(state.effective(at(DEADLINE + 1)), Standing::Active);
    let mut state = after(&[warned(WarningDefault::Revoke)], 0);
    assert!(state.apply(&closed(WarningEnd::ReducedOnly), at(1)));
    assert_eq!(state.effective(at(DEADLINE + 1)), Standing::ReduceOnly);
}

/// Control, tried: counting signatures instead of distinct officers reinstates on one officer's two signatures.
#[test]
fn reinstatement_needs_two_officers() {
    for few in [&[][..], &["ann"], &["ann", "ann"]] {
        let mut state = after(&[revoked()], 0);
        assert!(!state.apply(&reinstated(few), at(1)), "{few:?}");
        assert_eq!(state.effective(at(1)), Standing::Revoked);
    }
    let rejected = AgentReinstated {
        agent: agent(),
        certificates_from: at(500),
        incident: None,
        signatures: approvals(&["ann", "bob"], Decision::Reject),
    };
    assert!(
        !after(&[revoked()], 0).apply(&rejected.into(), at(1)),
        "two officers who say no"
    );
    let mut state = after(&[revoked()], 0);
    assert!(!state.apply(&resumed(officer("ann")), at(1)), "resume is for freezes");
    assert!(state.apply(&reinstated(&["ann", "bob"]), at(1)));
    assert_eq!(state.effective(at(1)), Standing::Active);
}

/// Guarantee 2: a certificate that was revoked with its agent stays so after the reinstatement.
/// Control, tried: forgetting `certificates_from` lets the old certificate trade again.
#[test]
fn reinstatement_does_not_bring_old_certificates_back() {
    let state = after(&[revoked(), reinstated(&["ann", "bob"])], 1);
    let serial = Serial::new([5; 18]).unwrap();
    assert_eq!(state.effective(at(1)), Standing::Active);
    assert!(state.certificate_revoked(&serial, at(499), at(9_000)));
    assert!(!state.certificate_revoked(&serial, at(500), at(9_000)));
}

#[test]
fn only_officers_resume() {
    for by in [Actor::Scorer, Actor::Mandate, Actor::House] {
        let mut state = after(&[frozen()], 0);
        assert!(!state.apply(&resumed(by), at(1)));
        assert_eq!(state.effective(at(1)), Standing::Frozen);
    }
}

/// Nothing that was revoked is ever allowed again by forgetting it.
/// Negative control: dropping the overflow instead of raising the mark lets certificate 1 pass.
#[test]
fn revoked_certificates_overflow_to_the_safe_side() {
    let many: Vec<_> = (1..=20u8).map(|n| certificate(n, 1_000 + i64::from(n))).collect();
    let state = after(&many, 0);
    for n in 1..=20u8 {
        let serial = Serial::new([n; 18]).unwrap();
        assert!(
            state.certificate_revoked(&serial, at(0), at(1_000 + i64::from(n))),
            "{n}"
        );
    }
    assert_eq!(state.revoked.len(), MOST_REVOKED_CERTIFICATES);
    assert!(
        !state.certificate_revoked(&Serial::new([99; 18]).unwrap(), at(0), at(2_000)),
        "a later one is not touched"
    );
    assert_eq!(
        state.effective(at(0)),
        Standing::Active,
        "and the agent goes on with it"
    );
}

fn unsigned_probation() -> StandingEvent {
    match probation(24) {
        StandingEvent::ProbationStarted(event) => ProbationStarted {
            signatures: approvals(&["ann", "ann"], Decision::Approve),
            ..event
        }
        .into(),
        other => other,
    }
}

fn any_event() -> impl Strategy<Value = StandingEvent> {
    prop_oneof![
        Just(frozen()),
        Just(reduce_only(officer("ann"))),
        Just(reduce_only(Actor::Mandate)),
        Just(resumed(officer("ann"))),
        Just(revoked()),
        Just(reinstated(&["ann"])),
        Just(unsigned_probation()),
        Just(warned(WarningDefault::Freeze)),
        Just(warned(WarningDefault::Revoke)),
        Just(closed(WarningEnd::FalseAlarm)),
        (1u8..20, 1i64..2_000).prop_map(|(number, end)| certificate(number, end)),
    ]
}

proptest! {
    /// Guarantee 2, the part that lives here: after a revocation nothing but a full reinstatement leads back, at any time.
    #[test]
    fn revoked_is_the_end_without_reinstatement(
        before in prop::collection::vec((any_event(), 0i64..600), 0..20),
        behind in prop::collection::vec((any_event(), 0i64..600), 0..20),
    ) {
        let mut state = StandingState::default();
        for (event, when) in &before {
            state.apply(event, at(*when));
        }
        state.apply(&revoked(), at(0));
        for (event, when) in &behind {
            state.apply(event, at(*when));
            prop_assert_eq!(state.effective(at(*when)), Standing::Revoked);
        }
    }

    #[test]
    fn the_fold_is_bounded_and_round_trips(events in prop::collection::vec((any_event(), 0i64..600), 0..60)) {
        let mut state = StandingState::default();
        for (event, when) in &events {
            state.apply(event, at(*when));
        }
        prop_assert!(state.revoked.len() <= MOST_REVOKED_CERTIFICATES);
        let bytes = extensions::canonical::to_vec(&state);
        prop_assert_eq!(extensions::canonical::from_slice::<StandingState>(&bytes).unwrap(), state);
    }
}
