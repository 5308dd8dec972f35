//! What is served where: CRL, OCSP by GET and POST (RFC 6960 appendix A), CA certificates, health.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ca_core::events::CaCertificateUse;
use ca_core::succession::numbered;
use extensions::{Clock, Digest};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use revocation_core::ocsp::{LONGEST_REQUEST, Refused, parse_request};

use super::answers::{Answered, body, cached, not_allowed, plain, uncached};
use super::replies::{Answer, refusal};
use super::{Replies, StatusState};

/// The longest path read, in octets: an OCSP request in base64, each character escaped.
const LONGEST_PATH: usize = LONGEST_REQUEST * 4;
/// How long before nextUpdate the CRL's alarm is raised, in seconds, unless configured.
pub(super) const CRL_ALARM_SECONDS: i64 = 3_600;

/// What the handlers share.
pub(super) struct Routes {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) crl_alarm_seconds: i64,
    pub(super) replies: Arc<Replies>,
    pub(super) state: Arc<StatusState>,
}

impl Routes {
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answered {
        let path = request.uri().path();
        if path.len() > LONGEST_PATH {
            return plain(StatusCode::URI_TOO_LONG, "the path is too long\n");
        }
        let paths = self.state.paths();
        if path == paths.ocsp
            || path
                .strip_prefix(paths.ocsp.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        {
            let rest = path
                .get(paths.ocsp.len()..)
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned();
            return self.ocsp(request, &rest).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        match path {
            "/healthz" => self.health(),
            "/ca.pem" => self.bundle(),
            "/agents-root.cer" => self.certificate(CaCertificateUse::AgentRoot),
            "/house-root.cer" => self.certificate(CaCertificateUse::HouseRoot),
            "/house-issuing.cer" => self.certificate(CaCertificateUse::HouseIssuing),
            path => self.of_issuing(path),
        }
    }

    /// What each of the agents' issuing CAs has at an address of its own: its CRL, its certificate.
    fn of_issuing(&self, path: &str) -> Answered {
        let paths = self.state.paths();
        let issuing = self.state.certificates(CaCertificateUse::AgentIssuing);
        // Before the first certificate is on record, its list is known to be missing.
        let mut numbers = 1..=issuing.len().max(1);
        match numbers.find(|number| path == numbered(&paths.crl, *number) || path == numbered(&paths.issuer, *number)) {
            Some(number) if path == numbered(&paths.crl, number) => self.crl(number),
            Some(number) => match issuing.get(number - 1) {
                Some(der) => body(StatusCode::OK, "application/pkix-cert", der.clone()),
                None => plain(StatusCode::NOT_FOUND, "there is no such certificate yet\n"),
            },
            None => plain(
                StatusCode::NOT_FOUND,
                "here are the CRL, OCSP, CA certificates (/ca.pem) and /healthz\n",
            ),
        }
    }

    fn crl(&self, number: usize) -> Answered {
        match self.state.crl(number) {
            Some(crl) => {
                let served = body(StatusCode::OK, "application/pkix-crl", crl.der);
                cached(
                    served,
                    crl.event.next_update,
                    self.clock.now(),
                    &crl.event.digest.to_string(),
                )
            }
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "no CRL has been published yet\n"),
        }
    }

    fn certificate(&self, purpose: CaCertificateUse) -> Answered {
        match self.state.certificate(purpose) {
            Some(der) => body(StatusCode::OK, "application/pkix-cert", der),
            None => plain(StatusCode::NOT_FOUND, "there is no such certificate yet\n"),
        }
    }

    fn bundle(&self) -> Answered {
        let mut text = String::new();
        for der in self.state.ca_certificates() {
            text.push_str("-----BEGIN CERTIFICATE-----\n");
            let encoded = STANDARD.encode(&der);
            for line in encoded.as_bytes().chunks(64) {
                text.push_str(std::str::from_utf8(line).unwrap_or_default());
                text.push('\n');
            }
            text.push_str("-----END CERTIFICATE-----\n");
        }
        body(StatusCode::OK, "application/x-pem-file", text)
    }

    fn health(&self) -> Answered {
        let mut health = self.state.health(self.clock.now(), self.crl_alarm_seconds);
        if !self.replies.is_ready() {
            health
                .reasons
                .push("the OCSP responder has no valid certificate".to_owned());
        }
        let status = if health.reasons.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let text = serde_json::to_vec(&health).unwrap_or_default();
        uncached(body(status, "application/json", text))
    }

    async fn ocsp(&self, request: Request<Incoming>, rest: &str) -> Answered {
        let answer = match *request.method() {
            Method::POST if rest.is_empty() => {
                let typed = request
                    .headers()
                    .get(CONTENT_TYPE)
                    .and_then(|value| value.to_str().ok());
                if !typed.is_some_and(|value| value.eq_ignore_ascii_case("application/ocsp-request")) {
                    let text = "send application/ocsp-request\n";
                    return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
                }
                if request.body().size_hint().lower() > LONGEST_REQUEST as u64 {
                    return plain(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "an OCSP request has at most 4096 octets\n",
                    );
                }
                match Limited::new(request.into_body(), LONGEST_REQUEST).collect().await {
                    Ok(body) => self.reply(&body.to_bytes()).await,
                    Err(_) => {
                        return plain(
                            StatusCode::PAYLOAD_TOO_LARGE,
                            "an OCSP request has at most 4096 octets\n",
                        );
                    }
                }
            }
            Method::GET | Method::HEAD if !rest.is_empty() => {
                match unescape(rest).and_then(|text| STANDARD.decode(text).ok()) {
                    Some(der) => self.reply(&der).await,
                    None => refusal(Refused::MalformedRequest),
                }
            }
            Method::GET | Method::HEAD => return plain(StatusCode::NOT_FOUND, "append the request in base64\n"),
            _ => return not_allowed("GET, HEAD, POST"),
        };
        let digest = Digest::of(&answer.der).to_string();
        let served = body(StatusCode::OK, "application/ocsp-response", answer.der);
        match answer.cache {
            Some(times) => cached(served, times.next_update, self.clock.now(), &digest),
            None => uncached(served),
        }
    }

    async fn reply(&self, der: &[u8]) -> Answer {
        match parse_request(der) {
            Ok(query) => self.replies.answer(query).await,
            Err(_) => refusal(Refused::MalformedRequest),
        }
    }
}

/// Undoes percent-encoding; `None` when it is broken.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| !digits.starts_with('+'))?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    Some(out)
}
