//! Why: every code of the `builds` interface, with its catalogue entry.

use crate::explain::catalogue;
use crate::prelude::*;

/// One reason, see [`crate::explain::Finding`].
pub type Finding = crate::explain::Finding<Reason>;

catalogue! {
    /// Error codes of reading builds, causes, and what is predicted.
    pub enum Reason in "builds" {
        Unreadable = "unreadable", "1",
            "a document of a build is not what it should be",
            "a log that ends inside a response",
            "export the record again: docker buildx history export";
        FolderUnreadable = "folder-unreadable", "1.4",
            "a folder of the client could not be read",
            "a context that is not there any more",
            "name the directory that the build had as its context";
        NothingGiven = "nothing-given", "1",
            "no document of a build is there",
            "a layout that leads to no record",
            "name a .dockerbuild file, provenance with mode=max, or a log of --progress=rawjson";
        SeveralBuilds = "several-builds", "1.1",
            "the file is of several builds",
            "a metadata file of bake with two targets",
            "name one of them";
        NoDefinition = "no-definition", "1.3",
            "the provenance has no definition of the steps, which only mode=max has",
            "an image built with the default --provenance",
            "read the record of the build instead (docker buildx history export), or build with --provenance=mode=max";
        NoProvenance = "no-provenance", "1.1",
            "the image has no provenance, so nothing is known of its build",
            "an image built with --provenance=false",
            "read the record of the build instead (docker buildx history export), or build with --provenance=mode=max";
        OtherBuilder = "other-builder", "1.1",
            "the image was built by something that keeps no record of a build",
            "an image by kaniko, Buildah or Podman",
            "build with BuildKit to have a record";
        // How a step ended.
        StepFailed = "step-failed", "5",
            "the step failed, and the build with it",
            "a command that ended with another code than 0",
            "mend what the message says; what stands above it came from the cache or is there now";
        StepCanceled = "step-canceled", "5",
            "the step was stopped: somebody cancelled the build, or another step failed",
            "ctrl-c in the middle of RUN",
            "build again, or look for the step that failed";
        // Why a step ran.
        DefinitionChanged = "definition-changed", "6.3",
            "the definition of the step is another one than before",
            "a build argument in scope, which stands in the environment of every later RUN",
            "move what changes often behind what is slow: an ARG below the last RUN that does not need it";
        ContentChanged = "content-changed", "6.3",
            "files that the step copies or mounts are others than before",
            "COPY . . with the Dockerfile in it",
            "copy only what the step needs, or leave the files out with .dockerignore";
        BaseMoved = "base-moved", "6.3",
            "the image has other layers under the same name",
            "a tag that was pushed again",
            "name the image by its digest, and move it when you mean to";
        SourceChanged = "source-changed", "6.3",
            "a repository or a file of the web is not what it was",
            "a branch with a new commit",
            "name a commit or give a checksum, and move it when you mean to";
        SourceOther = "source-other", "6.3",
            "another source is named",
            "FROM with another image",
            "nothing, if it is meant";
        SourceNew = "source-new", "6.3",
            "no source like it was there before",
            "the image for another platform",
            "nothing, if it is meant";
        NewStep = "new-step", "6.3",
            "no step was like it before",
            "a line that was inserted",
            "nothing, if it is meant; a line further down makes fewer steps run again";
        ParentChanged = "parent-changed", "6.3",
            "the step stands on another step than before, which itself is known",
            "a line above that was removed or moved",
            "keep the order of lines, and put new ones further down";
        NoCache = "no-cache", "6.3",
            "the request asks that the step runs",
            "--no-cache, or --no-cache-filter with its stage",
            "leave the option out";
        FilesUnknown = "files-unknown", "6.3",
            "the step takes files of the client, and which of them changed is not known; nothing else of it did",
            "two .dockerbuild files, which have no digests of files",
            "name the context, --context DIR, and compare with the root of the daemon as it was before (root:DIR)";
        DockerfileCopied = "dockerfile-copied", "6.6",
            "the step copies the folder that the Dockerfile usually lies in, and the Dockerfile changed; which other files did is not known",
            "COPY . . after an edit of any line of the Dockerfile, a comment too",
            "leave the Dockerfile out with .dockerignore, or copy only what the step needs";
        ResultLost = "result-lost", "6.3",
            "every key is known, and the result is gone",
            "a prune, or the daemon's garbage collection",
            "raise what the daemon may keep (gc in buildkitd.toml), or export the cache";
        ResultPruned = "result-pruned", "6.8",
            "every key is known, and the result is gone; the garbage collection of the daemon did not take it",
            "docker buildx prune, or docker system prune in a nightly job",
            "prune less: --filter until=240h, --keep-storage; or export the cache";
        ResultNotImported = "result-not-imported", "6.3",
            "every key is known, and the cache that was used never had the result",
            "a cache exported with mode=min, or of another image or platform",
            "export the cache with mode=max, and name it with --cache-from";
        KeyOnly = "key-only", "6.7",
            "the cache has the key of the step and no result",
            "a step of another stage than the last, in a cache exported with mode=min",
            "export the cache with mode=max";
        LayerLost = "layer-lost", "6.7",
            "the cache names a layer that its registry or directory does not have any more",
            "a clean-up of the registry: builders show the step as cached, and fail when they need the layer",
            "write the cache anew without it: layerwise buildkit export NEW --from OLD";
        OtherPlatform = "other-platform", "6.7",
            "the cache is of a build for another platform",
            "a cache of linux/arm64, imported for linux/amd64",
            "export a cache for each platform, under names of their own";
        OtherVersion = "other-version", "6.7",
            "the cache was written by a version that makes other keys",
            "every RUN of a cache by buildkitd 0.12",
            "export the cache with the version that imports it";
        OtherBuild = "other-build", "6.7",
            "the cache has no step of this build",
            "the cache of another image, or a name that was typed wrong",
            "name the cache that this build exported";
        EngineVersion = "engine-version", "3.8",
            "the version that made the earlier build has another form of the key",
            "every RUN of a cache by buildkitd 0.12",
            "build once, and export the cache with the new version";
        Follows = "follows", "6.3",
            "the step stands on one that ran",
            "every step below a changed COPY",
            "mend the cause that it follows";
        Again = "again", "6.3",
            "the step stands on one that was asked to run, and runs once more",
            "the first step of a stage built FROM a stage named with --no-cache-filter",
            "nothing; it is cached the next time";
        // What a hit tells.
        SameBytes = "same-bytes", "6.1",
            "a step below ran again and gave the same bytes, so that this one is cached and the cascade ends here",
            "COPY --from of a file that was built again without change",
            "nothing; it is what makes stages worth their while";
        EqualBytes = "equal-bytes", "6.1",
            "the step names another path, and the bytes there are the same",
            "COPY b/f with the bytes that a/f has",
            "nothing";
        Unseen = "unseen", "6.1",
            "a file changed and kept size and time, so that the daemon did not see it and the result is stale",
            "a file written anew by a tool that restores its time",
            "touch the file, or build with --no-cache-filter";
        SameLayers = "same-layers", "3.5",
            "the image has another digest and the same layers",
            "a tag that was pushed again after a build without changes",
            "nothing; it is no miss";
        // Before a build.
        KnownHit = "known-hit", "7",
            "the cache has the step, or nothing needs it",
            "an unchanged step",
            "nothing";
        UnknownDefinition = "unknown-definition", "7",
            "the cache has no step with this definition",
            "a command that was changed",
            "compare the build with the one that made the cache: layerwise buildkit why";
        UnknownInputs = "unknown-inputs", "7",
            "the cache has the step on other inputs only",
            "a file that was changed",
            "compare the build with the one that made the cache: layerwise buildkit why";
        BytesDecide = "bytes-decide", "7",
            "what a step that has to run gives decides",
            "COPY --from of a stage that runs again",
            "nothing; it is known when that step has run";
        NotRecorded = "not-recorded", "3.7",
            "the record does not tell what the key is made from",
            "ADD of an address without --checksum",
            "give a checksum or a commit";
    }
}
