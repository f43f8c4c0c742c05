package layerwise_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"layerwise.dev/layerwise"
)

// engines are compiled once for all tests.
var engines = map[bool]func() (*layerwise.Engine, error){
	false: sync.OnceValues(func() (*layerwise.Engine, error) { return layerwise.NewEngine(layerwise.EngineOptions{}) }),
	true:  sync.OnceValues(func() (*layerwise.Engine, error) { return layerwise.NewEngine(layerwise.EngineOptions{Fuel: true}) }),
}

func engine(t testing.TB, fuel bool) *layerwise.Engine {
	t.Helper()
	engine, err := engines[fuel]()
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func open(t testing.TB, fuel bool, lent layerwise.Lent, limits layerwise.Limits) *layerwise.Instance {
	t.Helper()
	in, err := engine(t, fuel).NewInstance(t.Context(), lent, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

func TestTheVersionIsThatOfTheComponent(t *testing.T) {
	imports, exports := engine(t, false).Interfaces()
	if len(imports) != 5 || len(exports) != 5 {
		t.Errorf("imports %v, exports %v", imports, exports)
	}
	for _, name := range append(imports, exports...) {
		if !strings.HasPrefix(name, "layerwise:cache/") || !strings.HasSuffix(name, "@"+layerwise.Version) {
			t.Errorf("%s is not of version %s", name, layerwise.Version)
		}
	}
	manifest, err := os.ReadFile("../../Cargo.toml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^version = "(.*)"$`).FindSubmatch(manifest)
	if found == nil || string(found[1]) != layerwise.Version {
		t.Errorf("Cargo.toml has version %q, the package %q", found, layerwise.Version)
	}
}

// The library must be of the same release as the reference host's runtime.
func TestTheRuntimeIsThatOfTheReferenceHost(t *testing.T) {
	version := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`name = "wasmtime"\nversion = "(.*)"`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("no wasmtime in %s", path)
		}
		return string(found[1])
	}
	ours, theirs := version("internal/wasmtime/library/Cargo.lock"), version("../../Cargo.lock")
	if ours != theirs {
		t.Errorf("this host has wasmtime %s, the reference host %s", ours, theirs)
	}
}

func TestCompiledCodeIsKept(t *testing.T) {
	code := t.TempDir() + "/code"
	// What is no code of this runtime is compiled anew; then it is loaded.
	if err := os.WriteFile(code, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	var kept os.FileInfo
	for range 2 {
		engine, err := layerwise.NewEngine(layerwise.EngineOptions{Code: code})
		if err != nil {
			t.Fatal(err)
		}
		in, err := engine.NewInstance(t.Context(), layerwise.Lent{}, layerwise.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(in.Close(), engine.Close()); err != nil {
			t.Error(err)
		}
		info, err := os.Stat(code)
		if err != nil || info.Size() < 100_000 || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v %v", info, err)
		}
		if kept != nil && !os.SameFile(kept, info) {
			t.Error("it was written again")
		}
		kept = info
	}
}

func TestWhatIsNoComponentIsRefused(t *testing.T) {
	for _, wasm := range []string{"", "\x00asm", "(component)"} {
		if engine, err := layerwise.NewEngine(layerwise.EngineOptions{Component: []byte(wasm)}); err == nil {
			engine.Close()
			t.Errorf("%q was compiled", wasm)
		}
	}
}
