//! `position attest`: what a bot held before the house knew it.

use clap::Subcommand;
use extensions::{AgentId, Decimal, Instrument};

use super::{House, report::Report};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Attest, with your signature, what a bot holds of an instrument, so that reductions can be told from new risk.
    ///
    /// Example: mandatum --officer ada position attest bot-1 BTC_EUR -0.5
    #[command(allow_negative_numbers = true)]
    Attest {
        /// The bot.
        agent: AgentId,
        /// The instrument.
        instrument: Instrument,
        /// The quantity; negative for short.
        quantity: Decimal,
    },
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let Command::Attest {
        agent,
        instrument,
        quantity,
    } = command;
    let mut officer = house.officer()?;
    Ok(Report::of_json(
        officer.attest_position(&agent, &instrument, quantity).await?,
    ))
}
