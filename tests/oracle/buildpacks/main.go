// Command buildpacks draws cases at random, lets upstream's own packages run
// them and prints them as a vector file, to compare ours with it.
//
//	buildpacks restore SEED COUNT         what both readings share
//	buildpacks restore-folded SEED COUNT  also what only the compatible one allows
//
// The module's path is below upstream's because Go lets nobody else import its
// internal packages; nothing of upstream is copied here.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: buildpacks restore | restore-folded SEED COUNT")
	}
	seed, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	count, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	var cases []any
	drawn, err := drawer(args[0])
	if err != nil {
		return err
	}
	for n := seed; n < seed+count; n++ {
		c, err := drawn(n)
		if err != nil {
			// What upstream fails at in a way the format cannot say.
			fmt.Fprintf(os.Stderr, "case %d: %v\n", n, err)
			continue
		}
		cases = append(cases, c)
	}
	return write(os.Stdout, args[0], cases)
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
			err := w.run(&c)
			return c, err
		}, err
	}
	return nil, fmt.Errorf("unknown kind %q", kind)
}
