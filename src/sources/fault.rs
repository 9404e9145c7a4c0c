//! What does not fit in a body, and where: for the one who reads the answer or the log, so a fault names the place and the
//! key by which it was read, and never quotes the body's values.

use std::fmt;

use super::reader::KeyPath;

/// One thing in a body that does not fit, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyFault {
    /// Where: `changes[0].parentType` of our own contract, `$['data'][0]['name']` of others'; empty for the body itself.
    pub path: String,
    /// What is wrong there; never quotes the body.
    pub detail: String,
    /// The key of `sources.toml` that wants it otherwise; none where it is our own contract.
    pub key: Option<KeyPath>,
}

impl BodyFault {
    /// A fault against our own contract.
    pub fn new(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            detail: detail.into(),
            key: None,
        }
    }

    /// The same fault, against what this key says.
    #[must_use]
    pub fn by(self, key: &KeyPath) -> Self {
        Self {
            key: Some(key.clone()),
            ..self
        }
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, detail, key } = self;
        write!(f, "{path} {detail}")?;
        match key {
            Some(key) => write!(f, " (by {key})"),
            None => Ok(()),
        }
    }
}

/// So many faults are told one by one: an answer has its own limit of size, and a small body of
/// nothing but faults would exceed it.
pub(super) const FAULTS_TOLD: usize = 1_000;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults {
    told: Vec<BodyFault>,
    others: usize,
}

impl Faults {
    pub(super) fn add(&mut self, path: impl Into<String>, detail: impl Into<String>) {
        self.tell(BodyFault::new(path, detail));
    }

    pub(super) fn tell(&mut self, fault: BodyFault) {
        self.tell_by(|| fault);
    }

    /// As [`Self::tell`], of a fault that is only made where it is told.
    pub(super) fn tell_by(&mut self, fault: impl FnOnce() -> BodyFault) {
        if self.told.len() < FAULTS_TOLD {
            self.told.push(fault());
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    /// The value, or nothing and its fault is told.
    pub(super) fn ok<T>(&mut self, read: Result<T, BodyFault>) -> Result<T, ()> {
        read.map_err(|fault| self.tell(fault))
    }

    /// The faults to tell; the last one counts the others.
    pub(super) fn told(mut self) -> Vec<BodyFault> {
        if self.others > 0 {
            let others = format!("has {} more faults", self.others);
            self.told.push(BodyFault::new("", others));
        }
        self.told
    }

    pub(super) fn finish(self) -> Result<(), Vec<BodyFault>> {
        let told = self.told();
        if told.is_empty() { Ok(()) } else { Err(told) }
    }
}
