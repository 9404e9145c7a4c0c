//! Reading single variables; what is wrong with one is noted, and reading goes on.

use std::{fmt, str::FromStr, time::Duration};

use crate::{hierarchy::Name, http::BaseUrl};

use super::ConfigProblems;

const SECONDS_A_DAY: u64 = 86_400;

/// No duration is longer: a thousand years of 366 days, so that adding one to a time stays in range.
const LONGEST_SECONDS: u64 = 366_000 * SECONDS_A_DAY;

/// The variables, and what has been found wrong with them.
pub(super) struct Variables<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: ConfigProblems,
}

impl<'a> Variables<'a> {
    pub(super) fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            get,
            problems: ConfigProblems::default(),
        }
    }

    pub(super) fn finish(self) -> ConfigProblems {
        self.problems
    }

    pub(super) fn problem(&mut self, name: &'static str, reason: impl fmt::Display) {
        self.problems.push(name, reason.to_string());
    }

    /// The value; an empty one counts as unset.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&mut self, name: &'static str, accepted: &str) -> Option<String> {
        let value = self.text(name);
        if value.is_none() {
            self.problem(name, format_args!("must be set, to {accepted}"));
        }
        value
    }

    /// A URL, where one is given and is good.
    pub(super) fn url(&mut self, name: &'static str) -> Option<BaseUrl> {
        let value = self.text(name)?;
        self.parse_url(name, &value)
    }

    /// Anything else, where it is given and is good.
    pub(super) fn parsed<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let value = self.text(name)?;
        value
            .parse()
            .map_err(|error| self.problem(name, error))
            .ok()
    }

    pub(super) fn url_or(&mut self, name: &'static str, default: &str) -> Option<BaseUrl> {
        let value = self.text(name).unwrap_or_else(|| default.to_owned());
        self.parse_url(name, &value)
    }

    fn parse_url(&mut self, name: &'static str, value: &str) -> Option<BaseUrl> {
        BaseUrl::parse(value)
            .map_err(|error| self.problem(name, error))
            .ok()
    }

    pub(super) fn name_or(&mut self, name: &'static str, default: &str) -> Option<Name> {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        Name::new(&text)
            .map_err(|fault| self.problem(name, fault))
            .ok()
    }

    pub(super) fn bool_or(&mut self, name: &'static str, default: bool) -> bool {
        let Some(value) = self.text(name) else {
            return default;
        };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => {
                self.problem(name, "must be true or false");
                default
            }
        }
    }

    pub(super) fn percent_or(&mut self, name: &'static str, default: u8) -> u8 {
        self.number_or(name, default, 0, 100)
    }

    pub(super) fn count_or(&mut self, name: &'static str, default: usize) -> usize {
        self.number_or(name, default, 0, usize::MAX)
    }

    pub(super) fn positive_count_or(&mut self, name: &'static str, default: usize) -> usize {
        self.number_or(name, default, 1, usize::MAX)
    }

    pub(super) fn seconds_or(&mut self, name: &'static str, default: u64) -> Duration {
        Duration::from_secs(self.number_or(name, default, 0, LONGEST_SECONDS))
    }

    pub(super) fn positive_seconds_or(&mut self, name: &'static str, default: u64) -> Duration {
        Duration::from_secs(self.number_or(name, default, 1, LONGEST_SECONDS))
    }

    pub(super) fn days_or(&mut self, name: &'static str, default: u64) -> Duration {
        let days = self.number_or(name, default, 1, LONGEST_SECONDS / SECONDS_A_DAY);
        Duration::from_secs(days.saturating_mul(SECONDS_A_DAY))
    }

    fn number_or<N>(&mut self, name: &'static str, default: N, least: N, most: N) -> N
    where
        N: FromStr + PartialOrd + fmt::Display + Copy,
    {
        let Some(value) = self.text(name) else {
            return default;
        };
        match value.trim().parse() {
            Ok(number) if least <= number && number <= most => number,
            Ok(_) | Err(_) => {
                let reason = format!("must be a whole number from {least} to {most}");
                self.problem(name, reason);
                default
            }
        }
    }
}
