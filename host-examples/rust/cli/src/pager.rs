//! Long text on a terminal, shown page by page by a program such as `less`.

use std::env;
use std::io::{ErrorKind, IsTerminal as _, Result, Write as _, stdout};
use std::process::{Child, Command, Stdio};

use crate::interrupt;

/// What is run unless LAYERWISE_PAGER or PAGER say otherwise.
const USUAL: &str = if cfg!(unix) { "less" } else { "more" };

/// Leaves at once what fits, passes colours on and leaves the text where it is.
const LESS: &str = "FRX";

/// Shows a text that is longer than the terminal is high. `None` if it is not, if there is
/// no terminal, or if there is no pager: then nothing was shown.
pub fn show(text: &str) -> Option<Result<()>> {
    if !stdout().is_terminal() {
        return None;
    }
    let (_, height) = terminal_size::terminal_size_of(stdout())?;
    if text.lines().count() < usize::from(height.0) {
        return None;
    }
    let mut pager = start(&asked())?;
    // Ctrl-C is for the pager; without this, the terminal would be left as it made it.
    let _flag = interrupt::flag();
    let written = match pager.stdin.take() {
        Some(mut input) => input.write_all(text.as_bytes()),
        None => Ok(()),
    };
    let waited = pager.wait().map(|_| ());
    match written {
        // Somebody has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Some(waited),
        Err(error) => Some(Err(error)),
        Ok(()) => Some(waited),
    }
}

fn asked() -> String {
    let named = env::var("LAYERWISE_PAGER").or_else(|_| env::var("PAGER"));
    named.unwrap_or_else(|_| USUAL.to_owned())
}

/// An empty name is none, and one that is not there is as good as none.
fn start(words: &str) -> Option<Child> {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next()?);
    command.args(words).stdin(Stdio::piped());
    if env::var_os("LESS").is_none() {
        command.env("LESS", LESS);
    }
    command.spawn().ok()
}
