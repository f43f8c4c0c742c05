// Calls with values as transcripts have them.

package layerwise

import (
	"context"
	"encoding/json"
	"fmt"

	"layerwise.dev/layerwise/internal/component"
	"layerwise.dev/layerwise/internal/wit"
)

// Dynamic calls functions with JSON values instead of Go values, as the
// transcripts of this project have them: fields by their names in the WIT,
// 64-bit integers as text, a variant as an object with one member, and a
// resource as {"resource": n}, counted in the order in which they appear.
type Dynamic struct {
	in        *Instance
	json      wit.JSON
	resources []*component.Resource
}

// Dynamic begins to call functions with JSON values.
func (in *Instance) Dynamic() *Dynamic {
	d := &Dynamic{in: in}
	d.json = wit.JSON{Resource: d.resource, Number: d.number}
	return d
}

// Call calls a function. The arguments are decoded JSON whose numbers are
// json.Number. The answer is canonical JSON, null for a function without one;
// what the component refuses is in it, and no error.
func (d *Dynamic) Call(ctx context.Context, name string, args []any) (json.RawMessage, error) {
	function, known := d.in.engine.engine.Exports[name]
	if !known {
		return nil, fmt.Errorf("the component has no function %q", name)
	}
	if len(args) != len(function.Params) {
		return nil, fmt.Errorf("%s takes %d arguments, not %d", name, len(function.Params), len(args))
	}
	values := make([]any, len(args))
	for i, arg := range args {
		var err error
		if values[i], err = d.json.Read(function.Params[i].Type, arg); err != nil {
			return nil, fmt.Errorf("%s: argument %s: %w", name, function.Params[i].Name, err)
		}
	}
	answer, err := d.in.call(ctx, name, values)
	if err != nil {
		return nil, err
	}
	if function.Result == nil {
		return json.RawMessage("null"), nil
	}
	return d.json.Append(nil, function.Result, answer), nil
}

// Drop gives a resource back.
func (d *Dynamic) Drop(ctx context.Context, number int) error {
	resource, err := d.resource(number)
	if err != nil {
		return err
	}
	return d.in.ended(d.in.inner.Drop(ctx, resource.(*component.Resource)))
}

func (d *Dynamic) resource(number int) (any, error) {
	if number < 0 || number >= len(d.resources) {
		return nil, fmt.Errorf("there is no resource %d", number)
	}
	return d.resources[number], nil
}

func (d *Dynamic) number(resource any) int {
	d.resources = append(d.resources, resource.(*component.Resource))
	return len(d.resources) - 1
}
