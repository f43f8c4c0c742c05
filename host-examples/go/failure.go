// Why an import failed.

package layerwise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"layerwise.dev/layerwise/internal/wit"
)

// Failure is why something that was lent failed, in the words of the contract.
// An import may answer any error: [FailureOf] finds the code.
type Failure struct {
	Code FailureCode
	// Message is for people: lower case, one line, no full stop.
	Message string
}

// Failed makes a failure.
func Failed(code FailureCode, format string, args ...any) *Failure {
	return &Failure{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (f *Failure) Error() string { return f.Message }

// codes are the failures that errors of Go stand for.
var codes = []struct {
	is   error
	code FailureCode
}{
	{context.Canceled, FailureCodeCancelled},
	{context.DeadlineExceeded, FailureCodeDeadline},
	{fs.ErrNotExist, FailureCodeNotFound},
	{fs.ErrPermission, FailureCodeDenied},
	{fs.ErrExist, FailureCodeConflict},
	{fs.ErrInvalid, FailureCodeInvalid},
	{syscall.ENOSPC, FailureCodeFull},
	{syscall.EDQUOT, FailureCodeFull},
	{syscall.EROFS, FailureCodeDenied},
	{syscall.EMFILE, FailureCodeUnavailable},
	{syscall.ENFILE, FailureCodeUnavailable},
	{io.ErrUnexpectedEOF, FailureCodeTruncated},
	{errors.ErrUnsupported, FailureCodeUnsupported},
}

// FailureOf returns the failure in the chain of an error, or one with the code
// that the error stands for: not-found for fs.ErrNotExist, cancelled for
// context.Canceled, and so on; else other.
func FailureOf(err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) && failure.Code != "" {
		return failure
	}
	for _, known := range codes {
		if errors.Is(err, known.is) {
			return &Failure{Code: known.code, Message: err.Error()}
		}
	}
	return &Failure{Code: FailureCodeOther, Message: err.Error()}
}

// failureValue is a failure as the component gets it.
func failureValue(_ *wit.Type, err error) (any, error) {
	return []any{string(FailureOf(err).Code), failureWords(err)}, nil
}

// failureWords are the words of a failure. They may come from anywhere, so what
// is not text is replaced.
func failureWords(err error) string {
	return strings.ToValidUTF8(FailureOf(err).Message, "\uFFFD")
}
