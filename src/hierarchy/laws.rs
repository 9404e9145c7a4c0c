//! The laws of the model, on random histories. `PROPTEST_CASES` says how many; CI runs 10,000 each.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, sample::select};

use super::{
    Delivery, Document, Group, GroupRef, Key, Ledger, Merged, Name, Parent, PersonId, PersonSays,
    Plan, Projection, Published, Relationship, Remembered, Rules, Salt, Scope, SeedRows,
    SourceName, Stated, Statement, explain::Explanation, findings::GroupText, published::Undo,
};
use crate::timestamp::Timestamp;

const SOURCES: [&str; 4] = ["names", "ids", "mixed", "capillary"];

/// Something that comes in.
#[derive(Clone)]
enum Arrival {
    Delivery(Delivery),
    Seed(SeedRows, Timestamp),
}

/// One line a statement, so that a shrunk history can be read.
impl std::fmt::Debug for Arrival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |group: &GroupRef| match group {
            GroupRef::Named(group) => group.to_string(),
            GroupRef::Keyed {
                key,
                named: Some(group),
            } => format!("#{} ({group})", key.as_str()),
            GroupRef::Keyed { key, named: None } => format!("#{}", key.as_str()),
        };
        let delivery = match self {
            Self::Seed(rows, at) => {
                writeln!(f, "seed @{}", at.seconds())?;
                for Relationship { group, parent } in rows.rows() {
                    writeln!(
                        f,
                        "    {group} under {}",
                        parent.as_ref().map_or("-".to_owned(), ToString::to_string)
                    )?;
                }
                return Ok(());
            }
            Self::Delivery(delivery) => delivery,
        };
        writeln!(
            f,
            "{} received {}",
            delivery.source,
            delivery.received.seconds()
        )?;
        for Stated { at, statement } in &delivery.statements {
            write!(f, "    @{} ", at.map_or(-1, Timestamp::seconds))?;
            match statement {
                Statement::Exists {
                    group,
                    parent: Parent::Under(parent),
                } => writeln!(f, "{} under {}", text(group), text(parent))?,
                Statement::Exists {
                    group,
                    parent: Parent::Top,
                } => writeln!(f, "{} at the top", text(group))?,
                Statement::Exists {
                    group,
                    parent: Parent::NotSaid,
                } => writeln!(f, "{} exists", text(group))?,
                Statement::Member { group, parent } => {
                    writeln!(f, "{} member of {}", text(group), text(parent))?
                }
                Statement::Gone { group } => writeln!(f, "{} gone", text(group))?,
                Statement::Renamed { group, key, to } => {
                    writeln!(f, "{group} {key:?} renamed {to}")?
                }
                Statement::Person {
                    says: PersonSays::In(groups),
                    ..
                } => writeln!(
                    f,
                    "person in {}",
                    groups.iter().map(text).collect::<Vec<_>>().join(" > ")
                )?,
                Statement::Person {
                    says: PersonSays::Left,
                    ..
                } => writeln!(f, "person left")?,
                Statement::Complete(scope) => writeln!(f, "complete {scope:?}")?,
            }
        }
        Ok(())
    }
}

fn group(name: &str, group_type: &str) -> Group {
    super::statement::group(name, group_type).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn any_group() -> impl Strategy<Value = Group> {
    (
        select(vec!["A", "B", "C", "D"]),
        select(vec!["Department", "Division"]),
    )
        .prop_map(|(name, kind)| group(name, kind))
}

fn any_key() -> impl Strategy<Value = Key> {
    select(vec!["1", "2", "3", "10"]).prop_map(|key| Key::new(key).unwrap())
}

fn any_ref(source: &'static str) -> BoxedStrategy<GroupRef> {
    let named = any_group().prop_map(GroupRef::Named);
    let keyed = (any_key(), proptest::option::weighted(0.7, any_group()))
        .prop_map(|(key, named)| GroupRef::Keyed { key, named });
    match source {
        "names" => named.boxed(),
        "ids" | "capillary" => keyed.boxed(),
        _ => prop_oneof![named, keyed].boxed(),
    }
}

fn any_statement(source: &'static str) -> BoxedStrategy<Statement> {
    let parent = || {
        prop_oneof![
            4 => any_ref(source).prop_map(Parent::Under),
            1 => Just(Parent::Top),
            1 => Just(Parent::NotSaid),
        ]
    };
    let key = match source {
        "names" => Just(None).boxed(),
        "ids" | "capillary" => any_key().prop_map(Some).boxed(),
        _ => proptest::option::of(any_key()).boxed(),
    };
    let says = prop_oneof![
        4 => proptest::collection::vec(any_ref(source), 0..4).prop_map(PersonSays::In),
        1 => Just(PersonSays::Left),
    ];
    let person = select(vec!["p1", "p2", "p3"]).prop_map(|id| PersonId::new(id).unwrap());
    prop_oneof![
        8 => (any_ref(source), parent()).prop_map(|(group, parent)| Statement::Exists { group, parent }),
        2 => (any_ref(source), any_ref(source)).prop_map(|(group, parent)| Statement::Member { group, parent }),
        3 => any_ref(source).prop_map(|group| Statement::Gone { group }),
        3 => (any_group(), key, select(vec!["A", "B", "C", "D", "E"]))
            .prop_map(|(group, key, to)| Statement::Renamed { group, key, to: Name::new(to).unwrap() }),
        4 => (person, says).prop_map(|(person, says)| Statement::Person { person, says }),
        1 => prop_oneof![
            Just(Scope::Groups),
            Just(Scope::Persons),
            any_ref(source).prop_map(Scope::ChildrenOf),
        ].prop_map(Statement::Complete),
    ]
    .boxed()
}

fn any_delivery() -> impl Strategy<Value = Delivery> {
    select(SOURCES.to_vec()).prop_flat_map(|source| {
        let statements = proptest::collection::vec((0..12_i64, any_statement(source)), 1..4);
        (statements, 0..30_i64, any::<bool>()).prop_map(move |(statements, received, one_time)| {
            let first = statements.first().map_or(0, |(at, _)| *at);
            let statements = statements
                .into_iter()
                .map(|(own, statement)| Stated {
                    at: Some(at(if one_time { first } else { own })),
                    statement,
                })
                .collect();
            Delivery {
                source: SourceName::new(source),
                event_id: None,
                received: at(received),
                attempted: at(received),
                statements,
            }
        })
    })
}

fn any_seed() -> impl Strategy<Value = Arrival> {
    let rows = proptest::collection::btree_map(any_group(), any::<prop::sample::Index>(), 0..6);
    (rows, 0..12_i64).prop_map(|(rows, time)| {
        let groups: Vec<Group> = rows.keys().cloned().collect();
        let rows = rows
            .iter()
            .enumerate()
            .map(|(index, (group, pick))| Relationship {
                group: group.clone(),
                // A parent comes from the rows before, so there is no cycle.
                parent: (index > 0 && pick.index(3) > 0).then(|| groups[pick.index(index)].clone()),
            });
        Arrival::Seed(SeedRows::new(rows.collect()).unwrap(), at(time))
    })
}

fn any_history() -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = prop_oneof![9 => any_delivery().prop_map(Arrival::Delivery), 1 => any_seed()];
    proptest::collection::vec(arrival, 0..14)
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let priorities = proptest::collection::vec(proptest::option::weighted(0.9, -1..2_i64), 4);
    (priorities, any::<bool>()).prop_map(|(priorities, attach_roots)| Rules {
        priorities: SOURCES
            .iter()
            .zip(priorities)
            .filter_map(|(source, priority)| Some((SourceName::new(source), priority?)))
            .collect(),
        attach_roots,
    })
}

fn empty() -> Ledger {
    Ledger::new(Salt::new([7; 32]))
}

fn take(ledger: &mut Ledger, arrival: &Arrival) -> Merged {
    match arrival {
        Arrival::Delivery(delivery) => ledger.merge(delivery),
        Arrival::Seed(rows, at) => ledger.merge_seed(rows, Some(*at), *at),
    }
}

fn ledger_of<'a>(history: impl IntoIterator<Item = &'a Arrival>) -> Ledger {
    let mut ledger = empty();
    for arrival in history {
        take(&mut ledger, arrival);
    }
    ledger
}

fn project(ledger: &Ledger, published: Option<&Published>, rules: &Rules) -> Projection {
    Projection::of(ledger, published, rules, &Merged::default())
}

fn body(projection: &Projection) -> String {
    serde_json::to_string(&projection.hierarchy).unwrap()
}

/// Calven's rules, read from the bytes that would be sent and knowing nothing of how they came.
fn check_by_calvens_rules(body: &str) {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let rows = body["groupRelationships"].as_array().unwrap();
    let mut parents = BTreeMap::new();
    for row in rows {
        let text = |key: &str| row[key].as_str().map(str::to_owned);
        assert_eq!(row.as_object().unwrap().len(), 4, "four fields");
        let group = (text("group").unwrap(), text("groupType").unwrap());
        assert_eq!(
            text("parent").is_some(),
            text("parentType").is_some(),
            "half a parent"
        );
        let parent = text("parent").zip(text("parentType"));
        assert!(parents.insert(group, parent).is_none(), "a second parent");
    }
    for (group, parent) in &parents {
        let mut above = parent.clone();
        for _ in 0..=parents.len() {
            let Some(parent) = above else { break };
            assert_ne!(parent, *group, "its own ancestor");
            above = parents
                .get(&parent)
                .expect("a parent that is no group")
                .clone();
        }
    }
}

/// What a plan says, carried out on what was published.
fn apply(plan: &Plan, published: &Published) -> BTreeMap<Group, Option<Group>> {
    let old = published.hierarchy();
    let names: BTreeMap<&Group, &Group> =
        plan.renamed.iter().map(|(from, to)| (from, to)).collect();
    let now = |group: &Group| {
        names
            .get(group)
            .map_or_else(|| group.clone(), |to| (*to).clone())
    };
    let gone: BTreeSet<&Group> = plan.removed.iter().map(|(group, _)| group).collect();
    let mut rows: BTreeMap<Group, Option<Group>> = old
        .rows()
        .filter(|(group, _)| !gone.contains(group))
        .map(|(group, parent)| (now(group), parent.map(now)))
        .collect();
    for (group, _, to) in &plan.moved {
        assert!(
            rows.insert(group.clone(), to.clone()).is_some(),
            "moved what was not there"
        );
    }
    for (group, parent) in &plan.added {
        assert!(
            rows.insert(group.clone(), parent.clone()).is_none(),
            "added what was there"
        );
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 40_000, max_global_rejects: 1_000_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_multiplicity_of_the_same_deliveries_gives_the_same_ledger(
        history in any_history(),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let straight = ledger_of(&history);
        let mut shuffled: Vec<&Arrival> = Vec::new();
        if !history.is_empty() {
            shuffled.extend(order.iter().map(|index| index.get(&history)));
        }
        shuffled.extend(history.iter().rev());
        prop_assert_eq!(ledger_of(shuffled), straight);
    }

    #[test]
    fn joining_is_commutative_associative_and_idempotent(
        a in any_history(), b in any_history(), c in any_history(),
    ) {
        let join = |a: &Ledger, b: &Ledger| { let mut joined = a.clone(); joined.join(b); joined };
        let (a, b, c) = (ledger_of(&a), ledger_of(&b), ledger_of(&c));
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a);
    }

    #[test]
    fn merging_deliveries_is_joining_their_ledgers(a in any_history(), b in any_history()) {
        let mut joined = ledger_of(&a);
        joined.join(&ledger_of(&b));
        prop_assert_eq!(joined, ledger_of(a.iter().chain(&b)));
    }

    #[test]
    fn every_projection_keeps_calvens_rules(
        history in any_history(), published in any_history(), rules in any_rules(),
    ) {
        let before = project(&ledger_of(&published), None, &rules).as_published();
        check_by_calvens_rules(&serde_json::to_string(&before.hierarchy()).unwrap());
        let after = project(&ledger_of(published.iter().chain(&history)), Some(&before), &rules);
        check_by_calvens_rules(&body(&after));
        prop_assert!(after.as_published().is_valid());
    }

    #[test]
    fn where_nothing_is_held_the_bytes_follow_from_the_ledger_alone(
        history in any_history(), published in any_history(), rules in any_rules(),
    ) {
        let ledger = ledger_of(&history);
        let alone = project(&ledger, None, &rules);
        prop_assume!(alone.held.is_empty());
        let before = project(&ledger_of(&published), None, &rules).as_published();
        let after = project(&ledger, Some(&before), &rules);
        prop_assert!(after.held.is_empty());
        prop_assert_eq!(body(&alone), body(&after));
    }

    #[test]
    fn a_repeated_delivery_changes_nothing_and_is_stale(
        history in any_history(), again in any::<prop::sample::Index>(), rules in any_rules(),
    ) {
        prop_assume!(!history.is_empty());
        let mut ledger = ledger_of(&history);
        let known = ledger.clone();
        let merged = take(&mut ledger, again.get(&history));
        prop_assert_eq!(&ledger, &known);
        prop_assert!(!merged.changed);
        let projection = Projection::of(&ledger, None, &rules, &merged);
        prop_assert_eq!(projection.applied, 0);
    }

    #[test]
    fn forgetting_changes_nothing_that_is_projected(
        history in any_history(), early in any_history(), rules in any_rules(), before in 0..31_i64,
    ) {
        let ledger = ledger_of(early.iter().chain(&history));
        let published = project(&ledger_of(&early), None, &rules).as_published();
        let full = project(&ledger, Some(&published), &rules);
        let mut pruned = ledger.clone();
        pruned.prune(at(before), &[&published]);
        let rest = project(&pruned, Some(&published), &rules);
        prop_assert_eq!(body(&full), body(&rest));
        prop_assert_eq!(&full.held, &rest.held);
        prop_assert_eq!(&full.conflicts, &rest.conflicts);
        let (full, rest) = (full.plan(Some(&published)), rest.plan(Some(&published)));
        prop_assert_eq!(full.changes(), rest.changes());
        let alone = project(&ledger, None, &rules);
        prop_assert_eq!(body(&alone), body(&project(&pruned, None, &rules)));
    }

    #[test]
    fn what_was_received_lately_is_never_forgotten(history in any_history()) {
        let ledger = ledger_of(&history);
        let mut pruned = ledger.clone();
        pruned.prune(at(-1), &[]);
        prop_assert_eq!(pruned, ledger);
    }

    #[test]
    fn nothing_is_lost_between_ledger_plan_and_payload(
        published in any_history(), history in any_history(), rules in any_rules(),
    ) {
        let before = project(&ledger_of(&published), None, &rules).as_published();
        let after = project(&ledger_of(published.iter().chain(&history)), Some(&before), &rules);
        let plan = after.plan(Some(&before));
        let expected: BTreeMap<Group, Option<Group>> =
            after.hierarchy.rows().map(|(g, parent)| (g.clone(), parent.cloned())).collect();
        prop_assert_eq!(apply(&plan, &before), expected);
        prop_assert_eq!(plan.is_empty(), before.hierarchy() == after.hierarchy);
        let undo = after.as_published().undo_to(&before);
        prop_assert_eq!(after.as_published().undone(&undo).hierarchy(), before.hierarchy());
    }

    #[test]
    fn what_is_held_is_released_by_the_statements_that_free_it(
        history in any_history(), rules in any_rules(),
    ) {
        let mut ledger = ledger_of(&history);
        let held = project(&ledger, None, &rules).held;
        for source in SOURCES {
            // Every key is named, and every group put at the top, later than all that was said.
            let statements = ["1", "2", "3", "10"].iter().enumerate().map(|(index, key)| {
                let named = Some(group(&format!("K{index}"), "Team"));
                let group = GroupRef::Keyed { key: Key::new(key).unwrap(), named };
                Stated { at: Some(at(50)), statement: Statement::Exists { group, parent: Parent::Top } }
            });
            let names = ["A", "B", "C", "D", "E"].iter().flat_map(|name| {
                ["Department", "Division"].map(|kind| {
                    let group = GroupRef::Named(group(name, kind));
                    Stated { at: Some(at(50)), statement: Statement::Exists { group, parent: Parent::Top } }
                })
            });
            ledger.merge(&Delivery {
                source: SourceName::new(source),
                event_id: None,
                received: at(50),
                attempted: at(50),
                statements: statements.chain(names).collect(),
            });
        }
        let freed = project(&ledger, None, &rules).held;
        prop_assert!(freed.is_empty(), "{held:?} became {freed:?}");
    }

    #[test]
    fn a_state_reads_back_as_it_was_written(history in any_history(), rules in any_rules()) {
        let ledger = ledger_of(&history);
        let text = serde_json::to_string(&ledger).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Ledger>(&text).unwrap(), &ledger);
        let published = project(&ledger, None, &rules).as_published();
        let text = serde_json::to_string(&published).unwrap();
        prop_assert_eq!(serde_json::from_str::<Published>(&text).unwrap(), published);
    }

    #[test]
    fn a_document_reads_back_as_it_was_written_and_projects_the_same(
        history in any_history(), later in any_history(), rules in any_rules(), before in 0..31_i64,
    ) {
        let mut ledger = ledger_of(&history);
        let first = project(&ledger, None, &rules).as_published();
        later.iter().for_each(|arrival| { take(&mut ledger, arrival); });
        let second = project(&ledger, Some(&first), &rules).as_published();
        // What is published may name what the ledger has forgotten.
        ledger.prune(at(before), &[]);
        let undo = second.undo_to(&first);
        let read = |text: &[u8]| {
            let document: Document = serde_json::from_slice(text).unwrap();
            document.remembered().unwrap()
        };
        let mut text = Vec::new();
        Document::write(&ledger, &[&second, &first], &[&undo], &mut text).unwrap();
        let written_again = |read: &Remembered| {
            let published: Vec<&Published> = read.published.iter().collect();
            let undos: Vec<&Undo> = read.undos.iter().collect();
            let mut again = Vec::new();
            Document::write(&read.ledger, &published, &undos, &mut again).unwrap();
            again
        };
        let read_first = read(&text);
        let again = written_again(&read_first);
        let read = read(&again);
        prop_assert_eq!(&read, &read_first);
        prop_assert_eq!(written_again(&read), again);
        prop_assert_eq!(&read.ledger, &ledger);
        prop_assert_eq!(&read.published, &vec![second.clone(), first]);
        prop_assert_eq!(&read.undos, &vec![undo]);
        prop_assert!(read.published.iter().all(Published::is_valid));
        // Whatever numbers the names have now.
        let (was, is) = (project(&ledger, Some(&second), &rules), project(&read.ledger, Some(&second), &rules));
        prop_assert_eq!(body(&was), body(&is));
        prop_assert_eq!(&was.held, &is.held);
        prop_assert_eq!(&was.conflicts, &is.conflicts);
        prop_assert_eq!(was.as_published(), is.as_published());
    }

    #[test]
    fn an_explanation_tells_what_is_projected(
        history in any_history(), published in any_history(), rules in any_rules(),
    ) {
        let before = project(&ledger_of(&published), None, &rules).as_published();
        let ledger = ledger_of(published.iter().chain(&history));
        let after = project(&ledger, Some(&before), &rules);
        let explain = |group: &Group| Explanation::of(&ledger, Some(&before), &rules, group);
        for (group, parent) in after.hierarchy.rows() {
            let told = explain(group).unwrap();
            prop_assert!(told.exists && !told.why.is_empty());
            prop_assert_eq!(told.group.as_str(), group.name.as_str());
            prop_assert_eq!(told.group_type.as_str(), group.group_type.as_str());
            prop_assert_eq!(told.parent.parent.as_deref(), parent.map(|p| p.name.as_str()));
            prop_assert_eq!(told.parent.parent_type.as_deref(), parent.map(|p| p.group_type.as_str()));
            let children = after.hierarchy.rows().filter(|(_, parent)| *parent == Some(group));
            prop_assert_eq!(told.children, children.count());
            let text = GroupText::from(group);
            let waits = after.held.iter().filter(|held| {
                (&held.group, &held.group_type) == (&text.group, &text.group_type)
                    || held.cycle.contains(&text)
            });
            prop_assert_eq!(told.waits.len(), waits.count());
        }
        // What is published is known by the name that it has there.
        for (group, _) in before.hierarchy().rows() {
            prop_assert!(explain(group).is_ok());
        }
    }

    #[test]
    fn an_export_taken_back_as_a_seed_changes_nothing(history in any_history(), rules in any_rules()) {
        let mut ledger = ledger_of(&history);
        let before = project(&ledger, None, &rules);
        // A seed says where a group is whose parent was waited for, and so frees it.
        prop_assume!(before.held.is_empty());
        let published = before.as_published();
        let rows = before.hierarchy.rows().map(|(group, parent)| Relationship {
            group: group.clone(),
            parent: parent.cloned(),
        });
        ledger.merge_seed(&SeedRows::new(rows.collect()).unwrap(), None, at(60));
        let after = project(&ledger, Some(&published), &rules);
        prop_assert_eq!(body(&before), body(&after));
    }
}
