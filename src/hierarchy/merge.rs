//! Deliveries and seeds into the ledger.

use super::{
    ledger::{Ledger, Seed},
    name::{Group, Key},
    records::{
        FirstAttempt, LedgerScope, NamedSaying, PersonKey, Placement, Ref, Said, SourceLedger,
        Stamp, insert_earliest,
    },
    statement::{
        Delivery, GroupRef, MAX_AHEAD, Parent, PersonSays, Scope, SeedRows, SourceName, Stated,
        Statement,
    },
};
use crate::timestamp::Timestamp;

/// What merging did: which statements were new, and what they were about.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// Whether the ledger is another one now.
    pub changed: bool,
    /// What the sender or the operator should know.
    pub warnings: Vec<String>,
    pub(super) statements: Vec<MergedStatement>,
}

impl Merged {
    /// The sum of two merges into one ledger.
    pub fn and(&mut self, other: Self) {
        let Self {
            changed,
            warnings,
            statements,
        } = other;
        self.changed |= changed;
        self.warnings.extend(warnings);
        self.statements.extend(statements);
    }
}

/// One merged statement: enough to find its subject in a projection.
#[derive(Clone, Debug)]
pub(super) struct MergedStatement {
    pub(super) source: SourceName,
    pub(super) at: Stamp,
    pub(super) new: bool,
    pub(super) about: About,
}

/// What a merged statement was about.
#[derive(Clone, Debug)]
pub(super) enum About {
    Group { group: Ref, lives: bool },
    Rename { group: Ref, to: Group },
    Person { person: PersonKey, groups: Vec<Ref> },
    Snapshot,
    SeedRow,
}

impl Ledger {
    /// Merges what one delivery says.
    ///
    /// The time of a statement is its own; else, of the event's first attempt, the one that was
    /// signed or the receipt, remembered by event id. A time more than [`MAX_AHEAD`] ahead of the
    /// receipt counts as that first attempt's, with a warning.
    pub fn merge(&mut self, delivery: &Delivery) -> Merged {
        let Delivery {
            source,
            event_id,
            received,
            attempted,
            statements,
        } = delivery;
        let attempted = if *attempted > received.plus(MAX_AHEAD) {
            *received
        } else {
            *attempted
        };
        let mut merged = Merged::default();
        let is_ahead = |at: Timestamp| at > received.plus(MAX_AHEAD);
        let needs_attempt = statements.iter().any(|s| s.at.is_none_or(is_ahead));
        let first = match event_id {
            Some(event) if needs_attempt => {
                let attempt = FirstAttempt {
                    time: attempted,
                    received: *received,
                };
                let known = self.source(source).events.entry(event.clone());
                let first = known.or_insert_with(|| {
                    merged.changed = true;
                    attempt
                });
                merged.changed |= attempt < *first;
                *first = (*first).min(attempt);
                first.time
            }
            Some(_) | None => attempted,
        };
        let ahead = statements
            .iter()
            .filter(|s| s.at.is_some_and(is_ahead))
            .count();
        if ahead > 0 {
            merged.warnings.push(format!(
                "{ahead} of the statements' times lie more than {} minutes ahead of ours and count as the time of receipt",
                MAX_AHEAD.as_secs() / 60
            ));
        }
        for (index, Stated { at, statement }) in statements.iter().enumerate() {
            let time = at.filter(|at| !is_ahead(*at)).unwrap_or(first);
            // Two places each: a rename of a group with a key names it before and after.
            let place = u32::try_from(index.saturating_mul(2)).unwrap_or(u32::MAX - 1);
            let at = Stamp { time, place };
            let statement =
                self.merge_statement(source, at, *received, statement, &mut merged.changed);
            merged.statements.push(statement);
        }
        merged.changed |= merged.statements.iter().any(|statement| statement.new);
        self.source(source).compact();
        merged
    }

    /// Merges an operator's seed: the complete set, as of its own time, else of receipt. A time
    /// more than [`MAX_AHEAD`] ahead counts as the receipt's too, with a warning: it would outrank
    /// everything until then.
    pub fn merge_seed(
        &mut self,
        rows: &SeedRows,
        occurred_at: Option<Timestamp>,
        received: Timestamp,
    ) -> Merged {
        let is_ahead = |at: &Timestamp| *at > received.plus(MAX_AHEAD);
        let warnings = occurred_at.filter(is_ahead).map(|_| {
            format!(
                "the seed's occurredAt lies more than {} minutes ahead of ours and counts as the time of receipt",
                MAX_AHEAD.as_secs() / 60
            )
        });
        let at = occurred_at.filter(|at| !is_ahead(at)).unwrap_or(received);
        // Of an older seed its names are remembered all the same: older claims on them no longer count.
        let names_something_new = rows.rows().iter().any(|row| {
            let times = self.seeded.get(&row.group);
            times.is_none_or(|times| !times.contains(&at))
        });
        let new = self.join_seed(Seed::new(at, rows.rows()));
        let statements = rows.rows().iter().map(|_| MergedStatement {
            source: SourceName::manual(),
            at: Stamp { time: at, place: 0 },
            new,
            about: About::SeedRow,
        });
        Merged {
            changed: new || names_something_new,
            warnings: warnings.into_iter().collect(),
            statements: statements.collect(),
        }
    }

    /// Notes that a source was read as a whole at a time, complete or not.
    pub fn note_read(&mut self, source: &SourceName, at: Timestamp) {
        let known = self.source(source);
        known.read = known.read.max(Some(at));
        known.compact();
    }

    /// Notes which group stands for the source itself.
    pub fn note_base(&mut self, source: &SourceName, at: Timestamp, key: Key) {
        let known = self.source(source);
        known.base = known.base.clone().max(Some((at, key)));
    }

    fn merge_statement(
        &mut self,
        source: &SourceName,
        at: Stamp,
        received: Timestamp,
        statement: &Statement,
        changed: &mut bool,
    ) -> MergedStatement {
        let (new, about) = match statement {
            Statement::Exists { group, parent } => {
                let ledger = self.source(source);
                let parent = match parent {
                    Parent::Under(parent) => {
                        Some(Placement::Under(ledger.take(parent, at, received, changed)))
                    }
                    Parent::Top => Some(Placement::Top),
                    Parent::NotSaid => None,
                };
                let group = ledger.take(group, at, received, changed);
                let new = ledger.say(&group, at, received, NamedSaying::Exists(parent));
                (new, About::Group { group, lives: true })
            }
            Statement::Member { group, parent } => {
                let ledger = self.source(source);
                let parent = ledger.take(parent, at, received, changed);
                let group = ledger.take(group, at, received, changed);
                let new = ledger.say(&group, at, received, NamedSaying::Member(parent));
                (new, About::Group { group, lives: true })
            }
            Statement::Gone { group } => {
                let ledger = self.source(source);
                let group = ledger.take(group, at, received, changed);
                let new = ledger.say(&group, at, received, NamedSaying::Gone);
                (
                    new,
                    About::Group {
                        group,
                        lives: false,
                    },
                )
            }
            Statement::Renamed { group, key, to } if group.name == *to => {
                let group = GroupRef::new(group.clone(), key.clone());
                let exists = Statement::Exists {
                    group,
                    parent: Parent::NotSaid,
                };
                return self.merge_statement(source, at, received, &exists, changed);
            }
            Statement::Renamed { group, key, to } => {
                let ledger = self.source(source);
                let renamed = Group::new(to.clone(), group.group_type.clone());
                match key {
                    Some(key) => {
                        let record = ledger.ids.entry(key.clone()).or_default();
                        *changed |=
                            insert_earliest(&mut record.names, (at, group.clone()), received);
                        let after = Stamp {
                            place: at.place.saturating_add(1),
                            ..at
                        };
                        let name = (after, renamed.clone());
                        let new = insert_earliest(&mut record.names, name, received);
                        *changed |= Said::keep_newest(
                            &mut record.exists,
                            Said {
                                at,
                                what: (),
                                received,
                            },
                        );
                        (
                            new,
                            About::Rename {
                                group: Ref::Key(key.clone()),
                                to: renamed,
                            },
                        )
                    }
                    None => {
                        let group = Ref::Name(group.clone());
                        let saying = NamedSaying::Renamed(to.clone());
                        let new = ledger.say(&group, at, received, saying);
                        (new, About::Rename { group, to: renamed })
                    }
                }
            }
            Statement::Person { person, says } => {
                let person = self.person(source, person);
                let ledger = self.source(source);
                let (groups, new) = match says {
                    PersonSays::In(groups) => {
                        let groups: Vec<Ref> = groups
                            .iter()
                            .map(|group| ledger.take(group, at, received, changed))
                            .collect();
                        let said = Said {
                            at,
                            what: groups.clone(),
                            received,
                        };
                        let record = ledger.persons.entry(person.clone()).or_default();
                        // It is about the groups that the person was in, too.
                        let was = record.placed.iter().flat_map(|p| p.what.clone());
                        let groups = groups.into_iter().chain(was).collect();
                        (groups, Said::keep_newest(&mut record.placed, said))
                    }
                    PersonSays::Left => {
                        let record = ledger.persons.entry(person.clone()).or_default();
                        let said = Said {
                            at,
                            what: (),
                            received,
                        };
                        let groups = record.placed.iter().flat_map(|p| p.what.clone()).collect();
                        (groups, Said::keep_newest(&mut record.left, said))
                    }
                };
                (new, About::Person { person, groups })
            }
            Statement::Complete(scope) => {
                let ledger = self.source(source);
                let scope = match scope {
                    Scope::Groups => LedgerScope::Groups,
                    Scope::Persons => LedgerScope::Persons,
                    Scope::ChildrenOf(group) => {
                        LedgerScope::ChildrenOf(ledger.take(group, at, received, changed))
                    }
                };
                (
                    ledger.snapshot_taken(scope, (at.time, received)),
                    About::Snapshot,
                )
            }
        };
        MergedStatement {
            source: source.clone(),
            at,
            new,
            about,
        }
    }
}

impl SourceLedger {
    /// The reference to keep; where the statement names a key, the name is noted. It may be news
    /// though the statement itself is stale: `changed` is set then.
    fn take(
        &mut self,
        group: &GroupRef,
        at: Stamp,
        received: Timestamp,
        changed: &mut bool,
    ) -> Ref {
        match group {
            GroupRef::Named(group) => Ref::Name(group.clone()),
            GroupRef::Keyed { key, named } => {
                if let Some(group) = named {
                    let record = self.ids.entry(key.clone()).or_default();
                    *changed |= insert_earliest(&mut record.names, (at, group.clone()), received);
                }
                Ref::Key(key.clone())
            }
        }
    }

    /// Notes a saying about a group; says whether it was new.
    fn say(&mut self, group: &Ref, at: Stamp, received: Timestamp, saying: NamedSaying) -> bool {
        let key = match group {
            Ref::Key(key) => key,
            Ref::Name(group) => {
                let record = self.names.entry(group.clone()).or_default();
                return insert_earliest(&mut record.said, (at, saying), received);
            }
        };
        let record = self.ids.entry(key.clone()).or_default();
        let placement = saying.placement();
        let mut new = false;
        match saying {
            NamedSaying::Gone => {
                new |= Said::keep_newest(
                    &mut record.gone,
                    Said {
                        at,
                        what: (),
                        received,
                    },
                );
            }
            NamedSaying::Exists(_) => {
                new |= Said::keep_newest(
                    &mut record.exists,
                    Said {
                        at,
                        what: (),
                        received,
                    },
                );
            }
            NamedSaying::Member(_) | NamedSaying::Renamed(_) => {}
        }
        if let Some(what) = placement {
            new |= Said::keep_newest(&mut record.placed, Said { at, what, received });
        }
        new
    }
}
