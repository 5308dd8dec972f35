//! `proposal`: what two officers decide together: house settings, reviews, reinstatements, further officers.

use clap::Subcommand;
use extensions::Digest;
use serde_json::Value;

use super::{House, report::Report};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// All proposals, with their signatures so far.
    List,
    /// One proposal: its document, what it becomes, who signed, and the command that signs exactly it.
    Show {
        /// Its name: officer/ID/NUMBER.
        proposal: String,
    },
    /// Sign it, with your own signature over exactly the document that `show` showed you.
    Sign {
        /// Its name: officer/ID/NUMBER.
        proposal: String,
        /// The digest that `show` prints: of the document you have read.
        #[arg(long, value_name = "DIGEST", value_parser = super::digest)]
        document: Digest,
        /// Say no instead, with a reason.
        #[arg(long, value_name = "REASON")]
        reject: Option<String>,
    },
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let mut officer = house.officer()?;
    match command {
        Command::List => {
            let listed = officer.list("/v1/proposals", "proposals").await?;
            Ok(Report::of_json(listed))
        }
        Command::Show { proposal } => {
            let name = proposal.strip_prefix("officer/").unwrap_or(&proposal);
            let shown = officer.get(&format!("/v1/proposals/{name}")).await?;
            Ok(Report::new(words(&shown), shown))
        }
        Command::Sign {
            proposal,
            document,
            reject,
        } => Ok(Report::of_json(
            officer
                .sign_proposal(&proposal, Some(&document), reject.as_deref())
                .await?,
        )),
    }
}

/// What was just proposed, and how it is signed.
pub(super) fn proposed(answer: Value) -> Report {
    Report::new(words(&answer), answer)
}

fn words(shown: &Value) -> String {
    let text = |member: &str| shown[member].as_str().unwrap_or("?");
    let (proposal, document) = (text("proposal"), text("document_digest"));
    let mut words = proposal.to_owned();
    if let (Some(becomes), Some(proposer)) = (shown["becomes"].as_str(), shown["proposer"].as_str()) {
        words.push_str(&format!(" by {proposer}, becomes {becomes}"));
    }
    let read = shown["in_words"].as_str().map(str::to_owned);
    let read = read.unwrap_or_else(|| serde_json::to_string_pretty(&shown["document"]).unwrap_or_default());
    words.push_str(&format!("\n\n{read}\n"));
    for signature in shown["signatures"].as_array().into_iter().flatten() {
        let of = |member: &str| signature[member].as_str().unwrap_or("?");
        words.push_str(&format!("\n{}: {}", of("officer"), of("decision")));
    }
    words.push_str(&format!("\ndocument {document}\n"));
    match shown["accepted"].as_bool() {
        Some(true) => words.push_str("It was accepted."),
        Some(false) => words.push_str("It was refused."),
        None => words.push_str(&format!(
            "{} officers must sign it before {}. To sign exactly this: mandatum proposal sign {proposal} --document {document}",
            shown["officers_needed"],
            text("expires_at")
        )),
    }
    words
}
