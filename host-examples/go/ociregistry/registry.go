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

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/below"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
	"layerwise.dev/layerwise/internal/limits"
	"layerwise.dev/layerwise/internal/reference"
	"layerwise.dev/layerwise/internal/unpack"
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
	// Keychain has the credentials; nil for those that [Keychain] finds.
	Keychain authn.Keychain
	// Transport speaks to registries; nil for the default one.
	Transport http.RoundTripper
	// PlainHTTP are the registries spoken to without TLS, besides those on
	// loopback.
	PlainHTTP []string
	// Limits say how much is read, unpacked and waited for.
	Limits Limits
	// SetID says what becomes of the set-user-id and set-group-id bits of layers
	// that are unpacked; they are dropped unless it says otherwise.
	SetID SetID
	// AtOnce is how many layers are moved at once; 0 is 4.
	AtOnce int
}

// Limits are the limits of a registry; zero stands for the default of each.
type Limits = limits.Limits

// SetID says what becomes of the set-user-id and set-group-id bits of a layer.
type SetID int

const (
	// SetIDDropped drops them.
	SetIDDropped = SetID(unpack.SetIDDropped)
	// SetIDAsWritten keeps what the system leaves when an ordinary user writes the
	// files, as the Buildpacks lifecycle does.
	SetIDAsWritten = SetID(unpack.SetIDAsWritten)
	// SetIDKept keeps them.
	SetIDKept = SetID(unpack.SetIDKept)
)

// Registry lends registries and layouts. It may be used from several goroutines.
type Registry struct {
	options Options
	limits  limits.Limits
	session unpack.Session
	layouts *below.Dir
	// more is what tests say to registries besides.
	more []remote.Option
}

var _ layerwise.Registry = (*Registry)(nil)

// New makes a registry; nothing is contacted.
func New(options Options) (*Registry, error) {
	if options.Keychain == nil {
		options.Keychain = Keychain()
	}
	if options.AtOnce <= 0 {
		options.AtOnce = 4
	}
	if options.Transport == nil {
		options.Transport = defaultTransport()
	}
	r := &Registry{options: options, limits: options.Limits.WithDefaults()}
	if options.Layouts != "" {
		root, err := below.Open(options.Layouts)
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
		case !digests.Is(one.Digest):
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
func (r *Registry) Has(ctx context.Context, repository string, wanted []string) ([]layerwise.Presence, error) {
	at, err := parseRepository(repository)
	if err != nil {
		return nil, err
	}
	answers := each(ctx, r.options.AtOnce, wanted, func(digest string) (layerwise.Presence, error) {
		if !digests.Is(digest) {
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
	of := layerwise.Descriptor{MediaType: mediaType, Digest: digests.Of([]byte(document)), Size: uint64(len(document))}
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
	case !digests.Is(digest):
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
	case !digests.Is(digest):
		return notDigest(digest)
	case at.layout != "":
		return r.deleteLayout(ctx, at, digest)
	}
	return coded(remote.Delete(r.at(at).Digest(digest), r.speak(ctx, at)...))
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
	if at := strings.LastIndexByte(rest, '@'); at >= 0 && digests.Is(rest[at+1:]) {
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
	if !digests.Is(of.Digest) {
		return nil, notDigest(of.Digest)
	}
	if err := limits.Check("layer-bytes", r.limits.LayerBytes, int64(min(of.Size, 1<<62)), "the size of "+of.Digest); err != nil {
		return nil, err
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

// put stores a blob unless it is there; it returns whether it was not.
func (r *Registry) put(ctx context.Context, at place, of layerwise.Descriptor, mount string, open func() (io.ReadCloser, error)) (bool, error) {
	if at.layout == "" {
		return r.putRemote(ctx, at, of, mount, open)
	}
	directory, err := r.below(at, (*below.Dir).Make)
	if err != nil {
		return false, err
	}
	to, err := layout.CreateIn(ctx, directory)
	if err != nil {
		return false, err
	}
	defer to.Close()
	return to.StoreBlob(ctx, of.Digest, of.Size, open)
}

// below opens the directory of a layout, which must be below the one of all
// layouts, without links on the way.
func (r *Registry) below(at place, open func(*below.Dir, ...string) (*below.Dir, error)) (*below.Dir, error) {
	denied := layerwise.Failed(layerwise.FailureCodeDenied, "no layouts may be opened at %q", at.layout)
	if r.layouts == nil || !filepath.IsLocal(at.layout) {
		return nil, denied
	}
	var parts []string
	if clean := filepath.Clean(at.layout); clean != "." {
		parts = strings.Split(clean, "/")
	}
	found, err := open(r.layouts, parts...)
	if err != nil && layerwise.FailureOf(err).Code == layerwise.FailureCodeCorrupt {
		return nil, denied
	}
	return found, err
}

func (r *Registry) layout(at place) (*layout.Layout, error) {
	directory, err := r.below(at, (*below.Dir).Enter)
	if err != nil {
		return nil, err
	}
	return layout.OpenIn(directory)
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

func (r *Registry) speak(ctx context.Context, at place) []remote.Option {
	through := &guard{inner: r.options.Transport, limits: r.limits, encrypted: r.at(at).Scheme() == "https"}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(r.options.Keychain), remote.WithTransport(through)}
	return append(options, r.more...)
}

func readerOf(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}
