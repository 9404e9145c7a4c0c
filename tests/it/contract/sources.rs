//! The JSON Schema of `sources.toml`.
//!
//! Presets are the code's own list. Everything else is said again, since a key's place and meaning stand in no type; `probing`
//! asks the reader of each key, word and value whether it takes it, so that the two cannot part.

use calven_bridge::sources::presets;
use serde_json::{Map, Value, json};

/// Where a definition stands.
fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// A definition with what a key means by it.
fn of(name: &str, description: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}"), "description": description })
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>, description: &str) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({ "enum": words, "description": description })
}

/// A table with these keys and no others.
fn table(description: &str, properties: Value) -> Value {
    json!({
        "type": "object", "description": description,
        "additionalProperties": false, "properties": properties,
    })
}

/// A table whose keys are the user's.
fn tables_of(description: &str, each: &Value) -> Value {
    json!({ "type": "object", "description": description, "additionalProperties": each })
}

/// The whole schema.
pub(super) fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sources.toml of calven-bridge",
        "description": "Who may tell the bridge about groups: one table a source. The reference of its keys is docs/mapping.md.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "sources": {
                "type": "object",
                "description": "One table a source; its name is the last part of its address, POST /webhooks/NAME.",
                "propertyNames": {
                    "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$",
                    "not": { "enum": ["capillary", "manual"] },
                },
                "additionalProperties": reference("source"),
            },
            "capillary": reference("capillary"),
        },
        "$defs": definitions(),
    })
}

fn definitions() -> Value {
    let mut all = Map::new();
    for part in [
        plain(),
        fields(),
        proofs(),
        events_and_rules(),
        rereading(),
        wholes(),
    ] {
        let Value::Object(part) = part else {
            unreachable!("each part is an object")
        };
        all.extend(part);
    }
    all.insert("capillary".to_owned(), capillary());
    all.insert("source".to_owned(), source());
    all.insert("whole".to_owned(), whole());
    Value::Object(all)
}

fn source() -> Value {
    let mut source = table(
        "A source. With a preset its keys lie over the preset's: tables merge key by key, all else is replaced.",
        json!({
            "preset": words(presets::names(), "What lies below; may be left out. docs/presets has a page for each."),
            "secret_id": of("text", "Name or ARN of the secret that proves the webhooks."),
            "priority": { "type": "integer", "default": 0, "description": "The higher one wins where two sources differ." },
            "patience_seconds": of("count", "After how long the sender hangs up. Publishing in the request has a second less."),
            "event_id": of("field", "FIELD: the sender's name for an event, the same at every attempt."),
            "body": words(["auto", "json", "form"], "How the body is written; auto goes by the content type, and without one takes a form if it is no JSON. Default auto."),
            "envelope": of("jsonPath", "JSONPath of the original body inside another service's message; a text there is read as JSON."),
            "max_depth": {
                "type": "integer", "minimum": 1, "maximum": 127, "default": 64,
                "description": "How deeply a body's arrays and objects may stand in one another. Deeper is 400.",
            },
            "utc_offset": {
                "type": "string", "default": "+00:00",
                "pattern": "^([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)$",
                "description": "Of times without a zone.",
            },
            "contract": {
                "type": "boolean", "default": false,
                "description": "true: the body is generic's own form. It counts only where there are neither groups nor persons.",
            },
            "proof": words(["signature", "bearer", "basic", "header"], "How webhooks are proved."),
            "proof_header": of("headerName", "Of proof = \"header\": the header that holds exactly the secret's token."),
            "signature": reference("signature"),
            "handshake": reference("handshake"),
            "events": reference("events"),
            "groups": tables_of("Rules for records that are groups, by names of your own.", &reference("groupRule")),
            "persons": tables_of("Rules for records that are persons, by names of your own.", &reference("personRule")),
            "api_secret_id": of("text", "Name or ARN of the secret that the source's API takes, to read it again."),
            "base_url": {
                "type": "string", "pattern": "^\\s*([Hh][Tt][Tt][Pp][Ss]?)://[^?#@]+$",
                "description": "What the API is asked below: https, or http for this machine's own hosts; without name, password, query and fragment.",
            },
            "snapshot": reference("snapshot"),
        }),
    );
    source["required"] = json!(["secret_id"]);
    source["if"] = json!({ "required": ["preset"] });
    source["else"] = reference("whole");
    source
}

fn capillary() -> Value {
    table(
        "What is said of Capillary's orgs.",
        json!({
            "priority": { "type": "integer", "default": 0, "description": "The higher one wins where two sources differ." },
            "group_types": tables_of("Calven's group type for each orgType; else CAPILLARY_GROUP_TYPE.", &reference("name")),
        }),
    )
}

/// Plain values.
fn plain() -> Value {
    json!({
        "text": { "type": "string", "pattern": "\\S" },
        "name": { "type": "string", "pattern": "^\\P{Cc}*[^\\s\\p{Cc}]\\P{Cc}*$" },
        "count": { "type": "integer", "minimum": 1 },
        "headerName": { "type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" },
        "jsonPath": { "type": "string", "pattern": "^\\$", "description": "JSONPath (RFC 9535)." },
        "place": {
            "type": "string", "pattern": "^(\\$|body:\\$|header:[!-~]+$|query:[!-~]+$)",
            "description": "PLACE: $… (JSONPath in the record), body:$… (in the whole body), header:NAME or query:NAME.",
        },
        "pattern": { "pattern": "^[^*]*\\*?$", "description": "A type, a beginning with * after it, \"\" for a body without a type, or *." },
        "constant": {
            "anyOf": [{ "type": "string", "pattern": "\\S" }, { "type": ["number", "boolean"] }],
        },
        "texts": { "type": "object", "additionalProperties": reference("text") },
    })
}

/// What is found in a body, and what must stand there.
fn fields() -> Value {
    let mut way = table(
        "How a value is made.",
        json!({
            "from": {
                "anyOf": [
                    reference("place"),
                    { "type": "array", "minItems": 1, "items": reference("place") },
                ],
                "description": "A PLACE, or several.",
            },
            "value": of("constant", "A constant."),
            "after": of("text", "Takes what stands behind this text; no value where the text does not begin with it."),
            "lookup": tables_of("Then: a table of values. What is not in it has no value.", &reference("constant")),
            "default": of("constant", "Then: if there is no value."),
            "prefix": of("text", "Put before the value, last."),
        }),
    );
    way["not"] = json!({ "required": ["from", "value"] });
    let mut condition = table(
        "A condition: a value at a place is one of some, begins so, or is there and not false.",
        json!({
            "at": of("place", "Where."),
            "is": {
                "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] },
                "description": "One of its values is one of these.",
            },
            "starts_with": of("text", "One of its values begins so."),
        }),
    );
    condition["required"] = json!(["at"]);
    condition["not"] = json!({ "required": ["is", "starts_with"] });
    let whole_way = json!({
        "anyOf": [reference("place"), { "$ref": "#/$defs/way", "oneOf": [{ "required": ["from"] }, { "required": ["value"] }] }],
    });
    let several = json!({ "type": "array", "minItems": 1, "items": reference("wholeWay") });
    json!({
        "way": way,
        "wholeWay": whole_way,
        "field": {
            "anyOf": [reference("place"), reference("way"), several],
            "description": "FIELD: a PLACE, or a table, or an array of these, of which the first that has a value counts.",
        },
        "wholeField": { "anyOf": [reference("wholeWay"), several] },
        "condition": condition,
        "conditions": { "type": "array", "items": reference("condition") },
    })
}

fn proofs() -> Value {
    let count = |description| of("count", description);
    json!({
        "signature": table("How the sender signs; the signature is an HMAC.", json!({
            "header": of("headerName", "Where the signature is."),
            "hash": words(["sha256", "sha512"], "Which hash."),
            "encoding": words(["hex", "base64", "base64url"], "How the signature is written."),
            "prefix": { "type": "string", "description": "Stands before each signature, such as sha256=; one without it does not count." },
            "separator": { "type": "string", "minLength": 1, "description": "The header has several, with this between them." },
            "signed": {
                "type": "string", "pattern": "\\{body\\}",
                "description": "What is signed: {body}, {timestamp}, {id}, and anything else as it is. {body} must be in it.",
            },
            "key": words(["utf-8", "base64", "hex", "whsec"], "How the secret becomes the key; whsec is base64 after an optional whsec_."),
            "timestamp_header": of("headerName", "Where the time is; needed by {timestamp}."),
            "timestamp_unit": words(["s", "ms", "us", "rfc3339"], "How the time is written. Default s."),
            "tolerance_seconds": count("How old a signature may be, and how far ahead; default 300."),
            "tolerance_ahead_seconds": count("How far ahead, where that differs."),
            "id_header": of("headerName", "Where the id is; needed by {id}."),
        })),
        "handshake": table("What comes unsigned before anything else: a challenge, pings, or a token.", json!({
            "challenge_header": of("headerName", "A GET with this header is answered with its value."),
            "challenge_answer": of("text", "The answer's one key, which has that value."),
            "pings": {
                "type": "array", "minItems": 1, "items": { "type": "string", "pattern": "\\S", "maxLength": 256 },
                "description": "Bodies that are answered 200 without a proof; white space in them does not matter.",
            },
            "token": of("jsonPath", "Where in a body the token is that is posted unsigned first; kept for the action handshake while the secret has no signingSecret."),
        })),
    })
}

fn events_and_rules() -> Value {
    let records = json!({
        "at": of("jsonPath", "JSONPath of the records in the body; an array that it selects stands for its items. Default $."),
        "when": of("conditions", "A record counts only if all hold."),
        "time": of("field", "FIELD: when it became true."),
        "removed": of("conditions", "If any holds it is gone."),
    });
    let own = json!({
        "key": of("field", "FIELD: the sender's id of the group."),
        "name": of("field", "FIELD: the group's name."),
        "type": of("field", "FIELD: Calven's group type."),
    });
    let with = |parts: &[&Value]| {
        let mut all = Map::new();
        for part in parts {
            all.extend(part.as_object().unwrap().clone());
        }
        Value::Object(all)
    };
    let group = json!({
        "parent_key": of("field", "FIELD: the parent's id."),
        "parent_name": of("field", "FIELD: the parent's name."),
        "parent_type": of("field", "FIELD: the parent's group type."),
        "no_parent": words(["not_said", "top"], "What it means that none of the parent's fields has a value. Default not_said."),
        "members": reference("members"),
    });
    let members = json!({
        "at": of("jsonPath", "JSONPath of the members in the group's record."),
        "complete": of("jsonPath", "JSONPath in the group's record: where it selects an array, that lists all children."),
        "each_has": of("jsonPath", "JSONPath in the member: where an item has nothing there, the array is not taken as complete."),
    });
    let mut level = table("A group that the person is in.", own.clone());
    level["allOf"] = json!([reference("wholeReference")]);
    let person = json!({
        "id": of("field", "FIELD: the person's id. Only a keyed hash of it is kept."),
        "chain": {
            "type": "array", "minItems": 1, "items": level,
            "description": "The groups that the person is in, from the top down.",
        },
    });
    let meaning = words(
        ["say", "remove", "reread", "ignore"],
        "say: the records are mapped. remove: they are mapped, and mean removal. reread: the source is read again. ignore: nothing.",
    );
    json!({
        "events": table("Which bodies count, by their type.", json!({
            "type": of("field", "FIELD: the event's type."),
            "meaning": {
                "type": "object", "description": "What a type means; the longest pattern that fits counts, and what fits none is ignored.",
                "propertyNames": reference("pattern"), "additionalProperties": meaning,
            },
            "when": {
                "type": "object", "description": "By the same patterns: the event counts only if all of the conditions hold.",
                "propertyNames": reference("pattern"), "additionalProperties": reference("conditions"),
            },
        })),
        "groupRule": table("Records that are groups.", with(&[&records, &own, &group])),
        "members": table("Groups that are part of this one.", with(&[&own, &members])),
        "personRule": table("Records that are persons.", with(&[&records, &person])),
    })
}

fn rereading() -> Value {
    json!({
        "snapshot": table("How the source's API is read as a whole.", json!({
            "path": {
                "type": "string", "pattern": "^/[^?#\\\\]*$", "not": { "pattern": "/\\.\\." },
                "description": "Under base_url.",
            },
            "method": words(["GET", "POST"], "Default GET."),
            "body": { "type": "object", "description": "What is posted, as JSON; of method = \"POST\"." },
            "query": of("texts", "The address's parameters."),
            "headers": {
                "type": "object", "additionalProperties": reference("text"), "propertyNames": reference("headerName"),
                "description": "Further headers.",
            },
            "lists": {
                "type": "array", "items": reference("jsonPath"),
                "description": "Each must select exactly one array on every page, or the answer is not usable. Needed by complete.",
            },
            "expect": of("conditions", "All must hold on every page, or the answer is not usable."),
            "pages": reference("pages"),
            "max_pages": of("count", "Default 1000."),
            "complete": words(["groups", "persons", "none"], "What the answer is all of; there must be rules for them. Default none."),
            "groups": tables_of("Rules for records that are groups; their time is not read.", &reference("groupRule")),
            "persons": tables_of("Rules for records that are persons; their time is not read.", &reference("personRule")),
        })),
        "pages": table("Which page is next: by a cursor, by a number that counts up, or by an offset.", json!({
            "cursor": { "type": "string", "pattern": "^(body:)?\\$", "description": "PLACE in the answer: the next page is asked for with its value. No value ends." },
            "parameter": of("text", "Of cursor: the query parameter that takes it."),
            "may_be_absent": { "type": "boolean", "description": "Of cursor: an API that leaves it out of a single page." },
            "number": of("text", "The query parameter that counts up."),
            "offset": of("text", "The query parameter that grows by the number of items in the lists."),
            "first": { "type": "integer", "description": "Of number and offset: where it begins. Default 1 and 0." },
            "in_body": { "type": "boolean", "description": "It is a top-level key of body, not a query parameter." },
        })),
    })
}

/// What must be there where no preset lies below.
fn whole() -> Value {
    let whole = |name: &str| reference(&format!("whole{name}"));
    json!({
        "required": ["proof"],
        "properties": {
            "event_id": whole("Field"),
            "signature": {
                "required": ["header", "hash", "encoding", "signed", "key"],
                "dependentRequired": {
                    "timestamp_unit": ["timestamp_header"],
                    "tolerance_seconds": ["timestamp_header"],
                    "tolerance_ahead_seconds": ["timestamp_header"],
                },
            },
            "handshake": {
                "oneOf": [{ "required": ["challenge_header", "challenge_answer"] }, { "required": ["pings"] }, { "required": ["token"] }],
                "dependentRequired": { "challenge_header": ["challenge_answer"], "challenge_answer": ["challenge_header"] },
            },
            "events": { "required": ["meaning"], "properties": { "type": whole("Field") } },
            "groups": { "additionalProperties": whole("GroupRule") },
            "persons": { "additionalProperties": whole("PersonRule") },
            "snapshot": {
                "properties": {
                    "pages": whole("Pages"),
                    "groups": { "additionalProperties": whole("GroupRule") },
                    "persons": { "additionalProperties": whole("PersonRule") },
                },
                "if": { "required": ["body"] },
                "then": { "required": ["method"], "properties": { "method": { "const": "POST" } } },
            },
        },
        "allOf": [
            { "if": { "properties": { "proof": { "const": "signature" } } }, "then": { "required": ["signature"] } },
            { "if": { "properties": { "proof": { "const": "header" } } }, "then": { "required": ["proof_header"] } },
        ],
    })
}

/// The same, of what stands in more than one place.
fn wholes() -> Value {
    let field = reference("wholeField");
    let reference_of = |key: &str, name: &str, group_type: &str| {
        json!({
            "properties": { key: field, name: field, group_type: field },
            "dependentRequired": { name: [group_type] },
        })
    };
    let one_of = json!({ "anyOf": [{ "required": ["key"] }, { "required": ["name"] }] });
    let pages = |required: &[&str], others: &[&str]| {
        let absent = others.iter().map(|key| ((*key).to_owned(), json!(false)));
        let absent: Map<String, Value> = absent.collect();
        json!({ "required": required, "properties": absent })
    };
    json!({
        "wholeReference": { "allOf": [reference_of("key", "name", "type"), one_of] },
        "wholeGroupRule": {
            "allOf": [reference("wholeReference"), reference_of("parent_key", "parent_name", "parent_type")],
            "properties": {
                "time": field,
                "members": { "allOf": [reference("wholeReference")], "required": ["at"] },
            },
        },
        "wholePersonRule": { "required": ["id"], "properties": { "id": field, "time": field } },
        "wholePages": {
            "oneOf": [
                pages(&["cursor", "parameter"], &["number", "offset", "first"]),
                pages(&["number"], &["cursor", "offset", "parameter", "may_be_absent"]),
                pages(&["offset"], &["cursor", "number", "parameter", "may_be_absent"]),
            ],
        },
    })
}
