//go:build unix

package component

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"
	"golang.org/x/sys/unix"
)

// Whoever can write compiled code runs code as its reader. So only files of this
// user count, in a directory of this user, which nobody else can write to, nor to
// what it is in. Links are not followed. Beside each file is its SHA-256, against
// damage. A file that is not as it should be is removed and made again; a directory
// that is not is not used.

// longest is the longest file that is read; the code of our component has 7 MB.
const longest = 256 << 20

// sums is the directory of the SHA-256 of each file.
const sums = "sums"

// openCode opens what is kept in a directory, which is made if it is missing; nil if
// it cannot be used. Once the code is compiled, keep has the new files count.
func openCode(directory string) (cache wazero.CompilationCache, keep func()) {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return nil, nil
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(directory))
	if err != nil || !keptFromOthers(parent) {
		return nil, nil
	}
	directory = filepath.Join(parent, filepath.Base(directory))
	for _, path := range []string{directory, filepath.Join(directory, sums)} {
		err := os.Mkdir(path, 0o700)
		if err != nil && !errors.Is(err, os.ErrExist) || !ours(path, unix.S_IFDIR) {
			return nil, nil
		}
	}
	if err := each(directory, func(file, sum string) error {
		if noted, err := os.ReadFile(note(directory, file)); err != nil || string(noted) != sum {
			return os.Remove(file)
		}
		return nil
	}); err != nil {
		return nil, nil
	}
	if cache, err = wazero.NewCompilationCacheWithDir(directory); err != nil {
		return nil, nil
	}
	return cache, func() {
		// What is not noted is made again the next time.
		_ = each(directory, func(file, sum string) error { return writeWhole(note(directory, file), sum) })
	}
}

// note is where the sum of a file is. Versions of wazero give the same names to files
// of their own.
func note(directory, file string) string {
	folder, name := filepath.Split(file)
	return filepath.Join(directory, sums, filepath.Base(folder)+"-"+name)
}

// each calls do with every file that wazero has in the directory, below one for its
// version and the processor, and the SHA-256 of it: "" for what is no file of ours.
func each(directory string, do func(file, sum string) error) error {
	folders, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		path := filepath.Join(directory, folder.Name())
		if folder.Name() == sums {
			continue
		}
		if !ours(path, unix.S_IFDIR) {
			return os.ErrPermission
		}
		files, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, file := range files {
			path := filepath.Join(path, file.Name())
			if err := do(path, sumOf(path)); err != nil {
				return err
			}
		}
	}
	return nil
}

func sumOf(path string) string {
	// A pipe that nobody writes to must not stop the program.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, io.LimitReader(file, longest))
	if err != nil || size == longest || !ours(path, unix.S_IFREG) {
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// writeWhole writes a file under a name that nothing had before, and gives it its
// place then.
func writeWhole(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), "")
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}

// keptFromOthers tells whether nobody else can rename or remove what this user has in
// a directory, nor those that it is in.
func keptFromOthers(directory string) bool {
	for {
		var found unix.Stat_t
		if unix.Lstat(directory, &found) != nil || !mine(&found) && found.Uid != 0 {
			return false
		}
		if othersWrite(&found) && found.Mode&unix.S_ISVTX == 0 {
			return false
		}
		above := filepath.Dir(directory)
		if above == directory {
			return true
		}
		directory = above
	}
}

// ours tells whether something is of a kind and this user's, and nobody else can
// write to it.
func ours(path string, kind uint32) bool {
	var found unix.Stat_t
	return unix.Lstat(path, &found) == nil && uint32(found.Mode)&unix.S_IFMT == kind && mine(&found) && !othersWrite(&found)
}

func mine(found *unix.Stat_t) bool        { return found.Uid == uint32(os.Geteuid()) }
func othersWrite(found *unix.Stat_t) bool { return found.Mode&0o022 != 0 }
