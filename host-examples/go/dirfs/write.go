//go:build unix

// Changes. Under the lock of the directory the new bytes go into a temporary
// file beside the old one, to the disk, and then take its name. Other programs
// know nothing of the lock, so the precondition is checked once more right
// before; that nothing is there is checked by taking the name.

package dirfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"regexp"
	"syscall"
	"time"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/layout"
)

const (
	temporary = ".layerwise-write.tmp"
	lockFile  = ".layerwise-write.lock"
	lockWait  = 30 * time.Second
)

var sha256Digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Write implements [layerwise.Filesystem].
func (f *FS) Write(ctx context.Context, changes []layerwise.FileChange) []error {
	var answers []error
	for _, change := range changes {
		err := f.write(ctx, change)
		if err != nil {
			err = failure("write", change.Path, err)
		}
		if answers = append(answers, err); err != nil {
			break
		}
	}
	return answers
}

// Rename implements [layerwise.Filesystem].
func (f *FS) Rename(ctx context.Context, old, name string) error {
	from, err := f.named(old)
	if err == nil {
		_, err = from.lstat()
	}
	if err != nil {
		return failure("rename", old, err)
	}
	to, err := f.named(name)
	if err == nil && reserved(to) {
		err = errReserved
	}
	if err == nil && from.in != to.in {
		err = refuse(layerwise.FailureCodeInvalid, "it is in another opened directory")
	}
	if err == nil {
		err = from.renamed(ctx, to)
	}
	if err != nil {
		return failure("rename \""+old+"\" to", name, err)
	}
	return nil
}

// Remove implements [layerwise.Filesystem].
func (f *FS) Remove(ctx context.Context, paths []string) []error {
	answers := make([]error, len(paths))
	for i, name := range paths {
		place, err := f.named(name)
		if err == nil {
			_, err = place.lstat()
		}
		if err == nil {
			err = place.locked(ctx, func(*os.File) error { return place.in.root.Remove(place.path()) })
		}
		if err != nil {
			answers[i] = failure("remove", name, err)
		}
	}
	return answers
}

var errReserved = refuse(layerwise.FailureCodeInvalid, "the name is one that writing uses itself")

func reserved(p *place) bool {
	name := path.Base(p.path())
	return name == temporary || name == lockFile
}

// named is a place that is a name in a directory; an opened directory itself is
// none.
func (f *FS) named(name string) (*place, error) {
	place, err := f.resolve(name, false)
	if err != nil {
		return nil, err
	}
	if err := place.checkWritable(); err != nil {
		return nil, err
	}
	if len(place.parts) == 0 {
		return nil, refuse(layerwise.FailureCodeDenied, "it is an opened directory itself")
	}
	return place, nil
}

// locked runs something while no other writer of this project changes the
// directory of a place.
func (p *place) locked(ctx context.Context, run func(directory *os.File) error) error {
	directory, err := p.in.root.OpenFile(p.parent(), os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer directory.Close()
	if err := layout.Lock(ctx, directory, lockWait); err != nil {
		return err
	}
	if err := run(directory); err != nil {
		return err
	}
	return directory.Sync()
}

func (p *place) renamed(ctx context.Context, to *place) error {
	first, second := p, to
	if second.parent() < first.parent() {
		first, second = second, first
	}
	return first.locked(ctx, func(one *os.File) error {
		from, into := one, one
		if first.parent() == second.parent() {
			return renameToFree(p, to, from, into)
		}
		return second.locked(ctx, func(other *os.File) error {
			if first == p {
				return renameToFree(p, to, one, other)
			}
			return renameToFree(p, to, other, one)
		})
	})
}

// linkToFree gives a file a second name, which is never put over another, and
// takes the first one away.
func linkToFree(from, to *place) error {
	if err := from.in.root.Link(from.path(), to.path()); err != nil {
		return err
	}
	return from.in.root.Remove(from.path())
}

func (f *FS) write(ctx context.Context, change layerwise.FileChange) error {
	condition := change.Precondition
	if condition.Case == layerwise.PreconditionUnchanged && !sha256Digest.MatchString(condition.Unchanged) {
		return refuse(layerwise.FailureCodeInvalid, "the digest in its precondition is not a sha256 one")
	}
	if change.Mode > 0o7777 {
		return refuse(layerwise.FailureCodeInvalid, "the mode has more than 12 bits")
	}
	target, err := f.resolve(change.Path, true)
	if err != nil {
		return err
	}
	if err := target.checkWritable(); err != nil {
		return err
	}
	if len(target.parts) == 0 || target.directory {
		return syscall.EISDIR
	}
	if reserved(target) {
		return errReserved
	}
	if change.Parents {
		if err := target.in.root.MkdirAll(target.parent(), 0o777); err != nil {
			return err
		}
	}
	return target.locked(ctx, func(*os.File) error {
		old, err := target.check(condition)
		if err != nil {
			return err
		}
		beside := &place{fs: f, in: target.in, parts: append(split(target.parent()), temporary)}
		_ = beside.in.root.Remove(beside.path())
		defer beside.in.root.Remove(beside.path())
		if err := beside.fill(old, change); err != nil {
			return err
		}
		switch condition.Case {
		case layerwise.PreconditionAbsent:
			return linkToFree(beside, target)
		case layerwise.PreconditionUnchanged:
			if _, err := target.check(condition); err != nil {
				return err
			}
		}
		return beside.in.root.Rename(beside.path(), target.path())
	})
}

// check returns the file there, when what must hold does.
func (p *place) check(condition layerwise.Precondition) (fs.FileInfo, error) {
	old, err := p.lstat()
	if errors.Is(err, fs.ErrNotExist) {
		old, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch condition.Case {
	case layerwise.PreconditionAbsent:
		if p.linked || old != nil {
			return nil, syscall.EEXIST
		}
	case layerwise.PreconditionUnchanged:
		if old == nil || !old.Mode().IsRegular() {
			return nil, refuse(layerwise.FailureCodeConflict, "the file is not there any more")
		}
		found, err := p.digest("", "")
		if err != nil {
			return nil, err
		}
		if found != condition.Unchanged {
			return nil, refuse(layerwise.FailureCodeConflict, "it has digest %s, not %s", found, condition.Unchanged)
		}
	}
	switch {
	case old == nil || old.Mode().IsRegular():
		return old, nil
	case old.IsDir():
		return nil, syscall.EISDIR
	case old.Mode()&fs.ModeSymlink != 0:
		return nil, errChanged
	}
	return nil, refuse(layerwise.FailureCodeUnsupported, "it is not a regular file")
}

// fill writes the temporary file and brings it to the disk. Until it is complete
// nobody else may read what replaces a file that only some may read.
func (p *place) fill(old fs.FileInfo, change layerwise.FileChange) error {
	mode := fs.FileMode(change.Mode & 0o777)
	if old != nil {
		mode = 0o600
	}
	file, err := p.in.root.OpenFile(p.path(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(change.Text); err != nil {
		return err
	}
	if old == nil {
		if special := change.Mode &^ 0o777; special != 0 {
			info, err := file.Stat()
			if err == nil {
				err = syscall.Fchmod(int(file.Fd()), uint32(info.Mode().Perm())|special)
			}
			if err != nil {
				return err
			}
		}
		return file.Sync()
	}
	stat, ok := old.Sys().(*syscall.Stat_t)
	if ok {
		// Only some users may give the file to whom the old one belonged.
		if err := file.Chown(int(stat.Uid), int(stat.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		if err := syscall.Fchmod(int(file.Fd()), uint32(stat.Mode)&0o7777); err != nil {
			return err
		}
	}
	return file.Sync()
}
