//! Files: whole, checked, never where they should not be.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::lab;
use crate::program::{PATIENCE, Peer, finish_once, lines, once, profile, spawn_once};

/// A file of `size` bytes that does not compress or repeat; gives its BLAKE3.
pub fn make(path: &Path, size: usize) -> String {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("the file can be made"));
    let mut hasher = blake3::Hasher::new();
    let mut left = size;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = vec![0_u8; 64 * 1024];
    while left > 0 {
        for bytes in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.copy_from_slice(&state.to_le_bytes());
        }
        let part = &block[..left.min(block.len())];
        hasher.update(part);
        file.write_all(part).expect("the file can be written");
        left -= part.len();
    }
    file.flush().expect("the file can be written");
    hasher.finalize().to_hex().to_string()
}

/// The BLAKE3 of a file.
pub fn hash(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path).expect("the file is there")).expect("it can be read");
    hasher.finalize().to_hex().to_string()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).map(|entries| entries.flatten().map(|e| e.path()).collect()).unwrap_or_default();
    all.sort();
    all
}

#[test]
fn a_file_to_the_room_reaches_everybody_whole() {
    let lab = lab!(3);
    let (b, c) = (lab.folder().join("to-bo"), lab.folder().join("to-cy"));
    let folder = |path: &Path| path.display().to_string();
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let mut bo = Peer::join(&lab, 2, "bo", "r", &["--download-dir", &folder(&b)]);
    let cy = Peer::join(&lab, 3, "cy", "r", &["--download-dir", &folder(&c), "--accept-files"]);
    ann.wait_joined(&bo, PATIENCE);
    ann.wait_joined(&cy, PATIENCE);
    let file = lab.folder().join("plan.bin");
    let sum = make(&file, 5_000_000);
    let answer = ann.must(json!({"do": "send-file", "path": file, "to": ["room:r"]}));
    let offer = bo.wait("an offer", PATIENCE, |e| e["event"] == "file-offer" && e["direction"] == "in");
    assert_eq!((offer["file"].as_str(), offer["size"].as_u64()), (Some("plan.bin"), Some(5_000_000)), "{answer}");
    bo.must(json!({"do": "accept-file", "transfer": offer["transfer"]}));
    for (peer, folder) in [(&bo, &b), (&cy, &c)] {
        let done = peer.wait("the file", PATIENCE, |e| e["event"] == "file-done" && e["direction"] == "in");
        assert_eq!(done["blake3"], *sum, "{done}");
        assert_eq!(done["path"].as_str(), Some(folder.join("plan.bin").display().to_string().as_str()));
        assert_eq!(hash(&folder.join("plan.bin")), sum);
        assert_eq!(files_in(folder).len(), 1, "no temporary file is left");
    }
    let sent = |peer: &Peer| {
        ann.wait("the sender's file-done", PATIENCE, |e| {
            e["event"] == "file-done" && e["direction"] == "out" && e["peer"] == *peer.id
        })
    };
    assert_ne!(sent(&bo)["transfer"], sent(&cy)["transfer"], "one transfer for each recipient");
    // A second file of that name lands beside the first.
    ann.must(json!({"do": "send-file", "path": file, "to": ["cy"]}));
    cy.wait("a second file", PATIENCE, |e| {
        e["event"] == "file-done"
            && e["path"].as_str().is_some_and(|p| p.ends_with("plan-1.bin") || p.ends_with("plan-2.bin"))
    });
    assert_eq!(hash(&c.join("plan.bin")), sum, "nothing is overwritten");
}

#[test]
fn a_declined_file_is_declined() {
    let lab = lab!(2);
    let mut ann = Peer::join(&lab, 1, "ann", "r", &[]);
    let into = lab.folder().join("in");
    let mut bo = Peer::join(&lab, 2, "bo", "r", &["--download-dir", &into.display().to_string()]);
    ann.wait_joined(&bo, PATIENCE);
    let file = lab.folder().join("no.bin");
    make(&file, 1000);
    ann.must(json!({"do": "send-file", "path": file, "to": ["bo"]}));
    let offer = bo.wait("an offer", PATIENCE, |e| e["event"] == "file-offer");
    bo.must(json!({"do": "decline-file", "transfer": offer["transfer"]}));
    let declined = ann.wait("declined", PATIENCE, |e| e["event"] == "file-declined" && e["direction"] == "out");
    assert_eq!(declined["peer"], *bo.id);
    assert!(files_in(&into).is_empty(), "nothing was written");
}

#[test]
fn drop_and_receive_meet_without_a_room() {
    let lab = lab!(2);
    let into = lab.folder().join("in");
    let to = into.display().to_string();
    let waiting = spawn_once(&lab, 2, "bo", &["receive", "--json", "--yes", "--once", "--dir", &to, "--name", "bo"]);
    let file = lab.folder().join("slides.pdf");
    let sum = make(&file, 3_000_000);
    let sent = once(&lab, 1, "ann", &["drop", &file.display().to_string(), "--to", "bo", "--json", "--name", "ann"]);
    assert_eq!(sent.status.code(), Some(0), "{}", String::from_utf8_lossy(&sent.stderr));
    let got = finish_once(waiting, "receive");
    assert_eq!(got.status.code(), Some(0), "{}", String::from_utf8_lossy(&got.stderr));
    assert!(lines(&got).iter().any(|e| e["event"] == "file-done" && e["blake3"] == *sum), "{:?}", lines(&got));
    assert_eq!(hash(&into.join("slides.pdf")), sum);
    assert!(!profile(&lab, "bo").join("slides.pdf").exists());
}

#[test]
fn a_drop_to_nobody_ends_with_three() {
    let lab = lab!(1);
    let file = lab.folder().join("x");
    make(&file, 10);
    let out = once(&lab, 1, "ann", &["drop", &file.display().to_string(), "--to", "nobody", "--wait", "2"]);
    assert_eq!(out.status.code(), Some(3), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(
        String::from_utf8_lossy(&out.stderr).lines().filter(|l| l.contains("nobody")).count(),
        1,
        "one sentence"
    );
}
