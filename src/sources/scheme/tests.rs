use super::*;
use crate::sources::reader::KeyPath;

/// A scheme that has everything.
const FULL: &str = r#"
    header = "Webhook-Signature"
    hash = "sha256"
    encoding = "base64"
    prefix = "v1,"
    separator = " "
    signed = "{id}.{timestamp}.{body}"
    key = "whsec"
    id_header = "Webhook-Id"
    timestamp_header = "webhook-timestamp"
    timestamp_unit = "ms"
    tolerance_seconds = 60
    tolerance_ahead_seconds = 5
"#;

const LITTLE: &str =
    "header = 'x'\nhash = 'sha512'\nencoding = 'hex'\nsigned = '{body}'\nkey = 'utf-8'";

fn read(text: &str) -> Result<Scheme, Vec<String>> {
    let mut problems = Vec::new();
    let table = text.parse().unwrap();
    let mut reader = Reader::new(KeyPath::default(), table, &mut problems);
    let scheme = Scheme::read(&mut reader);
    reader.finish();
    match scheme {
        Some(scheme) if problems.is_empty() => Ok(scheme),
        // What was not read has a problem, or nobody would know.
        _ => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

#[track_caller]
fn check_problems(text: &str, expected: &[&str]) {
    assert_eq!(read(text).unwrap_err(), expected, "{text}");
}

#[track_caller]
fn check_template(signed: &str, expected: Result<Vec<Part>, &str>) {
    let text = LITTLE.replace("'{body}'", &format!("{signed:?}"));
    // What the placeholders need.
    let id = if signed.contains("{id}") {
        "id_header = 'i'"
    } else {
        ""
    };
    match (read(&format!("{text}\n{id}")), expected) {
        (Ok(scheme), Ok(expected)) => assert_eq!(scheme.signed, expected, "{signed}"),
        (Err(problems), Err(expected)) => assert_eq!(problems, [expected], "{signed}"),
        (read, _) => panic!("{signed}: {read:?}"),
    }
}

#[test]
fn every_key_counts_and_what_may_be_left_out_has_its_default() {
    let full = read(FULL).unwrap();
    let time = full.timestamp.unwrap();
    assert_eq!(full.header, "webhook-signature");
    assert_eq!(full.id_header.as_deref(), Some("webhook-id"));
    assert_eq!(
        (full.prefix.as_str(), full.separator.as_deref()),
        ("v1,", Some(" "))
    );
    assert_eq!(time.unit, TimeUnit::Milliseconds);
    assert_eq!((time.behind.as_secs(), time.ahead.as_secs()), (60, 5));
    let little = read(LITTLE).unwrap();
    assert_eq!((little.prefix.as_str(), little.separator), ("", None));
    assert_eq!((little.timestamp, little.id_header), (None, None));
    let timed = LITTLE.replace("{body}", "{body}{timestamp}") + "\ntimestamp_header = 't'";
    let time = read(&timed).unwrap().timestamp.unwrap();
    assert_eq!(time.unit, TimeUnit::Seconds);
    assert_eq!(
        (time.behind, time.ahead),
        (DEFAULT_TOLERANCE, DEFAULT_TOLERANCE)
    );
    let time = read(&(timed + "\ntolerance_seconds = 9"))
        .unwrap()
        .timestamp;
    assert_eq!(time.map(|time| time.ahead), Some(Duration::from_secs(9)));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    check_problems(
        "",
        &[
            "header is missing",
            "hash is missing: one of sha256, sha512",
            "encoding is missing: one of hex, base64, base64url",
            "key is missing: one of utf-8, base64, hex, whsec",
            "signed is missing",
        ],
    );
    check_problems(
        r#"
            header = ""
            hash = "md5"
            encoding = 7
            prefix = 7
            separator = ""
            signed = "{timestamp}{nonce}"
            key = "rot13"
            timestamp_header = "a b"
            timestamp_unit = "h"
            tolerance_seconds = 0
            tolerance_ahead_seconds = "x"
            id_header = " "
            colour = 1
        "#,
        &[
            "header must be a text that is not empty",
            "hash must be one of: sha256, sha512",
            "encoding must be one of: hex, base64, base64url",
            "prefix must be a text",
            "separator must not be empty",
            "key must be one of: utf-8, base64, hex, whsec",
            "signed has {nonce}, which is not one of: {body}, {timestamp}, {id}",
            "signed must have {body}",
            "timestamp_header must be the name of a header",
            "timestamp_unit must be one of: s, ms, us, rfc3339",
            "tolerance_seconds must be greater than 0",
            "tolerance_ahead_seconds must be a whole number",
            "id_header must be a text that is not empty",
            "colour is not known",
        ],
    );
}

#[test]
fn a_header_is_named_exactly_if_it_is_signed() {
    check_problems(
        &LITTLE.replace("{body}", "{id}.{timestamp}.{body}"),
        &[
            "timestamp_header is missing: signed has {timestamp}",
            "id_header is missing: signed has {id}",
        ],
    );
    check_problems(
        &format!("{LITTLE}\ntimestamp_header = 't'\nid_header = 'i'"),
        &[
            "timestamp_header names what is not signed: signed has no {timestamp}",
            "id_header names what is not signed: signed has no {id}",
        ],
    );
    check_problems(
        &format!("{LITTLE}\ntolerance_seconds = 300\ntimestamp_unit = 's'"),
        &[
            "timestamp_unit means nothing without timestamp_header",
            "tolerance_seconds means nothing without timestamp_header",
        ],
    );
}

#[test]
fn a_template_is_literal_but_for_its_placeholders() {
    let literal = |text: &str| Part::Literal(text.to_owned());
    check_template("{body}", Ok(vec![Part::Body]));
    check_template("POST{body}", Ok(vec![literal("POST"), Part::Body]));
    check_template(
        "{id}:{body}:",
        Ok(vec![Part::Id, literal(":"), Part::Body, literal(":")]),
    );
    check_template(
        r#"{"b":{body}} { {} }"#,
        Ok(vec![literal("{\"b\":"), Part::Body, literal("} { {} }")]),
    );
    check_template("{{body}", Ok(vec![literal("{"), Part::Body]));
    check_template("body", Err("signed must have {body}"));
    check_template("{ body }", Err("signed must have {body}"));
    let unknown = "signed has {Body}, which is not one of: {body}, {timestamp}, {id}";
    check_template("{body}{Body}", Err(unknown));
}

#[test]
fn a_time_is_read_in_its_unit_and_an_absurd_one_overflows_nothing() {
    let check = |unit: TimeUnit, text: &str, micros: Option<i64>| {
        assert_eq!(unit.read(text).map(|time| time.micros()), micros, "{text}");
    };
    check(TimeUnit::Seconds, "1614265330", Some(1_614_265_330_000_000));
    check(
        TimeUnit::Milliseconds,
        "1614265330123",
        Some(1_614_265_330_123_000),
    );
    check(
        TimeUnit::Microseconds,
        "1614265330123456",
        Some(1_614_265_330_123_456),
    );
    check(
        TimeUnit::Rfc3339,
        "2021-02-25T16:02:10.5+01:00",
        Some(1_614_265_330_500_000),
    );
    check(TimeUnit::Rfc3339, "1614265330", None);
    for unit in [
        TimeUnit::Seconds,
        TimeUnit::Milliseconds,
        TimeUnit::Microseconds,
    ] {
        check(unit, "9223372036854775807", Some(i64::MAX));
        for text in [
            "",
            "9223372036854775808",
            "1e9",
            "+1",
            "-1",
            " 1",
            "1.5",
            "\u{661}",
        ] {
            check(unit, text, None);
        }
    }
}

#[test]
fn a_key_is_decoded_as_the_scheme_says() {
    let check = |key: KeyText, text: &str, expected: Option<&[u8]>| {
        let decoded = key.decode(&text.into());
        assert_eq!(
            decoded.as_ref().map(|key| key.as_slice()),
            expected,
            "{text}"
        );
    };
    check(KeyText::Utf8, " k\u{e9}y\n", Some(" k\u{e9}y\n".as_bytes()));
    check(KeyText::Hex, " 00fF\n", Some(&[0, 255]));
    for key in [KeyText::Base64, KeyText::Whsec] {
        check(key, "AP8=\n", Some(&[0, 255]));
        check(key, "AP8", Some(&[0, 255]));
        check(key, "AP9", None);
        check(key, "not base64 at all", None);
    }
    check(KeyText::Whsec, "whsec_AP8=", Some(&[0, 255]));
    check(KeyText::Base64, "whsec_AP8=", None);
    for (key, text) in [
        (KeyText::Hex, "0"),
        (KeyText::Hex, ""),
        (KeyText::Whsec, "whsec_"),
    ] {
        check(key, text, None);
    }
    let fault = read(&LITTLE.replace("utf-8", "hex"))
        .unwrap()
        .key(&"hunter2".into());
    assert_eq!(
        fault.unwrap_err().to_string(),
        "the signing secret cannot be used: it must be hex"
    );
}
