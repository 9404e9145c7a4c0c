//! What the function would make of captured deliveries, as text for who writes a mapping: nothing is fetched, saved or sent.
//!
//! All of it is the function's own code; this only shows what comes of it, step by step.

use std::fmt::Write as _;

use crate::{
    hierarchy::{
        Delivery, EventId, Group, GroupRef, Key, Ledger, Merged, Name, Parent, PersonSays, Plan,
        Projection, Published, Rules, Salt, Scope, SeedRows, Stated, Statement,
    },
    reread::{Reread, read_captured},
    secrets::SourceSecret,
    sources::{
        config::Source,
        events::Meaning,
        given::Given,
        mapping::{MapFault, Mapped},
    },
    timestamp::Timestamp,
};

/// A captured delivery.
#[derive(Clone, Debug)]
pub struct Captured {
    /// What it is called in what is shown.
    pub name: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// Headers and query; `None` where nobody kept them.
    pub given: Option<Given>,
    /// When it counts as received.
    pub received: Timestamp,
}

/// A source, tried out.
#[derive(Debug)]
pub struct Tryout<'a> {
    source: &'a Source,
    file: &'a str,
    secrets: Vec<SourceSecret>,
    ledger: Ledger,
    merged: Merged,
    before: Option<Published>,
    shown: String,
    faulty: bool,
}

impl<'a> Tryout<'a> {
    /// Tries a source of this file, against a hierarchy or an empty one. Without secrets no proof is checked.
    pub fn new(
        source: &'a Source,
        file: &'a str,
        secrets: Vec<SourceSecret>,
        hierarchy: Option<&SeedRows>,
    ) -> Self {
        let mut ledger = Ledger::new(Salt::new([0; 32]));
        let before = hierarchy.map(|rows| {
            let long_ago = Timestamp::default();
            ledger.merge_seed(rows, Some(long_ago), long_ago);
            Projection::of(&ledger, None, &rules(source), &Merged::default()).as_published()
        });
        Self {
            source,
            file,
            secrets,
            ledger,
            merged: Merged::default(),
            before,
            shown: String::new(),
            faulty: false,
        }
    }

    /// Takes a delivery as the webhook would.
    pub fn take(&mut self, captured: &Captured) {
        let Captured {
            name,
            body,
            given,
            received,
        } = captured;
        self.line(0, name);
        let headers = given.as_ref().map(|given| &given.headers);
        if self
            .source
            .handshake
            .as_ref()
            .is_some_and(|handshake| handshake.is_ping(body))
        {
            self.line(1, "handshake: a ping, answered 200 and forgotten");
            return;
        }
        let mut attempted = *received;
        match headers {
            None => self.line(
                1,
                "proof: not checked, there are no headers beside the body",
            ),
            Some(_) if self.secrets.is_empty() => {
                self.line(1, "proof: not checked, no secret was given");
            }
            Some(headers) => {
                let explained = self
                    .source
                    .proof
                    .explain(headers, body, &self.secrets, *received);
                match explained.verified {
                    Ok(verified) => {
                        attempted = verified.signed_at.unwrap_or(attempted);
                        self.line(1, "proof: verified");
                    }
                    Err(fault) => {
                        self.faulty = true;
                        self.line(1, &format!("proof: NOT verified, 401: {fault}"));
                    }
                }
                for step in explained.steps {
                    self.line(2, &step);
                }
            }
        }
        let nothing = Given::default();
        let given = given.as_ref().unwrap_or(&nothing);
        match self.source.mapping.map(body, given) {
            Ok(mapped) => self.mapped(mapped, *received, attempted),
            Err(fault) => {
                self.faulty = true;
                self.fault(&fault);
            }
        }
    }

    /// Takes the pages that its API answered, in their order, as one re-read.
    pub fn take_answer(&mut self, pages: &[(String, Vec<u8>)], at: Timestamp) {
        for (name, _) in pages {
            self.line(0, name);
        }
        let Some(snapshot) = self.source.snapshot() else {
            self.faulty = true;
            self.line(1, "re-read: the source has no snapshot");
            return;
        };
        let bodies = pages.iter().map(|(_, body)| body.as_slice());
        match read_captured(snapshot, bodies, at) {
            Err((page, fault)) => {
                self.faulty = true;
                self.line(1, &format!("re-read: page {page}: the answer {fault}"));
            }
            Ok(reread) => {
                let Reread {
                    at: _,
                    statements,
                    finished: _,
                    warnings,
                } = reread;
                self.warn(&warnings);
                self.say(None, at, at, statements);
            }
        }
    }

    /// What all deliveries together would change, against the hierarchy that was given.
    pub fn finish(mut self) -> (String, bool) {
        let projection = Projection::of(
            &self.ledger,
            self.before.as_ref(),
            &rules(self.source),
            &self.merged,
        );
        let plan = projection.plan(self.before.as_ref());
        let against = match self.before {
            Some(_) => "the given hierarchy",
            None => "an empty hierarchy",
        };
        self.line(0, &format!("plan, against {against}"));
        let lines = plan_lines(&plan);
        if lines.is_empty() {
            self.line(1, "nothing changes");
        }
        for line in lines {
            self.line(1, &line);
        }
        for held in &projection.held {
            let parent = held.parent.as_ref().map(Name::as_str);
            let parent = parent.or(held.parent_key.as_ref().map(Key::as_str));
            let reason = serde_json::to_value(held.reason).unwrap_or_default();
            self.line(
                1,
                &format!(
                    "held ({}): {} {:?} under {:?}",
                    reason.as_str().unwrap_or_default(),
                    held.group_type,
                    held.group.as_str(),
                    parent.unwrap_or_default()
                ),
            );
        }
        for conflict in &projection.conflicts {
            let text = serde_json::to_string(conflict).unwrap_or_default();
            self.line(1, &format!("conflict: {text}"));
        }
        for warning in &projection.warnings {
            self.line(1, &format!("warning: {warning}"));
        }
        (self.shown, self.faulty)
    }

    fn mapped(&mut self, mapped: Mapped, received: Timestamp, attempted: Timestamp) {
        let Mapped {
            event_id,
            event_type,
            meaning,
            statements,
            warnings,
        } = mapped;
        let called = event_type.map_or("without a type".to_owned(), |kind| format!("{kind:?}"));
        let meant = match meaning {
            Meaning::Say => "its records are mapped",
            Meaning::Remove => "its records are mapped, and mean removal",
            Meaning::Reread => "the source is read again",
            Meaning::Ignore => "ignored",
        };
        self.line(1, &format!("event: {called}, {meant}"));
        if let Some(id) = &event_id {
            self.line(1, &format!("event id: {:?}", id.as_str()));
        }
        self.warn(&warnings);
        self.say(event_id, received, attempted, statements);
    }

    fn say(
        &mut self,
        event_id: Option<EventId>,
        received: Timestamp,
        attempted: Timestamp,
        statements: Vec<Stated>,
    ) {
        self.line(1, &format!("statements: {}", statements.len()));
        for (number, Stated { at, statement }) in statements.iter().enumerate() {
            let at = at.map_or(String::new(), |at| format!(", as of {at}"));
            let text = said(statement, number + 1);
            self.line(2, &format!("{text}{at}"));
        }
        let merged = self.ledger.merge(&Delivery {
            source: self.source.name.clone(),
            event_id,
            received,
            attempted,
            statements,
        });
        self.warn(&merged.warnings);
        self.merged.and(merged);
    }

    fn warn(&mut self, warnings: &[String]) {
        for warning in warnings {
            self.line(1, &format!("warning: {warning}"));
        }
    }

    fn fault(&mut self, fault: &MapFault) {
        match fault {
            MapFault::Unreadable(why) => self.line(1, &format!("body: cannot be read, 400: {why}")),
            MapFault::Unfitting(faults) => {
                self.line(1, "body: does not fit, 422:");
                for fault in faults {
                    let place = match fault.path.as_str() {
                        "" => "the body",
                        path => path,
                    };
                    self.line(2, &format!("{place} {}", fault.detail));
                    if let Some(key) = &fault.key {
                        let whose = self.source.owner_of(key, self.file);
                        self.line(3, &format!("by {key} in {whose}"));
                    }
                }
            }
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a String does not fail.
        let _written = writeln!(self.shown, "{:1$}{text}", "", depth * 2);
    }
}

/// The source alone, at its own priority.
fn rules(source: &Source) -> Rules {
    Rules {
        priorities: [(source.name.clone(), source.priority)].into(),
        ..Rules::default()
    }
}

/// A plan as lines, as a terminal shows it.
fn plan_lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (group, parent) in &plan.added {
        lines.push(format!("+ {}", placed(group, parent.as_ref())));
    }
    for (group, from, to) in &plan.moved {
        let from = from.as_ref().map_or("the top".to_owned(), text_of);
        lines.push(format!(
            "~ {}, moved from {from}",
            placed(group, to.as_ref())
        ));
    }
    for (from, to) in &plan.renamed {
        lines.push(format!("~ {} is called {}", text_of(from), text_of(to)));
    }
    for (group, parent) in &plan.removed {
        lines.push(format!("- {}", placed(group, parent.as_ref())));
    }
    lines
}

fn placed(group: &Group, parent: Option<&Group>) -> String {
    match parent {
        Some(parent) => format!("{} under {}", text_of(group), text_of(parent)),
        None => format!("{} at the top", text_of(group)),
    }
}

fn text_of(group: &Group) -> String {
    format!("{} {:?}", group.group_type.as_str(), group.name.as_str())
}

fn named(group: &GroupRef) -> String {
    match group {
        GroupRef::Named(group) => text_of(group),
        GroupRef::Keyed {
            key,
            named: Some(group),
        } => {
            format!("{} (key {:?})", text_of(group), key.as_str())
        }
        GroupRef::Keyed { key, named: None } => format!("the group with key {:?}", key.as_str()),
    }
}

/// A statement as a line. Persons are numbered by their place: their ids are nobody's business.
fn said(statement: &Statement, number: usize) -> String {
    match statement {
        Statement::Exists { group, parent } => {
            let parent = match parent {
                Parent::Under(parent) => format!("under {}", named(parent)),
                Parent::Top => "at the top".to_owned(),
                Parent::NotSaid => "exists, its parent not said".to_owned(),
            };
            format!("{} {parent}", named(group))
        }
        Statement::Member { group, parent } => {
            format!("{} is part of {}", named(group), named(parent))
        }
        Statement::Gone { group } => format!("{} is gone", named(group)),
        Statement::Renamed { group, key: _, to } => {
            format!("{} is called {:?} from now on", text_of(group), to.as_str())
        }
        Statement::Person { person: _, says } => match says {
            PersonSays::Left => format!("person {number} has left"),
            PersonSays::In(groups) if groups.is_empty() => {
                format!("person {number} is in no group")
            }
            PersonSays::In(groups) => {
                let chain: Vec<String> = groups.iter().map(named).collect();
                format!("person {number} is in {}", chain.join(" > "))
            }
        },
        Statement::Complete(Scope::Groups) => "these are all groups of the source".to_owned(),
        Statement::Complete(Scope::Persons) => "these are all persons of the source".to_owned(),
        Statement::Complete(Scope::ChildrenOf(group)) => {
            format!("what follows are all children of {}", named(group))
        }
    }
}
