package wasmtime

// #include "layerwise.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime/cgo"
	"strings"
	"sync"
	"time"

	"layerwise.dev/layerwise/internal/wit"
)

// Host answers what the component imports. An error ends the instance.
type Host interface {
	Import(ctx context.Context, function *wit.Func, args []any) (any, error)
}

// Limits are what an instance may use; zero is no limit.
type Limits struct {
	// Memory in bytes.
	Memory int64
	// Time of one call, without that which imports take.
	Time time.Duration
	// Fuel for one call, where the engine counts it.
	Fuel uint64
}

// Reason says what ended an instance.
type Reason int

// The reasons.
const (
	Trapped Reason = iota
	Unreachable
	OutOfTime
	OutOfFuel
	Cancelled
	ImportFailed
)

// Trap is the end of an instance.
type Trap struct {
	Reason  Reason
	Message string
	// Cause is the error of the context or of the import.
	Cause error
}

func (t *Trap) Error() string { return t.Message }
func (t *Trap) Unwrap() error { return t.Cause }

// Errors of calls that were not made.
var (
	ErrClosed = errors.New("the instance is closed")
	ErrDead   = errors.New("the instance was stopped by an earlier call")
	ErrInUse  = errors.New("the instance is in use by another call")
)

// Instance is one instance of a component. One call runs at a time; a second
// one is refused and not kept waiting, since it may come from an import.
type Instance struct {
	engine   *Engine
	host     Host
	limits   Limits
	handle   cgo.Handle
	store    *C.wasmtime_store_t
	context  *C.wasmtime_context_t
	instance C.wasmtime_component_instance_t
	arena    arena
	funcs    map[string]*C.wasmtime_component_func_t
	used     sync.Mutex
	dead     bool

	// The call that runs. The clock's callback reads them on the same thread.
	ctx    context.Context
	start  time.Time
	waited time.Duration
	stop   *Trap
}

// Resource is a handle to a resource of the component.
type Resource struct {
	in  *Instance
	any *C.wasmtime_component_resource_any_t
}

// NewInstance makes a fresh instance.
func (e *Engine) NewInstance(ctx context.Context, host Host, limits Limits) (*Instance, error) {
	if !e.enter() {
		return nil, ErrClosed
	}
	in := &Instance{engine: e, host: host, limits: limits, funcs: map[string]*C.wasmtime_component_func_t{}}
	in.handle = cgo.NewHandle(in)
	in.store = C.layerwise_store_new(e.engine, C.uintptr_t(in.handle))
	in.context = C.wasmtime_store_context(in.store)
	memory := C.int64_t(-1)
	if limits.Memory > 0 {
		memory = C.int64_t(limits.Memory)
	}
	C.wasmtime_store_limiter(in.store, memory, -1, -1, -1, -1)
	C.layerwise_ask_at_ticks(in.store, C.uintptr_t(in.handle))
	err := in.guard(ctx, func() *C.wasmtime_error_t {
		return C.wasmtime_component_linker_instantiate(e.linker, in.context, e.component, &in.instance)
	})
	if err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// Close gives the instance back; its resources end with it. While a call runs
// it is refused.
func (in *Instance) Close() error {
	if !in.used.TryLock() {
		return ErrInUse
	}
	defer in.used.Unlock()
	if in.store == nil {
		return nil
	}
	for _, function := range in.funcs {
		C.free(pointer(function))
	}
	in.arena.free()
	C.wasmtime_store_delete(in.store)
	in.store = nil
	in.handle.Delete()
	in.engine.mutex.Lock()
	defer in.engine.mutex.Unlock()
	in.engine.leave()
	return nil
}

// Call calls an exported function.
func (in *Instance) Call(ctx context.Context, name string, args []any) (any, error) {
	release, err := in.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	function, kind, err := in.function(name)
	if err != nil {
		return nil, err
	}
	if len(args) != len(kind.Params) {
		return nil, fmt.Errorf("%s takes %d arguments, not %d", name, len(kind.Params), len(args))
	}
	// The result is the first value, the arguments follow.
	values := in.arena.values(1 + len(args))
	for i, arg := range args {
		if err := in.lower(kind.Params[i].Type, arg, &values[1+i]); err != nil {
			return nil, fmt.Errorf("%s: argument %s: %w", name, kind.Params[i].Name, err)
		}
	}
	var given *value
	if len(args) > 0 {
		given = &values[1]
	}
	results := C.size_t(0)
	if kind.Result != nil {
		results = 1
	}
	err = in.guard(ctx, func() *C.wasmtime_error_t {
		return C.wasmtime_component_func_call(function, in.context, given, C.size_t(len(args)), &values[0], results)
	})
	if err != nil || kind.Result == nil {
		return nil, err
	}
	defer C.wasmtime_component_val_delete(&values[0])
	return in.lift(kind.Result, &values[0])
}

// Drop gives a resource back to the component.
func (in *Instance) Drop(ctx context.Context, resource *Resource) error {
	release, err := in.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if resource.in != in || resource.any == nil {
		return nil
	}
	defer func() {
		C.wasmtime_component_resource_any_delete(resource.any)
		resource.any = nil
	}()
	return in.guard(ctx, func() *C.wasmtime_error_t {
		return C.wasmtime_component_resource_any_drop(in.context, resource.any)
	})
}

// Same tells whether two handles are of one resource.
func (r *Resource) Same(other *Resource) bool { return r == other }

// take reserves the instance for one call.
func (in *Instance) take(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !in.used.TryLock() {
		return nil, ErrInUse
	}
	refuse := func(err error) (func(), error) {
		in.used.Unlock()
		return nil, err
	}
	if in.store == nil {
		return refuse(ErrClosed)
	}
	if in.dead {
		return refuse(ErrDead)
	}
	at := in.arena.mark()
	return func() {
		in.arena.release(at)
		in.used.Unlock()
	}, nil
}

func (in *Instance) function(name string) (*C.wasmtime_component_func_t, *wit.Func, error) {
	kind, known := in.engine.Exports[name]
	if !known {
		return nil, nil, fmt.Errorf("the component has no function %q", name)
	}
	if found, ok := in.funcs[name]; ok {
		return found, kind, nil
	}
	function := (*C.wasmtime_component_func_t)(C.calloc(1, C.sizeof_wasmtime_component_func_t))
	if !C.wasmtime_component_instance_get_func(&in.instance, in.context, in.engine.indices[name], function) {
		C.free(pointer(function))
		return nil, nil, fmt.Errorf("the instance has no function %q", name)
	}
	in.funcs[name] = function
	return function, kind, nil
}

// guard runs something of the component under its limits. The instance is dead
// when it fails.
func (in *Instance) guard(ctx context.Context, run func() *C.wasmtime_error_t) error {
	in.ctx, in.start, in.waited, in.stop = ctx, time.Now(), 0, nil
	C.wasmtime_context_set_epoch_deadline(in.context, 1)
	if in.engine.fuel {
		fuel := in.limits.Fuel
		if fuel == 0 {
			fuel = 1<<63 - 1
		}
		if err := failure(C.wasmtime_context_set_fuel(in.context, C.uint64_t(fuel))); err != nil {
			return err
		}
	}
	stop := in.engine.run()
	err := failure(run())
	stop()
	in.ctx = nil
	if err == nil {
		return nil
	}
	in.dead = true
	if in.stop != nil {
		return in.stop
	}
	message := rootCause(err.Error())
	if in.engine.fuel && strings.Contains(message, "fuel") {
		return &Trap{Reason: OutOfFuel, Message: message}
	}
	if strings.Contains(message, "unreachable") {
		return &Trap{Reason: Unreachable, Message: message}
	}
	return &Trap{Reason: Trapped, Message: message}
}

// rootCause is the last line of the library's report of an error, which begins
// with a backtrace.
func rootCause(report string) string {
	lines := strings.Split(strings.TrimSpace(report), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if number, rest, found := strings.Cut(last, ": "); found && strings.Trim(number, "0123456789") == "" {
		last = rest
	}
	return last
}
