//! What the classic builder does around the cache (Docker spec, section 7): the
//! container config it asks with, instruction by instruction.
//!
//! Only what these tests write into Dockerfiles is modelled: words without
//! quotes, variables or escapes. The model is held to what the engine commits.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::context::File;

/// An instruction. Its words stand in the Dockerfile as they are.
#[derive(Clone, Debug)]
pub enum Instruction {
    Add(&'static str, &'static str),
    Arg(&'static str, &'static str),
    Cmd(&'static [&'static str]),
    Copy(&'static str, &'static str),
    Entrypoint(&'static [&'static str]),
    Env(&'static str, &'static str),
    Expose(&'static str),
    Healthcheck(&'static [&'static str]),
    Label(&'static str, &'static str),
    Maintainer(&'static str),
    OnBuild(&'static str),
    Run(&'static [&'static str]),
    RunShell(&'static str),
    Shell(&'static [&'static str]),
    StopSignal(&'static str),
    User(&'static str),
    Volume(&'static str),
    WorkDir(&'static str),
}

use Instruction as I;

impl Instruction {
    /// The line of the Dockerfile.
    pub fn line(&self) -> String {
        match self {
            I::Add(file, to) => format!("ADD {file} {to}"),
            I::Arg(name, value) => format!("ARG {name}={value}"),
            I::Cmd(words) => format!("CMD {}", json!(words)),
            I::Copy(file, to) => format!("COPY {file} {to}"),
            I::Entrypoint(words) => format!("ENTRYPOINT {}", json!(words)),
            I::Env(name, value) => format!("ENV {name}={value}"),
            I::Expose(port) => format!("EXPOSE {port}"),
            I::Healthcheck(words) => format!("HEALTHCHECK CMD {}", json!(words)),
            I::Label(key, value) => format!("LABEL {key}={value}"),
            I::Maintainer(name) => format!("MAINTAINER {name}"),
            I::OnBuild(instruction) => format!("ONBUILD {instruction}"),
            I::Run(words) => format!("RUN {}", json!(words)),
            I::RunShell(text) => format!("RUN {text}"),
            I::Shell(words) => format!("SHELL {}", json!(words)),
            I::StopSignal(signal) => format!("STOPSIGNAL {signal}"),
            I::User(user) => format!("USER {user}"),
            I::Volume(path) => format!("VOLUME {path}"),
            I::WorkDir(path) => format!("WORKDIR {path}"),
        }
    }

    /// The config that is stored for one that was asked with. The engine fills
    /// in what the container that carries the change takes from its image; here
    /// that is a name, labels, and an entry point for an empty one. `COPY`, `ADD`
    /// and `RUN` store what they asked with.
    pub fn stored(&self, mut asked: Value, stored: &Value) -> Value {
        if matches!(self, I::Add(..) | I::Copy(..) | I::Run(_) | I::RunShell(_)) {
            return asked;
        }
        asked["Hostname"] = stored["Hostname"].clone();
        if asked["Labels"].is_null() {
            asked["Labels"] = json!({});
        }
        if matches!(self, I::Entrypoint([])) {
            asked["Entrypoint"] = stored["Entrypoint"].clone();
        }
        asked
    }
}

/// The builder's state within a stage.
pub struct Stage<'a> {
    config: Map<String, Value>,
    cmd_set: bool,
    /// Declared build arguments and their values.
    arguments: BTreeMap<&'static str, String>,
    given: &'a BTreeMap<&'static str, &'static str>,
    files: &'a [File],
}

impl<'a> Stage<'a> {
    /// The state after a `FROM`, of an image's document or of `scratch`.
    pub fn new(
        base: Option<&str>,
        files: &'a [File],
        given: &'a BTreeMap<&'static str, &'static str>,
    ) -> Self {
        let mut config = empty();
        if let Some(document) = base {
            let mut document: Value = serde_json::from_str(document).unwrap();
            if let Value::Object(own) = document["config"].take() {
                config.extend(own);
            }
        }
        let mut stage = Self {
            config,
            cmd_set: false,
            arguments: BTreeMap::new(),
            given,
            files,
        };
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        if !texts(&stage.config["Env"])
            .iter()
            .any(|e| e.starts_with("PATH="))
        {
            stage.env("PATH", path);
        }
        stage
    }

    /// What the engine stores as `config` of the image of the last instruction.
    pub fn config(&self) -> Value {
        Value::Object(self.config.clone())
    }

    /// The config that an instruction standing on `parent` asks with.
    pub fn ask(&mut self, instruction: &Instruction, parent: Option<&str>) -> Value {
        self.set("Image", json!(parent.unwrap_or_default()));
        let mut entrypoint = None;
        let command = match *instruction {
            I::Add(file, to) => self.transfer("ADD", file, to),
            I::Copy(file, to) => self.transfer("COPY", file, to),
            I::Run(words) => {
                entrypoint = Some(Value::Null);
                self.run(words.iter().map(|&word| word.to_owned()).collect())
            }
            I::RunShell(text) => {
                entrypoint = Some(Value::Null);
                self.run(self.shell([text.to_owned()]))
            }
            I::WorkDir(path) => {
                let before = self.config["WorkingDir"].as_str().unwrap();
                let path = match path.strip_prefix('/') {
                    Some(_) => path.to_owned(),
                    None => format!("{}/{path}", before.trim_end_matches('/')),
                };
                self.set("WorkingDir", json!(path));
                self.shell([format!("#(nop) WORKDIR {path}")])
            }
            _ => {
                let comment = self.note(instruction);
                self.shell(["#(nop) ".to_owned(), comment])
            }
        };
        let mut asked = self.config.clone();
        asked.insert("Cmd".to_owned(), json!(command));
        asked.extend(entrypoint.map(|value| ("Entrypoint".to_owned(), value)));
        Value::Object(asked)
    }

    /// Changes the state as an instruction without a file system change does,
    /// and gives the text its command ends with.
    fn note(&mut self, instruction: &Instruction) -> String {
        match *instruction {
            I::Arg(name, default) => {
                let value = self.given.get(name).copied().unwrap_or(default);
                self.arguments.insert(name, value.to_owned());
            }
            I::Cmd(words) => {
                self.set("Cmd", json!(words));
                self.cmd_set = true;
                return format!("CMD {}", quoted(words));
            }
            I::Entrypoint(words) => {
                let none = words.is_empty();
                self.set("Entrypoint", if none { Value::Null } else { json!(words) });
                if !self.cmd_set {
                    self.set("Cmd", Value::Null);
                }
                return format!("ENTRYPOINT {}", quoted(words));
            }
            I::Env(name, value) => self.env(name, value),
            I::Expose(port) => self.member("ExposedPorts", &format!("{port}/tcp"), json!({})),
            I::Healthcheck(words) => {
                let test = [&["CMD"], words].concat();
                self.set("Healthcheck", json!({ "Test": test }));
                return format!(
                    r#"HEALTHCHECK &{{{} "0s" "0s" "0s" '\x00'}}"#,
                    quoted(&test)
                );
            }
            I::Label(key, value) => self.member("Labels", key, json!(value)),
            I::OnBuild(trigger) => {
                let mut triggers = texts(&self.config["OnBuild"]);
                triggers.push(trigger.to_owned());
                self.set("OnBuild", json!(triggers));
            }
            I::Shell(words) => {
                self.set("Shell", json!(words));
                return format!("SHELL [{}]", words.join(" "));
            }
            I::StopSignal(signal) => self.set("StopSignal", json!(signal)),
            I::User(user) => self.set("User", json!(user)),
            I::Volume(path) => {
                self.member("Volumes", path, json!({}));
                return format!("VOLUME [{path}]");
            }
            _ => {}
        }
        instruction.line()
    }

    fn transfer(&self, name: &str, file: &str, to: &str) -> Vec<String> {
        let source = self.files.iter().find(|known| known.name == file).unwrap();
        self.shell([format!("#(nop) {name} {} in {to} ", source.checksum())])
    }

    /// A command behind the build arguments that it sees.
    fn run(&self, command: Vec<String>) -> Vec<String> {
        let env = texts(&self.config["Env"]);
        let hidden = |name: &str| env.iter().any(|e| e.split('=').next() == Some(name));
        let seen: Vec<String> = self
            .arguments
            .iter()
            .filter(|(name, _)| !hidden(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if seen.is_empty() {
            return command;
        }
        [vec![format!("|{}", seen.len())], seen, command].concat()
    }

    fn shell<const N: usize>(&self, words: [String; N]) -> Vec<String> {
        let mut shell = self.config.get("Shell").map(texts).unwrap_or_default();
        if shell.is_empty() {
            shell = vec!["/bin/sh".to_owned(), "-c".to_owned()];
        }
        shell.extend(words);
        shell
    }

    fn env(&mut self, name: &str, value: &str) {
        let mut env = texts(&self.config["Env"]);
        let entry = format!("{name}={value}");
        match env.iter_mut().find(|e| e.split('=').next() == Some(name)) {
            Some(old) => *old = entry,
            None => env.push(entry),
        }
        self.set("Env", json!(env));
    }

    fn set(&mut self, field: &str, value: Value) {
        self.config.insert(field.to_owned(), value);
    }

    fn member(&mut self, field: &str, key: &str, value: Value) {
        let field = self.config.entry(field).or_insert(Value::Null);
        if field.is_null() {
            *field = json!({});
        }
        field[key] = value;
    }
}

/// The fields that are written even when nothing is in them.
fn empty() -> Map<String, Value> {
    let fields = json!({
        "Hostname": "", "Domainname": "", "User": "",
        "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
        "Tty": false, "OpenStdin": false, "StdinOnce": false,
        "Env": null, "Cmd": null, "Image": "", "Volumes": null, "WorkingDir": "",
        "Entrypoint": null, "OnBuild": null, "Labels": null,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Words as the builder's comments show them.
fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(" "))
}

fn texts(list: &Value) -> Vec<String> {
    let words = list.as_array().map(Vec::as_slice).unwrap_or_default();
    words
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}
