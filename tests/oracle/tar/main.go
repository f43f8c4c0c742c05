// Command tar draws entries of archives at random and prints what Go's
// archive/tar writes for each, as the Buildpacks lifecycle uses it:
//
//	tar SEED COUNT
//
// Dates are the lifecycle's, and there are no names of users.
package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"time"
)

type entry struct {
	Name   []byte `json:"name"`
	Kind   string `json:"kind"`
	Target []byte `json:"target,omitempty"`
	Size   uint64 `json:"size,omitempty"`
	Major  int64  `json:"major,omitempty"`
	Minor  int64  `json:"minor,omitempty"`
	Mode   int64  `json:"mode"`
	User   int    `json:"user"`
	Group  int    `json:"group"`
	Header []byte `json:"header"`
}

var kinds = map[string]byte{
	"file": tar.TypeReg, "directory": tar.TypeDir, "link": tar.TypeSymlink,
	"pipe": tar.TypeFifo, "character": tar.TypeChar, "block": tar.TypeBlock,
}

var date = time.Date(1980, time.January, 1, 0, 0, 1, 0, time.UTC)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: tar SEED COUNT")
	}
	seed, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	random := rand.New(rand.NewSource(seed))
	entries := make([]entry, count)
	for i := range entries {
		entries[i] = draw(random)
		if entries[i].Header, err = header(entries[i]); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return json.NewEncoder(out).Encode(entries)
}

func draw(r *rand.Rand) entry {
	names := []string{"file", "file", "file", "directory", "link", "link", "pipe", "character", "block"}
	e := entry{
		Name: path(r), Kind: names[r.Intn(len(names))], Mode: int64(r.Intn(0o10000)),
		User: id(r), Group: id(r),
	}
	switch e.Kind {
	case "file":
		e.Size = []uint64{0, 1, 511, 512, 513, 1 << 32, 1<<33 - 1, 1 << 33, 1 << 40}[min(r.Intn(18), 8)]
		if r.Intn(2) > 0 {
			e.Size = uint64(r.Intn(2000))
		}
	case "link":
		e.Target = path(r)[r.Intn(2):]
		if r.Intn(4) == 0 {
			e.Target = []byte("../" + string(e.Target))
		}
	case "character", "block":
		e.Major, e.Minor = int64(r.Intn(4096)), int64(r.Intn(1<<20))
	}
	return e
}

func id(r *rand.Rand) int {
	if r.Intn(5) > 0 {
		return r.Intn(2000)
	}
	return []int{0, 65534, 1<<21 - 1, 1 << 21, 1<<32 - 2}[r.Intn(5)]
}

// path is a clean absolute path, often about as long as a field of a header.
func path(r *rand.Rand) []byte {
	var b strings.Builder
	for b.Len() < []int{1, 20, 60, 90, 110, 150, 170, 255, 1000}[r.Intn(9)] || b.Len() == 0 {
		b.WriteByte('/')
		b.Write(part(r))
	}
	return []byte(b.String())
}

// part is a name; a few have letters that ASCII does not have.
func part(r *rand.Rand) []byte {
	length := []int{1, 3, 10, 20, 49, 90, 99, 155}[r.Intn(8)] + r.Intn(3)
	name := bytes.Repeat([]byte{"abz .-_~=\n\\"[r.Intn(11)]}, length)
	// Not a name that means a directory.
	name[0] = 'n'
	if r.Intn(30) == 0 {
		odd := []string{"\xc3\xbc", "\xff", "\xe2\x82", "\xf0\x9f\x98\x80", "\xc3"}[r.Intn(5)]
		at := r.Intn(len(name))
		name = append(name[:at], append([]byte(odd), name[at:]...)...)
	}
	// All of it is dropped where only ASCII counts.
	if r.Intn(60) == 0 {
		name = []byte("\xc3\xbc\xc3\xbc")
	}
	return name
}

func header(e entry) ([]byte, error) {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	err := writer.WriteHeader(&tar.Header{
		Name: string(e.Name), Typeflag: kinds[e.Kind], Linkname: string(e.Target), Size: int64(e.Size),
		Devmajor: e.Major, Devminor: e.Minor, Mode: e.Mode, Uid: e.User, Gid: e.Group, ModTime: date,
	})
	return out.Bytes(), err
}
