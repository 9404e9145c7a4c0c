//! The tool as it is called.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect shall end there"
)]

use std::process::{Command, Output};

fn measure(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_measure"));
    let Output { status, stderr, .. } = command.args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn where_nothing_can_be_measured_it_ends_with_2_and_says_why() {
    for (arguments, told) in [
        (&["soak"][..], "--function"),
        (&["soak", "--function", "nowhere"], "the function nowhere"),
        (
            &["soak", "--function", "x", "--invocations", "5"],
            "--warm-after",
        ),
        (
            &["kills", "--function", "x", "--state", "s3://b/k"],
            "--endpoint",
        ),
        (
            &[
                "start",
                "--function",
                "nowhere",
                "--smallest",
                "x",
                "--bare",
                "x",
            ],
            "the function nowhere",
        ),
        (&["start", "--batches", "0"], "a batch"),
    ] {
        let (code, complaint) = measure(arguments);
        assert_eq!(code, Some(2), "{complaint}");
        assert!(complaint.contains(told), "{complaint}");
    }
}

#[test]
fn a_function_that_ends_at_once_is_told() {
    let nothing = "/bin/true";
    for arguments in [
        &["soak", "--function", nothing][..],
        &[
            "start",
            "--function",
            nothing,
            "--smallest",
            nothing,
            "--bare",
            nothing,
        ],
    ] {
        let (code, complaint) = measure(arguments);
        assert_eq!(code, Some(2), "{complaint}");
        assert!(complaint.contains("the instance ended"), "{complaint}");
    }
}
