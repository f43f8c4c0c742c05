//! The compiled component and the settings it runs under.

#[cfg(all(feature = "compiler", unix))]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings::EngineIndices;
use crate::error::Error;
use crate::imports::{Lends, State};
use crate::record::{Recorder, Recording};
use crate::settings::{self, Interrupt};

/// How often deadlines are looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The component to run instead of the one this host was built with, whose code
    /// is inside.
    #[cfg(feature = "compiler")]
    pub component: Option<Wasm>,
    /// Keep this many instances' memories reserved, for hosts that open many
    /// sessions.
    pub pool: Option<u32>,
    /// What stops a session.
    pub interrupt: Interrupt,
    /// Record every call of every session here. By default that is where the
    /// environment variable `LAYERWISE_RECORD` says, a directory, when it is set.
    pub record: Option<Recorder>,
}

/// A component from elsewhere, which has to be compiled first.
#[cfg(feature = "compiler")]
#[derive(Clone, Debug, Default)]
pub struct Wasm {
    /// The component.
    pub bytes: Vec<u8>,
    /// Keep its compiled code in this directory, for the next engine. A directory that
    /// others can write to is not used.
    #[cfg(unix)]
    pub code_cache: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            #[cfg(feature = "compiler")]
            component: None,
            pool: None,
            interrupt: Interrupt::default(),
            record: Recorder::from_env(),
        }
    }
}

/// The compiled component. Cheap to clone; sessions of one engine share nothing
/// but its code.
#[derive(Clone)]
pub struct Engine {
    pub(crate) pre: InstancePre<State>,
    pub(crate) indices: EngineIndices,
    pub(crate) interrupt: Interrupt,
    pub(crate) recording: Option<Recording>,
    ticker: Arc<Ticker>,
}

impl Engine {
    /// Loads the code of the component, or compiles another component.
    ///
    /// # Errors
    /// [`Error::Engine`] when the code does not fit this processor, or another
    /// component cannot be compiled or asks for imports that this host does not have.
    pub fn new(options: &EngineOptions) -> Result<Self, Error> {
        let mut config = settings::config(options.interrupt);
        if let Some(count) = options.pool {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(count)));
        }
        let engine = wasmtime::Engine::new(&config)
            .map_err(|error| Error::Engine(format!("wasmtime cannot be set up: {error:#}")))?;
        let component = component(&engine, options)?;
        let mut linker: Linker<State> = Linker::new(&engine);
        let link =
            |error: wasmtime::Error| Error::Engine(format!("the imports do not fit: {error:#}"));
        crate::bindings::Engine::add_to_linker::<_, Lends>(&mut linker, Lends::of).map_err(link)?;
        let pre: InstancePre<State> = linker.instantiate_pre(&component).map_err(link)?;
        let indices = EngineIndices::new(&pre).map_err(link)?;
        Ok(Self {
            pre,
            indices,
            interrupt: options.interrupt,
            recording: options
                .record
                .as_ref()
                .map(|recorder| Recording::new(recorder, &component)),
            ticker: Arc::new(Ticker::start(&engine, options.interrupt)),
        })
    }

    /// The names of the interfaces the component imports and exports.
    pub fn interfaces(&self) -> (Vec<String>, Vec<String>) {
        let engine = self.pre.engine();
        let ty = self.pre.component().component_type();
        (
            ty.imports(engine)
                .map(|(name, _)| name.to_owned())
                .collect(),
            ty.exports(engine)
                .map(|(name, _)| name.to_owned())
                .collect(),
        )
    }

    /// What records the calls of this engine's sessions, if they are recorded.
    #[must_use]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recording.as_ref().map(Recording::recorder)
    }

    /// The same engine, whose sessions are not recorded.
    #[must_use]
    pub fn unrecorded(&self) -> Self {
        Self {
            recording: None,
            ..self.clone()
        }
    }

    /// How many sessions use this engine's clock, the engine itself included.
    pub fn users(&self) -> usize {
        Arc::strong_count(&self.ticker)
    }
}

fn component(engine: &wasmtime::Engine, options: &EngineOptions) -> Result<Component, Error> {
    #[cfg(feature = "compiler")]
    if let Some(wasm) = &options.component {
        #[cfg(unix)]
        if let Some(directory) = &wasm.code_cache {
            return crate::cache::load_or_compile(engine, &wasm.bytes, directory);
        }
        return crate::code::compile(engine, &wasm.bytes);
    }
    crate::code::load(engine, options.interrupt)
}

fn pool(count: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        .total_core_instances(count.saturating_mul(4))
        .total_memories(count)
        .total_tables(count.saturating_mul(4))
        .max_core_instances_per_component(8)
        .max_tables_per_component(8)
        .max_memory_size(512 << 20);
    pool
}

/// Moves the engine's clock on while the engine lives.
struct Ticker {
    stopped: Arc<AtomicBool>,
}

impl Ticker {
    fn start(engine: &wasmtime::Engine, interrupt: Interrupt) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        if interrupt == Interrupt::Deadline {
            let (engine, flag) = (engine.weak(), Arc::clone(&stopped));
            thread::spawn(move || {
                while !flag.load(Ordering::Relaxed) {
                    thread::sleep(TICK);
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => return,
                    }
                }
            });
        }
        Self { stopped }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
