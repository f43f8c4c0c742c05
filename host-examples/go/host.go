// What the component calls, in terms of what was lent.

package layerwise

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"layerwise.dev/layerwise/internal/wit"
)

// host answers the imports of one instance.
type host struct {
	lent  map[string]reflect.Value
	codec *wit.Go

	mutex   sync.Mutex
	words   string
	failure error
}

func newHost(lent Lent) *host {
	h := &host{lent: lent.implementations()}
	h.codec = &wit.Go{FromError: h.failed, ToError: refusal}
	return h
}

// begin forgets what an earlier call left.
func (h *host) begin() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.words, h.failure = "", nil
}

// lastWords are the words of the last error that the component logged: those of
// a panic, if there was one.
func (h *host) lastWords() string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.words
}

// lastFailure is the last error that something lent answered in this call.
func (h *host) lastFailure() error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.failure
}

func (h *host) failed(t *wit.Type, err error) (any, error) {
	h.mutex.Lock()
	h.failure = err
	h.mutex.Unlock()
	return failureValue(t, err)
}

// Import calls the method of what was lent that has the function's name.
func (h *host) Import(ctx context.Context, function *wit.Func, args []any) (any, error) {
	iface, name, _ := strings.Cut(function.Name, "#")
	if function.Name == "observer#log" && args[0] == string(LevelError) {
		h.mutex.Lock()
		h.words = args[1].(string)
		h.mutex.Unlock()
	}
	lent := h.lent[iface]
	if !lent.IsValid() {
		return notLent(function, args)
	}
	method := lent.MethodByName(wit.Camel(name))
	if !method.IsValid() {
		return nil, fmt.Errorf("%v has no method for it", lent.Type())
	}
	kind := method.Type()
	if kind.NumIn() != 1+len(args) {
		return nil, fmt.Errorf("%v takes %d arguments, not %d", lent.Type(), kind.NumIn()-1, len(args))
	}
	given := make([]reflect.Value, 0, 1+len(args))
	given = append(given, reflect.ValueOf(ctx))
	for i, arg := range args {
		to := reflect.New(kind.In(1 + i)).Elem()
		if err := h.codec.Write(function.Params[i].Type, arg, to); err != nil {
			return nil, err
		}
		given = append(given, to)
	}
	return h.answer(function.Result, method.Call(given))
}

// answer makes a value of what a method answered.
func (h *host) answer(t *wit.Type, answers []reflect.Value) (any, error) {
	if t == nil {
		return nil, nil
	}
	if t.Kind != wit.ResultKind {
		return h.codec.Read(t, answers[0])
	}
	if failed, _ := answers[len(answers)-1].Interface().(error); failed != nil {
		return h.codec.Failure(t, failed)
	}
	if t.Elem == nil {
		return wit.Result{OK: true}, nil
	}
	value, err := h.codec.Read(t.Elem, answers[0])
	return wit.Result{OK: true, Value: value}, err
}

// notLent refuses: once, or once for each item that was asked. Writing stops at
// the first failure.
func notLent(function *wit.Func, args []any) (any, error) {
	refused := wit.Result{Value: []any{string(FailureCodeUnsupported), "the opener lent no such thing"}}
	switch {
	case function.Result == nil:
		return nil, nil
	case function.Result.Kind == wit.ResultKind:
		return refused, nil
	}
	var answers []any
	for i, param := range function.Params {
		if param.Type.Kind != wit.List {
			continue
		}
		for range args[i].([]any) {
			answers = append(answers, refused)
		}
		break
	}
	if function.Name == "filesystem#write" && len(answers) > 1 {
		answers = answers[:1]
	}
	return append([]any{}, answers...), nil
}
