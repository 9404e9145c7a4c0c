//! Answers as a terminal shows them: texts of what is answered, and nothing else.
//!
//! A line that begins with `+`, `~` or `-` is a change; who shows it may colour it by that. No other line begins so.

mod checked;
mod explained;
mod history;
mod planned;
mod report;
mod tree;

use super::{Answer, Freshness, SourceFreshness};
use crate::{
    hierarchy::{
        Conflict, Digest, Group, Held, HeldReason, Name, SourceName, explain::freed_by,
        findings::Side,
    },
    report::{HeldEntry, HeldPlan},
    timestamp::Timestamp,
};

/// How the function is called by commands that an answer tells.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// Its name, where it is known.
    pub function_name: Option<String>,
}

impl Commands {
    /// The AWS CLI's command for an action, to be pasted into a shell.
    pub(super) fn invoke(&self, action: &str) -> String {
        let name = self.function_name.as_deref();
        let name = name.unwrap_or("\"$AWS_LAMBDA_FUNCTION_NAME\"");
        format!(
            "aws lambda invoke --function-name {name} --cli-binary-format raw-in-base64-out --payload '{action}' /dev/stdout"
        )
    }

    /// The one that approves the plan of this digest.
    pub(super) fn approve(&self, digest: &Digest) -> String {
        self.invoke(&format!(
            "{{\"action\":\"approve\",\"digest\":\"{digest}\"}}"
        ))
    }
}

/// An answer's text.
pub(super) fn of(answer: &Answer, commands: &Commands, now: Timestamp) -> String {
    let lines = match answer {
        Answer::Report(report) => report::lines(report),
        Answer::Plan(plan) => planned::lines(plan, commands, now),
        Answer::Explain(explain) => explained::lines(explain),
        Answer::Export(export) => tree::lines(&export.hierarchy),
        Answer::History(history) => history::lines(history, commands, now),
        Answer::Check(check) => checked::lines(check),
        // It has no text: a token is for a program, or one pair of eyes.
        Answer::Handshake(_) => Vec::new(),
    };
    lines.join("\n")
}

/// A group, so that no name is taken for something else, whatever stands in it.
fn named(group_type: &str, name: &str) -> String {
    let quoted = format!("{group_type:?}");
    match quoted
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        Some(plain) if plain == group_type => format!("{plain} {name:?}"),
        Some(_) | None => format!("{quoted} {name:?}"),
    }
}

fn group(group: &Group) -> String {
    named(group.group_type.as_str(), group.name.as_str())
}

/// `under Division "Ops"`.
fn under(parent: Option<&Group>) -> String {
    match parent {
        Some(parent) => format!("under {}", group(parent)),
        None => "at the top".to_owned(),
    }
}

fn under_named(parent: Option<&str>, parent_type: Option<&str>) -> String {
    match parent.zip(parent_type) {
        Some((parent, parent_type)) => format!("under {}", named(parent_type, parent)),
        None => "at the top".to_owned(),
    }
}

/// `1 group`, `2 groups`.
fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// What waits, in a sentence, with what to do.
fn held(entry: &HeldEntry) -> String {
    match entry {
        HeldEntry::Plan(plan) => format!(
            "Held ({}): the plan {}.",
            word(plan.reason),
            why_the_plan_waits(plan)
        ),
        HeldEntry::Statement(held) => held_statement(held),
    }
}

/// Why the whole plan waits and what to do, to be said of "the plan".
pub(super) fn why_the_plan_waits(plan: &HeldPlan) -> String {
    let HeldPlan {
        reason,
        changes: _,
        detail,
    } = plan;
    let to_do = match reason {
        HeldReason::NotSeeded => ". Seed the complete hierarchy, or approve the plan's digest",
        HeldReason::Guard
        | HeldReason::RolledBack
        | HeldReason::Cycle
        | HeldReason::UnknownParent => "",
    };
    format!("{detail}{to_do}")
}

fn held_statement(held: &Held) -> String {
    let place = match (&held.parent, &held.parent_type, &held.parent_key) {
        (Some(parent), Some(parent_type), _) => {
            format!("under {}", named(parent_type.as_str(), parent.as_str()))
        }
        (_, _, Some(key)) => format!("under the key {:?}", key.as_str()),
        (_, _, None) => "at the top".to_owned(),
    };
    let source = held.source.as_ref().map_or("nobody", SourceName::as_str);
    let untold = held
        .cycle_groups
        .map(|all| all.saturating_sub(held.cycle.len()));
    let closes = held.cycle.first().filter(|_| untold.is_none());
    let cycle = held.cycle.iter().chain(closes);
    let cycle: Vec<String> = cycle
        .map(|g| named(g.group_type.as_str(), g.group.as_str()))
        .collect();
    let untold = untold.map(|untold| format!(" under {untold} more"));
    let cycle = match cycle.is_empty() {
        true => String::new(),
        false => {
            let untold = untold.unwrap_or_default();
            format!(": that would be a cycle, {}{untold}", cycle.join(" under "))
        }
    };
    let to_do = match held.reason {
        HeldReason::Cycle => "; let a source place one of them elsewhere, or seed them",
        HeldReason::UnknownParent => "; let it send that group",
        HeldReason::NotSeeded | HeldReason::Guard | HeldReason::RolledBack => "",
    };
    format!(
        "Held ({}): {} {place}, as {source} said as of {}{cycle}. It {}{to_do}.",
        word(held.reason),
        named(held.group_type.as_str(), held.group.as_str()),
        held.occurred_at,
        freed_by(held),
    )
}

const fn word(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::NotSeeded => "not_seeded",
        HeldReason::Guard => "guard",
        HeldReason::Cycle => "cycle",
        HeldReason::UnknownParent => "unknown_parent",
        HeldReason::RolledBack => "rolled_back",
    }
}

fn conflict(conflict: &Conflict) -> String {
    let side = |side: &Side| {
        let place = under_named(
            side.parent.as_ref().map(Name::as_str),
            side.parent_type.as_ref().map(Name::as_str),
        );
        match side.persons {
            Some(persons) => format!(
                "{place} ({} of {})",
                counted(persons, "person"),
                side.source
            ),
            None => format!("{place} ({})", side.source),
        }
    };
    format!(
        "Conflict: {} is {}, and not {}.",
        named(conflict.group_type.as_str(), conflict.group.as_str()),
        side(&conflict.won),
        side(&conflict.lost),
    )
}

/// What waits, what is in conflict and what is odd, a line each.
fn remarks(held: &[HeldEntry], conflicts: &[Conflict], warnings: &[String]) -> Vec<String> {
    let held = held.iter().map(self::held);
    let conflicts = conflicts.iter().map(conflict);
    let warnings = warnings
        .iter()
        .map(|warning| format!("Warning: {warning}."));
    held.chain(conflicts).chain(warnings).collect()
}

fn freshness(freshness: &Freshness, now: Timestamp) -> Vec<String> {
    let Freshness {
        last_webhook,
        last_publish,
        last_reread,
        sources,
    } = freshness;
    let webhook = match last_webhook {
        Some(at) => when(Some(at), now),
        None => "not known".to_owned(),
    };
    let mut lines = vec![
        format!("Last webhook: {webhook}"),
        format!("Last publish: {}", when(last_publish.as_deref(), now)),
        format!("Last re-read: {}", when(last_reread.as_deref(), now)),
    ];
    for source in sources {
        let SourceFreshness {
            source,
            last_statement,
            age_seconds: _,
            last_reread,
            due_since,
        } = source;
        let mut line = format!(
            "Source {source}: last statement {}",
            when(last_statement.as_deref(), now)
        );
        if let Some(at) = last_reread {
            line.push_str(&format!(", last re-read {}", when(Some(at), now)));
        }
        if let Some(at) = due_since {
            line.push_str(&format!(", a re-read is due since {}", when(Some(at), now)));
        }
        lines.push(line);
    }
    lines
}

/// A time, and how long ago it is.
fn when(at: Option<&str>, now: Timestamp) -> String {
    let Some(text) = at else {
        return "never".to_owned();
    };
    let Ok(at) = Timestamp::parse_rfc3339(text) else {
        return text.to_owned();
    };
    let seconds = usize::try_from(now.since(at).as_secs()).unwrap_or(usize::MAX);
    let ago = match seconds {
        0..=119 => counted(seconds, "second"),
        120..=7_199 => counted(seconds / 60, "minute"),
        7_200..=172_799 => counted(seconds / 3_600, "hour"),
        172_800.. => counted(seconds / 86_400, "day"),
    };
    format!("{text} ({ago} ago)")
}

/// Blocks of lines, with an empty line between two.
fn blocks(blocks: Vec<Vec<String>>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for block in blocks.into_iter().filter(|block| !block.is_empty()) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(block);
    }
    lines
}

#[cfg(test)]
mod tests;
