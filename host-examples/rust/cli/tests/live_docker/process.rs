//! Programs that run for a while, and programs that are waited for: none of them
//! outlives the test, whatever becomes of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

/// How long a program that is waited for may take, in seconds.
const LONGEST: &str = "180";

/// What a program that was waited for left.
pub struct Output {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program to its end, with a file as its input.
pub fn run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
    input: Option<&Path>,
) -> Output {
    let stdin = match input {
        Some(path) => File::open(path).unwrap().into(),
        None => Stdio::null(),
    };
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=10", LONGEST, program])
        .args(arguments)
        .stdin(stdin);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let stderr = text(&output.stderr);
    assert_ne!(
        output.status.code(),
        Some(124),
        "{command:?} did not end in {LONGEST} s: {stderr}"
    );
    Output {
        success: output.status.success(),
        stdout: text(&output.stdout),
        stderr,
    }
}

/// A program in the background. It is told to end when this is dropped, and by
/// the kernel when the thread that started it ends in any other way.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it, with its messages in a file.
    pub fn start<A: AsRef<OsStr>>(
        program: &str,
        arguments: impl IntoIterator<Item = A>,
        log: PathBuf,
    ) -> Self {
        let messages = File::create(&log).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", program])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(messages.try_clone().unwrap())
            .stderr(messages)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// That it ended, or did not answer in time, with its last messages.
    pub fn wait_for(&mut self, answers: impl Fn() -> bool) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            if answers() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                return Err(format!("it ended with {status}:\n{}", self.messages()));
            }
            if Instant::now() > end {
                return Err(format!("it did not answer:\n{}", self.messages()));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Its last messages.
    pub fn messages(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    fn ended(&mut self, within: Duration) -> bool {
        let end = Instant::now() + within;
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.ended(Duration::from_millis(1)) {
            return;
        }
        let kill = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        if !self.ended(Duration::from_secs(30)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A directory that goes away. Its name is short, because a socket's must be.
pub struct Place(PathBuf);

impl Place {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("layerwise-live-{}-{count}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Mount points below it; an engine that was killed leaves some.
    fn mounts(&self) -> Vec<PathBuf> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let points = table.lines().filter_map(|line| line.split(' ').nth(4));
        let mut below: Vec<PathBuf> = points
            .map(PathBuf::from)
            .filter(|point| point.starts_with(&self.0))
            .collect();
        below.sort();
        below.reverse();
        below
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for point in self.mounts() {
            let _ = Command::new("umount").arg("--lazy").arg(point).status();
        }
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{:?} was not removed: {error}", self.0);
        }
    }
}
