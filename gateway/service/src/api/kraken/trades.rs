//! `TradesHistory`: the fills of this bot, each under the number of its entry in the bot's stream, newest first.

use std::sync::Arc;

use axum::{Extension, body::Body, extract::State, http::Uri, response::Response};
use gateway_policy::Code;
use serde_json::{Map, Value, json};

use super::{PAGE, answered, names, reads, shown};
use crate::{
    api::{
        Side,
        binance::{
            admit_question,
            parameters::{Fault, Parameters},
            refusal::Refused,
            trades::{Wanted, newest_since},
        },
        chain,
    },
    session::Session,
};

/// What is asked for, and from which row on. `start` is a time in seconds or a trade's id, and leaves out what it names, as at the venue.
fn read(parameters: &Parameters) -> Result<(Wanted, usize), Fault> {
    let invalid = |detail: &str| (Code::OrderInvalid, detail.to_owned());
    if !matches!(parameters.text("type"), None | Some("all" | "no position")) {
        return Err(invalid("type is all: there are no positions on margin here"));
    }
    let millis = |seconds: u64| seconds.saturating_mul(1_000);
    let from = parameters.text("start").and_then(|text| names::number('T', text));
    let since = match from {
        Some(_) => None,
        None => parameters.number("start")?.map(|at| millis(at).saturating_add(1)),
    };
    let first = parameters.number("ofs")?.unwrap_or(0);
    let first = usize::try_from(first).ok().filter(|_| first <= reads::FURTHEST);
    let first = first.ok_or_else(|| invalid("ofs goes too far; ask from a start"))?;
    let wanted = Wanted {
        from,
        since,
        until: parameters.number("end")?.map(millis),
        // One more says that there is one.
        most: first.saturating_add(PAGE + 1),
        ..Wanted::default()
    };
    Ok((wanted, first))
}

/// `POST /0/private/TradesHistory`. `count` is how many are known to be there: one above the last row while more follow.
pub(super) async fn history(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let listed = async {
        admit_question(&session)?;
        let parameters = reads::asked(&bots, &uri, body, &["type", "trades", "start", "end", "ofs"]).await?;
        let (wanted, first) = read(&parameters).map_err(reads::refused)?;
        let fills = newest_since(&bots.gateway, &session, &wanted).await?;
        let page = fills.iter().rev().skip(first).take(PAGE);
        let page: Map<String, Value> = page
            .map(|(number, fill)| (names::id('T', *number), shown::trade(*number, &chain::fill(fill))))
            .collect();
        Ok::<Value, Refused>(json!({ "trades": page, "count": fills.len() }))
    };
    answered(listed.await)
}
