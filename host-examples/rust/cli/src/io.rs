//! What commands need of the system: the engine, stores, files and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use layerwise::host::{Image, ImageStore};
use layerwise_host::{Engine, EngineOptions};
use serde::Deserialize;

use super::args::Global;
use super::failed::Failed;

/// The largest file that is read: no component and no document is longer.
pub const LONGEST: u64 = 64 << 20;

/// The engine, with the component that the options say. A command has one.
pub fn engine(global: &Global) -> Result<Engine, Failed> {
    if let Some(engine) = global.engine.get() {
        return Ok(engine.clone());
    }
    let engine = start(global)?;
    Ok(global.engine.get_or_init(|| engine).clone())
}

fn start(global: &Global) -> Result<Engine, Failed> {
    let mut options = EngineOptions::default();
    if global.record.is_some() {
        options.record.clone_from(&global.record);
    }
    let Some(path) = &global.component else {
        return Ok(Engine::new(&options)?);
    };
    other(path, options)
}

/// An engine for another component than the one inside.
#[cfg(feature = "compiler")]
fn other(path: &Path, mut options: EngineOptions) -> Result<Engine, Failed> {
    options.component = Some(layerwise_host::Wasm {
        bytes: component(path)?,
        ..layerwise_host::Wasm::default()
    });
    Engine::new(&options).map_err(|error| {
        let mut failed = Failed::from(error);
        // The compiler's words may go over several lines.
        let words: Vec<&str> = failed.message.split_whitespace().collect();
        failed.message = format!("cannot run {path:?}: {}", words.join(" "));
        failed
    })
}

#[cfg(not(feature = "compiler"))]
fn other(_: &Path, _: EngineOptions) -> Result<Engine, Failed> {
    Err(Failed::usage(
        "--component needs a compiler, which this program was built without; \
         build it with: cargo build --package layerwise-cli --features compiler",
    ))
}

/// The bytes of a component, as far as its first ones tell: the compiler has no
/// plain words for files of other kinds.
#[cfg(feature = "compiler")]
fn component(path: &Path) -> Result<Vec<u8>, Failed> {
    let bytes = read("the component", path)?;
    let why = match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => return Ok(bytes),
        Some([0, b'a', b's', b'm', _, _, 0, 0]) => "it is a WebAssembly module, not a component",
        _ => "it is not a WebAssembly component",
    };
    Err(Failed::new("file", format!("cannot run {path:?}: {why}")).about(path.display()))
}

/// The bytes of a file, or of standard input for `-`.
pub fn bytes(what: &str, path: &Path) -> Result<Vec<u8>, Failed> {
    if path == Path::new("-") {
        bounded(what, path, io::stdin().lock())
    } else {
        read(what, path)
    }
}

/// The text of a file, or of standard input for `-`.
pub fn text(what: &str, path: &Path) -> Result<String, Failed> {
    String::from_utf8(bytes(what, path)?)
        .map_err(|_| Failed::unreadable(what, path, "it is not utf-8"))
}

/// Reads a document in TOML; the words of an error are one line.
pub fn toml<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    ::toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| {
            1 + text
                .bytes()
                .take(span.start)
                .filter(|b| *b == b'\n')
                .count()
        });
        let words = error.message().replace('\n', ", ");
        format!("line {line}: {words}")
    })
}

/// The image behind a name or id.
pub fn resolve(store: &dyn ImageStore, what: &str, name: &str) -> Result<Image, Failed> {
    let mut answers = store.resolve(&[name.to_owned()], LONGEST);
    match answers.pop() {
        Some(Ok(image)) => Ok(image),
        Some(Err(failure)) => Err(Failed::store(what, name, &failure)),
        None => Err(Failed::new(
            "store",
            format!("the store returned nothing for {name:?}"),
        )),
    }
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, Failed> {
    let file = File::open(path).map_err(|error| Failed::file(what, path, &error))?;
    bounded(what, path, file)
}

fn bounded(what: &str, path: &Path, source: impl Read) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    source
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failed::file(what, path, &error))?;
    if bytes.len() as u64 > LONGEST {
        let why = format!("it has more than {LONGEST} bytes");
        return Err(Failed::unreadable(what, path, &why));
    }
    Ok(bytes)
}
