package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTheGeneratedFilesAreThoseOfTheWIT(t *testing.T) {
	files, err := generate("../../../../wit")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 11 {
		t.Errorf("%d files", len(files))
	}
	for path, text := range files {
		there, err := os.ReadFile(filepath.Join("../..", path))
		if err != nil || !bytes.Equal(there, text) {
			t.Errorf("%s is not what the WIT gives: run go generate (%v)", path, err)
		}
	}
}
