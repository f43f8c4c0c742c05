// Package reference reads image names as Docker does: short names completed.
package reference

import (
	"regexp"
	"strings"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/layout"
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

var (
	hostName  = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(:[0-9]+)?$`)
	component = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)
	tag       = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	part      = regexp.MustCompile(`^[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*$`)
)

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
		if layout.IsDigest(id) {
			return Reference{ID: id}, nil
		}
	}
	refuse := func(why string) (Reference, error) {
		return Reference{}, layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not an image name or id: %s", text, why)
	}
	domain, rest := "docker.io", text
	if first, after, found := strings.Cut(text, "/"); found {
		if first == "index.docker.io" {
			rest = after
		} else if first == "localhost" || strings.ContainsAny(first, ".:") || strings.ToLower(first) != first {
			domain, rest = first, after
		}
	}
	of := Reference{Domain: domain}
	rest, digest, hasDigest := strings.Cut(rest, "@")
	path, name, hasTag := strings.Cut(rest, ":")
	if domain == "docker.io" && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	of.Path, of.Tag, of.Digest = path, name, digest
	switch {
	case strings.ToLower(path) != path:
		return refuse("a repository is lower case")
	case !hostName.MatchString(domain):
		return refuse("the part before the first slash is not a domain")
	case len(path) > 255:
		return refuse("a repository has at most 255 characters")
	case hasTag && !tag.MatchString(name):
		return refuse(`a tag consists of at most 128 letters, digits, "_", "." and "-"`)
	case hasDigest && !layout.IsDigest(digest):
		return refuse(`the part after "@" is not a digest`)
	}
	for _, one := range strings.Split(path, "/") {
		if !component.MatchString(one) {
			return refuse("a repository consists of letters, digits and single separators")
		}
	}
	return of, nil
}
