//! Why: every code of the `docker` interface, with its catalogue entry (Docker
//! spec, section 9).

use crate::explain::catalogue;
use crate::prelude::*;

/// A finding of this system.
pub type Finding = crate::explain::Finding<Reason>;

/// An explanation of this system.
pub type Explanation = crate::explain::Explanation<Reason>;

catalogue! {
    /// Verdicts on candidates, summaries of steps, notes and error codes.
    pub enum Reason in "docker" {
        // Summaries of a step.
        HitLocal = "hit-local", "4.1",
            "a child of the parent is the result of this step",
            "COPY hits sha256:4e\u{2026}, built here from the same config",
            "nothing to do";
        HitSourceExact = "hit-source-exact", "4",
            "the step is the last one of a source, which is the result",
            "the last instruction of the image named with --cache-from",
            "nothing to do; the source gets the parent recorded as its parent";
        HitSourceRestored = "hit-source-restored", "4.3",
            "the result was made out of a source's history entry",
            "step 2 of 5 of the image named with --cache-from",
            "nothing to do; later steps look at this source only";
        MissNoConfig = "miss-no-config", "4.1",
            "no container config was given, so nothing can be compared",
            "a lookup with a null config",
            "pass the config the step would commit";
        MissNoCandidates = "miss-no-candidates", "4.1",
            "the parent has no children and there are no sources",
            "the first build on a fresh machine",
            "build once, or name an image with --cache-from";
        MissAllRejected = "miss-all-rejected", "9",
            "there were candidates and each was rejected",
            "three children, all with another Cmd",
            "read the verdict of the nearest candidate";
        MissLocalNotAncestor = "miss-local-not-ancestor", "4",
            "a child matched but no source descends from it, so it was not used",
            "--cache-from names an image from another machine",
            "leave --cache-from out to use the local cache";
        MissNoUsableSource = "miss-no-usable-source", "3",
            "names were given with --cache-from and none of them could be used",
            "--cache-from app:latest before the first push",
            "pull the image first or check the name; without --cache-from the local cache is used";
        Failed = "failed", "4",
            "the lookup itself fails, which aborts the build",
            "a child's document cannot be read",
            "see the finding that names the thing that cannot be read";
        NotAskedStageAlreadyMissed = "not-asked-stage-already-missed", "7",
            "an earlier step of this stage missed, so the builder does not ask",
            "step 4, when step 3 missed",
            "look at the first miss of the stage";
        NotAskedDisabled = "not-asked-disabled", "7",
            "the build was told not to use the cache",
            "docker build --no-cache",
            "leave --no-cache out";

        // Verdicts on children.
        Selected = "selected", "4.1",
            "the newest child that matches",
            "the only child with this config",
            "nothing to do";
        DiscardedNotAncestor = "discarded-not-ancestor", "4",
            "the matching child was not used, because no source descends from it",
            "a local image while --cache-from names a pulled one",
            "leave --cache-from out to use the local cache";
        Unreadable = "unreadable", "4.1",
            "the document of this child cannot be read, which fails the step",
            "a port range such as 8000-8010/tcp in its ExposedPorts",
            "remove the image, or open with skip-unreadable";
        UnreadableSkipped = "unreadable-skipped", "8 H6",
            "the document of this child cannot be read; it was passed over, as asked or because it was not built here",
            "a damaged file in the image database",
            "remove the image";
        NotReached = "not-reached", "4.1",
            "not looked at, because an earlier child failed the step",
            "the child after an unreadable one",
            "see the failure";
        LocalCheckFailed = "local-check-failed", "4.1",
            "whether this child was built here cannot be read, so it was passed over",
            "a store without that record",
            "rebuild the image here";
        NotBuiltLocally = "not-built-locally", "4.1",
            "this child was not built here: pulled, loaded and restored images are not used",
            "a pulled image without a parent, asked for FROM scratch (CVE-2024-24557)",
            "build it here, or name it with --cache-from if you trust it";
        NoPlatform = "no-platform", "4.1",
            "this child names neither an operating system nor an architecture",
            "an image made by a very old engine",
            "rebuild the image";
        PlatformMismatch = "platform-mismatch", "6",
            "this child is for another platform than the build",
            "linux/arm64 while building for linux/amd64",
            "build for that platform with --platform";
        ConfigMismatch = "config-mismatch", "5.1",
            "the container config differs; every differing field is listed",
            "Env[1] has PATH=/a, PATH=/b was asked for",
            "undo the change of the fields named";
        CreatedMissing = "created-missing", "4.1",
            "this child matches but has no creation time, so it cannot be chosen",
            "an image made with a fixed, absent time",
            "rebuild the image";
        NotNewest = "not-newest", "4.1",
            "this child matches, and so does a newer one",
            "two builds of the same step with --no-cache",
            "nothing to do; prune the older image if it is not needed";

        // Verdicts on sources.
        Exact = "exact", "4",
            "the step is the last entry of this source",
            "the last instruction of the Dockerfile",
            "nothing to do";
        Restore = "restore", "4.3",
            "the step is an entry inside this source's history",
            "the second instruction of the Dockerfile",
            "nothing to do";
        SourceNotReached = "source-not-reached", "4",
            "not looked at, because an earlier candidate was used or the step failed",
            "the second --cache-from name, when the first was used",
            "nothing to do";
        Unresolved = "unresolved", "3",
            "no image is found under this name; the name was passed over",
            "--cache-from app:latest on a machine that never pulled it",
            "pull the image first";
        DroppedByStick = "dropped-by-stick", "4",
            "an earlier step was restored from another source, and later steps look at that one only",
            "--cache-from a --cache-from b, where a was used for step 2",
            "name the source that covers most steps first";
        NoHistory = "no-history", "5.3",
            "this source has no history",
            "an image made with docker import",
            "use an image made by a builder as source";
        HistoryNotLonger = "history-not-longer", "5.3",
            "the parent has at least as many history entries as this source",
            "a source that is the parent itself",
            "name an image built on top of the parent";
        ParentHasMoreLayers = "parent-has-more-layers", "5.3",
            "the parent has more layers than this source",
            "a squashed source",
            "name an image that was not squashed";
        HistoryMismatch = "history-mismatch", "5.3",
            "the history of this source leaves the parent's at the entry named",
            "history[0].created differs: the base image was rebuilt",
            "build on the same base image as the source";
        LayerMismatch = "layer-mismatch", "5.3",
            "the layers of this source leave the parent's at the layer named",
            "rootfs.diff_ids[0] differs: a step before gave other files",
            "make the earlier step reproducible, or build on the source's layers";
        CommandMismatch = "command-mismatch", "5.2",
            "this source continues the parent with another command",
            "RUN apt-get update, where RUN make was asked for",
            "check the instruction, its build arguments and the files it copies";
        ConfigMissing = "config-missing", "8 H2",
            "no container config was given, so this source cannot be compared",
            "a lookup with a null config",
            "pass the config the step would commit";
        SourceUntrusted = "source-untrusted", "8 H17",
            "the guarded reading uses only sources whose writer the opener vouches for",
            "--cache-from a public image that was not named as trusted",
            "name it as trusted if you trust whoever can push it";
        SourcePlatformMismatch = "source-platform-mismatch", "8 H8",
            "this source is for another platform than the build",
            "an amd64 image as --cache-from of an arm64 build",
            "name a source for the same platform";
        LayerIndexOutOfRange = "layer-index-out-of-range", "8 H1",
            "the history of this source has more entries with a layer than it has layers",
            "a hand-made image",
            "do not use it as a source";
        LayerIndexDisagrees = "layer-index-disagrees", "8 H3",
            "the layer this entry would give is not the one after the parent's layers",
            "a base made with docker import: layers without history",
            "use a base whose history tells its layers";
        EmptyLayerDigest = "empty-layer-digest", "8 H19",
            "the layer of this entry has an empty digest",
            "a hand-made image",
            "do not use it as a source";
        TimeNotEncodable = "time-not-encodable", "8 H13",
            "a time in the restored history has an offset of a day or more, which cannot be written",
            "created 2024-01-01T00:00:00+24:00",
            "do not use it as a source";

        // The ancestor test of a local match.
        Ancestor = "ancestor", "4.2",
            "this source descends from the matching child",
            "a source that was built here",
            "nothing to do";
        ChainEnd = "chain-end", "4.2",
            "the parent links of this source end without meeting the matching child",
            "a pulled image, which has no parent link",
            "leave --cache-from out to use the local cache";
        LinkUnreadable = "link-unreadable", "4.2",
            "a parent link of this source cannot be read, which counts as its end",
            "a removed intermediate image",
            "rebuild the source";
        AncestryCycle = "ancestry-cycle", "8 H4",
            "the parent links of this source run in a circle, which counts as not an ancestor",
            "two images that are each other's parent",
            "repair the links of the store";

        // Notes on an answer.
        LabelQuirk = "label-quirk", "8 H10",
            "the labels differ, but a label that is missing counts as one that is empty",
            "{\"a\":\"\"} where {\"b\":\"\"} was asked for",
            "open guarded to compare labels exactly";
        VariantLost = "variant-lost", "8 H9",
            "the restored image does not name the variant of its source's platform",
            "arm/v6 becomes arm, which means v7",
            "set the variant when the image is pushed";
        Tie = "tie", "8 H5",
            "several matching children have the same creation time",
            "two builds with a fixed time stamp",
            "nothing to do; the guarded reading takes the smallest id, upstream any";
        RestoredCommand = "restored-command", "4.3",
            "the command of the restored image is that of the build step, and its entrypoint is lost (moby#37273)",
            "Cmd [\"/bin/sh\", \"-c\", \"rm -f /tmp/x\"]; as the last step of a build, the image would run that",
            "as long as a step follows nothing is wrong; as the last one, leave --cache-from out or end the Dockerfile as the source ends";
        WholeIndex = "whole-index", "14.5",
            "this source is an index: an exact hit would hand over all its images, those for other platforms too",
            "a multi-platform image as --cache-from, whose last instruction is the step",
            "name the image of one platform by its digest, or build the last step anew";
        RestoreMetadataStep = "restore-metadata-step", "14.5",
            "an engine with the containerd image store cannot restore a step without a layer: the build ends there",
            "ENV in the middle of the image named with --cache-from",
            "leave --cache-from out, or use a storage driver's image store";
        RestoreNameTaken = "restore-name-taken", "14.5",
            "an engine with the containerd image store cannot restore a step that it restored before: the build ends there",
            "the second build with the same --cache-from; moby-dangling@sha256:\u{2026} is left of the first",
            "remove the restored image with docker rmi, or leave --cache-from out";
        RestoreLayerUnknown = "restore-layer-unknown", "14.5",
            "an engine with the containerd image store has no content that is known to be this layer: the build ends there",
            "an image for another platform as --cache-from, which is not unpacked",
            "name a source for the machine's platform, or leave --cache-from out";
        NoMarks = "no-marks", "12",
            "the engine that made these images writes no built-here marks (before 23.0.10, 24.0.9 and 25.0.2)",
            "docker_version 20.10.24 in the documents, and no mark anywhere",
            "--compatible=20.10 is the reading of such an engine";
        HidesLongerChain = "hides-longer-chain", "4.1",
            "an older image leads to a hit for this step, but of equal images the newest is used, and it does not",
            "a build with --no-cache that failed at its second step",
            "remove the newer image, or name the older one with --cache-from";
        UsableAsSource = "usable-as-source", "4",
            "this image does the step, but it was pulled, loaded or made elsewhere, so only --cache-from can use it",
            "app:1, pulled from a registry, and its Dockerfile built here",
            "name it with --cache-from; the guarded reading also wants --trust";
        UnknownArm64Variant = "unknown-arm64-variant", "8 H18",
            "no image matches this variant of arm64, not even an identical one",
            "linux/arm64/v10",
            "build for arm64 or a variant from v8 to v9.7";

        // What is known of the steps that made an image.
        ConfigUnknown = "config-unknown", "7",
            "the store does not have the image that this step made, so nothing but the command is known of what it asked",
            "an image that was pulled, or whose steps were pruned",
            "a local miss may be due to the unknown fields; hits from sources are right";
        FilledIn = "filled-in", "7",
            "this step never finds what it made: it leaves open what its parent has, and the engine filled that in (moby#37643)",
            "ENTRYPOINT [] on a base with an entrypoint; HEALTHCHECK NONE, or with some of the options of an inherited one",
            "put it last, use a base without what it empties, or name all options; with --cache-from it is found";
        Committed = "committed", "7",
            "docker commit or docker import made this image: no instruction of a Dockerfile asks for it",
            "docker commit $(docker run -d base make)",
            "write the step as an instruction and build it";
        HealthcheckUnread = "healthcheck-unread", "7",
            "the options that this HEALTHCHECK names cannot be read, and the stored ones were filled in",
            "a history entry of an unknown form",
            "ask about the step itself with `docker explain`";
        BuiltByBuildkit = "built-by-buildkit", "9",
            "BuildKit built this image: the classic builder uses none of it, and BuildKit's own cache is elsewhere",
            "history entries with the comment buildkit.dockerfile.v0",
            "look at BuildKit's cache with `layerwise buildkit`, or build with DOCKER_BUILDKIT=0";
        BaseByHistory = "base-by-history", "5.3",
            "no parent of this image is known, as of all that were pulled or loaded, or whose parent was pruned; its base was found by history and layers",
            "app:1 and its base image, both pulled",
            "only --cache-from can use a pulled or loaded image; --base names another base";
        NoRecordedParent = "no-recorded-parent", "2",
            "no parent is recorded for this image, as for all that were pulled or loaded, and no image here is its base",
            "app:1, pulled without its base image",
            "only --cache-from can use such an image; pull the base, or name it with --base";

        // Errors.
        InvalidArgument = "invalid-argument", "4",
            "an argument of the call is not acceptable",
            "a config that is not JSON",
            "correct the argument";
        UnknownVersion = "unknown-version", "12",
            "the rules of this version are not known",
            "--compatible=17.03",
            "name 29.9, 29, 26.0 or 20.10";
        OpenCancelled = "open-cancelled", "3",
            "the host cancelled while names were resolved",
            "an interrupted build",
            "open again";
        OpenDeadline = "open-deadline", "3",
            "the host's deadline passed while names were resolved",
            "a slow registry",
            "open again with more time";
        ChildUnreadable = "child-unreadable", "4.1",
            "the document of a child cannot be read",
            "a damaged file in the image database",
            "remove the image, or open with skip-unreadable";
        ChildrenUnreadable = "children-unreadable", "2",
            "the children of the parent cannot be listed",
            "a data root without permission to read",
            "see the cause that the host gives";
        ParentUnreadable = "parent-unreadable", "4",
            "the document of the parent cannot be read",
            "an image that was removed meanwhile",
            "pull or build the parent again";
        SetParentFailed = "set-parent-failed", "4",
            "the parent link of the result cannot be recorded",
            "a read-only store",
            "use plan, or a store that can be written";
        RestoreFailed = "restore-failed", "4.3",
            "the restored image cannot be stored",
            "no space left on the device",
            "see the cause that the host gives";
    }
}
