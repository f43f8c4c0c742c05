//go:build unix

package ocilayout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/marks"
)

// TestMain keeps tests from making marks with the key of this user.
func TestMain(m *testing.M) {
	directory, err := os.MkdirTemp("", "layerwise-marks-")
	if err != nil {
		panic(err)
	}
	os.Setenv("LAYERWISE_MARKS_KEY", filepath.Join(directory, "marks.key"))
	code := m.Run()
	os.RemoveAll(directory)
	os.Exit(code)
}

var testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

func keyFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state/layerwise/marks.key")
	t.Setenv("LAYERWISE_MARKS_KEY", path)
	if content != "" {
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func built(t *testing.T, store *Store, id string) layerwise.Provenance {
	t.Helper()
	answer := store.Get(t.Context(), []string{id}, layerwise.ImageFacts{Built: true}, 0)[0]
	must(t, answer.Err)
	return answer.Value.Built
}

func TestMarksAreThoseOfAllHosts(t *testing.T) {
	m := marks.Marks{KeyFile: keyFile(t, testKey)}
	image, parent := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	for of, digits := range map[string]string{
		parent: "5bb1fda9141c0c2d7298ce01aa568987f652ec2b614c188a5cd1d29c29b45713",
		"":     "c57f22111bfa480145ff9256cee303304ebc7f9502b82d705b5883212ad6aa0f",
	} {
		mark, err := m.Make(image, of)
		if err != nil || mark != "hmac-sha256:"+digits {
			t.Errorf("%s %v", mark, err)
		}
		if holds, err := m.Holds(image, of, mark); !holds || err != nil {
			t.Errorf("it does not hold: %v", err)
		}
		for _, other := range []string{"true", "", strings.ToUpper(mark), mark + "0", "hmac-sha256:"} {
			if holds, err := m.Holds(image, of, other); holds || err != nil {
				t.Errorf("%q holds: %v", other, err)
			}
		}
		if holds, _ := m.Holds(parent, of, mark); holds {
			t.Error("it holds for another image")
		}
	}
}

func TestAMarkDoesNotTravel(t *testing.T) {
	key := keyFile(t, "")
	f := newFamily(t)
	if got := built(t, f.store, f.child); got != layerwise.ProvenanceBuiltHere {
		t.Fatal(got)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	if count, err := f.store.IgnoredMarks(); count != 0 || err != nil {
		t.Error(count, err)
	}
	// The same bytes on a machine that has no key, and on one with a key of its own.
	for _, other := range []string{"", testKey} {
		keyFile(t, other)
		elsewhere, err := Open(f.root)
		must(t, err)
		if got := built(t, elsewhere, f.child); got != layerwise.ProvenanceUnknown {
			t.Errorf("with the key %q it is %s", other, got)
		}
		if count, err := elsewhere.IgnoredMarks(); count != 1 || err != nil {
			t.Error(count, err)
		}
		must(t, elsewhere.Close())
	}
}

func (f *family) note(key, value string) {
	f.entry()["annotations"].(map[string]any)[key] = value
	f.enter(f.entries...)
}

func TestMarksOfEarlierVersionsMeanNothing(t *testing.T) {
	f := newFamily(t)
	for text, want := range map[string]layerwise.Provenance{"true": layerwise.ProvenanceUnknown, "false": layerwise.ProvenanceElsewhere} {
		f.note(noteBuilt, text)
		if got := built(t, f.store, f.child); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestAMarkIsOneOfAnImageOnItsParent(t *testing.T) {
	f := newFamily(t)
	other := create(t, f.store, nil, document("other"))
	// A mark that holds is made anew with the parent.
	must(t, f.store.SetParent(t.Context(), f.child, other))
	if got := built(t, f.store, f.child); got != layerwise.ProvenanceBuiltHere {
		t.Error(got)
	}
	// Who can write to the layout puts the image on another parent: nothing holds, and
	// nothing is made anew.
	f.note(noteParent, "sha256:"+strings.Repeat("0", 64))
	if got := built(t, f.store, f.child); got != layerwise.ProvenanceUnknown {
		t.Error(got)
	}
	other = create(t, f.store, nil, document("other"))
	must(t, f.store.SetParent(t.Context(), f.child, other))
	if got := built(t, f.store, f.child); got != layerwise.ProvenanceUnknown {
		t.Error(got)
	}
}

func TestAKeyOfOthersIsAnError(t *testing.T) {
	key := keyFile(t, testKey)
	f := newFamily(t)
	for name, one := range map[string]struct {
		damage func() error
		code   layerwise.FailureCode
	}{
		"others may read it": {func() error { return os.Chmod(key, 0o640) }, layerwise.FailureCodeDenied},
		"no key":             {func() error { return os.WriteFile(key, []byte("x\n"), 0o600) }, layerwise.FailureCodeCorrupt},
		"empty":              {func() error { return os.WriteFile(key, nil, 0o600) }, layerwise.FailureCodeCorrupt},
		"too many": {func() error {
			return os.WriteFile(key, []byte(strings.Repeat(testKey, 17)), 0o600)
		}, layerwise.FailureCodeCorrupt},
		"no line feed": {func() error {
			return os.WriteFile(key, []byte(strings.TrimSpace(testKey)), 0o600)
		}, layerwise.FailureCodeCorrupt},
		"a link": {func() error {
			return os.Symlink(key+".old", key)
		}, layerwise.FailureCodeDenied},
	} {
		must(t, os.RemoveAll(key))
		must(t, os.WriteFile(key+".old", []byte(testKey), 0o600))
		if name != "a link" {
			must(t, os.WriteFile(key, []byte(testKey), 0o600))
		}
		must(t, one.damage())
		answer := f.store.Get(t.Context(), []string{f.child, f.base}, all, 1<<20)
		if codeOf(answer[0].Err) != one.code {
			t.Errorf("%s: %v", name, answer[0].Err)
		}
		// What needs no mark needs no key.
		if answer[1].Err != nil {
			t.Errorf("%s: %v", name, answer[1].Err)
		}
	}
}

func TestANewKeyBeforeTheOldOne(t *testing.T) {
	key := keyFile(t, testKey)
	f := newFamily(t)
	mark := f.entry()["annotations"].(map[string]any)[noteBuilt]
	must(t, os.WriteFile(key, []byte(strings.Repeat("1", 64)+"\n"+testKey), 0o600))
	if got := built(t, f.store, f.child); got != layerwise.ProvenanceBuiltHere {
		t.Error(got)
	}
	must(t, f.store.SetBuiltHere(t.Context(), f.child, true))
	var index struct {
		Manifests []struct{ Annotations map[string]string }
	}
	must(t, json.Unmarshal([]byte(f.index()), &index))
	if made := index.Manifests[1].Annotations[noteBuilt]; made == mark || !strings.HasPrefix(made, "hmac-sha256:") {
		t.Error(made)
	}
}
