package layerwise_test

import (
	"os"
	"path/filepath"
	"testing"

	"layerwise.dev/layerwise"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("LAYERWISE_CODE") == "" {
		_ = os.RemoveAll(filepath.Dir(layerwise.CompiledCode()))
	}
	os.Exit(code)
}
