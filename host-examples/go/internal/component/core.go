package component

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// A component binary is a header and sections: a byte that says what is in it, a
// length, and the content.
var header = []byte{0, 'a', 's', 'm', 0x0d, 0, 1, 0}

// coreModules is the section that holds a core module.
const coreModule = 1

// core is the core module of a component that has its functions: the first one. The
// others that the tools put into a component only connect it to its imports, which is
// what this package does itself.
func core(component []byte) ([]byte, error) {
	rest, isComponent := bytes.CutPrefix(component, header)
	if !isComponent {
		return nil, errors.New("it is no WebAssembly component")
	}
	for len(rest) > 0 {
		kind := rest[0]
		length, read := binary.Uvarint(rest[1:])
		if read <= 0 || length > uint64(len(rest)-1-read) {
			return nil, fmt.Errorf("a section is longer than the component, %d bytes from its end", len(rest))
		}
		content := rest[1+read:]
		if kind == coreModule {
			return content[:length], nil
		}
		rest = content[length:]
	}
	return nil, errors.New("it has no core module")
}
