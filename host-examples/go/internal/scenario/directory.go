//go:build unix

package scenario

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// put makes or replaces files below a directory, and removes those that stand
// for nothing. Modes do not depend on the umask.
func put(root string, files map[string]any) error {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := putOne(root, name, files[name]); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

func putOne(root, name string, file any) error {
	if !filepath.IsLocal(name) || path.Clean(name) != name {
		return fmt.Errorf("it does not lie below the directory")
	}
	for i := range name {
		if name[i] == '/' {
			if err := directory(filepath.Join(root, name[:i]), 0o755); err != nil {
				return err
			}
		}
	}
	place := filepath.Join(root, name)
	switch file := file.(type) {
	case nil:
		return os.Remove(place)
	case string:
		return write(place, []byte(file), 0o644)
	case map[string]any:
		return putOther(place, file)
	}
	return fmt.Errorf("it is no kind of thing")
}

func putOther(place string, file map[string]any) error {
	mode := fs.FileMode(0)
	if digits, ok := file["mode"].(string); ok {
		bits, err := strconv.ParseUint(digits, 8, 12)
		if err != nil {
			return fmt.Errorf("its mode is not octal digits")
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
		return os.Symlink(target, place)
	}
	if is, ok := file["directory"].(bool); ok && is {
		return directory(place, usual(0o755))
	}
	if text, ok := file["text"].(string); ok {
		return write(place, []byte(text), usual(0o644))
	}
	if text, ok := file["base64"].(string); ok {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("it is not base64")
		}
		return write(place, data, usual(0o644))
	}
	return fmt.Errorf("it is not one kind of thing")
}

func directory(place string, mode fs.FileMode) error {
	if info, err := os.Lstat(place); err == nil && info.IsDir() {
		return nil
	}
	if err := os.Mkdir(place, 0o700); err != nil {
		return err
	}
	return os.Chmod(place, mode)
}

func write(place string, data []byte, mode fs.FileMode) error {
	if err := os.WriteFile(place, data, 0o600); err != nil {
		return err
	}
	return os.Chmod(place, mode)
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
