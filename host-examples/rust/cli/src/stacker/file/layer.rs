//! A layer of a stackerfile as the document of its definition: the JSON that Go
//! writes of what stacker's parser makes of it (stacker spec, sections 3.1 and 5).

mod imports;

use std::path::{Path, PathBuf};

use layerwise::stacker::layer_of;
use serde_json::{Map, Value, json};

use super::around::Around;
use super::bad::Bad;
use super::node::{Item, Node};
use super::values::{command, ends, flag, lines, new_bind, old_bind, texts};

/// A layer.
#[derive(Clone, Debug)]
pub struct Layer {
    pub name: String,
    /// The stackerfile it is in, and where.
    pub file: PathBuf,
    pub line: usize,
    /// A JSON object with the member names of the version.
    pub document: Value,
    /// The layers it is built on or imports from.
    pub needs: Vec<String>,
    /// The files and directories of this machine that it is made from: overlay
    /// directories, imports, and its base.
    pub sources: Vec<String>,
    /// Its result stays in the roots directory.
    pub build_only: bool,
}

/// What a directive holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    From,
    Imports,
    Overlays,
    Binds,
    /// A text or a list of texts.
    Lines,
    /// A command line or a list of texts.
    Words,
    Strings,
    Pairs,
    Text,
    Flag,
    /// A text that the running system has a value for.
    System,
    /// What stacker reads and forgets.
    Bom,
}

/// The directives, with the members they become in versions 12 and 16. Without a
/// member the version does not know the directive.
const DIRECTIVES: [(&str, &str, &str, Kind); 24] = [
    ("from", "From", "from", Kind::From),
    ("imports", "", "imports", Kind::Imports),
    ("import", "Imports", "import", Kind::Imports),
    (
        "overlay_dirs",
        "OverlayDirs",
        "overlay_dirs",
        Kind::Overlays,
    ),
    ("run", "Run", "run", Kind::Lines),
    ("cmd", "Cmd", "cmd", Kind::Words),
    ("entrypoint", "Entrypoint", "entrypoint", Kind::Words),
    ("full_command", "FullCommand", "full_command", Kind::Words),
    (
        "build_env_passthrough",
        "BuildEnvPt",
        "build_env_passthrough",
        Kind::Strings,
    ),
    ("build_env", "BuildEnv", "build_env", Kind::Pairs),
    ("environment", "Environment", "environment", Kind::Pairs),
    ("volumes", "Volumes", "volumes", Kind::Strings),
    ("labels", "Labels", "labels", Kind::Pairs),
    (
        "generate_labels",
        "GenerateLabels",
        "generate_labels",
        Kind::Lines,
    ),
    ("working_dir", "WorkingDir", "working_dir", Kind::Text),
    ("build_only", "BuildOnly", "build_only", Kind::Flag),
    ("binds", "Binds", "binds", Kind::Binds),
    ("runtime_user", "RuntimeUser", "runtime_user", Kind::Text),
    ("annotations", "", "annotations", Kind::Pairs),
    ("os", "", "os", Kind::System),
    ("arch", "", "arch", Kind::System),
    ("bom", "", "bom", Kind::Bom),
    ("was_legacy_import", "", "was_legacy_import", Kind::Flag),
    ("was_bom", "", "was_bom", Kind::Flag),
];

impl Layer {
    /// Reads a layer; relative paths are below `directory`.
    pub fn read(
        name: &str,
        item: &Item,
        file: &Path,
        directory: &str,
        around: &Around,
    ) -> Result<Self, Bad> {
        let mut reader = Reader {
            directory,
            new: around.version >= 16,
            document: Map::new(),
            needs: Vec::new(),
            sources: Vec::new(),
        };
        for (key, value) in item.pairs(&format!("the layer {name:?}"))? {
            let directive = key.text("a directive")?;
            let known = DIRECTIVES.iter().find(|known| known.0 == directive);
            let member = known.map_or("", |known| if reader.new { known.2 } else { known.1 });
            let Some(known) = known.filter(|_| !member.is_empty()) else {
                let version = around.version;
                let why = format!("unknown directive {directive:?} (cache version {version})");
                return Err(Bad::new(key.line, why));
            };
            reader.directive(directive, member, known.3, value)?;
        }
        reader.finish(item.line, around)?;
        let build_only = if reader.new {
            "build_only"
        } else {
            "BuildOnly"
        };
        Ok(Self {
            name: name.to_owned(),
            file: file.to_owned(),
            line: item.line,
            build_only: reader.document.get(build_only) == Some(&Value::Bool(true)),
            document: Value::Object(reader.document),
            needs: reader.needs,
            sources: reader.sources,
        })
    }
}

struct Reader<'a> {
    directory: &'a str,
    /// Version 16.
    new: bool,
    document: Map<String, Value>,
    needs: Vec<String>,
    sources: Vec<String>,
}

impl Reader<'_> {
    fn directive(
        &mut self,
        directive: &str,
        member: &str,
        kind: Kind,
        item: &Item,
    ) -> Result<(), Bad> {
        let empty = matches!(*item.node, Node::Null);
        match kind {
            Kind::From => self.from(item)?,
            Kind::System if empty => return Err(item.bad(directive, "a text")),
            _ if empty => {}
            Kind::Imports => self.imports(member, item)?,
            Kind::Overlays => self.overlays(member, item)?,
            Kind::Binds => self.binds(member, item)?,
            Kind::Lines => self.set(member, json!(lines(directive, item)?)),
            Kind::Words => self.set(member, json!(command(directive, item)?)),
            Kind::Strings => self.set(member, json!(item.strings(directive)?)),
            Kind::Pairs => self.set(member, Value::Object(texts(directive, item)?)),
            Kind::Text | Kind::System => self.set(member, json!(item.written(directive)?)),
            Kind::Flag => self.set(member, json!(flag(directive, item)?)),
            Kind::Bom => {
                item.pairs(directive)?;
                self.set("was_bom", json!(true));
            }
        }
        Ok(())
    }

    fn set(&mut self, member: &str, value: Value) {
        self.document.insert(member.to_owned(), value);
    }

    /// What holds for the layer as a whole.
    fn finish(&mut self, line: usize, around: &Around) -> Result<(), Bad> {
        if !self.new {
            return Ok(());
        }
        for (member, value) in [("os", &around.os), ("arch", &around.arch)] {
            if !self.document.contains_key(member) {
                self.set(member, json!(value));
            }
        }
        if let Some(old) = self.document.remove("import") {
            if self.document.contains_key("imports") {
                let why = "a layer cannot have both import and imports";
                return Err(Bad::new(line, why));
            }
            self.set("imports", old);
            self.set("was_legacy_import", json!(true));
        }
        Ok(())
    }

    fn from(&mut self, item: &Item) -> Result<(), Bad> {
        let mut source = Map::new();
        let (mut kind, mut tag, mut url) = (String::new(), String::new(), String::new());
        for (key, value) in item.pairs("from")? {
            let directive = key.text("a member of from")?;
            let (member, value) = match directive {
                "type" => {
                    kind = value.written(directive)?;
                    ("Type", json!(kind))
                }
                "url" => {
                    url = value.written(directive)?;
                    ("Url", json!(url))
                }
                "tag" => {
                    tag = value.written(directive)?;
                    ("Tag", json!(tag))
                }
                "insecure" => ("Insecure", json!(flag(directive, value)?)),
                _ => {
                    let why = format!("unknown member {directive:?} of from");
                    return Err(Bad::new(key.line, why));
                }
            };
            source.insert(self.member(member), value);
        }
        match kind.as_str() {
            "built" if tag.is_empty() => {
                let why = "from has type built and no tag";
                return Err(Bad::new(item.line, why));
            }
            "built" => self.needs.push(tag),
            "tar" => {
                self.needs.extend(layer_of(&url).map(str::to_owned));
                self.source(&url);
            }
            "oci" => self.source(url.split(':').next().unwrap_or_default()),
            _ => {}
        }
        let member = self.member("From");
        self.set(&member, Value::Object(source));
        Ok(())
    }

    /// A member that is capitalised in version 12.
    fn member(&self, name: &str) -> String {
        if self.new {
            name.to_ascii_lowercase()
        } else {
            name.to_owned()
        }
    }

    fn overlays(&mut self, member: &str, item: &Item) -> Result<(), Bad> {
        let Node::List(items) = &*item.node else {
            return Err(item.bad(member, "a list"));
        };
        let mut overlays = Vec::new();
        for item in items {
            let (source, dest) = ends(item, "an overlay directory")?;
            let source = self.path(&source);
            overlays.push(json!({"Source": source, "Dest": dest}));
            self.sources.push(source);
        }
        if !overlays.is_empty() {
            self.set(member, Value::Array(overlays));
        }
        Ok(())
    }

    fn binds(&mut self, member: &str, item: &Item) -> Result<(), Bad> {
        let one = std::slice::from_ref(item);
        let items = match &*item.node {
            Node::List(items) => items,
            Node::Text(_) if !self.new => one,
            _ => return Err(item.bad("binds", "a list")),
        };
        let mut binds = Vec::new();
        for item in items {
            let (source, dest) = if self.new {
                new_bind(item)?
            } else {
                old_bind(item)?
            };
            let (source, dest) = (self.path(&source), self.path(&dest));
            binds.push(json!({self.member("Source"): source, self.member("Dest"): dest}));
        }
        if !binds.is_empty() {
            self.set(member, Value::Array(binds));
        }
        Ok(())
    }

    fn path(&self, path: &str) -> String {
        absolute(self.directory, path)
    }

    /// Something on this machine, unless it is an address.
    fn source(&mut self, path: &str) {
        if !path.contains("://") {
            self.sources.push(path.to_owned());
        }
    }
}

/// A path below a directory, unless it is absolute or an address.
pub fn absolute(directory: &str, path: &str) -> String {
    if path.contains("://") && !path.starts_with("://") || path.starts_with('/') {
        return path.to_owned();
    }
    let mut names: Vec<&str> = Vec::new();
    for name in directory.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}
