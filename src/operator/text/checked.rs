//! The text of what was tested before the first event.

use super::{blocks, counted};
use crate::operator::{CheckAnswer, Finding};

pub(super) fn lines(answer: &CheckAnswer) -> Vec<String> {
    let CheckAnswer { ok, checks } = answer;
    let mut found = Vec::new();
    for Finding {
        what,
        ok,
        detail,
        remedy,
    } in checks
    {
        let sign = match ok {
            Some(true) => '✓',
            Some(false) => '✗',
            None => '–',
        };
        found.push(format!("{sign} {what}: {detail}."));
        found.extend(remedy.as_ref().map(|remedy| format!("    {remedy}.")));
    }
    let failed = checks.iter().filter(|check| check.ok == Some(false));
    let summary = match ok {
        true => "Nothing failed.".to_owned(),
        false => format!("{} failed.", counted(failed.count(), "part")),
    };
    blocks(vec![found, vec![summary]])
}
