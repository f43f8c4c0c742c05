package main

import (
	"context"
	"errors"
	"io"
)

func scenarios(ctx context.Context, paths []string, check bool, out io.Writer) error {
	return errors.New("todo")
}
func demo(ctx context.Context, out io.Writer) error { return errors.New("todo") }
