// Command buildpacks draws cases at random, lets upstream's own packages run
// them and prints them as a vector file, to compare ours with it:
//
//	buildpacks KIND SEED COUNT...
//
// Kinds: `restore`, `toml` (a store.toml that is there already) and `image` have
// what both readings share; `restore-folded` and `image-folded` also have what
// only the compatible one allows. The program in v0.13 answers the restore cases
// of such a file as that version does.
//
// The module's path is below upstream's because Go lets nobody else import its
// internal packages; nothing of upstream is copied here.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || len(args)%3 != 0 {
		return errors.New("usage: buildpacks KIND SEED COUNT...; kinds: restore, toml, image, restore-folded, image-folded")
	}
	var cases []any
	for part := range slices.Chunk(args, 3) {
		drawn, err := drawer(part[0])
		if err != nil {
			return err
		}
		seed, err := strconv.ParseInt(part[1], 10, 64)
		if err != nil {
			return err
		}
		count, err := strconv.ParseInt(part[2], 10, 64)
		if err != nil {
			return err
		}
		for n := seed; n < seed+count; n++ {
			c, err := drawn(n)
			if err != nil {
				// What upstream fails at in a way the format cannot say.
				fmt.Fprintf(os.Stderr, "%s %d: %v\n", part[0], n, err)
				continue
			}
			cases = append(cases, c)
		}
	}
	return write(os.Stdout, strings.Join(args, " "), cases)
}

func drawer(kind string) (func(int64) (any, error), error) {
	switch kind {
	case "restore", "restore-folded", "toml":
		return func(n int64) (any, error) {
			c := drawRestore(n, kind == "restore-folded")
			if kind == "toml" {
				c = draw{rand.New(rand.NewSource(n)), false}.drawToml(c)
			}
			err := runRestore(&c)
			return c, err
		}, nil
	case "image", "image-folded":
		w, err := newWorkshop()
		return func(n int64) (any, error) {
			c := drawImage(n, w, kind == "image-folded")
			if err := w.run(&c); err != nil {
				return nil, err
			}
			document, err := json.Marshal(c)
			return json.RawMessage(bytes.ReplaceAll(document, []byte(w.host), []byte("registry.example"))), err
		}, err
	}
	return nil, fmt.Errorf("unknown kind %q", kind)
}
