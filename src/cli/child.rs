//! One peer of the demo or of a bench: a process of its own, driven over stdin and heard over stdout as any script would.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder that is removed with everything in it at the end.
#[derive(Debug)]
pub struct Folder {
    /// Where.
    pub path: PathBuf,
}

impl Folder {
    /// A new one among the system's temporary files; `what` is part of its name.
    pub fn new(what: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("lets-meet-{what}-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A running `lets-meet join --json`.
#[derive(Debug)]
pub struct Child {
    /// Its display name.
    pub name: &'static str,
    /// Its peer id, once `ready`.
    pub peer: String,
    /// Every event so far.
    pub events: Vec<Value>,
    process: Process,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
}

impl Child {
    /// Starts `program` with `arguments`; its stderr goes to `log`.
    pub fn start(name: &'static str, program: &Path, arguments: &[String], log: &Path) -> std::io::Result<Self> {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log)?)
            .spawn()?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().ok_or_else(|| std::io::Error::other("no stdout"))?;
        // Full when this program does not read for a while: the child then waits, and loses nothing.
        let (sender, lines) = sync_channel(1024);
        crate::task::thread("child-reader", move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
                if sender.send(value).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { name, peer: String::new(), events: Vec::new(), process, stdin, lines })
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Writes one command line.
    pub fn command(&mut self, command: &Value) -> std::io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or_else(|| std::io::Error::other("stdin is closed"))?;
        writeln!(stdin, "{command}")?;
        stdin.flush()
    }

    /// Takes what has been printed up to `until`. False once the process has closed its stdout.
    pub fn read_until(&mut self, until: Instant) -> bool {
        loop {
            let left = until.saturating_duration_since(crate::clock::now());
            match self.lines.recv_timeout(left) {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Takes what is printed until `done` says so of all events so far. False when it did not within `limit`, or the
    /// process ended.
    pub fn wait(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let deadline = crate::clock::now() + limit;
        loop {
            if done(self) {
                return true;
            }
            let left = deadline.saturating_duration_since(crate::clock::now());
            match self.lines.recv_timeout(left) {
                Ok(event) => self.take(event),
                Err(_) => return false,
            }
        }
    }

    fn take(&mut self, event: Value) {
        if event["event"] == "ready" {
            event["peer"].as_str().unwrap_or_default().clone_into(&mut self.peer);
        }
        self.events.push(event);
    }

    /// The events of one kind.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl DoubleEndedIterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["event"] == kind)
    }

    /// Asks to leave and waits up to `limit`; then ends the process. True when it ended well by itself.
    pub fn leave(&mut self, limit: Duration) -> bool {
        let _ = self.command(&serde_json::json!({ "do": "leave" }));
        self.stdin = None;
        let deadline = crate::clock::now() + limit;
        let ended = !self.read_until(deadline);
        if !ended {
            let _ = self.process.kill();
        }
        self.process.wait().is_ok_and(|status| status.success())
    }
}

/// Whatever happens, no process is left behind.
impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
