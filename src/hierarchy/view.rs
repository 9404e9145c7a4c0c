//! One source's ledger, resolved: which group every name and key means, and what is said of it.
//!
//! A name means the group that bore it at the statement's time. It is followed through the later
//! renames, earliest first, or bound to the id that bore it, whatever the order of arrival.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    name::{Group, Key},
    records::{
        LedgerScope, NamedSaying, PersonKey, PersonRecord, Placement, Ref, Said, SourceLedger,
        Stamp,
    },
};
use crate::timestamp::Timestamp;

/// When something counts as said: what a rename carried over is as of the rename, and among what
/// it carried the original stamps decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) carried: Stamp,
    pub(super) own: Stamp,
}

impl Mark {
    fn of(at: Stamp) -> Self {
        Self {
            carried: at,
            own: at,
        }
    }
}

/// What is said of one group of the source, newest of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) exists: Option<Mark>,
    pub(super) placed: Option<(Mark, Placement)>,
    pub(super) gone: Option<Mark>,
}

impl Record {
    fn say(&mut self, mark: Mark, saying: &NamedSaying) {
        if let Some(placement) = saying.placement() {
            let newer = self
                .placed
                .as_ref()
                .is_none_or(|(at, known)| (*at, known) < (mark, &placement));
            if newer {
                self.placed = Some((mark, placement));
            }
        }
        match saying {
            NamedSaying::Exists(_) | NamedSaying::Renamed(_) => {
                self.exists = self.exists.max(Some(mark));
            }
            NamedSaying::Gone => self.gone = self.gone.max(Some(mark)),
            NamedSaying::Member(_) => {}
        }
    }
}

/// Whether a source's claim on a group lives, and since when that has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// As of the newest statement that it exists.
    Lives(Mark),
    /// It has ended, at this time.
    Ended(Timestamp),
}

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The group of this name, referred to by name.
    ByName(Group),
    /// The group that has this name now, referred to by key.
    ByKey(Key, Group),
    /// A key that nobody has named yet.
    Unnamed(Key),
}

impl Target {
    pub(super) fn group(&self) -> Option<&Group> {
        match self {
            Self::ByName(group) | Self::ByKey(_, group) => Some(group),
            Self::Unnamed(_) => None,
        }
    }
}

/// A source's ledger, resolved.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) ledger: &'a SourceLedger,
    /// Of ids that share a name the lowest keeps it, the others get their key behind it.
    pub(super) numbered: bool,
    pub(super) id_names: HashMap<&'a Key, Vec<(Stamp, Group)>>,
    pub(super) bearers: HashMap<Group, BTreeSet<&'a Key>>,
    pub(super) renames: HashMap<&'a Group, Vec<(Stamp, Group)>>,
    pub(super) renamed_from: HashMap<Group, Vec<(Stamp, &'a Group)>>,
    pub(super) renamed_ids: HashMap<(Group, Stamp), &'a Key>,
    /// Of which groups all children were said, and when last.
    complete_children: HashMap<Ref, Timestamp>,
    /// The groups under which others were ever placed.
    parents: BTreeSet<Ref>,
    /// Where a rename by name leads in the end, and since when.
    pub(super) carried: HashMap<(Group, Stamp), (Ref, Stamp)>,
    records: BTreeMap<Ref, Record>,
    shown: HashMap<&'a Key, Group>,
    /// Names that several living ids bear, where they are told apart.
    pub(super) shared_names: BTreeSet<Group>,
    /// The ids that share a name, living or not, where they are told apart.
    contested: BTreeSet<&'a Key>,
}

impl<'a> View<'a> {
    pub(super) fn new(ledger: &'a SourceLedger, numbered: bool) -> Self {
        let mut view = Self {
            ledger,
            numbered,
            id_names: HashMap::new(),
            bearers: HashMap::new(),
            renames: HashMap::new(),
            renamed_from: HashMap::new(),
            renamed_ids: HashMap::new(),
            complete_children: HashMap::new(),
            parents: BTreeSet::new(),
            carried: HashMap::new(),
            records: BTreeMap::new(),
            shown: HashMap::new(),
            shared_names: BTreeSet::new(),
            contested: BTreeSet::new(),
        };
        view.learn_names();
        view.learn_renames();
        view.learn_complete_children();
        view.fill_records();
        view.name_ids();
        view
    }

    /// Whether a person's newest record places them, and nothing has ended it.
    pub(super) fn is_present(&self, person: &PersonKey) -> bool {
        self.ledger
            .persons
            .get(person)
            .is_some_and(|record| self.present_groups(record).is_some())
    }

    /// What a saying by name, of a time, is about.
    pub(super) fn subject(&self, name: &Group, at: Stamp, saying: &NamedSaying) -> Ref {
        self.subject_since(name, at, saying).0
    }

    /// Whether groups were ever placed under the one that was referred to so, at a time.
    pub(super) fn has_children(&self, parent: &Ref, at: Timestamp) -> bool {
        self.parents
            .contains(&self.resolve(parent, Stamp::behind(at)))
    }

    /// Every group of which the source said something, with what it said.
    pub(super) fn records(&self) -> impl Iterator<Item = (&Ref, &Record)> {
        self.records.iter()
    }

    pub(super) fn record(&self, group: &Ref) -> Option<&Record> {
        self.records.get(group)
    }

    /// The persons that are there, each with the groups of their chain and since when.
    pub(super) fn persons(&self) -> impl Iterator<Item = (&'a PersonKey, Stamp, &'a [Ref])> {
        self.ledger.persons.iter().filter_map(|(key, record)| {
            let placed = self.present_groups(record)?;
            Some((key, placed.at, placed.what.as_slice()))
        })
    }

    fn present_groups<'r>(&self, record: &'r PersonRecord) -> Option<&'r Said<Vec<Ref>>> {
        let complete = self
            .ledger
            .snapshots
            .get(&LedgerScope::Persons)
            .map(|(time, _)| *time);
        let placed = record.placed.as_ref()?;
        let left = record.left.as_ref().is_some_and(|left| left.at > placed.at);
        let ended = complete.is_some_and(|complete| placed.at.time < complete);
        (!left && !ended).then_some(placed)
    }

    /// What a reference, made at a time, means now: a key stays, a name is followed.
    pub(super) fn resolve(&self, group: &Ref, at: Stamp) -> Ref {
        match group {
            Ref::Key(_) => group.clone(),
            Ref::Name(name) => self.follow(name, at).0,
        }
    }

    /// Where a reference, made at a time, leads now.
    pub(super) fn target(&self, group: &Ref, at: Stamp) -> Target {
        match self.resolve(group, at) {
            Ref::Name(name) => Target::ByName(name),
            Ref::Key(key) => match (self.shown(&key), group) {
                (Some(shown), Ref::Key(_)) => Target::ByKey(key, shown.clone()),
                (Some(shown), Ref::Name(_)) => Target::ByName(shown.clone()),
                (None, _) => Target::Unnamed(key),
            },
        }
    }

    /// Whether what an id is shown as depends on other ids.
    pub(super) fn is_contested(&self, key: &Key) -> bool {
        self.contested.contains(key)
    }

    /// The group that stands for the source itself.
    pub(super) fn base(&self) -> Option<&Group> {
        self.ledger
            .base
            .as_ref()
            .and_then(|(_, key)| self.shown(key))
    }

    /// What a resolved group is called in the hierarchy.
    pub(super) fn name_of(&self, group: &Ref) -> Option<Group> {
        match group {
            Ref::Name(name) => Some(name.clone()),
            Ref::Key(key) => self.shown(key).cloned(),
        }
    }

    /// Whether the claim of a record lives; `None` where there never was one.
    pub(super) fn life(&self, record: &Record) -> Option<Life> {
        let Record {
            exists,
            placed,
            gone,
        } = record;
        let withdrawn = placed
            .as_ref()
            .and_then(|(mark, placement)| self.withdrawn(*mark, placement));
        let placed_at = placed
            .as_ref()
            .filter(|_| withdrawn.is_none())
            .map(|(mark, _)| *mark);
        let Some(lives) = (*exists).max(placed_at) else {
            // Never said to exist, or only as a member of what has since said all its members.
            return gone
                .map(|gone| gone.own.time)
                .max(withdrawn)
                .map(Life::Ended);
        };
        let complete = self.ledger.groups_complete_at();
        let left_out = complete.filter(|complete| lives.carried.time < *complete);
        let gone = gone.filter(|gone| *gone > lives).map(|gone| gone.own.time);
        Some(gone.max(left_out).map_or(Life::Lives(lives), Life::Ended))
    }

    /// The record's placement, where nothing has ended it.
    pub(super) fn placement<'r>(&self, record: &'r Record) -> Option<(Mark, &'r Placement)> {
        let (mark, placement) = record.placed.as_ref()?;
        let complete = self.ledger.groups_complete_at();
        let ended = record.gone.is_some_and(|gone| gone > *mark)
            || complete.is_some_and(|complete| mark.carried.time < complete)
            || self.withdrawn(*mark, placement).is_some();
        (!ended).then_some((*mark, placement))
    }

    pub(super) fn shown(&self, key: &Key) -> Option<&Group> {
        self.shown.get(key)
    }

    fn learn_complete_children(&mut self) {
        for (scope, (time, _)) in &self.ledger.snapshots {
            if let LedgerScope::ChildrenOf(parent) = scope {
                let parent = self.resolve(parent, Stamp::behind(*time));
                let known = self.complete_children.entry(parent).or_insert(*time);
                *known = (*known).max(*time);
            }
        }
    }

    fn fill_records(&mut self) {
        let mut records: BTreeMap<Ref, Record> = BTreeMap::new();
        for (key, said) in &self.ledger.ids {
            let record = records.entry(Ref::Key(key.clone())).or_default();
            record.exists = said.exists.as_ref().map(|said| Mark::of(said.at));
            record.gone = said.gone.as_ref().map(|said| Mark::of(said.at));
            record.placed = said
                .placed
                .as_ref()
                .map(|said| (Mark::of(said.at), said.what.clone()));
        }
        for (group, said) in &self.ledger.names {
            for (at, saying) in said.said.keys() {
                let (target, carried) = self.subject_since(group, *at, saying);
                records
                    .entry(target)
                    .or_default()
                    .say(Mark { carried, own: *at }, saying);
            }
        }
        let parents = records.values().filter_map(|record| match &record.placed {
            Some((mark, Placement::Under(parent))) => Some(self.resolve(parent, mark.own)),
            Some((_, Placement::Top)) | None => None,
        });
        self.parents = parents.collect();
        self.records = records;
    }

    /// What a saying by name is about, and since when it is carried there.
    fn subject_since(&self, name: &Group, at: Stamp, saying: &NamedSaying) -> (Ref, Stamp) {
        match saying {
            NamedSaying::Renamed(to) => match self.bearer_renamed(name, at) {
                Some(key) => (Ref::Key(key.clone()), at),
                None => self.follow(&Group::new(to.clone(), name.group_type.clone()), at),
            },
            NamedSaying::Exists(_) | NamedSaying::Member(_) | NamedSaying::Gone => {
                self.follow(name, at)
            }
        }
    }

    fn name_ids(&mut self) {
        let mut shown: HashMap<&'a Key, Group> = HashMap::new();
        let mut by_name: BTreeMap<&Group, Vec<&'a Key>> = BTreeMap::new();
        for (key, names) in &self.id_names {
            if let Some((_, name)) = names.last() {
                by_name.entry(name).or_default().push(key);
            }
        }
        let mut shared = BTreeSet::new();
        let mut contested = BTreeSet::new();
        for (name, mut keys) in by_name {
            if self.numbered {
                let lives = |key: &Key| {
                    let record = self.records.get(&Ref::Key(key.clone()));
                    matches!(
                        record.and_then(|record| self.life(record)),
                        Some(Life::Lives(_))
                    )
                };
                keys.sort_by_cached_key(|key| (!lives(key), key.rank()));
                if keys.iter().filter(|key| lives(key)).count() > 1 {
                    shared.insert(name.clone());
                }
                if keys.len() > 1 {
                    contested.extend(keys.iter().copied());
                }
                for key in keys.split_off(1) {
                    let numbered = Group::new(name.name.numbered(key), name.group_type.clone());
                    shown.insert(key, numbered);
                }
            }
            shown.extend(keys.into_iter().map(|key| (key, name.clone())));
        }
        self.shown = shown;
        self.shared_names = shared;
        self.contested = contested;
    }

    /// When the parent of a placement said all its children, if that was after the placement.
    fn withdrawn(&self, mark: Mark, placement: &Placement) -> Option<Timestamp> {
        match placement {
            Placement::Top => None,
            Placement::Under(parent) => {
                let parent = self.resolve(parent, mark.own);
                let complete = self.complete_children.get(&parent)?;
                (mark.carried.time < *complete).then_some(*complete)
            }
        }
    }
}
