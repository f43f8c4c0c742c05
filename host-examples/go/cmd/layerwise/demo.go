package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/internal/sample"
)

// options are those of every engine.
var options = layerwise.EngineOptions{Code: os.Getenv("LAYERWISE_CODE")}

// demo makes three decisions on sample data.
func demo(ctx context.Context, out io.Writer) error {
	engine, err := layerwise.NewEngine(options)
	if err != nil {
		return err
	}
	defer engine.Close()
	for i, scene := range []struct {
		title, config string
		trust         []docker.Source
	}{
		{"a step that was built here before", sample.Make, nil},
		{"a step of an image that was built elsewhere", sample.Test, []docker.Source{{Reference: "app:1", Trusted: true}}},
		{"a step whose environment changed, and why it has to run", sample.Changed, nil},
	} {
		fmt.Fprintf(out, "%d. %s\n  config  %s\n", i+1, scene.title, scene.config)
		images, base := sample.New()
		in, err := engine.NewInstance(ctx, layerwise.Lent{Images: images}, layerwise.Limits{})
		if err != nil {
			return err
		}
		step := docker.Step{Parent: &base, Config: &scene.config, Platform: sample.Platform}
		err = decide(ctx, in, docker.Options{CacheFrom: scene.trust}, step, out)
		if closed := in.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func decide(ctx context.Context, in *layerwise.Instance, how docker.Options, step docker.Step, out io.Writer) error {
	session, err := docker.Open(ctx, in, how)
	if err != nil {
		return err
	}
	defer session.Close()
	answer, err := session.Lookup(ctx, step)
	if err != nil {
		return err
	}
	if answer.Image != nil {
		fmt.Fprintf(out, "  %s  %s\n\n", answer.Outcome, printable(*answer.Image))
		return nil
	}
	why, err := session.Explain(ctx, step)
	if err != nil {
		return err
	}
	show(out, "  ", why.Summary)
	if why.Nearest != nil {
		show(out, "  nearest: ", *why.Nearest)
	}
	fmt.Fprintln(out)
	return nil
}

func show(out io.Writer, before string, finding layerwise.Finding) {
	fmt.Fprintf(out, "%s%s  %s\n", before, printable(finding.Code), printable(finding.Subject))
	for _, one := range finding.Differences {
		fmt.Fprintf(out, "    %s  have %s  want %s\n", printable(one.Path), side(one.Have), side(one.Want))
	}
}

func side(text *string) string {
	if text == nil {
		return "nothing"
	}
	return printable(*text)
}
