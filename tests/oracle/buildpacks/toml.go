package main

// toml draws a store.toml.
func (d draw) toml() string {
	return pick(d, []string{"", "[metadata]\na = 1\n", "x", "a = 1\na = 2\n"})
}
