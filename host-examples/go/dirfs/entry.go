//go:build unix

package dirfs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"layerwise.dev/layerwise"
)

// entry is everything that is wanted about a place.
func (p *place) entry(name string, want layerwise.FileFacts) (layerwise.FileEntry, error) {
	info, err := p.lstat()
	if err != nil {
		return layerwise.FileEntry{}, err
	}
	entry := outside(name, info)
	return entry, p.inside(&entry, info, want)
}

// outside is what is known without opening anything.
func outside(name string, info fs.FileInfo) layerwise.FileEntry {
	entry := layerwise.FileEntry{Path: name, Kind: kind(info.Mode()), Size: uint64(info.Size())}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		entry.Mode, entry.UID, entry.GID = uint32(stat.Mode)&0o7777, stat.Uid, stat.Gid
	}
	return entry
}

// identity is the same text for every name of one file; nil for a file with one name,
// and for a directory.
func identity(info fs.FileInfo) *string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.IsDir() || stat.Nlink <= 1 {
		return nil
	}
	text := fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	return &text
}

func kind(mode fs.FileMode) layerwise.FileKind {
	switch mode.Type() {
	case 0:
		return layerwise.FileKindFile
	case fs.ModeDir:
		return layerwise.FileKindDirectory
	case fs.ModeSymlink:
		return layerwise.FileKindLink
	case fs.ModeNamedPipe:
		return layerwise.FileKindFifo
	case fs.ModeSocket:
		return layerwise.FileKindSocket
	case fs.ModeDevice | fs.ModeCharDevice:
		return layerwise.FileKindCharacterDevice
	case fs.ModeDevice:
		return layerwise.FileKindBlockDevice
	}
	return layerwise.FileKindOther
}

// inside fills in what is known from opening a thing. Mode, owner and size
// become those of the file that was opened, so that all are of one file.
func (p *place) inside(entry *layerwise.FileEntry, info fs.FileInfo, want layerwise.FileFacts) error {
	if want.Identity {
		entry.Identity = identity(info)
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0 && want.Target:
		target, err := p.in.root.Readlink(p.path())
		if err != nil {
			return err
		}
		target = encode(target)
		entry.Target = &target
	case info.Mode().IsRegular() && (want.Attributes || want.Content):
		file, info, err := p.openFile()
		if errors.Is(err, fs.ErrPermission) && !want.Content {
			return nil
		}
		if err != nil {
			return err
		}
		defer file.Close()
		identity := entry.Identity
		*entry = outside(entry.Path, info)
		entry.Identity = identity
		if want.Attributes {
			entry.Attributes = attributes(file)
		}
		if want.Content {
			digest, err := digestOf(file, info, "", "")
			if err != nil {
				return err
			}
			entry.Content = &digest
		}
	case info.IsDir() && want.Attributes:
		if directory, err := p.in.root.OpenFile(p.path(), os.O_RDONLY|syscall.O_DIRECTORY, 0); err == nil {
			defer directory.Close()
			entry.Attributes = attributes(directory)
		}
	}
	return nil
}

// attributes are extended attributes in the system's order; nil if any cannot
// be read.
func attributes(file *os.File) []layerwise.FileAttribute {
	list := make([]byte, 64<<10)
	size, err := unix.Flistxattr(int(file.Fd()), list)
	if err != nil || size == 0 {
		return nil
	}
	var found []layerwise.FileAttribute
	for _, name := range strings.Split(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		value := make([]byte, 64<<10)
		size, err := unix.Fgetxattr(int(file.Fd()), name, value)
		if err != nil {
			return nil
		}
		found = append(found, layerwise.FileAttribute{Name: encode(name), Value: base64.StdEncoding.EncodeToString(value[:size])})
	}
	return found
}

// walk lists everything below a directory, and then looks into the files.
type walk struct {
	ctx     context.Context
	name    string
	limit   uint64
	limits  Limits
	paths   int
	want    layerwise.FileFacts
	entries []layerwise.FileEntry
	places  []*place
}

func (w *walk) below(at *place, inside, shown string) error {
	failed := func(err error) error {
		if errors.Is(err, errTooMany) {
			err = refuse(layerwise.FailureCodeTooLarge, "there are more entries than the limit of %d", w.limit)
		}
		// What was listed and is gone is not something that never existed.
		if inside != "" && errors.Is(err, fs.ErrNotExist) {
			err = errChanged
		}
		return failure("walk", shown, err)
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	info, err := at.lstat()
	if err != nil {
		return failed(err)
	}
	if uint64(len(w.entries)) >= w.limit {
		return failed(errTooMany)
	}
	name := encode(inside)
	if inside == "" {
		name = "."
	}
	if w.paths += len(name); w.paths > w.limits.WalkPathBytes {
		return failed(refuse(layerwise.FailureCodeTooLarge, "the paths of the walk are more than the limit walk-path-bytes of %d", w.limits.WalkPathBytes))
	}
	w.entries = append(w.entries, outside(name, info))
	w.places = append(w.places, at)
	if !info.IsDir() {
		return nil
	}
	if inside != "" && strings.Count(inside, "/") >= w.limits.WalkDepth {
		return failed(refuse(layerwise.FailureCodeTooLarge, "the depth of the walk is more than the limit walk-depth of %d", w.limits.WalkDepth))
	}
	names, err := at.names(w.limit - uint64(len(w.entries)))
	if err != nil {
		return failed(err)
	}
	for _, name := range names {
		next := path.Join(inside, name)
		if err := w.below(at.at(name), next, w.name+"/"+encode(next)); err != nil {
			return err
		}
	}
	return nil
}

// fill looks into the things that were listed.
func (w *walk) fill() ([]layerwise.FileEntry, error) {
	positions := make([]int, len(w.entries))
	for i := range positions {
		positions[i] = i
	}
	answers := each(w.ctx, positions, func(i int) (struct{}, error) {
		info, err := w.places[i].lstat()
		if err == nil {
			err = w.places[i].inside(&w.entries[i], info, w.want)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = errChanged
		}
		if err != nil {
			err = failure("walk", w.name+"/"+w.entries[i].Path, err)
		}
		return struct{}{}, err
	})
	for _, answer := range answers {
		if answer.Err != nil {
			return nil, answer.Err
		}
	}
	return w.entries, nil
}
