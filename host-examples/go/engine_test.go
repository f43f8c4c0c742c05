package layerwise_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/rules"
)

func engine(t testing.TB) *layerwise.Engine {
	t.Helper()
	engine, err := layerwise.Compiled()
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
	engine(t)
	// A copy: tests of other packages may write to the directory of all.
	code := filepath.Join(t.TempDir(), "code")
	copyCode(t, layerwise.CompiledCode(), code)
	kept := func() map[string]time.Time {
		files, err := filepath.Glob(filepath.Join(code, "wazero-*", "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%v %v", files, err)
		}
		written := map[string]time.Time{}
		for _, file := range files {
			info, err := os.Lstat(file)
			if err != nil {
				t.Fatal(err)
			}
			written[file] = info.ModTime()
		}
		return written
	}
	before := kept()
	loaded, err := layerwise.NewEngine(layerwise.EngineOptions{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	in, err := loaded.NewInstance(t.Context(), layerwise.Lent{}, layerwise.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if codes, err := rules.All(t.Context(), in); err != nil || len(codes) == 0 {
		t.Error(err)
	}
	if err := errors.Join(in.Close(), loaded.Close()); err != nil {
		t.Error(err)
	}
	after := kept()
	for file, written := range before {
		if !after[file].Equal(written) {
			t.Errorf("%s was compiled again", file)
		}
	}
}

func copyCode(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // Somebody's temporary file.
		}
		into := filepath.Join(to, filepath.Base(filepath.Dir(file)))
		if err := errors.Join(err, os.MkdirAll(into, 0o700)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(into, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
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
