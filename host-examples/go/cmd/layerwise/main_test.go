package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out)
	return out.String(), err
}

const calls = "../../internal/transcript/testdata/calls.json"

func TestTranscripts(t *testing.T) {
	out, err := command(t, "conformance", calls)
	if err != nil || out != "5 passed, 0 failed\n" {
		t.Errorf("%q %v", out, err)
	}
	// A vector file stands for the transcript in the folder beside it; one whose
	// answers are others is told of, without what a terminal would obey.
	folder := t.TempDir()
	text, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `"considered": "`, `"considered": "1`, 1)
	changed = strings.Replace(changed, `"name": "`, `"name": "\u001b[2J`, 1)
	if err := errors.Join(os.Mkdir(folder+"/vectors", 0o700), os.Mkdir(folder+"/calls", 0o700),
		os.WriteFile(folder+"/calls/x.json", []byte(changed), 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err = command(t, "conformance", folder+"/vectors/x.json")
	if !errors.Is(err, errDiffers) || !strings.HasSuffix(out, "\n4 passed, 1 failed\n") ||
		!strings.Contains(out, `\u{1b}`) || strings.Contains(out, "\x1b") || !strings.Contains(out, "expected") {
		t.Errorf("%q %v", out, err)
	}
}

func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("../../../../tests/scenarios/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	out, err := command(t, append([]string{"scenario", "--check"}, paths...)...)
	if err != nil || !strings.HasSuffix(out, " passed, 0 failed\n") || strings.HasPrefix(out, "0 ") {
		t.Errorf("%q %v", out, err)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "changed.json")
	// The first digest of a file that is there afterwards.
	after := bytes.Index(text, []byte(`"after"`))
	other := bytes.Replace(text[after:], []byte(`"sha256:`), []byte(`"sha256:0`), 1)
	if err := os.WriteFile(changed, append(text[:after:after], other...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = command(t, "scenario", "--check", changed)
	if !errors.Is(err, errDiffers) || !strings.Contains(out, "expected") {
		t.Errorf("%q %v", out, err)
	}
}

func TestDemo(t *testing.T) {
	out, err := command(t, "demo")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hit-local", "hit-restored", "docker/config-mismatch", "Env[1]  have MODE=fast  want MODE=safe"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}

func TestWrongCommandLines(t *testing.T) {
	for _, args := range [][]string{{}, {"nothing"}, {"conformance"}, {"replay", "--check", "x"}, {"scenario", "--check"}, {"demo", "x"}, {"-x"}} {
		out, err := command(t, args...)
		if wrong := (errUsage{}); !errors.As(err, &wrong) || out != "" {
			t.Errorf("%q: %q %v", args, out, err)
		}
	}
	none := filepath.Join(t.TempDir(), "none.json")
	for _, name := range []string{"conformance", "scenario"} {
		if _, err := command(t, name, none); err == nil || !strings.Contains(err.Error(), none) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := command(t, "--help"); err != nil || out != usage {
		t.Errorf("%q %v", out, err)
	}
}
