package wit

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
)

// JSON reads and writes values as transcripts have them.
type JSON struct {
	// Strings are the long strings of a transcript.
	Strings []string
	// Resource returns the resource with a number.
	Resource func(number int) (any, error)
	// Number returns the number of a resource.
	Number func(resource any) int
}

// Read makes a value of decoded JSON, whose numbers are json.Number.
func (j *JSON) Read(t *Type, from any) (any, error) {
	switch t.Kind {
	case Bool:
		if v, ok := from.(bool); ok {
			return v, nil
		}
	case S8, S16, S32, U8, U16, U32, F32, F64:
		if v, ok := from.(json.Number); ok {
			return number(t.Kind, string(v))
		}
	case S64, U64:
		if v, ok := from.(string); ok {
			return number(t.Kind, v)
		}
	case String, Enum:
		return j.text(from)
	case Flags:
		if items, ok := from.([]any); ok {
			names := make([]string, len(items))
			for i, item := range items {
				if names[i], ok = item.(string); !ok {
					return nil, mismatch(t, from)
				}
			}
			return names, nil
		}
	case Option:
		if from == nil {
			return nil, nil
		}
		return j.Read(t.Elem, from)
	case List, Tuple:
		if items, ok := from.([]any); ok {
			return j.items(t, items)
		}
	case Record:
		if members, ok := from.(map[string]any); ok {
			return j.record(t, members)
		}
	case VariantKind, ResultKind:
		if members, ok := from.(map[string]any); ok && len(members) == 1 {
			for name, payload := range members {
				return j.choice(t, name, payload)
			}
		}
	case Own, Borrow:
		if members, ok := from.(map[string]any); ok && j.Resource != nil {
			if n, ok := members["resource"].(json.Number); ok {
				if n, err := n.Int64(); err == nil && n >= 0 && n <= math.MaxInt32 {
					return j.Resource(int(n))
				}
			}
		}
	}
	return nil, mismatch(t, from)
}

func mismatch(t *Type, from any) error {
	return fmt.Errorf("%.80v is not a value of type kind %d", from, t.Kind)
}

func (j *JSON) text(from any) (any, error) {
	if text, ok := from.(string); ok {
		return text, nil
	}
	if members, ok := from.(map[string]any); ok && len(members) == 1 {
		if n, ok := members["$"].(json.Number); ok {
			if n, err := n.Int64(); err == nil && n >= 0 && n < int64(len(j.Strings)) {
				return j.Strings[n], nil
			}
		}
	}
	return nil, fmt.Errorf("%.80v is not a string", from)
}

func number(kind Kind, text string) (any, error) {
	signed := func(bits int) (int64, error) { return strconv.ParseInt(text, 10, bits) }
	unsigned := func(bits int) (uint64, error) { return strconv.ParseUint(text, 10, bits) }
	switch kind {
	case S8:
		n, err := signed(8)
		return int8(n), err
	case S16:
		n, err := signed(16)
		return int16(n), err
	case S32:
		n, err := signed(32)
		return int32(n), err
	case S64:
		return signed(64)
	case U8:
		n, err := unsigned(8)
		return uint8(n), err
	case U16:
		n, err := unsigned(16)
		return uint16(n), err
	case U32:
		n, err := unsigned(32)
		return uint32(n), err
	case U64:
		return unsigned(64)
	case F32:
		n, err := strconv.ParseFloat(text, 32)
		return float32(n), err
	default:
		return strconv.ParseFloat(text, 64)
	}
}

func (j *JSON) items(t *Type, items []any) (any, error) {
	if t.Kind == Tuple && len(items) != len(t.Fields) {
		return nil, fmt.Errorf("%d items for a tuple of %d", len(items), len(t.Fields))
	}
	values := make([]any, len(items))
	for i, item := range items {
		kind := t.Elem
		if t.Kind == Tuple {
			kind = t.Fields[i].Type
		}
		var err error
		if values[i], err = j.Read(kind, item); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return values, nil
}

func (j *JSON) record(t *Type, members map[string]any) (any, error) {
	values := make([]any, len(t.Fields))
	for i, field := range t.Fields {
		member, there := members[field.Name]
		if !there {
			return nil, fmt.Errorf("the record has no field %q", field.Name)
		}
		var err error
		if values[i], err = j.Read(field.Type, member); err != nil {
			return nil, fmt.Errorf("%s: %w", field.Name, err)
		}
	}
	if len(members) != len(t.Fields) {
		return nil, fmt.Errorf("the record has %d fields, not %d", len(t.Fields), len(members))
	}
	return values, nil
}

func (j *JSON) choice(t *Type, name string, payload any) (any, error) {
	kind := t.Elem
	if t.Kind == VariantKind {
		found, known := t.Case(name)
		if !known {
			return nil, fmt.Errorf("%q is not a case of the variant", name)
		}
		kind = found.Type
	} else if name == "err" {
		kind = t.Err
	} else if name != "ok" {
		return nil, fmt.Errorf("%q is neither ok nor err", name)
	}
	var value any
	if kind != nil {
		var err error
		if value, err = j.Read(kind, payload); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	} else if payload != nil {
		return nil, fmt.Errorf("%s has no payload", name)
	}
	if t.Kind == VariantKind {
		return Variant{Case: name, Value: value}, nil
	}
	return Result{OK: name == "ok", Value: value}, nil
}

// Append writes a value as canonical JSON: keys sorted, no spaces, text as it
// is.
func (j *JSON) Append(out []byte, t *Type, v any) []byte {
	switch t.Kind {
	case S64, U64:
		return append(append(append(out, '"'), fmt.Sprint(v)...), '"')
	case F32:
		return strconv.AppendFloat(out, float64(v.(float32)), 'g', -1, 32)
	case Option:
		if v == nil {
			return append(out, "null"...)
		}
		return j.Append(out, t.Elem, v)
	case Flags:
		out = append(out, '[')
		for i, name := range v.([]string) {
			if i > 0 {
				out = append(out, ',')
			}
			out = AppendString(out, name)
		}
		return append(out, ']')
	case List, Tuple:
		out = append(out, '[')
		for i, item := range v.([]any) {
			if i > 0 {
				out = append(out, ',')
			}
			kind := t.Elem
			if t.Kind == Tuple {
				kind = t.Fields[i].Type
			}
			out = j.Append(out, kind, item)
		}
		return append(out, ']')
	case Record:
		order := make([]int, len(t.Fields))
		for i := range order {
			order[i] = i
		}
		sort.Slice(order, func(a, b int) bool { return t.Fields[order[a]].Name < t.Fields[order[b]].Name })
		items := v.([]any)
		out = append(out, '{')
		for i, field := range order {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(AppendString(out, t.Fields[field].Name), ':')
			out = j.Append(out, t.Fields[field].Type, items[field])
		}
		return append(out, '}')
	case VariantKind:
		variant := v.(Variant)
		found, _ := t.Case(variant.Case)
		return j.member(out, variant.Case, found.Type, variant.Value)
	case ResultKind:
		result := v.(Result)
		if result.OK {
			return j.member(out, "ok", t.Elem, result.Value)
		}
		return j.member(out, "err", t.Err, result.Value)
	case Own, Borrow:
		return fmt.Appendf(out, `{"resource":%d}`, j.Number(v))
	}
	return AppendAny(out, v)
}

func (j *JSON) member(out []byte, name string, t *Type, v any) []byte {
	out = append(AppendString(append(out, '{'), name), ':')
	if t == nil {
		out = append(out, "null"...)
	} else {
		out = j.Append(out, t, v)
	}
	return append(out, '}')
}

// AppendAny writes decoded JSON canonically.
func AppendAny(out []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...)
	case string:
		return AppendString(out, v)
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = AppendAny(out, item)
		}
		return append(out, ']')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		out = append(out, '{')
		for i, key := range keys {
			if i > 0 {
				out = append(out, ',')
			}
			out = AppendAny(append(AppendString(out, key), ':'), v[key])
		}
		return append(out, '}')
	default:
		return append(out, fmt.Sprint(v)...)
	}
}

// AppendString writes a string, escaping only what JSON does not allow.
func AppendString(out []byte, text string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, `\b`...)
		case '\f':
			out = append(out, `\f`...)
		case '\n':
			out = append(out, `\n`...)
		case '\r':
			out = append(out, `\r`...)
		case '\t':
			out = append(out, `\t`...)
		default:
			if c < 0x20 {
				out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				out = append(out, c)
			}
		}
	}
	return append(out, '"')
}

// Equal compares two dynamic values.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case []string:
		b, ok := b.([]string)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	case Variant:
		b, ok := b.(Variant)
		return ok && a.Case == b.Case && Equal(a.Value, b.Value)
	case Result:
		b, ok := b.(Result)
		return ok && a.OK == b.OK && Equal(a.Value, b.Value)
	}
	return a == b
}
