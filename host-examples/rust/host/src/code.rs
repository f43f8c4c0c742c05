//! Machine code of components: what the build script made of ours, and what a compiler
//! makes of another one.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::Error;
use crate::settings::Interrupt;

static DEADLINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/deadline.cwasm"));
static FUEL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fuel.cwasm"));

/// The component this host was built with.
#[expect(
    unsafe_code,
    reason = "the machine code is a part of this program, as all its other code is"
)]
pub fn load(engine: &Engine, interrupt: Interrupt) -> Result<Component, Error> {
    let code = match interrupt {
        Interrupt::Deadline => DEADLINE,
        Interrupt::Fuel => FUEL,
    };
    // SAFETY: the bytes are those that wasmtime wrote when this host was built.
    // Wasmtime itself checks that its version, its settings and the processor fit.
    unsafe { Component::deserialize(engine, code) }.map_err(|error| {
        let (target, features) = (crate::TARGET, crate::TARGET_FEATURES);
        Error::Engine(format!(
            "the code inside, for {target} with {features:?}, cannot be run here: {error:#}"
        ))
    })
}

/// Another component.
#[cfg(feature = "compiler")]
pub fn compile(engine: &Engine, wasm: &[u8]) -> Result<Component, Error> {
    Component::new(engine, wasm)
        .map_err(|error| Error::Engine(format!("the component cannot be compiled: {error:#}")))
}
