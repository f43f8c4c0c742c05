//! Recording what crosses the boundary of instances: a transcript, in the form
//! of `tests/TRANSCRIPTS.md`.

mod said;

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{env, fs, process};

use flate2::{Compression, GzBuilder};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wasmtime::component::{Component, ResourceAny, Type, Val};

use crate::error::Error;
use crate::signatures::{Signature, Signatures};
use crate::transcript::{SCHEMA, Stopped};
use crate::values::{Handles, Names, Strings, Unfit, Written, read};

pub use said::{Plain, Said};

/// Takes down every call of the sessions of an engine, with the calls of what is
/// lent to them: [`crate::EngineOptions::record`]. Nothing else is in it, in
/// particular no layer, and nothing that a lent registry knows of credentials.
/// Clones share what they take down.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    component: String,
    /// The name of instances to come.
    name: String,
    strings: RefCell<Strings>,
    instances: Vec<Instance>,
    /// Where each instance gets a file of its own.
    directory: Option<PathBuf>,
    broken: Option<String>,
}

/// The environment variable that names a directory for transcripts.
const VARIABLE: &str = "LAYERWISE_RECORD";

#[derive(Debug, Serialize)]
struct Instance {
    name: String,
    calls: Vec<Box<RawValue>>,
}

impl Recorder {
    /// A recorder of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a transcript of each instance into a directory, when the instance
    /// is dropped: `PROCESS-COUNT.json.gz`. The directory is made when it is not
    /// there. A file that cannot be written is told on standard error.
    #[must_use]
    pub fn to_directory(directory: impl Into<PathBuf>) -> Self {
        let recorder = Self::new();
        recorder.lock().directory = Some(directory.into());
        recorder
    }

    /// What the environment variable `LAYERWISE_RECORD` asks for: a directory,
    /// as in [`Recorder::to_directory`].
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let directory = env::var_os(VARIABLE).filter(|value| !value.is_empty())?;
        Some(Self::to_directory(directory))
    }

    /// Instances that are made from now on have this name.
    pub fn name(&self, name: &str) {
        name.clone_into(&mut self.lock().name);
    }

    /// The transcript so far.
    ///
    /// # Errors
    /// When something could not be taken down.
    pub fn transcript(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: &'static str,
            component: &'a str,
            strings: &'a [String],
            instances: Vec<&'a Instance>,
        }
        let recorded = self.lock();
        if let Some(broken) = &recorded.broken {
            return Err(io::Error::other(broken.clone()));
        }
        let strings = recorded.strings.borrow();
        let used = recorded
            .instances
            .iter()
            .filter(|one| !one.calls.is_empty());
        let mut text = serde_json::to_string(&Document {
            schema: SCHEMA,
            component: &recorded.component,
            strings: strings.list(),
            instances: used.collect(),
        })?;
        text.push('\n');
        Ok(text)
    }

    /// Writes the transcript so far, compressed when the name ends in `.gz`. The
    /// same transcript gives the same bytes.
    ///
    /// # Errors
    /// When something could not be taken down, or the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = self.transcript()?;
        let bytes = if path.extension().is_some_and(|end| end == "gz") {
            let mut packed = GzBuilder::new().write(Vec::new(), Compression::best());
            packed.write_all(text.as_bytes())?;
            packed.finish()?
        } else {
            text.into_bytes()
        };
        fs::write(path, bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

    /// What instances to come are called.
    pub fn name(&self, name: &str) {
        self.recorder.name(name);
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
        if let Some(file) = &self.file {
            let made = file.parent().map_or(Ok(()), fs::create_dir_all);
            if let Err(error) = made.and_then(|()| self.recording.recorder.save(file)) {
                let _ = writeln!(io::stderr(), "no transcript at {}: {error}", file.display());
            }
        }
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
    stopped: Option<Stopped>,
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
        let begun = self.call(name, asked);
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

    /// The call that began was stopped.
    pub fn stopped(&mut self, error: &Error) {
        if let (Some(mut call), Error::Stopped { stop, .. }) = (self.call.take(), error) {
            call.stopped = Some((*stop).into());
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
        let import = self.call(name, asked).and_then(|mut import| {
            import.result = self.answer(&import.call, answer)?;
            Ok(import)
        });
        let import = self.keep(import);
        if let Some((call, import)) = self.call.as_mut().zip(import) {
            call.imports.get_or_insert_default().push(import);
        }
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

    fn call(&self, name: String, asked: &[Option<Value>]) -> Result<Call, Lost> {
        let signature = self.signature(&name)?;
        if signature.params.len() != asked.len() {
            return Err(format!("{name}: it has other parameters"));
        }
        let values = asked.iter().zip(&signature.params);
        let values: Vec<Val> = values
            .map(|(asked, ty)| self.value(&name, asked.as_ref(), ty))
            .collect::<Result<_, _>>()?;
        let strings = &self.recording.recorder.lock().strings;
        let written: Vec<_> = values
            .iter()
            .map(|value| self.written(value, strings))
            .collect();
        let args = raw(&name, &written)?;
        Ok(Call {
            call: name,
            args,
            result: None,
            stopped: None,
            imports: None,
        })
    }

    fn answer(&self, name: &str, answer: Option<&Value>) -> Result<Option<Box<RawValue>>, Lost> {
        match &self.signature(name)?.result {
            None => Ok(None),
            Some(ty) => {
                let value = self.value(name, answer, ty)?;
                let strings = &self.recording.recorder.lock().strings;
                raw(name, &self.written(&value, strings)).map(Some)
            }
        }
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
