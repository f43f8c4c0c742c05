//! Every code of builds, with its catalogue entry (Builds spec).

use crate::explain::catalogue;
use crate::prelude::*;

catalogue! {
    /// Why a step ran again, and error codes.
    pub enum Reason in "builds" {
        PredicateForm = "predicate-form", "2",
            "the document is not a predicate or statement of the form BuildKit writes",
            "an input that is no earlier step",
            "give the predicate of the build: `docker buildx history inspect attachment`";
        NoDefinition = "no-definition", "2",
            "the document says nothing of the steps of the build",
            "provenance with mode=min, or by kaniko, Buildah or Podman",
            "give the record of the build, or build with --provenance=mode=max";
        UnknownOperation = "unknown-operation", "2",
            "a step of a kind that is not known here",
            "a record of a newer BuildKit",
            "read the record with a newer version";
    }
}
