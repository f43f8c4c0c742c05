package wasmtime

// #include "layerwise.h"
import "C"

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"layerwise.dev/layerwise/internal/wit"
)

// Tick is how often a running call is asked whether it goes on.
const Tick = 10 * time.Millisecond

// Config says how a component is compiled.
type Config struct {
	// Fuel has work counted, so that instances can be given a share of it.
	Fuel bool
	// Code is a file with compiled code, which is loaded if it is there and
	// written if it is not. Whoever can write it can do anything this process
	// can.
	Code string
}

// Engine is a compiled component. It may be used from several goroutines.
type Engine struct {
	engine    *C.wasm_engine_t
	component *C.wasmtime_component_t
	linker    *C.wasmtime_component_linker_t
	fuel      bool

	// Imports and Exports are the functions by their names in transcripts.
	Imports, Exports map[string]*wit.Func
	// Interfaces are the full names of what is imported and exported.
	ImportNames, ExportNames []string

	imports []*wit.Func
	indices map[string]*C.wasmtime_component_export_index_t

	mutex   sync.Mutex
	running atomic.Int64
	ticking atomic.Bool
	users   int
	closed  bool
}

// NewEngine compiles a component, or loads its compiled form.
func NewEngine(wasm []byte, config Config) (*Engine, error) {
	settings := C.wasm_config_new()
	C.wasmtime_config_wasm_component_model_set(settings, true)
	C.wasmtime_config_epoch_interruption_set(settings, true)
	C.wasmtime_config_consume_fuel_set(settings, C.bool(config.Fuel))
	e := &Engine{
		fuel:    config.Fuel,
		Imports: map[string]*wit.Func{},
		Exports: map[string]*wit.Func{},
		indices: map[string]*C.wasmtime_component_export_index_t{},
		users:   1,
	}
	if e.engine = C.wasm_engine_new_with_config(settings); e.engine == nil {
		return nil, fmt.Errorf("wasmtime cannot be set up")
	}
	if err := e.start(wasm, config.Code); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) start(wasm []byte, code string) error {
	if err := e.load(wasm, code); err != nil {
		return err
	}
	imports, names, err := functions(e.engine, e.component, true)
	if err != nil {
		return fmt.Errorf("read the imports: %w", err)
	}
	e.ImportNames = names
	if err := e.link(imports); err != nil {
		return fmt.Errorf("define the imports: %w", err)
	}
	exports, names, err := functions(e.engine, e.component, false)
	if err != nil {
		return fmt.Errorf("read the exports: %w", err)
	}
	e.ExportNames = names
	for _, found := range exports {
		text, size := chars(found.iface)
		iface := C.wasmtime_component_get_export_index(e.component, nil, text, size)
		if iface == nil {
			return fmt.Errorf("the component has no %s", found.iface)
		}
		text, size = chars(found.name)
		index := C.wasmtime_component_get_export_index(e.component, iface, text, size)
		C.wasmtime_component_export_index_delete(iface)
		if index == nil {
			return fmt.Errorf("%s has no %s", found.iface, found.name)
		}
		e.Exports[found.kind.Name] = found.kind
		e.indices[found.kind.Name] = index
	}
	return nil
}

func (e *Engine) load(wasm []byte, code string) error {
	if code != "" {
		if compiled, err := os.ReadFile(code); err == nil && len(compiled) > 0 {
			err := failure(C.wasmtime_component_deserialize(e.engine, bytesIn(compiled), C.size_t(len(compiled)), &e.component))
			if err == nil {
				return nil
			}
		}
	}
	if len(wasm) == 0 {
		return fmt.Errorf("the component is empty")
	}
	if err := failure(C.wasmtime_component_new(e.engine, bytesIn(wasm), C.size_t(len(wasm)), &e.component)); err != nil {
		return fmt.Errorf("compile the component: %w", err)
	}
	if code == "" {
		return nil
	}
	var compiled C.wasm_byte_vec_t
	if err := failure(C.wasmtime_component_serialize(e.component, &compiled)); err != nil {
		return fmt.Errorf("keep the compiled code: %w", err)
	}
	defer C.wasm_byte_vec_delete(&compiled)
	temporary := fmt.Sprintf("%s.%d", code, os.Getpid())
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(compiled.data)), compiled.size)
	if err := os.WriteFile(temporary, bytes, 0o600); err != nil {
		return fmt.Errorf("keep the compiled code: %w", err)
	}
	if err := os.Rename(temporary, code); err != nil {
		return fmt.Errorf("keep the compiled code: %w", err)
	}
	return nil
}

func bytesIn(data []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(data))) }

func (e *Engine) link(imports []item) error {
	e.linker = C.wasmtime_component_linker_new(e.engine)
	root := C.wasmtime_component_linker_root(e.linker)
	defer C.wasmtime_component_linker_instance_delete(root)
	done := 0
	for done < len(imports) {
		iface := imports[done].iface
		text, size := chars(iface)
		var in *C.wasmtime_component_linker_instance_t
		if err := failure(C.wasmtime_component_linker_instance_add_instance(root, text, size, &in)); err != nil {
			return err
		}
		for ; done < len(imports) && imports[done].iface == iface; done++ {
			found := imports[done]
			text, size := chars(found.name)
			err := failure(C.layerwise_add_func(in, text, size, C.uintptr_t(len(e.imports))))
			if err != nil {
				C.wasmtime_component_linker_instance_delete(in)
				return err
			}
			e.imports = append(e.imports, found.kind)
			e.Imports[found.kind.Name] = found.kind
		}
		C.wasmtime_component_linker_instance_delete(in)
	}
	return nil
}

// Close gives everything back once the last instance is closed.
func (e *Engine) Close() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if !e.closed {
		e.closed = true
		e.leave()
	}
}

// enter counts one more instance; it returns whether the engine is open.
func (e *Engine) enter() bool {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.closed {
		return false
	}
	e.users++
	return true
}

// leave is called with the mutex held.
func (e *Engine) leave() {
	if e.users--; e.users > 0 {
		return
	}
	for _, index := range e.indices {
		C.wasmtime_component_export_index_delete(index)
	}
	if e.linker != nil {
		C.wasmtime_component_linker_delete(e.linker)
	}
	if e.component != nil {
		C.wasmtime_component_delete(e.component)
	}
	C.wasm_engine_delete(e.engine)
}

// run moves the engine's clock on while a call runs.
func (e *Engine) run() (stop func()) {
	e.running.Add(1)
	if e.ticking.CompareAndSwap(false, true) {
		e.mutex.Lock()
		e.users++
		e.mutex.Unlock()
		go e.tick()
	}
	return func() { e.running.Add(-1) }
}

// idleTicks is how long the clock goes on after the last call, so that many short
// calls do not start it anew.
const idleTicks = 100

func (e *Engine) tick() {
	clock := time.NewTicker(Tick)
	defer clock.Stop()
	defer func() {
		e.mutex.Lock()
		defer e.mutex.Unlock()
		e.leave()
	}()
	idle := 0
	for range clock.C {
		C.wasmtime_engine_increment_epoch(e.engine)
		if e.running.Load() > 0 {
			idle = 0
			continue
		}
		if idle++; idle < idleTicks {
			continue
		}
		e.ticking.Store(false)
		// A call that came meanwhile starts the clock itself, unless it found it
		// going.
		if e.running.Load() == 0 || !e.ticking.CompareAndSwap(false, true) {
			return
		}
	}
}
