//go:build unix

package unpack

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"strings"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/limits"
)

const (
	block     = 512
	attribute = "SCHILY.xattr."
	sparse    = "GNU.sparse."
)

// Source are the uncompressed bytes of a layer, which know how many compressed
// ones were read for them.
type Source interface {
	io.Reader
	Taken() int64
}

// archive reads the entries of a layer, and holds them against the limits.
//
// The tar reader of the standard library applies none to the sum of headers, and
// reads over holes of sparse files as if they were bytes. So what it reads between
// two entries is counted while it reads, and sparse files are refused. It refuses
// a single header of more than 1 MiB by itself.
type archive struct {
	from   Source
	limits limits.Limits
	tar    *tar.Reader
	// between says that the tar reader is on its way to the next entry, of which
	// it may read free bytes that are no headers beside its own.
	between bool
	// unread says that the entry before has bytes.
	unread  bool
	free    int64
	read    int64
	entries int64
	headers int64
	// attributes are the bytes of those of the layer.
	attributes int64
}

func newArchive(from Source, most limits.Limits) *archive {
	a := &archive{from: from, limits: most}
	a.tar = tar.NewReader(counted{a})
	return a
}

// counted are the bytes on their way to the tar reader.
type counted struct{ *archive }

func (c counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	if c.between {
		c.read += int64(n)
		over := c.headers + max(0, c.read-c.free) - c.entries*limits.HeaderOfAnEntry
		if failed := limits.Check("header-bytes", c.limits.HeaderBytes, over, "the size of the extended headers of the layer"); failed != nil {
			return n, failed
		}
	}
	return n, err
}

// next is the next entry, without global headers, which are read over as Docker
// does; [io.EOF] at the end.
func (a *archive) next(ctx context.Context) (*tar.Header, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		header, err := a.step()
		if err != nil || header.Typeflag != tar.TypeXGlobalHeader {
			return header, err
		}
	}
}

func (a *archive) step() (*tar.Header, error) {
	// The bytes of the entry before are read to their end first, so that all that
	// the tar reader still reads is padding and headers.
	if a.unread {
		if _, err := io.Copy(io.Discard, a.tar); err != nil {
			return nil, unreadable(err)
		}
	}
	// Its header and the padding of the one before; the second block of zeros.
	a.between, a.read, a.free = true, 0, 3*block
	header, err := a.tar.Next()
	a.unread = err == nil && header.Size > 0
	a.between = false
	a.headers += max(0, a.read-a.free)
	switch {
	case err == io.EOF:
		return nil, io.EOF
	case errors.Is(err, tar.ErrFieldTooLong):
		return nil, layerwise.Failed(layerwise.FailureCodeTooLarge, "an extended header or attribute of the layer has more than 1 MiB, which the limits header-bytes and entry-attribute-bytes allow here")
	case err != nil && !errors.Is(err, tar.ErrInsecurePath):
		return nil, unreadable(err)
	}
	if header.Typeflag == tar.TypeXGlobalHeader {
		// Its own block counts, too.
		a.headers += block
		return header, limits.Check("header-bytes", a.limits.HeaderBytes, a.headers-a.entries*limits.HeaderOfAnEntry, "the size of the global headers of the layer")
	}
	return header, a.count(header)
}

// count holds an entry against the limits.
func (a *archive) count(header *tar.Header) error {
	own, number := int64(0), int64(1)
	for key, value := range header.PAXRecords {
		if strings.HasPrefix(key, sparse) {
			return notSparse()
		}
		if name, is := strings.CutPrefix(key, attribute); is {
			own += int64(len(name) + len(value))
			number++
		}
	}
	if header.Typeflag == tar.TypeGNUSparse {
		return notSparse()
	}
	a.attributes += own
	a.entries += number
	for _, one := range []struct {
		name        string
		most, value int64
		thing       string
	}{
		{"entry-attribute-bytes", a.limits.EntryAttributeBytes, own, "the size of the attributes of an entry"},
		{"layer-attribute-bytes", a.limits.LayerAttributeBytes, a.attributes, "the size of the attributes of the layer"},
		{"layer-entries", a.limits.LayerEntries, a.entries, "the number of entries of the layer"},
		{"layer-bytes", a.limits.LayerBytes, header.Size, "the size of a file of the layer"},
	} {
		if err := limits.Check(one.name, one.most, one.value, one.thing); err != nil {
			return err
		}
	}
	// Many entries from few bytes are no layer that anybody built.
	if a.entries > limits.FreeEntries+a.from.Taken()/a.limits.EntryInputBytes {
		return limits.Over("entry-input-bytes", a.limits.EntryInputBytes, "the number of entries in so few compressed bytes")
	}
	return nil
}

func notSparse() error {
	return layerwise.Failed(layerwise.FailureCodeUnsupported, "the layer has a sparse file, which is not unpacked here")
}

// unreadable is why a layer cannot be read: what the source says, or that it is no
// archive.
func unreadable(err error) error {
	var made *layerwise.Failure
	if errors.As(err, &made) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return layerwise.Failed(layerwise.FailureCodeCorrupt, "the layer is not a tar archive: %v", err)
}
