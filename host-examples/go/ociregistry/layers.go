//go:build unix

// Moving layers: stored from where they are, read into directories.

package ociregistry

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"strings"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/unpack"
)

// Store implements [layerwise.Registry].
func (r *Registry) Store(ctx context.Context, repository string, layers []layerwise.LayerTransfer) []layerwise.Result[layerwise.StoredLayer] {
	at, failed := parseRepository(repository)
	return each(ctx, r.options.AtOnce, layers, func(layer layerwise.LayerTransfer) (layerwise.StoredLayer, error) {
		if failed != nil {
			return layerwise.StoredLayer{}, failed
		}
		return r.store(ctx, at, layer)
	})
}

func (r *Registry) store(ctx context.Context, to place, layer layerwise.LayerTransfer) (layerwise.StoredLayer, error) {
	switch layer.Source.Case {
	case layerwise.LayerSourceRepository:
		from, err := parseRepository(layer.Source.Repository)
		if err != nil {
			return layerwise.StoredLayer{}, err
		}
		mount := ""
		if to.layout == "" && from.layout == "" && to.domain == from.domain {
			mount = from.path
		}
		written, err := r.put(ctx, to, layer.Descriptor, mount, func() (io.ReadCloser, error) {
			return r.open(ctx, from, layer.Descriptor)
		})
		return layerwise.StoredLayer{Descriptor: layer.Descriptor, Written: written}, err
	case layerwise.LayerSourceFile:
		if r.options.Files == nil {
			return layerwise.StoredLayer{}, layerwise.Failed(layerwise.FailureCodeUnsupported, "no files can be read")
		}
		return r.storeTar(ctx, to, layer)
	}
	return layerwise.StoredLayer{}, layerwise.Failed(layerwise.FailureCodeUnsupported, "nothing provides the layer %q", layer.Source.Provider)
}

// storeTar stores a tar file, compressed as the wanted media type says.
func (r *Registry) storeTar(ctx context.Context, to place, layer layerwise.LayerTransfer) (layerwise.StoredLayer, error) {
	wanted, name := layer.Descriptor, layer.Source.File
	how := wanted.MediaType[strings.LastIndexAny(wanted.MediaType, "+.")+1:]
	if how != "gzip" && how != "tar" && how != "" {
		return layerwise.StoredLayer{}, layerwise.Failed(layerwise.FailureCodeUnsupported, "no layer of the media type %q can be made from a tar file", wanted.MediaType)
	}
	if wanted.Digest != "" {
		there, err := r.holds(ctx, to, wanted)
		if err != nil || there {
			return layerwise.StoredLayer{Descriptor: wanted}, err
		}
	}
	from, err := r.options.Files.OpenFile(name)
	if err != nil {
		return layerwise.StoredLayer{}, err
	}
	defer from.Close()
	scratch, err := os.CreateTemp("", "layerwise-layer-")
	if err != nil {
		return layerwise.StoredLayer{}, err
	}
	defer os.Remove(scratch.Name())
	defer scratch.Close()
	packed, diff, err := pack(from, scratch, how == "gzip")
	if err != nil {
		return layerwise.StoredLayer{}, err
	}
	if wanted.Digest != "" && wanted.Digest != packed.Digest {
		return layerwise.StoredLayer{}, layerwise.Failed(layerwise.FailureCodeConflict, "the layer from %q has the digest %s, and %q is wanted", name, packed.Digest, wanted.Digest)
	}
	packed.MediaType, packed.Annotations = wanted.MediaType, wanted.Annotations
	written, err := r.put(ctx, to, packed, "", func() (io.ReadCloser, error) {
		_, err := scratch.Seek(0, io.SeekStart)
		return io.NopCloser(scratch), err
	})
	return layerwise.StoredLayer{Descriptor: packed, DiffID: &diff, Written: written}, err
}

// pack writes a tar file as a layer; the same tar is always the same layer.
func pack(from io.Reader, to io.Writer, compress bool) (layerwise.Descriptor, string, error) {
	plain, packed := sha256.New(), &counted{hash: sha256.New()}
	out := io.MultiWriter(to, packed)
	var err error
	if compress {
		writer := gzip.NewWriter(out)
		_, err = io.Copy(io.MultiWriter(writer, plain), from)
		err = errors.Join(err, writer.Close())
	} else {
		_, err = io.Copy(io.MultiWriter(out, plain), from)
	}
	return layerwise.Descriptor{Digest: text(packed.hash), Size: packed.size}, text(plain), err
}

func text(of hash.Hash) string { return "sha256:" + hex.EncodeToString(of.Sum(nil)) }

type counted struct {
	hash hash.Hash
	size uint64
}

func (c *counted) Write(p []byte) (int, error) {
	c.size += uint64(len(p))
	return c.hash.Write(p)
}

// Retrieve implements [layerwise.Registry].
func (r *Registry) Retrieve(ctx context.Context, repository string, layers []layerwise.LayerRetrieval) []layerwise.Result[layerwise.RetrievedLayer] {
	at, failed := parseRepository(repository)
	return each(ctx, r.options.AtOnce, layers, func(layer layerwise.LayerRetrieval) (layerwise.RetrievedLayer, error) {
		if failed != nil {
			return layerwise.RetrievedLayer{}, failed
		}
		return r.retrieve(ctx, at, layer)
	})
}

// retrieve checks a layer, and unpacks it beside its destination meanwhile. It
// takes its place only when all of it was right.
func (r *Registry) retrieve(ctx context.Context, at place, layer layerwise.LayerRetrieval) (layerwise.RetrievedLayer, error) {
	none := layerwise.RetrievedLayer{}
	if layer.DiffID != nil && !digests.Is(*layer.DiffID) {
		return none, notDigest(*layer.DiffID)
	}
	var into *unpack.Stage
	if layer.Into != nil {
		if r.options.Files == nil {
			return none, layerwise.Failed(layerwise.FailureCodeUnsupported, "no directory can be unpacked into")
		}
		root, err := r.options.Files.OpenDirectory(layer.Into.Root)
		if err != nil {
			return none, err
		}
		defer root.Close()
		into, err = unpack.New(ctx, root, layer.Into.Prefix, r.limits, unpack.SetID(r.options.SetID))
		if err != nil {
			return none, err
		}
		defer into.Close()
	}
	found, err := r.uncompress(ctx, at, layer, into)
	if err != nil {
		return none, err
	}
	if layer.DiffID != nil && *layer.DiffID != found.DiffID {
		return none, layerwise.Failed(layerwise.FailureCodeCorrupt, "the uncompressed bytes of %s have the digest %s, expected %s", layer.Descriptor.Digest, found.DiffID, *layer.DiffID)
	}
	if into == nil {
		return found, nil
	}
	return found, into.Finish()
}

// uncompress reads all of a layer, and into a stage where there is one.
func (r *Registry) uncompress(ctx context.Context, at place, layer layerwise.LayerRetrieval, into *unpack.Stage) (layerwise.RetrievedLayer, error) {
	none, of := layerwise.RetrievedLayer{}, layer.Descriptor
	content, err := r.open(ctx, at, of)
	if err != nil {
		return none, err
	}
	defer content.Close()
	plain, err := unpack.Decompress(content, r.limits, &r.session)
	if err != nil {
		return none, wrongBytes(err, content)
	}
	defer plain.Close()
	sum := &hashed{from: plain, hash: digests.Hasher(diffOf(layer))}
	if into != nil {
		err = into.Read(ctx, sum)
	}
	if err == nil {
		// What follows the end of the archive belongs to the layer, too.
		_, err = io.Copy(io.Discard, sum)
	}
	if err == nil {
		err = plain.Rest()
	}
	if err != nil {
		return none, wrongBytes(err, content)
	}
	algorithm, _, _ := strings.Cut(diffOf(layer), ":")
	return layerwise.RetrievedLayer{DiffID: algorithm + ":" + hex.EncodeToString(sum.hash.Sum(nil)), Size: uint64(plain.Size())}, nil
}

// diffOf is a digest of the algorithm that is asked for.
func diffOf(layer layerwise.LayerRetrieval) string {
	if layer.DiffID != nil {
		return *layer.DiffID
	}
	return "sha256:"
}

// wrongBytes is why a layer is corrupt: when the bytes of its blob are wrong, then
// that is why anything else is.
func wrongBytes(err error, content io.Reader) error {
	if layerwise.FailureOf(err).Code != layerwise.FailureCodeCorrupt {
		return err
	}
	if _, cause := io.Copy(io.Discard, content); cause != nil {
		return cause
	}
	return err
}

// hashed are bytes that are hashed on their way.
type hashed struct {
	from *unpack.Plain
	hash hash.Hash
}

func (h *hashed) Taken() int64 { return h.from.Taken() }

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.hash.Write(p[:n])
	return n, err
}
