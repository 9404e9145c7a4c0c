//! The `OpenAPI` document of the HTTP side. Its examples are answers that were seen.

use calven_bridge::{hierarchy::HeldReason, report::Status};
use serde_json::{Map, Value, json};

use super::seen::{HEALTH, Seen, WEBHOOK};
use crate::harness::read;

/// Every status of a report, each with the next: the compiler asks for one that is missing.
fn after(status: Option<Status>) -> Option<Status> {
    match status {
        None => Some(Status::Published),
        Some(Status::Published) => Some(Status::Unchanged),
        Some(Status::Unchanged) => Some(Status::Ignored),
        Some(Status::Ignored) => Some(Status::Planned),
        Some(Status::Planned) => Some(Status::Accepted),
        Some(Status::Accepted) => Some(Status::Held),
        Some(Status::Held) => None,
    }
}

/// The same for what something is held by.
fn next(reason: Option<HeldReason>) -> Option<HeldReason> {
    match reason {
        None => Some(HeldReason::NotSeeded),
        Some(HeldReason::NotSeeded) => Some(HeldReason::Guard),
        Some(HeldReason::Guard) => Some(HeldReason::RolledBack),
        Some(HeldReason::RolledBack) => Some(HeldReason::Cycle),
        Some(HeldReason::Cycle) => Some(HeldReason::UnknownParent),
        Some(HeldReason::UnknownParent) => None,
    }
}

fn chain<T: Copy>(next: impl Fn(Option<T>) -> Option<T>) -> impl Iterator<Item = T> {
    std::iter::successors(next(None), move |one| next(Some(*one)))
}

/// The words of statuses that are answered with this code.
fn words_of(code: u16) -> Vec<&'static str> {
    let fits = |status: &Status| {
        let answered = match status {
            Status::Published | Status::Unchanged | Status::Ignored | Status::Planned => 200,
            Status::Accepted | Status::Held => 202,
        };
        answered == code
    };
    chain(after).filter(fits).map(Status::as_str).collect()
}

/// The words for why a whole plan waits, or a statement.
fn reasons(of_a_plan: bool) -> Vec<Value> {
    let fits = |reason: &HeldReason| match reason {
        HeldReason::NotSeeded | HeldReason::Guard | HeldReason::RolledBack => of_a_plan,
        HeldReason::Cycle | HeldReason::UnknownParent => !of_a_plan,
    };
    let reasons = chain(next).filter(fits);
    reasons
        .map(|reason| serde_json::to_value(reason).unwrap())
        .collect()
}

/// What is answered, by code: what it means, and by which headers it is told from others.
const ANSWERS: [(u16, &str, &[&str]); 10] = [
    (
        200,
        "Taken, or there was nothing to do. A handshake that is posted is answered without a body.",
        &[],
    ),
    (
        202,
        "Durable, and not yet published: accepted says why in reason, held in each entry of held.",
        &[],
    ),
    (
        400,
        "The body is no JSON in UTF-8 (or no form), or a handshake has no challenge.",
        &[],
    ),
    (
        401,
        "The proof is missing or wrong; the function's log says what is wrong with it.",
        &["www-authenticate"],
    ),
    (
        404,
        "There is no such source, and nothing at this path.",
        &[],
    ),
    (405, "Another method is wanted.", &["allow"]),
    (413, "The body is larger than MAX_BODY_BYTES.", &[]),
    (
        422,
        "The body does not fit, and nothing of it was taken; errors names each place.",
        &[],
    ),
    (
        500,
        "A configuration or secret of the bridge must be mended; send it again then.",
        &[],
    ),
    (
        503,
        "It could not be made durable for a passing cause; send it again.",
        &["retry-after"],
    ),
];

/// The headers of an answer, beside those of its body.
pub(super) const ALWAYS: [&str; 2] = ["cache-control", "x-request-id"];

pub(super) fn document(seen: &[Seen]) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "calven-bridge",
            "summary": "Webhooks of HR systems in, one valid group hierarchy out.",
            "description": "The HTTP side of the function. Operator actions are direct invocations, which IAM guards, and none of it.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache 2.0", "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{
            "url": "https://{host}", "description": "The Function URL or HTTP API that the stack's outputs name.",
            "variables": { "host": { "default": "bridge.example.com" } },
        }],
        "paths": {
            WEBHOOK: {
                "parameters": [{
                    "name": "source", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/SourceName" },
                    "description": "A source of sources.toml, letter case kept.",
                }],
                "post": post(seen),
                "get": {
                    "operationId": "answerChallenge",
                    "summary": "A handshake's challenge, given back",
                    "description": "Only of a source with challenge_header in its handshake; the header's name and the answer's key are the source's own, shown here as Okta has them.",
                    "security": [],
                    "parameters": [{
                        "name": "x-okta-verification-challenge", "in": "header", "required": false, "schema": { "type": "string", "minLength": 1, "maxLength": 1024 },
                        "description": "The challenge: printable ASCII.",
                    }],
                    "responses": responses(seen, WEBHOOK, "GET", &[200, 400, 404, 405, 413]),
                },
            },
            HEALTH: {
                "get": {
                    "operationId": "health",
                    "summary": "Name and version; no secret, state or remote is touched",
                    "security": [],
                    "responses": responses(seen, HEALTH, "GET", &[200, 405, 413]),
                },
            },
        },
        "components": {
            "schemas": schemas(),
            "headers": headers(),
            "securitySchemes": {
                "standardWebhooks": {
                    "type": "apiKey", "in": "header", "name": "webhook-signature",
                    "description": "Standard Webhooks, of preset = \"generic\": v1, and the base64 HMAC-SHA256 of id.timestamp.body by the source's signingSecret. Other presets sign as their vendors do.",
                },
                "bearer": { "type": "http", "scheme": "bearer", "description": "Of proof = \"bearer\": the secret's token." },
                "basic": { "type": "http", "scheme": "basic", "description": "Of proof = \"basic\": the secret's username and password." },
            },
        },
    })
}

fn post(seen: &[Seen]) -> Value {
    let header = |name: &str, schema: Value, description: &str| json!({ "name": name, "in": "header", "required": false, "schema": schema, "description": description });
    let examples = [
        ("changes", "What changed", "events/03-upsert.json"),
        ("rename", "A rename", "events/04-rename.json"),
        ("removal", "A removal", "events/05-remove.json"),
        ("snapshot", "All that there is", "events/02-snapshot.json"),
    ];
    let examples: Map<String, Value> = examples
        .iter()
        .map(|(name, summary, event)| {
            let example = json!({ "summary": summary, "value": body_of(event) });
            ((*name).to_owned(), example)
        })
        .collect();
    json!({
        "operationId": "postWebhook",
        "summary": "A webhook of a source",
        "description": "The body and headers described here are those of preset = \"generic\"; another sender's are its vendor's, as docs/presets tells. Nothing is parsed before it is proved.",
        "security": [{ "standardWebhooks": [] }, { "bearer": [] }, { "basic": [] }],
        "parameters": [
            header("webhook-id", json!({ "type": "string", "minLength": 1 }), "Standard Webhooks: the message's id, the same for every attempt; the event's id where the body has none."),
            header("webhook-timestamp", json!({ "type": "string", "pattern": "^[0-9]+$" }), "Standard Webhooks: seconds since 1970, at most tolerance_seconds old or ahead."),
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/GenericBody" }, "examples": examples } },
        },
        "responses": responses(seen, WEBHOOK, "POST", &[200, 202, 400, 401, 404, 405, 413, 422, 500, 503]),
    })
}

/// The body that a whole invocation carries.
pub(super) fn body_of(event: &str) -> Value {
    let event: Value = serde_json::from_str(&read(event)).unwrap();
    serde_json::from_str(event["body"].as_str().unwrap()).unwrap()
}

fn responses(seen: &[Seen], path: &str, method: &str, codes: &[u16]) -> Value {
    let of = |code: &u16| {
        let (_, description, own) = ANSWERS.iter().find(|(known, ..)| known == code).unwrap();
        let media = if *code < 300 {
            "application/json"
        } else {
            "application/problem+json"
        };
        let schema = schema_of(path, method, *code);
        let examples: Map<String, Value> = seen
            .iter()
            .filter(|seen| {
                seen.is_of(path, method)
                    && seen.answer.status == u64::from(*code)
                    && seen.answer.body != ""
            })
            .map(|seen| {
                let example = json!({ "summary": seen.sentence, "value": seen.answer.body });
                (seen.name.to_owned(), example)
            })
            .collect();
        let mut content = json!({ "schema": schema });
        if !examples.is_empty() {
            content["examples"] = Value::Object(examples);
        }
        let headers: Map<String, Value> = ALWAYS
            .iter()
            .chain(own.iter())
            .map(|name| {
                (
                    (*name).to_owned(),
                    json!({ "$ref": format!("#/components/headers/{name}") }),
                )
            })
            .collect();
        let response = json!({ "description": description, "headers": headers, "content": { media: content } });
        (code.to_string(), response)
    };
    codes.iter().map(of).collect::<Map<_, _>>().into()
}

fn schema_of(path: &str, method: &str, code: u16) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    match (path, method, code) {
        (HEALTH, _, 200) => reference("Health"),
        (_, "GET", 200) => reference("Challenge"),
        (_, _, 200 | 202) => json!({
            "allOf": [reference("Report"), { "properties": { "status": { "enum": words_of(code) } } }],
        }),
        (_, _, 422) => json!({ "allOf": [reference("Problem"), { "required": ["errors"] }] }),
        (_, _, _) => json!({
            "allOf": [reference("Problem"), { "properties": { "status": { "const": code } } }],
        }),
    }
}

fn headers() -> Value {
    let header = |description: &str, schema: Value| json!({ "description": description, "required": true, "schema": schema });
    json!({
        "x-request-id": header("The invocation's id: every line of the log has it.", json!({ "type": "string", "minLength": 1 })),
        "cache-control": header("No answer is to be kept.", json!({ "const": "no-store" })),
        "allow": header("The methods that are allowed here.", json!({ "enum": ["GET", "POST", "GET, POST"] })),
        "retry-after": header("After so many seconds it may be sent again.", json!({ "type": "string", "pattern": "^[0-9]+$" })),
        "www-authenticate": header("How one proves oneself here.", json!({ "type": "string", "minLength": 1 })),
    })
}

/// An object with these fields, of which `optional` may be missing, and no others.
fn object(description: &str, properties: Value, optional: &[&str]) -> Value {
    let required: Vec<&String> = properties
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| !optional.contains(&key.as_str()))
        .collect();
    json!({
        "type": "object", "description": description,
        "required": required, "additionalProperties": false, "properties": properties,
    })
}

fn schemas() -> Value {
    let mut all = answers();
    let Value::Object(bodies) = bodies() else {
        unreachable!("it is written as one")
    };
    all.as_object_mut().unwrap().extend(bodies);
    all
}

fn answers() -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let list = |name: &str, description: &str| json!({ "type": "array", "items": reference(name), "description": description });
    let text = |description: &str| json!({ "type": "string", "description": description });
    let nullable =
        |description: &str| json!({ "type": ["string", "null"], "description": description });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let with_counts = |mut properties: Value| {
        for kind in ["added", "moved", "renamed", "removed"] {
            properties[kind] = count();
        }
        properties
    };
    let row = || {
        json!({
            "group": { "type": "string" }, "groupType": { "type": "string" },
            "parent": nullable("null at the top."), "parentType": { "type": ["string", "null"] },
        })
    };
    let mut moved = row();
    moved["fromParent"] = nullable("Where it was; null at the top.");
    moved["fromParentType"] = json!({ "type": ["string", "null"] });
    json!({
        "SourceName": { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$" },
        "Report": object("What became of a webhook.", json!({
            "status": {
                "enum": chain(after).map(Status::as_str).collect::<Vec<_>>(),
                "description": "published: a PUT with these statements was taken and the state is saved, even if some are held. unchanged: nothing to send. ignored: genuine, but not about the organisation. planned: a dry run; nothing saved, nothing sent. accepted: durable, not yet published. held: durable; nothing could be sent, and something waits.",
            },
            "reason": text("Why it is not published yet."),
            "source": nullable("Who spoke."),
            "eventId": nullable("The sender's name for the event."),
            "statements": object("How many statements count now of their subjects, and how many are older than what is known or known already.", json!({ "applied": count(), "stale": count() }), &[]),
            "hierarchy": object("The published version, how many groups it has, and what changed with it; where something waits, what would change.", with_counts(json!({ "version": count(), "groups": count() })), &[]),
            "held": json!({ "type": "array", "items": { "oneOf": [reference("HeldPlan"), reference("HeldStatement")] }, "description": "What waits, and why: of these statements." }),
            "conflicts": list("Conflict", "Claims on the parents of these groups that lost against others."),
            "warnings": { "type": "array", "items": { "type": "string" }, "description": "What somebody should look at." },
            "saved": { "const": false, "description": "Of a dry run: nothing was saved." },
            "digest": { "type": ["string", "null"], "pattern": "^[0-9a-f]{64}$", "description": "Of a dry run: the plan's digest; null where nothing is pending." },
            "changes": object("Of a dry run: every change.", json!({
                "added": list("Row", "New groups, and where."),
                "moved": list("Moved", "Groups that get another parent."),
                "renamed": list("Renamed", "Groups that get another name."),
                "removed": list("Row", "Groups that go, and where they are."),
            }), &[]),
        }), &["reason", "saved", "digest", "changes"]),
        "HeldPlan": object("The whole plan waits, for an operator.", with_counts(json!({
            "reason": { "enum": reasons(true) }, "detail": text("What to do about it."),
        })), &[]),
        "HeldStatement": object("A statement waits, for others.", json!({
            "reason": { "enum": reasons(false) },
            "group": text("The group whose placing waits."),
            "groupType": { "type": "string" },
            "parent": text("The parent it would have, where that has a name."),
            "parentType": { "type": "string" },
            "parentKey": text("The parent's key, where that is all that is known."),
            "cycle": list("Group", "The cycle, from the group upwards; of a long one its beginning."),
            "cycleGroups": { "type": "integer", "description": "How many groups the cycle has, where it is too long to be told whole." },
            "source": nullable("Who said it."),
            "occurredAt": { "type": "string", "format": "date-time", "description": "As of when." },
        }), &["parent", "parentType", "parentKey", "cycle", "cycleGroups"]),
        "Conflict": object("Two claims on the parent of one group.", json!({
            "group": { "type": "string" }, "groupType": { "type": "string" },
            "won": reference("Side"), "lost": reference("Side"),
        }), &[]),
        "Side": object("One of two claims.", json!({
            "parent": nullable("The parent it names; null for the top."),
            "parentType": { "type": ["string", "null"] },
            "source": text("Who names it."),
            "persons": { "type": "integer", "minimum": 1, "description": "How many persons' records imply it; absent where it is said of the group itself." },
        }), &["persons"]),
        "Group": object("A group.", json!({ "group": { "type": "string" }, "groupType": { "type": "string" } }), &[]),
        "Row": object("A group and its parent.", row(), &[]),
        "Moved": object("A group that gets another parent.", moved, &[]),
        "Renamed": object("A group that gets another name.", json!({
            "group": { "type": "string" }, "groupType": { "type": "string" },
            "to": { "type": "string" }, "toType": { "type": "string" },
        }), &[]),
        "Problem": object("What is wrong with a request: RFC 9457.", json!({
            "type": { "const": "about:blank" },
            "title": text("The status in words."),
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": text("The same in a sentence. What exactly is wrong with a proof is for the log alone."),
            "requestId": { "type": "string" },
            "errors": { "type": "array", "minItems": 1, "items": reference("ProblemPart"), "description": "Of 422: every place that does not fit." },
        }), &["errors"]),
        "ProblemPart": object("What does not fit.", json!({
            "path": text("Where in the body; empty for the body itself."),
            "detail": text("What is wrong there; never quotes the body."),
        }), &[]),
        "Health": object("Which function this is.", json!({
            "name": { "const": env!("CARGO_PKG_NAME") }, "version": { "type": "string" },
        }), &[]),
        "Challenge": {
            "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": { "type": "string" },
            "description": "The challenge under the source's challenge_answer.",
        },
    })
}

/// What `generic` takes.
fn bodies() -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let nothing = json!({ "type": "null" });
    let or_null = |name: &str| json!({ "anyOf": [reference(name), { "type": "null" }] });
    // A parent and its type go together; null is as good as nothing.
    let parent = json!([
        { "required": ["parent", "parentType"], "properties": { "parent": reference("Name"), "parentType": reference("Name") } },
        { "properties": { "parent": nothing, "parentType": nothing } },
    ]);
    let placed = |description: &str, with_op: bool| {
        let mut properties = json!({
            "group": reference("Name"), "groupType": reference("Name"), "key": or_null("Key"),
            "parent": or_null("Name"), "parentType": or_null("Name"), "parentKey": or_null("Key"),
        });
        if with_op {
            properties["op"] = json!({ "enum": ["upsert", null] });
        }
        let optional = ["op", "key", "parent", "parentType", "parentKey"];
        let mut placed = object(description, properties, &optional);
        placed["anyOf"] = parent.clone();
        placed
    };
    let mut remove = object(
        "The group is gone. A key alone is enough.",
        json!({
            "op": { "const": "remove" }, "group": reference("Name"), "groupType": reference("Name"), "key": or_null("Key"),
        }),
        &["group", "groupType", "key"],
    );
    remove["anyOf"] = json!([
        { "required": ["group", "groupType"] },
        { "required": ["key"], "properties": { "key": reference("Key"), "group": false, "groupType": false } },
    ]);
    let of_a_body = |list: &str, other: &str, items: &str, description: &str| {
        json!({
            "type": "object", "required": [list], "description": description,
            "properties": {
                "id": or_null("Key"),
                "occurredAt": {
                    "anyOf": [{ "type": "string", "format": "date-time" }, nothing],
                    "description": "When it became true. Without it, the event's first attempt.",
                },
                list: { "type": "array", "items": reference(items) },
                other: nothing,
            },
        })
    };
    json!({
        "GenericBody": { "oneOf": [reference("GenericChanges"), reference("GenericSnapshot")] },
        "GenericChanges": of_a_body("changes", "groupRelationships", "GenericChange", "What changed."),
        "GenericSnapshot": of_a_body("groupRelationships", "changes", "GenericRow", "All groups that this source knows: what it said before and is not here is gone."),
        "GenericChange": { "anyOf": [reference("GenericUpsert"), reference("GenericRename"), reference("GenericRemove")] },
        "GenericUpsert": placed("The group is there, under this parent, or at the top.", true),
        "GenericRow": placed("The group is there, under this parent, or at the top: Calven's row.", false),
        "GenericRename": object("The group is called otherwise.", json!({
            "op": { "const": "rename" }, "group": reference("Name"), "groupType": reference("Name"), "key": or_null("Key"), "to": reference("Name"),
        }), &["key"]),
        "GenericRemove": remove,
        "Name": {
            "type": "string", "pattern": "^\\P{Cc}*[^\\s\\p{Cc}]\\P{Cc}*$",
            "description": "Not empty, without control characters, at most 1024 bytes once white space is trimmed and collapsed.",
        },
        "Key": {
            "anyOf": [{ "type": "string", "pattern": "^\\P{Cc}*[^\\s\\p{Cc}]\\P{Cc}*$" }, { "type": "integer" }],
            "description": "The sender's id.",
        },
    })
}
