package unpack

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameToFree takes a name that nothing has.
func renameToFree(from, to *os.File, name string) error {
	err := unix.Renameat2(int(from.Fd()), fresh, int(to.Fd()), name, unix.RENAME_NOREPLACE)
	if cannot(err) {
		return unix.Renameat(int(from.Fd()), fresh, int(to.Fd()), name)
	}
	return err
}

// exchange exchanges what is fresh with what is there.
func exchange(from, to *os.File, name string) error {
	err := unix.Renameat2(int(from.Fd()), fresh, int(to.Fd()), name, unix.RENAME_EXCHANGE)
	if cannot(err) {
		return inTwoSteps(from, to, name)
	}
	return err
}

func cannot(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}
