//! Threat T20: `kill -9` at any moment of a put loses nothing and blocks nobody.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::project::{Project, done};

const TIMES: u32 = 200;

/// Every second put is killed after a time between nothing and a little more
/// than a whole put takes; every other one at the first, second, … change in the
/// directory of the cache, which is in the middle of writing.
#[test]
fn killed_puts_lose_nothing() {
    let mut stackerfile =
        "big:\n  from: {type: scratch}\n  imports: [http://127.0.0.1/tree]\n".to_owned();
    for n in 0..TIMES {
        let on = if n % 2 == 0 { "big" } else { "l0" };
        let _ = writeln!(stackerfile, "l{n}:\n  from: {{type: built, tag: {on}}}");
    }
    let project = Project::new(&stackerfile);
    for n in 0..2_000 {
        project.write(&format!(".stacker/imports/big/tree/file-{n}"), "x");
    }
    done(&mut project.put("big"));
    let begin = Instant::now();
    done(&mut project.put("l0"));
    let whole = begin.elapsed();

    let mut recorded: BTreeSet<String> = ["big", "l0"].map(str::to_owned).into();
    let (mut killed, mut ended, mut while_writing) = (0, 0, 0);
    for n in 1..=TIMES {
        let layer = format!("l{}", n % TIMES);
        let mut put = project.put(&layer);
        let mut child = put
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if n % 2 == 0 {
            thread::sleep(whole * n * 6 / (TIMES * 5));
        } else if wait_for_changes(&mut child, &project.path(".stacker"), 1 + n / 2 % 6) {
            while_writing += 1;
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let cache = project.cache();
        let entries = cache["cache"].as_object().unwrap();
        let now: BTreeSet<String> = entries.keys().cloned().collect();
        assert!(
            now.is_superset(&recorded),
            "{n}: {recorded:?} became {now:?}"
        );
        assert!(now.len() <= recorded.len() + 1, "{n}");
        if status.success() {
            assert!(now.contains(&layer), "{n}");
            ended += 1;
        } else {
            killed += 1;
        }
        if let Ok(guard) = fs::read(project.path(".stacker/build.cache.guard")) {
            serde_json::from_slice::<serde_json::Value>(&guard).unwrap();
        }
        recorded = now;
    }
    println!("{killed} killed, {while_writing} of them or more while writing; {ended} had ended");
    assert!(killed > TIMES / 10, "{killed} of {TIMES} were killed");
    assert!(while_writing > TIMES / 10, "{while_writing} while writing");

    // The next put works, and what was recorded is found.
    for n in 0..TIMES {
        let layer = format!("l{n}");
        if !recorded.contains(&layer) {
            done(&mut project.put(&layer));
        }
    }
    let left = state(&project.path(".stacker"));
    let left: Vec<_> = left
        .iter()
        .map(|(name, _)| name.to_string_lossy())
        .collect();
    assert!(!left.iter().any(|name| name.contains("tmp")), "{left:?}");
    let layers = project.ask("lookup", &[])["layers"].clone();
    for layer in layers.as_array().unwrap() {
        assert_eq!(layer["outcome"], "hit", "{layer}");
    }
    assert_eq!(layers.as_array().unwrap().len() as u32, TIMES + 1);
}

/// Until names or sizes in the directory changed so often; false when the
/// process ends first.
fn wait_for_changes(child: &mut Child, directory: &Path, times: u32) -> bool {
    let mut before = state(directory);
    let mut changes = 0;
    while child.try_wait().unwrap().is_none() {
        let now = state(directory);
        changes += u32::from(now != before);
        before = now;
        if changes == times {
            return true;
        }
        thread::sleep(Duration::from_micros(20));
    }
    false
}

fn state(directory: &Path) -> BTreeSet<(std::ffi::OsString, Option<u64>)> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            (
                entry.file_name(),
                entry.metadata().ok().map(|facts| facts.len()),
            )
        })
        .collect()
}
