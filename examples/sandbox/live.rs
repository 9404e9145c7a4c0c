//! The page that shows what Calven holds, and what the last PUT changed.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow};
use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use calven_bridge::{
    hierarchy::{
        Hierarchy, Ledger, Merged, Plan, Projection, Published, Rules, Salt, plan::Counts,
    },
    picture::{Facts, Picture, html},
    sources::generic::read_seed,
    timestamp::Timestamp,
};
use serde::Deserialize;
use serde_json::json;
use stand_ins::{
    calven::{CalvenStandIn, Row},
    server::Server,
};

/// So many PUTs are listed.
const MOST_LISTED: usize = 50;

/// Starts the page's server.
pub(crate) async fn start(
    port: u16,
    calven: Arc<CalvenStandIn>,
    now: fn() -> i64,
) -> Result<Server> {
    let live = Live {
        calven,
        now,
        started: now(),
        seen: Mutex::default(),
    };
    let router = Router::new()
        .route("/", get(page))
        .route("/picture.json", get(picture))
        .with_state(Arc::new(live));
    Ok(Server::start(port, router).await?)
}

struct Live {
    calven: Arc<CalvenStandIn>,
    now: fn() -> i64,
    /// Tells this sandbox from the one before, which the page may still know.
    started: i64,
    seen: Mutex<Seen>,
}

/// What was there when somebody looked last.
#[derive(Default)]
struct Seen {
    looked: bool,
    changes: usize,
    puts: usize,
    rows: Option<Vec<Row>>,
    published: Option<Published>,
    /// Of each PUT its number and what to say of it, newest first.
    arrived: Vec<(usize, String)>,
    json: String,
}

#[derive(Deserialize)]
struct Asked {
    seen: String,
}

async fn page() -> Response {
    match html::live_page("picture.json") {
        Ok(page) => Html(page).into_response(),
        Err(error) => failed(&error.into()),
    }
}

/// The picture, or 204 where the page has it already.
async fn picture(State(live): State<Arc<Live>>, Query(Asked { seen }): Query<Asked>) -> Response {
    let now = Timestamp::from_seconds((live.now)());
    let mut state = live.seen.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = state.look(live.calven.put_count(), live.calven.rows(), now) {
        return failed(&error);
    }
    let tag = format!("{}-{}", live.started, state.changes);
    if seen == tag {
        return StatusCode::NO_CONTENT.into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, state.json.clone()).into_response()
}

fn failed(error: &anyhow::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response()
}

impl Seen {
    /// Draws the picture again where something has come.
    fn look(&mut self, puts: usize, rows: Option<Vec<Row>>, now: Timestamp) -> Result<()> {
        if self.looked && puts == self.puts && rows == self.rows {
            return Ok(());
        }
        let mut facts = Facts {
            title: "What Calven holds".to_owned(),
            ..Facts::default()
        };
        let picture = match &rows {
            None => {
                self.note(puts, "Calven refused it", now);
                facts.arrived = self.arrived();
                Picture::of_hierarchy(facts, &Hierarchy::default(), &[])
            }
            Some(rows) => {
                let projection = projection(rows, now)?;
                let plan = match &self.published {
                    Some(published) => projection.plan(Some(published)),
                    None => Plan::default(),
                };
                let is_new = self.rows.as_ref() != Some(rows);
                self.note(puts, &said(is_new, self.published.is_some(), &plan), now);
                if is_new {
                    self.published = Some(projection.as_published());
                }
                facts.time = Some(now);
                facts.arrived = self.arrived();
                Picture::of_plan(facts, &projection.hierarchy, &plan, &[])
            }
        };
        self.json = picture.to_json()?;
        (self.looked, self.puts, self.rows) = (true, puts, rows);
        self.changes += 1;
        Ok(())
    }

    /// Notes what came of a PUT; where it was seen under way already, instead of what was noted then.
    fn note(&mut self, puts: usize, what: &str, now: Timestamp) {
        if puts == 0 {
            return;
        }
        self.arrived.retain(|(number, _)| *number != puts);
        self.arrived
            .insert(0, (puts, format!("{now}  PUT {puts}: {what}")));
        self.arrived.truncate(MOST_LISTED);
    }

    fn arrived(&self) -> Vec<String> {
        self.arrived.iter().map(|(_, text)| text.clone()).collect()
    }
}

/// The rows as a hierarchy: what a seed of them would be.
fn projection(rows: &[Row], now: Timestamp) -> Result<Projection> {
    let rows = read_seed(&json!(rows)).map_err(|faults| anyhow!("{faults:?}"))?;
    let mut ledger = Ledger::new(Salt::new([0; 32]));
    ledger.merge_seed(&rows, Some(now), now);
    Ok(Projection::of(
        &ledger,
        None,
        &Rules::default(),
        &Merged::default(),
    ))
}

fn said(is_new: bool, is_later: bool, plan: &Plan) -> String {
    let Counts {
        added,
        moved,
        renamed: _,
        removed,
    } = plan.counts();
    match (is_new, is_later) {
        (false, _) => "the same as before, or refused".to_owned(),
        (true, false) => "the first".to_owned(),
        (true, true) => format!("{added} added, {moved} moved, {removed} removed"),
    }
}
