package transcript

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"layerwise.dev/layerwise/internal/component"
)

var engine = sync.OnceValues(func() (*component.Engine, error) {
	wasm, err := os.ReadFile("../../component/layerwise.wasm")
	if err != nil {
		return nil, err
	}
	return component.NewEngine(wasm, component.Config{Code: os.Getenv("LAYERWISE_CODE")})
})

func replay(t *testing.T, file *File) (int, []Difference) {
	t.Helper()
	engine, err := engine()
	if err != nil {
		t.Fatal(err)
	}
	return Replay(context.Background(), engine, file)
}

func read(t *testing.T) *File {
	t.Helper()
	file, err := Read("testdata/calls.json")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRecordedCallsAreReplayed(t *testing.T) {
	file := read(t)
	passed, failed := replay(t, file)
	if passed != len(file.Instances) || passed < 5 || len(failed) > 0 {
		t.Errorf("%d passed, %v", passed, failed)
	}
}

// Whatever is changed in a transcript is noticed.
func TestDifferencesAreFound(t *testing.T) {
	for name, change := range map[string]func(*Instance) string{
		"a result": func(in *Instance) string {
			last := &in.Calls[len(in.Calls)-1]
			for last.Result == nil {
				in.Calls = in.Calls[:len(in.Calls)-1]
				last = &in.Calls[len(in.Calls)-1]
			}
			last.Result = altered(last.Result)
			return "expected"
		},
		"an import's argument": func(in *Instance) string {
			of := &imported(in).Imports[0]
			of.Args[0] = altered(of.Args[0])
			return "expected"
		},
		"an import's name": func(in *Instance) string {
			imported(in).Imports[0].Call = "observer#other"
			return "expected the import observer#other"
		},
		"an import too many": func(in *Instance) string {
			of := imported(in)
			of.Imports = append(of.Imports, of.Imports[0])
			return "came the result"
		},
		"an import missing": func(in *Instance) string {
			imported(in).Imports = nil
			return "expected no more imports"
		},
		"a stop": func(in *Instance) string {
			in.Calls[0].Stopped = "trap"
			return "expected to be stopped"
		},
		"an unknown function": func(in *Instance) string {
			in.Calls[0].Call = "docker#nothing"
			return "no such function"
		},
		"an argument that does not fit": func(in *Instance) string {
			in.Calls[0].Args = append(in.Calls[0].Args, "one more")
			return "arguments for"
		},
		"a resource that is not there": func(in *Instance) string {
			nine := 9
			in.Calls = append(in.Calls, Call{Drop: &nine})
			return "there is no resource 9"
		},
	} {
		file := read(t)
		file.Instances = file.Instances[:1]
		want := change(&file.Instances[0])
		passed, failed := replay(t, file)
		if passed != 0 || len(failed) != 1 || !strings.Contains(failed[0].What, want) {
			t.Errorf("%s: %d passed, %v", name, passed, failed)
		}
	}
}

func imported(in *Instance) *Call {
	for i := range in.Calls {
		if len(in.Calls[i].Imports) > 0 {
			return &in.Calls[i]
		}
	}
	panic("no imports")
}

// altered is a value of the same type that is not equal.
func altered(v any) any {
	switch v := v.(type) {
	case string:
		return v + "x"
	case json.Number:
		return v + "1"
	case bool:
		return !v
	case []any:
		if len(v) == 0 {
			return []any{"x"}
		}
		return append([]any{altered(v[0])}, v[1:]...)
	case map[string]any:
		for name, member := range v {
			if member == nil {
				continue
			}
			changed := map[string]any{}
			for name, member := range v {
				changed[name] = member
			}
			if _, resource := v["resource"]; resource {
				continue
			}
			changed[name] = altered(member)
			return changed
		}
	}
	return v
}

func TestWhatIsNoTranscriptIsRefused(t *testing.T) {
	path := t.TempDir() + "/file"
	for _, text := range []string{"", "{", "[]", `{"schema":"layerwise/transcript/2"}`, "\x1f\x8b", `{"schema":1}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// As one of 548 KB, which took 5.7 GB.
func TestStringsAreCountedBeforeTheyArePutInPlace(t *testing.T) {
	one := `{"$":0}`
	at := func(count int) string {
		return `{"call":"docker#open","args":[[` + strings.TrimSuffix(strings.Repeat(one+",", count), ",") + `]]}`
	}
	for calls, words := range map[string]string{
		at(6000): "the strings of a call come to more than 67108864 bytes",
		`{"call":"x","args":[],"imports":[` + at(6000) + `]}`:                     "the strings of a call",
		strings.TrimSuffix(strings.Repeat(at(100)+",", 3), ","):                   "the strings of its calls come to more than",
		`{"call":"x","args":[],"result":[` + strings.Repeat(one+",", 300) + `1]}`: "the strings of a call",
	} {
		path := filepath.Join(t.TempDir(), "bomb.json")
		text := fmt.Sprintf(`{"schema":%q,"component":"x","strings":[%q],"instances":[{"name":"x","calls":[%s]}]}`, Schema, strings.Repeat("a", 500_000), calls)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, expected %s", err, words)
		}
	}
}

func TestACompressedFileHasALimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bomb.json.gz")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	packed := gzip.NewWriter(file)
	for range 200 {
		if _, err := packed.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(packed.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "it has more than") {
		t.Error(err)
	}
}
