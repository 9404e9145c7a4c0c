//! What Calven is sent, and how we prove who we are.

use serde_json::{Value, json};
use stand_ins::calven::Credentials;

use crate::harness::{NOW, Setup, World, remove, secrets, upsert};

/// The example of "Submit group hierarchy relationships", apidocs.calven.com.
const EXAMPLE: &str = r#"{
    "groupRelationships": [
        {
            "group": "Channel Marketing",
            "groupType": "Department",
            "parent": "Marketing",
            "parentType": "Division"
        },
        {
            "group": "Marketing",
            "groupType": "Division",
            "parent": null,
            "parentType": null
        }
    ]
}"#;

const CHANNEL: &str = "Channel Marketing [Department] < Marketing [Division]";

/// The body of the last PUT, its rows in order.
fn last_body(world: &World) -> Value {
    let mut body: Value =
        serde_json::from_slice(&world.calven.puts().last().unwrap().body).unwrap();
    sort(&mut body);
    body
}

fn sort(body: &mut Value) {
    let rows = body["groupRelationships"].as_array_mut().unwrap();
    rows.sort_by_key(ToString::to_string);
}

#[tokio::test]
async fn the_documented_example_is_put_as_documented_with_every_kind_of_key() {
    let mut example: Value = serde_json::from_str(EXAMPLE).unwrap();
    sort(&mut example);
    let plain = "/v1/directory/group-hierarchy-relationship";
    let basic = "/v1/directory/group-hierarchy-relationship/basic";
    for (secret, path, auth, tokens) in [
        ("calven/api", plain, "Bearer", 1),
        ("calven/client-secret", plain, "Bearer", 1),
        ("calven/jwt", plain, "Bearer", 0),
        ("calven/basic", basic, "Basic", 0),
    ] {
        let setup = Setup::default().unseeded().calven_secret(secret);
        let world = setup.start().await;
        let answer = world.says(1, upsert(CHANNEL)).await;
        assert_eq!(
            answer.word(),
            (200, "published"),
            "{secret}: {}",
            answer.body
        );
        assert_eq!(last_body(&world), example, "{secret}");
        let put = world.calven.puts().pop().unwrap();
        assert_eq!(
            (put.path.as_str(), put.auth_kind()),
            (path, auth),
            "{secret}"
        );
        assert_eq!(put.headers["content-type"], "application/json");
        world
            .says(2, upsert("Brand [Department] < Marketing [Division]"))
            .await;
        assert_eq!(world.puts(), 2);
        assert_eq!(
            world.calven.token_requests().len(),
            tokens,
            "{secret}: a token is used again"
        );
    }
}

#[tokio::test]
async fn the_example_as_a_snapshot_and_as_a_seed_gives_the_same_body() {
    let mut example: Value = serde_json::from_str(EXAMPLE).unwrap();
    let world = Setup::default().unseeded().start().await;
    let mut snapshot = example.clone();
    snapshot["occurredAt"] = json!(NOW);
    assert_eq!(
        world.webhook("acme", &snapshot).await.word(),
        (200, "published")
    );
    let snapshot = last_body(&world);
    let world = World::new().await;
    let mut seed = example.clone();
    seed["action"] = json!("seed");
    world.action(seed).await;
    sort(&mut example);
    assert_eq!((&snapshot, &last_body(&world)), (&example, &example));
}

#[tokio::test]
async fn every_put_is_the_complete_set() {
    let world = World::seeded(&["Marketing [Division]", "Sales [Division]"]).await;
    world.says(1, upsert(CHANNEL)).await;
    world.says(2, remove("Sales [Division]")).await;
    let mut example: Value = serde_json::from_str(EXAMPLE).unwrap();
    sort(&mut example);
    assert_eq!(last_body(&world), example);
}

#[tokio::test]
async fn a_revoked_token_is_replaced_within_the_webhook() {
    let world = World::seeded(&["Marketing [Division]"]).await;
    world.calven.revoke_tokens();
    assert_eq!(
        world.says(1, upsert(CHANNEL)).await.word(),
        (200, "published")
    );
    assert_eq!(world.calven.token_requests().len(), 2);
}

#[tokio::test]
async fn an_expired_token_is_not_tried() {
    let world = World::seeded(&["Marketing [Division]"]).await;
    world.pass(std::time::Duration::from_secs(3601));
    assert_eq!(
        world.says(1, upsert(CHANNEL)).await.word(),
        (200, "published")
    );
    assert_eq!((world.puts(), world.calven.token_requests().len()), (2, 2));
}

#[tokio::test]
async fn a_rotated_secret_is_fetched_within_the_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.json");
    let mut all = secrets();
    std::fs::write(&file, json!(all).to_string()).unwrap();
    let setup = Setup::default().secrets_file(&file);
    let world = setup.start().await.seed(&["Marketing [Division]"]).await;
    let rotated = "rotated-secret-of-a-test";
    all.get_mut("calven/api").unwrap()["apiSecret"] = json!(rotated);
    std::fs::write(&file, json!(all).to_string()).unwrap();
    world.calven.rotate(Credentials::Hmac {
        api_key: "sandbox-hmac-key".to_owned(),
        api_secret: rotated.to_owned(),
    });
    world.calven.revoke_tokens();
    assert_eq!(
        world.says(1, upsert(CHANNEL)).await.word(),
        (200, "published")
    );
}

#[tokio::test]
async fn names_are_sent_letter_for_letter_but_for_white_space() {
    let world = World::seeded(&["Marketing [Division]"]).await;
    let change = json!({"group": "  R & D \u{a0} \"Ünïcode\" <b> 研究 ", "groupType": " Team ", "parent": "Marketing", "parentType": "Division"});
    world.says(1, change).await;
    world.assert_holds(&[
        "Marketing [Division]",
        "R & D \"Ünïcode\" <b> 研究 [Team] < Marketing [Division]",
    ]);
}
