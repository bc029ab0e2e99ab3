//! Finding one another, and words: to all, to some, to nobody by mistake.

use std::time::Duration;

use serde_json::json;

use crate::lab;
use crate::program::{PATIENCE, Peer, bound, figure, profile};

/// Everybody in sight of everybody else.
pub fn all_joined(peers: &[Peer], within: Duration) {
    for one in peers {
        for other in peers.iter().filter(|other| other.id != one.id) {
            one.wait_joined(other, within);
        }
    }
}

#[test]
fn three_hosts_find_one_another_with_nothing_configured() {
    let lab = lab!(3);
    for host in 1..=3 {
        let routes = lab.routes(host);
        assert!(!routes.contains("default"), "a lab host has no way out: {routes}");
    }
    let goal = Duration::from_secs(3);
    let mut peers: Vec<Peer> = ["ann", "bo", "cy"]
        .iter()
        .zip(1..)
        .map(|(label, host)| Peer::start(&lab, host, label, label, "stand-up", &[]))
        .collect();
    let last_start = peers[2].started;
    for peer in &mut peers {
        let ready = peer.ready();
        let listen = ready["listen"].as_array().expect("ready lists where it listens").clone();
        let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
        assert!(listen.iter().any(|a| text(a).starts_with("10.77.0.")), "{listen:?} has the IPv4 address");
        assert!(listen.iter().any(|a| text(a).starts_with("[fe80:")), "{listen:?} has the IPv6 address with its scope");
        assert!(!listen.iter().any(|a| text(a).starts_with("0.0.0.0") || text(a).starts_with("[::]")), "no wildcards");
        assert_eq!((ready["room"].as_str(), ready["name"].as_str()), (Some("stand-up"), Some(peer.label.as_str())));
    }
    all_joined(&peers, bound(goal));
    let seen = |peer: &Peer| {
        peer.said().iter().filter(|l| l.value["event"] == "joined").map(|l| l.read).max().expect("joined")
    };
    let took = peers.iter().map(seen).max().expect("three peers").duration_since(last_start);
    figure("three hosts list each other", took.as_secs_f64(), "s", "3");
    assert!(took <= bound(goal), "all list each other after {took:?}");
    // One end of each pair saw the other; who was dialed before it looked needs no sighting.
    let saw = |one: &Peer, other: &Peer| {
        !one.all(|e| e["event"] == "sighted" && e["source"] == "mdns" && e["peer"] == *other.id).is_empty()
    };
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let (one, other) = (&peers[one], &peers[other]);
        assert!(saw(one, other) || saw(other, one), "{} and {} met by mDNS", one.label, other.label);
    }
    for peer in &peers {
        assert_eq!(peer.all(|e| e["event"] == "joined").len(), 2, "{} sees two others, each once", peer.label);
    }
}

#[test]
fn a_link_with_nothing_but_ipv6_is_enough() {
    let lab = lab!(3);
    (1..=3).for_each(|host| lab.only_ipv6(host));
    let mut peers: Vec<Peer> = ["ann", "bo", "cy"]
        .iter()
        .zip(1..)
        .map(|(label, host)| Peer::start(&lab, host, label, label, "six", &[]))
        .collect();
    for peer in &mut peers {
        let ready = peer.ready();
        let listen = ready["listen"].as_array().expect("ready lists where it listens").clone();
        let six = |a: &serde_json::Value| a.as_str().is_some_and(|a| a.starts_with("[fe80:"));
        assert!(!listen.is_empty() && listen.iter().all(six), "addresses of one link only: {listen:?}");
    }
    all_joined(&peers, PATIENCE);
    peers[0].say("by six", &[]);
    for peer in &peers[1..] {
        peer.wait("the line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "by six");
    }
}

#[test]
fn a_clean_leave_is_seen_at_once() {
    let lab = lab!(2);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let bo = Peer::join(&lab, 2, "bo", "r", &[]);
    ann.wait_joined(&bo, PATIENCE);
    bo.wait_joined(&ann, PATIENCE);
    let asked = lets_meet::clock::now();
    let (code, took) = ann.stop();
    assert_eq!(code, Some(0), "SIGTERM is a clean end");
    assert!(took <= bound(Duration::from_secs(2)), "it ended after {took:?}");
    let left = bo.wait_from(0, "left", PATIENCE, |e| e["event"] == "left" && e["peer"] == *ann.id);
    assert_eq!(left.value["reason"], "goodbye");
    let seen = left.read.duration_since(asked);
    assert!(seen <= bound(Duration::from_secs(1)), "seen after {seen:?}");
    figure("the program ends on SIGTERM", took.as_secs_f64(), "s", "2");
    figure("a clean leave is seen", seen.as_secs_f64(), "s", "1");
}

#[test]
fn a_private_line_is_seen_by_exactly_its_recipients() {
    let lab = lab!(3);
    let mut peers: Vec<Peer> =
        ["ann", "bo", "cy"].iter().zip(1..).map(|(label, host)| Peer::join(&lab, host, label, "talk", &[])).collect();
    all_joined(&peers, PATIENCE);
    let to_room = peers[0].say("hello all", &[]);
    let to_bo = peers[0].say("only for bo", &["bo"]);
    let to_both = peers[2].say("for the two of you", &["ann", "BO"]);
    let heard = |peer: &Peer, text: &str| peer.wait(text, PATIENCE, |e| e["event"] == "chat" && e["text"] == text);
    assert_eq!(heard(&peers[1], "hello all")["to"], "room");
    heard(&peers[2], "hello all");
    let private = heard(&peers[1], "only for bo");
    assert_eq!(private["to"], json!([peers[1].id]), "recipients are keys");
    assert_eq!((private["from"].as_str(), private["id"].clone()), (Some(peers[0].id.as_str()), to_bo.clone()));
    heard(&peers[0], "for the two of you");
    heard(&peers[1], "for the two of you");
    // Confirmations are cumulative: the last one names everybody.
    let confirmed = |peer: &Peer, id: &serde_json::Value, by: &[&str]| {
        peer.wait("delivered to all", PATIENCE, |e| {
            let to = e["to"].as_array().map(Vec::len).unwrap_or_default();
            e["event"] == "delivered"
                && e["id"] == *id
                && to == by.len()
                && by.iter().all(|one| e["to"].as_array().is_some_and(|to| to.contains(&json!(one))))
        });
    };
    confirmed(&peers[0], &to_room, &[&peers[1].id, &peers[2].id]);
    confirmed(&peers[0], &to_bo, &[&peers[1].id]);
    confirmed(&peers[2], &to_both, &[&peers[0].id, &peers[1].id]);
    // A line after the private ones has come, so what was to come before it has come.
    peers[0].say("that is all", &[]);
    heard(&peers[2], "that is all");
    assert_eq!(peers[2].times_heard("only for bo"), 0, "a private line reached somebody else");
    for (peer, texts) in peers.iter().zip([&["for the two of you"][..], &["hello all", "only for bo"], &["hello all"]])
    {
        for text in texts {
            assert_eq!(peer.times_heard(text), 1, "{} heard '{text}' once", peer.label);
        }
    }
    assert_eq!(peers[0].times_heard("hello all"), 0, "own lines give no event");
}

#[test]
fn a_name_that_two_share_sends_nothing() {
    let lab = lab!(3);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut bob1 = Peer::start(&lab, 2, "bob-one", "Bob", "r", &[]);
    let mut bob2 = Peer::start(&lab, 3, "bob-two", "bob", "r", &[]);
    bob1.ready();
    bob2.ready();
    ann.wait_joined(&bob1, PATIENCE);
    ann.wait_joined(&bob2, PATIENCE);
    let answer = ann.ask(json!({"do": "chat", "text": "secret", "to": ["bob"]}));
    assert_eq!(
        (answer["event"].as_str(), answer["code"].as_str()),
        (Some("error"), Some("ambiguous-peer")),
        "{answer}"
    );
    let nobody = ann.ask(json!({"do": "chat", "text": "secret", "to": ["zed"]}));
    assert_eq!(nobody["code"], "unknown-peer", "{nobody}");
    // By id and by suffix there is no doubt.
    let suffix = format!("bob#{}", &bob2.id[..8]);
    ann.say("for one Bob", &[&suffix]);
    ann.say("for the other", &[&bob1.id.clone()]);
    bob2.wait("its line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "for one Bob");
    bob1.wait("its line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "for the other");
    ann.say("end", &[]);
    for bob in [&bob1, &bob2] {
        bob.wait("the last line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "end");
        assert_eq!(bob.times_heard("secret"), 0);
        assert_eq!(bob.all(|e| e["event"] == "chat").len(), 2, "each Bob got his own line and the last one");
    }
}

#[test]
fn nothing_of_a_conversation_is_on_disk() {
    let lab = lab!(2);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut bo = Peer::join(&lab, 2, "bo", "r", &[]);
    ann.wait_joined(&bo, PATIENCE);
    bo.wait_joined(&ann, PATIENCE);
    let secret = "xylophone-quartz-heron";
    ann.say(secret, &[]);
    ann.say(&format!("{secret} again"), &["bo"]);
    bo.wait("both lines", PATIENCE, |e| e["event"] == "chat" && e["text"] == format!("{secret} again"));
    let holds = |folder: &std::path::Path| {
        let mut folders = vec![folder.to_owned()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the profile can be read").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap_or_default())
                    .contains("xylophone-quartz")
                {
                    found.push(entry.path());
                }
            }
        }
        found
    };
    let stop = |peer: &mut Peer| assert_eq!(peer.stop().0, Some(0));
    assert_eq!(holds(&profile(&lab, "ann")), Vec::<std::path::PathBuf>::new());
    stop(&mut ann);
    stop(&mut bo);
    for label in ["ann", "bo"] {
        assert_eq!(holds(&profile(&lab, label)), Vec::<std::path::PathBuf>::new(), "{label} wrote a line to disk");
        let log = std::fs::read_to_string(lab.folder().join(format!("{label}.log"))).expect("a log");
        assert!(!log.contains(secret), "{label} logged a line");
    }
}

#[test]
fn hidden_announces_nothing_and_still_meets() {
    let lab = lab!(3);
    let ann = Peer::join(&lab, 1, "ann", "r", &["--hidden"]);
    let bo = Peer::join(&lab, 2, "bo", "r", &["--hidden"]);
    let address = format!("{}:48190", lab.address(2));
    let cy = Peer::join(&lab, 3, "cy", "r", &["--connect", &address]);
    cy.wait_joined(&bo, PATIENCE);
    bo.wait_joined(&cy, PATIENCE);
    // Cy is announced, so Ann finds it, and through it Bo.
    ann.wait_joined(&cy, PATIENCE);
    ann.wait_joined(&bo, PATIENCE);
    for peer in [&ann, &bo, &cy] {
        let told = peer
            .all(|e| e["event"] == "sighted" && e["source"] == "mdns" && (e["peer"] == *ann.id || e["peer"] == *bo.id));
        assert!(told.is_empty(), "{} saw a hidden peer by mDNS: {told:?}", peer.label);
    }
}
