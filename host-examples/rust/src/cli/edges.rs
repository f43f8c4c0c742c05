//! What commands need of the system: the engine with its kept code, stores,
//! files and standard input.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use layerwise::host::{Image, ImageStore};
use layerwise_host::{Engine, EngineOptions};

use super::args::Global;
use super::failed::Failed;

/// The largest file that is read: no component and no document is longer.
pub const LONGEST: u64 = 64 << 20;

/// The engine, with the component and the kept code that the options say.
pub fn engine(global: &Global) -> Result<Engine, Failed> {
    let component = match &global.component {
        Some(path) => Some(component(path)?),
        None => None,
    };
    let code_cache = if global.no_code_cache {
        None
    } else {
        code_cache(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))
    };
    let mut options = EngineOptions {
        component,
        code_cache,
        ..EngineOptions::default()
    };
    if global.record.is_some() {
        options.record.clone_from(&global.record);
    }
    Engine::new(&options).map_err(|error| {
        let mut failed = Failed::from(error);
        if let Some(path) = &global.component {
            // The compiler's words may go over several lines.
            let words: Vec<&str> = failed.message.split_whitespace().collect();
            failed.message = format!("cannot run {path:?}: {}", words.join(" "));
        }
        failed
    })
}

/// The bytes of a component, as far as its first ones tell: the compiler has no
/// plain words for files of other kinds.
fn component(path: &Path) -> Result<Vec<u8>, Failed> {
    let bytes = read("the component", path)?;
    let why = match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => return Ok(bytes),
        Some([0, b'a', b's', b'm', _, _, 0, 0]) => "it is a WebAssembly module, not a component",
        _ => "it is not a WebAssembly component",
    };
    Err(Failed::new("file", format!("cannot run {path:?}: {why}")).about(path.display()))
}

/// The user's directory for things that can be made again. Paths that are not
/// absolute do not count (XDG base directories).
fn code_cache(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    xdg.and_then(absolute)
        .or_else(|| Some(home.and_then(absolute)?.join(".cache")))
        .map(|directory| directory.join("layerwise"))
}

/// The text of a file, or of standard input for `-`.
pub fn text(what: &str, path: &Path) -> Result<String, Failed> {
    let bytes = if path == Path::new("-") {
        bounded(what, Path::new("-"), io::stdin().lock())?
    } else {
        read(what, path)?
    };
    String::from_utf8(bytes).map_err(|_| Failed::unreadable(what, path, "it is not utf-8"))
}

/// The image behind a name or id.
pub fn resolve(store: &dyn ImageStore, what: &str, name: &str) -> Result<Image, Failed> {
    let mut answers = store.resolve(&[name.to_owned()], LONGEST);
    match answers.pop() {
        Some(Ok(image)) => Ok(image),
        Some(Err(failure)) => Err(Failed::store(what, name, &failure)),
        None => Err(Failed::new(
            "store",
            format!("the store does not answer about {name:?}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_kept_where_the_user_says() {
        let os = |text: &str| Some(OsString::from(text));
        let cache = |xdg, home| code_cache(xdg, home).map(|path| path.display().to_string());
        assert_eq!(cache(os("/x"), os("/h")).unwrap(), "/x/layerwise");
        assert_eq!(cache(None, os("/h")).unwrap(), "/h/.cache/layerwise");
        assert_eq!(cache(os("x"), os("/h")).unwrap(), "/h/.cache/layerwise");
        assert_eq!(cache(os(""), os("h")), None);
        assert_eq!(cache(None, None), None);
    }
}
