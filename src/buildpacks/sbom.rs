//! SBOM files of layers (Buildpacks spec, section 7): after the SBOM layer of
//! the cache was retrieved, each file goes beside the layer it is about. Those
//! of the last application image are in the layers directory before.

use serde::Serialize;

use super::names::{escape_id, join};
use super::restore::GroupElement;
use super::version::{ApiVersion, Rules, platform_api};
use crate::error::Error;
use crate::prelude::*;
use crate::semantics::Semantics;

/// Where a build leaves the software bills of materials of cached layers, below
/// the layers directory.
pub const CACHE_SBOM: [&str; 2] = ["sbom", "cache"];

/// From this Platform API SBOM files are restored.
pub const SBOM: ApiVersion = ApiVersion::new(0, 8);

/// The directory in the layers directory.
const DIRECTORY: &str = "sbom";

/// What to decide about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SbomRequest {
    /// The reading; versions are those of [`Rules::of`].
    pub semantics: Semantics,
    /// The layers directory, as a path of the file system.
    pub directory: String,
    /// The Platform API.
    pub platform_api: String,
    /// The buildpacks, in order.
    pub group: Vec<GroupElement>,
    /// The regular files below `sbom/cache` and `sbom/launch`, from the layers
    /// directory.
    pub files: Vec<String>,
    /// The directories in the layers directory.
    pub directories: Vec<String>,
}

/// A file to be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SbomCopy {
    /// From here.
    pub source: String,
    /// To here; a file that is there is replaced.
    pub target: String,
}

/// What happens to SBOM files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SbomPlan {
    /// In this order.
    pub copies: Vec<SbomCopy>,
    /// What is removed afterwards.
    pub remove: Vec<String>,
}

/// Decides which files go where.
///
/// # Errors
/// `invalid` for a malformed group or Platform API, `unsupported` for an
/// unknown version.
pub fn plan_sbom(request: &SbomRequest) -> Result<SbomPlan, Error> {
    Rules::of(&request.semantics)?;
    let platform_api = platform_api(&request.platform_api, "restore sbom")?;
    let mut plan = SbomPlan::default();
    if platform_api < SBOM {
        return Ok(plan);
    }
    let there: BTreeSet<&str> = request.directories.iter().map(String::as_str).collect();
    // Directories by their names in paths.
    let mut buildpacks: BTreeSet<String> = BTreeSet::new();
    for element in &request.group {
        buildpacks.insert(join("", &escape_id(&element.id)?));
    }
    for kind in ["cache", "launch"] {
        for file in &request.files {
            let Some((buildpack, target)) = place(file, kind) else {
                continue;
            };
            if there.contains(buildpack) && buildpacks.contains(buildpack) {
                plan.copies.push(SbomCopy {
                    source: below(&request.directory, file),
                    target: below(&request.directory, &target),
                });
            }
        }
    }
    plan.remove.push(below(&request.directory, DIRECTORY));
    Ok(plan)
}

/// The buildpack that a file belongs to, and where it goes:
/// `sbom/KIND/BUILDPACK/LAYER/sbom.cdx.json` is beside the layer
/// `BUILDPACK/LAYER.sbom.cdx.json`. What comes after `json` in a name is lost.
fn place<'a>(file: &'a str, kind: &str) -> Option<(&'a str, String)> {
    let rest = file
        .strip_prefix(DIRECTORY)?
        .strip_prefix('/')?
        .strip_prefix(kind)?
        .strip_prefix('/')?;
    let (buildpack, rest) = rest.split_once('/')?;
    let (layer, name) = rest.split_once('/')?;
    let end = name.rfind("json")?;
    // At least one character between "sbom" and "json".
    if buildpack.is_empty()
        || layer.is_empty()
        || name.contains('/')
        || !name.starts_with("sbom")
        || end <= "sbom".len()
    {
        return None;
    }
    let name = name.get(..end.saturating_add("json".len()))?;
    Some((buildpack, format!("{buildpack}/{layer}.{name}")))
}

/// A path below another; both are encoded.
fn below(directory: &str, path: &str) -> String {
    format!("{}/{path}", directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(platform: &str, files: &[&str]) -> SbomRequest {
        SbomRequest {
            semantics: Semantics::compatible(None),
            directory: "/layers".to_owned(),
            platform_api: platform.to_owned(),
            group: vec![GroupElement {
                id: "ex/bp".to_owned(),
                version: "1".to_owned(),
                api: "0.10".to_owned(),
            }],
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            directories: vec!["ex_bp".to_owned(), "other".to_owned()],
        }
    }

    #[test]
    fn files_go_beside_their_layers() {
        let files = [
            "sbom/cache/ex_bp/a/sbom.cdx.json",
            "sbom/launch/ex_bp/a/sbom.cdx.json",
            "sbom/launch/ex_bp/b/sbom.spdx.json.old",
            // Of the buildpack itself, of another buildpack, of one without a
            // directory, too deep, not an SBOM file.
            "sbom/launch/ex_bp/sbom.cdx.json",
            "sbom/cache/other/a/sbom.cdx.json",
            "sbom/cache/gone/a/sbom.cdx.json",
            "sbom/cache/ex_bp/a/b/sbom.cdx.json",
            "sbom/cache/ex_bp/a/sbomjson",
            "sbom/cache/ex_bp/a/bom.json",
            "sbom/build/ex_bp/a/sbom.cdx.json",
            "sbom/cache/ex_bp",
        ];
        let plan = plan_sbom(&request("0.8", &files)).unwrap();
        let copies: Vec<_> = plan
            .copies
            .iter()
            .map(|copy| (copy.source.as_str(), copy.target.as_str()))
            .collect();
        assert_eq!(
            copies,
            [
                (
                    "/layers/sbom/cache/ex_bp/a/sbom.cdx.json",
                    "/layers/ex_bp/a.sbom.cdx.json"
                ),
                (
                    "/layers/sbom/launch/ex_bp/a/sbom.cdx.json",
                    "/layers/ex_bp/a.sbom.cdx.json"
                ),
                (
                    "/layers/sbom/launch/ex_bp/b/sbom.spdx.json.old",
                    "/layers/ex_bp/b.sbom.spdx.json"
                ),
            ]
        );
        assert_eq!(plan.remove, ["/layers/sbom"]);
    }

    #[test]
    fn nothing_happens_below_platform_api_0_8() {
        let files = ["sbom/cache/ex_bp/a/sbom.cdx.json"];
        let early = plan_sbom(&request("0.7", &files)).unwrap();
        assert_eq!(early, SbomPlan::default());
        assert!(plan_sbom(&request("none", &files)).is_err());
    }
}
