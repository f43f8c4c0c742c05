//! The instructions of a Dockerfile, typed: what each accepts (Dockerfile spec,
//! section 2.4).

use super::flags::{Flags, Kind};
use super::go_text::{parse_duration, quote};
use super::heredoc;
use super::limits::SessionLimits;
use super::mount;
use super::node::Node;
use super::refusal::{Stop, unparsed};
use super::version::Rules;
use crate::docker::config::Healthcheck;
use crate::prelude::*;

/// An instruction, before its variables are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `ARG`: names, and their defaults.
    Arg(Vec<(String, Option<String>)>),
    /// `ADD`.
    Add(Copy),
    /// `COPY`.
    Copy(Copy),
    /// `CMD`.
    Cmd(CommandLine),
    /// `ENTRYPOINT`.
    Entrypoint(CommandLine),
    /// `ENV`.
    Env(Vec<(String, String)>),
    /// `EXPOSE`: words, sorted.
    Expose(Vec<String>),
    /// `FROM`.
    From(From),
    /// `HEALTHCHECK`.
    Healthcheck(Healthcheck),
    /// `LABEL`; those of `--label` have no variables.
    Label {
        labels: Vec<(String, String)>,
        verbatim: bool,
    },
    /// `MAINTAINER`.
    Maintainer(String),
    /// `ONBUILD`: the trigger's text.
    Onbuild(String),
    /// `RUN`.
    Run(Run),
    /// `SHELL`.
    Shell(Vec<String>),
    /// `STOPSIGNAL`.
    StopSignal(String),
    /// `USER`.
    User(String),
    /// `VOLUME`.
    Volume(Vec<String>),
    /// `WORKDIR`.
    Workdir(String),
}

/// `FROM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// The base as written.
    pub base: String,
    /// The name of the stage.
    pub name: Option<String>,
    /// `--platform`.
    pub platform: String,
}

/// `COPY` and `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    pub sources: Vec<String>,
    pub destination: String,
    pub from: String,
    pub chown: String,
    pub chmod: String,
    /// `--checksum`, which is expanded and not used.
    pub checksum: String,
}

/// The words of `CMD`, `ENTRYPOINT` and `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// `None` for `ENTRYPOINT` without words.
    pub words: Option<Vec<String>>,
    /// The shell runs them.
    pub shell: bool,
}

/// `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub line: CommandLine,
    /// The first of its options, all of which need BuildKit.
    pub option: Option<&'static str>,
    /// The texts of `--mount`.
    pub mounts: Vec<String>,
}

/// Reads an instruction.
///
/// # Errors
/// As the builder refuses.
pub fn parse(node: &Node, rules: &Rules, limits: &SessionLimits) -> Result<Instruction, Stop> {
    limits.words(node.words.len().max(node.pairs.len()), "words")?;
    let name = node.name.to_ascii_lowercase();
    let no_options = || Flags::read(&node.options, &[]);
    Ok(match name.as_str() {
        "arg" => Instruction::Arg(arguments(node)?),
        "add" | "copy" => {
            let add = name == "add";
            let copy = copy(node, if add { "ADD" } else { "COPY" }, rules, limits)?;
            if add {
                Instruction::Add(copy)
            } else {
                Instruction::Copy(copy)
            }
        }
        "cmd" => {
            no_options()?;
            Instruction::Cmd(command_line(node))
        }
        "entrypoint" => {
            no_options()?;
            let line = command_line(node);
            let words = line.words.filter(|words| !words.is_empty());
            Instruction::Entrypoint(CommandLine { words, ..line })
        }
        "env" => {
            no_options()?;
            Instruction::Env(pairs(node, "ENV")?)
        }
        "expose" => {
            at_least_one(node, "EXPOSE")?;
            no_options()?;
            let mut ports = node.words.clone();
            sort(&mut ports);
            Instruction::Expose(ports)
        }
        "from" => Instruction::From(from(node)?),
        "healthcheck" => Instruction::Healthcheck(healthcheck(node, rules)?),
        "label" => {
            no_options()?;
            Instruction::Label {
                labels: pairs(node, "LABEL")?,
                verbatim: false,
            }
        }
        "maintainer" => {
            let text = one(node, "MAINTAINER")?;
            no_options()?;
            Instruction::Maintainer(text)
        }
        "onbuild" => Instruction::Onbuild(trigger(node)?),
        "run" => run(node)?,
        "shell" => {
            no_options()?;
            at_least_one(node, "SHELL")?;
            if !node.json {
                return Err(unparsed(format!(
                    "SHELL requires the arguments to be in JSON form: {}",
                    node.text
                )));
            }
            Instruction::Shell(node.words.clone())
        }
        "stopsignal" => Instruction::StopSignal(one(node, "STOPSIGNAL")?),
        "user" => {
            let text = one(node, "USER")?;
            no_options()?;
            Instruction::User(text)
        }
        "volume" => {
            at_least_one(node, "VOLUME")?;
            no_options()?;
            let volumes: Vec<String> = node.words.iter().map(|v| v.trim().to_owned()).collect();
            if volumes.iter().any(String::is_empty) {
                return Err(unparsed("VOLUME specified can not be an empty string"));
            }
            Instruction::Volume(volumes)
        }
        "workdir" => {
            let text = one(node, "WORKDIR")?;
            no_options()?;
            Instruction::Workdir(text)
        }
        _ => return Err(unparsed(format!("unknown instruction: {}", node.name))),
    })
}

fn at_least_one(node: &Node, name: &str) -> Result<(), Stop> {
    if node.words.is_empty() {
        return Err(unparsed(format!("{name} requires at least one argument")));
    }
    Ok(())
}

fn one(node: &Node, name: &str) -> Result<String, Stop> {
    match node.words.as_slice() {
        [word] => Ok(word.clone()),
        _ => Err(unparsed(format!("{name} requires exactly one argument"))),
    }
}

fn arguments(node: &Node) -> Result<Vec<(String, Option<String>)>, Stop> {
    at_least_one(node, "ARG")?;
    let arguments = node.words.iter().map(|word| match word.split_once('=') {
        Some(("", _)) => Err(unparsed("ARG names can not be blank")),
        Some((name, value)) => Ok((name.to_owned(), Some(value.to_owned()))),
        None => Ok((word.clone(), None)),
    });
    arguments.collect()
}

fn pairs(node: &Node, name: &str) -> Result<Vec<(String, String)>, Stop> {
    if node.pairs.is_empty() {
        return Err(unparsed(format!("{name} requires at least one argument")));
    }
    if node.pairs.iter().any(|(key, _)| key.is_empty()) {
        return Err(unparsed(format!("{name} names can not be blank")));
    }
    Ok(node.pairs.clone())
}

/// The words of a list, or one text.
fn command_line(node: &Node) -> CommandLine {
    CommandLine {
        words: Some(node.words.clone()),
        shell: !node.json,
    }
}

fn copy(node: &Node, name: &str, rules: &Rules, limits: &SessionLimits) -> Result<Copy, Stop> {
    let Some((destination, sources)) = node
        .words
        .split_last()
        .filter(|(_, sources)| !sources.is_empty())
    else {
        return Err(unparsed(format!(
            "{name} requires at least two arguments, but only one was provided. Destination could \
             not be determined"
        )));
    };
    let known: &[(&str, Kind)] = match (name, rules.late_options) {
        ("ADD", true) => &[
            ("chown", Kind::Text),
            ("chmod", Kind::Text),
            ("link", Kind::Switch),
            ("keep-git-dir", Kind::Switch),
            ("checksum", Kind::Text),
            ("unpack", Kind::Switch),
            ("exclude", Kind::Texts),
        ],
        ("ADD", false) => &[("chown", Kind::Text), ("chmod", Kind::Text)],
        (_, true) => &[
            ("chown", Kind::Text),
            ("from", Kind::Text),
            ("chmod", Kind::Text),
            ("link", Kind::Switch),
            ("exclude", Kind::Texts),
            ("parents", Kind::Switch),
        ],
        (_, false) => &[
            ("chown", Kind::Text),
            ("from", Kind::Text),
            ("chmod", Kind::Text),
        ],
    };
    let flags = Flags::read(&node.options, known)?;
    let mut files = Vec::new();
    if rules.heredocs {
        if heredoc::is_one(destination, limits)?.is_some() {
            return Err(unparsed(format!(
                "{name} cannot accept a heredoc as a destination"
            )));
        }
        for source in sources {
            if heredoc::is_one(source, limits)?.is_none() {
                files.push(source.clone());
            }
        }
    } else {
        files = sources.to_vec();
    }
    Ok(Copy {
        sources: files,
        destination: destination.clone(),
        from: flags.get("from").to_owned(),
        chown: flags.get("chown").to_owned(),
        chmod: flags.get("chmod").to_owned(),
        checksum: flags.get("checksum").to_owned(),
    })
}

fn from(node: &Node) -> Result<From, Stop> {
    let (base, name) = match node.words.as_slice() {
        [base] => (base, None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => {
            let lower = name.to_lowercase();
            let symbols = |c: char| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')
            };
            if !lower.starts_with(|c: char| c.is_ascii_lowercase()) || !lower.chars().all(symbols) {
                return Err(unparsed(format!(
                    "invalid name for build stage: {}, name can't start with a number or contain \
                     symbols",
                    quote(name)
                )));
            }
            (base, Some(lower))
        }
        _ => return Err(unparsed("FROM requires either one or three arguments")),
    };
    let flags = Flags::read(&node.options, &[("platform", Kind::Text)])?;
    Ok(From {
        base: base.clone(),
        name,
        platform: flags.get("platform").to_owned(),
    })
}

fn trigger(node: &Node) -> Result<String, Stop> {
    at_least_one(node, "ONBUILD")?;
    Flags::read(&node.options, &[])?;
    let first = node.words.first().map(|word| word.trim().to_uppercase());
    match first.as_deref() {
        Some("ONBUILD") => {
            return Err(unparsed(
                "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
            ));
        }
        Some(name @ ("MAINTAINER" | "FROM")) => {
            return Err(unparsed(format!(
                "{name} isn't allowed as an ONBUILD trigger"
            )));
        }
        _ => {}
    }
    let space = [' ', '\t', '\n', '\u{c}', '\r'];
    let text = node.text.trim_start_matches(space);
    // The name was read from this text, so it is there.
    let name = node.name.len();
    let mut trigger = text
        .get(name..)
        .unwrap_or_default()
        .trim_start_matches(space)
        .to_owned();
    for heredoc in &node.heredocs {
        trigger.push('\n');
        trigger.push_str(&heredoc.content);
        trigger.push_str(&heredoc.name);
    }
    Ok(trigger)
}

fn run(node: &Node) -> Result<Instruction, Stop> {
    let known = [
        ("device", Kind::Texts),
        ("mount", Kind::Texts),
        ("network", Kind::Text),
        ("security", Kind::Text),
    ];
    let flags = Flags::read(&node.options, &known)?;
    for device in flags.all("device") {
        mount::device(device)?;
    }
    let mounts: Vec<String> = flags.all("mount").map(str::to_owned).collect();
    for text in &mounts {
        mount::first_look(text)?;
    }
    let network = flags.get("network");
    if flags.all("network").next().is_some() && !["default", "none", "host"].contains(&network) {
        return Err(unparsed(format!("invalid network mode {}", quote(network))));
    }
    let security = flags.get("security");
    if flags.all("security").next().is_some() && !["insecure", "sandbox"].contains(&security) {
        return Err(unparsed(format!(
            "security {} is not valid",
            quote(security)
        )));
    }
    Ok(Instruction::Run(Run {
        line: command_line(node),
        option: flags.first(),
        mounts,
    }))
}

fn healthcheck(node: &Node, rules: &Rules) -> Result<Healthcheck, Stop> {
    let Some((kind, words)) = node.words.split_first() else {
        return Err(unparsed("HEALTHCHECK requires at least one argument"));
    };
    let kind = kind.to_uppercase();
    if kind == "NONE" {
        if !words.is_empty() {
            return Err(unparsed("HEALTHCHECK NONE takes no arguments"));
        }
        return Ok(Healthcheck {
            test: Some(vec![kind].into()),
            ..Healthcheck::default()
        });
    }
    let known = [
        ("interval", Kind::Text),
        ("timeout", Kind::Text),
        ("start-period", Kind::Text),
        ("retries", Kind::Text),
        ("start-interval", Kind::Text),
    ];
    let known = if rules.start_interval {
        known.as_slice()
    } else {
        known
            .split_last()
            .map_or(known.as_slice(), |(_, rest)| rest)
    };
    let flags = Flags::read(&node.options, known)?;
    if kind != "CMD" {
        return Err(unparsed(format!(
            "Unknown type {} in HEALTHCHECK (try CMD)",
            quote(&kind)
        )));
    }
    if words.is_empty() {
        return Err(unparsed("Missing command after HEALTHCHECK CMD"));
    }
    let mut test = if node.json {
        words.to_vec()
    } else {
        vec![words.join(" ")]
    };
    test.insert(0, if node.json { "CMD" } else { "CMD-SHELL" }.to_owned());
    Ok(Healthcheck {
        test: Some(test.into()),
        interval: interval(&flags, "interval")?,
        timeout: interval(&flags, "timeout")?,
        start_period: interval(&flags, "start-period")?,
        start_interval: interval(&flags, "start-interval")?,
        retries: retries(flags.get("retries"), rules)?,
    })
}

fn interval(flags: &Flags, name: &str) -> Result<i64, Stop> {
    let text = flags.get(name);
    if text.is_empty() {
        return Ok(0);
    }
    match parse_duration(text).map_err(unparsed)? {
        0 => Ok(0),
        ..1_000_000 => Err(unparsed(format!(
            "Interval {} cannot be less than 1ms",
            quote(name)
        ))),
        nanoseconds => Ok(nanoseconds),
    }
}

fn retries(text: &str, rules: &Rules) -> Result<i64, Stop> {
    if text.is_empty() {
        return Ok(0);
    }
    let retries: i32 = text.parse().map_err(|_| {
        unparsed(format!(
            "strconv.ParseInt: parsing {}: invalid syntax",
            quote(text)
        ))
    })?;
    if i64::from(retries) < rules.fewest_retries {
        return Err(unparsed(if rules.fewest_retries == 0 {
            format!("--retries cannot be negative ({retries})")
        } else {
            format!("--retries must be at least 1 (not {retries})")
        }));
    }
    Ok(i64::from(retries))
}
