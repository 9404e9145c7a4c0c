//! The text of why a group stands where it stands.

use super::{blocks, counted, held_statement, named, under_named, word};
use crate::{
    hierarchy::explain::{
        Explanation, ParentText, PersonsSay, Says, Seeding, SourceSays, Statement,
    },
    operator::{ExplainAnswer, PendingChange, PublishedGroup},
    report::HeldPlan,
};

pub(super) fn lines(answer: &ExplainAnswer) -> Vec<String> {
    let ExplainAnswer {
        explanation,
        published,
        pending,
    } = answer;
    let Explanation {
        group,
        group_type,
        asked_as,
        exists,
        parent,
        children,
        below,
        why,
        sources,
        seed,
        waits,
        published: _,
    } = explanation;
    let name = named(group_type, group);
    let mut is = vec![match exists {
        true => format!("{name} is {parent}."),
        false => format!("{name} is not in the hierarchy."),
    }];
    is.extend(
        asked_as
            .as_ref()
            .map(|was| format!("It was called {was:?}.")),
    );
    if *below > 0 {
        let below = counted(*below, "group");
        is.push(format!(
            "Below it: {below}, {children} of them its children."
        ));
    }
    is.extend(published.as_ref().map(published_as));
    is.extend(pending.as_ref().map(pending_change));
    let why = titled("Why", why.iter().map(|sentence| format!("  {sentence}")));
    let said = sources
        .iter()
        .flat_map(said)
        .chain(seed.iter().flat_map(seeded));
    let waits = waits
        .iter()
        .map(|waits| format!("  {}", held_statement(&waits.held)));
    blocks(vec![
        is,
        why,
        titled("Who said what", said),
        titled("What waits", waits),
    ])
}

fn titled(title: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    let lines: Vec<String> = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => [vec![format!("{title}:")], lines].concat(),
    }
}

fn published_as(published: &PublishedGroup) -> String {
    let PublishedGroup {
        group,
        parent,
        parent_type,
        since_version,
        since,
        or_before,
    } = published;
    let place = under_named(parent.as_deref(), parent_type.as_deref());
    let since = match since_version.zip(since.as_ref()) {
        Some((version, time)) => {
            let before = if *or_before { " or before" } else { "" };
            format!(", since version {version}{before} ({time})")
        }
        None => String::new(),
    };
    format!(
        "Published: {} {place}{since}.",
        named(group.group_type.as_str(), group.group.as_str())
    )
}

fn pending_change(pending: &PendingChange) -> String {
    let changes = pending.changes.join(" and ");
    match &pending.held {
        Some(HeldPlan {
            reason,
            changes: _,
            detail,
        }) => format!(
            "Pending: it is to be {changes}, and the plan is held ({}): it {detail}.",
            word(*reason)
        ),
        None => format!(
            "Pending: it is to be {changes}; the next webhook or the schedule publishes that."
        ),
    }
}

fn said(source: &SourceSays) -> Vec<String> {
    let SourceSays {
        source,
        priority,
        said,
        persons,
    } = source;
    let mut lines = vec![match priority {
        Some(priority) => format!("  {source} (priority {priority})"),
        None => format!("  {source} (not configured)"),
    }];
    lines.extend(said.iter().map(statement));
    lines.extend(persons.iter().map(persons_say));
    lines
}

fn statement(statement: &Statement) -> String {
    let Statement {
        says,
        group,
        key,
        occurred_at,
        received_at,
        counts: _,
        because,
    } = statement;
    let subject = match (key, group) {
        (Some(key), Some(group)) => format!("{group:?}, key {key:?}"),
        (Some(key), None) => format!("key {key:?}"),
        (None, Some(group)) => format!("{group:?}"),
        (None, None) => String::new(),
    };
    let what = match says {
        Says::Exists => "exists".to_owned(),
        Says::Placed(parent) => format!("is {parent}"),
        Says::Member(parent) => format!("is a member {parent}"),
        Says::Gone => "is gone".to_owned(),
        Says::Renamed { to } => format!("is renamed to {to:?}"),
        Says::Named => "has this name".to_owned(),
    };
    let received = match occurred_at == received_at {
        true => String::new(),
        false => format!(", received {received_at}"),
    };
    format!(
        "    {occurred_at}  {subject} {what}{received}{}",
        stale(because.as_deref())
    )
}

fn persons_say(says: &PersonsSay) -> String {
    let PersonsSay {
        parent,
        persons,
        newest,
        counts: _,
        because,
    } = says;
    let place = match parent == &ParentText::default() {
        true => "without a parent".to_owned(),
        false => parent.to_string(),
    };
    let persons = counted(*persons, "person");
    format!(
        "    {newest}  {persons} {place}{}",
        stale(because.as_deref())
    )
}

fn stale(because: Option<&str>) -> String {
    because
        .map(|because| format!(" [does not count: {because}]"))
        .unwrap_or_default()
}

fn seeded(seed: &Seeding) -> Vec<String> {
    let Seeding {
        occurred_at,
        parent,
    } = seed;
    vec![
        "  manual (the seed)".to_owned(),
        format!("    {occurred_at}  is {parent}"),
    ]
}
