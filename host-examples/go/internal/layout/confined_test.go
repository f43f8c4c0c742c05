//go:build unix

package layout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
)

const secret = "a secret of this machine\n"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func made(t *testing.T) (l *Layout, root, outside string) {
	t.Helper()
	top := t.TempDir()
	root, outside = filepath.Join(top, "layout"), filepath.Join(top, "outside")
	must(t, os.Mkdir(outside, 0o755))
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte(secret), 0o600))
	l, err := Create(t.Context(), root)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l, root, outside
}

func opener(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

// refused is a failure that tells nothing of the secret.
func refused(t *testing.T, err error) {
	t.Helper()
	sum := sha256.Sum256([]byte(secret))
	if err == nil || strings.Contains(err.Error(), fmt.Sprint(len(secret), " bytes")) {
		t.Errorf("%v", err)
		return
	}
	if !strings.Contains(err.Error(), "it is a link, which is not followed") && !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("%v", err)
	}
	if quoted := strings.Split(err.Error(), `"`); strings.Contains(quoted[0]+quoted[len(quoted)-1], hex.EncodeToString(sum[:])) {
		t.Errorf("it tells the digest: %v", err)
	}
}

// A blob that is a link to a file of the machine: under another digest, which an
// error would tell, and under the right one, which could be copied.
func TestABlobThatIsALinkIsNotRead(t *testing.T) {
	l, root, outside := made(t)
	for _, digest := range []string{digests.Of([]byte("other")), digests.Of([]byte(secret))} {
		must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "blobs/sha256", digest[7:])))
		_, err := l.OpenBlob(digest, uint64(len(secret)))
		refused(t, err)
		_, err = l.OpenBlob(digest, 1)
		refused(t, err)
		_, err = l.BlobSize(digest)
		refused(t, err)
		if l.Holds(digest, uint64(len(secret))) {
			t.Error("it counts as there")
		}
	}
}

func TestAnotherFileIsNotReadInside(t *testing.T) {
	l, root, _ := made(t)
	digest, err := l.StoreBytes(t.Context(), []byte("x"))
	must(t, err)
	other := digests.Of([]byte("other"))
	must(t, os.Symlink(digest[7:], filepath.Join(root, "blobs/sha256", other[7:])))
	_, err = l.BlobSize(other)
	refused(t, err)
}

func TestNothingIsReachedThroughALink(t *testing.T) {
	for _, name := range []string{"blobs", "blobs/sha256", "index.json", "oci-layout", ".layerwise.lock"} {
		t.Run(name, func(t *testing.T) {
			l, root, _ := made(t)
			other, otherRoot, _ := made(t)
			digest, err := other.StoreBytes(t.Context(), []byte("x"))
			must(t, err)
			must(t, os.RemoveAll(filepath.Join(root, name)))
			must(t, os.Symlink(filepath.Join(otherRoot, name), filepath.Join(root, name)))
			before := list(t, otherRoot)
			if _, err := l.StoreBlob(t.Context(), digests.Of([]byte("new")), 3, opener("new")); err == nil && strings.HasPrefix(name, "blobs") {
				t.Error("it was stored")
			}
			err = l.Update(t.Context(), func(index *Index) error {
				index.Push(Manifest, digest, 1)
				return nil
			})
			if err == nil && !strings.HasPrefix(name, "blobs") && name != "oci-layout" {
				t.Error("it was changed")
			}
			if _, err := l.BlobSize(digest); err == nil {
				t.Error("it is seen")
			}
			if after := list(t, otherRoot); after != before {
				t.Errorf("there is %s, expected %s", after, before)
			}
		})
	}
}

func list(t *testing.T, root string) string {
	t.Helper()
	var found []string
	must(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if info, look := entry.Info(); look == nil && !entry.IsDir() {
			path += fmt.Sprint(" ", info.Size())
		}
		found = append(found, path)
		return err
	}))
	return strings.Join(found, "\n")
}

func TestPipesAreNotOpened(t *testing.T) {
	l, root, _ := made(t)
	digest := digests.Of([]byte("x"))
	must(t, syscall.Mkfifo(filepath.Join(root, "blobs/sha256", digest[7:]), 0o600))
	_, err := l.OpenBlob(digest, 1)
	refused(t, err)
	must(t, os.Remove(filepath.Join(root, "index.json")))
	must(t, syscall.Mkfifo(filepath.Join(root, "index.json"), 0o600))
	_, _, err = l.Index()
	refused(t, err)
}

// Writers sweep what others left while they write.
func TestNobodyRemovesWhatAnotherWrites(t *testing.T) {
	_, root, _ := made(t)
	must(t, os.WriteFile(filepath.Join(root, blobName+"left"), []byte("half"), 0o600))
	var writers sync.WaitGroup
	for writer := range 4 {
		writers.Go(func() {
			l, err := Open(root)
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			for i := range 25 {
				text := fmt.Sprintf("%d %d", writer, i)
				if _, err := l.StoreBlob(context.Background(), digests.Of([]byte(text)), uint64(len(text)), opener(text)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	entries, err := os.ReadDir(root)
	must(t, err)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), blobName) {
			t.Errorf("%s was left", entry.Name())
		}
	}
	blobs, err := os.ReadDir(filepath.Join(root, "blobs/sha256"))
	if must(t, err); len(blobs) != 100 {
		t.Errorf("%d blobs", len(blobs))
	}
}

func TestAnUploadThatIsWrittenIsNotSwept(t *testing.T) {
	l, root, _ := made(t)
	file, name, err := l.upload(t.Context())
	must(t, err)
	defer file.Close()
	other, err := Open(root)
	must(t, err)
	defer other.Close()
	if _, err := other.StoreBytes(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, name)); err != nil {
		t.Error(err)
	}
}

func TestAMissingDirectoryIsNotALink(t *testing.T) {
	l, root, _ := made(t)
	digest := digests.Of([]byte("x"))
	must(t, os.RemoveAll(filepath.Join(root, "blobs")))
	must(t, l.Reachable(digest))
	must(t, os.WriteFile(filepath.Join(root, "blobs"), nil, 0o600))
	if err := l.Reachable(digest); layerwise.FailureOf(err).Code != layerwise.FailureCodeCorrupt {
		t.Error(err)
	}
}
