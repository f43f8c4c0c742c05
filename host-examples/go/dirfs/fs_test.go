//go:build unix

package dirfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/digests"
)

// tree is a directory with a file outside of what is opened, and files inside.
func tree(t *testing.T) (inside, outside string) {
	t.Helper()
	outside = t.TempDir()
	inside = filepath.Join(outside, "in")
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	check(os.MkdirAll(filepath.Join(inside, "d/e"), 0o755))
	check(os.WriteFile(filepath.Join(inside, "d/a"), []byte("abc"), 0o640))
	check(os.WriteFile(filepath.Join(inside, "d/\xff%"), []byte("\xffx\xfe"), 0o644))
	for name, target := range map[string]string{
		"up": "../secret", "far": filepath.Join(outside, "secret"), "dir": "..", "ok": "d/a", "abs": "/r/d/a",
		"loop": "loop", "nowhere": "d/nothing", "deep": "d/e/../../../secret",
	} {
		check(os.Symlink(target, filepath.Join(inside, name)))
	}
	check(syscall.Mkfifo(filepath.Join(inside, "pipe"), 0o600))
	return inside, outside
}

func open(t *testing.T, writable bool) (*FS, string) {
	t.Helper()
	inside, _ := tree(t)
	f, err := Open(Root{Name: "/r", Directory: inside, Writable: writable})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, inside
}

func codeOf(err error) layerwise.FailureCode {
	if err == nil {
		return ""
	}
	return layerwise.FailureOf(err).Code
}

func TestNothingOutsideIsReached(t *testing.T) {
	f, _ := open(t, true)
	for path, want := range map[string]layerwise.FailureCode{
		"/r/up": layerwise.FailureCodeDenied, "/r/far": layerwise.FailureCodeDenied, "/r/dir/secret": layerwise.FailureCodeDenied,
		"/r/deep": layerwise.FailureCodeDenied, "/r/../secret": layerwise.FailureCodeDenied, "/secret": layerwise.FailureCodeDenied,
		"secret": layerwise.FailureCodeDenied, "/r/%2E%2E/secret": layerwise.FailureCodeInvalid, "/r/a\x00b": layerwise.FailureCodeInvalid,
		"": layerwise.FailureCodeNotFound, "/r/loop": layerwise.FailureCodeOther, "/r/nowhere": layerwise.FailureCodeNotFound,
		"/r/d": layerwise.FailureCodeOther, "/r/pipe": layerwise.FailureCodeUnsupported, "/r/d/a/": layerwise.FailureCodeOther,
		"/r/ok": "", "/r/abs": "", "/r//d/./a": "",
	} {
		answer := f.Read(t.Context(), []string{path}, 100)[0]
		if codeOf(answer.Err) != want {
			t.Errorf("read %q: %v, expected %q", path, answer.Err, want)
		}
		if want == "" && answer.Value.Text != "abc" {
			t.Errorf("read %q: %q", path, answer.Value.Text)
		}
		if err := f.Write(t.Context(), []layerwise.FileChange{{Path: path, Text: "abc", Mode: 0o644}})[0]; want != "" && path != "/r/nowhere" && err == nil {
			t.Errorf("wrote %q", path)
		}
		if strings.HasPrefix(path, "/r/") {
			continue
		}
		if err := f.Remove(t.Context(), []string{path})[0]; err == nil {
			t.Errorf("removed %q", path)
		}
	}
}

func TestOthersSwapWhileItIsRead(t *testing.T) {
	f, inside := open(t, false)
	swapped := filepath.Join(inside, "swap")
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Symlink("..", swapped)
			_ = os.Remove(swapped)
			_ = os.Mkdir(swapped, 0o755)
			_ = os.Remove(swapped)
		}
	})
	for range 2000 {
		if answer := f.Read(t.Context(), []string{"/r/swap/secret"}, 100)[0]; answer.Err == nil {
			t.Fatalf("read %q", answer.Value.Text)
		}
	}
	close(stop)
	swapper.Wait()
}

// Names of one file have one identity, and no other file has it.
func TestNamesOfOneFile(t *testing.T) {
	f, inside := open(t, true)
	one, other := filepath.Join(inside, "one"), filepath.Join(inside, "other")
	if err := errors.Join(os.WriteFile(one, nil, 0o600), os.Link(one, other), os.WriteFile(filepath.Join(inside, "single"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []layerwise.FileFacts{{Identity: true}, {Identity: true, Content: true}} {
		entries := f.Stat(t.Context(), []string{"/r/one", "/r/other", "/r/single", "/r/d"}, false, want)
		first, second := entries[0].Value.Identity, entries[1].Value.Identity
		if first == nil || second == nil || *first != *second || entries[2].Value.Identity != nil || entries[3].Value.Identity != nil {
			t.Errorf("%+v", entries)
		}
	}
	if e := f.Stat(t.Context(), []string{"/r/one"}, false, layerwise.FileFacts{})[0].Value; e.Identity != nil {
		t.Errorf("%+v", e)
	}
}

func TestLooking(t *testing.T) {
	f, _ := open(t, false)
	facts := layerwise.FileFacts{Target: true, Content: true}
	entries := f.Stat(t.Context(), []string{"/r/d/a", "/r/ok", "/r/d", "/r/none", "/r/pipe"}, false, facts)
	const digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if e := entries[0].Value; e.Kind != layerwise.FileKindFile || e.Mode != 0o640 || e.Size != 3 || *e.Content != digest || e.Path != "/r/d/a" {
		t.Errorf("%+v %v", e, entries[0].Err)
	}
	if e := entries[1].Value; e.Kind != layerwise.FileKindLink || *e.Target != "d/a" || e.Content != nil {
		t.Errorf("%+v", e)
	}
	if entries[2].Value.Kind != layerwise.FileKindDirectory || codeOf(entries[3].Err) != layerwise.FailureCodeNotFound || entries[4].Value.Kind != layerwise.FileKindFifo {
		t.Errorf("%+v", entries[2:])
	}
	if e := f.Stat(t.Context(), []string{"/r/ok"}, true, facts)[0].Value; e.Kind != layerwise.FileKindFile || *e.Content != digest {
		t.Errorf("%+v", e)
	}
	names, err := f.ListNames(t.Context(), "/r/d")
	if err != nil || strings.Join(names, " ") != "a e %FF%25" {
		t.Errorf("%q %v", names, err)
	}
	content := f.Read(t.Context(), []string{"/r/d/%FF%25"}, 3)[0]
	if content.Err != nil || content.Value.Text != "\uFFFDx\uFFFD" || !content.Value.Lossy {
		t.Errorf("%+v", content)
	}
	if err := f.Read(t.Context(), []string{"/r/d/a"}, 2)[0].Err; codeOf(err) != layerwise.FailureCodeTooLarge {
		t.Errorf("%v", err)
	}
	hashes := f.Hash(t.Context(), []layerwise.FileHashing{{Path: "/r/ok"}, {Path: "/r/d/e/", Suffix: "x"}})
	if hashes[0].Value != digest || codeOf(hashes[1].Err) != layerwise.FailureCodeOther {
		t.Errorf("%+v", hashes)
	}
	around := f.Hash(t.Context(), []layerwise.FileHashing{{Path: "/r/d/a", Prefix: "%25%FF", Suffix: "x"}, {Path: "/r/d/a", Prefix: "%2e"}})
	if whole := digests.Of([]byte("%\xffabcx")); around[0].Value != whole || codeOf(around[1].Err) != layerwise.FailureCodeInvalid {
		t.Errorf("%+v", around)
	}
	walked, err := f.Walk(t.Context(), "/r/d", facts, 4)
	var paths []string
	for _, entry := range walked {
		paths = append(paths, entry.Path)
	}
	if err != nil || strings.Join(paths, " ") != ". a e %FF%25" || *walked[1].Content != digest {
		t.Errorf("%q %v", paths, err)
	}
	if _, err := f.Walk(t.Context(), "/r/d", facts, 3); codeOf(err) != layerwise.FailureCodeTooLarge {
		t.Errorf("%v", err)
	}
	for path, want := range map[string]layerwise.FailureCode{"/r/ok": layerwise.FailureCodeOther, "/r/none": layerwise.FailureCodeNotFound} {
		if _, err := f.Walk(t.Context(), path, facts, 9); codeOf(err) != want {
			t.Errorf("walk %s: %v", path, err)
		}
	}
}

func TestPreconditionsAndModes(t *testing.T) {
	f, inside := open(t, true)
	defer syscall.Umask(syscall.Umask(0o022))
	write := func(path string, of layerwise.Precondition) error {
		return f.Write(t.Context(), []layerwise.FileChange{{Path: path, Text: "new", Mode: 0o666, Parents: true, Precondition: of}})[0]
	}
	const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	absent := layerwise.Precondition{Case: layerwise.PreconditionAbsent}
	same := layerwise.Precondition{Case: layerwise.PreconditionUnchanged, Unchanged: abc}
	for _, one := range []struct {
		path string
		of   layerwise.Precondition
		want layerwise.FailureCode
	}{
		{"/r/d/a", absent, layerwise.FailureCodeConflict},
		{"/r/ok", absent, layerwise.FailureCodeConflict},
		{"/r/n/o/new", absent, ""},
		{"/r/n/o/new", absent, layerwise.FailureCodeConflict},
		{"/r/n/o/new", same, layerwise.FailureCodeConflict},
		{"/r/none", same, layerwise.FailureCodeConflict},
		{"/r/d/a", layerwise.Precondition{Case: layerwise.PreconditionUnchanged, Unchanged: "sha512:"}, layerwise.FailureCodeInvalid},
		{"/r/ok", same, ""},
		{"/r/d/a", same, layerwise.FailureCodeConflict},
		{"/r/d/a", layerwise.Precondition{}, ""},
		{"/r/d", layerwise.Precondition{}, layerwise.FailureCodeOther},
		{"/r/d/.layerwise-write.tmp", layerwise.Precondition{}, layerwise.FailureCodeInvalid},
		{"/r", layerwise.Precondition{}, layerwise.FailureCodeOther},
	} {
		if err := write(one.path, one.of); codeOf(err) != one.want {
			t.Errorf("write %s %+v: %v", one.path, one.of, err)
		}
	}
	mode := func(name string) os.FileMode {
		info, err := os.Lstat(filepath.Join(inside, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if mode("n/o/new") != 0o644 || mode("d/a") != 0o640 || mode("ok")&os.ModeSymlink == 0 {
		t.Errorf("%v %v %v", mode("n/o/new"), mode("d/a"), mode("ok"))
	}
	left, err := filepath.Glob(filepath.Join(inside, "*/.layerwise*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	answers := f.Write(t.Context(), []layerwise.FileChange{{Path: "/r/d"}, {Path: "/r/never"}})
	if len(answers) != 1 {
		t.Errorf("went on after a failure: %v", answers)
	}
}

func TestOneWriterWins(t *testing.T) {
	f, inside := open(t, true)
	won := make([]error, 16)
	var writers sync.WaitGroup
	for i := range won {
		writers.Go(func() {
			won[i] = f.Write(t.Context(), []layerwise.FileChange{{Path: "/r/one", Text: fmt.Sprint(i), Mode: 0o600, Precondition: layerwise.Precondition{Case: layerwise.PreconditionAbsent}}})[0]
		})
	}
	writers.Wait()
	text, err := os.ReadFile(filepath.Join(inside, "one"))
	winners := 0
	for i, err := range won {
		if err == nil {
			winners++
			if string(text) != fmt.Sprint(i) {
				t.Errorf("writer %d won and %q is there", i, text)
			}
		} else if codeOf(err) != layerwise.FailureCodeConflict {
			t.Error(err)
		}
	}
	if winners != 1 || err != nil {
		t.Errorf("%d winners, %v", winners, err)
	}
}

func TestRenamingAndRemoving(t *testing.T) {
	f, inside := open(t, true)
	for _, one := range []struct {
		old, name string
		want      layerwise.FailureCode
	}{
		{"/r/d/a", "/r/ok", layerwise.FailureCodeConflict},
		{"/r/d/a", "/r/d/b", ""},
		{"/r/d/b", "/r/c", ""},
		{"/r/none", "/r/x", layerwise.FailureCodeNotFound},
		{"/r", "/r/x", layerwise.FailureCodeDenied},
		{"/r/d/e", "/r/f", ""},
		{"/r/c", "/r/f", layerwise.FailureCodeConflict},
	} {
		if err := f.Rename(t.Context(), one.old, one.name); codeOf(err) != one.want {
			t.Errorf("rename %s to %s: %v", one.old, one.name, err)
		}
	}
	answers := f.Remove(t.Context(), []string{"/r/c", "/r/f", "/r/d", "/r/up", "/r/none", "/r"})
	want := []layerwise.FailureCode{"", "", layerwise.FailureCodeOther, "", layerwise.FailureCodeNotFound, layerwise.FailureCodeDenied}
	for i, err := range answers {
		if codeOf(err) != want[i] {
			t.Errorf("remove %d: %v", i, err)
		}
	}
	if _, err := os.Stat(filepath.Join(inside, "../secret")); err != nil {
		t.Errorf("the target of a link went: %v", err)
	}
}

func TestReadOnlyRoots(t *testing.T) {
	inside, _ := tree(t)
	f, err := Open(Root{Name: "/r", Directory: inside}, Root{Name: "/r/d", Directory: filepath.Join(inside, "d"), Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	change := func(path string) error {
		return f.Write(t.Context(), []layerwise.FileChange{{Path: path, Text: "x", Mode: 0o644, Parents: true}})[0]
	}
	if err := change("/r/x"); codeOf(err) != layerwise.FailureCodeDenied {
		t.Errorf("%v", err)
	}
	if err := change("/r/n/x"); codeOf(err) != layerwise.FailureCodeDenied {
		t.Errorf("%v", err)
	}
	if err := errors.Join(change("/r/d/x"), change("/r/ok")); err != nil {
		t.Error(err)
	}
	if err := f.Remove(t.Context(), []string{"/r/ok"})[0]; codeOf(err) != layerwise.FailureCodeDenied {
		t.Errorf("%v", err)
	}
	if _, err := Open(Root{Name: "/r", Directory: inside}, Root{Name: "/r/", Directory: inside}); codeOf(err) != layerwise.FailureCodeInvalid {
		t.Errorf("%v", err)
	}
	if _, err := Open(Root{Name: "/r", Directory: inside + "/none"}); codeOf(err) != layerwise.FailureCodeNotFound {
		t.Errorf("%v", err)
	}
}

func TestEveryPathHasOneText(t *testing.T) {
	for raw, text := range map[string]string{"a/ü": "a/ü", "%": "%25", "\xff": "%FF", "a\xe4b": "a%E4b", "\xed\xa0\x80": "%ED%A0%80"} {
		if got := encode(raw); got != text {
			t.Errorf("%q is %q, expected %q", raw, got, text)
		}
		if back, err := decode(text); err != nil || back != raw {
			t.Errorf("%q is %q, %v", text, back, err)
		}
	}
	for _, text := range []string{"%", "%2", "%zz", "%41", "%2f", "%c3%bc", "%ff"} {
		if raw, err := decode(text); err == nil {
			t.Errorf("%q is %q", text, raw)
		}
	}
}

// As one of 50,000 levels, which took gigabytes: each entry has all of its path.
func TestAWalkHasLimits(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, strings.Repeat("d/", 300)), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, limits := range map[string]Limits{
		"walk-depth":        {WalkDepth: 256, WalkEntries: 1000, WalkPathBytes: 1 << 20},
		"walk-path-bytes":   {WalkDepth: 1000, WalkEntries: 1000, WalkPathBytes: 1000},
		"more entries than": {WalkDepth: 1000, WalkEntries: 100, WalkPathBytes: 1 << 20},
		"":                  {WalkDepth: 300, WalkEntries: 301, WalkPathBytes: 1 << 20},
	} {
		opened, err := Open(Root{Name: "/r", Directory: root})
		if err != nil {
			t.Fatal(err)
		}
		if opened.Limits.WalkDepth != 256 || opened.Limits.WalkEntries != 10_000_000 || opened.Limits.WalkPathBytes != 512<<20 {
			t.Errorf("%+v", opened.Limits)
		}
		opened.Limits = limits
		_, err = opened.Walk(t.Context(), "/r", layerwise.FileFacts{}, 1<<40)
		switch {
		case name == "" && err != nil, name != "" && err == nil:
			t.Errorf("%s: %v", name, err)
		case err != nil && (layerwise.FailureOf(err).Code != layerwise.FailureCodeTooLarge || !strings.Contains(err.Error(), name)):
			t.Errorf("%s: %v", name, err)
		}
		opened.Close()
	}
}
