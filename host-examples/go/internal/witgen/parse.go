// Reading the WIT that this repository uses: one package, interfaces and worlds.
// Gates are passed over.

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// contract is a package.
type contract struct {
	name, version string
	interfaces    map[string]*iface
	worlds        map[string]*world
}

// world is what a world imports and exports.
type world struct{ imports, exports []string }

// sorted are the interfaces by their names.
func (p *contract) sorted() []*iface {
	return slices.SortedFunc(maps.Values(p.interfaces), func(a, b *iface) int { return strings.Compare(a.name, b.name) })
}

// iface is an interface.
type iface struct {
	name  string
	docs  []string
	uses  map[string]string // name to the interface it is from
	types []*typeDef
	funcs []*funcDef
}

// typeDef is a named type; kind is its keyword.
type typeDef struct {
	kind   string
	name   string
	docs   []string
	alias  *typeRef
	fields []fieldDef
	funcs  []*funcDef // of a resource
}

type fieldDef struct {
	name string
	docs []string
	of   *typeRef
}

type funcDef struct {
	name   string
	docs   []string
	params []fieldDef
	result *typeRef
}

// typeRef is a use of a type, such as list<string>; name is "_" for nothing.
type typeRef struct {
	name string
	args []*typeRef
}

var token = regexp.MustCompile(`///[^\n]*|//[^\n]*|@[a-z]+\([^)]*\)|->|%?[A-Za-z_][A-Za-z0-9_-]*|[{}()<>:;,.=/@]|[0-9][0-9.]*`)

type parser struct {
	tokens []string
	docs   []string
	at     int
}

// parse reads the files in a folder.
func parse(folder string) (*contract, error) {
	found := &contract{interfaces: map[string]*iface{}, worlds: map[string]*world{}}
	paths, err := filepath.Glob(filepath.Join(folder, "*.wit"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no WIT in %s: %v", folder, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		p := &parser{tokens: token.FindAllString(string(text), -1)}
		if err := p.file(found); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return found, nil
}

// next returns the next token and keeps the documentation before it.
func (p *parser) next() string {
	for p.at < len(p.tokens) {
		t := p.tokens[p.at]
		p.at++
		switch {
		case strings.HasPrefix(t, "///"):
			p.docs = append(p.docs, strings.TrimPrefix(strings.TrimPrefix(t, "///"), " "))
		case strings.HasPrefix(t, "//"), strings.HasPrefix(t, "@") && len(t) > 1:
		default:
			return strings.TrimPrefix(t, "%")
		}
	}
	return ""
}

func (p *parser) peek() string {
	at, docs := p.at, p.docs
	t := p.next()
	p.at, p.docs = at, docs
	return t
}

func (p *parser) takeDocs() []string {
	docs := p.docs
	p.docs = nil
	return docs
}

func (p *parser) expect(want string) {
	if got := p.next(); got != want {
		panic(fmt.Sprintf("expected %q, found %q at token %d", want, got, p.at))
	}
}

func (p *parser) file(found *contract) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("%v", why)
		}
	}()
	for t := p.next(); t != ""; t = p.next() {
		docs := p.takeDocs()
		switch t {
		case "package":
			namespace := p.next()
			p.expect(":")
			found.name = namespace + ":" + p.next()
			p.expect("@")
			found.version = p.next()
			p.expect(";")
		case "world":
			of := &world{}
			found.worlds[p.next()] = of
			p.expect("{")
			p.world(of)
		case "interface":
			in := &iface{name: p.next(), docs: docs, uses: map[string]string{}}
			p.expect("{")
			p.body(in)
			found.interfaces[in.name] = in
		default:
			panic(fmt.Sprintf("unexpected %q", t))
		}
	}
	return nil
}

func (p *parser) world(of *world) {
	for t := p.next(); t != "}"; t = p.next() {
		name := p.next()
		switch t {
		case "import":
			of.imports = append(of.imports, name)
		case "export":
			of.exports = append(of.exports, name)
		}
		p.expect(";")
	}
	p.takeDocs()
}

func (p *parser) body(in *iface) {
	for {
		t := p.next()
		docs := p.takeDocs()
		switch t {
		case "}":
			return
		case "use":
			from := p.next()
			p.expect(".")
			p.expect("{")
			for {
				in.uses[p.next()] = from
				if p.next() == "}" {
					break
				}
			}
			p.expect(";")
		case "type":
			def := &typeDef{kind: t, name: p.next(), docs: docs}
			p.expect("=")
			def.alias = p.ref()
			p.expect(";")
			in.types = append(in.types, def)
		case "record", "variant", "enum", "flags":
			in.types = append(in.types, p.members(t, docs))
		case "resource":
			def := &typeDef{kind: t, name: p.next(), docs: docs}
			p.expect("{")
			for p.peek() != "}" {
				name := p.next()
				def.funcs = append(def.funcs, p.function(name, p.takeDocs()))
			}
			p.next()
			in.types = append(in.types, def)
		default:
			in.funcs = append(in.funcs, p.function(t, docs))
		}
	}
}

func (p *parser) members(kind string, docs []string) *typeDef {
	def := &typeDef{kind: kind, name: p.next(), docs: docs}
	p.expect("{")
	for {
		name := p.next()
		if name == "}" {
			return def
		}
		field := fieldDef{name: name, docs: p.takeDocs()}
		t := p.next()
		switch t {
		case ":":
			field.of = p.ref()
			t = p.next()
		case "(":
			field.of = p.ref()
			p.expect(")")
			t = p.next()
		}
		def.fields = append(def.fields, field)
		if t == "}" {
			return def
		}
	}
}

func (p *parser) function(name string, docs []string) *funcDef {
	def := &funcDef{name: name, docs: docs}
	p.expect(":")
	p.expect("func")
	p.expect("(")
	for p.peek() != ")" {
		param := fieldDef{name: p.next()}
		p.expect(":")
		param.of = p.ref()
		def.params = append(def.params, param)
		if p.peek() == "," {
			p.next()
		}
	}
	p.next()
	if t := p.next(); t == "->" {
		def.result = p.ref()
		p.expect(";")
	}
	return def
}

func (p *parser) ref() *typeRef {
	of := &typeRef{name: p.next()}
	if p.peek() != "<" {
		return of
	}
	p.next()
	for {
		of.args = append(of.args, p.ref())
		if p.next() == ">" {
			return of
		}
	}
}
