//! Calls by name, with values as JSON.

use std::fmt;

use serde_json::Value;
use wasmtime::component::Val;

use crate::error::Error;
use crate::instance::Instance;
use crate::signatures::Signatures;
use crate::values::{Handles, Names, Written, number, read};

/// An instance whose functions are called by the names transcripts give them.
pub struct Dynamic<'a> {
    instance: Instance,
    signatures: &'a Signatures,
    handles: Handles,
}

/// Why a call was not made or not answered.
#[derive(Debug)]
pub enum Failed {
    /// There is no such export, its arguments are others, or a value is not of
    /// its type.
    Form(String),
    /// What became of the instance.
    Host(Error),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(message) => f.write_str(message),
            Self::Host(error) => error.fmt(f),
        }
    }
}

impl<'a> Dynamic<'a> {
    pub fn new(instance: Instance, signatures: &'a Signatures) -> Self {
        Self {
            instance,
            signatures,
            handles: Handles::default(),
        }
    }

    pub const fn instance(&mut self) -> &mut Instance {
        &mut self.instance
    }

    /// Calls an export; a function without a result answers nothing.
    pub fn call(&mut self, name: &str, args: &[Value]) -> Result<Option<Value>, Failed> {
        let signature = self.signatures.get(name).filter(|found| !found.imported);
        let Some(signature) = signature else {
            return Err(Failed::Form(format!("there is no export {name:?}")));
        };
        if signature.params.len() != args.len() {
            let (wanted, given) = (signature.params.len(), args.len());
            let message = format!("{name:?} takes {wanted} arguments, not {given}");
            return Err(Failed::Form(message));
        }
        let args: Vec<Val> = args
            .iter()
            .zip(&signature.params)
            .map(|(arg, ty)| read(arg, ty, Names::Contract, &self.handles))
            .collect::<Result<_, _>>()
            .map_err(|unfit| Failed::Form(format!("{name:?}: {unfit}")))?;
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
        let Some(answer) = answer.map_err(Failed::Host)? else {
            return Ok(None);
        };
        number(&answer, &mut self.handles);
        let written = serde_json::to_value(Written {
            value: &answer,
            handles: &self.handles,
            strings: None,
        });
        written
            .map(Some)
            .map_err(|error| Failed::Form(format!("{name:?}: {error}")))
    }

    /// Drops the handle of a resource.
    pub fn drop_resource(&mut self, number: u64) -> Result<(), Failed> {
        let resource = self.handles.forget(number);
        let resource =
            resource.ok_or_else(|| Failed::Form(format!("there is no resource {number}")))?;
        self.instance.drop_resource(resource);
        Ok(())
    }
}
