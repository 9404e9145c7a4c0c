//! The operator's walk of docs/walk.md, command by command, against the built function: a mass removal arrives, the alarm's
//! metric rises, it is looked at, approved, taken back, and what was before is published again, to the byte.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use stand_ins::{calven::CalvenStandIn, lambda_runtime::Invoked, s3::S3};

use crate::{
    built,
    docs::{commands, payloads},
    harness::{Answer, Setup, read, row_of, secrets, upsert},
    metrics,
    processes::Process,
};

/// The built function, inside of Lambda as far as it can tell, and how often it was invoked.
struct Walk {
    process: Process,
    calven: CalvenStandIn,
    invocations: usize,
    /// The payloads of the page's commands that are still to be run.
    told: VecDeque<Value>,
}

impl Walk {
    async fn invoke(&mut self, event: Value) -> (Value, Vec<u8>) {
        self.invocations += 1;
        match self.process.invoke(event).await {
            Invoked::Response(value) => (value, self.process.runtime.last_answer()),
            Invoked::Error(error) | Invoked::InitError(error) => panic!("{error}"),
        }
    }

    async fn event(&mut self, name: &str) -> Answer {
        let event = serde_json::from_str(&read(&format!("events/{name}"))).unwrap();
        let (value, _) = self.invoke(event).await;
        Answer::of(&value)
    }

    /// Runs the page's next command, which must be this action.
    async fn next(&mut self, action: &str) -> (Value, Vec<u8>) {
        let payload = self.told.pop_front().unwrap();
        assert_eq!(payload["action"], action, "{payload}");
        self.invoke(payload).await
    }

    /// The page's next command, which answers with a text.
    async fn next_text(&mut self, action: &str) -> String {
        assert_eq!(self.told[0]["format"], "text");
        let (text, _) = self.next(action).await;
        text.as_str().unwrap().to_owned()
    }

    /// What Calven was sent last.
    fn last_put(&self) -> Vec<u8> {
        self.calven.puts().last().unwrap().body.clone()
    }
}

/// What the lines of the log have measured, by the invocation's number, which the stand-in's request ids end with.
fn measured(log: &str) -> BTreeMap<usize, Value> {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let measured = lines.filter(|line: &Value| line["_aws"].is_object());
    let numbered = measured.map(|line| {
        let id = line["requestId"].as_str().unwrap();
        (id.rsplit('-').next().unwrap().parse().unwrap(), line)
    });
    numbered.collect()
}

/// The value that `PlanHeldAlarm` sees of an invocation, by the namespace, name and dimensions that the template gives it.
#[track_caller]
fn seen_by_the_alarm(line: &Value) -> Option<u64> {
    let alarms = metrics::named();
    let [(namespace, name, dimensions)] = &alarms["PlanHeldAlarm"][..] else {
        panic!("the alarm watches one metric");
    };
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let told = directives.iter().find(|directive| {
        let sets = directive["Dimensions"].as_array().unwrap();
        let declared = directive["Metrics"].as_array().unwrap();
        directive["Namespace"] == **namespace
            && sets.contains(&json!(dimensions))
            && declared.iter().any(|metric| metric["Name"] == **name)
    });
    told.map(|_| line[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_mass_removal_is_seen_approved_and_taken_back_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let secrets_file = folder.path().join("secrets.json");
    std::fs::write(&secrets_file, json!(secrets()).to_string()).unwrap();
    let calven = built::calven("calven/api").await;
    let s3 = S3::start("bridge-state").await;
    let (url, s3_url) = (calven.url(), s3.url());
    let mut variables = [
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("CALVEN_BASE_URL", &url),
        ("CALVEN_SECRET_ID", "calven/api"),
        ("SECRETS_FILE", secrets_file.to_str().unwrap()),
        ("STATE_URL", "s3://bridge-state/state.json"),
        ("AWS_ENDPOINT_URL_S3", &s3_url),
    ];
    let page = commands("docs/walk.md");
    let mut walk = Walk {
        process: Process::start(folder.path(), &variables).await,
        calven,
        invocations: 0,
        told: page.iter().flat_map(payloads).collect(),
    };

    let seed = serde_json::from_str(&read("events/01-seed.json")).unwrap();
    assert_eq!(walk.invoke(seed).await.0["status"], "published");
    for name in [
        "02-snapshot.json",
        "03-upsert.json",
        "04-rename.json",
        "05-remove.json",
    ] {
        let answer = walk.event(name).await;
        assert_eq!(answer.word(), (200, "published"), "{}", answer.body);
    }
    let (_, before) = walk.invoke(json!({"action": "export"})).await;
    let sent_before = walk.last_put();
    assert_eq!(walk.calven.rows().unwrap().len(), 16);

    let removal = walk.event("12-mass-removal.json").await;
    let at_the_removal = walk.invocations;
    assert_eq!(removal.word(), (202, "held"), "{}", removal.body);
    assert_eq!(removal.held(), ["guard"]);
    assert_eq!(walk.last_put(), sent_before, "Calven keeps what it has");

    let text = walk.next_text("plan").await;
    let (plan, _) = walk.next("plan").await;
    let digest = plan["digest"].as_str().unwrap();
    let approval = format!("{{\"action\":\"approve\",\"digest\":\"{digest}\"}}");
    let gone = "- Department \"Customer Support\" (was under Division \"Operations\")";
    for shown in [gone, digest, &approval] {
        assert!(text.contains(shown), "{shown}\n{text}");
    }
    let counts = &plan["hierarchy"];
    let removed = format!("{} to remove", counts["removed"]);
    assert!(text.contains(&removed), "{removed}\n{text}");

    let explained = walk.next_text("explain").await;
    for shown in ["Customer Support", "acme", "2026-01-09"] {
        assert!(explained.contains(shown), "{shown}\n{explained}");
    }

    assert_eq!(walk.told[0]["digest"], plan["digest"], "the page's digest");
    let (approved, _) = walk.next("approve").await;
    let at_the_approval = walk.invocations;
    assert_eq!(approved["status"], "published", "{approved}");
    assert_eq!(
        approved["hierarchy"]["groups"], plan["groupsAfter"],
        "what was shown is what was sent"
    );
    assert_ne!(walk.last_put(), sent_before);

    let history = walk.next_text("history").await;
    assert!(history.contains("approve"), "{history}");
    let (back, _) = walk.next("rollback").await;
    assert_eq!(back["status"], "published", "{back}");
    assert_eq!(back["hierarchy"]["version"], 7, "{back}");
    assert_eq!(walk.last_put(), sent_before, "what Calven holds");
    let (exported, bytes) = walk.next("export").await;
    assert_eq!(text_of(&bytes), text_of(&before), "what is exported");

    // `jq '{action: "seed"} + .' hierarchy.json > seed.json; ask file://seed.json`, which the page says next.
    let at = page.iter().position(|told| told.text.starts_with("jq "));
    assert!(page[at.unwrap() + 1].text.ends_with("file://seed.json"));
    let seed = json!({"action": "seed", "groupRelationships": exported["groupRelationships"]});
    let (seeded, _) = walk.invoke(seed.clone()).await;
    assert_eq!(seeded["held"][0]["reason"], "rolled_back", "{seeded}");
    let (_, after) = walk.next("export").await;
    assert_eq!(text_of(&after), text_of(&before), "what is exported still");
    assert_eq!(walk.last_put(), sent_before, "what Calven holds still");
    let rest = walk.next_text("plan").await;
    for shown in [
        "+ Department \"Finance\"",
        "+ Team \"Payroll\"",
        "2 to add, 0 to move, 0 to rename, 0 to remove",
        walk.told[0]["digest"].as_str().unwrap(),
    ] {
        assert!(rest.contains(shown), "{shown}\n{rest}");
    }
    let (ended, _) = walk.next("approve").await;
    assert_eq!(ended["status"], "published", "{ended}");
    assert_eq!(ended["hierarchy"]["groups"], 18, "{ended}");
    assert_eq!(walk.told.len(), 0, "{:?}", walk.told);

    let at_the_end = walk.invocations;
    let measured = measured(&walk.process.end().await);
    let seen = |number: usize| seen_by_the_alarm(&measured[&number]);
    // What only looks measures nothing of the state; before the removal there was an export.
    assert_eq!(seen(at_the_removal - 2), Some(0), "before it");
    assert_eq!(seen(at_the_removal), Some(1), "it is held");
    assert_eq!(seen(at_the_approval), Some(0), "it is let go");
    assert_eq!(seen(at_the_end), Some(0), "nothing waits at the end");
    let removed = &measured[&at_the_approval]["GroupsRemoved"];
    assert_eq!(removed, &counts["removed"]);

    // What was exported is all that another deployment needs.
    variables[6].1 = "s3://bridge-state/another.json";
    walk.process = Process::start(folder.path(), &variables).await;
    assert_eq!(walk.invoke(seed).await.0["status"], "published");
    let (_, bytes) = walk.invoke(json!({"action": "export"})).await;
    assert_eq!(text_of(&bytes), text_of(&before), "what another exports");
    assert_eq!(walk.last_put(), sent_before, "what another sends");
}

fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn the_order_of_moving_to_the_bridge_loses_nothing() {
    let mut world = Setup::default().variable("DRY_RUN", "true").start().await;
    let present = json!([row_of("Sales [Division]"), row_of("Brand [Department]")]);
    let seed = json!({"action": "seed", "groupRelationships": present});
    // 2 and 3: while somebody else PUTs, nothing is saved or sent.
    assert_eq!(world.action(seed.clone()).await["status"], "planned");
    let answer = world.says(1, upsert("Web [Team]")).await;
    assert_eq!(answer.word(), (200, "planned"), "{}", answer.body);
    assert_eq!((world.state().await, world.puts()), (None, 0));
    // 5: what comes before the seed is kept.
    world.reconfigure("DRY_RUN", "false");
    let answer = world
        .says(2, upsert("Events [Team] < Sales [Division]"))
        .await;
    assert_eq!(answer.held(), ["not_seeded"], "{}", answer.body);
    assert_eq!(world.puts(), 0);
    assert_eq!(world.action(seed).await["status"], "published");
    let all = [
        "Brand [Department]",
        "Events [Team] < Sales [Division]",
        "Sales [Division]",
    ];
    world.assert_holds(&all);
}
