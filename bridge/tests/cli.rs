//! The command as its users run it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect shall end there"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use stand_ins::canaries::{self, Kind};

const SOURCES: &str = "[sources.people]\npreset = \"peopleforce\"\nsecret_id = \"hris/people\"\n";
// printf %s "$BODY" | openssl dgst -sha256 -hmac 'case-key'
const BODY: &str = r#"{"action":"employee_update","data":{"id":7,"department":{"id":1,"name":"IT"},"division":{"id":2,"name":"Europe"}}}"#;
const SIGNATURE: &str = "sha256=12399b9795aba6b2bac0049acef79f2c96cdf5da256ccdc0c833586e256379d7";

fn bridge(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bridge"));
    command.args(arguments).current_dir(folder);
    let output = command.output().unwrap();
    canaries::note_secret(&fs::read_to_string(folder.join("secret.json")).unwrap_or_default());
    canaries::note(Kind::Proof, SIGNATURE.trim_start_matches("sha256="));
    for printed in [&output.stdout, &output.stderr] {
        canaries::keep("commands", &String::from_utf8_lossy(printed));
    }
    output
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("sources.toml", SOURCES);
    write("body.json", BODY);
    write(
        "body.json.headers",
        &format!("POST /webhooks/people HTTP/1.1\nX-PeopleForce-Signature: {SIGNATURE}\n"),
    );
    write("secret.json", r#"{"signingSecret": "case-key"}"#);
    write(
        "secrets.json",
        r#"{"hris/people": {"signingSecret": "case-key"}}"#,
    );
    write(
        "there.json",
        r#"{"groupRelationships": [{"group": "Europe", "groupType": "Division", "parent": null, "parentType": null}]}"#,
    );
    folder
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_verified_body_that_fits_ends_with_0_and_the_plan() {
    let folder = folder();
    for secrets in [["--secret", "secret.json"], ["--secrets", "secrets.json"]] {
        let mut arguments = vec!["try", "people", "body.json", "--hierarchy", "there.json"];
        arguments.extend(secrets);
        let output = bridge(folder.path(), &arguments);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}{}",
            out(&output),
            err(&output)
        );
        let shown = out(&output);
        assert!(shown.contains("proof: verified\n"), "{shown}");
        assert!(shown.ends_with("plan, against the given hierarchy\n  + Department \"IT\" under Division \"Europe\"\n"), "{shown}");
        assert!(!shown.contains("case-key"), "{shown}");
    }
}

#[test]
fn a_body_that_is_not_verified_or_does_not_fit_ends_with_1() {
    let folder = folder();
    fs::write(folder.path().join("body.json"), BODY.replace("IT", "HR")).unwrap();
    let output = bridge(
        folder.path(),
        &["try", "people", "body.json", "--secret", "secret.json"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("proof: NOT verified, 401: "));
    fs::write(
        folder.path().join("other.json"),
        BODY.replace("{\"id\":1,\"name\":\"IT\"}", "{\"name\":[]}"),
    )
    .unwrap();
    let output = bridge(folder.path(), &["try", "people", "other.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        out(&output).contains("by sources.people.persons."),
        "{}",
        out(&output)
    );
}

#[test]
fn faults_of_the_sources_and_of_the_command_end_with_2() {
    let folder = folder();
    fs::write(
        folder.path().join("faulty.toml"),
        "[sources.people]\npreset = \"nobody\"\ncolour = 1\n",
    )
    .unwrap();
    let cases: [(&[&str], &[&str]); 5] = [
        (
            &["try", "people", "body.json", "--sources", "faulty.toml"],
            &[
                "faulty.toml: sources.people.preset must be one of: ",
                "faulty.toml: sources.people.secret_id is missing",
                "faulty.toml: sources.people.colour is not known",
            ],
        ),
        (
            &["try", "nobody", "body.json"],
            &["has no source \"nobody\"; it has: people"],
        ),
        (
            &["try", "people", "missing.json"],
            &["missing.json cannot be read"],
        ),
        (
            &["try", "people", "body.json", "--received", "noon"],
            &["--received"],
        ),
        (
            &["try", "people", "body.json", "--hierarchy", "secret.json"],
            &["has no groupRelationships"],
        ),
    ];
    let wrongly_used: &[(&[&str], &[&str])] = &[
        (&["try", "people"], &["required"]),
        (&["plan"], &["--function", "--url"]),
        (&["rollback", "nine", "--function", "f"], &["nine"]),
        (&["approve", "--function", "f"], &["DIGEST"]),
        (&["plan", "--url", "http://192.0.2.1"], &["https://"]),
        (&[], &["Usage"]),
    ];
    let cases = cases.iter().map(|case| (case, 2));
    let cases = cases.chain(wrongly_used.iter().map(|case| (case, 64)));
    for ((arguments, told), code) in cases {
        let output = bridge(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        for text in *told {
            assert!(
                err(&output).contains(text),
                "{arguments:?}: {}",
                err(&output)
            );
        }
    }
}

#[test]
fn a_body_may_come_by_standard_input() {
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bridge"));
    let body = fs::File::open(folder.path().join("body.json")).unwrap();
    let output = command
        .args(["try", "people", "-"])
        .stdin(body)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("there are no headers beside the body"));
}
