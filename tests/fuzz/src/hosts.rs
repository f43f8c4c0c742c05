//! The hosts' own readers of what strangers made: archives of layers, image
//! layout directories, answers of registries, bolt databases.

mod answers;
mod archives;
mod bolt;
mod ground;
mod layouts;

pub use answers::answers;
pub use archives::archives;
pub use bolt::bolt;
pub use layouts::layouts;
