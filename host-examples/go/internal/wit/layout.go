// How types are laid out in memory and as core values: the canonical ABI of the
// component model.

package wit

// Core is a type of core values.
type Core byte

// The types of core values.
const (
	I32 Core = 'i'
	I64 Core = 'l'
	C32 Core = 'f'
	C64 Core = 'd'
)

// Layout is how a type is laid out.
type Layout struct {
	// Size and Align are bytes in memory.
	Size, Align uint32
	// Flat are the core values it becomes as a parameter.
	Flat []Core
	// Choices are the payloads of the cases of a variant, an enum, an option or a
	// result, nil where there is none; Tag is the size of what says which, and
	// Payload where the payload is.
	Choices      []*Type
	Tag, Payload uint32
}

// scalar are the types without parts.
func scalar(kind Kind, size uint32, flat ...Core) *Type {
	return &Type{Kind: kind, Layout: Layout{Size: size, Align: size, Flat: flat}}
}

// The types without parts.
var (
	BoolType   = scalar(Bool, 1, I32)
	S8Type     = scalar(S8, 1, I32)
	U8Type     = scalar(U8, 1, I32)
	S16Type    = scalar(S16, 2, I32)
	U16Type    = scalar(U16, 2, I32)
	S32Type    = scalar(S32, 4, I32)
	U32Type    = scalar(U32, 4, I32)
	S64Type    = scalar(S64, 8, I64)
	U64Type    = scalar(U64, 8, I64)
	F32Type    = scalar(F32, 4, C32)
	F64Type    = scalar(F64, 8, C64)
	StringType = &Type{Kind: String, Layout: Layout{Size: 8, Align: 4, Flat: []Core{I32, I32}}}
)

// Named is a field, a parameter or a case; without a payload the type is nil.
func Named(name string, of *Type) Field { return Field{Name: name, Type: of} }

// ListOf is a list.
func ListOf(elem *Type) *Type {
	return &Type{Kind: List, Elem: elem, Layout: Layout{Size: 8, Align: 4, Flat: []Core{I32, I32}}}
}

// RecordOf is a record.
func RecordOf(fields ...Field) *Type { return sequence(Record, fields) }

// TupleOf is a tuple.
func TupleOf(parts ...*Type) *Type {
	fields := make([]Field, len(parts))
	for i, part := range parts {
		fields[i].Type = part
	}
	return sequence(Tuple, fields)
}

func sequence(kind Kind, fields []Field) *Type {
	t := &Type{Kind: kind, Fields: fields, Layout: Layout{Align: 1}}
	for i := range fields {
		of := fields[i].Type
		fields[i].Offset = aligned(t.Size, of.Align)
		t.Size = fields[i].Offset + of.Size
		t.Align = max(t.Align, of.Align)
		t.Flat = append(t.Flat, of.Flat...)
	}
	t.Size = aligned(t.Size, t.Align)
	return t
}

// VariantOf is a variant.
func VariantOf(cases ...Field) *Type {
	t := &Type{Kind: VariantKind, Fields: cases}
	for _, one := range cases {
		t.Choices = append(t.Choices, one.Type)
	}
	return t.choose()
}

// EnumOf is an enum.
func EnumOf(names ...string) *Type {
	t := &Type{Kind: Enum, Fields: named(names), Layout: Layout{Choices: make([]*Type, len(names))}}
	return t.choose()
}

// OptionOf is an option.
func OptionOf(elem *Type) *Type {
	t := &Type{Kind: Option, Elem: elem, Layout: Layout{Choices: []*Type{nil, elem}}}
	return t.choose()
}

// ResultOf is a result; nil is no payload.
func ResultOf(ok, err *Type) *Type {
	t := &Type{Kind: ResultKind, Elem: ok, Err: err, Layout: Layout{Choices: []*Type{ok, err}}}
	return t.choose()
}

// FlagsOf are at most 32 flags, as the component model has them.
func FlagsOf(names ...string) *Type {
	size := uint32(4)
	if len(names) <= 8 {
		size = 1
	} else if len(names) <= 16 {
		size = 2
	}
	return &Type{Kind: Flags, Fields: named(names), Layout: Layout{Size: size, Align: size, Flat: []Core{I32}}}
}

// OwnOf is a handle that is given, BorrowOf one that is lent.
func OwnOf(resource string) *Type { return handle(Own, resource) }

// BorrowOf is a handle that is lent for a call.
func BorrowOf(resource string) *Type { return handle(Borrow, resource) }

func handle(kind Kind, resource string) *Type {
	return &Type{Kind: kind, Resource: resource, Layout: Layout{Size: 4, Align: 4, Flat: []Core{I32}}}
}

func named(names []string) []Field {
	fields := make([]Field, len(names))
	for i, name := range names {
		fields[i].Name = name
	}
	return fields
}

// choose lays out a type with choices.
func (t *Type) choose() *Type {
	t.Tag = 4
	if len(t.Choices) <= 1<<8 {
		t.Tag = 1
	} else if len(t.Choices) <= 1<<16 {
		t.Tag = 2
	}
	t.Align = t.Tag
	t.Flat = []Core{I32}
	size := uint32(0)
	for _, payload := range t.Choices {
		if payload == nil {
			continue
		}
		size = max(size, payload.Size)
		t.Align = max(t.Align, payload.Align)
		for i, core := range payload.Flat {
			if 1+i == len(t.Flat) {
				t.Flat = append(t.Flat, core)
			} else {
				t.Flat[1+i] = join(t.Flat[1+i], core)
			}
		}
	}
	t.Payload = aligned(t.Tag, t.Align)
	t.Size = aligned(t.Payload+size, t.Align)
	return t
}

// join is the type of core values that can hold either.
func join(a, b Core) Core {
	switch {
	case a == b:
		return a
	case (a == I32 || a == C32) && (b == I32 || b == C32):
		return I32
	}
	return I64
}

func aligned(at, align uint32) uint32 { return (at + align - 1) &^ (align - 1) }
