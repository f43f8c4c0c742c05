//! The container config object: reading and writing it as Go does (Docker spec,
//! sections 1.2, 1.3 and 1.5).

use super::version::{Rules, marks};
use crate::go_json::{Decode, Error, ErrorKind, Ignored, List, Reader, Shape, Writer, object};
use crate::prelude::*;

/// A field of a container config: everything that is decided about it.
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// How it takes part in equality.
    pub equality: Equality,
    /// When it is written.
    written: Written,
    /// Its value in a config.
    pub value: fn(&ContainerConfig) -> Value<'_>,
}

/// How a field takes part in config equality (Docker spec, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equality {
    /// Not at all.
    Ignored,
    /// In every version.
    Compared,
    /// Since CVE-2024-24557 was fixed.
    SinceFix,
    /// Since the fix. Before it, a config where it is set equals no other.
    RefusedBeforeFix,
    /// As labels are: a missing one may count as empty.
    Labels,
}

/// When a field is written.
#[derive(Clone, Copy, Debug)]
enum Written {
    /// Always.
    Always,
    /// Unless it is empty.
    Filled,
    /// By some versions always, by others unless it is empty.
    ByVersion,
}

/// The value of a field. Lists and maps keep null and empty apart, which shows in
/// what is written and never in a comparison.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Text(&'a str),
    Flag(bool),
    Number(Option<i64>),
    Words(Option<&'a [String]>),
    Set(Option<&'a BTreeMap<String, Ignored>>),
    Labels(Option<&'a BTreeMap<String, String>>),
    Health(Option<&'a Healthcheck>),
}

/// Declares the container config by its table of fields (Docker spec, sections 1.2
/// and 5.1), in the order in which they are written and compared. Reading, writing,
/// comparing and digesting go by this table alone, so a field cannot be added without
/// deciding all of them.
macro_rules! container_config {
    ($( $field:ident: $type:ty = $name:literal, $equality:ident, $written:ident; )+) => {
        /// A container config.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct ContainerConfig {
            $( pub $field: $type, )+
        }

        object!(ContainerConfig { $( $name => $field, )+ });

        /// Every field.
        pub const FIELDS: &[Field] = &[ $( Field {
            name: $name,
            equality: Equality::$equality,
            written: Written::$written,
            value: |config| Value::from(&config.$field),
        }, )+ ];
    };
}

container_config! {
    hostname: String = "Hostname", Ignored, Always;
    domainname: String = "Domainname", Ignored, Always;
    user: String = "User", Compared, Always;
    attach_stdin: bool = "AttachStdin", SinceFix, Always;
    attach_stdout: bool = "AttachStdout", Compared, Always;
    attach_stderr: bool = "AttachStderr", Compared, Always;
    exposed_ports: Option<Ports> = "ExposedPorts", Compared, Filled;
    tty: bool = "Tty", Compared, Always;
    open_stdin: bool = "OpenStdin", RefusedBeforeFix, Always;
    stdin_once: bool = "StdinOnce", SinceFix, Always;
    env: Option<List<String>> = "Env", Compared, Always;
    cmd: Option<Words> = "Cmd", Compared, Always;
    healthcheck: Option<Healthcheck> = "Healthcheck", SinceFix, Filled;
    args_escaped: bool = "ArgsEscaped", SinceFix, Filled;
    image: String = "Image", Ignored, Always;
    volumes: Option<BTreeMap<String, Ignored>> = "Volumes", Compared, Always;
    working_dir: String = "WorkingDir", SinceFix, Always;
    entrypoint: Option<Words> = "Entrypoint", Compared, Always;
    network_disabled: bool = "NetworkDisabled", SinceFix, Filled;
    mac_address: MacAddress = "MacAddress", Ignored, Filled;
    on_build: Option<List<String>> = "OnBuild", SinceFix, ByVersion;
    labels: Option<BTreeMap<String, String>> = "Labels", Labels, Always;
    stop_signal: String = "StopSignal", SinceFix, Filled;
    stop_timeout: Option<i64> = "StopTimeout", SinceFix, Filled;
    shell: Option<Words> = "Shell", SinceFix, Filled;
}

/// The members of the config of an OCI image, and what Docker adds to them, in the order
/// in which they are written (Docker spec, section 14.4).
const OCI: &[&str] = &[
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "ArgsEscaped",
    "Healthcheck",
    "OnBuild",
    "Shell",
];

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

    /// Writes the object, members in the order of the table.
    pub fn encode(&self, w: &mut Writer, rules: &Rules) {
        w.object(|w| {
            for field in FIELDS {
                let value = (field.value)(self);
                let written = match field.written {
                    Written::Always => true,
                    Written::Filled => !value.is_empty(),
                    Written::ByVersion => rules.write_on_build || !value.is_empty(),
                };
                if written {
                    value.encode(w.member(field.name));
                }
            }
        });
    }

    /// Writes the members that the config of an OCI image has in the containerd image
    /// store, unless they are empty.
    pub fn encode_oci(&self, w: &mut Writer) {
        w.object(|w| {
            for name in OCI {
                let field = FIELDS.iter().find(|field| field.name == *name);
                let value = field.map(|field| (field.value)(self));
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    value.encode(w.member(name));
                }
            }
        });
    }
}

impl Healthcheck {
    /// Its options, by the names and in the order in which they are written.
    pub fn options(&self) -> [(&'static str, i64); 5] {
        let Self {
            test: _,
            interval,
            timeout,
            start_period,
            start_interval,
            retries,
        } = self;
        [
            ("Interval", *interval),
            ("Timeout", *timeout),
            ("StartPeriod", *start_period),
            ("StartInterval", *start_interval),
            ("Retries", *retries),
        ]
    }

    /// The words of its test.
    pub fn words(&self) -> &[String] {
        self.test.as_deref().unwrap_or_default()
    }
}

impl Value<'_> {
    /// Whether it is what a config without the field has.
    pub fn is_empty(self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Flag(flag) => !flag,
            Self::Number(number) => number.is_none(),
            Self::Words(words) => words.is_none_or(<[String]>::is_empty),
            Self::Set(set) => set.is_none_or(BTreeMap::is_empty),
            Self::Labels(labels) => labels.is_none_or(BTreeMap::is_empty),
            Self::Health(check) => check.is_none(),
        }
    }

    fn encode(self, w: &mut Writer) {
        match self {
            Self::Text(text) => w.string(text),
            Self::Flag(flag) => w.bool(flag),
            Self::Number(Some(number)) => w.integer(number),
            Self::Words(Some(words)) => w.list(words, |w, text| w.string(text)),
            Self::Set(Some(set)) => w.object(|w| {
                for key in set.keys() {
                    w.member(key).object(|_| {});
                }
            }),
            Self::Labels(Some(labels)) => w.object(|w| {
                for (key, value) in labels {
                    w.member(key).string(value);
                }
            }),
            Self::Health(Some(check)) => w.object(|w| {
                let test = Self::Words(Some(check.words()));
                if !test.is_empty() {
                    test.encode(w.member("Test"));
                }
                for (name, value) in check.options() {
                    if value != 0 {
                        w.member(name).integer(value);
                    }
                }
            }),
            Self::Number(None)
            | Self::Words(None)
            | Self::Set(None)
            | Self::Labels(None)
            | Self::Health(None) => w.null(),
        }
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<&bool> for Value<'_> {
    fn from(flag: &bool) -> Self {
        Self::Flag(*flag)
    }
}

impl From<&Option<i64>> for Value<'_> {
    fn from(number: &Option<i64>) -> Self {
        Self::Number(*number)
    }
}

impl<'a> From<&'a Option<List<String>>> for Value<'a> {
    fn from(words: &'a Option<List<String>>) -> Self {
        Self::Words(words.as_deref())
    }
}

impl<'a> From<&'a Option<Words>> for Value<'a> {
    fn from(words: &'a Option<Words>) -> Self {
        Self::Words(list(words))
    }
}

impl<'a> From<&'a Option<BTreeMap<String, Ignored>>> for Value<'a> {
    fn from(set: &'a Option<BTreeMap<String, Ignored>>) -> Self {
        Self::Set(set.as_ref())
    }
}

impl<'a> From<&'a Option<Ports>> for Value<'a> {
    fn from(ports: &'a Option<Ports>) -> Self {
        Self::Set(ports.as_ref().map(|ports| &ports.0))
    }
}

impl<'a> From<&'a Option<BTreeMap<String, String>>> for Value<'a> {
    fn from(labels: &'a Option<BTreeMap<String, String>>) -> Self {
        Self::Labels(labels.as_ref())
    }
}

impl<'a> From<&'a Option<Healthcheck>> for Value<'a> {
    fn from(check: &'a Option<Healthcheck>) -> Self {
        Self::Health(check.as_ref())
    }
}

impl<'a> From<&'a MacAddress> for Value<'a> {
    fn from(address: &'a MacAddress) -> Self {
        Self::Text(&address.0)
    }
}

/// The words of an optional list.
pub fn list(words: &Option<Words>) -> Option<&[String]> {
    words.as_ref().map(|words| &*words.0)
}

/// The canonical text `<n>/<protocol>` of a port key; `None` for a key that is
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
