//! What records and manifests lead to, from wherever it is.

use std::io::{self, Read as _};

use layerwise::base64;
use layerwise::builds::read::assemble::Form;
use layerwise::builds::read::parts::Role;
use layerwise::host::Registry;
use layerwise::oci::Descriptor;
use layerwise_host::builds::Document;
use layerwise_stores::BuildkitRoot;

use super::envelope::Layout;
use super::place::Kind;
use crate::failed::Failed;

/// The largest blob of a build that is read.
const LONGEST: u64 = 48 << 20;

/// What a manifest or record leads to, and where.
pub trait Content {
    fn read(&self, wanted: &Descriptor) -> Result<Vec<u8>, String>;
}

/// Content of a repository.
pub struct Stored<'a> {
    pub registry: &'a (dyn Registry + Send + Sync),
    pub repository: String,
}

impl Content for Stored<'_> {
    fn read(&self, wanted: &Descriptor) -> Result<Vec<u8>, String> {
        let wanted = std::slice::from_ref(wanted);
        let mut read = self.registry.read(&self.repository, wanted, LONGEST);
        match read.pop() {
            Some(Ok(text)) => Ok(text.into_bytes()),
            Some(Err(failure)) => Err(failure.message),
            None => Err("the registry returned nothing".to_owned()),
        }
    }
}

impl Content for Layout {
    fn read(&self, wanted: &Descriptor) -> Result<Vec<u8>, String> {
        let bytes = self.blob(wanted).map_err(|error| error.to_string())?;
        Ok(bytes.to_vec())
    }
}

impl Content for BuildkitRoot {
    fn read(&self, wanted: &Descriptor) -> Result<Vec<u8>, String> {
        let digest = wanted.digest.parse();
        let digest = digest.map_err(|error| format!("{:?}: {error}", wanted.digest))?;
        self.blob(&digest, LONGEST)
            .map_err(|failure| failure.message)
    }
}

/// The bytes of a file or of standard input.
pub fn bytes(kind: &Kind) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = crate::io::LONGEST;
    match kind {
        Kind::File(path) => std::fs::File::open(path)?
            .take(limit + 1)
            .read_to_end(&mut bytes)?,
        _ => io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?,
    };
    if bytes.len() as u64 > limit {
        let message = format!("it has more than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(bytes)
}

/// A document in the form its role asks for.
pub fn document(role: Role, bytes: Vec<u8>) -> Result<Document, Failed> {
    if role == Role::Log {
        return Ok(Document {
            form: Form::Log,
            content: base64::encode(&bytes),
        });
    }
    text_of(bytes).map_err(|why| Failed::new("build", format!("cannot read the build: {why}")))
}

/// A document of text.
pub fn text_of(bytes: Vec<u8>) -> Result<Document, String> {
    let content = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("it is neither a record nor text: it is not utf-8 at byte {at}")
    })?;
    Ok(Document {
        form: Form::Text,
        content,
    })
}
