//! The model by example: one short history a sentence.

use super::{
    Delivery, Group, GroupRef, Held, HeldReason, Key, Ledger, Merged, Name, Parent, PersonId,
    PersonSays, Plan, Projection, Published, Relationship, Rules, Salt, Scope, SeedRows,
    SourceName, Stated, Statement, plan::Guard,
};
use crate::timestamp::Timestamp;

/// A ledger that grows, and what was last published of it.
struct Story {
    ledger: Ledger,
    published: Option<Published>,
    rules: Rules,
}

fn group(text: &str) -> Group {
    let (group_type, name) = text.split_once(' ').unwrap();
    super::statement::group(name, group_type).unwrap()
}

/// `Dept Sales`, or `#7 Dept Sales`, or `#7`.
fn reference(text: &str) -> GroupRef {
    let Some(keyed) = text.strip_prefix('#') else {
        return GroupRef::Named(group(text));
    };
    let (key, named) = match keyed.split_once(' ') {
        Some((key, named)) => (key, Some(group(named))),
        None => (keyed, None),
    };
    GroupRef::Keyed {
        key: Key::new(key).unwrap(),
        named,
    }
}

fn exists(text: &str, parent: &str) -> Statement {
    let parent = match parent {
        "-" => Parent::Top,
        "?" => Parent::NotSaid,
        parent => Parent::Under(reference(parent)),
    };
    Statement::Exists {
        group: reference(text),
        parent,
    }
}

fn gone(text: &str) -> Statement {
    Statement::Gone {
        group: reference(text),
    }
}

fn renamed(text: &str, to: &str) -> Statement {
    Statement::Renamed {
        group: group(text),
        key: None,
        to: Name::new(to).unwrap(),
    }
}

fn person(id: &str, chain: &[&str]) -> Statement {
    let says = PersonSays::In(chain.iter().map(|group| reference(group)).collect());
    Statement::Person {
        person: PersonId::new(id).unwrap(),
        says,
    }
}

fn left(id: &str) -> Statement {
    Statement::Person {
        person: PersonId::new(id).unwrap(),
        says: PersonSays::Left,
    }
}

impl Story {
    fn new() -> Self {
        let priorities = ["hr", "it", "capillary"].map(|name| (SourceName::new(name), 0));
        Self {
            ledger: Ledger::new(Salt::new([3; 32])),
            published: None,
            rules: Rules {
                priorities: priorities.into(),
                attach_roots: false,
            },
        }
    }

    fn says(&mut self, source: &str, at: i64, statements: Vec<Statement>) -> Merged {
        let at = Timestamp::from_seconds(at);
        self.ledger.merge(&Delivery {
            source: SourceName::new(source),
            event_id: None,
            received: Timestamp::from_seconds(1000),
            attempted: Timestamp::from_seconds(1000),
            statements: statements
                .into_iter()
                .map(|statement| Stated {
                    at: Some(at),
                    statement,
                })
                .collect(),
        })
    }

    fn seed(&mut self, at: i64, rows: &[(&str, &str)]) {
        let rows = rows.iter().map(|(text, parent)| Relationship {
            group: group(text),
            parent: (*parent != "-").then(|| group(parent)),
        });
        let rows = SeedRows::new(rows.collect()).unwrap();
        self.ledger
            .merge_seed(&rows, None, Timestamp::from_seconds(at));
    }

    fn project(&self) -> Projection {
        let published = self.published.as_ref();
        Projection::of(&self.ledger, published, &self.rules, &Merged::default())
    }

    fn plan(&self) -> Plan {
        self.project().plan(self.published.as_ref())
    }

    fn publish(&mut self) {
        self.published = Some(self.project().as_published());
    }

    /// What Calven would be sent, a line a group, in the rows' order.
    #[track_caller]
    fn check(&self, expected: &[(&str, &str)]) {
        let projection = self.project();
        let text = |group: &Group| format!("{} {}", group.group_type, group.name);
        let mut found: Vec<(String, String)> = projection
            .hierarchy
            .rows()
            .map(|(group, parent)| (text(group), parent.map_or("-".to_owned(), text)))
            .collect();
        let mut expected: Vec<(String, String)> = expected
            .iter()
            .map(|(group, parent)| ((*group).to_owned(), (*parent).to_owned()))
            .collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "held: {:?}", projection.held);
    }

    fn held(&self) -> Vec<(HeldReason, String)> {
        self.project()
            .held
            .into_iter()
            .map(|held| (held.reason, held.group.to_string()))
            .collect()
    }
}

#[test]
fn an_older_seed_that_comes_late_is_worth_saving_once() {
    let row = Relationship {
        group: group("Dept Sales"),
        parent: None,
    };
    let older = SeedRows::new(vec![row]).unwrap();
    let mut story = Story::new();
    story.seed(20, &[("Dept Support", "-")]);
    let known = story.ledger.clone();
    let at = Timestamp::from_seconds(10);
    assert!(story.ledger.merge_seed(&older, None, at).changed);
    assert_ne!(story.ledger, known);
    assert!(!story.ledger.merge_seed(&older, None, at).changed);
}

#[test]
fn a_parent_that_nobody_stated_is_a_top_level_group() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept Sales", "Div Europe")]);
    story.check(&[("Dept Sales", "Div Europe"), ("Div Europe", "-")]);
}

#[test]
fn a_late_duplicate_never_brings_a_group_back() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept Fax", "-")]);
    story.says("hr", 2, vec![gone("Dept Fax")]);
    story.says("hr", 1, vec![exists("Dept Fax", "-")]);
    story.check(&[]);
}

#[test]
fn a_late_event_does_not_undo_a_newer_one() {
    let mut story = Story::new();
    story.says("hr", 5, vec![exists("Dept Sales", "Div Europe")]);
    story.says("hr", 3, vec![exists("Dept Sales", "Div Asia")]);
    story.check(&[("Dept Sales", "Div Europe"), ("Div Europe", "-")]);
}

#[test]
fn a_rename_keeps_children_parent_and_what_persons_and_seeds_say() {
    for late in [false, true] {
        let mut story = Story::new();
        story.seed(1, &[("Div Mktg", "-"), ("Team Seeded", "Div Mktg")]);
        let rename = || vec![renamed("Div Mktg", "Marketing")];
        if late {
            story.says("hr", 5, rename());
        }
        story.says("hr", 2, vec![exists("Div Mktg", "Org Acme")]);
        story.says("hr", 3, vec![exists("Dept Brand", "Div Mktg")]);
        story.says("hr", 4, vec![person("p", &["Div Mktg", "Dept Events"])]);
        if !late {
            story.says("hr", 5, rename());
        }
        story.check(&[
            ("Dept Brand", "Div Marketing"),
            ("Dept Events", "Div Marketing"),
            ("Div Marketing", "Org Acme"),
            ("Org Acme", "-"),
            ("Team Seeded", "Div Marketing"),
        ]);
    }
}

#[test]
fn a_name_that_is_used_anew_after_a_rename_is_another_group() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept A", "Div X")]);
    story.says("hr", 9, vec![exists("Dept A", "Div Y")]);
    story.says("hr", 5, vec![renamed("Dept A", "B")]);
    story.check(&[
        ("Dept A", "Div Y"),
        ("Dept B", "Div X"),
        ("Div X", "-"),
        ("Div Y", "-"),
    ]);
}

#[test]
fn names_that_are_swapped_through_a_third_one_are_swapped() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("Dept A", "Div X"), exists("Dept B", "Div Y")],
    );
    story.publish();
    story.says(
        "hr",
        2,
        vec![
            renamed("Dept A", "T"),
            renamed("Dept B", "A"),
            renamed("Dept T", "B"),
        ],
    );
    story.check(&[
        ("Dept A", "Div Y"),
        ("Dept B", "Div X"),
        ("Div X", "-"),
        ("Div Y", "-"),
    ]);
    let counts = story.plan().counts();
    assert_eq!(
        (counts.renamed, counts.moved, counts.added, counts.removed),
        (2, 0, 0, 0)
    );
}

#[test]
fn a_group_with_a_key_is_renamed_by_saying_its_new_name() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("#1 Div Mktg", "-"), exists("#2 Dept Brand", "#1")],
    );
    story.publish();
    story.says("hr", 2, vec![exists("#1 Div Marketing", "-")]);
    story.check(&[("Dept Brand", "Div Marketing"), ("Div Marketing", "-")]);
    assert_eq!(
        story.plan().renamed,
        [(group("Div Mktg"), group("Div Marketing"))]
    );
    assert!(story.plan().moved.is_empty() && story.plan().removed.is_empty());
}

#[test]
fn keys_that_swap_names_are_two_renames() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("#1 Dept A", "Div X"), exists("#2 Dept B", "Div Y")],
    );
    story.publish();
    story.says(
        "hr",
        2,
        vec![exists("#1 Dept B", "Div X"), exists("#2 Dept A", "Div Y")],
    );
    story.check(&[
        ("Dept A", "Div Y"),
        ("Dept B", "Div X"),
        ("Div X", "-"),
        ("Div Y", "-"),
    ]);
    assert_eq!(story.plan().counts().renamed, 2);
}

#[test]
fn a_child_that_comes_before_its_parent_s_key_is_named_waits() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("#2 Dept Brand", "#1"), exists("#3 Team Web", "#2")],
    );
    story.check(&[]);
    let waits = |name: &str| (HeldReason::UnknownParent, name.to_owned());
    assert_eq!(story.held(), [waits("Brand"), waits("Web")]);
    story.says("hr", 2, vec![exists("#1 Div Marketing", "-")]);
    story.check(&[
        ("Dept Brand", "Div Marketing"),
        ("Div Marketing", "-"),
        ("Team Web", "Dept Brand"),
    ]);
    assert_eq!(story.held(), []);
}

#[test]
fn a_published_group_whose_new_parent_is_unknown_stays_where_it_is() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("#1 Div Europe", "-"), exists("#2 Dept Sales", "#1")],
    );
    story.publish();
    story.says("hr", 2, vec![exists("#2 Dept Sales", "#9")]);
    story.check(&[("Dept Sales", "Div Europe"), ("Div Europe", "-")]);
    assert_eq!(story.held().len(), 1);
}

#[test]
fn a_removed_group_stays_where_it_was_until_no_living_group_names_it() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![
            exists("Dept Sales", "Div Europe"),
            exists("Div Europe", "Org Acme"),
        ],
    );
    story.says("hr", 2, vec![gone("Div Europe")]);
    story.check(&[
        ("Dept Sales", "Div Europe"),
        ("Div Europe", "Org Acme"),
        ("Org Acme", "-"),
    ]);
    story.says("hr", 3, vec![exists("Dept Sales", "Org Acme")]);
    story.check(&[("Dept Sales", "Org Acme"), ("Org Acme", "-")]);
}

#[test]
fn a_cycle_is_held_and_released() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("Dept A", "-"), exists("Dept B", "Dept A")],
    );
    story.publish();
    story.says("hr", 2, vec![exists("Dept A", "Dept B")]);
    story.check(&[("Dept A", "-"), ("Dept B", "Dept A")]);
    let held = story.project().held;
    let cycle: Vec<&str> = held[0]
        .cycle
        .iter()
        .map(|group| group.group.as_str())
        .collect();
    assert_eq!((held[0].reason, cycle), (HeldReason::Cycle, vec!["A", "B"]));
    story.says("hr", 3, vec![exists("Dept B", "-")]);
    story.check(&[("Dept A", "Dept B"), ("Dept B", "-")]);
    assert_eq!(story.held(), []);
}

#[test]
fn of_a_cycle_the_newest_that_differs_from_what_is_published_is_held() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("Dept A", "Dept B"), exists("Dept B", "-")],
    );
    story.publish();
    // Newest is the old placing, said again; what differs is the other one.
    story.says("hr", 2, vec![exists("Dept B", "Dept A")]);
    story.says("hr", 3, vec![exists("Dept A", "Dept B")]);
    story.check(&[("Dept A", "Dept B"), ("Dept B", "-")]);
    assert_eq!(story.held(), [(HeldReason::Cycle, "B".to_owned())]);
}

#[test]
fn a_group_under_itself_is_a_cycle() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept A", "Dept A")]);
    story.check(&[("Dept A", "-")]);
    assert_eq!(story.held(), [(HeldReason::Cycle, "A".to_owned())]);
}

#[test]
fn a_snapshot_ends_what_is_older_and_not_in_it_whenever_it_comes() {
    let mut story = Story::new();
    story.says("hr", 9, vec![exists("Dept New", "-")]);
    story.says(
        "hr",
        5,
        vec![Statement::Complete(Scope::Groups), exists("Dept Kept", "-")],
    );
    story.says(
        "hr",
        1,
        vec![exists("Dept Old", "-"), exists("Dept Kept", "Div X")],
    );
    story.says("it", 1, vec![exists("Dept Theirs", "-")]);
    story.check(&[("Dept Kept", "-"), ("Dept New", "-"), ("Dept Theirs", "-")]);
}

#[test]
fn a_snapshot_of_one_group_s_children_ends_memberships_and_no_groups() {
    let mut story = Story::new();
    let member = |child: &str| Statement::Member {
        group: reference(child),
        parent: reference("#1"),
    };
    story.says(
        "hr",
        1,
        vec![
            exists("#1 Group All", "?"),
            exists("#2 Group A", "?"),
            exists("#3 Group B", "?"),
        ],
    );
    story.says(
        "hr",
        2,
        vec![
            Statement::Complete(Scope::ChildrenOf(reference("#1"))),
            member("#2"),
            member("#3"),
        ],
    );
    story.check(&[
        ("Group A", "Group All"),
        ("Group All", "-"),
        ("Group B", "Group All"),
    ]);
    story.says(
        "hr",
        3,
        vec![
            Statement::Complete(Scope::ChildrenOf(reference("#1"))),
            member("#3"),
        ],
    );
    story.check(&[
        ("Group A", "-"),
        ("Group All", "-"),
        ("Group B", "Group All"),
    ]);
}

#[test]
fn no_word_on_the_parent_is_no_claim_on_it() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept Sales", "Div Europe")]);
    story.says("hr", 2, vec![exists("Dept Sales", "?")]);
    story.check(&[("Dept Sales", "Div Europe"), ("Div Europe", "-")]);
}

#[test]
fn a_group_lives_while_any_source_s_claim_on_it_does() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept Sales", "-")]);
    story.says("it", 1, vec![exists("Dept Sales", "-")]);
    story.says("hr", 2, vec![gone("Dept Sales")]);
    story.check(&[("Dept Sales", "-")]);
    story.says("it", 3, vec![gone("Dept Sales")]);
    story.check(&[]);
}

#[test]
fn the_higher_priority_wins_and_then_the_newer_and_the_loser_is_reported() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept Sales", "Div A")]);
    story.says("it", 2, vec![exists("Dept Sales", "Div B")]);
    story.check(&[("Dept Sales", "Div B"), ("Div B", "-")]);
    story.rules.priorities.insert(SourceName::new("hr"), 1);
    story.check(&[("Dept Sales", "Div A"), ("Div A", "-")]);
    let conflicts = story.project().conflicts;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        conflicts[0].won.parent.as_ref().map(Name::as_str),
        Some("A")
    );
    assert_eq!(
        (
            conflicts[0].lost.parent.as_ref().map(Name::as_str),
            conflicts[0].lost.source.as_str()
        ),
        (Some("B"), "it")
    );
}

#[test]
fn statements_of_a_source_that_is_not_configured_do_not_count_and_are_reported() {
    let mut story = Story::new();
    story.says("old", 1, vec![exists("Dept Sales", "-")]);
    story.check(&[]);
    assert_eq!(
        story.project().warnings,
        ["source old is not configured: its statements do not count"]
    );
}

#[test]
fn one_mis_keyed_person_moves_no_department() {
    let mut story = Story::new();
    for id in 0..19 {
        story.says(
            "hr",
            1,
            vec![person(&id.to_string(), &["Div Europe", "Dept Sales"])],
        );
    }
    story.says("hr", 2, vec![person("wrong", &["Div Asia", "Dept Sales"])]);
    story.check(&[
        ("Dept Sales", "Div Europe"),
        ("Div Asia", "-"),
        ("Div Europe", "-"),
    ]);
    let conflicts = story.project().conflicts;
    assert_eq!(
        (conflicts[0].won.persons, conflicts[0].lost.persons),
        (Some(19), Some(1))
    );
    story.says("hr", 3, vec![left("wrong")]);
    story.check(&[("Dept Sales", "Div Europe"), ("Div Europe", "-")]);
}

#[test]
fn what_is_said_of_the_group_itself_wins_over_persons() {
    let mut story = Story::new();
    story.says("it", 1, vec![exists("Dept Sales", "Div Europe")]);
    story.says(
        "hr",
        2,
        vec![
            person("1", &["Div Asia", "Dept Sales"]),
            person("2", &["Div Asia", "Dept Sales"]),
        ],
    );
    story.check(&[
        ("Dept Sales", "Div Europe"),
        ("Div Asia", "-"),
        ("Div Europe", "-"),
    ]);
}

#[test]
fn the_last_person_who_leaves_takes_the_group_along() {
    let mut story = Story::new();
    story.says("hr", 1, vec![person("1", &["Div Europe", "Dept Sales"])]);
    story.says("hr", 2, vec![left("1")]);
    story.check(&[]);
}

#[test]
fn a_seed_silences_what_is_older_of_its_groups_and_leaves_the_others() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("Dept Sales", "Div A"), exists("Dept Other", "Div A")],
    );
    story.seed(5, &[("Dept Sales", "Div B"), ("Div B", "-")]);
    story.check(&[
        ("Dept Other", "Div A"),
        ("Dept Sales", "Div B"),
        ("Div A", "-"),
        ("Div B", "-"),
    ]);
    story.says("hr", 6, vec![exists("Dept Sales", "Div A")]);
    story.check(&[
        ("Dept Other", "Div A"),
        ("Dept Sales", "Div A"),
        ("Div A", "-"),
        ("Div B", "-"),
    ]);
    story.says("hr", 7, vec![gone("Dept Sales")]);
    story.check(&[("Dept Other", "Div A"), ("Div A", "-"), ("Div B", "-")]);
}

#[test]
fn an_end_that_is_newer_than_the_seed_ends_a_seeded_group_though_others_spoke_before() {
    let mut story = Story::new();
    story.says("it", 1, vec![exists("Dept Sales", "-")]);
    story.seed(5, &[("Dept Sales", "-")]);
    story.says("hr", 6, vec![gone("Dept Sales")]);
    story.check(&[]);
}

#[test]
fn a_seeded_group_that_nobody_speaks_of_stays_until_a_seed_without_it() {
    let mut story = Story::new();
    story.seed(5, &[("Dept Sales", "-")]);
    story.says("hr", 9, vec![Statement::Complete(Scope::Groups)]);
    story.check(&[("Dept Sales", "-")]);
    story.seed(10, &[]);
    story.check(&[]);
}

#[test]
fn a_key_s_older_names_still_bind_it_to_the_seed_s_group() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("#7 Div Mktg", "-")]);
    story.seed(5, &[("Div Mktg", "-"), ("Dept Brand", "Div Mktg")]);
    story.says("hr", 6, vec![exists("#7 Div Marketing", "-")]);
    story.check(&[("Dept Brand", "Div Marketing"), ("Div Marketing", "-")]);
}

#[test]
fn two_newer_persons_move_a_seeded_group_and_one_does_not() {
    let mut story = Story::new();
    story.seed(5, &[("Dept Sales", "Div A"), ("Div A", "-")]);
    let chain = ["Div B", "Dept Sales"];
    story.says("hr", 4, vec![person("old", &chain)]);
    story.says("hr", 6, vec![person("1", &chain)]);
    story.check(&[("Dept Sales", "Div A"), ("Div A", "-"), ("Div B", "-")]);
    story.says("hr", 7, vec![person("2", &chain)]);
    story.check(&[("Dept Sales", "Div B"), ("Div A", "-"), ("Div B", "-")]);
    story.says("hr", 8, vec![left("1"), left("2"), left("old")]);
    story.check(&[("Dept Sales", "Div A"), ("Div A", "-")]);
}

#[test]
fn organisations_of_one_name_are_told_apart_by_id_and_the_lowest_keeps_it() {
    let mut story = Story::new();
    story.says(
        "capillary",
        1,
        vec![exists("#10 Org Store", "-"), exists("#9 Org Store", "-")],
    );
    story.check(&[("Org Store", "-"), ("Org Store (10)", "-")]);
    assert_eq!(story.project().warnings.len(), 1);
    story.says("capillary", 2, vec![gone("#9 Org Store")]);
    story.check(&[("Org Store", "-")]);
}

#[test]
fn roots_are_attached_to_the_base_organisation_where_that_makes_no_cycle() {
    let mut story = Story::new();
    story.rules.attach_roots = true;
    story.says(
        "capillary",
        1,
        vec![exists("#2 Org Parent", "-"), exists("#3 Org Child", "#2")],
    );
    let capillary = SourceName::capillary();
    story.ledger.note_base(
        &capillary,
        Timestamp::from_seconds(1),
        Key::new("3").unwrap(),
    );
    story.says("hr", 1, vec![exists("Dept Sales", "Div Europe")]);
    story.check(&[
        ("Dept Sales", "Div Europe"),
        ("Div Europe", "Org Child"),
        ("Org Child", "Org Parent"),
        ("Org Parent", "-"),
    ]);
    story.says("hr", 2, vec![exists("Org Parent", "Holding Acme")]);
    story.check(&[
        ("Dept Sales", "Div Europe"),
        ("Div Europe", "Org Child"),
        ("Holding Acme", "-"),
        ("Org Child", "Org Parent"),
        ("Org Parent", "Holding Acme"),
    ]);
}

#[test]
fn names_that_differ_only_in_case_are_reported_and_both_kept() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("Dept Sales", "-"), exists("Dept SALES", "-")],
    );
    story.check(&[("Dept SALES", "-"), ("Dept Sales", "-")]);
    assert_eq!(
        story.project().warnings,
        [r#"these differ only in case: Dept "SALES", Dept "Sales""#]
    );
}

#[test]
fn a_time_far_ahead_of_ours_counts_as_the_time_of_receipt() {
    let mut story = Story::new();
    let merged = story.says("hr", 2_000_000, vec![exists("Dept Sales", "Div A")]);
    assert_eq!(merged.warnings.len(), 1);
    story.says("hr", 1001, vec![exists("Dept Sales", "Div B")]);
    story.check(&[("Dept Sales", "Div B"), ("Div B", "-")]);
}

#[test]
fn statements_without_a_time_are_as_of_their_event_s_first_attempt() {
    let mut story = Story::new();
    let attempt = |signed_at: i64| Delivery {
        source: SourceName::new("hr"),
        event_id: Some(Name::new("evt").unwrap()),
        received: Timestamp::from_seconds(1000),
        attempted: Timestamp::from_seconds(signed_at),
        statements: vec![Stated {
            at: None,
            statement: exists("Dept Sales", "Div A"),
        }],
    };
    story.ledger.merge(&attempt(10));
    story.says("hr", 20, vec![exists("Dept Sales", "Div B")]);
    let before = story.ledger.clone();
    story.ledger.merge(&attempt(30));
    assert_eq!(story.ledger, before);
    story.check(&[("Dept Sales", "Div B"), ("Div B", "-")]);
}

#[test]
fn the_guard_holds_what_exceeds_both_its_limits() {
    let mut story = Story::new();
    let names: Vec<String> = (0..20).map(|n| format!("Dept D{n}")).collect();
    story.says(
        "hr",
        1,
        names.iter().map(|name| exists(name, "-")).collect(),
    );
    story.publish();
    let guard = Guard::default();
    for (removed, holds) in [(4, false), (5, false), (6, true)] {
        let mut story = Story {
            ledger: story.ledger.clone(),
            published: story.published.clone(),
            rules: story.rules.clone(),
        };
        story.says(
            "hr",
            2,
            names.iter().take(removed).map(|name| gone(name)).collect(),
        );
        assert_eq!(
            guard.holds(&story.plan(), 20),
            holds,
            "{removed} of 20 removed"
        );
        assert!(
            !guard.holds(&story.plan(), 1000),
            "{removed} of 1000 removed"
        );
    }
}

#[test]
fn a_digest_stands_for_removals_and_moves_alone_and_is_good_once() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![
            exists("Dept A", "-"),
            exists("Dept B", "-"),
            exists("Dept C", "-"),
        ],
    );
    story.publish();
    story.says("hr", 2, vec![gone("Dept A"), exists("Dept B", "Dept C")]);
    let digest = story.plan().digest(0);
    let renamed_since = |story: &Story| story.plan().digest(0) == digest;
    story.says(
        "hr",
        3,
        vec![exists("Dept New", "-"), renamed("Dept C", "See")],
    );
    let added_since = story.plan();
    assert_eq!((added_since.added.len(), added_since.renamed.len()), (1, 1));
    assert!(renamed_since(&story));
    assert_ne!(added_since.digest(1), digest);
    story.says("hr", 4, vec![gone("Dept B")]);
    assert_ne!(story.plan().digest(0), digest);
}

#[test]
fn a_digest_outlasts_renames_of_what_moved_and_of_what_it_moved_to() {
    for keys in [["", "", ""], ["#1 ", "#2 ", "#3 "]] {
        let mut story = Story::new();
        let named = |index: usize, name: &str| format!("{}Dept {name}", keys[index]);
        story.says(
            "hr",
            1,
            vec![exists(&named(0, "A"), "-"), exists(&named(1, "B"), "-")],
        );
        story.publish();
        story.says(
            "hr",
            2,
            vec![
                exists(&named(2, "New"), "-"),
                exists(&named(0, "A"), "Dept New"),
            ],
        );
        let digest = story.plan().digest(0);
        let renames: Vec<Statement> = if keys[0].is_empty() {
            vec![renamed("Dept New", "Newer"), renamed("Dept A", "Ah")]
        } else {
            vec![exists("#3 Dept Newer", "-"), exists("#1 Dept Ah", "#3")]
        };
        story.says("hr", 3, renames);
        story.check(&[
            ("Dept Ah", "Dept Newer"),
            ("Dept B", "-"),
            ("Dept Newer", "-"),
        ]);
        assert_eq!(story.plan().digest(0), digest, "{keys:?}");
    }
}

#[test]
fn a_stale_statement_that_names_a_key_changes_the_ledger() {
    let mut story = Story::new();
    story.says("hr", 5, vec![exists("#1 Team Web", "#9")]);
    assert_eq!(
        story.held(),
        [(HeldReason::UnknownParent, "Web".to_owned())]
    );
    let merged = story.says("hr", 3, vec![exists("#1 Team Web", "#9 Dept Brand")]);
    assert!(merged.changed, "what it named #9 must be saved");
    story.check(&[("Dept Brand", "-"), ("Team Web", "Dept Brand")]);
    let again = story.says("hr", 3, vec![exists("#1 Team Web", "#9 Dept Brand")]);
    assert!(!again.changed);
}

#[test]
fn a_name_with_a_key_behind_it_is_no_longer_than_a_name_may_be() {
    let long = "\u{e9}".repeat(super::name::MAX_NAME_BYTES / 2);
    let mut story = Story::new();
    let orgs = ["#1", "#2"].map(|key| exists(&format!("{key} Org {long}"), "-"));
    story.says("capillary", 1, orgs.into());
    story.publish();
    let text = serde_json::to_string(&story.published).unwrap();
    let read: Option<Published> = serde_json::from_str(&text).unwrap();
    assert_eq!(read, story.published);
    assert_eq!(read.map(|read| read.groups()), Some(2));
}

#[test]
fn of_two_chains_that_point_against_each_other_every_link_that_closes_a_cycle_is_held() {
    let names: Vec<String> = (0..50).map(|n| format!("Dept {n:02}")).collect();
    let link = |pair: &[String]| (pair[0].clone(), pair[1].clone());
    let up: Vec<(String, String)> = names.windows(2).map(link).collect();
    let mut story = Story::new();
    let said = up.iter().map(|(child, parent)| exists(child, parent));
    story.says("hr", 1, said.collect());
    story.publish();
    let before = story.project().hierarchy;
    // Each link the other way round, and the ends tied together.
    let mut said: Vec<Statement> = up
        .iter()
        .map(|(child, parent)| exists(parent, child))
        .collect();
    said.push(exists(&names[0], &names[49]));
    story.says("hr", 2, said);
    assert_eq!(story.held().len(), 50);
    assert_eq!(story.project().hierarchy, before);
}

#[test]
fn a_long_way_of_renames_there_and_back_is_followed_to_its_end() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept A", "Div X")]);
    let there_and_back = (0..2001).map(|n| match n % 2 {
        0 => renamed("Dept A", "B"),
        _ => renamed("Dept B", "A"),
    });
    story.says("hr", 2, there_and_back.collect());
    story.check(&[("Dept B", "Div X"), ("Div X", "-")]);
}

#[test]
fn what_lies_below_an_unnamed_key_of_a_person_s_chain_waits_for_its_name() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![person("p", &["#1 Org Acme", "#2", "#3 Team X"])],
    );
    story.check(&[("Org Acme", "-")]);
    assert_eq!(story.held(), [(HeldReason::UnknownParent, "X".to_owned())]);
    story.says("hr", 2, vec![exists("#2 Dept Sales", "?")]);
    story.check(&[
        ("Dept Sales", "Org Acme"),
        ("Org Acme", "-"),
        ("Team X", "Dept Sales"),
    ]);
    assert_eq!(story.held(), []);
}

#[test]
fn a_snapshot_of_a_renamed_group_s_children_is_of_those_it_had_before_too() {
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("Dept A", "Div Mktg"), exists("Dept B", "Div Mktg")],
    );
    story.says("hr", 2, vec![renamed("Div Mktg", "Marketing")]);
    let member = Statement::Member {
        group: reference("Dept B"),
        parent: reference("Div Marketing"),
    };
    let complete = Statement::Complete(Scope::ChildrenOf(reference("Div Marketing")));
    story.says("hr", 3, vec![complete, member]);
    story.check(&[
        ("Dept A", "-"),
        ("Dept B", "Div Marketing"),
        ("Div Marketing", "-"),
    ]);
}

#[test]
fn an_organisation_that_a_seed_names_is_still_none_of_the_others_that_are_attached() {
    let mut story = Story::new();
    story.rules.attach_roots = true;
    story.says(
        "capillary",
        1,
        vec![exists("#2 Org Other", "-"), exists("#3 Org Base", "-")],
    );
    let capillary = SourceName::capillary();
    story.ledger.note_base(
        &capillary,
        Timestamp::from_seconds(1),
        Key::new("3").unwrap(),
    );
    story.seed(
        5,
        &[("Org Other", "-"), ("Org Base", "-"), ("Div Europe", "-")],
    );
    story.check(&[
        ("Div Europe", "Org Base"),
        ("Org Base", "-"),
        ("Org Other", "-"),
    ]);
    story.says("capillary", 6, vec![gone("#2 Org Other")]);
    story.says("hr", 7, vec![exists("Org Other", "-")]);
    story.check(&[
        ("Div Europe", "Org Base"),
        ("Org Base", "-"),
        ("Org Other", "Org Base"),
    ]);
}

#[test]
fn a_rename_that_is_thinned_out_is_new_only_once() {
    let mut story = Story::new();
    let renamed = |to: &str| Statement::Renamed {
        group: group("Dept A"),
        key: Some(Key::new("2").unwrap()),
        to: Name::new(to).unwrap(),
    };
    let first = vec![exists("#2 Dept C", "-"), renamed("C")];
    story.says("hr", 1, first.clone());
    story.says("hr", 2, vec![renamed("C")]);
    story.says("hr", 9, vec![Statement::Complete(Scope::Groups)]);
    let known = story.ledger.clone();
    let again = story.says("hr", 1, first);
    assert_eq!(story.ledger, known);
    assert!(!again.changed);
    let projection = Projection::of(&story.ledger, None, &story.rules, &again);
    assert_eq!((projection.applied, projection.stale), (0, 2));
}

/// Groups each under the next, and the last under the first.
fn ring(prefix: &str, count: usize) -> Vec<Statement> {
    let name = |at: usize| format!("Dept {prefix}{:05}", at % count);
    let placed = (0..count).map(|at| exists(&name(at), &name(at + 1)));
    placed.collect()
}

#[test]
fn a_long_cycle_concerns_those_whose_groups_are_in_it_and_nobody_else() {
    let mut story = Story::new();
    story.says("hr", 1, ring("r", 1_500));
    let concerned = |story: &Story, merged: &Merged| {
        let published = story.published.as_ref();
        let projection = Projection::of(&story.ledger, published, &story.rules, merged);
        assert_eq!(projection.held.len(), 1);
        assert_eq!(projection.held[0].cycle.len(), 1_000);
        assert_eq!(projection.held[0].cycle_groups, Some(1_500));
        projection.held_of_its_own().len()
    };
    let merged = story.says("it", 2, vec![exists("Dept Sales", "-")]);
    assert_eq!(concerned(&story, &merged), 0);
    // Neither is who names one of its groups as a parent.
    let merged = story.says("it", 2, vec![exists("Dept Support", "Dept r01200")]);
    assert_eq!(concerned(&story, &merged), 0);
    let held = story.project().held.remove(0);
    let told = |name: &str| held.cycle.iter().any(|group| group.group.as_str() == name);
    for name in ["r00000", "r00600", "r01200", "r01499"] {
        let (name, parent) = (name, "-");
        let said = exists(&format!("Dept {name}"), parent);
        let mut story = Story {
            ledger: story.ledger.clone(),
            published: None,
            rules: story.rules.clone(),
        };
        // It is older than what is known, and about a group of the cycle all the same.
        let merged = story.says("hr", 0, vec![said]);
        assert_eq!(concerned(&story, &merged), 1, "told: {}", told(name));
    }
    assert!(told("r00600") && !told("r01200"));
}

#[test]
fn the_cycles_of_others_leave_room_for_one_s_own_to_be_told() {
    let mut story = Story::new();
    for at in 0..12 {
        story.says("hr", 1, ring(&format!("a{at:02}x"), 1_000));
    }
    let merged = story.says("it", 2, ring("own", 500));
    let projection = Projection::of(&story.ledger, None, &story.rules, &merged);
    assert_eq!(projection.held.len(), 13);
    let told: usize = projection.held.iter().map(|held| held.cycle.len()).sum();
    assert_eq!(told, 10_000 + 2 * 2 + 500);
    let own = projection.held_of_its_own();
    assert_eq!(own.len(), 1);
    assert_eq!((own[0].cycle.len(), own[0].cycle_groups), (500, None));
}

#[test]
fn what_waits_of_one_s_own_groups_is_told_before_the_cycles_that_they_are_in() {
    let mut story = Story::new();
    story.says("hr", 2, vec![exists("Dept A", "Dept B")]);
    story.says("hr", 3, vec![exists("Dept B", "Dept A")]);
    let merged = story.says(
        "it",
        1,
        vec![exists("Dept A", "-"), exists("Dept X", "#unknown")],
    );
    let projection = Projection::of(&story.ledger, None, &story.rules, &merged);
    let groups = |held: &[Held]| {
        let groups = held.iter().map(|held| held.group.to_string());
        groups.collect::<Vec<String>>()
    };
    let own = projection.held_of_its_own();
    assert_eq!(groups(&own), ["X", "B"]);
}

#[test]
fn who_looks_is_told_cycles_whole() {
    let mut story = Story::new();
    story.says("hr", 1, ring("r", 1_500));
    let seen = Projection::to_look_at(&story.ledger, None, &story.rules);
    assert_eq!(seen.hierarchy, story.project().hierarchy);
    let [held] = seen.held.as_slice() else {
        panic!("{}", seen.held.len());
    };
    assert_eq!((held.cycle.len(), held.cycle_groups), (1_500, None));
}

#[test]
fn a_cycle_is_shortened_by_bytes_and_says_how_long_it_is() {
    let mut story = Story::new();
    story.says("hr", 1, ring("r", 1_200));
    let told = |most_bytes: usize| {
        let mut held = story.project().held.remove(0);
        held.shorten(most_bytes);
        (held.cycle.len(), held.cycle_groups)
    };
    assert_eq!(told(1_000_000), (1_000, Some(1_200)));
    // A name of six bytes and a type of four, in JSON.
    let one = r#"{"group":"r00000","groupType":"Dept"},"#.len();
    assert_eq!(told(10 * one), (10, Some(1_200)));
    assert_eq!(told(0), (2, Some(1_200)));
    story = Story::new();
    story.says("hr", 1, ring("r", 5));
    let mut held = story.project().held.remove(0);
    held.shorten(3 * one);
    assert_eq!((held.cycle.len(), held.cycle_groups), (3, Some(5)));
}

/// So many groups whose newest claim on a parent lost, under two parents with long names.
fn losing_claims(groups: usize) -> Story {
    let long = |letter: &str| letter.repeat(1_000);
    let (first, second) = (long("a"), long("b"));
    let mut story = Story::new();
    story.rules.priorities.insert(SourceName::new("hr"), 1);
    let under = |parent: &str| {
        let placed =
            (0..groups).map(|at| exists(&format!("Dept {at:05}"), &format!("Dept {parent}")));
        placed.collect::<Vec<_>>()
    };
    story.says("hr", 1, under(&first));
    story.says("it", 2, under(&second));
    story
}

#[test]
fn a_long_name_stands_in_memory_once_however_many_conflicts_name_it() {
    let projection = losing_claims(500).project();
    let (conflicts, own) = (&projection.conflicts, projection.conflicts_of_its_own());
    assert_eq!(conflicts.len(), 500);
    let text = |side: &crate::hierarchy::findings::Side| side.parent.clone().unwrap();
    let places = |of: fn(&crate::hierarchy::Conflict) -> &crate::hierarchy::findings::Side| {
        let all = conflicts.iter().chain(&own);
        all.map(|conflict| text(of(conflict)).as_str().as_ptr())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        (places(|c| &c.won).len(), places(|c| &c.lost).len()),
        (1, 1)
    );
}

#[test]
fn how_large_a_body_will_be_is_known_before_it_is_written() {
    let bytes = |hierarchy: &crate::hierarchy::Hierarchy| {
        let body = hierarchy.to_json().unwrap();
        assert_eq!(hierarchy.json_bytes(), body.len());
        body.len()
    };
    assert_eq!(
        bytes(&Story::new().project().hierarchy),
        r#"{"groupRelationships":[]}"#.len()
    );
    let mut story = Story::new();
    story.says(
        "hr",
        1,
        vec![exists("Dept é\"\\ü", "-"), exists("Dept b", "Dept é\"\\ü")],
    );
    bytes(&story.project().hierarchy);
    assert!(bytes(&losing_claims(100).project().hierarchy) > 100_000);
}

#[test]
fn of_a_plan_no_more_is_told_than_fits_what_goes_first() {
    let mut story = Story::new();
    story.says("hr", 1, vec![exists("Dept a", "-"), exists("Dept b", "-")]);
    story.publish();
    story.says(
        "hr",
        2,
        vec![
            gone("Dept a"),
            exists("Dept c", "-"),
            exists("Dept d", "Dept c"),
        ],
    );
    let projection = story.project();
    let whole = projection.plan(story.published.as_ref());
    assert_eq!((whole.removed.len(), whole.added.len()), (1, 2));
    for (most, told) in [(0, (0, 0)), (150, (1, 0)), (300, (1, 1)), (10_000, (1, 2))] {
        let mut plan = whole.clone();
        let untold = plan.shorten(most);
        assert_eq!((plan.removed.len(), plan.added.len()), told, "{most}");
        assert_eq!(untold + plan.len(), whole.len());
    }
}
