// Package layerwise decides what a container build may reuse, and says why.
//
// The decisions are those of a WebAssembly component, which is part of this
// package. It reaches nothing by itself: a host lends it an image store, a
// registry and a file system, each a Go interface. An [Engine] is the compiled
// component, an [Instance] is one instance of it with what it was lent and its
// limits; a package for each system, such as docker, opens sessions in
// an instance. The packages ocilayout, dirfs and ociregistry hold ready-made
// things to lend.
//
// # Building
//
// In the repository the component is built by
//
//	go generate .
//
// which needs Rust. Nothing needs cgo.
//
// # Errors
//
// What the component refuses is a [*Problem], and [*LimitError] where a cap was
// met; both match the sentinels such as [ErrNotFound]. An instance that trapped
// or met a limit of its own is a [*Stopped]: nothing in it can be used any
// more, and calls answer [ErrDead].
package layerwise

import _ "embed"

//go:generate go run ./internal/witgen ../../wit .
//go:generate cargo run --quiet --manifest-path ../../Cargo.toml --package layerwise-component -- component/layerwise.wasm

// Version is the version of the component and of this package.
const Version = "0.1.0"

//go:embed component/layerwise.wasm
var shipped []byte

// Component returns the bytes of the component. They must not be changed.
func Component() []byte { return shipped }

// Result is one answer of many: a value, or why there is none.
type Result[T any] struct {
	Value T
	Err   error
}
