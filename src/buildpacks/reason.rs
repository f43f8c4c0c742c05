//! Why: every code of the `buildpacks` interface, with its catalogue entry
//! (Buildpacks spec, section 11).

use crate::explain::catalogue;
use crate::prelude::*;

catalogue! {
    /// Decisions, verdicts, notes and error codes.
    pub enum Reason in "buildpacks" {
        // Metadata of a layer.
        RestoredFromApp = "restored-from-app", "5.3",
            "the metadata of the previous application image is restored",
            "a launch layer of the last build",
            "nothing to do";
        RestoredFromCache = "restored-from-cache", "5.3",
            "the metadata of the cache is restored",
            "a layer that is only cached",
            "nothing to do";
        RestoredFromCacheOverApp = "restored-from-cache-over-app", "5.3",
            "the metadata of the cache replaces what the application image gave",
            "a layer with the launch flag in one and only the cache flag in the other",
            "nothing to do";
        RestoredFromCacheLaunchFallback = "restored-from-cache-launch-fallback", "5.3",
            "the cache knows a launch layer that the application image does not",
            "a build without a previous image, Platform API 0.14",
            "nothing to do";
        LaunchFalse = "launch-false", "5.3",
            "the layer is not part of the application image, so its metadata comes from the cache or not at all",
            "a layer with only the build flag",
            "set the cache flag to find the layer again";
        BuildWithoutCache = "build-without-cache", "5.3",
            "the layer is needed during the build but its content was not kept",
            "launch = true, build = true, cache = false",
            "set the cache flag";
        NotInCache = "not-in-cache", "5.3",
            "the layer should be in the cache and is not",
            "the first build with an empty cache",
            "see why the cache metadata is empty or lacks this layer";
        NotCachedInCache = "not-cached-in-cache", "5.3",
            "the cache lists the layer without the cache flag",
            "the buildpack set the flag after the cache was written",
            "build once more";
        CacheFalse = "cache-false", "5.3",
            "the cache lists the layer without the cache flag",
            "a hand-made cache image",
            "set the cache flag";
        LaunchInApp = "launch-in-app", "5.3",
            "the application image decides about a launch layer",
            "launch = true and cache = true in both",
            "nothing to do; see the decision about the application image's layer";
        LaunchNotInApp = "launch-not-in-app", "5.3",
            "below Platform API 0.14 a launch layer is only restored when the application image has it",
            "a build without a previous image, Platform API 0.13",
            "use Platform API 0.14, or name the previous image";
        SkipLayers = "skip-layers", "5.2",
            "layers were not looked at, as asked",
            "a build with -skip-layers",
            "leave -skip-layers out";
        BuildpackNotInGroup = "buildpack-not-in-group", "5.2",
            "the buildpack is not part of this build",
            "a buildpack that detected last time and not now",
            "nothing to do";
        ShadowedByEarlierEntry = "shadowed-by-earlier-entry", "5.2",
            "an earlier entry of the same buildpack counts",
            "metadata with one key twice",
            "rebuild the image; the metadata is hand-made";
        UnsafeLayerName = "unsafe-layer-name", "8",
            "the name is not a single path component, so it could name a file elsewhere",
            "../evil",
            "find out who wrote this metadata";
        ReservedLayerName = "reserved-layer-name", "8",
            "the name stands for a file of the buildpack itself",
            "the metadata of a layer named store would replace store.toml; guarded: also launch and build",
            "rename the layer";
        UnencodableMetadata = "unencodable-metadata", "8",
            "the metadata holds something that TOML cannot say",
            "a null inside a list",
            "remove the value from the layer's metadata";
        MetadataTooLarge = "metadata-too-large", "2.5",
            "the metadata file would be larger than the limit",
            "many tables below a very long name",
            "raise file-bytes if the metadata is yours";
        StoreRestored = "store-restored", "5.2",
            "store.toml is written from the application image",
            "a buildpack that keeps a token between builds",
            "nothing to do";
        StoreAbsent = "store-absent", "5.2",
            "the application image has no store for the buildpack",
            "a buildpack that keeps nothing",
            "nothing to do";

        // Summaries of a restore.
        Restored = "restored", "5.2",
            "metadata of at least one layer is restored",
            "3 of 5 layers",
            "nothing to do";
        NothingRestored = "nothing-restored", "5.2",
            "no layer's metadata is restored",
            "the first build",
            "read the root causes: a missing image, a cache that is not there, a flag that is not set";

        // Errors of a restore.
        InvalidBuildpackId = "invalid-buildpack-id", "8",
            "a buildpack id of the group cannot name a directory",
            "..",
            "correct group.toml";
        InvalidBuildpackApi = "invalid-buildpack-api", "8",
            "a Buildpack API of the group is not a version",
            "an empty text",
            "correct group.toml";
        InvalidPlatformApi = "invalid-platform-api", "1",
            "the Platform API is malformed, or does not exist",
            "an empty text; 0.99",
            "give a version such as 0.14";
        BuildpackIdCollision = "buildpack-id-collision", "8",
            "two ids of the group have one directory",
            "a/b and a_b",
            "rename one of the buildpacks";
        StoreTomlDecode = "store-toml-decode", "5.2",
            "a store.toml that is already there is not TOML",
            "a file cut short by a full disk",
            "remove the file";
        DirectoryUnreadable = "directory-unreadable", "5.2",
            "a buildpack's directory cannot be read",
            "a file in its place",
            "see the cause that the host gives";
        WriteFailed = "write-failed", "5.2",
            "a metadata file cannot be written",
            "no space left on the device",
            "see the cause that the host gives; restoring again repairs what was written";

        // Metadata of the cache image.
        Hit = "hit", "4.2",
            "the cache metadata was read",
            "2 buildpacks, 5 layers",
            "nothing to do";
        ImageNotFound = "image-not-found", "4.1",
            "there is no cache image under this name, or the credentials may not see it",
            "the first build",
            "build once; if there was a build before, check the credentials";
        ImageCorrupt = "image-corrupt", "4.2",
            "the cache image is damaged or incomplete, so its metadata is not believed",
            "a blob was deleted by the registry's garbage collection",
            "build once more: the next commit replaces the image";
        LabelMissing = "label-missing", "2.4",
            "the image has no metadata",
            "a name that stands for an ordinary image",
            "check the name";
        LabelMalformed = "label-malformed", "2.4",
            "the metadata cannot be read, so all of it counts as empty",
            "a flag given as a string",
            "find out what wrote the label; the next commit replaces it";
        CacheNotProvided = "cache-not-provided", "5.8",
            "no cache is configured",
            "a build without -cache-image",
            "name a cache image";
        Scope = "scope", "9",
            "the cache image belongs to another scope, or to none",
            "two applications share one tag",
            "use one tag for each application and architecture";

        // Layers of the cache image.
        LayerHit = "layer-hit", "4.2",
            "the layer was read and has the diff id asked for",
            "a cached layer",
            "nothing to do";
        LayerNotFound = "layer-not-found", "4.3",
            "the layer is not there",
            "a blob was deleted by the registry's garbage collection",
            "nothing to do; the buildpack makes the layer again";
        LayerTruncated = "layer-truncated", "4.3",
            "the layer ends early",
            "a broken connection",
            "nothing to do; the buildpack makes the layer again";
        LayerCorrupt = "layer-corrupt", "9",
            "the layer's bytes are not what their digest or diff id says",
            "a registry whose storage is damaged",
            "nothing to do; the buildpack makes the layer again";
        LayerOutsidePrefix = "layer-outside-prefix", "9",
            "the layer holds something outside its own directory",
            "etc/passwd in a cached layer",
            "find out who can write to the cache image";
        LayerReadFailed = "layer-read-failed", "4.3",
            "the layer cannot be read",
            "a malformed diff id, or a registry that returns an error",
            "see the cause";
        LayerReused = "layer-reused", "4.2",
            "the layer of the old image goes into the new one",
            "an unchanged layer",
            "nothing to do";
        ReuseFailed = "reuse-failed", "4.3",
            "the layer cannot be taken over",
            "a layer that the old image does not have",
            "add the layer instead";
        LayerAdded = "layer-added", "4.2",
            "the layer was stored and goes into the new image",
            "a changed layer",
            "nothing to do";
        LayerAlreadyStaged = "layer-already-staged", "4.4",
            "the new image has the layer already",
            "a layer that was reused and then added",
            "nothing to do";
        AddFailed = "add-failed", "4.3",
            "the layer cannot be stored",
            "a file that does not exist",
            "see the cause";
        LayerDiffMismatch = "layer-diff-mismatch", "9",
            "the file does not have the diff id that it should have",
            "a file that was changed while it was stored",
            "make the layer again";
        LayerTrusted = "layer-trusted", "4.2",
            "nothing was verified: the registry is trusted to have verified its blobs",
            "any layer, in the compatible reading",
            "retrieve the layer without a destination to hash it";
        LayerVerified = "layer-verified", "9",
            "the layer was hashed and has its diff id",
            "a layer of the cache image",
            "nothing to do";

        // Commit.
        CommittedAlready = "committed-already", "4.3",
            "the image was committed and cannot be changed any more",
            "a second commit",
            "open the image again";
        Saved = "saved", "4.4",
            "the new image is stored and the name stands for it",
            "a commit",
            "nothing to do";
        SaveFailed = "save-failed", "4.4",
            "the new image cannot be stored; the old one stands",
            "a registry that refuses the upload",
            "see the cause; committing again is safe";
        OriginalDeleted = "original-deleted", "4.4",
            "the old image was deleted",
            "a changed cache, Platform API below 0.13",
            "nothing to do";
        OriginalKeptSame = "original-kept-same", "4.4",
            "old and new image are the same",
            "a build that changed nothing",
            "nothing to do";
        OriginalKeptDisabled = "original-kept-disabled", "4.4",
            "deleting was not asked for",
            "Platform API 0.13 or above",
            "nothing to do; the registry's garbage collection removes the image";
        OriginalKeptAbsent = "original-kept-absent", "4.4",
            "there was no old image",
            "the first build",
            "nothing to do";
        OriginalKeptCompareFailed = "original-kept-compare-failed", "4.4",
            "whether old and new image differ is not known, so the old one was kept",
            "a registry that returned an error",
            "see the cause";
        OriginalKeptMoved = "original-kept-moved", "9",
            "the name stood for another image than the one opened, so nothing was deleted",
            "two builds at the same time",
            "use one tag for each build that runs at the same time";
        OriginalKeptScope = "original-kept-scope", "9",
            "the old image belongs to another scope, so it was not deleted",
            "two applications share one tag",
            "use one tag for each application and architecture";
        OriginalDeleteFailed = "original-delete-failed", "4.4",
            "the old image cannot be deleted",
            "a registry that does not delete",
            "see the cause; the new image is in place";

        // Errors of a cache image.
        AccessFailed = "access-failed", "4.1",
            "what the name stands for cannot be read",
            "a registry that is not reachable",
            "see the cause";
        InvalidReference = "invalid-reference", "4.1",
            "the name is not an image reference",
            "a name with a space",
            "correct the name";
        ScopeRequired = "scope-required", "9",
            "the guarded reading needs to know whose cache it is",
            "an empty scope",
            "give a scope, such as the application's name and architecture";
        InvalidDestination = "invalid-destination", "9",
            "a layer's prefix is not a path inside its root",
            "a prefix with ..",
            "give the directory of the layer";
        MetadataUnserializable = "metadata-unserializable", "2.3",
            "the metadata cannot be written as a label",
            "a number that is not finite",
            "correct the metadata";
        UnknownVersion = "unknown-version", "0",
            "the rules of this version are not known",
            "--compatible=0.1",
            "name 0.21 or 0.13";

        // Restoring layer data.
        DataRestored = "data-restored", "7",
            "the layer's content is taken from the cache",
            "metadata and cache agree on the sha",
            "nothing to do";
        DataRemovedNotInCache = "data-removed-not-in-cache", "7",
            "the layer is removed: the cache does not have it",
            "a layer left by a build before",
            "nothing to do; the buildpack makes the layer again";
        DataRemovedWrongSha = "data-removed-wrong-sha", "7",
            "the layer is removed: the cache has another version of it",
            "the cache was written by another build than the application image",
            "nothing to do; the buildpack makes the layer again";
        DataNotCached = "data-not-cached", "7",
            "the layer is left as it is: its content is not kept in the cache",
            "a launch layer",
            "nothing to do";
        DataSkippedReadError = "data-skipped-read-error", "7",
            "the layer's content could not be read from the cache, and the build goes on without it",
            "a blob was deleted by the registry's garbage collection",
            "let the build make the layer and write the cache again; the compatible reading leaves its metadata, which a buildpack may take for a whole layer";
        DataFailed = "data-failed", "7",
            "the layer's content cannot be restored",
            "no space left on the device",
            "see the cause";

        // Writing the cache.
        CachedReused = "cached-reused", "7",
            "the cache has the layer already",
            "an unchanged layer",
            "nothing to do";
        CachedAdded = "cached-added", "7",
            "the layer goes into the cache",
            "a new or changed layer",
            "nothing to do";
        CachedAgain = "cached-again", "9",
            "the lifecycle puts a reused layer into the image a second time",
            "any reused layer, in the compatible reading",
            "nothing to do; the guarded reading keeps one copy";
        NotCachedNoContents = "not-cached-no-contents", "7",
            "the layer has metadata but no content",
            "a layer that was not restored and not made again",
            "nothing to do";
        NotCachedError = "not-cached-error", "7",
            "the layer could not be stored, so it is left out",
            "a file that vanished",
            "see the cause";
        NotCachedFlag = "not-cached-flag", "7",
            "the layer does not have the cache flag",
            "a launch layer",
            "set the cache flag to keep it";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once() {
        let mut codes = BTreeSet::new();
        for reason in Reason::ALL {
            let rule = reason.rule();
            assert_eq!(rule.code.parse(), Ok(*reason));
            assert!(codes.insert(rule.code), "{} twice", rule.code);
            for text in [rule.section, rule.meaning, rule.example, rule.advice] {
                assert!(!text.is_empty(), "{}", rule.code);
            }
        }
        assert!("hit".parse::<Reason>().is_err());
    }
}
