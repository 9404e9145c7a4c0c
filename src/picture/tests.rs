//! Pictures of small companies, each told by one source.

use proptest::prelude::*;

use super::*;
use crate::hierarchy::{
    Delivery, GroupRef, Key, Ledger, Merged, Name, Parent, Projection, Rules, Salt, SourceName,
    Stated, Statement, statement::group,
};

/// A ledger of one source with keys, and what it was when it was published.
struct Company {
    ledger: Ledger,
    published: Option<Projection>,
}

impl Company {
    /// Groups by their keys, names, and parents' keys.
    fn of(groups: &[(&str, &str, &str)]) -> Self {
        let mut company = Self {
            ledger: Ledger::new(Salt::new([1; 32])),
            published: None,
        };
        company.says(1, groups.iter().map(|group| exists(*group)).collect());
        company.published = Some(company.projected());
        company
    }

    fn says(&mut self, at: i64, statements: Vec<Statement>) {
        let at = Timestamp::from_seconds(at);
        let stated = |statement| Stated {
            at: None,
            statement,
        };
        self.ledger.merge(&Delivery {
            source: SourceName::new("hr"),
            event_id: None,
            received: at,
            attempted: at,
            statements: statements.into_iter().map(stated).collect(),
        });
    }

    fn projected(&self) -> Projection {
        let published = self.published.as_ref().map(Projection::as_published);
        let rules = Rules {
            priorities: [(SourceName::new("hr"), 0)].into(),
            attach_roots: false,
        };
        Projection::of(&self.ledger, published.as_ref(), &rules, &Merged::default())
    }

    fn picture(&self, facts: Facts) -> Picture {
        let projection = self.projected();
        let published = self.published.as_ref().map(Projection::as_published);
        let plan = projection.plan(published.as_ref());
        Picture::of_plan(facts, &projection.hierarchy, &plan, &projection.held)
    }
}

fn reference(key: &str, name: Option<&str>) -> GroupRef {
    GroupRef::Keyed {
        key: Key::new(key).unwrap(),
        named: name.map(|name| group(name, "Team").unwrap()),
    }
}

fn exists((key, name, parent): (&str, &str, &str)) -> Statement {
    let parent = match parent {
        "-" => Parent::Top,
        key => Parent::Under(reference(key, None)),
    };
    Statement::Exists {
        group: reference(key, Some(name)),
        parent,
    }
}

fn gone(key: &str) -> Statement {
    Statement::Gone {
        group: reference(key, None),
    }
}

/// The picture as lines: indented names, and what is marked on them.
fn drawn(picture: &Picture) -> Vec<String> {
    let mut depths: Vec<usize> = Vec::new();
    let mut lines = Vec::new();
    for node in picture.nodes() {
        let depth = node.parent.map_or(0, |parent| depths[parent] + 1);
        depths.push(depth);
        let mark = match &node.mark {
            Mark::Stays { moved, renamed } => {
                let moved = moved.as_ref().map(|from| text(from.parent.as_ref()));
                let moved = moved.map(|from| format!(" ~ from {from}"));
                let renamed = renamed
                    .as_ref()
                    .map(|was| format!(" ~ was {}", was.name.as_str()));
                renamed.unwrap_or_default() + &moved.unwrap_or_default()
            }
            Mark::Added => " +".to_owned(),
            Mark::Removed => " -".to_owned(),
            Mark::Waits => " waits".to_owned(),
        };
        let held = if node.held.is_empty() { "" } else { " held" };
        let name = node.group.name.as_str();
        lines.push(format!("{:depth$}{name}{mark}{held}", ""));
    }
    lines
}

fn reorganised() -> Company {
    let mut company = Company::of(&[
        ("1", "Acme", "-"),
        ("2", "Marketing", "1"),
        ("3", "events", "2"),
        ("4", "Sales", "1"),
        ("5", "Fax", "4"),
        ("6", "Telex", "5"),
        ("7", "IT", "1"),
    ]);
    company.says(
        2,
        vec![
            exists(("2", "Brand", "1")),
            exists(("3", "events", "4")),
            exists(("7", "Tech", "4")),
            gone("5"),
            gone("6"),
            exists(("8", "Labs", "2")),
        ],
    );
    company.says(
        3,
        vec![
            exists(("4", "Sales", "7")),
            exists(("9", "Quantum", "unheard of")),
        ],
    );
    company
}

#[test]
fn a_hierarchy_is_drawn_by_name_without_marks() {
    let company = Company::of(&[
        ("1", "beta", "-"),
        ("2", "Alpha", "-"),
        ("3", "gamma", "2"),
        ("4", "Delta", "2"),
    ]);
    let projection = company.projected();
    let picture = Picture::of_hierarchy(Facts::default(), &projection.hierarchy, &[]);
    assert_eq!(drawn(&picture), ["Alpha", " Delta", " gamma", "beta"]);
    assert_eq!(picture.groups(), 4);
}

#[test]
fn a_plan_is_drawn_with_every_kind_of_change_and_what_goes_where_it_was() {
    let picture = reorganised().picture(Facts::default());
    assert_eq!(
        drawn(&picture),
        [
            "Acme",
            " Brand ~ was Marketing",
            "  Labs +",
            " Sales held",
            "  events ~ from Marketing [Team]",
            "  Fax -",
            "   Telex -",
            "  Tech ~ was IT ~ from Acme [Team]",
            "Quantum waits held",
        ]
    );
    assert_eq!(picture.groups(), 6);
}

#[test]
fn a_moved_group_points_to_where_its_parent_is_drawn_now() {
    let picture = reorganised().picture(Facts::default());
    let moved = picture.nodes().iter().find_map(|node| match &node.mark {
        Mark::Stays { moved, .. } if node.group.name.as_str() == "events" => moved.clone(),
        Mark::Stays { .. } | Mark::Added | Mark::Removed | Mark::Waits => None,
    });
    let at = moved.unwrap().at.unwrap();
    assert_eq!(picture.nodes()[at].group.name.as_str(), "Brand");
}

#[test]
fn what_goes_and_what_comes_under_its_name_are_two() {
    let mut company = Company::of(&[("1", "Old", "-"), ("2", "Other", "-")]);
    company.says(
        2,
        vec![exists(("1", "Ancient", "-")), exists(("2", "Old", "-"))],
    );
    company.says(3, vec![gone("1")]);
    let picture = company.picture(Facts::default());
    assert_eq!(drawn(&picture), ["Old -", "Old ~ was Other"]);
}

#[test]
fn why_something_is_held_is_said_in_words() {
    let picture = reorganised().picture(Facts::default());
    let held: Vec<&String> = picture.nodes().iter().flat_map(|node| &node.held).collect();
    assert_eq!(
        held,
        [
            "would be under Tech [Team], and so its own ancestor: Sales under Tech under Sales. Said by hr, as of 1970-01-01T00:00:03Z",
            "would be under the group with the key unheard of, of which nobody has said what it is. Said by hr, as of 1970-01-01T00:00:03Z",
        ]
    );
}

#[test]
fn the_same_picture_is_drawn_the_same() {
    let (one, other) = (reorganised(), reorganised());
    let draw = |company: &Company| {
        let picture = company.picture(Facts::default());
        (picture.to_html().unwrap(), picture.to_mermaid())
    };
    assert_eq!(draw(&one), draw(&other));
}

#[test]
fn a_chain_as_deep_as_a_hierarchy_can_be_is_drawn() {
    let keys: Vec<String> = (0..3_000).map(|at| at.to_string()).collect();
    let parent = |at: usize| if at == 0 { "-" } else { keys[at - 1].as_str() };
    let groups: Vec<(&str, &str, &str)> = (0..keys.len())
        .map(|at| (keys[at].as_str(), keys[at].as_str(), parent(at)))
        .collect();
    let picture = Company::of(&groups).picture(Facts::default());
    assert_eq!(picture.nodes().len(), 3_000);
    assert!(
        picture
            .nodes()
            .iter()
            .zip(0..)
            .all(|(node, at): (_, usize)| node.parent == at.checked_sub(1))
    );
    assert!(picture.to_mermaid().len() < 50_000);
}

#[test]
fn the_flowchart_of_a_small_plan() {
    let mut company = Company::of(&[("1", "Acme", "-"), ("2", "R&D", "1"), ("3", "Ops", "1")]);
    company.says(
        2,
        vec![
            exists(("2", "R&D", "3")),
            gone("3"),
            exists(("4", "Labs", "1")),
        ],
    );
    let text = company.picture(Facts::default()).to_mermaid();
    let body: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("classDef"))
        .collect();
    assert_eq!(
        body,
        [
            "flowchart LR",
            "  n0[\"Acme<br>Team\"]",
            "  n1[\"#43; Labs<br>Team\"]:::added",
            "  n2[\"Ops<br>Team\"]",
            "  n3[\"#126; R#38;D<br>Team<br>moved from Acme #91;Team#93;\"]:::changed",
            "  n0 --> n1",
            "  n0 --> n2",
            "  n2 --> n3",
            "  n0 -. was here .-> n3",
        ]
    );
}

/// Names of every kind, mostly of what a format may take for its own.
fn name() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "<",
        ">",
        "&",
        "\"",
        "'",
        "`",
        "#",
        ";",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "|",
        "%%",
        "%%{init: {}}%%",
        "-->",
        "</script>",
        "<!--",
        "]]>",
        "&lt;",
        "#quot;",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "ﬂ°°34¶ß",
        "style a:#1;",
        "classDef b:#1;",
        ":::held",
        "fa:fa-bolt",
        "end",
        "1. ",
        "- ",
        "**",
        "{{script}}",
        "{{data}}",
        "\\",
        "\\u003c",
        " ",
    ]);
    let piece = prop_oneof![odd.prop_map(str::to_owned), "\\PC{0,6}"];
    let text = prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat());
    text.prop_filter_map("no name", |text| {
        Name::new(&text).ok().map(|name| name.as_str().to_owned())
    })
}

/// What mermaid makes of a label: line breaks, and characters by their numbers.
fn read_label(label: &str) -> String {
    let mut read = String::new();
    let mut rest = label;
    while let Some((before, after)) = rest.split_once('#') {
        let (number, behind) = after.split_once(';').unwrap();
        read.push_str(before);
        read.push(char::from_u32(number.parse().unwrap()).unwrap());
        rest = behind;
    }
    read + rest
}

proptest! {
    #[test]
    fn no_label_is_more_than_a_label(name in name()) {
        let picture = Company::of(&[("1", name.as_str(), "-")]).picture(Facts::default());
        let text = picture.to_mermaid();
        let line = text.lines().nth(6).unwrap();
        let label = line.strip_prefix("  n0[\"").unwrap().strip_suffix("\"]").unwrap();
        let named = label.strip_suffix("<br>Team").unwrap();
        let is_plain = |c: char| c.is_alphanumeric() || c == ' ' || c == '#' || c == ';';
        prop_assert!(named.chars().all(is_plain), "{named}");
        prop_assert_eq!(read_label(named).replace('\u{2060}', ""), name.replace('\u{2060}', ""));
        prop_assert_eq!(text.lines().count(), 7);
    }

    #[test]
    fn every_name_stays_within_the_pages_data(names in prop::collection::btree_set(name(), 1..8), said in name()) {
        let keys: Vec<String> = (0..names.len()).map(|at| at.to_string()).collect();
        let groups: Vec<(&str, &str, &str)> = keys.iter().zip(&names).map(|(key, name)| (key.as_str(), name.as_str(), "-")).collect();
        let facts = Facts { title: said.clone(), waits: Some(said.clone()), approve: Some(said.clone()), ..Facts::default() };
        let page = Company::of(&groups).picture(facts).to_html().unwrap();
        let empty = Picture::default().to_html().unwrap();
        let (before, rest) = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
        let (data, after) = rest.split_once("</script>").unwrap();
        // All around the data is what it is around none.
        prop_assert!(empty.starts_with(before) && empty.ends_with(after));
        prop_assert!(!data.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{data}");
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        let mut read: Vec<&str> = data["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        read.sort_unstable();
        prop_assert_eq!(read, names.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(data["title"].as_str(), Some(said.as_str()));
    }
}

#[test]
fn a_flowchart_stays_within_what_mermaid_takes_and_says_what_it_leaves_out() {
    let keys: Vec<String> = (0..2_000).map(|at| at.to_string()).collect();
    let long = "#".repeat(150);
    // Two units of JavaScript's each.
    let wide = "𠀀".repeat(150);
    for (stem, changed) in [
        ("Team", 5),
        ("Team", 1_500),
        (long.as_str(), 1_500),
        (long.as_str(), 0),
        (wide.as_str(), 1_500),
    ] {
        let names: Vec<String> = keys.iter().map(|key| format!("{stem} {key}")).collect();
        let parent = |at: usize| {
            if at == 0 {
                "-"
            } else {
                keys[(at - 1) / 4].as_str()
            }
        };
        let groups: Vec<(&str, &str, &str)> = (0..keys.len())
            .map(|at| (keys[at].as_str(), names[at].as_str(), parent(at)))
            .collect();
        let mut company = Company::of(&groups);
        let moved = |at: usize| exists((keys[at].as_str(), names[at].as_str(), "0"));
        company.says(2, (1_999 - changed..1_999).map(moved).collect());
        let text = company.picture(Facts::default()).to_mermaid();
        let edges = text.matches("-->").count() + text.matches(".->").count();
        assert!(edges <= 500 && edges > 5, "{edges}");
        assert!(text.encode_utf16().count() <= 50_000, "{}", text.len());
        assert!(text.contains("]:::note") && text.contains("of 2000 groups"));
        if changed == 5 {
            // Those that move, those that they come from, and all above.
            assert_eq!(text.matches("]:::changed").count(), 5);
            assert!(text.lines().count() < 40);
        }
    }
}

#[test]
fn a_page_lets_nothing_run_but_its_own_script_and_is_small() {
    let page = Picture::default().to_html().unwrap();
    let policy = page
        .split("content=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.contains("connect-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    for outside in ["http:", "https:", "src=", "@import", "url(", "{{"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let handler = |word: &str| word.starts_with("on") && word.contains('=');
    let html = include_str!("page.html");
    assert!(!html.split_whitespace().any(handler));
    // They are a part of the function.
    let parts = [html, include_str!("page.css"), include_str!("page.js")];
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    assert!(bytes <= 20 * 1024, "{bytes}");
}

#[test]
fn a_live_page_asks_its_own_server_alone() {
    let page = html::live_page("picture.json").unwrap();
    assert!(page.contains("connect-src 'self'"));
    assert!(page.contains("{\"live\":\"picture.json\"}"));
}
