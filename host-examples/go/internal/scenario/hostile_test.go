//go:build unix

package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"layerwise.dev/layerwise"
)

// Scenarios of strangers that would write through a link, or look outside.
func TestAStrangersScenarioStaysInItsDirectory(t *testing.T) {
	engine, err := layerwise.NewEngine(layerwise.EngineOptions{Code: os.Getenv("LAYERWISE_CODE")})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	outside := t.TempDir()
	many := `"0/f":""`
	for number := range 5001 {
		many += fmt.Sprintf(`,"%d/f":""`, number)
	}
	link := `"x":{"link":"` + outside + `"}`
	for name, one := range map[string]struct{ files, lend, calls string }{
		"change":          {files: `"x":{"link":"` + outside + `/file"}`, calls: `{"change":{"x":"OWNED"}}`},
		"plant":           {files: link + `,"x/planted":{"text":"#!/bin/sh","mode":"0755"}`},
		"plant later":     {files: link, calls: `{"change":{"x/planted":{"text":"#!/bin/sh","mode":"0755"}}}`},
		"directory":       {files: link + `,"x/d":{"directory":true}`},
		"through its own": {files: `"d/e":"","x":{"link":"d"},"x/planted":""`},
		"remove":          {files: link, calls: `{"change":{"x/file":null}}`},
		"lent":            {files: link, lend: `"files":[{"name":"/l","directory":"x"}]`},
		"images":          {files: link, lend: `"images":"oci:x"`},
		"images below":    {files: link, lend: `"images":"oci:x/l"`},
		"lent above":      {lend: `"files":[{"name":"/l","directory":".."}]`},
		"lent elsewhere":  {lend: `"files":[{"name":"/l","directory":"` + outside + `"}]`},
		"images above":    {lend: `"images":"oci:../x"`},
		"set-id":          {files: `"run":{"text":"","mode":"4755"}`},
		"dots":            {files: `"d/../../x":""`},
		"own name":        {files: `".":""`},
		"deep":            {files: `"` + strings.Repeat("d/", 65) + `f":""`},
		"many":            {files: many},
	} {
		for path, text := range map[string]string{"file": "mine", "l/oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": `{"manifests":[]}`} {
			if err := errors.Join(os.MkdirAll(filepath.Join(outside, "l"), 0o755), os.WriteFile(filepath.Join(outside, path), []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(t.TempDir(), "scenario.json")
		text := `{"schema":"layerwise/scenario/1","title":"x","files":{` + one.files + `},"lend":{` + one.lend + `},"calls":[` + one.calls + `]}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := read.Run(t.Context(), engine); err == nil {
			t.Errorf("%s: %q", name, out)
		}
		mine, err := os.ReadFile(filepath.Join(outside, "file"))
		entries, listed := os.ReadDir(outside)
		if err != nil || listed != nil || string(mine) != "mine" || len(entries) != 4 {
			t.Errorf("%s: outside is %q %v %v", name, mine, entries, err)
		}
	}
}

func TestWhatATerminalActsUponIsEscaped(t *testing.T) {
	shown := Shown([]byte("{\"a\u202e\u009b\":\"é\u2066\u061c\x7f\"}"))
	if string(shown) != `{"a\u202e\u009b":"é\u2066\u061c\u007f"}` {
		t.Errorf("%s", shown)
	}
}
