package main

import (
	"context"
	"io"
)

func demo(ctx context.Context, out io.Writer) error { _ = ctx; _ = out; return nil }
