//! The real program: how long until the lobby is seen, what an idle lobby costs, and what a preview adds.

use std::io::{Error, Result};
use std::process::Command;
use std::time::Duration;

use lets_meet::clock::now;

use crate::display::{Display, Kept, cores, resident_mb};
use crate::{Figure, Goal};

/// The first run warms the disk's cache; the middle one of the others counts.
const RUNS: usize = 6;
/// Starting is over after it.
const SETTLE: Duration = Duration::from_secs(8);
const MEASURED: Duration = Duration::from_secs(20);

pub fn measure() -> Result<Vec<Figure>> {
    let mut times = Vec::new();
    for run in 0..RUNS {
        let display = Display::new()?;
        let since = now();
        let program = start(&display, false)?;
        lobby_is_seen(&display)?;
        times.push((run > 0).then(|| since.elapsed().as_secs_f64()));
        drop(program);
    }
    let mut times: Vec<f64> = times.into_iter().flatten().collect();
    times.sort_by(f64::total_cmp);
    println!("first windows: {}", times.iter().map(|time| format!("{time:.2} s")).collect::<Vec<_>>().join(" "));

    let display = Display::new()?;
    let program = start(&display, false)?;
    lobby_is_seen(&display)?;
    std::thread::sleep(SETTLE);
    let idle = cores(&program.0, MEASURED)?;
    let memory = resident_mb(&program.0)?;
    let (x, y) = camera_button()?;
    display.click(x, y)?;
    std::thread::sleep(Duration::from_secs(3));
    if !preview_is_seen(&display)? {
        return Err(Error::other("the click on the camera shows no preview"));
    }
    let preview = cores(&program.0, MEASURED)?;
    let figure = |name, value, unit, most| Figure { name, value, unit, goal: Goal::AtMost(most) };
    Ok(vec![
        figure("first window, warm", times[times.len() / 2], "s", 1.5),
        figure("lobby, idle", idle, "cores", 0.01),
        figure("lobby, resident memory", memory, "MB", 150.0),
        figure("lobby with a preview of 640x360 at 30", preview, "cores", 0.15),
    ])
}

fn start(display: &Display, map: bool) -> Result<Kept> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lets-meet"));
    command.args(["window", "--interface", "lo", "--camera", "testcard:640x360@30", "--mic", "none"]);
    command.args(["--speaker", "none", "--name", "Mira", "--profile"]).arg(display.folder().join("profile"));
    if map {
        command.arg("--map").arg(display.folder().join("map"));
    }
    display.start(&mut command)
}

/// The blue button that starts a meeting is drawn.
fn lobby_is_seen(display: &Display) -> Result<()> {
    let (mut screen, since) = (display.screen()?, now());
    let mut row = [[0; 4]; 1280];
    while since.elapsed() < Duration::from_secs(20) {
        screen.row(0, 145, &mut row)?;
        if row.iter().filter(|[b, g, r, _]| (*r, *g, *b) == (0x5b, 0x8c, 0xff)).count() > 100 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(Error::other("no lobby is seen in 20 s"))
}

/// The test card is black and white where the word "off" was.
fn preview_is_seen(display: &Display) -> Result<bool> {
    let mut screen = display.screen()?;
    let mut row = [[0; 4]; 340];
    screen.row(35, 100, &mut row)?;
    Ok(row.iter().filter(|[_, g, _, _]| *g > 200).count() > 20)
}

/// Where the camera is switched on, as the window's own map says.
fn camera_button() -> Result<(f64, f64)> {
    let display = Display::new()?;
    let _program = start(&display, true)?;
    let since = now();
    while since.elapsed() < Duration::from_secs(20) {
        let map = std::fs::read_to_string(display.folder().join("map")).unwrap_or_default();
        let mut entries = map.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        if let Some(entry) = entries.find(|entry| entry["id"] == "camera") {
            let number = |key: &str| entry[key].as_f64().unwrap_or_default();
            return Ok((number("x") + number("width") / 2.0, number("y") + number("height") / 2.0));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(Error::other("the map shows no camera button"))
}
