package component

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"layerwise.dev/layerwise/internal/contract"
	"layerwise.dev/layerwise/internal/wit"
)

const iface = contract.Package + "/rules@" + contract.Version

// allocator is the function that makes room, at an address.
func allocator(at uint32) function {
	return function{name: allocate, params: "iiii", results: "i", code: returning(at)}
}

// nobody is a host that nothing is asked of.
type nobody struct{}

func (nobody) Import(context.Context, *wit.Func, []any) (any, error) {
	return nil, errors.New("nothing is imported")
}

func start(t *testing.T, m module, limits Limits) *Instance {
	t.Helper()
	engine, err := NewEngine(m.component(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	in, err := engine.NewInstance(t.Context(), nobody{}, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

func stopped(t *testing.T, in *Instance, err error) *Trap {
	t.Helper()
	var trap *Trap
	if !errors.As(err, &trap) {
		t.Fatalf("expected the end of the instance, came %v", err)
	}
	if _, err := in.Call(t.Context(), "rules#all", nil); !errors.Is(err, ErrDead) {
		t.Errorf("the instance goes on: %v", err)
	}
	return trap
}

// rule is one rule in memory: five texts and a severity.
func rule(text []byte, severity ...byte) []byte {
	var out []byte
	for range 5 {
		out = append(out, text...)
	}
	return append(append(out, severity...), 0, 0, 0)[:44]
}

// What a component returns of its memory is not believed.
func TestResultsAreChecked(t *testing.T) {
	const page = 64 << 10
	list := func(at, length uint32, rest ...byte) []byte { return append(words(at, length), rest...) }
	for name, one := range map[string]struct {
		at     uint32
		memory []byte
		want   string
	}{
		"an empty list":             {0, list(4, 0), ""},
		"a rule":                    {0, list(8, 1, rule(words(52, 2), 1, 2)...), ""},
		"a result outside":          {page - 4, nil, "not in the memory"},
		"a result far outside":      {0xffff_fff8, nil, "not in the memory"},
		"a result between words":    {2, nil, "no multiple"},
		"a list outside":            {0, list(page, 1), "not in the memory"},
		"a list that is too long":   {0, list(8, page), "more bytes than the memory"},
		"a length that wraps":       {0, list(8, 0x1000_0001), "more bytes than the memory"},
		"a list between words":      {0, list(9, 1), "no multiple"},
		"a text outside":            {0, list(8, 1, rule(words(page-1, 2))...), "not in the memory"},
		"a text that is none":       {0, list(8, 1, append(rule(words(52, 2)), 0xff, 0xff)...), "not UTF-8"},
		"an option that is neither": {0, list(8, 1, rule(words(52, 2), 2, 0)...), "no case 2 of 2"},
		"an unknown severity":       {0, list(8, 1, rule(words(52, 2), 1, 3)...), "no case 3 of 3"},
		// 1,000 rules whose texts are all of the memory would be 320 MB.
		"texts that overlap": {0, list(8, 1000, rule(words(0, page))...), "more bytes than the memory"},
	} {
		in := start(t, module{
			functions: []function{allocator(0), {name: iface + "#all", results: "i", code: returning(one.at)}},
			memory:    one.memory,
		}, Limits{})
		result, err := in.Call(t.Context(), "rules#all", []any{})
		if one.want == "" {
			if items, ok := result.([]any); !ok || err != nil {
				t.Errorf("%s: %v %v", name, items, err)
			}
			continue
		}
		if trap := stopped(t, in, err); trap.Reason != Trapped || !strings.Contains(trap.Message, one.want) {
			t.Errorf("%s: %v", name, trap)
		}
	}
}

// Where a component wants its arguments is not believed either.
func TestAllocationsAreChecked(t *testing.T) {
	const name = contract.Package + "/docker@" + contract.Version + "#compare-history"
	for at, want := range map[uint32]string{
		16: "", 64<<10 - 2: "not in the memory", 0xffff_ffff: "not in the memory",
	} {
		in := start(t, module{functions: []function{
			allocator(at),
			{name: name, params: "iiii", results: "i", code: returning(0)},
			{name: iface + "#all", results: "i", code: returning(0)},
		}}, Limits{})
		_, err := in.Call(t.Context(), "docker#compare-history", []any{"one", "other"})
		if want == "" {
			if err != nil {
				t.Errorf("at %d: %v", at, err)
			}
		} else if trap := stopped(t, in, err); !strings.Contains(trap.Message, want) {
			t.Errorf("at %d: %v", at, trap)
		}
	}
}

func TestALoopWithoutAnEndIsStopped(t *testing.T) {
	loop := module{functions: []function{allocator(0), {name: iface + "#all", results: "i", code: forever()}}}
	in := start(t, loop, Limits{Time: time.Millisecond})
	_, err := in.Call(t.Context(), "rules#all", []any{})
	if trap := stopped(t, in, err); trap.Reason != OutOfTime {
		t.Error(trap)
	}
	in = start(t, loop, Limits{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = in.Call(ctx, "rules#all", []any{})
	if trap := stopped(t, in, err); trap.Reason != Cancelled || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(trap)
	}
}

func TestATrapEndsAnInstance(t *testing.T) {
	in := start(t, module{functions: []function{allocator(0), {name: iface + "#all", results: "i", code: []byte{opUnreachable}}}}, Limits{})
	_, err := in.Call(t.Context(), "rules#all", []any{})
	if trap := stopped(t, in, err); trap.Reason != Unreachable {
		t.Error(trap)
	}
}

func TestWhatIsNotOfTheContractIsRefused(t *testing.T) {
	all := function{name: iface + "#all", results: "i", code: returning(0)}
	named := func(name string) function { return function{name: name, results: "i", code: returning(0)} }
	for want, m := range map[string]module{
		"no " + allocate:       {functions: []function{all}},
		"not in the contract":  {functions: []function{allocator(0), named(iface + "#none")}},
		"no interface of":      {functions: []function{allocator(0), named("layerwise:cache/rules@9.9.9#all")}},
		"another type than in": {functions: []function{allocator(0), {name: all.name, results: "l", code: []byte{0x42, 0}}}},
	} {
		engine, err := NewEngine(m.component(), Config{})
		if err == nil {
			engine.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, came %v", want, err)
		}
	}
}

func TestWhatIsNoComponentIsRefused(t *testing.T) {
	whole := module{functions: []function{allocator(0)}}.component()
	for at := range whole {
		if engine, err := NewEngine(whole[:at], Config{}); err == nil {
			engine.Close()
			t.Errorf("%d of %d bytes were accepted", at, len(whole))
		}
	}
	if _, err := core(header); err == nil || !strings.Contains(err.Error(), "no core module") {
		t.Error(err)
	}
}

// Loops are counted in any module, and what is none is an error, however long it says
// that it is.
func TestCountingLoopsStandsEverything(t *testing.T) {
	whole, err := core(module{functions: []function{allocator(0), {name: iface + "#all", results: "i", code: forever()}}}.component())
	if err != nil {
		t.Fatal(err)
	}
	counted, err := ticking(whole)
	if err != nil || len(counted) < len(whole) {
		t.Fatal(len(counted), err)
	}
	for at := range whole {
		if _, err := ticking(whole[:at]); err == nil && at > 8 && !ends(whole, at) {
			t.Errorf("%d of %d bytes were accepted", at, len(whole))
		}
		for _, value := range []byte{0x00, 0x7f, 0x80, 0xff} {
			changed := slices.Clone(whole)
			changed[at] = value
			if engine, err := NewEngine(slices.Concat(header, []byte{coreModule}, binary.AppendUvarint(nil, uint64(len(changed))), changed), Config{}); err == nil {
				engine.Close()
			}
		}
	}
}

// ends tells whether a section of a module ends at a place.
func ends(module []byte, place int) bool {
	at := 8
	for at < place {
		length, read := binary.Uvarint(module[at+1:])
		at += 1 + read + int(length)
	}
	return at == place
}

// The table of handles gives back nothing but what was put there.
func TestHandles(t *testing.T) {
	var h handles
	one, other := h.add("docker#session", 7), h.add("stacker#session", 8)
	for _, wrong := range []struct {
		name string
		at   uint32
	}{{"docker#session", 0}, {"docker#session", other}, {"docker#session", 99}} {
		if _, err := h.get(wrong.name, wrong.at); err == nil {
			t.Errorf("%v is there", wrong)
		}
	}
	if got, err := h.remove("docker#session", one); got != 7 || err != nil {
		t.Error(got, err)
	}
	if _, err := h.remove("docker#session", one); err == nil {
		t.Error("it is there still")
	}
	if again := h.add("docker#session", 9); again != one {
		t.Errorf("%d is not used again", one)
	}
	if got, err := h.get("stacker#session", other); got != 8 || err != nil {
		t.Error(got, err)
	}
}
