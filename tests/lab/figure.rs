//! Measured figures beside their goals.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// Notes a measured figure beside its goal: in the test's output, and in `target/tmp/lab-figures.txt`.
#[expect(clippy::print_stdout, reason = "a test's figures are for its reader")]
pub fn figure(what: &str, value: f64, unit: &str, goal: &str) {
    let line = format!("{what}: {value:.1} {unit} (goal {goal})");
    println!("{line}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab-figures.txt");
    if let Ok(mut file) = File::options().create(true).append(true).open(path) {
        let _ = writeln!(file, "{line}");
    }
}
