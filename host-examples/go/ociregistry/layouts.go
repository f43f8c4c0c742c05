//go:build unix

package ociregistry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
)

// mostIndexes is how many indexes inside indexes are looked into before a blob
// is deleted.
const mostIndexes = 10_000

func (r *Registry) resolveLayout(of place) ([]layerwise.Descriptor, error) {
	from, err := r.layout(of)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	index, _, err := from.Index()
	if err != nil {
		return nil, err
	}
	entries := make([]layout.Descriptor, index.Len())
	for i := range entries {
		if entries[i], err = index.Entry(i); err != nil {
			return nil, err
		}
	}
	var found []layout.Descriptor
	for _, entry := range entries {
		switch {
		case of.digest != "":
			if entry.Digest == of.digest && len(found) == 0 {
				found = append(found, entry)
			}
		case entry.Annotations[layout.RefName] == of.tagOrLatest():
			found = append(found, entry)
		}
	}
	if len(found) == 0 && of.digest == "" && of.tag == "" {
		if len(entries) > 1 {
			return nil, layerwise.Failed(layerwise.FailureCodeInvalid, "%q has %d entries: name one of them", of.layout, len(entries))
		}
		found = entries
	}
	if len(found) == 0 {
		return nil, layerwise.Failed(layerwise.FailureCodeNotFound, "no %q in %q", of.digest+of.tag, of.layout)
	}
	answer := make([]layerwise.Descriptor, len(found))
	for i, entry := range found {
		if !digests.Is(entry.Digest) {
			return nil, layerwise.Failed(layerwise.FailureCodeCorrupt, "a descriptor has %q for its digest", entry.Digest)
		}
		answer[i] = layerwise.Descriptor{
			MediaType: entry.MediaType, Digest: entry.Digest, Size: entry.Size, Annotations: annotations(entry.Annotations),
		}
	}
	return answer, nil
}

func (r *Registry) hasLayout(at place, digest string) (layerwise.Presence, error) {
	from, err := r.layout(at)
	if err == nil {
		defer from.Close()
		_, err = from.BlobSize(digest)
	}
	switch {
	case err == nil:
		return layerwise.PresencePresent, nil
	case errors.Is(err, fs.ErrNotExist):
		return layerwise.PresenceAbsent, nil
	}
	return "", err
}

func (r *Registry) tagLayout(ctx context.Context, of place, digest string) error {
	to, err := r.layout(of)
	if err != nil {
		return err
	}
	defer to.Close()
	size, err := to.BlobSize(digest)
	if err != nil {
		return err
	}
	data, err := to.ReadBlob(digest, size, layout.LongestManifest)
	if err != nil {
		return err
	}
	mediaType, err := mediaTypeOf(digest, data)
	if err != nil {
		return err
	}
	return to.Update(ctx, func(index *layout.Index) error {
		index.Name(of.tagOrLatest(), index.Positions(digest), func() int { return index.Push(mediaType, digest, size) })
		return nil
	})
}

// body is what tells a manifest and an index apart.
type body struct {
	MediaType string               `json:"mediaType"`
	Config    json.RawMessage      `json:"config"`
	Layers    json.RawMessage      `json:"layers"`
	Manifests *[]layout.Descriptor `json:"manifests"`
}

func mediaTypeOf(digest string, data []byte) (string, error) {
	corrupt := func(why string) (string, error) {
		return "", layerwise.Failed(layerwise.FailureCodeCorrupt, "%s %s", digest, why)
	}
	var read body
	if err := json.Unmarshal(data, &read); err != nil {
		return corrupt("is not a manifest")
	}
	holds := present(read.Config) || present(read.Layers)
	switch {
	case read.Manifests != nil && holds:
		return corrupt("is a manifest and an index at the same time")
	case read.MediaType != "":
		return read.MediaType, nil
	case read.Manifests != nil:
		return layout.IndexOCI, nil
	case holds:
		return layout.Manifest, nil
	}
	return corrupt("is not a manifest")
}

func present(member json.RawMessage) bool { return len(member) > 0 && string(member) != "null" }

// deleteLayout takes every entry of a manifest out of the index, and its blob
// away when nothing else refers to it.
func (r *Registry) deleteLayout(ctx context.Context, at place, digest string) error {
	from, err := r.layout(at)
	if err != nil {
		return err
	}
	defer from.Close()
	index, _, err := from.Index()
	if err != nil {
		return err
	}
	_, missing := from.BlobSize(digest)
	if len(index.Positions(digest)) == 0 && missing != nil {
		return layerwise.Failed(layerwise.FailureCodeNotFound, "no manifest %s in %q", digest, at.layout)
	}
	referred := true
	err = from.Update(ctx, func(index *layout.Index) error {
		own := index.Positions(digest)
		for i := len(own) - 1; i >= 0; i-- {
			index.Remove(own[i])
		}
		referred = isReferredTo(from, index, digest)
		return nil
	})
	if err != nil || referred || missing != nil {
		return err
	}
	return from.RemoveBlob(digest)
}

// isReferredTo tells whether the index, or one inside it, refers to a manifest;
// yes when that cannot be told.
func isReferredTo(from *layout.Layout, index *layout.Index, digest string) bool {
	var waiting []layout.Descriptor
	for i := range index.Len() {
		entry, err := index.Entry(i)
		if err != nil {
			return true
		}
		waiting = append(waiting, entry)
	}
	seen := map[string]bool{}
	for looked := 0; len(waiting) > 0; {
		entry := waiting[0]
		waiting = waiting[1:]
		if entry.Digest == digest {
			return true
		}
		if seen[entry.Digest] || (entry.MediaType != layout.IndexOCI && entry.MediaType != layout.DockerList) {
			continue
		}
		seen[entry.Digest] = true
		if looked++; looked > mostIndexes {
			return true
		}
		data, err := from.ReadBlob(entry.Digest, entry.Size, layout.LongestManifest)
		var read body
		if err == nil {
			err = json.Unmarshal(data, &read)
		}
		if err != nil {
			return true
		}
		if read.Manifests != nil {
			waiting = append(waiting, *read.Manifests...)
		}
	}
	return false
}

// holds tells whether a repository has a blob with the right bytes, as far as
// that can be told without reading it from a registry.
func (r *Registry) holds(ctx context.Context, at place, of layerwise.Descriptor) (bool, error) {
	if at.layout == "" {
		found, err := r.hasRemote(ctx, at, of.Digest)
		return found == layerwise.PresencePresent, err
	}
	from, err := r.layout(at)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer from.Close()
	return from.Holds(of.Digest, of.Size), nil
}

var _ io.Closer = (*Registry)(nil)
