//! The steps that made an image, as far as a store still tells, and what each
//! of them would hit today.
//!
//! A history entry keeps the text of its command only. The container config of
//! a step is in the image that the step made: of a recorded parent, while the
//! store has it. What a builder asked, as far as that tells it, is the component's to
//! say; here the images are found and read.

mod ask;
mod base;
mod document;
mod parents;
mod read;

pub use ask::{Verdict, ask};
pub use base::{Base, FIND_BASE};
pub use read::{Recorded, RecordedStep, Start, read};
