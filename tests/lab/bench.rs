//! The benches as scripts use them. Their verdicts are for quiet machines; here it counts that the figures are there and
//! make sense.

use std::process::Output;

use serde_json::Value;

use crate::host::Lab;
use crate::lab;
use crate::program::lines;

fn bench(lab: &Lab, args: &[&str]) -> Output {
    lab.command(1, env!("CARGO_BIN_EXE_lets-meet")).arg("bench").args(args).output().expect("the program runs")
}

/// The one case of a bench that ran.
fn case(output: &Output) -> Value {
    let events = lines(output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(events.iter().any(|event| event["event"] == "machine" && event["cores"].as_u64() >= Some(1)), "{stderr}");
    let cases: Vec<&Value> = events.iter().filter(|event| event["event"] == "bench").collect();
    assert_eq!(cases.len(), 1, "{events:?}");
    let missed = cases[0]["verdict"] == "missed";
    assert_eq!(output.status.code(), Some(i32::from(missed)), "the exit code tells the verdict: {stderr}");
    cases[0].clone()
}

#[test]
fn a_bench_measures_a_real_call_and_judges_it() {
    let lab = lab!(1);
    let case = case(&bench(&lab, &["video-latency", "--only", "640x360", "--seconds", "3", "--json"]));
    let figure = |name: &str| case["figures"][name].as_f64().unwrap_or_else(|| panic!("{name} in {case}"));
    assert!(figure("video_p50") > 0.0 && figure("video_p50") <= figure("video_p95"), "{case}");
    assert!(figure("video_p95") <= 75.0, "three times the goal: {case}");
    assert_eq!(figure("height"), 360.0);
    assert_eq!(case["goals"]["video p50 ms"]["most"], 12.0);
    assert!(case["others"].as_f64().is_some_and(|others| (0.0..=1.0).contains(&others)), "{case}");
}

#[test]
fn a_bench_through_a_bad_link_has_its_delay_and_its_loss() {
    let lab = lab!(1);
    let case = case(&bench(&lab, &["loss", "--only", "5 % lost in bursts", "--seconds", "5", "--json"]));
    let figure = |name: &str| case["figures"][name].as_f64().unwrap_or_else(|| panic!("{name} in {case}"));
    assert!(figure("video_p50") >= 20.0, "no picture is faster than the link: {case}");
    assert!(figure("audio_p50") >= 20.0, "{case}");
    assert!(figure("repaired") > 0.0, "what was lost was made good: {case}");
}

#[test]
fn what_is_no_bench_is_said() {
    let lab = lab!(1);
    for (name, words) in [("swarm", "not available yet"), ("speed", "video-latency")] {
        let output = bench(&lab, &[name]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    }
}
