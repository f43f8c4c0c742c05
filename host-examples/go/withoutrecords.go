package layerwise

import "context"

// WithoutRecords is for image stores that are not containerd's to embed: what only
// that one has is unsupported.
type WithoutRecords struct{}

// Records implements [ImageStore].
func (WithoutRecords) Records(_ context.Context, wanted []Selector) []Result[[]ImageRecord] {
	return unsupported[[]ImageRecord](len(wanted))
}

// Documents implements [ImageStore].
func (WithoutRecords) Documents(_ context.Context, digests []string, _ uint64) []Result[Document] {
	return unsupported[Document](len(digests))
}

// Labelled implements [ImageStore].
func (WithoutRecords) Labelled(_ context.Context, labels []Annotation) []Result[*Descriptor] {
	return unsupported[*Descriptor](len(labels))
}

// Put implements [ImageStore].
func (WithoutRecords) Put(context.Context, []Document, []ImageRecord) error { return noRecords() }

func noRecords() error {
	return Failed(FailureCodeUnsupported, "the image store has no records of containerd")
}

func unsupported[T any](count int) []Result[T] {
	results := make([]Result[T], count)
	for i := range results {
		results[i].Err = noRecords()
	}
	return results
}
