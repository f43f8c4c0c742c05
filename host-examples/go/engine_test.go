package layerwise_test

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"layerwise.dev/layerwise"
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

func TestWhatIsNoComponentIsRefused(t *testing.T) {
	for _, wasm := range []string{"", "\x00asm", "(component)"} {
		if engine, err := layerwise.NewEngine(layerwise.EngineOptions{Component: []byte(wasm)}); err == nil {
			engine.Close()
			t.Errorf("%q was compiled", wasm)
		}
	}
}
