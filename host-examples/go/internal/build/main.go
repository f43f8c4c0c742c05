// Command build makes what the package is built from and what is not kept in
// the repository: Wasmtime's library with its headers, and the component.
//
//	go run ./internal/build
//
// It is run in the module's folder, by "go generate". Cargo's target folder is
// that of the repository, or CARGO_TARGET_DIR. LAYERWISE_COMPONENT names a
// component that is copied instead of being built.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	repository = "../.."
	library    = "internal/wasmtime/library"
	built      = "internal/wasmtime/build"
	component  = "component/layerwise.wasm"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run() error {
	start := time.Now()
	if err := makeLibrary(); err != nil {
		return fmt.Errorf("wasmtime's library: %w", err)
	}
	fmt.Fprintf(os.Stderr, "build: wasmtime's library: %.0f s\n", time.Since(start).Seconds())
	start = time.Now()
	if err := makeComponent(); err != nil {
		return fmt.Errorf("the component: %w", err)
	}
	fmt.Fprintf(os.Stderr, "build: the component: %.0f s\n", time.Since(start).Seconds())
	return nil
}

func makeLibrary() error {
	messages, err := cargo("--release", "--locked", "--manifest-path", filepath.Join(library, "Cargo.toml"))
	if err != nil {
		return err
	}
	archive, include := "", ""
	for _, m := range messages {
		if m.Reason == "build-script-executed" && strings.Contains(m.PackageID, "wasmtime-c-api-impl") {
			include = filepath.Join(m.OutDir, "include")
		}
		for _, file := range m.Filenames {
			if strings.HasSuffix(file, "layerwise_wasmtime.a") || strings.HasSuffix(file, "layerwise_wasmtime.lib") {
				archive = file
			}
		}
	}
	if archive == "" || include == "" {
		return fmt.Errorf("cargo named no library or no headers")
	}
	if err := update(archive, filepath.Join(built, filepath.Base(archive))); err != nil {
		return err
	}
	return filepath.WalkDir(include, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".h" {
			return err
		}
		inside, err := filepath.Rel(include, path)
		if err != nil {
			return err
		}
		return update(path, filepath.Join(built, "include", inside))
	})
}

func makeComponent() error {
	if given := os.Getenv("LAYERWISE_COMPONENT"); given != "" {
		return update(given, component)
	}
	messages, err := cargo("--package", "layerwise-component", "--manifest-path", filepath.Join(repository, "Cargo.toml"))
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Reason == "build-script-executed" && strings.Contains(m.PackageID, "layerwise-component") {
			return update(filepath.Join(m.OutDir, "layerwise.wasm"), component)
		}
	}
	return fmt.Errorf("cargo named no build of layerwise-component")
}

// message is what cargo tells of one step.
type message struct {
	Reason    string   `json:"reason"`
	PackageID string   `json:"package_id"`
	OutDir    string   `json:"out_dir"`
	Filenames []string `json:"filenames"`
}

func cargo(args ...string) ([]message, error) {
	command := exec.Command("cargo", append([]string{"build", "--message-format", "json-render-diagnostics"}, args...)...)
	command.Stderr = os.Stderr
	if os.Getenv("CARGO_TARGET_DIR") == "" {
		target, err := filepath.Abs(filepath.Join(repository, "target"))
		if err != nil {
			return nil, err
		}
		command.Env = append(os.Environ(), "CARGO_TARGET_DIR="+target)
	}
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("cargo build: %w", err)
	}
	var messages []message
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("cargo's messages: %w", err)
		}
		messages = append(messages, m)
	}
	return messages, lines.Err()
}

// update copies a file unless it is there, so that nothing is built anew.
func update(from, to string) error {
	bytesOf, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if there, err := os.ReadFile(to); err == nil && bytes.Equal(there, bytesOf) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return os.WriteFile(to, bytesOf, 0o666)
}
