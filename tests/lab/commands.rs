//! The one-shot commands and the exit codes that scripts rely on.

use crate::lab;
use crate::program::{PATIENCE, Peer, lines, once};

#[test]
fn nearby_sees_people_and_meetings() {
    let lab = lab!(2);
    let nobody = once(&lab, 1, "ann", &["nearby", "--json", "--seconds", "1"]);
    assert_eq!(nobody.status.code(), Some(3), "nobody is in sight");
    assert!(nobody.stdout.is_empty(), "no lines for nobody");
    let bo = Peer::join(&lab, 2, "bo", "coffee", &[]);
    let seen = once(&lab, 1, "ann", &["nearby", "--json"]);
    assert_eq!(seen.status.code(), Some(0), "{}", String::from_utf8_lossy(&seen.stderr));
    let seen = lines(&seen);
    let here = |e: &serde_json::Value| e["event"] == "person" && e["peer"] == *bo.id && e["name"] == "bo";
    assert!(seen.iter().any(|e| here(e) && e["trust"] == "new"), "{seen:?}");
    assert!(seen.iter().any(|e| e["event"] == "meeting"), "{seen:?}");
    assert!(bo.all(|e| e["event"] == "joined").is_empty(), "a one-shot command takes no seat");
}

#[test]
fn exit_codes_are_as_promised() {
    let lab = lab!(1);
    let check = |label: &str, args: &[&str], expect: i32| {
        let out = once(&lab, 1, label, args);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(expect), "{args:?}: {stderr}");
        stderr.into_owned()
    };
    check("ann", &["id"], 0);
    check("ann", &["fly"], 2);
    check("ann", &["join"], 2);
    check("ann", &["call", "bo", "--wait", "1"], 3);
    // A camera that the person numbered and that is not there.
    check("ann", &["join", "r", "--camera", "device:7", "--for", "1"], 6);
    check("ann", &["join", "r", "--interface", "nope0"], 7);
    check("ann", &["nearby", "--seconds", "1"], 3);
    check("ann", &["join", "r", "--for", "1"], 0);
    // A damaged key is never silently replaced.
    let profile = crate::program::profile(&lab, "hurt");
    check("hurt", &["id"], 0);
    let key = std::fs::read_dir(&profile).expect("a profile").flatten().map(|e| e.path()).find(|path| {
        use std::os::unix::fs::PermissionsExt as _;
        path.is_file() && std::fs::metadata(path).is_ok_and(|m| m.len() > 0 && m.permissions().mode() & 0o777 == 0o600)
    });
    let key = key.expect("the key file has mode 0600");
    std::fs::write(&key, b"damaged").expect("written");
    check("hurt", &["id"], 8);
    assert_eq!(std::fs::read(&key).expect("read"), b"damaged", "and it is left as it was");
}

#[test]
fn a_taken_port_is_exit_seven_and_the_default_moves_on() {
    let lab = lab!(1);
    let mut ann = Peer::start(&lab, 1, "ann", "ann", "r", &[]);
    let port = |ready: &serde_json::Value| {
        let listen = ready["listen"][0].as_str().expect("an address").to_owned();
        listen.rsplit(':').next().and_then(|p| p.parse::<u16>().ok()).expect("a port")
    };
    assert_eq!(port(&ann.ready()), 48190);
    let mut bo = Peer::start(&lab, 1, "bo", "bo", "r", &[]);
    assert_eq!(port(&bo.ready()), 48191, "the next free one");
    let taken = once(&lab, 1, "cy", &["join", "r", "--port", "48190"]);
    assert_eq!(taken.status.code(), Some(7), "{}", String::from_utf8_lossy(&taken.stderr));
    // Two on one host meet as well.
    bo.wait_joined(&ann, PATIENCE);
    ann.wait_joined(&bo, PATIENCE);
}

#[test]
fn one_profile_started_twice_at_once_is_one_identity() {
    let lab = lab!(1);
    let many: Vec<_> = (0..4).map(|_| crate::program::spawn_once(&lab, 1, "ann", &["id", "--json"])).collect();
    let mut ids: Vec<String> = many
        .into_iter()
        .map(|child| lines(&crate::program::finish_once(child, "id"))[0]["peer"].as_str().expect("an id").to_owned())
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn a_second_run_of_a_profile_takes_the_seat() {
    let lab = lab!(2);
    let ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut old = Peer::join(&lab, 2, "bo", "r", &[]);
    ann.wait_joined(&old, PATIENCE);
    let new = Peer::join(&lab, 2, "bo", "r", &[]);
    new.wait_joined(&ann, PATIENCE);
    // The one that was replaced ends by itself and says why.
    let (code, _) = old.end(lets_meet::clock::now());
    assert_eq!(code, Some(4), "replaced\n{}", old.story());
    let stats = ann.watch(2);
    assert_eq!(stats[1]["peers"].as_object().expect("peers").len(), 1, "one seat");
}
