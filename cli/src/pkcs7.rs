//! Certificates out of an EST answer: a PKCS#7 envelope without signers (RFC 7030 §4.1.3, RFC 5652 §5).

use rustls::pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const CONTEXT_0: u8 = 0xa0;

/// Tag, contents, the whole, the rest.
type Element<'a> = (u8, &'a [u8], &'a [u8], &'a [u8]);

/// One element of DER: tag, contents, whole element, and what follows it. Lengths of up to three octets.
fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (tag, first) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    let (length, header) = match first {
        0..=0x7f => (first, 2),
        0x81..=0x83 => {
            let octets = bytes.get(2..2 + (first & 0x7f))?;
            (
                octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)),
                2 + octets.len(),
            )
        }
        _ => return None,
    };
    let end = header.checked_add(length)?;
    Some((tag, bytes.get(header..end)?, bytes.get(..end)?, bytes.get(end..)?))
}

fn inside(bytes: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, contents, _, rest) = element(bytes)?;
    (tag == expected).then_some((contents, rest))
}

/// The certificates, in the order of the envelope; `None` when it is not such an envelope.
#[must_use]
pub fn certificates(der: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let (envelope, _) = inside(der, SEQUENCE)?;
    let (_, content) = inside(envelope, OID)?;
    let (content, _) = inside(content, CONTEXT_0)?;
    let (signed, _) = inside(content, SEQUENCE)?;
    let (_, rest) = inside(signed, INTEGER)?;
    let (_, rest) = inside(rest, SET)?;
    let (_, rest) = inside(rest, SEQUENCE)?;
    let (mut rest, _) = inside(rest, CONTEXT_0)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (tag, _, whole, after) = element(rest)?;
        if tag != SEQUENCE {
            return None;
        }
        found.push(CertificateDer::from(whole.to_vec()));
        rest = after;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_authority_hands_out_reads_back() {
        let short = [SEQUENCE, 3, INTEGER, 1, 7];
        let mut long = vec![SEQUENCE, 0x82, 1, 0];
        long.extend([0; 256]);
        let envelope = ca_core::pkcs7::certs_only(&[&short, &long]);
        let mut read: Vec<Vec<u8>> = certificates(&envelope).unwrap().iter().map(|c| c.to_vec()).collect();
        read.sort();
        assert_eq!(read, [short.to_vec(), long]);
        for cut in 0..envelope.len() {
            assert!(certificates(&envelope[..cut]).is_none(), "{cut}");
        }
    }
}
