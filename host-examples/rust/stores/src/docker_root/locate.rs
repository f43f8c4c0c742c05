//! Where a data root keeps the images of a storage driver.

use std::fs;
use std::path::{Path, PathBuf};

use layerwise::host::{Failure, FailureCode};

use super::scan;
use crate::files::failure;

/// Finds the only driver's part of a data root, or takes `path` for one.
pub fn any(path: &Path) -> Result<(PathBuf, String), Failure> {
    if is_part(path)? {
        let driver = path.file_name().unwrap_or_default();
        return Ok((path.to_owned(), driver.to_string_lossy().into_owned()));
    }
    let parent = path.join("image");
    let mut drivers = drivers(&parent)?;
    match (drivers.pop(), drivers.is_empty()) {
        (Some(driver), true) => Ok((parent.join(&driver), driver)),
        (Some(last), false) => {
            drivers.push(last);
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
pub fn driver(path: &Path, driver: &str) -> Result<PathBuf, Failure> {
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
    let part = path.join("image").join(driver);
    if is_part(&part)? {
        Ok(part)
    } else {
        Err(none(&part))
    }
}

/// The drivers with images, in ascending order.
fn drivers(parent: &Path) -> Result<Vec<String>, Failure> {
    let mut drivers = Vec::new();
    let entries = fs::read_dir(parent).map_err(|error| failure("read", parent, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| failure("read", parent, &error))?;
        if is_part(&entry.path())? {
            drivers.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    drivers.sort_unstable();
    Ok(drivers)
}

fn is_part(path: &Path) -> Result<bool, Failure> {
    let content = scan::content(path);
    match fs::metadata(&content) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) => match failure("read", &content, &error) {
            missing if missing.code == FailureCode::NotFound => Ok(false),
            other => Err(other),
        },
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
