//! Why: every code of the `builds` interface, with its catalogue entry.

use crate::explain::catalogue;
use crate::prelude::*;

catalogue! {
    /// Error codes of reading builds.
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
    }
}
