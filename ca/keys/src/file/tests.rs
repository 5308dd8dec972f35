//! Key files open with the right passphrase alone, and only when nobody else may read them.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[test]
fn encrypted_key_comes_back_and_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuing.key");
    let right = passphrase("correct horse battery");
    let made = FileSigner::create(&path, KeyAlgorithm::EcdsaP256Sha256, Protection::Passphrase(&right)).unwrap();
    let read = FileSigner::open(&path, Protection::Passphrase(&right)).unwrap();
    assert_eq!(made.public_key_spki(), read.public_key_spki());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    let inside = &made.key.pkcs8()[36..68];
    assert!(
        !bytes.windows(8).any(|window| window == &inside[..8]),
        "the private scalar is not in the file"
    );
    assert!(matches!(
        FileSigner::create(&path, KeyAlgorithm::Ed25519, Protection::Plain),
        Err(KeyFileError::Exists { .. })
    ));
    assert!(matches!(
        FileSigner::open(&path, Protection::Plain),
        Err(KeyFileError::OtherProtection { .. })
    ));
}

/// Leave the header out of the authenticated data to see the second half fail.
#[test]
fn wrong_passphrase_and_changed_file_stay_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k.key");
    let right = passphrase("correct horse battery");
    FileSigner::create(&path, KeyAlgorithm::Ed25519, Protection::Passphrase(&right)).unwrap();
    assert!(matches!(
        FileSigner::open(&path, Protection::Passphrase(&passphrase("wrong horse battery"))),
        Err(KeyFileError::Closed { .. })
    ));
    let text = std::fs::read_to_string(&path).unwrap();
    let header = text.find("\"public_key\":\"").unwrap() + 20;
    let mut changed = text.clone().into_bytes();
    changed[header] = if changed[header] == b'A' { b'B' } else { b'A' };
    std::fs::write(&path, &changed).unwrap();
    assert!(FileSigner::open(&path, Protection::Passphrase(&right)).is_err());
    std::fs::write(&path, text).unwrap();
    assert!(FileSigner::open(&path, Protection::Passphrase(&right)).is_ok());
}

#[test]
fn files_open_to_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k.pem");
    FileSigner::create(&path, KeyAlgorithm::EcdsaP384Sha384, Protection::Plain).unwrap();
    assert!(FileSigner::open(&path, Protection::Plain).is_ok());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        FileSigner::open(&path, Protection::Plain),
        Err(KeyFileError::Open { mode: 0o640, .. })
    ));
}

#[test]
fn short_passphrases_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let result = FileSigner::create(
        &folder.path().join("k"),
        KeyAlgorithm::Ed25519,
        Protection::Passphrase(&passphrase("elevenbytes")),
    );
    assert!(matches!(result, Err(KeyFileError::ShortPassphrase { length: 11 })));
}
