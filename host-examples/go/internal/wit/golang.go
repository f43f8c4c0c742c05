package wit

import (
	"fmt"
	"reflect"
	"sync"
)

// Go reads and writes Go values: structs whose fields are tagged with the names
// of a record's fields or of flags, structs with a member Case for variants and
// with the members Value and Err for results, strings for enums, pointers for
// options and slices for lists.
//
// An enum or the case of a variant that is empty is the first one of the type.
type Go struct {
	// FromError makes a failure of an error, ToError an error of a failure.
	FromError func(t *Type, err error) (any, error)
	ToError   func(t *Type, v any) (error, error)
	// FromResource and ToResource convert what stands for a resource.
	FromResource func(v any) (any, error)
	ToResource   func(v any) any
}

var errorType = reflect.TypeFor[error]()

// Read makes a dynamic value of a Go value.
func (g *Go) Read(t *Type, from reflect.Value) (any, error) {
	switch t.Kind {
	case Bool, S8, S16, S32, S64, U8, U16, U32, U64, F32, F64:
		want := scalars[t.Kind]
		if from.Kind() != want.Kind() {
			return nil, unfit(t, from.Type())
		}
		return from.Convert(want).Interface(), nil
	case String:
		if from.Kind() == reflect.String {
			return from.String(), nil
		}
	case Enum:
		if from.Kind() == reflect.String {
			if from.Len() == 0 {
				return t.Fields[0].Name, nil
			}
			return from.String(), nil
		}
	case Flags:
		return readFlags(t, from)
	case Option:
		if from.Type() == errorType {
			if from.IsNil() {
				return nil, nil
			}
			return g.FromError(t.Elem, from.Interface().(error))
		}
		if from.Kind() != reflect.Pointer {
			return nil, unfit(t, from.Type())
		}
		if from.IsNil() {
			return nil, nil
		}
		return g.Read(t.Elem, from.Elem())
	case List:
		if from.Kind() != reflect.Slice {
			return nil, unfit(t, from.Type())
		}
		items := make([]any, from.Len())
		for i := range items {
			var err error
			if items[i], err = g.Read(t.Elem, from.Index(i)); err != nil {
				return nil, fmt.Errorf("item %d: %w", i, err)
			}
		}
		return items, nil
	case Record:
		return g.readRecord(t, from)
	case VariantKind:
		return g.readVariant(t, from)
	case ResultKind:
		return g.readResult(t, from)
	case Own, Borrow:
		return g.FromResource(from.Interface())
	}
	return nil, unfit(t, from.Type())
}

// Write stores a dynamic value in a Go value.
func (g *Go) Write(t *Type, v any, to reflect.Value) error {
	switch t.Kind {
	case Bool, S8, S16, S32, S64, U8, U16, U32, U64, F32, F64, String, Enum:
		value := reflect.ValueOf(v)
		if to.Kind() != value.Kind() {
			return unfit(t, to.Type())
		}
		to.Set(value.Convert(to.Type()))
		return nil
	case Flags:
		fields := fieldsOf(to.Type())
		for _, name := range v.([]string) {
			index, ok := fields[name]
			if !ok {
				return unfit(t, to.Type())
			}
			to.Field(index).SetBool(true)
		}
		return nil
	case Option:
		if v == nil {
			to.SetZero()
			return nil
		}
		if to.Type() == errorType {
			err, failed := g.ToError(t.Elem, v)
			if failed == nil {
				to.Set(reflect.ValueOf(&err).Elem())
			}
			return failed
		}
		if to.Kind() != reflect.Pointer {
			return unfit(t, to.Type())
		}
		to.Set(reflect.New(to.Type().Elem()))
		return g.Write(t.Elem, v, to.Elem())
	case List:
		items := v.([]any)
		if to.Kind() != reflect.Slice {
			return unfit(t, to.Type())
		}
		to.Set(reflect.MakeSlice(to.Type(), len(items), len(items)))
		for i, item := range items {
			if err := g.Write(t.Elem, item, to.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case Record:
		fields := fieldsOf(to.Type())
		for i, item := range v.([]any) {
			index, ok := fields[t.Fields[i].Name]
			if !ok {
				return unfit(t, to.Type())
			}
			if err := g.Write(t.Fields[i].Type, item, to.Field(index)); err != nil {
				return err
			}
		}
		return nil
	case VariantKind:
		return g.writeVariant(t, v.(Variant), to)
	case ResultKind:
		return g.writeResult(t, v.(Result), to)
	case Own, Borrow:
		to.Set(reflect.ValueOf(g.ToResource(v)))
		return nil
	}
	return unfit(t, to.Type())
}

var scalars = map[Kind]reflect.Type{
	Bool: reflect.TypeFor[bool](),
	S8:   reflect.TypeFor[int8](), S16: reflect.TypeFor[int16](), S32: reflect.TypeFor[int32](), S64: reflect.TypeFor[int64](),
	U8: reflect.TypeFor[uint8](), U16: reflect.TypeFor[uint16](), U32: reflect.TypeFor[uint32](), U64: reflect.TypeFor[uint64](),
	F32: reflect.TypeFor[float32](), F64: reflect.TypeFor[float64](),
}

func unfit(t *Type, of reflect.Type) error {
	return fmt.Errorf("the Go type %v does not fit a type of kind %d", of, t.Kind)
}

var known sync.Map // reflect.Type to map[string]int

// fieldsOf are the tagged fields of a struct by their names in the WIT.
func fieldsOf(of reflect.Type) map[string]int {
	if fields, ok := known.Load(of); ok {
		return fields.(map[string]int)
	}
	fields := map[string]int{}
	if of.Kind() == reflect.Struct {
		for i := range of.NumField() {
			if name, ok := of.Field(i).Tag.Lookup("wit"); ok {
				fields[name] = i
			}
		}
	}
	known.Store(of, fields)
	return fields
}

func readFlags(t *Type, from reflect.Value) (any, error) {
	fields := fieldsOf(from.Type())
	names := []string{}
	for _, field := range t.Fields {
		index, ok := fields[field.Name]
		if !ok {
			return nil, unfit(t, from.Type())
		}
		if from.Field(index).Bool() {
			names = append(names, field.Name)
		}
	}
	return names, nil
}

func (g *Go) readRecord(t *Type, from reflect.Value) (any, error) {
	fields := fieldsOf(from.Type())
	items := make([]any, len(t.Fields))
	for i, field := range t.Fields {
		index, ok := fields[field.Name]
		if !ok {
			return nil, unfit(t, from.Type())
		}
		var err error
		if items[i], err = g.Read(field.Type, from.Field(index)); err != nil {
			return nil, fmt.Errorf("%s: %w", field.Name, err)
		}
	}
	return items, nil
}

func (g *Go) readVariant(t *Type, from reflect.Value) (any, error) {
	if from.Kind() != reflect.Struct || from.NumField() == 0 || from.Field(0).Kind() != reflect.String {
		return nil, unfit(t, from.Type())
	}
	name := from.Field(0).String()
	if name == "" {
		name = t.Fields[0].Name
	}
	found, ok := t.Case(name)
	if !ok {
		return nil, fmt.Errorf("%q is not a case of the variant", name)
	}
	if found.Type == nil {
		return Variant{Case: name}, nil
	}
	index, ok := fieldsOf(from.Type())[name]
	if !ok {
		return nil, unfit(t, from.Type())
	}
	payload, err := g.Read(found.Type, from.Field(index))
	return Variant{Case: name, Value: payload}, err
}

func (g *Go) writeVariant(t *Type, v Variant, to reflect.Value) error {
	to.Field(0).SetString(v.Case)
	found, ok := t.Case(v.Case)
	if !ok || found.Type == nil {
		return nil
	}
	index, ok := fieldsOf(to.Type())[v.Case]
	if !ok {
		return unfit(t, to.Type())
	}
	return g.Write(found.Type, v.Value, to.Field(index))
}

// readResult reads an error where a result has no value, else a struct with
// the members Value and Err.
func (g *Go) readResult(t *Type, from reflect.Value) (any, error) {
	failed := from
	if t.Elem != nil {
		if failed = from.FieldByName("Err"); !failed.IsValid() {
			return nil, unfit(t, from.Type())
		}
	}
	if failed.Type() != errorType {
		return nil, unfit(t, from.Type())
	}
	if !failed.IsNil() {
		return g.Failure(t, failed.Interface().(error))
	}
	if t.Elem == nil {
		return Result{OK: true}, nil
	}
	value, err := g.Read(t.Elem, from.FieldByName("Value"))
	return Result{OK: true, Value: value}, err
}

// Failure is the failing result for an error.
func (g *Go) Failure(t *Type, err error) (any, error) {
	value, failed := g.FromError(t.Err, err)
	return Result{Value: value}, failed
}

func (g *Go) writeResult(t *Type, v Result, to reflect.Value) error {
	failed := to
	if t.Elem != nil {
		failed = to.FieldByName("Err")
	}
	if !v.OK {
		err, unread := g.ToError(t.Err, v.Value)
		if unread == nil {
			failed.Set(reflect.ValueOf(&err).Elem())
		}
		return unread
	}
	if t.Elem == nil {
		return nil
	}
	return g.Write(t.Elem, v.Value, to.FieldByName("Value"))
}
