package layerwise_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/buildpacks"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/internal/sample"
	"layerwise.dev/layerwise/rules"
	"layerwise.dev/layerwise/stacker"
)

func step(base, config string) docker.Step {
	return docker.Step{Parent: &base, Config: &config, Platform: sample.Platform}
}

func session(t testing.TB, in *layerwise.Instance) *docker.Session {
	t.Helper()
	session, err := docker.Open(t.Context(), in, docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestProblemsHaveAKindACodeAndASubject(t *testing.T) {
	in := open(t, layerwise.Lent{}, layerwise.Limits{})
	_, err := docker.EncodeImage(t.Context(), in, "no JSON", docker.MemberOrderDeclared, layerwise.Semantics{})
	var problem *layerwise.Problem
	if !errors.As(err, &problem) || !errors.Is(err, layerwise.ErrInvalid) || errors.Is(err, layerwise.ErrNotFound) {
		t.Fatalf("%#v", err)
	}
	if !strings.HasPrefix(problem.Code, "docker/") || problem.Operation == "" || problem.Message == "" {
		t.Errorf("%#v", problem)
	}
	if text := err.Error(); !strings.Contains(text, problem.Operation) || !strings.Contains(text, problem.Message) {
		t.Errorf("%q", text)
	}
	version := "0.0"
	_, err = docker.Open(t.Context(), in, docker.Options{Semantics: layerwise.Semantics{Version: &version}})
	if !errors.Is(err, layerwise.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	// The instance goes on.
	if _, err := rules.All(t.Context(), in); err != nil {
		t.Error(err)
	}
}

func TestCapsAreLimitErrors(t *testing.T) {
	images, base := sample.New()
	in := open(t, layerwise.Lent{Images: images}, layerwise.Limits{})
	session, err := docker.Open(t.Context(), in, docker.Options{Limits: []layerwise.Limit{{Name: "children", Value: 0}}})
	if err == nil {
		_, err = session.Lookup(t.Context(), step(base, sample.Make))
	}
	var limit *layerwise.LimitError
	if !errors.As(err, &limit) || !errors.Is(err, layerwise.ErrLimit) || limit.Limit != "children" {
		t.Errorf("%#v", err)
	}
}

// failing answers an error to one call.
type failing struct {
	*sample.Images
	err error
}

func (f failing) Children(context.Context, *string) ([]string, error) { return nil, f.err }

func TestErrorsOfImportsAreTypedFailures(t *testing.T) {
	own := errors.New("the disk is on fire")
	for _, one := range []struct {
		err  error
		want error
	}{
		{own, layerwise.ErrHost},
		{fmt.Errorf("wrapped: %w", own), layerwise.ErrHost},
		{fs.ErrPermission, layerwise.ErrDenied},
		{layerwise.Failed(layerwise.FailureCodeCorrupt, "bad"), layerwise.ErrCorrupt},
		{errors.New("\xff is not text"), layerwise.ErrHost},
	} {
		images, base := sample.New()
		in := open(t, layerwise.Lent{Images: failing{images, one.err}}, layerwise.Limits{})
		session := session(t, in)
		_, err := session.Lookup(t.Context(), step(base, sample.Make))
		var problem *layerwise.Problem
		if !errors.As(err, &problem) || !errors.Is(err, one.want) || !errors.Is(err, one.err) {
			t.Errorf("%v became %#v", one.err, err)
		}
		// A refusal is not the end.
		if _, err := session.Describe(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestCodesOfFailures(t *testing.T) {
	for _, one := range []struct {
		err  error
		code layerwise.FailureCode
	}{
		{fs.ErrNotExist, layerwise.FailureCodeNotFound},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, layerwise.FailureCodeDenied},
		{context.Canceled, layerwise.FailureCodeCancelled},
		{context.DeadlineExceeded, layerwise.FailureCodeDeadline},
		{fmt.Errorf("a: %w", layerwise.Failed(layerwise.FailureCodeFull, "b")), layerwise.FailureCodeFull},
		{errors.ErrUnsupported, layerwise.FailureCodeUnsupported},
		{errors.New("anything"), layerwise.FailureCodeOther},
	} {
		if got := layerwise.FailureOf(one.err).Code; got != one.code {
			t.Errorf("%v: %s, expected %s", one.err, got, one.code)
		}
	}
}

func TestWhatIsNotLentIsUnsupported(t *testing.T) {
	in := open(t, layerwise.Lent{}, layerwise.Limits{})
	base := "sha256:" + strings.Repeat("0", 64)
	if _, err := session(t, in).Lookup(t.Context(), step(base, sample.Make)); !errors.Is(err, layerwise.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	_, err := buildpacks.OpenImage(t.Context(), in, buildpacks.ImageOptions{Reference: "x", Scope: "y"})
	if err == nil {
		t.Error("an image without a registry")
	}
	if _, err := stacker.Open(t.Context(), in, stacker.Options{Epoch: stacker.Epoch{Case: stacker.EpochUnset}}); err == nil {
		t.Error("a cache without a file system")
	}
}

// panicking panics in one call.
type panicking struct {
	*sample.Images
	value any
}

func (p panicking) Children(context.Context, *string) ([]string, error) { panic(p.value) }

func TestAPanicOfAnImportEndsTheInstanceOnly(t *testing.T) {
	own := errors.New("own")
	for _, value := range []any{own, "text", nil} {
		images, base := sample.New()
		in := open(t, layerwise.Lent{Images: panicking{images, value}}, layerwise.Limits{})
		other := open(t, layerwise.Lent{Images: images}, layerwise.Limits{})
		lost, kept := session(t, in), session(t, other)
		_, err := lost.Lookup(t.Context(), step(base, sample.Make))
		var stopped *layerwise.Stopped
		if !errors.As(err, &stopped) || stopped.Reason != layerwise.StopImport {
			t.Fatalf("%#v", err)
		}
		if value == own && !errors.Is(err, own) {
			t.Errorf("the panic is not in the chain of %v", err)
		}
		isDead(t, in, lost, base)
		if _, err := kept.Lookup(t.Context(), step(base, sample.Make)); err != nil {
			t.Errorf("another instance: %v", err)
		}
	}
}

// leaving ends its goroutine in one call.
type leaving struct{ *sample.Images }

func (l leaving) Children(context.Context, *string) ([]string, error) {
	runtime.Goexit()
	return nil, nil
}

func TestAnImportThatEndsItsGoroutineEndsTheInstance(t *testing.T) {
	images, base := sample.New()
	in := open(t, layerwise.Lent{Images: leaving{images}}, layerwise.Limits{})
	lost := session(t, in)
	var gone sync.WaitGroup
	gone.Go(func() { _, _ = lost.Lookup(t.Context(), step(base, sample.Make)) })
	gone.Wait()
	if _, err := lost.Describe(t.Context()); !errors.Is(err, layerwise.ErrDead) {
		t.Errorf("%v", err)
	}
	if err := errors.Join(lost.Close(), in.Close()); err != nil {
		t.Error(err)
	}
}

// isDead checks that nothing of a stopped instance can be used.
func isDead(t *testing.T, in *layerwise.Instance, session *docker.Session, base string) {
	t.Helper()
	_, lookup := session.Lookup(t.Context(), step(base, sample.Make))
	_, sources := session.Describe(t.Context())
	_, catalogue := rules.All(t.Context(), in)
	_, opened := docker.Open(t.Context(), in, docker.Options{})
	for _, err := range []error{lookup, sources, catalogue, opened} {
		var stopped *layerwise.Stopped
		if !errors.Is(err, layerwise.ErrDead) || !errors.As(err, &stopped) {
			t.Errorf("a dead instance answers %v", err)
		}
	}
	if err := session.Close(); err != nil {
		t.Errorf("close the session: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Errorf("close the instance: %v", err)
	}
	if _, err := session.Describe(t.Context()); !errors.Is(err, layerwise.ErrClosed) {
		t.Errorf("a closed instance answers %v", err)
	}
	if err := session.Close(); err != nil {
		t.Errorf("close the session again: %v", err)
	}
}

// wrong answers what the contract does not allow.
type wrong struct {
	*sample.Images
	answer string
}

func (w wrong) Children(context.Context, *string) ([]string, error) { return []string{w.answer}, nil }

func TestAnswersThatAreNoTextEndTheInstanceOnly(t *testing.T) {
	images, base := sample.New()
	in := open(t, layerwise.Lent{Images: wrong{images, "\xff"}}, layerwise.Limits{})
	lost := session(t, in)
	_, err := lost.Lookup(t.Context(), step(base, sample.Make))
	var stopped *layerwise.Stopped
	if !errors.As(err, &stopped) || stopped.Reason != layerwise.StopImport || !strings.Contains(err.Error(), "UTF-8") {
		t.Fatalf("%v", err)
	}
	isDead(t, in, lost, base)
}

func TestArgumentsThatDoNotFitAreRefusedBeforeTheCall(t *testing.T) {
	images, base := sample.New()
	in := open(t, layerwise.Lent{Images: images}, layerwise.Limits{})
	if _, err := docker.EncodeImage(t.Context(), in, "\xff", docker.MemberOrderDeclared, layerwise.Semantics{}); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("%v", err)
	}
	if _, err := docker.Open(t.Context(), in, docker.Options{Semantics: layerwise.Semantics{Reading: "loose"}}); err == nil || !strings.Contains(err.Error(), "loose") {
		t.Errorf("%v", err)
	}
	if err := in.Call(t.Context(), "docker#nothing", nil); err == nil {
		t.Error("a function that is not there")
	}
	if err := in.Call(t.Context(), "rules#all", nil, 1); err == nil {
		t.Error("an argument too many")
	}
	if err := in.Call(t.Context(), "docker#encode-image", nil, 1, docker.MemberOrderDeclared, layerwise.Semantics{}); err == nil {
		t.Error("a number for a text")
	}
	if _, err := session(t, in).Lookup(t.Context(), step(base, sample.Make)); err != nil {
		t.Errorf("the instance goes on: %v", err)
	}
}

func TestResourcesBelongToTheirInstance(t *testing.T) {
	images, _ := sample.New()
	lent := layerwise.Lent{Images: images}
	one, other := open(t, lent, layerwise.Limits{}), open(t, lent, layerwise.Limits{})
	var resource *layerwise.Resource
	if err := one.Call(t.Context(), "docker#open", &resource, docker.Options{}); err != nil {
		t.Fatal(err)
	}
	var sources docker.Description
	if err := other.Call(t.Context(), "docker#[method]session.describe", &sources, resource); err == nil {
		t.Error("a resource of another instance")
	}
	if err := errors.Join(resource.Close(), resource.Close()); err != nil {
		t.Error(err)
	}
	if err := resource.Call(t.Context(), "docker#[method]session.describe", &sources); err == nil || errors.Is(err, layerwise.ErrDead) {
		t.Errorf("a closed resource answers %v", err)
	}
	if _, err := rules.All(t.Context(), one); err != nil {
		t.Errorf("the instance goes on: %v", err)
	}
}

// reentrant calls the session that it serves.
type reentrant struct {
	*sample.Images
	in  **layerwise.Instance
	got *error
}

func (r reentrant) Children(ctx context.Context, parent *string) ([]string, error) {
	_, *r.got = rules.All(ctx, *r.in)
	return r.Images.Children(ctx, parent)
}

func TestCallsDuringACallAreRefused(t *testing.T) {
	images, base := sample.New()
	var in *layerwise.Instance
	var got error
	in = open(t, layerwise.Lent{Images: reentrant{images, &in, &got}}, layerwise.Limits{})
	if _, err := session(t, in).Lookup(t.Context(), step(base, sample.Make)); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(got, layerwise.ErrInUse) {
		t.Errorf("%v", got)
	}
}

func TestManyGoroutines(t *testing.T) {
	images, base := sample.New()
	lent := layerwise.Lent{Images: images}
	shared := open(t, lent, layerwise.Limits{})
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for range 5 {
				in, err := engine(t).NewInstance(context.Background(), lent, layerwise.Limits{})
				if err != nil {
					t.Error(err)
					return
				}
				own, err := docker.Open(context.Background(), in, docker.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := own.Lookup(context.Background(), step(base, sample.Make))
				if err != nil || answer.Outcome != docker.OutcomeHitLocal {
					t.Errorf("%v %v", answer.Outcome, err)
				}
				if _, err := rules.All(context.Background(), shared); err != nil && !errors.Is(err, layerwise.ErrInUse) {
					t.Error(err)
				}
				if err := in.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
}
