//go:build unix

// Package below opens what is in a directory of a store, and follows no link.
//
// A layout comes from anywhere, with any links, pipes and devices in it. So every
// path below its directory is gone name by name, each opened in the one before,
// and only regular files are read. [os.Root] is not enough for that: it follows
// links that stay inside. The path of the directory itself is the user's: links
// in it are followed.
package below

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"golang.org/x/sys/unix"

	"layerwise.dev/layerwise"
)

const directory = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC

// Dir is an open directory.
type Dir struct {
	file *os.File
	path string
}

// Open opens the directory of a store.
func Open(path string) (*Dir, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, directory, 0) })
	if err != nil {
		return nil, failed("open", path, err)
	}
	return made(fd, path), nil
}

// From is the directory that is open as a file, which belongs to it then.
func From(file *os.File) *Dir { return &Dir{file: file, path: file.Name()} }

func made(fd int, path string) *Dir {
	return &Dir{file: os.NewFile(uintptr(fd), path), path: path}
}

// Close closes the directory.
func (d *Dir) Close() error { return d.file.Close() }

// Path is its path, for messages.
func (d *Dir) Path() string { return d.path }

// File is the open directory itself.
func (d *Dir) File() *os.File { return d.file }

func (d *Dir) fd() int { return int(d.file.Fd()) }

// Enter opens a directory below, name by name. It is corrupt for a link.
func (d *Dir) Enter(names ...string) (*Dir, error) { return d.enter(false, names) }

// Make is Enter that makes the directories that are missing. It is denied for a
// link.
func (d *Dir) Make(names ...string) (*Dir, error) { return d.enter(true, names) }

func (d *Dir) enter(create bool, names []string) (*Dir, error) {
	at := d
	for _, name := range names {
		next, err := at.step(create, name)
		if at != d {
			at.Close()
		}
		if err != nil {
			return nil, err
		}
		at = next
	}
	if at == d {
		return d.step(false, ".")
	}
	return at, nil
}

func (d *Dir) step(create bool, name string) (*Dir, error) {
	path := filepath.Join(d.path, name)
	if create {
		if err := unix.Mkdirat(d.fd(), name, 0o777); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, failed("create", path, err)
		}
	}
	fd, err := d.openat(name, directory|unix.O_NOFOLLOW, 0)
	if err == nil {
		return made(fd, path), nil
	}
	if found, look := d.look(name); look == nil && found.Mode&unix.S_IFMT == unix.S_IFLNK {
		code := layerwise.FailureCodeCorrupt
		if create {
			code = layerwise.FailureCodeDenied
		}
		return nil, link(code, path)
	}
	return nil, failed("open", path, err)
}

// Open opens a regular file and tells its size. Opening a pipe would wait and
// opening a device may do anything, so both are refused before, and once more
// after it was opened.
func (d *Dir) Open(name string) (*os.File, int64, error) {
	if _, err := d.Size(name); err != nil {
		return nil, 0, err
	}
	path := filepath.Join(d.path, name)
	fd, err := d.openat(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, failed("read", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	var found unix.Stat_t
	if err := unix.Fstat(fd, &found); err != nil {
		file.Close()
		return nil, 0, failed("read", path, err)
	}
	size, err := regular(&found, path)
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, size, nil
}

// Size is the size of a regular file. Nothing is told of what a link leads to.
func (d *Dir) Size(name string) (int64, error) {
	path := filepath.Join(d.path, name)
	found, err := d.look(name)
	if err != nil {
		return 0, failed("read", path, err)
	}
	return regular(found, path)
}

func regular(found *unix.Stat_t, path string) (int64, error) {
	switch found.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return found.Size, nil
	case unix.S_IFLNK:
		return 0, link(layerwise.FailureCodeCorrupt, path)
	}
	return 0, layerwise.Failed(layerwise.FailureCodeCorrupt, "%q is not a regular file", path)
}

// Has tells whether anything has a name, a link that leads nowhere included.
func (d *Dir) Has(name string) (bool, error) {
	_, err := d.look(name)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, failed("read", filepath.Join(d.path, name), err)
	}
	return true, nil
}

// IsRegular tells whether a regular file has a name.
func (d *Dir) IsRegular(name string) bool {
	found, err := d.look(name)
	return err == nil && found.Mode&unix.S_IFMT == unix.S_IFREG
}

// IsDir tells whether a directory has a name.
func (d *Dir) IsDir(name string) bool {
	found, err := d.look(name)
	return err == nil && found.Mode&unix.S_IFMT == unix.S_IFDIR
}

// Read reads a regular file of at most limit bytes.
func (d *Dir) Read(name string, limit int64) ([]byte, error) {
	file, size, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	tooLarge := func(size int64) error {
		return layerwise.Failed(layerwise.FailureCodeTooLarge, "%q has %d bytes, more than the limit of %d", filepath.Join(d.path, name), size, limit)
	}
	if size > limit {
		return nil, tooLarge(size)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = tooLarge(int64(len(data)))
	}
	return data, err
}

// Create opens a new file for writing; nothing may have its name.
func (d *Dir) Create(name string, mode uint32) (*os.File, error) {
	return d.write(name, unix.O_EXCL, mode)
}

// Append opens a regular file for writing, which is made when it is missing.
func (d *Dir) Append(name string, mode uint32) (*os.File, error) {
	if there, err := d.Has(name); err != nil {
		return nil, err
	} else if there && !d.IsRegular(name) {
		return nil, layerwise.Failed(layerwise.FailureCodeDenied, "%q is not a regular file", filepath.Join(d.path, name))
	}
	return d.write(name, unix.O_APPEND|unix.O_NONBLOCK, mode)
}

func (d *Dir) write(name string, how int, mode uint32) (*os.File, error) {
	path := filepath.Join(d.path, name)
	fd, err := d.openat(name, unix.O_WRONLY|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC|how, mode)
	if err != nil {
		return nil, failed("create", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Mode are the permission bits of a file, if it is there.
func (d *Dir) Mode(name string) (uint32, bool) {
	found, err := d.look(name)
	if err != nil {
		return 0, false
	}
	return uint32(found.Mode) & 0o777, true
}

// IsLink tells whether a link has a name.
func (d *Dir) IsLink(name string) bool {
	found, err := d.look(name)
	return err == nil && found.Mode&unix.S_IFMT == unix.S_IFLNK
}

// Move gives a file another name, replacing what has it, and brings that to the
// disk.
func (d *Dir) Move(name string, to *Dir, next string) error {
	if err := unix.Renameat(d.fd(), name, to.fd(), next); err != nil {
		return failed("write", filepath.Join(to.path, next), err)
	}
	return to.Sync()
}

// Sync brings its names to the disk.
func (d *Dir) Sync() error {
	// Some file systems do not do that for directories.
	if err := d.file.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return failed("write", d.path, err)
	}
	return nil
}

// Remove takes the name of a file or link away, if it is there.
func (d *Dir) Remove(name string) error {
	if err := unix.Unlinkat(d.fd(), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return failed("remove", filepath.Join(d.path, name), err)
	}
	return nil
}

// RemoveAll removes what has a name, with all that is in it, even what its owner
// may not write to.
func (d *Dir) RemoveAll(name string) error {
	// What is no directory is gone then.
	err := unix.Unlinkat(d.fd(), name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !d.IsDir(name) {
		return failed("remove", filepath.Join(d.path, name), err)
	}
	inner, err := d.Enter(name)
	if errors.Is(err, unix.EACCES) {
		_ = unix.Fchmodat(d.fd(), name, 0o700, 0)
		inner, err = d.Enter(name)
	}
	if err != nil {
		return err
	}
	defer inner.Close()
	names, err := inner.file.Readdirnames(-1)
	if err != nil {
		return failed("read", inner.path, err)
	}
	if len(names) > 0 {
		_ = unix.Fchmod(inner.fd(), 0o700)
	}
	for _, one := range names {
		if err := inner.RemoveAll(one); err != nil {
			return err
		}
	}
	if err := unix.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR); err != nil {
		return failed("remove", inner.path, err)
	}
	return nil
}

// Mkdir makes a directory.
func (d *Dir) Mkdir(name string, mode uint32) error {
	if err := unix.Mkdirat(d.fd(), name, mode); err != nil {
		return failed("create", filepath.Join(d.path, name), err)
	}
	return nil
}

// Hardlink gives a file or link another name; a link is not followed.
func (d *Dir) Hardlink(name string, to *Dir, next string) error {
	if err := unix.Linkat(d.fd(), name, to.fd(), next, 0); err != nil {
		return failed("create", filepath.Join(to.path, next), err)
	}
	return nil
}

// Touch sets the time of a file or directory.
func (d *Dir) Touch(name string, modified time.Time) error {
	at, err := unix.TimeToTimespec(modified)
	if err == nil {
		err = unix.UtimesNanoAt(d.fd(), name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return failed("write", filepath.Join(d.path, name), err)
	}
	return nil
}

// Link makes a symbolic link.
func (d *Dir) Link(target, name string) error {
	if err := unix.Symlinkat(target, d.fd(), name); err != nil {
		return failed("create", filepath.Join(d.path, name), err)
	}
	return nil
}

// Names are the names in it, in the order of their bytes.
func (d *Dir) Names() ([]string, error) {
	fd, err := d.openat(".", directory, 0)
	if err != nil {
		return nil, failed("read", d.path, err)
	}
	file := os.NewFile(uintptr(fd), d.path)
	defer file.Close()
	names, err := file.Readdirnames(-1)
	if err != nil {
		return nil, failed("read", d.path, err)
	}
	sort.Strings(names)
	return names, nil
}

func (d *Dir) openat(name string, flags int, mode uint32) (int, error) {
	return retry(func() (int, error) { return unix.Openat(d.fd(), name, flags, mode) })
}

func (d *Dir) look(name string) (*unix.Stat_t, error) {
	var found unix.Stat_t
	_, err := retry(func() (int, error) {
		return 0, unix.Fstatat(d.fd(), name, &found, unix.AT_SYMLINK_NOFOLLOW)
	})
	return &found, err
}

func retry(call func() (int, error)) (int, error) {
	for {
		answer, err := call()
		if !errors.Is(err, unix.EINTR) {
			return answer, err
		}
	}
}

func link(code layerwise.FailureCode, path string) error {
	return layerwise.Failed(code, "cannot open %q: it is a link, which is not followed", path)
}

func failed(action, path string, err error) error {
	if errors.Is(err, unix.ELOOP) {
		return link(layerwise.FailureCodeCorrupt, path)
	}
	return fmt.Errorf("cannot %s %q: %w", action, path, err)
}
