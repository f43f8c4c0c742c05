//go:build unix

package unpack

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/limits"
)

// largestWindow is that of zstd, as "zstd -d" accepts it.
const largestWindow = 128 << 20

// Session counts the uncompressed bytes of all layers of a registry.
type Session struct{ taken atomic.Int64 }

// Plain are the uncompressed bytes of a layer.
type Plain struct {
	blob    *taken
	packed  *bufio.Reader
	from    io.Reader
	close   func()
	limits  limits.Limits
	session *Session
	size    int64
}

var _ Source = (*Plain)(nil)

// taken counts the bytes of a blob.
type taken struct {
	from  io.Reader
	count int64
}

func (t *taken) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	t.count += int64(n)
	return n, err
}

// Decompress tells how a layer is compressed by its first bytes.
func Decompress(blob io.Reader, most limits.Limits, session *Session) (*Plain, error) {
	p := &Plain{blob: &taken{from: blob}, limits: most, session: session, close: func() {}}
	p.packed = bufio.NewReaderSize(p.blob, 64<<10)
	magic, err := p.packed.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		p.from, err = gzip.NewReader(p.packed)
	case string(magic) == "\x28\xb5\x2f\xfd":
		var decoder *zstd.Decoder
		decoder, err = zstd.NewReader(p.packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(largestWindow))
		if err == nil {
			p.from, p.close = decoder, decoder.Close
		}
	default:
		p.from, err = p.packed, nil
	}
	if err != nil {
		return nil, undecompressed(err)
	}
	return p, nil
}

// Close frees what decompressing takes.
func (p *Plain) Close() { p.close() }

// Taken implements [Source].
func (p *Plain) Taken() int64 { return p.blob.count }

// Size is how many bytes came so far.
func (p *Plain) Size() int64 { return p.size }

func (p *Plain) Read(to []byte) (int, error) {
	n, err := p.from.Read(to)
	p.size += int64(n)
	for _, one := range []struct {
		name        string
		most, value int64
		thing       string
	}{
		{"layer-bytes", p.limits.LayerBytes, p.size, "the size of the uncompressed layer"},
		{"session-layer-bytes", p.limits.SessionLayerBytes, p.session.taken.Add(int64(n)), "the size of all uncompressed layers"},
	} {
		if failed := limits.Check(one.name, one.most, one.value, one.thing); failed != nil {
			return n, failed
		}
	}
	if over := p.size - limits.FreeBytes; over > 0 && over/p.limits.LayerRatio > p.blob.count {
		return n, limits.Over("layer-ratio", p.limits.LayerRatio, "the size of the uncompressed layer for each byte of its blob")
	}
	if err != nil && err != io.EOF {
		err = undecompressed(err)
	}
	return n, err
}

// Rest reads what follows the compressed stream: it counts for the digest of the
// blob.
func (p *Plain) Rest() error {
	_, err := io.Copy(io.Discard, p.packed)
	return err
}

func undecompressed(err error) error {
	var made *layerwise.Failure
	if errors.As(err, &made) {
		return err
	}
	return layerwise.Failed(layerwise.FailureCodeCorrupt, "%s", fmt.Sprintf("the layer cannot be decompressed: %v", err))
}
