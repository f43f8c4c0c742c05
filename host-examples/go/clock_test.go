package layerwise_test

import (
	"runtime"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/rules"
)

// An engine has one clock, however many calls there are.
func TestManyCallsStartOneClock(t *testing.T) {
	in := open(t, false, layerwise.Lent{}, layerwise.Limits{})
	if _, err := rules.All(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 2000 {
		if _, err := docker.NormalizePlatform(t.Context(), in, layerwise.Platform{OS: "linux"}, ""); err != nil {
			t.Fatal(err)
		}
	}
	if now := runtime.NumGoroutine(); now > before+5 {
		t.Errorf("%d goroutines, %d before", now, before)
	}
}
