//! Reading the text of a label (Buildpacks spec, sections 2.4 and 2.5).
//!
//! The guarded reading wants exact member names, each at most once, and no lone
//! surrogates (D7 to D9). The compatible one does as Go's decoder: names match
//! without regard to case, and what is repeated is decoded over what is there.
//! Limits hold in both (D10).

use core::fmt;

use super::metadata::{Buildpack, Layer, Metadata, Store};
use super::value::{Value, ValueError};
use crate::go_json::{Error, ErrorKind, Reader, Shape, field_index};
use crate::limits::{Limit, Limits};
use crate::prelude::*;

/// Which label it is: members that the other does not have are unknown there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The cache image's.
    Cache,
    /// The metadata file of a volume cache: upstream reads one value and does not
    /// look at what follows it.
    Volume,
    /// The application image's.
    App,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Exact names, each once.
    pub strict: bool,
    /// Integers stay integers instead of becoming floats.
    pub integers: bool,
    /// The limits.
    pub limits: &'a Limits<8>,
}

/// Why a label was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON, or not the JSON it should be.
    Json(Error),
    /// Something is above a limit.
    Limit(Limit, u64),
    /// A known member came twice.
    Repeated(&'static str, usize),
    /// Half of a surrogate pair, at this byte.
    Surrogate(usize),
}

impl Fault {
    /// Where in the text it is.
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::Json(error) => Some(error.offset),
            Self::Repeated(_, offset) | Self::Surrogate(offset) => Some(*offset),
            Self::Limit(..) => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Limit(limit, value) => write!(f, "above the limit {} of {value}", limit.name()),
            Self::Repeated(name, at) => write!(f, "member {name:?} is repeated at byte {at}"),
            Self::Surrogate(at) => write!(f, "half a surrogate pair at byte {at}"),
        }
    }
}

/// Reads a label.
///
/// # Errors
/// What is wrong with it; nothing of it is usable then.
pub fn decode(text: &str, document: Document, reading: Reading<'_>) -> Result<Metadata, Fault> {
    let bytes = reading.limits.get(Limit::LabelBytes);
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > bytes {
        return Err(Fault::Limit(Limit::LabelBytes, bytes));
    }
    if reading.strict
        && let Some(at) = lone_surrogate(text)
    {
        return Err(Fault::Surrogate(at));
    }
    let depth = reading.limits.get(Limit::Depth);
    let mut decoder = Decoder {
        reading,
        layers: 0,
        values: reading.limits.get(Limit::Values),
    };
    let mut reader = Reader::new(text, u32::try_from(depth).unwrap_or(u32::MAX));
    let read = decoder.document(&mut reader, document);
    let read = read.and_then(|metadata| {
        if document != Document::Volume || reading.strict {
            reader.end()?;
        }
        Ok(metadata)
    });
    read.map_err(|fault| match fault {
        Fault::Json(Error {
            kind: ErrorKind::Depth(_),
            ..
        }) => Fault::Limit(Limit::Depth, depth),
        other => other,
    })
}

/// The known members of each object, in the order Go declares them.
const CACHE: &[&str] = &["sbom", "buildpacks"];
const APP: &[&str] = &[
    "app",
    "sbom",
    "buildpacks",
    "config",
    "launcher",
    "process-types",
    "runImage",
    "stack",
];
const SHA: &[&str] = &["sha"];
const BUILDPACK: &[&str] = &["key", "version", "layers", "store"];
const STORE: &[&str] = &["metadata"];
const LAYER: &[&str] = &["sha", "data", "build", "launch", "cache"];
const RUN_IMAGE: &[&str] = &["topLayer", "reference", "image", "mirrors"];
const STACK: &[&str] = &["runImage"];
const STACK_RUN_IMAGE: &[&str] = &["image", "mirrors"];

struct Decoder<'a> {
    reading: Reading<'a>,
    layers: u64,
    /// How many values there may still be.
    values: u64,
}

/// A list that Go decodes over again when its member is repeated: elements
/// beyond the length keep their old fields.
#[derive(Default)]
struct Slice {
    elements: Vec<Buildpack>,
    length: Option<usize>,
}

impl Decoder<'_> {
    fn document(&mut self, r: &mut Reader<'_>, document: Document) -> Result<Metadata, Fault> {
        let mut sbom = String::new();
        let mut list = Slice::default();
        let fields = match document {
            Document::Cache | Document::Volume => CACHE,
            Document::App => APP,
        };
        self.object(r, fields, |this, r, name| match name {
            "sbom" => this.sha(r, &mut sbom),
            "buildpacks" => this.buildpacks(r, &mut list),
            "app" => this.list(r, |this, r| this.sha(r, &mut String::new())),
            "runImage" => this.run_image(r, RUN_IMAGE),
            "stack" => this.object(r, STACK, |this, r, _| this.run_image(r, STACK_RUN_IMAGE)),
            _ => this.sha(r, &mut String::new()),
        })?;
        let Slice {
            mut elements,
            length,
        } = list;
        Ok(Metadata {
            sbom,
            buildpacks: length.map(|length| {
                elements.truncate(length);
                for element in &mut elements {
                    element.store.iter_mut().for_each(Store::settle);
                }
                elements
            }),
        })
    }

    /// Reads an object or null; `member` gets each known member.
    fn object(
        &mut self,
        r: &mut Reader<'_>,
        fields: &'static [&'static str],
        mut member: impl FnMut(&mut Self, &mut Reader<'_>, &'static str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if r.null()? {
            return Ok(());
        }
        let mut seen = 0_u32;
        r.object(|r, name| {
            let index = if self.reading.strict {
                fields.iter().position(|field| *field == name)
            } else {
                field_index(fields, &name)
            };
            let Some((index, field)) = index.and_then(|i| Some((i, *fields.get(i)?))) else {
                return r.skip().map_err(Fault::from);
            };
            let bit = 1_u32.wrapping_shl(u32::try_from(index).unwrap_or(31));
            if self.reading.strict && seen & bit != 0 {
                return Err(Fault::Repeated(field, r.offset()));
            }
            seen |= bit;
            member(self, r, field)
        })
    }

    /// Reads a list or null.
    fn list(
        &mut self,
        r: &mut Reader<'_>,
        mut item: impl FnMut(&mut Self, &mut Reader<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if r.null()? {
            return Ok(());
        }
        r.list(|r| item(self, r))
    }

    fn text(r: &mut Reader<'_>, into: &mut String) -> Result<(), Fault> {
        if !r.null()? {
            *into = r.string()?.into_owned();
        }
        Ok(())
    }

    fn flag(r: &mut Reader<'_>, into: &mut bool) -> Result<(), Fault> {
        if !r.null()? {
            *into = r.bool()?;
        }
        Ok(())
    }

    /// `{"sha": …}`
    fn sha(&mut self, r: &mut Reader<'_>, into: &mut String) -> Result<(), Fault> {
        self.object(r, SHA, |_, r, _| Self::text(r, into))
    }

    fn run_image(
        &mut self,
        r: &mut Reader<'_>,
        fields: &'static [&'static str],
    ) -> Result<(), Fault> {
        self.object(r, fields, |this, r, name| match name {
            "mirrors" => this.list(r, |_, r| Self::text(r, &mut String::new())),
            _ => Self::text(r, &mut String::new()),
        })
    }

    fn buildpacks(&mut self, r: &mut Reader<'_>, list: &mut Slice) -> Result<(), Fault> {
        if r.null()? {
            *list = Slice::default();
            return Ok(());
        }
        let most = self.reading.limits.get(Limit::Buildpacks);
        let mut length = 0_usize;
        r.list(|r| {
            if u64::try_from(length).unwrap_or(u64::MAX) >= most {
                return Err(Fault::Limit(Limit::Buildpacks, most));
            }
            if length >= list.elements.len() {
                list.elements.push(Buildpack::default());
            }
            if let Some(element) = list.elements.get_mut(length) {
                self.buildpack(r, element)?;
            }
            length += 1;
            Ok(())
        })?;
        if length == 0 {
            list.elements.clear();
        }
        list.length = Some(length);
        Ok(())
    }

    fn buildpack(&mut self, r: &mut Reader<'_>, into: &mut Buildpack) -> Result<(), Fault> {
        self.object(r, BUILDPACK, |this, r, name| match name {
            "key" => Self::text(r, &mut into.key),
            "version" => Self::text(r, &mut into.version),
            "layers" => this.layers(r, &mut into.layers),
            _ => this.store(r, &mut into.store),
        })
    }

    fn layers(
        &mut self,
        r: &mut Reader<'_>,
        into: &mut Option<BTreeMap<String, Layer>>,
    ) -> Result<(), Fault> {
        if r.null()? {
            *into = None;
            return Ok(());
        }
        let most = self.reading.limits.get(Limit::Layers);
        let layers = into.get_or_insert_default();
        r.object(|r, name| {
            self.layers = self.layers.saturating_add(1);
            if self.layers > most {
                return Err(Fault::Limit(Limit::Layers, most));
            }
            let mut layer = Layer::default();
            self.layer(r, &mut layer)?;
            layers.insert(name.into_owned(), layer);
            Ok(())
        })
    }

    fn layer(&mut self, r: &mut Reader<'_>, into: &mut Layer) -> Result<(), Fault> {
        self.object(r, LAYER, |this, r, name| match name {
            "sha" => Self::text(r, &mut into.sha),
            "data" => {
                into.data = this.value(r)?;
                Ok(())
            }
            "build" => Self::flag(r, &mut into.flags.build),
            "launch" => Self::flag(r, &mut into.flags.launch),
            _ => Self::flag(r, &mut into.flags.cache),
        })
    }

    fn store(&mut self, r: &mut Reader<'_>, into: &mut Option<Store>) -> Result<(), Fault> {
        match r.peek()? {
            Shape::Null => {
                *into = None;
                r.null()?;
                Ok(())
            }
            _ => {
                let store = into.get_or_insert_default();
                self.object(r, STORE, |this, r, _| this.metadata(r, store))
            }
        }
    }

    fn metadata(&mut self, r: &mut Reader<'_>, into: &mut Store) -> Result<(), Fault> {
        match r.peek()? {
            Shape::Null => {
                *into = Store::default();
                r.null()?;
            }
            Shape::Object => into.add(self.value(r)?),
            _ => return Err(r.mismatch("an object").into()),
        }
        Ok(())
    }

    fn value(&mut self, r: &mut Reader<'_>) -> Result<Value, Fault> {
        let most = self.reading.limits.get(Limit::Values);
        Value::read(r, self.reading.integers, &mut self.values).map_err(|error| match error {
            ValueError::Json(error) => Fault::Json(error),
            ValueError::TooMany => Fault::Limit(Limit::Values, most),
        })
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Json(error)
    }
}

/// Where an escape gives half of a surrogate pair, if anywhere. Backslashes only
/// occur inside strings of valid JSON.
fn lone_surrogate(text: &str) -> Option<usize> {
    let unit = |at: usize| {
        let digits = text.get(at..at.checked_add(6)?)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut at = 0_usize;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at = at.saturating_add(found);
        at = at.saturating_add(match unit(at) {
            Some(0xd800..0xdc00) => match unit(at.saturating_add(6)) {
                Some(0xdc00..0xe000) => 12,
                _ => return Some(at),
            },
            Some(0xdc00..0xe000) => return Some(at),
            Some(_) => 6,
            None => {
                let next = text
                    .get(at.saturating_add(1)..)
                    .and_then(|rest| rest.chars().next());
                1_usize.saturating_add(next.map_or(0, char::len_utf8))
            }
        });
    }
    None
}

#[cfg(test)]
mod tests;
