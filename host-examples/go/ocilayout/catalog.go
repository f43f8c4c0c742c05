package ocilayout

import (
	"encoding/json"
	"errors"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/layout"
)

// Caps on what an index may lead to.
const (
	mostDocuments    = 100_000
	mostBytes        = 256 << 20
	longestReachable = 4 << 20
)

// image is an image of a layout.
type image struct {
	id     string
	config layout.Descriptor
	// manifests are those with this config.
	manifests []reached
	parent    string
	built     layerwise.Provenance
	// entries are the positions of its own entries.
	entries []int
}

// pointer is a descriptor of a manifest or an index, checked.
type pointer struct {
	digest, kind string
	size         uint64
}

// body is a manifest or an index that was read.
type body struct {
	MediaType *string              `json:"mediaType"`
	Config    *layout.Descriptor   `json:"config"`
	Layers    *[]layout.Descriptor `json:"layers"`
	Manifests *[]layout.Descriptor `json:"manifests"`
}

type reached struct {
	from pointer
	body body
}

// catalog is what one reading of index.json leads to.
type catalog struct {
	index  *layout.Index
	images map[string]*image
	order  []string
	nodes  map[pointer]*body
	// walked is in the order of the walk, breadth first.
	walked []pointer
	// broken is the first thing that could not be read.
	broken error
	// failed are the documents that could not be read.
	failed map[pointer]error
}

func readCatalog(from *layout.Layout, index *layout.Index) (*catalog, error) {
	c := &catalog{index: index, images: map[string]*image{}, nodes: map[pointer]*body{}, failed: map[pointer]error{}}
	starts := map[int]pointer{}
	var waiting []pointer
	for position := range index.Len() {
		entry, err := index.Entry(position)
		if err != nil {
			c.pass(err)
			continue
		}
		if to, ok := c.pointer(entry); ok {
			starts[position] = to
			waiting = append(waiting, to)
		}
	}
	if err := c.walk(from, waiting); err != nil {
		return nil, err
	}
	for _, at := range c.walked {
		if read := c.nodes[at]; read != nil && read.Config != nil {
			c.add(reached{from: at, body: *read})
		}
	}
	c.order = sortedKeys(c.images)
	for position := range index.Len() {
		if at, ok := starts[position]; ok {
			c.take(position, at)
		}
	}
	return c, nil
}

func (c *catalog) pass(err error) {
	if c.broken == nil {
		c.broken = err
	}
}

// pointer is what leads on to images: nothing for other kinds of content, and
// for manifests that only tell something about others.
func (c *catalog) pointer(of layout.Descriptor) (pointer, bool) {
	switch of.MediaType {
	case layout.Manifest, layout.IndexOCI, layout.DockerManifest, layout.DockerList:
	default:
		return pointer{}, false
	}
	if _, attestation := of.Annotations["vnd.docker.reference.type"]; attestation {
		return pointer{}, false
	}
	if !layout.IsDigest(of.Digest) {
		c.pass(layerwise.Failed(layerwise.FailureCodeCorrupt, "a descriptor has %q for its digest", of.Digest))
		return pointer{}, false
	}
	return pointer{digest: of.Digest, kind: of.MediaType, size: of.Size}, true
}

// walk reads everything once, so that cycles and nesting cost no more than the
// documents themselves.
func (c *catalog) walk(from *layout.Layout, waiting []pointer) error {
	bytes := uint64(0)
	for len(waiting) > 0 {
		at := waiting[0]
		waiting = waiting[1:]
		if _, seen := c.nodes[at]; seen {
			continue
		}
		bytes += at.size
		if len(c.nodes) >= mostDocuments || bytes > mostBytes {
			return layerwise.Failed(layerwise.FailureCodeTooLarge, "the index leads to more than %d manifests or %d bytes of them", mostDocuments, mostBytes)
		}
		read, err := readBody(from, at)
		if err != nil {
			c.failed[at] = err
			c.pass(err)
		} else if read.Manifests != nil {
			for _, inner := range *read.Manifests {
				if to, ok := c.pointer(inner); ok {
					waiting = append(waiting, to)
				}
			}
		}
		c.nodes[at] = read
		c.walked = append(c.walked, at)
	}
	return nil
}

// readBody reads a document. Descriptor, media type inside and members must
// agree on what it is (CVE-2021-41190).
func readBody(from *layout.Layout, at pointer) (*body, error) {
	data, err := from.ReadBlob(at.digest, at.size, longestReachable)
	if err != nil {
		return nil, err
	}
	read := &body{}
	if err := json.Unmarshal(data, read); err != nil {
		return nil, confused(at, err)
	}
	if read.MediaType != nil && *read.MediaType != at.kind {
		return nil, confused(at, errors.New("its media type is not that of its descriptor"))
	}
	list := at.kind == layout.IndexOCI || at.kind == layout.DockerList
	manifest := read.Config != nil && read.Manifests == nil
	if list == manifest || (list && (read.Config != nil || read.Layers != nil)) {
		return nil, confused(at, errors.New("its members are not those of its media type"))
	}
	return read, nil
}

func confused(at pointer, why error) error {
	return layerwise.Failed(layerwise.FailureCodeCorrupt, "blob %s is not a %s: %v", at.digest, at.kind, why)
}

func (c *catalog) add(found reached) {
	config := found.body.Config
	if config.MediaType != layout.Config && config.MediaType != layout.DockerConfig {
		return
	}
	if !layout.IsDigest(config.Digest) {
		c.pass(layerwise.Failed(layerwise.FailureCodeCorrupt, "a descriptor has %q for its digest", config.Digest))
		return
	}
	known, ok := c.images[config.Digest]
	if !ok {
		known = &image{id: config.Digest, config: *config, built: layerwise.ProvenanceUnknown}
		c.images[config.Digest] = known
	}
	known.manifests = append(known.manifests, found)
}

// take reads what is noted in an entry.
func (c *catalog) take(position int, at pointer) {
	read := c.nodes[at]
	if read == nil || read.Config == nil {
		return
	}
	known, ok := c.images[read.Config.Digest]
	if !ok {
		return
	}
	known.entries = append(known.entries, position)
	if of, _ := c.index.Annotation(position, noteImage); of != known.id {
		return
	}
	if known.parent == "" {
		known.parent, _ = c.index.Annotation(position, noteParent)
	}
	if known.built == layerwise.ProvenanceUnknown {
		switch built, _ := c.index.Annotation(position, noteBuilt); built {
		case "true":
			known.built = layerwise.ProvenanceBuiltHere
		case "false":
			known.built = layerwise.ProvenanceElsewhere
		}
	}
}

func (c *catalog) get(id string) (*image, error) {
	if !layout.IsDigest(id) {
		return nil, layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not an image id", id)
	}
	if found, ok := c.images[id]; ok {
		return found, nil
	}
	return nil, c.unknown(id)
}

func (c *catalog) unknown(text string) error {
	if c.broken != nil {
		return layerwise.Failed(layerwise.FailureCodeNotFound, "no image %q in the layout; not all of its entries can be read: %v", text, c.broken)
	}
	return layerwise.Failed(layerwise.FailureCodeNotFound, "no image %q in the layout", text)
}

// behind is the one image that some entries lead to.
func (c *catalog) behind(text string, positions []int) (*image, error) {
	starts := map[pointer]bool{}
	for _, position := range positions {
		entry, err := c.index.Entry(position)
		if err != nil {
			continue
		}
		if at, ok := c.pointer(entry); ok {
			starts[at] = true
		}
	}
	return c.only(text, func(from pointer) bool { return starts[from] })
}

// only is the one image that some documents lead to.
func (c *catalog) only(text string, start func(pointer) bool) (*image, error) {
	var waiting []pointer
	for _, at := range c.walked {
		if start(at) {
			waiting = append(waiting, at)
		}
	}
	found, seen := map[string]*image{}, map[pointer]bool{}
	var failed error
	for len(waiting) > 0 {
		at := waiting[0]
		waiting = waiting[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		read := c.nodes[at]
		switch {
		case read == nil:
			if failed == nil {
				failed = c.failed[at]
			}
		case read.Manifests != nil:
			for _, inner := range *read.Manifests {
				if to, ok := c.pointer(inner); ok {
					waiting = append(waiting, to)
				}
			}
		case read.Config != nil:
			if known, ok := c.images[read.Config.Digest]; ok {
				found[known.id] = known
			}
		}
	}
	switch {
	case len(found) == 1:
		for _, one := range found {
			return one, nil
		}
	case len(found) > 1:
		return nil, layerwise.Failed(layerwise.FailureCodeInvalid, "%q stands for %d images: name one by its id", text, len(found))
	case failed != nil:
		return nil, failed
	}
	return nil, c.unknown(text)
}

// note notes something of an image in its entries; one that has none, because
// it is in a nested index, gets one.
func (c *catalog) note(of *image, key, value string) {
	if len(of.entries) == 0 {
		of.entries = []int{c.enter(of)}
	}
	for _, position := range of.entries {
		about(c.index, position, of.id)
		c.index.Annotate(position, key, value)
	}
}

// enter adds one more entry for an image, with what is noted of it.
func (c *catalog) enter(of *image) int {
	from := of.manifests[0].from
	position := c.index.Push(from.kind, from.digest, from.size)
	if of.parent != "" {
		about(c.index, position, of.id)
		c.index.Annotate(position, noteParent, of.parent)
	}
	if of.built != layerwise.ProvenanceUnknown {
		about(c.index, position, of.id)
		value := "false"
		if of.built == layerwise.ProvenanceBuiltHere {
			value = "true"
		}
		c.index.Annotate(position, noteBuilt, value)
	}
	return position
}

// about makes the notes of an entry be about an image; those about another one,
// which came with a copied entry, go.
func about(index *layout.Index, position int, id string) {
	if of, _ := index.Annotation(position, noteImage); of == id {
		return
	}
	index.Unannotate(position, noteParent)
	index.Unannotate(position, noteBuilt)
	index.Annotate(position, noteImage, id)
}
