//! Bearer tokens that are reused until shortly before they end.
//!
//! One token is kept, for one version of one secret: after a rotation the old one's token is not used
//! on, it may be another tenant's. Who finds none waits for the one who is fetching it already.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use serde::{Deserialize as _, Deserializer};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use crate::timestamp::Timestamp;

/// A token is given up this long before its end, or a tenth of its life if that is shorter: it must
/// last for the request that it is about to be used for.
const LONGEST_MARGIN: Duration = Duration::from_secs(60);

/// A token that has just been fetched.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The token.
    pub(crate) value: SecretString,
    /// When it ends; `None` where that was not said, so that it is used once.
    pub(crate) ends_at: Option<Timestamp>,
}

/// A token in use.
#[derive(Debug)]
pub(crate) struct Token {
    /// The token.
    pub(crate) value: SecretString,
    /// Tells tokens apart without comparing them.
    pub(crate) serial: u64,
    secret_version: String,
    good_until: Timestamp,
}

/// The one token that is kept.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    fetched: u64,
    token: Option<Arc<Token>>,
}

/// The one who is fetching a token did not come back in time.
#[derive(Debug)]
pub(crate) struct Busy;

impl Kept {
    fn good(
        &self,
        secret_version: &str,
        refused: Option<u64>,
        now: Timestamp,
    ) -> Option<&Arc<Token>> {
        #[cfg(feature = "planted")]
        let refused = refused.filter(|_| !crate::planted::has(crate::planted::Bug::StaleTokenKept));
        self.token.as_ref().filter(|token| {
            token.secret_version == secret_version
                && now < token.good_until
                && refused != Some(token.serial)
        })
    }
}

impl Tokens {
    /// The kept token, if it is such a one and nobody is at it: for who would make a request for another one only where it is needed.
    pub(crate) fn kept(
        &self,
        secret_version: &str,
        refused: Option<u64>,
        now: Timestamp,
    ) -> Option<Arc<Token>> {
        let kept = self.0.try_lock().ok()?;
        kept.good(secret_version, refused, now).map(Arc::clone)
    }

    /// The kept token, if it is of this version of the secret, will not end soon, and is not the one
    /// that was `refused`; else the one that `fetch` fetches.
    pub(crate) async fn get<E: From<Busy>>(
        &self,
        secret_version: &str,
        refused: Option<u64>,
        now: Timestamp,
        until: Instant,
        fetch: impl AsyncFnOnce() -> Result<Fetched, E>,
    ) -> Result<Arc<Token>, E> {
        let mut kept = timeout_at(until, self.0.lock()).await.map_err(|_| Busy)?;
        if let Some(token) = kept.good(secret_version, refused, now) {
            return Ok(Arc::clone(token));
        }
        let Fetched { value, ends_at } = fetch().await?;
        kept.fetched = kept.fetched.wrapping_add(1);
        let token = Arc::new(Token {
            value,
            serial: kept.fetched,
            secret_version: secret_version.to_owned(),
            good_until: ends_at.map_or(now, |end| good_until(now, end)),
        });
        kept.token = Some(Arc::clone(&token));
        Ok(token)
    }
}

fn good_until(now: Timestamp, end: Timestamp) -> Timestamp {
    let life = end.since(now);
    end.minus(LONGEST_MARGIN.min(life / 10))
}

/// Reads a text into memory that is wiped; secrecy's own reading would need a feature that lets
/// secrets be written as well.
pub(crate) fn secret_text<'de, D: Deserializer<'de>>(value: D) -> Result<SecretString, D::Error> {
    String::deserialize(value).map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_given_up_a_minute_or_a_tenth_of_its_life_before_its_end() {
        let now = Timestamp::from_seconds(1_000_000);
        let check = |life_seconds, expected_seconds| {
            let end = now.plus(Duration::from_secs(life_seconds));
            assert_eq!(
                good_until(now, end).since(now),
                Duration::from_secs(expected_seconds)
            );
        };
        check(3_600, 3_540);
        check(300, 270);
        check(0, 0);
    }

    #[tokio::test]
    async fn only_what_would_not_be_fetched_anew_is_kept() {
        let tokens = Tokens::default();
        let at = Timestamp::from_seconds;
        assert!(tokens.kept("v1", None, at(0)).is_none());
        let until = Instant::now() + Duration::from_secs(10);
        let fetched = tokens.get("v1", None, at(0), until, async || {
            // Who is at it has it yet to keep.
            assert!(tokens.kept("v1", None, at(0)).is_none());
            Ok::<_, Busy>(Fetched {
                value: "t".into(),
                ends_at: Some(at(300)),
            })
        });
        let serial = fetched.await.unwrap().serial;
        let kept = |version, refused, now| tokens.kept(version, refused, now).is_some();
        assert!(kept("v1", None, at(269)) && kept("v1", Some(serial + 1), at(0)));
        assert!(!kept("v1", None, at(270)) && !kept("v2", None, at(0)));
        assert!(!kept("v1", Some(serial), at(0)));
    }

    #[tokio::test]
    async fn many_who_need_a_token_at_once_fetch_one() {
        let tokens = Tokens::default();
        let now = Timestamp::from_seconds(0);
        let until = Instant::now() + Duration::from_secs(10);
        let get = || {
            tokens.get("v1", None, now, until, async || {
                tokio::task::yield_now().await;
                Ok::<_, Busy>(Fetched {
                    value: "t".into(),
                    ends_at: Some(Timestamp::from_seconds(300)),
                })
            })
        };
        let (a, b, c) = tokio::join!(get(), get(), get());
        assert_eq!([a, b, c].map(|token| token.unwrap().serial), [1, 1, 1]);
    }
}
