//! One instance with its limits, and what became of it.

use std::mem::take;
use std::time::Duration;

use wasmtime::component::{self, InstancePre, ResourceAny, Val};
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, Trap, UpdateDeadline};

use crate::bindings;
use crate::engine::{Engine, TICK};
use crate::error::{Error, Stop};
use crate::imports::{Answers, Imports, State};
use crate::record::{Recording, Tape};
use crate::settings::Interrupt;
use crate::signatures::Signature;

/// What one session may use. Which of time and fuel counts is the engine's
/// choice.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Bytes of memory.
    pub memory: usize,
    /// Time for one call, without that which the imports take: whoever lends a
    /// registry sets its time-outs.
    pub deadline: Duration,
    /// Fuel for one call.
    pub fuel: u64,
}

impl Default for SessionLimits {
    /// 512 MiB, one minute, or some 50 thousand million instructions.
    fn default() -> Self {
        Self {
            memory: 512 << 20,
            deadline: Duration::from_secs(60),
            fuel: 50_000_000_000,
        }
    }
}

/// Calls a function of an interface, or a method of one of its resources, and
/// records the call where that is asked for.
macro_rules! call {
    ($instance:expr, $interface:ident.$call:ident($($argument:expr),* $(,)?)) => {
        call!(@ $instance, (stringify!($interface), None), ($($argument),*),
            |engine, store| engine.$interface().$call(store $(, $argument)*), $call)
    };
    ($instance:expr, $interface:ident.$kind:ident.$call:ident($handle:expr $(, $argument:expr)* $(,)?)) => {
        call!(@ $instance, (stringify!($interface), Some(stringify!($kind))), ($handle $(, $argument)*),
            |engine, store| engine.$interface().$kind().$call(store, $handle $(, $argument)*), $call)
    };
    (@ $instance:expr, $place:expr, ($($argument:expr),*), $body:expr, $call:ident) => {{
        #[allow(unused_imports, reason = "needed for all but resources")]
        use $crate::record::{Plain as _, Recordable};
        let instance: &mut $crate::instance::Instance = $instance;
        if let Some(tape) = instance.tape() {
            let asked = vec![$(Recordable(&$argument).value(tape.handles())),*];
            tape.begin($place, stringify!($call), &asked);
        }
        let answer = instance.call($body);
        if let Some(tape) = instance.tape() {
            match &answer {
                Ok(answer) => {
                    let answer = Recordable(answer).value(tape.handles());
                    tape.end(answer.as_ref());
                }
                Err(error) => tape.stopped(error),
            }
        }
        answer
    }};
}
pub(crate) use call;

/// An instance of the component and the store it lives in.
pub struct Instance {
    store: Store<State>,
    exports: bindings::Engine,
    instance: component::Instance,
    limits: SessionLimits,
    interrupt: Interrupt,
    dead: bool,
    // Keeps the engine's clock going.
    _engine: Engine,
}

impl Instance {
    /// A fresh instance.
    pub fn new(engine: &Engine, lent: Imports, limits: SessionLimits) -> Result<Self, Error> {
        let mut state = State::new(lent, memory(limits));
        state.tape = engine.recording.as_ref().map(Recording::tape);
        Self::of(engine, &engine.pre, state, limits)
    }

    /// A fresh instance whose imports are answered in another way.
    pub fn answered(
        engine: &Engine,
        pre: &InstancePre<State>,
        answers: Box<dyn Answers>,
        limits: SessionLimits,
    ) -> Result<Self, Error> {
        let mut state = State::new(Imports::default(), memory(limits));
        state.answers = Some(answers);
        Self::of(engine, pre, state, limits)
    }

    fn of(
        engine: &Engine,
        pre: &InstancePre<State>,
        state: State,
        limits: SessionLimits,
    ) -> Result<Self, Error> {
        let mut store = Store::new(engine.pre.engine(), state);
        store.limiter(|state| &mut state.limits);
        if engine.interrupt == Interrupt::Deadline {
            store.epoch_deadline_callback(|mut store| {
                let waited = take(&mut store.data_mut().waited);
                Ok(match ticks(waited) {
                    0 => UpdateDeadline::Interrupt,
                    more => UpdateDeadline::Continue(more),
                })
            });
        }
        let start = |store: &mut Store<State>| {
            arm(store, engine.interrupt, limits);
            let instance = pre.instantiate(&mut *store)?;
            let exports = engine.indices.load(&mut *store, &instance)?;
            Ok((instance, exports))
        };
        let (instance, exports) =
            start(&mut store).map_err(|error: wasmtime::Error| {
                match stopped(&mut store, &error) {
                    stop @ Error::Stopped {
                        stop: Stop::Deadline | Stop::Fuel,
                        ..
                    } => stop,
                    _ => Error::Engine(format!("the component cannot be started: {error:#}")),
                }
            })?;
        Ok(Self {
            store,
            exports,
            instance,
            limits,
            interrupt: engine.interrupt,
            dead: false,
            _engine: engine.clone(),
        })
    }

    /// Makes one call. After a call that was stopped, all others are refused.
    pub fn call<T>(
        &mut self,
        call: impl FnOnce(&bindings::Engine, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Error> {
        if self.dead {
            return Err(Error::Dead);
        }
        arm(&mut self.store, self.interrupt, self.limits);
        call(&self.exports, &mut self.store).map_err(|error| {
            self.dead = true;
            stopped(&mut self.store, &error)
        })
    }

    /// Calls an export that is known by its name and types only.
    pub fn call_dynamic(
        &mut self,
        signature: &Signature,
        args: &[Val],
    ) -> Result<Option<Val>, Error> {
        let instance = self.instance;
        self.call(|_, store| {
            let index = instance
                .get_export_index(&mut *store, None, &signature.interface)
                .and_then(|interface| {
                    instance.get_export_index(&mut *store, Some(&interface), &signature.function)
                });
            let function = index
                .and_then(|index| instance.get_func(&mut *store, index))
                .ok_or_else(|| wasmtime::format_err!("there is no {:?}", signature.function))?;
            let mut answer = vec![Val::Bool(false); usize::from(signature.result.is_some())];
            function.call(store, args, &mut answer)?;
            Ok(answer.pop())
        })
    }

    /// Why an import of the last call was not answered, if that stopped it.
    pub fn unanswered(&mut self) -> Option<String> {
        self.store.data_mut().unanswered.take()
    }

    /// Where this instance's calls are recorded, if they are.
    pub fn tape(&mut self) -> Option<&mut Tape> {
        self.store.data_mut().tape.as_mut()
    }

    /// Drops the host's handle to a resource.
    pub fn drop_resource(&mut self, resource: ResourceAny) {
        if let Some(tape) = self.tape() {
            tape.dropped(resource);
        }
        // Fails only in an instance that was stopped, which is freed as a whole.
        let _ = self.call(|_, store| resource.resource_drop(store));
    }

    /// The fuel that the last call took; none where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        let left = self.store.get_fuel().ok()?;
        Some(self.limits.fuel.saturating_sub(left))
    }
}

/// What it means that a call did not answer.
fn stopped(store: &mut Store<State>, error: &wasmtime::Error) -> Error {
    let trap = error.downcast_ref::<Trap>();
    let panic = store.data_mut().last_error.take();
    let stop = match trap {
        Some(Trap::Interrupt) => Stop::Deadline,
        Some(Trap::OutOfFuel) => Stop::Fuel,
        // An allocation that the limit refuses ends in `unreachable`, with
        // no words or those of the allocation error.
        Some(Trap::UnreachableCodeReached)
            if panic
                .as_ref()
                .is_none_or(|words| words.contains("allocation")) =>
        {
            Stop::Memory
        }
        _ => Stop::Trap,
    };
    let message = match (panic, trap) {
        (Some(words), _) => words,
        (None, Some(trap)) => trap.to_string(),
        (None, None) => error.to_string(),
    };
    Error::Stopped { stop, message }
}

fn memory(limits: SessionLimits) -> StoreLimits {
    StoreLimitsBuilder::new().memory_size(limits.memory).build()
}

/// Gives the next call its share of time or fuel.
fn arm(store: &mut Store<State>, interrupt: Interrupt, limits: SessionLimits) {
    match interrupt {
        Interrupt::Deadline => {
            store.data_mut().waited = Duration::ZERO;
            // The runtime adds it to the ticks so far.
            store.set_epoch_deadline(ticks(limits.deadline).clamp(1, u64::MAX / 2));
        }
        Interrupt::Fuel => {
            // Fails only where fuel is not configured.
            let _ = store.set_fuel(limits.fuel);
        }
    }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
}
