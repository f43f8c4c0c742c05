//! The instructions of a Dockerfile as configs and history entries tell them:
//! `#(nop) ` and the instruction where no process runs, else the words that ran.

use super::config::{Healthcheck, Words};
use crate::prelude::*;

/// What stands before an instruction that runs no process.
pub const NO_PROCESS: &str = "#(nop) ";

/// An instruction that runs no process, as far as what it asks cannot be read from
/// the config that was stored.
pub enum Comment<'a> {
    /// `ENTRYPOINT`: its words where they are none or one empty one, which the engine
    /// does not store.
    Entrypoint(Option<Words>),
    /// `USER` and the user.
    User(&'a str),
    /// `HEALTHCHECK` and the text of its options.
    Healthcheck(&'a str),
    /// Any other.
    Other,
}

/// The instruction of a config; `None` for one that runs a process. COPY, ADD
/// and WORKDIR are one word with the mark, others are a word after it.
pub fn comment(command: Option<&[String]>) -> Option<Comment<'_>> {
    let text = match command? {
        [.., mark, text] if mark == NO_PROCESS => text,
        [.., text] => text.strip_prefix(NO_PROCESS)?,
        [] => return None,
    };
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match (name, rest) {
        ("ENTRYPOINT", "[]") => Comment::Entrypoint(Some(Words::default())),
        ("ENTRYPOINT", r#"[""]"#) => Comment::Entrypoint(Some(Words::of(vec![String::new()]))),
        ("ENTRYPOINT", _) => Comment::Entrypoint(None),
        ("USER", user) => Comment::User(user),
        ("HEALTHCHECK", text) => Comment::Healthcheck(text),
        _ => Comment::Other,
    })
}

/// What a command is about.
pub struct Parts<'a> {
    /// The instruction, `RUN` where a process runs.
    pub name: &'a str,
    /// Where from: the kind of files for COPY and ADD, the names that are set for
    /// ARG, ENV and LABEL, the words for RUN.
    pub source: String,
    /// Where to, for COPY and ADD.
    pub target: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes a command apart, as history entries tell it.
    pub fn of(command: &'a str) -> Self {
        let command = without_arguments(command);
        let Some((_, text)) = command.split_once(NO_PROCESS) else {
            return Self {
                name: "RUN",
                source: command.to_owned(),
                target: "",
            };
        };
        let text = text.trim();
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        match name {
            "COPY" | "ADD" => {
                let (from, target) = rest.rsplit_once(" in ").unwrap_or((rest, ""));
                // Without the checksum: `file:`, `dir:`, `multi:`.
                let (kind, _) = from.rsplit_once(':').unwrap_or((from, ""));
                Self {
                    name,
                    source: kind.to_owned(),
                    target,
                }
            }
            "ENV" | "LABEL" | "ARG" => {
                // A value may have blanks, which nothing marks.
                let pairs = rest.split(' ').filter_map(|pair| pair.split_once('='));
                let names: Vec<&str> = pairs.map(|(name, _)| name).collect();
                Self {
                    name,
                    source: match names.is_empty() {
                        true => rest.to_owned(),
                        false => names.join(" "),
                    },
                    target: "",
                }
            }
            _ => Self {
                name,
                source: String::new(),
                target: "",
            },
        }
    }
}

/// A command without the `|n NAME=value …` in front of it.
pub fn without_arguments(command: &str) -> &str {
    let Some((count, mut rest)) = command
        .strip_prefix('|')
        .and_then(|rest| rest.split_once(' '))
    else {
        return command;
    };
    let Ok(count) = count.parse::<u16>() else {
        return command;
    };
    for _ in 0..count {
        match rest.split_once(' ') {
            Some((argument, after)) if argument.contains('=') => rest = after,
            _ => return command,
        }
    }
    rest
}

/// What it means that `have` is there where `want` is asked for, if that is plain.
pub fn difference(have: &str, want: &str) -> Option<&'static str> {
    if have != want && without_arguments(have) == without_arguments(want) {
        return Some("only the build arguments differ");
    }
    let (a, b) = (Parts::of(have), Parts::of(want));
    let copies = matches!(a.name, "COPY" | "ADD") && have != want;
    let same = (a.name, &a.source, a.target) == (b.name, &b.source, b.target);
    (copies && same).then_some("the files that it copies differ: in content, name, mode or owner")
}

impl Healthcheck {
    /// The options that the text of a HEALTHCHECK names; what it leaves out is zero.
    /// None when the text is not that of this check. An option that is named has the
    /// value that was stored, so only whether it is zero needs to be read.
    pub fn named_in(&self, text: &str) -> Option<Self> {
        let zeros = self.zeros(text).or_else(|| quoted_zeros(text))?;
        let [interval, timeout, start_period, start_interval, retries] = zeros;
        let value = |zero: bool, value: i64| if zero { 0 } else { value };
        Some(Self {
            test: self.test.clone(),
            interval: value(interval, self.interval),
            timeout: value(timeout, self.timeout),
            start_period: value(start_period, self.start_period),
            start_interval: value(start_interval, self.start_interval),
            retries: value(retries, self.retries),
        })
    }

    /// Which options are zero in the form `&{Test:[CMD a] Interval:5s … Retries:0}`.
    /// The words of the test are known, so that nothing in them can pass for options.
    fn zeros(&self, text: &str) -> Option<[bool; 5]> {
        let test = self.words().join(" ");
        let rest = text.strip_prefix("&{Test:[")?.strip_prefix(&*test)?;
        let rest = rest.strip_prefix(']')?.strip_suffix('}')?;
        let mut zeros = [true; 5];
        for option in rest.split_ascii_whitespace() {
            let (name, value) = option.split_once(':')?;
            let mut known = self.options().into_iter();
            let place = known.position(|(known, _)| known == name)?;
            *zeros.get_mut(place)? = matches!(value, "0s" | "0");
        }
        Some(zeros)
    }
}

/// Which options are zero in the form of earlier engines,
/// `&{["CMD" "a"] "5s" "0s" "0s" '\x00'}`: durations, of which those before 25.0 know
/// three, and the retries as a character.
fn quoted_zeros(text: &str) -> Option<[bool; 5]> {
    let rest = text.strip_prefix("&{[")?.strip_suffix('}')?;
    let (_, options) = rest.rsplit_once("] \"")?;
    let (durations, retries) = options.split_once("\" '")?;
    let zero: Vec<bool> = durations.split("\" \"").map(|text| text == "0s").collect();
    let retries = retries == r"\x00'";
    match zero.as_slice() {
        [a, b, c] => Some([*a, *b, *c, true, retries]),
        [a, b, c, d] => Some([*a, *b, *c, *d, retries]),
        _ => None,
    }
}
