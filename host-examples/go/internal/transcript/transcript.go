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
	// largest is the largest file; a compressed one comes to at most free bytes, and
	// ratio for each of its own.
	largest = 1 << 30
	free    = 64 << 20
	ratio   = 100
	// largestCall is what the strings of one call may come to, when each stands in
	// every place that refers to it; those of all calls to freeStrings, and
	// stringBytes for each byte of the document.
	largestCall = 64 << 20
	freeStrings = 16 << 20
	stringBytes = 32
)

// Read reads a transcript, compressed or not. It may be a stranger's: what its
// strings come to is counted before any of them is put in its place.
func Read(path string) (*File, error) {
	file, size, err := decode(path)
	if err == nil {
		err = file.count(freeStrings + stringBytes*size)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return file, nil
}

func decode(path string) (*File, int64, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer opened.Close()
	data, err := io.ReadAll(io.LimitReader(opened, largest+1))
	if err != nil {
		return nil, 0, err
	}
	most := int64(largest)
	var from io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		most = min(most, free+ratio*int64(len(data)))
		if from, err = gzip.NewReader(from); err != nil {
			return nil, 0, err
		}
	}
	limited := &io.LimitedReader{R: from, N: most + 1}
	file := &File{}
	decoder := json.NewDecoder(limited)
	decoder.UseNumber()
	err = decoder.Decode(file)
	if limited.N <= 0 {
		return nil, 0, fmt.Errorf("it has more than %d bytes", most)
	}
	if err != nil {
		return nil, 0, err
	}
	if file.Schema != Schema {
		return nil, 0, fmt.Errorf("the schema is %q, not %q", file.Schema, Schema)
	}
	return file, most + 1 - limited.N, nil
}

// count refuses a transcript whose strings come to too much.
func (f *File) count(most int64) error {
	all := int64(0)
	for _, instance := range f.Instances {
		for _, call := range instance.Calls {
			one := f.strings(&call)
			if one > largestCall {
				return fmt.Errorf("the strings of a call come to more than %d bytes", largestCall)
			}
			if all += int64(one); all > most {
				return fmt.Errorf("the strings of its calls come to more than %d bytes", most)
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
