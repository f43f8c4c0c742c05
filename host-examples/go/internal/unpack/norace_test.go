//go:build unix && !race

package unpack

// slower is how much longer everything takes while races are looked for.
const slower = 1
