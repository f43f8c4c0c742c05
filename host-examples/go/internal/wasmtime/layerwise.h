// What Go cannot say of Wasmtime's C API: callbacks, and pointers that are
// numbers.

#include <stdint.h>
#include <stdlib.h>
#include <wasm.h>
#include <wasmtime.h>
#include <wasmtime/component.h>

// A store whose callbacks are told `handle`.
wasmtime_store_t *layerwise_store_new(wasm_engine_t *engine, uintptr_t handle);

// Defines the function `name` as import number `number`.
wasmtime_error_t *layerwise_add_func(wasmtime_component_linker_instance_t *in,
                                     const char *name, size_t len,
                                     uintptr_t number);

// Has the store of `handle` asked at each tick whether it goes on.
void layerwise_ask_at_ticks(wasmtime_store_t *store, uintptr_t handle);
