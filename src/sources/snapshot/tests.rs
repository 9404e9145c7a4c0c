//! What is asked, what an answer says of the next page, and what is wrong in a `[snapshot]`.

use serde_json::json;

use super::*;
use crate::sources::reader::SourcesProblem;

fn read_text(text: &str) -> (Option<Snapshot>, Vec<SourcesProblem>) {
    let mut problems = Vec::new();
    let mut reader = Reader::new(
        KeyPath::default().key("snapshot"),
        text.parse().unwrap(),
        &mut problems,
    );
    let snapshot = read(&mut reader);
    reader.finish();
    (snapshot, problems)
}

impl Snapshot {
    /// The snapshot of this table, which must be right.
    pub(crate) fn of_toml(text: &str) -> Self {
        let (snapshot, problems) = read_text(text);
        assert_eq!(problems, []);
        snapshot.unwrap()
    }
}

#[track_caller]
fn check_problems(text: &str, expected: &[&str]) {
    let (_, problems) = read_text(text);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, expected, "{text}");
}

/// What stands in the query of the pages that are asked for, as these answers come.
fn asked(snapshot: &Snapshot, answers: &[Value]) -> Vec<String> {
    let mut ask = snapshot.first();
    let mut asked = Vec::new();
    let mut answers = answers.iter();
    loop {
        let query = snapshot.question(&ask).query;
        let pairs: Vec<String> = query.iter().map(|(k, v)| format!("{k}={v}")).collect();
        asked.push(pairs.join("&"));
        let Some(answer) = answers.next() else {
            return asked;
        };
        match snapshot.page(&ask, answer).unwrap().next {
            Some(next) => ask = next,
            None => {
                assert_eq!(answers.next(), None, "asked for too few pages: {asked:?}");
                return asked;
            }
        }
    }
}

#[test]
fn one_page_is_asked_for_where_nothing_is_said_of_pages() {
    let snapshot = Snapshot::of_toml(r#"path = "/groups""#);
    assert_eq!(asked(&snapshot, &[json!({"next": "2"})]), [""]);
    assert_eq!((snapshot.max_pages(), snapshot.complete()), (1_000, None));
}

#[test]
fn a_cursor_leads_on_until_it_has_no_value() {
    let snapshot = Snapshot::of_toml(
        r#"
        path = "/groups"
        query = { limit = "100" }
        pages = { cursor = "$.data.next", parameter = "cursor" }
        "#,
    );
    for end in [
        json!({"data": {"next": null}}),
        json!({"data": {}}),
        json!({}),
    ] {
        let answers = [
            json!({"data": {"next": "a&b=c"}}),
            json!({"data": {"next": 7}}),
            end,
        ];
        let expected = ["limit=100", "limit=100&cursor=a&b=c", "limit=100&cursor=7"];
        assert_eq!(asked(&snapshot, &answers), expected);
    }
}

#[test]
fn a_cursor_that_is_no_single_value_is_no_end() {
    let snapshot = Snapshot::of_toml(
        r#"
        path = "/groups"
        pages = { cursor = "$.next", parameter = "cursor" }
        "#,
    );
    for next in [json!({"href": "/2"}), json!([]), json!({})] {
        let answer = json!({"next": next});
        let fault = snapshot.page(&snapshot.first(), &answer).unwrap_err();
        let expected = "does not have a single value at snapshot.pages.cursor";
        assert_eq!(fault.to_string(), expected, "{answer}");
    }
}

#[test]
fn numbers_count_up_to_a_page_whose_lists_are_all_empty() {
    let snapshot = Snapshot::of_toml(
        r#"
        path = "/groups"
        lists = ["$.teams", "$.departments"]
        pages = { number = "page" }
        "#,
    );
    let answers = [
        json!({"teams": [1], "departments": [1]}),
        json!({"teams": [], "departments": [1]}),
        json!({"teams": [], "departments": []}),
    ];
    assert_eq!(asked(&snapshot, &answers), ["page=1", "page=2", "page=3"]);
}

#[test]
fn an_offset_grows_by_the_number_of_items() {
    let snapshot = Snapshot::of_toml(
        r#"
        path = "/Groups"
        lists = ["$.Resources"]
        pages = { offset = "startIndex", first = 1 }
        "#,
    );
    let answers = [
        json!({"Resources": [1, 2, 3]}),
        json!({"Resources": [4]}),
        json!({"Resources": []}),
    ];
    let expected = ["startIndex=1", "startIndex=4", "startIndex=5"];
    assert_eq!(asked(&snapshot, &answers), expected);
}

#[test]
fn in_a_post_the_parameter_may_stand_in_the_body_as_the_value_that_it_is() {
    let snapshot = Snapshot::of_toml(
        r#"
        path = "/search"
        method = "POST"
        body = { fields = ["id"], deep = { yes = true } }
        pages = { cursor = "$.next", parameter = "after", in_body = true }
        "#,
    );
    let first = snapshot.first();
    let body = json!({"fields": ["id"], "deep": {"yes": true}});
    assert_eq!(snapshot.question(&first).body, Some(body));
    let next = snapshot.page(&first, &json!({"next": 12})).unwrap().next;
    let question = snapshot.question(next.as_ref().unwrap());
    assert_eq!(question.query, []);
    assert_eq!(question.body.unwrap()["after"], 12);
}

#[test]
fn an_answer_that_is_not_as_expected_says_nothing() {
    let snapshot = Snapshot::of_toml(
        r#"
        path = "/groups"
        lists = ["$.groups", "$.other[*].list"]
        expect = [ { at = "$.status", is = ["ok"] } ]
        "#,
    );
    let check = |answer: Value, expected: &str| {
        let fault = snapshot.page(&snapshot.first(), &answer).unwrap_err();
        assert_eq!(fault.to_string(), expected, "{answer}");
    };
    let unexpected = "is not as snapshot.expect wants it";
    check(json!({"groups": []}), unexpected);
    check(json!({"groups": [], "status": "error"}), unexpected);
    let no_list = "does not have exactly one array at snapshot.lists[0]";
    check(json!({"status": "ok"}), no_list);
    check(json!({"status": "ok", "groups": {}}), no_list);
    check(json!({"status": "ok", "groups": null}), no_list);
    let no_list = "does not have exactly one array at snapshot.lists[1]";
    let twice = json!([{"list": []}, {"list": []}]);
    check(
        json!({"status": "ok", "groups": [], "other": twice}),
        no_list,
    );
}

#[test]
fn what_is_wrong_is_named() {
    check_problems("", &["snapshot.path is missing"]);
    for path in [
        "groups",
        "//../x",
        "/a?b",
        "/a#b",
        "https://elsewhere.example/",
    ] {
        check_problems(
            &format!("path = {path:?}"),
            &["snapshot.path must begin with a slash, without a query and without \"..\""],
        );
    }
    let check =
        |rest: &str, expected: &str| check_problems(&format!("path = \"/\"\n{rest}"), &[expected]);
    check(
        "pages = {}",
        "snapshot.pages must have exactly one of: cursor, number, offset",
    );
    check(
        "pages = { cursor = \"$.next\" }",
        "snapshot.pages.parameter is missing",
    );
    check(
        "pages = { number = \"page\" }",
        "snapshot.lists is missing: an empty page is the last one",
    );
    check(
        "pages = { number = \"page\", offset = \"at\", parameter = \"p\" }",
        "snapshot.pages must have exactly one of: cursor, number, offset",
    );
    check(
        "query = { c = \"1\" }\npages = { cursor = \"$.next\", parameter = \"c\" }",
        "snapshot.pages names a parameter that is given already",
    );
    check(
        "pages = { cursor = \"$.next\", parameter = \"c\", in_body = true }",
        "snapshot.pages has in_body, which needs method = \"POST\"",
    );
    check(
        "pages = { cursor = \"$.next\", parameter = \"c\", first = 1 }",
        "snapshot.pages.first is not known",
    );
    check("body = { a = 1 }", "snapshot.body needs method = \"POST\"");
    check("max_pages = 0", "snapshot.max_pages must be greater than 0");
    check(
        "headers = { Host = \"elsewhere\" }",
        "snapshot.headers.Host is no header that can be added",
    );
    check(
        "headers = { X-A = \"\\n.\" }",
        "snapshot.headers.X-A cannot stand in a header",
    );
    check(
        "query = { limit = 100 }",
        "snapshot.query.limit must be a text that is not empty",
    );
    check("lists = \"$.a\"", "snapshot.lists must be an array");
    check(
        "complete = \"all\"",
        "snapshot.complete must be one of: groups, persons, none",
    );
    check(
        "complete = \"groups\"\ngroups.all = { name = \"$.name\", type = { value = \"Team\" } }",
        "snapshot.lists is missing: without a list that must be there any answer would be complete",
    );
    check(
        "complete = \"groups\"\nlists = [\"$.all\"]\npersons.all = { id = \"$.id\" }",
        "snapshot.complete needs rules in snapshot.groups",
    );
    check(
        "complete = \"persons\"\nlists = [\"$.all\"]",
        "snapshot.complete needs rules in snapshot.persons",
    );
    check("pathh = \"/\"", "snapshot.pathh is not known");
    check(
        "pages = { cursor = \"header:X-Next\", parameter = \"c\" }",
        "snapshot.pages.cursor must be a place in the answer's body",
    );
}
