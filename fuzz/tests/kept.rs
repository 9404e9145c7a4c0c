//! The seeds, and every input that has ever found something (`fuzz/kept/`), through the very functions that libFuzzer calls.

use std::{fs, path::Path};

use fuzz::{TARGETS, Target, seeds};

/// What is allocated is counted for the whole process, so only one target runs at a time.
#[test]
fn what_has_ever_found_something_finds_nothing_now_and_nor_do_the_seeds() {
    let seeds = seeds::all();
    for (name, target) in TARGETS {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("kept")
            .join(name);
        let mut inputs: Vec<(String, Vec<u8>)> = seeds
            .iter()
            .filter(|seed| seed.target == name)
            .map(|seed| (seed.name.clone(), seed.data.clone()))
            .collect();
        assert!(!inputs.is_empty(), "{name} has no seeds");
        for entry in fs::read_dir(kept).into_iter().flatten() {
            let path = entry.unwrap().path();
            inputs.push((path.display().to_string(), fs::read(path).unwrap()));
        }
        for (input, data) in inputs {
            check(name, &input, target, &data);
        }
    }
}

#[track_caller]
fn check(name: &str, input: &str, target: Target, data: &[u8]) {
    let outcome = std::panic::catch_unwind(|| target(data));
    assert!(outcome.is_ok(), "{name} finds something in {input}");
}

#[test]
fn every_target_is_a_binary_and_every_folder_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |folder: &str| {
        // Where nothing is kept there is no folder.
        let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    };
    let targets: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    for name in names("kept").iter().chain(&names("dictionaries")) {
        assert!(targets.contains(name), "{name} is no target");
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for target in &targets {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
            "{target}"
        );
    }
}
