// Command old lets lifecycle v0.13.0 run the restore cases of the vector file on
// standard input, in both of its stores for shas by turns, and prints the file
// with what that version did. What the newest version decided by a rule that
// v0.13.0 does not have is decided anew. Left out is where its TOML parser fails
// at what the newest one takes: U+FFFD, and what TOML 1.1 added; and labels with
// wrong types where it does not look.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/apex/log"
	"github.com/buildpacks/lifecycle"
	"github.com/buildpacks/lifecycle/buildpack"
	"github.com/buildpacks/lifecycle/platform"
)

type object = map[string]any

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var file struct {
		Format      string   `json:"format"`
		Description string   `json:"description"`
		Cases       []object `json:"cases"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	var cases []object
	for n, c := range file.Cases {
		c["sha_store"] = []string{"files", "map"}[n%2]
		if err := restore(c); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n", c["id"], err)
			continue
		}
		cases = append(cases, c)
	}
	file.Cases = cases
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(file)
}

func restore(c object) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	root, err := os.MkdirTemp("", "layers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	existing := c["existing_files"].(object)
	for path, content := range existing {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content.(string)), 0o666); err != nil {
			return err
		}
	}
	var app platform.LayersMetadata
	if label, there := c["app_label"].(string); there && json.Unmarshal([]byte(label), &app) != nil {
		app = platform.LayersMetadata{}
	}
	var later struct {
		RunImage struct {
			Image   string   `json:"image"`
			Mirrors []string `json:"mirrors"`
		} `json:"runImage"`
	}
	if label, there := c["app_label"].(string); there && json.Unmarshal([]byte(label), &later) != nil && app.Buildpacks != nil {
		return fmt.Errorf("the newest version cannot read the label")
	}
	var cache platform.CacheMetadata
	if label, there := c["cache_label"].(string); there && json.Unmarshal([]byte(label), &cache) != nil {
		cache = platform.CacheMetadata{}
	}
	var group []buildpack.GroupBuildpack
	for _, e := range c["group"].([]any) {
		e := e.(object)
		group = append(group, buildpack.GroupBuildpack{ID: e["id"].(string), Version: e["version"].(string), API: e["api"].(string)})
	}
	inFiles := c["sha_store"] == "files"
	shas := lifecycle.NewLayerSHAStore(inFiles)
	logger := &log.Logger{Handler: log.HandlerFunc(func(*log.Entry) error { return nil })}
	written, shaMap := object{}, object{}
	expect := object{"error": nil, "files": written, "sha_map": shaMap, "decisions": []any{}}
	before := c["expect"].(object)
	c["expect"], c["verified_by"] = expect, []string{"v0.13.0"}
	if err := lifecycle.NewLayerMetadataRestorer(logger, root, c["skip_layers"].(bool)).Restore(group, app, cache, shas); err != nil {
		if !strings.Contains(err.Error(), "failed decoding store.toml") || before["error"] == nil {
			return err
		}
		expect["error"] = "store-toml-decode"
		c["name"] = err.Error()
		for path, content := range existing {
			written[path] = object{"text": content}
		}
		return nil
	}
	if before["error"] != nil {
		return fmt.Errorf("the newest version failed, this one did not")
	}
	err = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		written[name] = object{"text": string(content)}
		return err
	})
	if err != nil {
		return err
	}
	if !inFiles {
		kept := reflect.ValueOf(shas).Elem().Field(0)
		for _, id := range kept.MapKeys() {
			byLayer := object{}
			inner := kept.MapIndex(id).Field(0)
			for _, name := range inner.MapKeys() {
				byLayer[name.String()] = inner.MapIndex(name).String()
			}
			shaMap[id.String()] = byLayer
		}
	}
	for _, d := range before["decisions"].([]any) {
		d := d.(object)
		if d["reason"] == "restored-from-cache-launch-fallback" {
			d["reason"], d["restored"] = "launch-not-in-app", false
		}
	}
	expect["decisions"] = before["decisions"]
	return nil
}
