package layerwise

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"time"

	"layerwise.dev/layerwise/internal/component"
)

// EngineOptions says how the component is compiled; the zero value is fine.
type EngineOptions struct {
	// Component is another component to run than the one of this package.
	Component []byte
	// Code is a directory that compiled code is kept in, which saves the time of
	// compiling; by default none is kept. It is made if it is missing, and used only
	// if nobody else can write to it or move it, on a Unix.
	Code string
}

// Engine is the compiled component. It may be used from several goroutines.
type Engine struct{ engine *component.Engine }

// NewEngine compiles the component.
func NewEngine(options EngineOptions) (*Engine, error) {
	wasm := options.Component
	if wasm == nil {
		wasm = shipped
	}
	inner, err := component.NewEngine(wasm, component.Config{Code: options.Code})
	if err != nil {
		return nil, fmt.Errorf("set the engine up: %w", err)
	}
	engine := &Engine{engine: inner}
	runtime.AddCleanup(engine, func(inner *component.Engine) { inner.Close() }, inner)
	return engine, nil
}

// Close gives the engine back once its last instance is closed. An engine that
// is not closed is when it is not used any more.
func (e *Engine) Close() error {
	e.engine.Close()
	return nil
}

// Interfaces returns the full names of the interfaces that the component
// imports and exports.
func (e *Engine) Interfaces() (imports, exports []string) {
	return e.engine.ImportNames, e.engine.ExportNames
}

// Limits are what an instance may use. A zero member is its default.
type Limits struct {
	// Memory in bytes; 512 MiB by default, which is also the most.
	Memory int64
	// Time of one call, without that which the imports take; one minute by
	// default. The context of a call limits all of its time.
	Time time.Duration
}

// Defaults of [Limits].
const (
	DefaultMemory = 512 << 20
	DefaultTime   = time.Minute
)

// Lent is what an instance may use of its host. What is nil is answered with
// the failure unsupported; a nil Observer hears nothing.
//
// Imports are called on the goroutine of the call, with its context. What they
// panic with ends the instance and not the process. One that ends its goroutine
// (runtime.Goexit, as testing.T.Fatal does) ends the instance too.
type Lent struct {
	Images   ImageStore
	Registry Registry
	Files    Filesystem
	Observer Observer
}

// NewInstance makes a fresh instance. Sessions that are opened in it share its
// memory and its end.
func (e *Engine) NewInstance(ctx context.Context, lent Lent, limits Limits) (*Instance, error) {
	if limits.Memory == 0 {
		limits.Memory = DefaultMemory
	}
	if limits.Time == 0 {
		limits.Time = DefaultTime
	}
	host := newHost(lent)
	inner, err := e.engine.NewInstance(ctx, host, component.Limits(limits))
	if err != nil {
		return nil, fmt.Errorf("start the component: %w", stopped(err, host))
	}
	instance := &Instance{engine: e, inner: inner, host: host}
	runtime.AddCleanup(instance, func(inner *component.Instance) { _ = inner.Close() }, inner)
	return instance, nil
}

// implementations are what was lent, by the interface's name in the WIT.
func (l Lent) implementations() map[string]reflect.Value {
	return map[string]reflect.Value{
		"image-store": reflect.ValueOf(l.Images),
		"registry":    reflect.ValueOf(l.Registry),
		"filesystem":  reflect.ValueOf(l.Files),
		"observer":    reflect.ValueOf(l.Observer),
	}
}
