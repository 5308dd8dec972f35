//! A bot has exactly one name, a URI of our trust domain; CAs and responders have none (certificates.md §2).

use x509_parser::extensions::GeneralName;

use super::{Context, holds};
use crate::profiles::Profile;

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let found = context.parsed.subject_alternative_name().map_err(|_| "appears twice")?;
    let names = found.as_ref().map(|found| found.value.general_names.as_slice());
    let domain = &context.linted.particulars.settings.trust_domain;
    match (context.linted.profile, names) {
        (Profile::Bot(bot), Some([GeneralName::URI(uri)])) => {
            holds(*uri == bot.name().uri(domain), "the URI is not this bot's")
        }
        (Profile::Bot(_), _) => Err("a bot has exactly one name, a URI".to_owned()),
        (Profile::Officer { officer }, Some([GeneralName::URI(uri)])) => holds(
            *uri == format!("spiffe://{domain}/officer/{officer}"),
            "the URI is not this officer's",
        ),
        (Profile::Officer { .. }, _) => Err("an officer has exactly one name, a URI".to_owned()),
        (Profile::Server { .. }, Some(names)) => holds(
            names
                .iter()
                .all(|name| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_))),
            "a server has DNS names and addresses alone",
        ),
        (Profile::Server { .. }, None) => Err("a server has at least one name".to_owned()),
        (_, names) => holds(names.is_none(), "has no alternative names"),
    }
}
