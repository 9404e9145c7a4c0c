//! How a record names a group: by the sender's key, by name and type, or both.

use crate::{
    hierarchy::{Group, GroupRef, Key, Name, NameFault},
    sources::{
        fault::{BodyFault, Faults},
        field::Field,
        given::Asked,
        place::Here,
        reader::Reader,
    },
};

/// The keys of `sources.toml` that name a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) group_type: &'static str,
}

/// The keys of a group itself, of a member and of a chain's level.
pub(super) const OWN: Keys = Keys {
    key: "key",
    name: "name",
    group_type: "type",
};

/// The keys of a group's parent.
pub(super) const PARENT: Keys = Keys {
    key: "parent_key",
    name: "parent_name",
    group_type: "parent_type",
};

/// How a group is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Key(Field),
    Named(NameAndType),
    Both(Field, NameAndType),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameAndType {
    name: Field,
    group_type: Field,
}

impl Reference {
    /// Takes these keys, if there is a key or a name; what is wrong is noted.
    pub(super) fn read(reader: &mut Reader<'_>, keys: Keys) -> Option<Self> {
        let Keys {
            key,
            name,
            group_type,
        } = keys;
        if reader.has(name) && !reader.has(group_type) {
            reader.problem(group_type, format!("is missing: {name} needs it"));
        }
        let key = Field::read(reader, key);
        let name = Field::read(reader, name);
        let group_type = Field::read(reader, group_type);
        let named = name
            .zip(group_type)
            .map(|(name, group_type)| NameAndType { name, group_type });
        match (key, named) {
            (Some(key), None) => Some(Self::Key(key)),
            (None, Some(named)) => Some(Self::Named(named)),
            (Some(key), Some(named)) => Some(Self::Both(key, named)),
            (None, None) => None,
        }
    }

    /// As [`Self::read`], where its absence is a problem.
    pub(super) fn required(reader: &mut Reader<'_>, keys: Keys) -> Option<Self> {
        let Keys { key, name, .. } = keys;
        if !reader.has(key) && !reader.has(name) {
            reader.problem_here(format!("must have {key} or {name}"));
        }
        Self::read(reader, keys)
    }

    fn key(&self) -> Option<&Field> {
        match self {
            Self::Key(key) | Self::Both(key, _) => Some(key),
            Self::Named(_) => None,
        }
    }

    fn named(&self) -> Option<&NameAndType> {
        match self {
            Self::Named(named) | Self::Both(_, named) => Some(named),
            Self::Key(_) => None,
        }
    }

    /// The fields that name the group, its name's first.
    pub(super) fn naming(&self) -> impl Iterator<Item = &Field> {
        let name = self.named().map(|named| &named.name);
        name.into_iter().chain(self.key())
    }

    /// Notes what it asks for of what comes beside the body.
    pub(super) fn asks(&self, asked: &mut Asked) {
        self.key().into_iter().for_each(|key| key.asks(asked));
        if let Some(NameAndType { name, group_type }) = self.named() {
            name.asks(asked);
            group_type.asks(asked);
        }
    }

    /// Whether one of its places is searched for at any depth.
    pub(super) fn descends(&self) -> bool {
        let named = self.named().into_iter();
        let named = named.flat_map(|NameAndType { name, group_type }| [name, group_type]);
        self.key().into_iter().chain(named).any(Field::descends)
    }

    /// The group, if the record names one; a name without a type is a fault.
    pub(super) fn find(&self, here: Here<'_>, faults: &mut Faults) -> Result<Option<GroupRef>, ()> {
        let key = match self.key() {
            Some(field) => read(field, here, faults, Key::new),
            None => Ok(None),
        };
        let group = match self.named() {
            Some(named) => named.find(here, faults),
            None => Ok(None),
        };
        Ok(match (key?, group?) {
            (Some(key), named) => Some(GroupRef::Keyed { key, named }),
            (None, Some(group)) => Some(GroupRef::Named(group)),
            (None, None) => None,
        })
    }

    /// As [`Self::find`], where no group is a fault.
    pub(super) fn demand(&self, here: Here<'_>, faults: &mut Faults) -> Result<GroupRef, ()> {
        let found = self.find(here, faults)?;
        if found.is_none() {
            let field = self.naming().next().into_iter();
            field.for_each(|field| faults.tell_by(|| field.missing(here)));
        }
        found.ok_or(())
    }
}

impl NameAndType {
    fn find(&self, here: Here<'_>, faults: &mut Faults) -> Result<Option<Group>, ()> {
        let Some(name) = read(&self.name, here, faults, Name::new)? else {
            return Ok(None);
        };
        match read(&self.group_type, here, faults, Name::new)? {
            Some(group_type) => Ok(Some(Group::new(name, group_type))),
            None => {
                faults.tell_by(|| self.group_type.missing(here));
                Err(())
            }
        }
    }
}

/// Whether the reference is a key alone.
pub(super) fn is_nameless(group: &GroupRef) -> bool {
    match group {
        GroupRef::Keyed { key: _, named } => named.is_none(),
        GroupRef::Named(_) => false,
    }
}

/// A field's value as what it should be.
pub(super) fn read<T>(
    field: &Field,
    here: Here<'_>,
    faults: &mut Faults,
    make: impl Fn(&str) -> Result<T, NameFault>,
) -> Result<Option<T>, ()> {
    let Some(found) = faults.ok(field.find(here))? else {
        return Ok(None);
    };
    let made: Result<T, BodyFault> =
        make(&found.text).map_err(|fault| found.fault(field, here, fault.to_string()));
    faults.ok(made).map(Some)
}
