//! Every target on its corpus, and on bytes that are made here: what a fuzzer
//! would begin with, in every run of the tests.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use layerwise_fuzz::TARGETS;

/// Inputs made for each target. Those through the component are slower.
const MADE: u64 = 300;
const SLOW: [(&str, u64); 5] = [
    ("component", 60),
    ("differential", 120),
    ("model", 60),
    ("cost", 12),
    ("answers", 60),
];

/// Longest input that is made.
const LONGEST: u64 = 700;

#[test]
fn corpus() {
    for (name, target) in TARGETS {
        for path in files(&folder().join("corpus").join(name)) {
            println!("{}", path.display());
            target(&fs::read(&path).expect("an input"));
        }
    }
}

#[test]
fn made_inputs() {
    std::thread::scope(|scope| {
        for (name, target) in TARGETS {
            let slow = SLOW.iter().find(|(slow, _)| *slow == name);
            let count = slow.map_or(MADE, |(_, count)| *count);
            scope.spawn(move || {
                for seed in 0..count {
                    let input = made(seed);
                    let caught = std::panic::catch_unwind(|| target(&input));
                    assert!(caught.is_ok(), "{name}: input {seed}: {input:?}");
                }
            });
        }
    });
}

/// Every folder of the corpus is a target's, and every target has one.
#[test]
fn every_target_has_a_corpus() {
    let corpus = folder().join("corpus");
    let mut folders: Vec<_> = fs::read_dir(&corpus)
        .expect("a corpus")
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    folders.sort();
    let mut names = TARGETS.map(|(name, _)| name.to_owned()).to_vec();
    names.sort();
    assert_eq!(folders, names);
    for name in names {
        assert!(!files(&corpus.join(&name)).is_empty(), "{name}");
    }
}

/// Bytes that look random and are the same every time (SplitMix64).
fn made(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    let length = next() % LONGEST;
    (0..length).map(|_| next().to_le_bytes()[0]).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map_or_else(|_| Vec::new(), Iterator::collect);
    let mut paths: Vec<PathBuf> = entries
        .into_iter()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
