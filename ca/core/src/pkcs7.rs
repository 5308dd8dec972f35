//! Certificates in a PKCS#7 envelope without signers (RFC 5652 §5, RFC 7030 §4.1.3): the form in which EST hands them out.

use crate::der::{INTEGER, OID, SEQUENCE, SET, tlv};

/// 1.2.840.113549.1.7.2, signedData.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.7.1, data.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];

/// The envelope around these certificates (DER each), without signatures.
#[must_use]
pub fn certs_only(certificates: &[&[u8]]) -> Vec<u8> {
    // A SET OF in DER is sorted by its members' bytes.
    let mut sorted = certificates.to_vec();
    sorted.sort_unstable();
    let content = tlv(
        SEQUENCE,
        &[
            &tlv(INTEGER, &[&[1]]),
            &tlv(SET, &[]),
            &tlv(SEQUENCE, &[&tlv(OID, &[DATA])]),
            &tlv(0xa0, &sorted),
            &tlv(SET, &[]),
        ],
    );
    tlv(SEQUENCE, &[&tlv(OID, &[SIGNED_DATA]), &tlv(0xa0, &[&content])])
}
