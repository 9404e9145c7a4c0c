//! Which group a name means: who bore it when, and what it was renamed to.

use super::{
    name::{Group, Key},
    records::{NamedSaying, Ref, Stamp},
    view::View,
};

impl<'a> View<'a> {
    /// The first name by which a group was known.
    pub(super) fn first_name(&self, group: &Ref) -> Option<Group> {
        let mut name = match group {
            Ref::Key(key) => return Some(self.id_names.get(key)?.first()?.1.clone()),
            Ref::Name(name) => name.clone(),
        };
        let mut before: Option<Stamp> = None;
        loop {
            let renames = self.renamed_from.get(&name).map_or(&[][..], Vec::as_slice);
            let until = renames.partition_point(|(at, _)| before.is_none_or(|before| *at < before));
            let Some((at, from)) = until.checked_sub(1).and_then(|last| renames.get(last)) else {
                return Some(name);
            };
            (name, before) = ((*from).clone(), Some(*at));
        }
    }

    /// The next change of the name of the group that bears `name` at `after`, if there is one.
    pub(super) fn next_name(&self, name: &Group, after: Stamp) -> Option<(Stamp, Group)> {
        match self.step(name, after) {
            Step::Stays => None,
            Step::Renamed(at, to) => Some((at, to)),
            Step::Bound(key) => {
                let names = self.id_names.get(key)?;
                names
                    .iter()
                    .find(|(at, to)| *at > after && to != name)
                    .cloned()
            }
        }
    }

    /// Every name that a group of this name bore besides, or was given.
    pub(super) fn names_led_to(&self, name: &Group) -> Vec<Group> {
        let renamed = self
            .renames
            .get(name)
            .into_iter()
            .flatten()
            .map(|(_, to)| to.clone());
        let bearers = self.bearers.get(name).into_iter().flatten();
        let others = bearers.filter_map(|key| self.id_names.get(key)).flatten();
        let others = others.map(|(_, group)| group.clone());
        renamed
            .chain(others)
            .chain(self.numbered_name(name).cloned())
            .collect()
    }

    /// The present name of the id that is shown as `name`, with its key behind it.
    pub(super) fn numbered_name(&self, name: &Group) -> Option<&Group> {
        if !self.numbered {
            return None;
        }
        let (stem, rest) = name.name.as_str().rsplit_once(" (")?;
        let key = Key::new(rest.strip_suffix(')')?).ok()?;
        let bore =
            self.id_names.get(&key)?.iter().any(|(_, group)| {
                group.group_type == name.group_type && group.name.as_str() == stem
            });
        if bore { self.shown(&key) } else { None }
    }

    pub(super) fn learn_names(&mut self) {
        for (key, record) in &self.ledger.ids {
            if record.names.is_empty() {
                continue;
            }
            for (_, group) in record.names.keys() {
                self.bearers.entry(group.clone()).or_default().insert(key);
            }
            self.id_names
                .insert(key, record.names.keys().cloned().collect());
        }
    }

    /// Renames by name, in their order: of a name that an id bears, the id is renamed.
    pub(super) fn learn_renames(&mut self) {
        let mut renames: Vec<(Stamp, &'a Group, Group)> = Vec::new();
        for (from, record) in &self.ledger.names {
            for (at, saying) in record.said.keys() {
                if let NamedSaying::Renamed(to) = saying {
                    renames.push((*at, from, Group::new(to.clone(), from.group_type.clone())));
                }
            }
        }
        renames.sort();
        for (at, from, to) in renames {
            match self.bearer(from, at) {
                Some(key) => {
                    self.renamed_ids.insert((from.clone(), at), key);
                    self.bearers.entry(to.clone()).or_default().insert(key);
                    let names = self.id_names.entry(key).or_default();
                    let after = names.partition_point(|(known, _)| *known <= at);
                    names.insert(after, (at, to));
                }
                None => {
                    self.renamed_from
                        .entry(to.clone())
                        .or_default()
                        .push((at, from));
                    self.renames.entry(from).or_default().push((at, to));
                }
            }
        }
        self.learn_where_renames_lead();
    }

    /// The id that a rename by name, of this time, was found to rename.
    pub(super) fn bearer_renamed(&self, from: &Group, at: Stamp) -> Option<&'a Key> {
        self.renamed_ids.get(&(from.clone(), at)).copied()
    }

    /// What a name, said at a time, means now, and since when it is carried there.
    pub(super) fn follow(&self, name: &Group, at: Stamp) -> (Ref, Stamp) {
        let (mut name, mut at) = (name.clone(), at);
        loop {
            match self.step(&name, at) {
                Step::Stays => return (Ref::Name(name), at),
                Step::Bound(key) => return (Ref::Key(key.clone()), at),
                Step::Renamed(later, to) => {
                    let known = self.carried.get(&(name, later));
                    if let Some(known) = known {
                        return known.clone();
                    }
                    (name, at) = (to, later);
                }
            }
        }
    }

    /// Notes where each rename by name leads in the end, the last first, so that no chain of renames
    /// is followed twice.
    fn learn_where_renames_lead(&mut self) {
        let mut renames: Vec<(Stamp, &'a Group, Group)> = Vec::new();
        for (from, known) in &self.renames {
            renames.extend(known.iter().map(|(at, to)| (*at, *from, to.clone())));
        }
        renames.sort();
        for (at, from, to) in renames.into_iter().rev() {
            let leads = self.follow(&to, at);
            self.carried.insert((from.clone(), at), leads);
        }
    }

    fn step(&self, name: &Group, at: Stamp) -> Step<'a> {
        if let Some(key) = self.bearer(name, at) {
            return Step::Bound(key);
        }
        let rename = self.renames.get(name).and_then(|renames| {
            let next = renames.partition_point(|(known, _)| *known <= at);
            renames.get(next)
        });
        match (rename, self.first_to_bear(name)) {
            (Some((later, to)), Some((first, _))) if *later < first => {
                Step::Renamed(*later, to.clone())
            }
            (_, Some((first, key))) if first > at => Step::Bound(key),
            (Some((later, to)), _) => Step::Renamed(*later, to.clone()),
            (None, _) => Step::Stays,
        }
    }

    /// The id that bore a name at a time: of several the one that took it last, then the lowest.
    pub(super) fn bearer(&self, name: &Group, at: Stamp) -> Option<&'a Key> {
        let bearers = self.bearers.get(name)?;
        let mut best: Option<(Stamp, &'a Key)> = None;
        for key in bearers {
            let names = self.id_names.get(key)?;
            let until = names.partition_point(|(known, _)| *known <= at);
            let Some((since, _)) = names.get(until.wrapping_sub(1)).filter(|(_, n)| n == name)
            else {
                continue;
            };
            if best.is_none_or(|(known, lowest)| {
                *since > known || (*since == known && key.rank() < lowest.rank())
            }) {
                best = Some((*since, key));
            }
        }
        best.map(|(_, key)| key)
    }

    /// The id whose first known name this is: it bore it before we heard of it, too.
    fn first_to_bear(&self, name: &Group) -> Option<(Stamp, &'a Key)> {
        let bearers = self.bearers.get(name)?;
        bearers
            .iter()
            .filter_map(|key| {
                let (first, group) = self.id_names.get(key)?.first()?;
                (group == name).then_some((*first, *key))
            })
            .min_by_key(|(first, key)| (*first, key.rank()))
    }
}

enum Step<'a> {
    /// The name is borne by no id and is not renamed any more.
    Stays,
    /// The group of the name is renamed then.
    Renamed(Stamp, Group),
    /// The name is this id's.
    Bound(&'a Key),
}
