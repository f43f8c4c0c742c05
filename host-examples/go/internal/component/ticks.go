package component

import (
	"encoding/binary"
	"errors"
	"slices"
)

// wazero can look in every iteration of a loop whether a call goes on, but leaves the
// machine code for that, which makes decisions up to ten times slower. So the module
// is given a counter: each loop counts it down, and at zero asks the host and begins
// anew. wazero validates what comes out of this as it does any module.

const (
	// tickModule and tickName are the import that is added.
	tickModule, tickName = "layerwise:host/ticks", "tick"
	// tickEvery is how many iterations there are between two ticks: some microseconds.
	tickEvery = 10_000
)

// The sections of a core module, in the order in which they are.
const (
	typeSection     = 1
	importSection   = 2
	functionSection = 3
	globalSection   = 6
	exportSection   = 7
	startSection    = 8
	elementSection  = 9
	codeSection     = 10
)

var sectionOrder = []byte{typeSection, importSection, functionSection, 4, 5, globalSection, exportSection, startSection, elementSection, 12, codeSection, 11}

// ticking is the module with its loops counted.
func ticking(core []byte) ([]byte, error) {
	const version = "\x00asm\x01\x00\x00\x00"
	if len(core) < len(version) || string(core[:len(version)]) != version {
		return nil, errors.New("the core module has another version")
	}
	sections := map[byte][]byte{}
	for r := (&rewriter{in: core, at: len(version)}); r.at < len(core); {
		id := r.byte()
		content := r.take(r.count())
		if r.err != nil {
			return nil, r.err
		}
		// Sections without a meaning are left out.
		if id != 0 {
			sections[id] = content
		}
	}
	r := &rewriter{}
	rewrite := func(id byte, added []byte, each func()) {
		content, there := sections[id]
		if !there && added == nil {
			return
		}
		r.read(content)
		items := uint64(0)
		if there {
			items = r.number()
		}
		r.times(items, each)
		r.flush()
		if added != nil {
			items++
		}
		sections[id] = slices.Concat(uvarint(items), r.out, added)
	}
	types := uint64(0)
	if content, there := sections[typeSection]; there {
		types, _ = binary.Uvarint(content)
	}
	rewrite(typeSection, []byte{0x60, 0, 0}, r.funcType)
	tick := slices.Concat(text(tickModule), text(tickName), []byte{0}, uvarint(types))
	rewrite(importSection, tick, r.imported)
	r.counter = r.globals
	rewrite(globalSection, slices.Concat([]byte{0x7f, 1, 0x41}, varint(tickEvery), []byte{0x0b}), func() {
		r.counter++
		r.take(2)
		r.expression()
	})
	r.check = slices.Concat(
		[]byte{0x23}, uvarint(r.counter), []byte{0x41, 1, 0x6b, 0x24}, uvarint(r.counter), // counter -= 1
		[]byte{0x23}, uvarint(r.counter), []byte{0x45, 0x04, 0x40}, // if counter == 0
		[]byte{0x41}, varint(tickEvery), []byte{0x24}, uvarint(r.counter), // counter = tickEvery
		[]byte{0x10}, uvarint(r.functions), []byte{0x0b}) // tick()
	rewrite(exportSection, nil, r.exported)
	rewrite(elementSection, nil, r.element)
	rewrite(codeSection, nil, r.body)
	if content, there := sections[startSection]; there {
		r.read(content)
		r.function()
		sections[startSection] = r.out
	}
	if r.err != nil {
		return nil, r.err
	}
	out := []byte(version)
	for _, id := range sectionOrder {
		if content, there := sections[id]; there {
			out = append(out, id)
			out = append(binary.AppendUvarint(out, uint64(len(content))), content...)
		}
	}
	return out, nil
}

// rewriter copies a module, and moves the numbers of functions, since there is one
// import more. After an error it only has an end to come to.
type rewriter struct {
	// in is copied to out: all before copied was, and all before at was read.
	in, out    []byte
	at, copied int
	err        error
	// functions and globals are how many are imported; counter is the number of the
	// added global.
	functions, globals, counter uint64
	// check is what each loop begins with.
	check []byte
}

func (r *rewriter) funcType() {
	r.byte()
	r.take(r.count())
	r.take(r.count())
}

func (r *rewriter) imported() {
	r.take(r.count())
	r.take(r.count())
	switch r.byte() {
	case 0:
		r.functions++
		r.leb()
	case 3:
		r.globals++
		r.take(2)
	default:
		r.fail("the core module imports a table or a memory")
	}
}

func (r *rewriter) exported() {
	r.take(r.count())
	if r.byte() == 0 {
		r.function()
	} else {
		r.leb()
	}
}

func (r *rewriter) element() {
	if r.byte() != 0 {
		r.fail("the core module has elements of a kind that is not known")
	}
	r.expression()
	r.times(r.count(), r.function)
}

// body copies the code of a function, which is longer then.
func (r *rewriter) body() {
	size := r.number()
	start := len(r.out)
	all, end := r.in, r.at+int(min(size, uint64(len(r.in))))
	if end > len(all) {
		r.fail("the core module ends early")
		return
	}
	r.in = all[:end]
	r.times(r.count(), func() {
		r.leb()
		r.byte()
	})
	r.expression()
	if r.at != end {
		r.fail("a function has code after its end")
	}
	r.flush()
	r.in = all
	r.out = slices.Insert(r.out, start, uvarint(uint64(len(r.out)-start))...)
}

// expression copies instructions up to the end of the block that they are in.
func (r *rewriter) expression() {
	for depth := 1; depth > 0 && r.err == nil; {
		switch op := r.byte(); {
		case op == 0x0b: // end
			depth--
		case op >= 0x02 && op <= 0x04: // block, loop, if
			depth++
			r.leb()
			if op == 0x03 {
				r.flush()
				r.out = append(r.out, r.check...)
			}
		case op == 0x0e: // br_table
			r.times(r.count(), r.leb)
			r.leb()
		case op == 0x10, op == 0xd2: // call, ref.func
			r.function()
		case op == 0x1c: // select
			r.take(r.count())
		case op == 0x43: // f32.const
			r.take(4)
		case op == 0x44: // f64.const
			r.take(8)
		case op == 0xfc:
			r.immediates(extended(r.count()))
		case op == 0xfd:
			r.vector()
		default:
			r.immediates(plain(op))
		}
	}
}

// plain is how many numbers follow an instruction, -1 for one that is not known.
func plain(op byte) int {
	switch {
	case op <= 0x01, op == 0x05, op == 0x0f, op == 0x1a, op == 0x1b, op >= 0x45 && op <= 0xc4, op == 0xd1:
		return 0
	case op == 0x0c, op == 0x0d, op >= 0x20 && op <= 0x26, op >= 0x3f && op <= 0x42, op == 0xd0:
		return 1
	case op == 0x11, op >= 0x28 && op <= 0x3e:
		return 2
	}
	return -1
}

// extended is the same for those that begin with 0xfc.
func extended(op uint64) int {
	switch {
	case op <= 7:
		return 0
	case op == 9, op == 11, op == 13, op >= 15 && op <= 17:
		return 1
	case op <= 14:
		return 2
	}
	return -1
}

// vector copies what follows 0xfd, an instruction for vectors.
func (r *rewriter) vector() {
	switch op := r.count(); {
	case op <= 11, op == 92, op == 93: // load, store
		r.immediates(2)
	case op == 12, op == 13: // const, shuffle
		r.take(16)
	case op >= 21 && op <= 34: // lanes
		r.byte()
	case op >= 84 && op <= 91: // load, store of lanes
		r.immediates(2)
		r.byte()
	case op > 275:
		r.immediates(-1)
	}
}

func (r *rewriter) immediates(count int) {
	if count < 0 {
		r.fail("the core module has an instruction that is not known")
	}
	for range count {
		r.leb()
	}
}

// function copies the number of a function.
func (r *rewriter) function() {
	n := r.number()
	if n >= r.functions {
		n++
	}
	r.out = binary.AppendUvarint(r.out, n)
}

// read begins with the content of a section.
func (r *rewriter) read(content []byte) { r.in, r.out, r.at, r.copied = content, nil, 0, 0 }

// flush copies what was read.
func (r *rewriter) flush() {
	r.out = append(r.out, r.in[r.copied:r.at]...)
	r.copied = r.at
}

// fail ends the reading.
func (r *rewriter) fail(why string) {
	if r.err == nil {
		r.err = errors.New(why)
	}
}

// times does something some times, or until it fails.
func (r *rewriter) times(count uint64, each func()) {
	for ; count > 0 && r.err == nil; count-- {
		each()
	}
}

// take reads some bytes.
func (r *rewriter) take(count uint64) []byte {
	if count > uint64(len(r.in)-r.at) {
		r.fail("the core module ends early")
		return nil
	}
	from := r.at
	r.at += int(count)
	return r.in[from:r.at]
}

// byte reads a byte.
func (r *rewriter) byte() byte {
	if r.at >= len(r.in) {
		r.fail("the core module ends early")
		return 0
	}
	r.at++
	return r.in[r.at-1]
}

// count reads a number.
func (r *rewriter) count() uint64 {
	n, read := binary.Uvarint(r.in[r.at:])
	if read <= 0 {
		r.fail("the core module ends early")
		return 0
	}
	r.at += read
	return n
}

// number reads a number that is not copied.
func (r *rewriter) number() uint64 {
	r.flush()
	n := r.count()
	r.copied = r.at
	return n
}

// leb reads a number of any size and sign.
func (r *rewriter) leb() {
	for r.byte() >= 0x80 {
	}
}

func uvarint(n uint64) []byte { return binary.AppendUvarint(nil, n) }

func text(of string) []byte { return append(uvarint(uint64(len(of))), of...) }

// varint is a positive number as a signed one.
func varint(n int32) (out []byte) {
	for n >= 0x40 {
		out = append(out, byte(n&0x7f)|0x80)
		n >>= 7
	}
	return append(out, byte(n))
}
