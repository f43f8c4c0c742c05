//go:build unix && !linux

package dirfs

import "os"

// renameToFree renames a file unless something has the new name already.
func renameToFree(from, to *place, _, _ *os.File) error { return linkToFree(from, to) }
