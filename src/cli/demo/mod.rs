//! `lets-meet demo`: two windows in one meeting where there is a display; else three separate processes with profiles of their own find one another on the loopback interface,
//! meet with test cards and generated speech, chat and drop files, and a table tells what arrived. Nothing touches
//! the machine's real network interfaces.

mod report;
mod voice;
#[cfg(feature = "gui")]
mod windows;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use self::report::{Media, Row};
use super::child::{Child, Folder};
use super::output::Output;
use super::{Exit, Failure, args, code};

const NAMES: [&str; 3] = ["Ada", "Bo", "Cleo"];
const PITCHES: [f32; 3] = [210.0, 110.0, 160.0];
/// Size of each dropped file.
const FILE_BYTES: usize = 5_000_000;
/// How long three processes may take to meet. Three times what a busy two-core machine took.
const MEET_LIMIT: Duration = Duration::from_secs(20);

/// How long after the meeting's time what is missing may still come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the demo; exit 1 when anything is missing.
pub fn run(demo: &args::Demo, output: &Output) -> Result<Exit, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(Exit::Failed, code::INTERNAL, format!("The demo cannot run: {error}."));
    let folder = Folder::new("demo").map_err(failed)?;
    let media = if cfg!(feature = "media") { Media::Whole } else { Media::None };
    if !output.is_json() && media == Media::None {
        output.note("This build has no pictures and no sound (feature `media`): install nasm, cmake and g++ for them.");
    }
    // Stopped by a signal it still ends its processes and removes its folder.
    let stopped = Arc::new(AtomicBool::new(false));
    let runtime = super::runtime()?;
    let flag = Arc::clone(&stopped);
    let signal = crate::task::Scope::new();
    runtime.block_on(async {
        signal.spawn(async move {
            super::interrupted().await;
            flag.store(true, Ordering::Relaxed);
        });
    });
    #[cfg(feature = "gui")]
    if crate::platform::has_display() && !demo.headless && !output.is_json() {
        output.note("Two windows open, Ada and Bo, already in one meeting. Close both to end.");
        windows::run(&folder.path, &stopped).map_err(failed)?;
        return Ok(Exit::Done);
    }
    if !output.is_json() {
        output.note("Three peers on this machine find one another, talk, chat and drop files. Nothing leaves it.");
    }
    let stage = Stage::open(&folder.path, media, stopped).map_err(failed)?;
    let seconds = Duration::from_secs_f64(demo.seconds.clamp(4.0, 600.0));
    let report = stage.play(seconds).map_err(failed)?;
    Ok(report.print(output, media))
}

/// The three processes and what they were given.
struct Stage {
    children: Vec<Child>,
    files: Vec<(PathBuf, String)>,
    logs: Vec<PathBuf>,
    media: Media,
    stopped: Arc<AtomicBool>,
}

/// What came of it.
struct Report {
    rows: Vec<Row>,
    rates: Vec<String>,
    problems: Vec<String>,
}

impl Stage {
    fn open(folder: &Path, media: Media, stopped: Arc<AtomicBool>) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let room = format!("demo-{:08x}", rand::random::<u32>());
        let (mut children, mut files, mut logs) = (Vec::new(), Vec::new(), Vec::new());
        for (i, name) in NAMES.into_iter().enumerate() {
            let home = folder.join(name);
            std::fs::create_dir_all(home.join("downloads"))?;
            let content: Vec<u8> = std::iter::repeat_with(rand::random::<u8>).take(FILE_BYTES).collect();
            let file = home.join(format!("from-{name}.bin"));
            std::fs::write(&file, &content)?;
            files.push((file, blake3::hash(&content).to_hex().to_string()));
            let path = |tail: &str| home.join(tail).to_string_lossy().into_owned();
            let mut arguments: Vec<String> =
                ["join", &room, "--json", "--interface", crate::platform::LOOPBACK, "--accept-files", "--name", name]
                    .map(str::to_owned)
                    .to_vec();
            arguments.extend(["--profile".into(), path("profile"), "--download-dir".into(), path("downloads")]);
            if media == Media::Whole {
                let speech = home.join("speech.wav");
                let seed = u32::try_from(i).unwrap_or(0) + 1;
                voice::write_wav(&speech, &voice::speak(10, PITCHES[i], seed))?;
                arguments.extend(["--camera".into(), "testcard:640x360@30".into()]);
                arguments.extend(["--mic".into(), format!("file:{}", speech.to_string_lossy())]);
            }
            let log = home.join("log");
            children.push(Child::start(name, &program, &arguments, &log)?);
            logs.push(log);
        }
        Ok(Self { children, files, logs, media, stopped })
    }

    /// Reads everybody's events for `time`. Errors when a signal came.
    fn watch(&mut self, time: Duration) -> std::io::Result<()> {
        let end = crate::clock::now() + time;
        while crate::clock::now() < end {
            if self.stopped.load(Ordering::Relaxed) {
                return Err(std::io::Error::new(std::io::ErrorKind::Interrupted, "it was stopped"));
            }
            let until = end.min(crate::clock::now() + Duration::from_millis(200));
            for child in &mut self.children {
                child.read_until(until);
            }
        }
        Ok(())
    }

    fn all_met(&self) -> bool {
        self.children.iter().all(|child| child.of("joined").count() >= NAMES.len() - 1)
    }

    fn play(mut self, seconds: Duration) -> std::io::Result<Report> {
        let start = crate::clock::now();
        while !self.all_met() && start.elapsed() < MEET_LIMIT {
            self.watch(Duration::from_millis(50))?;
        }
        let met = self.all_met().then(|| start.elapsed());
        // The call settles for two seconds; then each says a line to all, a private one to the next, and drops a file.
        self.watch(Duration::from_secs(2).min(seconds))?;
        let peers: Vec<String> = self.children.iter().map(|child| child.peer.clone()).collect();
        for (i, child) in self.children.iter_mut().enumerate() {
            let next = &peers[(i + 1) % NAMES.len()];
            let path = self.files[i].0.to_string_lossy().into_owned();
            for command in [
                json!({ "do": "chat", "text": format!("Hello from {}", NAMES[i]) }),
                json!({ "do": "chat", "text": format!("Private from {}", NAMES[i]), "to": [next] }),
                json!({ "do": "send-file", "path": path, "to": [next] }),
            ] {
                // A child that ended is reported below by what is missing.
                let _ = child.command(&command);
            }
        }
        self.watch(seconds.saturating_sub(Duration::from_secs(2)).max(Duration::from_secs(3)))?;
        // A busy machine gets more time; whoever has everything does not wait.
        let late = crate::clock::now();
        let mut rows = self.rows(&peers);
        while rows.iter().any(|row| !row.missing(self.media).is_empty()) && late.elapsed() < PATIENCE {
            self.watch(Duration::from_millis(200))?;
            rows = self.rows(&peers);
        }
        let rates = self.children.iter().filter_map(rates_line).collect();
        let mut problems = Vec::new();
        if met.is_none() {
            problems.push(format!("not everybody met within {} s", MEET_LIMIT.as_secs()));
        }
        for (child, log) in self.children.iter_mut().zip(&self.logs) {
            if !child.leave(Duration::from_secs(3)) {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                problems.push(format!("{} did not end well: {}", child.name, tail.join(" | ")));
            }
        }
        Ok(Report { rows, rates, problems })
    }

    fn rows(&self, peers: &[String]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (i, child) in self.children.iter().enumerate() {
            for (j, from) in peers.iter().enumerate().filter(|(j, _)| *j != i) {
                let next = (j + 1) % NAMES.len() == i;
                let said = |text: String| child.of("chat").any(|chat| chat["from"] == **from && chat["text"] == *text);
                let found = child.of("sighted").find(|sighted| sighted["peer"] == **from);
                let private = said(format!("Private from {}", NAMES[j]));
                let file = child.of("file-done").find(|done| {
                    done["peer"] == **from && done["direction"] == "in" && done["blake3"] == *self.files[j].1
                });
                let mut row = Row {
                    who: child.name.to_owned(),
                    from: NAMES[j].to_owned(),
                    found: found.and_then(|sighted| sighted["source"].as_str().map(str::to_owned)),
                    room_line: said(format!("Hello from {}", NAMES[j])),
                    private_line: next.then_some(private),
                    file: next.then(|| file.and_then(|done| done["size"].as_u64())),
                    leaked: !next && private,
                    ..Row::default()
                };
                for stats in child.of("stats") {
                    row.take_stats(&stats["peers"][from]);
                }
                rows.push(row);
            }
        }
        rows
    }
}

fn rates_line(child: &Child) -> Option<String> {
    let best = child.of("stats").max_by_key(|stats| stats["rates"]["sent"]["video"].as_u64())?;
    let mbit =
        |value: &Value| value.as_u64().map_or(0.0, |bps| f64::from(u32::try_from(bps).unwrap_or(u32::MAX)) / 1e6);
    let side = |side: &Value| {
        let (total, video, audio) = (mbit(&side["total"]), mbit(&side["video"]), mbit(&side["audio"]));
        format!("{total:.2} Mbit/s (video {video:.2}, sound {audio:.2})")
    };
    let rates = &best["rates"];
    Some(format!("{} sent {}, received {}", child.name, side(&rates["sent"]), side(&rates["received"])))
}

impl Report {
    fn print(&self, output: &Output, media: Media) -> Exit {
        let mut problems = self.problems.clone();
        for row in &self.rows {
            let missing = row.missing(media);
            if output.is_json() {
                let detail = if missing.is_empty() { "whole".to_owned() } else { missing.join(", ") };
                let name = format!("{} of {}", row.who, row.from);
                output
                    .event("check", json!({
                    "name": name, "ok": missing.is_empty(), "detail": detail, "hint": null, "found_by": row.found,
                    "fps": row.picture.map(|(_, _, fps)| fps), "picture_ms": row.picture_ms, "sound_ms": row.sound_ms,
                    "played_ms": row.sound.map(|(played, _)| played), "file_bytes": row.file.flatten(),
                }));
            }
            problems.extend(missing.into_iter().map(|gap| format!("{} of {}: {gap}", row.who, row.from)));
        }
        if !output.is_json() {
            output.line(&format!("\n{}", report::table(&self.rows)));
            for line in &self.rates {
                output.line(line);
            }
        }
        if problems.is_empty() {
            output.note("Everybody saw, heard, read and received everything.");
            Exit::Done
        } else {
            for problem in &problems {
                output.note(&format!("Missing: {problem}."));
            }
            output.note("Run lets-meet doctor to see what this machine's network allows.");
            Exit::Failed
        }
    }
}
