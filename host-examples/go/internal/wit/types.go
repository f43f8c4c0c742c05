// Package wit holds values of the component model, directed by their types: as
// dynamic values, as the JSON of transcripts, and as Go values.
//
// Dynamic values are bool, the sized integers, float32, float64, string (also
// for enums), []string for flags, []any for lists, tuples and records (fields
// in declared order), nil or the value for options, Variant, Result and
// whatever the runtime uses for resources.
package wit

// Kind says what a type is.
type Kind int

// The kinds of types.
const (
	Bool Kind = iota
	S8
	U8
	S16
	U16
	S32
	U32
	S64
	U64
	F32
	F64
	String
	List
	Record
	Tuple
	VariantKind
	Enum
	Option
	ResultKind
	Flags
	Own
	Borrow
)

// Type is a type of the component model. It is made by the functions of this
// package, which lay it out.
type Type struct {
	Kind Kind
	// Elem is the element of a list or an option, or the success of a result;
	// nil where a result has none.
	Elem *Type
	// Err is the failure of a result; nil where it has none.
	Err *Type
	// Fields are the fields of a record, the elements of a tuple (without
	// names), the cases of a variant (Type is nil without a payload), an enum or
	// flags.
	Fields []Field
	// Resource is the name of the resource of a handle, such as
	// "docker#session".
	Resource string
	Layout
}

// Field is a named part of a type.
type Field struct {
	Name string
	Type *Type
	// Offset is where a field of a record is, in bytes.
	Offset uint32
}

// Func is the type of a function, under its name in transcripts:
// the last part of the interface's name, "#" and the function's own name.
type Func struct {
	Name   string
	Params []Field
	// Result is nil for a function without one.
	Result *Type
	// Args are the parameters as a record.
	Args *Type
}

// FuncOf is a function; without a result that is nil.
func FuncOf(name string, result *Type, params ...Field) *Func {
	args := RecordOf(params...)
	return &Func{Name: name, Params: args.Fields, Result: result, Args: args}
}

// Variant is a dynamic value of a variant; Value is nil without a payload.
type Variant struct {
	Case  string
	Value any
}

// Result is a dynamic value of a result; Value is nil without a payload.
type Result struct {
	OK    bool
	Value any
}

// Case finds a case by its name.
func (t *Type) Case(name string) (*Field, bool) {
	if i := t.Index(name); i >= 0 {
		return &t.Fields[i], true
	}
	return nil, false
}

// Index is the number of a field or case, or -1.
func (t *Type) Index(name string) int {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return i
		}
	}
	return -1
}
