package layerwise

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"layerwise.dev/layerwise/internal/wit"
)

// Random values of every type of every import become Go values, as the
// interfaces of this package have them, and the same values again.
func TestEveryValueOfTheImportsFitsItsGoType(t *testing.T) {
	engine, err := Compiled()
	if err != nil {
		t.Fatal(err)
	}
	interfaces := map[string]reflect.Type{
		"image-store": reflect.TypeFor[ImageStore](), "registry": reflect.TypeFor[Registry](),
		"filesystem": reflect.TypeFor[Filesystem](), "observer": reflect.TypeFor[Observer](),
	}
	codec := newHost(Lent{}).codec
	random := rand.New(rand.NewPCG(1, 2))
	checked := 0
	trip := func(name string, kind *wit.Type, to reflect.Type) {
		for range 50 {
			value := randomValue(random, kind)
			typed := reflect.New(to).Elem()
			if err := codec.Write(kind, value, typed); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			back, err := codec.Read(kind, typed)
			if err != nil || !wit.Equal(value, back) {
				t.Fatalf("%s: %v became %v: %v", name, value, back, err)
			}
			checked++
		}
	}
	for name, function := range engine.engine.Imports {
		iface, method, _ := strings.Cut(name, "#")
		found, ok := interfaces[iface].MethodByName(wit.Camel(method))
		if !ok {
			t.Fatalf("no method for %s", name)
		}
		if found.Type.NumIn() != 1+len(function.Params) {
			t.Fatalf("%s has %d parameters", name, found.Type.NumIn())
		}
		for i, param := range function.Params {
			trip(name+" "+param.Name, param.Type, found.Type.In(1+i))
		}
		switch result := function.Result; {
		case result == nil:
		case result.Kind != wit.ResultKind:
			trip(name, result, found.Type.Out(0))
		case result.Elem != nil:
			trip(name, result.Elem, found.Type.Out(0))
		}
	}
	if checked < 50*30 {
		t.Errorf("only %d values", checked)
	}
}

func randomValue(random *rand.Rand, t *wit.Type) any {
	switch t.Kind {
	case wit.Bool:
		return random.IntN(2) == 0
	case wit.U32:
		return random.Uint32()
	case wit.U64:
		return random.Uint64()
	case wit.S64:
		return int64(random.Uint64())
	case wit.S32:
		return int32(random.Uint32())
	case wit.String:
		return []string{"", "a", "sha256:1", "ü\n\x00", strings.Repeat("x", 1000)}[random.IntN(5)]
	case wit.Enum:
		return t.Fields[random.IntN(len(t.Fields))].Name
	case wit.Flags:
		names := []string{}
		for _, field := range t.Fields {
			if random.IntN(2) == 0 {
				names = append(names, field.Name)
			}
		}
		return names
	case wit.Option:
		if random.IntN(2) == 0 {
			return nil
		}
		return randomValue(random, t.Elem)
	case wit.List:
		items := []any{}
		for range random.IntN(4) {
			items = append(items, randomValue(random, t.Elem))
		}
		return items
	case wit.Record:
		items := []any{}
		for _, field := range t.Fields {
			items = append(items, randomValue(random, field.Type))
		}
		return items
	case wit.VariantKind:
		field := t.Fields[random.IntN(len(t.Fields))]
		if field.Type == nil {
			return wit.Variant{Case: field.Name}
		}
		return wit.Variant{Case: field.Name, Value: randomValue(random, field.Type)}
	case wit.ResultKind:
		if random.IntN(2) == 0 && t.Elem == nil {
			return wit.Result{OK: true}
		} else if t.Elem != nil && random.IntN(2) == 0 {
			return wit.Result{OK: true, Value: randomValue(random, t.Elem)}
		}
		return wit.Result{Value: randomValue(random, t.Err)}
	}
	panic("a type without values")
}

func TestEveryRefusalHasItsError(t *testing.T) {
	engine, err := Compiled()
	if err != nil {
		t.Fatal(err)
	}
	kind := engine.engine.Exports["docker#open"].Result.Err
	random := rand.New(rand.NewPCG(3, 4))
	for _, field := range kind.Fields {
		got, err := refusal(kind, wit.Variant{Case: field.Name, Value: randomValue(random, field.Type)})
		want := kinds[field.Name]
		if field.Name == "limit-exceeded" {
			want = ErrLimit
		}
		if err != nil || want == nil || !errors.Is(got, want) || got.Error() == "" && field.Name != "other" {
			t.Errorf("%s: %#v %v", field.Name, got, err)
		}
	}
}
