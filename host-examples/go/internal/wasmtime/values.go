// Values in the library's memory.
//
// What goes in is laid out in memory of our own, which the library only reads;
// what comes out belongs to the library. Text is checked first: the library
// ends the process on text that is not UTF-8.

package wasmtime

// #include "layerwise.h"
import "C"

import (
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"

	"layerwise.dev/layerwise/internal/wit"
)

type value = C.wasmtime_component_val_t

const (
	valueSize = C.sizeof_wasmtime_component_val_t
	entrySize = C.sizeof_wasmtime_component_valrecord_entry_t
	nameSize  = C.sizeof_wasm_byte_vec_t
)

// arena is memory outside of Go's that is filled from its beginning and used
// again for the next call.
type arena struct {
	chunks []chunk
	at     int
	used   uintptr
}

type chunk struct {
	memory unsafe.Pointer
	size   uintptr
}

type mark struct {
	at   int
	used uintptr
}

const chunkSize = 16 << 10

// alloc answers zeroed memory, aligned for everything.
func (a *arena) alloc(size uintptr) unsafe.Pointer {
	size = (size + 15) &^ 15
	for ; a.at < len(a.chunks); a.at, a.used = a.at+1, 0 {
		if a.used+size <= a.chunks[a.at].size {
			memory := unsafe.Add(a.chunks[a.at].memory, a.used)
			a.used += size
			clear(unsafe.Slice((*byte)(memory), size))
			return memory
		}
	}
	room := max(size, chunkSize)
	a.chunks = append(a.chunks, chunk{memory: C.calloc(1, C.size_t(room)), size: room})
	a.used = size
	return a.chunks[a.at].memory
}

func (a *arena) mark() mark { return mark{at: a.at, used: a.used} }

// release makes everything free that was laid out since the mark, and gives
// back what is too large to be kept.
func (a *arena) release(m mark) {
	a.at, a.used = m.at, m.used
	if m != (mark{}) {
		return
	}
	kept := a.chunks[:0]
	for _, c := range a.chunks {
		if c.size == chunkSize && len(kept) < 4 {
			kept = append(kept, c)
		} else {
			C.free(c.memory)
		}
	}
	a.chunks = kept
}

func (a *arena) free() {
	for _, c := range a.chunks {
		C.free(c.memory)
	}
	a.chunks = nil
}

func (a *arena) text(text string, out *C.wasm_byte_vec_t) {
	out.size = C.size_t(len(text))
	if text == "" {
		return
	}
	memory := a.alloc(uintptr(len(text)))
	copy(unsafe.Slice((*byte)(memory), len(text)), text)
	out.data = (*C.wasm_byte_t)(memory)
}

// values makes room for some values.
func (a *arena) values(count int) []value {
	if count == 0 {
		return nil
	}
	return unsafe.Slice((*value)(a.alloc(uintptr(count)*valueSize)), count)
}

// of is where the payload of a value is.
func of[T any](v *value) *T { return (*T)(unsafe.Pointer(&v.of)) }

func wrong(t *wit.Type, v any) error {
	return fmt.Errorf("a %T is not a value of type kind %d", v, t.Kind)
}

func put[T any](t *wit.Type, kind C.wasmtime_component_valkind_t, v any, out *value) error {
	typed, ok := v.(T)
	if !ok {
		return wrong(t, v)
	}
	out.kind = kind
	*of[T](out) = typed
	return nil
}

// lower lays a value out.
func (in *Instance) lower(t *wit.Type, v any, out *value) error {
	a := &in.arena
	switch t.Kind {
	case wit.Bool:
		return put[bool](t, C.WASMTIME_COMPONENT_BOOL, v, out)
	case wit.S8:
		return put[int8](t, C.WASMTIME_COMPONENT_S8, v, out)
	case wit.U8:
		return put[uint8](t, C.WASMTIME_COMPONENT_U8, v, out)
	case wit.S16:
		return put[int16](t, C.WASMTIME_COMPONENT_S16, v, out)
	case wit.U16:
		return put[uint16](t, C.WASMTIME_COMPONENT_U16, v, out)
	case wit.S32:
		return put[int32](t, C.WASMTIME_COMPONENT_S32, v, out)
	case wit.U32:
		return put[uint32](t, C.WASMTIME_COMPONENT_U32, v, out)
	case wit.S64:
		return put[int64](t, C.WASMTIME_COMPONENT_S64, v, out)
	case wit.U64:
		return put[uint64](t, C.WASMTIME_COMPONENT_U64, v, out)
	case wit.F32:
		return put[float32](t, C.WASMTIME_COMPONENT_F32, v, out)
	case wit.F64:
		return put[float64](t, C.WASMTIME_COMPONENT_F64, v, out)
	case wit.String:
		text, ok := v.(string)
		if !ok {
			return wrong(t, v)
		}
		if !utf8.ValidString(text) {
			return fmt.Errorf("the text %.64q is not UTF-8", text)
		}
		out.kind = C.WASMTIME_COMPONENT_STRING
		a.text(text, of[C.wasm_byte_vec_t](out))
		return nil
	case wit.Enum:
		name, ok := v.(string)
		if !ok {
			return wrong(t, v)
		}
		if _, known := t.Case(name); !known {
			return fmt.Errorf("%.64q is not a case of the enum", name)
		}
		out.kind = C.WASMTIME_COMPONENT_ENUM
		a.text(name, of[C.wasm_byte_vec_t](out))
		return nil
	case wit.Flags:
		return in.lowerFlags(t, v, out)
	case wit.Option:
		out.kind = C.WASMTIME_COMPONENT_OPTION
		if v == nil {
			return nil
		}
		return in.lowerBoxed(t.Elem, v, of[*value](out))
	case wit.List, wit.Tuple, wit.Record:
		items, ok := v.([]any)
		if !ok {
			return wrong(t, v)
		}
		return in.lowerItems(t, items, out)
	case wit.VariantKind:
		variant, ok := v.(wit.Variant)
		if !ok {
			return wrong(t, v)
		}
		found, known := t.Case(variant.Case)
		if !known {
			return fmt.Errorf("%.64q is not a case of the variant", variant.Case)
		}
		out.kind = C.WASMTIME_COMPONENT_VARIANT
		to := of[C.wasmtime_component_valvariant_t](out)
		a.text(variant.Case, &to.discriminant)
		if found.Type == nil {
			return nil
		}
		return in.lowerBoxed(found.Type, variant.Value, (**value)(unsafe.Pointer(&to.val)))
	case wit.ResultKind:
		result, ok := v.(wit.Result)
		if !ok {
			return wrong(t, v)
		}
		out.kind = C.WASMTIME_COMPONENT_RESULT
		to := of[C.wasmtime_component_valresult_t](out)
		to.is_ok = C.bool(result.OK)
		payload := t.Elem
		if !result.OK {
			payload = t.Err
		}
		if payload == nil {
			return nil
		}
		return in.lowerBoxed(payload, result.Value, (**value)(unsafe.Pointer(&to.val)))
	case wit.Own, wit.Borrow:
		resource, ok := v.(*Resource)
		if !ok || resource == nil {
			return wrong(t, v)
		}
		if resource.in != in || resource.any == nil {
			return fmt.Errorf("the resource was dropped or is of another instance")
		}
		out.kind = C.WASMTIME_COMPONENT_RESOURCE
		*of[*C.wasmtime_component_resource_any_t](out) = resource.any
		return nil
	}
	return wrong(t, v)
}

func (in *Instance) lowerBoxed(t *wit.Type, v any, out **value) error {
	*out = &in.arena.values(1)[0]
	return in.lower(t, v, *out)
}

func (in *Instance) lowerFlags(t *wit.Type, v any, out *value) error {
	names, ok := v.([]string)
	if !ok {
		return wrong(t, v)
	}
	out.kind = C.WASMTIME_COMPONENT_FLAGS
	if len(names) == 0 {
		return nil
	}
	memory := in.arena.alloc(uintptr(len(names)) * nameSize)
	for i, text := range unsafe.Slice((*C.wasm_byte_vec_t)(memory), len(names)) {
		_ = text
		if _, known := t.Case(names[i]); !known {
			return fmt.Errorf("%.64q is not one of the flags", names[i])
		}
		in.arena.text(names[i], (*C.wasm_byte_vec_t)(unsafe.Add(memory, uintptr(i)*nameSize)))
	}
	to := of[C.wasmtime_component_valflags_t](out)
	to.size, to.data = C.size_t(len(names)), (*C.wasm_name_t)(memory)
	return nil
}

func (in *Instance) lowerItems(t *wit.Type, items []any, out *value) error {
	if t.Kind != wit.List && len(items) != len(t.Fields) {
		return fmt.Errorf("%d values for %d fields", len(items), len(t.Fields))
	}
	if t.Kind == wit.Record {
		out.kind = C.WASMTIME_COMPONENT_RECORD
		memory := in.arena.alloc(uintptr(len(items)) * entrySize)
		entries := unsafe.Slice((*C.wasmtime_component_valrecord_entry_t)(memory), len(items))
		for i, item := range items {
			in.arena.text(t.Fields[i].Name, &entries[i].name)
			if err := in.lower(t.Fields[i].Type, item, &entries[i].val); err != nil {
				return fmt.Errorf("%s: %w", t.Fields[i].Name, err)
			}
		}
		to := of[C.wasmtime_component_valrecord_t](out)
		to.size, to.data = C.size_t(len(items)), (*C.struct_wasmtime_component_valrecord_entry)(memory)
		return nil
	}
	out.kind = C.WASMTIME_COMPONENT_LIST
	if t.Kind == wit.Tuple {
		out.kind = C.WASMTIME_COMPONENT_TUPLE
	}
	values := in.arena.values(len(items))
	for i, item := range items {
		kind := t.Elem
		if t.Kind == wit.Tuple {
			kind = t.Fields[i].Type
		}
		if err := in.lower(kind, item, &values[i]); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	to := of[C.wasmtime_component_vallist_t](out)
	to.size = C.size_t(len(items))
	to.data = (*C.struct_wasmtime_component_val)(unsafe.Pointer(unsafe.SliceData(values)))
	return nil
}

// lift copies a value into Go's memory.
func (in *Instance) lift(t *wit.Type, v *value) (any, error) {
	if v.kind != kinds[t.Kind] {
		return nil, fmt.Errorf("the library answered kind %d for type kind %d", v.kind, t.Kind)
	}
	switch t.Kind {
	case wit.Bool:
		return *of[bool](v), nil
	case wit.S8:
		return *of[int8](v), nil
	case wit.U8:
		return *of[uint8](v), nil
	case wit.S16:
		return *of[int16](v), nil
	case wit.U16:
		return *of[uint16](v), nil
	case wit.S32:
		return *of[int32](v), nil
	case wit.U32:
		return *of[uint32](v), nil
	case wit.S64:
		return *of[int64](v), nil
	case wit.U64:
		return *of[uint64](v), nil
	case wit.F32:
		return *of[float32](v), nil
	case wit.F64:
		return *of[float64](v), nil
	case wit.String, wit.Enum:
		return textOf(of[C.wasm_byte_vec_t](v))
	case wit.Flags:
		vec := of[C.wasmtime_component_valflags_t](v)
		names := make([]string, 0, vec.size)
		for i := range unsafe.Slice((*C.wasm_byte_vec_t)(unsafe.Pointer(vec.data)), vec.size) {
			name, err := textOf((*C.wasm_byte_vec_t)(unsafe.Add(unsafe.Pointer(vec.data), uintptr(i)*nameSize)))
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		return names, nil
	case wit.Option:
		return in.liftBoxed(t.Elem, *of[*value](v))
	case wit.Record:
		return in.liftRecord(t, of[C.wasmtime_component_valrecord_t](v))
	case wit.List, wit.Tuple:
		vec := of[C.wasmtime_component_vallist_t](v)
		items := make([]any, 0, vec.size)
		values := unsafe.Slice((*value)(unsafe.Pointer(vec.data)), vec.size)
		for i := range values {
			kind := t.Elem
			if t.Kind == wit.Tuple {
				kind = t.Fields[i].Type
			}
			item, err := in.lift(kind, &values[i])
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		return items, nil
	case wit.VariantKind:
		from := of[C.wasmtime_component_valvariant_t](v)
		name, err := textOf(&from.discriminant)
		if err != nil {
			return nil, err
		}
		found, known := t.Case(name)
		if !known {
			return nil, fmt.Errorf("the library answered the case %q", name)
		}
		payload, err := in.liftBoxed(found.Type, (*value)(unsafe.Pointer(from.val)))
		return wit.Variant{Case: name, Value: payload}, err
	case wit.ResultKind:
		from := of[C.wasmtime_component_valresult_t](v)
		kind := t.Elem
		if !from.is_ok {
			kind = t.Err
		}
		payload, err := in.liftBoxed(kind, (*value)(unsafe.Pointer(from.val)))
		return wit.Result{OK: bool(from.is_ok), Value: payload}, err
	case wit.Own, wit.Borrow:
		any := C.wasmtime_component_resource_any_clone(*of[*C.wasmtime_component_resource_any_t](v))
		return &Resource{in: in, any: any}, nil
	}
	return nil, fmt.Errorf("type kind %d is not supported", t.Kind)
}

func (in *Instance) liftBoxed(t *wit.Type, v *value) (any, error) {
	if t == nil || v == nil {
		return nil, nil
	}
	return in.lift(t, v)
}

func (in *Instance) liftRecord(t *wit.Type, vec *C.wasmtime_component_valrecord_t) (any, error) {
	if int(vec.size) != len(t.Fields) {
		return nil, fmt.Errorf("the library answered %d fields for %d", vec.size, len(t.Fields))
	}
	items := make([]any, 0, vec.size)
	entries := unsafe.Slice((*C.wasmtime_component_valrecord_entry_t)(unsafe.Pointer(vec.data)), vec.size)
	for i := range entries {
		item, err := in.lift(t.Fields[i].Type, &entries[i].val)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func textOf(vec *C.wasm_byte_vec_t) (string, error) {
	if vec.size > math.MaxInt32 {
		return "", fmt.Errorf("a text of %d bytes is too long", vec.size)
	}
	return bytesOf(vec), nil
}

// kinds are the library's kinds of values.
var kinds = map[wit.Kind]C.wasmtime_component_valkind_t{
	wit.Bool:        C.WASMTIME_COMPONENT_BOOL,
	wit.S8:          C.WASMTIME_COMPONENT_S8,
	wit.U8:          C.WASMTIME_COMPONENT_U8,
	wit.S16:         C.WASMTIME_COMPONENT_S16,
	wit.U16:         C.WASMTIME_COMPONENT_U16,
	wit.S32:         C.WASMTIME_COMPONENT_S32,
	wit.U32:         C.WASMTIME_COMPONENT_U32,
	wit.S64:         C.WASMTIME_COMPONENT_S64,
	wit.U64:         C.WASMTIME_COMPONENT_U64,
	wit.F32:         C.WASMTIME_COMPONENT_F32,
	wit.F64:         C.WASMTIME_COMPONENT_F64,
	wit.String:      C.WASMTIME_COMPONENT_STRING,
	wit.Enum:        C.WASMTIME_COMPONENT_ENUM,
	wit.Flags:       C.WASMTIME_COMPONENT_FLAGS,
	wit.Option:      C.WASMTIME_COMPONENT_OPTION,
	wit.Record:      C.WASMTIME_COMPONENT_RECORD,
	wit.List:        C.WASMTIME_COMPONENT_LIST,
	wit.Tuple:       C.WASMTIME_COMPONENT_TUPLE,
	wit.VariantKind: C.WASMTIME_COMPONENT_VARIANT,
	wit.ResultKind:  C.WASMTIME_COMPONENT_RESULT,
	wit.Own:         C.WASMTIME_COMPONENT_RESOURCE,
	wit.Borrow:      C.WASMTIME_COMPONENT_RESOURCE,
}
