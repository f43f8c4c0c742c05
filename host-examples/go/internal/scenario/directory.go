//go:build unix

package scenario

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"layerwise.dev/layerwise/internal/below"
)

// put makes or replaces files below a directory, and removes those that stand
// for nothing. Modes do not depend on the umask. A scenario may be a stranger's:
// nothing is written or removed through a link, not even one of its own.
func put(root *below.Dir, files map[string]any, room *room) error {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		err := room.take(name)
		if err == nil {
			err = putOne(root, name, files[name])
		}
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

const (
	// most is how many files and directories a scenario makes, and deepest how many
	// names a path has.
	most    = 10_000
	deepest = 64
)

// room counts the files and directories that a scenario makes.
type room struct{ taken int }

func (r *room) take(name string) error {
	names := strings.Count(name, "/") + 1
	if names > deepest {
		return fmt.Errorf("it has more than %d names", deepest)
	}
	if r.taken += names; r.taken > most {
		return fmt.Errorf("the scenario makes more than %d files and directories", most)
	}
	return nil
}

func putOne(root *below.Dir, name string, file any) error {
	if !filepath.IsLocal(name) || path.Clean(name) != name || name == "." {
		return fmt.Errorf("it does not lie below the directory")
	}
	parts := strings.Split(name, "/")
	in, err := root.Enter()
	for _, part := range parts[:len(parts)-1] {
		if err != nil {
			return err
		}
		var next *below.Dir
		if err = directory(in, part, 0o755); err == nil {
			next, err = in.Enter(part)
		}
		in.Close()
		in = next
	}
	if err != nil {
		return err
	}
	defer in.Close()
	last := parts[len(parts)-1]
	switch file := file.(type) {
	case nil:
		if there, err := in.Has(last); err != nil || !there {
			return errors.Join(err, fs.ErrNotExist)
		}
		return in.RemoveAll(last)
	case string:
		return write(in, last, []byte(file), 0o644)
	case map[string]any:
		return putOther(in, last, file)
	}
	return fmt.Errorf("it is no kind of thing")
}

func putOther(in *below.Dir, name string, file map[string]any) error {
	mode := fs.FileMode(0)
	if digits, ok := file["mode"].(string); ok {
		bits, err := strconv.ParseUint(digits, 8, 9)
		if err != nil {
			return fmt.Errorf("its mode is not octal digits of permissions")
		}
		mode = fs.FileMode(bits)
	}
	usual := func(of fs.FileMode) fs.FileMode {
		if mode != 0 {
			return mode
		}
		return of
	}
	if target, ok := file["link"].(string); ok {
		return in.Link(target, name)
	}
	if is, ok := file["directory"].(bool); ok && is {
		return directory(in, name, usual(0o755))
	}
	if text, ok := file["text"].(string); ok {
		return write(in, name, []byte(text), usual(0o644))
	}
	if text, ok := file["base64"].(string); ok {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("it is not base64")
		}
		return write(in, name, data, usual(0o644))
	}
	return fmt.Errorf("it is not one kind of thing")
}

func directory(in *below.Dir, name string, mode fs.FileMode) error {
	if in.IsDir(name) {
		return nil
	}
	if err := in.Mkdir(name, 0o700); err != nil {
		return err
	}
	made, err := in.Enter(name)
	if err != nil {
		return err
	}
	return errors.Join(made.File().Chmod(mode), made.Close())
}

// write makes a file anew; a regular file that is there goes first.
func write(in *below.Dir, name string, data []byte, mode fs.FileMode) error {
	if there, err := in.Has(name); err != nil {
		return err
	} else if there {
		if _, err := in.Size(name); err != nil {
			return err
		}
		if err := in.Remove(name); err != nil {
			return err
		}
	}
	file, err := in.Create(name, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Chmod(mode), file.Close())
}

// list is everything below a directory, but for what hosts keep beside.
func list(root string) (map[string]any, error) {
	found := map[string]any{}
	err := filepath.WalkDir(root, func(place string, entry fs.DirEntry, err error) error {
		if err != nil || place == root {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".layerwise") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(root, place)
		if err != nil {
			return err
		}
		found[name], err = content(place, entry)
		return err
	})
	return found, err
}

func content(place string, entry fs.DirEntry) (any, error) {
	switch entry.Type() {
	case fs.ModeDir:
		return map[string]any{"directory": true}, nil
	case fs.ModeSymlink:
		target, err := os.Readlink(place)
		return map[string]any{"link": target}, err
	case 0:
		data, err := os.ReadFile(place)
		if err != nil {
			return nil, err
		}
		if entry.Name() == "index.json" {
			decoder := json.NewDecoder(bytes.NewReader(data))
			decoder.UseNumber()
			var parsed any
			if decoder.Decode(&parsed) == nil {
				return map[string]any{"json": parsed}, nil
			}
		}
		sum := sha256.Sum256(data)
		return "sha256:" + hex.EncodeToString(sum[:]), nil
	}
	return map[string]any{"special": true}, nil
}
