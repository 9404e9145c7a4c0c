//! The remotes, each at the point where a webhook meets it.

use std::{sync::Arc, time::Duration};

use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use calven_bridge::{
    retry::RetryPolicy,
    secrets::SecretsManagerClient,
    store::{self, StateStore},
};
use serde_json::{Value, json};
use stand_ins::{
    calven, capillary,
    fault::{Fault, Struck},
    hris::HrisStandIn,
    s3::{self, S3},
    secrets_manager::SecretsManager,
    sqs::{self, Sqs},
};

use crate::{
    harness::{Request, Setup, World, manager_at, read, upsert},
    thin_events::TEAMS_OF_PEOPLE,
};

/// What Calven holds before.
pub(super) const TOP: &str = "Top [Division]";

/// What Lambda leaves for the webhook that meets the fault.
pub(super) const TIME: Duration = Duration::from_secs(6);

/// A call of S3's or Secrets Manager's may take so long, its attempts together.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Several attempts fit into the shortest time that a remote is given.
const HASTY: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(20),
    cap: Duration::from_millis(500),
    attempt: Duration::from_secs(20),
};

/// Who goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    /// Secrets Manager, asked by an instance that has no secret yet.
    Secrets,
    /// Secrets Manager, asked again since the secrets are too old.
    SecretsAgain,
    /// S3, where the state is read.
    Loading,
    /// S3, asked whether the state is still the one that is in memory.
    LoadingAgain,
    /// S3, where it is written.
    Saving,
    /// Calven's PUT.
    Calven,
    /// Calven's token endpoint.
    CalvenToken,
    /// Capillary, read with a webhook.
    Capillary,
    /// A source whose webhook says only that something changed.
    Source,
    /// SQS, where webhooks are queued.
    Queue,
}

/// All that is around one webhook.
pub(super) struct Around {
    remote: Remote,
    pub(super) world: World,
    /// The same state, for who has time.
    patient: Arc<dyn StateStore>,
    s3: S3,
    secrets: SecretsManager,
    source: HrisStandIn,
    pub(super) sqs: Sqs,
}

impl Remote {
    /// What the table is found by in the file.
    pub(super) const fn marker(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::SecretsAgain => "secrets-again",
            Self::Loading => "loading",
            Self::LoadingAgain => "loading-again",
            Self::Saving => "saving",
            Self::Calven => "calven",
            Self::CalvenToken => "calven-token",
            Self::Capillary => "capillary",
            Self::Source => "source",
            Self::Queue => "queue",
        }
    }

    /// What the webhook that meets the fault adds to Calven's hierarchy in the end.
    pub(super) const fn adds(self) -> &'static [&'static str] {
        match self {
            Self::Source => &["Fresh [Team]"],
            Self::Capillary => &[
                "Fresh [Team]",
                "Parent-One-Org [Organization]",
                "Child-One-Org [Organization] < Parent-One-Org [Organization]",
                "Child-Two-Org [Organization] < Parent-One-Org [Organization]",
            ],
            _ => &["Fresh [Team]"],
        }
    }

    pub(super) async fn start(self, http: &reqwest::Client) -> Around {
        let s3 = S3::start("bridge-state").await;
        let secrets = SecretsManager::start().await;
        let source = HrisStandIn::start().await.unwrap();
        let sqs = Sqs::start().await.unwrap();
        source.answer("GET /groups", json!([{"name": "Fresh"}]).to_string());
        let mut setup = Setup::default()
            .secrets_manager(&secrets)
            .asking_by(asking(&secrets))
            .http(http.clone())
            .store(state(&s3, http, PATIENCE))
            .sources(&sources(&source))
            .retry(HASTY);
        secrets.put("people/token", &json!({"token": "t"}).to_string());
        if self == Self::Capillary {
            setup = setup.capillary(&read("tests/fixtures/capillary/child-with-siblings.json"));
        }
        if self == Self::Queue {
            setup = setup
                .variable("QUEUE_URL", &sqs.queue_url())
                .variable("AWS_REGION", sqs::REGION)
                .variable("AWS_ACCESS_KEY_ID", sqs::ACCESS_KEY_ID)
                .variable("AWS_SECRET_ACCESS_KEY", sqs::SECRET_ACCESS_KEY);
        }
        let mut world = setup.start().await.seed(&[TOP]).await;
        match self {
            // Another instance knows neither secret nor token nor state.
            Self::Secrets | Self::CalvenToken | Self::Loading => world.restart(),
            Self::SecretsAgain => {
                world.says(1, upsert(TOP)).await;
                world.pass(Duration::from_secs(301));
            }
            _ => {}
        }
        world.leave(TIME);
        let patient = state(&s3, http, PATIENCE * 10);
        Around {
            remote: self,
            world,
            patient,
            s3,
            secrets,
            source,
            sqs,
        }
    }
}

impl Around {
    /// The webhook that meets the fault.
    pub(super) fn webhook(&self) -> Request {
        match self.remote {
            Remote::Source => Request::post("people", json!({"id": "evt_1"}).to_string())
                .with("authorization", "Bearer t"),
            _ => {
                let body = json!({"id": "evt_1", "changes": [upsert("Fresh [Team]")]});
                self.world.signed("acme", &body)
            }
        }
    }

    /// Goes wrong like this from now on; `None`: nobody listens. How much time Lambda leaves a webhook.
    pub(super) async fn fail(&mut self, fault: Option<Fault>) -> Duration {
        let Some(fault) = fault else {
            self.go_down().await;
            return TIME;
        };
        let mut left = TIME;
        if fault == Fault::Endless {
            // To read up to the limit takes a busy machine a while; nobody waits for the end of the time.
            left = TIME * 4;
            self.world.leave(left);
        }
        match self.remote {
            Remote::Secrets | Remote::SecretsAgain => self.secrets.fail_always(fault),
            Remote::Loading | Remote::LoadingAgain => self.s3.fail_always(s3::Endpoint::Get, fault),
            Remote::Saving => self.s3.fail_always(s3::Endpoint::Put, fault),
            Remote::Calven => (self.world.calven).fail_always(calven::Endpoint::Put, fault),
            Remote::CalvenToken => (self.world.calven).fail_always(calven::Endpoint::Token, fault),
            Remote::Capillary => {
                let capillary = self.world.capillary();
                capillary.fail_always(capillary::Endpoint::Hierarchy, fault);
            }
            Remote::Source => self.source.fail_always(fault),
            Remote::Queue => self.sqs.fail_always(fault),
        }
        left
    }

    /// The state as it is stored.
    pub(super) async fn state(&self) -> Value {
        let loaded = self.patient.load().await.unwrap().unwrap();
        serde_json::from_slice(&loaded.bytes).unwrap()
    }

    async fn go_down(&self) {
        match self.remote {
            Remote::Secrets | Remote::SecretsAgain => self.secrets.go_down().await,
            // For reading alone nobody is away; so it is away from the beginning, or from what follows the reading.
            Remote::Loading | Remote::LoadingAgain => self.s3.go_down().await,
            Remote::Saving => self.s3.fail_always(s3::Endpoint::Put, Fault::Reset),
            Remote::Calven | Remote::CalvenToken => self.world.calven.go_down().await,
            Remote::Capillary => self.world.capillary().go_down().await,
            Remote::Source => self.source.go_down().await,
            Remote::Queue => self.sqs.go_down().await,
        }
    }

    /// Is well again.
    pub(super) async fn mend(&mut self) -> Struck {
        self.world.leave_enough();
        let back = match self.remote {
            Remote::Secrets | Remote::SecretsAgain => self.secrets.come_back().await,
            Remote::Loading | Remote::LoadingAgain | Remote::Saving => self.s3.come_back().await,
            Remote::Calven | Remote::CalvenToken => self.world.calven.come_back().await,
            Remote::Capillary => self.world.capillary().come_back().await,
            Remote::Source => self.source.come_back().await,
            Remote::Queue => self.sqs.come_back().await,
        };
        back.unwrap();
        match self.remote {
            Remote::Secrets | Remote::SecretsAgain => self.secrets.mend(),
            Remote::Loading | Remote::LoadingAgain => self.s3.mend(s3::Endpoint::Get),
            Remote::Saving => self.s3.mend(s3::Endpoint::Put),
            Remote::Calven => self.world.calven.mend(calven::Endpoint::Put),
            Remote::CalvenToken => self.world.calven.mend(calven::Endpoint::Token),
            Remote::Capillary => self.world.capillary().mend(capillary::Endpoint::Hierarchy),
            Remote::Source => self.source.mend(),
            Remote::Queue => self.sqs.mend(),
        }
    }
}

/// The real client, which gives up ten times as soon.
fn asking(secrets: &SecretsManager) -> SecretsManagerClient {
    let client = manager_at(&secrets.url());
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(PATIENCE * 2 / 5)
        .operation_timeout(PATIENCE)
        .build();
    let config = client.client().config().to_builder();
    config.timeout_config(timeouts).build().into()
}

fn state(s3: &S3, http: &reqwest::Client, timeout: Duration) -> Arc<dyn StateStore> {
    let url = "s3://bridge-state/state.json".parse().unwrap();
    let endpoint = s3.url();
    let variable = |name: &str| {
        let value = match name {
            "AWS_ACCESS_KEY_ID" => sqs::ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY" => sqs::SECRET_ACCESS_KEY,
            "AWS_REGION" => sqs::REGION,
            "AWS_ENDPOINT_URL" => &endpoint,
            _ => return None,
        };
        Some(value.to_owned())
    };
    store::open(&url, http, &variable, timeout).unwrap()
}

fn sources(api: &HrisStandIn) -> String {
    format!(
        r#"
        [sources.acme]
        preset = "generic"
        secret_id = "hris/acme"
        [sources.people]
        proof = "bearer"
        secret_id = "people/token"
        base_url = "{}"
        api_secret_id = "people/token"
        event_id = "$.id"
        {TEAMS_OF_PEOPLE}
        "#,
        api.url()
    )
}
