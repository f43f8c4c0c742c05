//! Taking down the calls of one instance.

use std::cell::RefCell;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wasmtime::component::{Component, ResourceAny, Type, Val};

use super::{Instance, Recorder};
use crate::error::{Error, Stop};
use crate::signatures::{Signature, Signatures};
use crate::values::{Handles, Names, Strings, Unfit, Written, number, read};

/// A recorder, with what the types of one component's functions are.
#[derive(Clone)]
pub struct Recording {
    recorder: Recorder,
    signatures: Arc<Signatures>,
}

impl Recording {
    pub fn new(recorder: &Recorder, component: &Component) -> Self {
        let signatures = Signatures::of(component);
        Self {
            recorder: recorder.clone(),
            signatures: Arc::new(signatures),
        }
    }

    /// Where a new instance's calls go.
    pub fn tape(&self) -> Tape {
        let (name, file) = {
            let recorded = self.recorder.lock();
            let file = recorded.directory.as_deref().map(new_file);
            (recorded.name.clone(), file)
        };
        let recorder = match &file {
            Some(_) => Recorder::new(),
            None => self.recorder.clone(),
        };
        let recording = Self {
            signatures: Arc::clone(&self.signatures),
            recorder,
        };
        let instance = {
            let mut recorded = recording.recorder.lock();
            self.signatures
                .component()
                .clone_into(&mut recorded.component);
            recorded.instances.push(Instance {
                name,
                calls: Vec::new(),
            });
            recorded.instances.len() - 1
        };
        Tape {
            recording,
            instance,
            handles: Handles::default(),
            call: None,
            file,
        }
    }

    /// The recorder.
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

/// The calls of one instance.
pub struct Tape {
    recording: Recording,
    instance: usize,
    handles: Handles,
    call: Option<Call>,
    /// The file for this instance alone.
    file: Option<PathBuf>,
}

impl Drop for Tape {
    fn drop(&mut self) {
        if let Some(file) = &self.file
            && let Err(error) = self.save(file)
        {
            let _ = writeln!(io::stderr(), "no transcript at {}: {error}", file.display());
        }
    }
}

impl Tape {
    /// Writes the file; under the next number that is free when somebody has it.
    fn save(&self, file: &Path) -> io::Result<()> {
        let directory = file.parent().unwrap_or(Path::new("."));
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory)?;
        let recorder = &self.recording.recorder;
        let mut done = recorder.save_new(file);
        while done
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::AlreadyExists)
        {
            done = recorder.save_new(&new_file(directory));
        }
        done
    }
}

/// A file for the next instance of this process.
fn new_file(directory: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    directory.join(format!("{}-{count}.json.gz", process::id()))
}

/// One call, as it is written.
#[derive(Serialize)]
struct Call {
    call: String,
    args: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<Stop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imports: Option<Vec<Self>>,
}

/// What was not taken down.
type Lost = String;

impl Tape {
    pub const fn handles(&mut self) -> &mut Handles {
        &mut self.handles
    }

    /// A call of an export begins.
    pub fn begin(
        &mut self,
        (interface, kind): (&str, Option<&str>),
        call: &str,
        asked: &[Option<Value>],
    ) {
        let interface = contract(interface.trim_start_matches("layerwise_cache_"));
        let call = contract(call.trim_start_matches("call_"));
        let name = match kind {
            Some(kind) => format!("{interface}#[method]{}.{call}", contract(kind)),
            None => format!("{interface}#{call}"),
        };
        let begun = self.asked(&name, asked);
        let begun = begun.and_then(|values| self.call(&name, &values));
        self.begun(begun);
    }

    /// A call of an export begins that is known by its name.
    pub fn begin_dynamic(&mut self, name: &str, args: &[Val]) {
        let begun = self.call(name, args);
        self.begun(begun);
    }

    fn begun(&mut self, begun: Result<Call, Lost>) {
        self.call = self.keep(begun).map(|call| Call {
            imports: Some(Vec::new()),
            ..call
        });
    }

    /// The call that began is answered.
    pub fn end(&mut self, answer: Option<&Value>) {
        if let Some(mut call) = self.call.take() {
            let answer = self.answer(&call.call, answer);
            call.result = self.keep(answer).flatten();
            self.push(&call);
        }
    }

    /// The call that began is answered, with a value if it has a result.
    pub fn end_dynamic(&mut self, answer: Option<&Val>) {
        if let Some(mut call) = self.call.take() {
            if let Some(answer) = answer {
                number(answer, &mut self.handles);
                let answer = self.raw(&call.call, answer);
                call.result = self.keep(answer);
            }
            self.push(&call);
        }
    }

    /// The call that began was stopped.
    pub fn stopped(&mut self, error: &Error) {
        if let (Some(mut call), Error::Stopped { stop, .. }) = (self.call.take(), error) {
            call.stopped = Some(*stop);
            self.push(&call);
        }
    }

    /// The component called an import.
    pub fn import(
        &mut self,
        interface: &str,
        call: &str,
        asked: &[Option<Value>],
        answer: Option<&Value>,
    ) {
        let name = format!("{}#{}", contract(interface), contract(call));
        let import = self.asked(&name, asked).and_then(|values| {
            let mut import = self.call(&name, &values)?;
            import.result = self.answer(&name, answer)?;
            Ok(import)
        });
        let import = import.and_then(|import| match &mut self.call {
            Some(call) => {
                call.imports.get_or_insert_default().push(import);
                Ok(())
            }
            None => Err(format!("{name}: no call of an export began")),
        });
        self.keep(import);
    }

    /// The host drops its handle.
    pub fn dropped(&mut self, resource: ResourceAny) {
        #[derive(Serialize)]
        struct Drop {
            drop: usize,
        }
        let drop = self.handles.number(resource);
        self.handles.forget(drop as u64);
        self.push(&Drop { drop });
    }

    /// The values of arguments.
    fn asked(&self, name: &str, asked: &[Option<Value>]) -> Result<Vec<Val>, Lost> {
        let params = &self.signature(name)?.params;
        if params.len() != asked.len() {
            return Err(format!("{name}: it has other parameters"));
        }
        let values = asked.iter().zip(params);
        values
            .map(|(asked, ty)| self.value(name, asked.as_ref(), ty))
            .collect()
    }

    fn call(&self, name: &str, values: &[Val]) -> Result<Call, Lost> {
        let recorded = self.recording.recorder.lock();
        let written: Vec<_> = values
            .iter()
            .map(|value| self.written(value, &recorded.strings))
            .collect();
        Ok(Call {
            call: name.to_owned(),
            args: raw(name, &written)?,
            result: None,
            stopped: None,
            imports: None,
        })
    }

    fn answer(&self, name: &str, answer: Option<&Value>) -> Result<Option<Box<RawValue>>, Lost> {
        match &self.signature(name)?.result {
            None => Ok(None),
            Some(ty) => self.raw(name, &self.value(name, answer, ty)?).map(Some),
        }
    }

    fn raw(&self, name: &str, value: &Val) -> Result<Box<RawValue>, Lost> {
        let recorded = self.recording.recorder.lock();
        raw(name, &self.written(value, &recorded.strings))
    }

    fn signature(&self, name: &str) -> Result<&Signature, Lost> {
        let signature = self.recording.signatures.get(name);
        signature.ok_or_else(|| format!("{name}: the component has no such function"))
    }

    fn value(&self, name: &str, said: Option<&Value>, ty: &Type) -> Result<Val, Lost> {
        let said = said.ok_or_else(|| format!("{name}: a value cannot be written"))?;
        let value = read(said, ty, Names::Rust, &self.handles);
        value.map_err(|unfit: Unfit| format!("{name}: {unfit}"))
    }

    const fn written<'a>(&'a self, value: &'a Val, strings: &'a RefCell<Strings>) -> Written<'a> {
        Written {
            value,
            handles: &self.handles,
            strings: Some(strings),
        }
    }

    fn push(&mut self, call: &impl Serialize) {
        let call = raw("a call", call);
        if let Some(call) = self.keep(call) {
            let mut recorded = self.recording.recorder.lock();
            if let Some(instance) = recorded.instances.get_mut(self.instance) {
                instance.calls.push(call);
            }
        }
    }

    /// A transcript with a gap is none: the first is remembered.
    fn keep<T>(&self, done: Result<T, Lost>) -> Option<T> {
        done.map_err(|lost| {
            self.recording
                .recorder
                .lock()
                .broken
                .get_or_insert(lost)
                .len()
        })
        .ok()
    }
}

fn raw(name: &str, value: &impl Serialize) -> Result<Box<RawValue>, Lost> {
    serde_json::value::to_raw_value(value).map_err(|error| format!("{name}: {error}"))
}

/// A name of the contract, from how Rust spells it.
fn contract(name: &str) -> String {
    name.replace('_', "-")
}
