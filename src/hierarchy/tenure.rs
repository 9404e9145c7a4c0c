//! Who bore a name when, where many ids bore it: so that none of them need be looked at again for each time that is asked for.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
};

use super::{
    records::Stamp,
    table::{GroupId, KeyId, Names},
    view::{Bore, View},
};

/// With so many ids to a name each is looked at; with more it is noted once who bore the name when. In tests it always is, and each is
/// looked at too.
const FEW: usize = if cfg!(test) { 0 } else { 8 };

/// Who bears a name as of a time: since when, the lowest id last, and which.
type Bearing = BTreeSet<(Stamp, Reverse<u32>, KeyId)>;

/// A rename by name: when, of which, to which.
pub(super) type Rename = (Stamp, GroupId, GroupId);

/// Of names that many ids bore who bore them when.
#[derive(Debug, Default)]
pub(super) struct Tenures(HashMap<GroupId, Tenure>);

#[derive(Debug)]
struct Tenure {
    /// From each time on who bears it, up to the next.
    bearers: Vec<(Stamp, Option<KeyId>)>,
    /// The id whose first known name it is, and from when on.
    first: Option<(Stamp, KeyId)>,
}

/// What [`Tenures`] knows of a name.
#[derive(Clone, Copy)]
pub(super) struct Known<'t>(&'t Tenure);

impl Tenures {
    pub(super) fn of(&self, name: GroupId) -> Option<Known<'_>> {
        // As a rule there are none.
        match self.0.is_empty() {
            true => None,
            false => self.0.get(&name).map(Known),
        }
    }
}

impl Known<'_> {
    /// The id that bore the name at a time.
    pub(super) fn at(self, at: Stamp) -> Option<KeyId> {
        let Self(Tenure { bearers, .. }) = self;
        let until = bearers.partition_point(|(since, _)| *since <= at);
        bearers.get(until.checked_sub(1)?)?.1
    }

    /// The id whose first known name it is.
    pub(super) const fn first(self) -> Option<(Stamp, KeyId)> {
        self.0.first
    }
}

/// Ids' places among all by their rank.
struct Ranks(HashMap<KeyId, u32>);

impl Ranks {
    fn new(keys: impl Iterator<Item = KeyId>, names: &Names<'_>) -> Self {
        let mut keys: Vec<KeyId> = keys.collect();
        keys.sort_by_cached_key(|key| {
            let (number, text) = names.table().key(*key).rank();
            (number, text.clone())
        });
        Self(keys.into_iter().zip(0..).collect())
    }

    fn of(&self, key: KeyId) -> Reverse<u32> {
        Reverse(self.0.get(&key).copied().unwrap_or(u32::MAX))
    }
}

impl View<'_> {
    /// Whether some name may have more ids than are looked at one by one, once these renames are learnt; or some id more names, in
    /// front of which each rename of before would be put.
    pub(super) fn may_be_crowded(&self, renames: &[Rename]) -> bool {
        if self.ledger.ids.is_empty() || renames.is_empty() {
            return false;
        }
        if self.id_names.iter().any(|(_, bore)| bore.len() > FEW) {
            return true;
        }
        let mut more: HashMap<GroupId, usize> = HashMap::new();
        for (_, _, to) in renames {
            *more.entry(*to).or_default() += 1;
        }
        let crowded = |name: GroupId, more: usize| self.bearers(name).len() + more > FEW;
        more.iter().any(|(name, more)| crowded(*name, *more))
            || renames.iter().any(|(_, from, _)| crowded(*from, 0))
    }

    /// Learns renames, sorted, by going through all times once: of a name that an id bears the id is renamed.
    pub(super) fn learn_renames_in_turn(&mut self, renames: Vec<Rename>, names: &Names<'_>) {
        let ranks = Ranks::new(self.ledger.ids.keys(), names);
        let mut bores: Vec<(Stamp, KeyId, GroupId)> = Vec::new();
        for (key, bore) in self.id_names.iter() {
            bores.extend(bore.iter().map(|(at, name)| (*at, key, *name)));
        }
        // Stable: what one id bore from one time on stays in its order.
        bores.sort_by_key(|(at, ..)| *at);
        let mut passing = Passing {
            ranks,
            bearing: HashMap::new(),
            present: HashMap::new(),
            names: HashMap::new(),
        };
        let mut gained: HashMap<GroupId, Vec<KeyId>> = HashMap::new();
        let mut bores = bores.into_iter().peekable();
        for (at, from, to) in renames {
            while let Some((since, key, name)) = bores.next_if(|(since, ..)| *since <= at) {
                passing.bear(key, since, name);
            }
            let bearer = passing.bearer(from);
            #[cfg(test)]
            assert_eq!(bearer, self.bearer_among_all(from, at, names));
            match bearer {
                Some(key) => {
                    #[cfg(test)]
                    self.note_renamed(key, at, to);
                    self.renamed_ids.insert((from, at), key);
                    gained.entry(to).or_default().push(key);
                    passing.bear(key, at, to);
                }
                None => self.note_named_otherwise(at, from, to),
            }
        }
        for (since, key, name) in bores {
            passing.bear(key, since, name);
        }
        for (key, bore) in passing.names {
            #[cfg(test)]
            assert_eq!(*self.id_names.slot(key), bore);
            *self.id_names.slot(key) = bore;
        }
        for (name, keys) in gained {
            let bearers = self.bearers.slot(name);
            let known: HashSet<KeyId> = bearers.iter().copied().collect();
            let mut keys: Vec<KeyId> = keys.into_iter().filter(|k| !known.contains(k)).collect();
            keys.sort_unstable();
            keys.dedup();
            bearers.extend(keys);
        }
    }

    /// Notes who bore the names of many ids when, now that all renames are known.
    pub(super) fn learn_tenures(&mut self, names: &Names<'_>) {
        let crowded = self.bearers.iter().filter(|(_, keys)| keys.len() > FEW);
        let crowded: HashSet<GroupId> = crowded.map(|(name, _)| name).collect();
        if crowded.is_empty() {
            return;
        }
        let keys = crowded.iter().flat_map(|name| self.bearers(*name));
        let keys: HashSet<KeyId> = keys.copied().collect();
        let ranks = Ranks::new(keys.iter().copied(), names);
        // When who begins to bear a name, and stops.
        let mut turns: HashMap<GroupId, Vec<(Stamp, Stamp, KeyId, bool)>> = HashMap::new();
        let mut first: HashMap<GroupId, (Stamp, Reverse<u32>, KeyId)> = HashMap::new();
        for key in keys {
            let bore = self.bore(key);
            if let Some((since, name)) = bore.first() {
                let known = first.entry(*name).or_insert((*since, ranks.of(key), key));
                let (at, Reverse(rank), _) = *known;
                let Reverse(own) = ranks.of(key);
                if (*since, own) < (at, rank) {
                    *known = (*since, Reverse(own), key);
                }
            }
            for (place, (since, name)) in bore.iter().enumerate() {
                if !crowded.contains(name) {
                    continue;
                }
                let until = bore.get(place + 1).map(|(until, _)| *until);
                // Who is called otherwise from the same time on never bore it.
                if until == Some(*since) {
                    continue;
                }
                let turns = turns.entry(*name).or_default();
                turns.push((*since, *since, key, true));
                turns.extend(until.map(|until| (until, *since, key, false)));
            }
        }
        // Of some that many ids were given none bore it in the end: each was called otherwise from the same time on.
        for name in crowded {
            let mut turns = turns.remove(&name).unwrap_or_default();
            turns.sort_unstable_by_key(|(at, since, key, begins)| (*at, *begins, *since, *key));
            let mut bearing = Bearing::new();
            let mut bearers: Vec<(Stamp, Option<KeyId>)> = Vec::new();
            for same in turns.chunk_by(|(a, ..), (b, ..)| a == b) {
                for (_, since, key, begins) in same {
                    let who = (*since, ranks.of(*key), *key);
                    match begins {
                        true => bearing.insert(who),
                        false => bearing.remove(&who),
                    };
                }
                if let Some((at, ..)) = same.first() {
                    bearers.push((*at, bearing.last().map(|(_, _, key)| *key)));
                }
            }
            let first = first.get(&name).map(|(at, _, key)| (*at, *key));
            self.tenures.0.insert(name, Tenure { bearers, first });
        }
    }
}

/// Who bears which name, as time passes.
struct Passing {
    ranks: Ranks,
    bearing: HashMap<GroupId, Bearing>,
    present: HashMap<KeyId, (Stamp, GroupId)>,
    names: HashMap<KeyId, Bore>,
}

impl Passing {
    fn bearer(&self, name: GroupId) -> Option<KeyId> {
        let (_, _, key) = self.bearing.get(&name)?.last()?;
        Some(*key)
    }

    fn bear(&mut self, key: KeyId, since: Stamp, name: GroupId) {
        let rank = self.ranks.of(key);
        if let Some((before, was)) = self.present.insert(key, (since, name))
            && let Some(bearing) = self.bearing.get_mut(&was)
        {
            bearing.remove(&(before, rank, key));
        }
        let bearing = self.bearing.entry(name).or_default();
        bearing.insert((since, rank, key));
        self.names.entry(key).or_default().push((since, name));
    }
}
