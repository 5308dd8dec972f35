//! `limits`: what a certificate permits, and how two differ.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use extensions::{
    AuthorityLimits,
    certificate::Certificate,
    limits::{Authority, LimitsDocument},
    oids::OidArc,
};
use serde_json::{Value, json};

use super::{House, document, report::Report};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the limits of a certificate (PEM or DER), of a bare AuthorityLimits DER, or of a TOML or JSON document.
    Show {
        /// The file.
        file: PathBuf,
        /// The private enterprise number it must stand under; any when absent.
        #[arg(long)]
        pen: Option<u64>,
    },
    /// How B differs from A, member by member, and whether B stays within A.
    Diff {
        /// The wider one, as it should be.
        a: PathBuf,
        /// The narrower one.
        b: PathBuf,
        /// The private enterprise number it must stand under; any when absent.
        #[arg(long)]
        pen: Option<u64>,
    },
}

pub(super) fn run(_house: &House, command: Command) -> anyhow::Result<Report> {
    match command {
        Command::Show { file, pen } => show(&file, pen.map(OidArc::new).transpose()?),
        Command::Diff { a, b, pen } => {
            let arc = pen.map(OidArc::new).transpose()?;
            diff(&read(&a, arc)?.0, &read(&b, arc)?.0)
        }
    }
}

fn show(file: &Path, arc: Option<OidArc>) -> anyhow::Result<Report> {
    let (authority, limits) = read(file, arc)?;
    let document = LimitsDocument::from(&authority);
    let mut text = toml::to_string(&document)?;
    let mut shown = json!({ "limits": document });
    if let Some(mandate) = limits.as_ref().and_then(AuthorityLimits::mandate) {
        text.push_str(&format!(
            "\nmandate {} with document {}\n",
            mandate.id(),
            mandate.document_hash()
        ));
        for approver in mandate.approvers() {
            text.push_str(&format!("approved with key {approver}\n"));
        }
        shown["mandate"] = json!({
            "approvers": mandate.approvers(),
            "document": mandate.document_hash(),
            "id": mandate.id(),
        });
    }
    Ok(Report::new(text, shown))
}

/// The limits a file holds, whatever its form.
pub(super) fn read(file: &Path, arc: Option<OidArc>) -> anyhow::Result<(Authority, Option<AuthorityLimits>)> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let der = if bytes.starts_with(b"-----BEGIN") {
        crate::pem::of_bytes(&bytes)?
            .first()
            .map(|first| first.to_vec())
            .unwrap_or_default()
    } else {
        bytes
    };
    if let Ok(certificate) = Certificate::read(&der) {
        let found = certificate.authority_limits();
        let found = found.filter(|(under, _)| arc.is_none_or(|arc| arc == *under));
        let Some((_, value)) = found else {
            let under = arc.map_or_else(String::new, |arc| format!(" under {}", arc.authority_limits()));
            bail!("{} is a certificate without AuthorityLimits{under}", file.display());
        };
        let limits = AuthorityLimits::decode(value).with_context(|| format!("{}: AuthorityLimits", file.display()))?;
        return Ok((limits.authority().clone(), Some(limits)));
    }
    if let Ok(limits) = AuthorityLimits::decode(&der) {
        return Ok((limits.authority().clone(), Some(limits)));
    }
    let value = document(file)?;
    // A mandate's document holds its limits as a member.
    let limits = value.get("limits").cloned().unwrap_or(value);
    let read: LimitsDocument =
        serde_json::from_value(limits).with_context(|| format!("{} holds no limits", file.display()))?;
    Ok((Authority::try_from(read)?, None))
}

fn diff(a: &Authority, b: &Authority) -> anyhow::Result<Report> {
    let (old, new) = (json!(LimitsDocument::from(a)), json!(LimitsDocument::from(b)));
    let mut changes = Vec::new();
    let mut text = String::new();
    for (member, before) in old.as_object().into_iter().flatten() {
        let after = &new[member];
        if before != after {
            text.push_str(&format!("{member}: {before} -> {after}\n"));
            changes.push(json!({ "member": member, "a": before, "b": after }));
        }
    }
    let claim = b.is_subset_of(a).err().map(|claim| claim.to_string());
    match &claim {
        None if changes.is_empty() => text.push_str("the same\n"),
        None => text.push_str("B stays within A\n"),
        Some(claim) => text.push_str(&format!("B is wider than A: {claim}\n")),
    }
    let within = Value::Bool(claim.is_none());
    Ok(Report::new(
        text,
        json!({ "changes": changes, "within": within, "over_claim": claim }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = r#"{"counterparties":["exchange_a"],"hours":["always"],"instruments":["BTC_EUR"],"order_proof":false,"order_rates":["10/1s"],"order_types":["limit"],"per_day":["EUR 1000"],"per_order":["EUR 100"],"price_collar_bps":100,"regions":["local"]}"#;

    #[test]
    fn a_diff_names_what_differs_and_which_way() {
        let read = |text: &str| Authority::try_from(serde_json::from_str::<LimitsDocument>(text).unwrap()).unwrap();
        let (a, b) = (read(LIMITS), read(&LIMITS.replace("EUR 100\"", "EUR 50\"")));
        let narrower = diff(&a, &b).unwrap();
        assert!(
            narrower.text.contains("per_order") && narrower.text.contains("B stays within A"),
            "{}",
            narrower.text
        );
        assert_eq!(diff(&b, &a).unwrap().json["within"], json!(false));
        assert_eq!(diff(&a, &a).unwrap().text, "the same\n");
    }
}
