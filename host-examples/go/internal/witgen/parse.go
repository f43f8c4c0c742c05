// Reading the contract, which Rust's layerwise-wit writes as JSON: its first
// comment says how.

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// contract is a package.
type contract struct {
	Package, Version string
	Worlds           map[string]struct{ Imports, Exports []string }
	Interfaces       []*iface
}

// byName are the interfaces by their names.
func (p *contract) byName() map[string]*iface {
	all := map[string]*iface{}
	for _, one := range p.Interfaces {
		all[one.Name] = one
	}
	return all
}

// iface is an interface.
type iface struct {
	Name, Docs string
	Uses       map[string]string // name to the interface it is from
	Types      []*typeDef
	Functions  []*funcDef
}

// typeDef is a named type; kind is its keyword.
type typeDef struct {
	Kind, Name, Docs string
	Of               *typeRef
	Members          []fieldDef
	Functions        []*funcDef // of a resource
}

type fieldDef struct {
	Name, Docs string
	Type       *typeRef
}

type funcDef struct {
	Name, Docs string
	Params     []fieldDef
	Result     *typeRef
}

// typeRef is a use of a type, such as list<string>; name is "_" for nothing.
type typeRef struct {
	name string
	args []*typeRef
}

// UnmarshalJSON reads a name, which the uses of the interface lead on, or a constructor with its types.
func (t *typeRef) UnmarshalJSON(text []byte) error {
	if text[0] != '[' {
		err := json.Unmarshal(text, &t.name)
		t.name = t.name[strings.LastIndex(t.name, "/")+1:]
		return err
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if err := json.Unmarshal(parts[0], &t.name); err != nil {
		return err
	}
	for _, part := range parts[1:] {
		inner := &typeRef{name: "_"}
		if string(part) != "null" {
			if err := inner.UnmarshalJSON(part); err != nil {
				return err
			}
		}
		t.args = append(t.args, inner)
	}
	return nil
}

// parse reads the WIT in a folder of the repository.
func parse(folder string) (*contract, error) {
	command := exec.Command("cargo", "run", "--quiet", "--package", "layerwise-wit", ".")
	command.Dir, command.Stderr = folder, os.Stderr
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("run cargo in %s: %w", folder, err)
	}
	found := &contract{}
	return found, json.Unmarshal(text, found)
}
