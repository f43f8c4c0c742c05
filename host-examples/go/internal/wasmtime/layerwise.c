#include "layerwise.h"
#include "_cgo_export.h"

static wasmtime_error_t *call(void *number, wasmtime_context_t *context,
                              const wasmtime_component_func_type_t *type,
                              wasmtime_component_val_t *args, size_t nargs,
                              wasmtime_component_val_t *results,
                              size_t nresults) {
  (void)type;
  char *failed = layerwiseImport((uintptr_t)wasmtime_context_get_data(context),
                                 (uintptr_t)number, args, nargs, results,
                                 nresults);
  if (failed == NULL)
    return NULL;
  wasmtime_error_t *error = wasmtime_error_new(failed);
  free(failed);
  return error;
}

static wasmtime_error_t *tick(wasmtime_context_t *context, void *handle,
                              uint64_t *delta,
                              wasmtime_update_deadline_kind_t *kind) {
  (void)context;
  *kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
  *delta = 1;
  if (layerwiseGoesOn((uintptr_t)handle))
    return NULL;
  return wasmtime_error_new("stopped by the host");
}

wasmtime_store_t *layerwise_store_new(wasm_engine_t *engine, uintptr_t handle) {
  return wasmtime_store_new(engine, (void *)handle, NULL);
}

wasmtime_error_t *layerwise_add_func(wasmtime_component_linker_instance_t *in,
                                     const char *name, size_t len,
                                     uintptr_t number) {
  return wasmtime_component_linker_instance_add_func(in, name, len, call,
                                                     (void *)number, NULL);
}

void layerwise_ask_at_ticks(wasmtime_store_t *store, uintptr_t handle) {
  wasmtime_store_epoch_deadline_callback(store, tick, (void *)handle, NULL);
}
