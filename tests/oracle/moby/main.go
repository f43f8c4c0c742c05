// Command moby asks upstream's own packages about random container configs,
// times and platforms and writes the answers as a vector file:
//
//	go run . SEED COUNT > /tmp/moby.json
//	layerwise conformance /tmp/moby.json
//
// It covers what upstream makes public: reading and writing a config, reading
// and writing a time, and normalising and matching platforms. A seed gives the
// same file every time.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/moby/api/types/container"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var seed uint64
	var count int
	if n, _ := fmt.Sscan(strings.Join(args, " "), &seed, &count); n != 2 {
		return errors.New("usage: moby SEED COUNT")
	}
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	pure := map[string][]any{}
	for _, kind := range []string{"compare", "compare_platform_matrix", "is_valid_parent", "is_valid_config",
		"layer_for_history_index", "history_equal", "image_json", "newest"} {
		pure[kind] = []any{}
	}
	for range count {
		pure["config_json"] = append(pure["config_json"], configCase(g.config()))
		pure["time_json"] = append(pure["time_json"], timeCase(g.time()))
		builder, image := g.platform(), g.platform()
		if g.chance(2) {
			image.OS, image.Architecture = builder.OS, builder.Architecture
		}
		pure["normalize_platform"] = append(pure["normalize_platform"],
			map[string]any{"in": shown(image), "out": shown(platforms.Normalize(image))})
		// Versions of Windows are compared by rules of the engine's own as well.
		if builder.OS != "windows" || image.OS != "windows" {
			pure["compare_platform"] = append(pure["compare_platform"], map[string]any{
				"builder": shown(builder), "image": shown(image), "match": platforms.Only(builder).Match(image),
			})
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	return out.Encode(map[string]any{
		"format": "moby-image-cache-vectors/1", "upstream": map[string]any{}, "cases": []any{}, "pure": pure,
	})
}

func configCase(text string) any {
	var config container.Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return map[string]any{"in": text, "error": true}
	}
	written, err := json.Marshal(config)
	if err != nil {
		return map[string]any{"in": text, "encode_error": true}
	}
	return map[string]any{"in": text, "out": string(written)}
}

func timeCase(text string) any {
	var stamp time.Time
	if err := stamp.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		return map[string]any{"in": text, "error": true}
	}
	_, offset := stamp.Zone()
	answer := map[string]any{
		"in": text, "unix_sec": stamp.Unix(), "nanos": stamp.Nanosecond(), "offset_sec": offset,
		"zulu": strings.HasSuffix(text, "Z"),
	}
	if written, err := stamp.MarshalJSON(); err == nil {
		answer["out"] = strings.Trim(string(written), `"`)
	} else {
		answer["encode_error"] = true
	}
	return answer
}

func shown(p ocispec.Platform) any {
	return map[string]any{
		"os": p.OS, "architecture": p.Architecture, "variant": p.Variant,
		"os_version": p.OSVersion, "os_features": p.OSFeatures,
	}
}

// generator makes inputs that are mostly valid and always odd.
type generator struct{ *rand.Rand }

func (g generator) chance(in int) bool { return g.IntN(in) == 0 }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

func (g generator) config() string {
	flag := func() string { return pick(g, "true", "false") }
	ports := func() string {
		if g.chance(30) {
			return g.set("65536/tcp", "-1", "a/tcp", "/tcp", "80-90/tcp", " 80", "0x50", "80-80")
		}
		return g.set("80", "80/TCP", "080/udp", "443/", "", "0/tcp", "65535", "9/a/b", "8/Σ", "8/İ", "7/<")
	}
	number := func() string {
		if g.chance(30) {
			return pick(g, "1.0", "1e1", "9223372036854775808", "01", "-", "1.")
		}
		return pick(g, "0", "-0", "-1", "5", "9223372036854775807", "-9223372036854775808")
	}
	health := func() string {
		return g.object(3, map[string]func() string{
			"Test": g.texts, "Interval": number, "Timeout": number, "StartPeriod": number, "StartInterval": number, "Retries": number,
		})
	}
	labels := func() string {
		return g.members(g.IntN(4), func() (string, string) { return g.text(), pick(g, g.text(), g.text(), "null") })
	}
	volumes := func() string { return g.set("/a", "/b", "/B", "", "é", "<", "\u2028") }
	text := g.object(pick(g, 2, 5, 20), map[string]func() string{
		"Hostname": g.text, "Domainname": g.text, "User": g.text, "AttachStdin": flag, "AttachStdout": flag,
		"AttachStderr": flag, "ExposedPorts": ports, "Tty": flag, "OpenStdin": flag, "StdinOnce": flag,
		"Env": g.texts, "Cmd": g.texts, "Healthcheck": health, "ArgsEscaped": flag, "Image": g.text,
		"Volumes": volumes, "WorkingDir": g.text, "Entrypoint": g.texts, "NetworkDisabled": flag,
		"OnBuild": g.texts, "Labels": labels, "StopSignal": g.text, "StopTimeout": number, "Shell": g.texts,
		"MacAddress": g.text, "Nope": health,
	})
	if g.chance(30) {
		at := g.IntN(len(text))
		text = strings.ToValidUTF8(text[:at]+pick(g, "", "{", "]", ",", `"`, `\`, "\x00", "n", " ")+text[at+1:], "\ufffd")
	}
	return text
}

// object has each of the fields once in some objects, and some of them twice
// or in another case.
func (g generator) object(sparse int, fields map[string]func() string) string {
	var members [][2]string
	for _, name := range sorted(fields) {
		for again := g.chance(sparse); again; again = g.chance(6) {
			value := fields[name]()
			if g.chance(15) {
				value = "null"
			} else if g.chance(200) {
				value = pick(g, "1", "true", `"x"`, "[]", "{}")
			}
			members = append(members, [2]string{g.name(name), value})
		}
	}
	g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return g.members(len(members), func() (string, string) {
		member := members[0]
		members = members[1:]
		return member[0], member[1]
	})
}

func sorted(fields map[string]func() string) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// name is a member's name as a JSON string.
func (g generator) name(name string) string {
	switch g.IntN(12) {
	case 0:
		name = strings.ToUpper(name)
	case 1:
		name = strings.ToLower(name)
	case 2:
		name = strings.NewReplacer("s", "ſ", "S", "ſ", "k", "\u212a", "K", "\u212a").Replace(name)
	}
	return quoted(name)
}

func (g generator) members(count int, member func() (string, string)) string {
	list := make([]string, count)
	for i := range list {
		name, value := member()
		list[i] = name + pick(g, ":", ":", " :\n") + value
	}
	return "{" + strings.Join(list, pick(g, ",", ",", "\t,\r ")) + "}"
}

func (g generator) set(keys ...string) string {
	return g.members(g.IntN(4), func() (string, string) {
		return quoted(pick(g, keys...)), pick(g, "{}", "{}", `{"x":[1]}`, "null")
	})
}

func (g generator) texts() string {
	list := make([]string, g.IntN(4))
	for i := range list {
		list[i] = pick(g, g.text(), g.text(), g.text(), "null")
	}
	return "[" + strings.Join(list, ",") + "]"
}

// text is a JSON string, in some cases with unusual escapes.
func (g generator) text() string {
	text := quoted(pick(g, "", "a", "x y", "é", "日本", "😀", `<b>&"\/`, "\u2028\u2029", "\x7f", "\x00\x1f", "\b\f\n\r\t", "\ufeff"))
	return strings.TrimSuffix(text, `"`) +
		pick(g, "", "", "", `\/`, `\u0041`, `\uD83D\uDE00`, `\ud800`, `\udc00\ud83d`, `\ud83d\ud83d\ude00`, `\ud83dx`) + `"`
}

func quoted(text string) string {
	written, err := json.Marshal(text)
	if err != nil {
		panic(err) // A string can always be written.
	}
	return string(written)
}

func (g generator) time() string {
	fraction := pick(g, "", "", ".5", ",120", ".0", ".", ".123456789", ".9999999999", ".0000000001")
	zone := pick(g, "Z", "Z", "+00:00", "-00:00", fmt.Sprintf("%s%02d:%02d", pick(g, "+", "-"), g.IntN(26), g.IntN(62)))
	hour := pick(g, "%02d", "%02d", "%02d", "%d")
	text := fmt.Sprintf("%04d-%02d-%02dT"+hour+":%02d:%02d%s%s", pick(g, 0, 1, 1600, 1900, 1970, 2000, 2024, 9999),
		g.IntN(14), g.IntN(32), g.IntN(25), g.IntN(61), g.IntN(61), fraction, zone)
	if g.chance(15) {
		at := g.IntN(len(text))
		text = text[:at] + pick(g, "", "0", " ", "-", "z", "t", "٣") + text[at+1:]
	}
	return text
}

func (g generator) platform() ocispec.Platform {
	platform := ocispec.Platform{
		OS: pick(g, "linux", "linux", "linux", "Linux", "", "windows", "Windows", "darwin", "macOS", "L\u0130NUX"),
		Architecture: pick(g, "amd64", "x86_64", "X86-64", "386", "i386", "arm", "armhf", "armel", "arm64", "aarch64",
			"", "riscv64", "\u212a", "k"),
		Variant: pick(g, "", "", "v1", "v2", "V3", "2", "v03", "v0", "v-1", "+2", "v5", "6", "v7", "8", "v8", "8.0", "v8.1",
			"v8.9", "v8.10", "v9", "9.0", "v9.1", "v9.7", "v9.8", "v10", "v2 ", "v9223372036854775808"),
	}
	if g.chance(3) {
		platform.OSFeatures = pick(g, []string{"a"}, []string{"b", "a", "b"}, []string{"win32k"}, []string{"win32k", "win32k"}, []string{""})
	}
	if g.chance(3) {
		platform.OSVersion = pick(g, "10.0.17763", "10.0.17763.1", "10.0.20348", "10.0.26100.9", "10.0", "10.0.x", "256.0.1", "010.0.20348")
	}
	return platform
}
