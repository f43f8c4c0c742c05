package layerwise_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/internal/sample"
	"layerwise.dev/layerwise/stacker"
)

// One step that was built before, in a session that knows the image.
func BenchmarkLookup(b *testing.B) {
	images, base := sample.New()
	session := session(b, open(b, false, layerwise.Lent{Images: images}, layerwise.Limits{}))
	for b.Loop() {
		answer, err := session.Lookup(b.Context(), step(base, sample.Make))
		if err != nil || answer.Outcome != docker.OutcomeHitLocal {
			b.Fatalf("%v %v", answer.Outcome, err)
		}
	}
}

// The same step with 1,000 images that were built on the base too.
func BenchmarkLookupAmong1000(b *testing.B) {
	images, base := heavy(1000, 0)
	session := session(b, open(b, false, layerwise.Lent{Images: images}, layerwise.Limits{}))
	for b.Loop() {
		if _, err := session.Lookup(b.Context(), step(base, sample.Make)); err != nil {
			b.Fatal(err)
		}
	}
}

// The smallest call: no arguments, no imports.
func BenchmarkCall(b *testing.B) {
	in := open(b, false, layerwise.Lent{}, layerwise.Limits{})
	session := session(b, in)
	for b.Loop() {
		if _, err := session.Sources(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// hashing is a file system that costs nothing.
type hashing struct {
	layerwise.Filesystem
	calls int
}

func (h *hashing) Stat(_ context.Context, paths []string, _ bool, _ layerwise.FileFacts) []layerwise.Result[layerwise.FileEntry] {
	h.calls++
	return []layerwise.Result[layerwise.FileEntry]{{Value: layerwise.FileEntry{Path: paths[0], Kind: layerwise.FileKindFile, Mode: 0o644}}}
}

func (h *hashing) Hash(context.Context, []layerwise.FileHashing) []layerwise.Result[string] {
	h.calls++
	return []layerwise.Result[string]{{Value: "sha256:" + strings.Repeat("0", 64)}}
}

// A call with a text for an argument, and one that makes imports besides: what is
// between them is the cost of the imports.
func BenchmarkWithoutImports(b *testing.B) {
	in := open(b, false, layerwise.Lent{}, layerwise.Limits{})
	for b.Loop() {
		if _, err := stacker.Vis(b.Context(), in, "/a"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWithImports(b *testing.B) {
	files := &hashing{}
	in := open(b, false, layerwise.Lent{Files: files}, layerwise.Limits{})
	for b.Loop() {
		if _, err := stacker.HashFile(b.Context(), in, "/a"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(files.calls)/float64(b.N), "imports/op")
}

func BenchmarkInstance(b *testing.B) {
	engine := engine(b, false)
	for b.Loop() {
		in, err := engine.NewInstance(b.Context(), layerwise.Lent{}, layerwise.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if err := in.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// What an instance with an open session keeps in memory.
func BenchmarkMemory(b *testing.B) {
	images, _ := sample.New()
	const count = 100
	for b.Loop() {
		before := resident(b)
		var kept []*layerwise.Instance
		for range count {
			in := open(b, false, layerwise.Lent{Images: images}, layerwise.Limits{})
			session(b, in)
			kept = append(kept, in)
		}
		b.ReportMetric(float64(resident(b)-before)/count/1024, "KiB/instance")
		for _, in := range kept {
			in.Close()
		}
	}
}

func resident(b *testing.B) int {
	b.Helper()
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc/self/statm on this system")
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		engine, err := layerwise.NewEngine(layerwise.EngineOptions{})
		if err != nil {
			b.Fatal(err)
		}
		engine.Close()
	}
}

func BenchmarkLoadCompiled(b *testing.B) {
	code := b.TempDir() + "/code"
	for first := true; b.Loop() || first; first = false {
		engine, err := layerwise.NewEngine(layerwise.EngineOptions{Code: code})
		if err != nil {
			b.Fatal(err)
		}
		engine.Close()
		if first {
			b.ResetTimer()
		}
	}
}
