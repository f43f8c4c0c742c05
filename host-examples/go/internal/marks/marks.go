//go:build unix

// Package marks says of an image that it was built here, in a form that no layout
// can bring along: a keyed hash, whose key is a file of this user outside of every
// layout. MARKS.md beside the Rust stores says what every host language keeps to.
package marks

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"layerwise.dev/layerwise"
)

// Elsewhere says that an image was not built here; it needs no key.
const Elsewhere = "false"

const (
	prefix   = "hmac-sha256:"
	line     = 65
	mostKeys = 16
)

var (
	mark = regexp.MustCompile(`^hmac-sha256:[0-9a-f]{64}$`)
	key  = regexp.MustCompile(`^[0-9a-f]{64}\n$`)
)

// UserKeyFile is where the key of this user is; empty where that is not known.
func UserKeyFile() string {
	if named := os.Getenv("LAYERWISE_MARKS_KEY"); named != "" {
		return named
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "layerwise/marks.key")
	}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local/state/layerwise/marks.key")
	}
	return ""
}

// Marks makes and checks marks with the key in a file; without one, none holds.
type Marks struct{ KeyFile string }

// Deciding is the first of the texts in the entries of an image that means
// something; empty when none does.
func (m Marks) Deciding(image, parent string, texts []string) (string, error) {
	for _, text := range texts {
		if holds, err := m.Holds(image, parent, text); err != nil || holds {
			return text, err
		}
	}
	return "", nil
}

// Holds tells whether the text in an entry means something.
func (m Marks) Holds(image, parent, text string) (bool, error) {
	if text == Elsewhere {
		return true, nil
	}
	if !mark.MatchString(text) {
		return false, nil
	}
	keys, err := m.keys()
	for _, key := range keys {
		if hmac.Equal([]byte(text), []byte(of(key, image, parent))) {
			return true, nil
		}
	}
	return false, err
}

// Make is a mark with the first key, which is made if there is none.
func (m Marks) Make(image, parent string) (string, error) {
	keys, err := m.keys()
	if err == nil && len(keys) == 0 {
		if err = m.makeKey(); err == nil {
			keys, err = m.keys()
		}
	}
	if err == nil && len(keys) == 0 {
		err = layerwise.Failed(layerwise.FailureCodeConflict, "the key of marks %q was taken away meanwhile", m.KeyFile)
	}
	if err != nil {
		return "", err
	}
	return of(keys[0], image, parent), nil
}

func of(key []byte, image, parent string) string {
	hash := hmac.New(sha256.New, key)
	fmt.Fprintf(hash, "layerwise built-here 1\n%s\n%s\n", image, parent)
	return prefix + hex.EncodeToString(hash.Sum(nil))
}

// keys are all keys; nil if the file is missing.
func (m Marks) keys() ([][]byte, error) {
	if m.KeyFile == "" {
		return nil, nil
	}
	notOurs := layerwise.Failed(layerwise.FailureCodeDenied, "cannot use the key of marks %q: it is not a file that only this user can read and write", m.KeyFile)
	file, err := os.OpenFile(m.KeyFile, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case errors.Is(err, syscall.ELOOP):
		return nil, notOurs
	case err != nil:
		return nil, fmt.Errorf("cannot read the key of marks: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the key of marks: %w", err)
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !known || int(owner.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 || !info.Mode().IsRegular() {
		return nil, notOurs
	}
	data, err := io.ReadAll(io.LimitReader(file, line*mostKeys+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the key of marks: %w", err)
	}
	var found [][]byte
	for text := range bytes.Lines(data) {
		if !key.Match(text) || len(found) == mostKeys {
			found = nil
			break
		}
		one, err := hex.DecodeString(string(text[:line-1]))
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	if found == nil {
		return nil, layerwise.Failed(layerwise.FailureCodeCorrupt, "cannot use the key of marks %q: it is not 1 to %d lines of 64 lower-case hex digits", m.KeyFile, mostKeys)
	}
	return found, nil
}

// makeKey makes the key: under its name only when it is complete, and never over
// another one.
func (m Marks) makeKey() error {
	if m.KeyFile == "" {
		return layerwise.Failed(layerwise.FailureCodeUnsupported, "no directory for the key of marks is known: set LAYERWISE_MARKS_KEY")
	}
	failed := func(err error) error { return fmt.Errorf("cannot make the key of marks: %w", err) }
	directory, name := filepath.Split(m.KeyFile)
	if directory != "" {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return failed(err)
		}
	}
	temporary := filepath.Join(directory, "."+name+"."+rand.Text())
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return failed(err)
	}
	defer os.Remove(temporary)
	key := make([]byte, 32)
	rand.Read(key)
	_, err = fmt.Fprintf(file, "%x\n", key)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return failed(err)
	}
	if err := os.Link(temporary, m.KeyFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return failed(err)
	}
	return nil
}
