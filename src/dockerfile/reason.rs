//! Why: every code of the `dockerfile` interface, with its catalogue entry
//! (Dockerfile spec, section 9).

use crate::explain::catalogue;
use crate::prelude::*;

/// A finding of this system.
pub type Finding = crate::explain::Finding<Reason>;

catalogue! {
    /// Why a builder refuses, what is not known of a step, and error codes.
    pub enum Reason in "dockerfile" {
        // The classes of a refusal.
        Parse = "parse", "2",
            "the Dockerfile cannot be parsed",
            "`FOO bar`, an instruction that does not exist",
            "correct the line";
        Value = "value", "4",
            "an argument has a value that its instruction or option does not allow",
            "EXPOSE 10-5, a range that ends before it begins",
            "correct the value; if it comes from a variable, look at the ARG or --build-arg";
        Platform = "platform", "5",
            "a platform is not one, or the engine cannot build for it",
            "--platform=bogus",
            "write a platform as os/architecture or os/architecture/variant";
        Stage = "stage", "5",
            "a stage has the name of an earlier one, or does not exist",
            "two stages with `AS build`",
            "give each stage its own name, and name an existing one";
        BaseNotFound = "base-not-found", "5",
            "the base image is not in this store, so the engine would pull it",
            "FROM app:1 before that image was built here",
            "pull or build the image first";
        CopySource = "copy-source", "7",
            "COPY or ADD has a source that is not there, or a destination that cannot hold it",
            "COPY conf /etc/ with `conf` in .dockerignore",
            "correct the path, or take the file out of .dockerignore";
        Ignore = "ignore-file", "8",
            "the client cannot read a pattern of .dockerignore",
            "a pattern with `[` and no `]`",
            "correct the pattern";
        NeedsBuildkit = "needs-buildkit", "4",
            "the option exists only in BuildKit",
            "RUN --mount=type=cache",
            "build with BuildKit, or leave the option out";
        NoImage = "no-image", "5",
            "the last stage makes no image",
            "FROM scratch and nothing after it",
            "add an instruction";

        // What is not known of a step.
        Unlent = "unlent-files", "7",
            "the step copies files that are not at hand, so its checksum is not known",
            "COPY --from of a stage that has to be built first",
            "build: the files of a stage can be compared once it is built, those of an address never before the engine downloads them";
        RandomName = "random-name", "8",
            "the client adds a random name to .dockerignore, so this checksum differs in every build",
            "docker build -f - . with COPY . /app and a .dockerignore",
            "put the Dockerfile into the context, or list .dockerignore in .dockerignore";
        ParentUnread = "parent-unread", "6",
            "the document of the parent image could not be read, so an option that the engine takes from its HEALTHCHECK is not known",
            "an image that was removed while the build was explained",
            "run it again";

        // Why a step missed.
        OtherClient = "other-client", "7.4",
            "the same files were copied before, but another client had packed them, and their checksum depends on the client",
            "built by the 20.10 client, then asked for as that of 29 packs the context",
            "build with the same client again, or once more with this one";

        // Errors of the exports.
        InvalidArgument = "invalid-argument", "1",
            "an argument of the call is not acceptable",
            "a base image whose document is no JSON",
            "pass what the interface describes";
        OutOfTurn = "out-of-turn", "1",
            "the call does not fit what the session waits for",
            "next before the outcome of the last step was told",
            "tell how the step went with report, and lend what is wanted with lend";
        HostFailed = "host-failed", "1",
            "an import failed",
            "a file of the context that cannot be read",
            "see the host's own words";
        UnknownVersion = "unknown-version", "10",
            "there are no rules for this version",
            "version 19.03",
            "use 29.9, 29, 26.0 or 20.10";
    }
}
