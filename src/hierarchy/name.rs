//! Names of groups, of their types, and the senders' keys for them.
//!
//! Calven identifies a group by name and type together, letter for letter, so a name is cleaned of
//! what cannot be seen (outer and repeated white space, Unicode composition) and of nothing else.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The longest name, type or key that is taken, in bytes after cleaning.
pub const MAX_NAME_BYTES: usize = 1024;

/// A clean name: trimmed, inner white space collapsed to one space, in NFC, not empty, without
/// control characters.
#[derive(Clone, Debug)]
pub struct Name(Arc<str>);

// As derived, but that most names that are compared are one and the same text in memory.

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        match Arc::ptr_eq(&self.0, &other.0) {
            true => Ordering::Equal,
            false => self.0.cmp(&other.0),
        }
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// The name of a group's type, such as `Department`.
pub type GroupType = Name;

/// Why a text cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nothing is left after trimming.
    #[error("must not be empty")]
    Empty,
    /// It holds a control character other than white space.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// It is longer than [`MAX_NAME_BYTES`].
    #[error("must not be longer than {MAX_NAME_BYTES} bytes")]
    TooLong,
}

impl Name {
    /// Cleans `text` and takes it.
    ///
    /// # Errors
    /// [`NameFault`] where it is empty, too long or has a control character. Tabs and line breaks
    /// count as control characters: no directory sends them in an attribute's value.
    pub fn new(text: &str) -> Result<Self, NameFault> {
        if is_plain(text) {
            return Ok(Self(text.into()));
        }
        if text.chars().any(char::is_control) {
            return Err(NameFault::ControlCharacter);
        }
        let mut clean = String::with_capacity(text.len());
        for word in text.split_whitespace() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.push_str(word);
        }
        if !is_nfc(&clean) {
            clean = clean.nfc().collect();
        }
        if clean.is_empty() {
            return Err(NameFault::Empty);
        }
        if clean.len() > MAX_NAME_BYTES {
            return Err(NameFault::TooLong);
        }
        Ok(Self(clean.into()))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many bytes it has within JSON's quotes: control characters it has none.
    pub fn json_bytes(&self) -> usize {
        let escaped = self.0.bytes().filter(|byte| matches!(byte, b'"' | b'\\'));
        self.0.len() + escaped.count()
    }

    /// This name with the sender's key behind it, to tell it from another of the same name; cut
    /// where both are too long for one name, since a state that holds it must be readable again.
    pub(super) fn numbered(&self, key: &Key) -> Self {
        let behind = format!(" ({})", key.as_str());
        let fits = |at: &usize| at.saturating_add(behind.len()) <= MAX_NAME_BYTES;
        let ends = self.0.char_indices().map(|(at, _)| at);
        let end = ends.chain([self.0.len()]).rfind(fits).unwrap_or(0);
        let stem = self.0.get(..end).unwrap_or_default();
        Self(format!("{}{behind}", stem.trim_end()).into())
    }
}

/// Whether it is plain to see that nothing is to be cleaned: most names are printable ASCII.
fn is_plain(text: &str) -> bool {
    let mut after_space = true;
    let is_clean = text.bytes().all(|byte| {
        let is_space = byte == b' ';
        !(std::mem::replace(&mut after_space, is_space) && is_space) && matches!(byte, b' '..=b'~')
    });
    is_clean && !after_space && text.len() <= MAX_NAME_BYTES
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Takes the text where it stands: a state has many of them.
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name, E> {
                Name::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A group as Calven knows it: type and name together. Ordered by type, then name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(GroupType, Name)", into = "(GroupType, Name)")]
pub struct Group {
    /// Its type.
    pub group_type: GroupType,
    /// Its name.
    pub name: Name,
}

impl Group {
    /// The group of this name and type.
    pub fn new(name: Name, group_type: GroupType) -> Self {
        Self { group_type, name }
    }

    /// How many bytes its type and name have within JSON's quotes.
    pub fn json_bytes(&self) -> usize {
        self.group_type.json_bytes() + self.name.json_bytes()
    }
}

impl From<(GroupType, Name)> for Group {
    fn from((group_type, name): (GroupType, Name)) -> Self {
        Self { group_type, name }
    }
}

impl From<Group> for (GroupType, Name) {
    fn from(group: Group) -> Self {
        (group.group_type, group.name)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.group_type, self.name.as_str())
    }
}

/// A sender's own id for a group: it stays when the group is renamed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Name);

impl Key {
    /// Takes a sender's id, cleaned as a name is.
    ///
    /// # Errors
    /// As [`Name::new`].
    pub fn new(text: &str) -> Result<Self, NameFault> {
        Name::new(text).map(Self)
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Orders keys that are numbers as numbers, before all others.
    pub(super) fn rank(&self) -> (u64, &Self) {
        (self.as_str().parse().unwrap_or(u64::MAX), self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: Result<&str, NameFault>) {
        let name = Name::new(input);
        assert_eq!(
            name.as_ref().map(Name::as_str),
            expected.as_ref().copied(),
            "{input:?}"
        );
    }

    #[test]
    fn a_name_is_trimmed_and_its_inner_white_space_collapsed() {
        check("  Channel   Marketing ", Ok("Channel Marketing"));
        check("Channel\u{a0}Marketing", Ok("Channel Marketing"));
    }

    #[test]
    fn a_plain_name_is_taken_as_it_is() {
        for (text, plain) in [
            ("Channel Marketing", true),
            ("R&D ~ 1", true),
            ("", false),
            (" ", false),
            (" a", false),
            ("a ", false),
            ("a  b", false),
            ("a\tb", false),
            ("a\u{7f}", false),
            ("Caf\u{e9}", false),
        ] {
            assert_eq!(is_plain(text), plain, "{text:?}");
        }
    }

    #[test]
    fn a_name_is_composed_and_keeps_its_case() {
        check("Cafe\u{301} R&D", Ok("Caf\u{e9} R&D"));
        check("mArKeTiNg", Ok("mArKeTiNg"));
    }

    #[test]
    fn empty_names_and_control_characters_are_refused() {
        check("", Err(NameFault::Empty));
        check(" \u{2003} ", Err(NameFault::Empty));
        check("a\u{0}b", Err(NameFault::ControlCharacter));
        check("a\nb", Err(NameFault::ControlCharacter));
        check("a\u{85}b", Err(NameFault::ControlCharacter));
    }

    #[test]
    fn a_name_of_a_kilobyte_is_the_longest() {
        assert!(Name::new(&"x".repeat(MAX_NAME_BYTES)).is_ok());
        check(&"x".repeat(MAX_NAME_BYTES + 1), Err(NameFault::TooLong));
    }

    #[test]
    fn numeric_keys_are_ordered_as_numbers() {
        let [nine, ten, word] = ["9", "10", "x"].map(|k| Key::new(k).unwrap());
        assert!(nine.rank() < ten.rank() && ten.rank() < word.rank());
    }
}
