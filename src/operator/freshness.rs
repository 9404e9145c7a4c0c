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
    /// When the newest webhook came in that is remembered, `None` where none is: of a source that is or was read again
    /// only what no re-read leaves behind tells of one.
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
    /// What a state tells; `is_readable`: which sources can be read again.
    pub fn of(
        state: &State,
        rules: &Rules,
        is_readable: impl Fn(&SourceName) -> bool,
        now: Timestamp,
    ) -> Self {
        let ledger = &state.ledger;
        let sources: BTreeSet<&SourceName> = rules
            .priorities
            .keys()
            .chain(ledger.sources())
            .chain(state.due.iter().map(|(source, _)| source))
            .collect();
        // A re-read, done or not, leaves receipts that cannot be told from a webhook's; an event's id, and what is due,
        // are a webhook's alone.
        let is_read_again = |source: &SourceName| {
            ledger.last_read(source).is_some()
                || state.due.of(source).is_some()
                || is_readable(source)
                || *source == SourceName::capillary()
        };
        let pushed = sources
            .iter()
            .filter_map(|source| match is_read_again(source) {
                true => ledger.last_event(source),
                false => ledger.last_received(source),
            });
        let due = state.due.iter().map(|(_, due)| due.since);
        // A version says when it was saved, which is no sooner than the webhook came in.
        let published = state
            .history
            .iter()
            .filter(|entry| entry.cause.starts_with("webhook "));
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
            Delivery, Group, GroupRef, Key, Name, Parent, Published, Salt, Stated, Statement,
            statement::group,
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
        hears_of(state, source, None, GroupRef::Named(team(name)), seconds);
    }

    fn team(name: &str) -> Group {
        group(name, "Team").unwrap()
    }

    fn hears_of(
        state: &mut State,
        source: &str,
        event: Option<&str>,
        group: GroupRef,
        seconds: i64,
    ) {
        let statement = Statement::Exists {
            group,
            parent: Parent::Top,
        };
        state.ledger.merge(&Delivery {
            source: SourceName::new(source),
            event_id: event.map(|id| Name::new(id).unwrap()),
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
        Freshness::of(
            state,
            &rules,
            |source| *source == SourceName::new("api"),
            at(100),
        )
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
        assert_eq!(of(&state).last_webhook, text(10));
        // The newest re-read's receipts, and older ones' that are kept: a group's former name, a group that is not
        // in the newest.
        let keyed = |name| GroupRef::Keyed {
            key: Key::new("7").unwrap(),
            named: Some(team(name)),
        };
        for (name, seconds) in [("old", 20), ("new", 30)] {
            hears_of(&mut state, "hr", None, keyed(name), seconds);
            hears(&mut state, "hr", name, seconds);
            state.ledger.note_read(&SourceName::new("hr"), at(seconds));
        }
        let fresh = of(&state);
        assert_eq!((fresh.last_webhook, fresh.last_reread), (None, text(30)));
        let source = fresh.sources.first().unwrap();
        assert_eq!(
            (&source.last_statement, source.age_seconds),
            (&text(30), Some(70))
        );
        assert_eq!(source.last_reread, text(30));
    }

    #[test]
    fn a_re_read_that_did_not_come_to_its_end_is_no_webhook() {
        let mut state = State::new(Salt::new([1; 32]));
        hears(&mut state, "api", "a", 10);
        assert_eq!(of(&state).last_webhook, None);
    }

    #[test]
    fn an_event_that_is_remembered_is_a_webhook_of_a_source_that_is_read_again_too() {
        let mut state = State::new(Salt::new([1; 32]));
        let group = GroupRef::Named(team("a"));
        hears_of(&mut state, "hr", Some("evt_1"), group, 10);
        hears(&mut state, "hr", "b", 20);
        state.ledger.note_read(&SourceName::new("hr"), at(20));
        assert_eq!(of(&state).last_webhook, text(10));
    }

    #[test]
    fn an_event_whose_re_read_is_due_is_a_webhook() {
        let mut state = State::new(Salt::new([1; 32]));
        // What a re-read said that did not come to its end is later, and none.
        hears(&mut state, "hr", "a", 40);
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
