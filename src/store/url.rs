//! The address of the state, as `STATE_URL` gives it.

use std::{fmt, path::PathBuf, str::FromStr};

/// The address of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateUrl {
    /// `s3://bucket/key`.
    S3(S3Location),
    /// `file:path`, relative to the working directory or absolute.
    File(PathBuf),
    /// `memory:`, gone with the process.
    Memory,
}

/// A bucket and a key in it, neither of them empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    bucket: String,
    key: String,
}

/// A text that is no address of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is none of s3://bucket/key, file:path and memory:")]
pub struct StateUrlError;

impl S3Location {
    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object's key, without a slash at its start.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for StateUrl {
    type Err = StateUrlError;

    fn from_str(text: &str) -> Result<Self, StateUrlError> {
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        if let Some(path) = text.strip_prefix("file:") {
            // `file://name/…` would name another host, by RFC 8089.
            let other_host = path.starts_with("//") && !path.starts_with("///");
            let directory = path.ends_with('/');
            if path.is_empty() || other_host || directory {
                return Err(StateUrlError);
            }
            return Ok(Self::File(path.into()));
        }
        let location = text.strip_prefix("s3://").ok_or(StateUrlError)?;
        let (bucket, key) = location.split_once('/').ok_or(StateUrlError)?;
        // Bucket naming rules:
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        let bucket_fits = (3..=63).contains(&bucket.len())
            && bucket
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
        let key_fits = object_store::path::Path::parse(key).is_ok_and(|path| path.as_ref() == key);
        if !bucket_fits || key.is_empty() || !key_fits {
            return Err(StateUrlError);
        }
        Ok(Self::S3(S3Location {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }))
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, key } = self;
        write!(f, "s3://{bucket}/{key}")
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(location) => location.fmt(f),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        for text in [
            "memory:",
            "file:.bridge/state.json",
            "file:/var/lib/state.json",
            "file:///var/lib/state.json",
            "s3://my-bucket/state.json",
            "s3://my.bucket/a/b/state.json",
        ] {
            let url: StateUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn what_names_no_document_is_refused() {
        for text in [
            "",
            "memory",
            "memory:x",
            "file:",
            "file:dir/",
            "file://host/path",
            "state.json",
            "s3://bucket",
            "s3://bucket/",
            "s3:///key",
            "s3://BUCKET/key",
            "s3://bucket//key",
            "s3://bucket/a/../b",
            "https://bucket.s3.amazonaws.com/key",
        ] {
            assert_eq!(text.parse::<StateUrl>(), Err(StateUrlError), "{text}");
        }
    }
}
