package layerwise_test

import (
	"os"
	"strings"
	"testing"
)

// The example of the README is the one that is run, without looking at errors.
func TestTheReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "```go\n")
	shown, _, _ = strings.Cut(shown, "```")
	lines := strings.Split(strings.TrimSpace(shown), "\n")
	if len(lines) != 5 {
		t.Errorf("%d lines", len(lines))
	}
	run := strings.ReplaceAll(string(example), "\n\tcheck(err)", "")
	if !strings.Contains(run, "\t"+strings.Join(lines, "\n\t")+"\n") {
		t.Errorf("the README shows what is not run:\n%s", shown)
	}
}
