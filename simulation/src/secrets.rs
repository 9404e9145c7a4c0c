//! The secrets' home: versions that rotate, and a manager that fails for a moment.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use calven_bridge::{
    secrets::{Found, Lookup, SecretsError},
    store::BoxFuture,
};

use crate::sim::Sim;

/// Of each secret all versions, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Versions(BTreeMap<String, Vec<String>>);

impl Versions {
    pub(crate) fn put(&mut self, id: &str, text: String) {
        self.0.entry(id.to_owned()).or_default().push(text);
    }

    /// What is found under a key, `id` or `id@AWSPREVIOUS`.
    fn find(&self, key: &str) -> Found {
        let (id, back) = match key.strip_suffix("@AWSPREVIOUS") {
            Some(id) => (id, 2),
            None => (key, 1),
        };
        let versions = self.0.get(id)?;
        let index = versions.len().checked_sub(back)?;
        let text = versions.get(index)?.clone();
        Some((text, Some(format!("version-{index}"))))
    }
}

/// The home as one instance asks it.
pub(crate) fn lookup(sim: &Arc<Sim>, slot: usize) -> Lookup {
    let sim = Arc::clone(sim);
    Lookup::new(
        move |key| -> BoxFuture<'static, Result<Found, SecretsError>> {
            let (sim, key) = (Arc::clone(&sim), key.to_owned());
            Box::pin(async move {
                let (fails, delay_ms) = {
                    let mut world = sim.world();
                    let percent = world.percent(|weather| weather.secrets);
                    let rng = world.chance(slot);
                    (rng.u32(0..100) < percent, rng.u64(1..20))
                };
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                let mut world = sim.world();
                let outcome = match fails {
                    true => "unavailable",
                    false => "found",
                };
                world.note(format_args!("  [{slot}] secret {key}: {outcome}"));
                if let (true, Some(number)) = (fails, world.slots[slot].current) {
                    world.invocations[number].call_failed = true;
                }
                if fails {
                    return Err(SecretsError::Unavailable {
                        id: key,
                        reason: "by chance".to_owned(),
                    });
                }
                Ok(world.secrets.find(&key))
            })
        },
    )
}
