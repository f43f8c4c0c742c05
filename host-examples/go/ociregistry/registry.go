//go:build unix

// Package ociregistry lends registries and OCI layout directories.
//
//	host:port/name:tag, docker://host/name@digest, name   a registry
//	oci:PATH:TAG, oci:PATH@digest, oci:PATH               a layout directory
//
// Registries are spoken to by go-containerregistry, with the credentials of
// Docker's configuration unless others are given. Everything that is read is
// limited in size and checked against its digest while it streams. Layers are
// verified as a whole before anything of them is unpacked.
package ociregistry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/layout"
	"layerwise.dev/layerwise/internal/reference"
)

// Files are what the paths of layers lead to; [layerwise.dev/layerwise/dirfs.FS]
// is one.
type Files interface {
	OpenFile(path string) (io.ReadCloser, error)
	OpenDirectory(path string) (*os.Root, error)
}

// Options say what a registry may reach; the zero value reaches registries and
// no layouts.
type Options struct {
	// Layouts is the directory that layouts are below; empty for none. The path
	// in a reference is relative to it, and stays below it.
	Layouts string
	// Files are where layers are read from and unpacked into; nil for nowhere.
	Files Files
	// Keychain has the credentials; nil for those of Docker's configuration.
	Keychain authn.Keychain
	// Transport speaks to registries; nil for the default one.
	Transport http.RoundTripper
	// PlainHTTP are the registries spoken to without TLS, besides those on
	// loopback.
	PlainHTTP []string
	// LayerBytes caps the uncompressed bytes of one layer; 0 is 64 GiB.
	LayerBytes int64
	// AtOnce is how many layers are moved at once; 0 is 4.
	AtOnce int
}

// Registry lends registries and layouts. It may be used from several goroutines.
type Registry struct {
	options Options
	layouts *os.Root
}

var _ layerwise.Registry = (*Registry)(nil)

// New makes a registry; nothing is contacted.
func New(options Options) (*Registry, error) {
	if options.Keychain == nil {
		options.Keychain = authn.DefaultKeychain
	}
	if options.LayerBytes == 0 {
		options.LayerBytes = 64 << 30
	}
	if options.AtOnce <= 0 {
		options.AtOnce = 4
	}
	r := &Registry{options: options}
	if options.Layouts != "" {
		root, err := os.OpenRoot(options.Layouts)
		if err != nil {
			return nil, fmt.Errorf("open the directory of layouts: %w", err)
		}
		r.layouts = root
	}
	return r, nil
}

// Close closes the directory of layouts.
func (r *Registry) Close() error {
	if r.layouts == nil {
		return nil
	}
	return r.layouts.Close()
}

// Locate implements [layerwise.Registry].
func (r *Registry) Locate(_ context.Context, text string) (string, error) {
	of, err := parse(text)
	return of.repository(), err
}

// Resolve implements [layerwise.Registry].
func (r *Registry) Resolve(ctx context.Context, references []string) []layerwise.Result[[]layerwise.Descriptor] {
	return each(ctx, r.options.AtOnce, references, func(text string) ([]layerwise.Descriptor, error) {
		of, err := parse(text)
		if err != nil {
			return nil, err
		}
		if of.layout == "" {
			return r.resolveRemote(ctx, of)
		}
		return r.resolveLayout(of)
	})
}

// Read implements [layerwise.Registry].
func (r *Registry) Read(ctx context.Context, repository string, wanted []layerwise.Descriptor, limit uint64) []layerwise.Result[string] {
	at, failed := parseRepository(repository)
	return each(ctx, r.options.AtOnce, wanted, func(one layerwise.Descriptor) (string, error) {
		switch {
		case failed != nil:
			return "", failed
		case !layout.IsDigest(one.Digest):
			return "", notDigest(one.Digest)
		case one.Size > limit:
			return "", layerwise.Failed(layerwise.FailureCodeTooLarge, "%s has %d bytes, more than the limit of %d", one.Digest, one.Size, limit)
		}
		content, err := r.open(ctx, at, one)
		if err != nil {
			return "", err
		}
		defer content.Close()
		data, err := io.ReadAll(content)
		if err != nil {
			return "", coded(err)
		}
		if !utf8.Valid(data) {
			return "", layerwise.Failed(layerwise.FailureCodeUnsupported, "%s is not utf-8", one.Digest)
		}
		return string(data), nil
	})
}

// Has implements [layerwise.Registry].
func (r *Registry) Has(ctx context.Context, repository string, digests []string) ([]layerwise.Presence, error) {
	at, err := parseRepository(repository)
	if err != nil {
		return nil, err
	}
	answers := each(ctx, r.options.AtOnce, digests, func(digest string) (layerwise.Presence, error) {
		if !layout.IsDigest(digest) {
			return "", notDigest(digest)
		}
		if at.layout == "" {
			return r.hasRemote(ctx, at, digest)
		}
		return r.hasLayout(at, digest)
	})
	found := make([]layerwise.Presence, len(answers))
	for i, answer := range answers {
		if answer.Err != nil {
			return nil, answer.Err
		}
		found[i] = answer.Value
	}
	return found, nil
}

// Write implements [layerwise.Registry].
func (r *Registry) Write(ctx context.Context, repository string, shelf layerwise.Shelf, mediaType, document string) (layerwise.Descriptor, error) {
	of := layerwise.Descriptor{MediaType: mediaType, Digest: layout.DigestOf([]byte(document)), Size: uint64(len(document))}
	at, err := parseRepository(repository)
	if err != nil {
		return of, err
	}
	if shelf == layerwise.ShelfManifest {
		if err := checkManifest(of.Digest, mediaType, []byte(document)); err != nil {
			return of, err
		}
	}
	if at.layout == "" && shelf == layerwise.ShelfManifest {
		return of, r.putManifest(ctx, at, of, document)
	}
	_, err = r.put(ctx, at, of, "", func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(document)), nil
	})
	return of, err
}

// checkManifest refuses a manifest that says it is something else than it is
// stored as: it would be something else after it was read (CVE-2021-41190).
func checkManifest(digest, mediaType string, document []byte) error {
	var body struct {
		MediaType string `json:"mediaType"`
	}
	own := mediaType
	if err := json.Unmarshal(document, &body); err == nil && body.MediaType != "" {
		own = body.MediaType
	}
	if mediaType == "" || own != mediaType {
		return layerwise.Failed(layerwise.FailureCodeInvalid, "the manifest %s is %q, and not %q", digest, own, mediaType)
	}
	return nil
}

// Tag implements [layerwise.Registry].
func (r *Registry) Tag(ctx context.Context, text, digest string) error {
	of, err := parse(text)
	switch {
	case err != nil:
		return err
	case !layout.IsDigest(digest):
		return notDigest(digest)
	case of.digest != "":
		return layerwise.Failed(layerwise.FailureCodeInvalid, "%q names a digest: no tag can be set there", text)
	case of.layout != "":
		return r.tagLayout(ctx, of, digest)
	}
	return r.tagRemote(ctx, of, digest)
}

// Delete implements [layerwise.Registry].
func (r *Registry) Delete(ctx context.Context, repository, digest string) error {
	at, err := parseRepository(repository)
	switch {
	case err != nil:
		return err
	case !layout.IsDigest(digest):
		return notDigest(digest)
	case at.layout != "":
		return r.deleteLayout(ctx, at, digest)
	}
	return coded(remote.Delete(r.at(at).Digest(digest), r.speak(ctx)...))
}

// place is a repository, and what a reference names in it.
type place struct {
	// layout is the path of a layout; the others are of a registry.
	layout       string
	domain, path string
	tag, digest  string
}

func (p place) repository() string {
	if p.layout != "" {
		return "oci:" + p.layout
	}
	return p.domain + "/" + p.path
}

func (p place) tagOrLatest() string {
	if p.tag == "" {
		return "latest"
	}
	return p.tag
}

func parse(text string) (place, error) {
	rest, isLayout := strings.CutPrefix(text, "oci:")
	if !isLayout {
		of, err := reference.Parse(strings.TrimPrefix(text, "docker://"))
		if err == nil && of.ID != "" {
			err = layerwise.Failed(layerwise.FailureCodeInvalid, "%q is an image id: a reference names a repository", text)
		}
		if err != nil {
			return place{}, err
		}
		return place{domain: of.Domain, path: of.Path, tag: of.Tag, digest: of.Digest}, nil
	}
	refuse := func(why string) (place, error) {
		return place{}, layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not a reference into a layout: %s", text, why)
	}
	of := place{}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 && layout.IsDigest(rest[at+1:]) {
		rest, of.digest = rest[:at], rest[at+1:]
	}
	var named bool
	of.layout, of.tag, named = strings.Cut(rest, ":")
	switch {
	case of.layout == "":
		return refuse("it has no path")
	case strings.Contains(of.layout, "\x00"):
		return refuse("a path has no zero byte")
	case named && !reference.IsName(of.tag):
		return refuse(`a name consists of letters and digits, joined by "-._:@+/"`)
	}
	return of, nil
}

func parseRepository(text string) (place, error) {
	of, err := parse(text)
	if err == nil && (of.tag != "" || of.digest != "" || of.repository() != text) {
		err = layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not a repository", text)
	}
	return of, err
}

func notDigest(text string) error {
	return layerwise.Failed(layerwise.FailureCodeInvalid, "%q is not a digest", text)
}

// open opens a blob or a manifest; what is read is checked.
func (r *Registry) open(ctx context.Context, at place, of layerwise.Descriptor) (io.ReadCloser, error) {
	if !layout.IsDigest(of.Digest) {
		return nil, notDigest(of.Digest)
	}
	if at.layout == "" {
		return r.openRemote(ctx, at, of)
	}
	from, err := r.layout(at)
	if err != nil {
		return nil, err
	}
	content, err := from.OpenBlob(of.Digest, of.Size)
	if err != nil {
		from.Close()
		return nil, err
	}
	return closing{content, from}, nil
}

// closing closes a layout with a blob of it.
type closing struct {
	io.ReadCloser
	also io.Closer
}

func (c closing) Close() error { return errors.Join(c.ReadCloser.Close(), c.also.Close()) }

// put stores a blob unless it is there; it answers whether it was not.
func (r *Registry) put(ctx context.Context, at place, of layerwise.Descriptor, mount string, open func() (io.ReadCloser, error)) (bool, error) {
	if at.layout == "" {
		return r.putRemote(ctx, at, of, mount, open)
	}
	directory, err := r.below(at)
	if err != nil {
		return false, err
	}
	to, err := layout.Create(ctx, directory)
	if err != nil {
		return false, err
	}
	defer to.Close()
	return to.StoreBlob(ctx, of.Digest, of.Size, open)
}

// below is the directory of a layout, which must be below the one of all
// layouts, whatever links there are on the way.
func (r *Registry) below(at place) (string, error) {
	denied := layerwise.Failed(layerwise.FailureCodeDenied, "no layouts may be opened at %q", at.layout)
	if r.layouts == nil || !filepath.IsLocal(at.layout) {
		return "", denied
	}
	parts := strings.Split(filepath.Clean(at.layout), "/")
	for i := range parts {
		name := filepath.Join(parts[:i+1]...)
		info, err := r.layouts.Lstat(name)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&os.ModeSymlink != 0 {
			return "", denied
		}
	}
	return filepath.Join(r.layouts.Name(), at.layout), nil
}

func (r *Registry) layout(at place) (*layout.Layout, error) {
	directory, err := r.below(at)
	if err != nil {
		return nil, err
	}
	return layout.Open(directory)
}

// coded gives errors of a registry the codes of the contract.
func coded(err error) error {
	var answered *transport.Error
	var made *layerwise.Failure
	if err == nil || errors.As(err, &made) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if !errors.As(err, &answered) {
		return layerwise.Failed(layerwise.FailureCodeUnavailable, "%v", err)
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
	return layerwise.Failed(code, "%v", err)
}

// each does something for many items, some at once.
func each[A, T any](ctx context.Context, atOnce int, items []A, do func(A) (T, error)) []layerwise.Result[T] {
	answers := make([]layerwise.Result[T], len(items))
	var workers sync.WaitGroup
	next := make(chan int, len(items))
	for i := range items {
		next <- i
	}
	close(next)
	for range min(atOnce, len(items)) {
		workers.Go(func() {
			for i := range next {
				if answers[i].Err = ctx.Err(); answers[i].Err == nil {
					answers[i].Value, answers[i].Err = do(items[i])
				}
			}
		})
	}
	workers.Wait()
	return answers
}

// at is a repository of a registry.
func (r *Registry) at(of place) name.Repository {
	options := []name.Option{name.WeakValidation}
	for _, plain := range r.options.PlainHTTP {
		if plain == of.domain {
			options = append(options, name.Insecure)
		}
	}
	domain := of.domain
	if domain == "docker.io" {
		domain = name.DefaultRegistry
	}
	registry, err := name.NewRegistry(domain, options...)
	if err != nil {
		registry, _ = name.NewRegistry("invalid.invalid")
	}
	return registry.Repo(of.path)
}

func (r *Registry) speak(ctx context.Context) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(r.options.Keychain)}
	if r.options.Transport != nil {
		options = append(options, remote.WithTransport(r.options.Transport))
	}
	return options
}

func readerOf(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}
