//go:build unix

package ociregistry

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/limits"
)

const (
	// headTime is how long the head of an answer is waited for.
	headTime = time.Minute
	// redirects is how many are followed; the library follows any number.
	redirects = 5
	// longestRefusal is how much of the words of a registry is read.
	longestRefusal = 16 << 10
	// shortestSecret is that of a value in a query; shorter ones prove nothing and
	// may be words of a message.
	shortestSecret = 8
)

// defaultTransport is that of go-containerregistry, which would wait for the head
// of an answer for ever.
func defaultTransport() http.RoundTripper {
	usual, ok := remote.DefaultTransport.(*http.Transport)
	if !ok {
		return remote.DefaultTransport
	}
	usual = usual.Clone()
	usual.ResponseHeaderTimeout = headTime
	return usual
}

// guard is what all requests to a registry go through: nothing leads from https to
// http, nothing takes for ever or has no end, and credentials are in
// no answer.
type guard struct {
	inner  http.RoundTripper
	limits limits.Limits
	// encrypted says that the registry is spoken to by https only.
	encrypted bool
}

// RoundTrip implements [http.RoundTripper].
func (g *guard) RoundTrip(request *http.Request) (*http.Response, error) {
	first, safe := request, g.encrypted
	for hops := 1; first.Response != nil; hops++ {
		if first = first.Response.Request; hops > redirects {
			return nil, layerwise.Failed(layerwise.FailureCodeOther, "%s %s: more than %d redirections", first.Method, shown(first.URL), redirects)
		}
		safe = safe || first.URL.Scheme == "https"
	}
	if request.URL.Scheme == "http" && safe {
		return nil, layerwise.Failed(layerwise.FailureCodeOther, "%s leads to %s: it would not be encrypted any more", shown(first.URL), shown(request.URL))
	}
	ctx, cancel := context.WithCancelCause(request.Context())
	pace := newPace(ctx, fmt.Sprintf("%s %s", request.Method, shown(request.URL)), g.limits, cancel)
	sent := request.WithContext(ctx)
	if request.Body != nil {
		sent.Body = &paced{request.Body, pace, func() {}}
	}
	response, err := g.inner.RoundTrip(sent)
	if err != nil {
		pace.stop()
		if cause := context.Cause(ctx); cause != nil && request.Context().Err() == nil {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	response.Body = &paced{response.Body, pace, func() { pace.stop(); cancel(nil) }}
	if response.StatusCode >= 400 {
		return response, hide(response, secrets(request))
	}
	return response, g.limit(response, first)
}

// limit limits what is read into memory: everything but blobs.
func (g *guard) limit(response *http.Response, first *http.Request) error {
	if first.Method != http.MethodGet || strings.Contains(first.URL.Path, "/blobs/") {
		return nil
	}
	most := g.limits.ManifestBytes
	over := limits.Over("manifest-bytes", most, "the answer to GET "+shown(first.URL))
	if response.ContentLength > most {
		return errors.Join(over, response.Body.Close())
	}
	response.Body = &atMost{response.Body, most, over}
	return nil
}

// atMost is a body that fails after so many bytes.
type atMost struct {
	io.ReadCloser
	left int64
	over error
}

func (a *atMost) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if a.left -= int64(n); a.left < 0 {
		return n, a.over
	}
	return n, err
}

// hide puts "***" in the place of secrets in a refusal.
func hide(response *http.Response, secrets []string) error {
	defer response.Body.Close()
	words, err := io.ReadAll(io.LimitReader(response.Body, longestRefusal))
	if err != nil {
		words = nil
	}
	text := string(words)
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	response.Body = io.NopCloser(bytes.NewReader([]byte(text)))
	response.ContentLength = int64(len(text))
	return nil
}

// secrets are the credentials in a request, the longest first.
func secrets(request *http.Request) (found []string) {
	if header := request.Header.Get("Authorization"); header != "" {
		_, secret, _ := strings.Cut(header, " ")
		found = append(found, secret)
		if plain, err := base64.StdEncoding.DecodeString(secret); err == nil {
			_, password, _ := strings.Cut(string(plain), ":")
			found = append(found, password)
		}
	}
	if request.Response != nil {
		for _, values := range request.URL.Query() {
			found = append(found, values...)
		}
	}
	if body := request.GetBody; body != nil && request.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		if again, err := body(); err == nil {
			text, _ := io.ReadAll(io.LimitReader(again, longestRefusal))
			form, _ := url.ParseQuery(string(text))
			found = append(append(found, form["refresh_token"]...), form["password"]...)
		}
	}
	kept := found[:0]
	for _, secret := range found {
		if len(secret) >= shortestSecret || (secret != "" && request.Response == nil) {
			kept = append(kept, secret)
		}
	}
	sort.Slice(kept, func(a, b int) bool { return len(kept[a]) > len(kept[b]) })
	return kept
}

// shown is an address as messages name it: without a query, and without a user.
func shown(of *url.URL) string {
	return (&url.URL{Scheme: of.Scheme, Host: of.Host, Path: of.Path}).String()
}

// pace holds a transfer against the total time and the lowest rate. Only the time
// spent waiting for the other side counts for the rate.
type pace struct {
	ctx    context.Context
	what   string
	limits limits.Limits
	cancel context.CancelCauseFunc
	whole  *time.Timer

	mutex  sync.Mutex
	waited time.Duration
	moved  int64
}

func newPace(ctx context.Context, what string, most limits.Limits, cancel context.CancelCauseFunc) *pace {
	p := &pace{ctx: ctx, what: what, limits: most, cancel: cancel}
	p.whole = time.AfterFunc(most.TransferTime, func() {
		cancel(layerwise.Failed(layerwise.FailureCodeUnavailable, "%s takes more than the limit transfer-seconds of %.0f", what, most.TransferTime.Seconds()))
	})
	return p
}

func (p *pace) stop() { p.whole.Stop() }

// wait times one wait for the other side, which moves some bytes.
func (p *pace) wait(move func() (int, error)) (int, error) {
	p.mutex.Lock()
	left := p.limits.TransferRateTime - p.waited
	timer := time.AfterFunc(max(left, 0), p.look)
	p.mutex.Unlock()
	start := time.Now()
	n, err := move()
	timer.Stop()
	p.mutex.Lock()
	p.waited += time.Since(start)
	p.moved += int64(n)
	over := p.waited >= p.limits.TransferRateTime
	p.mutex.Unlock()
	if over {
		p.look()
	}
	var ended *layerwise.Failure
	if cause := context.Cause(p.ctx); cause != nil && errors.As(cause, &ended) {
		return n, ended
	}
	return n, err
}

// look ends a transfer that moved too little over the time of a measurement, and
// begins the next.
func (p *pace) look() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.moved < int64(float64(p.limits.TransferRate)*p.limits.TransferRateTime.Seconds()) {
		p.cancel(layerwise.Failed(layerwise.FailureCodeUnavailable, "%s brings less than the limit transfer-rate of %d bytes a second", p.what, p.limits.TransferRate))
		return
	}
	p.waited, p.moved = 0, 0
}

// paced is a body that is held against a pace.
type paced struct {
	io.ReadCloser
	pace *pace
	done func()
}

func (b *paced) Read(p []byte) (int, error) {
	return b.pace.wait(func() (int, error) { return b.ReadCloser.Read(p) })
}

func (b *paced) Close() error {
	b.done()
	return b.ReadCloser.Close()
}

var (
	query = regexp.MustCompile(`[?#][^\s'"<>)]*`)
	user  = regexp.MustCompile(`//[^/@\s]*@`)
)

// coded gives errors of a registry the codes of the contract. Their words name no
// query of an address and no user.
func coded(err error) error {
	var answered *transport.Error
	var made *layerwise.Failure
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.As(err, &made) {
		// Without the words around it, which name the address.
		return made
	}
	words := user.ReplaceAllString(query.ReplaceAllString(err.Error(), ""), "//")
	if !errors.As(err, &answered) {
		return layerwise.Failed(layerwise.FailureCodeUnavailable, "%s", words)
	}
	code := layerwise.FailureCodeOther
	switch status := answered.StatusCode; {
	case status == http.StatusNotFound:
		code = layerwise.FailureCodeNotFound
	case status == http.StatusUnauthorized:
		code = layerwise.FailureCodeUnauthorized
	case status == http.StatusForbidden:
		code = layerwise.FailureCodeDenied
	case status == http.StatusMethodNotAllowed:
		code = layerwise.FailureCodeUnsupported
	case status == http.StatusTooManyRequests || status >= 500:
		code = layerwise.FailureCodeUnavailable
	}
	return layerwise.Failed(code, "%s", words)
}
