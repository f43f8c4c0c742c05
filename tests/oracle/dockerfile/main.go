// Command dockerfile draws words, Dockerfiles and ignore files at random and
// prints what the packages that Docker's classic builder uses make of them:
//
//	dockerfile SEED COUNT
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type answer struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
	// The escape character, or the path.
	With string `json:"with"`
	// Whether it was accepted.
	OK     bool     `json:"ok"`
	Result []string `json:"result"`
}

// What the words of all draws know.
var environment = []string{"A=a", "EMPTY=", "P=/usr/lib/x.tar.gz", "S=one two", "N=a\nb", "STAR=a*b?c"}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: dockerfile SEED COUNT")
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
	encoder := json.NewEncoder(out)
	for range count {
		for _, made := range []answer{expand(random), words(random), parse(random), ignore(random)} {
			if err := encoder.Encode(made); err != nil {
				return err
			}
		}
	}
	return nil
}

func draw(random *rand.Rand, pieces []string, most int) string {
	var text strings.Builder
	for range random.Intn(most + 1) {
		text.WriteString(pieces[random.Intn(len(pieces))])
	}
	return text.String()
}

var wordPieces = []string{
	"a", "b", "/", "*", "?", ".", " ", "\t", "'", "\"", "\\", "`", "$", "{", "}", ":", "-", "+", "#", "%", "<", "é", "1", "_",
	"$A", "${A}", "${EMPTY:-", "${UNSET-", "${A:+", "${P##", "${P%", "${P%%", "${P#", "${P/", "${P//", "${S}", "${N", "${STAR/", "*/", "}}", "$S", "=", "${UNSET?",
}

func escapes(random *rand.Rand) string {
	if random.Intn(4) == 0 {
		return "`"
	}
	return "\\"
}

func expand(random *rand.Rand) answer {
	text, escape := draw(random, wordPieces, 9), escapes(random)
	result, _, err := shell.NewLex(rune(escape[0])).ProcessWord(text, shell.EnvsFromSlice(environment))
	made := answer{Kind: "expand", Text: text, With: escape, OK: err == nil}
	if err == nil {
		made.Result = []string{result}
	}
	return made
}

func words(random *rand.Rand) answer {
	text, escape := draw(random, wordPieces, 9), escapes(random)
	result, err := shell.NewLex(rune(escape[0])).ProcessWords(text, shell.EnvsFromSlice(environment))
	made := answer{Kind: "words", Text: text, With: escape, OK: err == nil}
	if err == nil {
		made.Result = result
	}
	return made
}

var linePieces = []string{
	"FROM a", "FROM a AS b", "from --platform=x a", "RUN echo", "RUN [\"a\", \"b\"]", "RUN [\"a\", 1]", "RUN [\"a\"] x", "COPY a b", "COPY --chown=1 a b /c/",
	"ADD [\"a b\", \"c\"]", "ENV A=1 B='x y'", "ENV A b c", "ENV A", "ENV =1", "LABEL a=b c", "LABEL \"a b\"=c", "ARG A", "ARG A=1 B", "ARG =1", "EXPOSE 80 443/udp",
	"CMD", "CMD []", "CMD a", "ENTRYPOINT [\"x\"]", "HEALTHCHECK CMD true", "HEALTHCHECK --interval=5s --retries=3 CMD [\"a\"]", "HEALTHCHECK NONE",
	"HEALTHCHECK --interval=1ns CMD x", "HEALTHCHECK FOO", "ONBUILD RUN x", "ONBUILD ONBUILD RUN x", "ONBUILD FROM x", "SHELL [\"/bin/sh\"]", "SHELL x",
	"STOPSIGNAL 9", "USER a b", "VOLUME /a /b", "VOLUME [\"\"]", "WORKDIR /a b", "MAINTAINER x", "FOO bar", "RUN <<EOF", "COPY <<EOF /x", "RUN cat <<'A' <<-B",
	"RUN --mount=type=bind,from=a x", "RUN --network=host x", "RUN --network=foo x", "COPY --link --from=a b c", "COPY --foo a b", "COPY a", "RUN -- x", "RUN --mount x",
	"EOF", "A", "\tB", " \\", "\\", "`", " \\  ", "\\\\", "# comment", "#escape=`", "# escape = \\", "#syntax=x", "#check=skip", "# escape=x", "\ufeff", " ", "\t", "\r", "\n", "\n", "\n", "\n", "\r\n", "\"", "'",
	"--", "é", "\u00a0", "$A", "onbuild copy a b", "OnBuild  Run <<EOF", "[", "]",
}

func parse(random *rand.Rand) answer {
	text := ""
	if random.Intn(3) > 0 {
		text = "FROM a\n"
	}
	text += draw(random, linePieces, 8)
	made := answer{Kind: "parse", Text: text}
	result, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return made
	}
	for _, node := range result.AST.Children {
		if _, err := instructions.ParseInstruction(node); err != nil {
			return made
		}
		made.Result = append(made.Result, fmt.Sprintf("%d:%s", node.StartLine, strings.TrimSpace(node.Original)))
	}
	made.OK = true
	return made
}

var patternPieces = []string{"a", "b", "c", "d", "/", "/", "*", "**", "?", "[a-c]", "[^a]", "[", "]", "!", "\n", "\n", "#", " ", ".", "..", "\\*", "\\d", "\\", "|", "^", "**/", "/**", ".go", "é", "+", "("}

func ignore(random *rand.Rand) answer {
	file := draw(random, patternPieces, 10)
	path := strings.Trim(draw(random, []string{"a", "b", "c", "d", "/", "/", ".go", "é", "|", "^", "1", "+", "("}, 7), "/")
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	made := answer{Kind: "ignore", Text: file, With: path}
	patterns, err := ignorefile.ReadAll(strings.NewReader(file))
	if err != nil || path == "" {
		return made
	}
	matched, err := patternmatcher.MatchesOrParentMatches(path, patterns)
	made.OK = err == nil
	if err == nil {
		made.Result = []string{strconv.FormatBool(matched)}
	}
	return made
}
