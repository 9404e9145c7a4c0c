//! Why a group stands where it stands, as an answer.

use serde::Serialize;

use crate::{
    bridge::Foresight,
    hierarchy::{
        Group,
        explain::{Explanation, Unknown},
        findings::GroupText,
    },
    report::HeldPlan,
    state::{Since, State},
};

/// Why a group stands where it stands, and what of it is published.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainAnswer {
    /// What is known of it.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// As it was published last.
    pub published: Option<PublishedGroup>,
    /// Which plan changes it and waits, if one does.
    pub pending: Option<PendingChange>,
}

/// A group as it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedGroup {
    /// Its name there.
    #[serde(flatten)]
    pub group: GroupText,
    /// Its parent.
    pub parent: Option<String>,
    /// That one's type.
    pub parent_type: Option<String>,
    /// Since which version; the oldest that is remembered, where it is older.
    pub since_version: Option<u64>,
    /// When that was published.
    pub since: Option<String>,
    /// Whether it may have been so before that already.
    pub or_before: bool,
}

/// A plan that is not published yet and changes the group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingChange {
    /// What it does to the group: `added`, `moved`, `renamed`, `removed`.
    pub changes: Vec<&'static str>,
    /// Why it waits, and what to do; `null` where the next webhook or the schedule sends it.
    pub held: Option<HeldPlan>,
}

impl ExplainAnswer {
    /// What is foreseen of a group.
    ///
    /// # Errors
    /// Where nobody has said anything of it: a sentence that names the nearest.
    pub fn of(foresight: &Foresight<'_>, group: &Group) -> Result<Self, String> {
        let Foresight {
            state,
            rules,
            plan,
            held,
            after: _,
            report: _,
        } = foresight;
        let explanation = Explanation::of(&state.ledger, state.published.as_ref(), rules, group)
            .map_err(|unknown| refusal(group, &unknown))?;
        let published = explanation.published.as_ref();
        let was = published.map(|(group, _)| group.clone());
        let is_it = |group: &Group| {
            let Group { group_type, name } = group;
            (name.as_str() == explanation.group && group_type.as_str() == explanation.group_type)
                || Some(group) == was.as_ref()
        };
        let changes = [
            ("added", plan.added.iter().any(|(group, _)| is_it(group))),
            ("moved", plan.moved.iter().any(|(group, ..)| is_it(group))),
            (
                "renamed",
                plan.renamed
                    .iter()
                    .any(|(from, to)| is_it(from) || is_it(to)),
            ),
            (
                "removed",
                plan.removed.iter().any(|(group, _)| is_it(group)),
            ),
        ];
        let changes: Vec<&str> = changes
            .iter()
            .filter(|(_, is)| *is)
            .map(|(kind, _)| *kind)
            .collect();
        let pending = (!changes.is_empty()).then(|| PendingChange {
            changes,
            held: held.map(|reason| HeldPlan::new(reason, plan)),
        });
        let published =
            published.map(|(group, parent)| PublishedGroup::of(group, parent.as_ref(), state));
        Ok(Self {
            published,
            pending,
            explanation,
        })
    }
}

impl PublishedGroup {
    fn of(group: &Group, parent: Option<&Group>, state: &State) -> Self {
        let since = state.published_since(group);
        let (version, time, or_before) = match since {
            Some(Since::Version(version, time)) => (Some(version), Some(time), false),
            Some(Since::Before(version, time)) => (Some(version), Some(time), true),
            None => (None, None, true),
        };
        Self {
            group: GroupText::from(group),
            parent: parent.map(|parent| parent.name.to_string()),
            parent_type: parent.map(|parent| parent.group_type.to_string()),
            since_version: version,
            since: time.map(|time| time.to_string()),
            or_before,
        }
    }
}

fn refusal(group: &Group, Unknown { nearest }: &Unknown) -> String {
    let nearest: Vec<String> = nearest.iter().map(ToString::to_string).collect();
    let nearest = match nearest.is_empty() {
        true => "and no group has a name like it".to_owned(),
        false => format!("the nearest are: {}", nearest.join(", ")),
    };
    format!("nobody has said anything of {group}, letter by letter; {nearest}")
}
