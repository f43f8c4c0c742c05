//go:build unix

package dirfs

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"layerwise.dev/layerwise"
)

const (
	// mostLinks is how many links one path may lead through, as on Linux.
	mostLinks = 40
	// longestPath is PATH_MAX less the zero at its end.
	longestPath = 4095
)

// asked is a path in its parts.
type asked struct {
	absolute bool
	names    []string
	// directory tells that it ends as only paths of directories do.
	directory bool
}

func parse(name string) (asked, error) {
	raw, err := decode(name)
	switch {
	case err != nil:
		return asked{}, err
	case raw == "":
		return asked{}, syscall.ENOENT
	case strings.Contains(raw, "\x00"):
		return asked{}, refuse(layerwise.FailureCodeInvalid, "it has a zero byte")
	case len(raw) > longestPath:
		return asked{}, syscall.ENAMETOOLONG
	}
	of := asked{absolute: raw[0] == '/', names: split(raw)}
	for _, part := range of.names {
		if part == ".." {
			return asked{}, refuse(layerwise.FailureCodeDenied, "a part of it is `..`")
		}
	}
	last := raw[strings.LastIndexByte(raw, '/')+1:]
	of.directory = last == "" || last == "."
	return of, nil
}

// split returns the parts of a path or of a link's target, with "..".
func split(raw string) []string {
	var parts []string
	for _, part := range strings.Split(raw, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return parts
}

// find is the innermost root that a path is in, and how many of its names lead
// to it.
func (f *FS) find(absolute bool, names []string) (*opened, int) {
	var found *opened
	length := -1
	for _, root := range f.roots {
		if root.absolute != absolute || len(root.prefix) > len(names) || len(root.prefix) <= length {
			continue
		}
		same := true
		for i, part := range root.prefix {
			same = same && names[i] == part
		}
		if same {
			found, length = root, len(root.prefix)
		}
	}
	return found, length
}

const leadsOut = "a link leads out of the opened directories"

// resolve goes through the links of a path; through that at its end only when
// last is set, or the path is one of a directory. Parts that are not there stay
// as they are.
func (f *FS) resolve(name string, last bool) (*place, error) {
	of, err := parse(name)
	if err != nil {
		return nil, err
	}
	last = last || of.directory
	in, skip := f.find(of.absolute, of.names)
	if in == nil {
		return nil, refuse(layerwise.FailureCodeDenied, "it is not in an opened directory")
	}
	at := &place{fs: f, in: in, directory: of.directory}
	rest := of.names[skip:]
	missing := false
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			if len(at.parts) == 0 {
				return nil, refuse(layerwise.FailureCodeDenied, leadsOut)
			}
			at.parts = at.parts[:len(at.parts)-1]
			continue
		}
		at.parts = append(at.parts[:len(at.parts):len(at.parts)], part)
		if missing || (len(rest) == 0 && !last) {
			continue
		}
		info, err := at.in.root.Lstat(at.path())
		if errors.Is(err, fs.ErrNotExist) {
			missing = true
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if links++; links > mostLinks {
			return nil, syscall.ELOOP
		}
		target, err := at.in.root.Readlink(at.path())
		if err != nil {
			return nil, err
		}
		at.linked = at.linked || len(rest) == 0
		at.parts = at.parts[:len(at.parts)-1]
		rest = append(split(target), rest...)
		if strings.HasPrefix(target, "/") {
			downward := rest
			for i, part := range rest {
				if part == ".." {
					downward = rest[:i]
					break
				}
			}
			if at.in, skip = f.find(true, downward); at.in == nil {
				return nil, refuse(layerwise.FailureCodeDenied, leadsOut)
			}
			at.parts, rest = nil, rest[skip:]
		}
	}
	return at, nil
}

// checkWritable refuses to change what was opened for reading only. A root
// inside another one decides for itself, also for who comes from outside of it.
func (p *place) checkWritable() error {
	below := append(p.in.prefix[:len(p.in.prefix):len(p.in.prefix)], p.parts...)
	if len(p.parts) > 0 {
		below = below[:len(below)-1]
	}
	if root, _ := p.fs.find(p.in.absolute, below); root == nil || !root.writable {
		return refuse(layerwise.FailureCodeDenied, "it is in a directory that was opened for reading only")
	}
	return nil
}
