//! A deployment, with everything that the function calls, and the command beside it.

use std::{
    collections::BTreeMap,
    process::{Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use calven_bridge::{
    config::{Config, Files},
    hierarchy::Salt,
    http,
    invocation::{Function, Parts},
    retry::RetryPolicy,
    secrets::{SecretsHome, secrets_manager_client},
    store,
    timestamp::{Clock, Timestamp},
};
use lambda_runtime::{Context, Diagnostic};
use serde_json::{Value, json};
use stand_ins::{
    calven::{self, CalvenStandIn},
    canaries,
    capillary::{self, CapillaryStandIn},
    hris::HrisStandIn,
    lambda_api::{self, LambdaApi},
    lambda_runtime::Invoked,
    s3::S3,
    secrets_manager::SecretsManager,
};
use tokio::{io::AsyncWriteExt as _, process::Command};

pub(crate) const FUNCTION: &str = "calven-bridge";
pub(crate) const BUCKET: &str = "bridge-state";
pub(crate) const KEY: &str = "state.json";

const CAPILLARY: &str = r#"{"baseOrganization": {"id": 1, "name": "Acme", "parentId": null, "active": true,
    "orgType": "ORG"}, "parentOrganization": null, "siblingOrganizations": [], "childrenOrganizations": [], "warnings": []}"#;

#[expect(
    clippy::disallowed_methods,
    reason = "AWS's signature is of the machine's own time"
)]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_seconds(i64::try_from(since_epoch.as_secs()).unwrap())
}

/// Everything around one function; what is broken is broken before it is deployed.
pub(crate) struct World {
    pub(crate) calven: CalvenStandIn,
    pub(crate) capillary: CapillaryStandIn,
    pub(crate) hris: HrisStandIn,
    pub(crate) s3: S3,
    pub(crate) secrets: SecretsManager,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) sources: String,
    /// What the function was asked.
    pub(crate) events: Arc<Mutex<Vec<Value>>>,
    folder: tempfile::TempDir,
}

pub(crate) fn hmac_key() -> calven::Credentials {
    calven::Credentials::Hmac {
        api_key: "the-key".to_owned(),
        api_secret: "s3cr3t-of-calven".to_owned(),
    }
}

impl World {
    /// In which all is well.
    pub(crate) async fn new() -> Self {
        let seconds = || now().seconds();
        let calven = CalvenStandIn::start(hmac_key(), seconds).await.unwrap();
        let till = capillary::Credentials::Basic {
            username: "till".to_owned(),
            password: "s3cr3t-of-capillary".to_owned(),
        };
        let capillary = CapillaryStandIn::start(till, CAPILLARY, seconds);
        let capillary = capillary.await.unwrap();
        let hris = HrisStandIn::start().await.unwrap();
        hris.require("authorization", "Bearer s3cr3t-of-the-api");
        hris.answer("GET /groups", r#"[{"name": "Platform"}, {"name": "Web"}]"#);
        let s3 = S3::start(BUCKET).await;
        let secrets = SecretsManager::start().await;
        for (id, secret) in [
            (
                "calven",
                json!({"auth": "hmac", "apiKey": "the-key", "apiSecret": "s3cr3t-of-calven"}),
            ),
            (
                "capillary",
                json!({"auth": "basic", "username": "till", "password": "s3cr3t-of-capillary"}),
            ),
            (
                "acme",
                json!({"signingSecret": "whsec_czNjcjN0LW9mLWFjbWU="}),
            ),
            ("people", json!({"token": "s3cr3t-of-people"})),
            ("people-api", json!({"token": "s3cr3t-of-the-api"})),
        ] {
            secrets.put(id, &secret.to_string());
        }
        let sources = format!(
            r#"
            sources.acme = {{ preset = "generic", secret_id = "acme" }}
            [sources.people]
            proof = "bearer"
            secret_id = "people"
            base_url = "{}"
            api_secret_id = "people-api"
            [sources.people.snapshot]
            path = "/groups"
            lists = ["$"]
            complete = "groups"
            [sources.people.snapshot.groups.team]
            at = "$"
            name = "$.name"
            type = {{ value = "Team" }}
            no_parent = "top"
            "#,
            hris.url()
        );
        let variables = [
            ("CALVEN_BASE_URL", calven.url()),
            ("CALVEN_SECRET_ID", "calven".to_owned()),
            ("CAPILLARY_BASE_URL", capillary.url()),
            ("CAPILLARY_SECRET_ID", "capillary".to_owned()),
            ("STATE_URL", format!("s3://{BUCKET}/{KEY}")),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test-access-key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test-secret-access-key".to_owned()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets.url()),
            ("AWS_ENDPOINT_URL_S3", s3.url()),
            ("AWS_LAMBDA_FUNCTION_NAME", FUNCTION.to_owned()),
        ];
        Self {
            calven,
            capillary,
            hris,
            s3,
            secrets,
            variables: variables
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            sources,
            events: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The function as it would start; why it does not.
    fn function(&self) -> Result<Function, String> {
        let path = self.folder.path().join("sources.toml");
        std::fs::write(&path, &self.sources).unwrap();
        let mut variables = self.variables.clone();
        variables.insert("SOURCES_FILE".to_owned(), path.display().to_string());
        let variable = |name: &str| variables.get(name).cloned();
        let files = Files {
            beside_binary: None,
            working_dir: self.folder.path().to_owned(),
        };
        let config = Config::read(&variable, &files).map_err(|error| error.to_string())?;
        let network = http::client().unwrap();
        let timeout = Duration::from_secs(1);
        let store = store::open(&config.state_url, &network, &variable, timeout).unwrap();
        let secrets = secrets_manager_client(&network, &variable).unwrap();
        let parts = Parts {
            http: network.into(),
            secrets: SecretsHome::SecretsManager(secrets),
            store,
            queue: None,
            clock: Clock::new(now),
            retry: RetryPolicy {
                first: Duration::from_millis(1),
                cap: Duration::from_millis(1),
                attempt: Duration::from_secs(1),
            },
            metrics: None,
            salt: Salt::new([7; 32]),
        };
        Ok(Function::new(config, parts))
    }

    /// What Lambda does with an event.
    fn invocation(&self) -> impl Fn(Value) -> futures::Invocation + Send + Sync + 'static {
        let function = self.function().map(Arc::new);
        let events = Arc::clone(&self.events);
        move |event| {
            events.lock().unwrap().push(event.clone());
            let function = function.clone();
            Box::pin(async move {
                let Ok(function) = function else {
                    return Invoked::Error(json!({"errorType": "Runtime.ExitError",
                        "errorMessage": "RequestId: 0 Error: Runtime exited with error: exit status 1"}));
                };
                let mut context = Context::default();
                let end = now().plus(Duration::from_secs(30)).micros() / 1_000;
                context.deadline = u64::try_from(end).unwrap();
                match function.handle(event, context).await {
                    Ok(answer) => Invoked::Response(answer),
                    Err(failure) => {
                        let Diagnostic {
                            error_type,
                            error_message,
                            ..
                        } = failure.into();
                        Invoked::Error(
                            json!({"errorType": error_type, "errorMessage": error_message}),
                        )
                    }
                }
            })
        }
    }

    /// It is deployed as it stands.
    pub(crate) async fn deploy(&self) -> Deployed {
        let lambda = LambdaApi::start(FUNCTION, self.invocation()).await.unwrap();
        Deployed { lambda }
    }

    /// It is served on this machine as it stands.
    pub(crate) async fn serve(&self) -> Deployed {
        let lambda = LambdaApi::start_local(FUNCTION, self.invocation());
        Deployed {
            lambda: lambda.await.unwrap(),
        }
    }

    pub(crate) fn state(&self) -> Option<Vec<u8>> {
        self.s3.object(BUCKET, KEY)
    }
}

mod futures {
    use std::{future::Future, pin::Pin};

    use stand_ins::lambda_runtime::Invoked;

    /// One invocation under way.
    pub(crate) type Invocation = Pin<Box<dyn Future<Output = Invoked> + Send>>;
}

/// A function that can be invoked.
pub(crate) struct Deployed {
    pub(crate) lambda: LambdaApi,
}

impl Deployed {
    /// Runs the command with these arguments, in the deployer's name.
    pub(crate) async fn bridge(&self, arguments: &[&str]) -> Ran {
        self.bridge_given(arguments, "").await
    }

    /// The same with something on standard input.
    pub(crate) async fn bridge_given(&self, arguments: &[&str], input: &str) -> Ran {
        let url = self.lambda.url();
        let variables = [
            ("AWS_REGION", lambda_api::REGION),
            ("AWS_ACCESS_KEY_ID", lambda_api::ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", lambda_api::SECRET_ACCESS_KEY),
            ("AWS_ENDPOINT_URL_LAMBDA", &url),
        ];
        let mut arguments = arguments.to_vec();
        arguments.extend(["--function", FUNCTION]);
        run(&arguments, &variables, input).await
    }
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// Runs the command with these variables and no others.
pub(crate) async fn run(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bridge"));
    let child = command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who does not read it is gone by then.
    let _unread = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().await.unwrap();
    for printed in [&stdout, &stderr] {
        canaries::keep("commands", &String::from_utf8_lossy(printed));
    }
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}
