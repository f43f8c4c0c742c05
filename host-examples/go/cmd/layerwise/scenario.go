//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/scenario"
)

// around is how much is printed on each side of a difference.
const around = 200

func scenarios(ctx context.Context, paths []string, check bool, out io.Writer) error {
	engine, err := layerwise.NewEngine(options)
	if err != nil {
		return err
	}
	defer engine.Close()
	passed, failed := 0, 0
	for _, path := range paths {
		file, err := scenario.Read(path)
		if err != nil {
			return err
		}
		came, err := file.Run(ctx, engine)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !check {
			if _, err := out.Write(append(scenario.Shown(came), '\n')); err != nil {
				return err
			}
			continue
		}
		if expected := file.Expected(); bytes.Equal(came, expected) {
			passed++
		} else {
			failed++
			fmt.Fprintln(out, printable(path+": "+difference(expected, came)))
		}
	}
	if !check {
		return nil
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return errDiffers
	}
	return nil
}

// difference shows where two texts part.
func difference(expected, came []byte) string {
	at := 0
	for at < len(expected) && at < len(came) && expected[at] == came[at] {
		at++
	}
	cut := func(text []byte) []byte { return text[max(0, at-around/2):min(len(text), at+around)] }
	return fmt.Sprintf("expected …%s…, came …%s…", cut(expected), cut(came))
}
