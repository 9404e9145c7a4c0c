//! A failing history, made short: steps are taken away as long as it still fails in the same way.

use crate::{
    history::History,
    sim::{Bug, run},
};

/// The shortest history that this finds in which the same promise is broken.
pub fn shrink(history: &History, bug: Option<Bug>) -> History {
    let promise = |history: &History| {
        run(history, bug, false)
            .violation
            .map(|violation| violation.promise)
    };
    let wanted = promise(history);
    let fails = |history: &History| promise(history) == wanted;
    let mut shortest = history.clone();
    let mut chunk = (shortest.steps.len() / 2).max(1);
    loop {
        let shorter = without_chunks(&shortest, chunk, fails);
        let is_shorter = shorter.steps.len() < shortest.steps.len();
        shortest = shorter;
        if chunk > 1 || is_shorter {
            chunk = (chunk / 2).max(1);
            continue;
        }
        match without_a_pair(&shortest, fails) {
            Some(shorter) => shortest = shorter,
            None => return shortest,
        }
    }
}

/// Takes away so many neighbours at once, wherever that leaves a failing history.
fn without_chunks(history: &History, chunk: usize, fails: impl Fn(&History) -> bool) -> History {
    let mut shortest = history.clone();
    let mut index = 0;
    while index < shortest.steps.len() {
        let mut shorter = shortest.clone();
        let end = (index + chunk).min(shorter.steps.len());
        shorter.steps.drain(index..end);
        match fails(&shorter) {
            true => shortest = shorter,
            false => index += chunk,
        }
    }
    shortest
}

/// Takes away two steps of which neither can be missed alone: one that breaks something, and one that mends it.
fn without_a_pair(history: &History, fails: impl Fn(&History) -> bool) -> Option<History> {
    let count = history.steps.len();
    let pairs = (1..count).flat_map(|second| (0..second).map(move |first| (first, second)));
    let shorter = pairs.map(|(first, second)| {
        let mut shorter = history.clone();
        shorter.steps.remove(second);
        shorter.steps.remove(first);
        shorter
    });
    shorter.into_iter().find(fails)
}

impl History {
    /// This history with the steps of these numbers alone.
    #[must_use]
    pub fn only(mut self, numbers: &[u64]) -> Self {
        self.steps.retain(|step| numbers.contains(&step.number));
        self
    }
}
