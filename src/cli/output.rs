//! Where answers go: stdout, one line at a time, flushed at once. A stdout that nobody reads any more is remembered,
//! so that `join` can leave; it is never a panic.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::Failure;

#[derive(Debug, Default)]
struct State {
    closed: AtomicBool,
    notify: Notify,
}

/// The answers of one run. Cloning gives another handle.
#[derive(Debug, Clone)]
pub struct Output {
    json: bool,
    state: Arc<State>,
}

impl Output {
    /// For people, or with `json` for scripts.
    pub fn new(json: bool) -> Self {
        Self { json, state: Arc::default() }
    }

    /// True when answers are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints `text` and a line break.
    pub fn line(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        if writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_err() {
            self.state.closed.store(true, Ordering::Relaxed);
            self.state.notify.notify_one();
        }
    }

    /// Prints `text` over the line that it printed last: a terminal shows it move. End it by [`Output::line`].
    pub fn over(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        // Whoever reads no more is noticed at the next line.
        let _ = write!(stdout, "\r{text}").and_then(|()| stdout.flush());
    }

    /// Prints an event: `fields` (an object) after `event` and `at`.
    pub fn event(&self, event: &str, fields: Value) {
        self.event_at(event, crate::clock::unix_millis(), fields);
    }

    /// The same with its own time.
    pub fn event_at(&self, event: &str, at: u64, fields: Value) {
        let mut object = Map::new();
        object.insert("event".to_owned(), json!(event));
        object.insert("at".to_owned(), json!(at));
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        self.line(&Value::Object(object).to_string());
    }

    /// Says why the run ends: a sentence on stderr, and with `--json` an `error` line as well.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            self.event("error", json!({ "code": failure.code, "message": failure.message, "hint": failure.hint }));
        }
        let _ = writeln!(std::io::stderr(), "lets-meet: {}", failure.message);
    }

    /// Says something to a person on stderr; scripts do not see it.
    pub fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Resolves when stdout was closed by its reader.
    pub async fn closed(&self) {
        while !self.state.closed.load(Ordering::Relaxed) {
            self.state.notify.notified().await;
        }
    }
}
