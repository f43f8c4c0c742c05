// Package digests names content by what it is.
package digests

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"regexp"
	"strings"

	"layerwise.dev/layerwise"
)

var known = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)

// Is tells whether a text is a digest.
func Is(text string) bool { return known.MatchString(text) }

// Of is the digest of some bytes.
func Of(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Hasher hashes as a digest of this algorithm.
func Hasher(digest string) hash.Hash {
	switch {
	case strings.HasPrefix(digest, "sha384:"):
		return sha512.New384()
	case strings.HasPrefix(digest, "sha512:"):
		return sha512.New()
	}
	return sha256.New()
}

// Verified is a reader that fails where the bytes are not those of a digest and
// a size.
func Verified(from io.Reader, digest string, size int64) io.Reader {
	return &verified{from: from, digest: digest, left: size, hash: Hasher(digest)}
}

type verified struct {
	from   io.Reader
	digest string
	left   int64
	hash   hash.Hash
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.from.Read(p)
	v.hash.Write(p[:n])
	v.left -= int64(n)
	if v.left < 0 {
		return n, layerwise.Failed(layerwise.FailureCodeCorrupt, "%s has more bytes than its size says", v.digest)
	}
	if err == io.EOF {
		_, digits, _ := strings.Cut(v.digest, ":")
		if v.left > 0 {
			return n, layerwise.Failed(layerwise.FailureCodeTruncated, "%s ended %d bytes early", v.digest, v.left)
		}
		if hex.EncodeToString(v.hash.Sum(nil)) != digits {
			return n, layerwise.Failed(layerwise.FailureCodeCorrupt, "the bytes of %s do not have this digest", v.digest)
		}
	}
	return n, err
}
