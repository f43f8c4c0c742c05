package layerwise_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/internal/sample"
)

// heavy is a store whose lookup takes some time and memory.
func heavy(images, padding int) (*sample.Images, string) {
	store, base := sample.New()
	for i := range images {
		document := sample.Built(sample.Changed, i+1)
		store.Add(strings.Replace(document, `"os"`, fmt.Sprintf(`"author":"%s","os"`, strings.Repeat("x", padding)), 1), &base, layerwise.ProvenanceBuiltHere)
	}
	return store, base
}

// opened is a session; with twice the time until there is enough to open it, on a
// busy machine.
func opened(t *testing.T, lent layerwise.Lent, limits layerwise.Limits) (*layerwise.Instance, *docker.Session) {
	t.Helper()
	for {
		in, err := engine(t).NewInstance(t.Context(), lent, limits)
		if err == nil {
			t.Cleanup(func() { _ = in.Close() })
			var session *docker.Session
			if session, err = docker.Open(t.Context(), in, docker.Options{}); err == nil {
				return in, session
			}
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		limits.Time *= 2
	}
}

func stop(t *testing.T, limits layerwise.Limits, images, padding int) *layerwise.Stopped {
	t.Helper()
	store, base := heavy(images, padding)
	in, session := opened(t, layerwise.Lent{Images: store}, limits)
	_, err := session.Lookup(t.Context(), step(base, sample.Make))
	var stopped *layerwise.Stopped
	if !errors.As(err, &stopped) {
		t.Fatalf("expected a stop, came %v", err)
	}
	isDead(t, in, session, base)
	return stopped
}

func TestDefaults(t *testing.T) {
	store, base := heavy(20, 10_000)
	in := open(t, layerwise.Lent{Images: store}, layerwise.Limits{})
	answer, err := session(t, in).Lookup(t.Context(), step(base, sample.Make))
	if err != nil || answer.Outcome != docker.OutcomeHitLocal {
		t.Errorf("%v %v", answer.Outcome, err)
	}
}

func TestMemory(t *testing.T) {
	stopped := stop(t, layerwise.Limits{Memory: 4 << 20}, 20, 1_000_000)
	if stopped.Reason != layerwise.StopMemory {
		t.Errorf("%v", stopped)
	}
	if _, err := engine(t).NewInstance(t.Context(), layerwise.Lent{}, layerwise.Limits{Memory: 1 << 10}); err == nil {
		t.Error("an instance without memory")
	}
}

func TestTime(t *testing.T) {
	stopped := stop(t, layerwise.Limits{Time: time.Millisecond}, 100, 500_000)
	if stopped.Reason != layerwise.StopTime || !errors.Is(stopped, context.DeadlineExceeded) {
		t.Errorf("%v", stopped)
	}
}

// slow takes longer than the component may.
type slow struct {
	*sample.Images
	pause time.Duration
}

func (s slow) Children(ctx context.Context, parent *string) ([]string, error) {
	select {
	case <-time.After(s.pause):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Images.Children(ctx, parent)
}

func TestTimeOfImportsIsNotTheComponents(t *testing.T) {
	images, base := sample.New()
	in := open(t, layerwise.Lent{Images: slow{images, 600 * time.Millisecond}}, layerwise.Limits{Time: 300 * time.Millisecond})
	if _, err := session(t, in).Lookup(t.Context(), step(base, sample.Make)); err != nil {
		t.Error(err)
	}
}

func TestAContextEndsAnImport(t *testing.T) {
	images, base := sample.New()
	in := open(t, layerwise.Lent{Images: slow{images, time.Hour}}, layerwise.Limits{})
	session := session(t, in)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := session.Lookup(ctx, step(base, sample.Make))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestAContextEndsTheComponent(t *testing.T) {
	store, base := heavy(100, 500_000)
	in := open(t, layerwise.Lent{Images: store}, layerwise.Limits{})
	session := session(t, in)
	ctx, cancel := context.WithCancel(t.Context())
	// The context ends while the component runs: in the first import.
	canceller := layerwise.Lent{Images: cancelling{store, cancel}}
	stoppable := open(t, canceller, layerwise.Limits{})
	victim, err := docker.Open(t.Context(), stoppable, docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = victim.Lookup(ctx, step(base, sample.Make))
	var stopped *layerwise.Stopped
	if !errors.As(err, &stopped) || stopped.Reason != layerwise.StopCancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	isDead(t, stoppable, victim, base)
	// A context that ended before is refused before anything runs.
	if _, err := session.Lookup(ctx, step(base, sample.Make)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := session.Describe(t.Context()); err != nil {
		t.Error(err)
	}
}

// cancelling cancels a context and answers all the same.
type cancelling struct {
	*sample.Images
	cancel context.CancelFunc
}

func (c cancelling) Children(ctx context.Context, parent *string) ([]string, error) {
	c.cancel()
	return c.Images.Children(ctx, parent)
}
