package main

import "strings"

// toml draws the text of a store.toml; about half of them are none.
func (d draw) toml() string {
	var b strings.Builder
	if d.chance(3) {
		b.WriteString("\ufeff")
	}
	end := pick(d, []string{"\n", "\n", "\n", "\r\n"})
	for n := d.Intn(6); n > 0; n-- {
		b.WriteString(d.blank())
		switch d.Intn(8) {
		case 0:
			b.WriteString("[" + d.blank() + d.key() + d.blank() + "]")
		case 1:
			b.WriteString("[[" + d.blank() + d.key() + d.blank() + "]]")
		case 2:
			b.WriteString(pick(d, []string{"", "# x", "#", "# \t é", "#\u007f", "# \u0000", "#\r", "# \u0080"}))
		default:
			b.WriteString(d.line(3, false))
		}
		b.WriteString(d.blank())
		if d.chance(10) {
			b.WriteString("# x")
		}
		if n > 1 || d.chance(80) {
			b.WriteString(end)
		}
	}
	text := b.String()
	if d.chance(25) {
		text = *d.spoilToml(text)
	}
	return text
}

func (d draw) spoilToml(s string) *string {
	runes := []rune(s)
	if len(runes) == 0 {
		return &s
	}
	at := d.Intn(len(runes))
	junk := []rune(pick(d, []string{
		"", "\n", "\r", "\r\n", "\t", " ", "\"", "'", "=", "[", "]", "{", "}", ",", ".", "_", "-", "+", "0", "1", "e", "#", "\\", "\\\n", "\\ \n", "x", "\u0000", "é",
		":", "T", "Z", "''", "\"\"", "inf", "a", "b",
	}))
	if d.chance(50) {
		s = string(runes[:at]) + string(junk) + string(runes[at:])
	} else {
		s = string(runes[:at]) + string(junk) + string(runes[at+1:])
	}
	return &s
}

func (d draw) blank() string { return pick(d, []string{"", "", "", "", " ", "\t", "  "}) }

func (d draw) key() string {
	parts := []string{d.part()}
	for d.chance(35) && len(parts) < 4 {
		parts = append(parts, d.part())
	}
	return strings.Join(parts, pick(d, []string{".", ".", ".", " . ", ".\t"}))
}

func (d draw) part() string {
	if d.chance(85) {
		return pick(d, []string{"a", "b", "c"})
	}
	return pick(d, []string{
		"metadata", "\"a\"", "'b'", "\"\"", "''", "1", "-", "_", "1e3", "inf", "\"a.b\"", "'a.b'", "\"\\u0061\"", "\"\\x61\"", "\"\\e\"", "é", "\"é\"", "a b", "",
		"\"\\\\\"", "'\\'", "\"x\ny\"", "\"\"\"a\"\"\"", "'''a'''", "\"\\q\"", "a#b", "\"#\"", "\"a b\"", "+", "A", "\"\\u0000\"",
	})
}

func (d draw) line(depth int, inline bool) string {
	sign := pick(d, []string{"=", " = ", " = ", "=\t", "= "})
	if d.chance(2) {
		sign = pick(d, []string{"", "=\n", "\n=", "==", ":", " =\r\n"})
	}
	return d.key() + sign + d.tomlValue(depth)
}

func (d draw) filler() string {
	return pick(d, []string{"", "", "", "", " ", " ", "\n", " # x\n", "\r\n", "\t", "#\n", "\n\n"})
}

func (d draw) tomlValue(depth int) string {
	kind := d.Intn(20)
	if depth > 0 && kind < 4 {
		var b strings.Builder
		b.WriteString("[" + d.filler())
		n := d.Intn(4)
		for i := 0; i < n; i++ {
			b.WriteString(d.tomlValue(depth-1) + d.filler())
			if i < n-1 || d.chance(30) {
				b.WriteString("," + d.filler())
			}
		}
		return b.String() + "]"
	}
	if depth > 0 && kind < 8 {
		var b strings.Builder
		b.WriteString("{" + d.filler())
		n := d.Intn(4)
		for i := 0; i < n; i++ {
			b.WriteString(d.line(depth-1, true) + d.filler())
			if i < n-1 || d.chance(20) {
				b.WriteString("," + d.filler())
			}
		}
		return b.String() + "}"
	}
	if kind < 12 {
		return d.tomlString()
	}
	if kind < 15 {
		return d.drawnScalar()
	}
	return pick(d, scalars)
}

var scalars = []string{
	"true", "false", "True", "truex", "1", "0", "-0", "+0", "+1", "-1", "00", "01", "-01", "1_0", "1__0", "_1", "1_", "0_1", "0x1F", "0xaF_1", "0x", "0x_1", "0x1_",
	"0X1", "+0x1", "0o17", "0o18", "0b101", "0b2", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"0x7fffffffffffffff", "0x8000000000000000", "1.0", "1.", ".1", "1.e1", "1e1", "1E+1", "1e-1", "1e", "1e+", "1e1_0", "1e_1", "1_0.0_1", "1._0", "1_.0", "1.0_", "00.1",
	"-00.1", "0e1", "0.0e00", "1e01", "1e400", "-1e400", "1e-400", "1e1.5", "1.1.1", "1e1e1", "inf", "+inf", "-inf", "nan", "+nan", "-nan", "Inf", "infx", "in", "na",
	"1979-05-27", "1979-05-27T07:32:00Z", "1979-05-27t07:32:00z", "1979-05-27 07:32:00", "1979-05-27  07:32:00", "1979-05-27T07:32:00.5+01:30", "1979-05-27T07:32",
	"1979-05-27T07:32Z", "07:32:00", "07:32", "7:32", "07:32:0", "07:32:00.123456789012", "07:32:00.", "07:32:00Z", "1979-5-27", "1979-13-01", "1979-02-29", "2000-02-29",
	"1900-02-29", "0000-01-01", "0000-00-00", "9999-12-31", "19790527", "1979-05-27T24:00:00", "1979-05-27T23:59:60", "1979-05-27T23:60:00", "23:59:60", "24:00:00",
	"1979-05-27T07:32:00+24:00", "1979-05-27T07:32:00+25:00", "1979-05-27T07:32:00-00:60", "1979-05-27T07:32:00-00:61", "1979-05-27T07:32:00+0130", "1979-05-27T07:32:00+01",
	"1979-05-27T07:32:00 Z", "1979-05-27 ", "1979-05-27T", "1979-05-27 7", "10000-01-01", "1979-05-27T07:32:00.Z", "1979-05-27T07:32.5Z", "1979-05-27T07:32:00-07:00:00",
	"", "x", "null", "1 2", "\"a\" \"b\"", "[]", "{}", "[,]", "{,}", "[1,,2]", "{a=1,,b=2}", "[1 2]", "{a=1 b=2}", "[[]]", "[{}]", "[[{}],1]", "{a={b=1},a.c=2}", "{a.b=1,a.c=2}",
	"{a=1,a=2}", "{a.b=1,a=2}", "{a=[{b=1},{b=2}]}", "ian", "nnf", "1e5-3", "0b", "0o", "+", "-", "+-1", "1-2", "1:2",
}

// drawnScalar draws something like a number or a time.
func (d draw) drawnScalar() string {
	letters := pick(d, []string{"0123456789", "01_.e+-", "0123456789-:TZ .", "0x_1f", "12:-"})
	var b strings.Builder
	for n := 1 + d.Intn(8); n > 0; n-- {
		b.WriteByte(letters[d.Intn(len(letters))])
	}
	switch d.Intn(4) {
	case 0:
		return "1979-05-27" + b.String()
	case 1:
		return "07:32:00" + b.String()
	}
	return b.String()
}

func (d draw) tomlString() string {
	quote := pick(d, []string{"\"", "'", "\"\"\"", "'''"})
	var b strings.Builder
	b.WriteString(quote)
	for n := d.Intn(5); n > 0; n-- {
		b.WriteString(pick(d, []string{
			"a", " ", "\t", "é", "😀", "\u0080", "\ufffd", "#", "'", "\\\"", "\\\\", "\\n", "\\b", "\\e", "\\x41", "\\x4", "\\u00e9", "\\u00e", "\\ud800", "\\U0001F600", "\\U00110000",
			"\\u0000", "\\q", "\\", "\\ ", "\\/", "\u0001", "\u007f", "b", "c",
		}))
		if len(quote) == 3 && d.chance(50) {
			b.WriteString(pick(d, []string{"\n", "\r\n", "\\\n", "\\  \n  ", "\\\r\n", "\\ \t\r\n", "\r", "\"", "\"\"", "''", "\"\"\"", "'''"}))
		}
	}
	b.WriteString(quote)
	if len(quote) == 3 && d.chance(10) {
		b.WriteString(pick(d, []string{"\"", "\"\"", "\"\"\"", "'", "''", "'''"}))
	}
	return b.String()
}

// drawToml draws a case about an existing store.toml alone.
func (d draw) drawToml(c restoreCase) restoreCase {
	c.Group = []element{{"b", "1", "0.8"}}
	c.AppLabel, c.CacheLabel, c.SkipLayers = nil, nil, false
	c.ID = strings.Replace(c.ID, "restore", "toml", 1)
	c.ExistingFiles = map[string]string{"b/store.toml": d.toml()}
	return c
}
