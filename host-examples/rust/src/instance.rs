//! One instance with its limits, and what became of it.

use std::mem::take;
use std::time::Duration;

use wasmtime::{Store, StoreLimitsBuilder, Trap, UpdateDeadline};

use crate::bindings;
use crate::engine::{Engine, Net, TICK};
use crate::error::{Error, Stop};
use crate::imports::{Lent, State};

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

/// An instance of the component and the store it lives in.
pub struct Instance {
    store: Store<State>,
    exports: bindings::Engine,
    limits: SessionLimits,
    net: Net,
    dead: bool,
    // Keeps the engine's clock going.
    _engine: Engine,
}

impl Instance {
    /// A fresh instance.
    pub fn new(engine: &Engine, lent: Lent, limits: SessionLimits) -> Result<Self, Error> {
        let memory = StoreLimitsBuilder::new().memory_size(limits.memory).build();
        let mut store = Store::new(engine.pre.engine(), State::new(lent, memory));
        store.limiter(|state| &mut state.limits);
        if engine.net == Net::Deadline {
            store.epoch_deadline_callback(|mut store| {
                let waited = take(&mut store.data_mut().waited);
                Ok(match ticks(waited) {
                    0 => UpdateDeadline::Interrupt,
                    more => UpdateDeadline::Continue(more),
                })
            });
        }
        let instance = |store: &mut Store<State>| {
            arm(store, engine.net, limits);
            engine.pre.instantiate(store)
        };
        let exports = instance(&mut store).map_err(|error| {
            Error::Engine(format!("the component cannot be started: {error:#}"))
        })?;
        Ok(Self {
            store,
            exports,
            limits,
            net: engine.net,
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
        arm(&mut self.store, self.net, self.limits);
        call(&self.exports, &mut self.store).map_err(|error| {
            self.dead = true;
            self.stopped(&error)
        })
    }

    /// The fuel that the last call took; none where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        let left = self.store.get_fuel().ok()?;
        Some(self.limits.fuel.saturating_sub(left))
    }

    fn stopped(&mut self, error: &wasmtime::Error) -> Error {
        let trap = error.downcast_ref::<Trap>();
        let panic = self.store.data_mut().last_error.take();
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
}

/// Gives the next call its share of time or fuel.
fn arm(store: &mut Store<State>, net: Net, limits: SessionLimits) {
    match net {
        Net::Deadline => {
            store.data_mut().waited = Duration::ZERO;
            // The runtime adds it to the ticks so far.
            store.set_epoch_deadline(ticks(limits.deadline).clamp(1, u64::MAX / 2));
        }
        Net::Fuel => {
            // Fails only where fuel is not configured.
            let _ = store.set_fuel(limits.fuel);
        }
    }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
}
