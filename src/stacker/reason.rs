//! Every reason and every error of this system, by code (stacker spec, section
//! 12), and how they become findings and errors.

use crate::error::{Error, Problem};
use crate::explain::{Finding, catalogue};
use crate::host::Failure;
use crate::prelude::*;

catalogue! {
    /// The codes of this system.
    pub enum Reason in "stacker" {
        Hit = "hit", "6", "the entry is what building the layer again would give, as far as is checked",
            "base: hit (entry 17043217650231)", "nothing to do";
        LayerNotDefined = "layer-not-defined", "6, 7", "no definition has this name",
            "lookup(\"app\") with definitions for base only", "check the name, or give the definition";
        NoEntry = "no-entry", "6", "the cache has no entry of this name",
            "first build of the layer, or its entry was pruned", "build the layer";
        DefinitionChanged = "definition-changed", "5, 6", "the definition is not the one the entry was made from",
            "run[0]: \"make\" became \"make all\"", "build the layer; look at both sides if nothing was meant to change";
        BaseChanged = "base-changed", "6, 7", "what the layer is built on has another hash than when the entry was made",
            "base: 1061267177615371691 became 18156184974963739211", "build the layer on the new base";
        EpochChanged = "source-date-epoch-changed", "6", "the entry was made with another SOURCE_DATE_EPOCH",
            "epoch: 0 became 1700000000", "build the layer, or set the epoch of the last build";
        ImportNew = "import-new", "6", "the entry has no record of this import",
            "the cache file was edited", "build the layer";
        ImportMissing = "import-missing", "6", "the copy of the import is not there",
            "imports/app/config.txt does not exist", "copy the imports before the lookup";
        ImportTypeChanged = "import-type-changed", "6", "the import was a file and is a directory, or the reverse",
            "type: file became directory", "build the layer";
        ImportDirChanged = "import-dir-changed", "6, 9.4", "the directory import is not what the entry was made from",
            "src/main.c: sha256digest differs", "build the layer; the changes name the files";
        ImportFileChanged = "import-file-changed", "6, 9.1", "the file import has other bytes or another mode",
            "hash: sha256:37.. became sha256:9a..", "build the layer";
        OverlayNew = "overlay-new", "6", "the entry has no record of this overlay directory",
            "the cache file was edited", "build the layer";
        OverlayMissing = "overlay-missing", "6", "the copy of the overlay directory is not there",
            "roots/app/overlay_dirs/etc does not exist", "build the layer";
        OverlayChanged = "overlay-changed", "6, 9.4", "an overlay directory is not what the entry was made from",
            "etc/passwd: mode differs", "build the layer; the changes name the files";
        BaseUnguarded = "base-unguarded", "7, T6", "only a 64-bit hash says what the layer was built on: no digest was kept beside the entry; a note, and a miss where the file of digests was lost",
            "an entry written by stacker itself", "nothing to do for entries that stacker wrote; entries that a put records are checked by SHA-256, too";
        ImportDestChanged = "import-dest-changed", "11", "an import with a destination has another content than when the layer was recorded; stacker would not notice",
            "hash: sha256:37.. became sha256:9a..", "build the layer; stacker itself needs a changed definition for that, such as the hash of the import";
        ImportBuiltAgain = "import-built-again", "13, 16", "the import comes out of a layer that is built again, and what it will be is known only then",
            "import stacker://tools/bin/make, and tools misses", "nothing to do; stacker uses the result if the import comes out as it was";
        ResultIncomplete = "result-incomplete", "4", "the manifest of the result is there, but its config or layers are not",
            "tar+false: blob sha256:4f.. is gone", "build the layer; the compatible reading, like stacker, uses a result that cannot be pulled";
        TypeMissing = "type-missing", "13", "the entry has no result of a layer type that is wanted, so stacker builds the layer all the same, and everything on top of it",
            "squashfs is wanted, the entry has tar+false", "build the layer with all types that are wanted";
        StandsOnCopy = "stands-on-copy", "13", "a source cannot be looked at from here, so the decision uses the copy that the last build made of it",
            "import http://example.com/x", "nothing to do; the build looks at the source first and may decide otherwise";
        BaseTagShared = "base-tag-shared", "7, 11", "bases with different addresses share one copy, and each build of one replaces what the other is compared with",
            "docker://a/x:1 and docker://b/y/x:2 are both kept as x", "give one of the images another name";
        SourceMissing = "source-missing", "13", "what a build copies before it decides does not exist, so the build would fail",
            "import /src/config.txt", "create it, or take it out of the stackerfile";
        ImportHashMismatch = "import-hash-mismatch", "13", "a file has another hash than its import demands, so the build would fail",
            "import ./f with a hash of last week", "correct the hash in the stackerfile, or the file";
        BaseForged = "base-forged", "7, T6", "the base has the recorded 64-bit hash but another SHA-256",
            "guard: 17ab.. became 90fe..", "treat the cache as tampered with; the compatible reading would have used it";
        BuildOnlyRootfsMissing = "build-only-rootfs-missing", "4", "the result of a build-only layer is gone, so its entry was dropped",
            "roots/tools does not exist", "build the layer";
        ManifestMissing = "manifest-missing", "4", "a manifest of the entry cannot be read from the image layout, so the entry was dropped",
            "tar+false: blob sha256:97.. not found", "build the layer";
        ResultUnknown = "result-unknown", "4", "the result of the entry cannot be looked at now; the entry is kept, but is no hit",
            "roots/tools: permission denied", "make it readable and open the cache again; the compatible reading would have dropped the entry";
        VersionMismatch = "version-mismatch", "4", "the cache file is of another version; it was deleted and the cache starts empty",
            "version 15 found, 16 wanted", "use one stacker version for one directory";
        CacheUnreadable = "cache-unreadable", "4, T20", "the cache file could not be read; it was kept under another name and the cache starts empty",
            "build.cache ends in the middle", "build; the compatible reading fails until somebody deletes the file";
        GuardUnreadable = "guard-unreadable", "T6", "the file with the digests of bases could not be read and counts as empty",
            "build.cache.guard ends in the middle", "build; layers on built bases miss once";
        CacheMemberMissing = "cache-member-missing", "11.4", "the cache file has no entries member; it counts as empty",
            "{\"version\":16}", "nothing to do; upstream crashes at its next put";
        EntryWithoutManifests = "entry-without-manifests", "11.3", "an entry without manifests was kept while others were pruned",
            "one of three entries was pruned", "nothing to do; upstream keeps or drops such an entry at random";
        Merged = "merged", "11.5, T21", "another program wrote the cache file meanwhile; both sides' entries were kept",
            "entries app and base came from the other writer", "nothing to do";
        ImportUnchecked = "import-unchecked", "11", "an import with a destination is neither recorded nor checked",
            "import /etc/motd with dest /etc/", "give the import a hash, so that a change is one of the definition; results that are recorded with a put are compared, too";
        BindsRebuild = "binds-rebuild", "13", "stacker builds layers with binds whatever the cache says, and then everything on top of them",
            "binds: /home/me/src", "nothing to do, or drop the bind";
        WeakBase = "weak-base", "7, T6", "only a 64-bit hash says what the layer was built on; the guarded reading also checks a SHA-256",
            "base: 1061267177615371691", "open the cache with the guarded reading";
        InputMissing = "input-missing", "T5", "an input of the decision was not stated",
            "SOURCE_DATE_EPOCH is neither set nor said to be unset", "state it";
        ReadCache = "read-cache", "4", "the cache file could not be opened or read",
            "build.cache: permission denied", "make it readable";
        ParseVersion = "parse-version", "4", "the cache file is no JSON, or its version is no integer",
            "an empty file after a crash", "delete the file, or open with the guarded reading";
        ParseCache = "parse-cache", "4", "the cache file has the right version but not its structure",
            "Manifests is a list", "delete the file, or open with the guarded reading";
        Io = "io", "9, 10", "a directory tree could not be read, or the cache file not written",
            "/src/etc: no such file or directory", "look at the path";
        Conflict = "conflict", "11.5, T21", "other writers changed the cache file at each try to save it",
            "eight tries", "try again";
        BaseNotCached = "base-not-cached", "7", "the layer is built on one that misses",
            "app is built on base, whose import changed", "build the base first";
        BaseCycle = "base-cycle", "11.2", "layers are built on each other",
            "a is built on b, b on a", "correct the definitions; upstream crashes here";
        UnknownLayerType = "unknown-layer-type", "7", "the version does not know this type of base",
            "from type zfs", "correct the type";
        UnsupportedBaseType = "unsupported-base-type", "7", "this type of base is not looked up by a tag",
            "from type tar", "ask for docker, oci or built bases only";
        HashFile = "hash-file", "9.1", "a file could not be hashed",
            "layer-bases/rootfs.tar: not found", "fetch the base again, or make the file readable";
        BadOciTag = "bad-oci-tag", "7", "the url of an oci base has no colon",
            "oci:dir", "write the url as directory:tag";
        InvalidReference = "invalid-reference", "7", "the tag is no valid reference name",
            "a//b", "correct the tag";
        OciLayout = "oci-layout", "7", "the layout of base images cannot be opened",
            "layer-bases/oci/oci-layout: not found", "fetch the base again";
        OciIndex = "oci-index", "7", "the index of the layout of base images cannot be read",
            "index.json ends in the middle", "fetch the base again";
        OciWalk = "oci-walk", "7", "what a tag names in the layout of base images cannot be read",
            "an index whose blob is gone", "fetch the base again";
        AmbiguousReference = "ambiguous-reference", "7", "a tag names no image, or several",
            "two manifests named centos", "remove the other image from the layout of base images";
        Stat = "stat", "6, 10", "the copy of an import or overlay directory could not be looked at",
            "imports/app/a: not a directory", "look at the path";
        WalkRootNotADirectory = "walk-root-not-a-directory", "9.2, 11.1", "what should be a directory tree is a file or a link",
            "overlay source /src/etc is a link", "name the directory itself; upstream crashes here";
        BadBase64 = "bad-base64", "9.4", "a recorded tree is not base64",
            "the cache file was edited", "delete the entry";
        SpecLineTooLong = "spec-line-too-long", "9.4", "a line of a recorded tree has 65,536 bytes or more",
            "a file with very long attributes", "shorten the attributes";
        BadSpecName = "bad-spec-name", "9.4", "a name in a recorded tree is not a valid encoding",
            "a\\qb", "delete the entry";
        BadLayerType = "bad-layer-type", "3.1", "a text is no layer type",
            "tar+true+x", "correct it";
        BadDefinition = "bad-definition", "3", "a definition is not one of this version",
            "run is a number", "correct the definition";
        UnsafeName = "unsafe-name", "2, T11",
            "a name in a definition would lead out of the directory that is kept for it",
            "layer ../other, import /src/.., overlay destination ../x",
            "correct the name; the compatible reading takes it as stacker does";
        BadManifests = "bad-manifests", "3", "the manifests given for a layer are not ones of this version",
            "size is a text", "correct them";
        BadValue = "bad-value", "8", "a value is not of the type that is named for it",
            "a Layer that is a list", "correct it";
        BadTime = "bad-time", "9.2", "the wall-clock time is not YYYY-MM-DDThh:mm:ss",
            "2024-03-05", "correct it";
        UnknownVersion = "unknown-version", "1", "cache versions 12 and 16 are known",
            "version 14", "name one of them";
    }
}

/// Why an operation ends in an error, with the findings behind it.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub error: Error,
    /// Root cause first; the last one is the error itself. None for a limit.
    pub causes: Box<[Finding]>,
}

impl Fault {
    /// A fault that needs no further evidence. The operation is filled in where
    /// the error leaves the session.
    pub fn new(code: Reason, subject: impl Into<String>, message: impl Into<String>) -> Self {
        let problem = Problem::new(code, String::new(), subject, message);
        let error = match code {
            Reason::LayerNotDefined | Reason::BaseNotCached | Reason::SourceMissing => {
                Error::NotFound(problem)
            }
            Reason::ParseVersion
            | Reason::ParseCache
            | Reason::OciLayout
            | Reason::OciIndex
            | Reason::OciWalk
            | Reason::BadBase64
            | Reason::SpecLineTooLong
            | Reason::BadSpecName => Error::Corrupt(problem),
            Reason::UnknownLayerType | Reason::UnsupportedBaseType | Reason::UnknownVersion => {
                Error::Unsupported(problem)
            }
            Reason::Conflict => Error::Conflict(problem),
            _ => Error::Invalid(problem),
        };
        Self::of(code, error)
    }

    /// A fault of an import.
    pub fn host(code: Reason, subject: impl Into<String>, failure: &Failure) -> Self {
        let problem = Problem::new(code, String::new(), subject, failure.message.clone());
        Self::of(code, problem.from_failure(failure))
    }

    /// A fault that is its own only cause.
    fn of(code: Reason, error: Error) -> Self {
        let cause = error
            .problem()
            .map(|problem| Finding::new(code, &problem.subject).hint(&problem.message));
        Self {
            error,
            causes: cause.into_iter().collect(),
        }
    }

    /// The error as the operation that was asked for returns it.
    pub fn at(&self, operation: &str) -> Error {
        let mut error = self.error.clone();
        match &mut error {
            Error::Invalid(problem)
            | Error::NotFound(problem)
            | Error::Corrupt(problem)
            | Error::Committed(problem)
            | Error::Conflict(problem)
            | Error::Denied(problem)
            | Error::Unsupported(problem)
            | Error::Host(problem) => operation.clone_into(&mut problem.operation),
            Error::LimitExceeded(excess) => operation.clone_into(&mut excess.operation),
            Error::Other(_) => {}
        }
        error
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self {
            error,
            causes: Box::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_complete() {
        let mut seen = BTreeSet::new();
        for code in Reason::ALL {
            let rule = code.rule();
            assert!(seen.insert(rule.code), "{} comes twice", rule.code);
            for text in [rule.section, rule.meaning, rule.example, rule.advice] {
                assert!(!text.is_empty(), "{}", rule.code);
            }
            assert!(
                !rule.meaning.ends_with('.') && !rule.advice.ends_with('.'),
                "{}",
                rule.code
            );
        }
    }

    #[test]
    fn errors_say_what_was_being_done() {
        let fault = Fault::new(Reason::BadOciTag, "dir", "the url has no tag");
        assert_eq!(
            fault.at("put").to_string(),
            "put \"dir\": the url has no tag"
        );
        assert_eq!(fault.causes[0].code, "stacker/bad-oci-tag");
    }
}
