//go:build !unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

func scenarios(context.Context, []string, bool, io.Writer) error {
	return fmt.Errorf("run scenarios: the stores need a Unix: %w", errors.ErrUnsupported)
}
