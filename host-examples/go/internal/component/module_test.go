package component

import (
	"encoding/binary"
	"slices"
)

// module is a core module that answers what a test wants.
type module struct {
	functions []function
	// memory are its first bytes; it has one page.
	memory []byte
}

// function is an export whose body is code.
type function struct {
	name            string
	params, results string
	code            []byte
}

const (
	opUnreachable = 0x00
	opLoop        = 0x03
	opBranch      = 0x0c
	opEnd         = 0x0b
	opConst       = 0x41
	noResult      = 0x40
)

// returning is the code that returns a number.
func returning(n uint32) []byte { return append([]byte{opConst}, signed32(int32(n))...) }

// forever is the code of a loop without an end.
func forever() []byte { return []byte{opLoop, noResult, opBranch, 0, opEnd, opUnreachable} }

// component is a component around it.
func (m module) component() []byte {
	var types, functions, exports, codes [][]byte
	for i, f := range m.functions {
		types = append(types, append([]byte{0x60}, slices.Concat(valueTypes(f.params), valueTypes(f.results))...))
		functions = append(functions, number(uint64(i)))
		exports = append(exports, slices.Concat(counted([]byte(f.name)), []byte{0}, number(uint64(i))))
		codes = append(codes, counted(slices.Concat([]byte{0}, f.code, []byte{opEnd})))
	}
	exports = append(exports, slices.Concat(counted([]byte("memory")), []byte{2, 0}))
	data := slices.Concat([]byte{0, opConst, 0, opEnd}, counted(m.memory))
	core := slices.Concat([]byte{0, 'a', 's', 'm', 1, 0, 0, 0},
		section(1, types), section(3, functions), section(5, [][]byte{{0, 1}}),
		section(7, exports), section(10, codes), section(11, [][]byte{data}))
	return slices.Concat(header, []byte{coreModule}, counted(core))
}

func section(id byte, items [][]byte) []byte {
	return append([]byte{id}, counted(append(number(uint64(len(items))), slices.Concat(items...)...))...)
}

func counted(bytes []byte) []byte { return append(number(uint64(len(bytes))), bytes...) }

func number(n uint64) []byte { return binary.AppendUvarint(nil, n) }

func signed32(n int32) (out []byte) {
	for {
		low := byte(n & 0x7f)
		if n >>= 7; n == 0 && low&0x40 == 0 || n == -1 && low&0x40 != 0 {
			return append(out, low)
		}
		out = append(out, low|0x80)
	}
}

func valueTypes(of string) []byte {
	out := number(uint64(len(of)))
	for _, one := range of {
		out = append(out, map[rune]byte{'i': 0x7f, 'l': 0x7e, 'f': 0x7d, 'd': 0x7c}[one])
	}
	return out
}

// words are numbers as they are in memory.
func words(of ...uint32) (out []byte) {
	for _, word := range of {
		out = binary.LittleEndian.AppendUint32(out, word)
	}
	return out
}
