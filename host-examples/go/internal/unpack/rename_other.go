//go:build unix && !linux

package unpack

import (
	"os"

	"golang.org/x/sys/unix"
)

// renameToFree takes a name that nothing has.
func renameToFree(from, to *os.File, name string) error {
	return unix.Renameat(int(from.Fd()), fresh, int(to.Fd()), name)
}

// exchange exchanges what is fresh with what is there.
func exchange(from, to *os.File, name string) error { return inTwoSteps(from, to, name) }
