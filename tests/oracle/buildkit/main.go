// Command buildkit asks upstream's own package for the config of a cache, to
// compare ours with it, and says how long that took.
//
// Every line of standard input is a list of records in the form of `add-all` in
// wit/buildkit.wit, linked with "item" only. For each, a line is answered:
//
//	buildkit marshal          the config
//	buildkit time ROUNDS      {"add", "marshal", "parse"}: nanoseconds, the best of
//	                          the rounds; marshal includes the JSON
//	buildkit again            {"marshal"}: nanoseconds for exporting the imported
//	                          cache once more
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	cacheimport "github.com/moby/buildkit/cache/remotecache/v1"
	"github.com/moby/buildkit/solver"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

type record struct {
	Digest  digest.Digest `json:"digest"`
	Inputs  [][]link      `json:"inputs"`
	Results []result      `json:"results"`
}

type link struct {
	Item     int    `json:"item"`
	Selector string `json:"selector"`
}

type result struct {
	Created time.Time             `json:"created"`
	Layers  []ocispecs.Descriptor `json:"layers"`
}

// has says of every layer that it is there.
type has struct{ content.Provider }

func (has) Info(_ context.Context, d digest.Digest) (content.Info, error) {
	return content.Info{Digest: d}, nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	work := map[string]func([]record, int) (any, error){
		"marshal": marshal, "time": measure, "again": again,
	}
	if len(args) == 0 || work[args[0]] == nil {
		return fmt.Errorf("usage: buildkit marshal | time ROUNDS | again")
	}
	rounds := 1
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		rounds = n
	}
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	decoder := json.NewDecoder(lines)
	for decoder.More() {
		var records []record
		if err := decoder.Decode(&records); err != nil {
			return err
		}
		answer, err := work[args[0]](records, rounds)
		if err != nil {
			return err
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		out.Write(append(text, '\n'))
		out.Flush()
	}
	return nil
}

func marshal(records []record, _ int) (any, error) {
	chains, err := add(records)
	if err != nil {
		return nil, err
	}
	config, _, err := chains.Marshal(context.Background())
	return config, err
}

func measure(records []record, rounds int) (any, error) {
	best := map[string]int64{}
	keep := func(name string, since time.Time) {
		if took := time.Since(since).Nanoseconds(); best[name] == 0 || took < best[name] {
			best[name] = took
		}
	}
	for range rounds {
		start := time.Now()
		chains, err := add(records)
		if err != nil {
			return nil, err
		}
		keep("add", start)
		start = time.Now()
		config, layers, err := chains.Marshal(context.Background())
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(config)
		if err != nil {
			return nil, err
		}
		keep("marshal", start)
		start = time.Now()
		read := cacheimport.NewCacheChains()
		if err := cacheimport.Parse(text, layers, read); err != nil {
			return nil, err
		}
		if _, _, err := cacheimport.NewCacheKeyStorage(read, nil); err != nil {
			return nil, err
		}
		keep("parse", start)
	}
	return best, nil
}

func again(records []record, _ int) (any, error) {
	chains, err := add(records)
	if err != nil {
		return nil, err
	}
	config, layers, err := chains.Marshal(context.Background())
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	read := cacheimport.NewCacheChains()
	if err := cacheimport.Parse(text, layers, read); err != nil {
		return nil, err
	}
	start := time.Now()
	_, _, err = read.Marshal(context.Background())
	return map[string]int64{"marshal": time.Since(start).Nanoseconds()}, err
}

func add(records []record) (*cacheimport.CacheChains, error) {
	chains := cacheimport.NewCacheChains()
	added := make([]solver.CacheExporterRecord, len(records))
	for at, given := range records {
		deps := make([][]solver.CacheLink, len(given.Inputs))
		for input, links := range given.Inputs {
			for _, link := range links {
				deps[input] = append(deps[input], solver.CacheLink{
					Src: added[link.Item], Selector: link.Selector,
				})
			}
		}
		var results []solver.CacheExportResult
		for _, one := range given.Results {
			results = append(results, solver.CacheExportResult{
				CreatedAt: one.Created,
				Result:    &solver.Remote{Descriptors: one.Layers, Provider: has{}},
			})
		}
		record, _, err := chains.Add(given.Digest, deps, results)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", at, err)
		}
		added[at] = record
	}
	return chains, nil
}
