//! `sources.toml`: any text is a configuration that can be used, or problems that each name a key.
//!
//! An input: whether it stands below a preset, and which; the rest is the text.

use calven_bridge::{
    http::BaseUrl,
    reread::read_captured,
    secrets::SourceSecret,
    sources::{
        config::{Rereading, Source, Sources},
        given::Given,
        presets,
    },
    timestamp::Timestamp,
};

use crate::{
    input::Input,
    mapping::NOW,
    measure::{Bound, linear},
    rules,
    senders::KEY,
};

/// A preset is read with each source that names one.
const BOUND: Bound = Bound {
    bytes: 4 * 1024 * 1024,
    bytes_a_byte: 16 * 1024,
    times: 64 * 1024,
    times_a_line: 4 * 1024,
};

/// Any path may be asked of a body.
const BOUND_OF_A_BODY: Bound = Bound {
    bytes: 64 * 1024 * 1024,
    ..BOUND
};

/// Bodies that any mapping may be handed.
const BODIES: [&str; 6] = [
    "",
    "[]",
    r#"{"id": 1, "type": "x", "data": {"id": "7", "name": " A  B ", "parent": null, "results": [{"id": 2, "name": "é"}]}}"#,
    r#"[{"id": "1", "name": "A", "children": [{"id": "2", "name": "B"}]}, {"id": "1", "name": "C"}]"#,
    r#"{"changes": [{"group": "A", "groupType": "T"}], "Operations": [{"method": "DELETE", "path": "/Groups/1"}]}"#,
    "data[id]=1&data[name]=A&event=%7B%22id%22%3A2%7D",
];

/// Reads a text, and uses what comes of it.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = usize::from(input.byte());
    let Ok(text) = std::str::from_utf8(input.rest()) else {
        return;
    };
    let text = match presets::names().nth(choice) {
        Some(preset) => format!("[sources.x]\npreset = \"{preset}\"\nsecret_id = \"x\"\n{text}"),
        None => text.to_owned(),
    };
    let read = linear("a sources.toml", text.len(), BOUND, || {
        Sources::parse(&text)
    });
    match read {
        Err(problems) => {
            assert!(!problems.is_empty(), "it is refused without a reason");
            let is_toml = text.parse::<toml::Table>().is_ok();
            for problem in problems {
                let key = problem.key.to_string();
                assert!(!problem.reason.is_empty(), "{key} has no reason");
                assert_eq!(
                    !key.is_empty(),
                    is_toml,
                    "{problem}: a problem of a TOML file names its key"
                );
            }
        }
        Ok(sources) => sources.by_name.values().for_each(check_source),
    }
}

fn check_source(source: &Source) {
    assert!(!["manual", "capillary"].contains(&source.name.as_str()));
    assert!(!source.secret_id.is_empty());
    let given = Given {
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        query: Given::query_of("event=Group.changed"),
    };
    let now = Timestamp::from_seconds(NOW);
    let shapes = ["signingSecret", "token"].map(|key| format!(r#"{{"{key}": "{KEY}"}}"#));
    let secrets = shapes.map(|text| SourceSecret::from_text(&text, "x").unwrap());
    for body in BODIES {
        let proven = source
            .proof
            .verify(&given.headers, body.as_bytes(), &secrets, now);
        assert!(proven.is_err(), "nobody has proven anything");
        let mapped = linear("a mapping", body.len(), BOUND_OF_A_BODY, || {
            source.mapping.map(body.as_bytes(), &given)
        });
        if let Ok(mapped) = mapped {
            rules::statements(&mapped.statements);
        }
        if let Some(snapshot) = source.snapshot() {
            let pages = [body.as_bytes(), BODIES[2].as_bytes()];
            if let Ok(reread) = read_captured(snapshot, pages, now) {
                rules::statements(&reread.statements);
                assert!(reread.statements.iter().all(|said| said.at == Some(now)));
            }
        }
    }
    if let Rereading::Ready(api) = &source.rereading {
        assert_eq!(
            BaseUrl::parse(api.base_url.as_str()).as_ref(),
            Ok(&api.base_url)
        );
    }
}
