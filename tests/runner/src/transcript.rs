//! The form of transcripts, `tests/TRANSCRIPTS.md`.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use layerwise_host::{Recorder, Stop};

/// The version of the form.
pub const SCHEMA: &str = Recorder::SCHEMA;

/// A transcript. Instances are read one by one, for there can be many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    pub schema: String,
    pub component: String,
    pub strings: Vec<String>,
    pub instances: Vec<Instance>,
}

/// The calls of one instance.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub name: String,
    pub calls: Vec<Box<RawValue>>,
}

/// One thing a host does.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Step {
    Drop(Drop),
    Call(Call),
}

/// A host drops its handle to a resource.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    pub drop: u64,
}

/// A call of an export.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub call: String,
    pub args: Vec<Value>,
    #[serde(default, deserialize_with = "present")]
    pub result: Option<Value>,
    #[serde(default)]
    pub stopped: Option<Stop>,
    #[serde(default)]
    pub imports: Vec<Import>,
}

/// A call of an import.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    pub call: String,
    pub args: Vec<Value>,
    #[serde(default, deserialize_with = "present")]
    pub result: Option<Value>,
}

/// How many bytes of strings out of the table one call may hold, with what it asks
/// and is answered.
const CALL: usize = 64 << 20;
/// How many all calls of a transcript may hold: this much, and some times its own
/// size. One whose strings are used often needs no more; one that was made to fill
/// the memory does.
const ALL: usize = 16 << 20;
const TIMES: usize = 32;

/// The table of strings, which counts what is taken out before it is.
pub struct Table<'a> {
    strings: &'a [String],
    most: usize,
    taken: usize,
    /// What was taken when the call began.
    before: usize,
}

impl<'a> Table<'a> {
    /// The table of a transcript of so many bytes.
    pub const fn new(strings: &'a [String], bytes: usize) -> Self {
        Self {
            strings,
            most: bytes.saturating_mul(TIMES).saturating_add(ALL),
            taken: 0,
            before: 0,
        }
    }

    /// Another call begins.
    pub const fn next_call(&mut self) {
        self.before = self.taken;
    }

    fn take(&mut self, number: &Value) -> Result<String, String> {
        let index = number.as_u64().and_then(|n| usize::try_from(n).ok());
        let text = index.and_then(|index| self.strings.get(index));
        let text = text.ok_or_else(|| format!("there is no string {number}"))?;
        self.taken = self.taken.saturating_add(text.len());
        for (what, taken, most) in [
            ("one call", self.taken.saturating_sub(self.before), CALL),
            ("the transcript", self.taken, self.most),
        ] {
            if taken > most {
                return Err(format!(
                    "the strings that {what} takes from the table have more than {most} bytes"
                ));
            }
        }
        Ok(text.clone())
    }
}

/// Puts strings out of the table where they are meant.
///
/// # Errors
/// A number that the table does not have, and more than may be taken out.
pub fn whole(value: Value, strings: &mut Table<'_>) -> Result<Value, String> {
    Ok(match value {
        Value::Array(items) => {
            let items = items.into_iter().map(|item| whole(item, strings));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(members) => match (members.len(), members.get("$")) {
            (1, Some(number)) => Value::String(strings.take(number)?),
            _ => {
                let members = members.into_iter();
                let members = members.map(|(name, value)| Ok((name, whole(value, strings)?)));
                Value::Object(members.collect::<Result<_, String>>()?)
            }
        },
        plain => plain,
    })
}

/// A member that is there and null is not one that is missing.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}
