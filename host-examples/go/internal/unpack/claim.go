//go:build unix

package unpack

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"syscall"
	"time"

	"layerwise.dev/layerwise/internal/below"
	"layerwise.dev/layerwise/internal/layout"
)

// claimed is how the directories begin in which layers are unpacked, those of
// other hosts, too.
const claimed = ".layerwise.unpack."

// claim is a directory that one worker has for itself.
//
// Making one and looking for left ones exclude each other by a lock on the
// directory around them, the door, so that a sweep sees a directory only when its
// maker has locked it or is gone. Nobody removes a directory without holding the
// lock on it. Where directories have no locks nothing is known to be left, and
// nothing is swept.
type claim struct {
	base *below.Dir
	name string
	// dir is the directory; it holds the lock until it is closed.
	dir *below.Dir
}

func newClaim(ctx context.Context, base *below.Dir, wait time.Duration) (*claim, error) {
	door, err := shut(ctx, base, wait)
	if err != nil {
		return nil, err
	}
	if door != nil {
		defer door.Close()
	}
	c := &claim{base: base, name: claimed + rand.Text()}
	if err := base.Mkdir(c.name, 0o700); err != nil {
		return nil, err
	}
	c.dir, err = base.Enter(c.name)
	if err == nil && door != nil {
		err = syscall.Flock(int(c.dir.File().Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// close removes the directory; its lock goes last.
func (c *claim) close() error {
	err := c.base.RemoveAll(c.name)
	if c.dir != nil {
		err = errors.Join(err, c.dir.Close())
	}
	return err
}

// sweep removes what killed workers left.
func sweep(ctx context.Context, base *below.Dir, wait time.Duration) {
	names, err := base.Names()
	if err != nil {
		return
	}
	for _, name := range names {
		if !strings.HasPrefix(name, claimed) {
			continue
		}
		if left := take(ctx, base, name, wait); left != nil {
			_ = base.RemoveAll(name)
			left.Close()
		}
	}
}

// take is a directory with its lock, if its maker does not hold that any more.
func take(ctx context.Context, base *below.Dir, name string, wait time.Duration) *below.Dir {
	// Without a door somebody may be making it just now.
	door, err := shut(ctx, base, wait)
	if err != nil || door == nil {
		return nil
	}
	defer door.Close()
	left, err := base.Enter(name)
	if err != nil {
		return nil
	}
	if syscall.Flock(int(left.File().Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		left.Close()
		return nil
	}
	return left
}

// shut shuts the door of a directory; it returns nothing where directories have
// no locks.
func shut(ctx context.Context, base *below.Dir, wait time.Duration) (*below.Dir, error) {
	door, err := base.Enter()
	if err != nil {
		return nil, err
	}
	err = layout.Lock(ctx, door.File(), wait)
	if err == nil {
		return door, nil
	}
	door.Close()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return nil, nil
	}
	return nil, err
}
