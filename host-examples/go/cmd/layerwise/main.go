// Command layerwise runs the component from Go: it proves this host against
// recorded calls of the reference host, and shows it at work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"unicode"
)

const usage = `usage: layerwise COMMAND [ARGUMENTS]

  conformance FILE...          replay the calls that belong to vector files, or
                               transcripts; prints what differs
  replay FILE...               replay transcripts
  scenario [--check] FILE...   run scenarios over real directories; prints what
                               each answered and left, or with --check whether
                               that is what the file says
  demo                         look steps up in an image store and say why not

Compiled code is kept in the directory LAYERWISE_CODE, if that is set.

Exit codes: 0 done, 1 something differs, 2 wrong command line, 3 error.
`

// errDiffers ends a command whose output says what differs.
var errDiffers = errors.New("something differs")

// errUsage is a wrong command line.
type errUsage struct{ why string }

func (e errUsage) Error() string { return e.why }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	var wrong errUsage
	switch {
	case err == nil:
	case errors.Is(err, errDiffers):
		os.Exit(1)
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "layerwise: %s\n\n%s", printable(wrong.why), usage)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "layerwise:", printable(err.Error()))
		os.Exit(3)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage{"no command"}
	}
	command, args := args[0], args[1:]
	check := false
	if command == "scenario" && len(args) > 0 && args[0] == "--check" {
		check, args = true, args[1:]
	}
	for i, arg := range args {
		if command == "scenario" && i == len(args)-1 && arg == "--check" {
			check, args = true, args[:i]
		} else if strings.HasPrefix(arg, "-") {
			return errUsage{fmt.Sprintf("unknown option %q", arg)}
		}
	}
	switch command {
	case "help", "--help", "-h":
		_, err := io.WriteString(out, usage)
		return err
	case "demo":
		if len(args) > 0 {
			return errUsage{fmt.Sprintf("demo takes no arguments, not %q", args[0])}
		}
		return demo(ctx, out)
	case "conformance", "replay", "scenario":
		if len(args) == 0 {
			return errUsage{command + " needs at least one file"}
		}
	}
	switch command {
	case "conformance":
		return conformance(ctx, args, out)
	case "replay":
		return replay(ctx, args, out)
	case "scenario":
		return scenarios(ctx, args, check, out)
	}
	return errUsage{fmt.Sprintf("unknown command %q", command)}
}

// printable is a text that may come from anywhere, for a terminal.
func printable(text string) string {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if r == ' ' || unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "\\u{%x}", r)
		}
	}
	return out.String()
}
