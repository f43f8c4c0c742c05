//! The container config object: reading and writing it as Go does (Docker spec,
//! sections 1.2, 1.3 and 1.5).

use super::version::{Rules, marks};
use crate::go_json::{Decode, Error, ErrorKind, Ignored, List, Reader, Shape, Writer, object};
use crate::prelude::*;

/// A container config. Lists and maps keep null and empty apart, which shows in
/// what is written and never in a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]

pub struct ContainerConfig {
    pub hostname: String,
    pub domainname: String,
    pub user: String,
    pub attach_stdin: bool,
    pub attach_stdout: bool,
    pub attach_stderr: bool,
    pub exposed_ports: Option<Ports>,
    pub tty: bool,
    pub open_stdin: bool,
    pub stdin_once: bool,
    pub env: Option<List<String>>,
    pub cmd: Option<Words>,
    pub healthcheck: Option<Healthcheck>,
    pub args_escaped: bool,
    pub image: String,
    pub volumes: Option<BTreeMap<String, Ignored>>,
    pub working_dir: String,
    pub entrypoint: Option<Words>,
    pub network_disabled: bool,
    pub mac_address: MacAddress,
    pub on_build: Option<List<String>>,
    pub labels: Option<BTreeMap<String, String>>,
    pub stop_signal: String,
    pub stop_timeout: Option<i64>,
    pub shell: Option<Words>,
}

/// How a container is probed; durations are in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]

pub struct Healthcheck {
    pub test: Option<List<String>>,
    pub interval: i64,
    pub timeout: i64,
    pub start_period: i64,
    pub start_interval: i64,
    pub retries: i64,
}

/// A list of words that some versions also accept as one bare string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(List<String>);

/// Ports by their text, which some versions bring into one form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(pub BTreeMap<String, Ignored>);

/// A member that is a field in some versions and unknown, thus empty, in others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MacAddress(String);

object!(ContainerConfig {
    "Hostname" => hostname,
    "Domainname" => domainname,
    "User" => user,
    "AttachStdin" => attach_stdin,
    "AttachStdout" => attach_stdout,
    "AttachStderr" => attach_stderr,
    "ExposedPorts" => exposed_ports,
    "Tty" => tty,
    "OpenStdin" => open_stdin,
    "StdinOnce" => stdin_once,
    "Env" => env,
    "Cmd" => cmd,
    "Healthcheck" => healthcheck,
    "ArgsEscaped" => args_escaped,
    "Image" => image,
    "Volumes" => volumes,
    "WorkingDir" => working_dir,
    "Entrypoint" => entrypoint,
    "NetworkDisabled" => network_disabled,
    "MacAddress" => mac_address,
    "OnBuild" => on_build,
    "Labels" => labels,
    "StopSignal" => stop_signal,
    "StopTimeout" => stop_timeout,
    "Shell" => shell,
});

object!(Healthcheck {
    "Test" => test,
    "Interval" => interval,
    "Timeout" => timeout,
    "StartPeriod" => start_period,
    "StartInterval" => start_interval,
    "Retries" => retries,
});

impl Words {
    /// These words.
    pub fn of(words: Vec<String>) -> Self {
        Self(words.into())
    }
}

impl Decode for Words {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if reader.has_mark(marks::BARE_WORDS) {
            // Those versions read every list anew.
            self.0 = List::default();
            if reader.peek()? == Shape::String {
                self.0 = vec![reader.string()?.into_owned()].into();
                return Ok(());
            }
        }
        self.0.decode(reader)
    }
}

impl Decode for Ports {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let canonical = reader.has_mark(marks::CANONICAL_PORTS);
        reader.object(|reader, key| {
            let port = if canonical {
                let refused = reader.error(ErrorKind::Text("a port"));
                canonical_port(&key).ok_or(refused)?
            } else {
                key.into_owned()
            };
            Ignored.decode(reader)?;
            self.0.insert(port, Ignored);
            Ok(())
        })
    }
}

impl Decode for MacAddress {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if reader.has_mark(marks::MAC_ADDRESS) {
            self.0.decode(reader)
        } else {
            reader.skip()
        }
    }
}

impl ContainerConfig {
    /// A config of nothing but a command, which is one word of it.
    pub fn of_command(command: &str) -> Self {
        Self {
            cmd: Some(Words::of(vec![command.to_owned()])),
            ..Self::default()
        }
    }

    /// Writes the object, members in the order of the spec's table.
    pub fn encode(&self, w: &mut Writer, rules: &Rules) {
        // Every field is named, so that a new one cannot be forgotten.
        let Self {
            hostname,
            domainname,
            user,
            attach_stdin,
            attach_stdout,
            attach_stderr,
            exposed_ports,
            tty,
            open_stdin,
            stdin_once,
            env,
            cmd,
            healthcheck,
            args_escaped,
            image,
            volumes,
            working_dir,
            entrypoint,
            network_disabled,
            mac_address,
            on_build,
            labels,
            stop_signal,
            stop_timeout,
            shell,
        } = self;
        w.object(|w| {
            w.member("Hostname").string(hostname);
            w.member("Domainname").string(domainname);
            w.member("User").string(user);
            w.member("AttachStdin").bool(*attach_stdin);
            w.member("AttachStdout").bool(*attach_stdout);
            w.member("AttachStderr").bool(*attach_stderr);
            if let Some(Ports(ports)) = exposed_ports
                && !ports.is_empty()
            {
                set(w.member("ExposedPorts"), Some(ports));
            }
            w.member("Tty").bool(*tty);
            w.member("OpenStdin").bool(*open_stdin);
            w.member("StdinOnce").bool(*stdin_once);
            strings(w.member("Env"), env.as_deref());
            strings(w.member("Cmd"), list(cmd));
            if let Some(healthcheck) = healthcheck {
                healthcheck.encode(w.member("Healthcheck"));
            }
            if *args_escaped {
                w.member("ArgsEscaped").bool(true);
            }
            w.member("Image").string(image);
            set(w.member("Volumes"), volumes.as_ref());
            w.member("WorkingDir").string(working_dir);
            strings(w.member("Entrypoint"), list(entrypoint));
            if *network_disabled {
                w.member("NetworkDisabled").bool(true);
            }
            if !mac_address.0.is_empty() {
                w.member("MacAddress").string(&mac_address.0);
            }
            if rules.write_on_build || on_build.as_ref().is_some_and(|list| !list.is_empty()) {
                strings(w.member("OnBuild"), on_build.as_deref());
            }
            w.member("Labels");
            match labels {
                None => w.null(),
                Some(labels) => w.object(|w| {
                    for (key, value) in labels {
                        w.member(key).string(value);
                    }
                }),
            }
            if !stop_signal.is_empty() {
                w.member("StopSignal").string(stop_signal);
            }
            if let Some(seconds) = stop_timeout {
                w.member("StopTimeout").integer(*seconds);
            }
            if let Some(shell) = list(shell).filter(|words| !words.is_empty()) {
                strings(w.member("Shell"), Some(shell));
            }
        });
    }
}

impl Healthcheck {
    fn encode(&self, w: &mut Writer) {
        let Self {
            test,
            interval,
            timeout,
            start_period,
            start_interval,
            retries,
        } = self;
        w.object(|w| {
            if let Some(test) = test.as_deref().filter(|words| !words.is_empty()) {
                strings(w.member("Test"), Some(test));
            }
            for (name, value) in [
                ("Interval", interval),
                ("Timeout", timeout),
                ("StartPeriod", start_period),
                ("StartInterval", start_interval),
                ("Retries", retries),
            ] {
                if *value != 0 {
                    w.member(name).integer(*value);
                }
            }
        });
    }
}

/// The words of an optional list.
pub fn list(words: &Option<Words>) -> Option<&[String]> {
    words.as_ref().map(|words| &*words.0)
}

fn strings(w: &mut Writer, list: Option<&[String]>) {
    match list {
        None => w.null(),
        Some(list) => w.list(list, |w, text| w.string(text)),
    }
}

fn set(w: &mut Writer, members: Option<&BTreeMap<String, Ignored>>) {
    match members {
        None => w.null(),
        Some(members) => w.object(|w| {
            for key in members.keys() {
                w.member(key).object(|_| {});
            }
        }),
    }
}

/// The canonical text `<n>/<protocol>` of a port key; none for a key that is
/// not a single port. The empty key is a port of its own.
fn canonical_port(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some(String::new());
    }
    let (number, protocol) = key.split_once('/').unwrap_or((key, ""));
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: u16 = digits.then(|| number.parse().ok()).flatten()?;
    let protocol = super::text::go_lower(protocol);
    let protocol = if protocol.is_empty() {
        "tcp"
    } else {
        &protocol
    };
    Some(format!("{number}/{protocol}"))
}
