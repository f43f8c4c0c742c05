//go:build unix

// Package dirfs is a file system of opened directories.
//
// Every path is confined: it is resolved part by part inside the directory that
// its name belongs to, and opened through an [os.Root], so that neither "..",
// nor a link, nor what others exchange meanwhile leads out. An absolute link is
// a path of its own: it leads where a path with the same text leads.
//
// Writers hold a lock on the directory they change, and replace files at one
// stroke.
package dirfs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"

	"layerwise.dev/layerwise"
)

// Root is a directory to be opened.
type Root struct {
	// Name is what paths call it, such as "/layers". A path belongs to the root
	// with the longest name that it begins with.
	Name string
	// Directory is where it is.
	Directory string
	// Opened is the directory itself, in place of its path; it is closed with the set.
	Opened *os.Root
	// Writable lets the component change what is in it.
	Writable bool
}

// Limits say how much a walk answers; those of an opened set are its defaults.
type Limits struct {
	// WalkDepth are the directories that a walk goes down, 256.
	WalkDepth int
	// WalkEntries are the entries of a walk, 10,000,000.
	WalkEntries uint64
	// WalkPathBytes are the bytes of the paths of all of them, 512 MiB.
	WalkPathBytes int
}

// FS is a set of opened directories. It may be used from several goroutines.
type FS struct {
	roots []*opened
	// Limits may be set before the first use.
	Limits Limits
}

type opened struct {
	absolute bool
	prefix   []string
	root     *os.Root
	writable bool
}

var _ layerwise.Filesystem = (*FS)(nil)

// Open opens directories.
func Open(roots ...Root) (*FS, error) {
	f := &FS{Limits: Limits{WalkDepth: 256, WalkEntries: 10_000_000, WalkPathBytes: 512 << 20}}
	for _, wanted := range roots {
		asked, err := parse(wanted.Name)
		if err == nil {
			for _, other := range f.roots {
				if other.absolute == asked.absolute && strings.Join(other.prefix, "/") == strings.Join(asked.names, "/") {
					err = refuse(layerwise.FailureCodeInvalid, "another directory is open under this name")
				}
			}
		}
		root := wanted.Opened
		if err == nil && root == nil {
			root, err = os.OpenRoot(wanted.Directory)
		}
		if err != nil {
			f.Close()
			return nil, failure("open", wanted.Name, err)
		}
		f.roots = append(f.roots, &opened{absolute: asked.absolute, prefix: asked.names, root: root, writable: wanted.Writable})
	}
	return f, nil
}

// Close closes the directories.
func (f *FS) Close() error {
	var err error
	for _, root := range f.roots {
		err = errors.Join(err, root.root.Close())
	}
	return err
}

// OpenFile opens a regular file for reading, for hosts that move what is in it.
func (f *FS) OpenFile(name string) (io.ReadCloser, error) {
	place, err := f.resolve(name, true)
	if err == nil {
		var file *os.File
		if file, _, err = place.openFile(); err == nil {
			return file, nil
		}
	}
	return nil, failure("open", name, err)
}

// OpenDirectory opens a directory in a writable root, for hosts that put things
// there, and returns its path as the component names it.
func (f *FS) OpenDirectory(name string) (*os.Root, error) {
	place, err := f.resolve(name, true)
	if err == nil {
		err = place.checkWritable()
	}
	if err == nil {
		var root *os.Root
		if root, err = place.in.root.OpenRoot(place.path()); err == nil {
			return root, nil
		}
	}
	return nil, failure("open", name, err)
}

// Stat implements [layerwise.Filesystem].
func (f *FS) Stat(ctx context.Context, paths []string, follow bool, want layerwise.FileFacts) []layerwise.Result[layerwise.FileEntry] {
	return each(ctx, paths, func(name string) (layerwise.FileEntry, error) {
		place, err := f.resolve(name, follow)
		if err != nil {
			return layerwise.FileEntry{}, failure("look at", name, err)
		}
		entry, err := place.entry(name, want)
		if err != nil {
			err = failure("look at", name, err)
		}
		return entry, err
	})
}

// ListNames implements [layerwise.Filesystem].
func (f *FS) ListNames(_ context.Context, directory string) ([]string, error) {
	place, err := f.resolve(directory, true)
	if err != nil {
		return nil, failure("list", directory, err)
	}
	names, err := place.names(1 << 63)
	if err != nil {
		return nil, failure("list", directory, err)
	}
	for i, name := range names {
		names[i] = encode(name)
	}
	return names, nil
}

// Read implements [layerwise.Filesystem].
func (f *FS) Read(ctx context.Context, paths []string, limit uint64) []layerwise.Result[layerwise.FileContent] {
	answers := make([]layerwise.Result[layerwise.FileContent], len(paths))
	for i, name := range paths {
		if answers[i].Err = ctx.Err(); answers[i].Err != nil {
			continue
		}
		place, err := f.resolve(name, true)
		if err == nil {
			answers[i].Value, err = place.read(limit)
		}
		if err != nil {
			answers[i].Err = failure("read", name, err)
		}
	}
	return answers
}

// Hash implements [layerwise.Filesystem].
func (f *FS) Hash(ctx context.Context, files []layerwise.FileHashing) []layerwise.Result[string] {
	return each(ctx, files, func(asked layerwise.FileHashing) (string, error) {
		place, err := f.resolve(asked.Path, true)
		if err != nil {
			return "", failure("hash", asked.Path, err)
		}
		prefix, err := decode(asked.Prefix)
		if err != nil {
			return "", failure("hash", asked.Path, err)
		}
		digest, err := place.digest(prefix, asked.Suffix)
		if err != nil {
			err = failure("hash", asked.Path, err)
		}
		return digest, err
	})
}

// Walk implements [layerwise.Filesystem].
func (f *FS) Walk(ctx context.Context, root string, want layerwise.FileFacts, limit uint64) ([]layerwise.FileEntry, error) {
	place, err := f.resolve(root, false)
	if err != nil {
		return nil, failure("walk", root, err)
	}
	info, err := place.lstat()
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, failure("walk", root, err)
	}
	w := &walk{ctx: ctx, name: strings.TrimRight(root, "/"), limit: min(limit, f.Limits.WalkEntries), limits: f.Limits, want: want}
	if err := w.below(place, "", root); err != nil {
		return nil, err
	}
	return w.fill()
}

// each does something for many items on all processors.
func each[A, T any](ctx context.Context, items []A, do func(A) (T, error)) []layerwise.Result[T] {
	answers := make([]layerwise.Result[T], len(items))
	var workers sync.WaitGroup
	next := make(chan int, len(items))
	for i := range items {
		next <- i
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), len(items)) {
		workers.Go(func() {
			for i := range next {
				if answers[i].Err = ctx.Err(); answers[i].Err == nil {
					answers[i].Value, answers[i].Err = do(items[i])
				}
			}
		})
	}
	workers.Wait()
	return answers
}

// place is something in an opened directory, whether it is there or not; none
// of its parts is a link but perhaps the last.
type place struct {
	fs        *FS
	in        *opened
	parts     []string
	linked    bool
	directory bool
}

func (p *place) path() string {
	if len(p.parts) == 0 {
		return "."
	}
	return path.Join(p.parts...)
}

func (p *place) parent() string { return path.Dir(p.path()) }

func (p *place) at(name string) *place {
	parts := append(p.parts[:len(p.parts):len(p.parts)], name)
	return &place{fs: p.fs, in: p.in, parts: parts}
}

// lstat looks at what is there; a link is looked at itself.
func (p *place) lstat() (fs.FileInfo, error) {
	info, err := p.in.root.Lstat(p.path())
	if err == nil && p.directory && !info.IsDir() {
		return nil, syscall.ENOTDIR
	}
	return info, err
}

// openFile opens a regular file. Everything else is refused before it is opened:
// opening a pipe would wait for its writer.
func (p *place) openFile() (*os.File, fs.FileInfo, error) {
	info, err := p.lstat()
	switch {
	case err != nil:
		return nil, nil, err
	case info.IsDir():
		return nil, nil, syscall.EISDIR
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, nil, errChanged
	case !info.Mode().IsRegular():
		return nil, nil, refuse(layerwise.FailureCodeUnsupported, "it is not a regular file")
	}
	file, err := p.in.root.OpenFile(p.path(), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errChanged
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

func (p *place) read(limit uint64) (layerwise.FileContent, error) {
	file, info, err := p.openFile()
	if err != nil {
		return layerwise.FileContent{}, err
	}
	defer file.Close()
	tooLarge := func(size uint64) error {
		return refuse(layerwise.FailureCodeTooLarge, "it has %d bytes, more than the limit of %d", size, limit)
	}
	if uint64(info.Size()) > limit {
		return layerwise.FileContent{}, tooLarge(uint64(info.Size()))
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(min(limit, 1<<62))+1))
	if err != nil {
		return layerwise.FileContent{}, err
	}
	if uint64(len(data)) > limit {
		return layerwise.FileContent{}, tooLarge(uint64(len(data)))
	}
	sum := sha256.Sum256(data)
	text, lossy := lossy(data)
	return layerwise.FileContent{Text: text, Lossy: lossy, Digest: "sha256:" + hex.EncodeToString(sum[:])}, nil
}

func (p *place) digest(prefix, suffix string) (string, error) {
	file, info, err := p.openFile()
	if err != nil {
		return "", err
	}
	defer file.Close()
	return digestOf(file, info, prefix, suffix)
}

// digestOf hashes an open file between two texts; it must stay what it was when it was
// opened.
func digestOf(file *os.File, before fs.FileInfo, prefix, suffix string) (string, error) {
	hash := sha256.New()
	io.WriteString(hash, prefix)
	size, err := io.Copy(hash, file)
	if err != nil {
		return "", err
	}
	after, err := file.Stat()
	if err != nil {
		return "", err
	}
	if size != before.Size() || !before.ModTime().Equal(after.ModTime()) {
		return "", errChanged
	}
	io.WriteString(hash, suffix)
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

// names lists a directory, sorted by bytes.
func (p *place) names(limit uint64) ([]string, error) {
	directory, err := p.in.root.OpenFile(p.path(), os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	names := []string{}
	for {
		more, err := directory.Readdirnames(1024)
		names = append(names, more...)
		if uint64(len(names)) > limit {
			return nil, errTooMany
		}
		if err == io.EOF {
			sort.Strings(names)
			return names, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
