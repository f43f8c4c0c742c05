//go:build unix

// Which blob is the layer with a diff id: what the images of a layout say. The
// n-th diff id of a config and the n-th layer of its manifest are the same
// layer; a layer that is not compressed has its diff id for its digest.

package ocilayout

import (
	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
	"layerwise.dev/layerwise/internal/wit"
)

const plainLayer = "application/vnd.oci.image.layer.v1.tar"

// layerTypes are Docker's media types of layers and what OCI calls them.
var layerTypes = map[string]string{
	"application/vnd.docker.image.rootfs.diff.tar":              plainLayer,
	"application/vnd.docker.image.rootfs.diff.tar.gzip":         plainLayer + "+gzip",
	"application/vnd.docker.image.rootfs.diff.tar.zstd":         plainLayer + "+zstd",
	"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
}

type pair struct {
	diff  string
	layer layout.Descriptor
}

// layers finds the blob of each diff id: in the parent at the same place, else
// in any image, those built here first.
func (s *Store) layers(images *catalog, parent *image, diffs []string) ([]layout.Descriptor, error) {
	var inherited []pair
	if parent != nil {
		inherited = s.pairs(parent)
	}
	found := make([]layout.Descriptor, len(diffs))
	for i, diff := range diffs {
		if i < len(inherited) && inherited[i].diff == diff && s.present(inherited[i].layer) {
			found[i] = asOCI(inherited[i].layer)
			continue
		}
		layer, err := s.anywhere(images, diff)
		if err != nil {
			return nil, err
		}
		found[i] = asOCI(layer)
	}
	return found, nil
}

// anywhere is the layer with a diff id in any image: of one built here before
// others, and of the least digest.
func (s *Store) anywhere(images *catalog, diff string) (layout.Descriptor, error) {
	type candidate struct {
		layer layout.Descriptor
		built bool
	}
	candidates := map[string]*candidate{}
	for _, id := range sortedKeys(images.images) {
		for _, pair := range s.pairs(images.images[id]) {
			if pair.diff != diff || !digests.Is(pair.layer.Digest) {
				continue
			}
			known, ok := candidates[pair.layer.Digest]
			if !ok {
				known = &candidate{layer: pair.layer}
				candidates[pair.layer.Digest] = known
			}
			built, err := images.built(images.images[id])
			if err != nil {
				return layout.Descriptor{}, err
			}
			known.built = known.built || built == layerwise.ProvenanceBuiltHere
		}
	}
	for _, built := range []bool{true, false} {
		for _, digest := range sortedKeys(candidates) {
			if known := candidates[digest]; known.built == built && s.present(known.layer) {
				return known.layer, nil
			}
		}
	}
	return layout.Descriptor{}, layerwise.Failed(layerwise.FailureCodeNotFound, "no image of the layout has a layer with the diff id %s%s", diff, images.unread())
}

// pairs are the diff ids of an image with their blobs; nil if it cannot be
// read.
func (s *Store) pairs(of *image) []pair {
	data, err := s.layout.ReadBlob(of.id, of.config.Size, layout.LongestDocument)
	if err != nil {
		return nil
	}
	diffs, err := diffIDs(data)
	if err != nil {
		return nil
	}
	var pairs []pair
	for _, manifest := range of.manifests {
		if manifest.body.Layers == nil || len(*manifest.body.Layers) != len(diffs) {
			continue
		}
		for i, layer := range *manifest.body.Layers {
			if asOCI(layer).MediaType != plainLayer || layer.Digest == diffs[i] {
				pairs = append(pairs, pair{diff: diffs[i], layer: layer})
			}
		}
	}
	return pairs
}

func (s *Store) present(layer layout.Descriptor) bool {
	size, err := s.layout.BlobSize(layer.Digest)
	return err == nil && size == layer.Size
}

// asOCI is the same layer as an OCI manifest lists it.
func asOCI(layer layout.Descriptor) layout.Descriptor {
	if oci, ok := layerTypes[layer.MediaType]; ok {
		layer.MediaType = oci
	}
	return layer
}

// appendDescriptor writes a descriptor as this project's manifests have it.
func appendDescriptor(out []byte, of layout.Descriptor) []byte {
	out = wit.AppendString(append(out, `{"mediaType":`...), of.MediaType)
	out = wit.AppendString(append(out, `,"digest":`...), of.Digest)
	out = wit.AppendAny(append(out, `,"size":`...), of.Size)
	if of.URLs != nil {
		urls := make([]any, len(of.URLs))
		for i, url := range of.URLs {
			urls[i] = url
		}
		out = wit.AppendAny(append(out, `,"urls":`...), urls)
	}
	if of.Annotations != nil {
		out = append(out, `,"annotations":{`...)
		keys := sortedKeys(of.Annotations)
		for i, key := range keys {
			if i > 0 {
				out = append(out, ',')
			}
			out = wit.AppendString(append(wit.AppendString(out, key), ':'), of.Annotations[key])
		}
		out = append(out, '}')
	}
	return append(out, '}')
}
