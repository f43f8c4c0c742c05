//! What the forms are made of, their checksums, and the signature of those.
#![expect(
    clippy::indexing_slicing,
    reason = "members that a document lacks are null, and one of our own takes any member"
)]

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::sign::{self, Key};
use crate::failure::Failure;
use crate::place::{Place, read, read_text, write};

const SUMS: &str = "SHA256SUMS";

pub fn make(place: &Place) -> Result<(), Failure> {
    place.output(place.tool(".ci/sbom").arg(place.out.join("sbom")))?;
    let mut files = Vec::new();
    collect(&place.out, &place.out, &mut files)?;
    files.sort();
    let mut sum = place.tool("sha256sum");
    let sums = place.output(sum.args(files).current_dir(&place.out))?;
    let signature = Key::of(place)?.sign(sums.as_bytes())?;
    write(&place.out.join(SUMS), &sums)?;
    write(
        &place.out.join(format!("{SUMS}.sig")),
        sign::encoded(&signature),
    )
}

pub fn prove(place: &Place) -> Result<String, Failure> {
    let mut check = place.tool("sha256sum");
    let checked = place.output(check.args(["--check", SUMS]).current_dir(&place.out))?;
    let signature = read_text(&place.out.join(format!("{SUMS}.sig")))?;
    sign::verify(place, &read(&place.out.join(SUMS))?, &signature)?;
    let mut parts = 0;
    let lists = place.out.join("sbom");
    for entry in fs::read_dir(&lists)
        .map_err(|e| Failure::file("read", &lists, &e))?
        .flatten()
    {
        let list: Value = serde_json::from_slice(&read(&entry.path())?)?;
        let components = list["components"].as_array().map_or(0, Vec::len);
        if list["bomFormat"] != "CycloneDX" || components == 0 {
            return Err(Failure::new(format!("{:?} lists nothing", entry.path())));
        }
        parts += components;
    }
    Ok(format!(
        "{} files, their sums signed; {parts} packages listed",
        checked.lines().count()
    ))
}

/// Every file but the sums themselves and the trees that archives were made of.
fn collect(root: &Path, directory: &Path, files: &mut Vec<String>) -> Result<(), Failure> {
    let entries = fs::read_dir(directory).map_err(|e| Failure::file("read", directory, &e))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "program" {
            collect(root, &path, files)?;
        } else if path.is_file() && !name.starts_with(SUMS) && name != "cosign.pub" {
            files.push(name);
        }
    }
    Ok(())
}
