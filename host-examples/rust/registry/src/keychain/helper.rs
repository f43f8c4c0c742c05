//! Programs that keep credentials, `docker-credential-NAME`: they read the name of a
//! registry and print what they have for it. One that takes too long is ended, with
//! what it started.

use std::io::{Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::credentials::Credentials;

/// What helpers print when they know nothing.
const UNKNOWN: &str = "credentials not found";
/// What they print as the name of a user for a token.
const TOKEN: &str = "<token>";
/// No answer is longer.
const LONGEST: u64 = 1 << 20;
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks a helper for the credentials of a registry. An error says why that failed;
/// what the helper printed is not in it, since it could be a secret.
pub fn ask(name: &str, key: &str, patience: Duration) -> Result<Option<Credentials>, String> {
    let program = format!("docker-credential-{name}");
    let lost = |_| format!("unable to communicate with credential helper {program:?}");
    let late = || format!("no response within {patience:?}");
    let begun = Instant::now();
    let left = || patience.saturating_sub(begun.elapsed());
    let mut helper = Helper::start(&program).map_err(lost)?;
    if let Some(mut input) = helper.0.stdin.take() {
        // One that does not read it may answer all the same.
        let _ = input.write_all(key.as_bytes());
    }
    let printed = collect(helper.0.stdout.take());
    let complained = collect(helper.0.stderr.take());
    let status = loop {
        match helper.0.try_wait().map_err(lost)? {
            Some(status) => break status,
            None if left().is_zero() => return Err(late()),
            None => thread::sleep(PAUSE),
        }
    };
    let receive = |from: Receiver<Vec<u8>>| from.recv_timeout(left()).map_err(|_| late());
    read(&program, status, &receive(printed)?, &receive(complained)?)
}

fn read(
    program: &str,
    status: ExitStatus,
    printed: &[u8],
    complained: &[u8],
) -> Result<Option<Credentials>, String> {
    if !status.success() {
        let said = [printed, complained].concat().to_ascii_lowercase();
        return match String::from_utf8_lossy(&said).contains(UNKNOWN) {
            true => Ok(None),
            false => Err(format!("the helper {program:?} ended with an error")),
        };
    }
    let Answer { username, secret } = serde_json::from_slice(printed)
        .map_err(|_| format!("the helper {program:?} did not print credentials"))?;
    Ok(match username.as_str() {
        TOKEN => (!secret.is_empty()).then_some(Credentials::Identity(secret)),
        "" if secret.is_empty() => None,
        _ => Some(Credentials::Password {
            user: username,
            password: secret,
        }),
    })
}

/// All that a pipe gives, as soon as it ends.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What was read before an error is all there is.
            let _ = pipe.take(LONGEST).read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

/// A helper that runs, and does not outlive this.
struct Helper(Child);

impl Helper {
    fn start(program: &str) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Its number may be that of another process once it was waited for.
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process_group};
            let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
