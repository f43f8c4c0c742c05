//! Programs named `docker-credential-NAME` that tell credentials.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use serde::Deserialize;

use super::Credentials;
use crate::failures;

/// The most that a helper may say.
const LONGEST: u64 = 1 << 20;
/// What helpers print when they know nothing.
const UNKNOWN: &str = "credentials not found";
/// The user name that marks an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks a helper for the credentials of a registry.
///
/// # Errors
/// `unauthorized` when it cannot be run, fails, or does not answer in time.
pub fn ask(name: &str, key: &str, patience: Duration) -> Result<Option<Credentials>, Failure> {
    let program = format!("docker-credential-{name}");
    let failed = |why: String| {
        let message = format!("cannot get credentials for {key:?} from {program:?}: {why}");
        failures::new(FailureCode::Unauthorized, message)
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.chars().all(plain) {
        return Err(failed("it is not the name of a helper".to_owned()));
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(failures::lower(&error.to_string())))?;
    let said = converse(&mut child, key, patience);
    let _ = child.kill();
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    let Some(said) = said else {
        return Err(failed(format!("no answer within {patience:?}")));
    };
    let text = String::from_utf8_lossy(&said);
    if text.to_ascii_lowercase().contains(UNKNOWN) {
        return Ok(None);
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(&said) else {
        let why = match status.code() {
            Some(0) | None => "the answer is not what a helper says".to_owned(),
            Some(code) => format!("it ended with {code}"),
        };
        return Err(failed(why));
    };
    if answer.secret.is_empty() {
        return Ok(None);
    }
    Ok(Some(if answer.username == TOKEN_USER {
        Credentials::Identity(answer.secret)
    } else {
        Credentials::Password {
            user: answer.username,
            password: answer.secret,
        }
    }))
}

/// What the helper prints until it closes its output; nothing when that takes
/// too long.
fn converse(child: &mut Child, key: &str, patience: Duration) -> Option<Vec<u8>> {
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(key.as_bytes());
    }
    let output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut said = Vec::new();
        let read = output.take(LONGEST).read_to_end(&mut said);
        let _ = sender.send(read.map(|_| said).ok());
    });
    let said = receiver.recv_timeout(patience).ok().flatten()?;
    // Its status is wanted too, but it need not be waited for.
    for _ in 0..50 {
        if !matches!(child.try_wait(), Ok(None)) {
            break;
        }
        thread::sleep(Duration::from_millis(2));
    }
    Some(said)
}
