//! What a key may do.

use serde::Deserialize;

use super::{Body, parsed, sorted};
use crate::venue::Doubt;

/// The rights that move what the account owns. All of them have to stand in the answer: what is not said is not shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rights {
    enable_withdrawals: bool,
    enable_internal_transfer: bool,
    permits_universal_transfer: bool,
}

/// The first right of the key that moves what the account owns, if it has one.
///
/// # Errors
/// When the answer does not say so of each.
pub fn read_rights(status: u16, body: &[u8]) -> Result<Option<&'static str>, Doubt> {
    let rights: Rights = match sorted(status, body) {
        Body::Good(body) => parsed(body)?,
        Body::Refused(refused) => return Err(Doubt::Refused { code: refused.code }),
        Body::Doubt(doubt) => return Err(doubt),
    };
    Ok([
        (rights.enable_withdrawals, "enableWithdrawals"),
        (rights.enable_internal_transfer, "enableInternalTransfer"),
        (rights.permits_universal_transfer, "permitsUniversalTransfer"),
    ]
    .into_iter()
    .find_map(|(may, name)| may.then_some(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control, tried: with a default for the members the third row shows a key without rights.
    #[test]
    fn what_is_not_said_is_not_shown() {
        let none = r#"{"ipRestrict":true,"enableWithdrawals":false,"enableInternalTransfer":false,"permitsUniversalTransfer":false}"#;
        let read = |body: &str| read_rights(200, body.as_bytes());
        assert_eq!(read(none), Ok(None));
        for name in [
            "enableWithdrawals",
            "enableInternalTransfer",
            "permitsUniversalTransfer",
        ] {
            let one = |value: &str| none.replace(&format!("\"{name}\":false"), &format!("\"{name}\":{value}"));
            assert_eq!(read(&one("true")), Ok(Some(name)));
            let unread = Err(Doubt::Unreadable { status: 200 });
            for value in ["0", "null", "\"false\""] {
                assert_eq!(read(&one(value)), unread, "{name} {value}");
            }
            assert_eq!(read(&none.replace(name, "other")), unread, "{name} is not said");
            assert_eq!(read(&none.replace("ipRestrict", name)), unread, "{name} twice");
        }
        assert_eq!(
            read_rights(400, br#"{"code":-2015,"msg":"no"}"#),
            Err(Doubt::Refused { code: -2015 })
        );
        assert!(read_rights(404, b"<html>").is_err() && read("[]").is_err());
    }
}
