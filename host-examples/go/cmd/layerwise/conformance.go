package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/component"
	"layerwise.dev/layerwise/internal/transcript"
)

// longest is how much of a difference is printed.
const longest = 2000

// conformance replays the calls of vector files: for vectors/X the transcript
// calls/X beside that folder.
func conformance(ctx context.Context, paths []string, out io.Writer) error {
	calls := make([]string, len(paths))
	for i, path := range paths {
		calls[i] = path
		folder := filepath.Dir(path)
		if absolute, err := filepath.Abs(folder); err == nil && filepath.Base(absolute) == "vectors" {
			calls[i] = filepath.Join(folder, "..", "calls", filepath.Base(path))
		}
	}
	return replay(ctx, calls, out)
}

// testingComponent names the build of the component that also exports the functions which only
// tests call; vectors need it.
const testingComponent = "LAYERWISE_TESTING_COMPONENT"

func replay(ctx context.Context, paths []string, out io.Writer) error {
	wasm := layerwise.Component()
	if path := os.Getenv(testingComponent); path != "" {
		var err error
		if wasm, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	engine, err := component.NewEngine(wasm, component.Config{Code: options.Code})
	if err != nil {
		return err
	}
	defer engine.Close()
	passed, failed := 0, 0
	for _, path := range paths {
		file, err := transcript.Read(path)
		if err != nil {
			return err
		}
		same, differences := transcript.Replay(ctx, engine, file)
		for _, difference := range differences {
			what := difference.What
			if len(what) > longest {
				what = what[:longest] + "…"
			}
			fmt.Fprintln(out, printable(difference.Instance+": "+what))
		}
		passed, failed = passed+same, failed+len(differences)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return errDiffers
	}
	return nil
}
