//! Signatures and mappings: any body, by any preset or by keys that are made up, proven well, badly or not at all.
//!
//! An input: the preset; how the body is proven; which byte of it is changed afterwards; then the source's own keys as TOML, and
//! the headers that come beside the signature, each ended by [`END`](crate::input::END); the rest is the body.

use std::{collections::BTreeMap, sync::OnceLock};

use calven_bridge::{
    secrets::SourceSecret,
    sources::{
        config::{Source, Sources},
        given::Given,
        mapping::MapFault,
        presets,
        proof::ProofFault,
    },
    timestamp::Timestamp,
    tryout::{Captured, Tryout},
};

use crate::{
    input::Input,
    measure::{Bound, linear},
    rules,
    senders::{self, KEY},
};

/// When all is received.
pub const NOW: i64 = 1_767_693_601;

/// What is made of a body: its JSON, places in it, statements and their faults. A preset's rules look at a body a few
/// dozen times.
const BOUND: Bound = Bound {
    bytes: 256 * 1024,
    bytes_a_byte: 16 * 1024,
    times: 8 * 1024,
    times_a_line: 2 * 1024,
};

/// By its own keys a source may look at a body once for each of them, and a path may meet each part of it many times.
const BOUND_OF_OWN_KEYS: Bound = Bound {
    bytes: 4 * 1024 * 1024,
    bytes_a_byte: 64 * 1024,
    times: 128 * 1024,
    times_a_line: 16 * 1024,
};

/// Verifies and maps one delivery.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let names: Vec<&str> = presets::names().collect();
    let preset = names[input.below(names.len())];
    let flags = input.byte();
    let place = usize::from(input.byte());
    let keys = input.text();
    let mut headers = headers_of(&input.text());
    let body = input.rest();
    let own;
    let source = if keys.is_empty() {
        preset_source(preset)
    } else {
        let text = format!("{}{keys}", table("x", preset));
        let Ok(sources) = Sources::parse(&text) else {
            return;
        };
        // The keys may well have begun another table.
        own = sources.by_name.into_values().next().expect("a source");
        &own
    };
    let secret = SourceSecret::from_text(&senders::secret(preset).to_string(), "x").unwrap();
    let now = Timestamp::from_seconds(NOW);
    let verify = |headers: &BTreeMap<String, String>, body: &[u8]| {
        linear("a proof", body.len(), BOUND_OF_OWN_KEYS, || {
            source
                .proof
                .verify(headers, body, std::slice::from_ref(&secret), now)
        })
    };
    // What nobody has signed proves nothing, whatever the keys are.
    let fault = verify(&headers, body).expect_err("nobody has the key");
    assert!(!fault.to_string().contains(KEY));
    if keys.is_empty() {
        check_proof(preset, body, (flags, place), &verify);
    }
    if let Some(signed) = senders::headers(preset, KEY, NOW, body) {
        headers.extend(signed);
    }
    check_mapping(source, body, headers, keys.is_empty(), flags);
}

type Verified<'a> = dyn Fn(
        &BTreeMap<String, String>,
        &[u8],
    ) -> Result<calven_bridge::sources::proof::Verified, ProofFault>
    + 'a;

/// A preset's sender is believed, and nobody who has changed anything of what it sent.
fn check_proof(preset: &str, body: &[u8], (flags, place): (u8, usize), verify: &Verified<'_>) {
    let signed = senders::headers(preset, KEY, NOW, body).expect("a known sender");
    verify(&signed, body).expect("it is signed");
    let other = senders::headers(preset, "another key", NOW, body).expect("a known sender");
    verify(&other, body).expect_err("it is signed with another key");
    for name in signed.keys() {
        let mut some = signed.clone();
        some.remove(name);
        verify(&some, body).expect_err("a header is missing");
    }
    if !senders::signs_the_body(preset) {
        return;
    }
    let mut longer = body.to_vec();
    longer.push(flags);
    verify(&signed, &longer).expect_err("there is more of it");
    let mut changed = body.to_vec();
    if let Some(byte) = changed.get_mut(place * body.len() / 256) {
        *byte ^= flags.max(1);
        verify(&signed, &changed).expect_err("a byte is another one");
        changed.truncate(place * body.len() / 256);
        verify(&signed, &changed).expect_err("it is cut off");
    }
    for (name, value) in &signed {
        let mut bytes = value.clone().into_bytes();
        let at = place % bytes.len();
        bytes[at] = match bytes[at] {
            b'x' => b'y',
            _ => b'x',
        };
        let mut changed = signed.clone();
        changed.insert(name.clone(), String::from_utf8(bytes).unwrap());
        // The last digit of base64 may hold bits that mean nothing.
        if verify(&changed, body).is_ok() {
            assert!(
                at + 3 > value.trim_end_matches('=').len(),
                "{name}: {value} with another digit at {at}"
            );
        }
    }
}

fn check_mapping(
    source: &Source,
    body: &[u8],
    headers: BTreeMap<String, String>,
    is_preset: bool,
    flags: u8,
) {
    let given = Given {
        query: Given::query_of("event=x&type=group"),
        headers,
    };
    let bound = match is_preset {
        true => BOUND,
        false => BOUND_OF_OWN_KEYS,
    };
    let mapped = linear("a mapping", body.len(), bound, || {
        source.mapping.map(body, &given)
    });
    match &mapped {
        Ok(mapped) => {
            rules::statements(&mapped.statements);
            mapped
                .event_id
                .iter()
                .for_each(|id| rules::clean(id.as_str()));
        }
        Err(MapFault::Unreadable(why)) => assert!(!why.is_empty()),
        Err(MapFault::Unfitting(faults)) => {
            assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.detail.is_empty()));
        }
    }
    // What is kept of it for the queue leads to the same.
    if let Some(kept) = source.to_keep(&given) {
        let again = source.mapping.map(body, &kept);
        assert_eq!(shown(&again), shown(&mapped), "as if it had been queued");
    }
    if let Some(handshake) = &source.handshake {
        assert!(!handshake.is_ping(body) || body.len() <= 256, "a long ping");
        let _token = handshake.token(body);
        let _challenge = handshake.challenge(&given.headers);
    }
    if flags & 0x80 != 0 {
        let secret = SourceSecret::from_text(&format!(r#"{{"signingSecret": "{KEY}"}}"#), "x");
        let mut tryout = Tryout::new(source, "sources.toml", secret.into_iter().collect(), None);
        tryout.take(&Captured {
            name: "body".to_owned(),
            body: body.to_vec(),
            given: Some(given),
            received: Timestamp::from_seconds(NOW),
        });
        let (shown, _) = tryout.finish();
        assert!(!shown.contains(KEY), "a try-out shows a secret");
    }
}

/// What is compared of two mappings: persons' ids cannot be.
fn shown<T: std::fmt::Debug>(mapped: &T) -> String {
    format!("{mapped:?}")
}

fn headers_of(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

/// The source of a preset alone; reading one takes longer than mapping by it.
fn preset_source(preset: &str) -> &'static Source {
    static SOURCES: OnceLock<Sources> = OnceLock::new();
    let sources = SOURCES.get_or_init(|| {
        let api = "api_secret_id = \"y\"\nbase_url = \"https://api.example\"\n";
        let tables = presets::names().map(|name| format!("{}{api}", table(name, name)));
        Sources::parse(&tables.collect::<String>()).expect("good presets")
    });
    &sources.by_name[preset]
}

/// How the table of a preset's source begins. One preset leaves to its user how it is proven.
fn table(name: &str, preset: &str) -> String {
    let proof = match preset {
        "personio" => "proof = \"bearer\"\n",
        _ => "",
    };
    format!("[sources.{name}]\npreset = \"{preset}\"\nsecret_id = \"x\"\n{proof}")
}
