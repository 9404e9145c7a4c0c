//! Deliveries and seeds into the ledger.

use super::{
    ledger::{Ledger, Salt, Seed},
    name::{Group, Key},
    records::{
        Bore, FirstAttempt, LedgerScope, NamedSaying, PersonKey, Placement, Ref, Said, Saying,
        SourceLedger, Stamp,
    },
    statement::{
        Delivery, GroupRef, MAX_AHEAD, Parent, PersonSays, Scope, SeedRows, SourceName, Stated,
        Statement,
    },
    table::{GroupId, KeyId, Table},
    thinning::Kept,
};
use crate::timestamp::Timestamp;

/// What merging did: which statements were new, and what they were about.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// Whether the ledger is another one now.
    pub changed: bool,
    /// What the sender or the operator should know.
    pub warnings: Vec<String>,
    /// By how many bytes at most, roughly, the ledger's document has grown; by much less where what was known is replaced.
    pub grown: usize,
    pub(super) statements: Vec<MergedStatement>,
}

impl Merged {
    /// The sum of two merges into one ledger.
    pub fn and(&mut self, other: Self) {
        let Self {
            changed,
            warnings,
            grown,
            statements,
        } = other;
        self.changed |= changed;
        self.grown = self.grown.saturating_add(grown);
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
    Rename { group: Ref, to: GroupId },
    Person { person: PersonKey, groups: Vec<Ref> },
    Snapshot,
    SeedRow,
}

/// By how much a state's document may grow for one thing that is noted: times, numbers, and the row of a group with its way back.
const GROWN_BY_ONE: usize = 128;

/// For one more reference to a group, by its number.
const GROWN_BY_A_REFERENCE: usize = 16;

/// For a byte of a text, which JSON may escape.
const GROWN_BY_A_BYTE: usize = 2;

impl About {
    fn grown(&self) -> usize {
        let references = match self {
            Self::Person { groups, .. } => groups.len(),
            Self::Group { .. } | Self::Rename { .. } | Self::Snapshot | Self::SeedRow => 0,
        };
        GROWN_BY_ONE + GROWN_BY_A_REFERENCE * references
    }
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
        let Times {
            needs_attempt,
            ahead,
            complete,
        } = Times::of(statements, is_ahead);
        let Self {
            salt,
            table,
            sources,
            ..
        } = self;
        let texts_before = table.added_bytes();
        let ledger = sources.entry(source.clone()).or_default();
        let first = match event_id {
            Some(event) if needs_attempt => {
                let attempt = FirstAttempt {
                    time: attempted,
                    received: *received,
                };
                let first = ledger.events.entry(event.clone()).or_insert_with(|| {
                    merged.changed = true;
                    merged.grown += GROWN_BY_ONE + GROWN_BY_A_BYTE * event.as_str().len();
                    attempt
                });
                merged.changed |= attempt < *first;
                *first = (*first).min(attempt);
                first.time
            }
            Some(_) | None => attempted,
        };
        if ahead > 0 {
            merged.warnings.push(format!(
                "{ahead} of the statements' times lie more than {} minutes ahead of ours and count as the time of receipt",
                MAX_AHEAD.as_secs() / 60
            ));
        }
        let time_of = |at: Option<Timestamp>| at.filter(|at| !is_ahead(*at)).unwrap_or(first);
        let complete = complete.into_iter().map(time_of).max();
        let stays_from = ledger.groups_complete_at().max(ledger.read).max(complete);
        let mut merging = Merging {
            salt,
            table,
            source,
            ledger,
            received: *received,
            stays_from,
            noted: 0,
            changed: false,
            statement: 0,
            added: Vec::new(),
        };
        merged.statements.reserve(statements.len());
        for (index, Stated { at, statement }) in statements.iter().enumerate() {
            merging.statement = index;
            let time = time_of(*at);
            // Two places each: a rename of a group with a key names it before and after.
            let place = u32::try_from(index.saturating_mul(2)).unwrap_or(u32::MAX - 1);
            let statement = merging.say_all(Stamp { time, place }, statement);
            merged.statements.push(statement);
        }
        merged.changed |= merging.changed || merging.noted > 0;
        merged.grown += GROWN_BY_ONE * merging.noted;
        let Merging {
            added,
            ledger,
            table,
            ..
        } = merging;
        // All at once: one by one, each would move what is said after it.
        ledger.add(added.iter().map(|added| &added.what), table);
        let grown = ledger.grown_below(added.iter().map(|added| &added.what));
        ledger.compact(&grown);
        // What was thinned out at once is not new: the next delivery like it would be "new" again.
        for Added { statement, what } in added {
            if !ledger.may_thin_out(&what) || ledger.keeps(&what, table) {
                merged.changed = true;
                merged.grown += GROWN_BY_ONE;
            } else if let Some(statement) = statement.and_then(|s| merged.statements.get_mut(s)) {
                statement.new = false;
            }
        }
        for statement in merged.statements.iter().filter(|statement| statement.new) {
            merged.changed = true;
            merged.grown += statement.about.grown();
        }
        let texts = table.added_bytes().saturating_sub(texts_before);
        merged.grown += GROWN_BY_A_BYTE * texts;
        table.sort_much();
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
        let seed = Seed::new(at, rows.rows(), &mut self.table);
        self.table.sort_much();
        // Of an older seed its names are remembered all the same: older claims on them no longer count.
        let names_something_new = seed.rows.iter().any(|(group, _)| {
            let times = self.seeded.get(group);
            times.is_none_or(|times| !times.contains(&at))
        });
        let new = self.join_seed(seed);
        let statements = rows.rows().iter().map(|_| MergedStatement {
            source: SourceName::manual(),
            at: Stamp::first(at),
            new,
            about: About::SeedRow,
        });
        Merged {
            changed: new || names_something_new,
            warnings: warnings.into_iter().collect(),
            grown: 0,
            statements: statements.collect(),
        }
    }

    /// Notes that a source was read as a whole at a time, complete or not.
    pub fn note_read(&mut self, source: &SourceName, at: Timestamp) {
        let known = self.sources.entry(source.clone()).or_default();
        known.read = known.read.max(Some(at));
        known.compact(&[]);
    }

    /// Notes which group stands for the source itself.
    pub fn note_base(&mut self, source: &SourceName, at: Timestamp, key: Key) {
        let key = self.table.key_id(&key);
        let known = self.sources.entry(source.clone()).or_default();
        known.note_base(at, key, &self.table);
    }
}

/// What the times of a delivery's statements come to, found in one go: there may be very many.
struct Times {
    /// Whether some have the time of the event's first attempt.
    needs_attempt: bool,
    /// How many lie too far ahead.
    ahead: usize,
    /// Those at which all groups are said.
    complete: Vec<Option<Timestamp>>,
}

impl Times {
    fn of(statements: &[Stated], is_ahead: impl Fn(Timestamp) -> bool) -> Self {
        let mut times = Self {
            needs_attempt: false,
            ahead: 0,
            complete: Vec::new(),
        };
        for Stated { at, statement } in statements {
            let is_ahead = at.is_some_and(&is_ahead);
            times.needs_attempt |= at.is_none() || is_ahead;
            times.ahead += usize::from(is_ahead);
            if matches!(statement, Statement::Complete(Scope::Groups)) {
                times.complete.push(*at);
            }
        }
        times
    }
}

/// One delivery on its way into the ledger.
struct Merging<'a> {
    salt: &'a Salt,
    table: &'a mut Table,
    source: &'a SourceName,
    ledger: &'a mut SourceLedger,
    received: Timestamp,
    /// What is not older than this is not thinned out, whatever else the delivery says.
    stays_from: Option<Timestamp>,
    /// How much was noted that records did not hold before, and that stays.
    noted: usize,
    /// Whether something is new though the statement that says it may be stale: a name, say.
    changed: bool,
    /// The place of the statement that is merged now.
    statement: usize,
    /// What the records are to grow by, and may be thinned out, or is older than something that they hold.
    added: Vec<Added>,
}

/// Something that a record did not hold before.
struct Added {
    /// The statement that is new by it; none where it only comes with one.
    statement: Option<usize>,
    what: Kept,
}

impl Merging<'_> {
    fn say_all(&mut self, at: Stamp, statement: &Statement) -> MergedStatement {
        let (new, about) = match statement {
            Statement::Exists { group, parent } => {
                let parent = match parent {
                    Parent::Under(parent) => Some(Placement::Under(self.take(parent, at))),
                    Parent::Top => Some(Placement::Top),
                    Parent::NotSaid => None,
                };
                let (new, group) = self.say(group, at, NamedSaying::Exists(parent));
                (new, About::Group { group, lives: true })
            }
            Statement::Member { group, parent } => {
                let parent = self.take(parent, at);
                let (new, group) = self.say(group, at, NamedSaying::Member(parent));
                (new, About::Group { group, lives: true })
            }
            Statement::Gone { group } => {
                let (new, group) = self.say(group, at, NamedSaying::Gone);
                let lives = false;
                (new, About::Group { group, lives })
            }
            Statement::Renamed { group, key, to } if group.name == *to => {
                let group = GroupRef::new(group.clone(), key.clone());
                let parent = Parent::NotSaid;
                return self.say_all(at, &Statement::Exists { group, parent });
            }
            Statement::Renamed { group, key, to } => {
                let renamed = Group::new(to.clone(), group.group_type.clone());
                let to = self.table.group_id(&renamed);
                let (new, group) = match key {
                    Some(key) => self.rename_by_key(key, group, to, at),
                    None => {
                        let group = self.table.group_id(group);
                        let new = self.say_by_name(group, at, NamedSaying::Renamed(to));
                        (new, Ref::Name(group))
                    }
                };
                (new, About::Rename { group, to })
            }
            Statement::Person { person, says } => {
                let person = self.salt.person(self.source, person);
                self.person(person, says, at)
            }
            Statement::Complete(scope) => {
                let scope = match scope {
                    Scope::Groups => LedgerScope::Groups,
                    Scope::Persons => LedgerScope::Persons,
                    Scope::ChildrenOf(group) => LedgerScope::ChildrenOf(self.take(group, at)),
                };
                let new = self.ledger.snapshot_taken(scope, (at.time, self.received));
                (new, About::Snapshot)
            }
        };
        MergedStatement {
            source: self.source.clone(),
            at,
            new,
            about,
        }
    }

    fn rename_by_key(&mut self, key: &Key, from: &Group, to: GroupId, at: Stamp) -> (bool, Ref) {
        let received = self.received;
        let (key, from) = (self.table.key_id(key), self.table.group_id(from));
        let before = Bore {
            at,
            name: from,
            received,
        };
        self.bore(key, before, None);
        let after = Bore {
            at: Stamp {
                place: at.place.saturating_add(1),
                ..at
            },
            name: to,
            received,
        };
        let new = self.bore(key, after, Some(self.statement));
        let exists = self.said(at, ());
        let record = self.ledger.ids.slot(key);
        self.changed |= Said::keep_newest(&mut record.exists, exists, self.table);
        (new, Ref::Key(key))
    }

    fn person(&mut self, person: PersonKey, says: &PersonSays, at: Stamp) -> (bool, About) {
        let (groups, new) = match says {
            PersonSays::In(groups) => {
                let groups: Box<[Ref]> = groups.iter().map(|group| self.take(group, at)).collect();
                let said = self.said(at, groups.clone());
                let record = self.ledger.persons.entry(person).or_default();
                // It is about the groups that the person was in, too.
                let was = record.placed.iter().flat_map(|p| &p.what);
                let groups = groups.iter().chain(was).copied().collect();
                let new = Said::keep_newest(&mut record.placed, said, self.table);
                (groups, new)
            }
            PersonSays::Left => {
                let said = self.said(at, ());
                let record = self.ledger.persons.entry(person).or_default();
                let was = record.placed.iter().flat_map(|p| &p.what);
                let groups = was.copied().collect();
                let new = Said::keep_newest(&mut record.left, said, self.table);
                (groups, new)
            }
        };
        (new, About::Person { person, groups })
    }

    const fn said<T>(&self, at: Stamp, what: T) -> Said<T> {
        Said {
            at,
            what,
            received: self.received,
        }
    }

    /// The reference to keep; where the statement names a key, the name is noted. It may be news
    /// though the statement itself is stale.
    fn take(&mut self, group: &GroupRef, at: Stamp) -> Ref {
        match group {
            GroupRef::Named(group) => Ref::Name(self.table.group_id(group)),
            GroupRef::Keyed { key, named } => {
                let key = self.table.key_id(key);
                if let Some(group) = named {
                    let bore = Bore {
                        at,
                        name: self.table.group_id(group),
                        received: self.received,
                    };
                    self.bore(key, bore, None);
                }
                Ref::Key(key)
            }
        }
    }

    /// Notes a name that a group bore; says whether that was not known.
    fn bore(&mut self, key: KeyId, bore: Bore, statement: Option<usize>) -> bool {
        let record = self.ledger.ids.slot(key);
        if Some(bore.at.time) >= self.stays_from && record.bore_newest(bore, self.table) {
            self.noted += 1;
            return true;
        }
        let new = !record.knows(&bore, self.table);
        if new {
            let what = Kept::Bore(key, bore);
            self.added.push(Added { statement, what });
        }
        new
    }

    /// Notes a saying about a group, and the name that it bore then; says whether the saying was new.
    fn say(&mut self, group: &GroupRef, at: Stamp, saying: NamedSaying) -> (bool, Ref) {
        let subject = self.take(group, at);
        let new = match subject {
            Ref::Key(key) => self.say_by_key(key, at, saying),
            Ref::Name(group) => self.say_by_name(group, at, saying),
        };
        (new, subject)
    }

    fn say_by_name(&mut self, group: GroupId, at: Stamp, what: NamedSaying) -> bool {
        let saying = Saying {
            at,
            what,
            received: self.received,
        };
        let record = self.ledger.names.slot(group);
        if Some(at.time) >= self.stays_from && record.take_newest(saying, self.table) {
            self.noted += 1;
            return true;
        }
        let new = !record.knows(&saying, self.table);
        if new {
            let statement = Some(self.statement);
            let what = Kept::Saying(group, saying);
            self.added.push(Added { statement, what });
        }
        new
    }

    fn say_by_key(&mut self, key: KeyId, at: Stamp, saying: NamedSaying) -> bool {
        let plain = self.said(at, ());
        let placed = saying.placement().map(|what| self.said(at, what));
        let record = self.ledger.ids.slot(key);
        let mut new = match saying {
            NamedSaying::Gone => Said::keep_newest(&mut record.gone, plain, self.table),
            NamedSaying::Exists(_) => Said::keep_newest(&mut record.exists, plain, self.table),
            NamedSaying::Member(_) | NamedSaying::Renamed(_) => false,
        };
        if let Some(placed) = placed {
            new |= Said::keep_newest(&mut record.placed, placed, self.table);
        }
        new
    }
}
