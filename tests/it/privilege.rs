//! What the template lets the function do is what the code does: no call of AWS without its action, no action without its call.
//! `ci/policies.py` looks at the shape of the policies.

use std::{collections::BTreeSet, path::PathBuf};

use crate::harness::{read, root};

/// Who needs an action.
enum Needs {
    /// The code, by this text in this file.
    Code(&'static str, &'static str),
    /// AWS in the function's name; this is for what.
    Aws(&'static str),
}

/// Every action of the function's role, and who needs it.
const ACTIONS: &[(&str, Needs)] = &[
    (
        "s3:GetObject",
        Needs::Code(
            "src/store/s3/question.rs",
            "Self::Read { .. } => Method::GET",
        ),
    ),
    (
        "s3:PutObject",
        Needs::Code(
            "src/store/s3/question.rs",
            "Self::Create | Self::Replace(_) => Method::PUT",
        ),
    ),
    (
        "s3:ListBucket",
        Needs::Aws("S3 answers 404 for a state that is not there, and not 403"),
    ),
    (
        "sqs:SendMessage",
        Needs::Code("src/queue/sqs.rs", "\"AmazonSQS.SendMessage\""),
    ),
    ("sqs:ReceiveMessage", Needs::Aws("the mapping takes")),
    ("sqs:DeleteMessage", Needs::Aws("the mapping acknowledges")),
    ("sqs:GetQueueAttributes", Needs::Aws("the mapping scales")),
    (
        "secretsmanager:GetSecretValue",
        Needs::Code("src/secrets/fetch.rs", ".get_secret_value()"),
    ),
    ("logs:CreateLogStream", Needs::Aws("Lambda writes the log")),
    ("logs:PutLogEvents", Needs::Aws("Lambda writes the log")),
    (
        "kms:Decrypt",
        Needs::Aws("S3, SQS and Secrets Manager read what a key of one's own encrypts"),
    ),
    (
        "kms:GenerateDataKey",
        Needs::Aws("S3 and SQS encrypt with a key of one's own"),
    ),
];

/// What of the code speaks to AWS: nothing else can sign for it, or has an SDK.
const SIGNERS: &[&str] = &["src/queue/sqs.rs", "src/store/s3.rs"];
const SDKS: &[&str] = &["aws-sdk-secretsmanager"];

/// Whether a text is an action of IAM's, as `s3:GetObject`.
fn is_action(text: &str) -> bool {
    text.split_once(':').is_some_and(|(service, action)| {
        !service.is_empty()
            && service
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && action.starts_with(|c: char| c.is_ascii_uppercase() || c == '*')
            && action
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '*')
    })
}

/// The actions that a role of the template allows.
fn allowed(role: &str) -> BTreeSet<String> {
    let template = read("template.yaml");
    let (_, block) = template.split_once(&format!("\n  {role}:\n")).unwrap();
    block
        .lines()
        .take_while(|line| !line.starts_with("  ") || line.starts_with("   ") || line.is_empty())
        .skip_while(|line| line.trim() != "Policies:")
        .filter_map(|line| line.trim_start().strip_prefix("Action: "))
        .flat_map(|line| line.split([' ', ',', '[', ']', '"', '\'']))
        .filter(|word| is_action(word))
        .map(str::to_owned)
        .collect()
}

/// The product's files with their texts, without their tests.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some("rs".as_ref())
                && path.file_name() != Some("tests.rs".as_ref())
            {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                let text = read(&name);
                let product = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
                found.push((name, product.to_owned()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_function_may_do_what_somebody_needs_and_nothing_else() {
    let needed: BTreeSet<String> = ACTIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(allowed("FunctionRole"), needed);
    for (action, needs) in ACTIONS {
        match needs {
            Needs::Code(file, text) => {
                assert!(read(file).contains(text), "{action}: {file} has no {text}");
            }
            Needs::Aws(what) => assert!(what.len() > 10, "{action}"),
        }
    }
    let schedule = BTreeSet::from(["lambda:InvokeFunction".to_owned()]);
    assert_eq!(allowed("ScheduleRole"), schedule);
}

#[test]
fn the_code_asks_aws_for_nothing_else() {
    let sources = sources();
    assert!(sources.len() > 100, "{}", sources.len());
    let signers: Vec<&str> = sources
        .iter()
        .filter(|(name, _)| name != "src/aws/signer.rs")
        .filter(|(_, text)| {
            [".sign(", ".sign_hashed("]
                .iter()
                .any(|sign| text.contains(sign))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(signers, SIGNERS);
    let manifest = read("Cargo.toml");
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    let sdks: Vec<&str> = dependencies
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("aws-sdk-"))
        .collect();
    assert_eq!(sdks, SDKS);

    // Which operations those name: SQS's by a header, S3's by their method, the SDK's by their builders.
    let mut asked = BTreeSet::new();
    for (name, text) in &sources {
        for service in ["AmazonSQS.", "secretsmanager."] {
            for rest in text.split(&format!("\"{service}")).skip(1) {
                asked.insert(format!("{service}{}", rest.split('"').next().unwrap()));
            }
        }
        for rest in text.split("aws_sdk_secretsmanager::operation::").skip(1) {
            asked.insert(rest.split("::").next().unwrap().to_owned());
        }
        for rest in text.split("\n    operation::").skip(1) {
            asked.insert(rest.split("::").next().unwrap().to_owned());
        }
        if name.starts_with("src/store/") {
            for rest in text.split("Method::").skip(1) {
                let method: String = rest.chars().take_while(char::is_ascii_uppercase).collect();
                asked.insert(format!("S3 {method}"));
            }
        }
    }
    let expected = [
        "AmazonSQS.SendMessage",
        "S3 GET",
        "S3 PUT",
        "get_secret_value",
    ];
    assert_eq!(asked, expected.map(str::to_owned).into());
}

#[test]
fn the_docs_list_every_action() {
    let docs = read("docs/deploy.md");
    let (_, table) = docs.split_once("\n## What the function may do\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let told: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next())
        .flat_map(|cell| cell.split(['`', ',', ' ']))
        .filter(|word| is_action(word))
        .map(str::to_owned)
        .collect();
    assert_eq!(told, allowed("FunctionRole"));
}

#[test]
fn every_package_of_ours_forbids_unsafe_code() {
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("\nunsafe_code = \"forbid\"\n"));
    let (_, members) = manifest.split_once("\nmembers = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let packages: Vec<String> = members
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|member| format!("{member}/Cargo.toml"))
        .chain(["Cargo.toml".to_owned()])
        .collect();
    assert!(packages.len() >= 7, "{packages:?}");
    for package in packages {
        assert!(
            read(&package).contains("\n[lints]\nworkspace = true\n"),
            "{package}"
        );
    }
}
