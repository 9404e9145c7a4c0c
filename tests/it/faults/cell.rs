//! One webhook that comes while one remote goes wrong in one way, and what comes after.

use calven_bridge::state::State;
use serde_json::{Value, json};
use stand_ins::fault::Struck;
use tokio::time::{Instant, timeout};

use super::{
    remote::{Around, PATIENCE, Remote, TIME, TOP},
    table::Row,
    wrong::{GARBAGE, Named, Wrong},
};
use crate::{
    harness::{Answer, Request, upsert},
    logs,
};

/// More than this of an endless answer is taken by nobody: the largest page of a source's API is 16 MiB, and some more is on its way.
const MOST_BYTES: u64 = 28 * 1024 * 1024;

/// So often a sender sends what is not taken, and AWS a schedule that fails. One would do, but on a machine that is busy.
const ATTEMPTS: usize = 3;

pub(super) struct Cell {
    remote: Remote,
    named: &'static Named,
    around: Around,
}

impl Cell {
    /// All is well, as yet.
    pub(super) async fn new(remote: Remote, named: &'static Named, http: &reqwest::Client) -> Self {
        let (around, _) = logs::of(remote.start(http)).await;
        Self {
            remote,
            named,
            around,
        }
    }

    /// What comes of the webhook, and of those after it.
    ///
    /// # Panics
    /// Where something happens that must not, whatever the table says.
    pub(super) async fn row(mut self) -> Row {
        let Named { name, wrong } = self.named;
        let what = format!("{:?}, {name}", self.remote);
        let webhook = self.around.webhook();
        let left = self.around.fail(wrong.fault()).await;
        let began = Instant::now();
        // A deadline of Lambda's is by a clock that stands still here; the runtime's does not.
        let answered = timeout(left, logs::of(self.around.world.send(&webhook)));
        let (answer, lines) = answered
            .await
            .unwrap_or_else(|_| panic!("{what}: Lambda would have ended it"));
        let took = began.elapsed();
        let Struck { times, bytes } = self.around.mend().await;
        assert!(bytes < MOST_BYTES, "{what}: {bytes} bytes were taken");
        assert_nothing_private(&what, &lines);
        let kept = self.kept().await;
        let status = answer.status;
        let is_acknowledged = (200..300).contains(&status);
        assert!(
            is_acknowledged || status >= 500,
            "{what}: {status} has a sender give up for what is our trouble"
        );
        assert!(
            !is_acknowledged || kept != Kept::default(),
            "{what}: acknowledged and lost"
        );
        // Our client of S3's and Secrets Manager's know no `Retry-After`.
        if let (Wrong::Status(_, Some(_)), 1) = (wrong, times) {
            assert!(took < TIME / 2, "{what}: nobody waits for what is too late");
        }
        let (heals, _) = logs::of(self.heals(&what, &answer)).await;
        Row {
            fault: name,
            answered: answered_with(&answer),
            kept: kept.text(),
            asked: asked(wrong, times),
            logged: logged(&lines, |error| self.plain(error)),
            heals,
        }
    }

    /// Without what is another one in each row or run, or on each machine.
    fn plain(&self, error: &str) -> String {
        let error = error
            .replace(&self.around.sqs.queue_url(), "QUEUE_URL")
            .replace("s3://bridge-state/state.json", "STATE_URL")
            .replace(&format!("{PATIENCE:?}"), "…");
        let error = match self.named.wrong {
            Wrong::Status(status, _) => error.replace(&status.to_string(), "…"),
            Wrong::Down | Wrong::Fault(_) => error,
        };
        let more = [" (os error", ": operation"];
        let whole = more
            .iter()
            .filter_map(|more| Some(error.split_once(more)?.0));
        whole
            .min_by_key(|text| text.len())
            .unwrap_or(&error)
            .to_owned()
    }

    async fn kept(&self) -> Kept {
        let state = self.around.state().await;
        let ledger = State::decode(state.to_string().as_bytes()).map(|state| json!(state.ledger));
        let holds = self.around.world.holds();
        Kept {
            is_in_state: ledger.is_ok_and(|ledger| ledger.to_string().contains("Fresh")),
            is_queued: !self.around.sqs.messages().is_empty(),
            is_due: !is_nothing(&state["due"]["by_source"]),
            is_owed: state["unsure"] == true,
            is_in_calven: holds.iter().any(|row| row.starts_with("Fresh ")),
        }
    }

    /// What puts everything right; then that nothing can put it wrong again.
    async fn heals(&self, what: &str, answer: &Answer) -> &'static str {
        let world = &self.around.world;
        let mut said = self.remote.adds().to_vec();
        said.push(TOP);
        let mut healed = match answer.status {
            200..300 if self.is_whole(&said).await => Some("nothing to mend"),
            200..300 => {
                self.drain().await;
                self.is_whole(&said)
                    .await
                    .then_some("the queue's next batch")
            }
            _ => {
                self.send(what, &self.around.webhook()).await;
                self.drain().await;
                self.is_whole(&said)
                    .await
                    .then_some("the sender's next attempt")
            }
        };
        let next = "Next [Team]";
        said.push(next);
        let body = json!({"id": "evt_2", "changes": [upsert(next)]});
        self.send(what, &world.signed("acme", &body)).await;
        self.drain().await;
        if healed.is_none() && self.is_whole(&said).await {
            healed = Some("the next webhook");
        }
        for _ in 0..ATTEMPTS {
            let reconcile = json!({"action": "reconcile"});
            if world.invoke(reconcile).await.is_ok() && self.is_whole(&said).await {
                break;
            }
        }
        assert!(
            self.is_whole(&said).await,
            "{what}: not healed: {:?}, {}",
            world.holds(),
            self.around.state().await
        );
        healed.unwrap_or("the schedule")
    }

    /// Sends a webhook as a sender does, until it is taken.
    async fn send(&self, what: &str, webhook: &Request) {
        let mut answers = Vec::new();
        for _ in 0..ATTEMPTS {
            let answer = self.around.world.send(webhook).await;
            if answer.status / 100 == 2 {
                return;
            }
            answers.push(answer.body);
        }
        panic!("{what}: well again, and not taken: {answers:?}");
    }

    /// Whether Calven holds all of this, and nothing is due or owed.
    async fn is_whole(&self, said: &[&str]) -> bool {
        let mut said: Vec<String> = said.iter().map(|row| (*row).to_owned()).collect();
        said.sort();
        let state = self.around.state().await;
        let is_quiet = state["unsure"] != true && is_nothing(&state["due"]["by_source"]);
        is_quiet && self.around.world.holds() == said
    }

    /// What waits in the queue is taken from it.
    async fn drain(&self) {
        while let Some(batch) = self.around.sqs.deliver(10) {
            let answer = self.around.world.action(batch).await;
            self.around.sqs.answered(Some(&answer));
        }
    }
}

/// What is durable once the webhook is answered, and what is elsewhere.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    is_in_state: bool,
    is_queued: bool,
    is_due: bool,
    is_owed: bool,
    is_in_calven: bool,
}

impl Kept {
    fn text(&self) -> String {
        let Self {
            is_in_state,
            is_queued,
            is_due,
            is_owed,
            is_in_calven,
        } = *self;
        let parts = [
            (is_in_state, "the statement, in the state"),
            (is_queued, "the webhook, in the queue"),
            (is_due, "that the source is to be read again"),
            (is_owed, "that a PUT is owed"),
        ];
        let kept: Vec<&str> = parts
            .iter()
            .filter_map(|(is_so, part)| is_so.then_some(*part))
            .collect();
        let kept = match kept.is_empty() {
            true => "nothing".to_owned(),
            false => kept.join("; "),
        };
        match is_in_calven {
            true => format!("{kept}; Calven holds it"),
            false => kept,
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    value.as_object().is_none_or(serde_json::Map::is_empty)
}

fn answered_with(answer: &Answer) -> String {
    let retry_after = answer.headers.get("retry-after");
    match (answer.body["status"].as_str(), retry_after) {
        (Some(word), _) => format!("{} `{word}`", answer.status),
        (None, Some(seconds)) => format!("{}, `Retry-After: {seconds}`", answer.status),
        (None, None) => answer.status.to_string(),
    }
}

/// How often the remote was asked: a stand-in that is down does not know.
fn asked(wrong: &Wrong, times: usize) -> &'static str {
    match (wrong, times) {
        (Wrong::Down, _) | (_, 0) => "–",
        (_, 1) => "once",
        _ => "more than once",
    }
}

/// What an operator finds in the log, in order and each line once.
fn logged(lines: &[Value], plain: impl Fn(&str) -> String) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        let level = match line["level"].as_str() {
            Some("ERROR") => "**error**",
            Some("WARN") => "warning",
            _ => continue,
        };
        let fields = &line["fields"];
        let message = fields["message"].as_str().unwrap();
        let text = match fields["error"].as_str().or(fields["cause"].as_str()) {
            Some(error) => format!("{level}: `{message}`: {}", plain(error)),
            None => format!("{level}: `{message}`"),
        };
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

#[track_caller]
fn assert_nothing_private(what: &str, lines: &[Value]) {
    let log: Vec<String> = lines.iter().map(Value::to_string).collect();
    let mut forbidden = logs::secret_texts();
    let told = [GARBAGE.trim_start_matches("<html>"), "Fresh", "token-1"];
    forbidden.extend(told.map(str::to_owned));
    for text in forbidden {
        let line = log.iter().find(|line| line.contains(&text));
        assert_eq!(line, None, "{what}: {text}");
    }
}
