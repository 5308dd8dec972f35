//! `application`: mandates, from asking to approval.

use std::path::PathBuf;

use clap::Subcommand;
use extensions::{ApprovalDecision, Digest, MandateId};
use serde_json::{Value, json};

use super::{House, document, report::Report};

const MANDATE: &str = "\
A mandate file:
  agent = \"bot-1\"
  mandate = \"m-1\"
  expires = \"2027-06-30T00:00:00Z\"
  rationale = \"why these limits fit the purpose\"

  [conduct]
  on_halt = \"cancel_all\"                   # or cancel_risk_increasing
  on_unanswered_warning = \"reduce_only\"    # or freeze, revoke
  repeat_window_ms = 500
  scoring = \"observe until 2027-01-31T00:00:00Z\"   # or \"enforce\": see below

  [limits]
  per_order = [\"EUR 50000\"]
  per_day = [\"EUR 1000000\"]
  order_rates = [\"20/1s\", \"600/1m\"]
  instruments = [\"BTC_EUR\"]
  counterparties = [\"exchange_a\"]
  regions = [\"local\"]
  hours = [\"always\"]                        # or [\"Mon-Fri 07:00-20:00\"], UTC
  order_types = [\"limit\", \"market\"]
  price_collar_bps = 200
  order_proof = false

Optional bounds in [conduct], enforced like the limits: max_day_loss = [\"EUR 500\"] (realised
since 00:00 UTC; from there on only reductions), max_executions = 500 (orders that
trade until an officer has to resume the bot), max_open_orders = 20, max_position = [\"BTC_EUR 2.5\"] (one for each
instrument; long or short, open orders counted as filled), self_trade = \"refuse\",
cancel_after_disconnect_s = 30 (open orders are cancelled when the bot's last stream breaks and none is back by then).

For a start let scores only be observed: they are computed and recorded, and stop nothing until the date. Under \"enforce\" a bot
needs an approved baseline, learnt from its history (`observations import`, `baseline propose`, `baseline approve`); without one
its orders are refused with BASELINE_MISSING.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask for a mandate, or change what is asked: earlier signatures then count no more.
    #[command(after_help = MANDATE)]
    Submit {
        /// The mandate, TOML or JSON.
        file: PathBuf,
    },
    /// All applications.
    List,
    /// One application in plain words, with what is unusual, what it would have done to past orders, and what is still needed.
    Show {
        /// The mandate.
        mandate: MandateId,
    },
    /// Approve it, with your own signature over exactly the document that `show` showed you.
    Approve {
        /// The mandate.
        mandate: MandateId,
        /// The digest that `show` prints: of the document you have read.
        #[arg(long, value_name = "DIGEST", value_parser = super::digest)]
        document: Digest,
    },
    /// Say no, with a reason for the applicant.
    Reject {
        /// The mandate.
        mandate: MandateId,
        /// The digest that `show` prints: of the document you have read.
        #[arg(long, value_name = "DIGEST", value_parser = super::digest)]
        document: Digest,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let mut officer = house.officer()?;
    match command {
        Command::Submit { file } => {
            let body = document(&file)?;
            let answer = officer.post("/v1/applications", &body).await?;
            let text = format!(
                "Asked for {} (revision {}). Officers read it with `mandatum application show` and sign it with `approve`.",
                answer["mandate"].as_str().unwrap_or("?"),
                answer["revision"]
            );
            Ok(Report::new(text, answer))
        }
        Command::List => Ok(Report::of_json(officer.list("/v1/applications", "applications").await?)),
        Command::Show { mandate } => {
            let mut shown = officer.get(&format!("/v1/applications/{mandate}")).await?;
            let past = officer.get(&format!("/v1/applications/{mandate}/whatif")).await;
            // The application is shown whatever the look at past orders says: it may be somebody else's turn.
            shown["whatif"] = past.unwrap_or_else(|fault| json!({"not_looked_at": fault.to_string()}));
            Ok(Report::new(words(&shown), shown))
        }
        Command::Approve { mandate, document } => {
            let decision = ApprovalDecision::Approve;
            let answer = officer.decide_seen(mandate.as_str(), &document, decision, None).await?;
            let text = match answer["approved"].as_bool() {
                Some(true) => format!("{mandate} is approved."),
                _ => format!(
                    "Signed: {} of {} officers have approved {mandate}.",
                    answer["approvals"], answer["officers_needed"]
                ),
            };
            Ok(Report::new(text, answer))
        }
        Command::Reject {
            mandate,
            document,
            reason,
        } => {
            let decision = ApprovalDecision::Reject;
            let answer = officer
                .decide_seen(mandate.as_str(), &document, decision, Some(&reason))
                .await?;
            Ok(Report::new(format!("{mandate} is rejected."), answer))
        }
    }
}

fn words(shown: &Value) -> String {
    let text = |member: &str| shown[member].as_str().unwrap_or_default();
    let mut words = format!("{} ({})\n\n{}\n", text("mandate"), text("status"), text("in_words"));
    for flag in [&shown["unusual"], &shown["whatif"]["unusual"]] {
        for one in flag.as_array().into_iter().flatten() {
            words.push_str(&format!("\nunusual: {}", one["words"].as_str().unwrap_or_default()));
        }
    }
    words.push_str(&format!("\n{}\n", past(&shown["whatif"])));
    for rule in shown["rules_open"].as_array().into_iter().flatten() {
        words.push_str(&format!(
            "\nstill open: {}",
            rule["reason"].as_str().unwrap_or_default()
        ));
    }
    words.push_str(&format!("\ndocument {}", text("document_digest")));
    if text("status") == "pending" {
        let (mandate, document) = (text("mandate"), text("document_digest"));
        words.push_str(&format!(
            "\nTo sign exactly this: mandatum application approve {mandate} --document {document}"
        ));
    }
    words
}

/// What it would have done to past orders, in a sentence or two.
fn past(looked: &Value) -> String {
    if let Some(why) = looked["not_looked_at"].as_str() {
        return format!("past orders: not looked at: {why}");
    }
    let (orders, unlike) = (&looked["orders"], looked["unlike"].as_u64().unwrap_or(0));
    if orders == 0 && unlike == 0 {
        return format!("past orders: none in the last {} days", looked["days"]);
    }
    let mut words = format!(
        "past orders: {orders} of the last {} days decided again; it would refuse {} that were permitted, and permit {} that were refused",
        looked["days"], looked["stopped"]["count"], looked["let_through"]["count"]
    );
    if unlike > 0 {
        words.push_str(&format!("; {unlike} cannot be compared"));
    }
    if looked["cut"] == true {
        words.push_str(&format!(
            "; cut short at {} entries, from {} on",
            looked["read"],
            looked["since"].as_str().unwrap_or("?")
        ));
    }
    words
}
