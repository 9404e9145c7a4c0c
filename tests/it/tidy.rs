//! What is said twice is said the same.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use calven_bridge::sources::config::Sources;

use crate::{
    events::WALK,
    harness::{read, root},
};

/// A text that is written like a variable of ours.
fn is_variable(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c == '_';
    text.contains('_') && text.chars().all(fits) && !text.starts_with("AWS_")
}

/// The part of a text between two others.
#[track_caller]
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap();
    rest.split_once(to).map_or(rest, |(part, _)| part)
}

fn variables_of_config() -> BTreeSet<String> {
    let source = read("src/config.rs");
    let quoted = source.split('"').skip(1).step_by(2);
    quoted
        .filter(|text| is_variable(text))
        .map(str::to_owned)
        .collect()
}

fn variables_of_readme() -> BTreeSet<String> {
    let readme = read("README.md");
    let rows = between(&readme, "\n## Variables\n", "\n## ").lines();
    rows.filter_map(|row| row.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn the_readme_lists_the_variables_that_are_read() {
    let expected = variables_of_config();
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(variables_of_readme(), expected);
}

#[test]
fn the_template_sets_the_variables_that_a_deployment_has() {
    let template = read("template.yaml");
    let set = between(&template, "\n        Variables:\n", "\n\n").lines();
    let set: BTreeSet<String> = set
        .filter_map(|line| line.strip_prefix("          ")?.split_once(": "))
        .map(|(name, _)| name.to_owned())
        .collect();
    let mut expected = variables_of_config();
    let of_no_deployment = "SECRETS_FILE";
    assert!(expected.remove(of_no_deployment));
    assert!(
        template.contains(of_no_deployment),
        "it is not said why {of_no_deployment} is left out"
    );
    assert_eq!(set, expected);
}

#[test]
fn the_packaged_sources_can_be_read_and_are_strict() {
    let packaged = Sources::parse(&read("sources.toml")).unwrap();
    assert_eq!(packaged.by_name.len(), 1);
    for source in packaged.by_name.values() {
        assert_eq!(
            source.proof.tolerance(),
            Some(Duration::from_secs(300)),
            "{}",
            source.name
        );
    }
    let sandbox = Sources::parse(&read("examples/sandbox/sources.toml")).unwrap();
    for source in sandbox.by_name.values() {
        assert!(
            source.proof.tolerance().unwrap() > Duration::from_secs(86_400 * 365 * 10),
            "{}",
            source.name
        );
    }
}

#[test]
fn every_module_is_in_the_architecture() {
    let map = read("ARCHITECTURE.md");
    let mut folders = vec![root().join("src")];
    let mut missing = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            if path.extension() != Some("rs".as_ref()) {
                continue;
            }
            let is_tests = path.file_name() == Some(Path::new("tests.rs").as_os_str());
            if !is_tests && !map.contains(&format!("`{name}`")) {
                missing.push(name);
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_architecture_names_no_module_and_no_test_that_is_not_there() {
    let map = read("ARCHITECTURE.md");
    for name in map.split('`').skip(1).step_by(2) {
        if name.starts_with("src/") || name.starts_with("examples/") {
            assert!(root().join(name).exists(), "{name}");
        }
    }
}

/// Every function in the code of the workspace, by its name.
fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let crates = [
        "src",
        "tests",
        "bridge",
        "measure",
        "simulation",
        "stand-ins",
    ];
    let mut folders: Vec<PathBuf> = crates.iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some("rs".as_ref()) {
                let text = std::fs::read_to_string(path).unwrap();
                let rest = text.split("fn ").skip(1);
                found.extend(rest.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
            }
        }
    }
    found
}

#[test]
fn every_test_that_is_named_as_a_guard_is_there() {
    let known = functions();
    for (page, at_least) in [("docs/security.md", 30), ("ARCHITECTURE.md", 20)] {
        let text = read(page);
        let names = text.split('`').skip(1).step_by(2).filter(|name| {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            name.matches('_').count() > 2 && name.chars().all(fits)
        });
        let names: BTreeSet<&str> = names.collect();
        assert!(names.len() >= at_least, "{page}: {names:?}");
        for name in names {
            assert!(known.contains(name), "{page}: there is no {name}");
        }
    }
}

#[test]
fn the_docs_walk_through_the_events_as_they_are() {
    let docs = read("docs/local.md");
    let rows = between(&docs, "| event | what comes in |", "\n\n").lines();
    let walked: Vec<(String, usize)> = rows
        .filter_map(|row| {
            let mut cells = row.trim_matches('|').split('|').map(str::trim);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            Some((name.to_owned(), cells.next_back()?.parse().ok()?))
        })
        .collect();
    let expected: Vec<(String, usize)> = WALK
        .iter()
        .map(|(name, _, groups, _)| ((*name).to_owned(), *groups))
        .collect();
    assert_eq!(walked, expected);
}

#[test]
fn the_sandbox_prints_what_the_docs_tell_to_export() {
    let docs = read("docs/local.md");
    let told = between(&docs, "Terminal 2:", "Terminal 3:");
    let sandbox = read("examples/sandbox.rs");
    let exported = told.lines().filter_map(|line| line.strip_prefix("export "));
    let mut checked = 0;
    for (name, value) in exported.filter_map(|line| line.split_once('=')) {
        let printed = match value.starts_with("http") {
            true => format!("export {name}={{"),
            false => format!("export {name}={value}\n"),
        };
        assert!(sandbox.contains(&printed), "{printed}");
        checked += 1;
    }
    assert_eq!(checked, 7);
    let watch = told
        .lines()
        .find(|line| line.starts_with("cargo lambda watch"));
    assert!(sandbox.contains(watch.unwrap()));
}

#[test]
fn the_changelog_has_the_version_that_is_built() {
    let changelog = read("CHANGELOG.md");
    let headings: Vec<&str> = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## ["))
        .collect();
    let newest = headings
        .iter()
        .find(|heading| !heading.starts_with("Unreleased]"))
        .unwrap();
    let (version, date) = newest.split_once("] - ").unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"), "CHANGELOG.md's newest");
    let is_date = |text: &str| {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        text.len() == 10 && digits == 8
    };
    assert!(date == "unreleased" || is_date(date), "{date}");
    for heading in headings {
        assert!(
            heading.contains("] - ") || heading == "Unreleased]",
            "{heading}"
        );
    }
}

#[test]
fn every_parameter_of_the_template_is_in_the_docs() {
    let template = read("template.yaml");
    let declared: BTreeSet<&str> = between(&template, "\nParameters:\n", "\nRules:")
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|name| !name.starts_with([' ', '#']))
        .collect();
    let grouped: BTreeSet<&str> = between(&template, "ParameterGroups:", "\nParameters:\n")
        .lines()
        .filter_map(|line| line.strip_prefix("          - "))
        .collect();
    let docs = read("docs/deploy.md");
    let told: BTreeSet<&str> = between(&docs, "\n## Every parameter\n", "\n## ")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next())
        .flat_map(|cell| cell.split(['`', ',', ' ']))
        .filter(|word| !word.is_empty())
        .collect();
    assert!(declared.len() > 30, "{declared:?}");
    assert_eq!(declared, grouped);
    assert_eq!(declared, told);
}
