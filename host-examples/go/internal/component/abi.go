package component

import (
	"fmt"

	"layerwise.dev/layerwise/internal/wit"
)

// Names and numbers of the canonical ABI.
const (
	// allocate is the function that makes room in the component's memory.
	allocate = "cabi_realloc"
	// afterwards begins the name of what is called once a result was read.
	afterwards = "cabi_post_"
	// maxParams and maxResults are how many core values are passed as such; more are
	// passed in memory.
	maxParams  = 16
	maxResults = 1
)

// broken is what a component must not do.
func broken(format string, args ...any) error {
	return &Trap{Reason: Trapped, Message: "the component broke the canonical ABI: " + fmt.Sprintf(format, args...)}
}

const outside = "%d bytes at %d are not in the memory"

// signature is the type of a function in the module, as an export or as an import.
func signature(of *wit.Func, imported bool) (params, results string) {
	params = string(of.Args.Flat)
	if len(params) > maxParams {
		params = string(wit.I32)
	}
	switch {
	case of.Result == nil:
	case len(of.Result.Flat) <= maxResults:
		results = string(of.Result.Flat)
	case imported:
		params += string(wit.I32)
	default:
		results = string(wit.I32)
	}
	return params, results
}

// params are the core values of arguments.
func (l *lowering) params(of *wit.Func, args []any) ([]uint64, error) {
	if len(of.Args.Flat) <= maxParams {
		return l.flat(of.Args, args, make([]uint64, 0, maxParams))
	}
	at, err := l.room(of.Args.Align, uint64(of.Args.Size))
	if err != nil {
		return nil, err
	}
	return []uint64{uint64(at)}, l.store(of.Args, args, at)
}

// result is the result of an export.
func (l *lifting) result(t *wit.Type, core []uint64) (any, error) {
	if len(t.Flat) <= maxResults {
		v, _, err := l.flat(t, core)
		return v, err
	}
	return l.load(t, uint32(core[0]))
}

// params are the arguments of an import, and the core values after them.
func (l *lifting) params(of *wit.Func, core []uint64) (args any, rest []uint64, err error) {
	if len(of.Args.Flat) <= maxParams {
		return l.flat(of.Args, core)
	}
	args, err = l.load(of.Args, uint32(core[0]))
	return args, core[1:], err
}

// result gives the result of an import to the component: at the address that is the
// next core value, or on the stack.
func (l *lowering) result(t *wit.Type, v any, rest, stack []uint64) error {
	if len(t.Flat) > maxResults {
		at := uint32(rest[0])
		if at%t.Align != 0 {
			return broken("the address %d is no multiple of %d", at, t.Align)
		}
		return l.store(t, v, at)
	}
	core, err := l.flat(t, v, stack[:0])
	copy(stack, core)
	return err
}

// allocate makes room in the component's memory.
func (in *Instance) allocate(align, size uint32) (uint32, error) {
	core, err := in.run(allocate, []uint64{0, 0, uint64(align), uint64(size)})
	if err != nil {
		return 0, err
	}
	return uint32(core[0]), nil
}

// destroy has the component end a resource.
func (in *Instance) destroy(name string, representation uint32) error {
	destructor, has := in.engine.destructors[name]
	if !has {
		return nil
	}
	_, err := in.run(destructor, []uint64{uint64(representation)})
	return err
}
