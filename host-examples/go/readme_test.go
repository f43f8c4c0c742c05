package layerwise_test

import (
	"os"
	"strings"
	"testing"
)

// The example of the README and of the manual is the one that is run, without
// looking at errors.
func TestPagesShowTheExample(t *testing.T) {
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	run := strings.ReplaceAll(string(example), "\n\tcheck(err)", "")
	for _, page := range []string{"README.md", "../../src/manual/go.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		_, shown, _ := strings.Cut(string(text), "```go\n")
		shown, _, _ = strings.Cut(shown, "```")
		lines := strings.Split(strings.TrimSpace(shown), "\n")
		if len(lines) != 5 {
			t.Errorf("%s: %d lines", page, len(lines))
		}
		if !strings.Contains(run, "\t"+strings.Join(lines, "\n\t")+"\n") {
			t.Errorf("%s shows what is not run:\n%s", page, shown)
		}
	}
}
