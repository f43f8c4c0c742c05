package layerwise_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/rules"
)

// compiled is the engine of all tests.
var compiled = sync.OnceValues(func() (*layerwise.Engine, error) { return layerwise.NewEngine(layerwise.EngineOptions{}) })

func engine(t testing.TB) *layerwise.Engine {
	t.Helper()
	engine, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func open(t testing.TB, lent layerwise.Lent, limits layerwise.Limits) *layerwise.Instance {
	t.Helper()
	in, err := engine(t).NewInstance(t.Context(), lent, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

func TestTheVersionIsThatOfTheComponent(t *testing.T) {
	imports, exports := engine(t).Interfaces()
	if len(imports) != 4 || len(exports) < 5 {
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

func TestCompiledCodeIsKept(t *testing.T) {
	code := filepath.Join(t.TempDir(), "code")
	for range 2 {
		engine, err := layerwise.NewEngine(layerwise.EngineOptions{Code: code})
		if err != nil {
			t.Fatal(err)
		}
		in, err := engine.NewInstance(t.Context(), layerwise.Lent{}, layerwise.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if codes, err := rules.All(t.Context(), in); err != nil || len(codes) == 0 {
			t.Error(err)
		}
		if err := errors.Join(in.Close(), engine.Close()); err != nil {
			t.Error(err)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(code, "wazero-*", "*")); len(files) != 1 {
		t.Errorf("%v", files)
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
