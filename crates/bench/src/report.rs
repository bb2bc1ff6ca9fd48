//! Prints what was measured as a table and writes it to `target/figures/NAME.json`.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::Failed;
use crate::machine::Conditions;

/// What a figure ought to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// As much as this, or more.
    AtLeast(f64),
    /// As much as this, or less.
    AtMost(f64),
    /// Nothing was promised; the figure explains another one.
    None,
}

impl Goal {
    fn number(self) -> Option<f64> {
        match self {
            Self::AtLeast(number) | Self::AtMost(number) => Some(number),
            Self::None => None,
        }
    }

    fn verdict(self, value: f64) -> &'static str {
        match self {
            Self::AtLeast(least) if value < least => "falls short",
            Self::AtMost(most) if value > most => "falls short",
            Self::AtLeast(_) | Self::AtMost(_) => "met",
            Self::None => "",
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {}", number(*least)),
            Self::AtMost(most) => write!(f, "at most {}", number(*most)),
            Self::None => f.write_str("-"),
        }
    }
}

/// One thing that was measured several times.
pub(crate) struct Figure {
    key: &'static str,
    unit: &'static str,
    goal: Goal,
    reference: &'static str,
    /// The median of another program that did the same in the same run.
    peer: Option<f64>,
    /// Sorted, never empty.
    values: Vec<f64>,
}

impl Figure {
    /// A figure without a goal.
    pub(crate) fn new(key: &'static str, unit: &'static str, mut values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "{key} was never measured");
        values.sort_by(f64::total_cmp);
        Self { key, unit, goal: Goal::None, reference: "", peer: None, values }
    }

    /// The same with a goal; `reference` says where the goal comes from, or how a peer did in the same run.
    pub(crate) fn with_goal(mut self, goal: Goal, reference: &'static str) -> Self {
        (self.goal, self.reference) = (goal, reference);
        self
    }

    /// The same with what another program took in the same run.
    pub(crate) fn with_peer(mut self, values: Option<&[f64]>) -> Self {
        self.peer = values.map(|values| Self::new(self.key, self.unit, values.to_vec()).median());
        self
    }

    /// The same with a word on where it stands.
    pub(crate) fn with_reference(mut self, reference: &'static str) -> Self {
        self.reference = reference;
        self
    }

    fn median(&self) -> f64 {
        let middle = self.values.len() / 2;
        if self.values.len() % 2 == 1 {
            self.values[middle]
        } else {
            f64::midpoint(self.values[middle - 1], self.values[middle])
        }
    }

    fn min(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }

    fn max(&self) -> f64 {
        self.values.last().copied().unwrap_or(f64::NAN)
    }

    fn row(&self) -> [String; 7] {
        [
            self.key.to_owned(),
            number(self.median()),
            number(self.min()),
            number(self.max()),
            self.unit.to_owned(),
            self.goal.to_string(),
            self.goal.verdict(self.median()).to_owned(),
        ]
    }

    fn to_json(&self) -> Value {
        json!({
            "median": self.median(),
            "min": self.min(),
            "max": self.max(),
            "unit": self.unit,
            "goal": self.goal.number(),
            "reference": self.reference,
            "peer": self.peer,
        })
    }
}

/// What a benchmark found.
pub(crate) struct Report {
    /// What exactly lies within the figures.
    note: String,
    figures: Vec<Figure>,
}

impl Report {
    /// A report of these figures.
    pub(crate) fn new(note: impl Into<String>, figures: Vec<Figure>) -> Self {
        Self { note: note.into(), figures }
    }

    /// Writes the figures for programs; returns where they are.
    pub(crate) fn write(&self, name: &str, conditions: &Conditions) -> Result<PathBuf, Failed> {
        let folder = lab::root().join("target/figures");
        fs::create_dir_all(&folder)?;
        let file = folder.join(name).with_extension("json");
        fs::write(&file, serde_json::to_string_pretty(&self.to_json(conditions))? + "\n")?;
        Ok(file)
    }

    fn to_json(&self, conditions: &Conditions) -> Value {
        let figures: Map<String, Value> =
            self.figures.iter().map(|figure| (figure.key.to_owned(), figure.to_json())).collect();
        json!({ "machine": conditions.machine, "load": conditions.load, "figures": figures })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["figure", "median", "min", "max", "unit", "goal", ""].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(self.figures.iter().map(Figure::row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        for row in &rows {
            let [key, median, min, max, unit, goal, verdict] = row;
            let [k, a, b, c, u, g, _] = widths;
            let line = format!("{key:<k$}  {median:>a$}  {min:>b$}  {max:>c$}  {unit:<u$}  {goal:<g$}  {verdict}");
            writeln!(f, "{}", line.trim_end())?;
        }
        for figure in self.figures.iter().filter(|figure| !figure.reference.is_empty()) {
            writeln!(f, "  {}: {}", figure.key, figure.reference)?;
        }
        writeln!(f, "\n{}", self.note)
    }
}

/// A number for people: `61,234`, `512`, `4.27`.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digit.is_ascii_digit() && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_its_median_and_its_ends() {
        let odd = Figure::new("odd", "ms", vec![3.0, 1.0, 2.0]);
        assert_eq!((odd.median(), odd.min(), odd.max()), (2.0, 1.0, 3.0));
        assert_eq!(Figure::new("even", "ms", vec![4.0, 1.0, 2.0, 3.0]).median(), 2.5);
    }

    #[test]
    fn a_missed_goal_is_told_and_written() {
        let slow = Figure::new("slow_ms", "ms", vec![151.0]).with_goal(Goal::AtMost(150.0), "promised");
        let slow = slow.with_peer(Some(&[200.0, 100.0, 300.0]));
        let fast = Figure::new("fast_per_s", "/s", vec![61_234.0]).with_goal(Goal::AtLeast(50_000.0), "promised");
        let report = Report::new("note", vec![slow, fast]);
        let table = report.to_string();
        let row = |key: &str| table.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
        assert!(row("slow_ms").ends_with("at most 150      falls short"), "{table}");
        assert!(row("fast_per_s").ends_with("met"));
        assert!(row("fast_per_s").contains("61,234"));
        let conditions = Conditions { machine: "m".into(), load: vec![0.5] };
        assert_eq!(
            report.to_json(&conditions)["figures"]["slow_ms"],
            json!({
                "median": 151.0, "min": 151.0, "max": 151.0, "unit": "ms", "goal": 150.0, "reference": "promised", "peer": 200.0
            })
        );
    }

    #[test]
    fn people_read_numbers_in_groups_of_three() {
        for (value, text) in
            [(0.5, "0.50"), (10.0, "10"), (123.4, "123"), (50_000.0, "50,000"), (1_234_567.0, "1,234,567")]
        {
            assert_eq!(number(value), text);
        }
    }
}
