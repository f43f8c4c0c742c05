//! Several writers, and writers that die.
#![cfg(unix)]

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;
    use std::{env, fs, thread};

    use layerwise::host::{FailureCode, Precondition};
    use layerwise_files::{Access, Files, Root};

    use super::support::*;

    /// Where the other processes find their directory.
    const PATH: &str = "LAYERWISE_TEST_PATH";
    /// The name under which new bytes are written.
    const TEMPORARY: &str = ".layerwise-write.tmp";
    /// What they call themselves.
    const NAME: &str = "LAYERWISE_TEST_NAME";
    /// How many lines each of several writers adds.
    const LINES: u32 = 60;
    /// How often a text repeats its line.
    const REPEATED: usize = 60_000;

    fn open(path: &Path) -> Files {
        Files::open([Root::new(path, Access::Writable).named(".")])
            .unwrap()
            .with_lock_wait(Duration::from_secs(60))
    }

    fn start(test: &str, path: &Path, name: &str) -> Child {
        Command::new(env::current_exe().unwrap())
            .args([test, "--exact", "--ignored", "--nocapture"])
            .env(PATH, path)
            .env(NAME, name)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Adds lines to a file that others add lines to, each time to what is there
    /// then. Returns how often another one was faster.
    fn add_lines(path: &Path, name: &str) -> u32 {
        let files = open(path);
        let mut conflicts = 0;
        for n in 0..LINES {
            loop {
                let (text, condition) = match read(&files, "shared") {
                    Ok(old) => (old.text, Precondition::Unchanged(old.digest)),
                    Err(FailureCode::NotFound) => (String::new(), Precondition::Absent),
                    Err(code) => panic!("{code:?}"),
                };
                thread::sleep(Duration::from_micros(500));
                match write_if(&files, "shared", &format!("{text}{name} {n}\n"), condition) {
                    Ok(()) => break,
                    Err(FailureCode::Conflict) => conflicts += 1,
                    Err(code) => panic!("{code:?}"),
                }
            }
        }
        conflicts
    }

    #[test]
    #[ignore = "the other process of the test below, which runs it"]
    fn line_writer() {
        let conflicts = add_lines(
            Path::new(&env::var(PATH).unwrap()),
            &env::var(NAME).unwrap(),
        );
        println!("conflicts {conflicts}");
    }

    #[test]
    fn two_processes_and_two_threads_lose_nothing() {
        let dir = Scratch::new();
        let children = ["p1", "p2"].map(|name| start("tests::line_writer", dir.path(), name));
        let mut conflicts: u32 = thread::scope(|scope| {
            let threads = ["t1", "t2"].map(|name| scope.spawn(|| add_lines(dir.path(), name)));
            threads.map(|thread| thread.join().unwrap()).iter().sum()
        });
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            let word = text.split("conflicts ").nth(1).unwrap();
            let count: u32 = word.lines().next().unwrap().parse().unwrap();
            conflicts += count;
        }
        let text = dir.read("shared");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4 * LINES as usize);
        assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len());
        for name in ["p1", "p2", "t1", "t2"] {
            let of = lines.iter().filter_map(|line| line.strip_prefix(name));
            let numbers: Vec<u32> = of.map(|n| n.trim().parse().unwrap()).collect();
            assert_eq!(numbers, (0..LINES).collect::<Vec<_>>(), "{name}");
        }
        println!("{conflicts} conflicts");
        assert!(conflicts > 0);
        assert_eq!(dir.names(""), ["shared"]);
    }

    /// A program that knows of no lock writes while new bytes go to the disk.
    #[test]
    fn what_others_write_in_between_is_not_replaced() {
        let dir = Scratch::new();
        let files = open(dir.path());
        let large = "x".repeat(16 << 20);
        for condition in [Precondition::Absent, Precondition::Unchanged(digest("old"))] {
            let mut noticed = 0;
            for _ in 0..20 {
                let _ = fs::remove_file(dir.join("f"));
                if condition != Precondition::Absent {
                    dir.put("f", "old");
                }
                let done = AtomicBool::new(false);
                let answer = thread::scope(|scope| {
                    scope.spawn(|| {
                        while !dir.join(TEMPORARY).exists() && !done.load(Ordering::Relaxed) {
                            thread::yield_now();
                        }
                        dir.put("f", "theirs");
                    });
                    let answer = write_if(&files, "f", &large, condition.clone());
                    done.store(true, Ordering::Relaxed);
                    answer
                });
                assert_eq!(dir.read("f"), "theirs");
                noticed += u32::from(answer == Err(FailureCode::Conflict));
            }
            println!("{noticed} of 20 noticed under {condition:?}");
            assert!(noticed > 0);
        }
        assert_eq!(dir.names(""), ["f"]);
    }

    fn text(n: u32) -> String {
        format!("{n}\n").repeat(REPEATED)
    }

    #[test]
    #[ignore = "the other process of the test below, which kills it"]
    fn endless_writer() {
        let files = open(Path::new(&env::var(PATH).unwrap()));
        for n in 1.. {
            write(&files, "f", &text(n)).unwrap();
            println!("wrote {n}");
        }
    }

    #[test]
    fn a_writer_that_is_killed_leaves_the_old_or_the_new_bytes() {
        let dir = Scratch::new();
        let files = open(dir.path());
        let (mut unfinished, mut newer) = (0, 0);
        for round in 0..50_u64 {
            assert_eq!(write(&files, "f", &text(0)), Ok(()));
            assert_eq!(dir.names(""), ["f"], "what was left is gone");
            let mut child = start("tests::endless_writer", dir.path(), "");
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let told = |line: &str| Some(line.split_once("wrote ")?.1.parse::<u32>().unwrap());
            let mut last = 0;
            while last == 0 {
                last = told(&lines.next().unwrap().unwrap()).unwrap_or(0);
            }
            thread::sleep(Duration::from_micros(round * 397 % 9000));
            child.kill().unwrap();
            child.wait().unwrap();
            for line in lines {
                last = told(&line.unwrap()).unwrap_or(last);
            }
            let found = fs::read(dir.join("f")).unwrap();
            let found = String::from_utf8(found).unwrap();
            let number: u32 = found.lines().next().unwrap().parse().unwrap();
            assert!(found == text(number), "a mixture after {round} rounds");
            assert!(
                number == last || number == last + 1,
                "{number} after {last}"
            );
            newer += u32::from(number > last);
            unfinished += u32::from(dir.names("").len() > 1);
        }
        println!("{unfinished} of 50 left a temporary file, {newer} died before telling");
        assert!(unfinished > 0, "no writer was killed while it wrote");
    }
}
