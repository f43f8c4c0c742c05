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

// Read reads a transcript, compressed or not.
func Read(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var from io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		if from, err = gzip.NewReader(from); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	file := &File{}
	decoder := json.NewDecoder(from)
	decoder.UseNumber()
	if err := decoder.Decode(file); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if file.Schema != Schema {
		return nil, fmt.Errorf("read %s: the schema is %q, not %q", path, file.Schema, Schema)
	}
	return file, nil
}
