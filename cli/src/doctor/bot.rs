//! The bot's side: its papers, this machine's clock, and what the gateway sees of it.

use std::{path::PathBuf, sync::Arc};

use ca_keys::{FileSigner, Protection};
use extensions::{Clock, Signer as _, Timestamp, certificate::Certificate, oids::Oid};
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tokio_rustls::TlsConnector;

use super::{Finding, disk};
use crate::{
    bot,
    client::{self, Client, Origin, Reply},
    pem,
};

/// How far this machine's clock may be off, in seconds: what signatures allow, and the second that `Date` is rounded to.
const SKEW_S: i64 = 3;
/// OID 2.5.29.37, the extended key usage.
const EXTENDED_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 37];

/// Whom to examine.
pub struct Patient {
    /// Its key and certificate.
    pub folder: PathBuf,
    /// Where it trades.
    pub gateway: Origin,
    /// What that is pinned by.
    pub roots: Vec<CertificateDer<'static>>,
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
}

/// Every check, in the order in which one rests on another.
pub async fn examine(patient: &Patient) -> Vec<Finding> {
    let mut found = papers(patient);
    found.push(disk::check(&patient.folder, disk::LEAST_MIB));
    let me = match reached(patient).await {
        Ok(me) => me,
        Err(error) => {
            let fix = "start it, or correct --gateway; a handshake that fails wants house.pem of this house and a certificate that is in force";
            let says = format!("{}: {error:#}", patient.gateway.url());
            found.push(Finding::bad("gateway", says, fix));
            return found;
        }
    };
    found.push(answered(&patient.gateway, &me));
    let agreed = alpn(patient).await;
    found.push(spoken(agreed.as_ref()));
    let date = me.headers.get("date").and_then(|date| date.to_str().ok());
    found.push(clock(patient.clock.now(), date));
    let me = me.json().unwrap_or_default();
    found.push(region(&me));
    found.push(standing(&me));
    found
}

/// Key, chain, purpose, expiry: what the files say.
fn papers(patient: &Patient) -> Vec<Finding> {
    let enrol = "enrol with a new token: `mandatum agent enrol`, or `mandatum sidecar --token`";
    let key = FileSigner::open(&patient.folder.join(bot::KEY_FILE), Protection::Plain);
    let chain = pem::certificates(&patient.folder.join(bot::CHAIN_FILE));
    let key = match key {
        Ok(key) => key,
        Err(error) => {
            return vec![Finding::bad(
                "key",
                error.to_string(),
                format!("chmod 600 it, or {enrol}"),
            )];
        }
    };
    let mut found = vec![Finding::good("key", "readable by its owner alone")];
    let chain: Vec<Certificate> = match chain {
        Ok(chain) => chain.iter().filter_map(|der| Certificate::read(der).ok()).collect(),
        Err(error) => {
            found.push(Finding::bad("chain", format!("{error:#}"), enrol));
            return found;
        }
    };
    let Some(leaf) = chain.first() else {
        found.push(Finding::bad("chain", "no certificate in it reads", enrol));
        return found;
    };
    let issued = chain.get(1).is_some_and(|issuer| leaf.verify_issued_by(issuer).is_ok());
    found.push(if leaf.spki() != key.public_key_spki() {
        Finding::bad("chain", "its first certificate is not of this key", enrol)
    } else if issued {
        Finding::good("chain", format!("serial {}, signed by its issuer", leaf.serial()))
    } else {
        Finding::bad(
            "chain",
            "the issuer's certificate is missing, or did not sign the bot's",
            enrol,
        )
    });
    found.push(purpose(leaf));
    found.push(expiry(leaf, patient.clock.now()));
    found
}

/// The extended key usage is that of a trading agent, in the arc of the certificate's own limits.
fn purpose(leaf: &Certificate) -> Finding {
    let usage = Oid::from_der_content(&EXTENDED_KEY_USAGE).and_then(|oid| leaf.extension(&oid).map(<[u8]>::to_vec));
    let wanted = leaf.authority_limits().map(|(arc, _)| arc.trading_agent());
    let fits = usage.zip(wanted).is_some_and(|(usage, wanted)| {
        let wanted = wanted.der_content();
        usage.windows(wanted.len()).any(|part| part == wanted)
    });
    if fits {
        return Finding::good("purpose", "the extended key usage of a trading agent");
    }
    let fix = "this is no bot's certificate: use the folder that `mandatum agent enrol` wrote";
    Finding::bad("purpose", "the extended key usage is not that of a trading agent", fix)
}

fn expiry(leaf: &Certificate, now: Timestamp) -> Finding {
    let (from, until) = (leaf.not_before(), leaf.not_after());
    if now < from {
        let fix = "set this machine's clock (NTP): the certificate is not in force yet by it";
        return Finding::bad("expiry", format!("in force from {from}, now {now}"), fix);
    }
    if until <= now {
        let fix = "it cannot be renewed any more: ask an officer for a one-time token and enrol";
        return Finding::bad("expiry", format!("ended at {until}"), fix);
    }
    let life = until.seconds() - from.seconds();
    let left = until.seconds() - now.seconds();
    if left * 4 < life {
        let fix = "renew now: `mandatum agent renew`; a sidecar does so from half of its life on, see /sidecar/healthz";
        return Finding::bad(
            "expiry",
            format!("less than a quarter of its life is left, until {until}"),
            fix,
        );
    }
    Finding::good("expiry", format!("until {until}"))
}

/// `GET /v1/me` as the bot.
async fn reached(patient: &Patient) -> anyhow::Result<Reply> {
    let (chain, key) = bot::papers(&patient.folder)?;
    let identity = ca_keys::tls::certified_key(chain, key);
    let mut client = Client::new(patient.gateway.clone(), &patient.roots, Some(identity))?;
    client.send("GET", "/v1/me", &[], "").await
}

fn answered(gateway: &Origin, me: &Reply) -> Finding {
    if me.status.is_success() {
        return Finding::good("gateway", format!("{} answers this certificate", gateway.url()));
    }
    let code = me.headers.get("mandatum-code").and_then(|code| code.to_str().ok());
    let says = format!("{} answers {} {}", gateway.url(), me.status, code.unwrap_or_default());
    Finding::bad("gateway", says, "docs/refusals.md says what this code wants changed")
}

/// The version of HTTP that is agreed on when both are offered.
async fn alpn(patient: &Patient) -> anyhow::Result<Option<Vec<u8>>> {
    let mut config = client::client_config(&patient.roots, None)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = client::reach(&patient.gateway, None).await?;
    let name = client::server_name(&patient.gateway)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec))
}

fn spoken(agreed: Result<&Option<Vec<u8>>, &anyhow::Error>) -> Finding {
    match agreed {
        Ok(Some(version)) if version == b"h2" || version == b"http/1.1" => {
            Finding::good("alpn", format!("{} is agreed on", String::from_utf8_lossy(version)))
        }
        Ok(other) => {
            let other = other.as_deref().map(String::from_utf8_lossy);
            let says = format!("agreed on {}", other.as_deref().unwrap_or("nothing"));
            let fix =
                "something between ends the TLS connection: reach the gateway itself, or a balancer that passes TCP on";
            Finding::bad("alpn", says, fix)
        }
        Err(error) => Finding::bad("alpn", format!("{error:#}"), "see the check `gateway`"),
    }
}

/// This machine's clock beside the gateway's `Date`.
fn clock(now: Timestamp, date: Option<&str>) -> Finding {
    let Some(theirs) = date.and_then(of_date) else {
        return Finding::bad(
            "clock",
            "the gateway's answer has no Date to compare with",
            "see the check `gateway`",
        );
    };
    let off = now.seconds() - theirs.seconds();
    if off.abs() <= SKEW_S {
        return Finding::good("clock", format!("{off} s beside the gateway's"));
    }
    let fix = "set this machine's clock (NTP); signed orders and certificates are judged by the second";
    Finding::bad(
        "clock",
        format!("{off} s beside the gateway's, more than {SKEW_S}"),
        fix,
    )
}

/// A date as HTTP writes it (RFC 9110 §5.6.7): `Sat, 28 Nov 2026 20:51:49 GMT`.
fn of_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Timestamp::parse(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

/// The region as the gateway sees it is one of the certificate's.
fn region(me: &Value) -> Finding {
    let fix = "trade from a network of the mandate's regions, or ask officers for another mandate or region table";
    let Some(region) = me["region"].as_str() else {
        return Finding::bad(
            "region",
            "the gateway's table does not know the network this comes from",
            fix,
        );
    };
    let listed = me["limits"]["regions"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one == region));
    if listed {
        Finding::good("region", format!("{region}, as the gateway sees it"))
    } else {
        Finding::bad("region", format!("{region} is not in the certificate"), fix)
    }
}

fn standing(me: &Value) -> Finding {
    let is = me["standing"]["is"].as_str().unwrap_or("unknown");
    let scope = me["standing"]["scope"].as_str().unwrap_or("?");
    if is == "active" {
        return Finding::good("standing", "active");
    }
    let fix = "docs/bots-guide.md section 7 says what still passes; an officer decides the rest";
    Finding::bad("standing", format!("{is}, by what holds for {scope}"), fix)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Each judgement on both sides of its line.
    #[test]
    fn each_check_fails_where_it_should() {
        let now = Timestamp::parse("2026-11-28T20:51:50Z").unwrap();
        for (date, ok) in [
            (Some("Sat, 28 Nov 2026 20:51:49 GMT"), true),
            (Some("Sat, 28 Nov 2026 20:51:46 GMT"), false),
            (Some("Sat, 28 Nov 2026 20:51:54 GMT"), false),
            (Some("yesterday"), false),
            (None, false),
        ] {
            assert_eq!(clock(now, date).ok, ok, "{date:?}");
        }
        for (version, ok) in [
            (Some("h2"), true),
            (Some("http/1.1"), true),
            (Some("spdy/1"), false),
            (None, false),
        ] {
            let agreed = version.map(|version| version.as_bytes().to_vec());
            assert_eq!(spoken(Ok(&agreed)).ok, ok, "{version:?}");
        }
        let limits = json!({"regions": ["eu-west-1"]});
        assert!(region(&json!({"region": "eu-west-1", "limits": limits})).ok);
        assert!(!region(&json!({"region": "us-east-1", "limits": limits})).ok);
        assert!(!region(&json!({"region": null, "limits": limits})).ok);
        assert!(standing(&json!({"standing": {"is": "active", "scope": "agent"}})).ok);
        assert!(!standing(&json!({"standing": {"is": "frozen", "scope": "owner"}})).ok);
        assert!(!standing(&json!({})).ok);
    }
}
