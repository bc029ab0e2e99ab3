//! Trust: words that both sides see, decisions that the next run keeps, and a stranger under a verified name.

use serde_json::json;

use crate::lab;
use crate::program::{PATIENCE, Peer, lines, once};

#[test]
fn words_are_compared_and_another_bo_gets_nothing() {
    let lab = lab!(3);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut bo = Peer::join(&lab, 2, "bo", "r", &[]);
    ann.wait_joined(&bo, PATIENCE);
    bo.wait_joined(&ann, PATIENCE);
    let words = ann.must(json!({"do": "words", "peer": "bo"}));
    assert_eq!(bo.must(json!({"do": "words", "peer": "ann"}))["words"], words["words"]);
    for peer in [&mut ann, &mut bo] {
        assert_eq!(peer.stop().0, Some(0));
    }

    // Without a meeting, from the profile.
    let list = |trust: &str| {
        let out = once(&lab, 1, "ann", &["trust", "list", "--json"]);
        let known = lines(&out);
        assert_eq!(known.len(), 1, "{known:?}");
        assert_eq!((&known[0]["peer"], &known[0]["trust"]), (&json!(bo.id), &json!(trust)));
    };
    list("known");
    let unsure = once(&lab, 1, "ann", &["trust", "verify", "bo", "--json"]);
    assert_eq!(unsure.status.code(), Some(4), "nobody said that they are the same");
    let said = lines(&unsure);
    assert_eq!((&said[0]["event"], &said[0]["words"]), (&json!("words"), &words["words"]));
    assert_eq!(said[1]["code"], "not-confirmed");
    list("known");
    let sure = once(&lab, 1, "ann", &["trust", "verify", "bo", "--yes"]);
    assert_eq!(sure.status.code(), Some(0), "{}", String::from_utf8_lossy(&sure.stderr));
    assert!(String::from_utf8_lossy(&sure.stdout).contains(words["words"].as_str().expect("words")));
    list("verified");
    for (args, code) in [(["trust", "verify", "cy"], 3), (["trust", "accept", "bo"], 2), (["trust", "forget", "cy"], 3)]
    {
        assert_eq!(once(&lab, 1, "ann", &args).status.code(), Some(code), "{args:?}");
    }

    // The real one, and another.
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut bo = Peer::join(&lab, 2, "bo", "r", &[]);
    let trusts = |peer: &Peer, trust: &str| {
        let (id, trust) = (json!(peer.id), json!(trust));
        move |line: &serde_json::Value| line["event"] == "trust" && line["peer"] == id && line["trust"] == trust
    };
    ann.wait("the real Bo", PATIENCE, trusts(&bo, "verified"));
    bo.must(json!({"do": "leave"}));
    ann.wait("his leave", PATIENCE, |line| line["event"] == "left");
    let mut eve = Peer::start(&lab, 3, "eve", "Bo", "r", &[]);
    eve.ready();
    ann.wait("another Bo", PATIENCE, trusts(&eve, "changed"));
    let warned = |line: &serde_json::Value| line["event"] == "warning" && line["code"] == "verified-key-changed";
    assert_eq!(ann.wait("the warning", PATIENCE, warned)["peer"], json!(eve.id));
    let refused = ann.ask(json!({"do": "chat", "text": "psst", "to": [eve.id]}));
    assert_eq!(refused["code"], "verified-key-changed");
    ann.say("still for the room", &[]);
    let quiet = eve.watch(3);
    assert!(quiet.iter().all(|stats| stats["rates"]["received"]["chat"] == 0), "{quiet:?}");
    assert_eq!(eve.times_heard("still for the room"), 0);
    let state = ann.must(json!({"do": "state"}));
    assert_eq!(state["people"][0]["trust"], "changed");
    ann.must(json!({"do": "trust-changed", "peer": eve.id}));
    eve.wait("the line", PATIENCE, |line| line["event"] == "chat" && line["late"] == true);
    ann.wait("that she is known", PATIENCE, trusts(&eve, "known"));
    for peer in [&mut ann, &mut eve] {
        assert_eq!(peer.stop().0, Some(0));
    }
    let gone = once(&lab, 1, "ann", &["trust", "forget", &eve.id]);
    assert_eq!(gone.status.code(), Some(0), "{}", String::from_utf8_lossy(&gone.stderr));
    list("verified");
}
