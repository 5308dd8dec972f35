//! `mandatum init`: from a configuration to a founded house.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail};
use ca_core::profiles::Settings;
use ca_keys::{ExposeSecret as _, Protection, SecretString};
use ca_service::ceremony::{self, Founded, Plan, Rekey, Server};
use extensions::{
    AuthorityLimits, Clock,
    certificate::TrustDomain,
    limits::{Authority, LimitsDocument, ScopeDocument},
    oids::{Environment, OidArc},
};
use revocation_core::{RegionTable, house::Thresholds, regions::NetworkRegion};

use crate::config::{Config, hosts_and_addresses};

/// Names of the listeners' certificates and keys.
pub const GATEWAY: &str = "gateway";
/// The officers' listener.
pub const CONSOLE: &str = "console";
/// The enrolment listener.
pub const ENROLMENT: &str = "enrolment";

/// The passphrase of the key files, when they have one.
///
/// # Errors
/// When the file cannot be read, is empty, or may be read by others.
pub fn passphrase(config: &Config) -> anyhow::Result<Option<SecretString>> {
    config.paths.passphrase_file.as_deref().map(first_line).transpose()
}

/// The passphrase of both roots' keys: one of their own, so that whoever has a server's cannot open them. Without it, the server's.
///
/// # Errors
/// As [`passphrase`]; in production also when there is none of their own, or it is the server's.
pub fn root_passphrase(config: &Config) -> anyhow::Result<Option<SecretString>> {
    let production = config.house.environment == Environment::Production;
    let running = passphrase(config)?;
    let Some(path) = &config.paths.root_passphrase_file else {
        if production {
            bail!(
                "paths.root_passphrase_file: production roots have a passphrase of their own: name a file, readable by its owner alone, and take it away with the roots"
            );
        }
        return Ok(running);
    };
    let own = first_line(path)?;
    if production && running.is_some_and(|running| running.expose_secret() == own.expose_secret()) {
        bail!(
            "paths.root_passphrase_file: {} holds the server's passphrase: whoever has the one must not have the other",
            path.display()
        );
    }
    Ok(Some(own))
}

fn first_line(path: &Path) -> anyhow::Result<SecretString> {
    let text = read_private(path)?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        bail!("{}: the first line, the passphrase, is empty", path.display());
    }
    Ok(SecretString::from(line.to_owned()))
}

/// Reads a secret's file, which nobody but its owner may read.
///
/// # Errors
/// When it cannot be read or is readable by others.
pub fn read_private(path: &Path) -> anyhow::Result<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let open = || format!("cannot read {}", path.display());
    let mode = std::fs::metadata(path).with_context(open)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!(
            "{} may be read by others (mode {:o}): chmod 600 it",
            path.display(),
            mode & 0o777
        );
    }
    std::fs::read_to_string(path).with_context(open)
}

/// How this configuration protects its key files.
#[must_use]
pub fn protection(passphrase: Option<&SecretString>) -> Protection<'_> {
    passphrase.map_or(Protection::Plain, Protection::Passphrase)
}

/// The ledger of a configuration.
#[must_use]
pub fn ledger_config(config: &Config, clock: Arc<dyn Clock>) -> ledger::Config {
    let mut ledger = ledger::Config::new(&config.paths.ledger, clock);
    ledger.head_file.clone_from(&config.paths.head);
    ledger
}

/// Founds the house that `config` describes: roots, issuing CAs, listeners' certificates, the ledger, officers' tokens.
///
/// # Errors
/// When something exists already, a value does not fit, or a file cannot be written.
pub async fn found(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Founded> {
    let (house, paths) = (&config.house, &config.paths);
    let status = config.status.public_url();
    let settings = Settings {
        arc: OidArc::new(house.pen)?,
        environment: house.environment,
        trust_domain: TrustDomain::new(&house.trust_domain).context("house.trust_domain")?,
        crl_url: format!("{status}/agents.crl"),
        ocsp_url: format!("{status}/ocsp"),
        issuer_url: format!("{status}/agents-issuing.cer"),
    };
    let ceiling = house.ceiling.clone().unwrap_or_else(widest);
    let ceiling = Authority::try_from(ceiling).context("house.ceiling")?;
    let (passphrase, root_passphrase) = (passphrase(config)?, root_passphrase(config)?);
    let server = |name: &str, names: &[String]| {
        let (hosts, addresses) = hosts_and_addresses(names);
        Server {
            name: name.to_owned(),
            hosts,
            addresses,
        }
    };
    let plan = Plan {
        settings,
        root_envelope: AuthorityLimits::for_ca(ceiling.clone()),
        issuing_envelope: AuthorityLimits::for_ca(ceiling),
        certificate_folder: paths.certificates.clone(),
        key_folder: paths.keys.clone(),
        root_folder: paths.roots.clone(),
        protection: protection(passphrase.as_ref()),
        root_protection: protection(root_passphrase.as_ref()),
        servers: vec![
            server(GATEWAY, &config.gateway.names),
            server(CONSOLE, &config.console.names),
            server(ENROLMENT, &config.console.names),
        ],
        officers: house.officers.clone(),
        thresholds: Thresholds {
            two_officers_above: house.two_officers_above.clone(),
            ..Thresholds::default()
        },
        regions: regions(config)?,
        ledger_id: house.ledger.clone(),
    };
    let now = clock.now();
    Ok(ceremony::found(&plan, ledger_config(config, clock), now).await?)
}

/// Makes new issuing CAs under both roots, whose keys lie in `roots`; gives the transcript.
///
/// # Errors
/// When the house is being served, a root's key is not there or does not open, or something cannot be written.
pub async fn rekey(config: &Config, roots: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<String> {
    let (passphrase, root_passphrase) = (passphrase(config)?, root_passphrase(config)?);
    let plan = Rekey {
        certificate_folder: config.paths.certificates.clone(),
        key_folder: config.paths.keys.clone(),
        root_folder: roots.to_owned(),
        protection: protection(passphrase.as_ref()),
        root_protection: protection(root_passphrase.as_ref()),
    };
    let now = clock.now();
    Ok(ceremony::rekey(&plan, ledger_config(config, clock), now).await?)
}

fn regions(config: &Config) -> anyhow::Result<Option<RegionTable>> {
    let rows: Vec<NetworkRegion> = config
        .house
        .regions
        .iter()
        .flat_map(|(region, networks)| {
            let row = |network: &_| NetworkRegion {
                network: *network,
                region: *region,
            };
            networks.iter().map(row)
        })
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(RegionTable::new(rows).context("house.regions")?))
}

/// The widest ceiling that is sensible without one in the file: every name and hour, and high amounts in common units.
fn widest() -> LimitsDocument {
    let any = || ScopeDocument::Word("any".to_owned());
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let amounts = |amount: &str| {
        ["CHF", "EUR", "GBP", "JPY", "USD", "local:USDC", "local:USDT"].map(|unit| format!("{unit} {amount}"))
    };
    LimitsDocument {
        counterparties: any(),
        hours: texts(&["always"]),
        instruments: any(),
        order_proof: false,
        order_rates: texts(&["10000/1s"]),
        order_types: texts(&["limit", "market", "stop_limit", "stop_market"]),
        per_day: amounts("1000000000000").to_vec(),
        per_order: amounts("10000000000").to_vec(),
        price_collar_bps: 10_000,
        regions: any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The roots' keys open under their own passphrase and not under the server's. Negative control: answer the server's from
    /// `root_passphrase`, and it opens them.
    #[tokio::test]
    async fn the_roots_have_a_passphrase_of_their_own() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            std::fs::write(at(name), text).unwrap();
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        let read = |environment: &str, more: &str| {
            let text = format!(
                "[house]\nledger = \"test\"\ntrust_domain = \"bots.example\"\nenvironment = \"{environment}\"\npen = 99999\nofficers = [\"ada\", \"grace\"]\n[paths]\npassphrase_file = \"server\"\n{more}"
            );
            Config::parse(&text, &at("mandatum.toml"), []).unwrap()
        };
        write("server", "of the server, long\n");
        write("roots", "of the roots, long\n");
        let own = "root_passphrase_file = \"roots\"";
        let clock = || Arc::new(crate::clock::SystemClock);
        let told = found(&read("production", ""), clock()).await.err().unwrap().to_string();
        assert!(told.contains("root_passphrase_file"), "{told}");
        write("same", "of the server, long\n");
        let same = read("production", "root_passphrase_file = \"same\"");
        let told = found(&same, clock()).await.err().unwrap().to_string();
        assert!(told.contains("the server's passphrase"), "{told}");
        assert!(!at("ca").exists(), "refused before anything was written");

        let config = read("production", &format!("{own}\nroots = \"usb\""));
        let founded = found(&config, clock()).await.unwrap();
        founded.ledger.close().await.unwrap();
        let opens = |name: &str, passphrase: &Option<SecretString>| {
            ca_keys::FileSigner::open(&at(name), protection(passphrase.as_ref())).is_ok()
        };
        let (server, roots) = (passphrase(&config).unwrap(), root_passphrase(&config).unwrap());
        for key in ["usb/agent-root.key", "usb/house-root.key"] {
            assert!(opens(key, &roots) && !opens(key, &server), "{key}");
        }
        assert!(opens("keys/agent-issuing.key", &server) && !opens("keys/agent-issuing.key", &roots));
        let sandbox = read("sandbox", "");
        assert!(
            root_passphrase(&sandbox).unwrap().is_some(),
            "a sandbox may do with one"
        );
    }

    #[test]
    fn the_widest_ceiling_is_a_ceiling() {
        let authority = Authority::try_from(widest()).unwrap();
        assert!(AuthorityLimits::for_ca(authority).encode().is_ok());
    }
}
