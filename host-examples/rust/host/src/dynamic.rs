//! Calls by name, with values as JSON: for tools that know the functions of the
//! contract only when they run, such as those that play transcripts again.
//!
//! ```
//! use layerwise_host::dynamic::Functions;
//! use layerwise_host::{Engine, Imports, SessionLimits};
//! use serde_json::json;
//!
//! let functions = Functions::of(&Engine::new(&Default::default())?)?;
//! let mut session = functions.open(Imports::default(), SessionLimits::default())?;
//! assert_eq!(functions.contract(), "layerwise:cache@0.1.0");
//! let unknown = session.call("docker#nothing", &[json!("an argument")]).unwrap_err();
//! assert_eq!(unknown.to_string(), r#"there is no export "docker#nothing""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use wasmtime::component::{InstancePre, Linker, Val};

use crate::engine::Engine;
use crate::error::Error;
use crate::imports::{Imports, State};
use crate::instance::{Instance, SessionLimits};
use crate::signatures::{Signature, Signatures};
use crate::values::{Handles, Names, Written, number, read};

pub use crate::imports::Answers;

/// The functions of a component by the names that transcripts give them, such as
/// `docker#open` or `docker#[method]session.lookup`.
#[derive(Clone)]
pub struct Functions {
    engine: Engine,
    signatures: Arc<Signatures>,
    /// The component with imports that ask [`Answers`].
    answered: InstancePre<State>,
}

impl Functions {
    /// Those of the component that an engine runs.
    ///
    /// # Errors
    /// [`Error::Engine`] if the imports of the component cannot be linked.
    pub fn of(engine: &Engine) -> Result<Self, Error> {
        let signatures = Arc::new(Signatures::of(engine.pre.component()));
        let answered = link(engine, &signatures)
            .map_err(|error| Error::Engine(format!("the imports do not fit: {error:#}")))?;
        Ok(Self {
            engine: engine.clone(),
            signatures,
            answered,
        })
    }

    /// The package of the contract and its version, such as `layerwise:cache@0.1.0`.
    #[must_use]
    pub fn contract(&self) -> &str {
        self.signatures.component()
    }

    /// Opens a fresh instance with the imports it may use.
    ///
    /// # Errors
    /// [`Error::Engine`] if the component cannot be started, [`Error::Stopped`] if that
    /// takes longer than the limits allow.
    pub fn open(&self, lent: Imports, limits: SessionLimits) -> Result<Session, Error> {
        Ok(self.session(Instance::new(&self.engine, lent, limits)?))
    }

    /// Opens a fresh instance each of whose imports is answered by `answers`. Its calls
    /// are not recorded.
    ///
    /// # Errors
    /// As [`Functions::open`].
    pub fn open_with(
        &self,
        answers: impl Answers + 'static,
        limits: SessionLimits,
    ) -> Result<Session, Error> {
        let answers = Box::new(answers);
        let instance = Instance::answered(&self.engine, &self.answered, answers, limits)?;
        Ok(self.session(instance))
    }

    fn session(&self, instance: Instance) -> Session {
        Session {
            instance,
            signatures: Arc::clone(&self.signatures),
            handles: Handles::default(),
        }
    }
}

/// An instance of the component whose functions are called by name.
pub struct Session {
    instance: Instance,
    signatures: Arc<Signatures>,
    handles: Handles,
}

/// Why a call was not made, or returned nothing.
#[derive(Debug)]
pub enum CallError {
    /// There is no such export, the number of arguments is wrong, or a value is not of
    /// its type.
    Form(String),
    /// An import was not answered by [`Answers`], or with a value that is not of the
    /// type of its result.
    Unanswered(String),
    /// The instance was stopped, or had been stopped before.
    Host(Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(message) | Self::Unanswered(message) => f.write_str(message),
            Self::Host(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}

impl Session {
    /// Calls an export with values in the form of `tests/TRANSCRIPTS.md`; a resource is
    /// `{"resource": N}`, by the order in which they appeared. Returns `None` if the
    /// function has no result.
    ///
    /// # Errors
    /// [`CallError`]. A refusal of the component is a result, `{"err": ...}`.
    pub fn call(&mut self, name: &str, args: &[Value]) -> Result<Option<Value>, CallError> {
        let signature = self.signatures.get(name).filter(|found| !found.imported);
        let Some(signature) = signature else {
            return Err(CallError::Form(format!("there is no export {name:?}")));
        };
        if signature.params.len() != args.len() {
            let (wanted, given) = (signature.params.len(), args.len());
            let message = format!("{name:?} takes {wanted} arguments, not {given}");
            return Err(CallError::Form(message));
        }
        let args: Vec<Val> = args
            .iter()
            .zip(&signature.params)
            .map(|(arg, ty)| read(arg, ty, Names::Contract, &self.handles))
            .collect::<Result<_, _>>()
            .map_err(|unfit| CallError::Form(format!("{name:?}: {unfit}")))?;
        if let Some(tape) = self.instance.tape() {
            tape.begin_dynamic(name, &args);
        }
        let answer = self.instance.call_dynamic(signature, &args);
        if let Some(tape) = self.instance.tape() {
            match &answer {
                Ok(answer) => tape.end_dynamic(answer.as_ref()),
                Err(error) => tape.stopped(error),
            }
        }
        if let Some(message) = self.instance.unanswered() {
            return Err(CallError::Unanswered(message));
        }
        let Some(answer) = answer.map_err(CallError::Host)? else {
            return Ok(None);
        };
        number(&answer, &mut self.handles);
        written(&answer, &self.handles)
            .map(Some)
            .map_err(|error| CallError::Form(format!("{name:?}: {error}")))
    }

    /// Drops a resource by its number.
    ///
    /// # Errors
    /// [`CallError::Form`] if there is no such resource, or it was dropped before.
    pub fn drop_resource(&mut self, number: u64) -> Result<(), CallError> {
        let resource = self.handles.forget(number);
        let resource =
            resource.ok_or_else(|| CallError::Form(format!("there is no resource {number}")))?;
        self.instance.drop_resource(resource);
        Ok(())
    }
}

/// A value as JSON, with whole strings.
fn written(value: &Val, handles: &Handles) -> Result<Value, serde_json::Error> {
    serde_json::to_value(Written {
        value,
        handles,
        strings: None,
    })
}

/// Links every import to the instance's [`Answers`].
fn link(engine: &Engine, signatures: &Arc<Signatures>) -> wasmtime::Result<InstancePre<State>> {
    let mut linker: Linker<State> = Linker::new(engine.pre.engine());
    let imports = signatures.iter().filter(|(_, function)| function.imported);
    for (name, signature) in imports {
        let (name, all) = (name.to_owned(), Arc::clone(signatures));
        let mut interface = linker.instance(&signature.interface)?;
        interface.func_new(&signature.function, move |mut store, _, args, results| {
            let state = store.data_mut();
            let answer = match (all.get(&name), &mut state.answers) {
                (Some(signature), Some(answers)) => answer(&mut **answers, &name, signature, args),
                _ => Err("nothing answers it".to_owned()),
            };
            match (answer, results) {
                (Ok(Some(value)), [result]) => *result = value,
                (Ok(None), []) => {}
                (Err(message), _) => {
                    state.unanswered = Some(format!("{name}: {message}"));
                    return Err(wasmtime::format_err!("{name} was not answered"));
                }
                _ => return Err(wasmtime::format_err!("{name} has another type")),
            }
            Ok(())
        })?;
    }
    linker.instantiate_pre(engine.pre.component())
}

/// The result of one call of an import, as its type has it.
fn answer(
    answers: &mut dyn Answers,
    name: &str,
    signature: &Signature,
    args: &[Val],
) -> Result<Option<Val>, String> {
    // Imports of this contract take and return no resources.
    let handles = Handles::default();
    let args = args.iter().map(|value| written(value, &handles));
    let args: Result<Vec<Value>, _> = args.collect();
    let args = args.map_err(|error| format!("its arguments cannot be written: {error}"))?;
    match (&signature.result, answers.answer(name, args)?) {
        (None, None) => Ok(None),
        (Some(ty), Some(result)) => read(&result, ty, Names::Contract, &handles)
            .map(Some)
            .map_err(|unfit| format!("the answer does not fit: {unfit}")),
        (Some(_), None) => Err("it has a result, and the answer has none".to_owned()),
        (None, Some(_)) => Err("it has no result, and the answer has one".to_owned()),
    }
}
