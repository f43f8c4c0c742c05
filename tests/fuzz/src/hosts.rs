//! The hosts' own readers of what strangers made: archives of layers, image
//! layout directories, answers of registries.

mod answers;
mod archives;
mod ground;
mod layouts;

pub use answers::answers;
pub use archives::archives;
pub use layouts::layouts;
