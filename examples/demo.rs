//! Everything at once: `cargo run --example demo`.
//!
//! Starts stand-ins for Calven and Capillary, runs the real bridge against them, replays `events/` one
//! by one, and then what goes wrong in practice: a duplicate, a late event, a cycle, an outage. After
//! every step it checks what Calven holds, and ends with a failure where that is not as it should be.

#![expect(
    clippy::print_stdout,
    reason = "what it prints is what it is for, and nobody else listens"
)]

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use calven_bridge::{
    config::{Config, Files},
    hierarchy::Salt,
    http,
    invocation::{Function, Parts},
    retry::RetryPolicy,
    secrets::SecretsHome,
    store::MemoryStore,
    timestamp::{Clock, Timestamp},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use stand_ins::{
    calven::{self, CalvenStandIn, Row},
    capillary::{self, CapillaryStandIn},
    hris::HrisStandIn,
};

const SECRETS: &str = include_str!("sandbox/secrets.json");
const SOURCES: &str = include_str!("sandbox/sources.toml");
const ORGANIZATIONS: &str = include_str!("sandbox/capillary.json");

/// Two senders of the demo's own, beside those of the sandbox.
const MORE_SOURCES: &str = r#"
[sources.people]
preset = "bamboohr"
secret_id = "hris/people"

[sources.teams]
preset = "kombo"
secret_id = "hris/teams"
api_secret_id = "hris/teams-api"
"#;
const PEOPLE_KEY: &str = "demo-key-of-people";
const TEAMS_KEY: &str = "demo-key-of-teams";
const TEAMS_TOKEN: &str = "demo-token-of-teams";

/// When the demo plays: after all that the events say, and at every run the same.
const BEGIN: &str = "2026-01-12T09:00:00Z";

/// One of `events/`, and what is to become of it.
struct Event {
    name: &'static str,
    text: &'static str,
    comes_in: &'static str,
    /// The status; of an answer that has none, its first key.
    outcome: &'static str,
    /// How many groups Calven holds after it.
    groups: usize,
}

const EVENTS: [Event; 18] = [
    Event {
        name: "01-seed.json",
        text: include_str!("../events/01-seed.json"),
        comes_in: "An operator says what Calven holds by now: 14 groups.",
        outcome: "published",
        groups: 14,
    },
    Event {
        name: "02-snapshot.json",
        text: include_str!("../events/02-snapshot.json"),
        comes_in: "The HR system acme sends all that it knows; Capillary is asked for its organisations.",
        outcome: "published",
        groups: 18,
    },
    Event {
        name: "03-upsert.json",
        text: include_str!("../events/03-upsert.json"),
        comes_in: "acme has a new department, and a team in it.",
        outcome: "published",
        groups: 20,
    },
    Event {
        name: "04-rename.json",
        text: include_str!("../events/04-rename.json"),
        comes_in: "acme renames the division Mktg to Marketing; nothing is said of its departments.",
        outcome: "published",
        groups: 20,
    },
    Event {
        name: "05-remove.json",
        text: include_str!("../events/05-remove.json"),
        comes_in: "acme closes Fax Support.",
        outcome: "published",
        groups: 19,
    },
    Event {
        name: "06-rest-api-v1.json",
        text: include_str!("../events/06-rest-api-v1.json"),
        comes_in: "Payroll is in Finance, of which nothing was ever said. By a REST API's stage this time.",
        outcome: "published",
        groups: 21,
    },
    Event {
        name: "07-alb.json",
        text: include_str!("../events/07-alb.json"),
        comes_in: "Finance is in Operations. By a load balancer.",
        outcome: "published",
        groups: 21,
    },
    Event {
        name: "08-function-url-base64.json",
        text: include_str!("../events/08-function-url-base64.json"),
        comes_in: "A team with an umlaut. By a Function URL, in base64.",
        outcome: "published",
        groups: 22,
    },
    Event {
        name: "09-sqs-batch.json",
        text: include_str!("../events/09-sqs-batch.json"),
        comes_in: "Three webhooks from the queue, published by one PUT; the source workday outranks acme.",
        outcome: "batchItemFailures",
        groups: 24,
    },
    Event {
        name: "10-eventbridge-rule.json",
        text: include_str!("../events/10-eventbridge-rule.json"),
        comes_in: "The schedule, by an EventBridge rule: read Capillary again, send again.",
        outcome: "published",
        groups: 24,
    },
    Event {
        name: "11-eventbridge-scheduler.json",
        text: include_str!("../events/11-eventbridge-scheduler.json"),
        comes_in: "The same by EventBridge Scheduler.",
        outcome: "published",
        groups: 24,
    },
    Event {
        name: "12-mass-removal.json",
        text: include_str!("../events/12-mass-removal.json"),
        comes_in: "acme's nightly export broke off: most of the company is missing from it.",
        outcome: "held",
        groups: 24,
    },
    Event {
        name: "13-plan.json",
        text: include_str!("../events/13-plan.json"),
        comes_in: "The operator looks at what waits.",
        outcome: "planned",
        groups: 24,
    },
    Event {
        name: "14-approve.json",
        text: include_str!("../events/14-approve.json"),
        comes_in: "The operator approves it by its digest.",
        outcome: "published",
        groups: 11,
    },
    Event {
        name: "15-export.json",
        text: include_str!("../events/15-export.json"),
        comes_in: "The operator asks for what is published, in Calven's own form.",
        outcome: "groupRelationships",
        groups: 11,
    },
    Event {
        name: "16-history.json",
        text: include_str!("../events/16-history.json"),
        comes_in: "The operator asks which versions there were.",
        outcome: "history",
        groups: 11,
    },
    Event {
        name: "17-rollback.json",
        text: include_str!("../events/17-rollback.json"),
        comes_in: "That was a mistake: back to version 9.",
        outcome: "published",
        groups: 24,
    },
    Event {
        name: "18-explain.json",
        text: include_str!("../events/18-explain.json"),
        comes_in: "The operator is asked why Facilities is where it is.",
        outcome: "why",
        groups: 24,
    },
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut demo = Demo::start().await?;
    println!(
        "Calven and Capillary are stand-ins on this machine; the bridge between is the real one."
    );
    println!("In the trees: + is new, ~ has another parent, - is gone.");
    for event in &EVENTS {
        demo.replay(event).await?;
    }
    demo.go_on_after_the_rollback().await?;
    demo.duplicate().await?;
    demo.late_event().await?;
    demo.cycle().await?;
    demo.outage().await?;
    demo.employees().await?;
    demo.something_changed().await?;
    println!(
        "\nAll as it should be: {} PUTs, and Calven never held a wrong tree.",
        demo.calven.puts().len()
    );
    Ok(())
}

/// The bridge, what is around it, and what has been shown.
struct Demo {
    function: Function,
    calven: CalvenStandIn,
    _capillary: CapillaryStandIn,
    hris: HrisStandIn,
    /// Secrets are read from it when they are first needed.
    _folder: tempfile::TempDir,
    clock: Arc<AtomicI64>,
    signing_key: Vec<u8>,
    shown: Vec<Row>,
    steps: usize,
}

impl Demo {
    async fn start() -> Result<Self> {
        let secrets: Value = serde_json::from_str(SECRETS)?;
        let secret = |id: &str, field: &str| {
            let text = secrets
                .get(id)
                .and_then(|secret| secret.get(field)?.as_str());
            text.map(str::to_owned)
                .with_context(|| format!("{id} has no {field}"))
        };
        let clock = Arc::new(AtomicI64::new(Timestamp::parse_rfc3339(BEGIN)?.seconds()));
        let seconds = {
            let clock = Arc::clone(&clock);
            move || clock.load(Ordering::SeqCst)
        };
        let calven_key = calven::Credentials::Hmac {
            api_key: secret("calven/api", "apiKey")?,
            api_secret: secret("calven/api", "apiSecret")?,
        };
        let calven = CalvenStandIn::start(calven_key, seconds.clone()).await?;
        let till = capillary::Credentials::Basic {
            username: secret("capillary/api", "username")?,
            password: secret("capillary/api", "password")?,
        };
        let capillary = CapillaryStandIn::start(till, ORGANIZATIONS, seconds.clone()).await?;

        let hris = HrisStandIn::start().await?;
        hris.require("authorization", &format!("Bearer {TEAMS_TOKEN}"));
        hris.answer("GET /hris/groups", groups_answer(&[]).to_string());

        let folder = tempfile::tempdir()?;
        let sources = format!("{SOURCES}{MORE_SOURCES}base_url = \"{}\"\n", hris.url());
        fs::write(folder.path().join("sources.toml"), sources)?;
        let secrets_file = folder.path().join("secrets.json");
        let mut all_secrets = secrets.as_object().cloned().unwrap_or_default();
        for (id, secret) in [
            ("hris/people", json!({"signingSecret": PEOPLE_KEY})),
            ("hris/teams", json!({"signingSecret": TEAMS_KEY})),
            ("hris/teams-api", json!({"token": TEAMS_TOKEN})),
        ] {
            all_secrets.insert(id.to_owned(), secret);
        }
        fs::write(&secrets_file, serde_json::to_string(&all_secrets)?)?;
        let variables = BTreeMap::from([
            ("CALVEN_BASE_URL", calven.url()),
            ("CALVEN_SECRET_ID", "calven/api".to_owned()),
            ("CAPILLARY_BASE_URL", capillary.url()),
            ("CAPILLARY_SECRET_ID", "capillary/api".to_owned()),
            ("PUBLISH_BUDGET_SECONDS", "1".to_owned()),
        ]);
        let files = Files {
            beside_binary: None,
            working_dir: folder.path().to_owned(),
        };
        let config = Config::read(&|name| variables.get(name).cloned(), &files)?;
        let parts = Parts {
            http: http::client()?.into(),
            secrets: SecretsHome::File(secrets_file),
            store: Arc::new(MemoryStore::default()),
            queue: None,
            clock: Clock::new(move || Timestamp::from_seconds(seconds())),
            retry: RetryPolicy {
                first: Duration::from_millis(20),
                ..RetryPolicy::default()
            },
            metrics: None,
            salt: Salt::new([0; 32]),
        };
        let signing_key = secret("hris/acme", "signingSecret")?;
        let signing_key = signing_key.strip_prefix("whsec_").unwrap_or(&signing_key);
        Ok(Self {
            function: Function::new(config, parts),
            calven,
            _capillary: capillary,
            hris,
            _folder: folder,
            clock,
            signing_key: STANDARD.decode(signing_key)?,
            shown: Vec::new(),
            steps: 0,
        })
    }

    async fn replay(&mut self, event: &Event) -> Result<()> {
        self.step(event.comes_in, Some(event.name));
        let answer = self.invoke(serde_json::from_str(event.text)?).await?;
        self.show(&answer, event.outcome)?;
        let groups = self.shown.len();
        ensure!(
            groups == event.groups,
            "Calven should hold {} groups",
            event.groups
        );
        Ok(())
    }

    async fn go_on_after_the_rollback(&mut self) -> Result<()> {
        self.step(
            "After a rollback everything waits for the operator, who approves it after all.",
            None,
        );
        let plan = self.invoke(json!({"action": "plan"})).await?;
        let digest = plan.get("digest").context("a plan has a digest")?;
        let answer = self
            .invoke(json!({"action": "approve", "digest": digest}))
            .await?;
        self.show(&answer, "published")?;
        self.expect("Product [Department] < Engineering [Division]")
    }

    async fn duplicate(&mut self) -> Result<()> {
        let legal = upsert("Legal", "Department", Some(("Operations", "Division")));
        self.step("A new department, Legal in Operations.", None);
        let answer = self
            .webhook("demo_1", "2026-01-12T08:10:00Z", &legal)
            .await?;
        self.show(&answer, "published")?;
        self.step(
            "The same webhook once more: its sender had not waited for the answer.",
            None,
        );
        let answer = self
            .webhook("demo_1", "2026-01-12T08:10:00Z", &legal)
            .await?;
        self.show(&answer, "unchanged")
    }

    async fn late_event(&mut self) -> Result<()> {
        self.step(
            "A webhook from before that, which was stuck: Legal was in Engineering then.",
            None,
        );
        let was = upsert("Legal", "Department", Some(("Engineering", "Division")));
        let answer = self.webhook("demo_0", "2026-01-12T07:00:00Z", &was).await?;
        self.show(&answer, "unchanged")?;
        self.expect("Legal [Department] < Operations [Division]")
    }

    async fn cycle(&mut self) -> Result<()> {
        self.step(
            "Operations shall be in Legal, which is in Operations: Calven would refuse it all.",
            None,
        );
        let cycle = upsert("Operations", "Division", Some(("Legal", "Department")));
        let answer = self
            .webhook("demo_2", "2026-01-12T08:20:00Z", &cycle)
            .await?;
        self.show(&answer, "held")?;
        self.expect("Operations [Division]")?;
        self.step(
            "Legal is at the top: with that, what was held takes effect by itself.",
            None,
        );
        let top = upsert("Legal", "Department", None);
        let answer = self.webhook("demo_3", "2026-01-12T08:30:00Z", &top).await?;
        self.show(&answer, "published")?;
        self.expect("Operations [Division] < Legal [Department]")
    }

    async fn outage(&mut self) -> Result<()> {
        self.step(
            "Calven is down. A webhook comes in: Research in Engineering.",
            None,
        );
        self.calven.go_down().await;
        let research = upsert("Research", "Department", Some(("Engineering", "Division")));
        let answer = self
            .webhook("demo_4", "2026-01-12T08:40:00Z", &research)
            .await?;
        self.show(&answer, "accepted")?;
        self.calven.come_back().await?;
        self.step("Calven is back, and the schedule comes by.", None);
        let answer = self.invoke(json!({"action": "reconcile"})).await?;
        self.show(&answer, "published")?;
        self.expect("Research [Department] < Engineering [Division]")
    }

    /// Records of employees, each with a department and a division: what most of them say of a department counts.
    async fn employees(&mut self) -> Result<()> {
        self.step(
            "BambooHR posts three employees of Compliance; one of them is filed under another division.",
            None,
        );
        let divisions = ["Operations", "Operations", "Engineering"];
        let employees = divisions.iter().enumerate().map(|(number, division)| {
            json!({"id": number, "action": "Updated", "timestamp": "2026-01-12T08:50:00Z",
                   "fields": {"Department": "Compliance", "Division": division}})
        });
        let body = json!({"employees": employees.collect::<Vec<_>>()}).to_string();
        let timestamp = self.clock.load(Ordering::SeqCst).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(PEOPLE_KEY.as_bytes())?;
        mac.update(format!("{body}{timestamp}").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let headers = json!({"X-BambooHR-Timestamp": timestamp, "X-BambooHR-Signature": signature});
        let answer = self
            .invoke(by_function_url("people", &headers, &body))
            .await?;
        self.show(&answer, "published")?;
        self.expect("Compliance [Department] < Operations [Division]")
    }

    /// A webhook without content: the bridge asks the sender's API itself.
    async fn something_changed(&mut self) -> Result<()> {
        self.step(
            "Kombo says that something changed in its HRIS, and not what: the groups are read from its API.",
            None,
        );
        let groups = groups_answer(&[
            json!({"id": "k1", "name": "Works Council", "type": null, "parent_id": null}),
            json!({"id": "k2", "name": "Elections", "type": "TEAM", "parent_id": "k1"}),
        ]);
        self.hris.answer("GET /hris/groups", groups.to_string());
        let body = json!({"id": "demo_5", "type": "data-changed",
                          "data": {"changed_models": [{"name": "hris_groups"}]}})
        .to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(TEAMS_KEY.as_bytes())?;
        mac.update(body.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        let headers = json!({"X-Kombo-Signature": signature});
        let answer = self
            .invoke(by_function_url("teams", &headers, &body))
            .await?;
        self.show(&answer, "published")?;
        self.expect("Elections [Team] < Works Council [Group]")
    }

    /// A signed webhook with one change, by a Function URL.
    async fn webhook(&mut self, id: &str, at: &str, change: &Value) -> Result<Value> {
        let body = json!({"id": id, "occurredAt": at, "changes": [change]}).to_string();
        let timestamp = self.clock.load(Ordering::SeqCst).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.signing_key)?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        let headers = json!({"content-type": "application/json", "webhook-id": id,
                             "webhook-timestamp": timestamp, "webhook-signature": signature});
        self.invoke(by_function_url("acme", &headers, &body)).await
    }

    /// What the function answers; of an HTTP answer the body.
    async fn invoke(&mut self, event: Value) -> Result<Value> {
        self.clock.fetch_add(60, Ordering::SeqCst);
        let context = lambda_runtime::Context::default();
        let answer = self.function.handle(event, context).await?;
        match answer.get("statusCode") {
            None => Ok(answer),
            Some(_) => {
                let body = answer.get("body").and_then(Value::as_str);
                Ok(serde_json::from_str(body.unwrap_or_default())?)
            }
        }
    }

    fn step(&mut self, comes_in: &str, file: Option<&str>) {
        self.steps += 1;
        println!("\n{:2}. {comes_in}", self.steps);
        if let Some(file) = file {
            println!("    events/{file}");
        }
    }

    /// Prints what was decided and what Calven holds by now.
    fn show(&mut self, answer: &Value, outcome: &str) -> Result<()> {
        println!("    {}", decision(answer));
        for entry in list(answer, "held").iter().chain(list(answer, "conflicts")) {
            println!("    {}", remark(entry));
        }
        let rows = self.calven.rows().unwrap_or_default();
        print!("{}", changes(&self.shown, &rows));
        self.shown = rows;
        let found = answer.get("status").and_then(Value::as_str);
        let is_so = found == Some(outcome) || answer.get(outcome).is_some();
        ensure!(is_so, "this should have been {outcome}: {answer}");
        Ok(())
    }

    fn expect(&self, row: &str) -> Result<()> {
        if self.shown.iter().any(|known| text_of(known) == row) {
            return Ok(());
        }
        bail!("Calven should hold {row}")
    }
}

/// What Kombo's API answers, in one page.
fn groups_answer(groups: &[Value]) -> Value {
    json!({"status": "success", "data": {"next": null, "results": groups}})
}

/// A webhook to a source, in a Function URL's envelope.
fn by_function_url(source: &str, headers: &Value, body: &str) -> Value {
    let path = format!("/webhooks/{source}");
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous", "apiId": "demo", "domainName": "demo.lambda-url.us-east-1.on.aws",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1",
                     "sourceIp": "192.0.2.10", "userAgent": "demo"},
            "requestId": "demo", "routeKey": "$default", "stage": "$default", "timeEpoch": 0},
        "body": body, "isBase64Encoded": false,
    })
}

fn upsert(group: &str, group_type: &str, parent: Option<(&str, &str)>) -> Value {
    let (parent, parent_type) = parent.unzip();
    json!({"group": group, "groupType": group_type, "parent": parent, "parentType": parent_type})
}

fn list<'a>(answer: &'a Value, field: &str) -> &'a [Value] {
    answer
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

/// The answer in a line.
fn decision(answer: &Value) -> String {
    if answer.get("batchItemFailures").is_some() {
        return format!(
            "=> {} records failed",
            list(answer, "batchItemFailures").len()
        );
    }
    if answer.get("groupRelationships").is_some() {
        return format!("=> {} rows", list(answer, "groupRelationships").len());
    }
    if answer.get("history").is_some() {
        let versions = list(answer, "history").iter().map(|entry| {
            let version = entry
                .get("version")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            format!("{version} {}", text(entry, "cause"))
        });
        return format!("=> {}", versions.collect::<Vec<_>>().join(", "));
    }
    if answer.get("why").is_some() {
        let why = list(answer, "why").iter().filter_map(Value::as_str);
        return format!("=> {}", why.collect::<Vec<_>>().join("\n       "));
    }
    let hierarchy = answer.get("hierarchy").unwrap_or(&Value::Null);
    let count = |field: &str| hierarchy.get(field).and_then(Value::as_u64).unwrap_or(0);
    let counts = ["added", "moved", "renamed", "removed"].map(|kind| (count(kind), kind));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{count} {kind}"))
        .collect();
    let changes = match counts.is_empty() {
        true => String::new(),
        false => format!(": {}", counts.join(", ")),
    };
    let stale = answer.pointer("/statements/stale").and_then(Value::as_u64);
    let stale = match stale {
        Some(stale @ 1..) => format!(", {stale} known already or too old"),
        Some(0) | None => String::new(),
    };
    let status = text(answer, "status");
    format!("=> {status}{changes}{stale} (version {})", count("version"))
}

/// Something that is held, or a conflict.
fn remark(entry: &Value) -> String {
    let group = text(entry, "group");
    if let (Some(won), Some(lost)) = (entry.get("won"), entry.get("lost")) {
        let side = |side: &Value| {
            let by = match side.get("persons").and_then(Value::as_u64) {
                Some(persons) => format!("{persons} records of {}", text(side, "source")),
                None => text(side, "source").to_owned(),
            };
            format!("in {} by {by}", text(side, "parent"))
        };
        return format!("   conflict: {group} is {}, {}", side(won), side(lost));
    }
    match text(entry, "reason") {
        reason @ "cycle" => {
            let cycle = list(entry, "cycle")
                .iter()
                .map(|group| text(group, "group"));
            format!(
                "   held, {reason}: {}",
                cycle.collect::<Vec<_>>().join(" in ")
            )
        }
        reason => format!("   held, {reason}: {}", text(entry, "detail")),
    }
}

/// What Calven holds by now as a tree, marked where it differs from before.
fn changes(before: &[Row], now: &[Row]) -> String {
    if before == now {
        return "    Calven holds the same as before.\n".to_owned();
    }
    let group = |row: &Row| format!("{} [{}]", row.group, row.group_type);
    let parent = |row: &Row| row.parent.clone().zip(row.parent_type.clone());
    let known: BTreeMap<_, _> = before.iter().map(|row| (group(row), parent(row))).collect();
    let mut marks = BTreeMap::new();
    for row in now {
        let mark = match known.get(&group(row)) {
            None => "+",
            Some(was) if *was != parent(row) => "~",
            Some(_) => " ",
        };
        marks.insert(group(row), mark);
    }
    let mut lines = String::new();
    for line in calven::tree(now).lines() {
        let mark = marks.get(line.trim_start()).unwrap_or(&" ");
        lines.push_str(&format!("      {mark} {line}\n"));
    }
    for gone in before.iter().filter(|row| !marks.contains_key(&group(row))) {
        lines.push_str(&format!("      - {}\n", text_of(gone)));
    }
    lines
}

/// A row in a line.
fn text_of(row: &Row) -> String {
    let group = format!("{} [{}]", row.group, row.group_type);
    match row.parent.as_ref().zip(row.parent_type.as_ref()) {
        Some((parent, parent_type)) => format!("{group} < {parent} [{parent_type}]"),
        None => group,
    }
}
