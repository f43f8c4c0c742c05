package layerwise_test

import (
	"context"
	"fmt"
	"log"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/docker"
	"layerwise.dev/layerwise/internal/sample"
)

func Example() {
	ctx := context.Background()
	images, base := sample.New()
	config, platform := sample.Make, layerwise.Platform{OS: "linux", Architecture: "amd64"}
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}

	engine, err := layerwise.NewEngine(layerwise.EngineOptions{})
	check(err)
	in, err := engine.NewInstance(ctx, layerwise.Lent{Images: images}, layerwise.Limits{})
	check(err)
	session, err := docker.Open(ctx, in, docker.Options{})
	check(err)
	answer, err := session.Lookup(ctx, docker.Step{Parent: &base, Config: &config, Platform: platform})
	check(err)
	fmt.Println(answer.Outcome, *answer.Image)
	// Output: hit-local sha256:5b0709e0adb3dd8c30e39591e109963930b865fdbe10091b84af3176f4151fc3
}
