//! The bytes of orders: one body, a fresh id in each, and where the mandate asks for it the bot's signature (RFC 9421, RFC 9530).

use anyhow::Context;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use extensions::{Clock as _, Digest};
use mandatum::clock::SystemClock;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};

use crate::{
    house::venue,
    load::{Identity, fresh_number},
};

/// Where orders go.
pub(crate) const PATH: &str = "/v1/orders";
/// The digits of an id.
const DIGITS: usize = 20;

/// Makes orders.
pub(crate) struct Orders {
    origin: String,
    request: Vec<u8>,
    id_at: usize,
    signer: Option<Signer>,
}

struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    fingerprint: Digest,
}

fn body(id: u64) -> String {
    format!(
        r#"{{"client_order_id":"b-{id:0DIGITS$}","instrument":"ETH_EUR","side":"buy","type":"limit","quantity":"0.5","price":"{}","currency":"EUR","counterparty":"exchange_b","time_in_force":"gtc","reduce_only":false,"reasoning":"bench"}}"#,
        venue::PRICE
    )
}

impl Orders {
    /// Orders to `origin` (`https://localhost:port`), signed when somebody signs them.
    pub(crate) fn new(origin: &str, signed: Option<&Identity>) -> anyhow::Result<Self> {
        let signer = signed.map(Signer::new).transpose()?;
        let mut orders = Self {
            origin: origin.to_owned(),
            request: Vec::new(),
            id_at: 0,
            signer,
        };
        orders.write(0, "")?;
        Ok(orders)
    }

    fn write(&mut self, id: u64, fields: &str) -> anyhow::Result<()> {
        let body = body(id);
        let host = self.origin.trim_start_matches("https://");
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{fields}content-length: {}\r\n\r\n",
            body.len()
        );
        self.id_at = head.len() + body.find("b-").context("an id")? + 2;
        self.request = [head, body].concat().into_bytes();
        Ok(())
    }

    /// The next order.
    pub(crate) fn fresh(&mut self) -> anyhow::Result<&[u8]> {
        let id = fresh_number();
        if let Some(signer) = &self.signer {
            let fields = signer.fields(&self.origin, &body(id))?;
            self.write(id, &fields)?;
        } else {
            let mut left = id;
            for digit in self.request[self.id_at..self.id_at + DIGITS].iter_mut().rev() {
                *digit = b'0' + (left % 10) as u8;
                left /= 10;
            }
        }
        Ok(&self.request)
    }
}

impl Signer {
    fn new(identity: &Identity) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, identity.key.secret_der(), &random);
        Ok(Self {
            key: key.map_err(|error| anyhow::anyhow!("the bot's key: {error}"))?,
            random,
            fingerprint: Digest::of(identity.chain.first().context("a certificate")?),
        })
    }

    fn fields(&self, origin: &str, body: &str) -> anyhow::Result<String> {
        let created = SystemClock.now().seconds();
        let nonce = STANDARD.encode(uuid::Uuid::now_v7().as_bytes());
        let digest = format!("sha-256=:{}:", STANDARD.encode(Digest::of(body.as_bytes()).0));
        let parameters = format!(
            "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\");created={created};expires={};nonce=\"{nonce}\";keyid=\"{}\";alg=\"ecdsa-p256-sha256\"",
            created + 30,
            self.fingerprint
        );
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": {origin}{PATH}\n\"content-digest\": {digest}\n\"content-type\": application/json\n\"@signature-params\": {parameters}"
        );
        let signature = self.key.sign(&self.random, base.as_bytes());
        let signature = signature.map_err(|_| anyhow::anyhow!("the order cannot be signed"))?;
        Ok(format!(
            "content-digest: {digest}\r\nsignature-input: sig1={parameters}\r\nsignature: sig1=:{}:\r\n",
            STANDARD.encode(signature)
        ))
    }
}
