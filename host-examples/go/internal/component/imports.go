package component

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"

	"layerwise.dev/layerwise/internal/contract"
	"layerwise.dev/layerwise/internal/wit"
)

// Host returns what the component imports. An error ends the instance.
type Host interface {
	Import(ctx context.Context, function *wit.Func, args []any) (any, error)
}

// imported is the Go side of an import: a function of the contract, or one that
// keeps the table of handles.
func (e *Engine) imported(module, name string, definition api.FunctionDefinition) (api.GoModuleFunc, error) {
	if module == tickModule {
		return func(ctx context.Context, _ api.Module, _ []uint64) {
			in := instanceOf(ctx)
			if err := in.goesOn(); err != nil {
				in.stopWith(err)
			}
		}, nil
	}
	if iface, own := strings.CutPrefix(module, "[export]"); own {
		short, err := known(iface)
		if err != nil {
			return nil, err
		}
		return handling(short, name, definition)
	}
	short, err := known(module)
	if err != nil {
		return nil, err
	}
	function, is := contract.Functions[short+"#"+name]
	if !is {
		return nil, fmt.Errorf("the import %s#%s is not in the contract", module, name)
	}
	if params, results := signature(function, true); !fits(definition, params, results) {
		return nil, fmt.Errorf("the import %s#%s has another type than in the contract", module, name)
	}
	e.Imports[function.Name] = function
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		in := instanceOf(ctx)
		if err := in.answer(function, stack); err != nil {
			in.stopWith(err)
		}
	}, nil
}

// handling is one of the functions for handles of the component's own resources.
func handling(short, name string, definition api.FunctionDefinition) (api.GoModuleFunc, error) {
	kind, resource, _ := strings.Cut(name, "]")
	resource = short + "#" + resource
	do, results := (func(*Instance, uint32) (uint32, error))(nil), "i"
	switch kind {
	case "[resource-new":
		do = func(in *Instance, representation uint32) (uint32, error) {
			return in.handles.add(resource, representation), nil
		}
	case "[resource-rep":
		do = func(in *Instance, at uint32) (uint32, error) { return in.handles.get(resource, at) }
	case "[resource-drop":
		results = ""
		do = func(in *Instance, at uint32) (uint32, error) {
			representation, err := in.handles.remove(resource, at)
			if err == nil {
				err = in.destroy(resource, representation)
			}
			return 0, err
		}
	}
	if do == nil || !fits(definition, "i", results) {
		return nil, fmt.Errorf("the import %s of %s is not known", name, short)
	}
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		in := instanceOf(ctx)
		result, err := do(in, uint32(stack[0]))
		if err != nil {
			in.stopWith(err)
		}
		if results != "" {
			stack[0] = uint64(result)
		}
	}, nil
}

// answer calls the host with what is on the stack, and puts the result there.
func (in *Instance) answer(function *wit.Func, stack []uint64) error {
	args, rest, err := in.lifting().params(function, stack)
	if err != nil {
		return err
	}
	result, err := in.ask(function, args.([]any))
	if err == nil && function.Result != nil {
		lower := &lowering{in: in}
		err = lower.result(function.Result, result, rest, stack)
	}
	var module *ended
	var trap *Trap
	switch {
	case errors.As(err, &module), errors.As(err, &trap):
		return err
	case err != nil:
		return &Trap{Reason: ImportFailed, Message: fmt.Sprintf("import %s: %v", function.Name, err), Cause: err}
	}
	return in.goesOn()
}

// ask calls the host; its time is not the component's.
func (in *Instance) ask(function *wit.Func, args []any) (answer any, err error) {
	since := time.Now()
	defer func() { in.waited += time.Since(since) }()
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &Panic{Value: panicked, Stack: debug.Stack()}
		}
	}()
	return in.host.Import(in.ctx, function, args)
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
