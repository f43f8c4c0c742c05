//go:build unix

// Paths and contents as text, and what errors say.

package dirfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"layerwise.dev/layerwise"
)

// encode is the text for a path: bytes that are not part of valid UTF-8 are %XX,
// and % is %25.
func encode(raw string) string {
	if utf8.ValidString(raw) && !strings.Contains(raw, "%") {
		return raw
	}
	var out strings.Builder
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRuneInString(raw[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, "%%%02X", raw[i])
		case r == '%':
			out.WriteString("%25")
		default:
			out.WriteString(raw[i : i+size])
		}
		i += size
	}
	return out.String()
}

// decode is the path for a text. Each path has one text, so that no "..", slash
// or zero byte hides behind a %.
func decode(text string) (string, error) {
	malformed := refuse(layerwise.FailureCodeInvalid, "a `%%` in it is not one of a path")
	if !strings.Contains(text, "%") {
		return text, nil
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out.WriteByte(text[i])
			continue
		}
		if i+3 > len(text) {
			return "", malformed
		}
		b, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", malformed
		}
		out.WriteByte(byte(b))
		i += 2
	}
	if encode(out.String()) != text {
		return "", malformed
	}
	return out.String(), nil
}

// lossy is the text of a file, with one U+FFFD for each byte that is not part of
// valid UTF-8, and whether there was one.
func lossy(data []byte) (string, bool) {
	if utf8.Valid(data) {
		return string(data), false
	}
	var out strings.Builder
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		out.WriteRune(r)
		i += size
	}
	return out.String(), true
}

// cause is why something failed, before it is known what was done to what.
type cause struct {
	code  layerwise.FailureCode
	words string
}

func (c *cause) Error() string { return c.words }

func refuse(code layerwise.FailureCode, format string, args ...any) error {
	return &cause{code: code, words: fmt.Sprintf(format, args...)}
}

var (
	errChanged = refuse(layerwise.FailureCodeOther, "it was changed meanwhile")
	errTooMany = errors.New("too many entries")
)

// words are what errors of the system say.
var words = []struct {
	errno syscall.Errno
	code  layerwise.FailureCode
	words string
}{
	{syscall.ENOENT, layerwise.FailureCodeNotFound, "it does not exist"},
	{syscall.ENOTDIR, layerwise.FailureCodeOther, "it or a part of it is not a directory"},
	{syscall.ELOOP, layerwise.FailureCodeOther, "too many links"},
	{syscall.EISDIR, layerwise.FailureCodeOther, "it is a directory"},
	{syscall.ENOTEMPTY, layerwise.FailureCodeOther, "the directory is not empty"},
	{syscall.ENAMETOOLONG, layerwise.FailureCodeOther, "it is too long"},
	{syscall.EMFILE, layerwise.FailureCodeUnavailable, "too many files are open"},
	{syscall.ENFILE, layerwise.FailureCodeUnavailable, "too many files are open"},
	{syscall.EIO, layerwise.FailureCodeUnavailable, "input or output failed"},
	{syscall.EEXIST, layerwise.FailureCodeConflict, "something is there already"},
	{syscall.EACCES, layerwise.FailureCodeDenied, "permission denied"},
	{syscall.EPERM, layerwise.FailureCodeDenied, "permission denied"},
	{syscall.EROFS, layerwise.FailureCodeDenied, "the file system is read-only"},
	{syscall.ENOSPC, layerwise.FailureCodeFull, "no room is left on the device"},
	{syscall.EDQUOT, layerwise.FailureCodeFull, "the quota is used up"},
	{syscall.EFBIG, layerwise.FailureCodeTooLarge, "it is larger than the system allows"},
	{syscall.EOPNOTSUPP, layerwise.FailureCodeUnsupported, "not supported there"},
	{syscall.ENOSYS, layerwise.FailureCodeUnsupported, "not supported there"},
}

// failure says what could not be done to which path, and why.
func failure(action, name string, err error) error {
	code, why := layerwise.FailureCodeOther, ""
	var known *cause
	var made *layerwise.Failure
	switch {
	case errors.As(err, &made):
		code, why = made.Code, made.Message
	case errors.As(err, &known):
		code, why = known.code, known.words
	default:
		for _, one := range words {
			if errors.Is(err, one.errno) {
				code, why = one.code, one.words
				break
			}
		}
	}
	if why == "" {
		// An os.Root refuses what leads out of it in words of its own.
		if strings.Contains(err.Error(), "path escapes") {
			code, why = layerwise.FailureCodeDenied, leadsOut
		} else {
			code, why = layerwise.FailureOf(err).Code, inner(err).Error()
		}
	}
	return layerwise.Failed(code, "cannot %s %s: %s", action, strconv.Quote(name), why)
}

// inner is an error without the path that is said already.
func inner(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
