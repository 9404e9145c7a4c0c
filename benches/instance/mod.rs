//! What a warm instance does with a webhook, without the network: all that `src/bridge.rs` does between the state that it has in
//! memory and the two bodies that it sends, of the state and to Calven.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use calven_bridge::{
    hierarchy::{
        Delivery, Guard, Merged, Projection, Rules, Salt, Scope, SourceName, Stated, Statement,
    },
    sources::{
        config::{Source, Sources},
        given::Given,
    },
    state::{Hold, Publication, State},
    timestamp::Timestamp,
};

use crate::company::{Company, Kind};

const SOURCES: &str = r#"
[sources.groups]
preset = "generic"
secret_id = "groups"

[sources.persons]
secret_id = "persons"
proof = "bearer"

[sources.persons.persons.employee]
at = "$.employees"
time = "body:$.occurredAt"
id = "$.id"
chain = [
  { type = { value = "Division" }, name = "$.division" },
  { type = { value = "Department" }, name = "$.department" },
]
"#;

/// The parts of a change, in their order.
pub(crate) const PARTS: [&str; 6] = [
    "merge",
    "projection",
    "plan",
    "PUT body",
    "what is saved",
    "saving",
];

/// An instance, and the sender that it serves.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) state: State,
    pub(crate) rules: Rules,
    source: Source,
    kind: Kind,
    guard: Guard,
}

/// What came of a change.
#[derive(Debug)]
pub(crate) struct Taken {
    /// How long each of the parts took.
    pub(crate) laps: [Duration; PARTS.len()],
    /// The state as it is saved.
    pub(crate) saved: Vec<u8>,
}

impl Instance {
    /// Before anything was said.
    pub(crate) fn new(kind: Kind) -> Result<Self> {
        let sources = Sources::parse(SOURCES).map_err(|problems| anyhow!("{problems:?}"))?;
        let name = SourceName::new(match kind {
            Kind::Named | Kind::Keyed => "groups",
            Kind::Persons => "persons",
        });
        let source = sources.by_name.get(&name).context("a source")?.clone();
        Ok(Self {
            state: State::new(Salt::new([1; 32])),
            rules: Rules {
                priorities: [(name, 0)].into(),
                ..Rules::default()
            },
            source,
            kind,
            guard: Guard::default(),
        })
    }

    /// One that has read the state which another one saved when the company had said all that there is.
    pub(crate) fn that_knows(kind: Kind, company: &mut Company) -> Result<Self> {
        let mut another = Self::new(kind)?;
        let all = another.read_all(&company.says_all()?, company.now())?;
        let Taken { laps: _, saved } = another.take(&[all])?;
        another.state = State::decode(&saved)?;
        Ok(another)
    }

    /// Maps a webhook.
    pub(crate) fn read(&self, body: &[u8], received: Timestamp) -> Result<Delivery> {
        let mapped = self.source.mapping.map(body, &Given::default());
        let mapped = mapped.map_err(|fault| anyhow!("{fault:?}"))?;
        ensure!(!mapped.statements.is_empty(), "a webhook says something");
        Ok(Delivery {
            source: self.source.name.clone(),
            event_id: mapped.event_id,
            received,
            attempted: received,
            statements: mapped.statements,
        })
    }

    /// Maps what is all that there is, as one delivery.
    pub(crate) fn read_all(&self, bodies: &[Vec<u8>], received: Timestamp) -> Result<Delivery> {
        let mut deliveries = bodies.iter().map(|body| self.read(body, received));
        let mut all = deliveries.next().context("a body")??;
        for delivery in deliveries {
            all.statements.extend(delivery?.statements);
        }
        // Each of the contract's snapshots says that it is all: here they are that together.
        all.statements
            .retain(|stated| !matches!(stated.statement, Statement::Complete(_)));
        let scope = match self.kind {
            Kind::Named | Kind::Keyed => Scope::Groups,
            Kind::Persons => Scope::Persons,
        };
        all.statements.push(Stated {
            at: Some(received),
            statement: Statement::Complete(scope),
        });
        Ok(all)
    }

    /// Merges a batch, and does all that comes of it.
    pub(crate) fn take(&mut self, deliveries: &[Delivery]) -> Result<Taken> {
        let Self { state, rules, .. } = self;
        let received = deliveries.last().context("a delivery")?.received;
        let began = Instant::now();
        let mut merged = Merged::default();
        for delivery in deliveries {
            merged.and(state.ledger.merge(delivery));
        }
        let merged_at = Instant::now();
        let projection = Projection::of(&state.ledger, state.published.as_ref(), rules, &merged);
        let projected_at = Instant::now();
        let plan = projection.plan(state.published.as_ref());
        let published = state.published.as_ref();
        // Sent in any case: a batch may move too many groups for the guard, a person none at all.
        black_box(published.is_none_or(|one| one.hierarchy() != projection.hierarchy));
        black_box(self.guard.holds(&plan, state.published_groups()));
        let planned_at = Instant::now();
        drop(black_box(projection.hierarchy.to_json()?));
        let written_at = Instant::now();
        let publication = Publication {
            published: projection.as_published(),
            cause: "webhook groups".to_owned(),
            counts: plan.counts(),
            hold: Hold::No,
            pending_since: None,
        };
        let prepared = state.prepare(&publication)?;
        let prepared_at = Instant::now();
        let begun = state.publish(publication, prepared, received);
        let saved = state.encode_begun(begun)?;
        let laps = [
            merged_at - began,
            projected_at - merged_at,
            planned_at - projected_at,
            written_at - planned_at,
            prepared_at - written_at,
            prepared_at.elapsed(),
        ];
        Ok(Taken { laps, saved })
    }
}
