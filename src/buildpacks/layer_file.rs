//! What the files of a layer mean that a build left in a buildpack's directory, by
//! Buildpack API (Buildpacks spec, section 7). A program that reads the layers
//! directory asks here; [`super::plan_data`] and [`super::plan_export`] decide.

use super::metadata::Flags;
use super::version::ApiVersion;

/// Below this Buildpack API the flags of a layer stand at the top of its metadata
/// file, and the file says whether the layer is kept in the cache; from it on they
/// stand in the table `types`.
pub(super) const TYPES: ApiVersion = ApiVersion::new(0, 6);

/// From this Buildpack API `build.toml` is a file of the buildpack.
const BUILD_TOML: ApiVersion = ApiVersion::new(0, 5);

/// The Buildpack API that a buildpack states; one with `types` if that cannot be read.
pub fn buildpack_api(text: &str) -> ApiVersion {
    text.parse().unwrap_or(TYPES)
}

/// The layer that a file of a buildpack's directory belongs to: `NAME.toml`, but for the
/// buildpack's own files. `None` for every other file.
pub fn layer_of_file(file: &str, api: ApiVersion) -> Option<&str> {
    let name = file.strip_suffix(".toml")?;
    let own = matches!(name, "store" | "launch") || (name == "build" && api >= BUILD_TOML);
    (!own).then_some(name)
}

/// Whether the metadata file of a layer says if the layer is kept in the cache: only below
/// Buildpack API 0.6, since from then on the metadata of the cache does.
pub fn file_says_cached(api: ApiVersion) -> bool {
    api < TYPES
}

/// The flags in the metadata file of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileFlags {
    /// Those of the table `types`; without one, all false.
    pub types: Flags,
    /// `build` at the top of the file.
    pub build: Option<bool>,
    /// `launch` at the top of the file.
    pub launch: Option<bool>,
    /// `cache` at the top of the file.
    pub cache: Option<bool>,
}

impl FileFlags {
    /// The flags that count.
    ///
    /// # Errors
    /// Flags at the top of the file from Buildpack API 0.6 on: the lifecycle does not
    /// read such a layer. With what is known of the layer and the lifecycle's words.
    pub fn read(self, api: ApiVersion) -> Result<Flags, (Flags, &'static str)> {
        let Self {
            types,
            build,
            launch,
            cache,
        } = self;
        let top = Flags {
            build: build.unwrap_or_default(),
            launch: launch.unwrap_or_default(),
            cache: cache.unwrap_or_default(),
        };
        if api < TYPES {
            return Ok(top);
        }
        if build.or(launch).or(cache).is_none() {
            return Ok(types);
        }
        let flags = Flags {
            cache: top.cache || types.cache,
            ..types
        };
        let why = "the launch, cache and build flags should be in the types table";
        Err((flags, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: ApiVersion = ApiVersion::new(0, 4);
    const MIDDLE: ApiVersion = ApiVersion::new(0, 5);

    #[test]
    fn files_of_the_buildpack_are_no_layers() {
        for (file, early, late) in [
            ("a.toml", Some("a"), Some("a")),
            ("build.toml", Some("build"), None),
            ("store.toml", None, None),
            ("launch.toml", None, None),
            ("a.sha", None, None),
            ("a", None, None),
            (".toml", Some(""), Some("")),
        ] {
            assert_eq!(layer_of_file(file, EARLY), early, "{file}");
            assert_eq!(layer_of_file(file, MIDDLE), late, "{file}");
        }
    }

    #[test]
    fn flags_stand_where_the_api_says() {
        let cached = Flags {
            cache: true,
            ..Flags::default()
        };
        let top = FileFlags {
            cache: Some(true),
            ..FileFlags::default()
        };
        let table = FileFlags {
            types: cached,
            ..FileFlags::default()
        };
        assert_eq!(top.read(MIDDLE), Ok(cached));
        assert_eq!(table.read(MIDDLE), Ok(Flags::default()));
        assert_eq!(table.read(TYPES), Ok(cached));
        assert_eq!(top.read(TYPES).map_err(|(flags, _)| flags), Err(cached));
        assert!(file_says_cached(MIDDLE) && !file_says_cached(TYPES));
        assert_eq!(buildpack_api("x"), TYPES);
    }
}
