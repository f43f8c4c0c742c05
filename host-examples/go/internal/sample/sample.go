// Package sample holds images in memory, for demonstrations, tests and
// benchmarks: a base that was pulled, and a step that was built on it here.
package sample

import (
	"context"
	"fmt"
	"sort"
	"sync"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
)

// Configs of steps.
const (
	// Make is that of `RUN make`, which was built here.
	Make = `{"Env":["PATH=/bin","MODE=fast"],"Cmd":["/bin/sh","-c","make"]}`
	// Changed is the same step in another environment.
	Changed = `{"Env":["PATH=/bin","MODE=safe"],"Cmd":["/bin/sh","-c","make"]}`
	// Test is that of `RUN make test`, which ran elsewhere only.
	Test = `{"Env":["PATH=/bin","MODE=fast"],"Cmd":["/bin/sh","-c","make test"]}`
)

const (
	baseLayer = `"sha256:1111111111111111111111111111111111111111111111111111111111111111"`
	baseEntry = `{"created":"2026-01-01T00:00:00Z","created_by":"ADD rootfs.tar /"}`
	base      = `{"architecture":"amd64","created":"2026-01-01T00:00:00Z","history":[` + baseEntry +
		`],"os":"linux","rootfs":{"type":"layers","diff_ids":[` + baseLayer + `]}}`
	app = `{"architecture":"amd64","created":"2026-01-03T00:00:00Z","history":[` + baseEntry +
		`,{"created":"2026-01-02T00:00:00Z","created_by":"/bin/sh -c make test"}` +
		`,{"created":"2026-01-03T00:00:00Z","created_by":"/bin/sh -c make install"}],"os":"linux",` +
		`"rootfs":{"type":"layers","diff_ids":[` + baseLayer +
		`,"sha256:2222222222222222222222222222222222222222222222222222222222222222"` +
		`,"sha256:3333333333333333333333333333333333333333333333333333333333333333"]}}`
)

// Platform is what the samples are for.
var Platform = layerwise.Platform{OS: "linux", Architecture: "amd64"}

// Images is an image store in memory.
type Images struct {
	layerwise.WithoutRecords
	mutex  sync.Mutex
	images map[string]layerwise.Image
	names  map[string]string
}

var _ layerwise.ImageStore = (*Images)(nil)

// New makes a store with the samples in it, and returns the id of the base. The
// image "app:1" was built elsewhere on the same base.
func New() (images *Images, baseID string) {
	images = &Images{images: map[string]layerwise.Image{}, names: map[string]string{}}
	baseID = images.Add(base, nil, layerwise.ProvenanceElsewhere)
	images.names["base:1"] = baseID
	images.names["app:1"] = images.Add(app, nil, layerwise.ProvenanceElsewhere)
	images.Add(Built(Make, 0), &baseID, layerwise.ProvenanceBuiltHere)
	return images, baseID
}

// Built is the document of an image that a step with a config makes on the base;
// the number tells many of them apart.
func Built(config string, number int) string {
	return fmt.Sprintf(`{"architecture":"amd64","container_config":%s,"created":"2026-01-02T00:00:00Z","history":[%s,`+
		`{"created":"2026-01-02T00:00:00Z","created_by":"/bin/sh -c make"}],"os":"linux","rootfs":{"type":"layers",`+
		`"diff_ids":[%s,"sha256:%064x"]}}`, config, baseEntry, baseLayer, 0x44440000+number)
}

// Add stores an image.
func (s *Images) Add(document string, parent *string, built layerwise.Provenance) string {
	id := digests.Of([]byte(document))
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.images[id] = layerwise.Image{ID: id, Document: &document, Parent: parent, Built: built}
	return id
}

// Get implements [layerwise.ImageStore].
func (s *Images) Get(_ context.Context, ids []string, want layerwise.ImageFacts, limit uint64) []layerwise.Result[layerwise.Image] {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var answers []layerwise.Result[layerwise.Image]
	for _, id := range ids {
		found, ok := s.images[id]
		if !ok {
			answers = append(answers, layerwise.Result[layerwise.Image]{Err: unknown(id)})
			continue
		}
		if !want.Document {
			found.Document = nil
		} else if size := uint64(len(*found.Document)); size > limit {
			if len(answers) > 0 {
				return answers
			}
			answers = append(answers, layerwise.Result[layerwise.Image]{Err: layerwise.Failed(layerwise.FailureCodeTooLarge, "image %s has %d bytes", id, size)})
			continue
		} else {
			limit -= size
		}
		answers = append(answers, layerwise.Result[layerwise.Image]{Value: found})
	}
	return answers
}

// Resolve implements [layerwise.ImageStore].
func (s *Images) Resolve(_ context.Context, references []string, _ uint64) []layerwise.Result[layerwise.Image] {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	answers := make([]layerwise.Result[layerwise.Image], len(references))
	for i, reference := range references {
		found, ok := s.images[s.names[reference]]
		if !ok {
			if found, ok = s.images[reference]; !ok {
				answers[i].Err = unknown(reference)
				continue
			}
		}
		answers[i].Value = layerwise.Image{ID: found.ID, Document: found.Document, Built: layerwise.ProvenanceUnknown}
	}
	return answers
}

// Children implements [layerwise.ImageStore].
func (s *Images) Children(_ context.Context, parent *string) ([]string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	children := []string{}
	for id, found := range s.images {
		if (parent == nil) == (found.Parent == nil) && (parent == nil || *parent == *found.Parent) {
			children = append(children, id)
		}
	}
	sort.Strings(children)
	return children, nil
}

// SetParent implements [layerwise.ImageStore].
func (s *Images) SetParent(_ context.Context, target, parent string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, ok := s.images[target]
	if !ok {
		return unknown(target)
	}
	found.Parent = &parent
	s.images[target] = found
	return nil
}

// Create implements [layerwise.ImageStore].
func (s *Images) Create(_ context.Context, parent *string, document string, _ *string) (string, error) {
	return s.Add(document, parent, layerwise.ProvenanceElsewhere), nil
}

func unknown(name string) error {
	return layerwise.Failed(layerwise.FailureCodeNotFound, "no image %q", name)
}
