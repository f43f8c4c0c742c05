package transcript

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"layerwise.dev/layerwise/internal/component"
	"layerwise.dev/layerwise/internal/wit"
)

// Difference is an instance that did something else.
type Difference struct {
	Instance string
	// What says where, what was expected and what came.
	What string
}

// Replay replays every instance and returns how many did the same, and which
// did not.
func Replay(ctx context.Context, engine *component.Engine, file *File) (passed int, failed []Difference) {
	results := make([]error, len(file.Instances))
	var workers sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				results[i] = one(ctx, engine, file.Strings, &file.Instances[i])
			}
		})
	}
	for i := range file.Instances {
		next <- i
	}
	close(next)
	workers.Wait()
	for i, err := range results {
		if err == nil {
			passed++
		} else {
			failed = append(failed, Difference{Instance: file.Instances[i].Name, What: err.Error()})
		}
	}
	return passed, failed
}

// player is the host of one instance: it answers what the transcript answers.
type player struct {
	json      wit.JSON
	resources []*component.Resource
	imports   []Call
}

func one(ctx context.Context, engine *component.Engine, strings []string, script *Instance) error {
	p := &player{}
	p.json = wit.JSON{Strings: strings, Resource: p.resource, Number: p.number}
	in, err := engine.NewInstance(ctx, p, component.Limits{})
	if err != nil {
		return err
	}
	defer in.Close()
	for i, call := range script.Calls {
		if call.Drop != nil {
			resource, err := p.resource(*call.Drop)
			if err == nil {
				err = in.Drop(ctx, resource.(*component.Resource))
			}
			if err != nil {
				return fmt.Errorf("call %d: drop %d: %w", i, *call.Drop, err)
			}
			continue
		}
		if err := p.call(ctx, engine, in, call); err != nil {
			return fmt.Errorf("call %d: %s: %w", i, call.Call, err)
		}
	}
	return nil
}

func (p *player) call(ctx context.Context, engine *component.Engine, in *component.Instance, call Call) error {
	function, known := engine.Exports[call.Call]
	if !known {
		return errors.New("the component has no such function")
	}
	args, err := p.read(function.Params, call.Args)
	if err != nil {
		return err
	}
	p.imports = call.Imports
	answer, err := in.Call(ctx, call.Call, args)
	var trap *component.Trap
	if call.Stopped != "" {
		if err == nil {
			return fmt.Errorf("expected to be stopped (%s), came %s", call.Stopped, p.json.Append(nil, function.Result, answer))
		}
		if errors.As(err, &trap) && trap.Reason != component.ImportFailed {
			return nil
		}
	}
	if err != nil {
		if errors.As(err, &trap) && trap.Cause != nil {
			return trap.Cause
		}
		return err
	}
	if len(p.imports) > 0 {
		return fmt.Errorf("expected the import %s next, came the result", p.imports[0].Call)
	}
	if function.Result == nil {
		return nil
	}
	came := p.json.Append(nil, function.Result, answer)
	// Resources of the answer have their numbers now, so that the expected
	// value can name them.
	expected, err := p.json.Read(function.Result, call.Result)
	if err != nil {
		return fmt.Errorf("the expected result: %w", err)
	}
	if !wit.Equal(expected, answer) {
		q := &player{}
		q.json = wit.JSON{Number: func(any) int { return -1 }}
		return fmt.Errorf("expected %s, came %s", q.json.Append(nil, function.Result, expected), came)
	}
	return nil
}

// Import returns the next import of the script.
func (p *player) Import(_ context.Context, function *wit.Func, args []any) (any, error) {
	if len(p.imports) == 0 {
		return nil, fmt.Errorf("expected no more imports, came %s%s", function.Name, p.show(function, args))
	}
	next := p.imports[0]
	p.imports = p.imports[1:]
	if next.Call != function.Name {
		return nil, fmt.Errorf("expected the import %s, came %s%s", next.Call, function.Name, p.show(function, args))
	}
	expected, err := p.read(function.Params, next.Args)
	if err != nil {
		return nil, fmt.Errorf("the arguments of the import %s: %w", next.Call, err)
	}
	if !wit.Equal(expected, args) {
		return nil, fmt.Errorf("expected %s%s, came %s", function.Name, p.show(function, expected), p.show(function, args))
	}
	if function.Result == nil {
		return nil, nil
	}
	answer, err := p.json.Read(function.Result, next.Result)
	if err != nil {
		return nil, fmt.Errorf("the result of the import %s: %w", next.Call, err)
	}
	return answer, nil
}

func (p *player) read(params []wit.Field, from []any) ([]any, error) {
	if len(from) != len(params) {
		return nil, fmt.Errorf("%d arguments for %d parameters", len(from), len(params))
	}
	values := make([]any, len(params))
	for i, param := range params {
		var err error
		if values[i], err = p.json.Read(param.Type, from[i]); err != nil {
			return nil, fmt.Errorf("argument %s: %w", param.Name, err)
		}
	}
	return values, nil
}

func (p *player) show(function *wit.Func, args []any) []byte {
	out := []byte{'('}
	for i, arg := range args {
		if i > 0 {
			out = append(out, ',')
		}
		out = p.json.Append(out, function.Params[i].Type, arg)
	}
	return append(out, ')')
}

func (p *player) resource(number int) (any, error) {
	if number < 0 || number >= len(p.resources) {
		return nil, fmt.Errorf("there is no resource %d", number)
	}
	return p.resources[number], nil
}

func (p *player) number(resource any) int {
	p.resources = append(p.resources, resource.(*component.Resource))
	return len(p.resources) - 1
}
