package component

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"layerwise.dev/layerwise/internal/wit"
)

// lowering gives values to the component, in memory that it allocates itself.
type lowering struct {
	in *Instance
	// dry only looks whether the values fit their types: the component does not run.
	dry bool
}

// flat appends the core values of a value.
func (l *lowering) flat(t *wit.Type, v any, core []uint64) ([]uint64, error) {
	switch t.Kind {
	case wit.String:
		at, length, err := l.text(v)
		return append(core, uint64(at), uint64(length)), err
	case wit.List:
		at, length, err := l.list(t, v)
		return append(core, uint64(at), uint64(length)), err
	case wit.Record, wit.Tuple:
		items, err := parts(t, v)
		if err != nil {
			return nil, err
		}
		for i, item := range items {
			if core, err = l.flat(t.Fields[i].Type, item, core); err != nil {
				return nil, within(t.Fields[i].Name, err)
			}
		}
		return core, nil
	case wit.VariantKind, wit.Enum, wit.Option, wit.ResultKind:
		end := len(core) + len(t.Flat)
		choice, payload, err := choose(t, v)
		if err != nil {
			return nil, err
		}
		core = append(core, uint64(choice))
		if of := t.Choices[choice]; of != nil {
			if core, err = l.flat(of, payload, core); err != nil {
				return nil, err
			}
		}
		for len(core) < end {
			core = append(core, 0)
		}
		return core, nil
	}
	one, err := l.scalar(t, v)
	return append(core, one), err
}

// store writes a value to an address.
func (l *lowering) store(t *wit.Type, v any, at uint32) error {
	switch t.Kind {
	case wit.String:
		text, length, err := l.text(v)
		if err != nil {
			return err
		}
		return l.pair(at, text, length)
	case wit.List:
		items, length, err := l.list(t, v)
		if err != nil {
			return err
		}
		return l.pair(at, items, length)
	case wit.Record, wit.Tuple:
		items, err := parts(t, v)
		if err != nil {
			return err
		}
		for i, item := range items {
			if err := l.store(t.Fields[i].Type, item, at+t.Fields[i].Offset); err != nil {
				return within(t.Fields[i].Name, err)
			}
		}
		return nil
	case wit.VariantKind, wit.Enum, wit.Option, wit.ResultKind:
		choice, payload, err := choose(t, v)
		if err != nil {
			return err
		}
		if err := l.put(at, t.Tag, uint64(choice)); err != nil || t.Choices[choice] == nil {
			return err
		}
		return l.store(t.Choices[choice], payload, at+t.Payload)
	}
	one, err := l.scalar(t, v)
	if err != nil {
		return err
	}
	return l.put(at, t.Size, one)
}

// scalar is the single core value of a value.
func (l *lowering) scalar(t *wit.Type, v any) (uint64, error) {
	core, fits := uint64(0), false
	switch t.Kind {
	case wit.Bool:
		var is bool
		if is, fits = v.(bool); is {
			core = 1
		}
	case wit.S8:
		core, fits = signed[int8](v)
	case wit.U8:
		core, fits = unsigned[uint8](v)
	case wit.S16:
		core, fits = signed[int16](v)
	case wit.U16:
		core, fits = unsigned[uint16](v)
	case wit.S32:
		core, fits = signed[int32](v)
	case wit.U32:
		core, fits = unsigned[uint32](v)
	case wit.S64:
		var n int64
		n, fits = v.(int64)
		core = uint64(n)
	case wit.U64:
		core, fits = v.(uint64)
	case wit.F32:
		var n float32
		n, fits = v.(float32)
		core = uint64(math.Float32bits(n))
	case wit.F64:
		var n float64
		n, fits = v.(float64)
		core = math.Float64bits(n)
	case wit.Flags:
		return flags(t, v)
	case wit.Own, wit.Borrow:
		return l.handle(t, v)
	}
	if !fits {
		return 0, unfit(t, v)
	}
	return core, nil
}

func signed[T int8 | int16 | int32](v any) (uint64, bool) {
	n, fits := v.(T)
	return uint64(uint32(int32(n))), fits
}

func unsigned[T uint8 | uint16 | uint32](v any) (uint64, bool) {
	n, fits := v.(T)
	return uint64(n), fits
}

func flags(t *wit.Type, v any) (core uint64, err error) {
	names, fits := v.([]string)
	if !fits {
		return 0, unfit(t, v)
	}
	for _, name := range names {
		i := t.Index(name)
		if i < 0 {
			return 0, fmt.Errorf("%.64q is not one of the flags", name)
		}
		core |= 1 << i
	}
	return core, nil
}

// choose is the case of a value and what it carries.
func choose(t *wit.Type, v any) (choice int, payload any, err error) {
	name, fits := "", true
	switch t.Kind {
	case wit.Option:
		if v == nil {
			return 0, nil, nil
		}
		return 1, v, nil
	case wit.ResultKind:
		result, fits := v.(wit.Result)
		if !fits {
			return 0, nil, unfit(t, v)
		}
		if result.OK {
			return 0, result.Value, nil
		}
		return 1, result.Value, nil
	case wit.Enum:
		name, fits = v.(string)
	default:
		var variant wit.Variant
		variant, fits = v.(wit.Variant)
		name, payload = variant.Case, variant.Value
	}
	if !fits {
		return 0, nil, unfit(t, v)
	}
	if choice = t.Index(name); choice < 0 {
		return 0, nil, fmt.Errorf("%.64q is not one of the cases", name)
	}
	return choice, payload, nil
}

func parts(t *wit.Type, v any) ([]any, error) {
	items, fits := v.([]any)
	if !fits {
		return nil, unfit(t, v)
	}
	if len(items) != len(t.Fields) {
		return nil, fmt.Errorf("%d values for %d fields", len(items), len(t.Fields))
	}
	return items, nil
}

func (l *lowering) text(v any) (at, length uint32, err error) {
	text, fits := v.(string)
	switch {
	case !fits:
		return 0, 0, unfit(wit.StringType, v)
	case !utf8.ValidString(text):
		return 0, 0, fmt.Errorf("the text %.64q is not UTF-8", text)
	}
	if at, err = l.room(1, uint64(len(text))); err != nil {
		return 0, 0, err
	}
	if !l.dry && !l.in.memory.WriteString(at, text) {
		return 0, 0, broken(outside, len(text), at)
	}
	return at, uint32(len(text)), nil
}

func (l *lowering) list(t *wit.Type, v any) (at, length uint32, err error) {
	items, fits := v.([]any)
	if !fits {
		return 0, 0, unfit(t, v)
	}
	size := t.Elem.Size
	if at, err = l.room(t.Elem.Align, uint64(len(items))*uint64(size)); err != nil {
		return 0, 0, err
	}
	for i, item := range items {
		if err := l.store(t.Elem, item, at+uint32(i)*size); err != nil {
			return 0, 0, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return at, uint32(len(items)), nil
}

// room allocates memory; what has no bytes needs none.
func (l *lowering) room(align uint32, size uint64) (uint32, error) {
	switch {
	case size > math.MaxInt32:
		return 0, fmt.Errorf("a value of %d bytes is too large", size)
	case size == 0 || l.dry:
		return align, nil
	}
	at, err := l.in.allocate(align, uint32(size))
	if err == nil && at%align != 0 {
		err = broken("the address %d is no multiple of %d", at, align)
	}
	return at, err
}

func (l *lowering) pair(at, first, second uint32) error {
	return l.put(at, 8, uint64(second)<<32|uint64(first))
}

// put writes a number of 1, 2, 4 or 8 bytes.
func (l *lowering) put(at, size uint32, n uint64) error {
	var bytes [8]byte
	binary.LittleEndian.PutUint64(bytes[:], n)
	if !l.dry && !l.in.memory.Write(at, bytes[:size]) {
		return broken(outside, size, at)
	}
	return nil
}

func within(name string, err error) error { return fmt.Errorf("%s: %w", name, err) }

func unfit(t *wit.Type, v any) error {
	return fmt.Errorf("a %T is not a value of type kind %d", v, t.Kind)
}
