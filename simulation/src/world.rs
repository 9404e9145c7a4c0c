//! A history under way: everything that changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use calven_bridge::{invocation::Function, timestamp::Timestamp};
use fastrand::Rng;
use tokio::time::Instant;

use crate::{
    api::Api,
    attempts::{Attempt, SeedAttempt},
    calven::{Calven, Rows},
    checks::shown,
    guard::Cuts,
    history::{BEGINNING, Setup, Weather},
    proof,
    queue::Sqs,
    saved::Saved,
    secrets::Versions,
    sim::{Bug, Violation},
    thin::Thin,
    trace::Trace,
};

/// Everything that changes.
pub(crate) struct World {
    pub(crate) trace: Trace,
    begun: Instant,
    pub(crate) setup: Setup,
    pub(crate) seed: u64,
    pub(crate) bug: Option<Bug>,
    pub(crate) violation: Option<Violation>,
    /// Nothing goes wrong any more.
    pub(crate) quiet: bool,
    /// PUTs and swaps on their way.
    pub(crate) in_flight: usize,
    /// Invocations under way.
    pub(crate) active: usize,
    /// Crashes, late PUTs and what is like them, counted.
    pub(crate) shocks: u64,
    /// The newest of them that no reconcile has mended.
    pub(crate) shaken: Option<u64>,
    pub(crate) calven: Calven,
    pub(crate) calven_back: Instant,
    pub(crate) api_back: Instant,
    pub(crate) store_back: Instant,
    pub(crate) secrets: Versions,
    /// The number of each source's signing secret.
    pub(crate) signing: BTreeMap<&'static str, u32>,
    pub(crate) api: Api,
    pub(crate) queue: Sqs,
    pub(crate) thin: Thin,
    pub(crate) saved: Arc<Saved>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) invocations: Vec<Invocation>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) seeds: Vec<SeedAttempt>,
    /// What operators saw under each digest.
    pub(crate) plans: BTreeMap<String, Cuts>,
    pub(crate) renamed: BTreeSet<String>,
    pub(crate) puts: usize,
}

/// Where one instance runs, and after it is killed another.
pub(crate) struct Slot {
    pub(crate) function: Option<Arc<Function>>,
    pub(crate) skew_ms: i64,
    pub(crate) rng: Rng,
    pub(crate) current: Option<usize>,
}

/// What an invocation is for, and which attempts come with it.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "some numbers are for the trace")]
pub(crate) enum Kind {
    Post(usize),
    Batch(Vec<usize>),
    Seed(usize),
    Plan,
    Approve(String),
    Rollback,
    Reconcile,
}

pub(crate) struct Invocation {
    pub(crate) kind: Kind,
    /// Its instance only looks.
    pub(crate) is_dry: bool,
    pub(crate) loaded: Arc<Saved>,
    /// What it has PUT and was answered 2xx for.
    pub(crate) taken: Vec<Rows>,
    pub(crate) has_put: bool,
    pub(crate) shocks_before: u64,
    pub(crate) deadline: Instant,
    pub(crate) loads: usize,
    pub(crate) swaps_won: usize,
    /// Swaps that it was not told to have won.
    pub(crate) swaps_not_won: usize,
    /// Whether the store failed, or was slow.
    pub(crate) store_failed: bool,
    /// Whether a call failed, or was slow, or a secret could not be had.
    pub(crate) call_failed: bool,
    /// When it began to read the thin source again: the last time, where it had to begin more than once.
    pub(crate) read_began: Option<Instant>,
    /// Whether it has read that to its end.
    pub(crate) has_read: bool,
}

impl World {
    /// The world before anything has happened.
    pub(crate) fn new(setup: Setup, seed: u64, bug: Option<Bug>, trace: Trace) -> Self {
        let begun = Instant::now();
        let mut secrets = Versions::default();
        secrets.put("calven", Calven::secret(setup.credential, 0).to_string());
        secrets.put("hris/thin-api", r#"{"token":"api"}"#.to_owned());
        let sources = ["acme", "beta", proof::BAMBOO, proof::KOMBO];
        for source in sources {
            secrets.put(&format!("hris/{source}"), proof::secret(source, 0));
        }
        let slots = setup.skews_ms.iter().map(|skew_ms| Slot {
            function: None,
            skew_ms: *skew_ms,
            rng: Rng::with_seed(0),
            current: None,
        });
        Self {
            trace,
            begun,
            seed,
            bug,
            violation: None,
            quiet: false,
            in_flight: 0,
            active: 0,
            shocks: 0,
            shaken: None,
            calven: Calven::new(setup.credential, setup.token_life_seconds),
            calven_back: begun,
            api_back: begun,
            store_back: begun,
            secrets,
            signing: sources.map(|source| (source, 0)).into(),
            api: Api::default(),
            queue: Sqs::new(seed),
            thin: Thin::default(),
            saved: Arc::default(),
            slots: slots.collect(),
            invocations: Vec::new(),
            attempts: Vec::new(),
            seeds: Vec::new(),
            plans: BTreeMap::new(),
            renamed: BTreeSet::new(),
            puts: 0,
            setup,
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from((Instant::now() - self.begun).as_millis()).unwrap()
    }

    /// The time by a clock that is wrong by so much.
    pub(crate) fn clock(&self, skew_ms: i64) -> Timestamp {
        let elapsed = i64::try_from((Instant::now() - self.begun).as_micros()).unwrap();
        Timestamp::from_micros(BEGINNING * 1_000_000 + elapsed + skew_ms * 1_000)
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.clock(0).seconds()
    }

    pub(crate) fn note(&mut self, what: fmt::Arguments<'_>) {
        let at_ms = self.now_ms();
        self.trace.note(at_ms, what);
    }

    /// The first violation counts; what comes after follows from it.
    pub(crate) fn violated(&mut self, promise: &'static str, detail: String) {
        self.note(format_args!("VIOLATION {promise}: {detail}"));
        self.violation.get_or_insert(Violation { promise, detail });
    }

    /// So many percent, while not all is quiet.
    pub(crate) fn percent(&self, of: impl FnOnce(&Weather) -> u32) -> u32 {
        if self.quiet {
            0
        } else {
            of(&self.setup.weather)
        }
    }

    /// The chance of what is under way in a slot.
    pub(crate) fn chance(&mut self, slot: usize) -> &mut Rng {
        &mut self.slots[slot].rng
    }

    /// What only a reconcile mends: a crash, a PUT applied late, a failure after a PUT.
    pub(crate) fn shake(&mut self, why: &str) {
        self.shocks += 1;
        self.shaken = Some(self.shocks);
        let shocks = self.shocks;
        self.note(format_args!("  shock {shocks}: {why}"));
    }

    /// The invocation under way in a slot; whoever calls out without one has outlived its answer.
    pub(crate) fn invocation(&mut self, slot: usize, calls: &str) -> Option<usize> {
        let current = self.slots[slot].current;
        if current.is_none() {
            self.violated(
                "no work outlives the answer",
                format!("slot {slot} calls {calls}"),
            );
        }
        current
    }

    /// Nobody is at work and nothing on its way: without crashes and late PUTs Calven holds what was saved last.
    pub(crate) fn check_at_rest(&mut self) {
        if self.active > 0 || self.in_flight > 0 || self.shaken.is_some() || self.saved.unsure {
            return;
        }
        let saved = Arc::clone(&self.saved);
        if let Some(rows) = &saved.rows
            && self.calven.rows.as_ref() != Some(rows)
        {
            let held = shown(self.calven.rows.as_ref());
            let detail = format!("Calven holds {held}, saved is {}", shown(Some(rows)));
            self.violated("at rest Calven holds what was saved last", detail);
        }
    }
}
