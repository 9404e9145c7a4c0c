//! The configuration, variable by variable.

use tempfile::TempDir;

use super::*;

const SOURCES: &str = "[sources.acme]\npreset = \"generic\"\nsecret_id = \"hris/acme\"\n";

/// Reads with a good `sources.toml` in the working directory and `CALVEN_SECRET_ID` set, unless overridden.
fn read(overrides: &[(&str, &str)]) -> Result<Config, ConfigProblems> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("sources.toml"), SOURCES).unwrap();
    read_in(&folder, None, overrides)
}

fn read_in(
    folder: &TempDir,
    beside_binary: Option<&TempDir>,
    overrides: &[(&str, &str)],
) -> Result<Config, ConfigProblems> {
    let vars = |name: &str| {
        [("CALVEN_SECRET_ID", "calven")]
            .iter()
            .chain(overrides)
            .rev()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let files = Files {
        beside_binary: beside_binary.map(|folder| folder.path().to_owned()),
        working_dir: folder.path().to_owned(),
    };
    Config::read(&vars, &files)
}

fn check_problems(overrides: &[(&str, &str)], expected: &[&str]) {
    let problems = read(overrides).unwrap_err().to_string();
    assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn one_variable_and_a_sources_file_suffice() {
    let config = read(&[]).unwrap();
    assert!(!config.inside_lambda);
    assert_eq!(config.calven_secret_id, "calven");
    assert_eq!(config.calven_base_url.as_str(), "https://api.calven.com");
    assert!(config.capillary.is_none());
    assert_eq!(config.state_url.to_string(), "file:.bridge/state.json");
    assert!(config.sources.by_name.contains_key("acme"));
    assert_eq!(config.secrets_file, None);
    assert_eq!(config.secrets_max_age, Duration::from_secs(300));
    assert_eq!(config.queue_url, None);
    assert!(config.seed_required);
    let removed = GuardLimit {
        percent: 20,
        groups: 5,
    };
    let moved = GuardLimit {
        percent: 50,
        groups: 20,
    };
    assert_eq!((config.guard_removed, config.guard_moved), (removed, moved));
    assert_eq!(config.publish_budget, Duration::from_secs(8));
    assert_eq!(config.tombstone_age, Duration::from_secs(90 * 86_400));
    assert!(!config.dry_run);
    assert_eq!(config.max_body_bytes, 1_048_576);
}

#[test]
fn every_variable_is_heeded() {
    let config = read(&[
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("CALVEN_BASE_URL", "http://127.0.0.1:8080"),
        ("CAPILLARY_BASE_URL", "https://eu.intouch.capillarytech.com"),
        ("CAPILLARY_SECRET_ID", "capillary"),
        ("CAPILLARY_FETCH_SIBLINGS", "FALSE"),
        ("CAPILLARY_GROUP_TYPE", "Brand"),
        ("CAPILLARY_ATTACH_ROOTS", "1"),
        ("CAPILLARY_MAX_AGE_SECONDS", "0"),
        ("STATE_URL", "s3://my-bucket/state.json"),
        ("SECRETS_FILE", "secrets.json"),
        ("SECRETS_MAX_AGE_SECONDS", "60"),
        (
            "QUEUE_URL",
            "https://sqs.eu-central-1.amazonaws.com/123456789012/q",
        ),
        ("SEED_REQUIRED", "0"),
        ("GUARD_MAX_REMOVED_PERCENT", "0"),
        ("GUARD_MAX_REMOVED_GROUPS", "1"),
        ("GUARD_MAX_MOVED_PERCENT", "100"),
        ("GUARD_MAX_MOVED_GROUPS", "2"),
        ("PUBLISH_BUDGET_SECONDS", "3"),
        ("TOMBSTONE_DAYS", "7"),
        ("DRY_RUN", "True"),
        ("MAX_BODY_BYTES", "1024"),
    ])
    .unwrap();
    assert!(config.inside_lambda);
    assert_eq!(config.calven_base_url.as_str(), "http://127.0.0.1:8080");
    let capillary = config.capillary.unwrap();
    assert_eq!(
        capillary.base_url.as_str(),
        "https://eu.intouch.capillarytech.com"
    );
    assert_eq!(
        (capillary.secret_id.as_str(), capillary.group_type.as_str()),
        ("capillary", "Brand")
    );
    assert!(!capillary.fetch_siblings && capillary.attach_roots);
    assert_eq!(capillary.max_age, Duration::ZERO);
    assert_eq!(config.state_url.to_string(), "s3://my-bucket/state.json");
    assert_eq!(config.secrets_file, Some("secrets.json".into()));
    assert_eq!(config.secrets_max_age, Duration::from_secs(60));
    let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/q";
    assert_eq!(config.queue_url.unwrap().as_str(), queue);
    assert!(!config.seed_required && config.dry_run);
    let removed = GuardLimit {
        percent: 0,
        groups: 1,
    };
    let moved = GuardLimit {
        percent: 100,
        groups: 2,
    };
    assert_eq!((config.guard_removed, config.guard_moved), (removed, moved));
    assert_eq!(config.publish_budget, Duration::from_secs(3));
    assert_eq!(config.tombstone_age, Duration::from_secs(7 * 86_400));
    assert_eq!(config.max_body_bytes, 1024);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    assert!(read(&[("STATE_URL", ""), ("QUEUE_URL", ""), ("DRY_RUN", "")]).is_ok());
    check_problems(
        &[("CALVEN_SECRET_ID", "")],
        &["CALVEN_SECRET_ID must be set, to the name or ARN of a secret"],
    );
}

#[test]
fn all_problems_are_told_at_once_and_no_value_is_quoted() {
    let overrides = [
        ("CALVEN_SECRET_ID", ""),
        ("CALVEN_BASE_URL", "http://user:hunter2@api.calven.com"),
        ("CAPILLARY_BASE_URL", "https://eu.intouch.capillarytech.com"),
        ("CAPILLARY_ATTACH_ROOTS", "hunter2"),
        ("STATE_URL", "hunter2"),
        ("SOURCES_FILE", "elsewhere.toml"),
        ("QUEUE_URL", "hunter2"),
        ("GUARD_MAX_REMOVED_PERCENT", "101"),
        ("GUARD_MAX_MOVED_GROUPS", "-1"),
        ("PUBLISH_BUDGET_SECONDS", "0"),
        ("TOMBSTONE_DAYS", "hunter2"),
    ];
    let problems = read(&overrides).unwrap_err();
    let named: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
    assert_eq!(
        named,
        [
            "CALVEN_SECRET_ID",
            "CALVEN_BASE_URL",
            "CAPILLARY_SECRET_ID",
            "CAPILLARY_ATTACH_ROOTS",
            "STATE_URL",
            "SOURCES_FILE",
            "QUEUE_URL",
            "GUARD_MAX_REMOVED_PERCENT",
            "GUARD_MAX_MOVED_GROUPS",
            "PUBLISH_BUDGET_SECONDS",
            "TOMBSTONE_DAYS",
        ]
    );
    assert_eq!(problems.to_string().lines().count(), named.len());
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
}

#[test]
fn capillary_wants_both_its_address_and_its_secret() {
    check_problems(
        &[("CAPILLARY_SECRET_ID", "x")],
        &["CAPILLARY_BASE_URL must be set, since CAPILLARY_SECRET_ID is"],
    );
}

#[test]
fn inside_lambda_the_state_must_last() {
    let inside = ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    check_problems(
        &[inside],
        &["STATE_URL must be set inside Lambda, for instance to s3://bucket/key"],
    );
    check_problems(
        &[inside, ("STATE_URL", "memory:")],
        &["STATE_URL must not be memory: inside Lambda, where memory does not last"],
    );
    assert_eq!(
        read(&[("STATE_URL", "memory:")]).unwrap().state_url,
        StateUrl::Memory
    );
}

#[test]
fn the_sources_beside_the_binary_come_before_those_in_the_working_directory() {
    let (binary, working) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::write(working.path().join("sources.toml"), SOURCES).unwrap();
    let config = read_in(&working, Some(&binary), &[]).unwrap();
    assert!(config.sources.by_name.contains_key("acme"));
    fs::write(
        binary.path().join("sources.toml"),
        SOURCES.replace("acme", "other"),
    )
    .unwrap();
    let config = read_in(&working, Some(&binary), &[]).unwrap();
    assert!(config.sources.by_name.contains_key("other"));
    let named = [("SOURCES_FILE", "sources.toml")];
    let config = read_in(&working, Some(&binary), &named).unwrap();
    assert!(config.sources.by_name.contains_key("acme"));
}

#[test]
fn a_missing_sources_file_is_told_with_the_places_looked_at() {
    let (binary, working) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let problems = read_in(&working, Some(&binary), &[])
        .unwrap_err()
        .to_string();
    for place in [&binary, &working] {
        let place = place.path().join("sources.toml");
        assert!(problems.contains(&*place.to_string_lossy()), "{problems}");
    }
}

#[test]
fn each_problem_of_the_sources_file_is_one_of_the_configuration() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mine.toml");
    fs::write(
        &path,
        "colour = 1\n[sources.capillary]\npreset = \"generic\"\n",
    )
    .unwrap();
    let problems = read_in(&folder, None, &[("SOURCES_FILE", "mine.toml")]).unwrap_err();
    let place = path.display();
    assert_eq!(
        problems.to_string(),
        format!(
            "SOURCES_FILE {place}: colour is not known\n\
             SOURCES_FILE {place}: sources.capillary is reserved for the bridge's own use, as are manual and capillary\n\
             SOURCES_FILE {place}: sources.capillary.secret_id is missing"
        )
    );
}
