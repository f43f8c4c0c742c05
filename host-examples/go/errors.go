// Why a call did not answer.

package layerwise

import (
	"context"
	"errors"
	"fmt"

	"layerwise.dev/layerwise/internal/component"
	"layerwise.dev/layerwise/internal/wit"
)

// What a [*Problem] or [*LimitError] is about; they match with [errors.Is].
var (
	// ErrInvalid: an argument is not acceptable.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound: a named thing does not exist.
	ErrNotFound = errors.New("not found")
	// ErrCorrupt: a stored document is not what it should be.
	ErrCorrupt = errors.New("corrupt")
	// ErrCommitted: the session was committed and cannot be changed any more.
	ErrCommitted = errors.New("committed")
	// ErrConflict: somebody else changed the same thing.
	ErrConflict = errors.New("conflict")
	// ErrLimit: a cap was met.
	ErrLimit = errors.New("limit exceeded")
	// ErrDenied: the host refused access.
	ErrDenied = errors.New("denied")
	// ErrUnsupported: the named version or feature does not exist.
	ErrUnsupported = errors.New("unsupported")
	// ErrHost: something that was lent failed; what it answered is in the chain.
	ErrHost = errors.New("host")
	// ErrOther: anything else.
	ErrOther = errors.New("other")
)

// Errors of calls that were not made.
var (
	// ErrDead: an earlier call was stopped; open a new instance.
	ErrDead = component.ErrDead
	// ErrClosed: the instance or the engine was closed.
	ErrClosed = component.ErrClosed
	// ErrInUse: another call of the instance is running. It may be the caller
	// of the import that this call came from, so it is not waited for.
	ErrInUse = component.ErrInUse
)

// Problem is why the component refused something or failed.
type Problem struct {
	// Kind is one of the sentinels, such as ErrNotFound.
	Kind error
	// Code is stable, such as "docker/child-unreadable".
	Code string
	// Operation is what was being done, such as "lookup".
	Operation string
	// Subject is the thing it was done to: an image id, a path, a field.
	Subject string
	// Message is for people: lower case, one line, no full stop.
	Message string

	cause error
}

// Error names the operation, the thing and the reason.
func (p *Problem) Error() string {
	if p.Operation == "" {
		return p.Message
	}
	if p.Subject == "" {
		return fmt.Sprintf("%s: %s", p.Operation, p.Message)
	}
	return fmt.Sprintf("%s %q: %s", p.Operation, p.Subject, p.Message)
}

// Is tells whether target is the kind.
func (p *Problem) Is(target error) bool { return target == p.Kind }

// Unwrap returns the error of what was lent, where that is the reason.
func (p *Problem) Unwrap() error { return p.cause }

// LimitError is a cap of a session that was met.
type LimitError struct {
	Operation string
	// Limit is the name of the cap, as in [Limit].
	Limit string
	// Value is the cap.
	Value uint64
	// Subject is what was too large.
	Subject string
}

// Error names the operation, the thing and the cap.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s %q: the limit %q of %d is met", e.Operation, e.Subject, e.Limit, e.Value)
}

// Is tells whether target is ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// StopReason says what stopped an instance.
type StopReason string

// The reasons.
const (
	// StopTime: a call ran for longer than [Limits].Time.
	StopTime StopReason = "time"
	// StopMemory: it asked for more than [Limits].Memory.
	StopMemory StopReason = "memory"
	// StopCancelled: the call's context ended; its error is in the chain.
	StopCancelled StopReason = "cancelled"
	// StopImport: something that was lent panicked, or answered what the
	// contract does not allow; the panic is in the chain if it was an error.
	StopImport StopReason = "import"
	// StopTrap: the component trapped in another way.
	StopTrap StopReason = "trap"
)

// Stopped is the end of an instance in the middle of a call. The call may have
// changed what was lent; nothing in the instance can be used any more.
type Stopped struct {
	Reason  StopReason
	Message string

	cause error
}

// Error says what stopped it.
func (s *Stopped) Error() string {
	return fmt.Sprintf("the component was stopped: %s: %s", s.Reason, s.Message)
}

// Is tells whether target is a deadline that was met.
func (s *Stopped) Is(target error) bool {
	return s.Reason == StopTime && target == context.DeadlineExceeded
}

// Unwrap returns the error of the context or of the import.
func (s *Stopped) Unwrap() error { return s.cause }

// dead is what calls answer after the instance was stopped.
type dead struct{ first error }

func (d *dead) Error() string        { return fmt.Sprintf("%v: %v", ErrDead, d.first) }
func (d *dead) Is(target error) bool { return target == ErrDead }
func (d *dead) Unwrap() error        { return d.first }

// kinds are the cases of the variant `error`.
var kinds = map[string]error{
	"invalid": ErrInvalid, "not-found": ErrNotFound, "corrupt": ErrCorrupt, "committed": ErrCommitted,
	"conflict": ErrConflict, "denied": ErrDenied, "unsupported": ErrUnsupported, "host": ErrHost, "other": ErrOther,
}

// refusal makes an error of the variant `error`, or of the record `failure`.
func refusal(t *wit.Type, v any) (error, error) {
	if t.Kind == wit.Record {
		items := v.([]any)
		return &Failure{Code: FailureCode(items[0].(string)), Message: items[1].(string)}, nil
	}
	variant, ok := v.(wit.Variant)
	if !ok {
		return nil, fmt.Errorf("the component refused with a %T", v)
	}
	switch payload := variant.Value.(type) {
	case string:
		return &Problem{Kind: kinds[variant.Case], Message: payload}, nil
	case []any:
		if variant.Case == "limit-exceeded" {
			return &LimitError{
				Operation: payload[0].(string), Limit: payload[1].(string),
				Value: payload[2].(uint64), Subject: payload[3].(string),
			}, nil
		}
		return &Problem{
			Kind: kinds[variant.Case], Code: payload[0].(string), Operation: payload[1].(string),
			Subject: payload[2].(string), Message: payload[3].(string),
		}, nil
	}
	return nil, fmt.Errorf("the component refused with %q", variant.Case)
}
