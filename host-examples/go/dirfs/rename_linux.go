package dirfs

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// renameToFree renames unless something has the new name already.
func renameToFree(from, to *place, in, into *os.File) error {
	err := unix.Renameat2(int(in.Fd()), path.Base(from.path()), int(into.Fd()), path.Base(to.path()), unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return linkToFree(from, to)
	}
	return err
}
