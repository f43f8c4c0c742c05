//! What is in the buildpacks' directories already (Buildpacks spec, section
//! 5.2, step 3a): each can be listed, and a `store.toml` that stays is TOML.

use super::context::Context;
use super::group::Element;
use crate::buildpacks::names::join;
use crate::buildpacks::quote::quoted;
use crate::buildpacks::reason::Reason;
use crate::buildpacks::toml;
use crate::error::{Error, Problem};
use crate::host::{Content, Failure, FailureCode, Filesystem, Level, Observer, Results};
use crate::limits::Limit;
use crate::prelude::*;

/// Checks the directories of a group. Those in `replaced` get a new
/// `store.toml`, so the old one does not matter.
///
/// # Errors
/// `buildpacks/directory-unreadable` or `buildpacks/store-toml-decode`.
pub fn check<F: Filesystem>(
    session: &Context<F>,
    group: &[Element<'_>],
    replaced: &BTreeSet<String>,
    log: &dyn Observer,
) -> Result<(), Error> {
    let mut stores: Vec<(&str, String)> = Vec::new();
    for element in group {
        let directory = session.directory_of(&element.escaped);
        let line = format!("Reading buildpack directory: {directory}");
        log.log(Level::Debug, &line, &[("buildpack", element.id)]);
        let names = match session.filesystem.list_names(&directory) {
            Ok(names) => names,
            Err(failure) if failure.code == FailureCode::NotFound => continue,
            Err(failure) => return Err(unreadable(&directory, &failure)),
        };
        for name in &names {
            let line = format!("Reading buildpack directory item: {name}");
            log.log(Level::Debug, &line, &[("buildpack", element.id)]);
        }
        let there = names.iter().any(|name| name == "store.toml");
        if there && !replaced.contains(&element.escaped) {
            stores.push((element.id, join(&directory, "store.toml")));
        }
    }
    if stores.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> = stores.iter().map(|(_, path)| path.clone()).collect();
    let limit = session.limits.get(Limit::FileBytes);
    let mut read = Results::new(session.filesystem.read(&paths, limit));
    for (id, path) in stores {
        let content = match read.take() {
            Ok(content) => content,
            // Gone meanwhile.
            Err(failure) if failure.code == FailureCode::NotFound => continue,
            Err(failure) => return Err(unreadable(&path, &failure)),
        };
        if let Some(cause) = fault(&content, session.limits.get(Limit::Depth)) {
            let id = quoted(id);
            return Err(Error::Corrupt(Problem::new(
                Reason::StoreTomlDecode,
                "restore",
                path,
                format!(
                    "reading buildpack layer directory: \
                     failed decoding store.toml for buildpack {id}: {cause}"
                ),
            )));
        }
    }
    Ok(())
}

/// Why a file is not TOML, if it is not.
fn fault(content: &Content, depth: u64) -> Option<String> {
    if content.lossy {
        return Some("not valid utf-8".to_owned());
    }
    let refusal = toml::check(&content.text, depth).err()?;
    Some(refusal.to_string())
}

fn unreadable(path: &str, failure: &Failure) -> Error {
    Problem::new(
        Reason::DirectoryUnreadable,
        "restore",
        path,
        format!("reading buildpack layer directory: {}", failure.message),
    )
    .from_failure(failure)
}
