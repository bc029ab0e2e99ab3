//! `lets-meet open LINK` as a process: the exit codes that scripts rely on, and the rendezvous that a link names.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use lets_meet::id::PeerId;
use lets_meet::invite::Invite;
use lets_meet::rendezvous::pin::Pins;
use serde_json::Value;

use crate::rendezvous::{outcome, program, serving};

/// A run that takes commands, ended when dropped.
struct Running {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(profile: &Path, words: &[&str]) -> Self {
        let mut command = program(profile, words);
        let mut process = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, lines }
    }

    /// The next event of this kind; the end of the run is the deadline.
    fn event(&mut self, kind: &str) -> Value {
        let events = self.lines.by_ref().map(|line| serde_json::from_str(&line.expect("read")).expect("JSON"));
        let found = events.into_iter().find(|event: &Value| event["event"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} before the end"))
    }

    fn invite(&mut self) -> Invite {
        let stdin = self.process.stdin.as_mut().expect("piped");
        writeln!(stdin, r#"{{"do":"invite"}}"#).expect("written");
        let answer = self.event("ok");
        let invite: Invite = answer["link"].as_str().expect("a link").parse().expect("one of ours");
        assert_eq!(answer["short"], invite.short());
        invite
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn open(profile: &Path, link: &str, more: &[&str]) -> (Option<i32>, Value) {
    let words = [&["open", link, "--hidden", "--for", "2"], more].concat();
    let (code, first, _) = outcome(program(profile, &words));
    (code, first)
}

#[test]
fn a_link_is_opened_once_its_key_has_answered() {
    let dir = tempfile::tempdir().expect("temp dir");
    let home = |name: &str| dir.path().join(name);
    let mut ada = Running::start(&home("ada"), &["join", "tea & talk", "--hidden", "--name", "ada", "--for", "90"]);
    ada.event("ready");
    let invite = ada.invite();
    let link = invite.to_string();
    // Nobody to ask: nothing is dialed.
    let (code, error) = open(&home("bo"), &link, &[]);
    assert_eq!((code, &error["code"]), (Some(4), &"declined".into()));
    let (code, error) = open(&home("bo"), "https://example.org/", &["--yes"]);
    assert_eq!((code, &error["code"]), (Some(2), &"usage".into()));
    let wrong = Invite { inviter: PeerId::from_bytes([9; 32]), ..invite };
    let (code, error) = open(&home("bo"), &wrong.to_string(), &["--yes"]);
    assert_eq!((code, &error["code"]), (Some(4), &"wrong-key".into()));
    let mut bo = Running::start(&home("bo"), &["open", &link, "--yes", "--hidden", "--name", "bo", "--for", "20"]);
    assert_eq!(bo.event("ready")["room"], "tea & talk");
    assert_eq!(bo.event("joined")["name"], "ada");
    // Nobody else ever came to her.
    assert_eq!(ada.event("joined")["name"], "bo");
}

#[test]
fn a_link_uses_the_rendezvous_that_it_names_and_never_changes_a_known_key() {
    let dir = tempfile::tempdir().expect("temp dir");
    let home = |name: &str| dir.path().join(name);
    let serving = serving(&home("service"));
    let (place, fingerprint) = serving.service.split_once('#').expect("a fingerprint");
    // She typed no fingerprint: the link has the one that answered.
    let words = ["join", "room", "--hidden", "--name", "ada", "--for", "90", "--rendezvous", place];
    let profile = home("ada");
    std::fs::create_dir(&profile).expect("made");
    // Her name is claimed first, so the service has answered before she is ready.
    let mut ada = Running::start(&profile, &words);
    ada.event("ready");
    let invite = ada.invite();
    let service = invite.rendezvous.clone().expect("named");
    assert_eq!((service.place().as_str(), service.fingerprint), (place, fingerprint.parse().ok()));
    // Hidden, and without an address in the link, she is found through the service only.
    let link = Invite { addresses: Vec::new(), ..invite }.to_string();
    let mut bo = Running::start(&home("bo"), &["open", &link, "--yes", "--hidden", "--name", "bo", "--for", "30"]);
    assert_eq!(bo.event("joined")["name"], "ada");
    // Cy knows the service by another key, and keeps to it.
    std::fs::create_dir(home("cy")).expect("made");
    let other = PeerId::from_bytes([5; 32]);
    Pins::new(&home("cy")).pin(place, other).expect("pinned");
    let (code, error) = open(&home("cy"), &link, &["--yes"]);
    assert_eq!((code, &error["code"]), (Some(4), &"rendezvous-key-changed".into()));
    assert_eq!(Pins::new(&home("cy")).pinned(place).expect("read"), Some(other));
}
