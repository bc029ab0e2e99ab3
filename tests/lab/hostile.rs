//! Noise from strangers. What is wrong inside a link is tested in `tests/net/hostile.rs`; here a whole host shouts at
//! the port of a peer that serves others.

use std::time::Duration;

use serde_json::json;

use crate::lab;
use crate::program::{PATIENCE, Peer};

/// Sends `count` datagrams of 0 to 1472 random bytes; a third begin like a QUIC long header of version 1.
const NOISE: &str = r#"
import os, random, socket, sys
to, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
random.seed(7)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(count):
    size = n % 1473
    data = bytearray(os.urandom(size))
    if n % 3 == 0 and size > 6:
        data[0] = 0xc0 | (data[0] & 0x3f)
        data[1:5] = bytes([0, 0, 0, 1])
    try:
        s.sendto(bytes(data), to)
    except OSError:
        pass
print(count)
"#;

#[test]
fn random_datagrams_do_not_disturb_a_meeting() {
    let lab = lab!(4);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let bo = Peer::join(&lab, 2, "bo", "r", &[]);
    ann.wait_joined(&bo, PATIENCE);
    bo.wait_joined(&ann, PATIENCE);
    let shout = |count: &str| {
        let out = lab.command(3, "python3").args(["-c", NOISE, &lab.address(1), "48190", count]).output();
        let out = out.expect("python3 is there (scripts/packages.txt)");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    let mark = ann.mark();
    shout("20000");
    ann.say("still here", &[]);
    bo.wait("a line through the noise", PATIENCE, |e| e["event"] == "chat" && e["text"] == "still here");
    let cy = Peer::join(&lab, 4, "cy", "r", &[]);
    cy.wait_joined(&ann, PATIENCE);
    ann.wait_joined(&cy, PATIENCE);
    assert_eq!(ann.all(|e| e["event"] == "left" || e["event"] == "reconnecting").len(), 0, "nobody was disturbed");
    ann.wait_from(mark, "a warning of the noise", PATIENCE, |e| e["event"] == "warning");
    let warned: Vec<_> = ann.said().into_iter().skip(mark).filter(|l| l.value["event"] == "warning").collect();
    assert_eq!(warned.len(), 1, "one host's noise is told once: {warned:?}");
    assert_eq!(warned[0].value["code"], "bad-input");
}

#[test]
fn a_name_of_control_characters_is_shown_clean() {
    let lab = lab!(2);
    let ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let evil = "\u{1b}[31mEve\u{202e}\u{200b}\u{7}";
    let mut eve = Peer::start(&lab, 2, "eve", evil, "r", &[]);
    eve.ready();
    let joined = ann.wait_joined(&eve, PATIENCE);
    assert_eq!(joined["name"], "[31mEve");
}

#[test]
fn a_bad_command_is_answered_and_ends_nothing() {
    let lab = lab!(1);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let unknown = ann.ask(json!({"do": "fly"}));
    assert_eq!(unknown["event"], "error", "{unknown}");
    assert!(unknown["code"].is_string() && unknown["message"].is_string(), "{unknown}");
    let wrong = ann.ask(json!({"do": "chat", "text": 7}));
    assert_eq!(wrong["event"], "error", "{wrong}");
    let long = ann.ask(json!({"do": "chat", "text": "x".repeat(20_000)}));
    assert_eq!(long["event"], "error");
    let state = ann.must(json!({"do": "state"}));
    assert_eq!(state["do"], "state");
    ann.must(json!({"do": "leave"}));
    let (code, took) = ann.end(lets_meet::clock::now());
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(6), "leave took {took:?}");
}
