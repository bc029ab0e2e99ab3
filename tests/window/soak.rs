//! Four moving tiles for long: the window's memory stays flat. Twenty minutes by hand (`make soak`).

use std::time::Duration;

use crate::desk::Desk;
use crate::shots::peer;

const CARD: [&str; 4] = ["--camera", "testcard:640x360@15", "--mic", "clicks"];

/// Looks every second, and compares the last `window` seconds with as many after the first two windows: what is filled once,
/// graphs of five minutes among it, is full by then.
#[expect(clippy::print_stdout, reason = "a figure, for whoever runs it by hand")]
fn flat(seconds: usize, window: usize, slack: f64) {
    let desk = Desk::new(1280, 840);
    let _peers: Vec<_> = ["Bo", "Cy", "Dima", "Eva"].iter().map(|name| peer(&desk, name, "long", &CARD)).collect();
    let ana = desk.program("Ana", &["--camera", "testcard:640x360@15", "--mic", "tone", "--speaker", "none"]);
    ana.click("join-long");
    let tiles = || ana.tiles().len();
    desk.until("four tiles", || tiles() == 4);
    let mut seen = Vec::new();
    for _ in 0..seconds {
        // Time itself is what is waited for here.
        std::thread::sleep(Duration::from_secs(1));
        seen.push(ana.memory());
    }
    let last = tiles();
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len() as f64;
    let (early, late) = (mean(&seen[2 * window..3 * window]), mean(&seen[seen.len() - window..]));
    let growth = (late / early - 1.0) * 100.0;
    println!(
        "memory of the window: {:.1} MB early, {:.1} MB after {seconds} s, {growth:.1} %",
        early / 1e6,
        late / 1e6
    );
    assert_eq!(last, 4, "all are still here");
    assert!(late <= early * (1.0 + slack), "{early:.0} bytes became {late:.0}");
}

#[test]
#[ignore = "twenty minutes: make soak"]
fn soak_memory_of_four_tiles_is_flat_for_twenty_minutes() {
    flat(1200, 150, 0.05);
}
