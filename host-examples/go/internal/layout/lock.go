//go:build unix

package layout

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"layerwise.dev/layerwise"
)

// Lock takes an exclusive lock on an open file or directory, which ends when it
// is closed. It waits for another writer at most this long.
func Lock(ctx context.Context, file *os.File, wait time.Duration) error {
	end := time.Now().Add(wait)
	for pause := 200 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return &os.PathError{Op: "lock", Path: file.Name(), Err: err}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return layerwise.Failed(layerwise.FailureCodeUnavailable, "another writer holds the lock of %q", file.Name())
		}
		time.Sleep(pause)
	}
}
