//! What happens in a history, step by step.

use fastrand::Rng;
use serde_json::Value;

use super::{Post, Setup, What, choose};
use crate::{
    api,
    proof::{BAMBOO, KOMBO},
};

/// Makes one step after the other.
pub(super) struct Maker<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) setup: &'a Setup,
    /// How many webhooks were made.
    pub(super) events: u64,
}

impl Maker<'_> {
    pub(super) fn step(&mut self, now_ms: i64) -> What {
        if self.setup.plain {
            return match self.rng.u32(0..20) {
                0..11 => What::Post(self.post(now_ms)),
                11..13 => What::Burst(self.burst(now_ms)),
                13 => What::Approve {
                    thinks_ms: self.rng.u64(100..20_000),
                },
                14..16 => What::Reconcile,
                16 => What::RotateKey,
                17 => What::RevokeTokens,
                18 => What::CalvenGone {
                    for_ms: self.rng.u64(1_000..60_000),
                },
                _ => What::StoreGone {
                    for_ms: self.rng.u64(1_000..20_000),
                },
            };
        }
        match self.rng.u32(0..40) {
            0..20 => What::Post(self.post(now_ms)),
            20..23 => What::Burst(self.burst(now_ms)),
            23 => {
                let at = now_ms - self.rng.i64(0..600_000);
                What::Seed {
                    event: self.seed(at),
                }
            }
            24..27 => What::Approve {
                thinks_ms: self.rng.u64(100..20_000),
            },
            27 => What::Rollback {
                back: self.rng.u64(0..3),
            },
            28..31 => What::Reconcile,
            31 => What::RotateKey,
            32 => What::RotateSecret {
                source: choose(self.rng, &["acme", "beta", BAMBOO, KOMBO]),
            },
            33 => What::RevokeTokens,
            34..36 => What::ApiChanges(api::any_changes(self.rng)),
            36 => What::ApiGone {
                for_ms: self.rng.u64(1_000..60_000),
            },
            37 => What::CalvenGone {
                for_ms: self.rng.u64(1_000..60_000),
            },
            38 => What::StoreGone {
                for_ms: self.rng.u64(1_000..20_000),
            },
            _ => What::Post(self.snapshot(now_ms)),
        }
    }

    fn burst(&mut self, now_ms: i64) -> Vec<Post> {
        let count = self.rng.usize(1..5);
        let is_of_one_change = !self.setup.plain && self.rng.u32(0..3) == 0;
        let one = |maker: &mut Self| match is_of_one_change {
            true => maker.thin(),
            false => maker.post(now_ms),
        };
        (0..count).map(|_| one(self)).collect()
    }

    fn post(&mut self, now_ms: i64) -> Post {
        // Where what ended is forgotten nobody says old things again.
        let is_late = !self.setup.forgets() && self.rng.bool();
        let ago = if is_late {
            self.rng.i64(0..600_000)
        } else {
            self.rng.i64(0..2_000)
        };
        let said_ms = now_ms - ago;
        if self.setup.plain {
            return self.plain_post(said_ms);
        }
        match self.rng.u32(0..10) {
            0..4 => self.names(said_ms),
            4..6 => self.keys(said_ms),
            6..8 => self.persons(said_ms),
            _ => self.thin(),
        }
    }

    pub(super) fn event(
        &mut self,
        source: &'static str,
        body: Value,
        newest_ms: Option<i64>,
    ) -> Post {
        let skew_ms = match self.rng.u32(0..12) {
            0..9 => 0,
            9..11 => self.rng.i64(-60_000..60_000),
            _ => self.rng.i64(-400_000..400_000),
        };
        Post {
            source,
            id: format!("evt_{}", self.events),
            body: body.to_string(),
            newest_ms,
            marker: None,
            skew_ms,
            attempts: choose(self.rng, &[1, 3, 6, 12]),
            backoff_ms: self.rng.u64(200..20_000),
            patience_ms: choose(self.rng, &[3_000, 10_000, 60_000]),
            again_ms: (self.rng.u32(0..5) == 0).then(|| self.rng.u64(0..120_000)),
        }
    }
}
