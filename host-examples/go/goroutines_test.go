package layerwise_test

import (
	"runtime"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/rules"
)

// What watches a call ends with it.
func TestCallsLeaveNoGoroutines(t *testing.T) {
	in := open(t, layerwise.Lent{}, layerwise.Limits{})
	if _, err := rules.All(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 2000 {
		if _, err := docker.NormalizePlatform(t.Context(), in, layerwise.Platform{OS: "linux"}, ""); err != nil {
			t.Fatal(err)
		}
	}
	for runtime.NumGoroutine() > before+5 {
		// Those that are left would let the test run into its time.
		runtime.Gosched()
	}
}
