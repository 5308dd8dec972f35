//! Agents: the list, a page each, and what an officer can do to one at once.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Pages, Session,
    activity::{Book, Orders, score_in_words},
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    incidents::Incident,
    plot::Plot,
    render::{self, First, Frame, When, page, page_with, state_in_words},
};

/// Rows of one page of a list.
const ROWS: usize = 100;
/// What the first page lists of each kind that waits; the lists themselves have all.
pub(super) const MOST_WAITING: usize = 40;
/// Mandates, certificates and incidents that an agent's page lists, and mandates whose limits stand in the list of agents.
const MOST_LISTED: usize = 25;
const MOST_LIMITS: usize = 3;
/// Orders that a halt could not cancel: somebody has to go after each of them.
const MOST_STILL_OPEN: usize = 200;

/// Where in a long list a page begins.
#[derive(Default, Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: String,
}

impl After {
    /// The address of one page of a list.
    pub(super) fn of(&self, path: &str) -> String {
        self.rows(path, ROWS)
    }

    /// The address of so many rows of a list.
    pub(super) fn rows(&self, path: &str, rows: usize) -> String {
        match self.after.as_str() {
            "" => format!("{path}?limit={rows}"),
            after => format!("{path}?limit={rows}&after={}", segment(after)),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Standing {
    pub(super) state: String,
    pub(super) deadline: Option<When>,
    pub(super) default: Option<String>,
}

impl Standing {
    pub(super) fn words(&self) -> &str {
        state_in_words(&self.state)
    }
}

#[derive(Debug, Deserialize)]
struct Declared {
    model: String,
    code_digest: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Agent {
    pub(super) agent: String,
    pub(super) owner: String,
    environment: String,
    expires_at: When,
    house: String,
    pub(super) registered_by: String,
    declared: Declared,
    pub(super) standing: Standing,
    #[serde(default)]
    certificates: Vec<Certificate>,
    #[serde(default)]
    mandates: Vec<String>,
    #[serde(default)]
    incidents: Vec<String>,
    /// What became of a halt's cancels, in words.
    #[serde(default)]
    halt: Vec<Halt>,
    #[serde(default)]
    replacements: Vec<Replacement>,
    #[serde(default)]
    probation: Probation,
    /// The score that warned or stopped it, when one did.
    #[serde(default)]
    pub(super) scored: Option<Scored>,
    /// In the list: what it may do, and its latest order.
    #[serde(default)]
    limits: Vec<Limits>,
    #[serde(default)]
    latest_order: Option<LatestOrder>,
}

#[derive(Debug, Deserialize)]
struct Limits {
    per_day: Vec<String>,
    per_order: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct LatestOrder {
    at: When,
    score: Option<u64>,
}

/// What a gateway did with the open orders of a halted bot.
#[derive(Debug, Deserialize)]
pub(super) struct Halt {
    pub(super) gateway: String,
    pub(super) in_words: String,
    #[serde(default)]
    pub(super) cancelled: Vec<String>,
    #[serde(default)]
    pub(super) kept: Vec<String>,
    #[serde(default)]
    pub(super) could_not: Vec<CouldNot>,
}

impl Halt {
    pub(super) fn listed_cancelled(&self) -> First<'_, String> {
        First::of(&self.cancelled, MOST_LISTED)
    }

    pub(super) fn listed_kept(&self) -> First<'_, String> {
        First::of(&self.kept, MOST_LISTED)
    }

    pub(super) fn listed_open(&self) -> First<'_, CouldNot> {
        First::of(&self.could_not, MOST_STILL_OPEN)
    }
}

/// An order that stays open against the halt's will.
#[derive(Debug, Deserialize)]
pub(super) struct CouldNot {
    pub(super) client_order_id: String,
    pub(super) why: String,
}

/// A mandate that waits to take the halted one's place.
#[derive(Debug, Deserialize)]
struct Replacement {
    mandate: String,
    waits_for: Vec<String>,
}

/// Some hours of trade after a halt: under way, or signed ahead.
#[derive(Debug, Default, Deserialize)]
struct Probation {
    ready: Vec<SignedAhead>,
    under_way: Option<UnderWay>,
}

impl Probation {
    fn possible(&self) -> impl Iterator<Item = &SignedAhead> {
        self.ready.iter().filter(|one| one.possible)
    }
}

#[derive(Debug, Deserialize)]
struct SignedAhead {
    hours: u8,
    mandate: String,
    possible: bool,
}

#[derive(Debug, Deserialize)]
struct UnderWay {
    mandate: String,
    until: When,
}

#[derive(Debug, Deserialize)]
pub(super) struct Scored {
    pub(super) at: When,
    pub(super) client_order_id: String,
    pub(super) in_words: Option<String>,
    pub(super) contributions: Vec<Contribution>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Contribution {
    pub(super) reason: Option<String>,
}

impl Agent {
    fn listed_certificates(&self) -> First<'_, Certificate> {
        First::of(&self.certificates, MOST_LISTED)
    }

    fn listed_incidents(&self) -> First<'_, String> {
        First::of(&self.incidents, MOST_LISTED)
    }

    fn listed_limits(&self) -> First<'_, Limits> {
        First::of(&self.limits, MOST_LIMITS)
    }

    fn listed_mandates(&self) -> First<'_, String> {
        First::of(&self.mandates, MOST_LISTED)
    }

    fn house_words(&self) -> &str {
        state_in_words(&self.house)
    }

    /// The score of the latest order.
    fn score_now(&self) -> String {
        let score = self.latest_order.as_ref().and_then(|order| order.score);
        score.map_or_else(|| "–".to_owned(), score_in_words)
    }
}

#[derive(Debug, Deserialize)]
struct Certificate {
    serial: String,
    mandate: String,
    not_before: When,
    not_after: When,
    issued: bool,
    revoked: bool,
}

#[derive(Deserialize)]
struct Agents {
    agents: Vec<Agent>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "agents.html")]
struct List {
    frame: Frame,
    agents: Vec<Agent>,
    next: Option<String>,
}

pub(super) async fn list(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Query(after): Query<After>,
) -> Response {
    match client.get::<Agents>(&after.of("/v1/agents")).await {
        Ok(Agents { agents, next }) => page(&List {
            frame: Frame::of(&session),
            agents,
            next,
        }),
        Err(refusal) => render::refused(&session, &refusal),
    }
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    house: String,
    overdue: Vec<super::incidents::Overdue>,
    more_overdue: usize,
    doubted: Vec<super::incidents::Doubted>,
    stopped: Vec<Agent>,
    more_stopped: bool,
    incidents: Vec<Incident>,
    more_incidents: bool,
    applications: Vec<super::applications::Brief>,
    more_applications: bool,
    proposals: Vec<super::proposals::Brief>,
    more_proposals: bool,
}

#[derive(Deserialize)]
struct House {
    all: String,
}

/// What waits for an officer, first.
pub(super) async fn overview(Extension(session): Extension<Session>, Extension(client): Extension<Client>) -> Response {
    match waiting(&client, &session).await {
        Ok(overview) => page(&overview),
        Err(refusal) => render::refused(&session, &refusal),
    }
}

async fn waiting(client: &Client, session: &Session) -> Result<Overview, Refusal> {
    let agents = format!("/v1/agents?limit={MOST_WAITING}&open=true");
    let agents = client.get::<Agents>(&agents).await?;
    let (incidents, more_incidents) = super::incidents::open(client).await?;
    let (applications, more_applications) = super::applications::open(client).await?;
    let (proposals, more_proposals) = super::proposals::open(client).await?;
    let (mut overdue, mut doubted) = super::incidents::overdue(client).await?;
    let more_overdue = overdue.len().saturating_sub(MOST_WAITING);
    overdue.truncate(MOST_WAITING);
    doubted.truncate(MOST_WAITING);
    Ok(Overview {
        frame: Frame::of(session),
        house: client.get::<House>("/v1/house").await?.all,
        overdue,
        more_overdue,
        doubted,
        more_stopped: agents.next.is_some(),
        stopped: agents.agents,
        incidents,
        more_incidents,
        applications,
        more_applications,
        proposals,
        more_proposals,
    })
}

/// What an officer can do to an agent at once, and what it leaves.
struct Act {
    name: &'static str,
    title: &'static str,
    consequence: &'static str,
}

const ACTS: [Act; 4] = [
    Act {
        name: "reduce-only",
        title: "Reduce only",
        consequence: "From now on the bot may only make its positions smaller. Its open orders stay at the venue.",
    },
    Act {
        name: "freeze",
        title: "Freeze",
        consequence: "Nothing but cancels from now on, reductions neither. Open orders stay at the venue, positions stay as they are.",
    },
    Act {
        name: "resume",
        title: "Resume",
        consequence: "The bot trades again under its mandate.",
    },
    Act {
        name: "revoke",
        title: "Revoke",
        consequence: "The bot is stopped for good: sessions close, open orders are cancelled as its mandate says, its certificates are revoked. Positions stay and must be looked after by hand. It comes back only after a review and two signatures.",
    },
];

#[derive(Template)]
#[template(path = "agent.html")]
struct One<'a> {
    frame: Frame,
    agent: Agent,
    book: Option<Book>,
    orders: Option<Orders>,
    plot: Option<Plot>,
    acts: &'a [Act],
    /// The act that was refused, why, and the reason that was typed.
    failed: &'a str,
    fault: &'a str,
    reason: &'a str,
    /// The refused order and the minutes of an override, as typed.
    typed: (&'a str, &'a str),
    /// A token that was made just now; shown once.
    token: Option<Token>,
}

/// A bot's one-time token.
#[derive(Deserialize)]
pub(super) struct Token {
    token: String,
    mandate: String,
    use_before: When,
}

impl Pages {
    /// An agent's page; `failed` is an act that was refused, with its reason as typed.
    pub(super) async fn agent_page(
        session: &Session,
        client: &Client,
        agent: &str,
        failed: Option<(&str, &Refusal, &Fields)>,
        token: Option<Token>,
    ) -> Response {
        let found = client.get::<Agent>(&format!("/v1/agents/{}", segment(agent))).await;
        let agent = match found {
            Ok(agent) => agent,
            Err(refusal) => return render::refused(session, &refusal),
        };
        // What cannot be read just now is left out: the acts below must stay within reach.
        let book = Book::of(client, &agent.agent).await.ok();
        let orders = Orders::of(client, &agent.agent, None).await.ok();
        let status = failed.map_or(StatusCode::OK, |(_, refusal, _)| status_of(refusal));
        let one = One {
            frame: Frame::of(session),
            agent,
            book,
            plot: orders.as_ref().and_then(Orders::plot),
            orders,
            acts: &ACTS,
            failed: failed.map_or("", |(act, _, _)| act),
            fault: failed.map_or("", |(_, refusal, _)| &refusal.detail),
            reason: failed.map_or("", |(_, _, typed)| typed.of("reason")),
            typed: failed.map_or(("", "10"), |(_, _, typed)| (typed.of("order"), typed.of("minutes"))),
            token,
        };
        page_with(status, &one)
    }
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(agent): Path<String>,
) -> Response {
    Pages::agent_page(&session, &client, &agent, None, None).await
}

pub(super) async fn act(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(agent): Path<String>,
    fields: Fields,
) -> Response {
    let (act, reason) = (fields.of("act"), fields.of("reason"));
    let mut body = json!({ "reason": reason });
    if act == "revoke" && !fields.of("code").is_empty() {
        body["revocation_reason"] = json!(fields.of("code"));
    }
    let path = format!("/v1/agents/{}", segment(&agent));
    let proposes = matches!(act, "override" | "probation" | "reinstate");
    let done = if act == "probation" {
        client
            .post(&format!("{path}/probation"), &json!({"mandate": fields.of("mandate")}))
            .await
    } else if act == "override" {
        let asked = json!({"minutes": fields.number("minutes"), "order": fields.number("order"), "reason": reason});
        client.post(&format!("{path}/overrides"), &asked).await
    } else if act == "reinstate" {
        let incident = Some(fields.of("incident")).filter(|incident| !incident.is_empty());
        client
            .post(&format!("{path}/reinstate"), &json!({ "incident": incident }))
            .await
    } else {
        // What is no act has no address there either.
        client.post(&format!("{path}/{}", segment(act)), &body).await
    };
    match done {
        Ok(made) if proposes => Redirect::to(&super::proposals::address(&made)).into_response(),
        Ok(_) => Redirect::to(&format!("/agents/{}", segment(&agent))).into_response(),
        Err(refusal) => Pages::agent_page(&session, &client, &agent, Some((act, &refusal, &fields)), None).await,
    }
}

#[derive(Template)]
#[template(path = "agent_new.html")]
struct New<'a> {
    frame: Frame,
    typed: &'a Fields,
    fault: &'a str,
}

pub(super) async fn form(Extension(session): Extension<Session>) -> Response {
    page(&New {
        frame: Frame::of(&session),
        typed: &Fields::default(),
        fault: "",
    })
}

pub(super) async fn register(
    State(_): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    fields: Fields,
) -> Response {
    let mut body = json!({
        "agent": fields.of("agent"),
        "declared_model": fields.of("declared_model"),
        "environment": fields.of("environment"),
        "expires_at": moment(fields.of("expires_at")),
        "owner": fields.of("owner"),
        "purpose": fields.of("purpose"),
    });
    if !fields.of("declared_code_digest").is_empty() {
        body["declared_code_digest"] = json!(fields.of("declared_code_digest"));
    }
    match client.post("/v1/agents", &body).await {
        Ok(_) => Redirect::to(&format!("/agents/{}", segment(fields.of("agent")))).into_response(),
        Err(refusal) => {
            let new = New {
                frame: Frame::of(&session),
                typed: &fields,
                fault: &refusal.detail,
            };
            page_with(status_of(&refusal), &new)
        }
    }
}

/// A day as the browser's field gives it, as its first moment in UTC; anything longer as it is.
pub(super) fn moment(typed: &str) -> String {
    if typed.len() == 10 {
        format!("{typed}T00:00:00.000000Z")
    } else {
        typed.to_owned()
    }
}
