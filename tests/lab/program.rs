//! The real program on a host of the lab: started, told things on stdin, heard on stdout, and ended by its process id.
//!
//! Nothing here sleeps: whoever waits names a fact and a deadline, and a missed deadline prints what was said instead.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use lets_meet::clock::now;

pub use crate::figure::figure;
use crate::host::Lab;

/// How long a fact may take that has no goal of its own.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// One JSON line, and when it was read.
#[derive(Debug, Clone)]
pub struct Line {
    /// When this process read it.
    pub read: Instant,
    /// The object.
    pub value: Value,
}

#[derive(Default)]
struct Heard {
    lines: Vec<Line>,
    garbage: Vec<String>,
    ended: bool,
}

#[derive(Default)]
struct Ear {
    heard: Mutex<Heard>,
    more: Condvar,
}

/// A running `lets-meet join ROOM --json`.
pub struct Peer {
    /// What the test calls it; also its profile's folder.
    pub label: String,
    /// Its peer id, once `ready` told it.
    pub id: String,
    child: Child,
    stdin: Option<ChildStdin>,
    ear: Arc<Ear>,
    log: PathBuf,
    /// When it was started.
    pub started: Instant,
    asked: u32,
    silent: bool,
}

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_lets-meet")
}

/// Its profile.
pub fn profile(lab: &Lab, label: &str) -> PathBuf {
    lab.folder().join(label)
}

/// Runs a one-shot command on a host with a profile of its own; it must end by itself within `PATIENCE` times three.
pub fn once(lab: &Lab, host: usize, label: &str, args: &[&str]) -> Output {
    let child = spawn_once(lab, host, label, args);
    finish_once(child, label)
}

/// Starts a one-shot command that [`finish_once`] waits for.
pub fn spawn_once(lab: &Lab, host: usize, label: &str, args: &[&str]) -> Child {
    let mut command = lab.command(host, program());
    command.args(args).arg("--profile").arg(profile(lab, label));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// Waits for a one-shot command.
pub fn finish_once(child: Child, label: &str) -> Output {
    let pid = child.id();
    let (done, ended) = std::sync::mpsc::sync_channel(1);
    let waiting = std::thread::Builder::new().name(format!("wait-{label}")).spawn(move || {
        let _ = done.send(child.wait_with_output());
    });
    let out = ended.recv_timeout(PATIENCE * 3);
    if out.is_err() {
        signal(pid, nix::sys::signal::Signal::SIGKILL);
    }
    waiting.expect("a thread starts").join().expect("waiting does not panic");
    let out = out.unwrap_or_else(|_| panic!("{label} did not end by itself")).expect("its output can be read");
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(!stderr.contains("panicked"), "{label} panicked:\n{stderr}");
    out
}

/// The JSON lines of a one-shot command.
pub fn lines(out: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&out.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

impl Peer {
    /// Starts `join ROOM --json --name LABEL` with `more` on `host`, and waits until it is ready.
    pub fn join(lab: &Lab, host: usize, label: &str, room: &str, more: &[&str]) -> Self {
        let mut peer = Self::start(lab, host, label, label, room, more);
        peer.ready();
        peer
    }

    /// As `join`, with devices that a test made.
    #[cfg(feature = "devices")]
    pub fn equipped(
        lab: &Lab,
        host: usize,
        label: &str,
        room: &str,
        more: &[&str],
        equipment: &crate::equipment::Equipment,
    ) -> Self {
        let mut peer = Self::start_with(lab, host, (label, label), room, more, equipment.variables());
        peer.ready();
        peer
    }

    /// As `join`, with a display name that is not the label, and without waiting.
    pub fn start(lab: &Lab, host: usize, label: &str, name: &str, room: &str, more: &[&str]) -> Self {
        Self::start_with(lab, host, (label, name), room, more, &[])
    }

    fn start_with(
        lab: &Lab,
        host: usize,
        (label, name): (&str, &str),
        room: &str,
        more: &[&str],
        variables: &[(&'static str, std::ffi::OsString)],
    ) -> Self {
        let log = lab.folder().join(format!("{label}.log"));
        let errors = File::options().create(true).append(true).open(&log).expect("the log can be written");
        let mut command = lab.command(host, program());
        command.args(["join", room, "--json", "--name", name, "--log", "info"]).args(more);
        command.arg("--profile").arg(profile(lab, label));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{label} cannot be started: {error}"));
        let ear = Arc::new(Ear::default());
        let stdout = child.stdout.take().expect("stdout is piped");
        let copy = lab.folder().join(format!("{label}.events"));
        let listening = Arc::clone(&ear);
        std::thread::Builder::new()
            .name(format!("ear-{label}"))
            .spawn(move || listen(&listening, stdout, &copy))
            .expect("a thread starts");
        let stdin = child.stdin.take();
        let started = now();
        Self { label: label.into(), id: String::new(), child, stdin, ear, log, started, asked: 0, silent: false }
    }

    /// Waits for `ready` and remembers the peer id.
    pub fn ready(&mut self) -> Value {
        let ready = self.wait("ready", PATIENCE, |e| e["event"] == "ready");
        self.id = ready["peer"].as_str().expect("ready tells the peer id").to_owned();
        assert_eq!(self.id.len(), 64, "a peer id has 64 digits");
        ready
    }

    /// How many lines it has said so far.
    pub fn mark(&self) -> usize {
        self.ear.heard.lock().unwrap_or_else(PoisonError::into_inner).lines.len()
    }

    /// Everything it has said so far.
    pub fn said(&self) -> Vec<Line> {
        self.ear.heard.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    /// What it has said so far that `fits`.
    pub fn all(&self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.said().into_iter().map(|line| line.value).filter(|value| fits(value)).collect()
    }

    /// The first line that `fits`, waiting for it up to `within`.
    pub fn wait(&self, what: &str, within: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_from(0, what, within, fits).value
    }

    /// The first line after `mark` that `fits`, waiting for it up to `within`.
    pub fn wait_from(&self, mark: usize, what: &str, within: Duration, fits: impl Fn(&Value) -> bool) -> Line {
        let deadline = now() + within;
        let mut at = mark;
        let mut heard = self.ear.heard.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(line) = heard.lines.get(at) {
                if fits(&line.value) {
                    return line.clone();
                }
                at += 1;
            }
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() || heard.ended {
                let why = if heard.ended { "ended without" } else { "did not say in time" };
                drop(heard);
                panic!("{} {why}: {what} (within {within:?})\n{}", self.label, self.story());
            }
            heard = self.ear.more.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until it has seen `other` join.
    pub fn wait_joined(&self, other: &Self, within: Duration) -> Value {
        self.wait(&format!("joined {}", other.label), within, |e| e["event"] == "joined" && e["peer"] == *other.id)
    }

    /// Gives a command; its answer is awaited and returned, `ok` or `error`.
    pub fn ask(&mut self, mut command: Value) -> Value {
        self.asked += 1;
        let reference = format!("{}-{}", self.label, self.asked);
        command["ref"] = json!(reference);
        let mark = self.mark();
        self.tell(&command);
        self.wait_from(mark, &format!("an answer to {command}"), PATIENCE, |e| {
            (e["event"] == "ok" || e["event"] == "error") && e["ref"] == *reference
        })
        .value
    }

    /// Gives a command that must succeed.
    pub fn must(&mut self, command: Value) -> Value {
        let answer = self.ask(command.clone());
        assert_eq!(answer["event"], "ok", "{}: {command} gave {answer}", self.label);
        answer
    }

    /// Gives a command whose answer is not awaited.
    pub fn tell(&mut self, command: &Value) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        writeln!(stdin, "{command}").unwrap_or_else(|error| panic!("{} does not listen: {error}", self.label));
    }

    /// Says a line, to the room or to some. Gives the message's id.
    pub fn say(&mut self, text: &str, to: &[&str]) -> Value {
        let mut command = json!({"do": "chat", "text": text});
        if !to.is_empty() {
            command["to"] = json!(to);
        }
        self.must(command)["id"].clone()
    }

    /// How many chat lines with this text it has got.
    pub fn times_heard(&self, text: &str) -> usize {
        self.all(|e| e["event"] == "chat" && e["text"] == text).len()
    }

    /// The `stats` lines after `mark`.
    #[cfg(feature = "media")]
    pub fn stats(&self, mark: usize) -> Vec<Value> {
        let said = self.said();
        said.into_iter().skip(mark).map(|line| line.value).filter(|e| e["event"] == "stats").collect()
    }

    /// Waits for `count` more `stats` lines and gives them.
    pub fn watch(&self, count: usize) -> Vec<Value> {
        let mut mark = self.mark();
        let mut got = Vec::new();
        for n in 1..=count {
            let what = format!("stats line {n} of {count}");
            let line = self.wait_from(mark, &what, PATIENCE, |e| e["event"] == "stats");
            mark =
                self.said().iter().position(|l| l.read == line.read && l.value == line.value).map_or(mark, |at| at + 1);
            got.push(line.value);
        }
        got
    }

    /// Ends it as a crash or a power cut would.
    pub fn kill(&mut self) {
        signal(self.child.id(), nix::sys::signal::Signal::SIGKILL);
        let _ = self.child.wait();
        self.silent = true;
    }

    /// Asks it to end (SIGTERM); gives the exit code and how long that took. It must say goodbye and end.
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        let asked = now();
        signal(self.child.id(), nix::sys::signal::Signal::SIGTERM);
        self.end(asked)
    }

    /// Waits for its own end, at most `PATIENCE`.
    pub fn end(&mut self, since: Instant) -> (Option<i32>, Duration) {
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                self.silent = true;
                return (status.code(), since.elapsed());
            }
            assert!(since.elapsed() < PATIENCE, "{} does not end\n{}", self.label, self.story());
            // Polling a process for its end is all that the standard library offers.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its last words, for a failure.
    pub fn story(&self) -> String {
        let heard = self.ear.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let telling = |l: &&Line| l.value["event"] != "stats";
        let events: Vec<String> = heard.lines.iter().filter(telling).map(|l| l.value.to_string()).collect();
        let events = events[events.len().saturating_sub(25)..].join("\n  ");
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let log: Vec<&str> = log.lines().collect();
        let log = log[log.len().saturating_sub(25)..].join("\n  ");
        format!("--- {} said\n  {events}\n--- {} logged\n  {log}", self.label, self.label)
    }

    /// Seconds of a processor that its threads of these names had so far. Those that ended do not count.
    #[cfg(feature = "devices")]
    pub fn busy(&self, threads: &[&str]) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the program runs");
        let nanos = tasks.flatten().filter_map(|task| {
            let read = |file: &str| std::fs::read_to_string(task.path().join(file)).ok();
            let name = read("comm")?;
            if !threads.contains(&name.trim()) {
                return None;
            }
            // The first number is the time on a processor, in nanoseconds.
            read("schedstat")?.split_whitespace().next()?.parse::<f64>().ok()
        });
        nanos.sum::<f64>() / 1e9
    }

    /// Seconds of a processor that all of it had so far.
    #[cfg(feature = "devices")]
    pub fn spent(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the program runs");
        // Its name may hold anything but ends with the last bracket; user and system time are fields 14 and 15 of all.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
    }

    /// Its memory now, in bytes.
    #[cfg(feature = "media")]
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if !self.silent {
            signal(self.child.id(), nix::sys::signal::Signal::SIGKILL);
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.story());
            return;
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(!log.contains("panicked"), "{} panicked:\n{}", self.label, self.story());
        let garbage = self.ear.heard.lock().unwrap_or_else(PoisonError::into_inner).garbage.clone();
        assert!(garbage.is_empty(), "{} wrote what is not one JSON object a line: {garbage:?}", self.label);
    }
}

fn listen(ear: &Ear, stdout: impl std::io::Read, copy: &Path) {
    let mut copy = File::options().create(true).append(true).open(copy).expect("the events can be written");
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { break };
        let read = now();
        let _ = writeln!(copy, "{line}");
        let value = serde_json::from_str::<Value>(&line).ok().filter(|v| v["event"].is_string() && v["at"].is_u64());
        let mut heard = ear.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match value {
            Some(value) => heard.lines.push(Line { read, value }),
            None => heard.garbage.push(line),
        }
        ear.more.notify_all();
    }
    ear.heard.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
    ear.more.notify_all();
}

/// Units of the kernel's counts of processor time in a second: the same on all machines that Linux runs on today.
#[cfg(feature = "devices")]
const TICKS: f64 = 100.0;

/// Seconds of processors that this machine has had so far, and those of them in which something ran (or another machine on
/// the same hardware did).
#[cfg(feature = "devices")]
pub fn processors() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/stat").expect("Linux has it");
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, waiting for a disk, ...
    let (all, idle) = (ticks.iter().sum::<f64>(), ticks.iter().skip(3).take(2).sum::<f64>());
    (all / TICKS, (all - idle) / TICKS)
}

/// The bound of a test on a busy machine: three times the goal.
pub fn bound(goal: Duration) -> Duration {
    goal * 3
}
