package component

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/experimental"
)

const pageSize = 64 << 10

// within refuses a limit that an instance has no room to begin in.
func (e *Engine) within(limit int64) error {
	if limit > 0 && uint64(limit) < e.least {
		return fmt.Errorf("a memory of %d bytes is too small: the component begins with %d", limit, e.least)
	}
	return nil
}

// limited is a context for an instance whose memory has a limit.
func limited(ctx context.Context, limit int64) context.Context {
	if limit <= 0 {
		return ctx
	}
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(least, _ uint64) experimental.LinearMemory {
		return &linear{bytes: make([]byte, 0, least), limit: uint64(limit)}
	}))
}

// linear is a memory that grows up to a limit.
type linear struct {
	bytes []byte
	limit uint64
}

// Reallocate makes the memory larger; nil says that it cannot be.
func (l *linear) Reallocate(size uint64) []byte {
	if size > l.limit {
		return nil
	}
	if size > uint64(cap(l.bytes)) {
		larger := make([]byte, size, min(l.limit, max(size, 2*uint64(cap(l.bytes)))))
		copy(larger, l.bytes)
		l.bytes = larger
	}
	// What is beyond its length was never written.
	l.bytes = l.bytes[:size]
	return l.bytes
}

// Free is called when the instance is closed.
func (l *linear) Free() { l.bytes = nil }
