//! The function of one instance: the real one, with simulated parts.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use calven_bridge::{
    config::{Config, GuardLimit},
    hierarchy::Salt,
    http::{BaseUrl, Client},
    invocation::{Function, Parts},
    queue::{Queue, QueueUrl},
    retry::RetryPolicy,
    secrets::SecretsHome,
    sources::config::Sources,
    store::StateUrl,
    timestamp::Clock,
};

use crate::{
    network, proof, queue, secrets,
    sim::{Bug, Sim},
    store::Home,
};

/// The client that writes all requests; making one takes long.
pub(crate) fn http() -> reqwest::Client {
    static HTTP: OnceLock<reqwest::Client> = OnceLock::new();
    HTTP.get_or_init(|| calven_bridge::http::client().expect("a client"))
        .clone()
}

pub(crate) fn sources() -> &'static Sources {
    static SOURCES: OnceLock<Sources> = OnceLock::new();
    SOURCES.get_or_init(|| Sources::parse(proof::SOURCES).expect("good sources"))
}

pub(crate) const SALT: [u8; 32] = [7; 32];

/// Makes the function of the instance in a slot, which has none.
pub(crate) fn made(sim: &Arc<Sim>, slot: usize) -> Arc<Function> {
    let setup = sim.world().setup.clone();
    let bug = sim.world().bug;
    let limit = match bug {
        Some(Bug::GuardIgnored) => GuardLimit {
            percent: 100,
            groups: usize::MAX,
        },
        _ => GuardLimit {
            percent: setup.guard_percent,
            groups: setup.guard_groups,
        },
    };
    let tombstone_age = match bug {
        Some(Bug::TombstoneForgotten) => Duration::ZERO,
        _ => Duration::from_secs(setup.tombstone_days * 86_400),
    };
    let config = Config {
        inside_lambda: false,
        function_name: None,
        calven_secret_id: "calven".to_owned(),
        calven_base_url: BaseUrl::parse(network::CALVEN).expect("a good URL"),
        capillary: None,
        state_url: StateUrl::Memory,
        sources: sources().clone(),
        secrets_file: None,
        secrets_max_age: Duration::from_secs(300),
        queue_url: None,
        seed_required: setup.seed_required,
        guard_removed: limit,
        guard_moved: limit,
        publish_budget: Duration::from_secs(8),
        tombstone_age,
        dry_run: setup.dry_run == Some(slot),
        max_body_bytes: 1_048_576,
        max_state_bytes: 67_108_864,
    };
    let clock = {
        let sim = Arc::clone(sim);
        Clock::new(move || {
            let world = sim.world();
            world.clock(world.slots[slot].skew_ms)
        })
    };
    let exchange = {
        let sim = Arc::clone(sim);
        move |request| network::exchange(Arc::clone(&sim), slot, request)
    };
    let http = Client::by_exchange(sim.http.clone(), Arc::new(exchange));
    let queue = setup.queued.then(|| {
        let url = queue::URL.parse::<QueueUrl>().expect("a good URL");
        Queue::open(&url, &http, &aws, clock.clone()).expect("a queue")
    });
    let parts = Parts {
        http,
        secrets: SecretsHome::Elsewhere(secrets::lookup(sim, slot)),
        store: Arc::new(Home::new(sim, slot)),
        queue,
        clock,
        retry: RetryPolicy::default(),
        metrics: None,
        salt: Salt::new(SALT),
    };
    let function = Arc::new(Function::new(config, parts));
    sim.world().slots[slot].function = Some(Arc::clone(&function));
    function
}

/// AWS's variables, as the function finds them.
fn aws(name: &str) -> Option<String> {
    let value = match name {
        "AWS_REGION" => "eu-west-1",
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "simulated",
        _ => return None,
    };
    Some(value.to_owned())
}
