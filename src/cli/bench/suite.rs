//! The cases of each bench, with their goals (`docs/performance.md`), and how each is measured.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::beside::{self, Ask};
use super::call::{Call, Find, Party};
use super::case::{Goal, Outcome};
use super::figures::{self, Figures};
use super::machine::Moment;
use super::model::Shape;
use Goal::{Least, Most};

/// Let go before it is measured: estimates and buffers settle.
const SETTLE: Duration = Duration::from_secs(6);
/// The longest that a bench waits for a file.
const FILE_LIMIT: Duration = Duration::from_secs(120);
/// Test cards come at this rate.
const FPS: f64 = 30.0;

/// How long and how often.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of each run.
    pub time: Duration,
    /// Of each case.
    pub runs: u32,
    /// Of `mesh`.
    pub people: u32,
    /// Of them, with a camera.
    pub cameras: u32,
    /// The driver of a program to measure beside, see [`beside`].
    pub beside: Option<PathBuf>,
}

/// One run's figures, and what others used of the machine meanwhile.
type Run = (Figures, Option<f64>);
/// Recorded of Chromium.
type Recorded = &'static [(&'static str, f64)];

/// A call of two that is measured as it is.
struct Pair {
    bench: &'static str,
    case: &'static str,
    size: Option<(u32, u32)>,
    shape: Option<Shape>,
    goals: &'static [Goal],
    chromium: Recorded,
    share: Share,
}

/// What `share %` is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    None,
    /// Video's rate, of the one of the bench's first case.
    First,
    /// All that came, of the link.
    Link,
}

impl Share {
    const fn note(self) -> &'static str {
        match self {
            Self::None => "",
            Self::First => "share: of the first case's video rate",
            Self::Link => "share: of the link's rate",
        }
    }
}

const MS: fn(u64) -> Duration = Duration::from_millis;

fn link(round_trip_ms: u64, loss: f64, burst: f64) -> Option<Shape> {
    Some(Shape { delay: MS(round_trip_ms / 2), loss, burst, ..Shape::default() })
}

fn pairs() -> Vec<Pair> {
    let pair = |bench, case, size, shape, goals, chromium| Pair {
        bench,
        case,
        size,
        shape,
        goals,
        chromium,
        share: if bench == "loss" { Share::First } else { Share::None },
    };
    let small = Some((640, 360));
    let jitter = Some(Shape { delay: MS(20), jitter: MS(30), ..Shape::default() });
    let narrow = Some(Shape { delay: MS(20), rate: Some(1e6), queue: MS(300), ..Shape::default() });
    vec![
        pair(
            "video-latency",
            "640x360, 30 pictures a second",
            small,
            None,
            &[Most("video p50 ms", 12.0), Most("video p95 ms", 25.0), Least("pictures a second", 28.0)],
            &[("video p50 ms", 18.5), ("video p95 ms", 41.5)],
        ),
        pair(
            "video-latency",
            "1280x720, 30 pictures a second",
            Some((1280, 720)),
            None,
            &[Most("video p50 ms", 20.0), Most("video p95 ms", 35.0), Least("pictures a second", 28.0)],
            &[("video p50 ms", 30.0), ("video p95 ms", 51.0)],
        ),
        pair(
            "audio-latency",
            "a tone, both ways",
            None,
            None,
            &[Most("audio p50 ms", 35.0), Most("audio p95 ms", 45.0), Most("concealed %", 0.1)],
            &[("audio p50 ms", 65.0), ("audio p95 ms", 70.0)],
        ),
        pair(
            "loss",
            "round trip 40 ms",
            small,
            link(40, 0.0, 1.0),
            &[
                Most("video p50 ms", 35.0),
                Most("video p95 ms", 48.0),
                Most("audio p50 ms", 60.0),
                Most("audio p95 ms", 70.0),
            ],
            &[("video p50 ms", 53.0), ("video p95 ms", 66.0), ("audio p50 ms", 87.0), ("audio p95 ms", 93.0)],
        ),
        pair(
            "loss",
            "round trip 40 ms, 5 % lost",
            small,
            link(40, 0.05, 1.0),
            &[Most("video p50 ms", 40.0), Most("video p95 ms", 50.0), Most("concealed %", 0.5), Most("freezes", 0.0)],
            &[("video p50 ms", 44.0), ("video p95 ms", 51.0), ("audio p95 ms", 115.0), ("concealed %", 4.0)],
        ),
        pair(
            "loss",
            "round trip 40 ms, 5 % lost in bursts of 4",
            small,
            link(40, 0.05, 4.0),
            &[Most("video p95 ms", 80.0), Most("freezes", 0.0), Least("share %", 85.0), Most("concealed %", 1.0)],
            &[
                ("video p50 ms", 71.0),
                ("video p95 ms", 114.0),
                ("freezes", 1.0),
                ("concealed %", 4.9),
                ("share %", 21.0),
            ],
        ),
        pair(
            "loss",
            "no delay, 10 % lost",
            small,
            link(0, 0.1, 1.0),
            &[Most("video p50 ms", 20.0), Most("video p95 ms", 45.0), Least("share %", 85.0), Most("concealed %", 1.0)],
            &[("video p50 ms", 42.0), ("video p95 ms", 163.0), ("concealed %", 7.3), ("share %", 58.0)],
        ),
        pair(
            "loss",
            "round trip 40 ms, 20 % lost",
            small,
            link(40, 0.2, 1.0),
            &[Least("lines", 360.0), Least("pictures a second", 25.0), Most("freezes", 0.0), Most("concealed %", 3.0)],
            &[
                ("video p50 ms", 183.0),
                ("video p95 ms", 455.0),
                ("lines", 180.0),
                ("freezes", 2.0),
                ("concealed %", 18.0),
            ],
        ),
        pair(
            "jitter",
            "round trip 40 ms, jitter 30 ms",
            small,
            jitter,
            &[
                Most("video p50 ms", 90.0),
                Most("video p95 ms", 110.0),
                Most("audio p50 ms", 105.0),
                Most("audio p95 ms", 120.0),
                Most("underruns a minute", 0.0),
            ],
            &[("video p50 ms", 112.0), ("video p95 ms", 126.0), ("audio p50 ms", 122.0), ("audio p95 ms", 133.0)],
        ),
        Pair {
            share: Share::Link,
            ..pair(
                "jitter",
                "round trip 40 ms, 1 Mbit/s with a queue of 300 ms",
                small,
                narrow,
                &[Most("video p95 ms", 110.0), Most("audio p95 ms", 110.0), Least("share %", 85.0)],
                &[
                    ("video p50 ms", 121.0),
                    ("video p95 ms", 160.0),
                    ("audio p50 ms", 196.0),
                    ("audio p95 ms", 218.0),
                    ("share %", 74.0),
                ],
            )
        },
        pair(
            "cpu",
            "640x360 at 30 one way, a tone both ways",
            small,
            None,
            &[Most("cores a peer", 0.15)],
            &[("cores a peer", 0.33)],
        ),
    ]
}

const DIP: &[Goal] = &[Most("concealed %", 0.1), Most("after ms", 5000.0)];
const CALL_SAFE: &[Goal] =
    &[Most("after ms", 15.0), Most("concealed %", 0.0), Least("lines", 360.0), Least("share %", 70.0)];
const MESH: &[Goal] = &[Most("cores a peer", 0.2), Most("video p50 ms", 20.0), Most("video p95 ms", 35.0)];
const MESH_RECORDED: Recorded = &[
    ("cores a peer", 0.5),
    ("video p50 ms", 57.0),
    ("video p95 ms", 85.0),
    ("audio p50 ms", 93.0),
    ("audio p95 ms", 100.0),
];
const CROWD: &[Goal] = &[Least("pictures a second", 28.0), Most("freezes", 0.0)];
const JOIN: [(Find, &str, &[Goal]); 2] = [
    (Find::Mdns, "cold, found by mDNS", &[Most("after ms", 1500.0)]),
    (Find::Address, "cold, address known", &[Most("after ms", 300.0)]),
];

/// The benches, in the order in which `all` runs them.
pub const NAMES: &[&str] =
    &["video-latency", "audio-latency", "loss", "jitter", "dip", "call-safe", "mesh", "cpu", "join"];

/// Everything that is judged, for the test of the words.
#[cfg(test)]
pub fn judged() -> Vec<(&'static str, Vec<Goal>, Recorded)> {
    let mut all: Vec<_> = pairs().into_iter().map(|pair| (pair.bench, pair.goals.to_vec(), pair.chromium)).collect();
    all.push(("dip", DIP.to_vec(), &[]));
    all.push(("call-safe", CALL_SAFE.to_vec(), &[]));
    all.push(("mesh", MESH.to_vec(), MESH_RECORDED));
    all.push(("mesh", CROWD.to_vec(), &[]));
    all.extend(JOIN.map(|(_, _, goals)| ("join", goals.to_vec(), &[] as Recorded)));
    all
}

/// Runs the cases of `bench` whose names hold `only`, and gives each as soon as it is done.
pub fn run(bench: &str, only: &str, plan: &Plan, told: &mut dyn FnMut(Outcome)) -> io::Result<()> {
    let wanted = |case: &str| case.contains(only);
    let mut first = None;
    for pair in pairs().into_iter().filter(|pair| pair.bench == bench) {
        if !(wanted(pair.case) || pair.share == Share::First && first.is_none()) {
            continue;
        }
        let runs = repeat(plan.runs, |seed| pair.run(plan.time, seed, first))?;
        let about = (pair.bench, pair.case.to_owned(), pair.share.note());
        let mut outcome = outcome(about, &runs, pair.goals, pair.chromium);
        if let Some(command) = plan.beside.as_ref().filter(|_| wanted(pair.case)) {
            let ask = |seed| Ask { size: pair.size, shape: pair.shape, time: plan.time, settle: SETTLE, seed };
            let runs = (0..plan.runs).map(|seed| beside::run(command, ask(u64::from(seed) + 1)));
            outcome.beside = Some(figures::median(&runs.collect::<io::Result<Vec<_>>>()?).0);
        }
        first = first.or(outcome.figures.video_mbit);
        if wanted(pair.case) {
            told(outcome);
        }
    }
    match bench {
        "dip" if wanted("10 to 1 Mbit/s and back") => {
            let runs = repeat(plan.runs, dip)?;
            let about = ("dip", "10 to 1 Mbit/s and back".to_owned(), "after: until the picture is as before");
            told(outcome(about, &runs, DIP, &[]));
        }
        "call-safe" => {
            for (case, rate) in [("10 Mbit/s", Some(10e6)), ("50 Mbit/s", Some(50e6)), ("no limit", None)] {
                if wanted(case) {
                    let runs = repeat(plan.runs, |seed| call_safe(rate, plan.time, seed))?;
                    let note = "after: what the drop adds to audio p95; share: the drop's rate, of the link less media (no limit: of its rate without a call)";
                    told(outcome(("call-safe", case.to_owned(), note), &runs, CALL_SAFE, &[]));
                }
            }
        }
        "mesh" => {
            let runs = repeat(plan.runs, |seed| mesh(plan, seed))?;
            let case = format!("{} people, {} cameras, tiles of 320x180 and one of 640x360", plan.people, plan.cameras);
            let (goals, recorded) = if plan.people == 3 { (MESH, MESH_RECORDED) } else { (CROWD, &[] as Recorded) };
            told(outcome(("mesh", case, ""), &runs, goals, recorded));
        }
        "join" => {
            for (find, case, goals) in JOIN.into_iter().filter(|(_, case, _)| wanted(case)) {
                let runs = repeat(plan.runs, |seed| join(find, seed))?;
                let note = "after: from the start of the process to the first picture released, to one picture's time";
                told(outcome(("join", case.to_owned(), note), &runs, goals, &[]));
            }
        }
        _ => {}
    }
    Ok(())
}

fn repeat(runs: u32, mut run: impl FnMut(u64) -> io::Result<Run>) -> io::Result<Vec<Run>> {
    (0..runs).map(|seed| run(u64::from(seed) + 1)).collect()
}

fn outcome(
    (bench, case, note): (&'static str, String, &'static str),
    runs: &[Run],
    goals: &[Goal],
    chromium: Recorded,
) -> Outcome {
    let all: Vec<Figures> = runs.iter().map(|(figures, _)| figures.clone()).collect();
    let (figures, least, most) = figures::median(&all);
    // One run of which it is not known spoils all.
    let others = runs.iter().map(|(_, others)| *others).reduce(|a, b| Some(a?.max(b?))).flatten();
    let runs = u32::try_from(runs.len()).unwrap_or(u32::MAX);
    Outcome {
        bench,
        case,
        figures,
        spread: (least, most),
        runs,
        goals: goals.to_vec(),
        chromium,
        beside: None,
        others,
        note,
    }
}

/// Measures a call for `time`: the `stats` of each child, and what others used.
fn measure(call: &mut Call, time: Duration) -> io::Result<(Vec<Vec<Value>>, Option<f64>)> {
    let (mark, before) = (call.mark(), call.moment());
    call.run(time)?;
    let others = before.zip(call.moment()).and_then(|(before, after): (Moment, Moment)| after.others_since(&before));
    call.check_path()?;
    let stats = (0..call.children.len()).map(|child| call.stats_since(child, &mark)).collect();
    Ok((stats, others))
}

/// The figures of what the first sends to the second; cores are the mean of both.
fn of_pair(call: &Call, stats: &[Vec<Value>]) -> Figures {
    let mut figures = figures::of(&stats[1], &call.children[0].peer);
    let there = figures::of(&stats[0], &call.children[1].peer);
    figures.cores = figures.cores.zip(there.cores).map(|(a, b)| f64::midpoint(a, b));
    figures
}

impl Pair {
    fn run(&self, time: Duration, seed: u64, first: Option<f64>) -> io::Result<Run> {
        let sender = self.size.map_or_else(Party::voice, |(width, height)| Party::sender(width, height));
        let mut call = Call::start(&[sender, Party::voice()], self.shape, seed)?;
        call.run(SETTLE)?;
        let (stats, others) = measure(&mut call, time)?;
        let mut figures = of_pair(&call, &stats);
        figures.share = match self.share {
            Share::None => None,
            Share::First => figures.video_mbit.map(|rate| 100.0 * rate / first.unwrap_or(rate)),
            Share::Link => {
                self.shape.and_then(|shape| shape.rate).zip(received(&stats[1])).map(|(all, bps)| 100.0 * bps / all)
            }
        };
        call.end();
        Ok((figures, others))
    }
}

/// Bits a second of everything that came, mean over the seconds.
fn received(stats: &[Value]) -> Option<f64> {
    let all: Vec<f64> = stats.iter().skip(1).filter_map(|one| one["rates"]["received"]["total"].as_f64()).collect();
    let count = u32::try_from(all.len()).ok().filter(|count| *count > 0)?;
    Some(all.iter().sum::<f64>() / f64::from(count))
}

/// The link falls to a tenth for ten seconds and comes back.
fn dip(seed: u64) -> io::Result<Run> {
    let wide = Shape { delay: MS(20), rate: Some(10e6), queue: MS(200), ..Shape::default() };
    let mut call = Call::start(&[Party::sender(640, 360), Party::voice()], Some(wide), seed)?;
    call.run(SETTLE)?;
    let (mark, before) = (call.mark(), call.moment());
    call.run(MS(4000))?;
    let (sender, receiver) = (call.children[0].peer.clone(), call.children[1].peer.clone());
    let usual = figures::of(&call.stats_since(1, &mark), &sender);
    let target = |stats: &Value| stats["peers"][&receiver]["sending"]["video"]["target_bps"].as_f64();
    let usual_target = call.children[0].of("stats").next_back().and_then(target);
    let set = |call: &Call, shape| call.link.iter().for_each(|link| link.set(shape));
    set(&call, Shape { rate: Some(1e6), ..wide });
    call.run(MS(10_000))?;
    set(&call, wide);
    let back = crate::clock::unix_millis();
    call.run(MS(15_000))?;
    let others = before.zip(call.moment()).and_then(|(before, after)| after.others_since(&before));
    call.check_path()?;
    let mut figures = figures::of(&call.stats_since(1, &mark), &sender);
    // The first second from which on the picture is what it was: size, rate and target.
    let is_back = |at: u64, fps: f64, height: Option<f64>| {
        let sent = call.children[0].of("stats").rfind(|stats| stats["at"].as_u64().is_some_and(|then| then <= at));
        let target = sent.and_then(target);
        fps >= 0.9 * usual.fps.unwrap_or(FPS)
            && height >= usual.height
            && target.zip(usual_target).is_some_and(|(now, then)| now >= 0.9 * then)
    };
    figures.after_ms = call.children[1].of("stats").find_map(|stats| {
        let at = stats["at"].as_u64().filter(|at| *at > back)?;
        let video = &stats["peers"][&sender]["video"];
        is_back(at, video["fps"].as_f64()?, video["height"].as_f64())
            .then(|| f64::from(u32::try_from(at - back).unwrap_or(u32::MAX)))
    });
    call.end();
    Ok((figures, others))
}

/// A drop during a call, beside the same call without it and the same drop without a call.
fn call_safe(rate: Option<f64>, time: Duration, seed: u64) -> io::Result<Run> {
    let shape = rate.map(|rate| Shape { delay: MS(10), rate: Some(rate), queue: MS(200), ..Shape::default() });
    let bytes =
        rate.map_or(1_000_000_000, |rate| Duration::from_secs_f64(rate / 8.0 * 20.0 / 1e6).as_secs() * 1_000_000);
    // The drop alone.
    let mut call = Call::start(&[Party::default(), Party::default()], shape, seed)?;
    let alone = send_file(&mut call, bytes)?;
    call.end();
    // The call alone, then both.
    let mut call = Call::start(&[Party::sender(640, 360), Party::voice()], shape, seed)?;
    call.run(SETTLE)?;
    let (stats, before) = measure(&mut call, time)?;
    let quiet = of_pair(&call, &stats);
    let media = received(&stats[1]);
    let (mark, start) = (call.mark(), call.moment());
    let file = send_file(&mut call, bytes)?;
    let others = start.zip(call.moment()).and_then(|(start, end)| end.others_since(&start));
    call.check_path()?;
    let stats: Vec<Vec<Value>> = (0..2).map(|child| call.stats_since(child, &mark)).collect();
    let mut figures = of_pair(&call, &stats);
    figures.after_ms = figures.audio_p95.zip(quiet.audio_p95).map(|(with, without)| (with - without).max(0.0));
    figures.file_mbit = file.map(|bps| bps / 1e6);
    let whole = match (rate, media) {
        (Some(rate), Some(media)) => Some(rate - media),
        _ => alone,
    };
    figures.share = file.zip(whole).map(|(file, whole)| 100.0 * file / whole);
    call.end();
    Ok((figures, others.zip(before).map(|(a, b)| a.max(b))))
}

/// Drops a file of so many bytes from the first to the second; bits a second from its acceptance to its end, `None`
/// when it did not end in time.
fn send_file(call: &mut Call, bytes: u64) -> io::Result<Option<f64>> {
    let path = call.folder().join("drop.bin");
    std::fs::File::create(&path)?.set_len(bytes)?;
    let to = call.children[1].peer.clone();
    call.children[0].command(&json!({ "do": "send-file", "path": path, "to": [to] }))?;
    let start = crate::clock::now();
    let event =
        |call: &Call, name: &'static str| call.children[1].of(name).next_back().and_then(|event| event["at"].as_u64());
    while event(call, "file-done").is_none() && start.elapsed() < FILE_LIMIT {
        call.run(MS(200))?;
    }
    let times = event(call, "file-accepted").or_else(|| event(call, "file-offer")).zip(event(call, "file-done"));
    Ok(times.and_then(|(from, to)| {
        let seconds = MS(to.checked_sub(from)?).as_secs_f64();
        let bits = f64::from(u32::try_from(bytes / 1000).ok()?) * 8000.0;
        (seconds > 0.0).then(|| bits / seconds)
    }))
}

/// Everybody sees everybody as a tile, and the first one large.
fn mesh(plan: &Plan, seed: u64) -> io::Result<Run> {
    let parties: Vec<Party> = (0..plan.people)
        .map(|i| Party {
            view: Some("small"),
            ..if i < plan.cameras { Party::sender(640, 360) } else { Party::voice() }
        })
        .collect();
    let mut call = Call::start(&parties, None, seed)?;
    let first = call.children[0].peer.clone();
    for child in &mut call.children[1..] {
        child.command(&json!({ "do": "view", "peer": first, "size": "large" }))?;
    }
    call.run(SETTLE)?;
    let (stats, others) = measure(&mut call, plan.time)?;
    let mut all = Vec::new();
    for (child, stats) in stats.iter().enumerate() {
        for (other, sender) in call.children.iter().enumerate().filter(|(other, _)| *other != child) {
            let mut figures = figures::of(stats, &sender.peer);
            if u32::try_from(other).is_ok_and(|other| other >= plan.cameras) {
                // Nothing of a camera that is not there.
                figures = Figures { fps: None, freezes: None, frozen_ms: None, ..figures };
            }
            all.push(figures);
        }
    }
    call.end();
    Ok((figures::mean(&all), others))
}

/// From the start of a process to the first picture that it released.
fn join(find: Find, seed: u64) -> io::Result<Run> {
    let mut call = Call::start_by(find, &[Party::sender(640, 360)], None, seed)?;
    call.run(MS(3000))?;
    let (before, start) = (call.moment(), crate::clock::unix_millis());
    call.add(&Party::voice())?;
    let sender = call.children[0].peer.clone();
    // The first `stats` with pictures: they came at the card's rate since the first one.
    let first = |call: &Call| {
        call.children[1].of("stats").find_map(|stats| {
            let frames = stats["peers"][&sender]["video"]["frames"].as_f64().filter(|frames| *frames > 0.0)?;
            Some(stats["at"].as_f64()? - (frames - 1.0) * 1000.0 / FPS)
        })
    };
    let limit = crate::clock::now() + Duration::from_secs(30);
    while first(&call).is_none() && crate::clock::now() < limit {
        call.run(MS(100))?;
    }
    let others = before.zip(call.moment()).and_then(|(before, after)| after.others_since(&before));
    let start = Duration::from_millis(start).as_secs_f64() * 1000.0;
    let figures = Figures { after_ms: first(&call).map(|at| (at - start).max(0.0)), ..Figures::default() };
    call.end();
    Ok((figures, others))
}
