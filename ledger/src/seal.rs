//! Sealed texts: the entry holds a salted commitment; the text lies beside it, encrypted with AES-256-GCM under its subject's key.
//!
//! Keys are small files of their own, apart from the database, so that erasing one really removes it: a subject's texts are gone when its key
//! files are. What the log proves does not change by it.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use extensions::{Digest, record::SealedText};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};

use crate::files;

/// The longest subject, in bytes.
pub const LONGEST_SUBJECT: usize = 128;

/// A sealed text as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// What the entry holds.
    pub commitment: Digest,
    /// Names the key.
    pub key_id: [u8; 16],
    /// Whose text.
    pub subject: String,
    /// Nonce, then the encrypted salt and text.
    pub ciphertext: Vec<u8>,
}

/// What is known of the text behind a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsealed {
    /// The text, which fits the commitment.
    Text(String),
    /// Its key is erased: nothing to check.
    Erased,
    /// It does not fit the commitment, or cannot be decrypted with its key: changed.
    Wrong,
}

struct SubjectKey {
    id: [u8; 16],
    key: LessSafeKey,
}

/// The keys of all subjects, in a folder.
pub(crate) struct SubjectKeys {
    folder: PathBuf,
    keys: Mutex<HashMap<String, SubjectKey>>,
    random: SystemRandom,
}

fn unspecified<E>(_: E) -> io::Error {
    io::Error::other("the cryptographic library refused")
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl SubjectKeys {
    /// Reads the folder; makes it when it is absent.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        files::make_private_folder(folder)?;
        Self::load(folder)
    }

    fn load(folder: &Path) -> io::Result<Self> {
        let mut keys = HashMap::new();
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "key") {
                let (subject, key) = read_key(&path)?;
                keys.insert(subject, key);
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            keys: Mutex::new(keys),
            random: SystemRandom::new(),
        })
    }

    /// Reads the folder without touching it; no keys when it is absent.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        if folder.is_dir() {
            return Self::load(folder);
        }
        Ok(Self {
            folder: folder.to_owned(),
            keys: Mutex::default(),
            random: SystemRandom::new(),
        })
    }

    /// Encrypts `text` under its subject's key, which is made and durable before this returns.
    pub(crate) fn seal(&self, text: &SealedText) -> io::Result<SealedRow> {
        if text.subject.len() > LONGEST_SUBJECT {
            return Err(io::Error::other("a subject is longer than 128 bytes"));
        }
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains_key(&text.subject) {
            keys.insert(text.subject.clone(), self.make_key(&text.subject)?);
        }
        let key = keys.get(&text.subject).ok_or_else(|| io::Error::other("no key"))?;
        let commitment = text.commitment();
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(unspecified)?;
        let mut sealed = [&text.salt[..], text.text.as_bytes()].concat();
        let aad = Aad::from(commitment.0);
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(unspecified)?;
        Ok(SealedRow {
            commitment,
            key_id: key.id,
            subject: text.subject.clone(),
            ciphertext: [&nonce[..], &sealed].concat(),
        })
    }

    fn make_key(&self, subject: &str) -> io::Result<SubjectKey> {
        let (mut id, mut bytes) = ([0; 16], [0; 32]);
        self.random.fill(&mut id).map_err(unspecified)?;
        self.random.fill(&mut bytes).map_err(unspecified)?;
        let path = self.folder.join(format!("{}.key", hex(&id)));
        files::write_durably(&path, &[&id[..], &bytes, subject.as_bytes()].concat())?;
        Ok(SubjectKey {
            id,
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).map_err(unspecified)?),
        })
    }

    /// The text of a row, when its key is still there.
    pub(crate) fn unseal(&self, row: &SealedRow) -> Unsealed {
        match self.open_sealed(row) {
            Ok(Some(text)) => Unsealed::Text(text.text),
            Ok(None) => Unsealed::Erased,
            Err(()) => Unsealed::Wrong,
        }
    }

    /// The text of a row with its salt; `None` when its key is erased, an error when the row was changed.
    pub(crate) fn open_sealed(&self, row: &SealedRow) -> Result<Option<SealedText>, ()> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.get(&row.subject).filter(|key| key.id == row.key_id) {
            Some(key) => open_row(&key.key, row).map(Some).ok_or(()),
            None => Ok(None),
        }
    }

    /// Destroys the keys of a subject: overwritten, removed, the folder made durable.
    pub(crate) fn erase(&self, subject: &str) -> io::Result<usize> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let mut erased = 0;
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            let is_key = path.extension().is_some_and(|extension| extension == "key");
            if is_key && read_key(&path)?.0 == subject {
                files::overwrite(&path)?;
                fs::remove_file(&path)?;
                erased += 1;
            }
        }
        files::sync_folder(&self.folder)?;
        keys.remove(subject);
        Ok(erased)
    }
}

fn open_row(key: &LessSafeKey, row: &SealedRow) -> Option<SealedText> {
    let (nonce, sealed) = row.ciphertext.split_first_chunk::<NONCE_LEN>()?;
    let mut sealed = sealed.to_vec();
    let aad = Aad::from(row.commitment.0);
    let plain = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut sealed)
        .ok()?;
    let (salt, text) = plain.split_first_chunk::<32>()?;
    let text = String::from_utf8(text.to_vec()).ok()?;
    let text = SealedText {
        subject: row.subject.clone(),
        salt: *salt,
        text,
    };
    (text.commitment() == row.commitment).then_some(text)
}

fn read_key(path: &Path) -> io::Result<(String, SubjectKey)> {
    let bytes = fs::read(path)?;
    let wrong = || io::Error::other(format!("{} is no subject key", path.display()));
    let (id, rest) = bytes.split_first_chunk::<16>().ok_or_else(wrong)?;
    let (key, subject) = rest.split_first_chunk::<32>().ok_or_else(wrong)?;
    let subject = String::from_utf8(subject.to_vec()).map_err(|_| wrong())?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(unspecified)?);
    Ok((subject, SubjectKey { id: *id, key }))
}
