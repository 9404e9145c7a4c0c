//! Where the state lies: one opaque document, with *load* and *compare-and-swap* and nothing else.
//!
//! The swap holds across processes in every home, and is never silently partial. What the document
//! says is none of this module's business.

mod file;
mod hashed;
mod memory;
mod s3;
mod url;

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

pub use self::{
    file::FileStore,
    hashed::Hashed,
    memory::MemoryStore,
    s3::S3Store,
    url::{S3Location, StateUrl, StateUrlError},
};

/// A future that can be held without its type being known; it may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Marks one version of the document; compared by the store alone.
///
/// Two versions with the same bytes may bear the same tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

#[cfg(feature = "planted")]
impl Tag {
    /// A tag that no version bears.
    pub(crate) fn of_no_version() -> Self {
        Self("none".to_owned())
    }
}

/// The document as it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The whole document.
    pub bytes: Vec<u8>,
    /// What a swap that replaces exactly this version must expect.
    pub tag: Tag,
}

impl fmt::Debug for Loaded {
    /// The document names people's departments: it is counted, not printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, tag } = self;
        write!(f, "Loaded({} bytes, {tag:?})", bytes.len())
    }
}

/// What came of a swap.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The document is now the given one, under this tag.
    Won(Tag),
    /// The document was not, or is no longer, the expected one: load again.
    ///
    /// Where the network lost an answer, the write that won may be this very one; whoever loads
    /// again sees it.
    Lost,
}

/// Why the document could not be loaded or swapped.
///
/// After a failed swap either version may be the one that is stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Must be mended by somebody.
    #[error("state {home}: {reason}")]
    Unusable {
        /// The address of the document.
        home: String,
        /// What is wrong.
        reason: String,
    },
    /// Will pass.
    #[error("state {home} is out of reach at present: {reason}")]
    Unavailable {
        /// The address of the document.
        home: String,
        /// What happened.
        reason: String,
    },
}

impl StoreError {
    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unusable { .. } => false,
            Self::Unavailable { .. } => true,
        }
    }
}

/// What has become of a version that was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// It is still the newest.
    Unchanged,
    /// This is; `None` where there is none any more.
    Changed(Option<Loaded>),
}

/// A home for the document.
pub trait StateStore: Send + Sync + fmt::Debug {
    /// The document, or `None` where there is none yet.
    ///
    /// # Errors
    /// [`StoreError`] where that cannot be told; a missing bucket is no missing document.
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>>;

    /// The document, unless it is still the version that bears this tag.
    ///
    /// By default it is read all the same, and spares its reader no more than the decoding. So it is for a file: its tag is a
    /// hash of what it holds, since neither its time nor its number tells that nobody has written into it.
    ///
    /// # Errors
    /// As [`load`](Self::load)'s.
    fn load_since<'a>(&'a self, seen: &'a Tag) -> BoxFuture<'a, Result<Since, StoreError>> {
        Box::pin(async move {
            Ok(match self.load().await? {
                Some(loaded) if loaded.tag == *seen => Since::Unchanged,
                loaded => Since::Changed(loaded),
            })
        })
    }

    /// Replaces the document if it is still the expected one; `None` expects that there is none.
    ///
    /// # Errors
    /// [`StoreError`] where the outcome is not known, or nothing can be written.
    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>>;

    /// As [`swap`](Self::swap), of a document whose beginning is hashed already: for a store that needs its hash.
    ///
    /// # Errors
    /// As [`swap`](Self::swap)'s.
    fn swap_hashed(
        &self,
        bytes: Vec<u8>,
        _hashed: Hashed,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        self.swap(bytes, expected)
    }
}

/// Opens the home that `url` names; nothing is read or written yet.
///
/// `http` and `aws`, which gives the values of AWS's own environment variables, serve `s3:` alone.
/// `timeout` bounds each call, its retries included.
///
/// # Errors
/// [`StoreError::Unusable`] where AWS's variables do not fit together.
pub fn open(
    url: &StateUrl,
    http: &reqwest::Client,
    aws: &dyn Fn(&str) -> Option<String>,
    timeout: Duration,
) -> Result<Arc<dyn StateStore>, StoreError> {
    Ok(match url {
        StateUrl::S3(location) => Arc::new(S3Store::new(location, http, aws, timeout)?),
        StateUrl::File(path) => Arc::new(FileStore::new(path.clone(), timeout)),
        StateUrl::Memory => Arc::new(MemoryStore::default()),
    })
}

#[cfg(test)]
mod tests;
