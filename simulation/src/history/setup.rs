//! What holds for a whole history: its instances, its weather, its limits.

use fastrand::Rng;

use super::choose;

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// By how much each instance's clock is wrong.
    pub(crate) skews_ms: Vec<i64>,
    /// Which instance only looks.
    pub(crate) dry_run: Option<usize>,
    pub(crate) lambda_seconds: u64,
    pub(crate) weather: Weather,
    pub(crate) guard_percent: u8,
    pub(crate) guard_groups: usize,
    pub(crate) seed_required: bool,
    pub(crate) tombstone_days: u64,
    pub(crate) credential: Credential,
    pub(crate) token_life_seconds: i64,
    /// One source, names alone, no cycles: what must come out is known without the function's code.
    pub(crate) plain: bool,
    /// Webhooks are queued.
    pub(crate) queued: bool,
}

/// How much goes wrong, in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Of calls to Calven and APIs.
    pub(crate) calls: u32,
    /// Of calls to the store.
    pub(crate) store: u32,
    /// Of calls to the secrets' home.
    pub(crate) secrets: u32,
    /// Of invocations: killed at some await.
    pub(crate) kills: u32,
    /// Of invocations: frozen at some await.
    pub(crate) freezes: u32,
    /// Of Calven's failures: the PUT lands later all the same.
    pub(crate) late: u32,
    /// Of queued messages: they come late, twice, or though they were done with.
    pub(crate) messages: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Basic,
    ClientSecret,
}

impl Setup {
    /// Whether what ended is forgotten before the history ends.
    pub(crate) fn forgets(&self) -> bool {
        self.tombstone_days < 90
    }

    pub(super) fn any(rng: &mut Rng) -> Self {
        let instances = rng.usize(1..5);
        let skew = |rng: &mut Rng| match rng.u32(0..10) {
            0..6 => 0,
            6..9 => rng.i64(-1_500..1_500),
            _ => rng.i64(-20_000..20_000),
        };
        let skews_ms: Vec<i64> = (0..instances).map(|_| skew(rng)).collect();
        let tombstone_days = if rng.u32(0..8) == 0 { 1 } else { 90 };
        Self {
            dry_run: (instances > 1 && rng.u32(0..30) == 0).then(|| rng.usize(0..instances)),
            skews_ms,
            lambda_seconds: choose(rng, &[20, 30, 60]),
            weather: Weather::any(rng),
            guard_percent: choose(rng, &[10, 20, 100]),
            guard_groups: rng.usize(0..4),
            seed_required: rng.u32(0..4) > 0,
            tombstone_days,
            credential: choose(
                rng,
                &[
                    Credential::Basic,
                    Credential::ClientSecret,
                    Credential::ClientSecret,
                ],
            ),
            token_life_seconds: choose(rng, &[60, 300, 3_600]),
            plain: rng.u32(0..3) == 0,
            queued: rng.u32(0..5) < 2,
        }
    }
}

impl Weather {
    /// Nothing goes wrong.
    pub(crate) const CALM: Self = Self {
        calls: 0,
        store: 0,
        secrets: 0,
        kills: 0,
        freezes: 0,
        late: 0,
        messages: 0,
    };

    fn any(rng: &mut Rng) -> Self {
        let crashes = rng.u32(0..2) == 0;
        let (calls, store) = match rng.u32(0..10) {
            0 => (0, 0),
            1..4 => (5, 3),
            4..8 => (20, 8),
            _ => (40, 25),
        };
        Self {
            calls,
            store,
            secrets: choose(rng, &[0, 2, 10]),
            kills: if crashes {
                choose(rng, &[5, 15, 30])
            } else {
                0
            },
            freezes: if crashes || rng.bool() {
                choose(rng, &[0, 5, 15])
            } else {
                0
            },
            late: if crashes {
                choose(rng, &[0, 20, 50])
            } else {
                0
            },
            messages: choose(rng, &[0, 5, 20]),
        }
    }
}
