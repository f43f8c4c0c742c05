package ociregistry

// Where credentials come from.

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// variable holds registries and Authorization headers, as platforms give them to
// the Buildpacks lifecycle.
const variable = "CNB_REGISTRY_AUTH"

// Keychain is what is used unless other credentials are given: the variable
// CNB_REGISTRY_AUTH, then the files of Docker and Podman (REGISTRY_AUTH_FILE
// too) and the helpers they name.
func Keychain() authn.Keychain {
	return authn.NewMultiKeychain(environment{}, authn.DefaultKeychain)
}

type environment struct{}

// Resolve finds the header for a registry. Failures never have it in them.
func (environment) Resolve(resource authn.Resource) (authn.Authenticator, error) {
	text := os.Getenv(variable)
	if text == "" {
		return authn.Anonymous, nil
	}
	var headers map[string]string
	if json.Unmarshal([]byte(text), &headers) != nil {
		return nil, fmt.Errorf("cannot read the variable %s: it is not a json object of registries and headers", variable)
	}
	for name, header := range headers {
		host := strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
		host, _, _ = strings.Cut(host, "/")
		if host == "docker.io" {
			host = "index.docker.io"
		}
		if host == resource.RegistryStr() {
			return credentials(host, header)
		}
	}
	return authn.Anonymous, nil
}

func credentials(host, header string) (authn.Authenticator, error) {
	scheme, value, _ := strings.Cut(strings.TrimSpace(header), " ")
	value = strings.TrimSpace(value)
	switch strings.ToLower(scheme) {
	case "basic":
		return authn.FromConfig(authn.AuthConfig{Auth: value}), nil
	case "bearer":
		return authn.FromConfig(authn.AuthConfig{RegistryToken: value}), nil
	case "x-identity":
		return authn.FromConfig(authn.AuthConfig{IdentityToken: value}), nil
	}
	return nil, fmt.Errorf("cannot read the variable %s: the header for %q begins with neither Basic, Bearer nor X-Identity", variable, host)
}
