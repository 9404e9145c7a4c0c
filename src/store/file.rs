//! The state in a file, for a single machine.
//!
//! Writers take the operating system's lock on `<path>.lock`, which dies with its holder, and write
//! aside: `<path>.tmp` is written, synced and renamed over the document, and the directory is synced.
//! So a reader needs no lock, and a killed writer leaves the old document or the new one. Its
//! `<path>.tmp` is overwritten by the next writer.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use super::{BoxFuture, Loaded, StateStore, StoreError, Swap, Tag};

/// How long a writer sleeps before it tries a taken lock again.
///
/// A blocking `lock` could not be given up, and a write after its caller has been told that it
/// failed is worth avoiding.
const LOCK_RETRY: Duration = Duration::from_millis(2);

/// One file, swapped under a lock.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
    timeout: Duration,
}

impl FileStore {
    /// `timeout` bounds how long a swap waits for the lock.
    pub fn new(path: PathBuf, timeout: Duration) -> Self {
        Self { path, timeout }
    }

    fn read(&self) -> Result<Option<Loaded>, StoreError> {
        match fs::read(&self.path) {
            Ok(bytes) => {
                let tag = tag_of(&bytes);
                Ok(Some(Loaded { bytes, tag }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error("reading it", &error)),
        }
    }

    fn write(&self, bytes: &[u8], expected: Option<&Tag>) -> Result<Swap, StoreError> {
        let parent = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|error| self.error("creating its folder", &error))?;
        let _lock = self.lock()?;
        if self.read()?.as_ref().map(|held| &held.tag) != expected {
            return Ok(Swap::Lost);
        }
        self.replace(bytes, parent)
            .map_err(|error| self.error("writing it", &error))?;
        Ok(Swap::Won(tag_of(bytes)))
    }

    fn lock(&self) -> Result<File, StoreError> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.beside(".lock"))
            .map_err(|error| self.error("opening its lock", &error))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if started.elapsed() < self.timeout => {
                    thread::sleep(LOCK_RETRY);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Unavailable {
                        home: self.home(),
                        reason: format!("its lock was not free within {:?}", self.timeout),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(self.error("locking it", &error)),
            }
        }
    }

    fn replace(&self, bytes: &[u8], parent: &Path) -> io::Result<()> {
        let aside = self.beside(".tmp");
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, &self.path)?;
        // Only unix opens a directory as a file; elsewhere the rename is as durable as it gets.
        if cfg!(unix) {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(ending);
        name.into()
    }

    fn home(&self) -> String {
        format!("file:{}", self.path.display())
    }

    fn error(&self, doing: &str, error: &io::Error) -> StoreError {
        let (home, reason) = (self.home(), format!("{doing}: {error}"));
        match error.kind() {
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotFound
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::Unsupported => StoreError::Unusable { home, reason },
            _ => StoreError::Unavailable { home, reason },
        }
    }

    /// Runs what blocks where blocking harms nobody.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store))
            .await
            .unwrap_or_else(|_| {
                Err(StoreError::Unavailable {
                    home: self.home(),
                    reason: "the process is ending".to_owned(),
                })
            })
    }
}

fn tag_of(bytes: &[u8]) -> Tag {
    Tag(hex::encode(Sha256::digest(bytes)))
}

impl StateStore for FileStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        Box::pin(self.aside(Self::read))
    }

    fn swap(
        &self,
        bytes: Vec<u8>,
        expected: Option<Tag>,
    ) -> BoxFuture<'_, Result<Swap, StoreError>> {
        Box::pin(self.aside(move |store| store.write(&bytes, expected.as_ref())))
    }
}
