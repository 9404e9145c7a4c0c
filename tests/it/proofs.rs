//! Who a webhook is from: every preset's proof, what is wrong with it, and the secrets that it hangs on.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use calven_bridge::{
    config::{Config, Files},
    sources::presets,
    timestamp::Timestamp,
};
use serde_json::{Value, json};
use stand_ins::secrets_manager::{Fault, SecretsManager};

use crate::{
    harness::{Answer, Request, Setup, World, read, root, upsert},
    logs,
    senders::{KEY, proven, secret_of},
};

/// A source of each of these presets, called as its preset, with no more than it needs.
fn bare(names: &[&str]) -> Setup {
    let mut setup = Setup::default();
    let mut text = String::new();
    for name in names {
        let id = format!("bare/{name}");
        text.push_str(&format!(
            "sources.{name} = {{ preset = \"{name}\", secret_id = \"{id}\" }}\n"
        ));
        setup = setup.secret(&id, secret_of(name, KEY));
    }
    setup.sources(&text)
}

async fn refused(world: &World, request: &Request, wanted: &str) {
    let before = world.everything().await;
    let answer = world.send(request).await;
    assert_eq!(answer.status, 401, "{request:?}: {}", answer.body);
    assert_eq!(answer.headers["www-authenticate"], wanted, "{request:?}");
    assert_eq!(world.everything().await, before, "{request:?}");
}

async fn verified(world: &World, request: &Request) -> Answer {
    let answer = world.send(request).await;
    assert!(
        ![401, 500, 503].contains(&answer.status),
        "{request:?}: {} {}",
        answer.status,
        answer.body
    );
    answer
}

/// The published signatures: preset, request, time, secret.
fn vectors() -> Vec<(&'static str, Request, Timestamp, Value)> {
    let vectors: Vec<Value> =
        serde_json::from_str(&read("tests/fixtures/signature-vectors.json")).unwrap();
    let vectors = vectors.into_iter().map(|vector| {
        let preset = match vector["provider"].as_str().unwrap() {
            "standard-webhooks" => "generic",
            "bamboohr" => "bamboohr",
            "github-style" => "github",
            provider => panic!("{provider}"),
        };
        let mut request = Request::post(preset, vector["body"].as_str().unwrap());
        let mut at = 1_768_046_400;
        for (name, value) in vector["headers"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            request = request.with(name, value);
            if name.ends_with("timestamp") {
                at = value.parse().unwrap();
            }
        }
        let secret = json!({"signingSecret": vector["secret"]});
        (preset, request, Timestamp::from_seconds(at), secret)
    });
    vectors.collect()
}

#[tokio::test]
async fn the_published_signatures_verify_and_not_with_any_bit_flipped() {
    let names = ["generic", "bamboohr", "github"];
    let world = bare(&names).start().await;
    let mut flipped = 0;
    for (preset, request, at, secret) in vectors() {
        world.put_secret(&format!("bare/{preset}"), secret);
        world.travel(at);
        let wanted = match preset {
            "generic" => "StandardWebhooks",
            _ => "Signature",
        };
        verified(&world, &request).await;
        for index in 0..request.body.len() {
            let mut other = request.clone();
            other.body[index] ^= 1 << (index % 8);
            refused(&world, &other, wanted).await;
            flipped += 1;
        }
        for (name, value) in &request.headers {
            if ["host", "content-type"].contains(&name.as_str()) {
                continue;
            }
            for (index, byte) in value.bytes().enumerate() {
                for bit in 0..7 {
                    let other = byte ^ (1 << bit);
                    let is_same_hex = byte.is_ascii_alphabetic() && bit == 5;
                    // White space at the end is no part of a value.
                    if !other.is_ascii_graphic() || is_same_hex && preset != "generic" {
                        continue;
                    }
                    let mut bytes = value.as_bytes().to_vec();
                    bytes[index] = other;
                    let text = String::from_utf8(bytes).unwrap();
                    let other = request.clone().with(name, &text);
                    refused(&world, &other, wanted).await;
                    flipped += 1;
                }
            }
        }
    }
    assert!(flipped > 1_000, "{flipped}");
}

#[tokio::test]
async fn a_signature_is_good_to_the_end_of_its_tolerance_and_no_moment_longer() {
    let moment = Duration::from_millis(1);
    for (preset, behind, ahead, wanted) in [
        ("generic", 300, 300, "StandardWebhooks"),
        ("bamboohr", 300, 300, "Signature"),
        ("finch", 300, 300, "Signature"),
        ("remote", 86_400, 300, "Signature"),
    ] {
        let world = bare(&[preset]).start().await;
        let signed_at = world.now();
        let request = Request::post(preset, "{\"nothing\": \"known\"}");
        let request = proven(preset, KEY, signed_at, request);
        let (behind, ahead) = (Duration::from_secs(behind), Duration::from_secs(ahead));
        for good in [signed_at, signed_at.plus(behind), signed_at.minus(ahead)] {
            world.travel(good);
            verified(&world, &request).await;
        }
        let (late, early) = (
            signed_at.plus(behind + moment),
            signed_at.minus(ahead + moment),
        );
        for bad in [late, early] {
            world.travel(bad);
            refused(&world, &request, wanted).await;
        }
    }
}

#[tokio::test]
async fn every_preset_starts_with_its_name_and_secret_alone_and_says_what_proves_its_sender() {
    let names: Vec<&str> = presets::names()
        .filter(|name| *name != "personio")
        .collect();
    assert_eq!(names.len(), 13);
    let world = bare(&names).start().await;
    for name in names {
        let wanted = match name {
            "generic" => "StandardWebhooks",
            "okta" => "Header",
            "scim" => "Bearer",
            _ => "Signature",
        };
        let request = Request::post(name, "{\"nothing\": \"known\"}");
        refused(&world, &request, wanted).await;
        let wrong = proven(name, "another-key", world.now(), request.clone());
        refused(&world, &wrong, wanted).await;
        verified(&world, &proven(name, KEY, world.now(), request)).await;
    }
}

#[tokio::test]
async fn personio_needs_a_proof_of_its_own() {
    let text = "sources.personio = { preset = \"personio\", secret_id = \"bare/personio\" }";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sources.toml");
    std::fs::write(&path, text).unwrap();
    let files = Files {
        beside_binary: None,
        working_dir: root().to_owned(),
    };
    let variables = |name: &str| match name {
        "CALVEN_SECRET_ID" => Some("calven/api".to_owned()),
        "SOURCES_FILE" => Some(path.display().to_string()),
        _ => None,
    };
    let problems = Config::read(&variables, &files).unwrap_err().to_string();
    assert!(
        problems.contains("sources.personio.proof is missing"),
        "{problems}"
    );
    let text = "sources.personio = { preset = \"personio\", secret_id = \"bare/personio\", proof = \"bearer\" }";
    let setup = bare(&["personio"]).sources(text);
    let world = setup.start().await;
    let request = Request::post("personio", "{\"event_name\": \"person.created\"}");
    refused(&world, &request, "Bearer").await;
    let answer = verified(
        &world,
        &proven("personio", KEY, world.now(), request.clone()),
    )
    .await;
    assert_eq!(answer.word(), (200, "ignored"));
    assert_eq!(answer.body["warnings"].as_array().unwrap().len(), 1);
}

const SENT_ALONG: &str = r#"
    [sources.bearer]
    proof = "bearer"
    secret_id = "own/token"
    [sources.basic]
    proof = "basic"
    secret_id = "own/basic"
    [sources.header]
    proof = "header"
    proof_header = "X-Api-Key"
    secret_id = "own/header"
"#;

#[tokio::test]
async fn a_secret_that_is_sent_along_must_be_the_one() {
    let world = Setup::default()
        .sources(SENT_ALONG)
        .secret("own/token", json!({"token": "t0ken"}))
        .secret("own/header", json!({"token": "t0ken"}))
        .secret(
            "own/basic",
            json!({"username": "anna", "password": "p:w d"}),
        )
        .start()
        .await;
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let realm = "Basic realm=\"calven-bridge\"";
    let right = basic("anna:p:w d");
    for (source, header, wanted, good, bad) in [
        (
            "bearer",
            "Authorization",
            "Bearer",
            vec!["Bearer t0ken", "bearer t0ken"],
            vec![
                "t0ken",
                "Bearer",
                "Bearer ",
                "Bearer t0kem",
                "Bearer  t0ken",
                "Bearer t0ken t0ken",
                "Basic t0ken",
                "",
            ],
        ),
        (
            "basic",
            "Authorization",
            realm,
            vec![right.as_str()],
            vec![
                "Basic",
                "Basic ",
                "Basic anna:p:w d",
                "Bearer t0ken",
                right.trim_start_matches("Basic "),
            ],
        ),
        (
            "header",
            "X-Api-Key",
            "Header",
            vec!["t0ken"],
            vec!["T0KEN", "t0ke", "t0ken t0ken", "Bearer t0ken", ""],
        ),
    ] {
        let request = Request::post(source, "{}");
        refused(&world, &request, wanted).await;
        for value in bad {
            refused(&world, &request.clone().with(header, value), wanted).await;
        }
        for text in ["anna:", "anna:p", ":p:w d", "anna", "Anna:p:w d"] {
            refused(&world, &request.clone().with(header, &basic(text)), wanted).await;
        }
        for value in good {
            let answer = verified(&world, &request.clone().with(header, value)).await;
            assert_eq!(answer.word(), (200, "ignored"), "{source}: {value}");
        }
    }
}

#[tokio::test]
async fn while_a_secret_rotates_both_verify_and_what_else_was_there_does_no_harm() {
    for preset in ["bamboohr", "hibob", "okta", "scim"] {
        let world = bare(&[preset]).start().await;
        let id = format!("bare/{preset}");
        let request = Request::post(preset, "{\"nothing\": \"known\"}");
        let by = |key: &str| proven(preset, key, world.now(), request.clone());
        verified(&world, &by(KEY)).await;
        // A new one has come since; the cache is not old.
        world.put_secret(&id, secret_of(preset, "new"));
        world.put_secret(&format!("{id}@AWSPREVIOUS"), secret_of(preset, KEY));
        verified(&world, &by("new")).await;
        verified(&world, &by(KEY)).await;
        assert_eq!(world.send(&by("other")).await.status, 401);
        // What was there before may have been anything.
        for leftover in [
            json!({}),
            json!("KEY"),
            json!(7),
            json!({"signingSecret": ""}),
            json!({"username": "u", "password": "p"}),
        ] {
            world.put_secret(&format!("{id}@AWSPREVIOUS"), leftover);
            world.pass(Duration::from_secs(301));
            verified(&world, &proven(preset, "new", world.now(), request.clone())).await;
            let old = proven(preset, KEY, world.now(), request.clone());
            assert_eq!(world.send(&old).await.status, 401);
        }
    }
}

#[tokio::test]
async fn a_secret_of_the_wrong_shape_is_ours_to_mend_and_one_look_at_the_new_one_is_enough() {
    for (preset, wrong) in [
        ("kombo", json!({"token": "Zerberus"})),
        (
            "kombo",
            json!({"signingSecret": "Zerberus", "token": "Zerberus"}),
        ),
        ("kombo", json!({})),
        ("generic", json!({"signingSecret": "whsec_Zerberus!"})),
        ("finch", json!({"signingSecret": "Zerberus !"})),
        ("okta", json!({"signingSecret": "Zerberus"})),
        (
            "scim",
            json!({"username": "Zerberus", "password": "Zerberus"}),
        ),
        ("scim", json!("Zerberus")),
        ("scim", json!(["Zerberus"])),
    ] {
        let id = format!("bare/{preset}");
        let world = bare(&[preset]).secret(&id, wrong.clone()).start().await;
        let request = Request::post(preset, "{\"nothing\": \"known\"}");
        let request = proven(preset, KEY, world.now(), request);
        let before = world.everything().await;
        let answer = world.send(&request).await;
        assert_eq!(answer.status, 500, "{preset} {wrong}: {}", answer.body);
        assert!(!answer.headers.contains_key("www-authenticate"));
        assert_eq!(world.everything().await, before);
        let lines = logs::lines_with(&format!("secret {id}"));
        assert!(!lines.is_empty(), "{preset} {wrong}");
        assert_eq!(logs::lines_with("Zerberus"), [""; 0]);
        world.put_secret(&id, secret_of(preset, KEY));
        world.pass(Duration::from_secs(5));
        verified(&world, &proven(preset, KEY, world.now(), request)).await;
    }
}

#[tokio::test]
async fn a_delivery_signed_twice_is_taken_by_either_signature() {
    let world = bare(&["generic"]).start().await;
    let body = json!({"changes": [upsert("A [T]")]}).to_string();
    let request = |key: &str| proven("generic", key, world.now(), Request::post("generic", &body));
    let signature = |request: &Request| {
        let found = request.headers.iter();
        let mut found = found.filter(|(name, _)| name == "webhook-signature");
        found.next().unwrap().1.clone()
    };
    let (ours, other) = (request(KEY), request("other"));
    let both = format!("{} {}", signature(&other), signature(&ours));
    let answer = verified(&world, &other.with("webhook-signature", &both)).await;
    assert_eq!(answer.held(), ["not_seeded"]);
    let seeded = world.seed(&["B [T]"]).await;
    seeded.assert_holds(&["A [T]", "B [T]"]);
}

#[tokio::test]
async fn what_a_newer_secret_may_verify_is_not_refused_while_it_cannot_be_fetched() {
    const NEWER: &str = "a-newer-key-of-peopleforce-0001";
    let manager = SecretsManager::start().await;
    let world = bare(&["peopleforce"])
        .secrets_manager(&manager)
        .start()
        .await;
    let world = world.seed(&["Top [Division]"]).await;
    manager.put(
        "bare/peopleforce",
        &secret_of("peopleforce", KEY).to_string(),
    );
    let body = read("tests/fixtures/payloads/peopleforce-employee_update.json");
    let says = |key: &str| {
        let request = Request::post("peopleforce", body.clone());
        proven("peopleforce", key, world.now(), request)
    };
    assert_eq!(world.send(&says(KEY)).await.status, 200);
    // The sender has the new secret already, and nobody can be asked for it.
    let newer = secret_of("peopleforce", NEWER).to_string();
    manager.rotate("bare/peopleforce", &newer);
    manager.fail_stage("AWSCURRENT", Fault::Error(500, "InternalServiceError"));
    let answer = world.send(&says(NEWER)).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(
        world.send(&says(KEY)).await.status,
        200,
        "the known one serves"
    );
    manager.mend();
    world.pass(Duration::from_secs(6));
    assert_eq!(world.send(&says(NEWER)).await.status, 200);
    let other = says("a-key-that-nobody-was-given-0001");
    assert_eq!(world.send(&other).await.status, 401);
}
