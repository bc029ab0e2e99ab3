//! `lets-meet bench NAME`: reproduces the published numbers. Each case is a call of real processes of this program on the
//! loopback interface, through an emulated link where it needs one; its figures are printed beside its goals. When
//! other programs use more than a tenth of the machine there is no verdict.

mod beside;
mod call;
mod case;
mod figures;
mod link;
mod machine;
mod model;
mod suite;

use std::time::Duration;

use serde_json::json;

use self::case::Verdict;
use self::suite::{NAMES, Plan};
use super::output::Output;
use super::{Exit, Failure, args, code};

/// Benches of later versions.
const LATER: &[&str] = &["drop", "drop-small", "swarm", "rendezvous", "footprint"];

/// Runs what was asked for; exit 1 when a goal is missed.
pub fn run(bench: &args::Bench, output: &Output) -> Result<Exit, Failure> {
    if LATER.contains(&bench.which.as_str()) {
        return Err(Failure::later(&format!("lets-meet bench {}", bench.which)));
    }
    let names: Vec<&str> = NAMES.iter().copied().filter(|name| bench.which == "all" || bench.which == *name).collect();
    if names.is_empty() {
        return Err(Failure::usage(format!(
            "There is no bench {:?}; use one of {}, all.",
            bench.which,
            NAMES.join(", ")
        )));
    }
    if cfg!(not(feature = "media")) {
        let words = "This build has no pictures and no sound; build with the feature media to measure them.";
        return Err(Failure::new(Exit::Failed, code::INTERNAL, words));
    }
    let cameras = bench.cameras.unwrap_or(bench.people).min(bench.people);
    let plan = Plan {
        time: Duration::from_secs(bench.seconds),
        runs: bench.runs,
        people: bench.people,
        cameras,
        beside: bench.beside.clone(),
    };
    let machine = machine::describe();
    if output.is_json() {
        output.event("machine", machine);
    } else {
        let word = |key: &str| machine[key].as_str().map_or_else(|| machine[key].to_string(), str::to_owned);
        output.line(&format!("On {} cores, {}, load {}.", word("cores"), word("cpu"), word("load")));
        if cfg!(debug_assertions) {
            output.note("This is a debug build: its figures say nothing of a release.");
        }
    }
    let mut missed = false;
    let only = bench.only.as_deref().unwrap_or_default();
    for name in names {
        let told = &mut |outcome: case::Outcome| {
            missed |= outcome.verdict() == Verdict::Missed;
            if output.is_json() {
                output.event("bench", outcome.to_json());
            } else {
                output.line(&outcome.table());
            }
        };
        suite::run(name, only, &plan, told).map_err(|error| {
            Failure::new(Exit::Failed, code::INTERNAL, format!("The bench {name} cannot be run: {error}."))
        })?;
    }
    if output.is_json() {
        output.event("bench-end", json!({ "missed": missed }));
    }
    Ok(if missed { Exit::Failed } else { Exit::Done })
}
