//! What happens in one history, as data: all of it follows from the seed.

mod bodies;
mod setup;
mod steps;

use std::{collections::BTreeSet, fmt};

use fastrand::Rng;
use serde_json::Value;

pub(crate) use self::setup::{Credential, Setup, Weather};
use self::steps::Maker;
use crate::api;

/// When histories begin: seconds since 1970.
pub(crate) const BEGINNING: i64 = 1_768_046_400;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// One history.
#[derive(Clone, Debug)]
pub struct History {
    /// What all of it follows from.
    pub seed: u64,
    pub(crate) setup: Setup,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub struct Step {
    /// Names it, also once others are taken away; what goes wrong with it follows from this number.
    pub number: u64,
    pub(crate) at_ms: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A sender posts a webhook.
    Post(Post),
    /// Several webhooks at nearly the same time.
    Burst(Vec<Post>),
    /// An operator's complete set.
    Seed { event: Value },
    /// An operator looks at the plan, thinks, and approves it.
    Approve { thinks_ms: u64 },
    /// An operator goes back so many versions.
    Rollback { back: u64 },
    /// The schedule.
    Reconcile,
    /// Calven's key is another one from now on.
    RotateKey,
    /// A source's signing secret is another one from now on.
    RotateSecret { source: &'static str },
    /// Calven's tokens end at once.
    RevokeTokens,
    /// The thin source's groups are others.
    ApiChanges(Vec<api::Change>),
    /// Calven is not there for a while, or lets nobody in.
    CalvenGone { for_ms: u64 },
    /// The same of the thin source's API.
    ApiGone { for_ms: u64 },
    /// The state's home is not there for a while.
    StoreGone { for_ms: u64 },
}

/// One webhook and its sender's ways.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) source: &'static str,
    pub(crate) id: String,
    pub(crate) body: String,
    /// The newest of its statements' own times; `None` where it has none.
    pub(crate) newest_ms: Option<i64>,
    /// Its own group, that nothing else speaks of.
    pub(crate) marker: Option<String>,
    pub(crate) skew_ms: i64,
    pub(crate) attempts: u32,
    pub(crate) backoff_ms: u64,
    pub(crate) patience_ms: u64,
    /// After how long it is sent again though it was taken.
    pub(crate) again_ms: Option<u64>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            at_ms,
            what,
        } = self;
        write!(f, "#{number} at {at_ms} ms: ")?;
        match what {
            What::Post(post) => write!(f, "{post}"),
            What::Burst(posts) => {
                write!(f, "burst of {}", posts.len())?;
                posts
                    .iter()
                    .try_for_each(|post| write!(f, "\n      {post}"))
            }
            What::Seed { event } => write!(f, "seed {event}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.source, self.id, self.body)
    }
}

/// A number that follows from two others and looks like neither.
pub(crate) fn mixed(seed: u64, number: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(number.wrapping_mul(0xD1B5_4A32_D192_ED03))
        .wrapping_add(0x2545_F491_4F6C_DD1D);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A time as senders write it.
pub(crate) fn rfc3339(ms: i64) -> String {
    calven_bridge::timestamp::Timestamp::from_micros(BEGINNING * 1_000_000 + ms * 1_000).to_string()
}

impl History {
    /// The history of this seed.
    pub fn of_seed(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(mixed(seed, 0));
        let setup = Setup::any(rng);
        let mut steps = Vec::new();
        let mut maker = Maker {
            rng,
            setup: &setup,
            events: 0,
        };
        let mut at_ms = 0;
        let count = maker.rng.usize(6..18);
        if maker.rng.u32(0..10) < 9 {
            let event = maker.seed(-3_600_000);
            steps.push((0, What::Seed { event }));
        }
        let jump = setup.forgets().then(|| maker.rng.usize(2..count));
        for index in 0..count {
            at_ms += match maker.rng.u32(0..10) {
                0..5 => maker.rng.u64(0..300),
                5..8 => maker.rng.u64(300..8_000),
                8 => maker.rng.u64(8_000..90_000),
                _ => maker.rng.u64(MINUTE..10 * MINUTE),
            };
            if jump == Some(index) {
                // Everybody has come to an end before: what comes after is newer than all before.
                at_ms += 2 * HOUR;
                steps.push((at_ms, What::Reconcile));
                at_ms += maker.rng.u64(DAY..3 * DAY);
                steps.push((at_ms, What::Reconcile));
                at_ms += 2 * MINUTE;
            }
            let what = maker.step(i64::try_from(at_ms).unwrap());
            steps.push((at_ms, what));
        }
        let steps = steps.into_iter().zip(1..);
        let steps = steps.map(|((at_ms, what), number)| Step {
            number,
            at_ms,
            what,
        });
        Self {
            seed,
            setup,
            steps: steps.collect(),
        }
    }

    /// The names that some rename or key speaks of: whether they go on under other names only the function's code
    /// could tell.
    pub(crate) fn renamed_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let posts = self.steps.iter().flat_map(|step| match &step.what {
            What::Post(post) => std::slice::from_ref(post),
            What::Burst(posts) => posts.as_slice(),
            _ => &[],
        });
        for post in posts {
            let body: Value = serde_json::from_str(&post.body).unwrap_or_default();
            for change in body["changes"].as_array().into_iter().flatten() {
                if change["op"] == "rename" || change.get("key").is_some() {
                    names.extend(change["group"].as_str().map(str::to_owned));
                    names.extend(change["to"].as_str().map(str::to_owned));
                }
            }
        }
        names
    }

    /// What holds for the whole history, to be printed.
    pub fn setup_shown(&self) -> impl fmt::Debug + '_ {
        &self.setup
    }
}

pub(crate) fn choose<T: Clone>(rng: &mut Rng, items: &[T]) -> T {
    items[rng.usize(0..items.len())].clone()
}
