//! The ledger: what must be remembered of what the sources said.
//!
//! It is a join-semilattice: every part of it is a maximum, a minimum or a union, so joining is
//! commutative, associative and idempotent, and the same deliveries give the same ledger in
//! whatever order and however often they come. What has become history below a snapshot is thinned
//! out by `SourceLedger::compact`, which is a function of the union alone and so keeps the laws.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{
    name::Group,
    pairs,
    records::{PersonKey, SourceLedger},
    statement::{PersonId, Relationship, SourceName},
};
use crate::timestamp::Timestamp;

/// The random salt under which persons' ids are kept; made with the first state, never changed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt([u8; 32]);

impl Salt {
    /// A salt of these random bytes.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// What is kept of a person: HMAC-SHA256 of source and id, 128 bits of it.
    fn person(&self, source: &SourceName, person: &PersonId) -> PersonKey {
        // HMAC pads a short key with zeros to the hash's block, so this is the key itself.
        let mut key = [0; 64];
        key.iter_mut()
            .zip(self.0)
            .for_each(|(byte, salt)| *byte = salt);
        let mut mac = Hmac::<Sha256>::new(&key.into());
        mac.update(source.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(person.expose().as_bytes());
        let digest = mac.finalize().into_bytes();
        PersonKey::new(URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default()))
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt([redacted])")
    }
}

impl TryFrom<String> for Salt {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or("a salt is 64 hexadecimal digits")
    }
}

impl From<Salt> for String {
    fn from(salt: Salt) -> Self {
        hex::encode(salt.0)
    }
}

/// The newest seed: the operator's complete set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seed {
    pub(super) time: Timestamp,
    #[serde(with = "pairs")]
    pub(super) rows: BTreeMap<Group, Option<Group>>,
}

/// Everything that is remembered of what was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    salt: Salt,
    pub(super) seed: Option<Seed>,
    /// Every name that any seed ever held, and when: older claims on it no longer count.
    #[serde(with = "pairs")]
    pub(super) seeded: BTreeMap<Group, BTreeSet<Timestamp>>,
    pub(super) sources: BTreeMap<SourceName, SourceLedger>,
}

impl Ledger {
    /// An empty ledger with a new salt.
    pub const fn new(salt: Salt) -> Self {
        Self {
            salt,
            seed: None,
            seeded: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    /// Whether an operator has ever said what the complete set is.
    pub const fn is_seeded(&self) -> bool {
        self.seed.is_some()
    }

    /// When a source was last read as a whole.
    pub fn last_read(&self, source: &SourceName) -> Option<Timestamp> {
        self.sources.get(source).and_then(|source| source.read)
    }

    /// Joins what another ledger under the same salt remembers into this one.
    pub fn join(&mut self, other: &Self) {
        if let Some(seed) = &other.seed {
            self.join_seed(seed.clone());
        }
        for (group, times) in &other.seeded {
            self.seeded.entry(group.clone()).or_default().extend(times);
        }
        for (name, source) in &other.sources {
            self.source(name).join(source);
        }
    }

    pub(super) fn person(&self, source: &SourceName, person: &PersonId) -> PersonKey {
        self.salt.person(source, person)
    }

    pub(super) fn source(&mut self, name: &SourceName) -> &mut SourceLedger {
        self.sources.entry(name.clone()).or_default()
    }

    /// Takes the seed if it is newer than the one known; says whether it was.
    pub(super) fn join_seed(&mut self, seed: Seed) -> bool {
        for group in seed.rows.keys() {
            self.seeded
                .entry(group.clone())
                .or_default()
                .insert(seed.time);
        }
        let newer = self.seed.as_ref().is_none_or(|known| *known < seed);
        if newer {
            self.seed = Some(seed);
        }
        newer
    }
}

impl Seed {
    pub(super) fn new(time: Timestamp, rows: &[Relationship]) -> Self {
        let rows = rows
            .iter()
            .map(|row| (row.group.clone(), row.parent.clone()))
            .collect();
        Self { time, rows }
    }
}
