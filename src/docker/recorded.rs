//! What a builder asks for the steps that made an image, as far as its history
//! and the images of the steps tell.
//!
//! An engine stores a config that is not always the one it asked with: while it
//! makes the container of a step it fills in what the step leaves open and its
//! parent has. What cannot be left open again that way is found in the text of the
//! history entry: an emptied ENTRYPOINT, an emptied USER, the options of a
//! HEALTHCHECK. Such a step never finds what it made.

use super::config::{ContainerConfig, Healthcheck, list};
use super::history::{Entry, joined};
use super::image::ImageDocument;
use super::instruction::{Comment, comment};
use super::read::read_image;
use super::reason::{Finding, Reason};
use super::version::Rules;
use crate::error::Error;
use crate::explain::{self, Difference};
use crate::go_json::Writer;
use crate::prelude::*;
use crate::semantics::Semantics;

/// A step that made an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The container config that a builder asks with when all steps before were hits.
    pub config: String,
    /// Why that is not exactly known; `None` if it is.
    pub approximate: Option<explain::Finding>,
    /// What it asks with when the step before was executed, where that differs:
    /// the engine then has filled in the options of an earlier HEALTHCHECK.
    pub executed: Option<String>,
}

/// All steps that made an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// One for each history entry after the base.
    pub steps: Vec<Recorded>,
    /// What is to be known of the image as a whole.
    pub findings: Vec<explain::Finding>,
}

/// What a builder asks for each history entry of `document` from `first` on. `made`
/// holds, for each of them, the document of the image that the step made, while there
/// is one.
///
/// # Errors
/// `invalid` for a text that is not an image document, `unsupported` for a version.
pub fn recorded_steps(
    document: &str,
    first: u32,
    made: &[Option<String>],
    semantics: &Semantics,
) -> Result<Recording, Error> {
    let rules = Rules::of(semantics)?;
    let image = read_image(document, &rules)?;
    let history = image.history.unwrap_or_default().into_vec();
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    let mut steps = Vec::new();
    let mut findings = Vec::new();
    let mut by_buildkit = None;
    // The options that the last HEALTHCHECK of these steps names.
    let mut named: Option<Healthcheck> = None;
    for (place, entry) in history.iter().skip(first).enumerate() {
        if by_buildkit.is_none() && entry.is_by_buildkit() {
            by_buildkit = Some(entry.comment.clone());
        }
        let text = made.get(place).and_then(Option::as_deref);
        let image = text.map(|text| read_image(text, &rules)).transpose()?;
        let subject = format!("history[{}]", first.saturating_add(place));
        let read = step(entry, image, &subject, &mut named);
        let last = first.saturating_add(place).saturating_add(1) == history.len();
        if read.restored && last {
            let command = Difference::fact("config.Cmd", &entry.created_by);
            findings.push(Finding::new(Reason::RestoredCommand, &subject).with([command]));
        }
        if let Some(filled) = read.filled {
            findings.push(Finding::new(Reason::FilledIn, &subject).with([filled]));
        }
        let text = |config: &ContainerConfig| {
            let mut writer = Writer::new(rules.escapes);
            config.encode(&mut writer, &rules);
            writer.finish()
        };
        let (config, executed) = (text(&read.config), read.executed.as_ref().map(text));
        steps.push(Recorded {
            executed: executed.filter(|executed| *executed != config),
            config,
            approximate: read.approximate.map(Finding::text),
        });
    }
    let by_buildkit = by_buildkit.map(|comment| {
        Finding::new(Reason::BuiltByBuildkit, "image").with([Difference::fact("comment", comment)])
    });
    findings.extend(by_buildkit);
    let findings = findings.into_iter().map(Finding::text).collect();
    Ok(Recording { steps, findings })
}

/// A step before its config is written.
#[derive(Default)]
struct Read {
    config: ContainerConfig,
    approximate: Option<Finding>,
    executed: Option<ContainerConfig>,
    /// The image was restored.
    restored: bool,
    /// What the engine filled in when it made the image, so that the step does not
    /// find it.
    filled: Option<Difference>,
}

fn step(
    entry: &Entry,
    made: Option<ImageDocument>,
    subject: &str,
    named: &mut Option<Healthcheck>,
) -> Read {
    let not_exact = |reason| Some(Finding::new(reason, subject));
    let stored = made.and_then(|image| Stored::of(image, entry));
    let Some(Stored {
        config,
        container,
        restored,
    }) = stored
    else {
        let reason = if entry.is_by_buildkit() {
            Reason::BuiltByBuildkit
        } else if entry.created_by.is_empty() {
            Reason::Committed
        } else {
            Reason::ConfigUnknown
        };
        return Read {
            config: ContainerConfig::of_command(&entry.created_by),
            approximate: not_exact(reason),
            ..Read::default()
        };
    };
    if restored && config.image.is_empty() && comment(list(&config.cmd)).is_none() {
        // Some stores keep no more of an image that was committed.
        return Read {
            config,
            approximate: not_exact(Reason::ConfigUnknown),
            restored,
            ..Read::default()
        };
    }
    if !is_of_a_builder(&config, &container, entry) {
        return Read {
            config: as_a_builder(config),
            approximate: not_exact(Reason::Committed),
            ..Read::default()
        };
    }
    let executed = config.clone();
    let mut asked = config;
    let mut filled = None;
    match comment(list(&executed.cmd)) {
        Some(Comment::Entrypoint(words)) => {
            if let Some(words) = words {
                asked.entrypoint = Some(words);
            }
            filled = filled_in("Entrypoint", show(&executed), show(&asked));
        }
        Some(Comment::User(user)) => {
            user.clone_into(&mut asked.user);
            filled = filled_in("User", executed.user.clone(), asked.user.clone());
        }
        Some(Comment::Healthcheck(text)) => {
            *named = executed
                .healthcheck
                .as_ref()
                .and_then(|stored| stored.named_in(text));
            let Some(named) = named else {
                return Read {
                    config: asked,
                    approximate: not_exact(Reason::HealthcheckUnread),
                    ..Read::default()
                };
            };
            // What was filled in is in what was stored, not in what is asked.
            asked.healthcheck = Some(named.clone());
            filled = (executed.healthcheck != asked.healthcheck)
                .then(|| Difference::fact("Healthcheck", "options of the parent"));
            return Read {
                config: asked,
                filled,
                restored,
                ..Read::default()
            };
        }
        Some(Comment::Other) | None => {}
    }
    if let Some(named) = named {
        asked.healthcheck = Some(named.clone());
    }
    Read {
        executed: Some(ContainerConfig {
            healthcheck: executed.healthcheck,
            ..asked.clone()
        }),
        config: asked,
        approximate: None,
        restored,
        filled,
    }
}

/// The words of an entrypoint for people.
fn show(config: &ContainerConfig) -> String {
    list(&config.entrypoint).unwrap_or_default().join(" ")
}

fn filled_in(path: &str, stored: String, asked: String) -> Option<Difference> {
    (stored != asked).then(|| Difference::new(path, stored, asked))
}

/// The config of a step, from the image that it made.
struct Stored {
    config: ContainerConfig,
    /// The id of the container that was committed.
    container: String,
    /// The image was restored, so that this is what was asked.
    restored: bool,
}

impl Stored {
    /// What its container was made with, or, in an image that was restored, what the
    /// lookup asked with: whichever has the command of the entry.
    fn of(image: ImageDocument, entry: &Entry) -> Option<Self> {
        if entry.created_by.is_empty() || entry.is_by_buildkit() {
            return None;
        }
        let is_it = |config: &ContainerConfig| joined(list(&config.cmd)) == entry.created_by;
        if is_it(&image.container_config) {
            return Some(Self {
                config: image.container_config,
                container: image.container,
                restored: false,
            });
        }
        let config = *image.config?;
        is_it(&config).then_some(Self {
            config,
            container: String::new(),
            restored: true,
        })
    }
}

/// Whether a builder can have made this config. `docker commit` stores that of a
/// container that somebody ran: on an image as it was named, or, for what is not a
/// comment, with the container's own id as host name.
fn is_of_a_builder(config: &ContainerConfig, container: &str, entry: &Entry) -> bool {
    let by_id = config.image.is_empty() || config.image.parse::<crate::oci::Digest>().is_ok();
    let host = config.hostname.as_str();
    let own_host = !host.is_empty() && container.starts_with(host);
    let ran = comment(list(&config.cmd)).is_none() && own_host;
    by_id && !ran && entry.comment.is_empty()
}

/// The config with which a RUN of the same words would ask: not attached, and with
/// no entrypoint.
fn as_a_builder(config: ContainerConfig) -> ContainerConfig {
    let run = comment(list(&config.cmd)).is_none();
    ContainerConfig {
        attach_stdin: false,
        attach_stdout: false,
        attach_stderr: false,
        tty: false,
        open_stdin: false,
        stdin_once: false,
        entrypoint: config.entrypoint.filter(|_| !run),
        ..config
    }
}
