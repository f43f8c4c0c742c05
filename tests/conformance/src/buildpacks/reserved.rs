//! Where the guarded reading refuses more than upstream did when the vectors
//! were recorded: layers whose metadata file would be the buildpack's own
//! `launch.toml` or `build.toml`.

use std::collections::BTreeMap;

use super::format::{Content, Decision, Restore, RestoreExpected};

const RESERVED: [&str; 2] = ["launch", "build"];

/// Reasons for layers that nobody looked at.
const NOT_LOOKED_AT: [&str; 3] = [
    "skip-layers",
    "buildpack-not-in-group",
    "shadowed-by-earlier-entry",
];

/// What the guarded reading does instead of what was recorded.
pub fn expected(case: &Restore) -> RestoreExpected {
    let mut expect = case.expect.clone();
    for decision in expect.decisions.iter_mut().filter(|one| refused(one)) {
        if decision.restored {
            let id = decision.buildpack.replace('/', "_");
            for extension in ["toml", "sha"] {
                let path = format!("{id}/{}.{extension}", decision.layer);
                restore_file(&mut expect.files, &case.existing_files, path);
            }
        }
        if let Some(layers) = expect.sha_map.get_mut(&decision.buildpack) {
            layers.remove(&decision.layer);
        }
        decision.restored = false;
        "reserved-layer-name".clone_into(&mut decision.reason);
    }
    expect.sha_map.retain(|_, layers| !layers.is_empty());
    expect
}

fn refused(decision: &Decision) -> bool {
    RESERVED.contains(&decision.layer.as_str())
        && !NOT_LOOKED_AT.contains(&decision.reason.as_str())
}

/// A file that is not written stays as it was.
fn restore_file(
    files: &mut BTreeMap<String, Content>,
    before: &BTreeMap<String, String>,
    path: String,
) {
    match before.get(&path) {
        Some(text) => files.insert(path, Content::Text(text.clone())),
        None => files.remove(&path),
    };
}
