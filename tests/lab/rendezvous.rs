//! A small service for names: first come, first served; a lost service ends nothing.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::host::Lab;
use crate::lab;
use crate::program::{PATIENCE, Peer, lines, once, profile, program};

/// A running `rendezvous serve`, killed when dropped.
struct Service {
    child: Child,
    fingerprint: String,
}

impl Service {
    fn start(lab: &Lab, host: usize) -> Self {
        use std::io::BufRead as _;
        let mut command = lab.command(host, program());
        command.args(["rendezvous", "serve", "--json", "--listen", &format!("{}:48300", lab.address(host))]);
        command.arg("--profile").arg(profile(lab, "service"));
        let log =
            std::fs::File::options().create(true).append(true).open(lab.folder().join("service.log")).expect("a log");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the service starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (tell, told) = std::sync::mpsc::sync_channel(4);
        std::thread::Builder::new()
            .name("ear-service".into())
            .spawn(move || {
                for line in std::io::BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            })
            .expect("a thread starts");
        let line = told.recv_timeout(PATIENCE).expect("the service says that it is ready");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(ready["event"], "ready", "{ready}");
        let fingerprint = ready["fingerprint"].as_str().expect("its fingerprint").to_owned();
        Self { child, fingerprint }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_name_has_one_owner_also_after_a_restart_of_the_service() {
    let lab = lab!(3);
    let service = Service::start(&lab, 3);
    let at = format!("{}:48300#{}", lab.address(3), service.fingerprint);
    let name = |label: &str, host: usize, words: &[&str]| {
        let mut args = vec!["name"];
        args.extend(words);
        args.extend(["--rendezvous", at.as_str(), "--json"]);
        once(&lab, host, label, &args)
    };
    let claimed = name("ann", 1, &["claim", "alice"]);
    assert_eq!(claimed.status.code(), Some(0), "{}", String::from_utf8_lossy(&claimed.stderr));
    let taken = name("bo", 2, &["claim", "Alice"]);
    assert_eq!(taken.status.code(), Some(4), "a second claimant is refused");
    assert!(String::from_utf8_lossy(&taken.stderr).contains("Username already taken"), "in these words");
    let found = name("bo", 2, &["lookup", "ALICE"]);
    assert_eq!(found.status.code(), Some(0));
    let owner = lines(&found)[0]["peer"].clone();
    let ann = once(&lab, 1, "ann", &["id", "--json"]);
    assert_eq!(lines(&ann)[0]["peer"], owner, "the owner is the first claimant");
    drop(service);
    let service = Service::start(&lab, 3);
    assert!(at.ends_with(&service.fingerprint), "the service keeps its key");
    let taken = name("bo", 2, &["claim", "alice"]);
    assert_eq!(taken.status.code(), Some(4), "claims survive a restart");
    assert_eq!(name("bo", 2, &["release", "alice"]).status.code(), Some(3), "only the owner releases");
    assert_eq!(name("ann", 1, &["release", "alice"]).status.code(), Some(0));
    assert_eq!(name("bo", 2, &["claim", "alice"]).status.code(), Some(0), "a released name is free");
    assert_eq!(name("ann", 1, &["lookup", "zebra"]).status.code(), Some(3), "nobody has it");
}

#[test]
fn a_taken_name_gives_no_seat_and_a_lost_service_ends_no_meeting() {
    let lab = lab!(3);
    let service = Service::start(&lab, 3);
    let at = format!("{}:48300#{}", lab.address(3), service.fingerprint);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &["--rendezvous", &at]);
    let taken = once(&lab, 2, "eve", &["join", "r", "--json", "--rendezvous", &at, "--name", "ann"]);
    assert_eq!(taken.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("Username already taken"));
    assert!(!lines(&taken).iter().any(|e| e["event"] == "joined"), "no seat");
    let bo = Peer::join(&lab, 2, "bo", "r", &["--rendezvous", &at]);
    ann.wait_joined(&bo, PATIENCE);
    bo.wait_joined(&ann, PATIENCE);
    drop(service);
    ann.say("the service is gone", &[]);
    bo.wait("a line without the service", PATIENCE, |e| e["event"] == "chat" && e["text"] == "the service is gone");
    let late = Peer::join(&lab, 3, "cy", "r", &["--rendezvous", &at]);
    late.wait_joined(&ann, PATIENCE);
    late.wait("a warning", Duration::from_secs(30), |e| {
        e["event"] == "warning" && e["code"] == "rendezvous-unreachable"
    });
    for peer in [&ann, &bo] {
        assert_eq!(peer.all(|e| e["event"] == "left").len(), 0);
    }
}

#[test]
fn a_service_with_another_key_is_told_nothing() {
    let lab = lab!(2);
    let service = Service::start(&lab, 2);
    let wrong = format!("{}:48300#{}", lab.address(2), "ab".repeat(service.fingerprint.len() / 2));
    let out = once(&lab, 1, "ann", &["name", "claim", "alice", "--rendezvous", &wrong]);
    assert_eq!(out.status.code(), Some(4), "{}", String::from_utf8_lossy(&out.stderr));
    let right = format!("{}:48300#{}", lab.address(2), service.fingerprint);
    let found = once(&lab, 1, "ann", &["name", "lookup", "alice", "--rendezvous", &right]);
    assert_eq!(found.status.code(), Some(3), "the claim never reached it");
}
