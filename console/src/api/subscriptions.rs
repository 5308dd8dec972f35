//! Subscriptions to webhooks that officers sign, and what was delivered under each.
//!
//! Adding, changing and removing one takes two officers. A secret is shown once, to whoever proposes it, and stands sealed beside the proposal: no
//! entry, no answer and no export holds it.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use extensions::{Base64, SealedText, StreamId, StreamKind, canonical};
use ledger::CommittedEntry;
use revocation_core::webhooks::{
    MOST_SUBSCRIPTIONS, WebhookFormat, WebhookRemoved, WebhookSet, WebhookSettings, check_secret,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, proposals};
use crate::{Console, MOST_ROWS, problem::Problem, record::random_bytes, view::View};

/// Deliveries read for one answer; signs of life that were taken are left out of it.
const MOST_READ: u64 = 1_024;

/// A new subscription, or what one becomes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscription {
    webhook: String,
    url: String,
    #[serde(default)]
    format: WebhookFormat,
    #[serde(default)]
    kinds: Vec<String>,
    /// What PagerDuty or Slack gave; the one in force stays when absent.
    #[serde(default)]
    secret: Option<String>,
    /// For CloudEvents: another secret than the one in force.
    #[serde(default)]
    new_secret: bool,
}

impl Subscription {
    /// A secret to be sealed with the proposal, and whether it is shown; none when the one in force stays.
    fn secret(&self, view: &View) -> Result<Option<(String, bool)>, Problem> {
        let in_force = view.webhook_book.find(&self.webhook);
        let stays = in_force.is_some_and(|one| one.webhook.format == self.format);
        let bad = |error: &dyn std::fmt::Display| Problem::bad("SECRET", &error.to_string());
        match (&self.secret, self.format) {
            (Some(secret), format) => {
                check_secret(format, secret).map_err(|error| bad(&error))?;
                Ok(Some((secret.clone(), false)))
            }
            (None, _) if stays && !self.new_secret => Ok(None),
            (None, WebhookFormat::CloudEvents) => {
                let secret = format!("whsec_{}", Base64(random_bytes().to_vec()));
                Ok(Some((secret, true)))
            }
            (None, _) => Err(bad(
                &"a new one needs the secret that its receiver gave: the routing key, or the path",
            )),
        }
    }
}

/// Whether officers may sign something under this name: the configuration's own are the operator's.
fn free(view: &View, name: &str) -> Result<(), Problem> {
    if view.webhooks.contains_key(name) && !view.webhook_book.knows(name) {
        let detail = format!("{name} stands in the configuration: change it there");
        return Err(Problem::conflict("CONFIGURED", &detail));
    }
    if !view.webhook_book.has_room_for(name) {
        let detail = format!("there are {MOST_SUBSCRIPTIONS} subscriptions already: have one removed first");
        return Err(Problem::conflict("FULL", &detail));
    }
    Ok(())
}

/// Proposes a subscription, new or changed. The secret that the house made is in this answer, and never again anywhere.
pub(super) async fn set(
    State(console): State<Console>,
    Extension(caller): By,
    Body(body): Body<Subscription>,
) -> Answer {
    let (secret, in_force) = {
        let view = console.view().await?;
        free(&view, &body.webhook)?;
        let in_force = view.webhook_book.find(&body.webhook).map(|one| one.webhook.secret);
        (body.secret(&view)?, in_force)
    };
    let (sealed, shown) = match secret {
        None => (None, None),
        Some((text, shows)) => {
            let subject = format!("webhook:{}", body.webhook);
            let shown = shows.then(|| text.clone());
            let salt = random_bytes();
            (Some(SealedText { subject, salt, text }), shown)
        }
    };
    let commitment = sealed.as_ref().map(SealedText::commitment).or(in_force);
    let settings = WebhookSettings {
        format: body.format,
        kinds: body.kinds,
        secret: commitment.unwrap_or_default(),
        url: body.url,
    };
    let fits = settings.check(&body.webhook);
    fits.map_err(|fault| Problem::bad("WEBHOOK", &fault.to_string()))?;
    let document = json!({"purpose": WebhookSet::KIND, "subscription": body.webhook, "webhook": settings});
    let sealed = sealed.into_iter().collect();
    let Json(mut answer) = proposals::propose(&console, caller, WebhookSet::KIND, document, sealed).await?;
    answer["secret"] = json!(shown);
    Ok(Json(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Proposes the end of a subscription.
pub(super) async fn remove(
    State(console): State<Console>,
    Extension(caller): By,
    Path(webhook): Path<String>,
    Body(_): Body<Nothing>,
) -> Answer {
    let document = json!({"purpose": WebhookRemoved::KIND, "subscription": webhook});
    proposals::propose(&console, caller, WebhookRemoved::KIND, document, Vec::new()).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Before {
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
}

/// One line of a delivery stream; none for a sign of life that was taken.
fn line(entry: &CommittedEntry) -> Option<Value> {
    let body: Value = canonical::from_slice(entry.body()).ok()?;
    let member = |name: &str| body.get(name).filter(|value| !value.is_null());
    let (what, attempts) = match &*entry.kind {
        "delivery.attempted" if member("fault").is_some() => ("failed", member("attempt")),
        "delivery.attempted" => ("delivered", member("attempt")),
        "delivery.dead" => ("given_up", member("attempts")),
        "delivery.asked" => ("asked", None),
        "delivery.subscribed" => ("subscribed", None),
        _ => return None,
    };
    let of = member("entry").or_else(|| member("replay"));
    if what == "delivered" && of.is_none() {
        return None;
    }
    Some(json!({
        "at": entry.at,
        "attempts": attempts,
        "by": member("officer"),
        "entry": of,
        "fault": member("fault"),
        "position": entry.position,
        "status": member("status"),
        "what": what,
    }))
}

/// What was tried under a subscription, the newest first.
pub(super) async fn deliveries(
    State(console): State<Console>,
    Path(webhook): Path<String>,
    Query(page): Query<Before>,
) -> Answer {
    let stream =
        StreamId::new(StreamKind::Delivery, &webhook).map_err(|error| Problem::bad("WEBHOOK", &error.to_string()))?;
    let (known, end) = {
        let view = console.view().await?;
        let known = view.webhooks.contains_key(&webhook) || view.webhook_book.knows(&webhook);
        (known, view.next_number(&stream))
    };
    if !known {
        return Err(super::webhooks::unknown());
    }
    let before = page.before.map_or(end, |before| before.min(end));
    let from = before.saturating_sub(MOST_READ);
    let many = usize::try_from(before - from).unwrap_or(0);
    let read = console.ledger.read_stream(&stream, from, many).await;
    let entries = read.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let limit = page.limit.unwrap_or(100).clamp(1, MOST_ROWS);
    let (mut lines, mut next) = (Vec::new(), Some(from).filter(|from| *from > 0));
    for entry in entries.iter().rev() {
        if lines.len() == limit {
            next = Some(entry.number + 1);
            break;
        }
        lines.extend(line(entry));
    }
    Ok(Json(json!({"deliveries": lines, "next": next, "webhook": webhook})))
}
