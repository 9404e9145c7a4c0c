//! What is measured: every metric, what makes it, where it is explained, and which alarm watches it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use calven_bridge::metrics::{Breakdown, Metric, NAMESPACE};
use serde_json::{Value, json};
use stand_ins::{calven::Endpoint, fault::Fault, hris::HrisStandIn, sqs::Sqs};

use crate::{
    built, events,
    harness::{FUNCTION_NAME, Request, Setup, World, read, remove, secrets, upsert},
    processes::Process,
    queue::record_of,
    queueing,
    thin_events::TEAMS_OF_PEOPLE,
};

const TOP: &str = "Top [Division]";
const DAY: Duration = Duration::from_secs(86_400);

/// The metrics of one line, by name; that they are declared as the code says is checked on the way.
#[track_caller]
fn metrics(line: &Value) -> BTreeMap<&'static str, u64> {
    assert_eq!(line["FunctionName"], FUNCTION_NAME);
    let mut found = BTreeMap::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], NAMESPACE);
        for declared in directive["Metrics"].as_array().unwrap() {
            let metric = metric(declared["Name"].as_str().unwrap());
            assert_eq!(declared["Unit"], metric.unit().name());
            let sets = directive["Dimensions"].as_array().unwrap();
            let known = |set: &&&[&str]| set.iter().all(|name| line.get(name).is_some());
            let expected: Vec<_> = metric.breakdown().sets().iter().filter(known).collect();
            assert_eq!(json!(sets), json!(expected), "{}", metric.name());
            let value = line[metric.name()].as_u64().unwrap();
            assert_eq!(found.insert(metric.name(), value), None);
        }
    }
    let root = line.as_object().unwrap().keys();
    let others = root.filter(|key| !found.contains_key(key.as_str()));
    let others: BTreeSet<&str> = others.map(String::as_str).collect();
    let known = ["FunctionName", "Source", "Status", "_aws", "requestId"];
    assert!(others.is_subset(&known.into()), "{others:?}");
    found
}

#[track_caller]
fn metric(name: &str) -> Metric {
    let mut all = Metric::ALL.into_iter();
    let found = all.find(|metric| metric.name() == name);
    found.unwrap_or_else(|| panic!("the code emits no metric {name}"))
}

/// What the last invocation has measured.
#[track_caller]
fn last(world: &World) -> BTreeMap<&'static str, u64> {
    metrics(world.measured().last().unwrap())
}

#[tokio::test]
async fn every_metric_is_emitted_and_each_where_it_should_be() {
    let mut seen = BTreeSet::new();
    let mut expect = |world: &World, expected: &[(&str, u64)]| {
        let lines = world.measured();
        assert_eq!(lines.len(), 1, "one line an invocation: {lines:?}");
        let found = metrics(&lines[0]);
        let expected_here: BTreeMap<&str, u64> = expected.iter().copied().collect();
        for (name, value) in &expected_here {
            assert_eq!(found.get(name), Some(value), "{name} in {found:?}");
            seen.insert((*name).to_owned());
        }
        lines[0].clone()
    };
    let hris = HrisStandIn::start().await.unwrap();
    let sources = format!(
        "sources.acme = {{ preset = \"generic\", secret_id = \"hris/acme\", signature = {{ tolerance_seconds = 864000 }} }}
        [sources.people]
        proof = \"bearer\"
        secret_id = \"own/token\"
        base_url = \"{}\"
        api_secret_id = \"own/token\"
        event_id = \"$.id\"
        {TEAMS_OF_PEOPLE}",
        hris.url()
    );
    let setup = Setup::default()
        .sources(&sources)
        .secret("own/token", json!({"token": "t"}))
        .variable("CAPILLARY_MAX_AGE_SECONDS", "0")
        .capillary(&read("examples/sandbox/capillary.json"));
    let mut world = setup.start().await;
    hris.answer("GET /groups", "[]".to_owned());

    let seed = json!({"action": "seed", "groupRelationships": [
        {"group": "Top", "groupType": "Division", "parent": null, "parentType": null}]});
    world.action(seed).await;
    let line = expect(
        &world,
        &[
            ("ColdStarts", 1),
            // Calven's, and Capillary's, which is fetched ahead.
            ("SecretFetches", 2),
            ("StatementsApplied", 1),
            ("Groups", 1),
            ("GroupsAdded", 1),
            ("PublishLatency", 0),
            ("CalvenErrors", 0),
            ("CalvenRefusals", 0),
            ("PlanHeld", 0),
            ("StatementsHeld", 0),
            ("UnpublishedAge", 0),
        ],
    );
    assert_eq!((line.get("Source"), line.get("Webhooks")), (None, None));

    let team = "A [Team] < Top [Division]";
    world.says(1, upsert(team)).await;
    let line = expect(&world, &[("Webhooks", 1), ("PublishLatency", 0)]);
    assert_eq!(
        (&line["Source"], &line["Status"]),
        (&json!("acme"), &json!("published"))
    );
    assert_eq!(line.get("ColdStarts"), None);

    world.says(1, upsert(team)).await;
    let line = expect(&world, &[("Webhooks", 1), ("StatementsStale", 1)]);
    assert_eq!(line["Status"], "unchanged");
    assert_eq!(line.get("PublishLatency"), None);

    let renamed = crate::harness::rename("A [Team]", "B");
    world.says(2, renamed).await;
    expect(&world, &[("GroupsRenamed", 1)]);
    world.says(3, upsert("B [Team]")).await;
    expect(&world, &[("GroupsMoved", 1)]);
    world.says(4, remove("B [Team]")).await;
    expect(&world, &[("GroupsRemoved", 1)]);

    let wrong = world.signed("acme", &json!({"id": "x", "changes": []}));
    world
        .send(&wrong.with("webhook-signature", "v1,AAAA"))
        .await;
    let line = expect(&world, &[("Refusals", 1)]);
    assert_eq!(
        (line.get("Webhooks"), &line["Source"]),
        (None, &json!("acme"))
    );
    world.send(&Request::post("nobody-knows-it", "{}")).await;
    let line = expect(&world, &[("Refusals", 1)]);
    assert_eq!(
        line.get("Source"),
        None,
        "whoever posts must not make dimensions"
    );
    world.send(&Request::new("GET", "/health")).await;
    assert_eq!(world.measured(), Vec::<Value>::new());

    world.pass(Duration::from_secs(1));
    world.capillary().answer_with("application/json", "{");
    world.says(5, upsert("C [Team]")).await;
    expect(&world, &[("CapillaryErrors", 1)]);

    hris.answer("GET /groups", "no JSON".to_owned());
    let thin = Request::post("people", r#"{"id":"p1"}"#).with("authorization", "Bearer t");
    let answer = world.send(&thin).await;
    assert_eq!(answer.word(), (202, "accepted"), "{}", answer.body);
    expect(&world, &[("RereadErrors", 1), ("Webhooks", 1)]);
    // It is acknowledged, and nothing of it is published.
    world.pass(Duration::from_secs(600));
    world.says(6, upsert("C [Team]")).await;
    expect(&world, &[("UnpublishedAge", 600)]);

    world.leave_little();
    world.calven.fail_always(Endpoint::Put, Fault::Status(400));
    world.says(7, upsert("D [Team]")).await;
    expect(&world, &[("CalvenErrors", 1), ("CalvenRefusals", 1)]);

    world.leave_enough();
    world.put_secret("hris/acme", json!({"not": "a secret of a source"}));
    world.pass(Duration::from_secs(1_000));
    let answer = world.says(8, upsert("E [Team]")).await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    let line = expect(&world, &[("WebhookErrors", 1)]);
    assert_eq!(line["Source"], "acme");

    let batch = json!({"Records": [record_of("no message")]});
    world.action(batch).await;
    expect(&world, &[("MessagesFailed", 1)]);

    let all: BTreeSet<String> = Metric::ALL.map(|metric| metric.name().to_owned()).into();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_plan_that_is_held_for_three_days_shows_three_days_whoever_looks() {
    let rows: Vec<String> = (0..20).map(|n| format!("T{n} [Team]")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let mut world = World::seeded(&rows).await;
    let gone: Vec<Value> = rows.iter().skip(5).map(|row| remove(row)).collect();
    let answer = world
        .webhook("acme", &json!({"id": "evt_gone", "changes": gone}))
        .await;
    assert_eq!(answer.word(), (202, "held"));
    let at_once = last(&world);
    assert_eq!((at_once["PlanHeld"], at_once["UnpublishedAge"]), (1, 0));

    world.pass(3 * DAY);
    world.restart();
    // Looking is no change, and measures nothing of it.
    let stored = world.state().await;
    let plan = world.action(json!({"action": "plan"})).await;
    assert_eq!(world.state().await, stored);
    world.measured();
    // The schedule PUTs what is published, once more; that is no publication of what waits.
    world.action(json!({"action": "reconcile"})).await;
    let held = last(&world);
    assert_eq!((held["PlanHeld"], held["UnpublishedAge"]), (1, 259_200));
    assert_eq!(held.get("PublishLatency"), None);
    world.pass(DAY);
    world.restart();
    world.action(json!({"action": "reconcile"})).await;
    assert_eq!(last(&world)["UnpublishedAge"], 345_600);

    world
        .action(json!({"action": "approve", "digest": plan["digest"]}))
        .await;
    let approved = last(&world);
    assert_eq!((approved["PlanHeld"], approved["UnpublishedAge"]), (0, 0));
    assert_eq!(approved["GroupsRemoved"], 15);
    assert_eq!(approved["PublishLatency"], 345_600_000);
    assert_eq!(world.state().await.unwrap()["pendingSince"], Value::Null);
}

#[tokio::test]
async fn what_calven_did_not_take_grows_old_until_it_does() {
    let mut world = World::seeded(&[TOP]).await;
    world.calven.go_down().await;
    world.leave_little();
    let answer = world.says(1, upsert("A [Team]")).await;
    assert_eq!(answer.word(), (202, "accepted"));
    let down = last(&world);
    assert_eq!((down["CalvenErrors"], down["CalvenRefusals"]), (1, 0));
    assert_eq!(down["UnpublishedAge"], 0);
    world.pass(Duration::from_secs(900));
    world.restart();
    let (error_type, _) = world.refused(json!({"action": "reconcile"})).await;
    assert_eq!(error_type, "NotPublished");
    // A failed invocation is measured too.
    let failed = last(&world);
    assert_eq!((failed["CalvenErrors"], failed["UnpublishedAge"]), (1, 900));
    world.calven.come_back().await.unwrap();
    world.leave_enough();
    world.pass(Duration::from_secs(900));
    world.action(json!({"action": "reconcile"})).await;
    let back = last(&world);
    assert_eq!((back["CalvenErrors"], back["UnpublishedAge"]), (0, 0));
    assert_eq!(back["PublishLatency"], 1_800_000);
}

#[tokio::test]
async fn what_waited_in_the_queue_counts_from_its_receipt() {
    let sqs = Sqs::start().await.unwrap();
    let world = queueing::with(&sqs).start().await.seed(&[TOP]).await;
    world.measured();
    let body = json!({"id": "evt_1", "changes": [upsert("A [Team]")]});
    assert_eq!(world.webhook("acme", &body).await.status, 202);
    let lines = world.measured();
    let queued = metrics(&lines[0]);
    assert_eq!(
        (queued["Webhooks"], &lines[0]["Status"]),
        (1, &json!("accepted"))
    );
    assert!(
        !queued.contains_key("UnpublishedAge"),
        "the state was not looked at"
    );
    world.pass(Duration::from_secs(40));
    let batch = sqs.deliver(10).unwrap();
    world.action(batch).await;
    let published = last(&world);
    assert_eq!(published["PublishLatency"], 40_000);
    assert!(
        !published.contains_key("Webhooks"),
        "it was counted when it came"
    );
}

#[tokio::test]
async fn a_plan_that_came_to_nothing_is_not_pending_any_more() {
    let world = World::new().await;
    world.says(1, upsert("A [Team]")).await;
    assert_eq!(last(&world)["PlanHeld"], 1);
    world.pass(DAY);
    world.says(2, remove("A [Team]")).await;
    let nothing = last(&world);
    assert_eq!((nothing["PlanHeld"], nothing["UnpublishedAge"]), (0, 0));
    world.says(3, upsert("B [Team]")).await;
    assert_eq!(
        last(&world)["UnpublishedAge"],
        0,
        "another one's time is its own"
    );
}

#[tokio::test]
async fn a_dry_run_measures_nothing_of_a_state_that_it_does_not_save() {
    let world = Setup::default().variable("DRY_RUN", "true").start().await;
    world.says(1, upsert("A [Team]")).await;
    let found = last(&world);
    assert_eq!(found["Webhooks"], 1);
    for name in ["PlanHeld", "UnpublishedAge", "Groups", "StatementsApplied"] {
        assert!(!found.contains_key(name), "{name}");
    }
}

/// The built function's own, by these variables: what it wrote.
async fn written(variables: &[(&str, &str)], events: Vec<Value>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let calven = built::calven("calven/api").await;
    let secrets_file = folder.path().join("secrets.json");
    std::fs::write(&secrets_file, json!(secrets()).to_string()).unwrap();
    let state = format!("file:{}", folder.path().join("state.json").display());
    let (url, secrets_file) = (calven.url(), secrets_file.display().to_string());
    let mut all = vec![
        ("CALVEN_BASE_URL", url.as_str()),
        ("CALVEN_SECRET_ID", "calven/api"),
        ("SECRETS_FILE", &secrets_file),
        ("STATE_URL", &state),
    ];
    all.extend(variables);
    let process = Process::start(folder.path(), &all).await;
    for event in events {
        let _answer = process.invoke(event).await;
    }
    process.end().await
}

fn seed() -> Value {
    serde_json::from_str(&read("events/01-seed.json")).unwrap()
}

#[tokio::test]
async fn inside_lambda_a_metric_s_line_stands_on_stdout_as_it_is() {
    let inside = [
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
    ];
    let log = written(&inside, vec![seed(), json!({"action": "reconcile"})]).await;
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let measured: Vec<&Value> = lines
        .iter()
        .filter(|line| line["_aws"].is_object())
        .collect();
    let cold: Vec<Option<u64>> = measured
        .iter()
        .map(|line| line["ColdStarts"].as_u64())
        .collect();
    assert_eq!(cold, [Some(1), None], "one line an invocation, at its root");
    assert_eq!(measured[0]["FunctionName"], "calven-bridge");
    assert!(measured[1]["UnpublishedAge"].is_u64());
    let done: Vec<&Value> = lines
        .iter()
        .filter(|line| line["fields"]["message"] == "done")
        .collect();
    assert_eq!(done.len(), 2);
    let of = |line: &Value| line["fields"]["request_id"].clone();
    assert_eq!(
        of(done[0]),
        measured[0]["requestId"],
        "told from each other by the request"
    );
}

#[tokio::test]
async fn outside_of_lambda_there_is_no_metric_s_line() {
    let log = written(&[("AWS_LAMBDA_LOG_FORMAT", "JSON")], vec![seed()]).await;
    assert!(log.contains("\"done\"") && !log.contains("_aws"), "{log}");
}

#[tokio::test]
async fn the_log_s_level_and_form_are_lambda_s() {
    let unknown = json!({"what": "is this"});
    let level = "AWS_LAMBDA_LOG_LEVEL";
    let form = "AWS_LAMBDA_LOG_FORMAT";
    for (variables, has_info, has_json) in [
        (&[(level, "INFO")][..], true, false),
        (&[(level, "ERROR"), (form, "JSON")], false, true),
        (&[(level, "ERROR"), (form, "Text")], false, false),
        (&[(level, "ERROR"), ("RUST_LOG", "info")], true, false),
        (&[(level, "INFO"), ("RUST_LOG", "error")], false, false),
    ] {
        let log = written(variables, vec![seed(), unknown.clone()]).await;
        assert_eq!(log.contains("done"), has_info, "{variables:?}: {log}");
        assert!(
            log.contains("the invocation failed"),
            "{variables:?}: {log}"
        );
        let is_json = log
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok());
        assert_eq!(is_json, has_json, "{variables:?}: {log}");
    }
}

/// A resource of the template: its name, and its lines.
fn resources(template: &str) -> Vec<(String, String)> {
    let (_, resources) = template.split_once("\nResources:\n").unwrap();
    let (resources, _) = resources.split_once("\nOutputs:\n").unwrap();
    let mut found: Vec<(String, String)> = Vec::new();
    for line in resources
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let name = line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix(':'));
        match name.filter(|name| !name.starts_with(' ')) {
            Some(name) => found.push((name.to_owned(), String::new())),
            None => found.last_mut().unwrap().1.extend([line, "\n"]),
        }
    }
    found
}

/// A metric that something in the template names: its namespace, its name, and the names of its dimensions.
pub(crate) type Named = (String, String, Vec<String>);

/// The values of a key, in order.
fn values<'a>(block: &'a str, key: &str) -> Vec<&'a str> {
    let key = format!("{key}: ");
    let lines = block
        .lines()
        .map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(|line| line.strip_prefix(&key)).collect()
}

fn named_by_alarm(block: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for part in block.split("Namespace: ").skip(1) {
        let namespace = part.lines().next().unwrap().to_owned();
        let name = values(part, "MetricName")[0].to_owned();
        let dimensions = values(part, "Name").into_iter().map(str::to_owned);
        found.push((namespace, name, dimensions.collect()));
    }
    found
}

fn named_by_dashboard(block: &str) -> Vec<Named> {
    let (_, body) = block.split_once("DashboardBody: !Sub |-\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let mut found = Vec::new();
    for widget in body["widgets"].as_array().unwrap() {
        for row in widget["properties"]["metrics"].as_array().unwrap() {
            let texts = row.as_array().unwrap().iter().map_while(Value::as_str);
            let texts: Vec<&str> = texts.collect();
            if let [namespace, name, dimensions @ ..] = &texts[..] {
                let dimensions = dimensions.iter().step_by(2).map(|name| (*name).to_owned());
                found.push((
                    (*namespace).to_owned(),
                    (*name).to_owned(),
                    dimensions.collect(),
                ));
                continue;
            }
            // SEARCH('{Namespace,Dimension,…} MetricName="Name" …', …)
            let search = row[0]["expression"].as_str().unwrap();
            let (_, rest) = search.split_once("SEARCH('{").unwrap();
            let (schema, rest) = rest.split_once('}').unwrap();
            let (_, rest) = rest.split_once("MetricName=\"").unwrap();
            let (name, _) = rest.split_once('"').unwrap();
            let mut schema = schema.split(',').map(str::to_owned);
            found.push((schema.next().unwrap(), name.to_owned(), schema.collect()));
        }
    }
    found
}

/// What AWS measures of itself, as far as the template asks for it.
fn is_aws_s(namespace: &str, name: &str, dimensions: &[String]) -> bool {
    let (names, dimension): (&[&str], _) = match namespace {
        "AWS/Lambda" => (
            &[
                "Invocations",
                "Errors",
                "Throttles",
                "Duration",
                "ConcurrentExecutions",
            ],
            "FunctionName",
        ),
        "AWS/SQS" => (
            &[
                "ApproximateNumberOfMessagesVisible",
                "ApproximateAgeOfOldestMessage",
            ],
            "QueueName",
        ),
        _ => return false,
    };
    names.contains(&name) && dimensions == [dimension]
}

/// The metrics that each alarm and the dashboard of the template name.
pub(crate) fn named() -> BTreeMap<String, Vec<Named>> {
    let template = read("template.yaml");
    let mut named = BTreeMap::new();
    for (resource, block) in resources(&template) {
        match values(&block, "Type").first() {
            Some(&"AWS::CloudWatch::Alarm") => named.insert(resource, named_by_alarm(&block)),
            Some(&"AWS::CloudWatch::Dashboard") => {
                named.insert(resource, named_by_dashboard(&block))
            }
            _ => None,
        };
    }
    named
}

#[test]
fn what_alarms_and_dashboard_look_at_is_what_is_emitted() {
    let named = named();
    assert_eq!(named.len(), 9, "{:?}", named.keys());
    let mut on_the_dashboard = BTreeSet::new();
    for (resource, metrics) in &named {
        assert!(!metrics.is_empty(), "{resource}");
        for (namespace, name, dimensions) in metrics {
            let text = format!("{resource}: {namespace} {name} {dimensions:?}");
            if namespace != NAMESPACE {
                assert!(is_aws_s(namespace, name, dimensions), "{text}");
                continue;
            }
            let sets = metric(name).breakdown().sets();
            let fits = |set: &&&[&str]| set.iter().eq(dimensions.iter());
            assert!(sets.iter().any(|set| fits(&set)), "{text}");
            if resource == "MetricsDashboard" {
                on_the_dashboard.insert(name.as_str());
            }
        }
    }
    let all: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    assert_eq!(on_the_dashboard, all);
}

#[test]
fn every_alarm_says_what_to_do_first_and_where_to_read_on() {
    let docs = read("docs/metrics.md");
    let template = read("template.yaml");
    let mut alarms = 0;
    for (resource, block) in resources(&template) {
        if values(&block, "Type").first() != Some(&"AWS::CloudWatch::Alarm") {
            continue;
        }
        alarms += 1;
        assert!(block.contains("First "), "{resource}");
        for key in [
            "TreatMissingData",
            "AlarmActions",
            "OKActions",
            "ComparisonOperator",
        ] {
            assert_eq!(values(&block, key).len(), 1, "{resource}: {key}");
        }
        let (_, anchor) = block.split_once("docs/metrics.md#").unwrap();
        let anchor = anchor.lines().next().unwrap();
        assert!(
            docs.contains(&format!("<a id=\"{anchor}\"></a>")),
            "{resource}: {anchor}"
        );
    }
    assert_eq!(alarms, docs.matches("<a id=\"alarm-").count());
}

#[test]
fn the_table_of_the_metrics_is_the_code_s() {
    let docs = read("docs/metrics.md");
    let (_, section) = docs.split_once("\n## The metrics\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let alarms = named();
    let mut listed = Vec::new();
    for row in section.lines().filter(|row| row.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", name, unit, breakdown, meaning, alarm, ""] = cells[..] else {
            panic!("{row}");
        };
        let name = name.trim_matches('`');
        let metric = metric(name);
        listed.push(name);
        assert_eq!(unit, metric.unit().name(), "{name}");
        let expected = match metric.breakdown() {
            Breakdown::Function => "",
            Breakdown::Source => "source",
            Breakdown::SourceAndStatus => "source; source and status",
        };
        assert_eq!(breakdown, expected, "{name}");
        assert!(meaning.len() > 20, "{name}");
        let watching = alarms.iter().filter(|(resource, metrics)| {
            *resource != "MetricsDashboard" && metrics.iter().any(|(_, named, _)| named == name)
        });
        let watching: Vec<String> = watching
            .map(|(resource, _)| format!("`{resource}`"))
            .collect();
        assert_eq!(alarm, watching.join(", "), "{name}");
    }
    assert_eq!(listed, Metric::ALL.map(Metric::name));
}

#[tokio::test]
async fn no_metric_s_line_holds_what_a_sender_said() {
    let world = World::new().await;
    for (name, ..) in events::WALK {
        let event = read(&format!("events/{name}"));
        let _refused = world.invoke(serde_json::from_str(&event).unwrap()).await;
    }
    let lines = world.measured();
    assert!(lines.len() > 10, "{lines:?}");
    for line in lines {
        for (key, value) in line.as_object().unwrap() {
            let is_ours = value.is_u64()
                || ["_aws", "FunctionName", "requestId"].contains(&key.as_str())
                || ["acme", "people", "scim", "published", "unchanged", "held"]
                    .contains(&value.as_str().unwrap_or_default());
            assert!(is_ours, "{key}: {value}");
        }
    }
}
