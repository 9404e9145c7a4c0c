//! `bridge check`: each fault of a deployment is named, with its remedy, and nothing is changed by looking.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use stand_ins::{calven, capillary, fault, s3, secrets_manager};

use crate::world::{BUCKET, KEY, Ran, World, hmac_key, now};

/// What no answer may hold.
const SECRET: &str = "s3cr3t";

async fn checked(world: &World) -> Value {
    let deployed = world.deploy().await;
    let before = world.state();
    let text = deployed.bridge(&["check"]).await;
    let json = deployed.bridge(&["check", "--json"]).await;
    assert_eq!(text.code, json.code, "{text:?}");
    for Ran { out, err, .. } in [&text, &json] {
        assert!(!out.contains(SECRET) && !err.contains(SECRET), "{out}{err}");
    }
    assert_eq!(world.state(), before);
    assert_eq!(world.calven.put_count(), 0);
    let answer = json.json();
    assert_eq!(
        json.code,
        i32::from(answer["ok"] != json!(true)),
        "{answer}"
    );
    for check in answer["checks"].as_array().unwrap() {
        let sign = match check["ok"] {
            Value::Bool(true) => '✓',
            Value::Bool(false) => '✗',
            _ => '–',
        };
        let (what, detail) = (check["what"].as_str(), check["detail"].as_str());
        let line = format!("{sign} {}: {}.", what.unwrap(), detail.unwrap());
        assert!(text.out.contains(&line), "{line} in {}", text.out);
    }
    answer
}

/// The parts that failed: which, what was found, and what to do.
fn failed(answer: &Value) -> Vec<(String, String, String)> {
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    let checks = answer["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["ok"] == json!(false));
    failed
        .map(|check| {
            (
                text(check, "what"),
                text(check, "detail"),
                text(check, "remedy"),
            )
        })
        .collect()
}

/// Exactly one part fails, and what is found and what to do hold these words.
async fn names(world: &World, what: &str, detail: &str, remedy: &str) {
    let answer = checked(world).await;
    let failed = failed(&answer);
    let [(found, told, to_do)] = failed.as_slice() else {
        panic!("{answer:#}");
    };
    assert_eq!(found, what);
    assert!(told.contains(detail), "{told}");
    assert!(to_do.contains(remedy), "{to_do}");
}

fn found<'a>(answer: &'a Value, what: &str) -> &'a Value {
    let checks = answer["checks"].as_array().unwrap().iter();
    let mut found = checks.filter(|check| check["what"] == what);
    found.next().unwrap_or_else(|| panic!("{what}: {answer:#}"))
}

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{SECRET}",
        part(&json!({"alg": "HS256"})),
        part(claims)
    )
}

#[tokio::test]
async fn where_all_is_well_every_part_is_named_and_nothing_is_changed() {
    let world = World::new().await;
    let answer = checked(&world).await;
    assert_eq!(answer["ok"], true);
    let parts = |ok: Value| -> Vec<&str> {
        let checks = answer["checks"].as_array().unwrap().iter();
        let these = checks.filter(|check| check["ok"] == ok);
        these.map(|check| check["what"].as_str().unwrap()).collect()
    };
    assert_eq!(
        parts(json!(true)),
        [
            "configuration",
            "Calven's secret",
            "Calven's API",
            "Capillary's secret",
            "Capillary's API",
            "the secret of source acme",
            "the secret of source people",
            "the API secret of source people",
            "the API of source people",
            "state",
        ]
    );
    assert_eq!(parts(Value::Null), ["writing the state", "queue"]);
    assert_eq!(world.state(), None);
    assert_eq!(world.hris.lines().len(), 2);
}

#[tokio::test]
async fn a_key_of_another_kind_than_auth_says_is_told_apart_without_a_put() {
    let world = World::new().await;
    let put = |secret: Value| world.secrets.put("calven", &secret.to_string());
    // An HMAC key, where a Basic one is said to be.
    put(json!({"auth": "basic", "apiKey": "the-key", "apiSecret": "s3cr3t-of-calven"}));
    names(
        &world,
        "Calven's API",
        "one for hmac, and auth says basic",
        r#""auth": "hmac""#,
    )
    .await;
    put(
        json!({"auth": "client_secret", "clientId": "the-key", "clientSecret": "s3cr3t-of-calven"}),
    );
    names(
        &world,
        "Calven's API",
        "one for hmac, and auth says client_secret",
        r#""auth": "hmac""#,
    )
    .await;
    // A Basic key's secret, where a token is said to be; and the other way round.
    put(json!({"auth": "jwt", "token": "s3cr3t-of-calven"}));
    names(
        &world,
        "Calven's API",
        "token is none",
        r#""auth": "basic""#,
    )
    .await;
    put(json!({"auth": "basic", "apiKey": "the-key", "apiSecret": jwt(&json!({}))}));
    names(
        &world,
        "Calven's API",
        "apiSecret is a token",
        r#""auth": "jwt""#,
    )
    .await;
    // A Basic key where another kind is said to be gives no token; that there is none is all that shows.
    world.calven.rotate(calven::Credentials::Basic {
        api_key: "the-key".to_owned(),
        api_secret: "s3cr3t-of-calven".to_owned(),
    });
    put(json!({"auth": "hmac", "apiKey": "the-key", "apiSecret": "s3cr3t-of-calven"}));
    names(
        &world,
        "Calven's API",
        "refused with status 401",
        "the kind that the key was made for",
    )
    .await;
    put(json!({"auth": "basic", "apiKey": "the-key", "apiSecret": "s3cr3t-of-calven"}));
    let answer = checked(&world).await;
    assert_eq!(answer["ok"], true);
    assert_eq!(found(&answer, "Calven's API")["ok"], Value::Null);
}

#[tokio::test]
async fn a_token_that_has_ended_and_a_key_that_was_replaced_are_told() {
    let world = World::new().await;
    let token = |claims: Value| {
        let secret = json!({"auth": "jwt", "token": jwt(&claims)});
        world.secrets.put("calven", &secret.to_string());
    };
    token(json!({"exp": now().seconds() - 60}));
    names(
        &world,
        "Calven's API",
        "the token ended at 20",
        "Put a new token into the secret",
    )
    .await;
    token(json!({"exp": now().seconds() + 3_600}));
    let answer = checked(&world).await;
    assert_eq!(answer["ok"], true);
    let detail = found(&answer, "Calven's API")["detail"].as_str().unwrap();
    assert!(
        detail.contains("not tried") && detail.contains("it ends at 20"),
        "{detail}"
    );
    let secret = json!({"auth": "hmac", "apiKey": "the-key", "apiSecret": "s3cr3t-of-last-year"});
    world.secrets.put("calven", &secret.to_string());
    names(
        &world,
        "Calven's API",
        "refused with status 401",
        "Compare the key and its secret",
    )
    .await;
}

#[tokio::test]
async fn secrets_that_are_missing_are_named_with_the_place_of_their_name() {
    let world = World::new().await;
    world.secrets.delete("calven");
    names(
        &world,
        "Calven's secret",
        "secret calven: there is no such secret",
        "CALVEN_SECRET_ID",
    )
    .await;
    world.secrets.put(
        "calven",
        r#"{"auth":"hmac","apiKey":"the-key","apiSecret":"s3cr3t-of-calven"}"#,
    );
    world.secrets.delete("acme");
    names(
        &world,
        "the secret of source acme",
        "no such secret",
        "sources.acme.secret_id",
    )
    .await;
}

#[tokio::test]
async fn secrets_whose_content_does_not_fit_are_told_what_they_lack() {
    let world = World::new().await;
    for (id, content, what, detail) in [
        ("calven", "s3cr3t", "Calven's secret", "it is no JSON"),
        (
            "calven",
            r#"["s3cr3t"]"#,
            "Calven's secret",
            "no JSON object",
        ),
        (
            "calven",
            r#"{"auth":"hmac","apiKey":"s3cr3t"}"#,
            "Calven's secret",
            "apiSecret is missing",
        ),
        (
            "calven",
            r#"{"apiKey":"s3cr3t"}"#,
            "Calven's secret",
            "auth is missing: it must be one of hmac",
        ),
        (
            "capillary",
            r#"{"auth":"basic","username":"s3cr3t"}"#,
            "Capillary's secret",
            "password is missing",
        ),
        (
            "acme",
            r#"{"token":"s3cr3t"}"#,
            "the secret of source acme",
            "this source signs",
        ),
        (
            "acme",
            r#"{"signingSecret":"s3cr3t ?"}"#,
            "the secret of source acme",
            "the signing secret cannot be used",
        ),
        (
            "people-api",
            r#"{"key":"s3cr3t"}"#,
            "the API secret of source people",
            "it must have token",
        ),
    ] {
        let world = match id {
            "" => &world,
            _ => &World::new().await,
        };
        world.secrets.put(id, content);
        names(world, what, detail, "Mend the secret's content").await;
    }
}

#[tokio::test]
async fn a_role_that_may_not_read_secrets_is_told_which_and_the_rest_is_checked_all_the_same() {
    let world = World::new().await;
    world.secrets.fail_stage(
        "AWSCURRENT",
        secrets_manager::Fault::Error(400, "AccessDeniedException"),
    );
    let answer = checked(&world).await;
    let failed = failed(&answer);
    assert_eq!(failed.len(), 5, "{answer:#}");
    for (what, detail, remedy) in &failed {
        assert!(what.contains("secret"), "{what}");
        assert!(detail.contains("AccessDeniedException"), "{detail}");
        assert!(
            remedy.contains("Let the function's role read it"),
            "{remedy}"
        );
    }
    assert_eq!(found(&answer, "state")["ok"], true);
    assert_eq!(found(&answer, "Calven's API")["ok"], Value::Null);
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_told_from_one_of_a_newer_format() {
    let world = World::new().await;
    world
        .s3
        .put_object(BUCKET, KEY, Some(br#"{"format":4,"version":7,"uns"#));
    names(
        &world,
        "state",
        "the state cannot be read (line 1",
        "Restore an older version",
    )
    .await;
    world
        .s3
        .put_object(BUCKET, KEY, Some(br#"{"format":99,"version":7}"#));
    names(
        &world,
        "state",
        "the state has format 99",
        "Deploy the newer version",
    )
    .await;
}

#[tokio::test]
async fn a_state_that_may_not_be_read_or_is_not_there_is_told_with_the_right_that_lacks() {
    let mut world = World::new().await;
    let denied = fault::Fault::Status(403);
    world.s3.fail_always(s3::Endpoint::Get, denied);
    names(&world, "state", "answered 403", "s3:GetObject").await;
    world.s3.mend(s3::Endpoint::Get);
    let elsewhere = "s3://no-such-bucket/state.json".to_owned();
    let state_url = world.variables.insert("STATE_URL".to_owned(), elsewhere);
    names(&world, "state", "NoSuchBucket", "Mend the bucket's name").await;
    world
        .variables
        .insert("STATE_URL".to_owned(), state_url.unwrap());
    world.s3.go_down().await;
    names(&world, "state", "out of reach", "VPC").await;
}

#[tokio::test]
async fn credentials_that_an_api_refuses_are_told_by_api() {
    let world = World::new().await;
    world.capillary.rotate(capillary::Credentials::Basic {
        username: "till".to_owned(),
        password: "s3cr3t-of-this-year".to_owned(),
    });
    names(
        &world,
        "Capillary's API",
        "refused with status 401",
        "Compare the credential",
    )
    .await;
    let world = World::new().await;
    world
        .hris
        .require("authorization", "Bearer s3cr3t-of-this-year");
    names(
        &world,
        "the API of source people",
        "refused with status 401",
        "vendor's console",
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_does_not_fit_the_mapping_is_told_with_the_command_that_shows_it() {
    let world = World::new().await;
    world.hris.answer("GET /groups", r#"{"error": "s3cr3t"}"#);
    names(
        &world,
        "the API of source people",
        "page 1",
        "bridge try --answer",
    )
    .await;
}

#[tokio::test]
async fn a_calven_that_is_not_there_is_told_with_its_variable() {
    let world = World::new().await;
    world.calven.go_down().await;
    names(&world, "Calven's API", "was not sent", "CALVEN_BASE_URL").await;
}

#[tokio::test]
async fn what_does_not_answer_hides_nothing_else() {
    let world = World::new().await;
    world
        .capillary
        .fail_always(capillary::Endpoint::Hierarchy, fault::Fault::Hang);
    names(
        &world,
        "Capillary's API",
        "got no complete answer",
        "CAPILLARY_BASE_URL",
    )
    .await;
}

#[tokio::test]
async fn sources_with_a_fault_keep_the_function_from_starting_and_the_command_says_where_to_look() {
    for line in [
        "sources.acme.sekret = 1",
        "sources.bad = { preset = \"generic\" }",
    ] {
        let mut world = World::new().await;
        world.sources = format!("{line}\n{}", world.sources);
        let deployed = world.deploy().await;
        let ran = deployed.bridge(&["check"]).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        for text in [
            "Runtime.ExitError",
            "did not start",
            "`the function cannot start`",
            "sources.toml",
        ] {
            assert!(ran.err.contains(text), "{ran:?}");
        }
    }
}

#[tokio::test]
async fn a_source_whose_key_comes_by_its_handshake_is_not_at_fault_and_its_token_is_kept() {
    let mut world = World::new().await;
    world.sources = "sources.pay = { preset = \"gusto\", secret_id = \"pay\" }".to_owned();
    let answer = checked(&world).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    let secret = found(&answer, "the secret of source pay");
    assert_eq!(secret["ok"], Value::Null);
    assert!(
        secret["remedy"].as_str().unwrap().contains("handshake"),
        "{secret}"
    );
}

#[tokio::test]
async fn what_was_mended_a_moment_ago_is_what_is_checked() {
    let world = World::new().await;
    world.calven.rotate(calven::Credentials::Jwt {
        token: "none".to_owned(),
    });
    let deployed = world.deploy().await;
    assert_eq!(deployed.bridge(&["check"]).await.code, 1);
    // The instance is the same one; nothing of the first time is in the way.
    world.calven.rotate(hmac_key());
    let mended = deployed.bridge(&["check"]).await;
    assert_eq!(mended.code, 0, "{mended:?}");
    world.calven.revoke_tokens();
    assert_eq!(deployed.bridge(&["check"]).await.code, 0);
}
