// What a program of somebody else has: an image store, an answer and an explained miss.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/ocilayout"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, directory string) error {
	images, err := ocilayout.Init(ctx, directory)
	if err != nil {
		return err
	}
	engine, err := layerwise.NewEngine(layerwise.EngineOptions{})
	if err != nil {
		return err
	}
	in, err := engine.NewInstance(ctx, layerwise.Lent{Images: images}, layerwise.Limits{})
	if err != nil {
		return err
	}
	session, err := docker.Open(ctx, in, docker.Options{})
	if err != nil {
		return err
	}
	config := `{"Cmd":["make"]}`
	step := docker.Step{Config: &config, Platform: layerwise.Platform{OS: "linux", Architecture: "amd64"}}
	answer, err := session.Lookup(ctx, step)
	if err != nil {
		return err
	}
	why, err := session.Explain(ctx, step)
	if err != nil {
		return err
	}
	fmt.Println(answer.Outcome, why.Summary.Code)
	return nil
}
