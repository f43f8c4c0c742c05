// Command witgen writes the Go types, functions and interfaces of the WIT: the
// shared types and the imports into package layerwise, and each export into a
// package of its own. Needs Rust, whose layerwise-wit reads the WIT.
//
//	go run ./internal/witgen WIT-FOLDER MODULE-FOLDER
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: witgen WIT-FOLDER MODULE-FOLDER")
		os.Exit(2)
	}
	files, err := generate(os.Args[1])
	if err == nil {
		err = files.write(os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "witgen:", err)
		os.Exit(1)
	}
}
