//! Image config documents: the tables of the Docker spec, section 1, and what
//! the members of a document mean by them.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{self, Json, quote};
use super::platform::lower;
use super::time::{self, Time};

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A string.
    Text,
    /// A truth value.
    Bool,
    /// An int64.
    Integer,
    /// An int64 or nothing.
    OptionalInteger,
    /// A time stamp or nothing.
    Time,
    /// A list of strings or nothing.
    List,
    /// An object whose keys count, or nothing.
    Set,
    /// An object whose keys are ports, or nothing.
    Ports,
    /// An object of strings or nothing.
    Map,
    /// A nested object.
    Record(&'static [Field]),
    /// A nested object or nothing.
    OptionalRecord(&'static [Field]),
    /// A list of objects or nothing.
    Records(&'static [Field]),
}

/// One line of a table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    kind: Kind,
    /// Written even when zero or empty.
    always: bool,
}

const fn always(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        always: true,
    }
}

const fn omitted(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        always: false,
    }
}

/// Docker spec, section 1.1.
pub const IMAGE: &[Field] = &[
    omitted("id", Kind::Text),
    omitted("comment", Kind::Text),
    always("created", Kind::Time),
    omitted("container", Kind::Text),
    always("container_config", Kind::Record(CONFIG)),
    omitted("docker_version", Kind::Text),
    omitted("author", Kind::Text),
    omitted("config", Kind::OptionalRecord(CONFIG)),
    omitted("architecture", Kind::Text),
    omitted("variant", Kind::Text),
    omitted("os", Kind::Text),
    omitted("Size", Kind::Integer),
    omitted("parent", Kind::Text),
    omitted("rootfs", Kind::OptionalRecord(ROOTFS)),
    omitted("history", Kind::Records(HISTORY)),
    omitted("os.version", Kind::Text),
    omitted("os.features", Kind::List),
];

const ROOTFS: &[Field] = &[always("type", Kind::Text), omitted("diff_ids", Kind::List)];

const HISTORY: &[Field] = &[
    omitted("created", Kind::Time),
    omitted("created_by", Kind::Text),
    omitted("author", Kind::Text),
    omitted("comment", Kind::Text),
    omitted("empty_layer", Kind::Bool),
];

/// Docker spec, section 1.2.
pub const CONFIG: &[Field] = &[
    always("Hostname", Kind::Text),
    always("Domainname", Kind::Text),
    always("User", Kind::Text),
    always("AttachStdin", Kind::Bool),
    always("AttachStdout", Kind::Bool),
    always("AttachStderr", Kind::Bool),
    omitted("ExposedPorts", Kind::Ports),
    always("Tty", Kind::Bool),
    always("OpenStdin", Kind::Bool),
    always("StdinOnce", Kind::Bool),
    always("Env", Kind::List),
    always("Cmd", Kind::List),
    omitted("Healthcheck", Kind::OptionalRecord(HEALTHCHECK)),
    omitted("ArgsEscaped", Kind::Bool),
    always("Image", Kind::Text),
    always("Volumes", Kind::Set),
    always("WorkingDir", Kind::Text),
    always("Entrypoint", Kind::List),
    omitted("NetworkDisabled", Kind::Bool),
    omitted("OnBuild", Kind::List),
    always("Labels", Kind::Map),
    omitted("StopSignal", Kind::Text),
    omitted("StopTimeout", Kind::OptionalInteger),
    omitted("Shell", Kind::List),
];

const HEALTHCHECK: &[Field] = &[
    omitted("Test", Kind::List),
    omitted("Interval", Kind::Integer),
    omitted("Timeout", Kind::Integer),
    omitted("StartPeriod", Kind::Integer),
    omitted("StartInterval", Kind::Integer),
    omitted("Retries", Kind::Integer),
];

/// The value of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, which is not the same as empty.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Integer(i64),
    /// A string.
    Text(String),
    /// A time stamp.
    Time(Time),
    /// Strings in order.
    List(Vec<String>),
    /// Strings, each once; ports in their canonical text.
    Set(BTreeSet<String>),
    /// Strings by key.
    Map(BTreeMap<String, String>),
    /// A nested object.
    Record(Record),
    /// Objects in order.
    Records(Vec<Record>),
}

/// Every member of a table with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record(BTreeMap<&'static str, Value>);

impl Record {
    /// With no member set.
    pub fn zero(fields: &[Field]) -> Self {
        let zeros = fields.iter().map(|field| (field.name, zero(field.kind)));
        Self(zeros.collect())
    }

    /// A member; `Null` for one the table does not have.
    pub fn get(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or(Value::Null)
    }

    /// Sets a member.
    pub fn set(&mut self, name: &'static str, value: Value) {
        self.0.insert(name, value);
    }

    /// A text member.
    pub fn text(&self, name: &str) -> String {
        match self.get(name) {
            Value::Text(text) => text,
            _ => String::new(),
        }
    }

    /// A truth value.
    pub fn is(&self, name: &str) -> bool {
        self.get(name) == Value::Bool(true)
    }

    /// A list of strings; nothing counts as empty.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Value::List(list) => list,
            _ => Vec::new(),
        }
    }

    /// A nested object, if there is one.
    pub fn record(&self, name: &str) -> Option<Self> {
        match self.get(name) {
            Value::Record(record) => Some(record),
            _ => None,
        }
    }

    /// A list of objects; nothing counts as empty.
    pub fn records(&self, name: &str) -> Vec<Self> {
        match self.get(name) {
            Value::Records(records) => records,
            _ => Vec::new(),
        }
    }

    /// A time stamp, if there is one.
    pub fn time(&self, name: &str) -> Option<Time> {
        match self.get(name) {
            Value::Time(time) => Some(time),
            _ => None,
        }
    }
}

/// An image document; `None` if it is invalid, as one without `rootfs` is.
pub fn read_image(text: &str) -> Option<Record> {
    let image = read(IMAGE, text)?;
    image.record("rootfs").map(|_| image.clone())
}

/// A container config.
pub fn read_config(text: &str) -> Option<Record> {
    read(CONFIG, text)
}

fn read(fields: &'static [Field], text: &str) -> Option<Record> {
    let json = json::parse(text)?;
    match value(Value::Null, Kind::Record(fields), &json)? {
        Value::Record(record) => Some(record),
        _ => Some(Record::zero(fields)),
    }
}

fn zero(kind: Kind) -> Value {
    match kind {
        Kind::Text => Value::Text(String::new()),
        Kind::Bool => Value::Bool(false),
        Kind::Integer => Value::Integer(0),
        Kind::Record(fields) => Value::Record(Record::zero(fields)),
        _ => Value::Null,
    }
}

/// The value of a member that was `old` after one more occurrence of its key.
fn value(old: Value, kind: Kind, json: &Json) -> Option<Value> {
    if *json == Json::Null {
        let keeps = matches!(
            kind,
            Kind::Text | Kind::Bool | Kind::Integer | Kind::Record(_)
        );
        return Some(if keeps { old } else { Value::Null });
    }
    match (kind, json) {
        (Kind::Text, Json::Text(text)) => Some(Value::Text(text.clone())),
        (Kind::Bool, Json::Bool(truth)) => Some(Value::Bool(*truth)),
        (Kind::Integer | Kind::OptionalInteger, Json::Number(spelled)) => {
            spelled.parse().ok().map(Value::Integer)
        }
        (Kind::Time, Json::Text(text)) => time::parse(text).map(Value::Time),
        // Go reads the elements of a repeated list over those that are there.
        (Kind::List, Json::List(items)) => {
            let before = match old {
                Value::List(list) => list,
                _ => Vec::new(),
            };
            let item = |(index, item): (usize, &Json)| match item {
                Json::Null => Some(before.get(index).cloned().unwrap_or_default()),
                item => text_or_null(item),
            };
            let items: Option<Vec<String>> = items.iter().enumerate().map(item).collect();
            items.map(Value::List)
        }
        (Kind::Set, Json::Object(members)) => set(old, members, |key| Some(key.to_owned())),
        (Kind::Ports, Json::Object(members)) => set(old, members, port),
        (Kind::Map, Json::Object(members)) => {
            let mut map = match old {
                Value::Map(map) => map,
                _ => BTreeMap::new(),
            };
            for (key, member) in members {
                map.insert(key.clone(), text_or_null(member)?);
            }
            Some(Value::Map(map))
        }
        (Kind::Record(fields) | Kind::OptionalRecord(fields), Json::Object(members)) => {
            let start = match old {
                Value::Record(record) => record,
                _ => Record::zero(fields),
            };
            merge(start, fields, members).map(Value::Record)
        }
        (Kind::Records(fields), Json::List(items)) => {
            let before = match old {
                Value::Records(records) => records,
                _ => Vec::new(),
            };
            let item = |(index, item): (usize, &Json)| {
                let start = before.get(index).cloned();
                let start = start.unwrap_or_else(|| Record::zero(fields));
                match item {
                    Json::Null => Some(start),
                    Json::Object(members) => merge(start, fields, members),
                    _ => None,
                }
            };
            let items: Option<Vec<Record>> = items.iter().enumerate().map(item).collect();
            items.map(Value::Records)
        }
        _ => None,
    }
}

fn merge(
    mut record: Record,
    fields: &'static [Field],
    members: &[(String, Json)],
) -> Option<Record> {
    for (key, member) in members {
        let key = fold(key);
        if let Some(field) = fields.iter().find(|f| f.name.eq_ignore_ascii_case(&key)) {
            let old = record.get(field.name);
            record.set(field.name, value(old, field.kind, member)?);
        }
    }
    Some(record)
}

fn set(
    old: Value,
    members: &[(String, Json)],
    canonical: impl Fn(&str) -> Option<String>,
) -> Option<Value> {
    let mut set = match old {
        Value::Set(set) => set,
        _ => BTreeSet::new(),
    };
    for (key, member) in members {
        if !matches!(member, Json::Object(_) | Json::Null) {
            return None;
        }
        set.insert(canonical(key)?);
    }
    Some(Value::Set(set))
}

fn text_or_null(json: &Json) -> Option<String> {
    match json {
        Json::Null => Some(String::new()),
        Json::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// Simple case folding as far as it can lead to a letter of a key, all of which
/// are ASCII.
fn fold(key: &str) -> String {
    let fold = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).collect()
}

/// A port in its canonical text.
fn port(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let (number, protocol) = text.split_once('/').unwrap_or((text, ""));
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: u16 = digits.then(|| number.parse().ok())??;
    let protocol = if protocol.is_empty() { "tcp" } else { protocol };
    Some(format!("{number}/{}", lower(protocol)))
}

/// The text of a record as Go writes it; `None` if a time stamp has none.
pub fn write(record: &Record, fields: &[Field]) -> Option<String> {
    let mut members = Vec::new();
    for field in fields {
        let value = record.get(field.name);
        if field.always || !is_empty(field.kind, &value) {
            let text = write_value(field.kind, &value)?;
            members.push(format!("{}:{text}", quote(field.name)));
        }
    }
    Some(format!("{{{}}}", members.join(",")))
}

fn is_empty(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::OptionalInteger | Kind::OptionalRecord(_), value) => *value == Value::Null,
        (_, Value::Null | Value::Bool(false) | Value::Integer(0)) => true,
        (_, Value::Text(text)) => text.is_empty(),
        (_, Value::List(list)) => list.is_empty(),
        (_, Value::Set(set)) => set.is_empty(),
        (_, Value::Map(map)) => map.is_empty(),
        (_, Value::Records(records)) => records.is_empty(),
        _ => false,
    }
}

fn write_value(kind: Kind, value: &Value) -> Option<String> {
    Some(match (kind, value) {
        (_, Value::Null) => "null".to_owned(),
        (_, Value::Bool(truth)) => truth.to_string(),
        (_, Value::Integer(number)) => number.to_string(),
        (_, Value::Text(text)) => quote(text),
        (_, Value::Time(time)) => quote(&time.encode()?),
        (_, Value::List(list)) => {
            let items: Vec<String> = list.iter().map(|item| quote(item)).collect();
            format!("[{}]", items.join(","))
        }
        (_, Value::Set(set)) => {
            let members: Vec<String> = set
                .iter()
                .map(|key| format!("{}:{{}}", quote(key)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        (_, Value::Map(map)) => {
            let member =
                |(key, text): (&String, &String)| format!("{}:{}", quote(key), quote(text));
            let members: Vec<String> = map.iter().map(member).collect();
            format!("{{{}}}", members.join(","))
        }
        (Kind::Record(fields) | Kind::OptionalRecord(fields), Value::Record(record)) => {
            write(record, fields)?
        }
        (Kind::Records(fields), Value::Records(records)) => {
            let items: Option<Vec<String>> = records.iter().map(|r| write(r, fields)).collect();
            format!("[{}]", items?.join(","))
        }
        (_, Value::Record(_) | Value::Records(_)) => return None,
    })
}
