//! How old what is known is, by what the state keeps already.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    hierarchy::{Rules, SourceName},
    state::State,
    timestamp::Timestamp,
};

/// When something last came in, went out, or was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Freshness {
    /// The newest receipt of a webhook of which something is remembered. One that only asked for a re-read, which is
    /// done, leaves nothing behind.
    pub last_webhook: Option<String>,
    /// When a PUT was last taken and saved.
    pub last_publish: Option<String>,
    /// When a source, or Capillary, was last read again.
    pub last_reread: Option<String>,
    /// Every source that is configured, or said something.
    pub sources: Vec<SourceFreshness>,
}

/// The same of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceFreshness {
    /// Which.
    pub source: String,
    /// When its newest statement was received, by webhook or re-read.
    pub last_statement: Option<String>,
    /// How long ago that was.
    pub age_seconds: Option<u64>,
    /// When it was last read again.
    pub last_reread: Option<String>,
    /// Since when a re-read is due that is not done.
    pub due_since: Option<String>,
}

impl Freshness {
    /// What a state tells.
    pub fn of(state: &State, rules: &Rules, now: Timestamp) -> Self {
        let ledger = &state.ledger;
        let sources: BTreeSet<&SourceName> = rules
            .priorities
            .keys()
            .chain(ledger.sources())
            .chain(state.due.iter().map(|(source, _)| source))
            .collect();
        let pushed = sources
            .iter()
            .filter(|source| ***source != SourceName::capillary())
            .filter_map(|source| ledger.last_pushed(source));
        let due = state.due.iter().map(|(_, due)| due.since);
        // A version says when it was saved, which is no sooner than the webhook came in.
        let published = state
            .history
            .iter()
            .filter(|entry| entry.cause.starts_with("webhook"));
        let published = published.map(|entry| entry.time);
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            last_webhook: text(pushed.chain(due).chain(published).max()),
            last_publish: text(state.history.first().map(|entry| entry.time)),
            last_reread: text(sources.iter().filter_map(|s| ledger.last_read(s)).max()),
            sources: sources
                .into_iter()
                .map(|source| {
                    let received = ledger.last_received(source);
                    SourceFreshness {
                        source: source.to_string(),
                        last_statement: text(received),
                        age_seconds: received.map(|at| now.since(at).as_secs()),
                        last_reread: text(ledger.last_read(source)),
                        due_since: text(state.due.of(source).map(|due| due.since)),
                    }
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hierarchy::{
            Delivery, GroupRef, Parent, Published, Salt, Stated, Statement, statement::group,
        },
        timestamp::Timestamp,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn text(seconds: i64) -> Option<String> {
        Some(at(seconds).to_string())
    }

    fn hears(state: &mut State, source: &str, name: &str, seconds: i64) {
        let statement = Statement::Exists {
            group: GroupRef::Named(group(name, "Team").unwrap()),
            parent: Parent::Top,
        };
        state.ledger.merge(&Delivery {
            source: SourceName::new(source),
            event_id: None,
            received: at(seconds),
            attempted: at(seconds),
            statements: vec![Stated {
                at: None,
                statement,
            }],
        });
    }

    fn of(state: &State) -> Freshness {
        let rules = Rules {
            priorities: [(SourceName::new("hr"), 0)].into(),
            attach_roots: false,
        };
        Freshness::of(state, &rules, at(100))
    }

    #[test]
    fn a_state_of_which_nothing_is_known_says_never() {
        let fresh = of(&State::new(Salt::new([1; 32])));
        let silent = SourceFreshness {
            source: "hr".to_owned(),
            last_statement: None,
            age_seconds: None,
            last_reread: None,
            due_since: None,
        };
        let expected = Freshness {
            sources: vec![silent],
            ..Freshness::default()
        };
        assert_eq!(fresh, expected);
    }

    #[test]
    fn what_a_re_read_said_is_a_statement_and_no_webhook() {
        let mut state = State::new(Salt::new([1; 32]));
        hears(&mut state, "hr", "a", 10);
        hears(&mut state, "hr", "b", 20);
        state.ledger.note_read(&SourceName::new("hr"), at(20));
        let fresh = of(&state);
        assert_eq!(
            (fresh.last_webhook, fresh.last_reread),
            (text(10), text(20))
        );
        let source = fresh.sources.first().unwrap();
        assert_eq!(
            (&source.last_statement, source.age_seconds),
            (&text(20), Some(80))
        );
        assert_eq!(source.last_reread, text(20));
    }

    #[test]
    fn an_event_whose_re_read_is_due_is_a_webhook() {
        let mut state = State::new(Salt::new([1; 32]));
        hears(&mut state, "hr", "a", 10);
        state.due.add(&SourceName::new("hr"), at(30));
        let fresh = of(&state);
        assert_eq!(fresh.last_webhook, text(30));
        assert_eq!(fresh.sources.first().unwrap().due_since, text(30));
    }

    #[test]
    fn a_version_that_a_webhook_led_to_says_when_one_came_and_every_one_when_it_was_published() {
        let mut state = State::new(Salt::new([1; 32]));
        for (cause, seconds) in [("webhook hr", 40), ("reconcile", 50)] {
            let published = Published::default();
            state.publish_at_once(published, cause, at(seconds));
            let fresh = of(&state);
            assert_eq!(
                (fresh.last_webhook, fresh.last_publish),
                match cause {
                    "reconcile" => (None, text(50)),
                    _ => (text(40), text(40)),
                }
            );
        }
    }

    #[test]
    fn a_source_that_is_not_configured_any_more_is_told_too() {
        let mut state = State::new(Salt::new([1; 32]));
        hears(&mut state, "old", "a", 10);
        let fresh = of(&state);
        let names: Vec<&str> = fresh
            .sources
            .iter()
            .map(|source| source.source.as_str())
            .collect();
        assert_eq!(names, ["hr", "old"]);
    }
}
