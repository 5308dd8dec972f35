//! Re-keying of the issuing CAs (RFC 3647 §4.7): under both roots a new one, with a key and a name of its own, before the present ones
//! end. The roots' keys come from their disks for as long as this takes. What the present ones issued stays valid until it ends.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use ca_core::{
    certificate::{life_of, limits_of, spki_of},
    events::{CaCertificateInstalled, CaCertificateUse},
    issue::{BACKDATE_SECONDS, Issued, IssuingCa, Particulars, house_reservation, prepare_house},
    profiles::{Profile, Settings},
    succession::numbered,
};
use ca_keys::{FileSigner, Protection, SecretKey, SystemRandom};
use extensions::{Base64, Digest, KeyAlgorithm, Serial, Signer as _, StreamId, Timestamp};
use ledger::{Append, CheckpointKey, Ledger, Writer};

use super::{CeremonyError, ISSUING_LIFE_SECONDS, write};
use crate::{
    CaKeys, authorise_checkpoint_key,
    files::{certificates_pem, write_whole},
    keys::{self, MOST_ISSUING},
    view::View,
};

/// Where everything is.
pub struct Rekey<'a> {
    /// The house's certificates, for everybody to read.
    pub certificate_folder: PathBuf,
    /// The keys of the running processes.
    pub key_folder: PathBuf,
    /// Both roots' keys, from their disk.
    pub root_folder: PathBuf,
    /// How the keys of running processes are protected.
    pub protection: Protection<'a>,
    /// How both roots' keys are protected.
    pub root_protection: Protection<'a>,
}

/// One of the two trees.
struct Tree {
    root: CaCertificateUse,
    root_key: &'static str,
    issuing: CaCertificateUse,
    issuing_key: &'static str,
    file: &'static str,
    name: &'static str,
}

const TREES: [Tree; 2] = [
    Tree {
        root: CaCertificateUse::AgentRoot,
        root_key: super::AGENT_ROOT_KEY,
        issuing: CaCertificateUse::AgentIssuing,
        issuing_key: keys::AGENT_ISSUING,
        file: "issuing.pem",
        name: "Agent issuing CA",
    },
    Tree {
        root: CaCertificateUse::HouseRoot,
        root_key: super::HOUSE_ROOT_KEY,
        issuing: CaCertificateUse::HouseIssuing,
        issuing_key: keys::HOUSE_ISSUING,
        file: "house-issuing.pem",
        name: "House issuing CA",
    },
];

struct Rekeying<'a> {
    plan: &'a Rekey<'a>,
    ledger: Ledger,
    writer: Writer,
    view: View,
    settings: Settings,
    now: Timestamp,
    transcript: String,
}

/// A new issuing CA, certified and not yet recorded.
struct Made {
    certificate: Vec<u8>,
    number: usize,
}

/// Makes both new issuing CAs and records them in one append; from the next start on, `serve` issues under them. Gives what was made, for
/// people to read and keep. Run again after it was interrupted, it goes on with the keys it had made.
///
/// # Errors
/// When the ledger is in use, a root's key is not the root's, a certificate breaks a rule, or something cannot be written. Until the
/// append nothing has changed.
pub async fn rekey(plan: &Rekey<'_>, config: ledger::Config, now: Timestamp) -> Result<String, CeremonyError> {
    let keys = CaKeys::open(&plan.key_folder, plan.protection).map_err(|error| error.0)?;
    let ledger = Ledger::open(config).await?;
    let done = rekeyed(plan, &keys, &ledger, now).await;
    // Whatever came of it, the next attempt or the server finds the ledger free.
    let closed = ledger.close().await;
    let transcript = done?;
    closed?;
    Ok(transcript)
}

async fn rekeyed(plan: &Rekey<'_>, keys: &CaKeys, ledger: &Ledger, now: Timestamp) -> Result<String, CeremonyError> {
    let key = CheckpointKey::ephemeral(ledger.id(), "rekey");
    let unauthorised = |error: extensions::SignError| unrecorded("checkpoint_key.authorised", &error);
    let authorised = authorise_checkpoint_key(keys, ledger.id(), &key, now).map_err(unauthorised)?;
    let writer = ledger.writer(key, Some(authorised)).await?;
    let mut view = View::default();
    view.catch_up(ledger).await?;
    let settings = view.register.house().map(Settings::from);
    let mut rekeying = Rekeying {
        plan,
        settings: settings.ok_or(CeremonyError::NotFounded)?,
        transcript: format!("Mandatum: new issuing CAs of {} at {now}\n\n", ledger.id()),
        ledger: ledger.clone(),
        writer,
        view,
        now,
    };
    let mut made = Vec::new();
    for tree in &TREES {
        made.push(rekeying.make(tree).await?);
    }
    rekeying.install(&made).await?;
    rekeying.publish(&made)?;
    Ok(rekeying.transcript)
}

fn unrecorded(kind: &'static str, reason: &dyn std::fmt::Display) -> CeremonyError {
    let reason = reason.to_string();
    CeremonyError::Record { kind, reason }
}

impl Rekeying<'_> {
    /// Reserves the serial, then has the root sign.
    async fn make(&mut self, tree: &Tree) -> Result<Made, CeremonyError> {
        let installed = |purpose| self.view.register.authority_certificate(purpose).map(<[u8]>::to_vec);
        let root = installed(tree.root).ok_or(CeremonyError::NotFounded)?;
        let present = installed(tree.issuing).ok_or(CeremonyError::NotFounded)?;
        let number = self.view.register.issuing(tree.issuing).len() + 1;
        if number > MOST_ISSUING {
            return Err(CeremonyError::TooMany(number));
        }
        let root_key = self.root_key(tree, &root)?;
        let key = self.issuing_key(tree, number)?;
        let name = format!("{} {number}", tree.name);
        let profile = match limits_of(&present, self.settings.arc) {
            Some(envelope) => Profile::AgentIssuing {
                name: name.clone(),
                envelope,
            },
            None => Profile::HouseIssuing { name: name.clone() },
        };
        let issuer = IssuingCa::read(&root, &self.settings)?;
        let begin = Timestamp::from_seconds(self.now.seconds() - BACKDATE_SECONDS);
        let particulars = Particulars {
            settings: &self.settings,
            spki: key.public_key_spki(),
            serial: Serial::draw(1, &mut SystemRandom::new()),
            not_before: begin,
            not_after: begin.plus_seconds(ISSUING_LIFE_SECONDS).min(issuer.not_after()),
        };
        // Of the root's kind: houses have P-256 roots, older ones P-384.
        let throwaway = SecretKey::generate("throwaway", root_key.algorithm())?;
        let prepared = prepare_house(&profile, particulars, Some(&issuer), &throwaway)?;
        // Nobody else writes while the ledger is held open here.
        let epoch = self.view.catch_up(&self.ledger).await?;
        let next = self.ledger.stream_next(&StreamId::house());
        let reserved = house_reservation(&prepared, &name);
        let append = Append::exactly(reserved, self.now, next, epoch).serial(prepared.serial());
        let recorded = self.writer.append(append).await;
        recorded.map_err(|error| unrecorded("house.certificate_reserved", &error))?;
        let issued = prepared.sign(&root_key)?.seal()?;
        self.told(&name, &key, &issued);
        Ok(Made {
            certificate: issued.certificate().to_vec(),
            number,
        })
    }

    fn root_key(&self, tree: &Tree, root: &[u8]) -> Result<FileSigner, CeremonyError> {
        let path = self.plan.root_folder.join(tree.root_key);
        let key = FileSigner::open(&path, self.plan.root_protection)?;
        if spki_of(root).as_deref() == Some(key.public_key_spki()) {
            return Ok(key);
        }
        Err(CeremonyError::NotTheRoot(path))
    }

    /// A new key, or the one of an attempt that was interrupted: nothing was ever signed with that.
    fn issuing_key(&self, tree: &Tree, number: usize) -> Result<FileSigner, CeremonyError> {
        let path = self.plan.key_folder.join(numbered(tree.issuing_key, number));
        if path.exists() {
            return Ok(FileSigner::open(&path, self.plan.protection)?);
        }
        Ok(FileSigner::create(
            &path,
            KeyAlgorithm::EcdsaP256Sha256,
            self.plan.protection,
        )?)
    }

    fn told(&mut self, name: &str, key: &FileSigner, issued: &Issued) {
        let _ = writeln!(
            self.transcript,
            "{name}\n  serial {} until {}\n  SHA-256 of public key {}\n  SHA-256 {}",
            issued.serial(),
            issued.life().1,
            Digest::of(key.public_key_spki()),
            Digest::of(issued.certificate())
        );
    }

    /// Both at once: a house with one of them new is none that anybody has seen.
    async fn install(&self, made: &[Made]) -> Result<(), CeremonyError> {
        let mut installed = TREES.iter().zip(made).map(|(tree, made)| CaCertificateInstalled {
            certificate: Base64(made.certificate.clone()),
            purpose: tree.issuing,
        });
        let first = installed.next().ok_or(CeremonyError::NotFounded)?;
        let append = installed.fold(Append::next(first, self.now), Append::also);
        let recorded = self.writer.append(append).await;
        recorded
            .map(drop)
            .map_err(|error| unrecorded("ca.certificate_installed", &error))
    }

    /// The file without a number holds the newest; the one it replaces goes on under its own number.
    fn publish(&mut self, made: &[Made]) -> Result<(), CeremonyError> {
        let folder = &self.plan.certificate_folder;
        for (tree, made) in TREES.iter().zip(made) {
            let earlier = self.view.register.issuing(tree.issuing);
            for issuing in &earlier {
                let file = folder.join(tree.file.replace(".pem", &format!("-{}.pem", issuing.number)));
                whole(&file, &certificates_pem(&[&issuing.certificate]))?;
            }
            whole(&folder.join(tree.file), &certificates_pem(&[&made.certificate]))?;
            if let Some((_, end)) = earlier.last().and_then(|issuing| life_of(&issuing.certificate)) {
                let key = numbered(tree.issuing_key, made.number - 1);
                let _ = writeln!(
                    self.transcript,
                    "  the one before ends at {end}; its key, {key}, signs its CRL until then and is destroyed after that"
                );
            }
        }
        let number = made.first().map_or(0, |made| made.number);
        write(
            &folder.join(format!("transcript-{number}.txt")),
            self.transcript.as_bytes(),
        )
    }
}

fn whole(path: &Path, text: &str) -> Result<(), CeremonyError> {
    write_whole(path, text.as_bytes()).map_err(|source| CeremonyError::Io {
        path: path.to_owned(),
        source,
    })
}
