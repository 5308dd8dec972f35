//! Names in certificates: one SPIFFE-style URI each, `spiffe://<trust domain>/agent/<agent>/<instance>`.

use std::fmt;

use crate::{AgentId, OfficerId};

/// The longest trust domain (a DNS name).
const LONGEST_DOMAIN: usize = 253;

/// The house's trust domain: a fully qualified domain name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustDomain(String);

/// A text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not {1}")]
pub struct NameError(String, &'static str);

impl TrustDomain {
    /// Reads a domain such as `bots.example.org`.
    ///
    /// # Errors
    /// When it is not a lower-case FQDN of at least two labels.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() > LONGEST_DOMAIN || !text.contains('.') || !text.split('.').all(label) {
            let shown = text.chars().take(80).collect();
            return Err(NameError(
                shown,
                "a trust domain: a lower-case domain name such as bots.example.org",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The domain.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl TryFrom<String> for TrustDomain {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<TrustDomain> for String {
    fn from(domain: TrustDomain) -> Self {
        domain.0
    }
}

/// Whom a certificate names below the trust domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpiffeName {
    /// `spiffe://<domain>/agent/<agent>/<instance>`: one instance of a bot; the instance is written like an agent id.
    Agent {
        /// The bot.
        agent: AgentId,
        /// The instance.
        instance: AgentId,
    },
    /// `spiffe://<domain>/officer/<officer>`.
    Officer {
        /// The officer.
        officer: OfficerId,
    },
}

impl SpiffeName {
    /// The URI below `domain`.
    #[must_use]
    pub fn uri(&self, domain: &TrustDomain) -> String {
        match self {
            Self::Agent { agent, instance } => format!("spiffe://{domain}/agent/{agent}/{instance}"),
            Self::Officer { officer } => format!("spiffe://{domain}/officer/{officer}"),
        }
    }

    /// Reads a URI below `domain`; bytes are compared, nothing is unescaped or folded.
    #[must_use]
    pub fn parse(uri: &str, domain: &TrustDomain) -> Option<Self> {
        let path = uri
            .strip_prefix("spiffe://")?
            .strip_prefix(domain.as_str())?
            .strip_prefix('/')?;
        let mut parts = path.split('/');
        let name = match (parts.next()?, parts.next()?, parts.next()) {
            ("agent", agent, Some(instance)) => Self::Agent {
                agent: AgentId::new(agent).ok()?,
                instance: AgentId::new(instance).ok()?,
            },
            ("officer", officer, None) => Self::Officer {
                officer: OfficerId::new(officer).ok()?,
            },
            _ => return None,
        };
        parts.next().is_none().then_some(name)
    }
}
