//! Where a data root keeps the images of a storage driver.

use std::path::Path;

use layerwise::host::{Failure, FailureCode};
use layerwise_files::Tree;

use super::scan;

/// Where the drivers are.
const IMAGES: &str = "image";

/// Finds the only driver's part of a data root, or takes `path` for one.
pub fn any(path: &Path) -> Result<(Tree, String), Failure> {
    let root = Tree::open(path)?;
    if is_part(&root)? {
        let driver = path.file_name().unwrap_or_default();
        let driver = driver.to_string_lossy().into_owned();
        return Ok((root, driver));
    }
    let parent = root.enter(IMAGES)?;
    let mut drivers = drivers(&parent)?;
    match (drivers.pop(), drivers.is_empty()) {
        (Some(driver), true) => Ok((parent.enter(&driver)?, driver)),
        (Some(last), false) => {
            drivers.push(last);
            let parent = parent.path();
            Err(Failure::new(
                FailureCode::Invalid,
                format!(
                    "{parent:?} holds images of several storage drivers ({}): \
                     name one, such as {:?}",
                    drivers.join(", "),
                    parent.join(drivers.first().map_or("overlay2", String::as_str)),
                ),
            ))
        }
        (None, _) => Err(none(path)),
    }
}

/// Finds one driver's part of a data root.
pub fn driver(path: &Path, driver: &str) -> Result<Tree, Failure> {
    let plain = !driver.is_empty()
        && driver
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !plain {
        return Err(Failure::new(
            FailureCode::Invalid,
            format!("{driver:?} is not the name of a storage driver"),
        ));
    }
    let part = Tree::open(path)?.descend(&[IMAGES, driver]);
    match part {
        Ok(part) if is_part(&part)? => Ok(part),
        Err(failure) if failure.code != FailureCode::NotFound => Err(failure),
        _ => Err(none(&path.join(IMAGES).join(driver))),
    }
}

/// The drivers with images, in ascending order.
fn drivers(parent: &Tree) -> Result<Vec<String>, Failure> {
    let mut drivers = Vec::new();
    for name in parent.names()? {
        let directory = parent.kind(&name)?.is_some_and(|kind| kind.is_dir());
        if directory && is_part(&parent.enter(&name)?)? {
            drivers.push(name.to_string_lossy().into_owned());
        }
    }
    drivers.sort_unstable();
    Ok(drivers)
}

fn is_part(path: &Tree) -> Result<bool, Failure> {
    match scan::content(path) {
        Ok(_) => Ok(true),
        Err(failure) if failure.code == FailureCode::NotFound => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn none(path: &Path) -> Failure {
    Failure::new(
        FailureCode::NotFound,
        format!(
            "{path:?} holds no images of a storage driver \
             (an engine with the containerd image store keeps none there)"
        ),
    )
}
