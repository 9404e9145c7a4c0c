//! What a ledger comes to: who claims what by present names, and the valid forest that follows. The one way there, for who
//! projects and for who explains.

use std::collections::BTreeSet;

use super::{
    claims::Claims,
    gather::gather,
    ledger::Ledger,
    project::Rules,
    published::{Present, Published},
    settle::{Edges, Settled, Telling, Waiting, settle},
    statement::SourceName,
    subjects::Subjects,
    table::{Dense, GroupId, Names, Order},
    view::Life,
    views::Views,
};
use crate::timestamp::Timestamp;

/// A ledger, resolved and settled.
pub(super) struct Resolved<'a> {
    pub(super) names: Names<'a>,
    pub(super) order: Order,
    pub(super) views: Views<'a>,
    /// What was published, by present names.
    pub(super) present: Present,
    /// When a seed last held a group.
    pub(super) seeded: Dense<GroupId, Option<Timestamp>>,
    /// What who asks is concerned with.
    pub(super) subjects: Subjects,
    pub(super) claims: Dense<GroupId, Claims>,
    pub(super) edges: Edges,
    pub(super) waiting: Vec<Waiting>,
}

impl<'a> Resolved<'a> {
    /// Resolves and settles; `names` may have more than the ledger's already. `subjects_of` says, by what everything is called now,
    /// what who asks is concerned with: a cycle may be too long to be told whole, so that only settling it knows who is in it.
    pub(super) fn of(
        ledger: &'a Ledger,
        published: Option<&Published>,
        rules: &Rules,
        mut names: Names<'a>,
        telling: Telling,
        subjects_of: impl FnOnce(
            &Views<'a>,
            &Present,
            &Dense<GroupId, Option<Timestamp>>,
            &Names<'a>,
        ) -> Subjects,
    ) -> Self {
        let views = Views::new(ledger, rules, &mut names);
        let present = published
            .map(|published| published.present(&views, &mut names))
            .unwrap_or_default();
        let order = names.order();
        let parents = published
            .map(|published| present.parents(published))
            .unwrap_or_default();
        let seeded = views.seeded(&names);
        let mut claims = gather(&views, rules, &seeded, &names);
        let subjects = subjects_of(&views, &present, &seeded, &names);
        let Settled { mut edges, waiting } =
            settle(&mut claims, &parents, &names, &order, &subjects, telling);
        if rules.attach_roots {
            attach_roots(&views, &claims, &mut edges, &names);
        }
        Self {
            names,
            order,
            views,
            present,
            seeded,
            subjects,
            claims,
            edges,
            waiting,
        }
    }
}

/// Puts every top-level group that is no organisation under Capillary's base organisation.
fn attach_roots(
    views: &Views<'_>,
    claims: &Dense<GroupId, Claims>,
    edges: &mut Edges,
    names: &Names<'_>,
) {
    let Some(view) = views.of(&SourceName::capillary()) else {
        return;
    };
    let Some(base) = view.base().filter(|base| edges.contains(*base)) else {
        return;
    };
    // An organisation that is gone is still one where it only stays for its children's sake.
    let organisations: BTreeSet<GroupId> = view
        .records()
        .filter_map(|(group, record)| {
            let name = view.name_of(group)?;
            let lives = matches!(view.life(record, names), Some(Life::Lives(_)));
            (lives || !claims.get(name).is_some_and(Claims::exists)).then_some(name)
        })
        .collect();
    let mut root = base;
    while let Some(parent) = edges.get(root).and_then(|edge| edge.parent) {
        root = parent;
    }
    for (group, edge) in edges.iter_mut() {
        if edge.parent.is_none() && !organisations.contains(&group) && group != root {
            edge.parent = Some(base);
        }
    }
}
