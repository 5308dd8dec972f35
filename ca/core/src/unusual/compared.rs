//! The flags, one function each: what is asked for beside what is held, or beside what happened.

use std::collections::BTreeSet;

use extensions::{
    MandateDocument, Timestamp,
    limits::{Authority, Dimension, Hours, Item, Scope, WeekMinutes},
};

use super::{Flag, Halted, Held, LATELY_DAYS, MOST_COMPARED, Refused};
use crate::{narrowing::within, register::Mandate};

const DAY_SECONDS: i64 = 86_400;
/// From 22:00 to 06:00 UTC.
const NIGHT: [&str; 1] = ["Mon-Sun 22:00-06:00"];
const WEEKEND: [&str; 1] = ["Sat,Sun 00:00-24:00"];

/// Wider than anything this owner holds, dimension by dimension, beside the mandate that comes nearest.
pub(super) fn owner(document: &MandateDocument, held: &[Held<'_>]) -> Vec<Flag> {
    let owner = document.owner;
    let own = held.iter().filter(|held| *held.mandate.owner() == owner);
    let (mut nowhere, mut nearest) = ([true; 10], None::<(usize, &Held<'_>)>);
    for held in own.take(MOST_COMPARED) {
        let wider = document.limits.wider_dimensions(&held.revision.document().limits);
        let exceeded = wider.iter().filter(|wider| **wider).count();
        if nearest.is_none_or(|(least, _)| exceeded < least) {
            nearest = Some((exceeded, held));
        }
        nowhere = std::array::from_fn(|at| nowhere[at] && wider[at]);
    }
    let Some((_, nearest)) = nearest else {
        return vec![Flag {
            code: "OWNER_FIRST",
            asked: document.mandate.to_string(),
            against: None,
            words: format!("{owner} holds no mandate in force: there is nothing of its own to compare with"),
        }];
    };
    let outer = nearest.revision.document();
    let dimensions = Dimension::ALL.into_iter().zip(nowhere).filter(|(_, wider)| *wider);
    let flag = |(dimension, _): (Dimension, bool)| {
        let claim = within(&document.limits, &outer.limits, dimension).err()?;
        Some(Flag {
            code: "OWNER_WIDER",
            asked: claim.detail.clone(),
            against: Some(outer.mandate.to_string()),
            words: format!(
                "{dimension} is wider than in any mandate of {owner}; beside the nearest, {} of {}: {}",
                outer.mandate, outer.agent, claim.detail
            ),
        })
    };
    dimensions.filter_map(flag).collect()
}

/// Venues, regions, currencies and instruments that no mandate in force of the house names.
pub(super) fn first_uses(limits: &Authority, held: &[Held<'_>]) -> Vec<Flag> {
    let others = || held.iter().map(|held| &held.revision.document().limits);
    let mut flags = Vec::new();
    for (code, what, asked, scope) in [
        (
            "FIRST_COUNTERPARTY",
            "venue",
            limits.counterparties(),
            Authority::counterparties as fn(&Authority) -> &Scope,
        ),
        (
            "FIRST_INSTRUMENT",
            "instrument",
            limits.instruments(),
            Authority::instruments,
        ),
        ("FIRST_REGION", "region", limits.regions(), Authority::regions),
    ] {
        let mut new: BTreeSet<Item> = asked.items().unwrap_or_default().iter().copied().collect();
        for other in others() {
            if new.is_empty() {
                break;
            }
            match scope(other).items() {
                Some(named) => new.retain(|item| !named.contains(item)),
                None => new.clear(),
            }
        }
        flags.extend(first(code, what, new.iter().map(ToString::to_string).collect()));
    }
    let mut units: BTreeSet<_> = limits.per_order().iter().map(|amount| amount.unit()).collect();
    for other in others() {
        units.retain(|unit| !other.per_order().iter().any(|amount| amount.unit() == *unit));
    }
    flags.extend(first(
        "FIRST_CURRENCY",
        "currency",
        units.iter().map(ToString::to_string).collect(),
    ));
    flags
}

fn first(code: &'static str, what: &str, new: Vec<String>) -> Option<Flag> {
    let asked = new.join(", ");
    (!new.is_empty()).then(|| Flag {
        code,
        words: format!("new to this house: no mandate in force names the {what} {asked}"),
        asked,
        against: None,
    })
}

/// Hours at night or at the weekend that the agent does not have now.
pub(super) fn hours(document: &MandateDocument, current: Option<&MandateDocument>) -> Vec<Flag> {
    let minutes = document.limits.hours().minutes();
    let now = current.map(|current| current.limits.hours());
    let flag = |(code, what, of): (&'static str, &str, &[&str; 1])| {
        let of = Hours::parse(of).ok()?.minutes();
        let new = match now {
            Some(now) => beyond(&minutes.intersection(&of), &now.minutes()),
            None => counted(&minutes.intersection(&of)),
        };
        let windows = minutes.intersection(&of).windows();
        let windows: Vec<String> = windows.iter().map(ToString::to_string).collect();
        let asked = windows.join("; ");
        let against = now.map(|now| {
            now.windows()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ")
        });
        let than = match &against {
            Some(now) => format!("that it does not have now ({now})"),
            None => "and it has no mandate now".to_owned(),
        };
        (new > 0).then(|| Flag {
            code,
            words: format!("{} of {what} a week {than}: {asked} UTC", length(new)),
            asked,
            against,
        })
    };
    let kinds = [
        ("HOURS_NIGHT", "night (22:00 to 06:00 UTC)", &NIGHT),
        ("HOURS_WEEKEND", "weekend", &WEEKEND),
    ];
    kinds.into_iter().filter_map(flag).collect()
}

fn counted(minutes: &WeekMinutes) -> u32 {
    let length = |window: &extensions::limits::Window| {
        u32::from(window.end_minute() - window.start_minute()) * window.weekdays().bits().count_ones()
    };
    minutes.windows().iter().map(length).sum()
}

/// Minutes of one set that are not in another.
fn beyond(mine: &WeekMinutes, theirs: &WeekMinutes) -> u32 {
    counted(mine) - counted(&mine.intersection(theirs))
}

fn length(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (hours, 0) => format!("{hours} h"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn days(from: Timestamp, to: Timestamp) -> i64 {
    (to.seconds() - from.seconds()) / DAY_SECONDS
}

/// It would stand longer than any other was asked for.
pub(super) fn expiry(application: &Mandate, held: &[Held<'_>]) -> Option<Flag> {
    let asked = days(application.submitted_at(), application.document().expires);
    let others = held.iter().filter(|held| held.mandate.id() != application.id());
    let longest = others
        .map(|held| {
            (
                days(held.revision.submitted_at(), held.revision.document().expires),
                held,
            )
        })
        .max_by_key(|(days, _)| *days);
    let (longest, held) = longest.filter(|(longest, _)| asked > *longest)?;
    let other = held.mandate.id();
    Some(Flag {
        code: "EXPIRY_LONGEST",
        asked: format!("{asked} days"),
        against: Some(format!("{longest} days")),
        words: format!(
            "it ends {asked} days after it was asked for: longer than any other mandate in force, of which {other} has the most, {longest} days"
        ),
    })
}

/// Nobody states how much changed in a bot's code: a digest that is missing or another than the current one is told as unknown.
pub(super) fn code(document: &MandateDocument, current: Option<&MandateDocument>) -> Option<Flag> {
    let declared = document.declared_code_digest;
    let now = current.and_then(|current| current.declared_code_digest);
    let (code, words) = match (declared, current) {
        (None, _) => (
            "CODE_UNDECLARED",
            "no digest of the bot's code is declared: what runs under it is unknown",
        ),
        (Some(declared), Some(_)) if now != Some(declared) => (
            "CODE_CHANGED",
            "the bot's code is another than under the mandate in force, and how much it changed is unknown",
        ),
        _ => return None,
    };
    let text =
        |digest: Option<extensions::Digest>| digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
    Some(Flag {
        code,
        asked: text(declared),
        against: current.map(|_| text(now)),
        words: words.to_owned(),
    })
}

/// The same person asked for the same agent and was refused.
pub(super) fn refused(application: &Mandate, refused: &[Refused], now: Timestamp) -> Option<Flag> {
    let applicant = application.applicant();
    let mine = refused
        .iter()
        .filter(|one| one.applicant == *applicant && one.at <= application.submitted_at() && lately(one.at, now));
    let (count, last) = mine.fold((0, None), |(count, _), one| (count + 1, Some(one)));
    let last = last?;
    Some(Flag {
        code: "REFUSED_LATELY",
        asked: applicant.to_string(),
        against: Some(last.at.to_string()),
        words: format!(
            "{applicant} was refused for this agent {count} time{} in the last {LATELY_DAYS} days, last by {} at {}",
            if count == 1 { "" } else { "s" },
            last.by,
            last.at
        ),
    })
}

/// The agent was revoked.
pub(super) fn halted(application: &Mandate, halted: Option<Halted>) -> Option<Flag> {
    let Halted { at, seconds_ago } = halted.filter(|one| one.seconds_ago <= LATELY_DAYS * DAY_SECONDS)?;
    let (agent, ago) = (application.agent(), seconds_ago.max(0) / DAY_SECONDS);
    let ago = match ago {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    Some(Flag {
        code: "HALTED_LATELY",
        asked: agent.to_string(),
        against: Some(at.to_string()),
        words: format!("{agent} was revoked {ago} ago, at {at}: within the last {LATELY_DAYS} days"),
    })
}

fn lately(at: Timestamp, now: Timestamp) -> bool {
    at >= now.plus_seconds(-LATELY_DAYS * DAY_SECONDS)
}
