package ocilayout

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/layout"
)

func document(author string, diffs ...string) string {
	list := ""
	for i, diff := range diffs {
		if i > 0 {
			list += ","
		}
		list += `"` + diff + `"`
	}
	return fmt.Sprintf(`{"author":%q,"os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}`, author, list)
}

func initialised(t *testing.T) (*Store, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "images")
	store, err := Init(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store, root
}

func create(t *testing.T, store *Store, parent *string, document string) string {
	t.Helper()
	id, err := store.Create(t.Context(), parent, document, nil)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func codeOf(err error) layerwise.FailureCode {
	if err == nil {
		return ""
	}
	return layerwise.FailureOf(err).Code
}

var all = layerwise.ImageFacts{Document: true, Parent: true, Built: true}

func TestImagesAreKept(t *testing.T) {
	store, root := initialised(t)
	base := create(t, store, nil, document("base"))
	child := create(t, store, &base, document("child"))
	if again := create(t, store, nil, document("base")); again != base {
		t.Errorf("%s is not %s", again, base)
	}
	if err := store.Tag(t.Context(), child, "app:1"); err != nil {
		t.Fatal(err)
	}
	if err := store.SetBuiltHere(t.Context(), child, true); err != nil {
		t.Fatal(err)
	}
	// Another store over the same directory sees the same.
	other, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	got := other.Get(t.Context(), []string{base, child, "sha256:" + strings.Repeat("0", 64), "x"}, all, 1<<20)
	if got[0].Err != nil || got[0].Value.Parent != nil || *got[0].Value.Document != document("base") || got[0].Value.Built != layerwise.ProvenanceElsewhere {
		t.Errorf("%+v", got[0])
	}
	if got[1].Err != nil || *got[1].Value.Parent != base || got[1].Value.Built != layerwise.ProvenanceBuiltHere {
		t.Errorf("%+v", got[1])
	}
	if codeOf(got[2].Err) != layerwise.FailureCodeNotFound || codeOf(got[3].Err) != layerwise.FailureCodeInvalid {
		t.Errorf("%+v", got[2:])
	}
	for _, name := range []string{"app:1", child, strings.TrimPrefix(child, "sha256:"), child[7:19], child[:20]} {
		found := other.Resolve(t.Context(), []string{name}, 1<<20)[0]
		if found.Err != nil || found.Value.ID != child || found.Value.Parent != nil || found.Value.Built != layerwise.ProvenanceUnknown {
			t.Errorf("%s: %+v", name, found)
		}
	}
	for _, name := range []string{"app:2", "", "Nothing", "a b"} {
		if found := other.Resolve(t.Context(), []string{name}, 1<<20)[0]; codeOf(found.Err) != layerwise.FailureCodeNotFound {
			t.Errorf("%q: %+v", name, found)
		}
	}
	children := func(parent *string, want ...string) {
		t.Helper()
		found, err := other.Children(t.Context(), parent)
		if err != nil || strings.Join(found, " ") != strings.Join(want, " ") {
			t.Errorf("%v %v, expected %v", found, err, want)
		}
	}
	children(nil, base)
	children(&base, child)
	children(&child)
	if err := other.SetParent(t.Context(), base, child); err != nil {
		t.Fatal(err)
	}
	children(nil)
	children(&child, base)
	none := "sha256:" + strings.Repeat("0", 64)
	if err := other.SetParent(t.Context(), base, none); codeOf(err) != layerwise.FailureCodeNotFound {
		t.Errorf("%v", err)
	}
}

func TestANameMoves(t *testing.T) {
	store, _ := initialised(t)
	one, two := create(t, store, nil, document("one")), create(t, store, nil, document("two"))
	for _, id := range []string{one, two, two} {
		if err := store.Tag(t.Context(), id, "registry.example/a:1"); err != nil {
			t.Fatal(err)
		}
		found := store.Resolve(t.Context(), []string{"registry.example/a:1"}, 1<<20)[0]
		if found.Err != nil || found.Value.ID != id {
			t.Errorf("%+v", found)
		}
	}
	for _, name := range []string{"", "a b", "../a", "-a"} {
		if err := store.Tag(t.Context(), one, name); codeOf(err) != layerwise.FailureCodeInvalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAnAnswerHoldsAsMuchAsTheLimit(t *testing.T) {
	store, _ := initialised(t)
	small, large := create(t, store, nil, document("s")), create(t, store, nil, document(strings.Repeat("l", 1000)))
	size := uint64(len(document("s")))
	for limit, want := range map[uint64]string{10: "too-large too-large too-large", size: "ok too-large", size * 2: "ok too-large ok", 1 << 20: "ok ok ok"} {
		var got []string
		for _, answer := range store.Get(t.Context(), []string{small, large, small}, all, limit) {
			code := string(codeOf(answer.Err))
			if code == "" {
				code = "ok"
			}
			got = append(got, code)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("limit %d: %v, expected %s", limit, got, want)
		}
	}
}

func TestLayersAreThoseTheLayoutHas(t *testing.T) {
	store, root := initialised(t)
	plain := []byte("a layer")
	digest, err := store.layout.StoreBytes(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Create(t.Context(), nil, document("x", digest), nil); codeOf(err) != layerwise.FailureCodeNotFound {
		t.Errorf("a layer that no image has: %v", err)
	}
	// An image from elsewhere brings the layer.
	config := document("base", digest)
	id, _ := store.layout.StoreBytes(t.Context(), []byte(config))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
		layout.Config, id, len(config), plainLayer, digest, len(plain))
	at, _ := store.layout.StoreBytes(t.Context(), []byte(manifest))
	if err := store.layout.Update(t.Context(), func(index *layout.Index) error {
		index.Push(layout.Manifest, at, uint64(len(manifest)))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	child, err := store.Create(t.Context(), &id, document("child", digest), &digest)
	if err != nil {
		t.Fatal(err)
	}
	if other := "sha256:" + strings.Repeat("0", 64); child != "" {
		if _, err := store.Create(t.Context(), &id, document("y", digest), &other); codeOf(err) != layerwise.FailureCodeInvalid {
			t.Errorf("%v", err)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"rootfs":{"diff_ids":["x"]}}`} {
		if _, err := store.Create(t.Context(), nil, text, nil); codeOf(err) != layerwise.FailureCodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(root, ".layerwise.*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestWhatOthersWroteIsKept(t *testing.T) {
	store, root := initialised(t)
	id := create(t, store, nil, document("one"))
	path := filepath.Join(root, "index.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	foreign := strings.Replace(string(text), "{", `{"theirs":{"n":1.50},`, 1)
	foreign = strings.Replace(foreign, `"manifests":[`, `"manifests":[{"mediaType":"x/y","digest":"sha256:1","size":1,"also":"<theirs>"},`, 1)
	if err := os.WriteFile(path, []byte(foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(t.Context(), id, "a"); err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), `"theirs":{"n":1.50}`) || !strings.Contains(string(text), `"also":"<theirs>"`) {
		t.Errorf("%s %v", text, err)
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	_, root := initialised(t)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			store, err := Open(root)
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			for j := range 5 {
				id, err := store.Create(t.Context(), nil, document(fmt.Sprint(i, j)), nil)
				if err == nil {
					err = store.Tag(t.Context(), id, fmt.Sprintf("n%d-%d", i, j))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	store, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ids, err := store.IDs()
	if err != nil || len(ids) != 40 {
		t.Errorf("%d images, %v", len(ids), err)
	}
}

func TestHostileLayouts(t *testing.T) {
	store, root := initialised(t)
	id := create(t, store, nil, document("one"))
	index := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, "index.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]layerwise.FailureCode{
		"":                             layerwise.FailureCodeTruncated,
		"[]":                           layerwise.FailureCodeTruncated,
		"{]}":                          layerwise.FailureCodeCorrupt,
		`{"manifests":{}}`:             layerwise.FailureCodeCorrupt,
		`{"manifests":[],"layers":{}}`: layerwise.FailureCodeCorrupt,
		`{"manifests":[1,{"mediaType":"` + layout.Manifest + `","digest":"../../x","size":1}]}`:                                           "",
		`{"manifests":[{"mediaType":"` + layout.Manifest + `","digest":"sha256:` + strings.Repeat("a", 64) + `","size":99999999999999}]}`: layerwise.FailureCodeTooLarge,
	} {
		index(text)
		if _, err := store.IDs(); codeOf(err) != want {
			t.Errorf("%q: %v", text, err)
		}
		if answer := store.Get(t.Context(), []string{id}, all, 1<<20)[0]; answer.Err == nil {
			t.Errorf("%q: %+v", text, answer)
		}
	}
	for name, make := range map[string]func(string) error{
		"nothing": func(string) error { return nil },
		"another version": func(root string) error {
			return os.WriteFile(root+"/oci-layout", []byte(`{"imageLayoutVersion":"9"}`), 0o600)
		},
		"a directory": func(root string) error { return os.Mkdir(root+"/oci-layout", 0o700) },
	} {
		root := t.TempDir()
		if err := make(root); err != nil {
			t.Fatal(err)
		}
		if store, err := Open(root); err == nil {
			store.Close()
			t.Errorf("%s was opened", name)
		}
	}
	full := t.TempDir()
	if err := os.WriteFile(full+"/other", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(t.Context(), full); codeOf(err) != layerwise.FailureCodeConflict {
		t.Errorf("%v", err)
	}
}

// A blob that leads out of the layout, or is another one, is not read.
func TestBlobsAreCheckedAndConfined(t *testing.T) {
	store, root := initialised(t)
	id := create(t, store, nil, document("one"))
	blob := filepath.Join(root, "blobs/sha256", strings.TrimPrefix(id, "sha256:"))
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Rename(blob, outside); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() error{
		"a link out":  func() error { return os.Symlink(outside, blob) },
		"other bytes": func() error { return os.WriteFile(blob, []byte(strings.Repeat("x", len(document("one")))), 0o600) },
		"fewer bytes": func() error { return os.WriteFile(blob, nil, 0o600) },
	} {
		_ = os.Remove(blob)
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if answer := store.Get(t.Context(), []string{id}, all, 1<<20)[0]; answer.Err == nil {
			t.Errorf("%s: %+v", name, answer)
		}
	}
}
