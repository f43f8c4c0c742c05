//go:build unix

// Package scenario runs calls over real directories and says what they answered
// and left. The same scenario gives the same bytes in every language.
package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/dirfs"
	"layerwise.dev/layerwise/internal/below"
	"layerwise.dev/layerwise/internal/wit"
	"layerwise.dev/layerwise/ocilayout"
	"layerwise.dev/layerwise/ociregistry"
)

// Schema is the format that is read.
const Schema = "layerwise/scenario/1"

// Scenario is a file of tests/scenarios.
type Scenario struct {
	Schema string         `json:"schema"`
	Title  string         `json:"title"`
	Files  map[string]any `json:"files"`
	Lend   lend           `json:"lend"`
	Calls  []step         `json:"calls"`
	Expect []any          `json:"results"`
	After  map[string]any `json:"after"`
}

type lend struct {
	Images   string `json:"images"`
	Registry bool   `json:"registry"`
	Files    []struct {
		Name      string `json:"name"`
		Directory string `json:"directory"`
		Writable  bool   `json:"writable"`
	} `json:"files"`
}

// step is a call, the drop of a resource, or a change of the directory.
type step struct {
	Call   string         `json:"call"`
	Args   []any          `json:"args"`
	Drop   *int           `json:"drop"`
	Change map[string]any `json:"change"`
}

// Read reads a scenario.
func Read(path string) (*Scenario, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Scenario{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if s.Schema != Schema {
		return nil, fmt.Errorf("read %s: the schema is %q, not %q", path, s.Schema, Schema)
	}
	return s, nil
}

// Expected is what the scenario says comes out, as canonical JSON.
func (s *Scenario) Expected() []byte {
	return wit.AppendAny(nil, map[string]any{"after": s.After, "results": s.Expect})
}

// Run runs the calls in a directory of their own, which is gone afterwards, and
// answers what came out, as canonical JSON.
func (s *Scenario) Run(ctx context.Context, engine *layerwise.Engine) (out []byte, err error) {
	root, err := os.MkdirTemp("", "layerwise-scenario-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	top, err := below.Open(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	made := &room{}
	if err := put(top, s.Files, made); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	lent, done, err := s.Lend.open(root)
	defer done()
	if err != nil {
		return nil, err
	}
	in, err := engine.NewInstance(ctx, lent, layerwise.Limits{})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	calls := in.Dynamic()
	results := []byte{'['}
	answer := json.RawMessage("null")
	for i, step := range s.Calls {
		before := answer
		answer = json.RawMessage("null")
		switch {
		case step.Drop != nil:
			err = calls.Drop(ctx, *step.Drop)
		case step.Change != nil:
			err = put(top, step.Change, made)
		default:
			answer, err = calls.Call(ctx, step.Call, step.Args)
		}
		if err != nil {
			// A resource that is not there was not made by an earlier call.
			return nil, fmt.Errorf("call %d: %w; the call before answered %s", i, err, before)
		}
		if i > 0 {
			results = append(results, ',')
		}
		results = append(results, answer...)
	}
	results = append(results, ']')
	after, err := list(root)
	if err != nil {
		return nil, fmt.Errorf("read the directory: %w", err)
	}
	out = wit.AppendAny([]byte(`{"after":`), after)
	out = append(append(append(out, `,"results":`...), results...), '}')
	return out, nil
}

var actedUpon = regexp.MustCompile("[\x7f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

// Shown is an outcome without what JSON leaves as it is and a terminal acts upon.
func Shown(outcome []byte) []byte {
	return actedUpon.ReplaceAllFunc(outcome, func(found []byte) []byte {
		acted, _ := utf8.DecodeRune(found)
		return fmt.Appendf(nil, "\\u%04x", acted)
	})
}

// open opens what is lent, below a directory.
func (l lend) open(root string) (lent layerwise.Lent, done func(), err error) {
	var open []interface{ Close() error }
	done = func() {
		for _, one := range open {
			_ = one.Close()
		}
	}
	if l.Images != "" {
		name, ok := strings.CutPrefix(l.Images, "oci:")
		if !ok || !filepath.IsLocal(name) {
			return lent, done, fmt.Errorf("%q is not an image store below the directory", l.Images)
		}
		// Whatever key this user has, the answers are the same.
		store, err := ocilayout.Options{NoMarks: true, Below: root}.Open(name)
		if err != nil {
			return lent, done, err
		}
		open = append(open, store)
		lent.Images = store
	}
	var files ociregistry.Files
	if l.Files != nil {
		var roots []dirfs.Root
		for _, one := range l.Files {
			if !filepath.IsLocal(one.Directory) {
				return lent, done, fmt.Errorf("%q is not below the directory", one.Directory)
			}
			opened, err := enter(root, one.Directory)
			if err != nil {
				return lent, done, err
			}
			roots = append(roots, dirfs.Root{Name: one.Name, Opened: opened, Writable: one.Writable})
		}
		opened, err := dirfs.Open(roots...)
		if err != nil {
			return lent, done, err
		}
		open = append(open, opened)
		lent.Files, files = opened, opened
	}
	if l.Registry {
		registry, err := ociregistry.New(ociregistry.Options{Layouts: root, Files: files})
		if err != nil {
			return lent, done, err
		}
		open = append(open, registry)
		lent.Registry = registry
	}
	return lent, done, nil
}

// enter opens a directory below another, and follows no link on the way.
func enter(root, name string) (*os.Root, error) {
	at, err := os.OpenRoot(root)
	for _, part := range strings.Split(filepath.Clean(name), "/") {
		if err != nil {
			return nil, err
		}
		var next *os.Root
		info, look := at.Lstat(part)
		if err = look; err == nil && !info.IsDir() {
			err = fmt.Errorf("%q is not a directory below the one of the scenario", name)
		}
		if err == nil {
			next, err = at.OpenRoot(part)
		}
		at.Close()
		at = next
	}
	return at, err
}
