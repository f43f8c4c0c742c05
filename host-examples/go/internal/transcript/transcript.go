// Package transcript replays recorded calls of the component: whoever gets the
// same answers, and is asked the same things, is the same host.
package transcript

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Schema is the format that is read.
const Schema = "layerwise/transcript/1"

// File is a transcript.
type File struct {
	Schema    string     `json:"schema"`
	Component string     `json:"component"`
	Strings   []string   `json:"strings"`
	Instances []Instance `json:"instances"`
}

// Instance is what happened in one instance.
type Instance struct {
	Name  string `json:"name"`
	Calls []Call `json:"calls"`
}

// Call is a call of an export, or the drop of a resource.
type Call struct {
	Call   string `json:"call"`
	Drop   *int   `json:"drop"`
	Args   []any  `json:"args"`
	Result any    `json:"result"`
	// Stopped says what stopped the call, which ended the instance then.
	Stopped string `json:"stopped"`
	Imports []Call `json:"imports"`
}

const (
	// largest is the largest file, uncompressed; a compressed one has at most ratio
	// times its bytes after the first ones.
	largest = 1 << 30
	ratio   = 100
	free    = 32 << 20
	// largestCall and largestAll are what the strings of one call and of all calls
	// come to, when each stands in every place that refers to it.
	largestCall = 64 << 20
	largestAll  = 1 << 30
)

// Read reads a transcript, compressed or not. It may be a stranger's: what its
// strings come to is counted before any of them is put in its place.
func Read(path string) (*File, error) {
	file, err := decode(path)
	if err == nil {
		err = file.count()
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return file, nil
}

func decode(path string) (*File, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	data, err := io.ReadAll(io.LimitReader(opened, largest+1))
	if err != nil {
		return nil, err
	}
	most := int64(largest)
	var from io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		most = min(most, max(free, ratio*int64(len(data))))
		if from, err = gzip.NewReader(from); err != nil {
			return nil, err
		}
	}
	limited := &io.LimitedReader{R: from, N: most + 1}
	file := &File{}
	decoder := json.NewDecoder(limited)
	decoder.UseNumber()
	err = decoder.Decode(file)
	if limited.N <= 0 {
		return nil, fmt.Errorf("it has more than %d bytes", most)
	}
	if err != nil {
		return nil, err
	}
	if file.Schema != Schema {
		return nil, fmt.Errorf("the schema is %q, not %q", file.Schema, Schema)
	}
	return file, nil
}

// count refuses a transcript whose strings come to too much.
func (f *File) count() error {
	all := 0
	for _, instance := range f.Instances {
		for _, call := range instance.Calls {
			one := f.strings(&call)
			if one > largestCall {
				return fmt.Errorf("the strings of a call come to more than %d bytes", largestCall)
			}
			if all += one; all > largestAll {
				return fmt.Errorf("the strings of its calls come to more than %d bytes", largestAll)
			}
		}
	}
	return nil
}

// strings are the bytes of the strings that a call refers to; no more than is
// needed to see that they are too many.
func (f *File) strings(call *Call) (size int) {
	waiting := append([]any{call.Result}, call.Args...)
	for i := range call.Imports {
		waiting = append(append(waiting, call.Imports[i].Result), call.Imports[i].Args...)
	}
	for len(waiting) > 0 && size <= largestCall {
		value := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		switch value := value.(type) {
		case []any:
			waiting = append(waiting, value...)
		case map[string]any:
			if number, ok := value["$"].(json.Number); ok && len(value) == 1 {
				if n, err := number.Int64(); err == nil && n >= 0 && n < int64(len(f.Strings)) {
					size += len(f.Strings[n])
				}
				continue
			}
			for _, member := range value {
				waiting = append(waiting, member)
			}
		}
	}
	return size
}
