//go:build unix

package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/below"
	"layerwise.dev/layerwise/internal/limits"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// layer is an archive of files with their text.
func layer(t *testing.T, files map[string]string) *Plain {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for name, text := range files {
		must(t, writer.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}))
		_, err := writer.Write([]byte(text))
		must(t, err)
	}
	must(t, writer.Close())
	plain, err := Decompress(&out, limits.Limits{}.WithDefaults(), &Session{})
	must(t, err)
	return plain
}

func stage(t *testing.T, root, prefix string) (*Stage, error) {
	t.Helper()
	opened, err := os.OpenRoot(root)
	must(t, err)
	defer opened.Close()
	return New(t.Context(), opened, prefix, limits.Limits{}.WithDefaults(), SetIDDropped)
}

func listed(t *testing.T, root string) string {
	t.Helper()
	var found []string
	must(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if entry.Type().IsRegular() {
			text, failed := os.ReadFile(path)
			below, _ := filepath.Rel(root, path)
			found = append(found, below+"="+string(text))
			return errors.Join(err, failed)
		}
		return err
	}))
	return strings.Join(found, " ")
}

// Until it is finished the old layer is there, whole, and afterwards the new one:
// nothing of one in the other.
func TestALayerIsReplacedAsAWhole(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "p/q/d"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "p/q/d/old"), []byte("old"), 0o600))
	must(t, os.WriteFile(filepath.Join(root, "p/beside"), []byte("kept"), 0o600))
	s, err := stage(t, root, "p/q")
	must(t, err)
	must(t, s.Read(t.Context(), layer(t, map[string]string{"p/q/new": "new"})))
	if _, err := os.Stat(filepath.Join(root, "p/q/d/old")); err != nil {
		t.Error(err)
	}
	must(t, s.Finish())
	must(t, s.Close())
	if got := listed(t, root); got != "p/beside=kept p/q/new=new" {
		t.Error(got)
	}
	// One that is given up leaves what was there.
	s, err = stage(t, root, "p/q")
	must(t, err)
	must(t, s.Read(t.Context(), layer(t, map[string]string{"p/q/other": "other"})))
	must(t, s.Close())
	if got := listed(t, root); got != "p/beside=kept p/q/new=new" {
		t.Error(got)
	}
}

func TestWhatWasMadeIsCounted(t *testing.T) {
	root := t.TempDir()
	s, err := stage(t, root, "p/q")
	must(t, err)
	defer s.Close()
	must(t, s.Read(t.Context(), layer(t, map[string]string{"p/q/a": "a", "p/q/d/b": "b"})))
	must(t, os.Remove(filepath.Join(root, s.claim.name, fresh, "d/b")))
	if err := s.Finish(); layerwise.FailureOf(err).Code != layerwise.FailureCodeConflict {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "p")); err == nil {
		t.Error("it took its place")
	}
}

func TestNothingIsUnpackedBehindALinkOfTheDestination(t *testing.T) {
	root := t.TempDir()
	must(t, os.Mkdir(filepath.Join(root, "outside"), 0o755))
	for name, target := range map[string]string{"in": "outside", "out": "/tmp", "none": "nothing"} {
		must(t, os.Symlink(target, filepath.Join(root, name)))
		if s, err := stage(t, root, name+"/q"); layerwise.FailureOf(err).Code != layerwise.FailureCodeDenied {
			t.Errorf("%s: %v %v", name, s, err)
		}
	}
	// A link at the prefix itself is not what a directory replaces.
	must(t, os.Symlink("outside", filepath.Join(root, "q")))
	s, err := stage(t, root, "q")
	must(t, err)
	defer s.Close()
	must(t, s.Read(t.Context(), layer(t, map[string]string{"q/a": "a"})))
	if err := s.Finish(); layerwise.FailureOf(err).Code != layerwise.FailureCodeConflict {
		t.Errorf("%v", err)
	}
}

// Makers and sweepers without pause; a directory that somebody else removed has
// lost what was in it.
func TestNobodyRemovesWhatAnotherHolds(t *testing.T) {
	root := t.TempDir()
	open := func() *below.Dir {
		opened, err := below.Open(root)
		if err != nil {
			panic(err)
		}
		return opened
	}
	must(t, os.MkdirAll(filepath.Join(root, claimed+"left/closed/in"), 0o755))
	must(t, os.Symlink("other", filepath.Join(root, claimed+"link")))
	must(t, os.Mkdir(filepath.Join(root, "other"), 0o755))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sweepers, makers sync.WaitGroup
	for range 2 {
		sweepers.Go(func() {
			base := open()
			defer base.Close()
			for ctx.Err() == nil {
				sweep(ctx, base, wait)
			}
		})
	}
	for maker := range 3 {
		makers.Go(func() {
			base := open()
			defer base.Close()
			for i := range 100 {
				c, err := newClaim(t.Context(), base, wait)
				if err != nil {
					t.Error(err)
					return
				}
				path := filepath.Join(root, c.name, "file")
				text := fmt.Sprint(maker, i)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Error(err)
				}
				if got, err := os.ReadFile(path); err != nil || string(got) != text {
					t.Errorf("a maker lost its directory: %q %v", got, err)
				}
				if err := c.close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	makers.Wait()
	stop()
	sweepers.Wait()
	base := open()
	defer base.Close()
	sweep(t.Context(), base, wait)
	names, err := base.Names()
	must(t, err)
	if got := strings.Join(names, " "); got != claimed+"link other" {
		t.Error(got)
	}
}
