//! Answers as pictures: of what is published, and of what is pending.

use super::{
    Answer, ExportAnswer, PlanAnswer,
    text::{self, Commands},
};
use crate::{
    hierarchy::{Held, Plan},
    picture::{Facts, Picture},
    report::{HeldEntry, HeldPlan},
    timestamp::Timestamp,
};

/// An answer's picture.
pub(super) fn of(answer: &Answer, commands: &Commands, now: Timestamp) -> Picture {
    match answer {
        Answer::Plan(plan) => pending(plan, commands, now),
        Answer::Export(export) => published(export),
        // They have none, and their actions no format of one.
        Answer::Report(_)
        | Answer::Explain(_)
        | Answer::History(_)
        | Answer::Check(_)
        | Answer::Handshake(_) => Picture::default(),
    }
}

fn published(answer: &ExportAnswer) -> Picture {
    let ExportAnswer {
        hierarchy,
        version,
        time,
    } = answer;
    let facts = Facts {
        title: "What Calven holds".to_owned(),
        version: Some(*version),
        time: *time,
        ..Facts::default()
    };
    Picture::of_hierarchy(facts, hierarchy, &[])
}

fn pending(answer: &PlanAnswer, commands: &Commands, now: Timestamp) -> Picture {
    let PlanAnswer {
        report,
        groups_after: _,
        largest_move: _,
        freshness: _,
        unsure: _,
        published: _,
        after,
    } = answer;
    let view = report.plan.as_ref();
    let digest = view.and_then(|view| view.digest.clone());
    let (mut statements, mut plans): (Vec<Held>, Vec<&HeldPlan>) = (Vec::new(), Vec::new());
    for entry in &report.held {
        match entry {
            HeldEntry::Statement(held) => statements.push(held.clone()),
            HeldEntry::Plan(held) => plans.push(held),
        }
    }
    let facts = Facts {
        title: "What would be sent to Calven".to_owned(),
        version: Some(report.hierarchy.version),
        time: Some(now),
        waits: plans
            .first()
            .map(|held| format!("The plan {}.", text::why_the_plan_waits(held))),
        approve: digest.as_ref().map(|digest| commands.approve(digest)),
        digest,
        arrived: Vec::new(),
    };
    let nothing = Plan::default();
    let plan = view.map_or(&nothing, |view| &view.plan);
    Picture::of_plan(facts, after, plan, &statements)
}
