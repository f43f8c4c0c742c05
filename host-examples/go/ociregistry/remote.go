//go:build unix

package ociregistry

import (
	"context"
	"errors"
	"io"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
)

// resolveRemote reads the manifest, so that digest and size are those of its
// bytes and not what a header says.
func (r *Registry) resolveRemote(ctx context.Context, of place) ([]layerwise.Descriptor, error) {
	found, err := remote.Get(r.reference(of), r.speak(ctx, of)...)
	if err != nil {
		return nil, coded(err)
	}
	return []layerwise.Descriptor{{
		MediaType: string(found.MediaType),
		Digest:    digests.Of(found.Manifest),
		Size:      uint64(len(found.Manifest)),
	}}, nil
}

func (r *Registry) reference(of place) name.Reference {
	if of.digest != "" {
		return r.at(of).Digest(of.digest)
	}
	return r.at(of).Tag(of.tagOrLatest())
}

// openRemote opens a manifest or a blob. The media type tells where it should
// be, and it may be on the other shelf.
func (r *Registry) openRemote(ctx context.Context, at place, of layerwise.Descriptor) (io.ReadCloser, error) {
	manifest := func() (io.ReadCloser, error) {
		found, err := remote.Get(r.at(at).Digest(of.Digest), r.speak(ctx, at)...)
		if err != nil {
			return nil, coded(err)
		}
		return readerOf(found.Manifest)()
	}
	blob := func() (io.ReadCloser, error) {
		layer, err := remote.Layer(r.at(at).Digest(of.Digest), r.speak(ctx, at)...)
		if err != nil {
			return nil, coded(err)
		}
		content, err := layer.Compressed()
		return content, coded(err)
	}
	first, second := blob, manifest
	switch of.MediaType {
	case layout.Manifest, layout.IndexOCI, layout.DockerManifest, layout.DockerList:
		first, second = manifest, blob
	}
	content, err := first()
	if failure := (*layerwise.Failure)(nil); errors.As(err, &failure) && failure.Code == layerwise.FailureCodeNotFound {
		if other, failed := second(); failed == nil {
			content, err = other, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{digests.Verified(content, of.Digest, int64(of.Size)), content}, nil
}

func (r *Registry) hasRemote(ctx context.Context, at place, digest string) (layerwise.Presence, error) {
	layer, err := remote.Layer(r.at(at).Digest(digest), r.speak(ctx, at)...)
	var there bool
	if err == nil {
		there, err = partial.Exists(layer)
	}
	if err = coded(err); err != nil {
		if failure := (*layerwise.Failure)(nil); errors.As(err, &failure) && failure.Code == layerwise.FailureCodeNotFound {
			return layerwise.PresenceAbsent, nil
		}
		return "", err
	}
	if there {
		return layerwise.PresencePresent, nil
	}
	return layerwise.PresenceAbsent, nil
}

// manifest is a document that is put under its digest.
type manifest struct {
	mediaType string
	text      []byte
}

func (m manifest) RawManifest() ([]byte, error)        { return m.text, nil }
func (m manifest) MediaType() (types.MediaType, error) { return types.MediaType(m.mediaType), nil }
func (m manifest) Digest() (v1.Hash, error)            { return v1.NewHash(digests.Of(m.text)) }
func (m manifest) Size() (int64, error)                { return int64(len(m.text)), nil }
func (r *Registry) putManifest(ctx context.Context, at place, of layerwise.Descriptor, document string) error {
	return coded(remote.Put(r.at(at).Digest(of.Digest), manifest{of.MediaType, []byte(document)}, r.speak(ctx, at)...))
}

func (r *Registry) tagRemote(ctx context.Context, of place, digest string) error {
	found, err := remote.Get(r.at(of).Digest(digest), r.speak(ctx, of)...)
	if err != nil {
		return coded(err)
	}
	if digests.Of(found.Manifest) != digest && strings.HasPrefix(digest, "sha256:") {
		return layerwise.Failed(layerwise.FailureCodeCorrupt, "the manifest %s does not have this digest", digest)
	}
	return coded(remote.Tag(r.at(of).Tag(of.tagOrLatest()), found, r.speak(ctx, of)...))
}

// blob is a layer with known bytes.
type blob struct {
	of   layerwise.Descriptor
	open func() (io.ReadCloser, error)
}

func (b blob) Digest() (v1.Hash, error)             { return v1.NewHash(b.of.Digest) }
func (b blob) DiffID() (v1.Hash, error)             { return v1.NewHash(b.of.Digest) }
func (b blob) Size() (int64, error)                 { return int64(b.of.Size), nil }
func (b blob) MediaType() (types.MediaType, error)  { return types.MediaType(b.of.MediaType), nil }
func (b blob) Uncompressed() (io.ReadCloser, error) { return b.Compressed() }
func (b blob) Compressed() (io.ReadCloser, error) {
	content, err := b.open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{digests.Verified(content, b.of.Digest, int64(b.of.Size)), content}, nil
}

func (r *Registry) putRemote(ctx context.Context, at place, of layerwise.Descriptor, mount string, open func() (io.ReadCloser, error)) (bool, error) {
	found, err := r.hasRemote(ctx, at, of.Digest)
	if err == nil && found == layerwise.PresencePresent {
		return false, nil
	}
	var layer v1.Layer = blob{of: of, open: open}
	if mount != "" {
		from := at
		from.path = mount
		layer = &remote.MountableLayer{Layer: layer, Reference: r.at(from).Digest(of.Digest)}
	}
	return true, coded(remote.WriteLayer(r.at(at), layer, r.speak(ctx, at)...))
}

func annotations(of map[string]string) []layerwise.Annotation {
	var found []layerwise.Annotation
	for key, value := range of {
		found = append(found, layerwise.Annotation{Key: key, Value: value})
	}
	sort.Slice(found, func(a, b int) bool { return found[a].Key < found[b].Key })
	return found
}
