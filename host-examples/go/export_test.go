package layerwise

import (
	"os"
	"path/filepath"
	"sync"
)

// Compiled is the engine of all tests, and the directory that its code is kept in.
var Compiled = sync.OnceValues(func() (*Engine, error) { return NewEngine(EngineOptions{Code: CompiledCode()}) })

// CompiledCode is that directory.
var CompiledCode = sync.OnceValue(func() string {
	if kept := os.Getenv("LAYERWISE_CODE"); kept != "" {
		return kept
	}
	directory, err := os.MkdirTemp("", "layerwise-test-")
	if err != nil {
		panic(err)
	}
	return filepath.Join(directory, "code")
})
