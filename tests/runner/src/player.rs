//! Answers the imports of an instance out of a transcript.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use layerwise_host::dynamic::Answers;
use serde_json::Value;

use crate::compare::first;
use crate::transcript::Import;

/// The imports that a call is to make, with their answers. Clones share them: one is
/// with the instance, the other with who makes its calls.
#[derive(Clone, Default)]
pub struct Player(Arc<Mutex<Coming>>);

#[derive(Default)]
struct Coming {
    imports: VecDeque<Import>,
    difference: Option<Difference>,
}

/// Where a replay departs from its transcript.
pub struct Difference {
    pub place: String,
    pub expected: String,
    pub actual: String,
}

impl Player {
    /// A call begins, which is to make these.
    pub fn begin(&self, imports: Vec<Import>) {
        self.lock().imports = imports.into();
    }

    /// The call ended: where it departed, if it did.
    pub fn end(&self) -> Option<Difference> {
        let mut coming = self.lock();
        let left = coming.imports.pop_front().map(|import| Difference {
            place: "import".to_owned(),
            expected: import.call,
            actual: "the call ended without it".to_owned(),
        });
        coming.difference.take().or(left)
    }

    fn lock(&self) -> MutexGuard<'_, Coming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for Player {
    fn answer(&mut self, name: &str, args: Vec<Value>) -> Result<Option<Value>, String> {
        let mut coming = self.lock();
        coming.answer(name, args).map_err(|difference| {
            coming.difference = Some(difference);
            "the replay departs from its transcript".to_owned()
        })
    }
}

impl Coming {
    /// The answer to a call, if it is the one that comes next.
    fn answer(&mut self, name: &str, args: Vec<Value>) -> Result<Option<Value>, Difference> {
        let other = |expected: &str| Difference {
            place: "import".to_owned(),
            expected: expected.to_owned(),
            actual: name.to_owned(),
        };
        let Some(import) = self.imports.pop_front() else {
            return Err(other("none is called any more"));
        };
        if import.call != name {
            return Err(other(&import.call));
        }
        let (then, now) = (Value::Array(import.args), Value::Array(args));
        match first(Some(&then), Some(&now)) {
            None => Ok(import.result),
            Some((path, expected, actual)) => Err(Difference {
                place: format!("{name}: args{path}"),
                expected,
                actual,
            }),
        }
    }
}
