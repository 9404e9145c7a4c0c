//! The function, put together from its configuration.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

use super::{Function, Parts, telling::Teller};
use crate::{
    bridge::{Bridge, Enrichment, Policy},
    calven::Calven,
    capillary::{Capillary, statements::OrgTypes},
    config::Config,
    hierarchy::{Guard, Rules, SourceName},
    http::Client,
    operator::Commands,
    reread::Rereader,
    retry::RetryPolicy,
    secrets::Secrets,
    sources::config::{Api, Rereading, Sources},
    timestamp::Clock,
    webhook::Edge,
};

impl Function {
    /// The function, of a configuration and its parts. Nothing is fetched or read yet.
    pub fn new(config: Config, parts: Parts) -> Self {
        let Parts {
            http,
            secrets,
            store,
            queue,
            clock,
            retry,
            metrics,
            salt,
        } = parts;
        let secrets = Arc::new(Secrets::new(secrets, config.secrets_max_age, clock.clone()));
        let mut priorities: BTreeMap<SourceName, i64> = config
            .sources
            .by_name
            .iter()
            .map(|(name, source)| (name.clone(), source.priority))
            .collect();
        let mut attach_roots = false;
        let enrichment = match config.capillary {
            Some(capillary) => {
                let source = &config.sources.capillary;
                priorities.insert(SourceName::capillary(), source.priority);
                attach_roots = capillary.attach_roots;
                Some(Enrichment {
                    capillary: Capillary::new(
                        http.clone(),
                        capillary.base_url,
                        Arc::clone(&secrets),
                        capillary.secret_id,
                        capillary.fetch_siblings,
                        clock.clone(),
                    )
                    .with_retry_policy(retry),
                    types: OrgTypes {
                        default: capillary.group_type,
                        by_org_type: source.group_types.clone(),
                    },
                    max_age: capillary.max_age,
                })
            }
            None => None,
        };
        let calven = Calven::new(
            http.clone(),
            config.calven_base_url,
            Arc::clone(&secrets),
            config.calven_secret_id,
            clock.clone(),
        )
        .with_retry_policy(retry);
        let policy = Policy {
            rules: Rules {
                priorities,
                attach_roots,
            },
            guard: Guard {
                max_removed_percent: config.guard_removed.percent.into(),
                max_removed_groups: config.guard_removed.groups,
                max_moved_percent: config.guard_moved.percent.into(),
                max_moved_groups: config.guard_moved.groups,
            },
            seed_required: config.seed_required,
            tombstone_age: config.tombstone_age,
            dry_run: config.dry_run,
            max_state_bytes: config.max_state_bytes,
        };
        for (name, other) in config.sources.sharing_a_secret() {
            tracing::warn!(
                source = name.as_str(),
                other = other.as_str(),
                "two sources have one secret: who may speak for one may speak for the other"
            );
        }
        let rereaders = rereaders(&config.sources, &http, &secrets, &clock, retry);
        let bridge = Arc::new(Bridge::new(
            store,
            calven,
            enrichment,
            rereaders,
            policy,
            clock.clone(),
            salt,
        ));
        let teller = Arc::new(Teller {
            metrics,
            secrets: Arc::clone(&secrets),
            clock: clock.clone(),
            is_warm: AtomicBool::new(false),
        });
        let edge = Arc::new(Edge {
            bridge: Arc::clone(&bridge),
            sources: config.sources,
            secrets,
            // A dry run answers with the plan, and leaves nothing behind.
            queue: queue
                .filter(|_| !config.dry_run)
                .map(|queue| queue.with_retry_policy(retry)),
            max_body_bytes: config.max_body_bytes,
            clock: clock.clone(),
        });
        Self {
            edge,
            bridge,
            publish_budget: config.publish_budget,
            commands: Commands {
                function_name: config.function_name,
            },
            clock,
            teller,
        }
    }
}

/// Of every source that can be read again.
fn rereaders(
    sources: &Sources,
    http: &Client,
    secrets: &Arc<Secrets>,
    clock: &Clock,
    retry: RetryPolicy,
) -> Vec<Rereader> {
    let mut rereaders = Vec::new();
    for (name, source) in &sources.by_name {
        match &source.rereading {
            Rereading::Never => {}
            Rereading::Lacking { keys, snapshot: _ } => tracing::warn!(
                source = name.as_str(),
                missing = keys.join(", "),
                "a source cannot be read again until these keys are there"
            ),
            Rereading::Ready(api) => {
                let Api {
                    base_url,
                    secret_id,
                    snapshot,
                } = &**api;
                let rereader = Rereader::new(
                    name.clone(),
                    http.clone(),
                    base_url.clone(),
                    Arc::clone(secrets),
                    secret_id.clone(),
                    snapshot.clone(),
                    clock.clone(),
                );
                rereaders.push(rereader.with_retry_policy(retry));
            }
        }
    }
    rereaders
}
