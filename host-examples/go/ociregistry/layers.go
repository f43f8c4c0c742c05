//go:build unix

// Moving layers: stored from where they are, read into directories.

package ociregistry

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"

	"layerwise.dev/layerwise"
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

// retrieve writes the uncompressed layer into a scratch file, checks all of it,
// and only then unpacks.
func (r *Registry) retrieve(ctx context.Context, at place, layer layerwise.LayerRetrieval) (layerwise.RetrievedLayer, error) {
	none := layerwise.RetrievedLayer{}
	var into *stage
	if layer.Into != nil {
		if r.options.Files == nil {
			return none, layerwise.Failed(layerwise.FailureCodeUnsupported, "no directory can be unpacked into")
		}
		root, err := r.options.Files.OpenDirectory(layer.Into.Root)
		if err != nil {
			return none, err
		}
		defer root.Close()
		if into, err = newStage(root, layer.Into.Root, layer.Into.Prefix); err != nil {
			return none, err
		}
	}
	var scratch io.ReadWriteSeeker
	if into != nil {
		file, err := os.CreateTemp("", "layerwise-layer-")
		if err != nil {
			return none, err
		}
		defer os.Remove(file.Name())
		defer file.Close()
		scratch = file
	}
	found, err := r.uncompress(ctx, at, layer.Descriptor, scratch)
	if err != nil {
		return none, err
	}
	if layer.DiffID != nil && *layer.DiffID != found.DiffID {
		return none, layerwise.Failed(layerwise.FailureCodeCorrupt, "the uncompressed bytes of %s have the digest %s, expected %s", layer.Descriptor.Digest, found.DiffID, *layer.DiffID)
	}
	if into == nil {
		return found, nil
	}
	for _, do := range []func(*tar.Header, io.Reader) error{into.check, into.unpack} {
		if _, err := scratch.Seek(0, io.SeekStart); err != nil {
			return none, err
		}
		if err := entries(ctx, scratch, do); err != nil {
			return none, err
		}
	}
	return found, nil
}

// uncompress reads all of a layer, and writes it where that is wanted.
func (r *Registry) uncompress(ctx context.Context, at place, of layerwise.Descriptor, to io.Writer) (layerwise.RetrievedLayer, error) {
	none := layerwise.RetrievedLayer{}
	content, err := r.open(ctx, at, of)
	if err != nil {
		return none, err
	}
	defer content.Close()
	blob := bufio.NewReader(content)
	plain, err := decompressed(blob)
	if err != nil {
		return none, unreadable(of, err)
	}
	sum := &counted{hash: sha256.New()}
	var out io.Writer = sum
	if to != nil {
		out = io.MultiWriter(sum, to)
	}
	size, err := io.Copy(out, io.LimitReader(plain, r.options.LayerBytes+1))
	if err == nil && size > r.options.LayerBytes {
		return none, layerwise.Failed(layerwise.FailureCodeTooLarge, "the layer %s has more than %d uncompressed bytes", of.Digest, r.options.LayerBytes)
	}
	if err == nil {
		// What follows the compressed stream counts for the digest of the blob.
		_, err = io.Copy(io.Discard, blob)
	}
	if err != nil {
		return none, unreadable(of, err)
	}
	return layerwise.RetrievedLayer{DiffID: text(sum.hash), Size: sum.size}, nil
}

// decompressed tells how a layer is compressed by its first bytes.
func decompressed(blob *bufio.Reader) (io.Reader, error) {
	magic, err := blob.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		return gzip.NewReader(blob)
	case string(magic) == "\x28\xb5\x2f\xfd":
		decoder, err := zstd.NewReader(blob, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	}
	return blob, nil
}

func unreadable(of layerwise.Descriptor, err error) error {
	var made *layerwise.Failure
	if errors.As(err, &made) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return layerwise.Failed(layerwise.FailureCodeCorrupt, "cannot decompress %s: %v", of.Digest, err)
}

func entries(ctx context.Context, from io.Reader, do func(*tar.Header, io.Reader) error) error {
	reader := tar.NewReader(from)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return layerwise.Failed(layerwise.FailureCodeCorrupt, "the layer is not a tar file: %v", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(header, reader); err != nil {
			return err
		}
	}
}

// stage is a directory that a layer is unpacked into.
type stage struct {
	root   *os.Root
	name   string
	prefix []string
	files  map[string]bool
}

func newStage(root *os.Root, name, prefix string) (*stage, error) {
	parts, err := split(prefix)
	if err != nil {
		return nil, layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not a prefix: %v", prefix, err)
	}
	return &stage{root: root, name: path.Clean(name), prefix: parts, files: map[string]bool{}}, nil
}

func split(name string) ([]string, error) {
	var parts []string
	for _, part := range strings.Split(name, "/") {
		switch {
		case part == "..":
			return nil, errors.New(`its name has ".." in it`)
		case strings.Contains(part, "\x00"):
			return nil, errors.New("its name has a zero byte in it")
		case part != "" && part != ".":
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// inside answers the path of an entry; none for a directory above the prefix.
func (s *stage) inside(header *tar.Header) ([]string, error) {
	parts, err := split(header.Name)
	if err != nil {
		return nil, denied(header, err.Error())
	}
	for i, part := range s.prefix {
		if i == len(parts) {
			if header.Typeflag == tar.TypeDir {
				return nil, nil
			}
			break
		}
		if parts[i] != part {
			return nil, denied(header, "it is not below the prefix of the layer")
		}
	}
	if len(parts) < len(s.prefix) {
		return nil, denied(header, "it is not below the prefix of the layer")
	}
	return parts, nil
}

func denied(header *tar.Header, why string) error {
	return layerwise.Failed(layerwise.FailureCodeDenied, "%q: %s", header.Name, why)
}

// check refuses a layer of which any entry may not be unpacked.
func (s *stage) check(header *tar.Header, _ io.Reader) error {
	parts, err := s.inside(header)
	if err != nil || parts == nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg:
		s.files[path.Join(parts...)] = true
	case tar.TypeDir:
	case tar.TypeSymlink:
		if !s.stays(parts, header.Linkname) {
			return denied(header, "it links to something outside")
		}
	case tar.TypeLink:
		target, err := split(header.Linkname)
		if err != nil || !s.files[path.Join(target...)] {
			return denied(header, "it is a hard link to what is no file of the layer")
		}
		s.files[path.Join(parts...)] = true
	case tar.TypeXGlobalHeader:
	default:
		return denied(header, "it is a device or a pipe")
	}
	return nil
}

// stays tells whether the target of a link is below the prefix.
func (s *stage) stays(link []string, target string) bool {
	at := append([]string{}, link[:len(link)-1]...)
	if strings.HasPrefix(target, "/") {
		rest, below := strings.CutPrefix(path.Clean(target)+"/", strings.TrimRight(s.name, "/")+"/")
		if !below || strings.Contains(target, "..") {
			return false
		}
		at, target = nil, rest
	}
	named := false
	for _, part := range strings.Split(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if named || len(at) == 0 {
				return false
			}
			at = at[:len(at)-1]
		default:
			named = true
			at = append(at, part)
		}
	}
	if len(at) < len(s.prefix) {
		return false
	}
	for i, part := range s.prefix {
		if at[i] != part {
			return false
		}
	}
	return true
}

// unpack makes one entry, in place of what is there.
func (s *stage) unpack(header *tar.Header, from io.Reader) error {
	parts, err := s.inside(header)
	if err != nil || len(parts) == 0 {
		return err
	}
	name := path.Join(parts...)
	mode := header.FileInfo().Mode().Perm()
	if err := s.parents(parts); err != nil {
		return fmt.Errorf("cannot unpack %q: %w", header.Name, err)
	}
	info, err := s.root.Lstat(name)
	if err == nil && !(info.IsDir() && header.Typeflag == tar.TypeDir) {
		err = s.root.RemoveAll(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot unpack %q: %w", header.Name, err)
	}
	switch header.Typeflag {
	case tar.TypeReg:
		err = s.file(name, mode, from)
	case tar.TypeDir:
		if err = s.root.Mkdir(name, 0o777); errors.Is(err, fs.ErrExist) {
			err = nil
		}
		if err == nil {
			err = s.root.Chmod(name, mode)
		}
	case tar.TypeSymlink:
		err = s.root.Symlink(header.Linkname, name)
	case tar.TypeLink:
		target, _ := split(header.Linkname)
		err = s.root.Link(path.Join(target...), name)
	}
	if err == nil && (header.Typeflag == tar.TypeReg || header.Typeflag == tar.TypeDir) {
		err = s.root.Chtimes(name, header.ModTime, header.ModTime)
	}
	if err != nil {
		return fmt.Errorf("cannot unpack %q: %w", header.Name, err)
	}
	return nil
}

// parents makes the directories above an entry; none of them may be a link.
func (s *stage) parents(parts []string) error {
	for i := 1; i < len(parts); i++ {
		name := path.Join(parts[:i]...)
		info, err := s.root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			err = s.root.Mkdir(name, 0o777)
		} else if err == nil && !info.IsDir() {
			err = layerwise.Failed(layerwise.FailureCodeDenied, "%q is not a directory", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) file(name string, mode fs.FileMode, from io.Reader) error {
	file, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Chmod(mode), file.Close())
}
