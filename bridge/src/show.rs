//! Answers on the terminal, and the exit codes that follow from them.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    invoke::variable,
    operators::{Format, Kind},
};

/// Something waits: changes, or what was just asked for.
const PENDING: u8 = 2;

/// Shows an answer; its end.
pub(crate) fn answer(body: &[u8], kind: Kind, form: Format) -> Result<ExitCode> {
    let value: Value = serde_json::from_slice(body).context("the function's answer is no JSON")?;
    let stdout = io::stdout();
    let (shown, end) = match (form, value) {
        (Format::Json, value) => (body.to_vec(), of_json(&value, kind)),
        (Format::Text, Value::String(text)) => {
            let is_coloured =
                stdout.is_terminal() && variable("NO_COLOR").is_none_or(|value| value.is_empty());
            let end = of_text(&text, kind);
            let text = match is_coloured {
                true => coloured(&text),
                false => text,
            };
            (format!("{text}\n").into_bytes(), end)
        }
        (Format::Mermaid | Format::Html, Value::String(text)) => {
            (format!("{text}\n").into_bytes(), Some(0))
        }
        (Format::Text | Format::Mermaid | Format::Html, _) => {
            bail!("the function answers in another form than was asked for: is it of this version?")
        }
    };
    let mut out = stdout.lock();
    out.write_all(&shown)
        .and_then(|()| out.flush())
        .context("the answer could not be written")?;
    let Some(end) = end else {
        bail!("the answer does not say what became of it: is the function of this version?");
    };
    Ok(ExitCode::from(end))
}

fn of_json(value: &Value, kind: Kind) -> Option<u8> {
    match kind {
        Kind::Plan => match value.get("digest")? {
            Value::Null => Some(0),
            _ => Some(PENDING),
        },
        Kind::Report => of_status(value.get("status")?.as_str()?),
        Kind::Check => Some(u8::from(!value.get("ok")?.as_bool()?)),
        Kind::Look => Some(0),
    }
}

/// A line that begins with a change's sign is a change and nothing else; a report's first line begins with what became of it.
fn of_text(text: &str, kind: Kind) -> Option<u8> {
    let any = |signs: &[char]| text.lines().any(|line| line.starts_with(signs));
    match kind {
        Kind::Plan => match any(&['+', '~', '-']) {
            true => Some(PENDING),
            false => text.contains("No changes").then_some(0),
        },
        Kind::Report => of_status(match text.split([':', '.', ',']).next()? {
            "Published" => "published",
            "Unchanged" => "unchanged",
            "Ignored" => "ignored",
            "Saved" => "accepted",
            "Held" => "held",
            "Planned" => "planned",
            _ => return None,
        }),
        Kind::Check => Some(u8::from(any(&['✗']))),
        Kind::Look => Some(0),
    }
}

fn of_status(status: &str) -> Option<u8> {
    match status {
        "published" | "unchanged" | "ignored" => Some(0),
        "accepted" | "held" | "planned" => Some(PENDING),
        _ => None,
    }
}

/// Each line in the colour of its first sign.
fn coloured(text: &str) -> String {
    let line = |line: &str| {
        let colour = match line.chars().next() {
            Some('+' | '✓') => "32",
            Some('~') => "33",
            Some('-' | '✗') => "31",
            Some(_) | None => return line.to_owned(),
        };
        format!("\x1b[{colour}m{line}\x1b[0m")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What a failed invocation says, and what that means where it did not come from us.
pub(crate) fn failure(kind: &str, message: &str) -> String {
    let message: String = message.chars().filter(|c| !c.is_control()).collect();
    let hint = match kind {
        "Runtime.ExitError" | "Runtime.InvalidEntrypoint" | "Extension.Crash" => {
            "\nThe function did not start: its configuration, its sources or its package is at fault. Its log has one line, \
             `the function cannot start`, with every problem: the variable, or the key in sources.toml"
        }
        "Sandbox.Timedout" => {
            "\nIt took longer than the function's timeout: raise Timeout, or look for what does not answer with `bridge check`"
        }
        "BadAction" => "\nIs the function older than this command?",
        "StateUnavailable" | "StateUnreadable" | "NotPublished" => {
            "\n`bridge check` says what does not work, and what to do about it"
        }
        _ => "",
    };
    let kind: String = kind.chars().filter(|c| !c.is_control()).collect();
    format!("{kind}: {message}{hint}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_waits_ends_with_2_and_what_is_done_with_0_in_both_forms() {
        for (status, words, expected) in [
            ("published", "Published: version 7, 3 groups.", Some(0)),
            ("unchanged", "Unchanged: there is nothing to send.", Some(0)),
            ("ignored", "Ignored. Published is version 7.", Some(0)),
            ("accepted", "Saved, and not published yet.", Some(2)),
            ("held", "Held: nothing was sent.", Some(2)),
            ("planned", "Planned: nothing was saved or sent.", Some(2)),
            ("new", "New: of a later version.", None),
        ] {
            assert_eq!(of_text(words, Kind::Report), expected, "{words}");
            let json = json!({"status": status});
            assert_eq!(of_json(&json, Kind::Report), expected, "{status}");
        }
    }

    #[test]
    fn lines_are_coloured_by_their_first_sign_and_others_are_let_be() {
        assert_eq!(
            coloured("+ a\n~ b\n- c\nd + e\n"),
            "\x1b[32m+ a\x1b[0m\n\x1b[33m~ b\x1b[0m\n\x1b[31m- c\x1b[0m\nd + e"
        );
    }

    #[test]
    fn a_failure_is_told_without_what_a_terminal_obeys() {
        let told = failure("Refused", "no\x1b[31m\u{7}");
        assert_eq!(told, "Refused: no[31m");
    }
}
