//! What is asked of the object: the method, the condition, and whether it may be asked again.

use lambda_http::http::Response;
use object_store::client::HttpErrorKind;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};

use crate::{aws::Failure, store::Tag};

/// An answer with all of its body.
pub(super) type Answer = Response<Vec<u8>>;

/// What is asked of the object.
pub(super) enum Question<'a> {
    /// The document, unless it is this version.
    Read { unless: Option<&'a Tag> },
    /// To be made, if there is none.
    Create,
    /// To be replaced, if it is this version.
    Replace(&'a Tag),
}

impl Question<'_> {
    pub(super) fn method(&self) -> Method {
        match self {
            Self::Read { .. } => Method::GET,
            Self::Create | Self::Replace(_) => Method::PUT,
        }
    }

    /// The header that it hangs on, where there is one; `None` where the tag cannot stand in a header.
    pub(super) fn condition(&self) -> Option<HeaderMap> {
        let (name, value) = match self {
            Self::Read { unless: None } => return Some(HeaderMap::new()),
            Self::Read {
                unless: Some(Tag(etag)),
            } => (IF_NONE_MATCH, etag.as_str()),
            Self::Create => (IF_NONE_MATCH, "*"),
            Self::Replace(Tag(etag)) => (IF_MATCH, etag.as_str()),
        };
        let value = HeaderValue::try_from(value).ok()?;
        Some(HeaderMap::from_iter([(name, value)]))
    }

    /// Whether the same request may fare better.
    pub(super) fn may_be_repeated(&self, outcome: &Result<Answer, Failure>) -> bool {
        match outcome {
            Ok(answer) => match answer.status().as_u16() {
                408 | 429 | 500.. => true,
                // Somebody else was writing, which may have come to nothing.
                409 => matches!(self, Self::Replace(_)),
                _ => false,
            },
            Err(failure) => match failure.kind() {
                HttpErrorKind::Connect | HttpErrorKind::Request => true,
                HttpErrorKind::Timeout | HttpErrorKind::Interrupted => {
                    matches!(self, Self::Read { .. })
                }
                _ => false,
            },
        }
    }
}
