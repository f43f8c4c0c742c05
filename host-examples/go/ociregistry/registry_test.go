//go:build unix

package ociregistry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/dirfs"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
)

// each runs a test over a registry that is spoken to, and over layouts.
func eachPlace(t *testing.T, test func(t *testing.T, r *Registry, repository string)) {
	t.Run("registry", func(t *testing.T) {
		server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
		t.Cleanup(server.Close)
		r, _ := opened(t)
		test(t, r, strings.TrimPrefix(server.URL, "http://")+"/a/b")
	})
	t.Run("layout", func(t *testing.T) {
		r, _ := opened(t)
		test(t, r, "oci:images/a")
	})
}

func opened(t *testing.T) (*Registry, string) {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"files", "layouts"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files, err := dirfs.Open(dirfs.Root{Name: "/f", Directory: filepath.Join(root, "files"), Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Options{Layouts: filepath.Join(root, "layouts"), Files: files})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), files.Close() })
	return r, root
}

func codeOf(err error) layerwise.FailureCode {
	if err == nil {
		return ""
	}
	return layerwise.FailureOf(err).Code
}

const configType = "application/vnd.oci.image.config.v1+json"

func TestDocumentsAndTags(t *testing.T) {
	eachPlace(t, func(t *testing.T, r *Registry, repository string) {
		ctx := t.Context()
		config, err := r.Write(ctx, repository, layerwise.ShelfBlob, configType, "{}")
		if err != nil || config.Digest != digests.Of([]byte("{}")) || config.Size != 2 {
			t.Fatalf("%+v %v", config, err)
		}
		text := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2},"layers":[]}`, layout.Manifest, configType, config.Digest)
		manifest, err := r.Write(ctx, repository, layerwise.ShelfManifest, layout.Manifest, text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Write(ctx, repository, layerwise.ShelfManifest, layout.DockerManifest, text); codeOf(err) != layerwise.FailureCodeInvalid {
			t.Errorf("a manifest as something else: %v", err)
		}
		if err := r.Tag(ctx, repository+":v1", manifest.Digest); err != nil {
			t.Fatal(err)
		}
		none := "sha256:" + strings.Repeat("0", 64)
		if err := r.Tag(ctx, repository+":v2", none); codeOf(err) != layerwise.FailureCodeNotFound {
			t.Errorf("%v", err)
		}
		found := r.Resolve(ctx, []string{repository + ":v1", repository + ":none", repository + "@" + manifest.Digest, ":"})
		for _, i := range []int{0, 2} {
			if found[i].Err != nil || found[i].Value[0].Digest != manifest.Digest || found[i].Value[0].Size != uint64(len(text)) {
				t.Errorf("%+v", found[i])
			}
		}
		if codeOf(found[1].Err) != layerwise.FailureCodeNotFound || codeOf(found[3].Err) != layerwise.FailureCodeInvalid {
			t.Errorf("%+v", found)
		}
		short := config
		short.Size = 1
		long := config
		long.Size = 3
		read := r.Read(ctx, repository, []layerwise.Descriptor{manifest, config, {Digest: none, Size: 2}, short, long, {Digest: "x"}}, 1000)
		if read[0].Value != text || read[1].Value != "{}" {
			t.Errorf("%+v", read[:2])
		}
		for i, want := range []layerwise.FailureCode{"", "", layerwise.FailureCodeNotFound, layerwise.FailureCodeCorrupt, layerwise.FailureCodeTruncated, layerwise.FailureCodeInvalid} {
			if codeOf(read[i].Err) != want {
				t.Errorf("read %d: %v, expected %s", i, read[i].Err, want)
			}
		}
		if read := r.Read(ctx, repository, []layerwise.Descriptor{config}, 1); codeOf(read[0].Err) != layerwise.FailureCodeTooLarge {
			t.Errorf("%+v", read)
		}
		has, err := r.Has(ctx, repository, []string{config.Digest, none})
		if err != nil || has[0] != layerwise.PresencePresent || has[1] != layerwise.PresenceAbsent {
			t.Errorf("%v %v", has, err)
		}
		if err := r.Delete(ctx, repository, manifest.Digest); err != nil {
			t.Fatal(err)
		}
		if found := r.Resolve(ctx, []string{repository + "@" + manifest.Digest}); codeOf(found[0].Err) != layerwise.FailureCodeNotFound {
			t.Errorf("%+v", found)
		}
		if err := r.Delete(ctx, repository, manifest.Digest); codeOf(err) != layerwise.FailureCodeNotFound {
			t.Errorf("%v", err)
		}
	})
}

func archive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, entry := range entries {
		text := entry.Linkname
		if entry.Typeflag == tar.TypeReg {
			entry.Size, entry.Linkname = int64(len(text)), ""
		} else {
			text = ""
		}
		entry.ModTime = time.Unix(1, 0)
		if err := writer.WriteHeader(&entry); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(writer, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const gzipped = "application/vnd.oci.image.layer.v1.tar+gzip"

func TestLayersAreStoredAndUnpacked(t *testing.T) {
	eachPlace(t, func(t *testing.T, r *Registry, repository string) {
		ctx := t.Context()
		root := filepath.Dir(r.options.Layouts)
		data := archive(t,
			tar.Header{Name: "layers", Typeflag: tar.TypeDir, Mode: 0o755},
			tar.Header{Name: "layers/a/", Typeflag: tar.TypeDir, Mode: 0o750},
			tar.Header{Name: "layers/a/file", Typeflag: tar.TypeReg, Linkname: "text", Mode: 0o640},
			tar.Header{Name: "layers/a/same", Typeflag: tar.TypeLink, Linkname: "layers/a/file"},
			tar.Header{Name: "layers/a/link", Typeflag: tar.TypeSymlink, Linkname: "file"},
		)
		if err := os.WriteFile(filepath.Join(root, "files/layer.tar"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		transfer := layerwise.LayerTransfer{
			Descriptor: layerwise.Descriptor{MediaType: gzipped},
			Source:     layerwise.LayerSource{Case: layerwise.LayerSourceFile, File: "/f/layer.tar"},
		}
		stored := r.Store(ctx, repository, []layerwise.LayerTransfer{transfer, {Source: layerwise.LayerSource{Case: layerwise.LayerSourceFile, File: "/f/none"}}})
		if stored[0].Err != nil || !stored[0].Value.Written || *stored[0].Value.DiffID != digests.Of(data) {
			t.Fatalf("%+v", stored[0])
		}
		if codeOf(stored[1].Err) != layerwise.FailureCodeNotFound {
			t.Errorf("%+v", stored[1])
		}
		layer := stored[0].Value.Descriptor
		again := r.Store(ctx, repository, []layerwise.LayerTransfer{transfer})
		if again[0].Err != nil || again[0].Value.Written || again[0].Value.Descriptor.Digest != layer.Digest {
			t.Errorf("%+v", again[0])
		}
		copied := r.Store(ctx, "oci:images/copy", []layerwise.LayerTransfer{{Descriptor: layer, Source: layerwise.LayerSource{Case: layerwise.LayerSourceRepository, Repository: repository}}})
		if copied[0].Err != nil || !copied[0].Value.Written {
			t.Errorf("%+v", copied[0])
		}
		wrong := digests.Of(nil)
		retrieved := r.Retrieve(ctx, repository, []layerwise.LayerRetrieval{
			{Descriptor: layer},
			{Descriptor: layer, DiffID: &wrong, Into: &layerwise.LayerDestination{Root: "/f", Prefix: "layers/a"}},
			{Descriptor: layer, Into: &layerwise.LayerDestination{Root: "/f", Prefix: "other"}},
		})
		if retrieved[0].Err != nil || retrieved[0].Value.DiffID != digests.Of(data) || retrieved[0].Value.Size != uint64(len(data)) {
			t.Errorf("%+v", retrieved[0])
		}
		if codeOf(retrieved[1].Err) != layerwise.FailureCodeCorrupt || codeOf(retrieved[2].Err) != layerwise.FailureCodeDenied {
			t.Errorf("%+v", retrieved[1:])
		}
		if _, err := os.Lstat(filepath.Join(root, "files/layers")); err == nil {
			t.Error("something of a refused layer was unpacked")
		}
		into := &layerwise.LayerDestination{Root: "/f", Prefix: "layers/a"}
		for range 2 {
			done := r.Retrieve(ctx, repository, []layerwise.LayerRetrieval{{Descriptor: layer, Into: into}})[0]
			if done.Err != nil {
				t.Fatal(done.Err)
			}
		}
		for name, mode := range map[string]os.FileMode{"a": 0o750 | os.ModeDir, "a/file": 0o640, "a/same": 0o640, "a/link": 0} {
			info, err := os.Lstat(filepath.Join(root, "files/layers", name))
			if err != nil || (mode != 0 && info.Mode() != mode) {
				t.Errorf("%s: %v %v", name, info, err)
			}
		}
		if text, err := os.ReadFile(filepath.Join(root, "files/layers/a/link")); err != nil || string(text) != "text" {
			t.Errorf("%q %v", text, err)
		}
	})
}

func TestLayersThatLeadOutAreRefused(t *testing.T) {
	r, root := opened(t)
	into := &layerwise.LayerDestination{Root: "/f", Prefix: "p"}
	for name, entries := range map[string][]tar.Header{
		"up":             {{Name: "p/../../x", Typeflag: tar.TypeReg}},
		"absolute":       {{Name: "/q/x", Typeflag: tar.TypeReg}},
		"outside":        {{Name: "q/x", Typeflag: tar.TypeReg}},
		"through a link": {{Name: "p/l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, {Name: "p/l/x", Typeflag: tar.TypeReg}},
		"a hard link":    {{Name: "p/l", Typeflag: tar.TypeLink, Linkname: "../secret"}},
		"a device":       {{Name: "p/d", Typeflag: tar.TypeChar}},
		"a pipe":         {{Name: "p/d", Typeflag: tar.TypeFifo}},
		"a file first":   {{Name: "p/ok", Typeflag: tar.TypeReg, Linkname: "x"}, {Name: "q/x", Typeflag: tar.TypeReg}},
	} {
		data := archive(t, entries...)
		layer := stored(t, r, root, data)
		got := r.Retrieve(t.Context(), "oci:l", []layerwise.LayerRetrieval{{Descriptor: layer, Into: into}})[0]
		if codeOf(got.Err) != layerwise.FailureCodeDenied {
			t.Errorf("%s: %+v", name, got)
		}
		left, err := os.ReadDir(filepath.Join(root, "files"))
		if err != nil || len(left) != 1 {
			t.Errorf("%s: left %v %v", name, left, err)
		}
	}
}

// stored puts a tar file into the layout oci:l as it is.
func stored(t *testing.T, r *Registry, root string, data []byte) layerwise.Descriptor {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, "files/layer.tar"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	answer := r.Store(t.Context(), "oci:l", []layerwise.LayerTransfer{{
		Source: layerwise.LayerSource{Case: layerwise.LayerSourceFile, File: "/f/layer.tar"},
	}})[0]
	if answer.Err != nil {
		t.Fatal(answer.Err)
	}
	return answer.Value.Descriptor
}

func TestLayersAreCapped(t *testing.T) {
	r, root := opened(t)
	r.limits.LayerBytes = 1000
	var bomb bytes.Buffer
	writer := gzip.NewWriter(&bomb)
	if _, err := writer.Write(make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	layer := stored(t, r, root, bomb.Bytes())
	got := r.Retrieve(t.Context(), "oci:l", []layerwise.LayerRetrieval{{Descriptor: layer}})[0]
	if codeOf(got.Err) != layerwise.FailureCodeTooLarge {
		t.Errorf("%+v", got)
	}
	layer = stored(t, r, root, []byte("\x1f\x8bnothing"))
	if got := r.Retrieve(t.Context(), "oci:l", []layerwise.LayerRetrieval{{Descriptor: layer}})[0]; codeOf(got.Err) != layerwise.FailureCodeCorrupt {
		t.Errorf("%+v", got)
	}
}

func TestLayoutsAreConfined(t *testing.T) {
	r, root := opened(t)
	if err := os.Symlink(root, filepath.Join(root, "layouts/out")); err != nil {
		t.Fatal(err)
	}
	for _, repository := range []string{"oci:../x", "oci:/tmp/x", "oci:out/x", "oci:out"} {
		if _, err := r.Write(t.Context(), repository, layerwise.ShelfBlob, "", "x"); codeOf(err) != layerwise.FailureCodeDenied {
			t.Errorf("%s: %v", repository, err)
		}
	}
	r.layouts = nil
	if _, err := r.Write(t.Context(), "oci:x", layerwise.ShelfBlob, "", "x"); codeOf(err) != layerwise.FailureCodeDenied {
		t.Errorf("%v", err)
	}
}

func TestReferences(t *testing.T) {
	r, _ := opened(t)
	for text, want := range map[string]string{
		"busybox": "docker.io/library/busybox", "docker://ghcr.io/a/b:1": "ghcr.io/a/b", "[::1]:5000/a:t": "[::1]:5000/a",
		"oci:/a b/dir:1.0": "oci:/a b/dir", "oci:dir:host:5000/a:1": "oci:dir", "oci:dir:n@" + digests.Of(nil): "oci:dir",
	} {
		if got, err := r.Locate(t.Context(), text); err != nil || got != want {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":", "UPPER", "a//b", "oci:", "oci::tag", "oci:a:", "oci:a\x00b", digests.Of(nil), "http://host/a", "a:b:c", "a@sha256:1"} {
		if got, err := r.Locate(t.Context(), text); codeOf(err) != layerwise.FailureCodeInvalid {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	for _, text := range []string{"busybox", "oci:a:b", "ghcr.io/a:1"} {
		if _, err := r.Has(t.Context(), text, nil); codeOf(err) != layerwise.FailureCodeInvalid {
			t.Errorf("%q is no repository: %v", text, err)
		}
	}
}
