//! Exports the functions of Wasmtime's C API; nothing is added to them.

pub use wasmtime_c_api::*;
