//! The recipe for another HRIS, walked: one TOML file, one folder of cases, one page, and no Rust.

use std::{collections::BTreeSet, fs, path::Path};

use calven_bridge::{
    sources::{config::Sources, given::Given, presets},
    timestamp::Timestamp,
};

use crate::{
    harness::{read, root},
    presets::cases,
};

fn names_in(folder: &str, extension: &str) -> BTreeSet<String> {
    let files = fs::read_dir(root().join(folder)).unwrap();
    let names = files.filter_map(|file| {
        let path = file.unwrap().path();
        let fits = path.extension()? == extension;
        fits.then(|| path.file_stem().unwrap().to_str().unwrap().to_owned())
    });
    names.collect()
}

#[test]
fn a_preset_is_one_file_one_folder_of_cases_and_one_page() {
    let files = names_in("src/sources/presets", "toml");
    assert!(files.len() >= 14, "{files:?}");
    assert_eq!(
        presets::names().map(str::to_owned).collect::<BTreeSet<_>>(),
        files
    );
    let cases = cases();
    assert_eq!(cases.keys().cloned().collect::<BTreeSet<_>>(), files);
    for (preset, cases) in &cases {
        assert!(!cases.is_empty(), "{preset} has no case");
    }
    let mut pages = names_in("docs/presets", "md");
    assert!(pages.remove("README"));
    assert_eq!(pages, files);
    let index = read("docs/presets/README.md");
    for preset in &files {
        assert!(
            index.contains(&format!("({preset}.md)")),
            "{preset} is not in the index"
        );
    }
}

#[test]
fn no_rust_knows_a_preset() {
    let names: BTreeSet<&str> = presets::names().collect();
    let mut folders = vec![root().join("src"), root().join("bridge/src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension() != Some("rs".as_ref()) {
                continue;
            }
            files += 1;
            let text = fs::read_to_string(&path).unwrap();
            // Tests come last in a file, and may name what they like.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for name in &names {
                let is_tests = path.file_name() == Some(Path::new("tests.rs").as_os_str());
                assert!(
                    is_tests || !code.contains(&format!("\"{name}\"")),
                    "{} knows {name}",
                    path.display()
                );
            }
        }
    }
    assert!(files > 60, "{files}");
}

/// What a source makes of every body that there is.
fn meaning_of(sources: &str) -> Vec<String> {
    let sources = Sources::parse(sources).unwrap_or_else(|problems| {
        panic!(
            "{}",
            problems
                .iter()
                .map(|p| format!("{p}\n"))
                .collect::<String>()
        )
    });
    let source = sources.by_name.get("case").unwrap();
    let now = Timestamp::from_seconds(1_795_000_000);
    let mut bodies: Vec<_> = fs::read_dir(root().join("tests/fixtures/payloads"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    bodies.sort();
    let mut meant = vec![format!("{:?} {:?}", source.proof, source.rereading)];
    for path in bodies {
        let body = fs::read(&path).unwrap();
        let mut given = Given::default();
        for header in ["webhook-id", "finch-event-id", "x-github-delivery"] {
            given
                .headers
                .insert(header.to_owned(), format!("by {header}"));
        }
        let mapped = source.mapping.map(&body, &given);
        let proof = source.proof.verify(&given.headers, &body, &[], now);
        meant.push(format!("{}: {mapped:?} {proof:?}", path.display()));
    }
    meant
}

/// So whoever writes a preset's keys into their own file has the preset; and a new preset is no more than such keys in a file.
#[test]
fn the_keys_of_a_preset_are_the_preset() {
    // Where nothing says how a sender proves itself, the user must.
    let own = "secret_id = \"hris/case\"\napi_secret_id = \"hris/api\"\n";
    for name in presets::names() {
        let text = presets::text(name).unwrap();
        let proof = match text.lines().any(|line| line.starts_with("proof =")) {
            true => "",
            false => "proof = \"bearer\"\n",
        };
        let by_name = format!("[sources.case]\npreset = \"{name}\"\n{own}{proof}");
        let tables = text
            .lines()
            .map(|line| match line.strip_prefix('[') {
                Some(table) if !line.starts_with("[[") && line.contains(']') => {
                    format!("[sources.case.{table}\n")
                }
                Some(_) | None => format!("{line}\n"),
            })
            .collect::<String>();
        let by_keys = format!("[sources.case]\n{own}{proof}{tables}");
        let strip = |lines: Vec<String>| -> Vec<String> {
            lines
                .iter()
                .map(|line| line.replace("(from the preset", "("))
                .collect()
        };
        assert_eq!(
            strip(meaning_of(&by_name)),
            strip(meaning_of(&by_keys)),
            "{name}"
        );
    }
}
