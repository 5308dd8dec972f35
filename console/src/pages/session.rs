//! Sessions in browsers: short, bound to the key that signed in and to the address it came from, gone with the officer's office.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use axum::http::{HeaderMap, header};
use extensions::{Digest, Timestamp};

use crate::{access::Caller, record::random_bytes};

/// The cookie: with this prefix browsers take it only with `Secure`, for this host and the whole of it (RFC 6265bis §4.1.3.2).
const COOKIE: &str = "__Host-mandatum";
/// Without a request for this long it ends, in seconds.
const IDLE_SECONDS: i64 = 15 * 60;
/// It ends after this in any case, in seconds.
const LIFE_SECONDS: i64 = 8 * 3_600;
/// The most sessions; the one that was silent longest leaves.
const MOST_SESSIONS: usize = 1_024;

/// One officer in one browser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    /// Who, and the key that signed in.
    pub(crate) caller: Caller,
    /// What every form carries, so that another site's form does nothing.
    pub(crate) token: Digest,
    address: IpAddr,
    begun: Timestamp,
    seen: Timestamp,
}

impl Session {
    fn alive(&self, now: Timestamp) -> bool {
        now < self.seen.plus_seconds(IDLE_SECONDS) && now < self.begun.plus_seconds(LIFE_SECONDS)
    }
}

/// All of them, by the SHA-256 of their id: what is in memory opens nothing.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Digest, Session>>);

impl Sessions {
    /// A new session; the value of its cookie.
    pub(super) fn begin(&self, caller: Caller, address: IpAddr, now: Timestamp) -> String {
        let id = Digest(random_bytes()).to_string();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| session.alive(now));
        if all.len() >= MOST_SESSIONS {
            let silent = all.iter().min_by_key(|(_, session)| session.seen).map(|(id, _)| *id);
            silent.map(|silent| all.remove(&silent));
        }
        let session = Session {
            caller,
            token: Digest(random_bytes()),
            address,
            begun: now,
            seen: now,
        };
        all.insert(Digest::of(id.as_bytes()), session);
        id
    }

    /// The living session of a request.
    pub(super) fn find(&self, headers: &HeaderMap, address: IpAddr, now: Timestamp) -> Option<Session> {
        let id = Digest::of(cookie(headers)?.as_bytes());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = all.get_mut(&id)?;
        if session.address != address || !session.alive(now) {
            all.remove(&id);
            return None;
        }
        session.seen = now;
        Some(*session)
    }

    /// Ends the session of a request.
    pub(super) fn end(&self, headers: &HeaderMap) {
        if let Some(id) = cookie(headers) {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(&Digest::of(id.as_bytes()));
        }
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = all
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// `Set-Cookie` of a session that begins.
pub(super) fn set(id: &str) -> String {
    format!("{COOKIE}={id}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

/// `Set-Cookie` of one that ended.
pub(super) fn clear() -> String {
    format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use extensions::OfficerId;

    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("other=1; {COOKIE}={cookie}").parse().unwrap());
        headers
    }

    /// Controls tried: without the look at address, idle time or life, the session is found where it must not be.
    #[test]
    fn a_session_is_found_by_its_cookie_from_its_address_while_it_lives() {
        let (sessions, now) = (Sessions::default(), Timestamp::from_seconds(1_000));
        let caller = Caller {
            officer: OfficerId::new("ada").unwrap(),
            key: Digest::of(b"key"),
        };
        let [here, elsewhere] = ["127.0.0.1", "127.0.0.2"].map(|address| address.parse().unwrap());
        let begin = || sessions.begin(caller, here, now);
        let id = begin();
        assert!(sessions.find(&with("guess"), here, now).is_none());
        assert!(sessions.find(&HeaderMap::new(), here, now).is_none());
        assert_eq!(
            sessions.find(&with(&id), here, now).unwrap().caller.officer,
            caller.officer
        );
        assert!(
            sessions.find(&with(&id), elsewhere, now).is_none(),
            "bound to its address"
        );
        assert!(
            sessions.find(&with(&id), here, now).is_none(),
            "and over when it is used from another"
        );
        let id = begin();
        assert!(
            sessions
                .find(&with(&id), here, now.plus_seconds(IDLE_SECONDS))
                .is_none(),
            "idle"
        );
        let id = begin();
        for step in 1..=LIFE_SECONDS / 600 {
            let found = sessions.find(&with(&id), here, now.plus_seconds(step * 600)).is_some();
            assert_eq!(found, step * 600 < LIFE_SECONDS);
        }
        let id = begin();
        sessions.end(&with(&id));
        assert!(sessions.find(&with(&id), here, now).is_none(), "signed out");
        (0..MOST_SESSIONS + 3).for_each(|_| drop(begin()));
        assert_eq!(sessions.0.lock().unwrap().len(), MOST_SESSIONS);
    }
}
