//go:build unix

package ociregistry

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
	"layerwise.dev/layerwise/internal/limits"
)

const signature = "X-Amz-Signature=0123456789abcdef"

// password is a keychain that knows one.
type password struct{}

func (password) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "user", Password: "pass-word"}, nil
}

// quick does not wait before it tries again.
var quick = []remote.Option{remote.WithRetryBackoff(remote.Backoff{Duration: time.Millisecond, Steps: 2})}

func spoken(t *testing.T, options Options, answer http.HandlerFunc) (r *Registry, repository string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	r, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	r.more = quick
	return r, strings.TrimPrefix(server.URL, "http://") + "/a"
}

// failures are those of everything that reads or writes.
func failures(t *testing.T, r *Registry, repository string) []error {
	layer := layerwise.Descriptor{MediaType: gzipped, Digest: digests.Of([]byte("x")), Size: 1}
	_, written := r.Write(t.Context(), repository, layerwise.ShelfBlob, "", "x")
	return []error{
		r.Resolve(t.Context(), []string{repository + ":1"})[0].Err,
		r.Read(t.Context(), repository, []layerwise.Descriptor{layer}, 10)[0].Err,
		r.Retrieve(t.Context(), repository, []layerwise.LayerRetrieval{{Descriptor: layer}})[0].Err,
		written,
	}
}

func TestWhatARegistryRepeatsIsNotTold(t *testing.T) {
	for _, scheme := range []string{"basic", "bearer"} {
		r, repository := spoken(t, Options{Keychain: password{}}, func(w http.ResponseWriter, request *http.Request) {
			secret := request.Header.Get("Authorization")
			switch {
			case request.URL.Path == "/token":
				fmt.Fprint(w, `{"token":"a-token-of-it"}`)
			case secret == "" && scheme == "basic":
				w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
				w.WriteHeader(http.StatusUnauthorized)
			case secret == "":
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+request.Host+`/token"`)
				w.WriteHeader(http.StatusUnauthorized)
			case request.URL.Path == "/v2/":
			default:
				w.WriteHeader(http.StatusForbidden)
				_, basic, _ := strings.Cut(secret, " ")
				plain, _ := base64.StdEncoding.DecodeString(basic)
				fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":"no %s %s"}]}`, secret, plain)
			}
		})
		for _, err := range failures(t, r, repository) {
			if err == nil || layerwise.FailureOf(err).Code != layerwise.FailureCodeDenied {
				t.Errorf("%s: %v", scheme, err)
				continue
			}
			for _, secret := range []string{"pass-word", "a-token-of-it", base64.StdEncoding.EncodeToString([]byte("user:pass-word"))} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s: it tells %s: %v", scheme, secret, err)
				}
			}
		}
	}
}

func TestSignedAddressesAreNotTold(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, location := range []string{
		"/signed?" + signature,
		"/again?" + signature,
		"http://user:pass-word@" + strings.TrimPrefix(closed.URL, "http://") + "/x?" + signature,
		"ftp://user:pass-word@x/y?" + signature,
		"http://127.0.0.1:port/y?" + signature,
	} {
		r, repository := spoken(t, Options{Keychain: password{}}, func(w http.ResponseWriter, request *http.Request) {
			switch {
			case request.URL.Path == "/v2/":
			case request.URL.Path == "/signed":
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":"bad %s %s"}]}`, request.URL, request.URL.Query().Get("X-Amz-Signature"))
			default:
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		})
		for _, err := range failures(t, r, repository) {
			if err == nil || strings.Contains(err.Error(), "0123456789abcdef") || strings.Contains(err.Error(), "pass-word") {
				t.Errorf("%s: %v", location, err)
			}
		}
	}
}

func TestFromHTTPSNothingLeadsToHTTP(t *testing.T) {
	asked := 0
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { asked++ }))
	defer plain.Close()
	safe := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path != "/v2/" {
			w.Header().Set("Location", plain.URL+"/x?"+signature)
			status := http.StatusAccepted
			switch request.Method {
			case http.MethodGet:
				status = http.StatusTemporaryRedirect
			case http.MethodHead:
				status = http.StatusNotFound
			}
			w.WriteHeader(status)
		}
	}))
	defer safe.Close()
	redirecting := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path != "/v2/" {
			http.Redirect(w, request, plain.URL+"/x?"+signature, http.StatusTemporaryRedirect)
		}
	}))
	defer redirecting.Close()
	for _, server := range []*httptest.Server{safe, redirecting} {
		// One that is not on this machine is spoken to by https only.
		transport := server.Client().Transport.(*http.Transport).Clone()
		address := strings.TrimPrefix(server.URL, "https://")
		transport.Proxy = nil
		r, err := New(Options{Keychain: password{}, Transport: toward{transport, address, strings.TrimPrefix(plain.URL, "http://")}})
		if err != nil {
			t.Fatal(err)
		}
		r.more = quick
		for _, err := range failures(t, r, "registry.example/a") {
			if err == nil || strings.Contains(err.Error(), signature) {
				t.Errorf("%v", err)
			}
		}
		r.Close()
	}
	if asked > 0 {
		t.Errorf("it was asked %d times without encryption", asked)
	}
}

// toward sends what is for registry.example to a server of a test.
type toward struct {
	inner        http.RoundTripper
	safe, unsafe string
}

func (to toward) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := request.Clone(request.Context())
	if sent.URL.Host == "registry.example" {
		sent.URL.Host = to.safe
	}
	return to.inner.RoundTrip(sent)
}

func TestATransferWithoutEndEnds(t *testing.T) {
	drip := func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/v2/" {
			return
		}
		w.Header().Set("Content-Type", layout.Manifest)
		for range 400 {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			http.NewResponseController(w).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	}
	for name, most := range map[string]Limits{
		"transfer-seconds": {TransferTime: 300 * time.Millisecond},
		"transfer-rate":    {TransferRateTime: 200 * time.Millisecond, TransferRate: 10_000},
	} {
		r, repository := spoken(t, Options{Limits: most}, drip)
		start := time.Now()
		layer := layerwise.Descriptor{Digest: digests.Of([]byte("x")), Size: 100_000}
		for _, err := range []error{
			r.Resolve(t.Context(), []string{repository + ":1"})[0].Err,
			r.Retrieve(t.Context(), repository, []layerwise.LayerRetrieval{{Descriptor: layer}})[0].Err,
		} {
			if layerwise.FailureOf(err).Code != layerwise.FailureCodeUnavailable || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if spent := time.Since(start); spent > 5*time.Second {
			t.Errorf("%s: it takes %v", name, spent)
		}
	}
}

func TestTheHeadOfAnAnswerIsNotWaitedForWithoutEnd(t *testing.T) {
	usual, ok := defaultTransport().(*http.Transport)
	if !ok || usual.ResponseHeaderTimeout != headTime {
		t.Error("it is waited for")
	}
}

func TestManifestsHaveALimit(t *testing.T) {
	for _, declared := range []bool{true, false} {
		r, repository := spoken(t, Options{}, func(w http.ResponseWriter, request *http.Request) {
			if request.URL.Path == "/v2/" {
				return
			}
			w.Header().Set("Content-Type", layout.Manifest)
			if declared {
				w.Header().Set("Content-Length", fmt.Sprint(int64(99)<<40))
			}
			for range 100 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		})
		err := r.Resolve(t.Context(), []string{repository + ":1"})[0].Err
		if layerwise.FailureOf(err).Code != layerwise.FailureCodeTooLarge || !strings.Contains(err.Error(), "manifest-bytes") {
			t.Errorf("%v", err)
		}
	}
}

func TestALengthAboveTheLimitIsRefusedAtOnce(t *testing.T) {
	r, repository := spoken(t, Options{Layouts: t.TempDir()}, func(w http.ResponseWriter, request *http.Request) {
		t.Errorf("%s %s", request.Method, request.URL)
	})
	huge := layerwise.Descriptor{Digest: digests.Of([]byte("x")), Size: 99 << 40}
	for _, at := range []string{repository, "oci:none"} {
		err := r.Retrieve(t.Context(), at, []layerwise.LayerRetrieval{{Descriptor: huge}})[0].Err
		if layerwise.FailureOf(err).Code != layerwise.FailureCodeTooLarge || !strings.Contains(err.Error(), "layer-bytes") {
			t.Errorf("%v", err)
		}
	}
}

func TestAddressesAreShownWithoutWhatProvesSomething(t *testing.T) {
	address, err := url.Parse("https://user:pw@host:1/path?sig=x#y")
	if err != nil || shown(address) != "https://host:1/path" {
		t.Error(shown(address), err)
	}
	if words := coded(fmt.Errorf(`Get "https://user:pw@h/p?sig=x": refused`)).Error(); words != `Get "https://h/p": refused` {
		t.Error(words)
	}
}

func TestEveryLimitHasADefault(t *testing.T) {
	most := limits.Limits{}.WithDefaults()
	if most.ManifestBytes != 4<<20 || most.LayerBytes != 64<<30 || most.TransferTime != time.Hour || most.TransferRateTime != time.Minute {
		t.Errorf("%+v", most)
	}
	if set := (limits.Limits{PathDepth: 7}).WithDefaults(); set.PathDepth != 7 || set.LayerRatio != 1000 {
		t.Errorf("%+v", set)
	}
}
