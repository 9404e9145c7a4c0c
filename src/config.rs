//! The configuration: environment variables and `sources.toml`, read once, checked as a whole.
//!
//! A [`Config`] that exists is complete and fits together; nothing is checked again later.

mod problems;
mod variables;

use std::{fs, path::PathBuf, time::Duration};

use crate::{
    hierarchy::GroupType, http::BaseUrl, queue::QueueUrl, sources::config::Sources, store::StateUrl,
};

pub use self::problems::{ConfigProblem, ConfigProblems};

use self::variables::Variables;

/// Set by Lambda, and by nobody else.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const INSIDE_LAMBDA: &str = "AWS_LAMBDA_INITIALIZATION_TYPE";

/// Set by Lambda, and by who runs the function as Lambda would.
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether this runs in Lambda.
    pub inside_lambda: bool,
    /// What the function is called there, for the commands that an answer tells.
    pub function_name: Option<String>,
    /// `CALVEN_SECRET_ID`: name or ARN of the secret.
    pub calven_secret_id: String,
    /// `CALVEN_BASE_URL`.
    pub calven_base_url: BaseUrl,
    /// Capillary, where it is to enrich what the sources say.
    pub capillary: Option<CapillaryConfig>,
    /// `STATE_URL`.
    pub state_url: StateUrl,
    /// The sources, from `SOURCES_FILE`.
    pub sources: Sources,
    /// `SECRETS_FILE`: instead of AWS Secrets Manager.
    pub secrets_file: Option<PathBuf>,
    /// `SECRETS_MAX_AGE_SECONDS`: how long a secret is cached.
    pub secrets_max_age: Duration,
    /// `QUEUE_URL`: where webhooks are queued instead of published in the request.
    pub queue_url: Option<QueueUrl>,
    /// `SEED_REQUIRED`: whether all is held before the first seed.
    pub seed_required: bool,
    /// What a plan may remove.
    pub guard_removed: GuardLimit,
    /// What a plan may move.
    pub guard_moved: GuardLimit,
    /// `PUBLISH_BUDGET_SECONDS`: how long publishing may take within a webhook.
    pub publish_budget: Duration,
    /// `TOMBSTONE_DAYS`: how long what is no longer needed is remembered.
    pub tombstone_age: Duration,
    /// `DRY_RUN`: everything but saving and sending.
    pub dry_run: bool,
    /// `MAX_BODY_BYTES`: the largest body that is taken.
    pub max_body_bytes: usize,
    /// `MAX_STATE_BYTES`: of a larger state no webhook makes a larger one.
    pub max_state_bytes: usize,
}

/// How Capillary is asked.
#[derive(Clone, Debug)]
pub struct CapillaryConfig {
    /// `CAPILLARY_BASE_URL`.
    pub base_url: BaseUrl,
    /// `CAPILLARY_SECRET_ID`: name or ARN of the secret.
    pub secret_id: String,
    /// `CAPILLARY_FETCH_SIBLINGS`.
    pub fetch_siblings: bool,
    /// `CAPILLARY_GROUP_TYPE`: Calven's group type of an org whose own type has none.
    pub group_type: GroupType,
    /// `CAPILLARY_ATTACH_ROOTS`: whether top-level groups become children of the base organisation.
    pub attach_roots: bool,
    /// `CAPILLARY_MAX_AGE_SECONDS`: a webhook re-reads only what is older.
    pub max_age: Duration,
}

/// A plan is held when it exceeds both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimit {
    /// Percent of the published groups, 0 to 100.
    pub percent: u8,
    /// Groups.
    pub groups: usize,
}

/// Where files are looked for.
#[derive(Clone, Debug)]
pub struct Files {
    /// The folder of the binary: `LAMBDA_TASK_ROOT`, else the executable's, where they are known.
    pub beside_binary: Option<PathBuf>,
    /// The working directory.
    pub working_dir: PathBuf,
}

impl Config {
    /// Reads and checks everything. An empty variable counts as unset.
    ///
    /// # Errors
    /// [`ConfigProblems`]: all of them, not the first.
    pub fn read(
        vars: &dyn Fn(&str) -> Option<String>,
        files: &Files,
    ) -> Result<Self, ConfigProblems> {
        let mut vars = Variables::new(vars);
        let inside_lambda = vars.text(INSIDE_LAMBDA).is_some();
        let function_name = vars.text(FUNCTION_NAME);
        let calven_secret_id = vars.required("CALVEN_SECRET_ID", "the name or ARN of a secret");
        let calven_base_url = vars.url_or("CALVEN_BASE_URL", "https://api.calven.com");
        let capillary = read_capillary(&mut vars);
        let state_url = read_state_url(&mut vars, inside_lambda);
        let sources = read_sources(&mut vars, files);
        let secrets_file = vars.text("SECRETS_FILE").map(PathBuf::from);
        let secrets_max_age = vars.seconds_or("SECRETS_MAX_AGE_SECONDS", 300);
        let queue_url = vars.parsed("QUEUE_URL");
        let seed_required = vars.bool_or("SEED_REQUIRED", true);
        let guard_removed = GuardLimit {
            percent: vars.percent_or("GUARD_MAX_REMOVED_PERCENT", 20),
            groups: vars.count_or("GUARD_MAX_REMOVED_GROUPS", 5),
        };
        let guard_moved = GuardLimit {
            percent: vars.percent_or("GUARD_MAX_MOVED_PERCENT", 50),
            groups: vars.count_or("GUARD_MAX_MOVED_GROUPS", 20),
        };
        let publish_budget = vars.positive_seconds_or("PUBLISH_BUDGET_SECONDS", 8);
        let tombstone_age = vars.days_or("TOMBSTONE_DAYS", 90);
        let dry_run = vars.bool_or("DRY_RUN", false);
        let max_body_bytes = vars.positive_count_or("MAX_BODY_BYTES", 1_048_576);
        let max_state_bytes = vars.positive_count_or("MAX_STATE_BYTES", 10_485_760);
        let problems = vars.finish();
        match (calven_secret_id, calven_base_url, state_url, sources) {
            (Some(calven_secret_id), Some(calven_base_url), Some(state_url), Some(sources))
                if problems.is_empty() =>
            {
                Ok(Self {
                    inside_lambda,
                    function_name,
                    calven_secret_id,
                    calven_base_url,
                    capillary,
                    state_url,
                    sources,
                    secrets_file,
                    secrets_max_age,
                    queue_url,
                    seed_required,
                    guard_removed,
                    guard_moved,
                    publish_budget,
                    tombstone_age,
                    dry_run,
                    max_body_bytes,
                    max_state_bytes,
                })
            }
            _ => Err(problems),
        }
    }
}

fn read_capillary(vars: &mut Variables<'_>) -> Option<CapillaryConfig> {
    let (url_name, id_name) = ("CAPILLARY_BASE_URL", "CAPILLARY_SECRET_ID");
    let given = (vars.text(url_name).is_some(), vars.text(id_name).is_some());
    match given {
        (true, true) | (false, false) => {}
        (true, false) => vars.problem(id_name, "must be set, since CAPILLARY_BASE_URL is"),
        (false, true) => vars.problem(url_name, "must be set, since CAPILLARY_SECRET_ID is"),
    }
    let base_url = vars.url(url_name);
    let secret_id = vars.text(id_name);
    // Read in any case: a wrong value is a problem before Capillary is switched on too.
    let fetch_siblings = vars.bool_or("CAPILLARY_FETCH_SIBLINGS", true);
    let group_type = vars.name_or("CAPILLARY_GROUP_TYPE", "Organization");
    let attach_roots = vars.bool_or("CAPILLARY_ATTACH_ROOTS", false);
    let max_age = vars.seconds_or("CAPILLARY_MAX_AGE_SECONDS", 900);
    Some(CapillaryConfig {
        base_url: base_url?,
        secret_id: secret_id?,
        fetch_siblings,
        group_type: group_type?,
        attach_roots,
        max_age,
    })
}

fn read_state_url(vars: &mut Variables<'_>, inside_lambda: bool) -> Option<StateUrl> {
    let name = "STATE_URL";
    let text = match (vars.text(name), inside_lambda) {
        (Some(text), _) => text,
        (None, false) => "file:.bridge/state.json".to_owned(),
        (None, true) => {
            vars.problem(
                name,
                "must be set inside Lambda, for instance to s3://bucket/key",
            );
            return None;
        }
    };
    match text.parse() {
        Ok(StateUrl::Memory) if inside_lambda => {
            vars.problem(
                name,
                "must not be memory: inside Lambda, where memory does not last",
            );
            None
        }
        Ok(url) => Some(url),
        Err(error) => {
            vars.problem(name, error);
            None
        }
    }
}

fn read_sources(vars: &mut Variables<'_>, files: &Files) -> Option<Sources> {
    let name = "SOURCES_FILE";
    let Files {
        beside_binary,
        working_dir,
    } = files;
    let places: Vec<PathBuf> = match vars.text(name) {
        Some(path) => vec![working_dir.join(path)],
        None => beside_binary
            .iter()
            .chain([working_dir])
            .map(|folder| folder.join("sources.toml"))
            .collect(),
    };
    let Some(path) = places.iter().find(|path| path.exists()) else {
        let places: Vec<String> = places
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let reason = format!(
            "names no file that is there; looked at: {}",
            places.join(", ")
        );
        vars.problem(name, reason);
        return None;
    };
    let place = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            vars.problem(name, format!("{place} cannot be read: {error}"));
            return None;
        }
    };
    match Sources::parse(&text) {
        Ok(sources) => Some(sources),
        Err(problems) => {
            for problem in problems {
                vars.problem(name, format!("{place}: {problem}"));
            }
            None
        }
    }
}

#[cfg(test)]
mod tests;
