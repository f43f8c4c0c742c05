// Package component runs a component of the contract in wazero: its core module, with
// the canonical ABI between that and Go. It knows nothing of what the component is
// for: functions are found by name, and values are the dynamic ones of package wit.
package component

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"layerwise.dev/layerwise/internal/contract"
	"layerwise.dev/layerwise/internal/wit"
)

// Engine is a compiled component. It may be used from several goroutines.
type Engine struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
	cache   wazero.CompilationCache
	// least is the size of the memory that an instance begins with.
	least uint64

	// Imports and Exports are the functions by their names in transcripts.
	Imports, Exports map[string]*wit.Func
	// ImportNames and ExportNames are the full names of the interfaces.
	ImportNames, ExportNames []string

	// exports are the names of functions in the core module, destructors those for
	// resources.
	exports, destructors map[string]string

	mutex  sync.Mutex
	users  int
	closed bool
}

// Config says how a component is compiled.
type Config struct {
	// Code is a directory that compiled code is kept in; "" keeps none.
	Code string
}

// NewEngine compiles a component.
func NewEngine(component []byte, config Config) (*Engine, error) {
	code, err := core(component)
	if err != nil {
		return nil, fmt.Errorf("read the component: %w", err)
	}
	if code, err = ticking(code); err != nil {
		return nil, fmt.Errorf("read the component: %w", err)
	}
	settings := wazero.NewRuntimeConfig()
	if config.Code != "" {
		if cache, keep := openCode(config.Code); cache != nil {
			e, err := newEngine(code, settings.WithCompilationCache(cache))
			if err == nil {
				e.cache = cache
				keep()
				return e, nil
			}
			// It is as if nothing was kept, then.
			_ = cache.Close(context.Background())
		}
	}
	return newEngine(code, settings)
}

func newEngine(code []byte, settings wazero.RuntimeConfig) (*Engine, error) {
	ctx := experimental.WithCompilationWorkers(context.Background(), runtime.GOMAXPROCS(0))
	e := &Engine{
		runtime:     wazero.NewRuntimeWithConfig(ctx, settings),
		Imports:     map[string]*wit.Func{},
		Exports:     map[string]*wit.Func{},
		exports:     map[string]string{},
		destructors: map[string]string{},
		users:       1,
	}
	var err error
	if e.module, err = e.runtime.CompileModule(ctx, code); err != nil {
		err = fmt.Errorf("compile the component: %w", err)
	} else if err = e.link(ctx); err != nil {
		err = fmt.Errorf("link the component: %w", err)
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// link finds the functions of the contract in the module, and defines those that it
// imports.
func (e *Engine) link(ctx context.Context) error {
	memory, has := e.module.ExportedMemories()["memory"]
	if !has {
		return fmt.Errorf("it exports no memory")
	}
	e.least = uint64(memory.Min()) * pageSize
	if allocator := e.module.ExportedFunctions()[allocate]; !fits(allocator, "iiii", "i") {
		return fmt.Errorf("it exports no %s", allocate)
	}
	for name, definition := range e.module.ExportedFunctions() {
		if err := e.export(name, definition); err != nil {
			return err
		}
	}
	modules := map[string]wazero.HostModuleBuilder{}
	for _, definition := range e.module.ImportedFunctions() {
		module, name, _ := definition.Import()
		builder, begun := modules[module]
		if !begun {
			builder = e.runtime.NewHostModuleBuilder(module)
			modules[module] = builder
		}
		function, err := e.imported(module, name, definition)
		if err != nil {
			return err
		}
		builder.NewFunctionBuilder().WithGoModuleFunction(function, definition.ParamTypes(), definition.ResultTypes()).Export(name)
	}
	for name, builder := range modules {
		if _, err := builder.Instantiate(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	e.ImportNames = slices.Sorted(maps.Keys(modules))
	e.ImportNames = slices.DeleteFunc(e.ImportNames, func(name string) bool {
		return name == tickModule || strings.HasPrefix(name, "[export]")
	})
	slices.Sort(e.ExportNames)
	e.ExportNames = slices.Compact(e.ExportNames)
	return nil
}

// export takes an exported function in; what is no function of an interface is passed
// over.
func (e *Engine) export(name string, definition api.FunctionDefinition) error {
	iface, function, isOfInterface := strings.Cut(name, "#")
	if !isOfInterface || strings.HasPrefix(name, afterwards) {
		return nil
	}
	short, err := known(iface)
	if err != nil {
		return err
	}
	e.ExportNames = append(e.ExportNames, iface)
	if resource, is := strings.CutPrefix(function, "[dtor]"); is {
		e.destructors[short+"#"+resource] = name
		return nil
	}
	found, is := contract.Functions[short+"#"+function]
	if !is {
		return fmt.Errorf("the export %s is not in the contract", name)
	}
	if params, results := signature(found, false); !fits(definition, params, results) {
		return fmt.Errorf("the export %s has another type than in the contract", name)
	}
	e.Exports[found.Name], e.exports[found.Name] = found, name
	return nil
}

// known is the short name of an interface of the contract.
func known(iface string) (string, error) {
	short, isPackage := strings.CutPrefix(iface, contract.Package+"/")
	short, isVersion := strings.CutSuffix(short, "@"+contract.Version)
	if !isPackage || !isVersion {
		return "", fmt.Errorf("%s is no interface of %s@%s", iface, contract.Package, contract.Version)
	}
	return short, nil
}

var cores = map[api.ValueType]wit.Core{
	api.ValueTypeI32: wit.I32, api.ValueTypeI64: wit.I64, api.ValueTypeF32: wit.C32, api.ValueTypeF64: wit.C64,
}

// fits tells whether a function of the module has these parameters and results.
func fits(definition api.FunctionDefinition, params, results string) bool {
	same := func(types []api.ValueType, want string) bool {
		return slices.EqualFunc(types, []byte(want), func(t api.ValueType, c byte) bool { return cores[t] == wit.Core(c) })
	}
	return definition != nil && same(definition.ParamTypes(), params) && same(definition.ResultTypes(), results)
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
	if e.users--; e.users == 0 {
		// It fails for modules with files only.
		_ = e.runtime.Close(context.Background())
		if e.cache != nil {
			_ = e.cache.Close(context.Background())
		}
	}
}
