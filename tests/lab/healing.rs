//! What breaks and mends: a peer that crashes, a cable that is cut, a person who comes back.

use std::time::Duration;

use crate::lab;
use crate::meeting::all_joined;
use crate::program::{PATIENCE, Peer, bound, figure};

#[test]
fn the_first_peer_may_crash_and_a_newcomer_still_gets_in() {
    let lab = lab!(4);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut others = vec![Peer::join(&lab, 2, "bo", "r", &[]), Peer::join(&lab, 3, "cy", "r", &[])];
    for other in &others {
        ann.wait_joined(other, PATIENCE);
    }
    all_joined(&others, PATIENCE);
    others[0].say("before", &[]);
    others[1].wait("the line before", PATIENCE, |e| e["event"] == "chat" && e["text"] == "before");
    ann.kill();
    others[0].say("during", &[]);
    others[1].wait("the line after the crash", PATIENCE, |e| e["event"] == "chat" && e["text"] == "during");
    for other in &others {
        let left =
            other.wait("left ann", bound(Duration::from_secs(7)), |e| e["event"] == "left" && e["peer"] == *ann.id);
        assert_eq!(left["reason"], "timeout");
        let before = other.all(|e| e["event"] == "reconnecting" && e["peer"] == *ann.id);
        assert_eq!(before.len(), 1, "{}: reconnecting comes before a left by timeout", other.label);
    }
    let mut dee = Peer::join(&lab, 4, "dee", "r", &[]);
    for other in &others {
        dee.wait_joined(other, PATIENCE);
        other.wait_joined(&dee, PATIENCE);
    }
    dee.say("hello from a newcomer", &[]);
    for other in &others {
        other.wait("the newcomer's line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "hello from a newcomer");
    }
    assert_eq!(dee.all(|e| e["event"] == "joined").len(), 2, "the crashed peer is nobody's participant");
}

#[test]
fn a_newcomer_gets_in_through_one_address_of_one_peer() {
    let lab = lab!(3);
    let ann = Peer::join(&lab, 1, "ann", "r", &["--hidden"]);
    let bo =
        Peer::join(&lab, 2, "bo", "r", &["--hidden", "--connect", &format!("{}:48190#{}", lab.address(1), ann.id)]);
    bo.wait_joined(&ann, PATIENCE);
    let cy = Peer::join(&lab, 3, "cy", "r", &["--hidden", "--connect", &format!("{}:48190", lab.address(2))]);
    cy.wait_joined(&bo, PATIENCE);
    cy.wait_joined(&ann, PATIENCE);
    ann.wait_joined(&cy, PATIENCE);
    let by_gossip = cy.all(|e| e["event"] == "sighted" && e["peer"] == *ann.id);
    assert!(by_gossip.iter().any(|e| e["source"] == "gossip"), "found by the words of others: {by_gossip:?}");
}

#[test]
fn a_cut_of_five_seconds_heals_and_nothing_said_is_lost() {
    let lab = lab!(3);
    let mut peers: Vec<Peer> =
        ["ann", "bo", "cy"].iter().zip(1..).map(|(label, host)| Peer::join(&lab, host, label, "r", &[])).collect();
    all_joined(&peers, PATIENCE);
    peers[0].say("before the cut", &[]);
    for peer in &peers[1..] {
        peer.wait("the line before", PATIENCE, |e| e["event"] == "chat" && e["text"] == "before the cut");
    }
    let marks: Vec<usize> = peers.iter().map(Peer::mark).collect();
    lab.cut(3);
    let cut = lets_meet::clock::now();
    peers[0].say("ann in the cut", &[]);
    peers[2].say("cy in the cut", &[]);
    peers[1].say("bo to cy alone", &["cy"]);
    peers[1]
        .wait("ann's line, whose cable is whole", PATIENCE, |e| e["event"] == "chat" && e["text"] == "ann in the cut");
    for (peer, mark) in peers.iter().zip(&marks) {
        let lost = if peer.label == "cy" { &peers[0] } else { &peers[2] };
        peer.wait_from(*mark, "reconnecting", bound(Duration::from_secs(2)), |e| {
            e["event"] == "reconnecting" && e["peer"] == *lost.id
        });
    }
    // The cut lasts five seconds: that is the test's own condition, not a wait for a fact.
    std::thread::sleep(Duration::from_secs(5).saturating_sub(cut.elapsed()));
    lab.heal(3);
    let healed = lets_meet::clock::now();
    let mut slowest = Duration::ZERO;
    for (at, mark) in marks.iter().enumerate() {
        let lost: Vec<String> =
            if at == 2 { vec![peers[0].id.clone(), peers[1].id.clone()] } else { vec![peers[2].id.clone()] };
        for id in lost {
            let line = peers[at]
                .wait_from(*mark, "reconnected", PATIENCE, |e| e["event"] == "reconnected" && e["peer"] == *id);
            slowest = slowest.max(line.read.saturating_duration_since(healed));
        }
    }
    figure("a cut of 5 s is healed after", slowest.as_secs_f64(), "s", "1");
    let once = |peer: &Peer, text: &str| {
        peer.wait(text, PATIENCE, |e| e["event"] == "chat" && e["text"] == text);
    };
    once(&peers[2], "ann in the cut");
    once(&peers[2], "bo to cy alone");
    once(&peers[0], "cy in the cut");
    once(&peers[1], "cy in the cut");
    peers[0].say("after", &[]);
    once(&peers[2], "after");
    once(&peers[1], "after");
    for peer in &peers {
        assert_eq!(
            peer.all(|e| e["event"] == "left").len(),
            0,
            "{}: a cut of five seconds is nobody's leave",
            peer.label
        );
        for text in ["ann in the cut", "cy in the cut", "bo to cy alone", "before the cut", "after"] {
            assert!(peer.times_heard(text) <= 1, "{} heard '{text}' twice", peer.label);
        }
    }
    assert_eq!(peers[0].times_heard("bo to cy alone"), 0, "a private line is synced only between its own");
}

#[test]
fn a_link_that_loses_a_fifth_each_way_carries_every_line_once_and_in_order() {
    let lab = lab!(2);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut bo = Peer::join(&lab, 2, "bo", "r", &[]);
    ann.wait_joined(&bo, PATIENCE);
    bo.wait_joined(&ann, PATIENCE);
    lab.lose(2, 20);
    let lines = |who: &str| (0..20).map(|n| format!("{who} {n}")).collect::<Vec<_>>();
    for (a, b) in lines("ann").iter().zip(&lines("bo")) {
        ann.say(a, &[]);
        bo.say(b, &[]);
    }
    for (peer, of) in [(&ann, "bo"), (&bo, "ann")] {
        peer.wait("the last line", PATIENCE, |e| e["event"] == "chat" && e["text"] == format!("{of} 19"));
        let heard: Vec<String> =
            peer.all(|e| e["event"] == "chat").iter().map(|e| e["text"].as_str().expect("a text").to_owned()).collect();
        assert_eq!(heard, lines(of), "{} hears each line once", peer.label);
    }
    lab.heal(2);
}

#[test]
fn a_crash_and_restart_is_the_same_person_in_one_seat() {
    let lab = lab!(2);
    let ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut bo = Peer::join(&lab, 2, "bo", "r", &[]);
    ann.wait_joined(&bo, PATIENCE);
    bo.wait_joined(&ann, PATIENCE);
    bo.say("one", &[]);
    ann.wait("one", PATIENCE, |e| e["event"] == "chat" && e["text"] == "one");
    let (before, mark) = (bo.id.clone(), ann.mark());
    bo.kill();
    let mut again = Peer::join(&lab, 2, "bo", "r", &[]);
    assert_eq!(again.id, before, "the same profile is the same person");
    again.wait_joined(&ann, bound(Duration::from_secs(3)));
    let took =
        again.said().iter().find(|l| l.value["event"] == "joined").expect("joined").read.duration_since(again.started);
    figure("a crashed peer is back in its seat after", took.as_secs_f64(), "s", "3");
    again.say("two", &[]);
    again.say("three", &["ann"]);
    for text in ["two", "three"] {
        ann.wait(text, PATIENCE, |e| e["event"] == "chat" && e["text"] == text);
    }
    for text in ["one", "two", "three"] {
        assert_eq!(ann.times_heard(text), 1, "'{text}' arrived once");
    }
    // One seat: the next stats line of Ann knows one other, and nobody left by timeout since.
    let stats = ann.watch(2);
    let seated = stats[1]["peers"].as_object().expect("peers by id").keys().cloned().collect::<Vec<_>>();
    assert_eq!(seated, std::slice::from_ref(&before), "one person, one seat");
    let timeouts =
        ann.said().into_iter().skip(mark).filter(|l| l.value["event"] == "left" && l.value["reason"] == "timeout");
    assert_eq!(timeouts.count(), 0, "the old run is replaced, not timed out");
}

#[test]
fn whoever_was_away_is_told_what_was_said() {
    let lab = lab!(3);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut bo = Peer::join(&lab, 2, "bo", "r", &[]);
    ann.wait_joined(&bo, PATIENCE);
    ann.say("early", &[]);
    ann.say("between us", &["bo"]);
    bo.wait("both", PATIENCE, |e| e["event"] == "chat" && e["text"] == "between us");
    // Ann is gone when Cy comes: Bo fills the gap with Ann's signed line.
    assert_eq!(ann.stop().0, Some(0));
    bo.wait("left", PATIENCE, |e| e["event"] == "left" && e["peer"] == *ann.id);
    let cy = Peer::join(&lab, 3, "cy", "r", &[]);
    let line = cy.wait("the early line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "early");
    assert_eq!((line["from"].as_str(), line["late"].as_bool()), (Some(ann.id.as_str()), Some(true)));
    bo.say("now", &[]);
    cy.wait("a new line", PATIENCE, |e| e["event"] == "chat" && e["text"] == "now");
    assert_eq!(cy.times_heard("between us"), 0, "private lines are synced only between their own");
    assert_eq!(cy.times_heard("early"), 1);
}
