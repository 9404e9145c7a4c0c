//! The signatures here are made by a signer of the tests' own, which shares the hashes with what it tests, and no more.

use std::time::Duration;

use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD,
};
use proptest::{prelude::*, sample::select};
use sha2::Sha512;

use super::*;
use crate::sources::reader::KeyPath;

type Headers = BTreeMap<String, String>;

fn read(text: &str) -> Result<Proof, Vec<String>> {
    let mut problems = Vec::new();
    let table = text.parse().unwrap();
    let mut reader = Reader::new(KeyPath::default(), table, &mut problems);
    let proof = Proof::read(&mut reader);
    reader.finish();
    match proof {
        Some(proof) if problems.is_empty() => Ok(proof),
        _ => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(pair).collect()
}

fn signing(secrets: &[&str]) -> SourceSecret {
    SourceSecret::Signing(secrets.iter().map(|secret| (*secret).into()).collect())
}

fn basic(username: &str, password: &str) -> SourceSecret {
    SourceSecret::Basic {
        username: username.to_owned(),
        password: password.into(),
    }
}

/// HMAC by its definition, <https://www.rfc-editor.org/rfc/rfc2104#section-2>.
fn hmac(hash: &str, key: &[u8], message: &[u8]) -> Vec<u8> {
    let digest = |bytes: &[u8]| match hash {
        "sha256" => Sha256::digest(bytes).to_vec(),
        _ => Sha512::digest(bytes).to_vec(),
    };
    let block = if hash == "sha256" { 64 } else { 128 };
    let mut key = if key.len() > block {
        digest(key)
    } else {
        key.to_vec()
    };
    key.resize(block, 0);
    let padded = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = digest(&[padded(0x36), message.to_vec()].concat());
    digest(&[padded(0x5c), inner].concat())
}

const STANDARD: &str = r#"
    proof = "signature"
    [signature]
    header = "webhook-signature"
    hash = "sha256"
    encoding = "base64"
    prefix = "v1,"
    separator = " "
    signed = "{id}.{timestamp}.{body}"
    key = "whsec"
    id_header = "webhook-id"
    timestamp_header = "webhook-timestamp"
"#;
const BAMBOO: &str = r#"
    proof = "signature"
    [signature]
    header = "X-BambooHR-Signature"
    hash = "sha256"
    encoding = "hex"
    signed = "{body}{timestamp}"
    key = "utf-8"
    timestamp_header = "X-BambooHR-Timestamp"
"#;
const GITHUB: &str = r#"
    proof = "signature"
    [signature]
    header = "X-Hub-Signature-256"
    hash = "sha256"
    encoding = "hex"
    prefix = "sha256="
    signed = "{body}"
    key = "utf-8"
"#;

/// One of `signature-vectors.json`, with its scheme.
struct Vector {
    name: String,
    proof: Proof,
    headers: Headers,
    secret: String,
    body: Vec<u8>,
    signed_at: Option<Timestamp>,
}

impl Vector {
    fn verify(&self) -> Result<Verified, ProofFault> {
        let now = self.signed_at.unwrap_or_default();
        self.verify_at(now)
    }

    fn verify_at(&self, now: Timestamp) -> Result<Verified, ProofFault> {
        let secrets = [signing(&[&self.secret])];
        self.proof.verify(&self.headers, &self.body, &secrets, now)
    }

    fn key(&self) -> Vec<u8> {
        match self.secret.strip_prefix("whsec_") {
            Some(base64) => BASE64_STANDARD.decode(base64).unwrap(),
            None => self.secret.as_bytes().to_vec(),
        }
    }
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../../tests/fixtures/signature-vectors.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 3);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let vector = |vector: &serde_json::Value| {
        let given = vector["headers"].as_object().unwrap();
        let lower = |(name, value): (&String, _)| (name.to_lowercase(), text(value));
        let headers: Headers = given.iter().map(lower).collect();
        let scheme = match vector["provider"].as_str().unwrap() {
            "standard-webhooks" => STANDARD,
            "bamboohr" => BAMBOO,
            "github-style" => GITHUB,
            other => panic!("{other} has no scheme"),
        };
        let time = headers
            .iter()
            .find(|(name, _)| name.ends_with("-timestamp"));
        Vector {
            name: text(&vector["provider"]),
            proof: read(scheme).unwrap(),
            signed_at: time.map(|(_, time)| Timestamp::from_seconds(time.parse().unwrap())),
            headers,
            secret: text(&vector["secret"]),
            body: text(&vector["body"]).into_bytes(),
        }
    };
    vectors.iter().map(vector).collect()
}

/// The texts that differ from this one by a bit.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

#[test]
fn every_published_vector_verifies_and_says_what_was_signed() {
    for vector in vectors() {
        let expected = Verified {
            id: vector.headers.get("webhook-id").cloned(),
            signed_at: vector.signed_at,
        };
        let name = &vector.name;
        assert_eq!(vector.verify().as_ref(), Ok(&expected), "{name}");
        assert_eq!(vector.proof.claimed(&vector.headers), expected, "{name}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_body_does_not_verify() {
    for mut vector in vectors() {
        for body in flipped(&vector.body.clone()) {
            vector.body = body;
            assert!(
                vector.verify().unwrap_err().is_mismatch(),
                "{}",
                vector.name
            );
        }
        let body = vector.body.clone();
        for changed in [&body[..body.len() - 1], &[&body[..], b" "].concat(), b""] {
            vector.body = changed.to_vec();
            assert!(
                vector.verify().unwrap_err().is_mismatch(),
                "{}",
                vector.name
            );
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_header_does_not_verify() {
    for mut vector in vectors() {
        let now = vector.signed_at.unwrap_or_default();
        let mut tried = 0;
        for (name, value) in vector.headers.clone() {
            for text in flipped(value.as_bytes()) {
                let Ok(text) = String::from_utf8(text) else {
                    continue;
                };
                // Hex digits in the other case are the same signature.
                let is_hex = !vector.name.starts_with("standard") && name.contains("signature");
                let digits = |text: &str| text.trim_start_matches("sha256=").to_lowercase();
                if is_hex && digits(&text) == digits(&value) {
                    continue;
                }
                vector.headers.insert(name.clone(), text.clone());
                assert!(
                    vector.verify_at(now).is_err(),
                    "{} {name}: {text}",
                    vector.name
                );
                tried += 1;
            }
            vector.headers.insert(name.clone(), value.clone());
            let removed = vector.headers.remove(&name);
            assert!(
                vector
                    .verify_at(now)
                    .unwrap_err()
                    .to_string()
                    .contains("is missing")
            );
            vector.headers.extend(removed.map(|value| (name, value)));
        }
        assert!(tried > 300, "{}", vector.name);
        assert!(vector.verify().is_ok());
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_key_does_not_verify() {
    for mut vector in vectors() {
        let (secret, key) = (vector.secret.clone(), vector.key());
        let in_key = flipped(&key).filter_map(|key| match secret.starts_with("whsec_") {
            true => Some(BASE64_STANDARD.encode(key)),
            false => String::from_utf8(key).ok(),
        });
        let in_text = flipped(secret.as_bytes()).filter_map(|text| String::from_utf8(text).ok());
        for other in in_key.chain(in_text) {
            vector.secret = other;
            assert!(vector.verify().is_err(), "{}", vector.name);
        }
    }
}

#[test]
fn a_time_at_the_edge_of_the_tolerance_is_taken_and_one_past_it_is_not() {
    const TOLERANCE: Duration = Duration::from_secs(300);
    const TICK: Duration = Duration::from_micros(1);
    for vector in vectors() {
        let Some(at) = vector.signed_at else {
            // What is not signed has no age.
            assert!(vector.verify_at(Timestamp::from_micros(i64::MAX)).is_ok());
            continue;
        };
        let check = |now: Timestamp, expected: Option<&str>| {
            let fault = vector.verify_at(now).err().map(|fault| fault.to_string());
            let fits = match (&fault, expected) {
                (Some(fault), Some(expected)) => fault.contains(expected),
                (fault, expected) => fault.is_none() && expected.is_none(),
            };
            assert!(fits, "{} at {now}: {fault:?}", vector.name);
        };
        check(at.plus(TOLERANCE), None);
        check(
            at.plus(TOLERANCE + TICK),
            Some("is older than the tolerance of 300 s"),
        );
        check(at.minus(TOLERANCE), None);
        check(
            at.minus(TOLERANCE + TICK),
            Some("further in the future than the tolerance of 300 s"),
        );
        check(Timestamp::from_micros(i64::MAX), Some("older"));
        check(Timestamp::from_micros(i64::MIN), Some("future"));
    }
}

#[test]
fn each_side_has_its_own_tolerance() {
    let text = format!("{STANDARD}\ntolerance_seconds = 86400\ntolerance_ahead_seconds = 1");
    let (vector, proof) = (vectors().remove(0), read(&text).unwrap());
    let at = vector.signed_at.unwrap();
    let check = |now: Timestamp, expected: bool| {
        let secrets = [signing(&[&vector.secret])];
        let verified = proof.verify(&vector.headers, &vector.body, &secrets, now);
        assert_eq!(verified.is_ok(), expected, "{now}");
    };
    check(at.plus(Duration::from_secs(86_400)), true);
    check(at.plus(Duration::from_secs(86_401)), false);
    check(at.minus(Duration::from_secs(1)), true);
    check(at.minus(Duration::from_secs(2)), false);
}

#[test]
fn the_age_is_told_to_none_who_cannot_sign_and_an_absurd_time_is_out_of_all_tolerance() {
    let vector = vectors().remove(0);
    let verify = |time: &str, sign: bool| {
        let message = format!("id.{time}.body");
        let key = if sign {
            vector.key()
        } else {
            b"another".to_vec()
        };
        let signature = BASE64_STANDARD.encode(hmac("sha256", &key, message.as_bytes()));
        let headers = headers(&[
            ("webhook-id", "id"),
            ("webhook-timestamp", time),
            ("webhook-signature", &format!("v1,{signature}")),
        ]);
        let secrets = [signing(&[&vector.secret])];
        let now = Timestamp::from_seconds(1_700_000_000);
        let verified = vector.proof.verify(&headers, b"body", &secrets, now);
        verified.map(|_| ()).map_err(|fault| fault.to_string())
    };
    assert_eq!(verify("1700000000", true), Ok(()));
    assert_eq!(verify("0001700000000", true), Ok(()));
    let no_match = Err("no signature in webhook-signature fits".to_owned());
    for time in ["1700000000", "0", "9223372036854775807"] {
        assert_eq!(verify(time, false), no_match);
    }
    assert!(verify("0", true).unwrap_err().contains("older"));
    assert!(
        verify("9223372036854775807", true)
            .unwrap_err()
            .contains("future")
    );
    let none = "the header webhook-timestamp is no time in the unit s";
    for time in [
        "9223372036854775808",
        "99999999999999999999999999",
        "soon",
        "-1",
        "1.7e9",
    ] {
        assert_eq!(verify(time, true), Err(none.to_owned()));
    }
}

#[test]
fn one_of_several_signatures_and_of_several_keys_is_enough() {
    let mut vector = vectors().remove(0);
    let (now, good) = (
        vector.signed_at.unwrap(),
        vector.headers["webhook-signature"].clone(),
    );
    let other = format!("v1,{}", BASE64_STANDARD.encode([7; 32]));
    let mut check = |signatures: &str, expected: Result<(), &str>| {
        vector
            .headers
            .insert("webhook-signature".to_owned(), signatures.to_owned());
        let verified = vector.verify_at(now).map(|_| ());
        assert_eq!(
            verified.map_err(|fault| fault.to_string()),
            expected.map_err(str::to_owned)
        );
    };
    let no_match = Err("no signature in webhook-signature fits");
    check(&format!("v1a,AAAA {other}  {good}"), Ok(()));
    check(&format!("{}{good}", format!("{other} ").repeat(31)), Ok(()));
    check(
        &format!("{}{good}", format!("{other} ").repeat(32)),
        no_match,
    );
    check(&other, no_match);
    check(
        &good.replace("v1,", "v2,"),
        Err("no signature in webhook-signature begins with \"v1,\""),
    );
    check("v1,!", Err("no signature in webhook-signature is base64"));
    check(
        "v2,x v1,AAAA v1,!",
        Err("no signature in webhook-signature is 32 bytes long"),
    );
    check(" ", Err("the header webhook-signature is missing"));

    let vector = vectors().remove(0);
    let check = |secrets: &[SourceSecret], expected: Result<(), &str>| {
        let verified = vector
            .proof
            .verify(&vector.headers, &vector.body, secrets, now);
        let verified = verified.map(|_| ()).map_err(|fault| fault.to_string());
        assert_eq!(verified, expected.map_err(str::to_owned));
    };
    let secret = vector.secret.as_str();
    check(&[signing(&["AAAA", secret])], Ok(()));
    check(&[signing(&["AAAA"]), signing(&[secret])], Ok(()));
    check(&[signing(&["AAAA"]), signing(&["BBBB"])], no_match);
    check(&[], no_match);
    // What cannot be a key is told where it is in force and nothing else fits.
    let bad =
        "the signing secret cannot be used: it must be base64, with or without whsec_ before it";
    check(&[signing(&["!", secret])], Ok(()));
    check(&[signing(&["!"]), signing(&[secret])], Ok(()));
    check(&[signing(&["!", "AAAA"])], Err(bad));
    check(&[signing(&["AAAA"]), signing(&["!"])], no_match);
}

#[test]
fn a_fault_says_whether_a_newer_secret_helps_and_whether_the_operator_must() {
    let check = |fault: ProofFault, expected: (bool, bool)| {
        assert_eq!(
            (fault.is_mismatch(), fault.is_of_the_secret()),
            expected,
            "{fault}"
        );
    };
    check(
        SignatureFault::NoMatch("x".to_owned()).into(),
        (true, false),
    );
    check(ProofFault::NoMatch("x".to_owned()), (true, false));
    check(SignatureFault::BadKey("hex").into(), (true, true));
    check(ProofFault::WrongSecret("it must have token"), (true, true));
    check(
        SignatureFault::Missing("x".to_owned()).into(),
        (false, false),
    );
    check(ProofFault::Missing("x".to_owned()), (false, false));
    check(ProofFault::Malformed("a bearer token"), (false, false));
}

/// Checks one header against secrets: `Ok`, or what the log is told.
#[track_caller]
fn check(text: &str, header: (&str, &str), secrets: &[SourceSecret], expected: Result<(), &str>) {
    let verified = read(text).unwrap().verify(
        &headers(&[header]),
        b"any body",
        secrets,
        Timestamp::default(),
    );
    if let Ok(verified) = &verified {
        assert_eq!(verified, &Verified::default());
    }
    let verified = verified.map(|_| ()).map_err(|fault| fault.to_string());
    assert_eq!(verified, expected.map_err(str::to_owned), "{header:?}");
}

const MISSING: Result<(), &str> = Err("the header authorization is missing");
const NOT_THE_SECRETS: Result<(), &str> =
    Err("what the header authorization holds is not the secret's");

#[test]
fn a_bearer_token_is_the_secrets_and_exactly_that() {
    let secrets = [
        SourceSecret::Token("t0ken-new".into()),
        SourceSecret::Token("t0ken-old\n".into()),
    ];
    let check = |value: &str, expected| {
        check(
            "proof = 'bearer'",
            ("authorization", value),
            &secrets,
            expected,
        );
    };
    for right in ["Bearer t0ken-new", "bearer t0ken-old", " BEARER t0ken-new "] {
        check(right, Ok(()));
    }
    for wrong in [
        "Bearer t0ken-ne",
        "Bearer t0ken-neww",
        "Bearer T0ken-new",
        "Bearer  t0ken-new",
        "Bearer t0ken-new t0ken-new",
        "Bearer t0ken-new, Bearer t0ken-old",
    ] {
        check(wrong, NOT_THE_SECRETS);
    }
    for other in [
        "Bearer",
        "Bearer ",
        "Basic t0ken-new",
        "t0ken-new",
        "Bearer\tt0ken-new",
    ] {
        check(other, Err("the header authorization is not a bearer token"));
    }
    check(" ", MISSING);
}

#[test]
fn a_name_and_password_are_the_secrets_and_exactly_these() {
    let secrets = [basic("cal", "ven:bridg\u{e9}"), basic("cal", "old")];
    let check = |value: &str, expected| {
        check(
            "proof = 'basic'",
            ("authorization", value),
            &secrets,
            expected,
        );
    };
    let encoded = |text: &str| BASE64_STANDARD.encode(text);
    let right = encoded("cal:ven:bridg\u{e9}");
    check(&format!("Basic {right}"), Ok(()));
    check(&format!("bAsIc {}", right.trim_end_matches('=')), Ok(()));
    check(&format!("Basic {}", encoded("cal:old")), Ok(()));
    for wrong in [
        "cal:ven:bridge",
        "Cal:old",
        "cal:ol",
        "cal:oldd",
        "cal",
        ":",
        ":old",
    ] {
        check(&format!("Basic {}", encoded(wrong)), NOT_THE_SECRETS);
    }
    let malformed = Err("the header authorization is not a name and password by HTTP Basic");
    for other in ["Basic", "Basic !", "Bearer Y2FsOm9sZA==", "Basic cal:old"] {
        check(other, malformed);
    }
    check("", MISSING);
}

#[test]
fn a_header_of_its_own_holds_the_secret_and_exactly_that() {
    let secrets = [
        SourceSecret::Token("Bearer abc".into()),
        SourceSecret::Token("old".into()),
    ];
    let check = |name: &str, value: &str, expected| {
        let text = "proof = 'header'\nproof_header = 'Authorization'";
        check(text, (name, value), &secrets, expected);
    };
    for right in ["Bearer abc", " Bearer abc\t", "old"] {
        check("authorization", right, Ok(()));
    }
    for wrong in [
        "bearer abc",
        "abc",
        "Bearer ab",
        "Bearer  abc",
        "Bearer abcd",
        "OLD",
    ] {
        check("authorization", wrong, NOT_THE_SECRETS);
    }
    check("authorization", "", MISSING);
    check("x-authorization", "old", MISSING);
}

#[test]
fn a_secret_of_another_shape_is_the_operators_fault() {
    let (token, signing) = (SourceSecret::Token("t".into()), signing(&["s"]));
    let wrong = |words| Err::<(), &str>(words);
    let bearer =
        wrong("the source's secret does not fit: this source sends a token, so it must have token");
    let name = wrong(
        "the source's secret does not fit: this source sends a name and password, so it must have username and password",
    );
    let signed = wrong(
        "the source's secret does not fit: this source signs, so it must have signingSecret or signingSecrets",
    );
    let authorization = |value| ("authorization", value);
    check(
        "proof = 'bearer'",
        authorization("Bearer t"),
        &[basic("u", "t")],
        bearer,
    );
    check(
        "proof = 'bearer'",
        authorization("Bearer s"),
        std::slice::from_ref(&signing),
        bearer,
    );
    let blank = SourceSecret::Token(" ".into());
    check(
        "proof = 'bearer'",
        authorization("Bearer t"),
        &[blank],
        bearer,
    );
    check(
        "proof = 'basic'",
        authorization("Basic dDp0"),
        std::slice::from_ref(&token),
        name,
    );
    check(
        "proof = 'header'\nproof_header = 'x'",
        ("x", "s"),
        &[signing, token.clone()],
        bearer,
    );
    let github = (
        "x-hub-signature-256",
        &*format!("sha256={}", "0".repeat(64)),
    );
    check(GITHUB, github, &[token], signed);
}

#[test]
fn what_is_wrong_in_the_file_is_told_and_another_proofs_keys_are_let_be() {
    let check = |text: &str, expected: &[&str]| assert_eq!(read(text).unwrap_err(), expected);
    check(
        "",
        &["proof is missing: one of signature, bearer, basic, header"],
    );
    check(
        "proof = 'none'",
        &["proof must be one of: signature, bearer, basic, header"],
    );
    check(
        "proof = 'signature'",
        &["signature is missing: proof is signature"],
    );
    check(
        "proof = 'signature'\nsignature = 7",
        &["signature must be a table"],
    );
    check(
        "proof = 'header'",
        &["proof_header is missing: proof is header"],
    );
    check(
        "proof = 'header'\nproof_header = 'a b'",
        &["proof_header must be the name of a header"],
    );
    check(
        &GITHUB.replace("hash = \"sha256\"", "hash = \"md5\"\ncolour = 1"),
        &[
            "signature.hash must be one of: sha256, sha512",
            "signature.colour is not known",
        ],
    );
    for (word, expected) in [("bearer", Proof::Bearer), ("basic", Proof::Basic)] {
        let text = GITHUB.replace("\"signature\"", &format!("\"{word}\"\nproof_header = 'x'"));
        assert_eq!(read(&text), Ok(expected));
    }
    let wanted = |text: &str| read(text).unwrap().wanted();
    assert_eq!(
        [wanted(STANDARD), wanted(GITHUB)],
        ["StandardWebhooks", "Signature"]
    );
    assert_eq!(wanted("proof = 'basic'"), "Basic realm=\"calven-bridge\"");
}

#[test]
fn an_explanation_tells_each_step_and_no_secret() {
    let mut vector = vectors().remove(0);
    let now = vector.signed_at.unwrap().plus(Duration::from_secs(301));
    let good = vector.headers["webhook-signature"].clone();
    let list = format!("v2,x v1,! v1,AAAA {good}");
    vector.headers.insert("webhook-signature".to_owned(), list);
    let secrets = [signing(&["!", "AAAA"]), signing(&[&vector.secret])];
    let explain = |body: &[u8]| {
        let explanation = vector.proof.explain(&vector.headers, body, &secrets, now);
        explanation.to_string()
    };
    let digest = hex::encode(Sha256::digest(&vector.body));
    let expected = format!(
        "header webhook-signature: there, 65 bytes
signature 1: does not begin with \"v1,\"
signature 2: is not base64
signature 3: is 3 bytes, not 32
signature 4: is 32 bytes in base64
signed: msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.(body: 20 bytes, SHA-256 {digest})
key 1: the signing secret cannot be used: it must be base64, with or without whsec_ before it
key 2: whsec, 3 bytes: does not fit
key 3: whsec, 24 bytes: fits
timestamp: 2021-02-25T15:02:10Z, 301 s old; up to 300 s old or 300 s ahead is taken
not verified: webhook-timestamp is older than the tolerance of 300 s"
    );
    assert_eq!(explain(&vector.body), expected);
    // Of another body the signature that would be right is not told.
    let right = hmac(
        "sha256",
        &vector.key(),
        b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.x",
    );
    let told = explain(b"x");
    assert!(
        told.contains("key 3: whsec, 24 bytes: does not fit"),
        "{told}"
    );
    for secret in [
        BASE64_STANDARD.encode(&right),
        hex::encode(&right),
        vector.secret.clone(),
    ] {
        assert!(!told.contains(&secret), "{told}");
    }
    let nothing = vector
        .proof
        .explain(&Headers::new(), b"", &secrets, now)
        .to_string();
    assert!(
        nothing.contains("header webhook-signature: missing"),
        "{nothing}"
    );
    assert!(
        nothing.contains("signed: (missing).(missing).(body: 0 bytes"),
        "{nothing}"
    );
    let bearer = read("proof = 'bearer'").unwrap();
    let given = headers(&[("authorization", "Basic hunter2")]);
    let token = [SourceSecret::Token("hunter2".into())];
    let told = bearer.explain(&given, b"", &token, now).to_string();
    assert_eq!(
        told,
        "header authorization: there, 13 bytes\nit does not begin with Bearer and one space\n\
         not verified: the header authorization is not a bearer token"
    );
}

/// A scheme and a delivery that a sender of this scheme makes.
#[derive(Clone, Debug)]
struct Sender {
    hash: &'static str,
    encoding: &'static str,
    is_padded: bool,
    prefix: &'static str,
    separator: Option<&'static str>,
    signed: &'static str,
    key_text: &'static str,
    unit: &'static str,
    key: Vec<u8>,
    id: String,
    seconds: i64,
    body: Vec<u8>,
}

prop_compose! {
    fn any_sender()(
        hash in select(vec!["sha256", "sha512"]),
        encoding in select(vec!["hex", "base64", "base64url"]),
        is_padded in any::<bool>(),
        prefix in select(vec!["", "sha256=", "v1,", "v1="]),
        separator in select(vec![None, Some(" "), Some(";"), Some(", ")]),
        signed in select(vec![
            "{body}",
            "POST{body}",
            "{body}{timestamp}",
            "{body}:{timestamp}",
            "{id}.{timestamp}.{body}",
            "v0:{timestamp}:{body}:{id}",
        ]),
        key_text in select(vec!["utf-8", "base64", "hex", "whsec"]),
        unit in select(vec!["s", "ms", "us", "rfc3339"]),
        key in "[!-~]{1,150}",
        id in "[!-~]{1,40}",
        seconds in 0..4_000_000_000_i64,
        body in proptest::collection::vec(any::<u8>(), 0..300),
    ) -> Sender {
        let key = key.into_bytes();
        Sender { hash, encoding, is_padded, prefix, separator, signed, key_text, unit, key, id, seconds, body }
    }
}

impl Sender {
    fn proof(&self) -> Proof {
        let Self {
            hash,
            encoding,
            prefix,
            signed,
            key_text,
            unit,
            ..
        } = self;
        let separator = self
            .separator
            .map(|separator| format!("separator = {separator:?}\n"));
        let time = match signed.contains("{timestamp}") {
            true => format!(
                "timestamp_header = \"X-Time\"\ntimestamp_unit = {unit:?}\ntolerance_seconds = 9\n"
            ),
            false => String::new(),
        };
        let id = if signed.contains("{id}") {
            "id_header = \"X-Id\"\n"
        } else {
            ""
        };
        let text = format!(
            "proof = \"signature\"\n[signature]\nheader = \"X-Signature\"\nhash = {hash:?}\nencoding = {encoding:?}\n\
             prefix = {prefix:?}\nsigned = {signed:?}\nkey = {key_text:?}\n{}{time}{id}",
            separator.unwrap_or_default()
        );
        read(&text).unwrap()
    }

    fn secret(&self) -> SourceSecret {
        let text = match (self.key_text, self.is_padded) {
            ("utf-8", _) => String::from_utf8(self.key.clone()).unwrap(),
            ("hex", false) => hex::encode(&self.key),
            ("hex", true) => hex::encode_upper(&self.key),
            (_, false) => BASE64_STANDARD_NO_PAD.encode(&self.key),
            ("whsec", true) => format!("whsec_{}", BASE64_STANDARD.encode(&self.key)),
            (_, true) => BASE64_STANDARD.encode(&self.key),
        };
        signing(&[&text])
    }

    fn time(&self) -> String {
        let zeros = match self.unit {
            "s" => "",
            "ms" => "000",
            "us" => "000000",
            _ => return Timestamp::from_seconds(self.seconds).to_string(),
        };
        format!("{}{zeros}", self.seconds)
    }

    fn headers(&self) -> Headers {
        let time = self.time();
        let template = self.signed.replace("{timestamp}", &time);
        let (before, behind) = template.split_once("{body}").unwrap();
        let filled = |text: &str| text.replace("{id}", &self.id).into_bytes();
        let message = [filled(before), self.body.clone(), filled(behind)].concat();
        let code = hmac(self.hash, &self.key, &message);
        let signature = match (self.encoding, self.is_padded) {
            ("hex", false) => hex::encode(code),
            ("hex", true) => hex::encode_upper(code),
            ("base64", false) => BASE64_STANDARD_NO_PAD.encode(code),
            ("base64", true) => BASE64_STANDARD.encode(code),
            (_, false) => BASE64_URL_SAFE_NO_PAD.encode(code),
            (_, true) => BASE64_URL_SAFE.encode(code),
        };
        let signature = format!("{}{signature}", self.prefix);
        let signatures = match self.separator {
            Some(separator) => format!("{}AAAA{separator}{signature}", self.prefix),
            None => signature,
        };
        headers(&[
            ("x-signature", &signatures),
            ("x-time", &time),
            ("x-id", &self.id),
        ])
    }
}

proptest! {
    #[test]
    fn what_any_sender_signs_verifies_and_nothing_else(sender in any_sender(), bit in any::<prop::sample::Index>()) {
        let (proof, headers, secrets) = (sender.proof(), sender.headers(), [sender.secret()]);
        let now = Timestamp::from_seconds(sender.seconds + 9);
        let verified = proof.verify(&headers, &sender.body, &secrets, now);
        let signed_at = Timestamp::from_seconds(sender.seconds);
        let expected = Verified {
            id: sender.signed.contains("{id}").then(|| sender.id.clone()),
            signed_at: sender.signed.contains("{timestamp}").then_some(signed_at),
        };
        prop_assert_eq!(verified, Ok(expected.clone()));
        prop_assert_eq!(proof.claimed(&headers), expected);

        let mut body = sender.body.clone();
        body.push(0);
        let bit = bit.index(body.len() * 8);
        body[bit / 8] ^= 1 << (bit % 8);
        let fault = proof.verify(&headers, &body, &secrets, now).unwrap_err();
        prop_assert!(fault.is_mismatch());
        let other = [Sender { key: [&sender.key[..], b"x"].concat(), ..sender.clone() }.secret()];
        prop_assert!(proof.verify(&headers, &sender.body, &other, now).unwrap_err().is_mismatch());
    }
}
