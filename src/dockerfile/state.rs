//! The state of a stage, and what each instruction makes of it and asks (Dockerfile
//! spec, sections 4 and 6).

use super::arguments::Arguments;
use super::expand::{Lexer, Variables};
use super::go_text::{duration, list, quote_all, quote_number};
use super::instruction::{CommandLine, Instruction, Run};
use super::mount;
use super::ports;
use super::reason::Reason;
use super::refusal::{Stop, bad_value, refused};
use super::signal;
use super::version::Rules;
use crate::docker::config::{ContainerConfig, Healthcheck, Words};
use crate::docker::instruction::NO_PROCESS;
use crate::go_json::Ignored;
use crate::oci::Platform;
use crate::paths;
use crate::prelude::*;

/// The `PATH` of images that have none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage while it is built.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What containers of the stage are run with.
    pub config: ContainerConfig,
    /// A CMD of this stage has words, so an ENTRYPOINT keeps it.
    pub cmd_set: bool,
    /// The arguments in scope.
    pub arguments: Arguments,
    /// The platform of the base; without architecture after `scratch`.
    pub base: Platform,
}

/// What one instruction asks.
#[derive(Clone, Debug)]
pub struct Asked {
    /// With this config.
    pub config: ContainerConfig,
    /// If it is executed, a container is made with the config, in which the engine
    /// fills in what a HEALTHCHECK leaves out.
    pub fills: bool,
}

impl State {
    /// The begin of a stage, from the config of its base.
    pub fn new(base: Option<ContainerConfig>, platform: Platform, arguments: Arguments) -> Self {
        let mut config = base.unwrap_or_default();
        config.open_stdin = false;
        config.stdin_once = false;
        let mut env = config
            .env
            .take()
            .map(|env| env.into_vec())
            .unwrap_or_default();
        if !env.iter().any(|variable| name_of(variable) == "PATH") {
            env.push(format!("PATH={DEFAULT_PATH}"));
        }
        config.env = Some(env.into());
        Self {
            config,
            cmd_set: false,
            arguments,
            base: platform,
        }
    }

    /// The ONBUILD triggers of the base, which are taken.
    pub fn take_triggers(&mut self) -> Vec<String> {
        match &self.config.on_build {
            Some(triggers) if !triggers.is_empty() => {
                let triggers = self.config.on_build.take();
                triggers
                    .map(|triggers| triggers.into_vec())
                    .unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// What the words of an instruction can use: ENV, then ARG.
    pub fn variables(&self) -> Variables {
        let mut variables = self.arguments.in_stage();
        for variable in self.config.env.as_deref().unwrap_or_default() {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            variables.insert(name.to_owned(), value.to_owned());
        }
        variables
    }

    /// Executes an instruction other than ADD, COPY and FROM on the state.
    ///
    /// # Errors
    /// As the builder refuses.
    pub fn apply(
        &mut self,
        instruction: &Instruction,
        lexer: &Lexer<'_>,
        rules: &Rules,
    ) -> Result<Asked, Stop> {
        let variables = self.variables();
        let expand = |word: &str| lexer.word(word, &variables);
        let comment = match instruction {
            Instruction::Arg(arguments) => {
                let mut told = Vec::new();
                for (name, value) in arguments {
                    let name = expand(name)?;
                    let value = value.as_deref().map(expand).transpose()?;
                    told.push(match &value {
                        Some(value) => format!("{name}={value}"),
                        None => name.clone(),
                    });
                    self.arguments.add(&name, value.as_deref());
                }
                format!("ARG {}", told.join(" "))
            }
            Instruction::Cmd(line) => {
                let words = self.words(line).unwrap_or_default();
                self.config.cmd = Some(Words::of(words.clone()));
                self.config.args_escaped = false;
                self.cmd_set |= line.words.as_ref().is_some_and(|words| !words.is_empty());
                format!("CMD {}", quote_all(&words))
            }
            Instruction::Entrypoint(line) => {
                let words = self.words(line);
                let told = quote_all(words.as_deref().unwrap_or_default());
                self.config.entrypoint = words.map(Words::of);
                self.config.args_escaped = false;
                if !self.cmd_set {
                    self.config.cmd = None;
                }
                format!("ENTRYPOINT {told}")
            }
            Instruction::Env(pairs) => {
                let mut told = String::from("ENV");
                for (name, value) in pairs {
                    let (name, value) = (expand(name)?, expand(value)?);
                    let variable = format!("{name}={value}");
                    told.push(' ');
                    told.push_str(&variable);
                    self.set_variable(&name, variable);
                }
                told
            }
            Instruction::Expose(words) => self.expose(words, lexer, &variables)?,
            Instruction::Healthcheck(check) => {
                self.config.healthcheck = Some(check.clone());
                format!("HEALTHCHECK {}", told_check(check, rules))
            }
            Instruction::Label { labels, verbatim } => {
                let mut told = String::from("LABEL");
                let known = self.config.labels.get_or_insert_default();
                for (name, value) in labels {
                    let (name, value) = if *verbatim {
                        (name.clone(), value.clone())
                    } else {
                        (expand(name)?, expand(value)?)
                    };
                    told.push_str(&format!(" {name}={value}"));
                    known.insert(name, value);
                }
                told
            }
            Instruction::Maintainer(name) => format!("MAINTAINER {name}"),
            Instruction::Onbuild(trigger) => {
                let mut triggers = self.config.on_build.take().unwrap_or_default().into_vec();
                triggers.push(trigger.clone());
                self.config.on_build = Some(triggers.into());
                format!("ONBUILD {trigger}")
            }
            Instruction::Run(run) => return self.run(run, lexer, &variables),
            Instruction::Shell(words) => {
                self.config.shell = Some(Words::of(words.clone()));
                format!("SHELL {}", list(words))
            }
            Instruction::StopSignal(signal) => {
                let signal = expand(signal)?;
                if !signal::is_known(&signal) {
                    return Err(bad_value(format!("invalid signal: {signal}")));
                }
                self.config.stop_signal.clone_from(&signal);
                format!("STOPSIGNAL {signal}")
            }
            Instruction::User(user) => {
                self.config.user = expand(user)?;
                format!("USER {}", self.config.user)
            }
            Instruction::Volume(volumes) => {
                let volumes = volumes.iter().map(|volume| expand(volume));
                let volumes: Vec<String> = volumes.collect::<Result<_, Stop>>()?;
                let known = self.config.volumes.get_or_insert_default();
                for volume in &volumes {
                    if volume.is_empty() {
                        return Err(bad_value("VOLUME specified can not be an empty string"));
                    }
                    known.insert(volume.clone(), Ignored);
                }
                format!("VOLUME {}", list(&volumes))
            }
            Instruction::Workdir(path) => {
                let path = expand(path)?;
                self.config.working_dir = self.working_dir(&path, rules)?;
                let comment = format!("WORKDIR {}", self.config.working_dir);
                return Ok(self.one_word(&comment, true));
            }
            Instruction::Add(_) | Instruction::Copy(_) | Instruction::From(_) => {
                return Err(refused(
                    Reason::Parse,
                    "the instruction is not a command type",
                ));
            }
        };
        let mut words = self.shell();
        words.extend([NO_PROCESS.to_owned(), comment]);
        Ok(self.asked(words, true))
    }

    /// What an instruction asks whose comment is one word with its mark: WORKDIR, COPY
    /// and ADD.
    pub fn one_word(&self, comment: &str, fills: bool) -> Asked {
        let mut words = self.shell();
        words.push(format!("{NO_PROCESS}{comment}"));
        self.asked(words, fills)
    }

    /// Fills in what the HEALTHCHECK leaves out from that of the parent image, as the
    /// engine does when it makes a container.
    pub fn fill_in(&mut self, parent: Option<&Healthcheck>) {
        let (Some(check), Some(parent)) = (&mut self.config.healthcheck, parent) else {
            return;
        };
        if check.words().is_empty() {
            check.test.clone_from(&parent.test);
        }
        for (mine, parents) in [
            (&mut check.interval, parent.interval),
            (&mut check.timeout, parent.timeout),
            (&mut check.start_period, parent.start_period),
            (&mut check.start_interval, parent.start_interval),
            (&mut check.retries, parent.retries),
        ] {
            if *mine == 0 {
                *mine = parents;
            }
        }
    }

    fn asked(&self, words: Vec<String>, fills: bool) -> Asked {
        Asked {
            config: ContainerConfig {
                cmd: Some(Words::of(words)),
                ..self.config.clone()
            },
            fills,
        }
    }

    fn shell(&self) -> Vec<String> {
        match crate::docker::config::list(&self.config.shell) {
            Some(shell) if !shell.is_empty() => shell.to_vec(),
            _ => vec!["/bin/sh".to_owned(), "-c".to_owned()],
        }
    }

    /// The words of a command line, behind those of the shell if it runs them.
    fn words(&self, line: &CommandLine) -> Option<Vec<String>> {
        let words = line.words.clone()?;
        if !line.shell {
            return Some(words);
        }
        let mut all = self.shell();
        all.extend(if words.is_empty() {
            None
        } else {
            Some(words.join(" "))
        });
        Some(all)
    }

    fn run(&self, run: &Run, lexer: &Lexer<'_>, variables: &Variables) -> Result<Asked, Stop> {
        for text in &run.mounts {
            mount::second_look(text, lexer, variables)?;
        }
        if let Some(option) = run.option {
            return Err(refused(
                Reason::NeedsBuildkit,
                format!("the --{option} option requires BuildKit"),
            ));
        }
        let mut words = self.words(&run.line).unwrap_or_default();
        let env = self.config.env.as_deref().unwrap_or_default();
        let set = |name: &str| env.iter().any(|variable| name_of(variable) == name);
        let arguments = self.arguments.in_stage();
        let arguments: Vec<_> = arguments.iter().filter(|(name, _)| !set(name)).collect();
        if !arguments.is_empty() {
            let told = arguments
                .iter()
                .filter(|(name, _)| self.arguments.is_told(name));
            let mut told: Vec<String> = told
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            sort(&mut told);
            told.insert(0, format!("|{}", told.len()));
            told.extend(words);
            words = told;
        }
        let runs = !words.is_empty();
        let mut asked = self.asked(words, false);
        asked.config.args_escaped = false;
        if runs {
            asked.config.entrypoint = None;
        }
        Ok(asked)
    }

    fn set_variable(&mut self, name: &str, variable: String) {
        let mut env = self.config.env.take().unwrap_or_default().into_vec();
        match env.iter_mut().find(|known| name_of(known) == name) {
            Some(known) => *known = variable,
            None => env.push(variable),
        }
        self.config.env = Some(env.into());
    }

    fn expose(
        &mut self,
        words: &[String],
        lexer: &Lexer<'_>,
        variables: &Variables,
    ) -> Result<String, Stop> {
        let mut expanded = Vec::new();
        for word in words {
            expanded.extend(lexer.words(word, variables)?);
        }
        let mut exposed = Vec::new();
        for word in &expanded {
            exposed.extend(ports::expose(word)?);
        }
        let known = self.config.exposed_ports.get_or_insert_default();
        known
            .0
            .extend(exposed.into_iter().map(|port| (port, Ignored)));
        Ok(format!("EXPOSE {}", expanded.join(" ")))
    }

    fn working_dir(&self, path: &str, rules: &Rules) -> Result<String, Stop> {
        if path.is_empty() {
            return Err(bad_value("cannot normalize nothing"));
        }
        Ok(if !path.starts_with('/') {
            paths::join(&["/", &self.config.working_dir, path])
        } else if rules.clean_workdir {
            paths::clean(path)
        } else {
            path.to_owned()
        })
    }
}

fn name_of(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(name, _)| name)
}

/// A check as the comment of its step tells it.
fn told_check(check: &Healthcheck, rules: &Rules) -> String {
    let Healthcheck {
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
        ..
    } = check;
    let words = check.words();
    let mut durations = vec![
        ("Interval", *interval),
        ("Timeout", *timeout),
        ("StartPeriod", *start_period),
    ];
    if rules.start_interval {
        durations.push(("StartInterval", *start_interval));
    }
    let durations = durations.iter();
    if rules.named_health {
        let named = durations.map(|(name, value)| format!(" {name}:{}", duration(*value)));
        let named: String = named.collect();
        format!("&{{Test:{}{named} Retries:{retries}}}", list(words))
    } else {
        let quoted = durations.map(|(_, value)| format!(" \"{}\"", duration(*value)));
        let quoted: String = quoted.collect();
        format!(
            "&{{{}{quoted} {}}}",
            quote_all(words),
            quote_number(*retries)
        )
    }
}
