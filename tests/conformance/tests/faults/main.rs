//! Every vector, with each import call failing in turn, in each way.
//!
//! A subject runs the vectors natively. Before each operation of a vector that
//! asks the host for anything, the operation is done over copies of what the
//! host has: once as it is, to count what is asked, then once for each thing
//! asked and each failure code, the thing failing with that code. A batch counts
//! as its items. What changes something fails twice: before it happened, and
//! after, as when the answer is lost.
//!
//! The codes are all 14, but for BuildKit and the recorded builds of Docker, where
//! they are those that the code tells apart. An operation that asks for many
//! things (32; 8 of stacker, 4 of BuildKit and the recorded builds) is not done
//! with every code for each: each fails in one way, the ways in turn.
//!
//! The law: no panic; an error names itself; a hit is a hit without the fault
//! too, if only when something else is not there; and a clean session over what
//! the failed one left behind gives the right answer. Nothing is drawn at random.
//!
//! What is allowed beside that: for stacker a miss afterwards, when opening had
//! dropped an entry that could not be looked at (stacker spec, section 4) or had
//! failed; for buildpacks metadata of any state of the clean run, of which only
//! the image's is looked at afterwards; for BuildKit a push with other findings.

#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]
#![expect(clippy::panic, reason = "a law that does not hold is a panic")]

mod buildkit;
mod buildpacks;
mod docker;
mod failing;
mod over;
mod stacker;

use std::path::Path;

use layerwise::error::Error;
use layerwise_conformance::current_case;

/// How many things an operation asks for that is tried with every code.
const SMALL: usize = 32;

/// A vector file.
fn vectors(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vectors")
        .join(name);
    layerwise_conformance::load(&path).expect("vector file")
}

/// Where a law did not hold.
#[track_caller]
fn broken(fault: &failing::Fault, law: &str, have: &dyn std::fmt::Debug) -> ! {
    panic!("{}: {fault:?}: {law}: {have:?}", current_case())
}

/// An error has a code, a limit or words.
#[track_caller]
fn typed(fault: &failing::Fault, error: &Error) {
    let named = match error {
        Error::LimitExceeded(excess) => !excess.limit.is_empty(),
        Error::Other(words) => !words.is_empty(),
        _ => error.problem().is_some_and(|problem| {
            problem.code.contains('/')
                && !problem.operation.is_empty()
                && !problem.message.is_empty()
        }),
    };
    if !named {
        broken(fault, "an error names itself", error);
    }
}
