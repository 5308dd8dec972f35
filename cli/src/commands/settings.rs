//! `house`, `regions`, `thresholds`, `exposure`: what holds for the whole house. Settings are proposals that two officers sign.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Subcommand;
use extensions::{Currency, Decimal};
use revocation_core::{
    HouseScope,
    levels::{HIGHEST_LEVEL, LOWEST_LEVEL},
};
use serde_json::{Value, json};

use super::{
    House, document, proposal,
    report::{Exit, Failure, Report},
};

#[derive(Debug, Subcommand)]
pub(super) enum HouseCommand {
    /// What stands for all: freezes, owners' modes, regions, thresholds, the epoch.
    Show,
}

#[derive(Debug, Subcommand)]
pub(super) enum Regions {
    /// The table of source networks, by which the gateway knows where a bot is.
    Show,
    /// Propose a new table, which replaces the old one whole; two officers sign it with `proposal sign`.
    ///
    /// A file of TOML or JSON, a region and its networks a row:  eu-west-1 = ["10.1.0.0/16", "192.0.2.0/24"]
    Set {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Thresholds {
    /// The amounts above which a mandate takes two officers, and the levels of the score where the house has set its own.
    Show,
    /// Propose new thresholds, which replace the old ones whole; two officers sign them with `proposal sign`.
    ///
    /// A currency that is not named always takes two officers. Example: mandatum --officer ada thresholds set EUR=100000 USD=100000
    ///
    /// The levels of the score stay what they are, unless both are named: --warn 0.75 --revoke 0.85
    Set {
        /// Currency and amount: EUR=100000.
        #[arg(required = true, value_parser = amount)]
        amounts: Vec<(Currency, Decimal)>,
        /// The score from which a bot is warned, 0.5 to 1.
        #[arg(long, value_name = "SCORE", value_parser = level, requires = "revoke")]
        warn: Option<u32>,
        /// The score from which it is halted, above that, at most 1.
        #[arg(long, value_name = "SCORE", value_parser = level, requires = "warn")]
        revoke: Option<u32>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Exposure {
    /// The limits of all bots together, and of each owner's bots that have any.
    Show,
    /// Propose what a group may have at stake, in place of its limits now; two officers sign it with `proposal sign`.
    ///
    /// At stake is what each bot holds, long or short, at the reference price, and what its open orders may add. A currency that is not named permits
    /// nothing. Examples: mandatum --officer ada exposure set owner:desk EUR=500000   mandatum --officer ada exposure set all EUR=2000000
    Set {
        /// Whose bots together: all, or owner:desk.
        #[arg(value_parser = scope)]
        scope: HouseScope,
        /// Currency and amount: EUR=500000.
        #[arg(required = true, value_parser = amount)]
        amounts: Vec<(Currency, Decimal)>,
    },
    /// Propose the end of a group's limits; two officers sign it.
    Lift {
        /// Whose: all, or owner:desk.
        #[arg(value_parser = scope)]
        scope: HouseScope,
    },
}

fn scope(text: &str) -> Result<HouseScope, String> {
    HouseScope::parse(text).ok_or_else(|| "expected all, or owner: and the owner's id: owner:desk".to_owned())
}

fn amount(text: &str) -> Result<(Currency, Decimal), String> {
    let (currency, amount) = text.split_once('=').ok_or("expected CURRENCY=AMOUNT: EUR=100000")?;
    let currency = Currency::new(currency).map_err(|error| error.to_string())?;
    let amount = Decimal::parse(amount).map_err(|error| error.to_string())?;
    Ok((currency, amount))
}

/// A score as people write it, in millionths.
fn level(text: &str) -> Result<u32, String> {
    let wrong = || "expected a score of 0.5 to 1 with at most six decimals: 0.85".to_owned();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 6 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let level: u32 = format!("{whole}{decimals:0<6}").parse().map_err(|_| wrong())?;
    (LOWEST_LEVEL..=HIGHEST_LEVEL)
        .contains(&level)
        .then_some(level)
        .ok_or_else(wrong)
}

pub(super) async fn house(house: &House, command: HouseCommand) -> anyhow::Result<Report> {
    let HouseCommand::Show = command;
    Ok(Report::of_json(house.officer()?.get("/v1/house").await?))
}

async fn part(house: &House, member: &str) -> anyhow::Result<Report> {
    let mut shown = house.officer()?.get("/v1/house").await?;
    Ok(Report::of_json(
        json!({ member: shown[member].take(), "epoch": shown["epoch"] }),
    ))
}

pub(super) async fn regions(house: &House, command: Regions) -> anyhow::Result<Report> {
    match command {
        Regions::Show => part(house, "networks").await,
        Regions::Set { file } => {
            let body = json!({ "networks": rows(&document(&file)?)? });
            let answer = house.officer()?.post("/v1/house/regions", &body).await?;
            Ok(proposal::proposed(answer))
        }
    }
}

/// `region = [networks]`, as rows of the API.
fn rows(table: &Value) -> Result<Vec<Value>, Failure> {
    let wrong = || {
        let message = "the file is no table of regions; a row is: eu-west-1 = [\"10.1.0.0/16\"]";
        Failure::new(Exit::Usage, message)
    };
    let mut rows = Vec::new();
    for (region, networks) in table.as_object().ok_or_else(wrong)? {
        for network in networks.as_array().ok_or_else(wrong)? {
            let network = network.as_str().ok_or_else(wrong)?;
            rows.push(json!({ "network": network, "region": region }));
        }
    }
    Ok(rows)
}

pub(super) async fn thresholds(house: &House, command: Thresholds) -> anyhow::Result<Report> {
    match command {
        Thresholds::Show => part(house, "thresholds").await,
        Thresholds::Set { amounts, warn, revoke } => {
            let amounts: BTreeMap<Currency, Decimal> = amounts.into_iter().collect();
            let mut officer = house.officer()?;
            let mut body = json!({ "two_officers_above": amounts });
            let present = officer.get("/v1/house").await?["thresholds"]["score"].take();
            if let Some((warn, revoke)) = warn.zip(revoke) {
                body["score"] = json!({ "revoke": revoke, "warn": warn });
            } else if present.is_object() {
                body["score"] = present;
            }
            let answer = officer.post("/v1/house/thresholds", &body).await?;
            Ok(proposal::proposed(answer))
        }
    }
}

pub(super) async fn exposure(house: &House, command: Exposure) -> anyhow::Result<Report> {
    let (scope, amounts) = match command {
        Exposure::Show => return part(house, "exposure").await,
        Exposure::Set { scope, amounts } => (scope, amounts),
        Exposure::Lift { scope } => (scope, Vec::new()),
    };
    let limits: BTreeMap<Currency, Decimal> = amounts.into_iter().collect();
    let body = json!({ "limits": limits, "scope": scope });
    let answer = house.officer()?.post("/v1/house/exposure", &body).await?;
    Ok(proposal::proposed(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_regions_are_read_or_refused_with_their_form() {
        assert!(amount("EUR=100000").is_ok());
        for wrong in ["EUR", "eur euro=1", "EUR=a lot", "=5"] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
        assert!(scope("all").is_ok() && scope("owner:desk").is_ok());
        for wrong in ["", "desk", "owner:", "owner:Not An Id", "ALL"] {
            assert!(scope(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            [level("0.85"), level("1"), level("0.5")],
            [Ok(850_000), Ok(1_000_000), Ok(500_000)]
        );
        for wrong in ["", "0.4", "1.1", "0.8500001", "-0.8", "0.8x", "85%"] {
            assert!(level(wrong).is_err(), "{wrong}");
        }
        let table = json!({ "eu-west-1": ["10.0.0.0/8"], "local": ["127.0.0.0/8", "::1/128"] });
        assert_eq!(rows(&table).unwrap().len(), 3);
        assert!(rows(&json!({ "eu-west-1": "10.0.0.0/8" })).is_err() && rows(&json!([])).is_err());
    }
}
