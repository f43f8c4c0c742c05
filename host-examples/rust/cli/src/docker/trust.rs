//! Which sources are vouched for: by name, by whole digest, or by a key.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use layerwise::docker::CacheFrom;
use layerwise_stores::{Images, OciLayout, PublicKey};

use super::args::SessionArgs;
use crate::failed::Failed;
use crate::text;

/// What a store is given as that can have signatures.
const LAYOUT: &str = "oci:";

/// The sources: the names given with --cache-from, then those given with
/// --trust only. One that is vouched for is asked for by its id from here on, so
/// that its name cannot come to stand for another image meanwhile.
pub fn sources(args: &SessionArgs, store: &dyn Images) -> Result<Vec<CacheFrom>, Failed> {
    let signed = Signed::open(args)?;
    let given = args.sources();
    let trusted = args.trust.iter().map(String::as_str);
    let only_trusted = trusted.filter(|name| !given.contains(name));
    let names = given.iter().copied().chain(only_trusted);
    let source = |name: &str| {
        let id = if args.trust_all_sources || args.trust.iter().any(|known| known == name) {
            whole(store, name)?
        } else {
            signed.as_ref().and_then(|signed| signed.id(name))
        };
        Ok(CacheFrom {
            trusted: id.is_some(),
            reference: id.unwrap_or_else(|| name.to_owned()),
        })
    };
    names.map(source).collect()
}

/// The id of an image by its name or whole id. The beginning of an id is refused:
/// somebody else may have an image whose id begins like it. What cannot be found
/// is passed over later, and said.
fn whole(store: &dyn Images, name: &str) -> Result<Option<String>, Failed> {
    if let Ok(id) = store.whole(name) {
        return Ok(Some(id));
    }
    match crate::io::resolve(store, "the trusted source", name) {
        Err(_) => Ok(None),
        Ok(image) => Err(Failed::usage(format!(
            "{name:?} is only the beginning of an id, which is not enough for trust: give the \
             whole one, {}, or a name",
            image.id
        ))),
    }
}

/// Keys, and the layout whose images they may have signed.
struct Signed {
    layout: OciLayout,
    keys: Vec<PublicKey>,
}

impl Signed {
    /// Reads the keys, if there are any.
    fn open(args: &SessionArgs) -> Result<Option<Self>, Failed> {
        if args.trust_key.is_empty() {
            return Ok(None);
        }
        if args.sources().is_empty() {
            return Err(Failed::usage(
                "--trust-key says which of the sources count: name them with --cache-from",
            ));
        }
        let path = args.store.strip_prefix(LAYOUT).ok_or_else(|| {
            Failed::usage("--trust-key needs a store with signatures: an image layout, `oci:PATH`")
        })?;
        let keys = args.trust_key.iter().map(key);
        Ok(Some(Self {
            keys: keys.collect::<Result<_, _>>()?,
            layout: OciLayout::open(Path::new(path))
                .map_err(|failure| Failed::new("store", failure.message))?,
        }))
    }

    /// The id of an image that a key signed. Why another one does not count is
    /// said; the decision goes on without it.
    fn id(&self, name: &str) -> Option<String> {
        match self.layout.signed(name, &self.keys) {
            Ok(id) => Some(id),
            Err(why) => {
                let line = format!("the source {name:?} is not trusted by a key: {why}");
                // A warning that cannot be written must not end the command.
                let _ = writeln!(io::stderr(), "warning: {}", text::escape(&line));
                None
            }
        }
    }
}

fn key(path: &PathBuf) -> Result<PublicKey, Failed> {
    let text = fs::read(path).map_err(|error| Failed::file("the public key", path, &error))?;
    PublicKey::from_pem(&text)
        .map_err(|error| Failed::unreadable("the public key", path, &error.to_string()))
}
