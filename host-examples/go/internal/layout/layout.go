// Package layout reads and changes OCI image layout directories.
//
// Its conventions are shared by all writers of this project: they hold an
// exclusive lock on .layerwise.lock, write blobs first, and then replace
// index.json by rename. Other tools know nothing of the lock, so index.json is
// compared once more right before it is replaced, and the change is made anew
// on what they wrote. Nothing outside of the directory is reached, whatever
// links are in it.
package layout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"layerwise.dev/layerwise"
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

// LongestDocument caps what is read into memory.
const LongestDocument = 64 << 20

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
	root *os.Root
}

var count atomic.Int64

// Open opens a layout.
func Open(directory string) (*Layout, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fmt.Errorf("open the layout: %w", err)
	}
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
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fmt.Errorf("create the layout: %w", err)
	}
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
func (l *Layout) Path() string { return l.root.Name() }

func (l *Layout) create(ctx context.Context) error {
	if _, err := l.root.Stat("oci-layout"); err == nil {
		return l.check()
	}
	entries, err := fs.ReadDir(l.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if name != "blobs" && name != "index.json" && !strings.HasPrefix(name, ".layerwise.") {
			return layerwise.Failed(layerwise.FailureCodeConflict, "%q is not an oci image layout and holds %q", l.Path(), name)
		}
	}
	return l.locked(ctx, func() error {
		if err := l.root.MkdirAll("blobs/sha256", 0o777); err != nil {
			return err
		}
		if _, err := l.root.Lstat("index.json"); errors.Is(err, fs.ErrNotExist) {
			if err := l.replace("index.json", emptyIndex().text()); err != nil {
				return err
			}
		}
		return l.replace("oci-layout", []byte(`{"imageLayoutVersion":"`+version+`"}`))
	})
}

func (l *Layout) check() error {
	data, err := l.read("oci-layout", 4096)
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

// read reads a regular file of at most limit bytes.
func (l *Layout) read(name string, limit int64) ([]byte, error) {
	file, size, err := l.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size > limit {
		return nil, layerwise.Failed(layerwise.FailureCodeTooLarge, "%q has %d bytes, more than the limit of %d", name, size, limit)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = layerwise.Failed(layerwise.FailureCodeTooLarge, "%q has more bytes than the limit of %d", name, limit)
	}
	return data, err
}

// open opens a regular file. Everything else is refused before it is opened:
// opening a pipe would wait for its writer.
func (l *Layout) open(name string) (*os.File, int64, error) {
	info, err := l.root.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, layerwise.Failed(layerwise.FailureCodeCorrupt, "%q is not a regular file", name)
	}
	file, err := l.root.Open(name)
	return file, info.Size(), err
}

// replace writes a file so that a crash leaves what was there or all of data.
func (l *Layout) replace(name string, data []byte) error {
	mode := fs.FileMode(0o666)
	info, missing := l.root.Stat(name)
	if missing == nil {
		mode = info.Mode().Perm()
	}
	_ = l.root.Remove(temporary)
	file, err := l.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil && missing == nil {
		err = file.Chmod(mode)
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		_ = l.root.Remove(temporary)
		return err
	}
	if err := l.root.Rename(temporary, name); err != nil {
		return err
	}
	return l.sync(path.Dir(name))
}

// sync brings a rename to the disk.
func (l *Layout) sync(directory string) error {
	file, err := l.root.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// BlobPath is where a blob is. Only a digest that was checked becomes part of a
// path.
func BlobPath(digest string) (string, error) {
	if !IsDigest(digest) {
		return "", layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not a digest", digest)
	}
	algorithm, digits, _ := strings.Cut(digest, ":")
	return "blobs/" + algorithm + "/" + digits, nil
}

var digests = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)

// IsDigest tells whether a text is a digest.
func IsDigest(text string) bool { return digests.MatchString(text) }

// DigestOf is the digest of some bytes.
func DigestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func hasher(digest string) hash.Hash {
	switch {
	case strings.HasPrefix(digest, "sha384:"):
		return sha512.New384()
	case strings.HasPrefix(digest, "sha512:"):
		return sha512.New()
	}
	return sha256.New()
}

// Verified is a reader that fails where the bytes are not those of a digest and
// a size.
func Verified(from io.Reader, digest string, size int64) io.Reader {
	return &verified{from: from, digest: digest, left: size, hash: hasher(digest)}
}

type verified struct {
	from   io.Reader
	digest string
	left   int64
	hash   hash.Hash
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.from.Read(p)
	v.hash.Write(p[:n])
	v.left -= int64(n)
	if v.left < 0 {
		return n, layerwise.Failed(layerwise.FailureCodeCorrupt, "%s has more bytes than its size says", v.digest)
	}
	if err == io.EOF {
		_, digits, _ := strings.Cut(v.digest, ":")
		if v.left > 0 {
			return n, layerwise.Failed(layerwise.FailureCodeTruncated, "%s ended %d bytes early", v.digest, v.left)
		}
		if hex.EncodeToString(v.hash.Sum(nil)) != digits {
			return n, layerwise.Failed(layerwise.FailureCodeCorrupt, "the bytes of %s do not have this digest", v.digest)
		}
	}
	return n, err
}

// OpenBlob opens a blob of exactly size bytes; what is read is checked.
func (l *Layout) OpenBlob(digest string, size uint64) (io.ReadCloser, error) {
	name, err := BlobPath(digest)
	if err != nil {
		return nil, err
	}
	file, there, err := l.open(name)
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
	}{Verified(file, digest, there), file}, nil
}

// Reachable fails when blobs cannot be looked up where this one is. A directory
// that is not there holds nothing.
func (l *Layout) Reachable(digest string) error {
	name, err := BlobPath(digest)
	if err != nil {
		return err
	}
	directory := path.Dir(name)
	_, err = l.root.Stat(directory + "/.")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return layerwise.Failed(layerwise.FailureCodeCorrupt, "%q in %q is not a directory", directory, l.Path())
	case err != nil:
		return fmt.Errorf("cannot search %q in %q: %w", directory, l.Path(), err)
	}
	return nil
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
	name, err := BlobPath(digest)
	if err != nil {
		return 0, err
	}
	info, err := l.root.Stat(name)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, layerwise.Failed(layerwise.FailureCodeCorrupt, "blob %s is not a regular file", digest)
	}
	return uint64(info.Size()), nil
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
	name, err := BlobPath(digest)
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
	beside := fmt.Sprintf("%s%d.%d", blobName, os.Getpid(), count.Add(1))
	file, err := l.root.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return false, err
	}
	defer l.root.Remove(beside)
	_, err = io.Copy(file, Verified(&cancellable{ctx, from}, digest, int64(size)))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return false, err
	}
	return true, l.locked(ctx, func() error {
		if err := l.root.MkdirAll(path.Dir(name), 0o777); err != nil {
			return err
		}
		if err := l.root.Rename(beside, name); err != nil {
			return err
		}
		return l.sync(path.Dir(name))
	})
}

// StoreBytes stores a document.
func (l *Layout) StoreBytes(ctx context.Context, data []byte) (string, error) {
	digest := DigestOf(data)
	_, err := l.StoreBlob(ctx, digest, uint64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	return digest, err
}

// RemoveBlob takes a blob away.
func (l *Layout) RemoveBlob(digest string) error {
	name, err := BlobPath(digest)
	if err == nil {
		err = l.root.Remove(name)
	}
	return err
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
