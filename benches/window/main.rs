//! What the window costs: `cargo bench --bench window`, or one part of it: `-- start`, `-- update`, `-- tiles`. Every
//! figure is printed beside its goal, and one that misses it fails the run. Needs the packages xvfb and xdotool, no GPU and
//! no sound card, and a machine that does nothing else.

#![expect(clippy::print_stdout, reason = "it answers on a terminal")]

mod display;
mod start;
mod tiles;
mod update;

use std::process::ExitCode;

/// One figure and its goal.
#[derive(Debug)]
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    goal: Goal,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    fn is_met(&self) -> bool {
        match self.goal {
            Goal::AtMost(most) => self.value <= most,
            Goal::AtLeast(least) => self.value >= least,
        }
    }

    fn print(&self) {
        let (words, goal) = match self.goal {
            Goal::AtMost(most) => ("at most", most),
            Goal::AtLeast(least) => ("at least", least),
        };
        let verdict = if self.is_met() { "" } else { "   MISSED" };
        let Self { name, value, unit, .. } = self;
        println!("{name:<58} {value:>9.3} {unit:<6} (goal {words} {goal} {unit}){verdict}");
    }
}

fn main() -> ExitCode {
    let argument = |name: &str| std::env::args().any(|argument| argument == name);
    if argument(tiles::CHILD) {
        return match tiles::window() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    // `cargo test --all-targets` runs this too, where nothing is to be measured.
    if !argument("--bench") {
        return ExitCode::SUCCESS;
    }
    type Part = fn() -> std::io::Result<Vec<Figure>>;
    let parts: [(&str, Part); 3] = [("start", start::measure), ("update", update::measure), ("tiles", tiles::measure)];
    let all = !parts.iter().any(|(name, _)| argument(name));
    let mut met = true;
    for (_, measure) in parts.into_iter().filter(|(name, _)| all || argument(name)) {
        match measure() {
            Ok(figures) => {
                for figure in figures {
                    figure.print();
                    met &= figure.is_met();
                }
            }
            Err(error) => {
                eprintln!("{error} (needs the packages xvfb and xdotool)");
                met = false;
            }
        }
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
