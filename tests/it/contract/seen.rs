//! One answer of every kind that the HTTP side gives, each seen.

use std::time::Duration;

use serde_json::{Value, json};
use stand_ins::{
    calven::Endpoint,
    fault::Fault,
    secrets_manager::{self, SecretsManager},
};

use crate::{
    harness::{Answer, Request, Setup, World, read, remove, rename, upsert},
    senders::{KEY, proven, secret_of},
};

pub(super) const WEBHOOK: &str = "/webhooks/{source}";
pub(super) const HEALTH: &str = "/health";

const SOURCES: &str = r#"
[sources.acme]
preset = "generic"
secret_id = "hris/acme"

[sources.workday]
preset = "generic"
secret_id = "hris/workday"
priority = 10

[sources.people]
preset = "bamboohr"
secret_id = "own/bamboohr"

[sources.okta]
preset = "okta"
secret_id = "own/okta"

[sources.hibob]
preset = "hibob"
secret_id = "own/hibob"

[sources.broken]
preset = "generic"
secret_id = "own/broken"

[sources.unreachable]
preset = "generic"
secret_id = "own/unreachable"
"#;

/// A request and its answer.
pub(super) struct Seen {
    /// As the contract's example is called.
    pub(super) name: &'static str,
    /// What happened.
    pub(super) sentence: &'static str,
    /// As a path of the contract.
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) answer: Answer,
}

impl Seen {
    /// Whether it is an answer of this operation: one to a method of which there is none is an answer of each.
    pub(super) fn is_of(&self, path: &str, method: &str) -> bool {
        let is_operation = match self.path {
            HEALTH => self.method == "GET",
            _ => ["GET", "POST"].contains(&self.method),
        };
        self.path == path && (self.method == method || !is_operation)
    }
}

struct Looking {
    world: World,
    seen: Vec<Seen>,
}

impl Looking {
    /// Sends a request; the status and the word for what became of it are as expected.
    async fn at(
        &mut self,
        name: &'static str,
        sentence: &'static str,
        request: Request,
        expected: (u64, &str),
    ) {
        let answer = self.world.send(&request).await;
        let word = answer.body["status"].as_str().unwrap_or("-");
        assert_eq!((answer.status, word), expected, "{name}: {}", answer.body);
        let path = match request.path.as_str() {
            HEALTH => HEALTH,
            _ => WEBHOOK,
        };
        self.seen.push(Seen {
            name,
            sentence,
            path,
            method: request.method,
            answer,
        });
        self.world.pass(Duration::from_secs(1));
    }

    async fn posted(
        &mut self,
        name: &'static str,
        sentence: &'static str,
        source: &str,
        body: Value,
        expected: (u64, &str),
    ) {
        let request = self.world.signed(source, &body);
        self.at(name, sentence, request, expected).await;
    }
}

fn get(path: &str) -> Request {
    Request::new("GET", path)
}

fn changes(id: &str, changes: &[Value]) -> Value {
    json!({ "id": id, "changes": changes })
}

/// What is too long for an example: of a very long cycle the beginning.
pub(super) async fn too_long() -> Seen {
    let world = World::seeded(&["Top [Team]"]).await;
    let row = |at: usize| format!("g{at} [T] < g{} [T]", (at + 1) % 1_001);
    let changes: Vec<Value> = (0..1_001).map(|at| upsert(&row(at))).collect();
    let body = json!({"id": "evt_1", "changes": changes});
    let answer = world.webhook("acme", &body).await;
    Seen {
        name: "longCycle",
        sentence: "A cycle is too long to be told whole.",
        path: WEBHOOK,
        method: "POST",
        answer,
    }
}

/// Sees all of it.
pub(super) async fn all() -> Vec<Seen> {
    let manager = SecretsManager::start().await;
    let setup = Setup::default().sources(SOURCES).secrets_manager(&manager);
    for preset in ["bamboohr", "okta", "hibob"] {
        manager.put(
            &format!("own/{preset}"),
            &secret_of(preset, KEY).to_string(),
        );
    }
    manager.put("own/broken", r#"{"not": "a secret of a source"}"#);
    let world = setup.start().await;
    let mut looking = Looking {
        world,
        seen: Vec::new(),
    };
    without_a_report(&mut looking).await;
    with_a_report(&mut looking).await;
    refused(&mut looking, &manager).await;
    looking.seen
}

async fn without_a_report(looking: &mut Looking) {
    let (health, okta) = ("/health", "/webhooks/okta");
    let challenge = "x-okta-verification-challenge";
    looking
        .at("healthy", "The function answers", get(health), (200, "-"))
        .await;
    let post = Request::new("POST", health);
    looking
        .at("healthPosted", "It is asked by POST", post, (405, "-"))
        .await;
    let asked = get(okta).with(challenge, "5c7w-Zs_y-1");
    looking
        .at(
            "challenge",
            "Okta asks whether the address is ours",
            asked,
            (200, "-"),
        )
        .await;
    let named = "The challenge is missing";
    looking
        .at("noChallenge", named, get(okta), (400, "-"))
        .await;
    let nobody = get("/webhooks/nobody");
    looking
        .at(
            "noSuchSourceToGreet",
            "There is no such source",
            nobody,
            (404, "-"),
        )
        .await;
    let named = "The source has no challenge";
    looking
        .at("notByGet", named, get("/webhooks/acme"), (405, "-"))
        .await;
    let put = Request::new("PUT", okta);
    looking
        .at("neither", "Neither GET nor POST", put, (405, "-"))
        .await;
    let ping = Request::post("hibob", "\"Ping test\"");
    looking
        .at("ping", "HiBob tries the address", ping, (200, "-"))
        .await;
}

async fn with_a_report(looking: &mut Looking) {
    let first = changes(
        "evt_1",
        &[upsert("Payments [Team] < Engineering [Division]")],
    );
    let named = "Before the first seed all waits";
    looking
        .posted("notSeeded", named, "acme", first.clone(), (202, "held"))
        .await;
    let rows = [
        "Engineering [Division]",
        "Mktg [Division]",
        "Brand [Department] < Mktg [Division]",
        "Payments [Team] < Engineering [Division]",
    ];
    let rows: Vec<Value> = rows.iter().map(|row| crate::harness::row_of(row)).collect();
    let seed =
        json!({"action": "seed", "groupRelationships": rows, "occurredAt": "2026-01-10T11:00:00Z"});
    assert_eq!(looking.world.action(seed).await["status"], "published");
    looking
        .posted(
            "unchanged",
            "It is so already",
            "acme",
            first,
            (200, "unchanged"),
        )
        .await;

    let facilities =
        |parent: &str| upsert(&format!("Facilities [Department] < {parent} [Division]"));
    let body = changes(
        "evt_2",
        &[
            facilities("Engineering"),
            rename("Mktg [Division]", "Marketing"),
            upsert("Fax [Team]"),
            upsert("Desk [Team]"),
        ],
    );
    looking
        .posted(
            "published",
            "A new group, and another name",
            "workday",
            body,
            (200, "published"),
        )
        .await;
    let body = changes("evt_3", &[facilities("Marketing")]);
    let named = "Another source has the last word on that parent";
    looking
        .posted("conflict", named, "acme", body, (200, "unchanged"))
        .await;
    let body = changes(
        "evt_4",
        &[upsert("Engineering [Division] < Payments [Team]")],
    );
    looking
        .posted(
            "cycle",
            "A group would be its own ancestor",
            "acme",
            body,
            (202, "held"),
        )
        .await;
    let mut unknown = upsert("Risk [Team]");
    unknown["parentKey"] = json!("dep-77");
    let body = changes("evt_5", &[unknown]);
    looking
        .posted(
            "unknownParent",
            "Nobody has named the parent yet",
            "acme",
            body,
            (202, "held"),
        )
        .await;

    let persons = [(1, "Ops"), (2, "Ops"), (3, "Engineering")].map(|(number, division)| {
        json!({"id": format!("p-{number}"), "action": "Updated", "timestamp": "2026-01-10T11:30:00Z",
               "fields": {"Department": "Compliance", "Division": division}})
    });
    let body = json!({ "employees": persons }).to_string();
    let request = proven(
        "bamboohr",
        KEY,
        looking.world.now(),
        Request::post("people", body),
    );
    let named = "Persons of one department name two divisions";
    looking
        .at("persons", named, request, (200, "published"))
        .await;
    let body = read("tests/fixtures/payloads/okta-group.user_membership.add.json");
    let request = proven(
        "okta",
        KEY,
        looking.world.now(),
        Request::post("okta", body),
    );
    let named = "Who is in a group is not about the organisation";
    looking
        .at("ignored", named, request, (200, "ignored"))
        .await;

    looking
        .world
        .calven
        .fail_next(Endpoint::Put, Fault::Status(400));
    let body = changes("evt_6", &[upsert("Search [Team] < Engineering [Division]")]);
    looking
        .posted(
            "accepted",
            "Calven refuses for now",
            "acme",
            body,
            (202, "accepted"),
        )
        .await;

    looking.world.reconfigure("DRY_RUN", "true");
    let body = changes(
        "evt_7",
        &[
            upsert("Retail [Team] < Engineering [Division]"),
            upsert("Brand [Department] < Engineering [Division]"),
            rename("Desk [Team]", "Service Desk"),
            remove("Fax [Team]"),
        ],
    );
    looking
        .posted("planned", "A dry run", "workday", body, (200, "planned"))
        .await;
    looking.world.reconfigure("DRY_RUN", "false");

    looking.world.reconfigure("GUARD_MAX_REMOVED_GROUPS", "0");
    looking.world.reconfigure("GUARD_MAX_REMOVED_PERCENT", "1");
    let body = changes("evt_8", &[remove("Brand [Department]")]);
    looking
        .posted(
            "guard",
            "More would go than the guard lets pass",
            "acme",
            body,
            (202, "held"),
        )
        .await;
    looking
        .world
        .reconfigure("GUARD_MAX_REMOVED_PERCENT", "100");
    let back = json!({"action": "rollback", "version": 1});
    assert_eq!(looking.world.action(back).await["status"], "published");
    let body = changes("evt_9", &[upsert("Fraud [Team] < Engineering [Division]")]);
    looking
        .posted(
            "rolledBack",
            "An operator went back",
            "acme",
            body,
            (202, "held"),
        )
        .await;
}

async fn refused(looking: &mut Looking, manager: &SecretsManager) {
    let good = changes("evt_10", &[upsert("A [Team]")]);
    let signed = looking.world.signed("acme", &good);
    let forged = signed.clone().with("webhook-signature", "v1,AAAA");
    looking
        .at(
            "notVerified",
            "The signature is another's",
            forged,
            (401, "-"),
        )
        .await;
    let stranger = Request::post("nobody", "{}");
    looking
        .at(
            "noSuchSource",
            "There is no such source",
            stranger,
            (404, "-"),
        )
        .await;
    let now = looking.world.now();
    let no_json = Request::webhook("acme", "msg_1", now, b"{\"changes\": ");
    looking
        .at("noJson", "The body is no JSON", no_json, (400, "-"))
        .await;
    let body = json!({"id": "evt_11", "changes": [
        {"group": "Web", "groupType": "Team", "parent": "Engineering"},
        {"op": "drop", "group": "Web", "groupType": "Team"},
    ]});
    looking
        .posted(
            "doesNotFit",
            "Two places do not fit",
            "acme",
            body,
            (422, "-"),
        )
        .await;
    let named = "The source's secret is none";
    looking
        .at(
            "secretOfNoUse",
            named,
            Request {
                path: "/webhooks/broken".to_owned(),
                ..signed.clone()
            },
            (500, "-"),
        )
        .await;
    manager.fail_stage(
        "AWSCURRENT",
        secrets_manager::Fault::Error(500, "InternalServiceError"),
    );
    let named = "Secrets Manager is down";
    looking
        .at(
            "secretsDown",
            named,
            Request {
                path: "/webhooks/unreachable".to_owned(),
                ..signed.clone()
            },
            (503, "-"),
        )
        .await;
    manager.mend();
    looking.world.reconfigure("MAX_BODY_BYTES", "100");
    let mut large = signed;
    large.body = vec![b' '; 101];
    looking
        .at(
            "tooLarge",
            "The body is too large",
            large.clone(),
            (413, "-"),
        )
        .await;
    large.method = "GET";
    looking
        .at(
            "tooLargeToGreet",
            "The body is too large",
            large.clone(),
            (413, "-"),
        )
        .await;
    large.path = HEALTH.to_owned();
    looking
        .at(
            "tooLargeForHealth",
            "The body is too large",
            large,
            (413, "-"),
        )
        .await;
}
