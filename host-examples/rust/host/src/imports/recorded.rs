//! The imports as the linker has them: each call goes on to the state, and is
//! recorded where that is asked for.

use std::time::Instant;

use wasmtime::component::HasData;

use super::{State, wit};
use crate::record::{Plain as _, Recordable};
use wit::types::{Annotation, Descriptor, Failure};

/// Says that [`Recorded`] stands for the state.
pub struct Lends;

impl HasData for Lends {
    type Data<'a> = Recorded<'a>;
}

impl Lends {
    /// The imports of an instance.
    pub const fn of(state: &mut State) -> Recorded<'_> {
        Recorded(state)
    }
}

/// The imports of an instance.
pub struct Recorded<'a>(&'a mut State);

impl Recorded<'_> {
    /// Does something with the tape. That time is not the component's.
    fn tape<T>(&mut self, act: impl FnOnce(&mut crate::record::Tape) -> T) -> Option<T> {
        let tape = self.0.tape.as_mut()?;
        let since = Instant::now();
        let done = act(tape);
        self.0.waited += since.elapsed();
        Some(done)
    }
}

impl wit::types::Host for Recorded<'_> {}

/// The functions of an interface.
macro_rules! recorded {
    ($module:ident { $(fn $name:ident($($argument:ident: $ty:ty),*) $(-> $answer:ty)?;)* }) => {
        impl wit::$module::Host for Recorded<'_> {$(
            fn $name(&mut self, $($argument: $ty),*) $(-> $answer)? {
                let asked = self.tape(|tape| vec![$(Recordable(&$argument).value(tape.handles())),*]);
                let answer = wit::$module::Host::$name(self.0, $($argument),*);
                if let Some(asked) = asked {
                    self.tape(|tape| {
                        let answer = Recordable(&answer).value(tape.handles());
                        tape.import(stringify!($module), stringify!($name), &asked, answer.as_ref());
                    });
                }
                answer
            }
        )*}
    };
}

type Answers<T> = Vec<Result<T, Failure>>;

recorded!(image_store {
    fn get(ids: Vec<String>, want: wit::image_store::Facts, limit: u64)
        -> Answers<wit::image_store::Image>;
    fn resolve(references: Vec<String>, limit: u64) -> Answers<wit::image_store::Image>;
    fn children(parent: Option<String>) -> Result<Vec<String>, Failure>;
    fn set_parent(target: String, parent: String) -> Result<(), Failure>;
    fn create(parent: Option<String>, document: String, layer: Option<String>)
        -> Result<String, Failure>;
    fn records(wanted: Vec<wit::image_store::Selector>)
        -> Answers<Vec<wit::image_store::ImageRecord>>;
    fn documents(digests: Vec<String>, limit: u64) -> Answers<wit::image_store::Document>;
    fn labelled(labels: Vec<Annotation>) -> Answers<Option<Descriptor>>;
    fn put(documents: Vec<wit::image_store::Document>, records: Vec<wit::image_store::ImageRecord>)
        -> Result<(), Failure>;
});

recorded!(registry {
    fn locate(reference: String) -> Result<String, Failure>;
    fn resolve(references: Vec<String>) -> Answers<Vec<Descriptor>>;
    fn read(repository: String, wanted: Vec<Descriptor>, limit: u64) -> Answers<String>;
    fn has(repository: String, digests: Vec<String>)
        -> Result<Vec<wit::registry::Presence>, Failure>;
    fn write(
        repository: String,
        shelf: wit::registry::Shelf,
        media_type: String,
        document: String
    ) -> Result<Descriptor, Failure>;
    fn store(repository: String, layers: Vec<wit::registry::Transfer>)
        -> Answers<wit::registry::Stored>;
    fn retrieve(repository: String, layers: Vec<wit::registry::Retrieval>)
        -> Answers<wit::registry::Retrieved>;
    fn tag(reference: String, digest: String) -> Result<(), Failure>;
    fn delete(repository: String, digest: String) -> Result<(), Failure>;
});

recorded!(filesystem {
    fn stat(paths: Vec<String>, follow: bool, want: wit::filesystem::Facts)
        -> Answers<wit::filesystem::Entry>;
    fn list_names(directory: String) -> Result<Vec<String>, Failure>;
    fn read(paths: Vec<String>, limit: u64) -> Answers<wit::filesystem::Content>;
    fn walk(root: String, want: wit::filesystem::Facts, limit: u64)
        -> Result<Vec<wit::filesystem::Entry>, Failure>;
    fn hash(files: Vec<wit::filesystem::Hashing>) -> Answers<String>;
    fn write(changes: Vec<wit::filesystem::Change>) -> Answers<()>;
    fn rename(old: String, new: String) -> Result<(), Failure>;
    fn remove(paths: Vec<String>) -> Answers<()>;
});

recorded!(observer {
    fn log(level: wit::observer::Level, message: String, fields: Vec<Annotation>);
    fn progress(operation: String, item: String, done: u64, total: u64);
});
