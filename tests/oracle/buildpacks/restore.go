package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"github.com/apex/log"
	"github.com/buildpacks/lifecycle/api"
	"github.com/buildpacks/lifecycle/buildpack"
	"github.com/buildpacks/lifecycle/internal/layer"
	"github.com/buildpacks/lifecycle/platform"
	"github.com/buildpacks/lifecycle/platform/files"
)

var ids = []string{"a", "b", "ex/bp", "paketo/node.js", "../x", "ü", "A.B@1", "x y", "50%", "a//c", "/lead", "...", "-", "bp:1", "\"q\""}

var layerNames = []string{
	"l", "m", "node_modules", "launch", "build", "a.b", "x y", "ü", "50%", "%25", "sha", "l.toml", "l.sha", "...", "-", "Store",
	"stores", "日本", "😀", "'", "\"", "#", "a:b", "~", "\u0080", "\u2028", "aaaa", "AAAA",
}

func drawRestore(seed int64, folded bool) restoreCase {
	d := draw{rand.New(rand.NewSource(seed)), folded}
	c := restoreCase{
		head: head{
			ID: fmt.Sprintf("restore-%d", seed), Family: "restore", Name: "random", Source: "upstream run", VerifiedBy: []string{"newest"},
		},
		PlatformAPI:   pick(d, []string{"0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14", "0.15", "v0.14", "00.14", "0.6", "0.3"}),
		SkipLayers:    d.chance(8),
		ShaStore:      "map",
		ExistingFiles: map[string]string{},
	}
	apis := []string{"0.6", "0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "1.0", "v0.7", "00.6", "1"}
	if folded {
		apis = append(apis, "0.2", "0.3", "0.4", "0.5", "0")
	}
	var all []string
	for n := 1 + d.Intn(3); n > 0; n-- {
		all = append(all, pick(d, ids))
	}
	seen := map[string]string{}
	for _, id := range all {
		if other, there := seen[strings.ReplaceAll(id, "/", "_")]; there && other != id {
			continue
		}
		seen[strings.ReplaceAll(id, "/", "_")] = id
		if d.chance(85) {
			c.Group = append(c.Group, element{id, pick(d, []string{"1", "", "v2"}), pick(d, apis)})
		}
	}
	if c.Group == nil {
		c.Group = []element{}
	}
	if d.chance(92) {
		c.AppLabel = d.spoil(d.app(all))
	}
	if d.chance(92) {
		c.CacheLabel = d.spoil(d.cache(all))
	}
	for _, e := range c.Group {
		dir := strings.ReplaceAll(e.ID, "/", "_")
		if d.chance(10) {
			c.ExistingFiles[dir+"/store.toml"] = d.toml()
		}
		if d.chance(5) {
			c.ExistingFiles[dir+"/l.toml"] = "old"
			c.ExistingFiles[dir+"/l.sha"] = "old"
		}
		if d.chance(3) {
			c.ExistingFiles[dir+"/l/file"] = "old"
		}
	}
	return c
}

func (d draw) sha() string { return d.quote(pick(d, []string{"", "s1", "s2", "sha256:x", d.words()})) }

func (d draw) bool() string { return pick(d, []string{"true", "false"}) }

func (d draw) layers() string {
	var members []string
	seen := map[string]bool{}
	for n := d.Intn(6); n > 0; n-- {
		name := pick(d, layerNames)
		if seen[name] && !d.chance(20) {
			continue
		}
		seen[name] = true
		data := d.object(4, false)
		if d.chance(25) {
			data = d.value(3, false, false)
		}
		members = append(members, d.member(name, d.known([][2]string{
			{"sha", d.sha()}, {"data", data}, {"build", d.bool()}, {"launch", d.bool()}, {"cache", d.bool()},
		})))
	}
	return d.joined("{", members, "}")
}

func (d draw) buildpacks(ids []string) string {
	var items []string
	for _, id := range ids {
		for {
			members := [][2]string{{"key", d.quote(id)}, {"version", d.quote("1")}, {"layers", d.layers()}}
			if d.chance(40) {
				store := d.known([][2]string{{"metadata", d.object(3, false)}})
				members = append(members, [2]string{"store", store})
			}
			items = append(items, d.known(members))
			if !d.chance(5) {
				break
			}
		}
	}
	if d.chance(10) {
		items = append(items, pick(d, []string{"null", "{}"}))
	}
	return d.joined("[", items, "]")
}

func (d draw) shaObject() string { return d.known([][2]string{{"sha", d.sha()}}) }

func (d draw) runImage() string {
	return d.known([][2]string{
		{"topLayer", d.sha()}, {"reference", d.sha()}, {"image", d.sha()}, {"mirrors", d.joined("[", []string{d.sha(), d.sha()}, "]")},
	})
}

func (d draw) app(ids []string) string {
	members := [][2]string{{"buildpacks", d.buildpacks(ids)}}
	if d.chance(40) {
		members = append(members, [][2]string{
			{"app", d.joined("[", []string{d.shaObject()}, "]")}, {"sbom", d.shaObject()}, {"config", d.shaObject()}, {"launcher", d.shaObject()},
			{"process-types", d.shaObject()}, {"runImage", d.runImage()}, {"stack", d.known([][2]string{{"runImage", d.runImage()}})},
		}...)
	}
	return d.known(members)
}

func (d draw) cache(ids []string) string {
	return d.known([][2]string{{"sbom", d.shaObject()}, {"buildpacks", d.buildpacks(ids)}})
}

// spoil damages one label in twenty.
func (d draw) spoil(s string) *string {
	if d.chance(3) {
		s = pick(d, []string{"null", "{}", "[]", "3", "true", "\"x\"", " ", "\n", " null ", "\ufeff{}", "{} {}", "{},", "//", "nul", "NaN", "'a'", "{\"buildpacks\":{}}"})
	}
	if !d.chance(5) {
		return &s
	}
	runes := []rune(s)
	at := d.Intn(len(runes))
	junk := []rune(pick(d, []string{"", "0", "\"", "}", "]", ",", ":", "\\", "x", "\u0000", "\ufeff", "//", "-", ".", "e", "null", " "}))
	switch d.Intn(4) {
	case 0:
		s = string(runes[:at])
	case 1:
		s += string(junk)
	case 2:
		s = string(runes[:at]) + string(junk) + string(runes[at:])
	default:
		s = string(runes[:at]) + string(junk) + string(runes[at+1:])
	}
	return &s
}

// runRestore lets upstream restore and writes down what it did.
func runRestore(c *restoreCase) error {
	root, err := os.MkdirTemp("", "layers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	for path, content := range c.ExistingFiles {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			return err
		}
	}
	var app files.LayersMetadata
	if c.AppLabel != nil && json.Unmarshal([]byte(*c.AppLabel), &app) != nil {
		app = files.LayersMetadata{}
	}
	var cache platform.CacheMetadata
	if c.CacheLabel != nil && json.Unmarshal([]byte(*c.CacheLabel), &cache) != nil {
		cache = platform.CacheMetadata{}
	}
	if unsafe(app.Buildpacks) || unsafe(cache.Buildpacks) {
		return errors.New("a layer's name is refused here")
	}
	var group []buildpack.GroupElement
	for _, e := range c.Group {
		group = append(group, buildpack.GroupElement{ID: e.ID, Version: e.Version, API: e.API})
	}
	shas := layer.NewSHAStore()
	version := api.MustParse(c.PlatformAPI)
	logger := &log.Logger{Handler: log.HandlerFunc(func(*log.Entry) error { return nil })}
	c.Expect = restored{Files: map[string]text{}, ShaMap: map[string]map[string]string{}, Decisions: []decision{}}
	if err := layer.NewDefaultMetadataRestorer(root, c.SkipLayers, logger, version).Restore(group, app, cache, shas); err != nil {
		if !strings.Contains(err.Error(), "failed decoding store.toml") {
			return err
		}
		code := "store-toml-decode"
		c.Expect.Error = &code
		c.Name = err.Error()
		for path, content := range c.ExistingFiles {
			c.Expect.Files[path] = text{content}
		}
		return nil
	}
	err = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		c.Expect.Files[name] = text{string(content)}
		return err
	})
	if err != nil {
		return err
	}
	// What upstream keeps to itself.
	for _, id := range reflect.ValueOf(shas).Elem().Field(0).MapKeys() {
		byLayer := map[string]string{}
		inner := reflect.ValueOf(shas).Elem().Field(0).MapIndex(id).Field(0)
		for _, name := range inner.MapKeys() {
			byLayer[name.String()] = inner.MapIndex(name).String()
		}
		c.Expect.ShaMap[id.String()] = byLayer
	}
	c.decide(app, cache, !version.LessThan("0.14"))
	return nil
}

// unsafe tells the names that are refused in every reading.
func unsafe(entries []buildpack.LayersMetadata) bool {
	for _, entry := range entries {
		for name := range entry.Layers {
			control := strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
			if control || name == "" || name == "." || name == ".." || name == "store" || strings.ContainsAny(name, `/\\`) {
				return true
			}
		}
	}
	return false
}

type layers = map[string]buildpack.LayerMetadata

// decide writes down the reasons by the rules of the specification; upstream
// logs fewer of them.
func (c *restoreCase) decide(app files.LayersMetadata, cache platform.CacheMetadata, fallback bool) {
	note := func(id, name, source, reason string) {
		c.Expect.Decisions = append(c.Expect.Decisions, decision{id, name, source, strings.HasPrefix(reason, "restored"), reason})
	}
	grouped := map[string]bool{}
	for _, e := range c.Group {
		grouped[e.ID] = true
		ours, theirs := layers(app.LayersMetadataFor(e.ID).Layers), layers(cache.MetadataForBuildpack(e.ID).Layers)
		written := map[string]bool{}
		for _, name := range sorted(ours) {
			l := ours[name]
			cached, there := theirs[name]
			reason := "restored-from-app"
			switch {
			case c.SkipLayers:
				reason = "skip-layers"
			case !l.Launch:
				reason = "launch-false"
			case l.Build && !l.Cache:
				reason = "build-without-cache"
			case l.Cache && !there:
				reason = "not-in-cache"
			case l.Cache && !cached.Cache:
				reason = "not-cached-in-cache"
			default:
				written[name] = true
			}
			note(e.ID, name, "app", reason)
		}
		for _, name := range sorted(theirs) {
			l := theirs[name]
			_, there := ours[name]
			reason := "restored-from-cache"
			switch {
			case c.SkipLayers:
				reason = "skip-layers"
			case !l.Cache:
				reason = "cache-false"
			case l.Launch && there:
				reason = "launch-in-app"
			case l.Launch && !fallback:
				reason = "launch-not-in-app"
			case l.Launch:
				reason = "restored-from-cache-launch-fallback"
			case written[name]:
				reason = "restored-from-cache-over-app"
			}
			note(e.ID, name, "cache", reason)
		}
	}
	for source, entries := range [][]buildpack.LayersMetadata{app.Buildpacks, cache.Buildpacks} {
		seen := map[string]bool{}
		for _, entry := range entries {
			reason := "buildpack-not-in-group"
			if grouped[entry.ID] {
				reason = "shadowed-by-earlier-entry"
			}
			if !grouped[entry.ID] || seen[entry.ID] {
				for _, name := range sorted(layers(entry.Layers)) {
					note(entry.ID, name, []string{"app", "cache"}[source], reason)
				}
			}
			seen[entry.ID] = true
		}
	}
}

func sorted(l layers) []string {
	var names []string
	for name := range l {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
