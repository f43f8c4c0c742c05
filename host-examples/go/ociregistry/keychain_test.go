package ociregistry

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

func TestKeychainReadsTheVariableOfPlatforms(t *testing.T) {
	t.Setenv("CNB_REGISTRY_AUTH", `{
		"127.0.0.1:5072": "Basic bWU6c2VjcmV0",
		"https://b.example/v1/": "bearer token",
		"docker.io": "X-Identity id"
	}`)
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for host, want := range map[string]authn.AuthConfig{
		"127.0.0.1:5072":  {Auth: "bWU6c2VjcmV0"},
		"b.example":       {RegistryToken: "token"},
		"index.docker.io": {IdentityToken: "id"},
		"c.example":       {},
	} {
		registry, err := name.NewRegistry(host)
		if err != nil {
			t.Fatal(err)
		}
		found, err := environment{}.Resolve(registry)
		if err != nil {
			t.Fatal(err)
		}
		config, err := found.Authorization()
		if err != nil {
			t.Fatal(err)
		}
		if config.Auth != want.Auth || config.RegistryToken != want.RegistryToken || config.IdentityToken != want.IdentityToken {
			t.Errorf("%s: got %+v, want %+v", host, config, want)
		}
	}
}

func TestKeychainShowsNoSecret(t *testing.T) {
	registry, err := name.NewRegistry("a.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{"a.example": "secret"}`, `{"a.example": ["secret"]}`, "secret"} {
		t.Setenv("CNB_REGISTRY_AUTH", text)
		_, err := Keychain().Resolve(registry)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
