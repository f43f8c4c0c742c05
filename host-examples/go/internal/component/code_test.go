//go:build unix

package component

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// kept is the file of code in a directory, and when it was written.
func kept(t *testing.T, directory string) (string, time.Time) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "wazero-*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	info, err := os.Lstat(files[0])
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	return files[0], info.ModTime()
}

func compile(t *testing.T, directory string) {
	t.Helper()
	engine, err := NewEngine(module{functions: []function{allocator(0)}}.component(), Config{Code: directory})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	in, err := engine.NewInstance(t.Context(), nobody{}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

func TestCodeIsKeptAndMadeAgainIfItIsDamaged(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "code")
	compile(t, directory)
	file, first := kept(t, directory)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compile(t, directory)
	if _, again := kept(t, directory); !again.Equal(first) {
		t.Error("it was written again")
	}
	for name, spoil := range map[string]func() error{
		"damaged":            func() error { return os.WriteFile(file, append(whole[:len(whole)-1:len(whole)-1], 'x'), 0o600) },
		"short":              func() error { return os.Truncate(file, 10) },
		"writable by others": func() error { return os.Chmod(file, 0o622) },
		"a link": func() error {
			other := filepath.Join(t.TempDir(), "elsewhere")
			return errors.Join(os.Rename(file, other), os.Symlink(other, file))
		},
		"without its sum": func() error { return os.RemoveAll(filepath.Join(directory, sums)) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(name, err)
		}
		compile(t, directory)
		made, _ := kept(t, directory)
		if bytes, err := os.ReadFile(made); err != nil || string(bytes) != string(whole) {
			t.Errorf("%s: it was not made again: %v", name, err)
		}
	}
}

func TestADirectoryThatOthersCanChangeIsNotUsed(t *testing.T) {
	for name, make := range map[string]func(above string) string{
		"writable by others": func(above string) string {
			path := filepath.Join(above, "code")
			if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777)); err != nil {
				t.Fatal(err)
			}
			return path
		},
		"in one that is": func(above string) string {
			if err := os.Chmod(above, 0o777); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(above, "code")
		},
		"a link": func(above string) string {
			path := filepath.Join(above, "code")
			if err := os.Symlink(t.TempDir(), path); err != nil {
				t.Fatal(err)
			}
			return path
		},
		"a file": func(above string) string {
			path := filepath.Join(above, "code")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		},
	} {
		directory := make(t.TempDir())
		compile(t, directory)
		if files, _ := filepath.Glob(filepath.Join(directory, "*")); len(files) > 0 {
			t.Errorf("%s: %v", name, files)
		}
	}
}
