//go:build unix

package layerwise_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/internal/sample"
)

// processor reports the processor time of an iteration: on a busy machine that says
// more than the time that passed.
func processor(b *testing.B) (done func()) {
	used := func() int64 {
		var of syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &of); err != nil {
			b.Fatal(err)
		}
		return of.Utime.Nano() + of.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// One step that was built before, in a session that knows the image.
func BenchmarkLookup(b *testing.B) {
	images, base := sample.New()
	session := session(b, open(b, layerwise.Lent{Images: images}, layerwise.Limits{}))
	defer processor(b)()
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
	session := session(b, open(b, layerwise.Lent{Images: images}, layerwise.Limits{}))
	defer processor(b)()
	for b.Loop() {
		if _, err := session.Lookup(b.Context(), step(base, sample.Make)); err != nil {
			b.Fatal(err)
		}
	}
}

// The smallest call: no arguments, no imports.
func BenchmarkCall(b *testing.B) {
	in := open(b, layerwise.Lent{}, layerwise.Limits{})
	session := session(b, in)
	defer processor(b)()
	for b.Loop() {
		if _, err := session.Describe(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// nothing is an image store that has no image by any name.
type nothing struct {
	layerwise.ImageStore
	calls int
}

func (n *nothing) Resolve(_ context.Context, references []string, _ uint64) []layerwise.Result[layerwise.Image] {
	n.calls++
	return []layerwise.Result[layerwise.Image]{{Err: layerwise.Failed(layerwise.FailureCodeNotFound, "no image %q", references[0])}}
}

// Opening a session, and opening one that asks the image store once: what is between
// them is the cost of the import.
func BenchmarkWithoutImports(b *testing.B) { benchmarkOpen(b, docker.Options{}) }

func BenchmarkWithImports(b *testing.B) {
	benchmarkOpen(b, docker.Options{CacheFrom: []docker.Source{{Reference: "x", Trusted: true}}})
}

func benchmarkOpen(b *testing.B, options docker.Options) {
	images := &nothing{}
	in := open(b, layerwise.Lent{Images: images}, layerwise.Limits{})
	defer processor(b)()
	for b.Loop() {
		session, err := docker.Open(b.Context(), in, options)
		if err != nil {
			b.Fatal(err)
		}
		if err := session.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(images.calls)/float64(b.N), "imports/op")
}

func BenchmarkInstance(b *testing.B) {
	engine := engine(b)
	defer processor(b)()
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
	defer processor(b)()
	for b.Loop() {
		before := resident(b)
		var kept []*layerwise.Instance
		for range count {
			in := open(b, layerwise.Lent{Images: images}, layerwise.Limits{})
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
	defer processor(b)()
	for b.Loop() {
		engine, err := layerwise.NewEngine(layerwise.EngineOptions{})
		if err != nil {
			b.Fatal(err)
		}
		engine.Close()
	}
}

func BenchmarkLoadCompiled(b *testing.B) {
	options := layerwise.EngineOptions{Code: b.TempDir() + "/code"}
	first, err := layerwise.NewEngine(options)
	if err != nil {
		b.Fatal(err)
	}
	first.Close()
	defer processor(b)()
	for b.Loop() {
		engine, err := layerwise.NewEngine(options)
		if err != nil {
			b.Fatal(err)
		}
		engine.Close()
	}
}
