//! An officer at work: the officers' API over mTLS, and signatures made here with the officer's own key, which leaves this
//! machine as little as any bot's does.

use std::{path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use ca_keys::{FileSigner, Protection};
use extensions::{
    AgentId, ApprovalDecision, Base64, Decimal, Digest, Instrument, KeyAlgorithm, Signer, approval::approval_message,
    certificate::Certificate,
};
use gateway_policy::events::PositionAttested;
use hyper::StatusCode;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::{
    client::{Client, Origin, Reply},
    commands::report::{Exit, Failure},
    request,
};

/// The name of the officer's key in its folder.
pub const KEY_FILE: &str = "key.pem";
/// The name of the officer's certificate in its folder, chain included.
pub const CERTIFICATE_FILE: &str = "certificate.pem";

/// The most pages of a list that are asked for.
const MOST_PAGES: usize = 1_000;

/// One officer's connection to the officers' API.
pub struct Officer {
    client: Client,
    key: Arc<dyn Signer>,
}

impl Officer {
    /// Opens the key and certificate in `folder`; `roots` is the house root, pinned.
    ///
    /// # Errors
    /// When a file is missing or cannot be used.
    pub fn open(folder: &Path, origin: Origin, roots: &[CertificateDer<'static>]) -> anyhow::Result<Self> {
        let missing = || {
            format!(
                "no officer in {}: enrol first with `mandatum officer enrol`",
                folder.display()
            )
        };
        let chain = crate::pem::certificates(&folder.join(CERTIFICATE_FILE)).with_context(missing)?;
        let key: Arc<dyn Signer> =
            Arc::new(FileSigner::open(&folder.join(KEY_FILE), Protection::Plain).with_context(missing)?);
        let identity = ca_keys::tls::certified_key(chain, key.clone());
        Ok(Self {
            client: Client::new(origin, roots, Some(identity))?,
            key,
        })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        let reply = self.client.send("GET", path, &[], "").await.map_err(unreachable)?;
        answer(&reply)
    }

    /// A whole list: `GET path`, page after page, until no more comes after. `member` names its rows.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn list(&mut self, path: &str, member: &str) -> anyhow::Result<Value> {
        let mut rows = Vec::new();
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let from = after.map_or_else(String::new, |after: String| format!("&after={after}"));
            let mut page = self.get(&format!("{path}?limit=500{from}")).await?;
            let more = page[member].as_array_mut().context("the server's list")?;
            rows.append(more);
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                return Ok(json!({ member: rows }));
            }
        }
        let message = format!("{path} has more than {} rows", rows.len());
        Err(Failure::new(Exit::Failed, message).into())
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let headers = [("content-type", "application/json")];
        let reply = self.client.send("POST", path, &headers, body.to_string()).await;
        answer(&reply.map_err(unreachable)?)
    }

    /// Signs an answer to a question and sends it to `path`. The digest is the caller's own of the document it has read.
    ///
    /// # Errors
    /// When the key cannot sign, or the server refuses.
    pub async fn sign(
        &mut self,
        path: &str,
        question: Question,
        decision: ApprovalDecision,
        reason: Option<&str>,
    ) -> anyhow::Result<Value> {
        let signature = self.signature(&question.nonce, &question.document, decision)?;
        let mut body = json!({
            "decision": decision,
            "document": question.document,
            "nonce": question.nonce,
            "signature": signature,
        });
        if let Some(reason) = reason {
            body["reason"] = json!(reason);
        }
        self.post(path, &body).await
    }

    /// The officer's signature over `SHA-256("mandatum/approve/v1" ‖ nonce ‖ document ‖ decision)`.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn signature(&self, nonce: &Digest, document: &Digest, decision: ApprovalDecision) -> anyhow::Result<Base64> {
        let message = approval_message(nonce, document, decision);
        let signature = self
            .key
            .sign(&message.0)
            .map_err(|error| anyhow!("the officer's key: {error}"))?;
        Ok(Base64(signature))
    }
}

/// The journeys of an officer, each one call or a few.
impl Officer {
    /// Reads what `path` shows and answers it: the digest that is signed is computed here from the document shown. With `seen`, only when
    /// that is still the document the officer has read.
    async fn answer(
        &mut self,
        path: &str,
        seen: Option<&Digest>,
        decision: ApprovalDecision,
        reason: Option<&str>,
    ) -> anyhow::Result<Value> {
        let shown = self.get(path).await?;
        let question = Question::of(&shown)?;
        if let Some(seen) = seen {
            question.still(seen)?;
        }
        self.sign(&format!("{path}/signatures"), question, decision, reason)
            .await
    }

    /// Answers an application as it stands now: for programs that made it. A person has read a document: [`Self::decide_seen`].
    ///
    /// # Errors
    /// When the server refuses, or shows a document that is not the one it names.
    pub async fn decide_application(
        &mut self,
        mandate: &str,
        decision: ApprovalDecision,
        reason: Option<&str>,
    ) -> anyhow::Result<Value> {
        let path = format!("/v1/applications/{mandate}");
        self.answer(&path, None, decision, reason).await
    }

    /// Answers the application whose document has the digest `seen`; one that was changed since is refused, and nothing is signed.
    ///
    /// # Errors
    /// As [`decide_application`](Self::decide_application), and when another document is asked about now.
    pub async fn decide_seen(
        &mut self,
        mandate: &str,
        seen: &Digest,
        decision: ApprovalDecision,
        reason: Option<&str>,
    ) -> anyhow::Result<Value> {
        let path = format!("/v1/applications/{mandate}");
        self.answer(&path, Some(seen), decision, reason).await
    }

    /// Signs a proposal (`officer/ID/NUMBER`) as it stands; with a reason, says no. A proposal never changes, but its name is easily
    /// mistaken: with `seen`, only when its document has that digest.
    ///
    /// # Errors
    /// As [`decide_seen`](Self::decide_seen).
    pub async fn sign_proposal(
        &mut self,
        proposal: &str,
        seen: Option<&Digest>,
        reject: Option<&str>,
    ) -> anyhow::Result<Value> {
        let name = proposal.strip_prefix("officer/").unwrap_or(proposal);
        let decision = reject.map_or(ApprovalDecision::Approve, |_| ApprovalDecision::Reject);
        self.answer(&format!("/v1/proposals/{name}"), seen, decision, reject)
            .await
    }

    /// Signs the newest baseline proposed for an agent: for programs that proposed it.
    ///
    /// # Errors
    /// When nothing is proposed, or as [`decide_application`](Self::decide_application).
    pub async fn approve_baseline(&mut self, agent: &str) -> anyhow::Result<Value> {
        let open = self.open_baselines(agent).await?;
        let (newest, _) = open.last().ok_or_else(|| {
            let message = format!("no baseline of {agent} waits for a signature: mandatum baseline propose {agent}");
            Failure::new(Exit::Refused, message)
        })?;
        self.sign_proposal(newest, None, None).await
    }

    /// Signs the open baseline of an agent whose document has the digest `seen`.
    ///
    /// # Errors
    /// When no such baseline waits for a signature, or as [`decide_seen`](Self::decide_seen).
    pub async fn approve_baseline_seen(&mut self, agent: &str, seen: &Digest) -> anyhow::Result<Value> {
        let open = self.open_baselines(agent).await?;
        let named = open.iter().find(|(_, document)| document == seen);
        let (proposal, _) = named.ok_or_else(|| {
            let message = format!(
                "no baseline of {agent} with the document {seen} waits for a signature: read again with `mandatum baseline show {agent}`; nothing was signed"
            );
            Failure::new(Exit::Refused, message)
        })?;
        self.sign_proposal(proposal, Some(seen), None).await
    }

    /// The proposals of baselines that wait for signatures, oldest first, each with the digest of its document.
    async fn open_baselines(&mut self, agent: &str) -> anyhow::Result<Vec<(String, Digest)>> {
        let shown = self.get(&format!("/v1/agents/{agent}/baselines")).await?;
        let proposed = shown["proposed"].as_array().into_iter().flatten();
        let open = proposed.filter_map(|one| {
            let proposal = one["proposal"]
                .as_object()
                .filter(|proposal| proposal["accepted"].is_null())?;
            let document = serde_json::from_value(proposal["document_digest"].clone()).ok()?;
            Some((proposal["proposal"].as_str()?.to_owned(), document))
        });
        Ok(open.collect())
    }

    /// A one-time token for a bot's first certificate.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn enrolment_token(&mut self, agent: &str, mandate: &str) -> anyhow::Result<Value> {
        let body = json!({ "mandate": mandate });
        self.post(&format!("/v1/agents/{agent}/enrolment-tokens"), &body).await
    }

    /// Attests what a bot holds of an instrument.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn attest_position(
        &mut self,
        agent: &AgentId,
        instrument: &Instrument,
        quantity: Decimal,
    ) -> anyhow::Result<Value> {
        let drawn = self.post("/v1/nonces", &json!({})).await?;
        let nonce: Digest = serde_json::from_value(drawn["nonce"].clone()).context("the server's nonce")?;
        let document = PositionAttested::document(agent, instrument, quantity);
        let signature = self.signature(&nonce, &document, ApprovalDecision::Approve)?;
        let body = json!({ "instrument": instrument, "nonce": nonce, "quantity": quantity, "signature": signature });
        self.post(&format!("/v1/agents/{agent}/positions"), &body).await
    }
}

/// What an officer answers: a document under a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// SHA-256 of the canonical document.
    pub document: Digest,
    /// The server's nonce.
    pub nonce: Digest,
}

impl Question {
    /// The question that a server's answer asks: `nonce` and `document`. The digest is computed here from the document itself, and
    /// held to the one the server names.
    ///
    /// # Errors
    /// When a member is missing or the digests differ.
    pub fn of(shown: &Value) -> anyhow::Result<Self> {
        let nonce = shown.get("nonce").cloned().context("the server shows no nonce")?;
        let document = shown.get("document").context("the server shows no document")?;
        let own = Digest::of(&extensions::canonical::to_vec(document));
        let named: Option<Digest> = shown
            .get("document_digest")
            .and_then(|d| serde_json::from_value(d.clone()).ok());
        if named.is_some_and(|named| named != own) {
            let message = "the document shown is not the one whose digest the server names; nothing was signed";
            return Err(Failure::new(Exit::Unverified, message).into());
        }
        Ok(Self {
            document: own,
            nonce: serde_json::from_value(nonce).context("the nonce")?,
        })
    }

    /// Holds the question to the document that was read.
    ///
    /// # Errors
    /// When it asks about another one.
    pub fn still(&self, seen: &Digest) -> Result<(), Failure> {
        if self.document == *seen {
            return Ok(());
        }
        let message = format!(
            "the server asks about the document {}, not {seen}: it was changed since you read it, or is another one; read it again; nothing was signed",
            self.document
        );
        Err(Failure::new(Exit::Refused, message))
    }
}

/// Enrols an officer with a one-time token: makes the key in `folder`, asks, writes the certificate.
///
/// # Errors
/// When the folder holds a key already, the token is refused, or the certificate does not come.
pub async fn enrol(
    folder: &Path,
    origin: Origin,
    roots: &[CertificateDer<'static>],
    token: &str,
    name: &str,
) -> anyhow::Result<Value> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(KEY_FILE);
    // A second try with the same token goes on with the same key: the token is bound to its first request.
    let key = if path.exists() {
        FileSigner::open(&path, Protection::Plain)?
    } else {
        FileSigner::create(&path, KeyAlgorithm::EcdsaP256Sha256, Protection::Plain)?
    };
    let csr = request::of_key(&key)?;
    let mut client = Client::new(origin, roots, None)?;
    let body = json!({ "csr": Base64(csr), "name": name, "token": token }).to_string();
    let headers = [("content-type", "application/json")];
    for _ in 0..request::MOST_POLLS {
        let reply = client.send("POST", "/v1/officers/enrol", &headers, body.clone()).await;
        let reply = reply.map_err(unreachable)?;
        if reply.status == StatusCode::ACCEPTED {
            tokio::time::sleep(request::retry_after(&reply)).await;
            continue;
        }
        let shown = answer(&reply)?;
        let pem = shown
            .get("certificate")
            .and_then(Value::as_str)
            .context("the answer holds no certificate")?;
        let chain = crate::pem::of_bytes(pem.as_bytes())?;
        let leaf = chain.first().and_then(|leaf| Certificate::read(leaf).ok());
        if leaf.is_none_or(|leaf| leaf.spki() != key.public_key_spki()) {
            let message = "the certificate that came is not of our key; nothing was written";
            return Err(Failure::new(Exit::Unverified, message).into());
        }
        ca_service::files::write_whole(&folder.join(CERTIFICATE_FILE), pem.as_bytes())?;
        return Ok(shown);
    }
    Err(Failure::new(
        Exit::Unavailable,
        "the certificate was not issued in time; run the same command again",
    )
    .into())
}

/// A connection that fails is a failure with its own exit code.
pub(crate) fn unreachable(error: anyhow::Error) -> anyhow::Error {
    let message = format!("{error:#}; is `mandatum serve` running there?");
    Failure::new(Exit::Unavailable, message).into()
}

/// The JSON of a good answer; a refusal in the server's own words otherwise.
pub(crate) fn answer(reply: &Reply) -> anyhow::Result<Value> {
    let value = reply.json().unwrap_or_default();
    if reply.status.is_success() {
        return Ok(value);
    }
    let text = |member: &str| value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut message = format!(
        "refused ({} {}): {}",
        reply.status.as_u16(),
        text("code"),
        text("detail")
    );
    for reason in value.get("reasons").and_then(Value::as_array).into_iter().flatten() {
        message.push_str(&format!("\n  - {}", reason.as_str().unwrap_or_default()));
    }
    let exit = if reply.status.is_server_error() {
        Exit::Unavailable
    } else {
        Exit::Refused
    };
    Err(Failure {
        exit,
        message,
        answer: Some(value),
    }
    .into())
}
