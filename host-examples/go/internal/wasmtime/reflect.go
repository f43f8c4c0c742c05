// What a component says of its imports and exports.

package wasmtime

// #include "layerwise.h"
import "C"

import (
	"fmt"
	"strings"
	"unsafe"

	"layerwise.dev/layerwise/internal/wit"
)

// item is a function of an interface.
type item struct {
	iface string
	name  string
	kind  *wit.Func
}

type counter func() C.size_t
type getter func(n C.size_t, name **C.char, length *C.size_t, out *C.wasmtime_component_item_t) C.bool

// functions lists the functions of the interfaces a component imports or
// exports, and the names of these interfaces.
func functions(engine *C.wasm_engine_t, component *C.wasmtime_component_t, imports bool) ([]item, []string, error) {
	ty := C.wasmtime_component_type(component)
	defer C.wasmtime_component_type_delete(ty)
	count, get := counter(func() C.size_t { return C.wasmtime_component_type_export_count(ty, engine) }),
		getter(func(n C.size_t, name **C.char, length *C.size_t, out *C.wasmtime_component_item_t) C.bool {
			return C.wasmtime_component_type_export_nth(ty, engine, n, name, length, out)
		})
	if imports {
		count = func() C.size_t { return C.wasmtime_component_type_import_count(ty, engine) }
		get = func(n C.size_t, name **C.char, length *C.size_t, out *C.wasmtime_component_item_t) C.bool {
			return C.wasmtime_component_type_import_nth(ty, engine, n, name, length, out)
		}
	}
	var found []item
	var names []string
	err := each(count, get, func(iface string, of *C.wasmtime_component_item_t) error {
		names = append(names, iface)
		if of.kind != C.WASMTIME_COMPONENT_ITEM_COMPONENT_INSTANCE {
			return fmt.Errorf("%q is not an interface", iface)
		}
		instance := *(**C.wasmtime_component_instance_type_t)(unsafe.Pointer(&of.of))
		count := func() C.size_t { return C.wasmtime_component_instance_type_export_count(instance, engine) }
		get := func(n C.size_t, name **C.char, length *C.size_t, out *C.wasmtime_component_item_t) C.bool {
			return C.wasmtime_component_instance_type_export_nth(instance, engine, n, name, length, out)
		}
		return each(count, get, func(name string, of *C.wasmtime_component_item_t) error {
			if of.kind != C.WASMTIME_COMPONENT_ITEM_COMPONENT_FUNC {
				return nil
			}
			kind, err := function(*(**C.wasmtime_component_func_type_t)(unsafe.Pointer(&of.of)))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			kind.Name = short(iface) + "#" + name
			found = append(found, item{iface: iface, name: name, kind: kind})
			return nil
		})
	})
	return found, names, err
}

// short is the last part of an interface's name: "docker" for
// "layerwise:cache/docker@0.1.0".
func short(iface string) string {
	name := iface[strings.LastIndexByte(iface, '/')+1:]
	name, _, _ = strings.Cut(name, "@")
	return name
}

func each(count counter, get getter, do func(string, *C.wasmtime_component_item_t) error) error {
	for n := C.size_t(0); n < count(); n++ {
		var name *C.char
		var length C.size_t
		var of C.wasmtime_component_item_t
		if !get(n, &name, &length, &of) {
			return fmt.Errorf("the component has no item %d", n)
		}
		err := do(C.GoStringN(name, C.int(length)), &of)
		C.wasmtime_component_item_delete(&of)
		if err != nil {
			return err
		}
	}
	return nil
}

func function(ty *C.wasmtime_component_func_type_t) (*wit.Func, error) {
	of := &wit.Func{}
	for n := C.size_t(0); n < C.wasmtime_component_func_type_param_count(ty); n++ {
		var name *C.char
		var length C.size_t
		var value C.wasmtime_component_valtype_t
		C.wasmtime_component_func_type_param_nth(ty, n, &name, &length, &value)
		kind, err := valueType(&value)
		if err != nil {
			return nil, err
		}
		of.Params = append(of.Params, wit.Field{Name: C.GoStringN(name, C.int(length)), Type: kind})
	}
	var value C.wasmtime_component_valtype_t
	if C.wasmtime_component_func_type_result(ty, &value) {
		kind, err := valueType(&value)
		if err != nil {
			return nil, err
		}
		of.Result = kind
	}
	return of, nil
}

var plain = map[C.wasmtime_component_valtype_kind_t]wit.Kind{
	C.WASMTIME_COMPONENT_VALTYPE_BOOL:   wit.Bool,
	C.WASMTIME_COMPONENT_VALTYPE_S8:     wit.S8,
	C.WASMTIME_COMPONENT_VALTYPE_S16:    wit.S16,
	C.WASMTIME_COMPONENT_VALTYPE_S32:    wit.S32,
	C.WASMTIME_COMPONENT_VALTYPE_S64:    wit.S64,
	C.WASMTIME_COMPONENT_VALTYPE_U8:     wit.U8,
	C.WASMTIME_COMPONENT_VALTYPE_U16:    wit.U16,
	C.WASMTIME_COMPONENT_VALTYPE_U32:    wit.U32,
	C.WASMTIME_COMPONENT_VALTYPE_U64:    wit.U64,
	C.WASMTIME_COMPONENT_VALTYPE_F32:    wit.F32,
	C.WASMTIME_COMPONENT_VALTYPE_F64:    wit.F64,
	C.WASMTIME_COMPONENT_VALTYPE_CHAR:   wit.Char,
	C.WASMTIME_COMPONENT_VALTYPE_STRING: wit.String,
	C.WASMTIME_COMPONENT_VALTYPE_OWN:    wit.Own,
	C.WASMTIME_COMPONENT_VALTYPE_BORROW: wit.Borrow,
}

// valueType reads a type and gives it back to the library.
func valueType(ty *C.wasmtime_component_valtype_t) (*wit.Type, error) {
	defer C.wasmtime_component_valtype_delete(ty)
	if kind, ok := plain[ty.kind]; ok {
		return &wit.Type{Kind: kind}, nil
	}
	of := *(*unsafe.Pointer)(unsafe.Pointer(&ty.of))
	var inner C.wasmtime_component_valtype_t
	switch ty.kind {
	case C.WASMTIME_COMPONENT_VALTYPE_LIST:
		C.wasmtime_component_list_type_element((*C.wasmtime_component_list_type_t)(of), &inner)
		elem, err := valueType(&inner)
		return &wit.Type{Kind: wit.List, Elem: elem}, err
	case C.WASMTIME_COMPONENT_VALTYPE_OPTION:
		C.wasmtime_component_option_type_ty((*C.wasmtime_component_option_type_t)(of), &inner)
		elem, err := valueType(&inner)
		return &wit.Type{Kind: wit.Option, Elem: elem}, err
	case C.WASMTIME_COMPONENT_VALTYPE_RESULT:
		return resultType((*C.wasmtime_component_result_type_t)(of))
	case C.WASMTIME_COMPONENT_VALTYPE_RECORD:
		record := (*C.wasmtime_component_record_type_t)(of)
		count := C.wasmtime_component_record_type_field_count(record)
		return members(wit.Record, count, func(n C.size_t, name **C.char, length *C.size_t) (bool, bool) {
			return bool(C.wasmtime_component_record_type_field_nth(record, n, name, length, &inner)), true
		}, &inner)
	case C.WASMTIME_COMPONENT_VALTYPE_TUPLE:
		tuple := (*C.wasmtime_component_tuple_type_t)(of)
		count := C.wasmtime_component_tuple_type_types_count(tuple)
		return members(wit.Tuple, count, func(n C.size_t, _ **C.char, _ *C.size_t) (bool, bool) {
			return bool(C.wasmtime_component_tuple_type_types_nth(tuple, n, &inner)), true
		}, &inner)
	case C.WASMTIME_COMPONENT_VALTYPE_VARIANT:
		variant := (*C.wasmtime_component_variant_type_t)(of)
		count := C.wasmtime_component_variant_type_case_count(variant)
		return members(wit.VariantKind, count, func(n C.size_t, name **C.char, length *C.size_t) (bool, bool) {
			var payload C.bool
			there := C.wasmtime_component_variant_type_case_nth(variant, n, name, length, &payload, &inner)
			return bool(there), bool(payload)
		}, &inner)
	case C.WASMTIME_COMPONENT_VALTYPE_ENUM:
		enum := (*C.wasmtime_component_enum_type_t)(of)
		count := C.wasmtime_component_enum_type_names_count(enum)
		return members(wit.Enum, count, func(n C.size_t, name **C.char, length *C.size_t) (bool, bool) {
			return bool(C.wasmtime_component_enum_type_names_nth(enum, n, name, length)), false
		}, &inner)
	case C.WASMTIME_COMPONENT_VALTYPE_FLAGS:
		flags := (*C.wasmtime_component_flags_type_t)(of)
		count := C.wasmtime_component_flags_type_names_count(flags)
		return members(wit.Flags, count, func(n C.size_t, name **C.char, length *C.size_t) (bool, bool) {
			return bool(C.wasmtime_component_flags_type_names_nth(flags, n, name, length)), false
		}, &inner)
	}
	return nil, fmt.Errorf("type kind %d is not supported", ty.kind)
}

func resultType(ty *C.wasmtime_component_result_type_t) (*wit.Type, error) {
	of := &wit.Type{Kind: wit.ResultKind}
	var inner C.wasmtime_component_valtype_t
	var err error
	if C.wasmtime_component_result_type_ok(ty, &inner) {
		if of.Elem, err = valueType(&inner); err != nil {
			return nil, err
		}
	}
	if C.wasmtime_component_result_type_err(ty, &inner) {
		if of.Err, err = valueType(&inner); err != nil {
			return nil, err
		}
	}
	return of, nil
}

// members reads named parts; next says whether there is one more, and whether
// it has a type, which it leaves in inner.
func members(kind wit.Kind, count C.size_t, next func(C.size_t, **C.char, *C.size_t) (bool, bool), inner *C.wasmtime_component_valtype_t) (*wit.Type, error) {
	of := &wit.Type{Kind: kind}
	for n := C.size_t(0); n < count; n++ {
		var name *C.char
		var length C.size_t
		there, typed := next(n, &name, &length)
		if !there {
			return nil, fmt.Errorf("a type has no member %d", n)
		}
		field := wit.Field{}
		if name != nil {
			field.Name = C.GoStringN(name, C.int(length))
		}
		if typed {
			var err error
			if field.Type, err = valueType(inner); err != nil {
				return nil, err
			}
		}
		of.Fields = append(of.Fields, field)
	}
	return of, nil
}
