//! The model: any history, in any order, is a hierarchy by Calven's rules, and what follows from it is consistent.
//!
//! An input is read by [`arbitrary`]: a history of deliveries and seeds from a few sources with a few names and keys, so that
//! they meet; the order of a second hearing; rules; and how much of the history was published before.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Result, Unstructured};
use calven_bridge::{
    hierarchy::{
        Delivery, Document, EventId, Group, GroupRef, Guard, Key, Ledger, Merged, Name, Parent,
        PersonId, PersonSays, Plan, Projection, Published, Relationship, Rules, Salt, Scope,
        SeedRows, SourceName, Stated, Statement, explain::Explanation, plan::Counts,
        statement::group,
    },
    picture::{Facts, Picture},
    state::{Hold, Publication, State},
    timestamp::Timestamp,
};

use crate::{
    measure::{Bound, linear},
    rules,
};

const SOURCES: [&str; 4] = ["names", "ids", "mixed", "capillary"];
const NAMES: [&str; 8] = ["A", "B", "C", "D", "E", "a", "<b>&\"'", "A|\u{e9}[#1]"];
const TYPES: [&str; 2] = ["Department", "Division"];
const KEYS: [&str; 5] = ["1", "2", "3", "10", "x"];
const PERSONS: [&str; 3] = ["p1", "p2", "p3"];

/// No history is longer.
const LONGEST: usize = 16;

/// What a history costs to hear twice, to project a few times, to write and to read.
const BOUND: Bound = Bound {
    bytes: 1024 * 1024,
    bytes_a_byte: 64 * 1024,
    times: 32 * 1024,
    times_a_line: 16 * 1024,
};

enum Arrival {
    Delivery(Delivery),
    Seed(SeedRows, Timestamp),
}

struct History {
    arrivals: Vec<Arrival>,
    /// How much of it was published before the rest came.
    published: usize,
    /// By what the second hearing is ordered.
    order: Vec<u8>,
    rules: Rules,
    forget: Timestamp,
    shows: bool,
    /// Whether it is written, forgotten and read, which takes longest.
    keeps: bool,
    /// Whether every statement has a time of its own: then the order decides nothing.
    is_timed: bool,
}

/// Hears one history.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    // Too few bytes are no fault: what is missing is zero.
    if let Ok(history) = History::of(&mut Unstructured::new(data)) {
        linear("a history", data.len(), BOUND, || history.check());
    }
}

impl History {
    fn of(u: &mut Unstructured<'_>) -> Result<Self> {
        let priorities = SOURCES.map(|source| (SourceName::new(source), 0));
        let mut rules = Rules {
            priorities: priorities.into(),
            attach_roots: u.ratio(1, 4)?,
        };
        for source in SOURCES {
            match u.int_in_range(0..=7)? {
                0 => rules.priorities.remove(source),
                priority => rules
                    .priorities
                    .insert(SourceName::new(source), priority / 4),
            };
        }
        let is_timed = !u.ratio(1, 8)?;
        let published = usize::from(u.int_in_range(0..=7_u8)?);
        let forget = at(u.int_in_range(0..=31)?);
        let shows = u.ratio(1, 16)?;
        let keeps = u.arbitrary()?;
        let order = (0..u.int_in_range(0..=15)?).map(|_| u.arbitrary());
        let order = order.collect::<Result<_>>()?;
        let mut arrivals = Vec::new();
        while !u.is_empty() && arrivals.len() < LONGEST {
            arrivals.push(arrival(u, is_timed)?);
        }
        Ok(Self {
            arrivals,
            published,
            order,
            rules,
            forget,
            shows,
            keeps,
            is_timed,
        })
    }

    fn check(&self) {
        let published = self.published.min(self.arrivals.len());
        let mut ledger = empty();
        for arrival in &self.arrivals[..published] {
            take(&mut ledger, arrival);
        }
        let before = self.project(&ledger, None).as_published();
        let mut merged = Merged::default();
        for arrival in &self.arrivals[published..] {
            merged.and(take(&mut ledger, arrival));
        }
        if self.is_timed {
            self.check_order(&ledger);
        }
        let projection = Projection::of(&ledger, Some(&before), &self.rules, &merged);
        rules::body(&projection.hierarchy.to_json().unwrap());
        self.check_plan(&projection, &before);
        self.check_explained(&ledger, &projection, &before);
        if self.keeps {
            self.check_kept(&ledger, &projection, &before);
        }
        if self.shows {
            self.check_shown(&projection, &before);
        }
    }

    fn project(&self, ledger: &Ledger, published: Option<&Published>) -> Projection {
        Projection::of(ledger, published, &self.rules, &Merged::default())
    }

    /// In another order, and some of it twice, it is the same ledger; and hearing it again changes nothing.
    fn check_order(&self, ledger: &Ledger) {
        let mut again = empty();
        if !self.arrivals.is_empty() {
            for place in &self.order {
                take(
                    &mut again,
                    &self.arrivals[usize::from(*place) % self.arrivals.len()],
                );
            }
        }
        for arrival in self.arrivals.iter().rev() {
            take(&mut again, arrival);
        }
        assert_eq!(&again, ledger, "another order is another ledger");
        if let Some(arrival) = self.arrivals.last() {
            assert!(
                !take(&mut again, arrival).changed,
                "heard again it changes something"
            );
        }
        let mut joined = again.clone();
        joined.join(ledger);
        assert_eq!(&joined, ledger, "joined with itself it is another");
    }

    /// The plan leads from what was published to the hierarchy, and nowhere else.
    fn check_plan(&self, projection: &Projection, before: &Published) {
        let plan = projection.plan(Some(before));
        let expected: BTreeMap<Group, Option<Group>> = rows(projection.hierarchy.rows());
        assert_eq!(
            carried_out(&plan, before),
            expected,
            "a plan is what it leads to"
        );
        assert_eq!(plan.is_empty(), before.hierarchy() == projection.hierarchy);
        let again = projection.plan(Some(before));
        assert_eq!(
            (plan.digest(0), plan.counts()),
            (again.digest(0), again.counts())
        );
        if plan.removed.is_empty() && plan.moved.is_empty() {
            assert!(
                !Guard::default().holds(&plan, before.groups()),
                "nothing to guard"
            );
        }
    }

    /// What is explained of a group is what is projected.
    fn check_explained(&self, ledger: &Ledger, projection: &Projection, before: &Published) {
        for (group, parent) in projection.hierarchy.rows().take(4) {
            let told = Explanation::of(ledger, Some(before), &self.rules, group);
            let told = told.expect("what is projected can be explained");
            assert!(told.exists && !told.why.is_empty());
            assert_eq!(
                told.parent.parent.as_deref(),
                parent.map(|parent| parent.name.as_str())
            );
        }
    }

    /// As a document, and with what is old forgotten, it is the same.
    fn check_kept(&self, ledger: &Ledger, projection: &Projection, before: &Published) {
        let after = projection.as_published();
        assert!(after.is_valid());
        let undo = after.undo_to(before);
        assert_eq!(
            after.undone(&undo).hierarchy(),
            before.hierarchy(),
            "the way back"
        );
        let mut text = Vec::new();
        Document::write(ledger, &[&after, before], &[&undo], &mut text).expect("nothing dangles");
        let read = Document::from_json(std::str::from_utf8(&text).unwrap()).unwrap();
        let read = read.remembered().expect("nothing dangles");
        assert_eq!(
            &read.ledger, ledger,
            "a ledger reads back as it was written"
        );
        assert_eq!((&read.published[0], &read.published[1]), (&after, before));
        let body = |ledger: &Ledger, published: Option<&Published>| {
            self.project(ledger, published).hierarchy.to_json().unwrap()
        };
        let bytes = body(ledger, Some(before));
        assert_eq!(
            body(&read.ledger, Some(before)),
            bytes,
            "and projects the same"
        );
        let mut forgetful = ledger.clone();
        forgetful.prune(self.forget, &[before]);
        assert_eq!(
            body(&forgetful, Some(before)),
            bytes,
            "forgetting changes something"
        );
        self.check_state(ledger, projection, before);
    }

    fn check_state(&self, ledger: &Ledger, projection: &Projection, before: &Published) {
        let mut state = State::new(Salt::new([7; 32]));
        state.ledger = ledger.clone();
        for published in [before.clone(), projection.as_published()] {
            let publication = Publication {
                published,
                cause: "test".to_owned(),
                counts: Counts::default(),
                hold: Hold::No,
                pending_since: None,
            };
            let prepared = state.prepare(&publication).unwrap();
            let begun = state.publish(publication, prepared, self.forget);
            let written = state.encode_begun(begun).unwrap();
            assert_eq!(
                State::decode(&written).unwrap(),
                state,
                "a state reads back"
            );
        }
        if let Some(published) = state.version_published(1) {
            let expected = match state.history.len() {
                2 => before.hierarchy(),
                _ => published.hierarchy(),
            };
            assert_eq!(published.hierarchy(), expected, "one can go back");
        }
    }

    /// No picture is more than a picture, whatever the groups are called.
    fn check_shown(&self, projection: &Projection, before: &Published) {
        let facts = Facts {
            title: "<b>&\"'".to_owned(),
            version: Some(1),
            time: Some(self.forget),
            waits: None,
            digest: None,
            approve: None,
            arrived: Vec::new(),
        };
        let plan = projection.plan(Some(before));
        for picture in [
            Picture::of_hierarchy(facts.clone(), &projection.hierarchy, &projection.held),
            Picture::of_plan(facts, &projection.hierarchy, &plan, &projection.held),
        ] {
            shown(&picture);
        }
    }
}

fn shown(picture: &Picture) {
    let page = picture.to_html().unwrap();
    assert!(!page.contains("<b>&"), "a name is part of the page");
    let chart = picture.to_mermaid();
    assert!(!chart.contains("<b>&"), "a name is part of the chart");
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
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

fn rows<'a>(
    rows: impl Iterator<Item = (&'a Group, Option<&'a Group>)>,
) -> BTreeMap<Group, Option<Group>> {
    rows.map(|(group, parent)| (group.clone(), parent.cloned()))
        .collect()
}

/// What a plan says, carried out on what was published.
fn carried_out(plan: &Plan, published: &Published) -> BTreeMap<Group, Option<Group>> {
    let names: BTreeMap<&Group, &Group> =
        plan.renamed.iter().map(|(from, to)| (from, to)).collect();
    let now = |group: &Group| names.get(group).map_or(group, |to| *to).clone();
    let gone: BTreeSet<&Group> = plan.removed.iter().map(|(group, _)| group).collect();
    let old = published.hierarchy();
    let mut rows: BTreeMap<Group, Option<Group>> = old
        .rows()
        .filter(|(group, _)| !gone.contains(group))
        .map(|(group, parent)| (now(group), parent.map(now)))
        .collect();
    for (group, _, to) in &plan.moved {
        let known = rows.insert(group.clone(), to.clone());
        assert!(known.is_some(), "what is moved was not there");
    }
    for (group, parent) in &plan.added {
        let known = rows.insert(group.clone(), parent.clone());
        assert!(known.is_none(), "what is added was there");
    }
    rows
}

fn arrival(u: &mut Unstructured<'_>, is_timed: bool) -> Result<Arrival> {
    if u.ratio(1, 10)? {
        return seed(u);
    }
    let source = *u.choose(&SOURCES)?;
    let received = at(u.int_in_range(0..=40)?);
    let one_time = u.arbitrary::<bool>()?;
    let first = at(u.int_in_range(0..=12)?);
    let mut statements = Vec::new();
    for _ in 0..=u.int_in_range(0..=5)? {
        let own = if one_time {
            first
        } else {
            at(u.int_in_range(0..=12)?)
        };
        statements.push(Stated {
            at: (is_timed || u.arbitrary()?).then_some(own),
            statement: statement(u, source)?,
        });
    }
    let event_id = match u.int_in_range(0..=7)? {
        0..4 => None,
        number => EventId::new(&format!("evt_{number}")).ok(),
    };
    Ok(Arrival::Delivery(Delivery {
        source: SourceName::new(source),
        event_id,
        received,
        attempted: received,
        statements,
    }))
}

fn seed(u: &mut Unstructured<'_>) -> Result<Arrival> {
    let time = at(u.int_in_range(0..=12)?);
    let mut groups: Vec<Group> = Vec::new();
    let mut rows = Vec::new();
    for _ in 0..u.int_in_range(0..=7)? {
        let group = any_group(u)?;
        if groups.contains(&group) {
            continue;
        }
        // A parent comes from the rows before, so there is no cycle.
        let parent = match groups.is_empty() || u.ratio(1, 4)? {
            true => None,
            false => Some(u.choose(&groups)?.clone()),
        };
        groups.push(group.clone());
        rows.push(Relationship { group, parent });
    }
    let rows = SeedRows::new(rows).expect("rows without a cycle");
    Ok(Arrival::Seed(rows, time))
}

fn any_group(u: &mut Unstructured<'_>) -> Result<Group> {
    Ok(group(u.choose(&NAMES)?, u.choose(&TYPES)?).unwrap())
}

fn key(u: &mut Unstructured<'_>) -> Result<Key> {
    Ok(Key::new(u.choose(&KEYS)?).unwrap())
}

fn reference(u: &mut Unstructured<'_>, source: &str) -> Result<GroupRef> {
    let by_key = match source {
        "names" => false,
        "ids" | "capillary" => true,
        _ => u.arbitrary()?,
    };
    if !by_key {
        return Ok(GroupRef::Named(any_group(u)?));
    }
    let key = key(u)?;
    let named = match u.ratio(3, 4)? {
        true => Some(any_group(u)?),
        false => None,
    };
    Ok(GroupRef::Keyed { key, named })
}

fn statement(u: &mut Unstructured<'_>, source: &str) -> Result<Statement> {
    Ok(match u.int_in_range(0..=20)? {
        0..8 => {
            let group = reference(u, source)?;
            let parent = match u.int_in_range(0..=5)? {
                0..4 => Parent::Under(reference(u, source)?),
                4 => Parent::Top,
                _ => Parent::NotSaid,
            };
            Statement::Exists { group, parent }
        }
        8..10 => Statement::Member {
            group: reference(u, source)?,
            parent: reference(u, source)?,
        },
        10..13 => Statement::Gone {
            group: reference(u, source)?,
        },
        13..16 => Statement::Renamed {
            group: any_group(u)?,
            key: match source {
                "names" => None,
                "ids" | "capillary" => Some(key(u)?),
                _ if u.arbitrary()? => Some(key(u)?),
                _ => None,
            },
            to: Name::new(u.choose(&NAMES)?).unwrap(),
        },
        16..20 => {
            let person = PersonId::new(u.choose(&PERSONS)?).unwrap();
            let says = match u.ratio(1, 5)? {
                true => PersonSays::Left,
                false => {
                    let chain = (0..u.int_in_range(0..=3)?).map(|_| reference(u, source));
                    PersonSays::In(chain.collect::<Result<_>>()?)
                }
            };
            Statement::Person { person, says }
        }
        _ => Statement::Complete(match u.int_in_range(0..=2)? {
            0 => Scope::Groups,
            1 => Scope::Persons,
            _ => Scope::ChildrenOf(reference(u, source)?),
        }),
    })
}
