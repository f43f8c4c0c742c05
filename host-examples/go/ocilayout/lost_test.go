package ocilayout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
	"layerwise.dev/layerwise/internal/layout"
)

// family is a layout whose index.json tells of a base and of a child of it that
// was built here.
type family struct {
	t           *testing.T
	root        string
	store       *Store
	base, child string
	// entries are what index.json lists: the base, then the child.
	entries []any
	// manifest is where the child's is.
	manifest string
}

func newFamily(t *testing.T) *family {
	store, root := initialised(t)
	f := &family{t: t, root: root, store: store}
	f.base = create(t, store, nil, document("base"))
	f.child = create(t, store, &f.base, document("child"))
	for name, id := range map[string]string{"base": f.base, "app": f.child} {
		if err := store.Tag(t.Context(), id, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.SetBuiltHere(t.Context(), f.child, true); err != nil {
		t.Fatal(err)
	}
	var index struct {
		Manifests []any `json:"manifests"`
	}
	if err := json.Unmarshal([]byte(f.index()), &index); err != nil {
		t.Fatal(err)
	}
	f.entries = index.Manifests
	f.manifest = f.blob(f.entry()["digest"].(string))
	return f
}

func (f *family) entry() map[string]any { return f.entries[1].(map[string]any) }

func (f *family) blob(digest string) string {
	return filepath.Join(f.root, "blobs/sha256", strings.TrimPrefix(digest, "sha256:"))
}

func (f *family) index() string {
	text, err := os.ReadFile(filepath.Join(f.root, "index.json"))
	f.must(err)
	return string(text)
}

func (f *family) enter(entries ...any) {
	text, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": entries})
	f.must(err)
	f.must(os.WriteFile(filepath.Join(f.root, "index.json"), text, 0o600))
}

func (f *family) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *family) fails(err error, code layerwise.FailureCode, said ...string) {
	f.t.Helper()
	if codeOf(err) != code {
		f.t.Errorf("%v, expected %s", err, code)
		return
	}
	for _, text := range said {
		if !strings.Contains(err.Error(), text) {
			f.t.Errorf("%v does not say %s", err, text)
		}
	}
}

func (f *family) get(id string, want layerwise.ImageFacts) layerwise.Result[layerwise.Image] {
	return f.store.Get(f.t.Context(), []string{id}, want, 1<<20)[0]
}

func (f *family) resolve(name string) error {
	return f.store.Resolve(f.t.Context(), []string{name}, 1<<20)[0].Err
}

func (f *family) children(parent *string, want ...string) {
	f.t.Helper()
	found, err := f.store.Children(f.t.Context(), parent)
	if err != nil || !slices.Equal(found, want) {
		f.t.Errorf("%v %v, expected %v", found, err, want)
	}
}

func later() map[string]any {
	return map[string]any{"mediaType": layout.Manifest, "digest": digests.Of([]byte("later")), "size": 1}
}

func TestAChildThatCannotBeReadIsListedAndSaysWhy(t *testing.T) {
	const corrupt, unavailable = layerwise.FailureCodeCorrupt, layerwise.FailureCodeUnavailable
	for _, damage := range []struct {
		name   string
		damage func(f *family, entry map[string]any)
		code   layerwise.FailureCode
		why    string
	}{
		{"missing", func(f *family, _ map[string]any) { f.must(os.Remove(f.manifest)) }, unavailable, "no such file"},
		{"no blobs", func(f *family, _ map[string]any) { f.must(os.RemoveAll(f.root + "/blobs")) }, unavailable, "no such file"},
		{"short", func(f *family, _ map[string]any) { f.must(os.WriteFile(f.manifest, []byte("{"), 0o600)) }, layerwise.FailureCodeTruncated, "has 1 bytes"},
		{"other bytes", func(f *family, entry map[string]any) {
			f.must(os.WriteFile(f.manifest, []byte(strings.Repeat(" ", int(entry["size"].(float64)))), 0o600))
		}, corrupt, "do not have this digest"},
		{"a directory", func(f *family, _ map[string]any) {
			f.must(os.Remove(f.manifest))
			f.must(os.Mkdir(f.manifest, 0o700))
		}, corrupt, "not a regular file"},
		{"a path for a digest", func(_ *family, entry map[string]any) { entry["digest"] = "sha256:../../etc/passwd" }, corrupt, `"sha256:../../etc/passwd"`},
		{"no digest", func(_ *family, entry map[string]any) { delete(entry, "digest") }, corrupt, `"" for its digest`},
		{"a negative size", func(_ *family, entry map[string]any) { entry["size"] = -1 }, corrupt, "not a descriptor"},
		{"a foreign media type", func(_ *family, entry map[string]any) { entry["mediaType"] = "text/plain" }, corrupt, `"text/plain" for its media type`},
		{"an odd config", func(f *family, entry map[string]any) {
			text, err := os.ReadFile(f.manifest)
			f.must(err)
			text = []byte(strings.Replace(string(text), f.child, "md5:00", 1))
			digest, err := f.store.layout.StoreBytes(f.t.Context(), text)
			f.must(err)
			entry["digest"], entry["size"] = digest, len(text)
		}, corrupt, `"md5:00"`},
	} {
		t.Run(damage.name, func(t *testing.T) {
			f := newFamily(t)
			damage.damage(f, f.entry())
			f.enter(f.entries...)
			f.children(&f.base, f.child)
			if ids, err := f.store.IDs(); err != nil || !slices.Contains(ids, f.child) {
				t.Errorf("%v %v", ids, err)
			}
			if found, err := f.store.Children(t.Context(), nil); err != nil || slices.Contains(found, f.child) {
				t.Errorf("%v %v", found, err)
			}

			said := []string{`image "` + f.child + `"`, "index.json", damage.why}
			f.fails(f.get(f.child, all).Err, damage.code, said...)
			for _, name := range []string{f.child, f.child[7:], f.child[:20], "app"} {
				f.fails(f.resolve(name), damage.code, said...)
			}
			noted := f.get(f.child, layerwise.ImageFacts{Parent: true, Built: true})
			if noted.Err != nil || noted.Value.Parent == nil || *noted.Value.Parent != f.base || noted.Value.Built != layerwise.ProvenanceBuiltHere {
				t.Errorf("%+v", noted)
			}

			before := f.index()
			f.fails(f.store.SetParent(t.Context(), f.child, f.base), damage.code, said...)
			f.fails(f.store.SetBuiltHere(t.Context(), f.child, false), damage.code, said...)
			f.fails(f.store.Tag(t.Context(), f.child, "new"), damage.code, said...)
			_, err := f.store.Create(t.Context(), &f.child, document("new"), nil)
			f.fails(err, damage.code, said...)
			if f.index() != before {
				t.Errorf("%s, expected %s", f.index(), before)
			}
		})
	}
}

func TestWhatIsMadeAgainIsWhole(t *testing.T) {
	f := newFamily(t)
	f.must(os.RemoveAll(f.root + "/blobs"))
	f.fails(f.get(f.child, all).Err, layerwise.FailureCodeUnavailable)
	if again := create(t, f.store, nil, document("child")); again != f.child {
		t.Errorf("%s is not %s", again, f.child)
	}
	if found := f.get(f.child, all); found.Err != nil || *found.Value.Document != document("child") || found.Value.Parent != nil {
		t.Errorf("%+v", found)
	}
	f.children(&f.base)
}

// umoci copies annotations to the entry of an image it derives.
func TestNotesAreNotTakenFromADamagedCopy(t *testing.T) {
	f := newFamily(t)
	damaged := later()
	damaged["annotations"] = map[string]any{
		noteImage: f.child, noteParent: digests.Of([]byte("other")), layout.RefName: "copy",
	}
	f.enter(damaged, f.entries[0], f.entries[1])
	f.children(&f.base, f.child)
	if ids, err := f.store.IDs(); err != nil || len(ids) != 2 {
		t.Errorf("%v %v", ids, err)
	}
	f.fails(f.resolve("copy"), layerwise.FailureCodeNotFound, "blobs/sha256")
}

func TestEntriesWithoutNotesArePassedOverAndSaid(t *testing.T) {
	f := newFamily(t)
	f.must(os.Remove(f.manifest))
	entries := f.entries[:1]
	for _, annotations := range []map[string]any{nil, {noteParent: f.base}, {noteParent: f.base, noteImage: "no id"}} {
		entries = append(entries, map[string]any{
			"mediaType": layout.Manifest, "digest": f.entry()["digest"], "size": f.entry()["size"], "annotations": annotations,
		})
	}
	malformed := later()
	malformed["digest"], malformed["annotations"] = "md5:00", map[string]any{layout.RefName: "named"}
	f.enter(append(entries, malformed)...)
	f.children(&f.base)
	f.children(nil, f.base)
	const said = "not all of its entries can be read: "
	f.fails(f.get(f.child, all).Err, layerwise.FailureCodeNotFound, said)
	f.fails(f.resolve("nosuch"), layerwise.FailureCodeNotFound, said)
	f.fails(f.resolve("named"), layerwise.FailureCodeCorrupt, `"md5:00"`)
	layer := digests.Of([]byte("layer"))
	_, err := f.store.Create(t.Context(), nil, document("new", layer), &layer)
	f.fails(err, layerwise.FailureCodeNotFound, layer, said)
}

func TestBlobsThatCannotBeLookedUpAreNotAnEmptyStore(t *testing.T) {
	f := newFamily(t)
	allFail := func(code layerwise.FailureCode, why string) {
		t.Helper()
		said := []string{"blobs/sha256", why}
		for _, parent := range []*string{nil, &f.base} {
			_, err := f.store.Children(t.Context(), parent)
			f.fails(err, code, said...)
		}
		f.fails(f.get(f.child, all).Err, code, said...)
		f.fails(f.resolve("base"), code, said...)
	}
	blobs := f.root + "/blobs/sha256"
	for _, denied := range []string{blobs, f.root + "/blobs"} {
		f.must(os.Chmod(denied, 0))
		if _, err := os.ReadDir(denied); err == nil {
			t.Log("part skipped: this user may read everywhere")
		} else {
			allFail(layerwise.FailureCodeDenied, "permission denied")
		}
		f.must(os.Chmod(denied, 0o755))
	}
	f.must(os.Rename(blobs, f.root+"/moved"))
	f.must(os.WriteFile(blobs, nil, 0o600))
	allFail(layerwise.FailureCodeCorrupt, "is not a directory")
	f.must(os.Remove(blobs))
	f.must(os.Symlink("sha256", blobs))
	allFail(layerwise.FailureCodeCorrupt, "it is a link, which is not followed")
	f.must(os.Remove(blobs))
	f.must(os.Rename(f.root+"/moved", blobs))
	f.children(&f.base, f.child)
}
