package main

import (
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"strings"
)

// draw makes JSON texts at random, the odd ones among them.
type draw struct {
	*rand.Rand
	// folded allows what the guarded reading refuses: names in another letter
	// case, repeated names, lone surrogates.
	folded bool
}

func (d draw) chance(percent int) bool { return d.Intn(100) < percent }

func pick[T any](d draw, from []T) T { return from[d.Intn(len(from))] }

var pieces = []string{
	"a", "b", "Z", "0", "9", "_", "-", ".", " ", "  ", "/", "'", "#", "=", "[", "]", "{", "}", ",", "<", ">", "&",
	"é", "ü", "€", "日本", "😀", "\u007f", "\u0080", "\u009f", "\u00a0", "\u2028", "\u2029", "\ufeff", "\ufffd", "\U0010ffff", "K", "ſ",
	"\u0000", "\u0001", "\b", "\t", "\n", "\v", "\f", "\r", "\u001b", "\u001f", "\"", "\\", "true", "inf", "nan", "1979-05-27",
}

// words draws a short text.
func (d draw) words() string {
	var b strings.Builder
	for n := d.Intn(5); n > 0; n-- {
		b.WriteString(pick(d, pieces))
	}
	return b.String()
}

var names = []string{
	"a", "b", "c", "A", "k1", "key", "key-2", "key_3", "10", "1", "2", "-", "_", "true", "inf", "1e3", "1979-05-27",
	"metadata", "build", "launch", "cache", "types", "sha", "data", "layers", "store", "a.b", "a b", "", "é", "ключ", "😀",
}

func (d draw) name() string {
	if d.chance(30) {
		return d.words()
	}
	return pick(d, names)
}

// quote writes a JSON string, each character in one of the ways there are.
func (d draw) quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		short := strings.IndexRune("\"\\\b\f\n\r\t", r)
		switch {
		case short >= 0 && d.chance(80):
			b.WriteByte('\\')
			b.WriteByte("\"\\bfnrt"[short])
		case r == '/' && d.chance(30):
			b.WriteString(`\/`)
		case r < 0x20 || r == '"' || r == '\\' || d.chance(5):
			if r > 0xffff {
				r -= 0x10000
				fmt.Fprintf(&b, `\u%04x\u%04X`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			} else if d.chance(50) {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				fmt.Fprintf(&b, `\u%04X`, r)
			}
		default:
			b.WriteRune(r)
		}
	}
	if d.folded && d.chance(2) {
		b.WriteString(pick(d, []string{`\ud800`, `\udc00`, `\ud800\ud800`, `\ud83dx`, `\udc00\ud800`, `\ud800\u0041`, `\ud800\udbff\udc00`}))
	}
	b.WriteByte('"')
	return b.String()
}

func (d draw) space() string {
	if d.chance(90) {
		return ""
	}
	return pick(d, []string{" ", "\n", "\t", "\r", "  \n "})
}

var numbers = []string{
	"0", "-0", "1", "-1", "1.0", "1.5", "-0.0", "10", "42", "100000", "999999", "999999.5", "1000000", "1000001", "-1000000",
	"1e5", "1e6", "1E+6", "12345678", "1234567.125", "0.1", "0.0001", "0.00012", "0.00001", "1e-5", "-1e-5", "1e20", "1e21",
	"123456789012345678901234567890", "9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
	"18446744073709551616", "1.7976931348623157e308", "5e-324", "1e-400", "2.2250738585072014e-308", "0.30000000000000004",
	"100e-2", "0e5", "0.000e-7", "3.0e0", "4.35", "1e15", "1e16", "123456.7", "0.99999", "99999.99999999999",
}

func (d draw) number() string {
	if d.Intn(400) == 0 {
		return pick(d, []string{"1e400", "-1e309", "1.7976931348623158e308", "1.797693134862315808e308", "1.7976931348623159e308"})
	}
	switch d.Intn(6) {
	case 0:
		return strconv.Itoa(d.Intn(2000) - 1000)
	case 2:
		// Often two shortest texts are equally near.
		return strconv.FormatUint(d.Uint64()>>(d.Intn(18)), 10) + pick(d, []string{"", ".25", ".75", ".125", ".5"})
	case 1:
		f := math.Float64frombits(d.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return "7"
		}
		return strconv.FormatFloat(f, pick(d, []byte("eEfg")), -1, 64)
	default:
		return pick(d, numbers)
	}
}

// value draws a JSON value; null may be in a list only where nulls says so.
func (d draw) value(depth int, inList, nulls bool) string {
	kind := d.Intn(100)
	if depth <= 0 {
		kind %= 50
	}
	switch {
	case kind < 6 && (!inList || nulls):
		return "null"
	case kind < 14:
		return pick(d, []string{"true", "false"})
	case kind < 28:
		return d.number()
	case kind < 50:
		return d.quote(d.words())
	case kind < 70:
		return d.list(depth, nulls)
	default:
		return d.object(depth, nulls)
	}
}

func (d draw) list(depth int, nulls bool) string {
	var items []string
	kind := d.Intn(4)
	for n := d.Intn(4); n > 0; n-- {
		switch kind {
		case 0:
			items = append(items, d.object(depth-1, nulls))
		case 1:
			items = append(items, d.number())
		default:
			items = append(items, d.value(depth-1, true, nulls))
		}
	}
	return d.joined("[", items, "]")
}

func (d draw) object(depth int, nulls bool) string {
	var members []string
	seen := map[string]bool{}
	for n := d.Intn(5); n > 0; n-- {
		name := d.name()
		if seen[name] && !d.chance(20) {
			continue
		}
		seen[name] = true
		members = append(members, d.member(name, d.value(depth-1, false, nulls)))
	}
	return d.joined("{", members, "}")
}

func (d draw) member(name, value string) string {
	return d.space() + d.quote(name) + d.space() + ":" + d.space() + value + d.space()
}

func (d draw) joined(open string, items []string, end string) string {
	return d.space() + open + d.space() + strings.Join(items, d.space()+","+d.space()) + d.space() + end + d.space()
}

// known writes an object with known members, some of them left out or null.
func (d draw) known(members [][2]string) string {
	var texts []string
	add := func(m [2]string) {
		name := m[0]
		if d.folded && d.chance(10) {
			name = d.fold(name)
		}
		if d.chance(3) {
			m[1] = "null"
		}
		if d.chance(1) && d.chance(40) {
			m[1] = d.value(1, false, true)
		}
		texts = append(texts, d.member(name, m[1]))
	}
	for _, m := range members {
		if d.chance(94) {
			add(m)
		}
		if d.folded && d.chance(8) {
			add(m)
		}
	}
	if d.chance(8) {
		texts = append(texts, d.member("x"+d.words(), d.value(2, false, true)))
	}
	if d.chance(30) {
		d.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
	}
	return d.joined("{", texts, "}")
}

func (d draw) fold(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r == 'k' && d.chance(20):
			r = '\u212a'
		case r == 's' && d.chance(20):
			r = '\u017f'
		case d.chance(40):
			r = []rune(strings.ToUpper(string(r)))[0]
		}
		b.WriteRune(r)
	}
	return b.String()
}
