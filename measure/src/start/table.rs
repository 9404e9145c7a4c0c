//! The table: a line a figure, what it is compared with, and whether it is within its limit.

use std::fmt;

use serde::Serialize;

use super::goals::{Bounds, Goal, Limit};

/// One line.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What was measured.
    pub what: &'static str,
    /// The unit of both figures.
    pub unit: &'static str,
    /// The function's figure; `None` where it could not be measured.
    pub figure: Option<f64>,
    /// What it is compared with.
    pub against: Option<f64>,
    /// The one by the other.
    pub ratio: Option<f64>,
    /// What it must not exceed.
    pub limit: Option<Limit>,
    /// Whether it does not; `None` where there is no limit or no figure.
    pub holds: Option<bool>,
}

/// All of them.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// By which limits they are judged.
    pub bounds: Bounds,
    /// From the start on.
    pub lines: Vec<Line>,
}

impl Table {
    pub(super) fn new(bounds: Bounds) -> Self {
        let lines = Vec::new();
        Self { bounds, lines }
    }

    /// Adds a figure that says enough by itself.
    pub(super) fn add(&mut self, goal: &Goal, figure: f64) {
        self.judge(goal, Some(figure), None);
    }

    /// Adds a figure, and what it is compared with.
    pub(super) fn compare(&mut self, goal: &Goal, figure: f64, against: f64) {
        self.judge(goal, Some(figure), Some(against));
    }

    /// Says that a figure could not be had.
    pub(super) fn unmeasured(&mut self, goal: &Goal) {
        self.judge(goal, None, None);
    }

    fn judge(&mut self, goal: &Goal, figure: Option<f64>, against: Option<f64>) {
        let ratio = figure.zip(against).map(|(figure, least)| figure / least);
        let limit = goal.limit(self.bounds);
        let holds = limit.and_then(|limit| match limit {
            Limit::Figure(most) => Some(figure? <= most),
            Limit::Ratio(most) => Some(ratio? <= most),
        });
        self.lines.push(Line {
            what: goal.what,
            unit: goal.unit,
            figure,
            against,
            ratio,
            limit,
            holds,
        });
    }

    /// The line of this name.
    pub fn line(&self, what: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.what == what)
    }

    /// Each limit that does not hold, in words.
    pub(super) fn broken(&self) -> Vec<String> {
        let broken = self.lines.iter().filter(|line| line.holds == Some(false));
        broken.map(Line::told).collect()
    }
}

impl Line {
    fn told(&self) -> String {
        let Self { what, unit, .. } = self;
        let figure = quantity(self.figure, unit);
        match (self.limit, self.ratio) {
            (Some(Limit::Ratio(most)), Some(ratio)) => {
                format!("{what}: {figure} is {ratio:.2} times, and at most {most} may be")
            }
            (Some(Limit::Figure(most)), _) => {
                format!("{what}: {figure}, and at most {most} may be")
            }
            _ => format!("{what}: {figure}"),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at_most, holds) = ("at most", "holds");
        writeln!(
            f,
            "{:<34} {:>12} {:>14} {:>7} {at_most:>9}  {holds}",
            "", "function", "compared with", "ratio"
        )?;
        self.lines.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        let Some(figure) = self.figure else {
            return writeln!(f, "{what:<34} {:>12}", "not measured");
        };
        let figure = quantity(Some(figure), self.unit);
        let against = match self.against {
            Some(_) => quantity(self.against, self.unit),
            None => String::new(),
        };
        let ratio = self.ratio.map(|ratio| format!("{ratio:.2}"));
        let ratio = ratio.unwrap_or_default();
        let limit = match self.limit {
            None => String::new(),
            Some(Limit::Figure(most)) => quantity(Some(most), self.unit),
            Some(Limit::Ratio(most)) => format!("{most:.1} x"),
        };
        let holds = match self.holds {
            None => "",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        let line = format!("{what:<34} {figure:>12} {against:>14} {ratio:>7} {limit:>9}  {holds}");
        writeln!(f, "{}", line.trim_end())
    }
}

/// Counts as they are, all else to a hundredth.
fn quantity(figure: Option<f64>, unit: &str) -> String {
    match (figure, unit) {
        (None, _) => "not measured".to_owned(),
        (Some(figure), "") => format!("{figure:.0}"),
        (Some(figure), unit) => format!("{figure:.2} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Goal = Goal {
        what: "init",
        unit: "ms",
        goal: Some(Limit::Ratio(1.5)),
        ci: Some(Limit::Figure(10.0)),
    };

    fn table(bounds: Bounds, figure: Option<f64>) -> Table {
        let mut table = Table::new(bounds);
        match figure {
            Some(figure) => table.compare(&GOAL, figure, 2.0),
            None => table.unmeasured(&GOAL),
        }
        table
    }

    #[test]
    fn a_line_tells_its_figure_its_ratio_and_whether_it_holds() {
        let lines = table(Bounds::Goal, Some(3.0)).to_string();
        let line = lines.lines().nth(1).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let expected = [
            "init", "3.00", "ms", "2.00", "ms", "1.50", "1.5", "x", "yes",
        ];
        assert_eq!(words, expected);
        assert_eq!(table(Bounds::Goal, Some(3.0)).broken(), [""; 0]);
    }

    #[test]
    fn what_exceeds_its_limit_is_told_and_what_was_not_measured_is_not() {
        let doubled = table(Bounds::Goal, Some(6.0)).broken();
        assert_eq!(
            doubled,
            ["init: 6.00 ms is 3.00 times, and at most 1.5 may be"]
        );
        let slow = table(Bounds::Ci, Some(11.0)).broken();
        assert_eq!(slow, ["init: 11.00 ms, and at most 10 may be"]);
        assert_eq!(table(Bounds::Ci, Some(6.0)).broken(), [""; 0]);
        let unknown = table(Bounds::Goal, None);
        assert_eq!(unknown.broken(), [""; 0]);
        assert!(unknown.to_string().ends_with("not measured\n"));
    }
}
