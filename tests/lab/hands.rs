//! Raised hands, reactions and invitations between hosts, over a cut cable too.

use std::time::Duration;

use serde_json::json;

use crate::lab;
use crate::meeting::all_joined;
use crate::program::{PATIENCE, Peer, once};

#[test]
fn hands_keep_their_order_over_a_cut_and_links_lead_in() {
    let lab = lab!(4);
    let mut peers: Vec<Peer> = [(1, "ann"), (2, "bo"), (3, "cy")]
        .iter()
        .map(|(host, name)| Peer::join(&lab, *host, name, "tea", &[]))
        .collect();
    all_joined(&peers, PATIENCE);
    peers[1].must(json!({"do": "hand", "up": true}));
    let bo = peers[1].id.clone();
    peers[0].wait("bo's hand", PATIENCE, |e| e["event"] == "hand" && e["peer"] == *bo && e["up"] == true);
    peers[0].must(json!({"do": "hand", "up": true}));
    let order = json!([bo, peers[0].id]);
    for peer in &peers {
        peer.wait("both hands", PATIENCE, |e| e["event"] == "hand" && e["order"] == order);
    }
    // Long enough away to be gone: the hand goes with the person and comes back into its place.
    let marks: Vec<usize> = peers.iter().map(Peer::mark).collect();
    lab.cut(2);
    peers[0].wait_from(marks[0], "bo gone", PATIENCE * 2, |e| e["event"] == "left" && e["peer"] == *bo);
    assert!(peers[0].all(|e| e["event"] == "hand" && e["peer"] == *bo && e["up"] == false).len() == 1);
    lab.heal(2);
    for (peer, mark) in [(&peers[0], marks[0]), (&peers[2], marks[2])] {
        let back =
            |e: &serde_json::Value| e["event"] == "hand" && e["peer"] == *bo && e["up"] == true && e["order"] == order;
        peer.wait_from(mark, "bo's hand again", PATIENCE * 2, back);
    }
    peers[2].must(json!({"do": "react", "emoji": "👏"}));
    for peer in &peers[..2] {
        peer.wait("the applause", PATIENCE, |e| e["event"] == "reaction" && e["emoji"] == "👏" && e["name"] == "cy");
    }
    let refused = peers[2].ask(json!({"do": "react", "emoji": "boo"}));
    assert_eq!(refused["code"], "bad-value");

    let answer = peers[0].must(json!({"do": "invite"}));
    let link = answer["link"].as_str().expect("a link").to_owned();
    assert!(link.contains(&format!("at={}:48190", lab.address(1))) && !link.contains("fe80"), "{link}");
    let opened = once(&lab, 4, "dee", &["open", &link, "--yes", "--json", "--name", "dee", "--for", "4"]);
    assert_eq!(opened.status.code(), Some(0), "{}", String::from_utf8_lossy(&opened.stderr));
    peers[0].wait("dee by the link", Duration::from_secs(5), |e| e["event"] == "joined" && e["name"] == "dee");
    let wrong = link.replace(peers[0].id.as_str(), &"7".repeat(64));
    let refused = once(&lab, 4, "eve", &["open", &wrong, "--yes", "--json", "--name", "eve", "--for", "4"]);
    assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(peers.iter().all(|peer| peer.all(|e| e["event"] == "joined" && e["name"] == "eve").is_empty()));
}
