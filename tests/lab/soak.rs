//! A long meeting: memory stays flat and nothing breaks. Ten minutes by hand (`make soak`), most of a minute in
//! `make test`.

use std::time::Duration;

use crate::clip::{source, speech, talk};
use crate::lab;
use crate::meeting::all_joined;
use crate::program::{PATIENCE, Peer, figure};

/// Runs a call of three for `seconds`; compares the memory of the last `window` seconds with that of the second window.
fn flat(lab: &crate::host::Lab, seconds: usize, window: usize, slack: f64) {
    let (camera, microphone) = (source(&talk()), source(&speech()));
    let more = ["--camera", &camera, "--mic", &microphone];
    let mut peers: Vec<Peer> =
        ["ann", "bo", "cy"].iter().zip(1..).map(|(label, host)| Peer::join(lab, host, label, "long", &more)).collect();
    all_joined(&peers, PATIENCE);
    let mut memory: Vec<Vec<u64>> = vec![Vec::new(); peers.len()];
    for second in 0..seconds {
        peers[0].watch(1);
        for (peer, seen) in peers.iter().zip(&mut memory) {
            seen.push(peer.memory());
        }
        if second % 10 == 5 {
            let text = format!("line {second}");
            let at = second % 3;
            peers[at].say(&text, &[]);
        }
    }
    for (peer, seen) in peers.iter().zip(&memory) {
        let mean = |part: &[u64]| {
            #[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
            let mean = part.iter().sum::<u64>() as f64 / part.len() as f64;
            mean
        };
        let (early, late) = (mean(&seen[window..2 * window]), mean(&seen[seen.len() - window..]));
        figure(&format!("memory of {} after {seconds} s", peer.label), late / 1e6, "MB", "flat");
        figure(&format!("its growth since second window, {}", peer.label), (late / early - 1.0) * 100.0, "%", "5");
        assert!(late <= early * (1.0 + slack), "{}: {early:.0} bytes became {late:.0}", peer.label);
        assert_eq!(peer.all(|e| e["event"] == "left" || e["event"] == "reconnecting").len(), 0, "{}", peer.label);
        let stats = peer.stats(0);
        let last = stats.last().expect("stats");
        for other in peers.iter().filter(|other| other.id != peer.id) {
            let from = &last["peers"][&other.id];
            println!("{} of {}: video {} audio {}", peer.label, other.label, from["video"], from["audio"]);
            assert!(from["video"]["frames"].as_u64() > Some(0) && from["audio"]["played_ms"].as_u64() > Some(0));
        }
    }
    for peer in &mut peers {
        let (code, took) = peer.stop();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(6), "{} ended after {took:?}", peer.label);
    }
}

#[test]
fn memory_is_flat_for_most_of_a_minute() {
    let lab = lab!(3);
    // Buffers and allocators still settle in the first half minute, so the short run allows more.
    flat(&lab, 48, 12, 0.10);
}

#[test]
#[ignore = "ten minutes: make soak"]
fn soak_memory_is_flat_for_ten_minutes() {
    let lab = lab!(3);
    flat(&lab, 600, 60, 0.05);
}
