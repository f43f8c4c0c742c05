//! The image config document: reading and writing it as Go does (Docker spec,
//! sections 1.1, 1.3 and 1.5).

use super::config::ContainerConfig;
use super::history::Entry;
use super::version::{Order, Rules};
use crate::go_json::{Decode, Error, ErrorKind, List, Reader, Timestamp, Writer, object};
use crate::oci::Platform;
use crate::prelude::*;

/// An image config document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageDocument {
    pub id: String,
    pub comment: String,
    pub created: Option<Timestamp>,
    pub container: String,
    pub container_config: ContainerConfig,
    pub docker_version: String,
    pub author: String,
    pub config: Option<Box<ContainerConfig>>,
    pub architecture: String,
    pub variant: String,
    pub os: String,
    pub size: i64,
    pub parent: String,
    pub rootfs: Option<RootFs>,
    pub history: Option<List<Entry>>,
    pub os_version: String,
    pub os_features: Option<List<String>>,
}

/// The layers of an image. Digests are compared as text and not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootFs {
    /// `layers`.
    pub kind: String,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: List<String>,
}

object!(ImageDocument {
    "id" => id,
    "comment" => comment,
    "created" => created,
    "container" => container,
    "container_config" => container_config,
    "docker_version" => docker_version,
    "author" => author,
    "config" => config,
    "architecture" => architecture,
    "variant" => variant,
    "os" => os,
    "Size" => size,
    "parent" => parent,
    "rootfs" => rootfs,
    "history" => history,
    "os.version" => os_version,
    "os.features" => os_features,
});

object!(RootFs { "type" => kind, "diff_ids" => diff_ids });

impl ImageDocument {
    /// Reads a document; one without `rootfs` is invalid.
    ///
    /// # Errors
    /// When the version's engine would not have read it, or it is nested deeper
    /// than `depth`.
    pub fn read(text: &str, rules: &Rules, depth: u32) -> Result<Self, Error> {
        let image = Self::read_partial(text, rules, depth)?;
        if image.rootfs.is_none() {
            return Err(Error {
                offset: text.len(),
                kind: ErrorKind::Missing("rootfs"),
            });
        }
        Ok(image)
    }

    /// Reads a document that may lack `rootfs`.
    ///
    /// # Errors
    /// As [`ImageDocument::read`].
    pub fn read_partial(text: &str, rules: &Rules, depth: u32) -> Result<Self, Error> {
        let mut reader = Reader::new(text, depth).marked(rules.reading);
        let mut image = Self::default();
        image.decode(&mut reader)?;
        reader.end()?;
        if rules.zero_time {
            image.created.get_or_insert_default();
            for entry in image.history.as_deref_mut().unwrap_or_default() {
                entry.created.get_or_insert_default();
            }
        }
        Ok(image)
    }

    /// The version of the engine that made it, if that engine wrote no built-here
    /// marks: those before 23.0.10, 24.0.9 and 25.0.2. Later ones that no longer write
    /// their version all write marks.
    pub fn engine_without_marks(&self) -> Option<&str> {
        let version = self.docker_version.as_str();
        let plain = version.split(['+', '-', '~']).next().unwrap_or_default();
        let mut numbers = plain.split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next().and_then(Result::ok).unwrap_or_default();
        let patch = numbers.next().and_then(Result::ok).unwrap_or_default();
        let first = match major {
            ..23 => return Some(version),
            23 => (0, 10),
            24 => (0, 9),
            25 => (0, 2),
            _ => return None,
        };
        ((minor, patch) < first).then_some(version)
    }

    /// Whether it names an operating system or an architecture.
    pub const fn has_platform(&self) -> bool {
        !self.os.is_empty() || !self.architecture.is_empty()
    }

    /// The platform it says it is for.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
            os_version: self.os_version.clone(),
            os_features: self.os_features.as_deref().unwrap_or_default().to_vec(),
        }
    }

    /// The text Go writes; `None` if a time in it cannot be written.
    pub fn write(&self, rules: &Rules, order: Order) -> Option<String> {
        let Self {
            id,
            comment,
            created,
            container,
            container_config,
            docker_version,
            author,
            config,
            architecture,
            variant,
            os,
            size,
            parent,
            rootfs,
            history,
            os_version,
            os_features,
        } = self;
        let mut ids = Writer::new(rules.escapes);
        for (index, id) in rootfs
            .iter()
            .flat_map(|rootfs| &*rootfs.diff_ids)
            .enumerate()
        {
            if index > 0 {
                ids.raw(",");
            }
            ids.string(id);
        }
        let mut entries = String::new();
        for entry in history.as_deref().unwrap_or_default() {
            entry.append_to(&mut entries, rules)?;
        }
        let mut members = Members::new(rules);
        members.text("id", id);
        members.text("comment", comment);
        members.time("created", *created)?;
        members.text("container", container);
        members.put("container_config", |w| container_config.encode(w, rules));
        members.text("docker_version", docker_version);
        members.text("author", author);
        if let Some(config) = config {
            members.put("config", |w| config.encode(w, rules));
        }
        members.text("architecture", architecture);
        members.text("variant", variant);
        members.text("os", os);
        if *size != 0 {
            members.put("Size", |w| w.integer(*size));
        }
        members.text("parent", parent);
        if let Some(rootfs) = rootfs {
            members.rootfs(&rootfs.kind, ids.as_str());
        }
        if !entries.is_empty() {
            members.history(&entries);
        }
        members.text("os.version", os_version);
        members.texts("os.features", os_features.as_deref().unwrap_or_default());
        Some(members.join(order))
    }
}

/// The members of a document being written, in declared order.
pub struct Members<'r> {
    rules: &'r Rules,
    list: Vec<(&'static str, Value<'r>)>,
}

/// The JSON of a member: its parts joined. What is long is in the middle, so
/// that it is copied once, into the document.
struct Value<'r> {
    before: String,
    middle: &'r str,
    after: &'static str,
}

impl<'r> Members<'r> {
    /// No members yet.
    pub const fn new(rules: &'r Rules) -> Self {
        Self {
            rules,
            list: Vec::new(),
        }
    }

    /// Any member.
    pub fn put(&mut self, name: &'static str, write: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::new(self.rules.escapes);
        write(&mut writer);
        self.push(name, writer.finish(), "", "");
    }

    fn push(&mut self, name: &'static str, before: String, middle: &'r str, after: &'static str) {
        let value = Value {
            before,
            middle,
            after,
        };
        self.list.push((name, value));
    }

    /// A text, left out when empty.
    pub fn text(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            self.put(name, |w| w.string(text));
        }
    }

    /// A list of texts, left out when empty.
    pub fn texts(&mut self, name: &'static str, texts: &[String]) {
        if !texts.is_empty() {
            self.put(name, |w| w.list(texts, |w, text| w.string(text)));
        }
    }

    /// A time or null; `None` if it cannot be written.
    pub fn time(&mut self, name: &'static str, time: Option<Timestamp>) -> Option<()> {
        let mut writer = Writer::new(self.rules.escapes);
        match time {
            None => writer.null(),
            Some(time) => time.encode(&mut writer).then_some(())?,
        }
        self.push(name, writer.finish(), "", "");
        Some(())
    }

    /// `rootfs` from diff ids that are JSON already, joined with commas.
    pub fn rootfs(&mut self, kind: &str, diff_ids: &'r str) {
        let mut writer = Writer::new(self.rules.escapes);
        writer.raw("{");
        writer.member("type").string(kind);
        let after = if diff_ids.is_empty() {
            "}"
        } else {
            writer.member("diff_ids").raw("[");
            "]}"
        };
        self.push("rootfs", writer.finish(), diff_ids, after);
    }

    /// `history` from entries that are JSON already, joined with commas.
    pub fn history(&mut self, entries: &'r str) {
        self.push("history", "[".to_owned(), entries, "]");
    }

    /// The document.
    pub fn join(mut self, order: Order) -> String {
        if order == Order::Sorted {
            sort_by_key(&mut self.list, |(name, _)| *name);
        }
        let parts = |value: &Value<'r>| value.before.len() + value.middle.len() + value.after.len();
        let length: usize = self.list.iter().map(|(n, v)| n.len() + parts(v) + 4).sum();
        let mut text = String::with_capacity(length + 2);
        for (index, (name, value)) in self.list.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            text.push('"');
            text.push_str(name);
            text.push_str("\":");
            text.push_str(&value.before);
            text.push_str(value.middle);
            text.push_str(value.after);
        }
        text.push('}');
        text
    }
}
