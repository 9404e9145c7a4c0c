use super::*;
use crate::{
    hierarchy::{
        Delivery, GroupRef, Key, Merged, Name, Parent, PersonId, PersonSays, Projection,
        Relationship, Salt, Scope, SeedRows, Stated, statement::group,
    },
    timestamp::Timestamp,
};

type Said = crate::hierarchy::Statement;

/// What some sources said, and what was published of it.
struct History {
    ledger: Ledger,
    published: Option<Published>,
    rules: Rules,
}

fn named(text: &str) -> Group {
    let (group_type, name) = text.split_once(' ').unwrap();
    group(name, group_type).unwrap()
}

/// `Dept Sales`, `#7 Dept Sales` or `#7`.
fn reference(text: &str) -> GroupRef {
    let Some(keyed) = text.strip_prefix('#') else {
        return GroupRef::Named(named(text));
    };
    let (key, of) = keyed.split_once(' ').unzip();
    GroupRef::Keyed {
        key: Key::new(key.unwrap_or(keyed)).unwrap(),
        named: of.map(named),
    }
}

fn exists(group: &str, parent: &str) -> Said {
    let parent = match parent {
        "-" => Parent::Top,
        "?" => Parent::NotSaid,
        parent => Parent::Under(reference(parent)),
    };
    let group = reference(group);
    Said::Exists { group, parent }
}

fn gone(group: &str) -> Said {
    let group = reference(group);
    Said::Gone { group }
}

fn renamed(group: &str, to: &str) -> Said {
    Said::Renamed {
        group: named(group),
        key: None,
        to: Name::new(to).unwrap(),
    }
}

fn person(id: &str, chain: &[&str]) -> Said {
    Said::Person {
        person: PersonId::new(id).unwrap(),
        says: PersonSays::In(chain.iter().map(|group| reference(group)).collect()),
    }
}

impl History {
    fn new() -> Self {
        let priorities = [("hr", 10), ("it", 0), ("people", 0)];
        let priorities = priorities.map(|(name, priority)| (SourceName::new(name), priority));
        Self {
            ledger: Ledger::new(Salt::new([3; 32])),
            published: None,
            rules: Rules {
                priorities: priorities.into(),
                attach_roots: false,
            },
        }
    }

    fn says(&mut self, source: &str, minute: i64, statements: Vec<Said>) {
        let at = Timestamp::from_seconds(60 * minute);
        let statements = statements.into_iter().map(|statement| Stated {
            at: Some(at),
            statement,
        });
        let received = Timestamp::from_seconds(60 * minute + 1);
        self.ledger.merge(&Delivery {
            source: SourceName::new(source),
            event_id: None,
            received,
            attempted: received,
            statements: statements.collect(),
        });
    }

    fn seed(&mut self, minute: i64, rows: &[(&str, &str)]) {
        let rows = rows.iter().map(|(group, parent)| Relationship {
            group: named(group),
            parent: (*parent != "-").then(|| named(parent)),
        });
        let rows = SeedRows::new(rows.collect()).unwrap();
        let at = Timestamp::from_seconds(60 * minute);
        self.ledger.merge_seed(&rows, None, at);
    }

    fn project(&self) -> Projection {
        let published = self.published.as_ref();
        Projection::of(&self.ledger, published, &self.rules, &Merged::default())
    }

    fn publish(&mut self) {
        self.published = Some(self.project().as_published());
    }

    fn try_explain(&self, group: &str) -> Result<Explanation, Unknown> {
        let published = self.published.as_ref();
        Explanation::of(&self.ledger, published, &self.rules, &named(group))
    }

    #[track_caller]
    fn explain(&self, group: &str) -> Explanation {
        let explanation = self.try_explain(group).unwrap();
        // It decides nothing itself.
        let hierarchy = self.project().hierarchy;
        let is = group_of(&explanation);
        let row = hierarchy.rows().find(|(group, _)| **group == is);
        assert_eq!(explanation.exists, row.is_some(), "{is}");
        let parent = row.and_then(|(_, parent)| parent);
        assert_eq!(explanation.parent, ParentText::of(parent), "{is}");
        let children = hierarchy.rows().filter(|(_, parent)| *parent == Some(&is));
        assert_eq!(explanation.children, children.count(), "{is}");
        explanation
    }
}

fn group_of(explanation: &Explanation) -> Group {
    group(&explanation.group, &explanation.group_type).unwrap()
}

/// Each statement in a line, `!` before what does not count, and why.
fn said(explanation: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    for source in &explanation.sources {
        for said in &source.said {
            let what = serde_json::to_value(&said.says).unwrap();
            let what = what["what"].as_str().unwrap().to_owned();
            let why = said.because.as_deref();
            lines.push(line(&source.source, &what, said.counts, why));
        }
        for persons in &source.persons {
            let what = format!("{} persons {}", persons.persons, persons.parent);
            let why = persons.because.as_deref();
            lines.push(line(&source.source, &what, persons.counts, why));
        }
    }
    lines
}

fn line(source: &str, what: &str, counts: bool, because: Option<&str>) -> String {
    assert_eq!(counts, because.is_none());
    match because {
        None => format!("{source} {what}"),
        Some(because) => format!("! {source} {what}: {because}"),
    }
}

/// A history's word on a group: who said what, and why it stands there.
#[track_caller]
fn check(history: &History, group: &str, expected_said: &[&str], expected_why: &[&str]) {
    let explanation = history.explain(group);
    assert_eq!(said(&explanation), expected_said);
    assert_eq!(explanation.why, expected_why);
}

#[test]
fn of_two_sources_the_one_of_higher_priority_wins() {
    let mut history = History::new();
    history.says("hr", 1, vec![exists("Dept Fax", "Div Ops")]);
    history.says("it", 2, vec![exists("Dept Fax", "Div Tech")]);
    check(
        &history,
        "Dept Fax",
        &[
            "hr placed",
            "! it placed: hr (priority 10) is over it (priority 0)",
        ],
        &[
            "it exists: so say hr and it",
            "hr (priority 10) decides on its parent: under Div \"Ops\", as of 1970-01-01T00:01:00Z",
            "over it (priority 0), which says under Div \"Tech\": the higher priority wins",
        ],
    );
}

#[test]
fn of_two_sources_of_one_priority_the_newer_wins() {
    let mut history = History::new();
    history.says("people", 1, vec![exists("Dept Fax", "Div Ops")]);
    history.says("it", 2, vec![exists("Dept Fax", "Div Tech")]);
    history.says("hr", 3, vec![exists("Dept Fax", "?")]);
    check(
        &history,
        "Dept Fax",
        &[
            "hr exists",
            "it placed",
            "! people placed: it is newer, as of 1970-01-01T00:02:00Z",
        ],
        &[
            "it exists: so say hr, it and people",
            "it (priority 0) decides on its parent: under Div \"Tech\", as of 1970-01-01T00:02:00Z",
            "over people (priority 0), which says under Div \"Ops\": of equal priority the newer wins",
        ],
    );
}

#[test]
fn of_persons_only_counts_are_told() {
    let mut history = History::new();
    let persons = [("1", "Div Ops"), ("2", "Div Tech"), ("3", "Div Ops")];
    let persons = persons.map(|(id, division)| person(id, &[division, "Dept Fax"]));
    history.says("people", 1, persons.to_vec());
    check(
        &history,
        "Dept Fax",
        &[
            "people 2 persons under Div \"Ops\"",
            "people 1 persons under Div \"Tech\"",
        ],
        &[
            "it exists: so say 3 persons of people",
            "2 of 3 persons of people decide on its parent: under Div \"Ops\"",
            "over 1 person of people (under Div \"Tech\"): among persons of a source the parent that most of them name wins, then the newest",
        ],
    );
    history.says("it", 2, vec![exists("Dept Fax", "-")]);
    let fax = history.explain("Dept Fax");
    assert_eq!(
        fax.why.get(2).unwrap(),
        "over 2 persons of people (under Div \"Ops\"): what is said of the group itself counts before what persons imply"
    );
    let text = serde_json::to_string(&fax).unwrap();
    let plain = serde_json::to_value(&history.ledger).unwrap();
    let persons = plain["sources"]["people"]["persons"].as_object().unwrap();
    assert_eq!(persons.len(), 3);
    assert!(
        persons.keys().all(|person| !text.contains(person.as_str())),
        "{text}"
    );
}

#[test]
fn who_names_the_same_parent_or_none_has_lost_nothing() {
    let people = |parent: &str| {
        vec![
            person("1", &[parent, "Dept Fax"]),
            person("2", &["Dept Fax"]),
        ]
    };
    let seed = "1970-01-01T00:01:00Z";
    let seeded = || {
        let mut history = History::new();
        history.seed(1, &[("Dept Fax", "Div Ops"), ("Div Ops", "-")]);
        history
    };
    // A source decides.
    let mut history = seeded();
    history.says("people", 2, people("Div Ops"));
    history.says("hr", 3, vec![exists("Dept Fax", "Div Ops")]);
    assert_eq!(
        history.explain("Dept Fax").why[1..],
        [
            "hr (priority 10) decides on its parent: under Div \"Ops\", as of 1970-01-01T00:03:00Z"
                .to_owned(),
            "1 person of people says the same".to_owned(),
            format!("the seed as of {seed} says the same"),
        ]
    );
    // The seed does.
    let mut history = seeded();
    history.says("people", 2, people("Div Ops"));
    assert_eq!(
        history.explain("Dept Fax").why[1..],
        [
            format!(
                "the seed as of {seed} decides on its parent: under Div \"Ops\"; nothing newer is said of it"
            ),
            "1 person of people says the same".to_owned(),
        ]
    );
    // Persons of one source do.
    let mut history = History::new();
    history.says("people", 2, people("Div Ops"));
    history.says("hr", 2, people("Div Ops"));
    history.says("hr", 3, vec![person("3", &["Div Ops", "Dept Fax"])]);
    assert_eq!(
        history.explain("Dept Fax").why[1..],
        [
            "2 of 3 persons of hr decide on its parent: under Div \"Ops\"",
            "1 person of people says the same",
        ]
    );
}

#[test]
fn what_is_not_newer_than_a_seed_does_not_count() {
    let mut history = History::new();
    history.says("hr", 1, vec![exists("Dept Fax", "Div Tech")]);
    history.says("people", 1, vec![person("1", &["Div Tech", "Dept Fax"])]);
    history.seed(2, &[("Dept Fax", "Div Ops"), ("Div Ops", "-")]);
    history.says("people", 3, vec![person("2", &["Div Tech", "Dept Fax"])]);
    let seed = "1970-01-01T00:02:00Z";
    check(
        &history,
        "Dept Fax",
        &[
            &format!("! hr placed: it is not newer than the seed as of {seed}"),
            "people 1 persons under Div \"Tech\"",
            &format!(
                "! people 1 persons under Div \"Tech\": they are not newer than the seed as of {seed}"
            ),
        ],
        &[
            &format!("it exists: so say 1 person of people and the seed as of {seed}"),
            &format!(
                "the seed as of {seed} decides on its parent: under Div \"Ops\"; nothing newer is said of it"
            ),
            "over 1 person of people (under Div \"Tech\"): persons win over a seed once at least two, and the most, name the same other parent",
        ],
    );
    history.says("people", 4, vec![person("3", &["Div Tech", "Dept Fax"])]);
    let why = history.explain("Dept Fax").why;
    assert_eq!(
        why[1],
        "2 of 2 persons of people decide on its parent: under Div \"Tech\""
    );
    assert!(why[2].starts_with("over the seed as of"), "{why:?}");
    history.says("hr", 5, vec![exists("Dept Fax", "Div Tech")]);
    let why = history.explain("Dept Fax").why;
    let over = format!("over the seed as of {seed}: what is newer than a seed counts");
    assert_eq!(why.last(), Some(&over));
}

#[test]
fn a_group_is_found_by_the_names_that_it_had() {
    let mut history = History::new();
    history.says("hr", 1, vec![exists("Div Mktg", "-")]);
    history.says("hr", 2, vec![renamed("Div Mktg", "Marketing")]);
    history.says("it", 1, vec![exists("#7 Div Adverts", "-")]);
    history.says("it", 2, vec![exists("#7 Div Marketing", "-")]);
    for (asked, asked_as) in [
        ("Div Marketing", None),
        ("Div Mktg", Some("Mktg")),
        ("Div Adverts", Some("Adverts")),
    ] {
        let explanation = history.explain(asked);
        assert_eq!(explanation.group, "Marketing");
        assert_eq!(explanation.asked_as.as_deref(), asked_as);
        let expected = [
            "hr placed",
            "hr renamed",
            "! it named: it has another name as of 1970-01-01T00:02:00Z",
            "it named",
            "it placed",
        ];
        assert_eq!(said(&explanation), expected);
    }
    // The name is another group's by now, and so means that one.
    history.says("it", 3, vec![exists("#8 Div Adverts", "-")]);
    let adverts = history.explain("Div Adverts");
    assert_eq!(
        (adverts.group.as_str(), adverts.asked_as),
        ("Adverts", None)
    );
    let other = "another group that bore this name is Div \"Marketing\" now";
    assert_eq!(adverts.why.last().unwrap(), other);
}

#[test]
fn what_is_published_is_told_by_the_name_that_it_has_there() {
    let mut history = History::new();
    history.says("hr", 1, vec![exists("Div Mktg", "Div Ops")]);
    history.publish();
    history.says("hr", 2, vec![renamed("Div Mktg", "Marketing")]);
    let expected = Some((named("Div Mktg"), Some(named("Div Ops"))));
    assert_eq!(history.explain("Div Marketing").published, expected);
    assert_eq!(history.explain("Div Mktg").published, expected);
    history.says("hr", 3, vec![exists("Div New", "-")]);
    assert_eq!(history.explain("Div New").published, None);
}

#[test]
fn a_cycle_waits_and_says_what_frees_it() {
    let mut history = History::new();
    history.says(
        "hr",
        1,
        vec![exists("Dept A", "-"), exists("Dept B", "Dept A")],
    );
    history.publish();
    history.says("hr", 2, vec![exists("Dept A", "Dept B")]);
    check(
        &history,
        "Dept A",
        &[
            "! hr placed: something newer was said as of 1970-01-01T00:02:00Z",
            "! hr placed: it waits",
        ],
        &[
            "it exists: so say hr",
            "hr (priority 10) decides on its parent: under Dept \"B\", as of 1970-01-01T00:02:00Z",
            "but what decides waits: until then it stays at the top",
        ],
    );
    // Who is in the cycle is told of it too.
    for group in ["Dept A", "Dept B"] {
        let waits = history.explain(group).waits;
        assert_eq!(waits.len(), 1, "{group}");
        assert_eq!(waits[0].held.reason, HeldReason::Cycle);
        assert!(
            waits[0]
                .freed_by
                .contains("once a group of the cycle is placed elsewhere")
        );
    }
}

#[test]
fn a_parent_that_nobody_named_is_waited_for() {
    let mut history = History::new();
    history.says("hr", 1, vec![exists("#1 Dept A", "#9")]);
    history.says("people", 1, vec![person("1", &["#9", "Dept B"])]);
    let waiting = history.explain("Dept A");
    assert!(!waiting.exists);
    assert_eq!(
        waiting.why,
        ["it is not in the hierarchy yet: what is said of it waits"]
    );
    assert_eq!(said(&waiting), ["hr named", "! hr placed: it waits"]);
    let freed_by = "takes effect by itself once hr names the group of the key 9";
    assert_eq!(waiting.waits[0].freed_by, freed_by);
    let by_person = history.explain("Dept B");
    let expected = "! people 1 persons under the key \"9\", which nobody has named: they wait";
    assert_eq!(said(&by_person), [expected]);
    history.says("hr", 2, vec![exists("#9 Div Ops", "-")]);
    let placed = history.explain("Dept A");
    assert_eq!(placed.waits, []);
    assert_eq!(placed.parent.to_string(), "under Div \"Ops\"");
}

#[test]
fn what_waits_for_a_key_takes_over_and_what_decides_meanwhile_does_not_wait() {
    let mut history = History::new();
    history.says("hr", 1, vec![exists("Dept A", "#99")]);
    history.says("it", 2, vec![exists("Dept A", "Div Ops")]);
    check(
        &history,
        "Dept A",
        &["! hr placed: it waits", "it placed"],
        &[
            "it exists: so say hr and it",
            "it (priority 0) decides on its parent: under Div \"Ops\", as of 1970-01-01T00:02:00Z",
            "hr (priority 10) says under the key \"99\", which nobody has named: that waits, and takes over once the key is named",
        ],
    );
    // A group that has its name, and waits itself.
    history.says("hr", 3, vec![exists("#99 Div Tech", "#100")]);
    assert_eq!(
        history.explain("Dept A").why[2..],
        [
            "hr (priority 10) says under Div \"Tech\": that waits, and takes over once that group waits no more"
        ]
    );
    history.says("hr", 4, vec![exists("#100 Div Up", "-")]);
    let placed = history.explain("Dept A");
    assert_eq!(placed.parent.to_string(), "under Div \"Tech\"");
    // What is published stays while what decides waits.
    history.publish();
    history.says("hr", 5, vec![exists("Dept A", "#7")]);
    assert_eq!(
        history.explain("Dept A").why.last().unwrap(),
        "but what decides waits: until then it stays under Div \"Tech\""
    );
}

#[test]
fn beside_what_waits_a_seed_says_that_nothing_newer_counts_yet() {
    let mut history = History::new();
    history.seed(1, &[("Dept A", "-")]);
    history.says("hr", 2, vec![exists("Dept A", "#99")]);
    assert_eq!(
        history.explain("Dept A").why[1..],
        [
            "the seed as of 1970-01-01T00:01:00Z decides on its parent: at the top; nothing newer counts yet",
            "hr (priority 10) says under the key \"99\", which nobody has named: that waits, and takes over once the key is named",
        ]
    );
}

#[test]
fn a_group_that_is_gone_says_so_and_one_that_only_stays_says_for_whom() {
    let mut history = History::new();
    history.says(
        "hr",
        1,
        vec![exists("Dept A", "Div Ops"), exists("Team X", "Dept A")],
    );
    history.says("hr", 2, vec![gone("Dept A")]);
    check(
        &history,
        "Dept A",
        &[
            "! hr placed: it was said to be gone as of 1970-01-01T00:02:00Z",
            "hr gone",
        ],
        &[
            "it is gone by all that is said of it, but it is the parent of Team \"X\", so it stays under Div \"Ops\" until it is no more",
        ],
    );
    history.says("hr", 3, vec![gone("Team X")]);
    let why = ["it is gone: so say hr as of 1970-01-01T00:02:00Z"];
    assert_eq!(history.explain("Dept A").why, why);
    history.says("hr", 4, vec![exists("Team X", "Dept A")]);
    let named_only = "nobody states the group itself: it is the parent of Dept \"A\", so it is there, at the top";
    assert_eq!(history.explain("Div Ops").why, [named_only]);
    history.says("it", 1, vec![exists("Dept A", "-")]);
    let first = history.explain("Dept A").why.remove(0);
    assert_eq!(first, "it exists: so say it");
}

#[test]
fn what_a_snapshot_left_out_is_told_to_be_left_out() {
    let mut history = History::new();
    history.says("hr", 1, vec![exists("Dept A", "-"), exists("Dept B", "-")]);
    let all = Said::Complete(Scope::Groups);
    history.says("hr", 2, vec![exists("Dept B", "-"), all]);
    let left_out =
        "! hr placed: all groups were said as of 1970-01-01T00:02:00Z, and it was not among them";
    assert_eq!(said(&history.explain("Dept A")), [left_out]);
}

#[test]
fn a_source_that_is_not_configured_is_told_and_does_not_count() {
    let mut history = History::new();
    history.says("old", 1, vec![exists("Dept A", "-")]);
    history.says("old", 1, vec![person("1", &["Div Ops", "Dept A"])]);
    let explanation = history.explain("Dept A");
    let why = "the source is not configured";
    assert_eq!(
        said(&explanation),
        [
            format!("! old placed: {why}"),
            format!("! old 1 persons under Div \"Ops\": {why}")
        ]
    );
    assert_eq!(explanation.sources[0].priority, None);
    assert_eq!(explanation.why, ["nothing that counts claims it"]);
}

#[test]
fn a_group_that_nobody_knows_is_refused_with_the_nearest() {
    let mut history = History::new();
    history.says("hr", 1, vec![exists("Div Marketing", "-")]);
    let unknown = history.try_explain("Div marketing").unwrap_err();
    assert_eq!(unknown.nearest, [named("Div Marketing")]);
    assert_eq!(history.try_explain("Dept Fax").unwrap_err().nearest, []);
}

#[test]
fn what_is_below_is_counted_at_any_depth() {
    let mut history = History::new();
    let groups = [
        ("Dept A", "Div Ops"),
        ("Team X", "Dept A"),
        ("Team Y", "Dept A"),
    ];
    history.says(
        "hr",
        1,
        groups.map(|(group, parent)| exists(group, parent)).to_vec(),
    );
    let operations = history.explain("Div Ops");
    assert_eq!((operations.children, operations.below), (1, 3));
}

#[test]
fn a_published_group_that_a_newer_seed_leaves_out_is_known_still() {
    let mut history = History::new();
    history.seed(1, &[("Dept A", "-")]);
    history.publish();
    history.seed(2, &[]);
    let left_out = history.explain("Dept A");
    assert!(!left_out.exists);
    let why = "a newer seed than the one as of 1970-01-01T00:01:00Z leaves it out, and nobody else claims it";
    assert_eq!(left_out.why, [why]);
    assert_eq!(left_out.published, Some((named("Dept A"), None)));
}

#[test]
fn a_group_anywhere_in_a_long_cycle_is_told_that_it_waits() {
    let mut history = History::new();
    let name = |at: usize| format!("Dept {:05}", at % 1_500);
    let placed = (0..1_500).map(|at| exists(&name(at), &name(at + 1)));
    history.says("hr", 1, placed.collect());
    history.says("hr", 1, vec![exists("Dept Sales", "-")]);
    for at in [0, 700, 1_400, 1_499] {
        let told = history.explain(&name(at));
        let [waits] = told.waits.as_slice() else {
            panic!("{at}: {:?}", told.waits.len());
        };
        assert_eq!(waits.held.cycle.len(), 1_500);
        assert_eq!(waits.held.cycle_groups, None);
    }
    assert!(history.explain("Dept Sales").waits.is_empty());
}

#[test]
fn who_is_in_the_untold_part_of_a_cycle_is_told_of_it_though_it_waits_for_another_that_may_be_meant()
 {
    let [lead, other, asked] = [0, 1, 2].map(<GroupId as crate::hierarchy::table::Number>::new);
    let waits = |concern: Concern, length: usize| {
        let waiting = Waiting {
            group: lead,
            by: crate::hierarchy::claims::By::Nobody,
            at: Stamp::default(),
            why: Why::Cycle {
                parent: other,
                cycle: vec![lead, other],
                length,
            },
            concern,
        };
        concerns(&waiting, asked)
    };
    assert!(waits(Concern::Itself, 5));
    assert!(waits(Concern::InCycle, 5));
    assert!(!waits(Concern::None, 5));
    assert!(!waits(Concern::Itself, 2));
}
