// Command stacker asks the libraries that stacker's build cache is made of about
// random names, values and file trees, and writes the answers as a vector file:
//
//	go run . SEED COUNT > /tmp/stacker.json
//	layerwise conformance /tmp/stacker.json
//
// go-mtree encodes and decodes names, writes the text of a tree and compares a
// text with a tree; hashstructure hashes values. The trees are made in a
// directory for temporary files, with what a user without privileges can make.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/mitchellh/hashstructure"
	"github.com/vbatts/go-mtree"
	"github.com/vbatts/go-mtree/pkg/govis"
)

// keywords are those that stacker walks and compares with.
var keywords = []mtree.Keyword{"type", "link", "uid", "gid", "xattr", "mode", "sha256digest"}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var seed uint64
	var count int
	if n, _ := fmt.Sscan(strings.Join(args, " "), &seed, &count); n != 2 {
		return errors.New("usage: stacker SEED COUNT")
	}
	dir, err := os.MkdirTemp("", "layerwise-oracle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	time.Local = time.UTC
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	cases := []any{}
	for number := range count {
		list, err := g.cases(filepath.Join(dir, strconv.Itoa(number)))
		if err != nil {
			return err
		}
		for _, one := range list {
			one["id"] = fmt.Sprintf("%s-%d", one["kind"], len(cases))
			one["about"] = "random"
			cases = append(cases, one)
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	return out.Encode(object{
		"format": "stacker-conformance/1", "generated_with": object{"go-mtree": "v0.5.4"}, "cases": cases,
	})
}

type object = map[string]any

// generator makes inputs that are mostly valid and always odd.
type generator struct{ *rand.Rand }

func (g generator) chance(in int) bool { return g.IntN(in) == 0 }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

func (g generator) cases(root string) ([]object, error) {
	list := []object{g.encoded(), g.decoded()}
	hashes, err := g.hashes()
	if err != nil {
		return nil, err
	}
	trees, err := g.trees(root)
	return slices.Concat(list, hashes, trees), err
}

func (g generator) encoded() object {
	name := g.name()
	encoded, err := govis.Vis(name, mtree.DefaultVisFlags)
	if err != nil {
		panic(err) // Every name can be encoded.
	}
	one := object{"kind": "vis", "expect": object{"output": encoded}}
	text(one, "input", name)
	return one
}

func (g generator) decoded() object {
	var input strings.Builder
	for range g.IntN(6) {
		input.WriteString(pick(g, "a", "é", "7", "%41", `\`, `\\`, `\0`, `\04`, `\040`, `\377`, `\400`, `\8`, `\x41`, `\x4`, `\xg1`, `\^a`,
			`\^?`, `\^é`, `\M-a`, `\M^a`, `\M`, `\n`, `\s`, `\E`, `\$`, "\\\n", `\q`, `\1\2`, `\-`))
	}
	one := object{"kind": "unvis", "input": input.String()}
	name, err := govis.Unvis(input.String(), mtree.DefaultVisFlags)
	if err != nil {
		one["expect"] = object{"outcome": "error", "error": "bad-spec-name"}
		return one
	}
	expect := object{"outcome": "ok"}
	text(expect, "output", name)
	one["expect"] = expect
	return one
}

func (g generator) hashes() ([]object, error) {
	words := make([]string, g.IntN(4))
	pairs := map[string]string{}
	for at := range words {
		words[at] = g.word()
		pairs[g.word()] = g.word()
	}
	number := pick(g, 0, 1, -1, g.Int64(), -g.Int64())
	var list []object
	for _, asked := range []struct {
		kind         string
		value, shown any
	}{
		{"string", g.word(), nil}, {"strings", words, words}, {"string-map", pairs, pairs},
		{"int64", number, fmt.Sprint(number)}, {"uint32", uint32(number), fmt.Sprint(uint32(number))}, {"bool", number > 0, number > 0},
	} {
		if asked.shown == nil {
			asked.shown = asked.value
		}
		hash, err := hashstructure.Hash(asked.value, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, object{
			"kind": "hash-value", "version": 16, "type": asked.kind, "value": asked.shown,
			"expect": object{"hash": strconv.FormatUint(hash, 10), "hex": fmt.Sprintf("%016x", hash)},
		})
	}
	return list, nil
}

// trees makes a tree, asks for its text, changes the text or the tree and asks
// for the differences.
func (g generator) trees(root string) ([]object, error) {
	if err := g.fill(root, 2); err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	before, err := described(root)
	if err != nil {
		return nil, err
	}
	walked, err := mtree.Walk(root, nil, keywords, nil)
	if err != nil {
		return nil, err
	}
	var written bytes.Buffer
	if _, err := walked.WriteTo(&written); err != nil {
		return nil, err
	}
	stored := written.String()
	expect := object{"outcome": "ok", "base64": base64.StdEncoding.EncodeToString(written.Bytes())}
	if utf8.ValidString(stored) {
		expect["text"] = stored
	}
	host := facts(stored)
	walk := object{"kind": "mtree-walk", "version": 16, "host": host, "root": root, "tree": before, "expect": expect}

	if g.chance(2) {
		stored = g.changed(stored)
	}
	if g.chance(2) {
		if err := os.RemoveAll(root); err != nil {
			return nil, err
		}
		if err := g.fill(root, 1); err != nil {
			return nil, err
		}
	}
	after, err := described(root)
	if err != nil {
		return nil, err
	}
	return []object{walk, {
		"kind": "mtree-compare", "version": 16, "host": host, "root": root, "tree": after,
		"old_base64": base64.StdEncoding.EncodeToString([]byte(stored)), "expect": compared(stored, root),
	}}, nil
}

func compared(stored, root string) object {
	old, err := mtree.ParseSpec(strings.NewReader(stored))
	if err != nil {
		return object{"outcome": "error", "error": "bad-spec-name", "upstream_message": err.Error()}
	}
	now, err := mtree.Walk(root, nil, keywords, nil)
	if err != nil {
		panic(err) // It was walked before.
	}
	deltas, err := mtree.Compare(old, now, keywords)
	if err != nil {
		return object{"outcome": "error", "error": "bad-spec-name", "upstream_message": err.Error()}
	}
	sort.Slice(deltas, func(i, j int) bool { return deltas[i].Path() < deltas[j].Path() })
	changes := []any{}
	for _, delta := range deltas {
		change := object{"change": string(delta.Type())}
		text(change, "path", delta.Path())
		if delta.Type() == mtree.Modified {
			keys := []string{}
			for _, key := range delta.Diff() {
				keys = append(keys, string(key.Name()))
			}
			slices.Sort(keys)
			change["keys"] = keys
		}
		changes = append(changes, change)
	}
	return object{"outcome": "ok", "changed": changes}
}

// changed is a text that somebody edited.
func (g generator) changed(stored string) string {
	lines := strings.SplitAfter(stored, "\n")
	for range 1 + g.IntN(3) {
		at := g.IntN(len(lines))
		switch g.IntN(7) {
		case 0:
			lines[at] = ""
		case 1:
			lines[at] = strings.Replace(lines[at], "\n", "\r\n", 1)
		case 2:
			lines[at] = strings.Replace(lines[at], " ", pick(g, "  ", "\t", "\u00a0", "\\\n", " \\\n "), 1)
		case 3:
			lines[at] = "  " + lines[at]
		case 4:
			lines[at] = strings.Replace(lines[at], pick(g, "mode=", "uid=", "type="), pick(g, "mode=0", "MODE=", "mode", "uid", "type=x"), 1)
		case 5:
			lines[at] += pick(g, "/set uid=1\n", "/unset uid\n", "/foo\n", "..\n", "\t\n", "x uid\n", "x =5\n", "f uid=9 uid=0\n", "./x/y type=file\n",
				"a/../b type=file\n", "../../z type=file\n", "/abs type=file\n", "\\q type=file\n", "x type=file type=dir\n", "x xattr.user.q=aa\n")
		case 6:
			lines[at] = strings.TrimSuffix(lines[at], "\n")
		}
	}
	return strings.Join(lines, "")
}

// facts reads what a text says of the machine it was written on.
func facts(stored string) object {
	host := object{}
	for line := range strings.Lines(stored) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimLeft(line, "# ")), ": ")
		switch name {
		case "user":
			host["user"] = value
		case "machine":
			host["hostname"] = value
		case "date":
			date, err := time.Parse("Mon Jan 2 15:04:05 2006", value)
			if err != nil {
				panic(err) // Written by the library in this form.
			}
			host["now"] = date.Format("2006-01-02T15:04:05")
			return host
		}
	}
	return host
}

// fill makes a directory with odd names in it.
func (g generator) fill(dir string, depth int) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for range g.IntN(5) {
		path := filepath.Join(dir, g.name())
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		var err error
		switch kind := g.IntN(6); {
		case kind == 0 && depth > 0 && !strings.Contains(path, "\n"):
			err = g.fill(path, depth-1)
		case kind == 1:
			err = os.Symlink(pick(g, "f", "/nowhere", "a b", "..", "é", "a\nb", "#", `\040`), path)
		case kind == 2:
			err = syscall.Mkfifo(path, 0o600)
		default:
			if err = os.WriteFile(path, []byte(g.word()), 0o600); err == nil {
				err = syscall.Chmod(path, pick[uint32](g, 0o644, 0o664, 0o755, 0o4755, 0o1444, 0o600))
			}
		}
		if err != nil {
			return err
		}
	}
	return syscall.Chmod(dir, pick[uint32](g, 0o755, 0o700, 0o1777, 0o2755))
}

// described lists a tree as the vectors do.
func described(root string) ([]any, error) {
	entries := []any{}
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		status := info.Sys().(*syscall.Stat_t)
		entry := object{"uid": status.Uid, "gid": status.Gid, "mode": fmt.Sprintf("%04o", status.Mode&0o7777)}
		text(entry, "path", path)
		switch info.Mode().Type() {
		case os.ModeDir:
			entry["type"] = "dir"
		case os.ModeNamedPipe:
			entry["type"] = "fifo"
		case os.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			entry["type"] = "link"
			delete(entry, "mode")
			text(entry, "target", target)
		default:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			entry["type"] = "file"
			text(entry, "content", string(content))
		}
		entries = append(entries, entry)
		return nil
	})
	return entries, err
}

// name is a file name.
func (g generator) name() string {
	var name strings.Builder
	for range 1 + g.IntN(4) {
		name.WriteString(pick(g, "a", "b", "f", " ", "#", "*", "?", "[", "=", `\`, `\040`, "é", "日", "\xff", "\n", "\t", "\r", "\x7f", "\u2028", "type=dir", "%41", "~",
			string([]byte{byte(1 + g.IntN(255))})))
	}
	return strings.NewReplacer("/", "-").Replace(name.String())
}

func (g generator) word() string {
	return pick(g, "", "a", "b c", "é", "\x00", "😀", "\u2028", "<&>") + pick(g, "", "", "x")
}

// text sets a member to a text, or to its base64 form where it is not one.
func text(members object, name, value string) {
	if utf8.ValidString(value) {
		members[name] = value
	} else {
		members[name+"_b64"] = base64.StdEncoding.EncodeToString([]byte(value))
	}
}
