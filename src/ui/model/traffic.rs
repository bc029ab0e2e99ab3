//! Sans-IO. What the network carried, second by second, over the last five minutes; and as a table for other programs.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::meeting::Person;
use crate::stats::{Kinds, Peer, Rates};

/// Seconds kept.
pub const SECONDS: usize = 300;

/// The last [`SECONDS`].
#[derive(Debug, Default)]
pub struct Traffic {
    // (Unix milliseconds, rates), at most SECONDS; the oldest is forgotten.
    seconds: VecDeque<(u64, Rates)>,
    /// Counts every second: a graph is drawn anew only when this differs.
    pub version: u64,
}

impl Traffic {
    /// One second more.
    pub fn push(&mut self, unix_ms: u64, rates: Rates) {
        if self.seconds.len() >= SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back((unix_ms, rates));
        self.version += 1;
    }

    /// All of it, the oldest first.
    pub fn seconds(&self) -> impl DoubleEndedIterator<Item = &(u64, Rates)> + ExactSizeIterator {
        self.seconds.iter()
    }

    /// The last second.
    pub fn last(&self) -> Option<Rates> {
        self.seconds.back().map(|(_, rates)| *rates)
    }

    /// As comma-separated values: one line a second, bits a second.
    pub fn csv(&self) -> String {
        let mut out = String::from("unix_ms");
        for direction in ["sent", "received"] {
            for kind in ["audio", "video", "chat", "file", "control", "total"] {
                let _ = write!(out, ",{direction}_{kind}_bps");
            }
        }
        out.push('\n');
        for (at, rates) in &self.seconds {
            let _ = write!(out, "{at}");
            for Kinds { audio, video, chat, file, control, total } in [rates.sent, rates.received] {
                let _ = write!(out, ",{audio},{video},{chat},{file},{control},{total}");
            }
            out.push('\n');
        }
        out
    }

    /// As JSON: `seconds` is an array of `{unix_ms, sent: {..}, received: {..}}` in bits a second, `peers` an object by
    /// key with the figures of the last second.
    pub fn json<'a>(&self, peers: impl Iterator<Item = (&'a Person, &'a Peer)>) -> String {
        let seconds: Vec<serde_json::Value> = self
            .seconds
            .iter()
            .map(|(at, rates)| serde_json::json!({ "unix_ms": at, "sent": rates.sent, "received": rates.received }))
            .collect();
        let peers: serde_json::Map<String, serde_json::Value> = peers
            .map(|(person, peer)| {
                let figures = serde_json::json!({ "name": person.name.as_str(), "figures": peer });
                (person.peer.to_string(), figures)
            })
            .collect();
        serde_json::json!({ "seconds": seconds, "peers": peers }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_are_kept_and_given_as_tables() {
        let mut traffic = Traffic::default();
        for second in 0..400 {
            let sent = Kinds { audio: second, total: second, ..Kinds::default() };
            traffic.push(second * 1000, Rates { sent, ..Rates::default() });
        }
        assert_eq!(traffic.seconds().len(), SECONDS);
        let csv = traffic.csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), SECONDS + 1);
        assert_eq!(lines[0].split(',').count(), 13);
        assert_eq!(lines[1], "100000,100,0,0,0,0,100,0,0,0,0,0,0");
        let json: serde_json::Value = serde_json::from_str(&traffic.json(std::iter::empty())).expect("JSON");
        assert_eq!(json["seconds"][299]["sent"]["audio"], 399);
    }
}
