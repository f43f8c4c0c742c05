//go:build unix

// Package unpack unpacks a layer where it cannot do harm.
//
// Every entry is written into a fresh directory beside the destination. Nothing
// is ever written through a link: the parents of an entry are directories that
// this unpacking made. When all of the layer was read and is right, and everything
// that was read is there, it takes the place of what is at the prefix as a whole.
//
//	below the prefix                   unpacked; links as they are, wherever they lead
//	a directory above the prefix       its mode counts where it is missing
//	elsewhere, with "..", behind a link  denied
//	a hard link to what is no file or link of the layer  denied
//	a device, a pipe                   denied
//	more than a limit                  too-large, with its name
//
// Owners and extended attributes are not set.
package unpack

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/below"
	"layerwise.dev/layerwise/internal/limits"
)

const (
	fresh = "new"
	old   = "old"
	wait  = 30 * time.Second
	// longestName and longestPart are what no file system exceeds.
	longestName = 4096
	longestPart = 255
)

// SetID says what becomes of the set-user-id and set-group-id bits of a layer.
type SetID int

const (
	// SetIDDropped drops them.
	SetIDDropped SetID = iota
	// SetIDAsWritten keeps what the system leaves when an ordinary user writes a
	// file, as the Buildpacks lifecycle does: a file with bytes loses set-user-id,
	// and set-group-id where its group may execute it.
	SetIDAsWritten
	// SetIDKept keeps them.
	SetIDKept
)

// mode is the mode of what an entry makes.
func (s SetID) mode(header *tar.Header, kind made) uint32 {
	const user, group, groupRuns = 0o4000, 0o2000, 0o010
	mode := uint32(header.Mode) & 0o7777
	switch {
	case s == SetIDDropped:
		mode &^= user | group
	case s == SetIDAsWritten && kind == file && header.Size > 0:
		mode &^= user
		if mode&groupRuns != 0 {
			mode &^= group
		}
	}
	return mode
}

// made is what was made at a path.
type made int

const (
	file made = iota + 1
	symlink
	// named is a directory that an entry names, unnamed one that none does.
	named
	unnamed
)

func (m made) isDir() bool { return m == named || m == unnamed }

// look is how a directory looks in the end.
type look struct {
	mode     uint32
	modified time.Time
}

// Stage is a layer while it is unpacked. Close removes what is left of it.
type Stage struct {
	limits limits.Limits
	setID  SetID
	prefix []string
	// base is the deepest directory above the prefix that exists, and depth how
	// many parts of the prefix lead to it.
	base  *below.Dir
	depth int
	claim *claim
	// last is the directory that the last entry was made in.
	last   *below.Dir
	at     string
	buffer []byte
	// made is everything by its path below the prefix, which is "." itself.
	made  map[string]made
	looks map[string]look
	// above are the modes of directories above the prefix, by their depth.
	above   map[int]uint32
	unnamed int64
}

// New makes the directory that a layer is unpacked into, in a directory above the
// prefix, and removes what killed workers left there.
func New(ctx context.Context, root *os.Root, prefix string, most limits.Limits, setID SetID) (*Stage, error) {
	parts, err := split(prefix)
	if err == nil && len(parts) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not a prefix: %v", prefix, err)
	}
	s := &Stage{
		limits: most, setID: setID, prefix: parts,
		made: map[string]made{}, looks: map[string]look{}, above: map[int]uint32{},
	}
	top, err := root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("cannot unpack into %q: %w", prefix, err)
	}
	if s.base, s.depth, err = deepest(below.From(top), parts); err != nil {
		return nil, fmt.Errorf("cannot unpack into %q: %w", prefix, err)
	}
	sweep(ctx, s.base, wait)
	if s.claim, err = newClaim(ctx, s.base, wait); err != nil {
		s.base.Close()
		return nil, fmt.Errorf("cannot unpack into %q: %w", prefix, err)
	}
	return s, nil
}

// Close removes what is left: all of the layer, or what it took the place of.
func (s *Stage) Close() error {
	var err error
	if s.last != nil {
		err = s.last.Close()
	}
	return errors.Join(err, s.claim.close(), s.base.Close())
}

// deepest is the deepest directory above a prefix that exists. No link leads
// there.
func deepest(at *below.Dir, parts []string) (*below.Dir, int, error) {
	for depth := range len(parts) - 1 {
		there, err := at.Has(parts[depth])
		if err == nil && !there {
			return at, depth, nil
		}
		var next *below.Dir
		if err == nil {
			next, err = at.Enter(parts[depth])
		}
		at.Close()
		if err != nil {
			return nil, 0, leadsOn(err, parts[depth])
		}
		at = next
	}
	return at, len(parts) - 1, nil
}

// leadsOn is why a directory above the prefix cannot be entered.
func leadsOn(err error, name string) error {
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	return layerwise.Failed(layerwise.FailureCodeDenied, "%q is not a directory: %v", name, err)
}

// split are the parts of a name, without empty ones and ".".
func split(name string) ([]string, error) {
	if len(name) > longestName {
		return nil, errors.New("its name is too long")
	}
	var parts []string
	for _, part := range strings.Split(name, "/") {
		switch {
		case part == "..":
			return nil, errors.New(`its name has ".." in it`)
		case strings.Contains(part, "\x00"):
			return nil, errors.New("its name has a zero byte in it")
		case len(part) > longestPart:
			return nil, errors.New("its name is too long")
		case part != "" && part != ".":
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// Read reads an archive to the end of its entries.
func (s *Stage) Read(ctx context.Context, from Source) error {
	entries := newArchive(from, s.limits)
	for {
		header, err := entries.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = s.take(header, entries.tar)
		}
		if err != nil {
			return err
		}
	}
}

func (s *Stage) take(header *tar.Header, from io.Reader) error {
	parts, err := split(header.Name)
	if err != nil {
		return denied(header, err.Error())
	}
	if err := limits.Check("path-depth", s.limits.PathDepth, int64(len(parts)), "the depth of a name of the layer"); err != nil {
		return err
	}
	kind, err := kindOf(header)
	if err != nil {
		return err
	}
	at, inside := s.inside(parts)
	switch {
	case !inside && at == "" && kind == tar.TypeDir:
		s.above[len(parts)] = s.setID.mode(header, named)
		return nil
	case !inside:
		return denied(header, "it is not below the prefix of the layer")
	}
	switch kind {
	case tar.TypeReg:
		err = s.file(at, header, from)
	case tar.TypeDir:
		err = s.directory(at, header)
	case tar.TypeSymlink:
		var in *below.Dir
		if in, err = s.room(at, header); err == nil {
			err = in.Link(header.Linkname, inStage(at))
			s.made[at] = symlink
		}
	case tar.TypeLink:
		err = s.hardLink(at, header)
	default:
		return denied(header, "it is a device or a pipe")
	}
	var known *layerwise.Failure
	if err != nil && !errors.As(err, &known) {
		return fmt.Errorf("cannot unpack %q: %w", header.Name, err)
	}
	return err
}

// kindOf is what an entry makes.
func kindOf(header *tar.Header) (byte, error) {
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeCont:
		// Old archives mark directories by a slash at the end.
		if strings.HasSuffix(header.Name, "/") {
			return tar.TypeDir, nil
		}
		return tar.TypeReg, nil
	case tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return header.Typeflag, nil
	}
	return 0, layerwise.Failed(layerwise.FailureCodeUnsupported, "the layer has an entry of the kind %q", header.Typeflag)
}

// inside is the path of a name below the prefix; without it, empty where the name
// is that of a directory above it, and "/" where it is elsewhere.
func (s *Stage) inside(parts []string) (string, bool) {
	for i, part := range s.prefix {
		if i == len(parts) {
			return "", false
		}
		if parts[i] != part {
			return "/", false
		}
	}
	return path.Join(append([]string{"."}, parts[len(s.prefix):]...)...), true
}

// inStage is the name of something in its directory.
func inStage(at string) string {
	if at == "." {
		return fresh
	}
	return path.Base(at)
}

// in opens the directory that something is in; it stays open until the next.
func (s *Stage) in(at string) (*below.Dir, error) {
	if at == "." {
		return s.claim.dir, nil
	}
	parent := path.Dir(at)
	if s.last != nil && s.at == parent {
		return s.last, nil
	}
	var opened *below.Dir
	var err error
	if s.last != nil && parent != "." && s.at == path.Dir(parent) {
		// One step on, as when many are made one below the other.
		opened, err = s.last.Enter(path.Base(parent))
	} else {
		opened, err = s.open(parent)
	}
	if err != nil {
		return nil, err
	}
	if s.last != nil {
		s.last.Close()
	}
	s.last, s.at = opened, parent
	return opened, nil
}

// open opens a directory that was made.
func (s *Stage) open(at string) (*below.Dir, error) {
	names := []string{fresh}
	if at != "." {
		names = append(names, strings.Split(at, "/")...)
	}
	return s.claim.dir.Enter(names...)
}

func denied(header *tar.Header, why string) error {
	return layerwise.Failed(layerwise.FailureCodeDenied, "%q: %s", header.Name, why)
}

func (s *Stage) file(at string, header *tar.Header, from io.Reader) error {
	in, err := s.room(at, header)
	if err != nil {
		return err
	}
	to, err := in.Create(inStage(at), 0o600)
	if err != nil {
		return err
	}
	s.made[at] = file
	if s.buffer == nil {
		s.buffer = make([]byte, 64<<10)
	}
	// A file would take another buffer for each.
	if _, err = io.CopyBuffer(struct{ io.Writer }{to}, reading{from}, s.buffer); err == nil {
		err = apply(in, inStage(at), to, look{s.setID.mode(header, file), header.ModTime})
	}
	return errors.Join(err, to.Close())
}

// reading tells errors of the layer from those of what is written.
type reading struct{ io.Reader }

func (r reading) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = unreadable(err)
	}
	return n, err
}

func (s *Stage) directory(at string, header *tar.Header) error {
	if s.made[at] == unnamed {
		s.unnamed--
	}
	if !s.made[at].isDir() {
		in, err := s.room(at, header)
		if err == nil {
			err = in.Mkdir(inStage(at), 0o700)
		}
		if err != nil {
			return err
		}
	}
	s.made[at] = named
	s.looks[at] = look{s.setID.mode(header, named), header.ModTime}
	return nil
}

func (s *Stage) hardLink(at string, header *tar.Header) error {
	parts, err := split(header.Linkname)
	target, inside := s.inside(parts)
	kind := s.made[target]
	if err != nil || !inside || (kind != file && kind != symlink) {
		return denied(header, "it is a hard link to what is no file of the layer")
	}
	if target == at {
		return nil
	}
	in, err := s.room(at, header)
	if err != nil {
		return err
	}
	from, err := s.open(path.Dir(target))
	if err != nil {
		return err
	}
	defer from.Close()
	s.made[at] = kind
	return from.Hardlink(inStage(target), in, inStage(at))
}

// room makes the parents of an entry, and removes the file or link that has its
// name; it returns the directory that the entry is in.
func (s *Stage) room(at string, header *tar.Header) (*below.Dir, error) {
	var missing []string
	for parent := at; parent != "."; {
		parent = path.Dir(parent)
		switch kind := s.made[parent]; {
		case kind == symlink:
			return nil, denied(header, "it is behind a symbolic link")
		case kind == file:
			return nil, denied(header, "it is below a file")
		case kind == 0:
			missing = append(missing, parent)
			continue
		}
		break
	}
	for i := len(missing) - 1; i >= 0; i-- {
		s.unnamed++
		if err := limits.Check("layer-directories", s.limits.LayerDirectories, s.unnamed, "the number of directories of the layer that no entry names"); err != nil {
			return nil, err
		}
		in, err := s.in(missing[i])
		if err == nil {
			err = in.Mkdir(inStage(missing[i]), 0o777)
		}
		if err != nil {
			return nil, err
		}
		s.made[missing[i]] = unnamed
	}
	in, err := s.in(at)
	if err != nil {
		return nil, err
	}
	switch kind := s.made[at]; {
	case kind.isDir():
		return nil, denied(header, "it would replace a directory")
	case kind != 0:
		delete(s.made, at)
		return in, in.Remove(inStage(at))
	}
	return in, nil
}
