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
	for n := seed; n < seed+count; n++ {
		c := drawRestore(n, args[0] == "restore-folded")
		if args[0] == "toml" {
			c = draw{rand.New(rand.NewSource(n)), false}.drawToml(c)
		}
		if err := runRestore(&c); err != nil {
			fmt.Fprintf(os.Stderr, "case %d: %v\n", n, err)
			continue
		}
		cases = append(cases, c)
	}
	return write(os.Stdout, args[0], cases)
}
