//! Reading the configuration: the file, environment variables over it, unknown keys refused with their nearest match.

use std::{
    io,
    path::{Path, PathBuf},
};

use extensions::{
    oids::{Environment, OidArc},
    passkey::RelyingParty,
};
use revocation_service::calendar::check_schedule;
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use super::{Config, GatewaySection, Paths, Venue, VenueKind};

/// Variables that begin so override the file: `MANDATUM__GATEWAY__LISTEN=127.0.0.1:9443`.
pub const ENVIRONMENT_PREFIX: &str = "MANDATUM__";

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file.
    #[error("{path}: {source}; make one with `mandatum init --dir DIR`, or name it with --config")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML.
    #[error("{path} is not TOML: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A key that nobody reads.
    #[error("unknown key {key} in {path}{}", hint(.near.as_deref()))]
    UnknownKey {
        /// The file, or the environment.
        path: PathBuf,
        /// The whole key.
        key: String,
        /// The nearest key that exists.
        near: Option<String>,
    },
    /// A value that does not fit.
    #[error("{path}: {key}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key; empty when the whole is meant.
        key: String,
        /// Why.
        reason: String,
    },
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(": did you mean {near}?"))
}

pub(super) fn load(
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Io {
        path: file.to_owned(),
        source,
    })?;
    parse(&text, file, environment)
}

pub(super) fn parse(
    text: &str,
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        path: file.to_owned(),
        reason: error.to_string(),
    })?;
    for (name, value) in environment {
        if let Some(keys) = name.strip_prefix(ENVIRONMENT_PREFIX) {
            set(&mut table, keys, &value).map_err(|reason| ConfigError::Value {
                path: file.to_owned(),
                key: name.clone(),
                reason,
            })?;
        }
    }
    let mut config = Config::deserialize(Value::Table(table)).map_err(|error| refusal(file, &error))?;
    config.paths = absolute(&config.paths, file);
    for venue in config.venues.values_mut() {
        let folder = folder_of(file);
        venue.api_key_file = folder.join(&venue.api_key_file);
        venue.secret_file = folder.join(&venue.secret_file);
        venue.roots_file = venue.roots_file.take().map(|path| folder.join(path));
    }
    for webhook in config.webhooks.values_mut() {
        let folder = folder_of(file);
        webhook.secret_file = folder.join(&webhook.secret_file);
        webhook.previous_secret_file = webhook.previous_secret_file.take().map(|path| folder.join(path));
    }
    check(&config, file)?;
    Ok(config)
}

/// Sets `SECTION__KEY`; names are lower-cased except below `instruments` and other maps whose keys are upper-case.
fn set(table: &mut Table, keys: &str, value: &str) -> Result<(), String> {
    let parts: Vec<&str> = keys.split("__").collect();
    let Some((last, sections)) = parts.split_last() else {
        return Err("names no key".to_owned());
    };
    let mut at = table;
    let mut above = String::new();
    for section in sections {
        let name = key_name(&above, section);
        let entry = at.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
        at = entry.as_table_mut().ok_or_else(|| format!("{name} is no section"))?;
        above = name;
    }
    at.insert(key_name(&above, last), value_of(value));
    Ok(())
}

fn key_name(above: &str, part: &str) -> String {
    match above {
        "instruments" | "symbols" | "two_officers_above" => part.to_owned(),
        _ => part.to_ascii_lowercase(),
    }
}

/// As TOML where it reads as TOML (`5`, `true`, `["a"]`), else the text itself.
fn value_of(text: &str) -> Value {
    let table: Result<Table, _> = format!("value = {text}").parse();
    table
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn refusal(file: &Path, error: &toml::de::Error) -> ConfigError {
    let text = error.to_string();
    let (message, section) = match text.split_once("\nin `") {
        Some((message, rest)) => (message.trim(), rest.trim().trim_end_matches('`').to_owned()),
        None => (text.trim(), String::new()),
    };
    let whole = |key: &str| {
        if section.is_empty() {
            key.to_owned()
        } else {
            format!("{section}.{key}")
        }
    };
    if let Some(rest) = message.strip_prefix("unknown field `")
        && let Some((key, expected)) = rest.split_once('`')
    {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        // The path that is reported may already end in the key itself.
        let full = if section == key || section.ends_with(&format!(".{key}")) {
            section.clone()
        } else {
            whole(key)
        };
        return ConfigError::UnknownKey {
            path: file.to_owned(),
            key: full,
            near: nearest(key, &known).map(str::to_owned),
        };
    }
    ConfigError::Value {
        path: file.to_owned(),
        key: section.clone(),
        reason: message.to_owned(),
    }
}

/// The known word that is fewest edits away, when that is at most a third of its length.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (edits(word, candidate), *candidate))
        .min()
        .filter(|(edits, candidate)| *edits <= candidate.len().max(3) / 3 + 1)
        .map(|(_, candidate)| candidate)
}

fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().map_or_else(PathBuf::new, Path::to_owned)
}

fn absolute(paths: &Paths, file: &Path) -> Paths {
    let folder = folder_of(file);
    Paths {
        certificates: folder.join(&paths.certificates),
        keys: folder.join(&paths.keys),
        roots: folder.join(&paths.roots),
        ledger: folder.join(&paths.ledger),
        head: folder.join(&paths.head),
        crl: folder.join(&paths.crl),
        passphrase_file: paths.passphrase_file.as_ref().map(|path| folder.join(path)),
        root_passphrase_file: paths.root_passphrase_file.as_ref().map(|path| folder.join(path)),
        webhook_roots_file: paths.webhook_roots_file.as_ref().map(|path| folder.join(path)),
    }
}

/// The longest address of the status listener, in octets; three of them stand in each certificate.
const LONGEST_STATUS_URL: usize = 200;

/// Arcs accepted beside the house's own: each costs a look at every handshake.
const MOST_ACCEPTED_PENS: usize = 4;

/// The shortest and the longest time of a venue's dead man's switch, in seconds: beats come in its quarter, and it outlasts the 15 s for which the gateway
/// keeps still when the venue says that it asks too much.
const DEAD_MAN_S: std::ops::RangeInclusive<u64> = 60..=3_600;

fn dead_man(venue: &Venue) -> Result<(), String> {
    match (venue.kind, venue.dead_man_s) {
        (_, None) => Ok(()),
        (VenueKind::Binance, Some(_)) => Err("Binance's spot has no such switch: remove it".to_owned()),
        (VenueKind::Kraken, Some(seconds)) if DEAD_MAN_S.contains(&seconds) => Ok(()),
        (VenueKind::Kraken, Some(seconds)) => {
            let (least, most) = (DEAD_MAN_S.start(), DEAD_MAN_S.end());
            Err(format!("{seconds} is outside {least} to {most}"))
        }
    }
}

/// Every number that has bounds: key, value, least, most.
fn bounded(config: &Config) -> Vec<(&'static str, u64, u64, u64)> {
    let (gateway, house) = (&config.gateway, &config.house);
    vec![
        ("gateway.threads", gateway.threads as u64, 1, 64),
        ("gateway.connections", gateway.connections as u64, 1, 1 << 20),
        ("gateway.handshake_ms", gateway.handshake_ms, 100, 60_000),
        ("gateway.body_bytes", gateway.body_bytes as u64, 1_024, 1 << 20),
        ("gateway.head_bytes", gateway.head_bytes as u64, 8_192, 1 << 20),
        ("gateway.head_ms", gateway.head_ms, 100, 600_000),
        ("gateway.body_ms", gateway.body_ms, 100, 60_000),
        ("gateway.send_deadline_ms", gateway.send_deadline_ms, 10, 10_000),
        ("gateway.price_age_ms", gateway.price_age_ms, 100, 3_600_000),
        ("gateway.price_every_ms", gateway.price_every_ms, 10, 60_000),
        ("gateway.watch_every_ms", gateway.watch_every_ms, 10, 60_000),
        (
            "gateway.messages_per_second",
            u64::from(gateway.messages_per_second),
            1,
            1_000_000,
        ),
        (
            "ca.bot_life_seconds",
            config.ca.bot_life_seconds.max(0).unsigned_abs(),
            60,
            604_800,
        ),
        (
            "ca.officer_life_seconds",
            config.ca.officer_life_seconds.max(0).unsigned_abs(),
            3_600,
            31_536_000,
        ),
        (
            "ca.crl_life_seconds",
            config.ca.crl_life_seconds.max(0).unsigned_abs(),
            600,
            604_800,
        ),
        ("house.pen", house.pen, 1, (1 << 31) - 1),
    ]
}

/// What the types do not say by themselves.
fn check(config: &Config, file: &Path) -> Result<(), ConfigError> {
    let refuse = |key: &str, reason: String| {
        Err(ConfigError::Value {
            path: file.to_owned(),
            key: key.to_owned(),
            reason,
        })
    };
    let house = &config.house;
    for (key, value, least, most) in bounded(config) {
        if !(least..=most).contains(&value) {
            return refuse(key, format!("{value} is outside {least} to {most}"));
        }
    }
    if let Err(reason) = fix_apart(&config.gateway) {
        return refuse("gateway.fix", reason.to_owned());
    }
    for (name, venue) in &config.venues {
        if let Err(reason) = dead_man(venue) {
            return refuse(&format!("venues.{name}.dead_man_s"), reason);
        }
    }
    if let Err(reason) = accepted_pens(&config.gateway, house.environment) {
        return refuse("gateway.accepted_pens", reason);
    }
    if let Err(reason) = status_url(&config.status.public_url()) {
        return refuse("status.url", reason);
    }
    if let Some(Err(reason)) = config.console.origin.as_deref().map(RelyingParty::of_origin) {
        return refuse("console.origin", reason.to_owned());
    }
    for (key, schedule) in [
        ("status.crl_schedule", &config.status.crl_schedule),
        ("status.heartbeat_schedule", &config.status.heartbeat_schedule),
    ] {
        if let Err(error) = check_schedule(schedule) {
            return refuse(key, error.to_string());
        }
    }
    if !config.operations.listen.ip().is_loopback() {
        let reason = format!(
            "{} is not a loopback address: the operations listener has no authentication",
            config.operations.listen
        );
        return refuse("operations.listen", reason);
    }
    if config.gateway.proxy_protocol && config.gateway.proxy_from.is_empty() {
        let reason =
            "names nobody, though gateway.proxy_protocol is on: write the balancers' networks, [\"10.0.0.7/32\"]";
        return refuse("gateway.proxy_from", reason.to_owned());
    }
    if house.environment == Environment::Production && config.paths.passphrase_file.is_none() {
        let reason = "production keys are encrypted: name a file with a passphrase, readable by its owner alone";
        return refuse("paths.passphrase_file", reason.to_owned());
    }
    if house.environment == Environment::Production && house.pen == super::development_pen() {
        let reason =
            "32473 is the documentation arc and belongs to nobody: register a private enterprise number with IANA";
        return refuse("house.pen", reason.to_owned());
    }
    Ok(())
}

/// Bots that speak FIX have a listener of their own.
fn fix_apart(gateway: &GatewaySection) -> Result<(), &'static str> {
    if gateway.fix == Some(gateway.listen) && gateway.listen.port() != 0 {
        return Err("is gateway.listen, where bots speak HTTP: FIX needs an address of its own");
    }
    Ok(())
}

/// What an arc beside the house's own may be.
fn accepted_pens(gateway: &GatewaySection, environment: Environment) -> Result<(), String> {
    for pen in &gateway.accepted_pens {
        match OidArc::new(*pen) {
            Ok(arc) if arc.fits(environment) => {}
            Ok(_) => {
                let reason =
                    "32473 is the documentation arc and belongs to nobody: production accepts no certificate of it";
                return Err(reason.to_owned());
            }
            Err(error) => return Err(format!("{pen}: {error}")),
        }
    }
    let count = gateway.accepted_pens.len();
    if count > MOST_ACCEPTED_PENS {
        return Err(format!("{count} arcs; at most {MOST_ACCEPTED_PENS}"));
    }
    Ok(())
}

/// Every certificate carries this address and its profile holds it to plain http: what is fetched there is signed by itself, and a
/// client that needed TLS for it would need a status for that TLS first (RFC 5280 §8).
fn status_url(url: &str) -> Result<(), String> {
    let refused = |reason: &str| Err(format!("{url:?} {reason}; write http://host[:port][/path]"));
    if url.len() > LONGEST_STATUS_URL {
        return refused("is longer than 200 octets");
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic())
        || url.contains(['?', '#', '@', '"', '<', '>', '\\', '^', '`', '{', '|', '}'])
    {
        return refused("holds what such an address may not: only printable ASCII, no user, query or fragment");
    }
    match url.parse::<hyper::Uri>() {
        Ok(uri) if uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        Ok(uri) if uri.scheme_str() == Some("https") => {
            refused("is https, but no certificate may carry such an address: status is signed by itself")
        }
        _ => refused("is not a plain http address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[house]\nledger = \"mandatum\"\ntrust_domain = \"bots.example\"\nenvironment = \"sandbox\"\n";

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        parse(text, Path::new("/srv/house/mandatum.toml"), environment)
    }

    /// Remove one `deny_unknown_fields` and the case of that section is taken in silence: this turns red.
    #[test]
    fn unknown_keys_are_refused_by_name_at_every_level() {
        for (text, key, near) in [
            ("[gatway]\n", "gatway", Some("gateway")),
            ("[house]\nledgr = \"x\"", "house.ledgr", Some("ledger")),
            ("[paths]\nkey = \"x\"", "paths.key", Some("keys")),
            (
                "[ca]\nbot_live_seconds = 1",
                "ca.bot_live_seconds",
                Some("bot_life_seconds"),
            ),
            ("[gateway]\nlisten_on = \"x\"", "gateway.listen_on", Some("listen")),
            ("[console]\nzzz = 1", "console.zzz", None),
            ("[status]\nlistn = 1", "status.listn", Some("listen")),
            ("[operations]\nport = 1", "operations.port", None),
            ("[logs]\nlevl = \"info\"", "logs.levl", Some("level")),
            (
                "[venues.exchange_a]\nurll = \"x\"",
                "venues.exchange_a.urll",
                Some("url"),
            ),
            ("[webhooks.desk]\nulr = \"x\"", "webhooks.desk.ulr", Some("url")),
        ] {
            let whole = if text.starts_with("[house]") {
                text.to_owned()
            } else {
                format!("{LEAST}{text}")
            };
            match read(&whole, &[]) {
                Err(ConfigError::UnknownKey {
                    key: found,
                    near: guessed,
                    ..
                }) => {
                    assert_eq!((found.as_str(), guessed.as_deref()), (key, near), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    /// Control: without the check a Binance section is taken in silence.
    #[test]
    fn a_dead_mans_switch_is_krakens_and_bounded() {
        let venue = |kind, seconds| {
            let text = format!(
                "{LEAST}[venues.x]\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:1\"\napi_key_file = \"k\"\nsecret_file = \"s\"\n\
                 instruments = {{ BTC_EUR = \"EUR\" }}\ndead_man_s = {seconds}\n"
            );
            read(&text, &[])
        };
        assert!(venue("kraken", 60).is_ok() && venue("kraken", 3_600).is_ok());
        for (kind, seconds) in [("kraken", 59), ("kraken", 3_601), ("binance", 60)] {
            let Err(ConfigError::Value { key, .. }) = venue(kind, seconds) else {
                panic!("{kind} {seconds} is taken")
            };
            assert_eq!(key, "venues.x.dead_man_s");
        }
    }

    #[test]
    fn the_environment_overrides_and_is_held_to_the_same_keys() {
        let config = read(
            LEAST,
            &[
                ("MANDATUM__GATEWAY__THREADS", "3"),
                ("MANDATUM__GATEWAY__LISTEN", "127.0.0.1:9999"),
                ("MANDATUM__PATHS__KEYS", "/run/keys"),
                ("MANDATUM__HOUSE__OFFICERS", "[\"ada\", \"grace\"]"),
                ("OTHER__GATEWAY__THREADS", "9"),
            ],
        )
        .unwrap();
        assert_eq!((config.gateway.threads, config.gateway.listen.port()), (3, 9_999));
        assert_eq!(config.paths.keys, Path::new("/run/keys"));
        assert_eq!(config.paths.ledger, Path::new("/srv/house/ledger"));
        assert_eq!(config.house.officers.len(), 2);
        let wrong = read(LEAST, &[("MANDATUM__GATEWAY__THREDS", "3")]).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "unknown key gateway.threds in /srv/house/mandatum.toml: did you mean threads?"
        );
    }

    #[test]
    fn values_outside_their_bounds_are_refused_with_the_bounds() {
        let refused = |text: &str| read(&format!("{LEAST}{text}"), &[]).unwrap_err().to_string();
        assert!(refused("[gateway]\nthreads = 0").contains("gateway.threads: 0 is outside 1 to 64"));
        assert!(refused("[operations]\nlisten = \"0.0.0.0:80\"").contains("not a loopback address"));
        assert!(refused("[gateway]\nlisten = 5").contains("gateway.listen"));
        assert!(refused("[gateway]\nproxy_protocol = true").contains("gateway.proxy_from"));
        let named = "[gateway]\nproxy_protocol = true\nproxy_from = [\"10.0.0.7/32\"]";
        assert!(read(&format!("{LEAST}{named}"), &[]).is_ok());
        let production = LEAST.replace("sandbox", "production");
        assert!(read(&production, &[]).unwrap_err().to_string().contains("passphrase"));
    }

    /// What can never be issued is refused before anything is founded; each bound from both sides. Take a row out of `check` to see its
    /// second half red.
    #[test]
    fn lives_with_which_nothing_could_be_issued_are_refused() {
        for (key, least, most) in [
            ("bot_life_seconds", 60, 604_800),
            ("officer_life_seconds", 3_600, 31_536_000),
            ("crl_life_seconds", 600, revocation_core::crl::LONGEST_CRL_LIFE_SECONDS),
        ] {
            let with = |value: i64| read(&format!("{LEAST}[ca]\n{key} = {value}"), &[]);
            for inside in [least, most] {
                assert!(with(inside).is_ok(), "{key} = {inside}");
            }
            for outside in [-1, 0, least - 1, most + 1] {
                let told = with(outside).unwrap_err().to_string();
                let value = outside.max(0);
                assert!(
                    told.contains(&format!("ca.{key}: {value} is outside {least} to {most}")),
                    "{told}"
                );
            }
        }
    }

    /// The bots' profile refuses any other address, so a house with one could never certify a bot. Control: the first row; answer `Ok`
    /// from `status_url` to see the others.
    #[test]
    fn the_status_address_is_plain_http() {
        let with = |url: &str| read(&format!("{LEAST}[status]\nurl = {url:?}"), &[]);
        for url in [
            "http://status.example",
            "http://status.example:8180/pki/",
            "http://[::1]:8180",
        ] {
            assert!(with(url).is_ok(), "{url}");
        }
        for (url, why) in [
            ("https://status.example", "is https"),
            ("status.example", "not a plain http address"),
            ("ftp://status.example", "not a plain http address"),
            ("http://", "not a plain http address"),
            ("http://a@status.example", "may not"),
            ("http://status.example/?x", "may not"),
            ("http://stätus.example", "may not"),
            ("http://status.example/a b", "may not"),
        ] {
            let told = with(url).unwrap_err().to_string();
            assert!(told.contains("status.url") && told.contains(why), "{url}: {told}");
        }
    }

    /// Both would listen there, and the kernel would spread connections over them. Control: the first line; take the look out of `check` for the second.
    #[test]
    fn fix_is_off_by_default_and_has_an_address_of_its_own() {
        let with = |fix: &str| {
            read(
                &format!("{LEAST}[gateway]\nlisten = \"127.0.0.1:8443\"\nfix = \"{fix}\""),
                &[],
            )
        };
        assert_eq!(read(LEAST, &[]).unwrap().gateway.fix, None);
        assert!(with("127.0.0.1:8446").unwrap().gateway.fix.is_some());
        let told = with("127.0.0.1:8443").unwrap_err().to_string();
        assert!(
            told.contains("gateway.fix") && told.contains("an address of its own"),
            "{told}"
        );
    }

    /// Take the match out of `check` to see each line red.
    #[test]
    fn accepted_arcs_are_held_to_what_an_arc_may_be() {
        let with = |environment: &str, pens: &str| {
            let text = LEAST.replace("sandbox", environment);
            read(
                &format!("{text}pen = 99999\n[paths]\npassphrase_file = \"p\"\n[gateway]\naccepted_pens = {pens}"),
                &[],
            )
        };
        assert_eq!(with("production", "[70000]").unwrap().gateway.accepted_pens, [70_000]);
        assert!(with("sandbox", "[32473]").is_ok(), "a sandbox may");
        for (environment, pens, why) in [
            ("production", "[32473]", "documentation arc"),
            ("sandbox", "[0]", "gateway.accepted_pens"),
            ("sandbox", "[4294967296]", "gateway.accepted_pens"),
            ("sandbox", "[1, 2, 3, 4, 5]", "at most 4"),
        ] {
            let told = with(environment, pens).unwrap_err().to_string();
            assert!(
                told.contains("gateway.accepted_pens") && told.contains(why),
                "{pens}: {told}"
            );
        }
    }

    /// Leave `check_schedule` out of `check` to see the first half red: `serve` alone would find it, after the ledger was opened.
    #[test]
    fn a_wrong_schedule_is_refused_with_its_reason() {
        for key in ["crl_schedule", "heartbeat_schedule"] {
            let with = |value: &str| read(&format!("{LEAST}[status]\n{key} = {value:?}"), &[]);
            for wrong in ["", "whenever", "* * * * *", "61 * * * * *", "* 0/5 25 * * *"] {
                let told = with(wrong).unwrap_err().to_string();
                assert!(
                    told.contains(&format!("status.{key}")) && told.contains("six fields"),
                    "{told}"
                );
            }
            assert!(with("0 */10 * * * *").is_ok());
        }
        let own = read(LEAST, &[]).unwrap().status;
        assert_eq!(own.heartbeat_schedule, "30 * * * * *", "each minute");
    }

    #[test]
    fn the_template_reads_back() {
        let text = super::super::template("mandatum", "bots.example", Environment::Sandbox, &[], None);
        let config = read(&text, &[]).unwrap();
        assert_eq!(config.house.environment, Environment::Sandbox);
        assert_eq!(config.gateway.send_deadline_ms, 250);
    }
}
