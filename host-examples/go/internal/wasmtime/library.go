// Package wasmtime runs a component through Wasmtime's C API. It knows nothing
// of what the component is for: functions are found by name, and values are the
// dynamic ones of package wit.
//
// The library and its headers are built from the crate in library/ into build/
// by "go generate"; see the package layerwise.
package wasmtime

/*
#cgo CFLAGS: -I${SRCDIR}/build/include
#cgo LDFLAGS: -L${SRCDIR}/build -llayerwise_wasmtime
#cgo linux LDFLAGS: -lm -ldl -lpthread
#cgo darwin LDFLAGS: -framework CoreFoundation
#include "layerwise.h"
*/
import "C"

import (
	"errors"
	"unsafe"
)

// failure takes an error of the library and returns it as one of Go.
func failure(err *C.wasmtime_error_t) error {
	if err == nil {
		return nil
	}
	var message C.wasm_byte_vec_t
	C.wasmtime_error_message(err, &message)
	text := bytesOf(&message)
	C.wasm_byte_vec_delete(&message)
	C.wasmtime_error_delete(err)
	return errors.New(text)
}

func bytesOf(vec *C.wasm_byte_vec_t) string {
	return C.GoStringN((*C.char)(unsafe.Pointer(vec.data)), C.int(vec.size))
}

// chars is a text as the library takes it: not ended by a zero, and only for
// the time of one call.
func chars(text string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text))
}
