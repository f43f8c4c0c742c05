package component

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"layerwise.dev/layerwise/internal/wit"
)

// lifting reads values of the component. Everything that it says of its memory is
// checked: what leaves the memory, is not aligned, or is no text is an error.
type lifting struct {
	in *Instance
	// budget is what may still be read: parts of a value do not overlap, so together
	// they are no larger than the memory.
	budget uint64
}

func (in *Instance) lifting() *lifting {
	return &lifting{in: in, budget: uint64(in.memory.Size())}
}

// flat makes a value of core values and returns those that are left.
func (l *lifting) flat(t *wit.Type, core []uint64) (v any, rest []uint64, err error) {
	rest = core[len(t.Flat):]
	switch t.Kind {
	case wit.String:
		v, err = l.text(uint32(core[0]), uint32(core[1]))
	case wit.List:
		v, err = l.list(t, uint32(core[0]), uint32(core[1]))
	case wit.Record, wit.Tuple:
		items := make([]any, len(t.Fields))
		for i, field := range t.Fields {
			if items[i], core, err = l.flat(field.Type, core); err != nil {
				return nil, nil, err
			}
		}
		v = items
	case wit.VariantKind, wit.Enum, wit.Option, wit.ResultKind:
		var payload any
		choice := uint32(core[0])
		if choice < uint32(len(t.Choices)) && t.Choices[choice] != nil {
			if payload, _, err = l.flat(t.Choices[choice], core[1:]); err != nil {
				return nil, nil, err
			}
		}
		v, err = chosen(t, choice, payload)
	default:
		v, err = l.scalar(t, core[0])
	}
	return v, rest, err
}

// load makes a value of what is at an address.
func (l *lifting) load(t *wit.Type, at uint32) (any, error) {
	bytes, err := l.bytes(at, t.Align, uint64(t.Size))
	if err != nil {
		return nil, err
	}
	return l.value(t, bytes)
}

// value makes a value of its bytes in memory.
func (l *lifting) value(t *wit.Type, bytes []byte) (any, error) {
	switch t.Kind {
	case wit.String:
		return l.text(binary.LittleEndian.Uint32(bytes), binary.LittleEndian.Uint32(bytes[4:]))
	case wit.List:
		return l.list(t, binary.LittleEndian.Uint32(bytes), binary.LittleEndian.Uint32(bytes[4:]))
	case wit.Record, wit.Tuple:
		items := make([]any, len(t.Fields))
		for i, field := range t.Fields {
			var err error
			if items[i], err = l.value(field.Type, bytes[field.Offset:]); err != nil {
				return nil, err
			}
		}
		return items, nil
	case wit.VariantKind, wit.Enum, wit.Option, wit.ResultKind:
		choice := uint32(little(bytes[:t.Tag]))
		if choice >= uint32(len(t.Choices)) || t.Choices[choice] == nil {
			return chosen(t, choice, nil)
		}
		payload, err := l.value(t.Choices[choice], bytes[t.Payload:])
		if err != nil {
			return nil, err
		}
		return chosen(t, choice, payload)
	}
	return l.scalar(t, little(bytes[:t.Size]))
}

// scalar makes a value of a single core value.
func (l *lifting) scalar(t *wit.Type, core uint64) (any, error) {
	switch t.Kind {
	case wit.Bool:
		return uint32(core) != 0, nil
	case wit.S8:
		return int8(core), nil
	case wit.U8:
		return uint8(core), nil
	case wit.S16:
		return int16(core), nil
	case wit.U16:
		return uint16(core), nil
	case wit.S32:
		return int32(core), nil
	case wit.U32:
		return uint32(core), nil
	case wit.S64:
		return int64(core), nil
	case wit.U64:
		return core, nil
	case wit.F32:
		return math.Float32frombits(uint32(core)), nil
	case wit.F64:
		return math.Float64frombits(core), nil
	case wit.Flags:
		names := []string{}
		for i, field := range t.Fields {
			if core>>i&1 == 1 {
				names = append(names, field.Name)
			}
		}
		return names, nil
	case wit.Own:
		return l.in.given(t.Resource, uint32(core))
	}
	return nil, broken("a value of type kind %d", t.Kind)
}

// chosen makes the value of a case.
func chosen(t *wit.Type, choice uint32, payload any) (any, error) {
	if choice >= uint32(len(t.Choices)) {
		return nil, broken("there is no case %d of %d", choice, len(t.Choices))
	}
	switch t.Kind {
	case wit.Enum:
		return t.Fields[choice].Name, nil
	case wit.VariantKind:
		return wit.Variant{Case: t.Fields[choice].Name, Value: payload}, nil
	case wit.ResultKind:
		return wit.Result{OK: choice == 0, Value: payload}, nil
	}
	return payload, nil
}

func (l *lifting) text(at, length uint32) (string, error) {
	bytes, err := l.bytes(at, 1, uint64(length))
	if err != nil {
		return "", err
	}
	if !utf8.Valid(bytes) {
		return "", broken("the text at %d is not UTF-8", at)
	}
	return string(bytes), nil
}

func (l *lifting) list(t *wit.Type, at, length uint32) (any, error) {
	size := int(t.Elem.Size)
	bytes, err := l.bytes(at, t.Elem.Align, uint64(length)*uint64(size))
	if err != nil {
		return nil, err
	}
	items := make([]any, length)
	for i := range items {
		if items[i], err = l.value(t.Elem, bytes[i*size:]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// bytes are some bytes of the memory. They are only good until the component runs.
func (l *lifting) bytes(at, align uint32, size uint64) ([]byte, error) {
	if at%align != 0 {
		return nil, broken("the address %d is no multiple of %d", at, align)
	}
	if size > l.budget {
		return nil, broken("values of more bytes than the memory has")
	}
	l.budget -= size
	bytes, inside := l.in.memory.Read(at, uint32(size))
	if !inside {
		return nil, broken(outside, size, at)
	}
	return bytes, nil
}

// little is a number of 1, 2, 4 or 8 bytes.
func little(bytes []byte) (n uint64) {
	for i, b := range bytes {
		n |= uint64(b) << (8 * i)
	}
	return n
}
