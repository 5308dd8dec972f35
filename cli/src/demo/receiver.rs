//! A webhook receiver on loopback, as a subscriber would write it: Standard Webhooks signatures checked, each message taken once.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, Response, StatusCode, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use standardwebhooks::Webhook;
use tokio::{net::TcpListener, task::JoinHandle};

/// The longest message that is read, in bytes.
const LONGEST_MESSAGE: usize = 256 * 1_024;
/// The most messages kept.
const MOST_MESSAGES: usize = 100_000;

/// How long a message is waited for, and between two looks.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(5);

/// A message whose signature verified.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// Its CloudEvents type: `mandatum.agent.revoked`.
    pub(super) kind: String,
    /// Its subject: `agent/mm-1`.
    pub(super) subject: String,
    /// When it was there.
    pub(super) at: Instant,
}

#[derive(Default)]
struct Kept {
    messages: Vec<Message>,
    ids: HashSet<String>,
    refused: u64,
}

/// A running receiver; dropping it closes it.
pub(super) struct Receiver {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    accepting: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Receiver {
    /// Listens on a free loopback port and believes only messages signed with `secret` (`whsec_` and base64).
    ///
    /// # Errors
    /// When it cannot listen, or the secret is none.
    pub(super) async fn open(secret: &str) -> anyhow::Result<Self> {
        let verifier = Arc::new(Webhook::new(secret)?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let shared = kept.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (verifier, kept) = (verifier.clone(), shared.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request| take(request, verifier.clone(), kept.clone()));
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self {
            address,
            kept,
            accepting,
        })
    }

    /// Where messages go.
    #[must_use]
    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// When the first message of this kind about this subject was there.
    #[must_use]
    pub(super) fn first(&self, kind: &str, subject: &str) -> Option<Instant> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.messages
            .iter()
            .find(|message| message.kind == kind && message.subject == subject)
            .map(|message| message.at)
    }

    /// Waits for that message; `None` when it does not come within ten seconds.
    pub(super) async fn wait_for(&self, kind: &str, subject: &str) -> Option<Instant> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(at) = self.first(kind, subject) {
                return Some(at);
            }
            tokio::time::sleep(AGAIN).await;
        }
        None
    }

    /// Messages taken, and messages refused because their signature did not verify.
    #[must_use]
    pub(super) fn counts(&self) -> (usize, u64) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.messages.len(), kept.refused)
    }
}

async fn take<B>(
    request: Request<B>,
    verifier: Arc<Webhook>,
    kept: Arc<Mutex<Kept>>,
) -> Result<Response<Empty<Bytes>>, hyper::Error>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let answer = |status| {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = status;
        Ok(response)
    };
    let Ok(body) = Limited::new(body, LONGEST_MESSAGE).collect().await else {
        return answer(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let (at, body) = (Instant::now(), body.to_bytes());
    let verified = verifier.verify(&body, &head.headers).is_ok();
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let id = head
        .headers
        .get("webhook-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if !verified {
        kept.refused += 1;
        return answer(StatusCode::UNAUTHORIZED);
    }
    if kept.messages.len() < MOST_MESSAGES && kept.ids.insert(id) {
        kept.messages.push(Message {
            kind: text("type"),
            subject: text("subject"),
            at,
        });
    }
    answer(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use crate::client::{Client, Origin};

    use super::*;

    /// Control: answering before `verify` takes the second message too.
    #[tokio::test]
    async fn only_signed_messages_are_taken_and_each_once() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
        let receiver = Receiver::open(secret).await.unwrap();
        let mut client = Client::new(Origin::parse(&receiver.url().replace("/hook", "")).unwrap(), &[], None).unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs() as i64;
        let body = br#"{"type":"mandatum.agent.revoked","subject":"agent/mm-1"}"#;
        let signature = Webhook::new(secret).unwrap().sign("msg_1", now, body).unwrap();
        let stamp = now.to_string();
        for (signature, status) in [(signature.as_str(), 204), ("v1,AAAA", 401), (signature.as_str(), 204)] {
            let headers = [
                ("webhook-id", "msg_1"),
                ("webhook-timestamp", stamp.as_str()),
                ("webhook-signature", signature),
            ];
            let reply = client.send("POST", "/hook", &headers, body.to_vec()).await.unwrap();
            assert_eq!(reply.status.as_u16(), status);
        }
        assert_eq!(receiver.counts(), (1, 1));
        assert!(receiver.first("mandatum.agent.revoked", "agent/mm-1").is_some());
    }
}
