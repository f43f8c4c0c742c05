package main

import (
	"bytes"
	"fmt"
	"go/format"
	"slices"
	"strings"
)

// contractFile is where the types of all functions are written.
const contractFile = "internal/contract/contract.gen.go"

// table writes the type of every function of the package as a table.
func (p *contract) table() ([]byte, error) {
	var types, functions bytes.Buffer
	interfaces := p.byName()
	for _, in := range slices.SortedFunc(slices.Values(p.Interfaces), func(a, b *iface) int { return strings.Compare(a.Name, b.Name) }) {
		t := &table{all: interfaces, in: in}
		for _, def := range in.Types {
			if def.Kind != "resource" {
				fmt.Fprintf(&types, "\t%s = %s\n", tableName(in, def.Name), t.def(def))
				continue
			}
			for _, method := range def.Functions {
				t.function(&functions, "[method]"+def.Name+"."+method.Name, method, "wit.Named(\"self\", wit.BorrowOf(\""+in.Name+"#"+def.Name+"\"))")
			}
		}
		for _, def := range in.Functions {
			t.function(&functions, def.Name, def)
		}
		if t.err != nil {
			return nil, fmt.Errorf("%s: %w", in.Name, t.err)
		}
	}
	out := fmt.Sprintf(`%s// Package contract holds the type of every function that the component imports or
// exports, as the WIT has it.
package contract

import "layerwise.dev/layerwise/internal/wit"

// Package and Version are what the interfaces belong to.
const (
	Package = %q
	Version = %q
)

// Functions are all functions by their names in transcripts.
var Functions = map[string]*wit.Func{}

func init() {
	for _, one := range []*wit.Func{
%s	} {
		Functions[one.Name] = one
	}
}

var (
%s)
`, header, p.Package, p.Version, functions.String(), types.String())
	return format.Source([]byte(out))
}

// table writes the types of an interface.
type table struct {
	all map[string]*iface
	in  *iface
	err error
}

func tableName(in *iface, name string) string {
	camel := camel(in.Name) + camel(name)
	return strings.ToLower(camel[:1]) + camel[1:]
}

func (t *table) function(out *bytes.Buffer, name string, def *funcDef, params ...string) {
	for _, param := range def.Params {
		params = append(params, t.named(param))
	}
	parts := append([]string{fmt.Sprintf("%q", t.in.Name+"#"+name), t.ref(def.Result)}, params...)
	fmt.Fprintf(out, "\t\twit.FuncOf(%s),\n", strings.Join(parts, ", "))
}

// def is a type by its definition.
func (t *table) def(def *typeDef) string {
	var parts []string
	for _, field := range def.Members {
		if def.Kind == "record" || def.Kind == "variant" {
			parts = append(parts, t.named(field))
		} else {
			parts = append(parts, fmt.Sprintf("%q", field.Name))
		}
	}
	inside := strings.Join(parts, ", ")
	switch def.Kind {
	case "type":
		return t.ref(def.Of)
	case "record":
		return "wit.RecordOf(" + inside + ")"
	case "variant":
		return "wit.VariantOf(" + inside + ")"
	case "enum":
		return "wit.EnumOf(" + inside + ")"
	case "flags":
		if len(def.Members) > 32 {
			t.err = fmt.Errorf("the flags %s are more than 32", def.Name)
		}
		return "wit.FlagsOf(" + inside + ")"
	}
	t.err = fmt.Errorf("%s is a %s, which is not supported", def.Name, def.Kind)
	return "nil"
}

func (t *table) named(field fieldDef) string {
	return fmt.Sprintf("wit.Named(%q, %s)", field.Name, t.ref(field.Type))
}

var scalars = map[string]string{
	"bool": "Bool", "string": "String", "u8": "U8", "u16": "U16", "u32": "U32", "u64": "U64",
	"s8": "S8", "s16": "S16", "s32": "S32", "s64": "S64", "f32": "F32", "f64": "F64",
}

// ref is a type where it is used.
func (t *table) ref(of *typeRef) string {
	if of == nil || of.name == "_" {
		return "nil"
	}
	if scalar, is := scalars[of.name]; is {
		return "wit." + scalar + "Type"
	}
	var args []string
	for _, arg := range of.args {
		args = append(args, t.ref(arg))
	}
	inside := strings.Join(args, ", ")
	switch of.name {
	case "list", "option", "tuple":
		return "wit." + camel(of.name) + "Of(" + inside + ")"
	case "result":
		return "wit.ResultOf(" + strings.Join(append(args, "nil", "nil")[:2], ", ") + ")"
	case "borrow":
		return t.handle("Borrow", of.args[0].name)
	case "own":
		return t.handle("Own", of.args[0].name)
	}
	from, def := find(t.all, t.in, of.name)
	switch {
	case def == nil:
		t.err = fmt.Errorf("there is no type %q", of.name)
		return "nil"
	case def.Kind == "resource":
		return t.handle("Own", of.name)
	}
	return tableName(from, def.Name)
}

func (t *table) handle(kind, name string) string {
	from, def := find(t.all, t.in, name)
	if def == nil || def.Kind != "resource" {
		t.err = fmt.Errorf("%q is no resource", name)
		return "nil"
	}
	return fmt.Sprintf("wit.%sOf(%q)", kind, from.Name+"#"+def.Name)
}

// find is the definition of a type that an interface has or uses.
func find(all map[string]*iface, in *iface, name string) (*iface, *typeDef) {
	for range len(all) {
		from, used := in.Uses[name]
		if !used {
			break
		}
		if in = all[from]; in == nil {
			return nil, nil
		}
	}
	for _, def := range in.Types {
		if def.Name == name {
			return in, def
		}
	}
	return nil, nil
}
