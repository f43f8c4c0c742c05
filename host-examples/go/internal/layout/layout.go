//go:build unix

// Package layout reads and changes OCI image layout directories.
//
// Its conventions are shared by all writers of this project: they hold an
// exclusive lock on .layerwise.lock, write blobs first, and then replace
// index.json by rename. Other tools know nothing of the lock, so index.json is
// compared once more right before it is replaced, and the change is made anew
// on what they wrote. No link below the directory is followed.
package layout

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/below"
	"layerwise.dev/layerwise/internal/digests"
)

// The annotation with a name, and the media types of what is written.
const (
	RefName  = "org.opencontainers.image.ref.name"
	Manifest = "application/vnd.oci.image.manifest.v1+json"
	IndexOCI = "application/vnd.oci.image.index.v1+json"
	Config   = "application/vnd.oci.image.config.v1+json"

	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// LongestDocument caps what is read into memory, and LongestManifest manifests
// and indexes, as registries do.
const (
	LongestDocument = 64 << 20
	LongestManifest = 4 << 20
)

const (
	lockName  = ".layerwise.lock"
	temporary = ".layerwise.tmp"
	blobName  = ".layerwise.blob."
	version   = "1.0.0"
	attempts  = 10
	lockWait  = 10 * time.Second
)

// Layout is a layout directory.
type Layout struct {
	root *below.Dir
}

// Open opens a layout.
func Open(directory string) (*Layout, error) {
	root, err := below.Open(directory)
	if err != nil {
		return nil, err
	}
	return OpenIn(root)
}

// OpenIn opens the layout in an open directory, which it closes then.
func OpenIn(root *below.Dir) (*Layout, error) {
	l := &Layout{root: root}
	if err := l.check(); err != nil {
		root.Close()
		return nil, err
	}
	return l, nil
}

// Create makes an empty layout where nothing is yet, or opens the one there.
func Create(ctx context.Context, directory string) (*Layout, error) {
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return nil, fmt.Errorf("create the layout: %w", err)
	}
	root, err := below.Open(directory)
	if err != nil {
		return nil, err
	}
	return CreateIn(ctx, root)
}

// CreateIn is Create for an open directory, which it closes then.
func CreateIn(ctx context.Context, root *below.Dir) (*Layout, error) {
	l := &Layout{root: root}
	if err := l.create(ctx); err != nil {
		root.Close()
		return nil, err
	}
	return l, nil
}

// Close closes the directory.
func (l *Layout) Close() error { return l.root.Close() }

// Path is the directory's path.
func (l *Layout) Path() string { return l.root.Path() }

func (l *Layout) create(ctx context.Context) error {
	if there, err := l.root.Has("oci-layout"); err != nil {
		return err
	} else if there {
		return l.check()
	}
	names, err := l.root.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != "blobs" && name != "index.json" && !strings.HasPrefix(name, ".layerwise.") {
			return layerwise.Failed(layerwise.FailureCodeConflict, "%q is not an oci image layout and holds %q", l.Path(), name)
		}
	}
	return l.locked(ctx, func() error {
		blobs, err := l.root.Make("blobs", "sha256")
		if err != nil {
			return err
		}
		blobs.Close()
		if there, err := l.root.Has("index.json"); err != nil {
			return err
		} else if !there {
			if err := l.replace("index.json", emptyIndex().text()); err != nil {
				return err
			}
		}
		return l.replace("oci-layout", []byte(`{"imageLayoutVersion":"`+version+`"}`))
	})
}

func (l *Layout) check() error {
	data, err := l.root.Read("oci-layout", 4096)
	if err != nil {
		return fmt.Errorf("%q is not an oci image layout: %w", l.Path(), err)
	}
	var file struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return layerwise.Failed(layerwise.FailureCodeCorrupt, "oci-layout in %q: %v", l.Path(), err)
	}
	if file.Version != version {
		return layerwise.Failed(layerwise.FailureCodeUnsupported, "%q has the layout version %q: expected %q", l.Path(), file.Version, version)
	}
	return nil
}

// replace writes a file so that a crash leaves what was there or all of data.
// Only the holder of the lock calls it, so that the temporary file has one name
// for all.
func (l *Layout) replace(name string, data []byte) error {
	mode, there := l.root.Mode(name)
	if !there {
		mode = 0o666
	}
	if err := l.root.Remove(temporary); err != nil {
		return err
	}
	file, err := l.root.Create(temporary, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil && there {
		err = file.Chmod(fs.FileMode(mode))
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, l.root.Remove(temporary))
	}
	return l.root.Move(temporary, l.root, name)
}

// blob opens the directory that a blob is in, and tells its name there. Only a
// digest that was checked becomes part of a path.
func (l *Layout) blob(digest string) (*below.Dir, string, error) {
	algorithm, digits, err := split(digest)
	if err != nil {
		return nil, "", err
	}
	directory, err := l.root.Enter("blobs", algorithm)
	return directory, digits, err
}

func split(digest string) (algorithm, digits string, err error) {
	if !digests.Is(digest) {
		return "", "", layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not a digest", digest)
	}
	algorithm, digits, _ = strings.Cut(digest, ":")
	return algorithm, digits, nil
}

// OpenBlob opens a blob of exactly size bytes; what is read is checked.
func (l *Layout) OpenBlob(digest string, size uint64) (io.ReadCloser, error) {
	directory, name, err := l.blob(digest)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	file, there, err := directory.Open(name)
	if err != nil {
		return nil, err
	}
	if uint64(there) != size {
		file.Close()
		code := layerwise.FailureCodeTruncated
		if uint64(there) > size {
			code = layerwise.FailureCodeCorrupt
		}
		return nil, layerwise.Failed(code, "blob %s has %d bytes, expected %d", digest, there, size)
	}
	return struct {
		io.Reader
		io.Closer
	}{digests.Verified(file, digest, there), file}, nil
}

// Reachable fails when blobs cannot be looked up where this one is. A directory
// that is not there holds nothing.
func (l *Layout) Reachable(digest string) error {
	directory, _, err := l.blob(digest)
	switch {
	case err == nil:
		return directory.Close()
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		algorithm, _, _ := split(digest)
		return layerwise.Failed(layerwise.FailureCodeCorrupt, "%q is not a directory", filepath.Join(l.Path(), "blobs", algorithm))
	}
	return err
}

// ReadBlob reads a document of exactly size bytes.
func (l *Layout) ReadBlob(digest string, size, limit uint64) ([]byte, error) {
	if size > min(limit, LongestDocument) {
		return nil, layerwise.Failed(layerwise.FailureCodeTooLarge, "blob %s has %d bytes, more than the limit of %d", digest, size, min(limit, LongestDocument))
	}
	blob, err := l.OpenBlob(digest, size)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(blob)
}

// BlobSize is the size of a blob that is there.
func (l *Layout) BlobSize(digest string) (uint64, error) {
	directory, name, err := l.blob(digest)
	if err != nil {
		return 0, err
	}
	defer directory.Close()
	size, err := directory.Size(name)
	return uint64(size), err
}

// Holds tells whether a blob is there with the right bytes.
func (l *Layout) Holds(digest string, size uint64) bool {
	blob, err := l.OpenBlob(digest, size)
	if err != nil {
		return false
	}
	defer blob.Close()
	_, err = io.Copy(io.Discard, blob)
	return err == nil
}

// StoreBlob stores a blob unless it is there with the right bytes; it answers
// whether it was not.
func (l *Layout) StoreBlob(ctx context.Context, digest string, size uint64, open func() (io.ReadCloser, error)) (bool, error) {
	algorithm, digits, err := split(digest)
	if err != nil {
		return false, err
	}
	if l.Holds(digest, size) {
		return false, nil
	}
	from, err := open()
	if err != nil {
		return false, err
	}
	defer from.Close()
	file, beside, err := l.upload(ctx)
	if err != nil {
		return false, err
	}
	// Open, and so locked, until it has its name or is gone.
	defer file.Close()
	_, err = io.Copy(file, digests.Verified(&cancellable{ctx, from}, digest, int64(size)))
	if err = errors.Join(err, file.Sync()); err != nil {
		return false, errors.Join(err, l.root.Remove(beside))
	}
	err = l.locked(ctx, func() error {
		directory, err := l.root.Make("blobs", algorithm)
		if err != nil {
			return err
		}
		defer directory.Close()
		return l.root.Move(beside, directory, digits)
	})
	if err != nil {
		return false, errors.Join(err, l.root.Remove(beside))
	}
	return true, nil
}

// upload makes a file with a name that nobody else makes.
//
// It is made and locked while the lock of the layout is held, as a sweep holds
// it: so a sweep never sees one that its maker has not locked yet, and whatever
// is not locked was left by a writer that was killed.
func (l *Layout) upload(ctx context.Context) (file *os.File, name string, err error) {
	name = blobName + rand.Text()
	err = l.locked(ctx, func() error {
		if err := l.sweep(); err != nil {
			return err
		}
		var err error
		if file, err = l.root.Create(name, 0o666); err != nil {
			return err
		}
		return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	})
	if err != nil && file != nil {
		err = errors.Join(err, file.Close(), l.root.Remove(name))
	}
	return file, name, err
}

// sweep removes what killed writers left.
func (l *Layout) sweep() error {
	names, err := l.root.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, blobName) {
			continue
		}
		left, _, err := l.root.Open(name)
		if err != nil {
			continue
		}
		if syscall.Flock(int(left.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = l.root.Remove(name)
		}
		left.Close()
	}
	return nil
}

// StoreBytes stores a document.
func (l *Layout) StoreBytes(ctx context.Context, data []byte) (string, error) {
	digest := digests.Of(data)
	_, err := l.StoreBlob(ctx, digest, uint64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	return digest, err
}

// RemoveBlob takes a blob away.
func (l *Layout) RemoveBlob(digest string) error {
	directory, name, err := l.blob(digest)
	if err != nil {
		return err
	}
	defer directory.Close()
	return directory.Remove(name)
}

// cancellable is a reader that fails when its context ends.
type cancellable struct {
	ctx  context.Context
	from io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.from.Read(p)
}
