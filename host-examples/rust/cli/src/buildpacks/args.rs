//! What the commands of `layerwise buildpacks` accept.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use layerwise::buildpacks::{ShaStore, platform_api};
use layerwise::oci::Platform;

use super::lent::directory;
use crate::args::{LimitArgs, ReadingArgs, platform};
use crate::failed::Failed;
use crate::lend::RegistryArgs;

/// Where Docker keeps its data unless it is told otherwise.
pub const DOCKER_ROOT: &str = "/var/lib/docker";

/// A restore.
#[derive(Args)]
pub struct RestoreArgs {
    /// The layers directory.
    #[arg(long, value_name = "DIR")]
    pub layers: PathBuf,
    /// The buildpacks that take part, a group.toml.
    #[arg(long, value_name = "FILE")]
    pub group: PathBuf,
    /// The Platform API, such as 0.14.
    #[arg(long, value_name = "VERSION", value_parser = known_platform_api)]
    pub platform_api: String,
    /// The Buildpack API of buildpacks for which group.toml names none.
    #[arg(long, value_name = "VERSION")]
    pub buildpack_api: Option<String>,
    /// Take the application's layer metadata from an analyzed.toml.
    #[arg(long, value_name = "FILE", conflicts_with = "app_image")]
    pub analyzed: Option<PathBuf>,
    /// Take it from the label of the previous application image: `HOST/NAME:TAG`,
    /// `oci:DIR[:TAG]`, or `docker:[ROOT#]NAME` for an image of a Docker data root, which is
    /// /var/lib/docker unless it is named.
    #[arg(long, value_name = "REFERENCE")]
    pub app_image: Option<String>,
    /// Which image of an index is the application's.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_parser = platform, requires = "app_image")]
    pub app_platform: Option<Platform>,
    #[command(flatten)]
    pub cache: CacheArgs,
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Restore store.toml files only.
    #[arg(long)]
    pub skip_layers: bool,
    /// Where the shas of restored layers are kept; files are what Platform APIs below 0.7 use.
    #[arg(long, value_name = "WHERE", default_value = "memory")]
    pub shas: Shas,
    /// Also restore the content of cached layers, and remove layers that the cache does not have.
    #[arg(long, conflicts_with = "skip_layers")]
    pub data: bool,
    /// Keep set-user-id and set-group-id bits and the capabilities of files of cached layers.
    #[arg(long, requires = "data", conflicts_with = "skip_layers")]
    pub keep_set_id: bool,
    #[command(flatten)]
    pub root: RootArgs,
    /// Also print the explanation.
    #[arg(long)]
    pub explain: bool,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// `cache show`
#[derive(Args)]
pub struct ShowArgs {
    #[command(flatten)]
    pub image: ImageArgs,
}

/// `cache verify`
#[derive(Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub image: ImageArgs,
    /// Diff ids; default: those of all cached layers in the metadata.
    #[arg(value_name = "DIFF-ID")]
    pub layers: Vec<String>,
}

/// `cache retrieve`
#[derive(Args)]
pub struct RetrieveArgs {
    #[command(flatten)]
    pub image: ImageArgs,
    /// Diff ids.
    #[arg(value_name = "DIFF-ID")]
    pub layers: Vec<String>,
    /// The directory in a layer that all of it must be in, such as layers/example_node/modules.
    #[arg(long, value_name = "PATH")]
    pub prefix: String,
    /// Keep set-user-id and set-group-id bits and the capabilities of files.
    #[arg(long)]
    pub keep_set_id: bool,
    #[command(flatten)]
    pub root: RootArgs,
}

/// `cache commit`
#[derive(Args)]
pub struct CommitArgs {
    #[command(flatten)]
    pub image: ImageArgs,
    /// The metadata of the new image, a JSON document; `-` is standard input.
    #[arg(long, value_name = "FILE|-")]
    pub metadata: Option<PathBuf>,
    /// Take a layer of the old image over, by its diff id. These come first.
    #[arg(long, value_name = "DIFF-ID")]
    pub reuse: Vec<String>,
    /// Add a layer: a tar file, or a directory with everything in it.
    #[arg(long, value_name = "FILE|DIR")]
    pub add: Vec<PathBuf>,
    /// Write what a build left in this layers directory: layers that are in the old image are
    /// reused, others are added, and the metadata goes with them.
    #[arg(
        long,
        value_name = "DIR",
        requires = "group",
        conflicts_with_all = ["metadata", "reuse", "add"]
    )]
    pub layers: Option<PathBuf>,
    /// The buildpacks that took part, a group.toml.
    #[arg(long, value_name = "FILE", requires = "layers")]
    pub group: Option<PathBuf>,
    /// The Buildpack API of buildpacks for which group.toml names none.
    #[arg(long, value_name = "VERSION", requires = "layers")]
    pub buildpack_api: Option<String>,
    /// Delete the old image when it differs. Not all registries do that.
    #[arg(long)]
    pub delete_original: bool,
    /// Write as the lifecycle does for this Platform API: the old image is deleted below 0.13, the
    /// SBOM layer is kept from 0.8 on.
    #[arg(long, value_name = "VERSION", value_parser = known_platform_api, conflicts_with = "delete_original")]
    pub platform_api: Option<String>,
    /// Who owns what is in a layer; default: the variable CNB_USER_ID, else whoever owns the file.
    #[arg(long, value_name = "ID")]
    pub uid: Option<u32>,
    /// Which group owns it; default: the variable CNB_GROUP_ID, else that of the file.
    #[arg(long, value_name = "ID")]
    pub gid: Option<u32>,
    /// Change nothing. Layers are compressed all the same, to know their digests.
    #[arg(long, visible_alias = "dry-run")]
    pub plan: bool,
    #[command(flatten)]
    pub root: RootArgs,
}

/// The cache of a restore.
#[derive(Args)]
pub struct CacheArgs {
    /// The cache image: `HOST/NAME:TAG`, or `oci:DIR[:TAG]` for a layout.
    #[arg(long, value_name = "REFERENCE", conflicts_with = "volume")]
    pub cache_image: Option<String>,
    #[command(flatten)]
    pub volume: VolumeArgs,
}

/// A volume cache.
#[derive(Args)]
#[group(id = "volume", multiple = false)]
pub struct VolumeArgs {
    /// The directory of a volume cache, what the lifecycle has as `-cache-dir`.
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// A volume of a Docker data root, such as the `pack-cache-...` that pack makes; the data
    /// root is /var/lib/docker unless it is named.
    #[arg(long, value_name = "[ROOT#]NAME")]
    pub cache_volume: Option<String>,
}

/// A cache, and how it is opened.
#[derive(Args)]
pub struct ImageArgs {
    /// The cache image: `HOST/NAME:TAG`, or `oci:DIR[:TAG]` for a layout.
    #[arg(required_unless_present = "volume")]
    reference: Option<String>,
    #[command(flatten)]
    volume: VolumeArgs,
    #[command(flatten)]
    pub scope: ScopeArgs,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Whose cache it is.
#[derive(Args)]
pub struct ScopeArgs {
    /// Whose cache it is, such as the application's name and architecture. The guarded reading
    /// needs it for an image, and uses none of another scope; volumes have no scope.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub scope: String,
    /// Use an image that names no scope, such as one that the lifecycle wrote.
    #[arg(long)]
    pub accept_unscoped: bool,
}

/// Where layers are unpacked and packed.
#[derive(Args)]
pub struct RootArgs {
    /// The directory that is `/` in layers.
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
}

/// How sessions are opened.
#[derive(Args)]
pub struct SessionArgs {
    /// Integers in metadata stay integers; the lifecycle turns every number into a float.
    #[arg(long)]
    pub keep_integers: bool,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

impl CacheArgs {
    /// The cache as a reference; `None` if none is named.
    pub fn reference(&self) -> Result<Option<String>, Failed> {
        match &self.cache_image {
            Some(reference) => Ok(Some(reference.clone())),
            None => self.volume.reference(),
        }
    }
}

impl VolumeArgs {
    /// The volume cache as a reference; `None` if none is named.
    fn reference(&self) -> Result<Option<String>, Failed> {
        let found = match (&self.cache_dir, &self.cache_volume) {
            (Some(path), _) => directory("the cache directory", path)?,
            (None, Some(name)) => volume(name)?,
            (None, None) => return Ok(None),
        };
        match found.to_str() {
            Some(path) => Ok(Some(format!("volume:{path}"))),
            None => Err(Failed::usage(format!(
                "the path of the volume cache is not text: {found:?}"
            ))),
        }
    }
}

impl ImageArgs {
    /// The cache as a reference.
    pub fn reference(&self) -> Result<String, Failed> {
        match (&self.reference, self.volume.reference()?) {
            (Some(reference), None) => Ok(reference.clone()),
            (None, Some(volume)) => Ok(volume),
            (Some(image), Some(_)) => Err(Failed::usage(format!(
                "give either the cache image {image:?} or a volume cache, not both"
            ))),
            (None, None) => Err(Failed::usage("no cache is named")),
        }
    }

    /// The cache as a reference, and diff ids. After a volume cache the first
    /// word is a diff id too.
    pub fn with_layers(&self, layers: &[String]) -> Result<(String, Vec<String>), Failed> {
        match self.volume.reference()? {
            None => Ok((self.reference()?, layers.to_vec())),
            Some(volume) => Ok((
                volume,
                self.reference.iter().chain(layers).cloned().collect(),
            )),
        }
    }
}

/// The directory of a volume of a Docker data root.
fn volume(name: &str) -> Result<PathBuf, Failed> {
    let (root, name) = name.rsplit_once('#').unwrap_or((DOCKER_ROOT, name));
    // What Docker accepts: it never leads anywhere else.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let first = name.bytes().next();
    if root.is_empty()
        || !first.is_some_and(|byte| byte.is_ascii_alphanumeric())
        || !name.bytes().all(plain)
    {
        return Err(Failed::usage(format!(
            "{name:?} is not the name of a docker volume, such as \
             pack-cache-library_app_latest-0123456789ab.build"
        )));
    }
    let path = Path::new(root).join("volumes").join(name).join("_data");
    directory("the volume", &path)
}

/// Where shas are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shas {
    /// In memory.
    Memory,
    /// In `<layer>.sha` files.
    Files,
}

impl From<Shas> for ShaStore {
    fn from(shas: Shas) -> Self {
        match shas {
            Shas::Memory => Self::Memory,
            Shas::Files => Self::Files,
        }
    }
}

/// A Platform API that exists. What others would decide is not known, and the
/// lifecycle refuses them, too.
fn known_platform_api(text: &str) -> Result<String, String> {
    match platform_api(text, "use") {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error
            .problem()
            .map_or_else(|| error.to_string(), |problem| problem.message.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_named_as_docker_names_them() {
        for bad in [
            "", ".", "..", "a/b", "../a", "-a", "a b", "#a", "/x#", "/x#../y",
        ] {
            let failed = volume(bad).unwrap_err();
            assert_eq!(failed.kind, "usage", "{bad:?}: {}", failed.message);
        }
        let missing = volume("/nowhere#pack-cache-a_b.build").unwrap_err();
        let path = "/nowhere/volumes/pack-cache-a_b.build/_data";
        assert!(missing.message.contains(path), "{}", missing.message);
    }
}
