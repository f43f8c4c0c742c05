package layerwise

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"layerwise.dev/layerwise/internal/component"
	"layerwise.dev/layerwise/internal/wit"
)

// Instance is one instance of the component. One call runs in it at a time;
// a call during another one is refused with [ErrInUse].
type Instance struct {
	engine *Engine
	inner  *component.Instance
	host   *host

	mutex   sync.Mutex
	stopped error
}

// Close gives the instance back; everything that was opened in it ends. An
// instance that is not closed is when it is not used any more.
func (in *Instance) Close() error { return in.inner.Close() }

// Call calls an exported function by its name in transcripts, such as
// "docker#open". The arguments and what out points to are Go values as the
// packages docker, buildpacks, buildkit and stacker have them; these are the
// comfortable way to call. A function without a result takes nil for out.
func (in *Instance) Call(ctx context.Context, name string, out any, args ...any) error {
	function, known := in.engine.engine.Exports[name]
	if !known {
		return fmt.Errorf("the component has no function %q", name)
	}
	if len(args) != len(function.Params) {
		return fmt.Errorf("%s takes %d arguments, not %d", name, len(function.Params), len(args))
	}
	values := make([]any, len(args))
	for i, arg := range args {
		var err error
		if values[i], err = in.codec().Read(function.Params[i].Type, reflect.ValueOf(arg)); err != nil {
			return fmt.Errorf("%s: argument %s: %w", name, function.Params[i].Name, err)
		}
	}
	answer, err := in.call(ctx, name, values)
	if err != nil {
		return err
	}
	kind := function.Result
	if kind != nil && kind.Kind == wit.ResultKind {
		result := answer.(wit.Result)
		if !result.OK {
			return in.refused(kind.Err, result.Value)
		}
		kind, answer = kind.Elem, result.Value
	}
	if kind == nil || out == nil {
		return nil
	}
	return in.codec().Write(kind, answer, reflect.ValueOf(out).Elem())
}

// call makes a call with dynamic values.
func (in *Instance) call(ctx context.Context, name string, args []any) (any, error) {
	in.host.begin()
	answer, err := in.inner.Call(ctx, name, args)
	return answer, in.ended(err)
}

// ended notes that the instance was stopped, and reminds later calls of it.
func (in *Instance) ended(err error) error {
	var trap *component.Trap
	in.mutex.Lock()
	defer in.mutex.Unlock()
	switch {
	case err == nil:
		return nil
	case errors.As(err, &trap):
		in.stopped = stopped(err, in.host)
		return in.stopped
	case errors.Is(err, component.ErrDead) && in.stopped != nil:
		return &dead{first: in.stopped}
	}
	return err
}

// refused is what the component refused. Where it says the words of what was
// lent, that error goes with it, so that callers find it in the chain.
func (in *Instance) refused(t *wit.Type, v any) error {
	err, unread := refusal(t, v)
	if unread != nil {
		return unread
	}
	var problem *Problem
	if errors.As(err, &problem) {
		failed := in.host.lastFailure()
		if failed != nil && strings.Contains(problem.Message, failureWords(failed)) {
			problem.cause = failed
		}
	}
	return err
}

func (in *Instance) codec() *wit.Go {
	return &wit.Go{
		FromError: failureValue,
		ToError:   refusal,
		FromResource: func(v any) (any, error) {
			resource, ok := v.(*Resource)
			if !ok || resource == nil {
				return nil, fmt.Errorf("a %T is not a resource", v)
			}
			if resource.in != in {
				return nil, fmt.Errorf("it belongs to another instance")
			}
			return resource.inner, nil
		},
		ToResource: func(v any) any { return &Resource{in: in, inner: v.(*component.Resource)} },
	}
}

// Resource is something that the component keeps, such as a session. The typed
// packages hide it.
type Resource struct {
	in    *Instance
	inner *component.Resource
}

// Call calls a method, as [Instance.Call] does.
func (r *Resource) Call(ctx context.Context, name string, out any, args ...any) error {
	return r.in.Call(ctx, name, out, append([]any{r}, args...)...)
}

// Close gives the resource back to the component. It is no error when the
// instance has ended, or the resource was closed before.
func (r *Resource) Close() error {
	err := r.in.ended(r.in.inner.Drop(context.Background(), r.inner))
	if errors.Is(err, ErrDead) || errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// stopped makes an error of how an instance ended.
func stopped(err error, host *host) error {
	var trap *component.Trap
	if !errors.As(err, &trap) {
		return err
	}
	end := &Stopped{Reason: StopTrap, Message: trap.Message, cause: trap.Cause}
	switch trap.Reason {
	case component.OutOfTime:
		end.Reason = StopTime
	case component.Cancelled:
		end.Reason = StopCancelled
	case component.ImportFailed:
		end.Reason = StopImport
	case component.Unreachable:
		// An allocation that the limit refuses ends in `unreachable`, with no
		// words or those of the allocation error.
		words := host.lastWords()
		if words == "" || strings.Contains(words, "allocation") {
			end.Reason = StopMemory
		}
		if words != "" {
			end.Message = words
		}
	}
	return end
}
