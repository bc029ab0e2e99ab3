//! Handover between processes, and after one that had no time to say goodbye.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lets_meet::handover::{self, Error, Message};

/// Where the child below finds the profile: tests take no arguments of their own.
const PROFILE: &str = "LETS_MEET_TEST_PROFILE";

/// Another process that holds the window of `profile`, killed when dropped.
struct Window(Child);

impl Window {
    fn open(profile: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "handover::a_window_until_it_is_killed", "--ignored", "--nocapture"]);
        let mut child = command.env(PROFILE, profile).stdout(Stdio::piped()).spawn().expect("started");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let listening = lines.map_while(Result::ok).any(|line| line.contains("listening"));
        assert!(listening, "the child listens");
        Self(child)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the child of the tests below"]
fn a_window_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "how a test speaks to its child")]
    let profile = PathBuf::from(std::env::var(PROFILE).expect("started by a test"));
    let listener = handover::listen(&profile).expect("listening");
    println!("listening");
    // Held until the parent ends it.
    std::thread::sleep(Duration::from_secs(120));
    drop(listener);
}

#[tokio::test]
async fn a_window_takes_over_from_one_that_was_killed() {
    let dir = tempfile::tempdir().expect("temp dir");
    let window = Window::open(dir.path());
    assert!(matches!(handover::listen(dir.path()), Err(Error::Taken)));
    handover::send(dir.path(), &Message::Raise).expect("the other process takes it");
    // SIGKILL: its socket stays.
    drop(window);
    assert!(dir.path().join("window.sock").exists());
    assert!(matches!(handover::send(dir.path(), &Message::Raise), Err(Error::Nobody)));
    let listener = handover::listen(dir.path()).expect("taken over");
    handover::send(dir.path(), &Message::Raise).expect("taken");
    let next = tokio::time::timeout(Duration::from_secs(5), listener.next()).await;
    assert_eq!(next, Ok(Some(Message::Raise)));
}
