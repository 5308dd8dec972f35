//! The one name a bot's certificate carries: a SPIFFE-style URI of trust domain, bot and instance (certificates.md §2).

use crate::AgentId;

/// The instance part. One agent has one live key; a second instance is a second agent, so there is one value.
const INSTANCE: &str = "1";

/// `spiffe://<trust domain>/agent/<agent>/instance/1`.
#[must_use]
pub fn agent_uri(trust_domain: &str, agent: &AgentId) -> String {
    format!("spiffe://{trust_domain}/agent/{agent}/instance/{INSTANCE}")
}

/// The agent that `uri` names in `trust_domain`; `None` for anything that [`agent_uri`] does not write.
#[must_use]
pub fn agent_of_uri(uri: &str, trust_domain: &str) -> Option<AgentId> {
    let rest = uri.strip_prefix("spiffe://")?.strip_prefix(trust_domain)?;
    let agent = rest
        .strip_prefix("/agent/")?
        .strip_suffix(INSTANCE)?
        .strip_suffix("/instance/")?;
    AgentId::new(agent).ok()
}

/// Whether `text` can be a trust domain: an FQDN in lower case, 3 to 253 characters, at least two labels.
#[must_use]
pub fn is_trust_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (3..=253).contains(&text.len()) && text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_nothing_else_reads() {
        let agent = AgentId::new("mm-1").expect("valid");
        let uri = agent_uri("bots.example.org", &agent);
        assert_eq!(uri, "spiffe://bots.example.org/agent/mm-1/instance/1");
        assert_eq!(agent_of_uri(&uri, "bots.example.org"), Some(agent));
        for bad in [
            "spiffe://bots.example.org.evil/agent/mm-1/instance/1",
            "spiffe://bots.example.org/agent/mm-1/instance/2",
            "spiffe://bots.example.org/agent/MM/instance/1",
            "spiffe://bots.example.org/agent/a/b/instance/1",
            "https://bots.example.org/agent/mm-1/instance/1",
        ] {
            assert_eq!(agent_of_uri(bad, "bots.example.org"), None, "{bad}");
        }
        assert!(is_trust_domain("bots.example.org") && !is_trust_domain("localhost") && !is_trust_domain("a..b"));
    }
}
