//! The fuzz corpora, replayed: every file under `fuzz/corpus/TARGET/` goes through the decoder of that name, as it is and
//! with some thousand seeded changes. `make fuzz` searches further; what it finds is added there and stays found.

#[path = "corpus/seeds.rs"]
mod seeds;

use std::path::{Path, PathBuf};

use lets_meet::fuzz::TARGETS;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The files of a target, sorted by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder(target))
        .map(|entries| entries.flatten())
        .into_iter()
        .flatten()
        .map(|e| {
            (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).expect("a corpus file can be read"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_decoder_has_a_corpus_and_stands_it() {
    for (target, feed) in TARGETS {
        let files = corpus(target);
        assert!(!files.is_empty(), "fuzz/corpus/{target} is empty: run `cargo test --test corpus -- --ignored`");
        for (_, data) in files {
            feed(&data);
        }
        feed(&[]);
    }
}

#[test]
fn every_decoder_stands_changed_input() {
    const ROUNDS: usize = 4_000;
    for (target, feed) in TARGETS {
        let files = corpus(target);
        let seed = 0x5eed;
        let mut random = StdRng::seed_from_u64(seed);
        for round in 0..ROUNDS {
            let mut data = files[random.random_range(0..files.len())].1.clone();
            let other = &files[random.random_range(0..files.len())].1;
            for _ in 0..random.random_range(1..5) {
                change(&mut random, &mut data, other);
            }
            let outcome = std::panic::catch_unwind(|| feed(&data));
            assert!(outcome.is_ok(), "{target} fell in round {round} of seed {seed} over {data:02x?}");
        }
    }
}

#[test]
fn the_encoders_still_write_the_bytes_of_version_one() {
    let fixed =
        ["audio-packet", "clock-packet", "feedback", "link-header", "meeting-wire", "mesh-wire", "transfer-wire"];
    for target in fixed {
        for (name, data) in seeds::of(target) {
            let kept = std::fs::read(folder(target).join(&name)).unwrap_or_default();
            assert_eq!(
                kept, data,
                "{target}/{name}: the wire has changed. Old peers must still read it: add, never change; \
                 then follow in docs/protocol.md and .cddl, and write the seeds anew."
            );
        }
    }
}

/// One change of the kinds that break decoders.
fn change(random: &mut StdRng, data: &mut Vec<u8>, other: &[u8]) {
    let at = random.random_range(0..=data.len());
    match random.random_range(0..7) {
        0 => data.truncate(at),
        1 if at < data.len() => data[at] ^= 1 << random.random_range(0..8),
        2 if at < data.len() => data[at] = [0, 1, 0x7f, 0x80, 0xff, 0x9f, 0xbf, 0x5f][random.random_range(0..8)],
        3 => data.insert(at, random.random()),
        4 if at < data.len() => {
            data.remove(at);
        }
        5 => data.extend_from_slice(&other[other.len() / 2..]),
        _ => {
            let end = (at + 8).min(data.len());
            data[at..end].fill(0xff);
        }
    }
    data.truncate(16 * 1024);
}

#[test]
#[ignore = "writes fuzz/corpus from what the encoders make; run it when a message is added"]
fn write_the_seeds() {
    for (target, _) in TARGETS {
        let made = seeds::of(target);
        assert!(!made.is_empty(), "tests/corpus/seeds.rs has nothing for {target}");
        std::fs::create_dir_all(folder(target)).expect("fuzz/corpus can be written");
        for (name, data) in made {
            std::fs::write(folder(target).join(name), data).expect("fuzz/corpus can be written");
        }
    }
}
