//! The codec's laws, and the session level message by message: no clock, no socket.

use std::time::Duration;

use extensions::Timestamp;
use proptest::prelude::*;

use super::{
    codec::{DecodeError, FrameError, LONGEST_BODY, Message, decode, encode, frame, read_time, written_time},
    session::{Act, At, Numbers, OUR_COMP_ID, Session},
};

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00.250Z").expect("time")
}

fn at(seconds: u64) -> At {
    At {
        real: noon().plus_seconds(i64::try_from(seconds).expect("small")),
        elapsed: Duration::from_secs(seconds),
    }
}

fn message() -> impl Strategy<Value = Message> {
    let tag = prop_oneof![Just(11_u32), Just(34), Just(55), Just(58), 1_000_u32..99_999];
    let fields = proptest::collection::btree_map(tag, "[ -~]{1,40}", 0..20);
    ("[0-9A-Za-z]{1,2}", fields).prop_map(|(kind, fields)| {
        let begun = Message::new(&kind);
        fields
            .into_iter()
            .fold(begun, |message, (tag, value)| message.with(tag, value))
    })
}

fn read(octets: &[u8]) -> Result<Message, String> {
    match frame(octets) {
        Ok(Some(length)) if length == octets.len() => decode(octets).map_err(|error| error.to_string()),
        Ok(_) => Err("not whole".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

proptest! {
    /// What is written is read again as it was, alone or with more behind it.
    #[test]
    fn a_message_survives_its_encoding(message in message(), more in proptest::collection::vec(any::<u8>(), 0..20)) {
        let octets = encode(&message);
        prop_assert_eq!(read(&octets), Ok(message));
        let length = octets.len();
        let mut longer = octets;
        longer.extend(more);
        prop_assert_eq!(frame(&longer), Ok(Some(length)));
    }

    /// A message that has not all come is waited for, never read in part.
    #[test]
    fn a_part_is_no_message(message in message(), part in any::<prop::sample::Index>()) {
        let octets = encode(&message);
        let part = part.index(octets.len());
        prop_assert_eq!(frame(&octets[..part]), Ok(None));
    }

    /// One octet that is another makes no other message of it. Control tried: `decode` without its comparison of the checksums.
    #[test]
    fn a_changed_octet_is_noticed(message in message(), place in any::<prop::sample::Index>(), change in 1_u8..=255) {
        let mut octets = encode(&message);
        let place = place.index(octets.len());
        octets[place] ^= change;
        prop_assert!(read(&octets).is_err());
    }

    /// Whatever comes, reading it ends without a panic.
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        super::fuzz_message(&octets);
        let mut behind = b"8=FIX.4.4\x019=".to_vec();
        behind.extend(octets);
        super::fuzz_message(&behind);
    }
}

fn with_sum(body: &str) -> Vec<u8> {
    let mut octets = format!("8=FIX.4.4\x019={}\x01{body}", body.len()).into_bytes();
    let sum = octets.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    octets.extend(format!("10={sum:03}\x01").bytes());
    octets
}

/// Each row is refused for its own reason. Control tried: the last row, which is read.
#[test]
fn what_is_no_message_is_refused() {
    for (octets, wrong) in [
        (&b"8=FIX.4.2\x019=5\x01"[..], FrameError::NoBeginning),
        (b"GET / HTTP/1.1\r\n", FrameError::NoBeginning),
        (b"8=FIX.4.4\x019=05\x01", FrameError::Length),
        (b"8=FIX.4.4\x019=4\x01", FrameError::Length),
        (b"8=FIX.4.4\x019=99999", FrameError::Length),
        (b"8=FIX.4.4\x019=-5\x01", FrameError::Length),
        (b"8=FIX.4.4\x019=5\x0135=0\x0111=000\x01", FrameError::NoEnd),
    ] {
        assert_eq!(frame(octets), Err(wrong), "{octets:?}");
    }
    let longer = format!("8=FIX.4.4\x019={}\x01", LONGEST_BODY + 1);
    assert_eq!(frame(longer.as_bytes()), Err(FrameError::Length));
    for (body, reason) in [
        ("35=D\x0134=7\x0155=A\x0155=B\x01", 13),
        ("35=D\x0134=7\x0155=\x01", 4),
        ("35=D\x0134=7\x0155=\u{e9}\x01", 5),
        ("35=D\x0134=7\x01055=A\x01", 0),
        ("35=D\x0134=7\x01\x01", 0),
        ("34=7\x0135=D\x01", 14),
    ] {
        let found = decode(&with_sum(body));
        let holds = matches!(found, Err(DecodeError::Field { number: Some(7), reason: found, .. }) if found == reason);
        assert!(holds, "{body:?}: {found:?}");
    }
    let many: String = (1_000..1_070).map(|tag| format!("{tag}=x\x01")).collect();
    assert!(decode(&with_sum(&format!("35=D\x0134=7\x01{many}"))).is_err());
    assert!(decode(&with_sum("35=D\x0134=7\x0155=A\x01")).is_ok());
}

#[test]
fn times_are_read_and_written() {
    assert_eq!(written_time(noon()), "20261120-12:00:00.250");
    assert_eq!(read_time("20261120-12:00:00.250"), Some(noon()));
    assert_eq!(read_time("20261120-12:00:00"), Some(noon().plus_millis(-250)));
    for wrong in [
        "",
        "20261120",
        "2026112-12:00:00",
        "20261320-12:00:00",
        "20261120-25:00:00",
        "20261120-12:00:00Z",
        "é0261120-12:00:00",
    ] {
        assert_eq!(read_time(wrong), None, "{wrong}");
    }
}

/// A message of the bot at `seconds`.
fn from_bot(kind: &str, number: u64, seconds: u64) -> Message {
    Message::new(kind)
        .with(49, "mm-1")
        .with(56, OUR_COMP_ID)
        .with(34, number)
        .with(52, written_time(at(seconds).real))
}

fn logon(number: u64) -> Message {
    from_bot("A", number, 0).with(98, 0).with(108, 30)
}

/// What is sent, decoded; `C` stands for the end and `D` for what is delivered.
fn told(acts: Vec<Act>) -> Vec<Message> {
    let shown = |act| match act {
        Act::Send(octets) | Act::LoggedOn(octets) => decode(&octets).expect("ours"),
        Act::Deliver(message) => Message::new("delivered").with(35_000, message.kind()),
        Act::Close => Message::new("closed"),
    };
    acts.into_iter().map(shown).collect()
}

fn kinds(told: &[Message]) -> Vec<&str> {
    told.iter().map(Message::kind).collect()
}

fn on() -> Session {
    let mut session = Session::new("mm-1", Numbers::default());
    assert_eq!(kinds(&told(session.received(logon(1), at(0)))), ["A"]);
    session
}

/// The Logout's words, when it is the last that is said.
fn ends_with(told: &[Message], words: &str) -> bool {
    let Some([logout, closed]) = told.last_chunk() else {
        return false;
    };
    logout.kind() == "5" && closed.kind() == "closed" && logout.text(58).is_some_and(|text| text.contains(words))
}

/// Each Logon is refused with its reason and uses up no number. Controls tried: `logon_fits` without its look at
/// SenderCompID, and with a wider bound for SendingTime; each row is one of its checks.
#[test]
fn a_logon_that_does_not_fit_is_refused_with_its_reason() {
    let changed = |tag: u32, value: &str| {
        let plain = logon(1);
        let fields = plain.fields().iter().skip(1).filter(|(at, _)| *at != tag);
        let begun = Message::new("A").with(tag, value);
        fields.fold(begun, |message, (tag, value)| message.with(*tag, value))
    };
    for (message, words) in [
        (from_bot("D", 1, 0), "first message"),
        (changed(49, "mm-2"), "SenderCompID"),
        (changed(56, "OTHER"), "TargetCompID"),
        (changed(98, "1"), "EncryptMethod"),
        (changed(108, "0"), "HeartBtInt"),
        (changed(108, "121"), "HeartBtInt"),
        (changed(108, "abc"), "HeartBtInt"),
        (changed(34, "0"), "MsgSeqNum"),
        (changed(52, "20261120-11:57:59"), "SendingTime"),
        (changed(52, "yesterday"), "SendingTime"),
        (changed(34, "2").with(141, "Y"), "ResetSeqNumFlag"),
    ] {
        let mut session = Session::new("mm-1", Numbers::default());
        let told = told(session.received(message, at(0)));
        assert!(ends_with(&told, words), "{words}: {told:?}");
        assert!(!session.is_on());
        assert_eq!(session.numbers(), Numbers::default());
    }
}

/// Numbers go on over connections; `ResetSeqNumFlag` begins anew; one too low is told what is expected.
#[test]
fn numbers_go_on_until_they_are_reset() {
    let kept = Numbers {
        next_in: 9,
        next_out: 5,
    };
    let mut session = Session::new("mm-1", kept);
    let said = told(session.received(logon(9), at(0)));
    assert_eq!((kinds(&said), said[0].number(34)), (vec!["A"], Some(5)));
    assert_eq!(
        session.numbers(),
        Numbers {
            next_in: 10,
            next_out: 6
        }
    );

    let mut session = Session::new("mm-1", kept);
    let said = told(session.received(logon(1), at(0)));
    assert!(ends_with(&said, "expecting 9 but received 1"), "{said:?}");
    assert_eq!(session.numbers(), kept);

    let mut session = Session::new("mm-1", kept);
    let said = told(session.received(logon(1).with(141, "Y"), at(0)));
    assert_eq!((said[0].number(34), said[0].text(141)), (Some(1), Some("Y")));
    assert_eq!(
        session.numbers(),
        Numbers {
            next_in: 2,
            next_out: 2
        }
    );

    let mut session = Session::new("mm-1", kept);
    let said = told(session.received(logon(12), at(0)));
    assert_eq!(kinds(&said), ["A", "2"], "accepted, and what is missing is asked for");
    assert_eq!((said[1].number(7), said[1].number(16)), (Some(9), Some(0)));
}

/// What comes before a gap is filled is not delivered, and the gap is asked for once. Control tried: `gap` without its look at `asked`.
#[test]
fn a_gap_is_asked_for_once_and_filled() {
    let mut session = on();
    let said = told(session.received(from_bot("D", 4, 1), at(1)));
    assert_eq!((kinds(&said), said[0].number(7)), (vec!["2"], Some(2)));
    assert!(session.received(from_bot("D", 5, 1), at(1)).is_empty());
    let fill = from_bot("4", 2, 2)
        .with(43, "Y")
        .with(122, written_time(at(1).real))
        .with(123, "Y")
        .with(36, 4);
    assert!(session.received(fill, at(2)).is_empty());
    let again = from_bot("D", 4, 2).with(43, "Y").with(122, written_time(at(1).real));
    assert_eq!(kinds(&told(session.received(again, at(2)))), ["delivered"]);
    assert_eq!(session.numbers().next_in, 5);
    // A new gap is another question.
    assert_eq!(kinds(&told(session.received(from_bot("D", 9, 2), at(2)))), ["2"]);
}

/// A gap that stays open ends the session, though heartbeats come. Control tried: `tick` without it.
#[test]
fn a_gap_that_stays_open_ends_the_session() {
    let mut session = on();
    assert_eq!(kinds(&told(session.received(from_bot("0", 4, 1), at(1)))), ["2"]);
    for seconds in [30, 60] {
        assert!(session.received(from_bot("0", 5, seconds), at(seconds)).is_empty());
    }
    let said = told(session.tick(at(74)));
    assert!(ends_with(&said, "not filled"), "{said:?}");
}

/// One too low ends the session, unless it says to be a repeat: that one was read when it came first, and is never delivered again.
/// Controls tried: `too_low` without its look at PossDupFlag, and with delivery.
#[test]
fn a_repeat_is_not_delivered_and_a_low_number_ends_the_session() {
    let mut session = on();
    assert_eq!(
        kinds(&told(session.received(from_bot("D", 2, 1), at(1)))),
        ["delivered"]
    );
    let repeat = || from_bot("D", 2, 1).with(43, "Y");
    let first = written_time(at(1).real);
    assert!(session.received(repeat().with(122, &first), at(1)).is_empty());
    let said = told(session.received(repeat(), at(1)));
    assert_eq!(
        (kinds(&said), said[0].number(373)),
        (vec!["3"], Some(1)),
        "without OrigSendingTime"
    );
    let said = told(session.received(from_bot("D", 2, 1), at(1)));
    assert!(ends_with(&said, "expecting 3 but received 2"), "{said:?}");
}

/// A SendingTime that is off is a Reject for that reason and the end, inside 120 s it is none; the message counts and is not delivered.
/// Control tried: `accurate` with a bound twice as wide.
#[test]
fn a_wrong_clock_is_told_and_ends_the_session() {
    for (off, fits) in [(-121, false), (121, false), (-119, true), (119, true)] {
        let mut session = on();
        let late = At {
            real: at(1).real.plus_seconds(off),
            ..at(1)
        };
        let said = told(session.received(from_bot("D", 2, 1), late));
        if fits {
            assert_eq!(kinds(&said), ["delivered"], "{off}");
            continue;
        }
        assert_eq!((said[0].kind(), said[0].number(373)), ("3", Some(10)), "{off}");
        assert!(ends_with(&said, "SendingTime"), "{said:?}");
        assert_eq!(session.numbers().next_in, 3);
    }
    let mut session = on();
    let odd = from_bot("D", 2, 1).with(43, "Y").with(122, written_time(at(2).real));
    assert!(
        ends_with(&told(session.received(odd, at(1))), "SendingTime"),
        "sent first after it was sent"
    );
}

#[test]
fn another_name_in_a_session_ends_it() {
    let mut session = on();
    let strange = Message::new("D")
        .with(49, "mm-2")
        .with(56, OUR_COMP_ID)
        .with(34, 2)
        .with(52, written_time(noon()));
    let said = told(session.received(strange, at(0)));
    assert_eq!((said[0].kind(), said[0].number(373)), ("3", Some(9)));
    assert!(ends_with(&said, "SenderCompID"), "{said:?}");
}

/// Nothing is kept, so what is asked for is filled with a gap up to the next number; a question about what never was is refused.
#[test]
fn a_resend_request_is_answered_with_a_gap_fill() {
    let mut session = on();
    for _ in 0..4 {
        session.send(&Message::new("8"), at(1));
    }
    let ask = |number, begin: u64, end: u64| from_bot("2", number, 1).with(7, begin).with(16, end);
    let said = told(session.received(ask(2, 2, 0), at(1)));
    let fill = &said[0];
    assert_eq!((fill.kind(), fill.number(34), fill.number(36)), ("4", Some(2), Some(6)));
    assert!(fill.is_set(123) && fill.is_set(43) && fill.text(122).is_some());
    let said = told(session.received(ask(3, 3, 4), at(1)));
    assert_eq!((said[0].number(34), said[0].number(36)), (Some(3), Some(5)));
    for (number, (begin, end)) in (4..).zip([(0, 0), (99, 0), (4, 3)]) {
        let said = told(session.received(ask(number, begin, end), at(1)));
        assert_eq!(
            (said[0].kind(), said[0].number(373)),
            ("3", Some(5)),
            "{begin} to {end}"
        );
    }
    // Ours is asked for as well: both sides may miss something.
    let next = session.numbers().next_in;
    assert_eq!(kinds(&told(session.received(ask(next + 3, 2, 0), at(1)))), ["4", "2"]);
}

#[test]
fn resets_move_the_number_forward_alone() {
    let mut session = on();
    let reset = |number, new: u64| from_bot("4", number, 1).with(36, new);
    assert!(
        session.received(reset(99, 20), at(1)).is_empty(),
        "its own number does not count"
    );
    assert_eq!(session.numbers().next_in, 20);
    assert_eq!(kinds(&told(session.received(reset(20, 19), at(1)))), ["3"]);
    let fill = from_bot("4", 20, 1).with(123, "Y").with(36, 20);
    assert_eq!(
        kinds(&told(session.received(fill, at(1)))),
        ["3"],
        "a gap fill to itself"
    );
    assert_eq!(session.numbers().next_in, 21);
}

/// A number that cannot be counted on from is none. Control tried: without the bound on digits the message behind the reset overflows.
#[test]
fn no_number_is_too_large_to_go_on_from() {
    let mut session = on();
    let (last, expected) = (u64::MAX, session.numbers().next_in);
    for kind in ["4", "0"] {
        let _ = session.received(from_bot(kind, last, 1).with(36, last), at(1));
        assert_eq!(session.numbers().next_in, expected, "{kind}");
    }
}

/// Silence: our heartbeats, a question, the end; any message is a sign of life.
#[test]
fn silence_is_asked_about_and_then_ends_the_session() {
    let mut session = on();
    assert!(session.tick(at(29)).is_empty());
    assert_eq!(kinds(&told(session.tick(at(30)))), ["0"]);
    let said = told(session.tick(at(36)));
    assert_eq!(kinds(&said), ["1"]);
    assert!(session.tick(at(37)).is_empty(), "once");
    let answer = from_bot("0", 2, 40).with(112, said[0].text(112).expect("id"));
    assert!(session.received(answer, at(40)).is_empty());
    assert_eq!(kinds(&told(session.tick(at(76)))), ["1"]);
    assert!(ends_with(&told(session.tick(at(112))), "no sign of life"));
    let mut session = on();
    let said = told(session.received(from_bot("1", 2, 1).with(112, "are you there"), at(1)));
    assert_eq!((said[0].kind(), said[0].text(112)), ("0", Some("are you there")));
    assert_eq!(kinds(&told(session.received(from_bot("1", 3, 1), at(1)))), ["3"]);
    assert_eq!(
        kinds(&told(session.received(from_bot("5", 4, 1), at(1)))),
        ["5", "closed"]
    );
}

/// A wrong checksum is as if nothing had come, a bounded number of times; a wrong field is refused under its number.
#[test]
fn garbled_messages_are_dropped_and_wrong_fields_refused() {
    let mut session = on();
    let garbled = DecodeError::Checksum { found: 1, counted: 2 };
    for _ in 0..super::session::MOST_GARBLED {
        assert!(session.unreadable(&garbled, at(1)).is_empty());
    }
    assert_eq!(session.numbers().next_in, 2, "no number is used up");
    assert!(ends_with(&told(session.unreadable(&garbled, at(1))), "wrong checksum"));
    let field = |number| DecodeError::Field {
        number,
        tag: Some(55),
        reason: 4,
        text: "no value",
    };
    let mut session = on();
    let said = told(session.unreadable(&field(Some(2)), at(1)));
    assert_eq!(
        (said[0].kind(), said[0].number(373), said[0].number(371)),
        ("3", Some(4), Some(55))
    );
    assert_eq!(session.numbers().next_in, 3);
    assert_eq!(kinds(&told(session.unreadable(&field(Some(8)), at(1)))), ["2"]);
    assert!(ends_with(&told(session.unreadable(&field(None), at(1))), "MsgSeqNum"));
}
