//! The component that the targets call.

use std::sync::OnceLock;

use layerwise_host::{Engine, EngineOptions, Interrupt};

/// Starts the component, so that compiling it does not count as the time that the
/// first input takes.
pub fn start() {
    engine();
}

/// The component, stopped by fuel so that every run is the same.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let options = EngineOptions {
            interrupt: Interrupt::Fuel,
            ..EngineOptions::default()
        };
        Engine::new(&options).expect("the component starts")
    })
}
