//! What fuzzing begins with, made of the repository's own fixtures.

use std::{fs, path::Path};

use calven_bridge::{sources::presets, state::State};

use crate::input::END;

/// One input of a target.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target.
    pub target: &'static str,
    /// What the file is called.
    pub name: String,
    /// The input.
    pub data: Vec<u8>,
}

/// All of them.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    texts(&mut seeds);
    sources(&mut seeds);
    mapping(&mut seeds);
    answers(&mut seeds);
    invocation(&mut seeds);
    for (number, data) in states().into_iter().enumerate() {
        add(&mut seeds, "state", format!("format-{}", number + 1), data);
    }
    for number in 0..64_u8 {
        let edit = [
            number % 4,
            number,
            number.wrapping_mul(37),
            number % 10,
            number / 8,
        ];
        add(
            &mut seeds,
            "state",
            format!("edited-{number}"),
            edit.to_vec(),
        );
        add(
            &mut seeds,
            "ledger",
            format!("any-{number}"),
            any(number, 16 + 8 * usize::from(number)),
        );
    }
    seeds
}

/// The known documents of a state, one of each format, the oldest first.
pub fn states() -> Vec<Vec<u8>> {
    let mut states: Vec<Vec<u8>> = (1..=3)
        .map(|format| read(&format!("tests/fixtures/state/format-{format}.json")))
        .collect();
    let newest = State::decode(&states[2]).expect("a state");
    states.push(newest.encode().expect("a document"));
    states
}

/// Bytes that look like any.
fn any(seed: u8, count: usize) -> Vec<u8> {
    let mut state = u32::from(seed) * 2_654_435 + 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the repository")
}

fn read(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).expect(path)
}

/// The files of a folder, by name.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(root().join(folder)).expect(folder);
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect(folder).path())
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

fn add(seeds: &mut Vec<Seed>, target: &'static str, name: String, data: Vec<u8>) {
    seeds.push(Seed { target, name, data });
}

fn texts(seeds: &mut Vec<Seed>) {
    let samples = [
        " Channel   Marketing ",
        "Cafe\u{301}",
        "2026-11-22T10:00:00.123456Z",
        "1767693601",
        "\"2026-11-22\"",
        "Sat, 10 Jan 2026 12:00:30 GMT",
        "120",
        "+05:30",
        "https://api.calven.com/v1",
        "http://[::1]:8080",
        "s3://bucket/folder/state.json",
        "file:.bridge/state.json",
        "memory:",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/name",
        r#"{"signingSecret": "whsec_YQ=="}"#,
        r#"{"username": "a", "password": "b"}"#,
        "event=Group.changed&a%20b=c+d",
        "X-Integration-Id",
        "acme-1",
        r#"[{"group": "A", "groupType": "T", "parent": null, "parentType": null}]"#,
    ];
    for (number, sample) in samples.iter().enumerate() {
        for way in 0..12_u8 {
            let data = [&[way], sample.as_bytes()].concat();
            add(seeds, "texts", format!("{way}-{number}"), data);
        }
    }
}

fn sources(seeds: &mut Vec<Seed>) {
    for (number, name) in presets::names().enumerate() {
        let keys = presets::text(name).expect("a preset");
        let below: String = keys
            .lines()
            .map(|line| match line.strip_prefix('[') {
                Some(table) => format!("[sources.x.{table}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        let text = format!("\u{7f}[sources.x]\nsecret_id = \"x\"\n{below}");
        add(seeds, "sources_toml", name.to_owned(), text.into_bytes());
        let mut over = vec![u8::try_from(number).expect("few presets")];
        over.extend(b"api_secret_id = \"y\"\nbase_url = \"https://a.example\"\npriority = 3\n[sources.x.signature]\ntolerance_seconds = 60\n");
        add(seeds, "sources_toml", format!("{name}-over"), over);
    }
    for (name, text) in files("tests/fixtures/sources") {
        add(seeds, "sources_toml", name, [b"\x7f", &text[..]].concat());
    }
    add(
        seeds,
        "sources_toml",
        "own".to_owned(),
        [b"\x7f", &read("fuzz/sources.toml")[..]].concat(),
    );
    add(
        seeds,
        "sources_toml",
        "docs".to_owned(),
        [b"\x7f", &read("sources.toml")[..]].concat(),
    );
}

fn mapping(seeds: &mut Vec<Seed>) {
    let payloads = files("tests/fixtures/payloads");
    for (number, preset) in presets::names().enumerate() {
        let number = u8::try_from(number).expect("few presets");
        for (name, body) in &payloads {
            if !name.starts_with(&format!("{preset}-")) && preset != "github" {
                continue;
            }
            for (kind, keys, headers) in [
                ("plain", "", ""),
                ("tried", "", "content-type: application/json\nx-event: a"),
                ("own", "priority = 1\nutc_offset = \"+02:00\"\n", ""),
            ] {
                let flags = if kind == "tried" { 0x81 } else { 0x21 };
                let mut data = vec![number, flags, 100];
                for part in [keys, headers] {
                    data.extend(part.as_bytes());
                    data.push(END);
                }
                data.extend(body);
                add(seeds, "mapping", format!("{preset}-{kind}-{name}"), data);
            }
        }
    }
}

fn answers(seeds: &mut Vec<Seed>) {
    let folders = ["tests/fixtures/api-answers", "tests/fixtures/capillary"];
    for (name, body) in folders.into_iter().flat_map(files) {
        for way in [0_u8, 1, 2, 3, 0x20, 0x21] {
            let mut data = vec![way];
            // Calven, Capillary and the source are asked in no order that is promised.
            for status in [0_u8, 13, 0, 15, 0, 8, 0] {
                data.push(status);
                data.extend(b"content-type: application/json\nretry-after: 1");
                data.push(END);
                data.extend(&body);
                data.push(END);
            }
            add(seeds, "answers", format!("{way}-{name}"), data);
        }
    }
    for way in 0..=255_u8 {
        let statuses: Vec<u8> = (0..8)
            .flat_map(|at| [any(way, 8)[at] % 16, END, END])
            .collect();
        add(
            seeds,
            "answers",
            format!("statuses-{way}"),
            [&[way], &statuses[..]].concat(),
        );
    }
}

fn invocation(seeds: &mut Vec<Seed>) {
    let mut all = Vec::new();
    for (name, event) in files("events") {
        let raw = [&[0], &event[..], &[END]].concat();
        for setup in [0, 1, 2, 4] {
            add(
                seeds,
                "invocation",
                format!("{setup}-{name}"),
                [&[setup], &raw[..]].concat(),
            );
        }
        all.push(raw);
    }
    add(
        seeds,
        "invocation",
        "all".to_owned(),
        [vec![2], all[..5].concat()].concat(),
    );
    let seed = [
        &[4, 0][..],
        br#"[{"group": "A", "groupType": "Division", "parent": null, "parentType": null}, {"group": "B", "groupType": "Department", "parent": "A", "parentType": "Division"}]"#,
        &[END],
    ]
    .concat();
    let sources = [
        ("generic", 0),
        ("bamboohr", 1),
        ("kombo", 2),
        ("scim", 3),
        ("okta", 4),
        ("hibob", 5),
        ("merge", 6),
        ("gusto", 7),
    ];
    for (name, body) in files("tests/fixtures/payloads") {
        let Some((preset, source)) = sources.iter().find(|(preset, _)| name.starts_with(preset))
        else {
            continue;
        };
        for (form, proven) in [(0, 0), (1, 0), (2, 4), (3, 5), (4, 6), (0, 7)] {
            let setup = [0, 1, 2, 4][usize::from(form) % 4];
            let post = [
                &[1, *source, proven, form][..],
                b"content-type: application/json",
                &[END],
                &body,
                &[END],
            ]
            .concat();
            let rest = [&[7, 1][..], &[4, 1, END], &[4, 5, END], &[5], &[6, END]].concat();
            let data = [&[setup][..], &seed, &post, &rest].concat();
            add(
                seeds,
                "invocation",
                format!("{preset}-{form}-{proven}-{name}"),
                data,
            );
        }
    }
}
