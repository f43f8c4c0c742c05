//go:build unix

package unpack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/below"
)

// attempts is how often it is looked anew when others change what is there.
const attempts = 8

// Finish puts the layer in its place. First everything that was made is looked for
// and gets its rights: only a layer that is there in full goes on. Then it and
// what is at the prefix exchange their places in one step, so that whoever looks,
// and whenever this is killed, finds the old layer or the new one. Where the file
// system cannot do that, it is done in two steps. A layer without entries changes
// nothing.
func (s *Stage) Finish() error {
	if len(s.made) == 0 {
		return nil
	}
	late, err := s.settle()
	if err != nil {
		return err
	}
	failed := func(err error) error {
		return fmt.Errorf("cannot put the layer at %q: %w", path.Join(s.prefix...), err)
	}
	parent, err := s.parent()
	if err != nil {
		return failed(err)
	}
	defer parent.Close()
	var top *below.Dir
	if late != nil {
		if top, err = s.open("."); err != nil {
			return failed(err)
		}
		defer top.Close()
	}
	if err := replace(s.claim.dir, parent, s.prefix[len(s.prefix)-1], s.made["."].isDir()); err != nil {
		return failed(err)
	}
	if late != nil {
		if err := unix.Fchmod(int(top.File().Fd()), late.mode); err != nil {
			return failed(err)
		}
	}
	return nil
}

// settle gives all directories their looks, from the deepest up, and compares what
// is there with what was made. It returns the look of the topmost where it would
// keep it from being moved.
func (s *Stage) settle() (late *look, err error) {
	var directories []string
	for at, kind := range s.made {
		if kind.isDir() {
			directories = append(directories, at)
		}
	}
	// Those below come after those above; the topmost is the first.
	sort.Slice(directories, func(a, b int) bool {
		deep := func(at string) int {
			if at == "." {
				return 0
			}
			return strings.Count(at, "/") + 1
		}
		return deep(directories[a]) < deep(directories[b])
	})
	found := 1
	for i := len(directories) - 1; i >= 0; i-- {
		at := directories[i]
		here, err := s.open(at)
		if err != nil {
			return nil, err
		}
		found += s.children(here, at)
		if want, ok := s.looks[at]; ok {
			if at == "." && want.mode&0o200 == 0 {
				late = &want
				want = look{0o700, want.modified}
			}
			err = apply(here, ".", here.File(), want)
		}
		if err = errors.Join(err, here.Close()); err != nil {
			return nil, err
		}
	}
	if found != len(s.made) {
		return nil, layerwise.Failed(layerwise.FailureCodeConflict, "the layer was unpacked to %d files and directories instead of %d: something else changes what is there", found, len(s.made))
	}
	return late, nil
}

// children counts the things that were made and are in a directory.
func (s *Stage) children(here *below.Dir, at string) (count int) {
	entries, err := here.File().ReadDir(-1)
	if err != nil {
		return 0
	}
	for _, entry := range entries {
		kind := s.made[path.Join(at, entry.Name())]
		is := entry.Type()
		if (kind == file && is.IsRegular()) || (kind == symlink && is == fs.ModeSymlink) || (kind.isDir() && is.IsDir()) {
			count++
		}
	}
	return count
}

// apply gives a file or directory its time and mode.
func apply(in *below.Dir, name string, to *os.File, want look) error {
	const years = 1 << 33
	// Others are no times that file systems keep.
	if seconds := want.modified.Unix(); seconds > -years && seconds < years {
		if err := in.Touch(name, want.modified); err != nil {
			return err
		}
	}
	return unix.Fchmod(int(to.Fd()), want.mode)
}

// parent opens the directory that the layer goes to, and makes it where it is
// missing.
func (s *Stage) parent() (*below.Dir, error) {
	at, err := s.base.Enter()
	for depth := s.depth; depth < len(s.prefix)-1 && err == nil; depth++ {
		name := s.prefix[depth]
		made := at.Mkdir(name, 0o777)
		next, entered := at.Enter(name)
		if entered != nil {
			entered = leadsOn(entered, name)
		}
		mode, ok := s.above[depth+1]
		if entered == nil && made == nil && ok {
			entered = unix.Fchmod(int(next.File().Fd()), mode)
		}
		if made != nil && !errors.Is(made, fs.ErrExist) {
			entered = made
		}
		at.Close()
		at, err = next, entered
	}
	if err != nil {
		if at != nil {
			at.Close()
		}
		return nil, err
	}
	return at, nil
}

// replace puts what is fresh in a stage in the place of a name.
func replace(stage, parent *below.Dir, name string, isDir bool) error {
	from, to := stage.File(), parent.File()
	for range attempts {
		var moved error
		switch there, err := parent.Has(name); {
		case err != nil:
			return err
		case !there:
			moved = renameToFree(from, to, name)
		case parent.IsDir(name) != isDir:
			return layerwise.Failed(layerwise.FailureCodeConflict, "something else is there")
		case isDir:
			moved = exchange(from, to, name)
		default:
			moved = unix.Renameat(int(from.Fd()), fresh, int(to.Fd()), name)
		}
		// Otherwise somebody was faster.
		if !errors.Is(moved, fs.ErrExist) && !errors.Is(moved, fs.ErrNotExist) {
			return moved
		}
	}
	return layerwise.Failed(layerwise.FailureCodeConflict, "others keep changing what is there")
}

// inTwoSteps moves what is there away first; it comes back when the other cannot
// take its place.
func inTwoSteps(from, to *os.File, name string) error {
	if err := unix.Renameat(int(to.Fd()), name, int(from.Fd()), old); err != nil {
		return err
	}
	err := unix.Renameat(int(from.Fd()), fresh, int(to.Fd()), name)
	if err != nil {
		err = errors.Join(err, unix.Renameat(int(from.Fd()), old, int(to.Fd()), name))
	}
	return err
}
