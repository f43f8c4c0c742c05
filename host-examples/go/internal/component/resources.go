package component

import (
	"errors"

	"layerwise.dev/layerwise/internal/wit"
)

// Resource is a handle to a resource of the component.
type Resource struct {
	in   *Instance
	name string
	// representation is what the component knows it by.
	representation uint32
	gone           bool
}

// handle is an entry in the table of the handles that the component holds.
type handle struct {
	name           string
	representation uint32
}

// handles is that table; the entry 0 is none.
type handles struct {
	entries []handle
	free    []uint32
}

// add makes a handle.
func (h *handles) add(name string, representation uint32) uint32 {
	if last := len(h.free) - 1; last >= 0 {
		at := h.free[last]
		h.free = h.free[:last]
		h.entries[at] = handle{name, representation}
		return at
	}
	if len(h.entries) == 0 {
		h.entries = append(h.entries, handle{})
	}
	h.entries = append(h.entries, handle{name, representation})
	return uint32(len(h.entries) - 1)
}

// get looks a handle of a resource up.
func (h *handles) get(name string, at uint32) (uint32, error) {
	if at == 0 || at >= uint32(len(h.entries)) || h.entries[at].name != name {
		return 0, broken("%d is no handle of %s", at, name)
	}
	return h.entries[at].representation, nil
}

// remove takes a handle away.
func (h *handles) remove(name string, at uint32) (uint32, error) {
	representation, err := h.get(name, at)
	if err == nil {
		h.entries[at] = handle{}
		h.free = append(h.free, at)
	}
	return representation, err
}

// given is a resource that the component gives away.
func (in *Instance) given(name string, at uint32) (*Resource, error) {
	representation, err := in.handles.remove(name, at)
	if err != nil {
		return nil, err
	}
	return &Resource{in: in, name: name, representation: representation}, nil
}

var errResource = errors.New("the resource was closed, or is of another instance or kind")

// handle is the core value of a resource: what the component knows it by where it is
// lent, and a handle where it is given.
func (l *lowering) handle(t *wit.Type, v any) (uint64, error) {
	resource, ok := v.(*Resource)
	switch {
	case !ok || resource == nil:
		return 0, unfit(t, v)
	case resource.in != l.in || resource.gone || resource.name != t.Resource:
		return 0, errResource
	case t.Kind == wit.Borrow || l.dry:
		return uint64(resource.representation), nil
	}
	resource.gone = true
	return uint64(l.in.handles.add(resource.name, resource.representation)), nil
}
