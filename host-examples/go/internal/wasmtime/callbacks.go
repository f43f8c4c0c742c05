// What the library calls in Go. Nothing may unwind through it: panics are
// caught here.

package wasmtime

// #include "layerwise.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"strings"
	"time"
	"unsafe"

	"layerwise.dev/layerwise/internal/wit"
)

func pointer[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

//export layerwiseImport
func layerwiseImport(handle, number C.uintptr_t, args *value, nargs C.size_t, results *value, nresults C.size_t) *C.char {
	in := cgo.Handle(handle).Value().(*Instance)
	function := in.engine.imports[number]
	given := unsafe.Slice(args, nargs)
	answer := unsafe.Slice(results, nresults)
	if err := in.answer(function, given, answer); err != nil {
		in.stop = &Trap{Reason: ImportFailed, Message: fmt.Sprintf("import %s: %v", function.Name, err), Cause: err}
		return C.CString(strings.ReplaceAll(in.stop.Message, "\x00", " "))
	}
	return nil
}

// answer calls the host.
func (in *Instance) answer(function *wit.Func, given, results []value) (err error) {
	since := time.Now()
	defer func() { in.waited += time.Since(since) }()
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &Panic{Value: panicked, Stack: debug.Stack()}
		}
	}()
	args := make([]any, len(given))
	for i := range given {
		if args[i], err = in.lift(function.Params[i].Type, &given[i]); err != nil {
			return err
		}
	}
	answer, err := in.host.Import(in.ctx, function, args)
	if err != nil || function.Result == nil {
		return err
	}
	at := in.arena.mark()
	defer in.arena.release(at)
	laid := &in.arena.values(1)[0]
	if err := in.lower(function.Result, answer, laid); err != nil {
		return err
	}
	// The library takes the answer, so it gets a copy in its own memory.
	C.wasmtime_component_val_clone(laid, &results[0])
	return nil
}

// Panic is a panic of an import.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Unwrap returns the value of the panic where it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

//export layerwiseGoesOn
func layerwiseGoesOn(handle C.uintptr_t) C.bool {
	in := cgo.Handle(handle).Value().(*Instance)
	if err := in.ctx.Err(); err != nil {
		in.stop = &Trap{Reason: Cancelled, Message: err.Error(), Cause: err}
		return false
	}
	if in.limits.Time > 0 && time.Since(in.start)-in.waited > in.limits.Time {
		in.stop = &Trap{Reason: OutOfTime, Message: fmt.Sprintf("a call ran for more than %v", in.limits.Time)}
		return false
	}
	return true
}
