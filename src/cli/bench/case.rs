//! Sans-IO. What a case is judged by: its figures beside its goals and beside what Chromium was measured to do.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::figures::{FIELDS, Figures};

/// One bound: the words of the figure as in [`FIELDS`], and what it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// At most so much.
    Most(&'static str, f64),
    /// At least so much.
    Least(&'static str, f64),
}

impl Goal {
    fn figure(self) -> &'static str {
        match self {
            Self::Most(figure, _) | Self::Least(figure, _) => figure,
        }
    }

    fn bound(self) -> f64 {
        match self {
            Self::Most(_, bound) | Self::Least(_, bound) => bound,
        }
    }

    /// Whether a figure meets it. One that is not known does not.
    fn is_met(self, figures: &Figures) -> bool {
        let value = FIELDS.iter().find(|(name, ..)| *name == self.figure()).and_then(|(_, get, _)| get(figures));
        value.is_some_and(|value| match self {
            Self::Most(_, most) => value <= most,
            Self::Least(_, least) => value >= least,
        })
    }
}

/// What came of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every goal is met.
    Met,
    /// One is missed.
    Missed,
    /// Others used too much of the machine meanwhile, or that is not known.
    Busy,
}

impl Verdict {
    /// The word for scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Busy => "machine-busy",
        }
    }
}

/// A measured case.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The bench.
    pub bench: &'static str,
    /// The case, in words.
    pub case: String,
    /// The median of the runs.
    pub figures: Figures,
    /// The least and largest of the runs.
    pub spread: (Figures, Figures),
    /// How many runs.
    pub runs: u32,
    /// What it is judged by.
    pub goals: Vec<Goal>,
    /// What Chromium did (figure, value), as recorded in `docs/performance.md`.
    pub chromium: &'static [(&'static str, f64)],
    /// What another program did in the same run, median of its runs.
    pub beside: Option<Figures>,
    /// The share of the machine that others used, the most of all runs.
    pub others: Option<f64>,
    /// What the figures `share %` and `after ms` mean here.
    pub note: &'static str,
}

impl Outcome {
    /// The goals that are not met.
    pub fn missed(&self) -> Vec<Goal> {
        self.goals.iter().copied().filter(|goal| !goal.is_met(&self.figures)).collect()
    }

    /// The figures that are worse than those of the program beside.
    pub fn worse(&self) -> Vec<&'static str> {
        self.beside.as_ref().map(|theirs| super::figures::worse(&self.figures, theirs)).unwrap_or_default()
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        if self.others.is_none_or(|others| others > super::machine::BUSY) {
            Verdict::Busy
        } else if self.missed().is_empty() && self.worse().is_empty() {
            Verdict::Met
        } else {
            Verdict::Missed
        }
    }

    /// For scripts.
    pub fn to_json(&self) -> Value {
        let fields = |figures: &Figures| serde_json::to_value(figures).unwrap_or_default();
        let goals: Map<String, Value> = self
            .goals
            .iter()
            .map(|goal| {
                let key = if matches!(goal, Goal::Most(..)) { "most" } else { "least" };
                (goal.figure().to_owned(), json!({ key: goal.bound(), "met": goal.is_met(&self.figures) }))
            })
            .collect();
        let chromium: Map<String, Value> =
            self.chromium.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({
            "bench": self.bench,
            "case": self.case,
            "runs": self.runs,
            "figures": fields(&self.figures),
            "least": fields(&self.spread.0),
            "largest": fields(&self.spread.1),
            "goals": goals,
            "chromium_recorded": chromium,
            "beside": self.beside.as_ref().map(fields),
            "worse": self.worse(),
            "others": self.others,
            "verdict": self.verdict().name(),
        })
    }

    /// For people: a heading and a line for each figure that is known.
    pub fn table(&self) -> String {
        let mut out = format!("{}: {}\n", self.bench, self.case);
        let rows: Vec<[String; 5]> = FIELDS
            .iter()
            .filter_map(|(name, get, _)| {
                let value = get(&self.figures)?;
                let beside = self.beside.as_ref().and_then(get).map_or_else(String::new, |theirs| {
                    let worse = if self.worse().contains(name) { "  better" } else { "" };
                    format!("{}{worse}", number(theirs))
                });
                let spread = match (get(&self.spread.0), get(&self.spread.1)) {
                    (Some(least), Some(most)) if self.runs > 1 => format!(" ({} to {})", number(least), number(most)),
                    _ => String::new(),
                };
                let goal = self.goals.iter().find(|goal| goal.figure() == *name).map_or_else(String::new, |goal| {
                    let sign = if matches!(goal, Goal::Most(..)) { "<=" } else { ">=" };
                    let met = if goal.is_met(&self.figures) { "" } else { "  missed" };
                    format!("{sign} {}{met}", number(goal.bound()))
                });
                let chromium = self.chromium.iter().find(|(figure, _)| figure == name);
                let chromium = chromium.map_or_else(String::new, |(_, value)| number(*value));
                Some([(*name).to_owned(), format!("{}{spread}", number(value)), goal, beside, chromium])
            })
            .collect();
        let beside = if self.beside.is_some() { "beside, same run" } else { "" };
        let head = ["", "measured", "goal", beside, "Chromium (recorded)"].map(str::to_owned);
        let lines: Vec<&[String; 5]> = std::iter::once(&head).chain(&rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..5).map(width).collect();
        for line in lines {
            let cells = line.iter().zip(&widths).filter(|(_, width)| **width > 0);
            let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
            let _ = writeln!(out, "  {}", cells.join("  ").trim_end());
        }
        if !self.note.is_empty() {
            let _ = writeln!(out, "  {}", self.note);
        }
        let verdict = match (self.verdict(), self.others) {
            (Verdict::Met, _) => "goal met".to_owned(),
            (Verdict::Missed, _) => "goal missed".to_owned(),
            (Verdict::Busy, Some(others)) => {
                format!("machine busy, no verdict: other programs used {:.0} % of it", others * 100.0)
            }
            (Verdict::Busy, None) => "no verdict: this system does not tell what other programs use".to_owned(),
        };
        let _ = writeln!(out, "  {verdict}");
        out
    }
}

/// Short and readable: at most two decimals, fewer for what is large.
fn number(value: f64) -> String {
    let decimals = if value.abs() < 1.0 { 3 } else { usize::from(value.abs() < 100.0) };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    if text.is_empty() || text == "-0" { "0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(video_p50: f64, others: Option<f64>) -> Outcome {
        let figures = Figures { video_p50: Some(video_p50), ..Figures::default() };
        Outcome {
            bench: "video-latency",
            case: "640x360".into(),
            spread: (figures.clone(), figures.clone()),
            figures,
            runs: 1,
            goals: vec![Goal::Most("video p50 ms", 12.0)],
            chromium: &[("video p50 ms", 18.5)],
            beside: None,
            others,
            note: "",
        }
    }

    #[test]
    fn a_verdict_needs_a_quiet_machine() {
        assert_eq!(outcome(11.0, Some(0.05)).verdict(), Verdict::Met);
        assert_eq!(outcome(13.0, Some(0.05)).verdict(), Verdict::Missed);
        assert_eq!(outcome(11.0, Some(0.2)).verdict(), Verdict::Busy);
        assert_eq!(outcome(11.0, None).verdict(), Verdict::Busy);
    }

    #[test]
    fn to_be_worse_than_who_ran_beside_is_to_miss() {
        let beside = |video_p95| Some(Figures { video_p95: Some(video_p95), ..Figures::default() });
        let ours = outcome(11.0, Some(0.0));
        let figures = Figures { video_p95: Some(20.0), ..ours.figures.clone() };
        let ours = Outcome { figures, ..ours };
        assert_eq!(Outcome { beside: beside(30.0), ..ours.clone() }.verdict(), Verdict::Met);
        let worse = Outcome { beside: beside(10.0), ..ours };
        assert_eq!((worse.verdict(), worse.worse()), (Verdict::Missed, vec!["video p95 ms"]));
        assert!(worse.table().contains("10  better"), "{}", worse.table());
    }

    #[test]
    fn what_is_not_known_is_not_met() {
        let unknown = Outcome { figures: Figures::default(), ..outcome(1.0, Some(0.0)) };
        assert_eq!(unknown.verdict(), Verdict::Missed);
        assert!(!Goal::Least("pictures a second", 1.0).is_met(&Figures::default()));
    }

    #[test]
    fn goals_name_figures_that_exist() {
        let names: Vec<&str> = FIELDS.iter().map(|(name, ..)| *name).collect();
        for (_, goals, chromium) in super::super::suite::judged() {
            for goal in goals {
                assert!(names.contains(&goal.figure()), "{goal:?}");
            }
            for (figure, _) in chromium {
                assert!(names.contains(figure), "{figure}");
            }
        }
    }

    #[test]
    fn the_table_shows_figure_goal_and_verdict() {
        let table = outcome(13.25, Some(0.0)).table();
        assert!(table.contains("video p50 ms  13.2") && table.contains("<= 12  missed"), "{table}");
        assert!(table.contains("18.5") && table.ends_with("  goal missed\n"), "{table}");
        let json = outcome(13.25, Some(0.0)).to_json();
        assert_eq!(json["verdict"], "missed");
        assert_eq!(json["goals"]["video p50 ms"]["met"], false);
    }
}
