//! Why: every code of the `buildkit` interface, with its catalogue entry
//! (BuildKit spec, section 10).

use crate::error::{Error, Problem};
use crate::explain::catalogue;
use crate::prelude::*;

/// One reason, see [`crate::explain::Finding`].
pub type Finding = crate::explain::Finding<Reason>;

catalogue! {
    /// Findings about caches and exports, verdicts on lookups, error codes.
    pub enum Reason in "buildkit" {
        // The manifest.
        ManifestNotJson = "manifest-not-json", "7.1",
            "the manifest is not JSON of a manifest's form",
            "a reference that names an HTML error page",
            "check the reference; export the cache again";
        ManifestAmbiguous = "manifest-ambiguous", "7.1",
            "the manifest is an image and a list at once",
            "both layers and manifests are there",
            "do not use it: two readers can see two caches in it";
        ManifestMismatch = "manifest-mediatype-mismatch", "7.1",
            "the manifest's media type is one of another shape",
            "an OCI index type on a document with layers",
            "do not use it; export the cache again";
        ManifestUntyped = "manifest-mediatype-missing", "7.1",
            "the manifest names no media type, so its kind was inferred",
            "a list of manifests without mediaType",
            "export the cache with a newer version";
        ManifestUnknown = "manifest-mediatype-unknown", "7.1",
            "the manifest's media type is unknown, so its kind was inferred",
            "mediaType x/y",
            "export the cache with a newer version";
        ManifestKind = "manifest-kind", "7.1",
            "the form of the manifest",
            "an OCI image manifest",
            "nothing to do";
        IndexWithLayers = "index-with-layers", "11",
            "a list of manifests that lists layers, which many registries refuse",
            "ECR, Quay, older Harbor and Nexus return 400 or 404",
            "export with image-manifest=true";
        ConfigMissing = "config-missing", "7.1",
            "no entry has the type of a cache config",
            "an ordinary image",
            "check the reference; an inline cache is in the image's own config";
        ImageWithoutCache = "image-without-cache", "7.1",
            "an image of the index has no inline cache, and others have",
            "one platform that was built without --cache-to type=inline",
            "nothing, unless steps for its platform are to hit";
        InlineCountsDiffer = "inline-counts-differ", "7.1",
            "an image's manifest has another number of layers than its config, so importers pass it over",
            "a manifest that lost a layer",
            "push the image again";
        InlineResultsLost = "inline-results-lost", "7.1",
            "layers of an image that no result of its inline cache reaches: the results that had them were left out when the image was exported",
            "an image exported with compression=zstd, whose cache names layers of gzip",
            "export the image with the compression its layers have, or the cache with type=registry";
        ConfigMultiple = "config-multiple", "7.1",
            "more than one cache config is listed, of which the last one is read",
            "two configs in an index",
            "export the cache again";
        ConfigBlobMissing = "config-blob-missing", "10",
            "the cache config is not in the repository",
            "it was garbage collected",
            "export the cache again";
        LayerBlobMissing = "layer-blob-missing", "10",
            "a layer that results need is not there: from a registry builders show such a step as CACHED and then fail the build (when the layer is an inner one, once a later step changes); from a local directory (type=local) they run the step again",
            "a blob removed by a registry's clean-up",
            "write the cache anew without these results, `layerwise buildkit export NEW --from OLD`; then only the steps that need the layer run again";
        LayerLeftOut = "layer-left-out", "5.2",
            "a layer is not at its source, so the results that need it are left out of the export",
            "a blob removed by a registry's clean-up",
            "nothing, when that is the aim of exporting anew; else build again and export";
        DigestMismatch = "digest-mismatch", "7.1",
            "bytes do not have the digest they are kept under",
            "a config edited in place",
            "do not use it: the store is broken or somebody changed it";
        NotUtf8 = "not-utf-8", "7.2",
            "the document is not UTF-8, so it cannot be checked here; Go's readers put U+FFFD in place of each wrong byte",
            "a digest with the byte FF in it",
            "export the cache again";
        UncompressedMismatch = "uncompressed-mismatch", "6.2",
            "the uncompressed bytes of a layer have another digest than its containerd.io/uncompressed says",
            "a layer that was compressed again from other bytes",
            "do not use it: builders keep the layer under the wrong name; write the cache anew from a build";
        SizeMismatch = "size-mismatch", "10",
            "bytes do not have the size their descriptor says",
            "a config of 262 bytes listed with 3",
            "export the cache again";
        SizeZero = "size-zero", "6.4",
            "a layer is listed with size 0, which cannot be exported again",
            "size 0 in a descriptor",
            "export the cache from a build that made the layer";
        TooLarge = "too-large-to-import", "7.1",
            "larger than the 1 MiB that readers accept",
            "a config of 4,000 records",
            "export fewer records: mode=min, or one cache for each target";
        NearLimit = "near-import-limit", "11",
            "above 80 percent of the 1 MiB that readers accept",
            "a config of 900,000 bytes",
            "plan for smaller caches: mode=min, or one cache for each target";
        WrongMediaType = "wrong-media-type", "6.3",
            "a layer's media type is unknown or of another family than the manifest's",
            "an encrypted layer",
            "nothing, if the importing side knows the type";
        NoUncompressed = "no-uncompressed-annotation", "6.2",
            "a layer without the digest of its uncompressed bytes; importers cannot recognise it as one they have",
            "containerd.io/uncompressed is missing",
            "export with a current exporter";
        LayerUndescribed = "layer-undescribed", "7.1",
            "a layer of a config without a manifest that does not describe itself",
            "a layer without annotations or without its diffID",
            "importers refuse the cache; export it again, or give the config of a registry cache by its manifest";
        BadCreated = "bad-createdat", "6.2",
            "a layer's creation time does not parse",
            "buildkit/createdat is yesterday",
            "export with a current exporter";
        DescriptorConflict = "descriptor-conflict", "5.3",
            "one digest comes with descriptors that differ in type, size or uncompressed digest; the last one counts",
            "two sizes for one blob",
            "find out which exporter wrote the wrong one";
        DuplicateListing = "duplicate-layer-listing", "6.1",
            "a blob is listed more than once",
            "one blob on top of two others",
            "nothing to do";
        UnlistedBlob = "unlisted-blob", "7.3",
            "a result's layer is not in the manifest: importers drop the result and run the step again",
            "a manifest that lost an entry",
            "export the cache again";
        OrphanListing = "orphan-listing", "10",
            "a listed blob that no layer entry names",
            "a manifest edited by hand",
            "nothing to do; the blob costs space only";
        // The config.
        OrphanLayer = "orphan-layer", "10",
            "a layer entry that no result reaches",
            "the record that had it is gone",
            "nothing to do; the blob costs space only";
        DuplicateLayer = "duplicate-layer", "5.3",
            "two layer entries with the same blob and parent",
            "layers 3 and 7",
            "export with a current exporter";
        LayerParentRange = "layer-parent-range", "7.3",
            "a layer's parent is not in the list",
            "parent 99 of 5 layers",
            "readers refuse the cache where a result uses the layer; export it again";
        LayerIndexRange = "layer-index-range", "7.3",
            "a result's layer is not in the list",
            "layer 5 of 5",
            "readers refuse the cache; export it again";
        LayerCycle = "layer-cycle", "7.3",
            "layers are their own parents",
            "entry 0 without parent, which means parent 0",
            "readers refuse the cache; export it again";
        DanglingLink = "dangling-link", "7.3",
            "a link leads to a record that is not there",
            "link 7 of 3 records",
            "readers refuse the cache; export it again";
        RecordCycle = "record-cycle", "7.3",
            "links lead from records back to themselves",
            "record 1 links 2, record 2 links 1",
            "readers refuse the cache; export it again";
        EmptyInput = "empty-input", "7.3",
            "an input without links",
            "inputs [[]]",
            "readers refuse the cache; export it again";
        NullInput = "null-input", "9",
            "an input that is null, as an exporter writes it that merged records into a loop",
            "inputs [null]",
            "readers refuse the cache; clear the local cache of the exporting side and export again";
        RandomRecord = "random-record", "2",
            "a record that is never kept",
            "digest random:x",
            "nothing to do";
        RandomLink = "random-link", "7.3",
            "a link from a record that is never kept",
            "a record on top of random:x",
            "readers refuse the cache; export it again";
        DuplicateRecord = "duplicate-record", "2",
            "records that become one when the cache is imported",
            "two records of one digest on the same source",
            "nothing to do; numbers of records differ after import";
        MergeLoop = "merge-loop", "9",
            "a link was dropped, since merging records would have closed a loop",
            "record 5 is record 1, and links what stands on record 1",
            "nothing to do here; other readers may lose records or crash on this cache";
        ArityMismatch = "arity-mismatch", "2",
            "records with different numbers of inputs became one",
            "a record with one input merged into one with two",
            "nothing to do";
        RecordWithoutResult = "record-without-result", "10",
            "a record without a usable result",
            "an intermediate step with mode=min",
            "nothing to do; with mode=min this is normal";
        ModeMin = "mode-min", "11",
            "this is a mode=min export: most steps of other stages have keys and no results, so they run again once the last stage needs them",
            "mod=max, which builders pass over without a word",
            "for results of every step export with mode=max, and check its spelling";
        NoRootSelector = "no-root-selector", "7.4",
            "no link has the selector of an exec's root (sha256 of /): builders from 0.16 on ask with it, those of 0.12 and before did not write it",
            "a cache written by 0.8 or 0.12",
            "if the build has RUN steps, every RUN misses in current builders: build once without this cache and export again";
        LinksLost = "links-lost", "7.4",
            "links that importers from 0.25 to 0.32 may lose while they store the cache, leaf after leaf; 0.33 keeps them",
            "a base that two steps of one leaf stand on, stored before with another leaf",
            "import with 0.33 or newer where steps miss at random";
        ResultDropped = "result-dropped", "9",
            "a usable result was set aside",
            "two results of one instant",
            "open the session with strict-results or fall-back";
        MergeConflict = "merge-conflict", "2",
            "two of the merged caches have different results for one key; that of the earlier one is kept, whatever time the other names",
            "the caches of two builders that each ran the step",
            "give the cache you trust most first; leave out one you do not trust";
        UnreachableRecord = "unreachable-record", "10",
            "no lookup can reach the record: an input has no source that can be reached",
            "a record on top of a refused one",
            "see the finding about its source";
        TieOrder = "tie-order", "5.4",
            "upstream leaves the order of these entries open",
            "two records of one digest with equal sources",
            "nothing to do; identical builds can have different bytes there";
        NotCanonical = "not-canonical", "10",
            "exporting the same records gives other bytes",
            "fields in another order",
            "nothing to do";
        DuplicateId = "duplicate-id", "4",
            "two records get one name in the importer's key storage, so that one hides the other",
            "a digest made to look like a name",
            "do not use it: this does not happen by chance";
        BadJson = "bad-json", "7.2",
            "not JSON of the form that is due",
            "a config cut off in the middle",
            "export the cache again";
        BadTime = "bad-time", "7.2",
            "a time that is not RFC 3339",
            "createdAt yesterday",
            "export the cache again";
        UnknownField = "unknown-field", "7.2",
            "a member that no reader knows",
            "foo in a record",
            "nothing to do";
        DuplicateKey = "duplicate-key", "7.2",
            "a member comes twice; the last one counts",
            "digest twice in one record",
            "do not trust it: readers of other kinds see another cache";
        CaseFoldedKey = "case-folded-key", "7.2",
            "a member is written in other letter case, which Go's readers accept",
            "RECORDS",
            "do not trust it: readers of other kinds see another cache";
        NumberForm = "number-form", "7.2",
            "a number that is not a plain integer",
            "link 1e0",
            "readers refuse the cache; export it again";
        OddDigest = "odd-digest", "10",
            "a digest that is not an algorithm, a colon and hex",
            "hello",
            "nothing, for a record; a blob of such a digest cannot be fetched";
        LimitExceeded = "limit-exceeded", "10",
            "a limit of this session was met",
            "records above 250,000",
            "open with a higher limit";
        // Lookups and comparisons.
        Hit = "hit", "7.4",
            "the cache has records for this lookup",
            "one record behind the link",
            "nothing to do";
        Miss = "miss", "7.4",
            "the cache has no record for this lookup",
            "no link with this selector",
            "see the nearest link";
        UnknownRecord = "unknown-record", "7.4",
            "the record the lookup starts from is not in the cache",
            "an id of another cache",
            "look the source up first";
        DigestUnknown = "digest-unknown", "7.4",
            "no record of the cache has the digest that was asked for",
            "the instruction or its base changed; or a vertex digest as --progress=rawjson prints it, which names a definition and is no cache digest",
            "ask with the cache digest of the step, or with the digest of its files and output -1; `layerwise buildkit inspect --records` lists what the cache has";
        DigestOfRecord = "digest-of-record", "1",
            "what was asked for is the digest of a record; lookups ask with the digest of a vertex, and a record's is SHA-256 of VERTEX@OUTPUT",
            "a digest out of `inspect --records`",
            "the record is there; to ask as a builder does, give the cache digest of the vertex";
        DigestElsewhere = "digest-elsewhere", "7.4",
            "records with the digest exist, on top of other sources",
            "the same instruction on another base",
            "find out why the source differs";
        LinkDiffers = "link-differs", "7.4",
            "a link from the same record that differs",
            "selector /a instead of /b",
            "compare what the step takes from its source";
        Undeliverable = "undeliverable", "10",
            "all inputs can be reached, and a result has a layer that is not there",
            "a record whose layer was removed",
            "see the finding about the layer";
        Hittable = "hit-able", "10",
            "all inputs can be reached and a complete result is there",
            "a record with its layers",
            "nothing to do";
        KeyOnly = "key-only", "10",
            "the record can be reached and offers nothing itself",
            "an intermediate step with mode=min",
            "nothing to do";
        Same = "same", "10",
            "no build parts from one cache to the other",
            "two exports of one build",
            "nothing to do";
        Different = "different", "10",
            "builds part from one cache to the other",
            "a step that changed",
            "see the first finding";
        RecordChanged = "record-changed", "10",
            "another record stands at the same place",
            "an instruction with another digest on the same source",
            "this is where the builds parted";
        RecordAdded = "record-added", "10",
            "only the second cache has the record",
            "a new step",
            "this is where the builds parted";
        RecordRemoved = "record-removed", "10",
            "only the first cache has the record",
            "a step that is gone",
            "this is where the builds parted";
        ResultChanged = "result-changed", "10",
            "the same record has another result",
            "a step that does not give the same bytes twice",
            "make the step reproducible, or expect this layer to be copied again";
        // Errors.
        EmptyDependency = "empty-dependency", "2",
            "an input of a record has no link",
            "inputs [[]]",
            "leave the record out, or give the input a source";
        NilDependency = "nil-dependency", "2",
            "a link starts at nothing",
            "a source that was refused",
            "leave the record out";
        ForeignDependency = "foreign-dependency", "2",
            "a link starts at a record of another session",
            "a handle of another exporter",
            "add the source to this session first";
        NoSuchRecord = "no-such-record", "3.1",
            "no record of the session has the handle",
            "handle 7 of 3 records",
            "use the handles that adding gave";
        OtherRules = "other-rules", "3",
            "the rules of the session do not have the call",
            "setting a result by the newest rules",
            "open the session with another version";
        UnknownVersion = "unknown-version", "1",
            "the version is not one whose rules are known",
            "0.1",
            "leave it out for the newest rules";
        BadAttribute = "bad-attribute", "6.6",
            "the value of an attribute is not a bool",
            "oci-mediatypes=yes",
            "use true or false";
        UnwritableTime = "unwritable-time", "5.5",
            "the time of a result has no RFC 3339 text",
            "an offset of 24 hours",
            "correct the time of the result";
        OciRequired = "oci-required", "6.1",
            "an image manifest needs OCI media types",
            "image-manifest=true,oci-mediatypes=false",
            "leave oci-mediatypes out";
        SourceUnknown = "source-unknown", "5.2",
            "the source of layers does not say which it has",
            "a registry that is not reachable",
            "try again";
        LayerWrite = "layer-write", "6.4",
            "a layer could not be copied",
            "a registry that denies the upload",
            "see the cause; nothing refers to what was copied";
        ConfigWrite = "config-write", "6.4",
            "the config could not be written",
            "a registry that denies the upload",
            "see the cause; nothing refers to what was copied";
        ManifestWrite = "manifest-write", "6.4",
            "the manifest could not be written",
            "a registry that refuses a list of layers",
            "export with image-manifest=true";
        LoopingRecord = "looping-record", "7.3",
            "a record needs itself, or one that was refused",
            "record 0 links 0",
            "export the cache again";
        InvalidRecord = "invalid-record-id", "7.3",
            "a link leads to a record that is not there",
            "link 7 of 3 records",
            "export the cache again";
        LoopingLayer = "looping-layer", "7.3",
            "layers are their own parents",
            "entry 0 without parent",
            "export the cache again";
        InvalidLayer = "invalid-layer-index", "7.3",
            "a layer is not in the list",
            "layer 5 of 5",
            "export the cache again";
        AddFailed = "add-failed", "7.3",
            "a record could not be added",
            "a link from a record that is never kept",
            "export the cache again";
        Unreadable = "unreadable", "7.1",
            "a document could not be read",
            "a registry that is not reachable",
            "try again; check the credentials";
    }
}

/// Findings as they leave the system.
pub(crate) fn texts(findings: Vec<Finding>) -> Vec<crate::explain::Finding> {
    findings.into_iter().map(Finding::text).collect()
}

/// The error for an argument that is not acceptable.
pub(crate) fn invalid(
    code: Reason,
    operation: &str,
    subject: &str,
    message: impl Into<String>,
) -> Error {
    Error::Invalid(Problem::new(code, operation, subject, message))
}
