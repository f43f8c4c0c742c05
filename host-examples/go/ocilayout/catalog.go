//go:build unix

package ocilayout

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
	"layerwise.dev/layerwise/internal/marks"
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
	// marks are what its entries say of whether it was built here, in their order.
	marks []string
	// entries are the positions of its own entries.
	entries []int
	// failure is why no manifest of it can be read, although an entry tells of it.
	failure error
}

// pointer is a descriptor of a manifest or an index, checked.
type pointer struct {
	digest, kind string
	size         uint64
}

// target is what an entry leads to, or why it leads nowhere.
type target struct {
	to  pointer
	err error
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
	keys   marks.Marks
	images map[string]*image
	// unreadable are the images that entries tell of and do not lead to.
	unreadable map[string]*image
	// order are the ids of both.
	order []string
	// targets are those of the entries, by position.
	targets map[int]target
	nodes   map[pointer]*body
	// walked is in the order of the walk, breadth first.
	walked []pointer
	// broken is the first thing that could not be read.
	broken error
	// failed are the documents that could not be read.
	failed map[pointer]error
}

func readCatalog(from *layout.Layout, keys marks.Marks, index *layout.Index) (*catalog, error) {
	c := &catalog{
		index: index, keys: keys, images: map[string]*image{}, unreadable: map[string]*image{}, targets: map[int]target{},
		nodes: map[pointer]*body{}, failed: map[pointer]error{},
	}
	var waiting []pointer
	for position := range index.Len() {
		entry, err := index.Entry(position)
		to, leads := pointer{}, false
		if err == nil {
			to, leads, err = pointerOf(entry)
		}
		switch {
		case err != nil:
			c.pass(err)
			c.targets[position] = target{err: err}
		case leads:
			c.targets[position] = target{to: to}
			waiting = append(waiting, to)
		}
	}
	if err := c.walk(from, waiting); err != nil {
		return nil, err
	}
	for _, at := range c.walked {
		if read := c.nodes[at]; read.isImage() {
			c.add(reached{from: at, body: *read})
		}
	}
	for position := range index.Len() {
		if at, ok := c.targets[position]; ok {
			c.take(position, at, from.Path())
		}
	}
	c.order = append(sortedKeys(c.images), sortedKeys(c.unreadable)...)
	sort.Strings(c.order)
	return c, nil
}

func (c *catalog) pass(err error) {
	if c.broken == nil {
		c.broken = err
	}
}

// pointerOf is what leads on to images: nothing for other kinds of content, and
// for manifests that only tell something about others. It is an error when
// something is noted of an image and the media type is not one of images.
func pointerOf(of layout.Descriptor) (pointer, bool, error) {
	if _, attestation := of.Annotations["vnd.docker.reference.type"]; attestation {
		return pointer{}, false, nil
	}
	switch of.MediaType {
	case layout.Manifest, layout.IndexOCI, layout.DockerManifest, layout.DockerList:
	default:
		if _, noted := of.Annotations[noteImage]; noted {
			return pointer{}, false, layerwise.Failed(layerwise.FailureCodeCorrupt, "a descriptor has %q for its media type", of.MediaType)
		}
		return pointer{}, false, nil
	}
	if !digests.Is(of.Digest) {
		return pointer{}, false, badDigest(of)
	}
	return pointer{digest: of.Digest, kind: of.MediaType, size: of.Size}, true, nil
}

func badDigest(of layout.Descriptor) error {
	return layerwise.Failed(layerwise.FailureCodeCorrupt, "a descriptor has %q for its digest", of.Digest)
}

// inner are what a nested index leads to.
func (c *catalog) inner(read *body) (pointers []pointer) {
	for _, entry := range *read.Manifests {
		to, leads, err := pointerOf(entry)
		if err != nil {
			c.pass(err)
		} else if leads {
			pointers = append(pointers, to)
		}
	}
	return pointers
}

// isImage tells whether something was read and is a manifest of an image.
func (b *body) isImage() bool {
	return b != nil && b.Config != nil && (b.Config.MediaType == layout.Config || b.Config.MediaType == layout.DockerConfig)
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
			// One document is passed over, not all of them.
			if err := from.Reachable(at.digest); err != nil {
				return err
			}
			if layerwise.FailureOf(err).Code == layerwise.FailureCodeUnavailable {
				return err
			}
			c.failed[at] = err
			c.pass(err)
		} else if read.Manifests != nil {
			waiting = append(waiting, c.inner(read)...)
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
	if read.isImage() && !digests.Is(read.Config.Digest) {
		return nil, badDigest(*read.Config)
	}
	return read, nil
}

func confused(at pointer, why error) error {
	return layerwise.Failed(layerwise.FailureCodeCorrupt, "blob %s is not a %s: %v", at.digest, at.kind, why)
}

func (c *catalog) add(found reached) {
	config := found.body.Config
	known, ok := c.images[config.Digest]
	if !ok {
		known = &image{id: config.Digest, config: *config}
		c.images[config.Digest] = known
	}
	known.manifests = append(known.manifests, found)
}

// take reads what is noted in an entry. Whether that is about the image it leads
// to cannot be told when it leads nowhere; it is then believed unless another
// entry leads to that image.
func (c *catalog) take(position int, at target, root string) {
	of, _ := c.index.Annotation(position, noteImage)
	if at.err == nil {
		at.err = c.failed[at.to]
	}
	if at.err != nil {
		if _, ok := c.images[of]; !ok && digests.Is(of) {
			at.err = unreadable(of, root, at.err)
			c.targets[position] = at
			if c.unreadable[of] == nil {
				c.unreadable[of] = &image{id: of, failure: at.err}
			}
			c.notes(c.unreadable[of], position)
		}
		return
	}
	read := c.nodes[at.to]
	if !read.isImage() {
		return
	}
	known := c.images[read.Config.Digest]
	known.entries = append(known.entries, position)
	if of == known.id {
		c.notes(known, position)
	}
}

// unreadable is the failure of an image whose entry leads nowhere. The image is
// not unknown, so a blob that is missing makes it unavailable: layouts may lack
// blobs, which are then to be had from elsewhere (OCI image layout, "Blobs").
func unreadable(id, root string, why error) error {
	code := layerwise.FailureOf(why).Code
	if code == layerwise.FailureCodeNotFound {
		code = layerwise.FailureCodeUnavailable
	}
	return layerwise.Failed(code, "the entry of image %q in index.json of %q cannot be read: %v", id, root, why)
}

// notes takes what an entry notes, unless another one has said it already.
func (c *catalog) notes(known *image, position int) {
	if known.parent == "" {
		known.parent, _ = c.index.Annotation(position, noteParent)
	}
	if mark, ok := c.index.Annotation(position, noteBuilt); ok {
		known.marks = append(known.marks, mark)
	}
}

// built tells who built an image; it fails when there are marks and the key of
// this host cannot be used.
func (c *catalog) built(of *image) (layerwise.Provenance, error) {
	deciding, err := c.keys.Deciding(of.id, of.parent, of.marks)
	switch {
	case err != nil || deciding == "":
		return layerwise.ProvenanceUnknown, err
	case deciding == marks.Elsewhere:
		return layerwise.ProvenanceElsewhere, nil
	}
	return layerwise.ProvenanceBuiltHere, nil
}

// ignored counts the marks that mean nothing here: of other hosts, or of earlier
// versions.
func (c *catalog) ignored() (count int, err error) {
	for _, id := range c.order {
		of := c.any(id)
		for _, mark := range of.marks {
			holds, err := c.keys.Holds(id, of.parent, mark)
			if err != nil {
				return 0, err
			}
			if !holds {
				count++
			}
		}
	}
	return count, nil
}

// putOn notes the parent of an image. A mark is one of an image on its parent, so
// those that hold are made anew.
func (c *catalog) putOn(of *image, parent string) error {
	var marked []int
	for _, position := range of.entries {
		mark, _ := c.index.Annotation(position, noteBuilt)
		about, _ := c.index.Annotation(position, noteImage)
		if about != of.id || mark == "" || mark == marks.Elsewhere || parent == of.parent {
			continue
		}
		holds, err := c.keys.Holds(of.id, of.parent, mark)
		if err != nil {
			return err
		}
		if holds {
			marked = append(marked, position)
		}
	}
	if err := c.note(of, noteParent, parent); err != nil {
		return err
	}
	for _, position := range marked {
		mark, err := c.keys.Make(of.id, parent)
		if err != nil {
			return err
		}
		c.index.Annotate(position, noteBuilt, mark)
	}
	return nil
}

// any is an image, readable or not; nil for an unknown one.
func (c *catalog) any(id string) *image {
	if found, ok := c.images[id]; ok {
		return found
	}
	return c.unreadable[id]
}

// known is an image, readable or not.
func (c *catalog) known(id string) (*image, error) {
	if !digests.Is(id) {
		return nil, layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not an image id", id)
	}
	if found := c.any(id); found != nil {
		return found, nil
	}
	return nil, c.unknown(id)
}

// get is an image that can be read.
func (c *catalog) get(id string) (*image, error) {
	found, err := c.known(id)
	if err == nil && found.failure != nil {
		return nil, found.failure
	}
	return found, err
}

func (c *catalog) unknown(text string) error {
	return layerwise.Failed(layerwise.FailureCodeNotFound, "no image %q in the layout%s", text, c.unread())
}

// unread is what the message of a failure ends with that may be due to something
// that was passed over.
func (c *catalog) unread() string {
	if c.broken == nil {
		return ""
	}
	return fmt.Sprintf("; not all of its entries can be read: %v", c.broken)
}

// behind is the one image that some entries lead to.
func (c *catalog) behind(text string, positions []int) (*image, error) {
	starts := map[pointer]bool{}
	var failed error
	for _, position := range positions {
		if at, ok := c.targets[position]; ok && at.err == nil {
			starts[at.to] = true
		} else if failed == nil {
			failed = at.err
		}
	}
	return c.only(text, func(from pointer) bool { return starts[from] }, failed)
}

// only is the one image that some documents lead to; failed is what else there
// was to be followed.
func (c *catalog) only(text string, start func(pointer) bool, failed error) (*image, error) {
	var waiting []pointer
	for _, at := range c.walked {
		if start(at) {
			waiting = append(waiting, at)
		}
	}
	found, seen := map[string]*image{}, map[pointer]bool{}
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
			waiting = append(waiting, c.inner(read)...)
		case read.isImage():
			found[read.Config.Digest] = c.images[read.Config.Digest]
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
func (c *catalog) note(of *image, key, value string) error {
	if len(of.entries) == 0 {
		position, err := c.enter(of)
		if err != nil {
			return err
		}
		of.entries = []int{position}
	}
	for _, position := range of.entries {
		about(c.index, position, of.id)
		c.index.Annotate(position, key, value)
	}
	return nil
}

// enter adds one more entry for an image, with what is noted of it.
func (c *catalog) enter(of *image) (int, error) {
	mark, err := c.keys.Deciding(of.id, of.parent, of.marks)
	if err != nil {
		return 0, err
	}
	from := of.manifests[0].from
	position := c.index.Push(from.kind, from.digest, from.size)
	for _, note := range []struct{ key, value string }{{noteParent, of.parent}, {noteBuilt, mark}} {
		if note.value != "" {
			about(c.index, position, of.id)
			c.index.Annotate(position, note.key, note.value)
		}
	}
	return position, nil
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
