//! Going back: to a published version, and from a damaged state to a whole one, wherever the state is kept.

use std::{sync::Arc, time::Duration};

use calven_bridge::{
    http,
    store::{self, StateStore, Swap},
};
use serde_json::{Value, json};
use stand_ins::s3::S3;
use tempfile::TempDir;

use crate::harness::{Setup, World, held, upsert};

const BUCKET: &str = "bridge-state";

/// What keeps a state, and goes away with this.
struct Home {
    url: String,
    s3: S3,
    _folder: TempDir,
}

impl Home {
    /// One of each kind.
    async fn all() -> Vec<Self> {
        let mut homes = Vec::new();
        for kind in ["memory", "file", "s3"] {
            let folder = tempfile::tempdir().unwrap();
            let url = match kind {
                "memory" => "memory:".to_owned(),
                "file" => format!("file:{}", folder.path().join("state.json").display()),
                _ => format!("s3://{BUCKET}/state.json"),
            };
            homes.push(Self {
                url,
                s3: S3::start(BUCKET).await,
                _folder: folder,
            });
        }
        homes
    }

    fn open(&self) -> Arc<dyn StateStore> {
        let endpoint = self.s3.url();
        let aws = |name: &str| match name {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ACCESS_KEY_ID" => Some("test-access-key".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("test-secret-access-key".to_owned()),
            "AWS_ENDPOINT_URL_S3" => Some(endpoint.clone()),
            _ => None,
        };
        let (url, http) = (self.url.parse().unwrap(), http::client().unwrap());
        store::open(&url, &http, &aws, Duration::from_secs(5)).unwrap()
    }

    /// A world that keeps its state here: seeded, and two groups more were published one after the other.
    async fn with_three_versions(&self) -> World {
        let setup = Setup::default().store(self.open());
        let world = setup.start().await.seed(&["A [T]"]).await;
        for (minute, row) in [(1, "B [T] < A [T]"), (2, "C [T] < B [T]")] {
            let answer = world.says(minute, upsert(row)).await;
            assert_eq!(answer.word(), (200, "published"), "{}", self.url);
        }
        world
    }
}

fn versions(history: &Value) -> Vec<u64> {
    let entries = history["history"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["version"].as_u64().unwrap())
        .collect()
}

async fn replace(store: &dyn StateStore, bytes: &[u8]) {
    let loaded = store.load().await.unwrap().unwrap();
    let swap = store.swap(bytes.to_vec(), Some(loaded.tag)).await.unwrap();
    assert!(matches!(swap, Swap::Won(_)));
}

#[tokio::test]
async fn an_older_version_is_gone_back_to_by_another_instance_in_every_store() {
    for home in Home::all().await {
        let mut world = home.with_three_versions().await;
        world.restart();
        let history = world.action(json!({"action": "history"})).await;
        assert_eq!(versions(&history), [3, 2, 1], "{}", home.url);
        let rollback = json!({"action": "rollback", "version": 2});
        assert_eq!(world.action(rollback).await["status"], "published");
        world.assert_holds(&["A [T]", "B [T] < A [T]"]);

        world.restart();
        let answer = world.says(3, upsert("D [T]")).await;
        assert_eq!(answer.word(), (202, "held"), "{}", home.url);
        assert_eq!(answer.held(), ["rolled_back"]);
        let reconciled = world.action(json!({"action": "reconcile"})).await;
        assert_eq!(held(&reconciled), ["rolled_back"]);
        world.assert_holds(&["A [T]", "B [T] < A [T]"]);

        // What was acknowledged meanwhile is in the plan that ends it.
        let plan = world.action(json!({"action": "plan"})).await;
        let approve = json!({"action": "approve", "digest": plan["digest"]});
        assert_eq!(world.action(approve).await["status"], "published");
        world.assert_holds(&["A [T]", "B [T] < A [T]", "C [T] < B [T]", "D [T]"]);
    }
}

#[tokio::test]
async fn a_damaged_state_is_refused_until_an_older_one_is_back_in_every_store() {
    for home in Home::all().await {
        let mut world = home.with_three_versions().await;
        let store = Arc::clone(&world.store);
        let older = store.load().await.unwrap().unwrap().bytes;
        world.says(3, upsert("Lost [T]")).await;
        let damaged = &older[..older.len() / 2];
        replace(&*store, damaged).await;
        let before = (world.holds(), world.puts());

        let answer = world.says(4, upsert("E [T]")).await;
        assert_eq!(answer.status, 500, "{}", home.url);
        for action in ["reconcile", "history"] {
            let (kind, message) = world.refused(json!({"action": action})).await;
            assert_eq!(kind, "StateUnreadable", "{}", home.url);
            assert!(message.contains("restore an older version"), "{message}");
        }
        assert_eq!(store.load().await.unwrap().unwrap().bytes, damaged);
        assert_eq!((world.holds(), world.puts()), before);

        // What was said after the version that is restored is gone, and Calven's too from the next PUT on.
        replace(&*store, &older).await;
        world.restart();
        let reconciled = world.action(json!({"action": "reconcile"})).await;
        assert_eq!(reconciled["status"], "published", "{}", home.url);
        world.assert_holds(&["A [T]", "B [T] < A [T]", "C [T] < B [T]"]);
        // The sender, who got no 2xx, sends it again.
        let answer = world.says(4, upsert("E [T]")).await;
        assert_eq!(answer.word(), (200, "published"), "{}", home.url);
    }
}
