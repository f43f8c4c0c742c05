//! What compiled code depends on. The build script compiles the component ahead of
//! time with these settings, and the engine loads and runs it with the same ones.

use wasmtime::Config;

/// What stops a session that runs for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interrupt {
    /// Time: cheap, not exactly repeatable.
    #[default]
    Deadline,
    /// Work: exactly repeatable, up to a third slower.
    Fuel,
}

/// The settings of wasmtime that change the code or must fit to it.
pub fn config(interrupt: Interrupt) -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    // Which instruction of the component each one of the machine stands for: nobody asks,
    // and it is a part of what every program carries.
    config.generate_address_map(false);
    match interrupt {
        Interrupt::Deadline => config.epoch_interruption(true),
        Interrupt::Fuel => config.consume_fuel(true),
    };
    config
}
