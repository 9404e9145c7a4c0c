//! One source's ledger, resolved: which group every name and key means, and what is said of it.
//!
//! A name means the group that bore it at the statement's time. It is followed through the later
//! renames, earliest first, or bound to the id that bore it, whatever the order of arrival.

use std::collections::{BTreeMap, HashMap, HashSet};

use smallvec::SmallVec;

use super::{
    name::Group,
    records::{
        Content as _, LedgerScope, NamedSaying, PersonKey, PersonRecord, Placement, Ref, Said,
        SourceLedger, Stamp,
    },
    table::{Dense, GroupId, KeyId, Names, Table},
    tenure::Tenures,
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
    const fn of(at: Stamp) -> Self {
        Self {
            carried: at,
            own: at,
        }
    }
}

/// What is said of one group of the source, newest of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    pub(super) exists: Option<Mark>,
    pub(super) placed: Option<(Mark, Placement)>,
    pub(super) gone: Option<Mark>,
}

impl Record {
    fn say(&mut self, mark: Mark, saying: NamedSaying, table: &Table) {
        if let Some(placement) = saying.placement() {
            let newer = self.placed.is_none_or(|(at, known)| {
                at.cmp(&mark)
                    .then_with(|| known.compare(&placement, table))
                    .is_lt()
            });
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The group of this name, referred to by name.
    ByName(GroupId),
    /// The group that has this name now, referred to by key.
    ByKey(KeyId, GroupId),
    /// A key that nobody has named yet.
    Unnamed(KeyId),
}

impl Target {
    pub(super) const fn group(self) -> Option<GroupId> {
        match self {
            Self::ByName(group) | Self::ByKey(_, group) => Some(group),
            Self::Unnamed(_) => None,
        }
    }
}

/// The names that an id bore, each with its time.
pub(super) type Bore = SmallVec<[(Stamp, GroupId); 1]>;

/// A source's ledger, resolved.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) ledger: &'a SourceLedger,
    /// Of ids that share a name the lowest keeps it, the others get their key behind it.
    pub(super) numbered: bool,
    pub(super) id_names: Dense<KeyId, Bore>,
    pub(super) bearers: Dense<GroupId, SmallVec<[KeyId; 2]>>,
    pub(super) renames: HashMap<GroupId, Vec<(Stamp, GroupId)>>,
    pub(super) renamed_from: HashMap<GroupId, Vec<(Stamp, GroupId)>>,
    pub(super) renamed_ids: HashMap<(GroupId, Stamp), KeyId>,
    /// By what renames by name renamed, and when, the first name of it.
    pub(super) first_names: HashMap<(GroupId, Stamp), GroupId>,
    /// Of ids that were told of often, of each name that they bore where the next other one is.
    pub(super) changes: HashMap<KeyId, Vec<u32>>,
    /// Of names that many ids bore who bore them when.
    pub(super) tenures: Tenures,
    /// Of which groups all children were said, and when last.
    complete_children: HashMap<Ref, Timestamp>,
    /// Where a rename by name leads in the end, and since when.
    pub(super) carried: HashMap<(GroupId, Stamp), (Ref, Stamp)>,
    records: Vec<(Ref, Record)>,
    record_of_key: Dense<KeyId, Place>,
    record_of_name: Dense<GroupId, Place>,
    shown: Dense<KeyId, Option<GroupId>>,
    /// Names that several living ids bear, where they are told apart.
    pub(super) shared_names: Vec<GroupId>,
    /// The ids that share a name, living or not, where they are told apart.
    contested: HashSet<KeyId>,
}

/// Where a record stands, if there is one.
type Place = Option<std::num::NonZeroU32>;

impl<'a> View<'a> {
    pub(super) fn new(ledger: &'a SourceLedger, numbered: bool, names: &mut Names<'_>) -> Self {
        let mut view = Self {
            ledger,
            numbered,
            id_names: Dense::default(),
            bearers: Dense::default(),
            renames: HashMap::new(),
            renamed_from: HashMap::new(),
            renamed_ids: HashMap::new(),
            first_names: HashMap::new(),
            changes: HashMap::new(),
            tenures: Tenures::default(),
            complete_children: HashMap::new(),
            carried: HashMap::new(),
            records: Vec::with_capacity(ledger.ids.len() + ledger.names.len()),
            record_of_key: Dense::default(),
            record_of_name: Dense::default(),
            shown: Dense::default(),
            shared_names: Vec::new(),
            contested: HashSet::new(),
        };
        view.learn_names();
        view.learn_renames(names);
        view.learn_complete_children(names);
        view.fill_records(names);
        view.name_ids(names);
        view
    }

    /// The names that an id bore.
    pub(super) fn bore(&self, key: KeyId) -> &[(Stamp, GroupId)] {
        self.id_names.get(key).map_or(&[], |bore| bore.as_slice())
    }

    /// The ids that ever bore a name.
    pub(super) fn bearers(&self, name: GroupId) -> &[KeyId] {
        self.bearers.get(name).map_or(&[], |keys| keys.as_slice())
    }

    /// Whether a person's newest record places them, and nothing has ended it.
    pub(super) fn is_present(&self, person: &PersonKey) -> bool {
        self.ledger
            .persons
            .get(person)
            .is_some_and(|record| self.present_groups(record).is_some())
    }

    /// What a saying by name, of a time, is about.
    pub(super) fn subject(
        &self,
        name: GroupId,
        at: Stamp,
        saying: NamedSaying,
        names: &Names<'_>,
    ) -> Ref {
        self.subject_since(name, at, saying, names).0
    }

    /// The groups under which others were ever placed.
    pub(super) fn parents(&self, names: &Names<'_>) -> HashSet<Ref> {
        let placed = self.records.iter().filter_map(|(_, record)| record.placed);
        let parents = placed.filter_map(|(mark, placement)| match placement {
            Placement::Under(parent) => Some(self.resolve(parent, mark.own, names)),
            Placement::Top => None,
        });
        parents.collect()
    }

    /// Every group of which the source said something, with what it said.
    pub(super) fn records(&self) -> impl Iterator<Item = (Ref, &Record)> {
        self.records.iter().map(|(group, record)| (*group, record))
    }

    pub(super) fn record(&self, group: Ref) -> Option<&Record> {
        let place = match group {
            Ref::Key(key) => self.record_of_key.of(key),
            Ref::Name(name) => self.record_of_name.of(name),
        }?;
        let (_, record) = self.records.get(place.get() as usize - 1)?;
        Some(record)
    }

    /// The persons that are there, each with the groups of their chain and since when.
    pub(super) fn persons(&self) -> impl Iterator<Item = (Stamp, &'a [Ref])> {
        self.ledger.persons.values().filter_map(|record| {
            let placed = self.present_groups(record)?;
            Some((placed.at, &*placed.what))
        })
    }

    fn present_groups<'r>(&self, record: &'r PersonRecord) -> Option<&'r Said<Box<[Ref]>>> {
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
    pub(super) fn resolve(&self, group: Ref, at: Stamp, names: &Names<'_>) -> Ref {
        match group {
            Ref::Key(_) => group,
            Ref::Name(name) => self.follow(name, at, names).0,
        }
    }

    /// Where a reference, made at a time, leads now.
    pub(super) fn target(&self, group: Ref, at: Stamp, names: &Names<'_>) -> Target {
        match self.resolve(group, at, names) {
            Ref::Name(name) => Target::ByName(name),
            Ref::Key(key) => match (self.shown(key), group) {
                (Some(shown), Ref::Key(_)) => Target::ByKey(key, shown),
                (Some(shown), Ref::Name(_)) => Target::ByName(shown),
                (None, _) => Target::Unnamed(key),
            },
        }
    }

    /// Whether what an id is shown as depends on other ids.
    pub(super) fn is_contested(&self, key: KeyId) -> bool {
        self.contested.contains(&key)
    }

    /// The group that stands for the source itself.
    pub(super) fn base(&self) -> Option<GroupId> {
        self.ledger.base.and_then(|(_, key)| self.shown(key))
    }

    /// What a resolved group is called in the hierarchy.
    pub(super) fn name_of(&self, group: Ref) -> Option<GroupId> {
        match group {
            Ref::Name(name) => Some(name),
            Ref::Key(key) => self.shown(key),
        }
    }

    /// Whether the claim of a record lives; `None` where there never was one.
    pub(super) fn life(&self, record: &Record, names: &Names<'_>) -> Option<Life> {
        let Record {
            exists,
            placed,
            gone,
        } = *record;
        let withdrawn = placed.and_then(|(mark, placement)| self.withdrawn(mark, placement, names));
        let placed_at = placed.filter(|_| withdrawn.is_none()).map(|(mark, _)| mark);
        let Some(lives) = exists.max(placed_at) else {
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

    /// Whether nothing has ended the record's placement.
    pub(super) fn is_placed(&self, record: &Record, names: &Names<'_>) -> bool {
        let Some((mark, placement)) = record.placed else {
            return false;
        };
        let complete = self.ledger.groups_complete_at();
        let ended = record.gone.is_some_and(|gone| gone > mark)
            || complete.is_some_and(|complete| mark.carried.time < complete)
            || self.withdrawn(mark, placement, names).is_some();
        !ended
    }

    pub(super) fn shown(&self, key: KeyId) -> Option<GroupId> {
        self.shown.of(key)
    }

    fn learn_complete_children(&mut self, names: &Names<'_>) {
        for (scope, (time, _)) in &self.ledger.snapshots {
            if let LedgerScope::ChildrenOf(parent) = scope {
                let parent = self.resolve(*parent, Stamp::behind(*time), names);
                let known = self.complete_children.entry(parent).or_insert(*time);
                *known = (*known).max(*time);
            }
        }
    }

    fn fill_records(&mut self, names: &Names<'_>) {
        for (key, said) in self.ledger.ids.iter() {
            *self.record_mut(Ref::Key(key)) = Record {
                exists: said.exists.map(|said| Mark::of(said.at)),
                gone: said.gone.map(|said| Mark::of(said.at)),
                placed: said.placed.map(|said| (Mark::of(said.at), said.what)),
            };
        }
        for (group, record) in self.ledger.names.iter() {
            for said in &record.said {
                let (target, carried) = self.subject_since(group, said.at, said.what, names);
                let own = said.at;
                let mark = Mark { carried, own };
                self.record_mut(target).say(mark, said.what, names.table());
            }
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the place is the last one's, or was noted when there was one"
    )]
    fn record_mut(&mut self, group: Ref) -> &mut Record {
        let place = match group {
            Ref::Key(key) => self.record_of_key.slot(key),
            Ref::Name(name) => self.record_of_name.slot(name),
        };
        let at = match place {
            Some(place) => place.get() as usize - 1,
            None => {
                self.records.push((group, Record::default()));
                *place = u32::try_from(self.records.len())
                    .ok()
                    .and_then(std::num::NonZeroU32::new);
                self.records.len() - 1
            }
        };
        &mut self.records[at].1
    }

    /// What a saying by name is about, and since when it is carried there.
    fn subject_since(
        &self,
        name: GroupId,
        at: Stamp,
        saying: NamedSaying,
        names: &Names<'_>,
    ) -> (Ref, Stamp) {
        match saying {
            NamedSaying::Renamed(to) => match self.bearer_renamed(name, at) {
                Some(key) => (Ref::Key(key), at),
                None => self.follow(to, at, names),
            },
            NamedSaying::Exists(_) | NamedSaying::Member(_) | NamedSaying::Gone => {
                self.follow(name, at, names)
            }
        }
    }

    fn name_ids(&mut self, names: &mut Names<'_>) {
        if !self.numbered {
            for (key, bore) in self.id_names.iter() {
                if let Some((_, name)) = bore.last() {
                    *self.shown.slot(key) = Some(*name);
                }
            }
            return;
        }
        let mut by_name: BTreeMap<GroupId, Vec<KeyId>> = BTreeMap::new();
        for (key, bore) in self.id_names.iter() {
            if let Some((_, name)) = bore.last() {
                by_name.entry(*name).or_default().push(key);
            }
        }
        for (name, mut keys) in by_name {
            let lives = |key: KeyId| {
                let record = self.record(Ref::Key(key));
                let life = record.and_then(|record| self.life(record, names));
                matches!(life, Some(Life::Lives(_)))
            };
            let table = names.table();
            let living = keys.iter().filter(|key| lives(**key)).count();
            keys.sort_by_cached_key(|key| (!lives(*key), table.key(*key).rank()));
            if living > 1 {
                self.shared_names.push(name);
            }
            if keys.len() > 1 {
                self.contested.extend(&keys);
            }
            for key in keys.iter().skip(1) {
                let bare = names.group(name);
                let numbered = bare.name.numbered(table.key(*key));
                let numbered = Group::new(numbered, bare.group_type.clone());
                *self.shown.slot(*key) = Some(names.id(&numbered));
            }
            if let Some(first) = keys.first() {
                *self.shown.slot(*first) = Some(name);
            }
        }
        self.shared_names.sort_by(|a, b| names.cmp(*a, *b));
    }

    /// When the parent of a placement said all its children, if that was after the placement.
    fn withdrawn(&self, mark: Mark, placement: Placement, names: &Names<'_>) -> Option<Timestamp> {
        if self.complete_children.is_empty() {
            return None;
        }
        match placement {
            Placement::Top => None,
            Placement::Under(parent) => {
                let parent = self.resolve(parent, mark.own, names);
                let complete = self.complete_children.get(&parent)?;
                (mark.carried.time < *complete).then_some(*complete)
            }
        }
    }
}
