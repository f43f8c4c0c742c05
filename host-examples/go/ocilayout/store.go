//go:build unix

// Package ocilayout is an image store over an OCI image layout directory.
//
// An image is a manifest that index.json leads to, directly or through nested
// indexes, and whose config is an image config; its id is the digest of the
// config. What a layout cannot say is kept in annotations of the image's
// entries: dev.layerwise.parent and dev.layerwise.built-here, with
// dev.layerwise.image, the id they are about. Where an entry was copied to
// another image, as some tools do, the notes mean nothing. Whether an image was
// built here is a mark made with a key of this user: one that came with a layout
// means nothing.
//
// An entry that notes something of an image tells of that image even when its
// manifest is missing or damaged, or its own members are: the image is listed
// under its parent, and reading its document fails. Without such a note nothing
// says that there is an image; the entry is passed over, and what cannot be
// found names it. When the blobs cannot be looked up at all, all calls fail.
package ocilayout

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf8"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/below"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
	"layerwise.dev/layerwise/internal/marks"
	"layerwise.dev/layerwise/internal/reference"
)

// The annotations of this project.
const (
	noteImage  = "dev.layerwise.image"
	noteParent = "dev.layerwise.parent"
	noteBuilt  = "dev.layerwise.built-here"
	fullName   = "io.containerd.image.name"
)

// Store is the images of a layout directory. It may be used from several
// goroutines.
type Store struct {
	layerwise.WithoutRecords
	layout *layout.Layout
	marks  marks.Marks
}

var _ layerwise.ImageStore = (*Store)(nil)

// Options say how a layout is opened.
type Options struct {
	// MarksKey is the file with the key of marks: of images that were built here.
	// Empty is LAYERWISE_MARKS_KEY, or else $XDG_STATE_HOME/layerwise/marks.key.
	MarksKey string
	// NoMarks opens it without a key, so that no mark holds.
	NoMarks bool
	// Below is a directory that the path is relative to and stays below, without
	// links on the way; empty for none.
	Below string
}

// Open opens a layout.
func Open(directory string) (*Store, error) { return Options{}.Open(directory) }

// Open opens a layout.
func (o Options) Open(directory string) (*Store, error) {
	root, err := o.directory(directory)
	if err != nil {
		return nil, err
	}
	opened, err := layout.OpenIn(root)
	if err != nil {
		return nil, err
	}
	return o.over(opened), nil
}

func (o Options) directory(path string) (*below.Dir, error) {
	if o.Below == "" {
		return below.Open(path)
	}
	if !filepath.IsLocal(path) {
		return nil, layerwise.Failed(layerwise.FailureCodeDenied, "%q is not below %q", path, o.Below)
	}
	top, err := below.Open(o.Below)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	if path = filepath.Clean(path); path == "." {
		return top.Enter()
	}
	return top.Enter(strings.Split(path, "/")...)
}

// Init makes an empty layout where nothing is yet, or opens the one there.
func Init(ctx context.Context, directory string) (*Store, error) {
	opened, err := layout.Create(ctx, directory)
	if err != nil {
		return nil, err
	}
	return Options{}.over(opened), nil
}

// over is a store over a layout that is open.
func (o Options) over(opened *layout.Layout) *Store {
	key := o.MarksKey
	if key == "" && !o.NoMarks {
		key = marks.UserKeyFile()
	}
	return &Store{layout: opened, marks: marks.Marks{KeyFile: key}}
}

// Close closes the directory.
func (s *Store) Close() error { return s.layout.Close() }

// IDs returns the ids of all images, in ascending order.
func (s *Store) IDs() ([]string, error) {
	images, err := s.read()
	if err != nil {
		return nil, err
	}
	return images.order, nil
}

// Tag gives an image a name, taking it from another one.
func (s *Store) Tag(ctx context.Context, id, name string) error {
	if !reference.IsName(name) {
		return layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not a name an image layout can hold", name)
	}
	return s.update(ctx, func(images *catalog) error {
		image, err := images.get(id)
		if err != nil {
			return err
		}
		images.index.Name(name, image.entries, func() (position int) {
			position, err = images.enter(image)
			return position
		})
		return err
	})
}

// SetBuiltHere notes whether an image was built here, which only the program
// that builds can know. The first mark of this user makes the key of marks.
func (s *Store) SetBuiltHere(ctx context.Context, id string, built bool) error {
	return s.update(ctx, func(images *catalog) error {
		image, err := images.get(id)
		if err != nil {
			return err
		}
		mark := marks.Elsewhere
		if built {
			if mark, err = s.marks.Make(id, image.parent); err != nil {
				return err
			}
		}
		return images.note(image, noteBuilt, mark)
	})
}

// IgnoredMarks counts the marks in the layout that were not made here, and mean
// nothing. Once they were checked, "layerwise docker adopt" makes them anew.
func (s *Store) IgnoredMarks() (int, error) {
	images, err := s.read()
	if err != nil {
		return 0, err
	}
	return images.ignored()
}

// Get implements [layerwise.ImageStore].
func (s *Store) Get(ctx context.Context, ids []string, want layerwise.ImageFacts, limit uint64) []layerwise.Result[layerwise.Image] {
	answers := make([]layerwise.Result[layerwise.Image], 0, len(ids))
	images, err := s.read()
	room := limit
	for _, id := range ids {
		answer := layerwise.Result[layerwise.Image]{Err: err}
		if err == nil {
			var image *image
			if image, answer.Err = images.known(id); answer.Err == nil {
				size := uint64(0)
				if want.Document {
					size = image.config.Size
				}
				if size <= limit && size > room {
					return answers
				}
				if size <= limit {
					room -= size
				}
				answer.Value, answer.Err = s.image(ctx, images, image, want, limit)
			}
		}
		answers = append(answers, answer)
	}
	return answers
}

// Resolve implements [layerwise.ImageStore].
func (s *Store) Resolve(ctx context.Context, references []string, limit uint64) []layerwise.Result[layerwise.Image] {
	answers := make([]layerwise.Result[layerwise.Image], len(references))
	images, err := s.read()
	for i, text := range references {
		if answers[i].Err = err; err != nil {
			continue
		}
		var found *image
		if found, answers[i].Err = images.find(text); answers[i].Err == nil {
			answers[i].Value, answers[i].Err = s.image(ctx, images, found, layerwise.ImageFacts{Document: true}, limit)
		}
	}
	return answers
}

// Children implements [layerwise.ImageStore].
func (s *Store) Children(_ context.Context, parent *string) ([]string, error) {
	images, err := s.read()
	if err != nil {
		return nil, err
	}
	children := []string{}
	for _, id := range images.order {
		recorded := images.any(id).parent
		if (parent == nil && recorded == "") || (parent != nil && recorded == *parent && recorded != "") {
			children = append(children, id)
		}
	}
	return children, nil
}

// SetParent implements [layerwise.ImageStore].
func (s *Store) SetParent(ctx context.Context, target, parent string) error {
	return s.update(ctx, func(images *catalog) error {
		image, err := images.get(target)
		if err != nil {
			return err
		}
		if _, err := images.get(parent); err != nil {
			return err
		}
		return images.putOn(image, parent)
	})
}

// Create implements [layerwise.ImageStore]. A crash leaves at most two blobs
// that nobody refers to.
func (s *Store) Create(ctx context.Context, parent *string, document string, layer *string) (string, error) {
	id := digests.Of([]byte(document))
	diffs, err := diffIDs([]byte(document))
	if err != nil {
		return "", err
	}
	if layer != nil && (len(diffs) == 0 || diffs[len(diffs)-1] != *layer) {
		return "", layerwise.Failed(layerwise.FailureCodeInvalid, "the layer %q is not the last one of the document", *layer)
	}
	// Blobs are stored before the index is locked: the lock is one of all
	// writers, and blobs that turn out not to be needed are harmless.
	images, err := s.read()
	if err != nil {
		return "", err
	}
	var above *image
	if parent != nil {
		if above, err = images.get(*parent); err != nil {
			return "", err
		}
	}
	if _, err := s.layout.StoreBytes(ctx, []byte(document)); err != nil {
		return "", err
	}
	var entry layout.Descriptor
	if _, there := images.images[id]; !there {
		if entry, err = s.manifest(ctx, images, above, id, document, diffs); err != nil {
			return "", err
		}
	}
	// An entry whose blobs were gone leads to this image again: its notes are old.
	again := entry.Digest != "" && len(images.index.Positions(entry.Digest)) > 0
	return id, s.update(ctx, func(images *catalog) error {
		if parent != nil {
			if _, err := images.get(*parent); err != nil {
				return err
			}
		}
		if there, ok := images.images[id]; ok && !again {
			if parent != nil {
				return images.putOn(there, *parent)
			}
			return nil
		}
		if entry.Digest == "" {
			return layerwise.Failed(layerwise.FailureCodeConflict, "image %s was taken away meanwhile", id)
		}
		positions := images.index.Positions(entry.Digest)
		if len(positions) == 0 {
			positions = []int{images.index.Push(entry.MediaType, entry.Digest, entry.Size)}
		}
		for _, position := range positions {
			about(images.index, position, id)
			if parent != nil {
				images.index.Annotate(position, noteParent, *parent)
			} else {
				images.index.Unannotate(position, noteParent)
			}
			images.index.Annotate(position, noteBuilt, marks.Elsewhere)
		}
		return nil
	})
}

// manifest stores the manifest of a new image: its layers are those the layout
// has under the diff ids, in the parent first.
func (s *Store) manifest(ctx context.Context, images *catalog, parent *image, id, document string, diffs []string) (layout.Descriptor, error) {
	layers, err := s.layers(images, parent, diffs)
	if err != nil {
		return layout.Descriptor{}, err
	}
	text := []byte{}
	text = append(text, `{"schemaVersion":2,"mediaType":"`+layout.Manifest+`","config":`...)
	text = appendDescriptor(text, layout.Descriptor{MediaType: layout.Config, Digest: id, Size: uint64(len(document))})
	text = append(text, `,"layers":[`...)
	for i, layer := range layers {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendDescriptor(text, layer)
	}
	text = append(text, "]}"...)
	digest, err := s.layout.StoreBytes(ctx, text)
	return layout.Descriptor{MediaType: layout.Manifest, Digest: digest, Size: uint64(len(text))}, err
}

func (s *Store) image(ctx context.Context, images *catalog, from *image, want layerwise.ImageFacts, limit uint64) (layerwise.Image, error) {
	answer := layerwise.Image{ID: from.id, Built: layerwise.ProvenanceUnknown}
	if err := ctx.Err(); err != nil {
		return answer, err
	}
	if want.Document {
		if from.failure != nil {
			return answer, from.failure
		}
		data, err := s.layout.ReadBlob(from.id, from.config.Size, limit)
		if err != nil {
			return answer, err
		}
		if !utf8.Valid(data) {
			return answer, layerwise.Failed(layerwise.FailureCodeCorrupt, "the document of image %s is not utf-8", from.id)
		}
		text := string(data)
		answer.Document = &text
	}
	if want.Parent && from.parent != "" {
		if !digests.Is(from.parent) {
			return answer, layerwise.Failed(layerwise.FailureCodeCorrupt, "image %s has %q for its parent, which is not an image id", from.id, from.parent)
		}
		answer.Parent = &from.parent
	}
	if want.Built {
		built, err := images.built(from)
		if err != nil {
			return answer, err
		}
		answer.Built = built
	}
	return answer, nil
}

func (s *Store) read() (*catalog, error) {
	index, _, err := s.layout.Index()
	if err != nil {
		return nil, err
	}
	return readCatalog(s.layout, s.marks, index)
}

func (s *Store) update(ctx context.Context, change func(*catalog) error) error {
	return s.layout.Update(ctx, func(index *layout.Index) error {
		images, err := readCatalog(s.layout, s.marks, index)
		if err != nil {
			return err
		}
		return change(images)
	})
}

// diffIDs are the diff ids of a config document.
func diffIDs(document []byte) ([]string, error) {
	var config struct {
		RootFS *struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(document, &config); err != nil || config.RootFS == nil {
		if err == nil {
			err = errors.New("it has no rootfs")
		}
		return nil, layerwise.Failed(layerwise.FailureCodeInvalid, "the document is not an image config: %v", err)
	}
	for _, diff := range config.RootFS.DiffIDs {
		if !digests.Is(diff) {
			return nil, layerwise.Failed(layerwise.FailureCodeInvalid, "the document has %q for a diff id", diff)
		}
	}
	return config.RootFS.DiffIDs, nil
}

// find finds an image by its id, the digest of a manifest, a name as it is, a
// name as Docker completes it, or the beginning of its id.
func (c *catalog) find(text string) (*image, error) {
	named, err := reference.Parse(text)
	if err == nil && named.ID != "" {
		if c.any(named.ID) != nil {
			return c.get(named.ID)
		}
		return c.only(text, func(from pointer) bool { return from.digest == named.ID }, nil)
	}
	for _, wanted := range []struct{ key, name string }{{layout.RefName, text}, {fullName, named.Full()}} {
		positions := []int{}
		for position := range c.index.Len() {
			if name, ok := c.index.Annotation(position, wanted.key); ok && name == wanted.name && name != "" {
				positions = append(positions, position)
			}
		}
		if len(positions) > 0 {
			return c.behind(text, positions)
		}
	}
	return c.complete(text)
}

// complete finds the one image whose id begins like a text.
func (c *catalog) complete(text string) (*image, error) {
	algorithm, digits, given := strings.Cut(text, ":")
	if !given {
		algorithm, digits = "", text
	}
	if digits == "" || strings.Trim(digits, "0123456789abcdef") != "" {
		return nil, c.unknown(text)
	}
	found := ""
	for _, id := range c.order {
		of, rest, _ := strings.Cut(id, ":")
		if (given && algorithm != of) || !strings.HasPrefix(rest, digits) {
			continue
		}
		if found != "" {
			return nil, layerwise.Failed(layerwise.FailureCodeNotFound, "several image ids begin with %q", text)
		}
		found = id
	}
	if found == "" {
		return nil, c.unknown(text)
	}
	return c.get(found)
}

func sortedKeys[V any](of map[string]V) []string {
	keys := make([]string, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
