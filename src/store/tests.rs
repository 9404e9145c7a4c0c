//! One suite of promises over all homes, then what is special to one.

use std::path::{Path, PathBuf};

use stand_ins::{
    fault,
    s3::{self, Fault, S3},
};
use tempfile::TempDir;

use super::*;
use crate::http;

const BUCKET: &str = "bridge-state";
const TIMEOUT: Duration = Duration::from_secs(5);

/// A fresh home of one kind, to which any number of independent handles can be opened.
enum Home {
    Memory(Arc<MemoryStore>),
    File(TempDir),
    S3(S3),
}

impl Home {
    async fn all() -> Vec<Self> {
        vec![
            Self::Memory(Arc::default()),
            Self::File(TempDir::new().unwrap()),
            Self::S3(S3::start(BUCKET).await),
        ]
    }

    /// Puts a document there, or takes it away, behind the back of all handles; says whether that can be done.
    fn put_behind(&self, bytes: Option<&[u8]>) -> bool {
        match self {
            Self::Memory(_) => return false,
            Self::File(folder) => {
                let path = folder.path().join("new/folder/state.json");
                match bytes {
                    Some(bytes) => std::fs::write(path, bytes).unwrap(),
                    None => std::fs::remove_file(path).unwrap(),
                }
            }
            Self::S3(s3) => s3.put_object(BUCKET, "a/state.json", bytes),
        }
        true
    }

    fn handle(&self) -> Arc<dyn StateStore> {
        match self {
            Self::Memory(store) => Arc::clone(store) as Arc<dyn StateStore>,
            Self::File(folder) => Arc::new(file(&folder.path().join("new/folder/state.json"))),
            Self::S3(s3) => s3_store(s3, BUCKET, TIMEOUT),
        }
    }
}

fn file(path: &Path) -> FileStore {
    FileStore::new(path.to_owned(), TIMEOUT)
}

fn s3_store(s3: &S3, bucket: &str, timeout: Duration) -> Arc<dyn StateStore> {
    let url = format!("s3://{bucket}/a/state.json").parse().unwrap();
    let endpoint = s3.url();
    let aws = |name: &str| aws_variable(name, &endpoint);
    open(&url, &http::client().unwrap(), &aws, timeout).unwrap()
}

fn aws_variable(name: &str, endpoint: &str) -> Option<String> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some(s3::ACCESS_KEY_ID.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(s3::SECRET_ACCESS_KEY.to_owned()),
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
        _ => None,
    }
}

fn won(swap: Swap) -> Tag {
    match swap {
        Swap::Won(tag) => tag,
        Swap::Lost => panic!("the swap was lost"),
    }
}

async fn bytes_in(store: &dyn StateStore) -> Option<Vec<u8>> {
    store.load().await.unwrap().map(|loaded| loaded.bytes)
}

#[tokio::test]
async fn a_missing_document_is_none_and_no_error() {
    for home in Home::all().await {
        assert_eq!(home.handle().load().await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_was_swapped_in_is_what_everybody_loads() {
    for home in Home::all().await {
        let store = home.handle();
        let first = won(store.swap(b"one".to_vec(), None).await.unwrap());
        let loaded = home.handle().load().await.unwrap().unwrap();
        assert_eq!(
            (loaded.bytes.as_slice(), &loaded.tag),
            (&b"one"[..], &first)
        );
        let second = won(store.swap(b"two".to_vec(), Some(first)).await.unwrap());
        let loaded = home.handle().load().await.unwrap().unwrap();
        assert_eq!((loaded.bytes.as_slice(), loaded.tag), (&b"two"[..], second));
    }
}

#[tokio::test]
async fn what_was_seen_is_unchanged_until_somebody_swaps() {
    for home in Home::all().await {
        let store = home.handle();
        let first = won(store.swap(b"one".to_vec(), None).await.unwrap());
        let since = home.handle().load_since(&first).await.unwrap();
        assert_eq!(since, Since::Unchanged, "{store:?}");
        let other = home.handle();
        let second = won(other
            .swap(b"two".to_vec(), Some(first.clone()))
            .await
            .unwrap());
        let newest = Since::Changed(Some(Loaded {
            bytes: b"two".to_vec(),
            tag: second.clone(),
        }));
        assert_eq!(store.load_since(&first).await.unwrap(), newest, "{store:?}");
        let since = store.load_since(&second).await.unwrap();
        assert_eq!(since, Since::Unchanged, "{store:?}");
    }
}

#[tokio::test]
async fn what_was_put_there_or_taken_away_behind_our_back_has_changed() {
    for home in Home::all().await {
        let store = home.handle();
        let seen = Tag("\"y\"".to_owned());
        let since = store.load_since(&seen).await.unwrap();
        assert_eq!(since, Since::Changed(None), "{store:?}");
        let first = won(store.swap(b"one".to_vec(), None).await.unwrap());
        let second = won(store
            .swap(b"two".to_vec(), Some(first.clone()))
            .await
            .unwrap());
        if !home.put_behind(Some(b"one")) {
            continue;
        }
        match store.load_since(&second).await.unwrap() {
            Since::Changed(Some(Loaded { bytes, tag: _ })) => assert_eq!(bytes, b"one"),
            since => panic!("{store:?}: {since:?}"),
        }
        home.put_behind(None);
        for seen in [first, second] {
            let since = store.load_since(&seen).await.unwrap();
            assert_eq!(since, Since::Changed(None), "{store:?}");
        }
    }
}

#[tokio::test]
async fn a_swap_that_expects_another_version_is_lost_and_changes_nothing() {
    for home in Home::all().await {
        let store = home.handle();
        let first = won(store.swap(b"one".to_vec(), None).await.unwrap());
        let _second = won(store
            .swap(b"two".to_vec(), Some(first.clone()))
            .await
            .unwrap());
        for expected in [None, Some(first)] {
            let swap = store.swap(b"three".to_vec(), expected).await.unwrap();
            assert_eq!(swap, Swap::Lost, "{store:?}");
        }
        assert_eq!(bytes_in(&*store).await.as_deref(), Some(&b"two"[..]));
    }
}

#[tokio::test]
async fn a_swap_that_expects_a_document_where_there_is_none_is_lost() {
    for home in Home::all().await {
        let store = home.handle();
        let swap = store
            .swap(b"x".to_vec(), Some(Tag("\"y\"".to_owned())))
            .await;
        assert_eq!(swap.unwrap(), Swap::Lost, "{store:?}");
        assert_eq!(bytes_in(&*store).await, None);
    }
}

#[tokio::test]
async fn a_document_of_megabytes_comes_back_whole() {
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for home in Home::all().await {
        let store = home.handle();
        let _tag = won(store.swap(large.clone(), None).await.unwrap());
        assert!(bytes_in(&*store).await == Some(large.clone()), "{store:?}");
    }
}

/// Sixteen independent handles swap at once; returns what each of the winners wrote.
async fn race(home: &Home, expected: Option<Tag>) -> Vec<Vec<u8>> {
    let racers = (0..16_u8).map(|number| {
        let (store, expected) = (home.handle(), expected.clone());
        tokio::spawn(async move {
            let bytes = format!("written by {number}").into_bytes();
            match store.swap(bytes.clone(), expected).await.unwrap() {
                Swap::Won(_) => Some(bytes),
                Swap::Lost => None,
            }
        })
    });
    let mut winners = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        winners.extend(racer.await.unwrap());
    }
    winners
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_who_create_at_once_one_wins() {
    for home in Home::all().await {
        let winners = race(&home, None).await;
        assert_eq!(winners.len(), 1, "{:?}", home.handle());
        assert_eq!(bytes_in(&*home.handle()).await.as_ref(), winners.first());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_who_update_at_once_one_wins() {
    for home in Home::all().await {
        let tag = won(home.handle().swap(b"first".to_vec(), None).await.unwrap());
        let winners = race(&home, Some(tag)).await;
        assert_eq!(winners.len(), 1, "{:?}", home.handle());
        assert_eq!(bytes_in(&*home.handle()).await.as_ref(), winners.first());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_increment_is_lost_among_those_who_reload_after_a_lost_swap() {
    for home in Home::all().await {
        let writers = (0..4).map(|_| {
            let store = home.handle();
            tokio::spawn(async move {
                for _ in 0..5 {
                    while !increment(&*store).await {}
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(bytes_in(&*home.handle()).await, Some(b"20".to_vec()));
    }
}

async fn increment(store: &dyn StateStore) -> bool {
    let loaded = store.load().await.unwrap();
    let (count, tag) = match loaded {
        None => (0, None),
        Some(Loaded { bytes, tag }) => {
            let count: u32 = String::from_utf8(bytes).unwrap().parse().unwrap();
            (count, Some(tag))
        }
    };
    let bytes = (count + 1).to_string().into_bytes();
    match store.swap(bytes, tag).await.unwrap() {
        Swap::Won(_) => true,
        Swap::Lost => false,
    }
}

#[test]
fn a_loaded_document_is_not_printed() {
    let loaded = Loaded {
        bytes: b"Engineering".to_vec(),
        tag: Tag("1".to_owned()),
    };
    assert_eq!(format!("{loaded:?}"), "Loaded(11 bytes, Tag(\"1\"))");
}

// What is special to a file.

#[tokio::test]
async fn what_a_killed_writer_left_beside_the_file_harms_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.json");
    let store = file(&path);
    let tag = won(store.swap(b"whole".to_vec(), None).await.unwrap());
    std::fs::write(
        folder.path().join("state.json.tmp"),
        b"much more than was to be, but ha",
    )
    .unwrap();
    assert!(folder.path().join("state.json.lock").exists());
    assert_eq!(bytes_in(&store).await.as_deref(), Some(&b"whole"[..]));
    let _tag = won(store.swap(b"next".to_vec(), Some(tag)).await.unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), b"next");
    assert!(!folder.path().join("state.json.tmp").exists());
}

#[tokio::test]
async fn a_held_lock_is_waited_for_and_then_given_up_without_writing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.json");
    let lock = std::fs::File::create(folder.path().join("state.json.lock")).unwrap();
    lock.lock().unwrap();
    let hasty = FileStore::new(path.clone(), Duration::from_millis(20));
    let error = hasty.swap(b"x".to_vec(), None).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(!path.exists());

    let patient = file(&path);
    let swap = tokio::spawn(async move { patient.swap(b"x".to_vec(), None).await });
    tokio::task::yield_now().await;
    drop(lock);
    let _tag = won(swap.await.unwrap().unwrap());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_an_error_and_not_a_missing_document() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("plain"), b"").unwrap();
    let below_a_file: PathBuf = folder.path().join("plain/state.json");
    for path in [folder.path(), &below_a_file] {
        let store = file(path);
        let error = store.load().await.unwrap_err();
        assert!(!error.is_transient(), "{error}");
        assert!(
            error.to_string().contains(&*path.to_string_lossy()),
            "{error}"
        );
        let error = store.swap(b"x".to_vec(), None).await.unwrap_err();
        assert!(!error.is_transient(), "{error}");
    }
}

// What is special to S3.

#[tokio::test]
async fn s3_is_asked_for_exactly_the_conditional_writes_that_are_meant() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, TIMEOUT);
    let first = won(store.swap(b"one".to_vec(), None).await.unwrap());
    let _second = won(store
        .swap(b"two".to_vec(), Some(first.clone()))
        .await
        .unwrap());
    let seen: Vec<_> = s3
        .seen()
        .into_iter()
        .map(|seen| (seen.method, seen.object, seen.if_match, seen.if_none_match))
        .collect();
    let object = || "bridge-state/a/state.json".to_owned();
    assert_eq!(
        seen,
        [
            ("PUT".to_owned(), object(), None, Some("*".to_owned())),
            ("PUT".to_owned(), object(), Some(first.0), None),
        ]
    );
}

#[tokio::test]
async fn a_key_is_encoded_once_below_the_signature_too() {
    let s3 = S3::start(BUCKET).await;
    let endpoint = s3.url();
    let token = "FwoGZXIvYXdzEA==";
    let aws = |name: &str| match name {
        "AWS_SESSION_TOKEN" => Some(token.to_owned()),
        name => aws_variable(name, &endpoint),
    };
    for key in [
        "a b/ä+日本.json",
        "50%/%2e%2E/~(x)=*'&?#;:@$,!\\\"<>[]{}|^`",
    ] {
        let url = format!("s3://{BUCKET}/{key}").parse().unwrap();
        let store = open(&url, &http::client().unwrap(), &aws, TIMEOUT).unwrap();
        let tag = won(store.swap(b"one".to_vec(), None).await.unwrap());
        assert_eq!(store.load_since(&tag).await.unwrap(), Since::Unchanged);
        assert_eq!(s3.object(BUCKET, key).as_deref(), Some(&b"one"[..]));
    }
}

#[tokio::test]
async fn who_is_not_who_the_key_says_is_refused() {
    let s3 = S3::start(BUCKET).await;
    let endpoint = s3.url();
    let aws = |name: &str| match name {
        "AWS_SECRET_ACCESS_KEY" => Some("another".to_owned()),
        name => aws_variable(name, &endpoint),
    };
    let url = format!("s3://{BUCKET}/state.json").parse().unwrap();
    let store = open(&url, &http::client().unwrap(), &aws, TIMEOUT).unwrap();
    let error = store.load().await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    let told = "answered 403 (SignatureDoesNotMatch)";
    assert!(error.to_string().contains(told), "{error}");
}

#[tokio::test]
async fn s3_is_asked_for_a_version_that_differs_from_the_one_that_was_seen() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, TIMEOUT);
    let tag = won(store.swap(b"one".to_vec(), None).await.unwrap());
    store.load().await.unwrap();
    let since = store.load_since(&tag).await.unwrap();
    assert_eq!(since, Since::Unchanged);
    let conditions: Vec<_> = s3
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "GET")
        .map(|seen| (seen.if_match, seen.if_none_match))
        .collect();
    assert_eq!(conditions, [(None, None), (None, Some(tag.0))]);
}

#[tokio::test]
async fn only_who_asks_whether_anything_changed_is_told_that_nothing_did() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, TIMEOUT);
    let tag = won(store.swap(b"one".to_vec(), None).await.unwrap());
    s3.fail_next([Fault::Status(304, "NotModified")]);
    assert!(store.load().await.is_err());
    s3.fail_next([Fault::Status(503, "SlowDown")]);
    let since = store.load_since(&tag).await.unwrap();
    assert_eq!(since, Since::Unchanged);
    s3.fail_next([Fault::Status(403, "AccessDenied")]);
    assert!(!store.load_since(&tag).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_missing_bucket_is_an_error_and_not_a_missing_document() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, "other-bucket", TIMEOUT);
    let seen = Tag("\"y\"".to_owned());
    let errors = [
        store.load().await.unwrap_err(),
        store.load_since(&seen).await.unwrap_err(),
        store.swap(b"x".to_vec(), None).await.unwrap_err(),
        store
            .swap(b"x".to_vec(), Some(Tag("\"y\"".to_owned())))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(!error.is_transient(), "{error}");
        assert!(error.to_string().contains("NoSuchBucket"), "{error}");
    }
}

#[tokio::test]
async fn s3_that_stumbles_is_asked_again() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, TIMEOUT);
    s3.fail_next([Fault::Status(503, "SlowDown")]);
    let tag = won(store.swap(b"one".to_vec(), None).await.unwrap());
    s3.fail_next([Fault::Status(500, "InternalError")]);
    assert_eq!(store.load().await.unwrap().unwrap().tag, tag);
    s3.fail_next([Fault::Status(409, "ConditionalRequestConflict")]);
    let _tag = won(store.swap(b"two".to_vec(), Some(tag)).await.unwrap());
}

#[tokio::test]
async fn a_conflict_while_creating_is_a_lost_swap() {
    let s3 = S3::start(BUCKET).await;
    s3.fail_next([Fault::Status(409, "ConditionalRequestConflict")]);
    let store = s3_store(&s3, BUCKET, TIMEOUT);
    assert_eq!(store.swap(b"x".to_vec(), None).await.unwrap(), Swap::Lost);
}

#[tokio::test]
async fn s3_is_not_asked_again_more_than_four_times() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, TIMEOUT);
    let tag = won(store.swap(b"one".to_vec(), None).await.unwrap());
    s3.fail_next(vec![Fault::Status(409, "ConditionalRequestConflict"); 5]);
    let swap = store.swap(b"two".to_vec(), Some(tag)).await.unwrap();
    assert_eq!((swap, s3.seen().len()), (Swap::Lost, 1 + 5));
}

#[tokio::test]
async fn a_bucket_in_another_region_does_not_pass_and_a_redirect_of_a_new_one_does() {
    for (status, code, passes) in [
        (301, "PermanentRedirect", false),
        (307, "TemporaryRedirect", true),
    ] {
        let s3 = S3::start(BUCKET).await;
        let store = s3_store(&s3, BUCKET, TIMEOUT);
        s3.fail_next([Fault::Status(status, code)]);
        let error = store.load().await.unwrap_err();
        assert_eq!(error.is_transient(), passes, "{error}");
        let told = format!("answered {status} ({code})");
        assert!(error.to_string().contains(&told), "{error}");
        let hints = error
            .to_string()
            .contains("is AWS_REGION the bucket's region?");
        assert_eq!(hints, !passes, "{error}");
    }
}

#[tokio::test]
async fn s3_that_stays_down_is_a_passing_failure_and_one_that_refuses_is_not() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, Duration::from_secs(2));
    s3.fail_next(vec![Fault::Status(503, "SlowDown"); 20]);
    let error = store.load().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("503 (SlowDown)"), "{error}");

    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, TIMEOUT);
    s3.fail_next([Fault::Status(403, "AccessDenied")]);
    let error = store.load().await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(error.to_string().contains("403 (AccessDenied)"), "{error}");
}

#[tokio::test]
async fn a_document_without_an_end_is_refused_and_not_taken_into_memory() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, TIMEOUT);
    won(store.swap(b"x".to_vec(), None).await.unwrap());
    s3.fail_always(s3::Endpoint::Get, fault::Fault::Endless);
    let error = store.load().await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    let told = "the answer is larger than 268435456 bytes";
    assert!(error.to_string().contains(told), "{error}");
}

#[tokio::test]
async fn a_document_that_is_cut_off_on_its_way_is_a_passing_failure() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, Duration::from_secs(1));
    won(store.swap(b"whole".to_vec(), None).await.unwrap());
    s3.fail_always(s3::Endpoint::Get, fault::Fault::CutInHalf);
    let error = store.load().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("is cut off"), "{error}");
}

#[tokio::test]
async fn s3_that_never_answers_is_given_up_in_time() {
    let s3 = S3::start(BUCKET).await;
    let store = s3_store(&s3, BUCKET, Duration::from_millis(100));
    s3.fail_next([Fault::Hang, Fault::Hang]);
    assert!(store.load().await.unwrap_err().is_transient());
    assert!(
        store
            .swap(b"x".to_vec(), None)
            .await
            .unwrap_err()
            .is_transient()
    );
}

#[tokio::test]
async fn a_write_that_landed_unseen_is_never_called_won_and_shows_after_a_reload() {
    for fault in [Fault::ApplyThenFail, Fault::ApplyThenReset] {
        let s3 = S3::start(BUCKET).await;
        let store = s3_store(&s3, BUCKET, TIMEOUT);
        let tag = won(store.swap(b"one".to_vec(), None).await.unwrap());
        s3.fail_next([fault.clone()]);
        match store.swap(b"two".to_vec(), Some(tag)).await {
            Ok(Swap::Lost) => {}
            Ok(Swap::Won(_)) => panic!("{fault:?}: nobody told the caller so"),
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        assert_eq!(bytes_in(&*store).await.as_deref(), Some(&b"two"[..]));
    }
}

#[tokio::test]
async fn nobody_listening_is_a_passing_failure_that_quotes_no_secret() {
    let url: StateUrl = "s3://bridge-state/state.json".parse().unwrap();
    let aws = |name: &str| aws_variable(name, "http://127.0.0.1:9");
    let store = open(
        &url,
        &http::client().unwrap(),
        &aws,
        Duration::from_millis(500),
    )
    .unwrap();
    let error = store.load().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(
        format!("{store:?}"),
        "S3Store(s3://bridge-state/state.json)"
    );
}

#[tokio::test]
async fn credentials_that_cannot_be_fetched_are_a_passing_failure() {
    let s3 = S3::start(BUCKET).await;
    let endpoint = s3.url();
    let folder = TempDir::new().unwrap();
    let who_asks = folder.path().join("token");
    std::fs::write(&who_asks, "who-asks").unwrap();
    let aws = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => None,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI" => Some("http://127.0.0.1:9/".to_owned()),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => Some(who_asks.display().to_string()),
        name => aws_variable(name, &endpoint),
    };
    let url = format!("s3://{BUCKET}/state.json").parse().unwrap();
    let store = open(&url, &http::client().unwrap(), &aws, TIMEOUT).unwrap();
    let error = store.load().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("no credentials"), "{error}");
    assert_eq!(s3.seen(), []);
}

#[test]
fn variables_that_do_not_fit_together_are_named() {
    let check = |name: &'static str, value: Option<&'static str>, expected: &str| {
        let url: StateUrl = "s3://bridge-state/state.json".parse().unwrap();
        let aws = |asked: &str| {
            if asked == name {
                value.map(str::to_owned)
            } else {
                aws_variable(asked, "http://127.0.0.1:9")
            }
        };
        let error = open(&url, &http::client().unwrap(), &aws, TIMEOUT).unwrap_err();
        assert!(!error.is_transient());
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("AWS_REGION", None, "AWS_REGION");
    check("AWS_SECRET_ACCESS_KEY", None, "ecret");
    check(
        "AWS_ENDPOINT_URL",
        Some("http://s3.example.com"),
        "AWS_ENDPOINT_URL",
    );
    check(
        "AWS_ENDPOINT_URL_S3",
        Some("ftp://127.0.0.1"),
        "AWS_ENDPOINT_URL_S3",
    );
}
