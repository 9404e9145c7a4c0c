//! Which group a name means: who bore it when, and what it was renamed to.

use super::{
    name::Key,
    records::{NamedSaying, Ref, Stamp},
    table::{GroupId, KeyId, Names, number},
    view::View,
};

/// An id that bore so many names is looked at one by one.
const OFTEN: usize = if cfg!(test) { 1 } else { 16 };

impl View<'_> {
    /// The first name by which a group was known.
    pub(super) fn first_name(&self, group: Ref) -> Option<GroupId> {
        match group {
            Ref::Key(key) => Some(self.bore(key).first()?.1),
            Ref::Name(name) => {
                let first = self.named_first(name, None);
                #[cfg(test)]
                assert_eq!(first, self.named_first_of_all(name));
                Some(first)
            }
        }
    }

    /// The same, by going back from rename to rename.
    #[cfg(test)]
    fn named_first_of_all(&self, mut name: GroupId) -> GroupId {
        let mut before: Option<Stamp> = None;
        loop {
            let renames = self.renamed_from.get(&name).map_or(&[][..], Vec::as_slice);
            let until = renames.partition_point(|(at, _)| before.is_none_or(|before| *at < before));
            let Some((at, from)) = until.checked_sub(1).and_then(|last| renames.get(last)) else {
                return name;
            };
            (name, before) = (*from, Some(*at));
        }
    }

    /// The first name of the group that bore this one before a time.
    fn named_first(&self, name: GroupId, before: Option<Stamp>) -> GroupId {
        let renames = self.renamed_from.get(&name).map_or(&[][..], Vec::as_slice);
        let until = renames.partition_point(|(at, _)| before.is_none_or(|before| *at < before));
        match until.checked_sub(1).and_then(|last| renames.get(last)) {
            // Those before it were followed already.
            Some((at, from)) => self
                .first_names
                .get(&(*from, *at))
                .copied()
                .unwrap_or(*from),
            None => name,
        }
    }

    /// The next change of the name of the group that bears `name` at `after`, if there is one.
    pub(super) fn next_name(
        &self,
        name: GroupId,
        after: Stamp,
        names: &Names<'_>,
    ) -> Option<(Stamp, GroupId)> {
        match self.step(name, after, names) {
            Step::Stays => None,
            Step::Renamed(at, to) => Some((at, to)),
            Step::Bound(key) => {
                let bore = self.bore(key);
                let next = bore.partition_point(|(at, _)| *at <= after);
                // Of an id that was told of often it is known where its name changes next.
                let changes = self.changes.get(&key);
                let next = match (
                    bore.get(next),
                    changes.and_then(|changes| changes.get(next)),
                ) {
                    (Some((_, same)), Some(change)) if *same == name => *change as usize,
                    (_, _) => next,
                };
                let bore = bore.get(next..).unwrap_or_default().iter();
                let found = bore.copied().find(|(_, to)| *to != name);
                #[cfg(test)]
                {
                    let all = self.bore(key).iter().copied();
                    let looked_for = all.clone().find(|(at, to)| *at > after && *to != name);
                    assert_eq!(found, looked_for);
                }
                found
            }
        }
    }

    /// What groups of this name were renamed to, by name.
    pub(super) fn renamed_to(&self, name: GroupId) -> impl Iterator<Item = GroupId> {
        let renamed = self.renames.get(&name).into_iter().flatten();
        renamed.map(|(_, to)| *to)
    }

    /// Whether a group of this name bore another one besides, or was given one.
    pub(super) fn has_other_names(&self, name: GroupId, names: &Names<'_>) -> bool {
        let others = self.bearers(name).iter().flat_map(|key| self.bore(*key));
        self.renamed_to(name)
            .chain(others.map(|(_, group)| *group))
            .chain(self.numbered_name(name, names))
            .any(|other| other != name)
    }

    /// The present name of the id that is shown as `name`, with its key behind it.
    pub(super) fn numbered_name(&self, name: GroupId, names: &Names<'_>) -> Option<GroupId> {
        if !self.numbered {
            return None;
        }
        let name = names.group(name);
        let (stem, rest) = name.name.as_str().rsplit_once(" (")?;
        let key = Key::new(rest.strip_suffix(')')?).ok()?;
        let key = names.table().find_key(&key)?;
        let bore = self.bore(key).iter().any(|(_, group)| {
            let group = names.group(*group);
            group.group_type == name.group_type && group.name.as_str() == stem
        });
        if bore { self.shown(key) } else { None }
    }

    pub(super) fn learn_names(&mut self) {
        for (key, record) in self.ledger.ids.iter() {
            if record.names.is_empty() {
                continue;
            }
            for bore in &record.names {
                let bearers = self.bearers.slot(bore.name);
                if bearers.last() != Some(&key) {
                    bearers.push(key);
                }
            }
            let names = record.names.iter().map(|bore| (bore.at, bore.name));
            *self.id_names.slot(key) = names.collect();
        }
    }

    /// Renames by name, in their order: of a name that an id bears, the id is renamed.
    pub(super) fn learn_renames(&mut self, names: &Names<'_>) {
        let mut renames: Vec<(Stamp, GroupId, GroupId)> = Vec::new();
        for (from, record) in self.ledger.names.iter() {
            for saying in &record.said {
                if let NamedSaying::Renamed(to) = saying.what {
                    renames.push((saying.at, from, to));
                }
            }
        }
        sort_renames(&mut renames, names);
        match self.may_be_crowded(&renames) {
            true => self.learn_renames_in_turn(renames, names),
            false => self.learn_renames_one_by_one(renames, names),
        }
        self.learn_tenures(names);
        self.learn_changes();
        self.learn_where_renames_lead(names);
    }

    fn learn_renames_one_by_one(
        &mut self,
        renames: Vec<(Stamp, GroupId, GroupId)>,
        names: &Names<'_>,
    ) {
        for (at, from, to) in renames {
            match self.bearer_among_all(from, at, names) {
                Some(key) => {
                    self.renamed_ids.insert((from, at), key);
                    self.note_renamed(key, at, to);
                }
                None => self.note_named_otherwise(at, from, to),
            }
        }
    }

    /// Notes the rename of a name that is no id's.
    pub(super) fn note_named_otherwise(&mut self, at: Stamp, from: GroupId, to: GroupId) {
        self.renamed_from.entry(to).or_default().push((at, from));
        self.renames.entry(from).or_default().push((at, to));
    }

    pub(super) fn note_renamed(&mut self, key: KeyId, at: Stamp, to: GroupId) {
        let bearers = self.bearers.slot(to);
        if !bearers.contains(&key) {
            bearers.push(key);
        }
        let names = self.id_names.slot(key);
        let after = names.partition_point(|(known, _)| *known <= at);
        names.insert(after, (at, to));
    }

    /// Notes where the names of ids change that were told of often.
    fn learn_changes(&mut self) {
        for (key, bore) in self.id_names.iter().filter(|(_, bore)| bore.len() > OFTEN) {
            let mut changes: Vec<u32> = Vec::with_capacity(bore.len());
            let mut next = number(bore.len());
            for (place, (_, name)) in bore.iter().enumerate().rev() {
                changes.push(next);
                if place
                    .checked_sub(1)
                    .and_then(|before| bore.get(before))
                    .is_some_and(|(_, before)| before != name)
                {
                    next = number(place);
                }
            }
            changes.reverse();
            self.changes.insert(key, changes);
        }
    }

    /// The id that a rename by name, of this time, was found to rename.
    pub(super) fn bearer_renamed(&self, from: GroupId, at: Stamp) -> Option<KeyId> {
        self.renamed_ids.get(&(from, at)).copied()
    }

    /// What a name, said at a time, means now, and since when it is carried there.
    pub(super) fn follow(&self, name: GroupId, at: Stamp, names: &Names<'_>) -> (Ref, Stamp) {
        let (mut name, mut at) = (name, at);
        loop {
            match self.step(name, at, names) {
                Step::Stays => return (Ref::Name(name), at),
                Step::Bound(key) => return (Ref::Key(key), at),
                Step::Renamed(later, to) => {
                    if let Some(known) = self.carried.get(&(name, later)) {
                        return *known;
                    }
                    (name, at) = (to, later);
                }
            }
        }
    }

    /// Notes where each rename by name leads in the end, the last first, so that no chain of renames
    /// is followed twice.
    fn learn_where_renames_lead(&mut self, names: &Names<'_>) {
        let mut renames: Vec<(Stamp, GroupId, GroupId)> = Vec::new();
        for (from, known) in &self.renames {
            renames.extend(known.iter().map(|(at, to)| (*at, *from, *to)));
        }
        sort_renames(&mut renames, names);
        for (at, from, _) in &renames {
            let first = self.named_first(*from, Some(*at));
            self.first_names.insert((*from, *at), first);
        }
        for (at, from, to) in renames.into_iter().rev() {
            let leads = self.follow(to, at, names);
            self.carried.insert((from, at), leads);
        }
    }

    fn step(&self, name: GroupId, at: Stamp, names: &Names<'_>) -> Step {
        let bearers = self.bearers(name);
        if self.renames.is_empty() && bearers.is_empty() {
            return Step::Stays;
        }
        if let Some(key) = self.bearer(name, at, names) {
            return Step::Bound(key);
        }
        let rename = self.renames.get(&name).and_then(|renames| {
            let next = renames.partition_point(|(known, _)| *known <= at);
            renames.get(next).copied()
        });
        match (rename, self.first_to_bear(name, names)) {
            (Some((later, to)), Some((first, _))) if later < first => Step::Renamed(later, to),
            (_, Some((first, key))) if first > at => Step::Bound(key),
            (Some((later, to)), _) => Step::Renamed(later, to),
            (None, _) => Step::Stays,
        }
    }

    /// The id that bore a name at a time: of several the one that took it last, then the lowest.
    pub(super) fn bearer(&self, name: GroupId, at: Stamp, names: &Names<'_>) -> Option<KeyId> {
        let Some(tenure) = self.tenures.of(name) else {
            return self.bearer_among_all(name, at, names);
        };
        let bearer = tenure.at(at);
        #[cfg(test)]
        assert_eq!(bearer, self.bearer_among_all(name, at, names));
        bearer
    }

    /// The same, of whom each is looked at.
    pub(super) fn bearer_among_all(
        &self,
        name: GroupId,
        at: Stamp,
        names: &Names<'_>,
    ) -> Option<KeyId> {
        let rank = |key: KeyId| names.table().key(key).rank();
        let mut best: Option<(Stamp, KeyId)> = None;
        for key in self.bearers(name) {
            let bore = self.bore(*key);
            let until = bore.partition_point(|(known, _)| *known <= at);
            let Some((since, _)) = bore.get(until.wrapping_sub(1)).filter(|(_, n)| *n == name)
            else {
                continue;
            };
            if best.is_none_or(|(known, lowest)| {
                *since > known || (*since == known && rank(*key) < rank(lowest))
            }) {
                best = Some((*since, *key));
            }
        }
        best.map(|(_, key)| key)
    }

    /// The id whose first known name this is: it bore it before we heard of it, too.
    fn first_to_bear(&self, name: GroupId, names: &Names<'_>) -> Option<(Stamp, KeyId)> {
        let Some(tenure) = self.tenures.of(name) else {
            return self.first_among_all(name, names);
        };
        let first = tenure.first();
        #[cfg(test)]
        assert_eq!(first, self.first_among_all(name, names));
        first
    }

    /// The same, of whom each is looked at.
    fn first_among_all(&self, name: GroupId, names: &Names<'_>) -> Option<(Stamp, KeyId)> {
        let rank = |key: KeyId| names.table().key(key).rank();
        let first = self.bearers(name).iter().filter_map(|key| {
            let (first, group) = self.bore(*key).first()?;
            (*group == name).then_some((*first, *key))
        });
        first.min_by(|(a, x), (b, y)| a.cmp(b).then_with(|| rank(*x).cmp(&rank(*y))))
    }
}

fn sort_renames(renames: &mut [(Stamp, GroupId, GroupId)], names: &Names<'_>) {
    renames.sort_unstable_by(|(at, from, to), (other, other_from, other_to)| {
        let by_time = at.cmp(other);
        by_time
            .then_with(|| names.cmp(*from, *other_from))
            .then_with(|| names.cmp(*to, *other_to))
    });
}

enum Step {
    /// The name is borne by no id and is not renamed any more.
    Stays,
    /// The group of the name is renamed then.
    Renamed(Stamp, GroupId),
    /// The name is this id's.
    Bound(KeyId),
}
