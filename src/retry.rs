//! When to try again: capped exponential backoff with full jitter, within a deadline.
//!
//! Full jitter (a wait anywhere between nothing and the present ceiling) spreads invocations that
//! failed together, as in "Exponential Backoff And Jitter" on the AWS Architecture Blog. A server that
//! says when to come back (`Retry-After`, RFC 9110 §10.2.3) is believed; the deadline is not ours to
//! move. Whether a failure is worth another attempt is not decided here but by the failure.

use std::time::{Duration, UNIX_EPOCH};

use tokio::time::Instant;

use crate::timestamp::Timestamp;

/// No further attempt is begun that has less time than this: it would hardly be answered, and it would hide what the one
/// before was answered. A PUT that is given up on its way may land all the same.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);

/// How long to wait between attempts, and how long an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Ceiling of the first wait; it doubles with each attempt.
    pub first: Duration,
    /// Ceiling of every wait.
    pub cap: Duration,
    /// Longest time that one attempt may take, token and answer included.
    pub attempt: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            cap: Duration::from_secs(5),
            attempt: Duration::from_secs(20),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after so many failed attempts (1 or more); `None`: not again.
    ///
    /// `fraction` is the jitter, from 0 to 1. The jitter comes on top of `retry_after`, so that those
    /// who were told the same time do not all come back at it. A wait that would leave no time for an attempt before
    /// the deadline (`left`) is not begun.
    pub fn wait(
        &self,
        failed_attempts: u32,
        fraction: f64,
        retry_after: Option<Duration>,
        left: Duration,
    ) -> Option<Duration> {
        let doublings = failed_attempts.saturating_sub(1).min(31);
        let ceiling = self.first.saturating_mul(1 << doublings).min(self.cap);
        let jitter = ceiling.mul_f64(fraction.clamp(0.0, 1.0));
        let wait = retry_after.unwrap_or_default().saturating_add(jitter);
        (wait.saturating_add(SHORTEST_ATTEMPT) < left).then_some(wait)
    }
}

/// The attempts at one thing, up to its deadline.
#[derive(Debug)]
pub struct Attempts {
    policy: RetryPolicy,
    deadline: Instant,
    failed: u32,
}

impl Attempts {
    /// None has been made yet.
    pub fn new(policy: RetryPolicy, deadline: Instant) -> Self {
        Self {
            policy,
            deadline,
            failed: 0,
        }
    }

    /// When an attempt that begins now is to be given up; never after the deadline.
    pub fn give_up_at(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.policy.attempt)
            .map_or(self.deadline, |end| end.min(self.deadline))
    }

    /// Waits until it is time for another attempt; false, at once, where there is no time for one.
    pub async fn another(&mut self, retry_after: Option<Duration>) -> bool {
        self.failed = self.failed.saturating_add(1);
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self
            .policy
            .wait(self.failed, fastrand::f64(), retry_after, left)
        {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                true
            }
            None => false,
        }
    }
}

/// How long a `Retry-After` header asks to wait, as seconds or as an HTTP date; `None` where it is
/// neither.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::default().plus(since_epoch).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        first: Duration::from_millis(100),
        cap: Duration::from_millis(1_000),
        attempt: Duration::from_secs(20),
    };

    fn wait_ms(
        failed: u32,
        fraction: f64,
        retry_after_ms: Option<u64>,
        left_ms: u64,
    ) -> Option<u128> {
        let retry_after = retry_after_ms.map(Duration::from_millis);
        let wait = POLICY.wait(
            failed,
            fraction,
            retry_after,
            Duration::from_millis(left_ms),
        );
        wait.map(|wait| wait.as_millis())
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let ceilings =
            [1, 2, 3, 4, 5, 6, 40, u32::MAX].map(|failed| wait_ms(failed, 1.0, None, 60_000));
        assert_eq!(
            ceilings,
            [100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000].map(Some)
        );
    }

    #[test]
    fn the_jitter_is_full() {
        assert_eq!(wait_ms(3, 0.0, None, 60_000), Some(0));
        assert_eq!(wait_ms(3, 0.5, None, 60_000), Some(200));
    }

    #[test]
    fn nobody_comes_back_before_retry_after() {
        assert_eq!(wait_ms(1, 0.0, Some(3_000), 60_000), Some(3_000));
        assert_eq!(wait_ms(1, 1.0, Some(3_000), 60_000), Some(3_100));
    }

    #[test]
    fn a_wait_that_outlasts_the_deadline_is_not_begun() {
        assert_eq!(wait_ms(1, 1.0, None, 100), None);
        assert_eq!(wait_ms(1, 0.0, Some(60_000), 60_000), None);
        assert_eq!(wait_ms(1, 0.0, Some(u64::MAX), 60_000), None);
        assert_eq!(wait_ms(1, 0.0, None, 0), None);
    }

    #[test]
    fn an_attempt_that_would_hardly_be_answered_is_not_begun() {
        assert_eq!(wait_ms(1, 0.0, None, 250), None);
        assert_eq!(wait_ms(1, 0.0, None, 251), Some(0));
        assert_eq!(wait_ms(1, 1.0, None, 350), None);
        assert_eq!(wait_ms(1, 1.0, None, 351), Some(100));
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let now = Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").unwrap();
        let check = |header, expected: Option<u64>| {
            assert_eq!(
                retry_after(header, now),
                expected.map(Duration::from_secs),
                "{header}"
            );
        };
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("Sun, 22 Nov 2026 10:00:30 GMT", Some(30));
        check("Sun, 22 Nov 2026 09:00:00 GMT", Some(0));
        check("soon", None);
        check("-1", None);
        check("", None);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_end_before_the_deadline() {
        let start = Instant::now();
        let deadline = start + Duration::from_secs(10);
        let mut attempts = Attempts::new(POLICY, deadline);
        let mut made = 1;
        while attempts.another(None).await {
            made += 1;
            assert!(Instant::now() < deadline);
        }
        assert!(made > 10, "only {made} attempts in 10 seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_waits_as_long_as_it_was_told() {
        let start = Instant::now();
        let mut attempts = Attempts::new(POLICY, start + Duration::from_secs(60));
        assert!(attempts.another(Some(Duration::from_secs(7))).await);
        assert!(start.elapsed() >= Duration::from_secs(7));
        let before = start.elapsed();
        assert!(!attempts.another(Some(Duration::from_secs(55))).await);
        assert_eq!(start.elapsed(), before, "giving up takes no time");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_given_up_at_the_deadline_at_the_latest() {
        let start = Instant::now();
        let attempts = |left| Attempts::new(POLICY, start + Duration::from_secs(left));
        assert_eq!(attempts(60).give_up_at(), start + POLICY.attempt);
        assert_eq!(attempts(3).give_up_at(), start + Duration::from_secs(3));
    }
}
