// Package reference reads image names as Docker does: short names completed.
package reference

import (
	"regexp"
	"strings"

	docker "github.com/distribution/reference"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
)

// Reference is an id, or a name completed.
type Reference struct {
	// ID is set for an image id; nothing else is then.
	ID string
	// Domain is the registry, such as "docker.io".
	Domain string
	// Path is the repository in it, such as "library/busybox".
	Path string
	// Tag and Digest are empty where none was given.
	Tag, Digest string
}

// Full is the whole name, such as "docker.io/library/busybox:latest"; empty for
// what is no name.
func (r Reference) Full() string {
	switch {
	case r.Domain == "":
		return ""
	case r.Digest != "":
		return r.Domain + "/" + r.Path + "@" + r.Digest
	case r.Tag != "":
		return r.Domain + "/" + r.Path + ":" + r.Tag
	}
	return r.Domain + "/" + r.Path + ":latest"
}

var part = regexp.MustCompile(`^[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*$`)

// IsName tells whether a layout can hold this text as a name.
func IsName(name string) bool {
	for _, one := range strings.Split(name, "/") {
		if !part.MatchString(one) {
			return false
		}
	}
	return len(name) <= 255
}

// Parse reads an id or a name.
func Parse(text string) (Reference, error) {
	for _, id := range []string{text, "sha256:" + text} {
		if digests.Is(id) {
			return Reference{ID: id}, nil
		}
	}
	named, err := docker.ParseNormalizedNamed(text)
	if err != nil {
		return Reference{}, layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not an image name or id: %v", text, err)
	}
	of := Reference{Domain: docker.Domain(named), Path: docker.Path(named)}
	if tagged, has := named.(docker.Tagged); has {
		of.Tag = tagged.Tag()
	}
	if digested, has := named.(docker.Digested); has {
		of.Digest = digested.Digest().String()
	}
	return of, nil
}
