//! OCSP replies: stored ones for requests without a nonce, fresh ones within a rate for those with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use extensions::{Clock, Digest, Signer, Timestamp};
use revocation_core::ocsp::{OcspQuery, Refused, Reply, Responder, ResponderError, refused};

use super::StatusState;

/// Replies kept; beyond them the store is emptied and filled anew.
pub const MOST_STORED_REPLIES: usize = 10_000;
/// Replies signed per second for requests with a nonce.
pub const NONCE_REPLIES_PER_SECOND: u32 = 200;
/// Replies signed per second for requests without one that no stored reply answers.
pub const STORED_REPLIES_PER_SECOND: u32 = 200;
/// Replies being signed at once, each on a thread of its own.
pub const MOST_SIGNING: usize = 16;

/// A token bucket: `rate` a second, twice that in a burst.
#[derive(Debug)]
pub struct Bucket {
    rate: u32,
    state: Mutex<(f64, Option<Timestamp>)>,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            state: Mutex::new((f64::from(rate) * 2.0, None)),
        }
    }

    /// Takes one token if there is one.
    pub fn take(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, last) = *state;
        let micros = last.map_or(0, |last| now.micros_since(last).clamp(0, 2_000_000));
        let rate = f64::from(self.rate);
        let filled = (tokens + rate * micros as f64 / 1e6).min(rate * 2.0);
        let taken = filled >= 1.0;
        *state = (if taken { filled - 1.0 } else { filled }, Some(now));
        taken
    }
}

/// The responder's certificate with its key.
pub struct OcspKey {
    issuer: Digest,
    responder: Responder,
    signer: Arc<dyn Signer>,
}

impl OcspKey {
    /// The responder of `certificate` for the CA of `issuer`, both DER.
    ///
    /// # Errors
    /// When the CA has not delegated to that certificate, or it is not of that key.
    pub fn new(issuer: &[u8], certificate: &[u8], signer: Arc<dyn Signer>) -> Result<Self, ResponderError> {
        let responder = Responder::new(issuer, certificate, signer.as_ref())?;
        let issuer = Digest::of(issuer);
        Ok(Self {
            issuer,
            responder,
            signer,
        })
    }

    /// The last moment its certificate is valid.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.responder.not_after()
    }
}

struct Stored {
    generation: u64,
    reply: Answer,
    until: Timestamp,
}

/// A reply on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The OCSPResponse, DER.
    pub der: Bytes,
    /// Until when it may be cached; none for replies with a nonce and refusals.
    pub cache: Option<Cached>,
}

/// The times of a reply that may be cached (RFC 5019 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cached {
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
}

/// Answers OCSP queries.
pub struct Replies {
    state: Arc<StatusState>,
    clock: Arc<dyn Clock>,
    /// One for each issuing CA, the newest last.
    keys: RwLock<Vec<Arc<OcspKey>>>,
    stored: Mutex<HashMap<Vec<u8>, Stored>>,
    with_nonce: Bucket,
    without_nonce: Bucket,
    signing: tokio::sync::Semaphore,
}

impl Replies {
    /// Answers from `state`; `clock` is the real one.
    #[must_use]
    pub fn new(state: Arc<StatusState>, clock: Arc<dyn Clock>) -> Self {
        Self {
            state,
            clock,
            keys: RwLock::default(),
            stored: Mutex::default(),
            with_nonce: Bucket::new(NONCE_REPLIES_PER_SECOND),
            without_nonce: Bucket::new(STORED_REPLIES_PER_SECOND),
            signing: tokio::sync::Semaphore::new(MOST_SIGNING),
        }
    }

    /// Signs with these from now on, one for each issuing CA, the newest last; stored replies of the former ones are dropped.
    pub fn set_keys(&self, keys: Vec<OcspKey>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into_iter().map(Arc::new).collect();
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether a responder's key is in use for the newest issuing CA whose certificate is valid.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.last().is_some_and(|key| self.clock.now() < key.not_after())
    }

    /// The key of the CA that is asked about; the newest CA's for a stranger's, who is told that nothing is known. A reply has one signature:
    /// for two CAs of ours at once nobody may sign (RFC 6960 §4.2.2.2).
    fn key_for(&self, query: &OcspQuery) -> Result<Arc<OcspKey>, Refused> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut asked = keys.iter().filter(|key| key.responder.is_asked(query));
        match (asked.next(), asked.next()) {
            (Some(_), Some(_)) => Err(Refused::Unauthorized),
            (one, _) => one.or(keys.last()).cloned().ok_or(Refused::InternalError),
        }
    }

    /// The answer to a query, always one: refusals are answers too.
    pub async fn answer(&self, query: OcspQuery) -> Answer {
        let now = self.clock.now();
        let generation = self.state.generation();
        let name = if query.has_nonce() {
            None
        } else {
            query.cache_key().ok()
        };
        if let Some(found) = name.as_ref().and_then(|name| self.find(name, generation, now)) {
            return found;
        }
        let bucket = if query.has_nonce() {
            &self.with_nonce
        } else {
            &self.without_nonce
        };
        if !bucket.take(now) {
            return refusal(Refused::TryLater);
        }
        let key = match self.key_for(&query) {
            Ok(key) => key,
            Err(why) => return refusal(why),
        };
        let Some(reply) = self.sign(key, query, now).await else {
            return refusal(Refused::InternalError);
        };
        let cached = Cached {
            this_update: reply.this_update,
            next_update: reply.next_update,
        };
        let der = Bytes::from(reply.der);
        let Some(name) = name else {
            return Answer { der, cache: None };
        };
        let answer = Answer {
            der,
            cache: Some(cached),
        };
        self.store(name, generation, &answer, cached);
        answer
    }

    fn find(&self, name: &[u8], generation: u64, now: Timestamp) -> Option<Answer> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stored
            .get(name)
            .filter(|stored| stored.generation == generation && now < stored.until);
        found.map(|stored| stored.reply.clone())
    }

    /// Keeps a reply for the first half of its life.
    fn store(&self, name: Vec<u8>, generation: u64, answer: &Answer, times: Cached) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if stored.len() >= MOST_STORED_REPLIES {
            stored.clear();
        }
        let life = times.next_update.micros_since(times.this_update);
        let until = times.this_update.plus_micros(life / 2);
        let reply = answer.clone();
        stored.insert(
            name,
            Stored {
                generation,
                reply,
                until,
            },
        );
    }

    async fn sign(&self, key: Arc<OcspKey>, query: OcspQuery, now: Timestamp) -> Option<Reply> {
        let _permit = self.signing.acquire().await.ok()?;
        let state = Arc::clone(&self.state);
        let life = state
            .crl_record()
            .map_or(60, |crl| crl.next_update.micros_since(crl.this_update) / 1_000_000);
        let signed = tokio::task::spawn_blocking(move || {
            let status = |serial: &extensions::Serial| state.status_under(&key.issuer, serial);
            key.responder.reply(&query, &status, now, life, key.signer.as_ref())
        });
        match signed.await {
            Ok(Ok(reply)) => Some(reply),
            Ok(Err(error)) => {
                tracing::error!(%error, "an OCSP reply was not made");
                None
            }
            Err(error) => {
                tracing::error!(%error, "an OCSP reply was not made");
                None
            }
        }
    }
}

/// An answer that refuses.
#[must_use]
pub(super) fn refusal(why: Refused) -> Answer {
    Answer {
        der: refused(why).into(),
        cache: None,
    }
}
