package component

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"layerwise.dev/layerwise/internal/wit"
)

// Limits are what an instance may use; zero is no limit.
type Limits struct {
	// Memory in bytes.
	Memory int64
	// Time of one call, without that which imports take.
	Time time.Duration
}

// Reason says what ended an instance.
type Reason int

// The reasons.
const (
	Trapped Reason = iota
	Unreachable
	OutOfTime
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
	engine    *Engine
	host      Host
	limits    Limits
	module    api.Module
	memory    api.Memory
	functions map[string]api.Function
	handles   handles
	used      sync.Mutex
	closed    bool
	dead      bool

	// The call that runs: its context, the one that the module runs under, since when,
	// how long of that in imports, and what ended it.
	ctx     context.Context
	running context.Context
	start   time.Time
	waited  time.Duration
	stop    error
}

// NewInstance makes a fresh instance.
func (e *Engine) NewInstance(ctx context.Context, host Host, limits Limits) (*Instance, error) {
	if !e.enter() {
		return nil, ErrClosed
	}
	in := &Instance{engine: e, host: host, limits: limits, functions: map[string]api.Function{}}
	err := e.within(limits.Memory)
	if err == nil {
		err = in.guard(ctx, func() error {
			var err error
			config := wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize")
			in.module, err = e.runtime.InstantiateModule(limited(in.running, limits.Memory), e.module, config)
			return err
		})
	}
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	in.memory = in.module.Memory()
	return in, nil
}

// Close gives the instance back; its resources end with it. While a call runs
// it is refused.
func (in *Instance) Close() error {
	if !in.used.TryLock() {
		return ErrInUse
	}
	defer in.used.Unlock()
	if in.closed {
		return nil
	}
	in.closed = true
	in.end()
	in.engine.mutex.Lock()
	defer in.engine.mutex.Unlock()
	in.engine.leave()
	return nil
}

// end gives the memory back.
func (in *Instance) end() {
	if in.module != nil {
		// It fails for modules with files only.
		_ = in.module.Close(context.Background())
	}
	in.module, in.memory, in.functions, in.handles = nil, nil, nil, handles{}
}

// Call calls an exported function.
func (in *Instance) Call(ctx context.Context, name string, args []any) (result any, err error) {
	if err := in.take(ctx); err != nil {
		return nil, err
	}
	defer in.used.Unlock()
	function, known := in.engine.Exports[name]
	if !known {
		return nil, fmt.Errorf("the component has no function %q", name)
	}
	check := &lowering{in: in, dry: true}
	if _, err := check.params(function, args); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	err = in.guard(ctx, func() error {
		result, err = in.call(function, args)
		return err
	})
	return result, err
}

// call calls an export whose arguments fit.
func (in *Instance) call(function *wit.Func, args []any) (result any, err error) {
	lower := &lowering{in: in}
	core, err := lower.params(function, args)
	if err != nil {
		return nil, err
	}
	export := in.engine.exports[function.Name]
	core, err = in.run(export, core)
	if err != nil || function.Result == nil {
		return nil, err
	}
	if result, err = in.lifting().result(function.Result, core); err != nil {
		return nil, err
	}
	if in.function(afterwards+export) != nil {
		_, err = in.run(afterwards+export, core)
	}
	return result, err
}

// Drop gives a resource back to the component.
func (in *Instance) Drop(ctx context.Context, resource *Resource) error {
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.used.Unlock()
	if resource.in != in || resource.gone {
		return nil
	}
	resource.gone = true
	return in.guard(ctx, func() error { return in.destroy(resource.name, resource.representation) })
}

// take reserves the instance for one call.
func (in *Instance) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !in.used.TryLock() {
		return ErrInUse
	}
	switch {
	case in.closed:
		in.used.Unlock()
		return ErrClosed
	case in.dead:
		in.used.Unlock()
		return ErrDead
	}
	return nil
}

// function is an exported function of the module, nil if there is none.
func (in *Instance) function(name string) api.Function {
	found, known := in.functions[name]
	if !known {
		found = in.module.ExportedFunction(name)
		in.functions[name] = found
	}
	return found
}

// run calls a function of the module in the call that is guarded.
func (in *Instance) run(name string, core []uint64) ([]uint64, error) {
	function := in.function(name)
	if function == nil {
		return nil, fmt.Errorf("the component has no function %q", name)
	}
	core, err := function.Call(in.running, core...)
	if err != nil {
		err = &ended{err}
	}
	return core, err
}

// ended is an error of the module: it does not run any more.
type ended struct{ error }

func (e *ended) Unwrap() error { return e.error }

// instanceKey is what a context has its instance under.
type instanceKey struct{}

// calling is the context that a module runs under.
type calling struct {
	context.Context
	in *Instance
}

func (c *calling) Value(key any) any {
	if key == (instanceKey{}) {
		return c.in
	}
	return c.Context.Value(key)
}

func instanceOf(ctx context.Context) *Instance { return ctx.Value(instanceKey{}).(*Instance) }

// guard runs something of the component under its limits. The instance is dead
// when it fails.
func (in *Instance) guard(ctx context.Context, run func() error) error {
	in.ctx, in.running, in.start, in.waited, in.stop = ctx, &calling{ctx, in}, time.Now(), 0, nil
	// It stays so if an import ends its goroutine: nothing comes back then.
	in.dead = true
	err := run()
	in.ctx, in.running = nil, nil
	if err == nil {
		in.dead = false
		return nil
	}
	in.end()
	if in.stop != nil {
		err = in.stop
	}
	var trap *Trap
	if errors.As(err, &trap) {
		return trap
	}
	// A backtrace follows the first line.
	message, _, _ := strings.Cut(err.Error(), "\n")
	if strings.Contains(message, "unreachable") {
		return &Trap{Reason: Unreachable, Message: message}
	}
	return &Trap{Reason: Trapped, Message: message}
}

// goesOn tells why the call that runs must end, if it must.
func (in *Instance) goesOn() error {
	if err := in.ctx.Err(); err != nil {
		return &Trap{Reason: Cancelled, Message: err.Error(), Cause: err}
	}
	if limit := in.limits.Time; limit > 0 && time.Since(in.start)-in.waited > limit {
		return &Trap{Reason: OutOfTime, Message: fmt.Sprintf("a call ran for more than %v", limit)}
	}
	return nil
}

// stopWith ends the call from within an import.
func (in *Instance) stopWith(err error) {
	in.stop = err
	panic(err)
}
