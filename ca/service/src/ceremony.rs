//! The founding ceremony: two roots, their issuing CAs, the house's certificates, the ledger and its root key, and one-time tokens for the
//! first two officers. Both roots' keys are written apart, used here once, and never loaded again by a server.

mod rekey;
mod unfinished;

use std::{
    fmt::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
};

use ca_core::{
    events::{CaCertificateInstalled, CaCertificateUse, HouseFounded, OfficerTokenIssued, Role, ServerCertified},
    issue::{BACKDATE_SECONDS, IssueError, IssuingCa, Particulars, prepare_house},
    profiles::{Profile, Settings},
};
use ca_keys::{FileSigner, KeyError, KeyFileError, Protection, SecretKey, SystemRandom};
use extensions::{
    AuthorityLimits, Base64, Digest, KeyAlgorithm, OfficerId, Random as _, Record, Serial, Signer, Timestamp,
};
use ledger::{Append, CheckpointKey, Ledger, LedgerError, Writer};
use revocation_core::house::{RegionsSet, Thresholds, ThresholdsSet};
use thiserror::Error;

use crate::{files::certificates_pem, keys};
use unfinished::Note;

pub use rekey::{Rekey, rekey};
pub use unfinished::NOTE as UNFINISHED_NOTE;

/// A one-time token for an officer must be used within this time.
pub const OFFICER_TOKEN_SECONDS: i64 = 7 * 86_400;
const AGENT_ROOT_KEY: &str = "agent-root.key";
const HOUSE_ROOT_KEY: &str = "house-root.key";
const ROOT_LIFE_SECONDS: i64 = 10 * 365 * 86_400;
const ISSUING_LIFE_SECONDS: i64 = 365 * 86_400;
pub(crate) const SERVER_LIFE_SECONDS: i64 = 90 * 86_400;
pub(crate) const RESPONDER_LIFE_SECONDS: i64 = 30 * 86_400;

/// One listener that needs a certificate.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name, also of its files: `gateway`, `console`, `enrolment`.
    pub name: String,
    /// DNS names it is reached by.
    pub hosts: Vec<String>,
    /// IP addresses it is reached by.
    pub addresses: Vec<IpAddr>,
}

/// What the ceremony is to make.
pub struct Plan<'a> {
    /// What all certificates share.
    pub settings: Settings,
    /// The hard ceiling, in the root.
    pub root_envelope: AuthorityLimits,
    /// The envelope of the issuing CA; no wider.
    pub issuing_envelope: AuthorityLimits,
    /// The house's certificates, for everybody to read.
    pub certificate_folder: PathBuf,
    /// The keys of the running processes.
    pub key_folder: PathBuf,
    /// Both roots' keys: apart, best a removable disk.
    pub root_folder: PathBuf,
    /// How the keys of running processes are protected.
    pub protection: Protection<'a>,
    /// How both roots' keys are protected.
    pub root_protection: Protection<'a>,
    /// The listeners.
    pub servers: Vec<Server>,
    /// The first officers: at least two, so that four eyes exist from the start.
    pub officers: Vec<OfficerId>,
    /// From which notional on two officers must approve.
    pub thresholds: Thresholds,
    /// The gateways' table of source networks, when it is known already.
    pub regions: Option<revocation_core::RegionTable>,
    /// The ledger's name: 1 to 64 of `[a-z0-9-]`.
    pub ledger_id: String,
}

/// Why the ceremony stopped. What it had written until then is left in its folders, named in the message and in a note beside the
/// certificates.
#[derive(Debug, Error)]
pub enum CeremonyError {
    /// Fewer than two officers.
    #[error("{0} officers are too few: name at least two different ones, or nobody could approve anything")]
    Officers(usize),
    /// It stopped halfway.
    #[error(
        "{reason}\nThe house is not founded. Nothing certified by these keys left this machine: delete what was written, then run `mandatum init` again:{}",
        unfinished::lines(.left)
    )]
    Stopped {
        /// What it had written.
        left: Vec<PathBuf>,
        /// Why.
        reason: Box<CeremonyError>,
    },
    /// An earlier one stopped halfway.
    #[error(
        "an earlier `init` here was interrupted, so no house was founded and no token handed out: delete what it left, then run `mandatum init` again:{}",
        unfinished::lines(.0)
    )]
    Remains(Vec<PathBuf>),
    /// Something is where the ceremony would write.
    #[error("{0} exists already; nothing was written over it: found a house in folders of its own")]
    Exists(PathBuf),
    /// No house to make anything for.
    #[error("this ledger was never founded: run `mandatum init`")]
    NotFounded,
    /// A key that is not the root's.
    #[error("{0} is not the key of this house's root: take the disk of this house")]
    NotTheRoot(PathBuf),
    /// The files of keys have numbers up to twenty.
    #[error("this would be issuing CA number {0} of its root, and twenty are the most: a new root is due")]
    TooMany(usize),
    /// A folder could not be made or a file not written.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A first entry was not recorded.
    #[error("the ledger did not take {kind}: {reason}")]
    Record {
        /// The entry's kind.
        kind: &'static str,
        /// Why.
        reason: String,
    },
}

/// A token to be handed to one officer. `Debug` does not show it.
#[derive(Clone)]
pub struct OfficerToken {
    /// Whom it is for.
    pub officer: OfficerId,
    /// The token itself: shown once, kept nowhere.
    pub token: String,
    /// It must be used before this time.
    pub use_before: Timestamp,
}

impl std::fmt::Debug for OfficerToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "OfficerToken({}, secret)", self.officer)
    }
}

/// A founded house, its ledger still open.
pub struct Founded {
    /// The ledger.
    pub ledger: Ledger,
    /// The writer that made the first entries, named `init`.
    pub writer: Writer,
    /// One token for each first officer.
    pub tokens: Vec<OfficerToken>,
    /// What was made and what each process may sign, for people to read and keep. Holds no secret.
    pub transcript: String,
}

struct Maker<'a> {
    plan: &'a Plan<'a>,
    note: &'a mut Note,
    throwaway: SecretKey,
    now: Timestamp,
    random: SystemRandom,
    transcript: String,
}

impl Maker<'_> {
    fn key(
        &mut self,
        folder: &Path,
        file: &str,
        algorithm: KeyAlgorithm,
        note: &str,
    ) -> Result<FileSigner, CeremonyError> {
        let roots = folder == self.plan.root_folder;
        let protection = if roots {
            self.plan.root_protection
        } else {
            self.plan.protection
        };
        let path = folder.join(file);
        self.note.will_write(&path)?;
        let signer = FileSigner::create(&path, algorithm, protection)?;
        let digest = Digest::of(signer.public_key_spki());
        let _ = writeln!(
            self.transcript,
            "  key  {} {algorithm:?}\n       SHA-256 of public key {digest}\n       {note}",
            path.display()
        );
        Ok(signer)
    }

    fn certificate(
        &mut self,
        profile: &Profile,
        spki: &[u8],
        life_seconds: i64,
        issuer: Option<&IssuingCa>,
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, CeremonyError> {
        let begin = Timestamp::from_seconds(self.now.seconds() - BACKDATE_SECONDS);
        let end = begin.plus_seconds(life_seconds);
        let particulars = Particulars {
            settings: &self.plan.settings,
            spki,
            serial: Serial::draw(1, &mut self.random),
            not_before: begin,
            not_after: issuer.map_or(end, |issuer| end.min(issuer.not_after())),
        };
        let issued = prepare_house(profile, particulars, issuer, &self.throwaway)?
            .sign(signer)?
            .seal()?;
        let _ = writeln!(
            self.transcript,
            "  cert {} serial {} until {}\n       SHA-256 {}",
            profile.role(),
            issued.serial(),
            issued.life().1,
            Digest::of(issued.certificate())
        );
        Ok(issued.certificate().to_vec())
    }

    fn publish(&mut self, file: &str, certificates: &[&[u8]]) -> Result<(), CeremonyError> {
        let path = self.plan.certificate_folder.join(file);
        self.note.will_write(&path)?;
        write(&path, certificates_pem(certificates).as_bytes())
    }

    fn read(&self, certificate: &[u8]) -> Result<IssuingCa, CeremonyError> {
        Ok(IssuingCa::read(certificate, &self.plan.settings)?)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CeremonyError> {
    std::fs::write(path, bytes).map_err(|source| CeremonyError::Io {
        path: path.to_owned(),
        source,
    })
}

struct Certificates {
    /// Each listener's name and certificate.
    servers: Vec<(String, Vec<u8>)>,
    agent_root: Vec<u8>,
    agent_issuing: Vec<u8>,
    house_root: Vec<u8>,
    house_issuing: Vec<u8>,
    responder: Vec<u8>,
}

/// Founds a house. `config` says where its ledger will live; `now` is real time.
///
/// # Errors
/// When a file exists already or cannot be written, a certificate breaks a rule, or the ledger cannot be made.
pub async fn found(plan: &Plan<'_>, config: ledger::Config, now: Timestamp) -> Result<Founded, CeremonyError> {
    let mut officers = plan.officers.clone();
    officers.sort_unstable();
    officers.dedup();
    if officers.len() < 2 {
        return Err(CeremonyError::Officers(officers.len()));
    }
    for folder in [&plan.certificate_folder, &plan.key_folder, &plan.root_folder] {
        std::fs::create_dir_all(folder).map_err(|source| CeremonyError::Io {
            path: folder.clone(),
            source,
        })?;
    }
    let mut note = Note::begin(&plan.certificate_folder)?;
    match founded(plan, config, now, &officers, &mut note).await {
        Ok(founded) => {
            note.end()?;
            Ok(founded)
        }
        Err(reason) => Err(note.stopped(reason)),
    }
}

async fn founded(
    plan: &Plan<'_>,
    config: ledger::Config,
    now: Timestamp,
    officers: &[OfficerId],
    note: &mut Note,
) -> Result<Founded, CeremonyError> {
    let mut maker = Maker {
        plan,
        note,
        throwaway: SecretKey::generate("throwaway", KeyAlgorithm::EcdsaP256Sha256)?,
        now,
        random: SystemRandom::new(),
        transcript: format!(
            "Mandatum: founding of {} ({}) at {now}\n\nKeys and certificates\n",
            plan.settings.trust_domain, plan.settings.environment
        ),
    };
    let certificates = authorities(&mut maker)?;
    let ledger_root = maker.key(
        &plan.key_folder,
        keys::LEDGER_ROOT,
        KeyAlgorithm::Ed25519,
        "authorises checkpoint keys; held by the role ca",
    )?;
    let key = CheckpointKey::ephemeral(&plan.ledger_id, "init");
    maker.note.mentions(&config.directory)?;
    for file in [&config.head_file, &config.reserve_file] {
        if !file.starts_with(&config.directory) {
            maker.note.will_write(file)?;
        }
    }
    let (ledger, writer) = Ledger::create(config, &plan.ledger_id, &ledger_root, key).await?;
    let tokens = first_entries(&mut maker, &writer, &certificates, officers).await?;
    let mut transcript = maker.transcript;
    // As `mandatum verify --key` and other verifiers take it: the 32 bytes of the key in base64.
    let root_key = ledger.root_key();
    let _ = writeln!(
        transcript,
        "\nLedger {}\n  root key {root_key}\n  `mandatum verify` needs this key and the ledger's files alone.",
        plan.ledger_id
    );
    transcript.push_str(&duties(plan));
    let path = plan.certificate_folder.join("transcript.txt");
    maker.note.will_write(&path)?;
    write(&path, transcript.as_bytes())?;
    Ok(Founded {
        ledger,
        writer,
        tokens,
        transcript,
    })
}

/// Both roots, both issuing CAs, the responder, the servers.
fn authorities(maker: &mut Maker<'_>) -> Result<Certificates, CeremonyError> {
    let plan = maker.plan;
    let apart = "ROOT: take this file offline now; no server ever loads it";
    // The roots too: every handshake verifies a signature of theirs, and P-384 costs it four times all the rest (docs/performance.md).
    let p256 = KeyAlgorithm::EcdsaP256Sha256;
    let agent_root_key = maker.key(&plan.root_folder, AGENT_ROOT_KEY, p256, apart)?;
    let house_root_key = maker.key(&plan.root_folder, HOUSE_ROOT_KEY, p256, apart)?;
    let issuing = "held by the role ca";
    let agent_key = maker.key(&plan.key_folder, keys::AGENT_ISSUING, p256, issuing)?;
    let house_key = maker.key(&plan.key_folder, keys::HOUSE_ISSUING, p256, issuing)?;
    let responder_key = maker.key(&plan.key_folder, "ocsp.key", p256, "held by the role revocation")?;

    let name = |name: &str| name.to_owned();
    let profile = Profile::AgentRoot {
        name: name("Agent root"),
        envelope: plan.root_envelope.clone(),
    };
    let spki = agent_root_key.public_key_spki();
    let agent_root = maker.certificate(&profile, spki, ROOT_LIFE_SECONDS, None, &agent_root_key)?;
    let profile = Profile::HouseRoot {
        name: name("House root"),
    };
    let spki = house_root_key.public_key_spki();
    let house_root = maker.certificate(&profile, spki, ROOT_LIFE_SECONDS, None, &house_root_key)?;
    let (agent_anchor, house_anchor) = (maker.read(&agent_root)?, maker.read(&house_root)?);
    let profile = Profile::AgentIssuing {
        name: name("Agent issuing CA 1"),
        envelope: plan.issuing_envelope.clone(),
    };
    let spki = agent_key.public_key_spki();
    let agent_issuing = maker.certificate(
        &profile,
        spki,
        ISSUING_LIFE_SECONDS,
        Some(&agent_anchor),
        &agent_root_key,
    )?;
    let profile = Profile::HouseIssuing {
        name: name("House issuing CA 1"),
    };
    let spki = house_key.public_key_spki();
    let house_issuing = maker.certificate(
        &profile,
        spki,
        ISSUING_LIFE_SECONDS,
        Some(&house_anchor),
        &house_root_key,
    )?;
    let (agent_ca, house_ca) = (maker.read(&agent_issuing)?, maker.read(&house_issuing)?);
    let profile = Profile::OcspResponder {
        name: name("OCSP responder 1"),
    };
    let spki = responder_key.public_key_spki();
    let responder = maker.certificate(&profile, spki, RESPONDER_LIFE_SECONDS, Some(&agent_ca), &agent_key)?;
    let servers = servers(maker, &house_ca, &house_issuing, &house_key)?;
    maker.publish("root.pem", &[&agent_root])?;
    maker.publish("issuing.pem", &[&agent_issuing])?;
    maker.publish("house.pem", &[&house_root])?;
    maker.publish("house-issuing.pem", &[&house_issuing])?;
    maker.publish("ocsp.pem", &[&responder])?;
    Ok(Certificates {
        servers,
        agent_root,
        agent_issuing,
        house_root,
        house_issuing,
        responder,
    })
}

/// Each listener's own key and certificate.
fn servers(
    maker: &mut Maker<'_>,
    house_ca: &IssuingCa,
    house_issuing: &[u8],
    house_key: &dyn Signer,
) -> Result<Vec<(String, Vec<u8>)>, CeremonyError> {
    let plan = maker.plan;
    let mut servers = Vec::new();
    for server in &plan.servers {
        let note = "a listener's own key; signs TLS handshakes alone";
        let file = format!("{}.key", server.name);
        let key = maker.key(&plan.key_folder, &file, KeyAlgorithm::EcdsaP256Sha256, note)?;
        let profile = Profile::Server {
            name: server.name.clone(),
            hosts: server.hosts.clone(),
            addresses: server.addresses.clone(),
        };
        let spki = key.public_key_spki();
        let certificate = maker.certificate(&profile, spki, SERVER_LIFE_SECONDS, Some(house_ca), house_key)?;
        maker.publish(&format!("{}.pem", server.name), &[&certificate, house_issuing])?;
        servers.push((server.name.clone(), certificate));
    }
    Ok(servers)
}

async fn record<R: Record + Send + 'static>(writer: &Writer, record: R, now: Timestamp) -> Result<(), CeremonyError> {
    let kind = record.kind();
    let outcome = writer.append(Append::next(record, now)).await;
    outcome.map(drop).map_err(|error| CeremonyError::Record {
        kind,
        reason: error.to_string(),
    })
}

async fn first_entries(
    maker: &mut Maker<'_>,
    writer: &Writer,
    certificates: &Certificates,
    officers: &[OfficerId],
) -> Result<Vec<OfficerToken>, CeremonyError> {
    let (plan, now) = (maker.plan, maker.now);
    let settings = &plan.settings;
    let founded = HouseFounded {
        arc: settings.arc,
        crl_url: settings.crl_url.clone(),
        environment: settings.environment,
        issuer_url: settings.issuer_url.clone(),
        ocsp_url: settings.ocsp_url.clone(),
        trust_domain: settings.trust_domain.clone(),
    };
    record(writer, founded, now).await?;
    for (purpose, certificate) in [
        (CaCertificateUse::AgentRoot, &certificates.agent_root),
        (CaCertificateUse::AgentIssuing, &certificates.agent_issuing),
        (CaCertificateUse::HouseRoot, &certificates.house_root),
        (CaCertificateUse::HouseIssuing, &certificates.house_issuing),
        (CaCertificateUse::OcspResponder, &certificates.responder),
    ] {
        let certificate = Base64(certificate.clone());
        record(writer, CaCertificateInstalled { certificate, purpose }, now).await?;
    }
    for (server, certificate) in &certificates.servers {
        let certified = ServerCertified {
            certificate: Base64(certificate.clone()),
            server: server.clone(),
        };
        record(writer, certified, now).await?;
    }
    // The first settings carry no signatures: there are no officers yet. Every later change needs two.
    let thresholds = ThresholdsSet {
        signatures: Vec::new(),
        thresholds: plan.thresholds.clone(),
    };
    record(writer, thresholds, now).await?;
    if let Some(networks) = &plan.regions {
        let regions = RegionsSet {
            networks: networks.clone(),
            signatures: Vec::new(),
        };
        record(writer, regions, now).await?;
    }
    first_tokens(maker, writer, officers).await
}

async fn first_tokens(
    maker: &mut Maker<'_>,
    writer: &Writer,
    officers: &[OfficerId],
) -> Result<Vec<OfficerToken>, CeremonyError> {
    let now = maker.now;
    let mut tokens = Vec::new();
    for officer in officers {
        let token = new_token(&mut maker.random);
        let use_before = now.plus_seconds(OFFICER_TOKEN_SECONDS);
        let issued = OfficerTokenIssued {
            issued_by: None,
            officer: *officer,
            roles: vec![
                Role::Administrator,
                Role::Approver,
                Role::Auditor,
                Role::Operator,
                Role::Responder,
            ],
            token: Digest::of(token.as_bytes()),
            use_before,
        };
        record(writer, issued, now).await?;
        tokens.push(OfficerToken {
            officer: *officer,
            token,
            use_before,
        });
    }
    Ok(tokens)
}

/// 32 random bytes in hexadecimal: a one-time token.
fn new_token(random: &mut SystemRandom) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    Digest(bytes).to_string()
}

fn duties(plan: &Plan<'_>) -> String {
    let mut text = "\nWho may sign what\n".to_owned();
    for (who, what) in [
        (
            "role ca",
            "bots' certificates and CRLs (agent issuing key), servers' and officers' certificates (house issuing key), checkpoint keys (ledger root key)",
        ),
        ("role revocation", "OCSP replies (responder's key)"),
        (
            "role gateway",
            "checkpoints of its own entries (its own key); requests to venues",
        ),
        ("role console", "checkpoints of its own entries (its own key)"),
        ("officers", "approvals, each with the key of the own certificate"),
        (
            "nobody that runs",
            "anything under the two roots: their keys are needed again only for a new issuing CA",
        ),
    ] {
        let _ = writeln!(text, "  {who}: {what}");
    }
    let _ = writeln!(
        text,
        "\nDo now\n  1. Move {} to two removable disks, kept in two places, and delete it here.\n  2. Hand each first officer the one-time token in person; it is shown once and works once.",
        plan.root_folder.display()
    );
    text
}

#[cfg(test)]
mod tests;
