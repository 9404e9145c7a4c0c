//! What a try-out shows: of the worked examples of docs/mapping.md, of faults, and of what an API answered.

use calven_bridge::{
    secrets::SourceSecret,
    sources::{config::Sources, generic::read_seed, given::Given},
    tryout::{Captured, Tryout},
};
use serde_json::json;

use crate::harness::{read, time};

const RECEIVED: &str = "2026-02-11T12:00:00Z";

fn captured(body: &str) -> Captured {
    Captured {
        name: "captured.json".to_owned(),
        body: body.as_bytes().to_vec(),
        given: None,
        received: time(RECEIVED),
    }
}

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    page.split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect()
}

#[track_caller]
fn shown(sources: &str, name: &str, bodies: &[&str]) -> (String, bool) {
    let sources = Sources::parse(sources).unwrap();
    let source = sources.by_name.get(name).unwrap();
    let mut tryout = Tryout::new(source, "sources.toml", Vec::new(), None);
    for body in bodies {
        tryout.take(&captured(body));
    }
    tryout.finish()
}

#[test]
fn the_worked_examples_of_the_page_on_mappings_are_what_comes_of_them() {
    let page = read("docs/mapping.md");
    let mut checked = Vec::new();
    for blocks in blocks(&page).windows(3) {
        let [("toml", sources), ("json", body), ("text", expected)] = blocks else {
            continue;
        };
        let name = Sources::parse(sources)
            .unwrap()
            .by_name
            .into_keys()
            .next()
            .unwrap();
        let (shown, faulty) = shown(sources, name.as_str(), &[body]);
        assert!(!faulty);
        assert_eq!(shown.trim_end(), expected.trim_end(), "{name}:\n{shown}");
        checked.push(name.to_string());
    }
    assert_eq!(checked, ["workday", "successfactors"]);
}

/// The pieces are keys of one source, which they leave out; the examples are sources of their own.
#[test]
fn every_piece_of_toml_on_the_page_on_mappings_is_without_a_fault() {
    let page = read("docs/mapping.md");
    let mut file = "[sources.people]\nsecret_id = \"x\"\nproof = \"bearer\"\n".to_owned();
    let mut pieces = 0;
    for (_, text) in blocks(&page)
        .iter()
        .filter(|(language, _)| *language == "toml")
    {
        if !text.starts_with('[') {
            file.push_str("[sources.people.groups.department]\n");
        }
        file.push_str(text);
        file.push('\n');
        pieces += 1;
    }
    let problems = Sources::parse(&file).err().unwrap_or_default();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, Vec::<String>::new(), "{file}");
    assert_eq!(pieces, 4);
}

#[test]
fn a_fault_is_shown_with_its_place_in_the_body_and_its_key_and_whose_that_is() {
    let sources = "[sources.hr]\npreset = \"merge\"\nsecret_id = \"x\"\ngroups.group.name = \"$.remote_data\"\n";
    let body = read("tests/fixtures/payloads/merge-Group.changed.json");
    let body = body.replace(
        "\"remote_data\": null",
        "\"remote_data\": {\"name\": \"hunter2\"}",
    );
    let body = body.replace(
        "\"id\": \"0d7a3f5e-6c5c-4f5e-9b4c-0b5d5a6f7a10\"",
        "\"id\": [7]",
    );
    let (shown, faulty) = shown(sources, "hr", &[&body]);
    assert!(faulty);
    for line in [
        "    $['data']['remote_data'] must be a text, a number, true or false\n      by sources.hr.groups.group.name in sources.toml\n",
        "    $['data']['id'] must be a text, a number, true or false\n      by sources.hr.groups.group.key in the preset merge\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_proof_is_explained_without_the_key() {
    let sources = "[sources.hr]\npreset = \"bamboohr\"\nsecret_id = \"x\"\n";
    let sources = Sources::parse(sources).unwrap();
    let source = sources.by_name.get("hr").unwrap();
    let vectors: serde_json::Value =
        serde_json::from_str(&read("tests/fixtures/signature-vectors.json")).unwrap();
    let vector = &vectors[1];
    let mut given = Given::default();
    for (name, value) in vector["headers"].as_object().unwrap() {
        let value = value.as_str().unwrap().to_owned();
        given.headers.insert(name.to_lowercase(), value);
    }
    let key = vector["secret"].as_str().unwrap();
    let secret = json!({"signingSecret": key}).to_string();
    let try_with = |secret: &str| {
        let secrets = vec![SourceSecret::from_text(secret, "x").unwrap()];
        let mut tryout = Tryout::new(source, "sources.toml", secrets, None);
        tryout.take(&Captured {
            given: Some(given.clone()),
            received: time("2022-07-19T16:30:00Z"),
            ..captured(vector["body"].as_str().unwrap())
        });
        tryout.finish()
    };
    let (right, faulty) = try_with(&secret);
    assert!(!faulty && right.contains("proof: verified\n"), "{right}");
    let (wrong, faulty) = try_with(&json!({"signingSecret": "another-key-0"}).to_string());
    assert!(
        faulty && wrong.contains("proof: NOT verified, 401: "),
        "{wrong}"
    );
    assert!(wrong.contains("signed: (body: "), "{wrong}");
    assert!(wrong.contains(")1658248023\n"), "{wrong}");
    for secret in [key, "another-key-0", vector["expected"].as_str().unwrap()] {
        assert!(
            !wrong.contains(secret) && !right.contains(secret),
            "{right}{wrong}"
        );
    }
}

#[test]
fn a_plan_is_against_what_is_there() {
    let sources = "[sources.hr]\npreset = \"peopleforce\"\nsecret_id = \"x\"\n";
    let sources = Sources::parse(sources).unwrap();
    let source = sources.by_name.get("hr").unwrap();
    let rows = read_seed(&json!([
        {"group": "Europe", "groupType": "Division", "parent": null, "parentType": null},
        {"group": "HR", "groupType": "Department", "parent": "Europe", "parentType": "Division"}]));
    let mut tryout = Tryout::new(source, "sources.toml", Vec::new(), Some(&rows.unwrap()));
    tryout.take(&captured(&read(
        "tests/fixtures/payloads/peopleforce-employee_update.json",
    )));
    let (shown, _) = tryout.finish();
    let (_, plan) = shown
        .split_once("plan, against the given hierarchy\n")
        .unwrap();
    assert_eq!(
        plan, "  + Department \"IT\" under Division \"Europe\"\n",
        "{shown}"
    );
}

#[test]
fn what_an_api_answered_is_tried_too_and_another_page_is_missed() {
    let sources = Sources::parse("[sources.hr]\npreset = \"kombo\"\nsecret_id = \"x\"\n").unwrap();
    let source = sources.by_name.get("hr").unwrap();
    let answer = read("tests/fixtures/api-answers/kombo-hris-groups.json");
    let try_pages = |pages: &[&str]| {
        let mut tryout = Tryout::new(source, "sources.toml", Vec::new(), None);
        let pages: Vec<(String, Vec<u8>)> = pages
            .iter()
            .map(|page| ("page.json".to_owned(), page.as_bytes().to_vec()))
            .collect();
        tryout.take_answer(&pages, time(RECEIVED));
        tryout.finish()
    };
    let (shown, faulty) = try_pages(&[&answer]);
    assert!(!faulty && shown.contains("these are all groups"), "{shown}");
    assert!(
        shown.contains("  + Team \"Customer Success\" under Department \"Go To Market\"\n"),
        "{shown}"
    );
    let more = answer.replace("\"next\": null", "\"next\": \"2\"");
    let (shown, _) = try_pages(&[&more]);
    assert!(shown.contains("there would be another page"), "{shown}");
    assert!(!shown.contains("these are all groups"), "{shown}");
    let refused = answer.replace("\"success\"", "\"error\"");
    let (shown, faulty) = try_pages(&[&refused]);
    assert!(
        faulty && shown.contains("page 1: the answer is not as "),
        "{shown}"
    );
}
