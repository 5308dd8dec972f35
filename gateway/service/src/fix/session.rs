//! The session level of FIX 4.4 as a machine without I/O: messages and moments in, messages to send and to deliver out.
//!
//! Nothing that was sent is kept: a ResendRequest is answered with a gap fill, and a bot reads what it missed by OrderStatusRequest or `/v1/events`.

use std::time::Duration;

use extensions::Timestamp;

use super::{
    codec::{self, DecodeError, Message},
    tags::{
        BEGIN_SEQ_NO, ENCRYPT_METHOD, END_SEQ_NO, GAP_FILL_FLAG, HEART_BT_INT, HEARTBEAT, LOGON, LOGOUT, MSG_SEQ_NUM,
        NEW_SEQ_NO, ORIG_SENDING_TIME, POSS_DUP_FLAG, REF_MSG_TYPE, REF_SEQ_NUM, REF_TAG_ID, REJECT, RESEND_REQUEST,
        RESET_SEQ_NUM_FLAG, SENDER_COMP_ID, SENDING_TIME, SEQUENCE_RESET, SESSION_REJECT_REASON, TARGET_COMP_ID,
        TEST_REQ_ID, TEST_REQUEST, TEXT,
    },
};

/// The gateway's own CompID.
pub const OUR_COMP_ID: &str = "MANDATUM";
/// How far a SendingTime may be from our clock, either way, in seconds.
pub const SENDING_TIME_SECONDS: i64 = 120;
/// The shortest and the longest heartbeat interval, in seconds.
pub const HEARTBEAT_SECONDS: (u64, u64) = (1, 120);
/// Messages with a wrong checksum that one session may bring.
pub const MOST_GARBLED: u32 = 8;

/// A moment: by the clock, for what is written, and since the connection began, for what is waited for.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The real time.
    pub real: Timestamp,
    /// Monotonic.
    pub elapsed: Duration,
}

/// The numbers of the next message in each direction; they outlive a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Expected from the bot.
    pub next_in: u64,
    /// Of our next message.
    pub next_out: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            next_in: 1,
            next_out: 1,
        }
    }
}

/// What is to be done about a message or a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Send these octets.
    Send(Vec<u8>),
    /// The Logon was accepted: its answer, to be sent before all else.
    LoggedOn(Vec<u8>),
    /// A message in its turn for the application.
    Deliver(Message),
    /// End the connection.
    Close,
}

/// A gap that was asked to be filled.
#[derive(Debug, Clone, Copy)]
struct Asked {
    from: u64,
    since: Duration,
}

/// One session, from a bot's first message on.
#[derive(Debug)]
pub struct Session {
    theirs: String,
    numbers: Numbers,
    /// Set by the Logon.
    heartbeat: Option<Duration>,
    heard: Duration,
    sent: Duration,
    tested: bool,
    asked: Option<Asked>,
    garbled: u32,
}

impl Session {
    /// A session of the agent `theirs`, which its certificate names; it goes on with `numbers` unless its Logon resets them.
    #[must_use]
    pub fn new(theirs: &str, numbers: Numbers) -> Self {
        Self {
            theirs: theirs.to_owned(),
            numbers,
            heartbeat: None,
            heard: Duration::ZERO,
            sent: Duration::ZERO,
            tested: false,
            asked: None,
            garbled: 0,
        }
    }

    /// The numbers for the next connection.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Whether a Logon was accepted.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.heartbeat.is_some()
    }

    /// Writes an application's message out under the next number.
    pub fn send(&mut self, message: &Message, at: At) -> Vec<u8> {
        let number = self.numbers.next_out;
        self.numbers.next_out += 1;
        self.sent = at.elapsed;
        self.written(message, number, at)
    }

    /// The Logout that ends the session for a reason of ours.
    pub fn logout(&mut self, why: &str, at: At) -> Vec<u8> {
        let logout = Message::new(LOGOUT).with(TEXT, why);
        if self.is_on() {
            return self.send(&logout, at);
        }
        // Of a session that never was no number is used up.
        self.written(&logout, self.numbers.next_out, at)
    }

    fn written(&self, message: &Message, number: u64, at: At) -> Vec<u8> {
        let header = Message::new(message.kind())
            .with(SENDER_COMP_ID, OUR_COMP_ID)
            .with(TARGET_COMP_ID, &self.theirs)
            .with(MSG_SEQ_NUM, number)
            .with(SENDING_TIME, codec::written_time(at.real));
        let rest = message.fields().iter().skip(1);
        codec::encode(&rest.fold(header, |whole, (tag, value)| whole.with(*tag, value)))
    }

    fn ended(&mut self, why: &str, at: At) -> Vec<Act> {
        vec![Act::Send(self.logout(why, at)), Act::Close]
    }

    fn rejected(&mut self, message: &Message, tag: Option<u32>, reason: u8, text: &str, at: At) -> Act {
        let reject = Message::new(REJECT)
            .with(REF_SEQ_NUM, message.number(MSG_SEQ_NUM).unwrap_or_default())
            .with(REF_MSG_TYPE, message.kind())
            .with_some(REF_TAG_ID, tag)
            .with(SESSION_REJECT_REASON, reason)
            .with(TEXT, text);
        Act::Send(self.send(&reject, at))
    }

    /// A whole message came.
    pub fn received(&mut self, message: Message, at: At) -> Vec<Act> {
        self.heard = at.elapsed;
        self.tested = false;
        if !self.is_on() {
            return self.logon(&message, at);
        }
        if let Err(acts) = self.header(&message, at) {
            return acts;
        }
        let number = message.number(MSG_SEQ_NUM).unwrap_or_default();
        match message.kind() {
            LOGON => self.ended(
                "this session is logged on already; numbers are reset by a new connection",
                at,
            ),
            RESEND_REQUEST => self.resend(&message, number, at),
            SEQUENCE_RESET if !message.is_set(GAP_FILL_FLAG) => self.reset(&message, at),
            kind if number > self.numbers.next_in => {
                if kind == LOGOUT {
                    return self.ended("as you wish", at);
                }
                self.gap(at)
            }
            _ if number < self.numbers.next_in => self.too_low(&message, number, at),
            _ => self.in_turn(message, at),
        }
    }

    fn logon(&mut self, message: &Message, at: At) -> Vec<Act> {
        let resets = message.is_set(RESET_SEQ_NUM_FLAG);
        if let Err(why) = self.logon_fits(message, at) {
            return self.ended(&why, at);
        }
        let number = message.number(MSG_SEQ_NUM).unwrap_or_default();
        if resets {
            if number != 1 {
                return self.ended("a Logon with ResetSeqNumFlag (141) has MsgSeqNum (34) 1", at);
            }
            self.numbers = Numbers::default();
        }
        if number < self.numbers.next_in {
            return self.ended(&self.low(number), at);
        }
        let seconds = message.number(HEART_BT_INT).unwrap_or_default();
        self.heartbeat = Some(Duration::from_secs(seconds));
        let answer = Message::new(LOGON)
            .with(ENCRYPT_METHOD, 0)
            .with(HEART_BT_INT, seconds)
            .with_some(RESET_SEQ_NUM_FLAG, resets.then_some("Y"));
        let mut acts = vec![Act::LoggedOn(self.send(&answer, at))];
        if number == self.numbers.next_in {
            self.numbers.next_in += 1;
        } else {
            acts.extend(self.gap(at));
        }
        acts
    }

    fn logon_fits(&self, message: &Message, at: At) -> Result<(), String> {
        if message.kind() != LOGON {
            return Err("the first message of a session is a Logon (35=A)".to_owned());
        }
        if message.text(SENDER_COMP_ID) != Some(&self.theirs) {
            return Err(format!(
                "SenderCompID (49) has to be the agent that the certificate names, {}",
                self.theirs
            ));
        }
        if message.text(TARGET_COMP_ID) != Some(OUR_COMP_ID) {
            return Err(format!("TargetCompID (56) has to be {OUR_COMP_ID}"));
        }
        if message.text(ENCRYPT_METHOD) != Some("0") {
            return Err("EncryptMethod (98) has to be 0: TLS encrypts".to_owned());
        }
        let (least, most) = HEARTBEAT_SECONDS;
        if message
            .number(HEART_BT_INT)
            .is_none_or(|seconds| !(least..=most).contains(&seconds))
        {
            return Err(format!("HeartBtInt (108) has to be {least} to {most} s"));
        }
        if message.number(MSG_SEQ_NUM).is_none_or(|number| number == 0) {
            return Err("MsgSeqNum (34) is missing or no number".to_owned());
        }
        match message.text(SENDING_TIME).and_then(codec::read_time) {
            Some(time) if accurate(time, at) => Ok(()),
            _ => Err(inaccurate()),
        }
    }

    /// What is wrong with a header ends the session, for nothing that follows can be trusted.
    fn header(&mut self, message: &Message, at: At) -> Result<(), Vec<Act>> {
        if message.number(MSG_SEQ_NUM).is_none_or(|number| number == 0) {
            return Err(self.ended("MsgSeqNum (34) is missing or no number", at));
        }
        let names = (message.text(SENDER_COMP_ID), message.text(TARGET_COMP_ID));
        if names != (Some(self.theirs.as_str()), Some(OUR_COMP_ID)) {
            let reject = self.rejected(message, None, 9, "CompID problem", at);
            let mut acts = vec![reject];
            acts.extend(self.ended("SenderCompID (49) or TargetCompID (56) is not that of this session", at));
            return Err(acts);
        }
        let sent = message.text(SENDING_TIME).and_then(codec::read_time);
        let original = message.text(ORIG_SENDING_TIME).and_then(codec::read_time);
        let late = message.is_possible_duplicate() && sent.zip(original).is_some_and(|(sent, first)| first > sent);
        if sent.is_some_and(|sent| accurate(sent, at)) && !late {
            return Ok(());
        }
        if message.number(MSG_SEQ_NUM) == Some(self.numbers.next_in) {
            self.numbers.next_in += 1;
        }
        let reject = self.rejected(message, Some(SENDING_TIME), 10, "SendingTime accuracy problem", at);
        let mut acts = vec![reject];
        acts.extend(self.ended(&inaccurate(), at));
        Err(acts)
    }

    fn low(&self, number: u64) -> String {
        let expected = self.numbers.next_in;
        format!(
            "MsgSeqNum too low, expecting {expected} but received {number}; log on with ResetSeqNumFlag (141) Y to begin anew"
        )
    }

    fn too_low(&mut self, message: &Message, number: u64, at: At) -> Vec<Act> {
        if !message.is_possible_duplicate() {
            let why = self.low(number);
            return self.ended(&why, at);
        }
        if message.text(ORIG_SENDING_TIME).is_none() {
            let text = "a possible duplicate names its first SendingTime in OrigSendingTime (122)";
            return vec![self.rejected(message, Some(ORIG_SENDING_TIME), 1, text, at)];
        }
        // It was read when it came first.
        Vec::new()
    }

    /// Asks for what is missing, once; what comes meanwhile is dropped, for the answer brings it again.
    fn gap(&mut self, at: At) -> Vec<Act> {
        let from = self.numbers.next_in;
        if self.asked.is_some_and(|asked| asked.from == from) {
            return Vec::new();
        }
        self.asked = Some(Asked {
            from,
            since: at.elapsed,
        });
        let request = Message::new(RESEND_REQUEST)
            .with(BEGIN_SEQ_NO, from)
            .with(END_SEQ_NO, 0);
        vec![Act::Send(self.send(&request, at))]
    }

    /// Answers a ResendRequest, whatever its own number: both sides may ask at once.
    fn resend(&mut self, message: &Message, number: u64, at: At) -> Vec<Act> {
        let next = self.numbers.next_out;
        let begin = message.number(BEGIN_SEQ_NO).filter(|begin| (1..next).contains(begin));
        let end = message
            .number(END_SEQ_NO)
            .filter(|end| *end == 0 || Some(*end) >= begin);
        let mut acts = Vec::new();
        if let (Some(begin), Some(end)) = (begin, end) {
            let new = if end == 0 || end >= next { next } else { end + 1 };
            let fill = Message::new(SEQUENCE_RESET)
                .with(POSS_DUP_FLAG, "Y")
                .with(ORIG_SENDING_TIME, codec::written_time(at.real))
                .with(GAP_FILL_FLAG, "Y")
                .with(NEW_SEQ_NO, new);
            self.sent = at.elapsed;
            acts.push(Act::Send(self.written(&fill, begin, at)));
        } else {
            let text = format!("BeginSeqNo (7) and EndSeqNo (16) name no messages below {next}");
            acts.push(self.rejected(message, Some(BEGIN_SEQ_NO), 5, &text, at));
        }
        if number == self.numbers.next_in {
            self.numbers.next_in += 1;
        } else if number > self.numbers.next_in {
            acts.extend(self.gap(at));
        }
        acts
    }

    /// SequenceReset without gap fill: its own number does not count.
    fn reset(&mut self, message: &Message, at: At) -> Vec<Act> {
        let expected = self.numbers.next_in;
        match message.number(NEW_SEQ_NO) {
            Some(new) if new >= expected => {
                self.numbers.next_in = new;
                self.asked = None;
                Vec::new()
            }
            _ => {
                let text = format!("NewSeqNo (36) is below {expected}, which is expected next");
                vec![self.rejected(message, Some(NEW_SEQ_NO), 5, &text, at)]
            }
        }
    }

    fn in_turn(&mut self, message: Message, at: At) -> Vec<Act> {
        let number = self.numbers.next_in;
        self.numbers.next_in += 1;
        self.asked = None;
        match message.kind() {
            HEARTBEAT | REJECT => Vec::new(),
            TEST_REQUEST => match message.text(TEST_REQ_ID) {
                Some(id) => {
                    let answer = Message::new(HEARTBEAT).with(TEST_REQ_ID, id);
                    vec![Act::Send(self.send(&answer, at))]
                }
                None => vec![self.rejected(&message, Some(TEST_REQ_ID), 1, "TestReqID (112) is missing", at)],
            },
            SEQUENCE_RESET => match message.number(NEW_SEQ_NO) {
                Some(new) if new > number => {
                    self.numbers.next_in = new;
                    Vec::new()
                }
                _ => {
                    let text = "NewSeqNo (36) of a gap fill is above its own number";
                    vec![self.rejected(&message, Some(NEW_SEQ_NO), 5, text, at)]
                }
            },
            LOGOUT => self.ended("as you wish", at),
            _ => vec![Act::Deliver(message)],
        }
    }

    /// A framed message came that is not read.
    pub fn unreadable(&mut self, error: &DecodeError, at: At) -> Vec<Act> {
        self.heard = at.elapsed;
        match error {
            _ if !self.is_on() => self.ended(&error.to_string(), at),
            DecodeError::Checksum { .. } => {
                self.garbled += 1;
                if self.garbled > MOST_GARBLED {
                    let why = format!("more than {MOST_GARBLED} messages with a wrong checksum; the last: {error}");
                    return self.ended(&why, at);
                }
                Vec::new()
            }
            DecodeError::Field { number: None, text, .. } => {
                self.ended(&format!("a message without a readable MsgSeqNum (34): {text}"), at)
            }
            DecodeError::Field {
                number: Some(number),
                tag,
                reason,
                text,
            } => {
                let number = *number;
                if number > self.numbers.next_in {
                    return self.gap(at);
                }
                if number < self.numbers.next_in {
                    let why = self.low(number);
                    return self.ended(&why, at);
                }
                self.numbers.next_in += 1;
                let reject = Message::new(REJECT)
                    .with(REF_SEQ_NUM, number)
                    .with_some(REF_TAG_ID, *tag)
                    .with(SESSION_REJECT_REASON, reason)
                    .with(TEXT, text);
                vec![Act::Send(self.send(&reject, at))]
            }
        }
    }

    /// Time passes: heartbeats, and the end of a session that is silent or leaves a gap open.
    pub fn tick(&mut self, at: At) -> Vec<Act> {
        let Some(heartbeat) = self.heartbeat else {
            return Vec::new();
        };
        let silent = at.elapsed.saturating_sub(self.heard);
        let open = self.asked.map(|asked| at.elapsed.saturating_sub(asked.since));
        // Twice the interval and a little for the way.
        let patience = heartbeat * 12 / 5;
        if silent >= patience {
            return self.ended("no sign of life, not even to a TestRequest", at);
        }
        if open.is_some_and(|open| open >= patience) {
            return self.ended("the gap that was asked for was not filled", at);
        }
        if silent >= heartbeat * 6 / 5 && !self.tested {
            self.tested = true;
            let request = Message::new(TEST_REQUEST).with(TEST_REQ_ID, at.real.millis());
            return vec![Act::Send(self.send(&request, at))];
        }
        if at.elapsed.saturating_sub(self.sent) >= heartbeat {
            return vec![Act::Send(self.send(&Message::new(HEARTBEAT), at))];
        }
        Vec::new()
    }
}

fn accurate(time: Timestamp, at: At) -> bool {
    let apart = at.real.seconds() - time.seconds();
    (-SENDING_TIME_SECONDS..=SENDING_TIME_SECONDS).contains(&apart)
}

fn inaccurate() -> String {
    format!(
        "SendingTime (52) is missing, unreadable or more than {SENDING_TIME_SECONDS} s from the gateway's clock; look at yours"
    )
}
