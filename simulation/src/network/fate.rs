//! What becomes of a request, by chance.

use fastrand::Rng;

use crate::history::choose;

/// What takes longer was slowed down by chance.
const SLOW_MS: u64 = 150;

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) there_ms: u64,
    pub(super) back_ms: u64,
    pub(super) arrives: bool,
    pub(super) told: Told,
    /// It arrives once more, so many milliseconds after it was answered.
    pub(super) again_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Answer,
    /// Another status than the true one, and when to come back.
    Status(u16, Option<&'static str>),
    /// No connection.
    NoConnection,
    /// The connection breaks.
    Reset,
    Nothing,
    /// The body ends too soon.
    CutOff,
}

impl Fate {
    fn good(rng: &mut Rng) -> Self {
        Self {
            there_ms: rng.u64(1..SLOW_MS),
            back_ms: rng.u64(1..SLOW_MS),
            arrives: true,
            told: Told::Answer,
            again_ms: None,
        }
    }

    /// Whether it arrives soon, and the true answer comes back soon.
    pub(super) fn is_good(&self) -> bool {
        let Self {
            there_ms,
            back_ms,
            arrives: _,
            told,
            again_ms: _,
        } = self;
        matches!(told, Told::Answer) && *there_ms < SLOW_MS && *back_ms < SLOW_MS
    }

    pub(super) fn any(rng: &mut Rng, percent: u32, late: u32, is_gone: bool) -> Self {
        let good = Self::good(rng);
        if is_gone {
            let told = match rng.bool() {
                true => Told::NoConnection,
                false => Told::Status(403, None),
            };
            return Self {
                arrives: false,
                told,
                ..good
            };
        }
        if rng.u32(0..100) >= percent {
            return good;
        }
        let is_late = rng.u32(0..100) < late;
        let again_ms = is_late.then(|| rng.u64(1..30_000));
        let status = |status, retry_after, arrives| Self {
            arrives,
            told: Told::Status(status, retry_after),
            ..good
        };
        match rng.u32(0..16) {
            0 => Self {
                arrives: false,
                told: Told::NoConnection,
                ..good
            },
            1 => Self {
                arrives: false,
                told: Told::Reset,
                again_ms,
                ..good
            },
            2..4 => Self {
                told: Told::Reset,
                again_ms,
                ..good
            },
            4 => status(500, None, false),
            5 => Self {
                again_ms,
                ..status(503, Some("2"), true)
            },
            6 => status(429, Some("1"), false),
            7 => status(429, Some("Sat, 10 Jan 2026 12:00:30 GMT"), false),
            8 => status(choose(rng, &[400, 401, 403, 409]), None, false),
            9 => Self {
                told: Told::Nothing,
                ..good
            },
            10 => Self {
                arrives: false,
                told: Told::Nothing,
                again_ms,
                ..good
            },
            11 => Self {
                told: Told::CutOff,
                ..good
            },
            12 => Self {
                back_ms: rng.u64(1_000..30_000),
                ..good
            },
            13 if is_late => Self {
                there_ms: rng.u64(1_000..30_000),
                ..good
            },
            14 => Self { again_ms, ..good },
            _ => Self {
                there_ms: rng.u64(SLOW_MS..3_000),
                ..good
            },
        }
    }
}
