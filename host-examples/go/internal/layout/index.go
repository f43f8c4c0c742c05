//go:build unix

package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"time"

	"layerwise.dev/layerwise"
	"layerwise.dev/layerwise/internal/wit"
)

// Descriptor is a descriptor as documents hold it; its digest is not checked.
type Descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        uint64            `json:"size"`
	URLs        []string          `json:"urls,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Index is index.json: read whole, changed in place, with the members of other
// tools kept.
type Index struct {
	members map[string]any
	entries []any
}

func emptyIndex() *Index {
	return &Index{members: map[string]any{"schemaVersion": json.Number("2"), "mediaType": IndexOCI}}
}

func decode(data []byte, out any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(out)
}

func parseIndex(data []byte) (*Index, error) {
	corrupt := func(why string) error {
		return layerwise.Failed(layerwise.FailureCodeCorrupt, "index.json %s", why)
	}
	var members map[string]any
	if err := decode(data, &members); err != nil {
		return nil, corrupt("is not an image index: " + err.Error())
	}
	if kind, ok := members["mediaType"].(string); ok && kind != IndexOCI {
		return nil, corrupt("is something else than an image index")
	}
	for _, name := range []string{"layers", "config"} {
		if _, there := members[name]; there {
			return nil, corrupt("is something else than an image index")
		}
	}
	index := &Index{members: members}
	if listed, there := members["manifests"]; there && listed != nil {
		var ok bool
		if index.entries, ok = listed.([]any); !ok {
			return nil, corrupt("has something else than a list of manifests")
		}
	}
	delete(members, "manifests")
	return index, nil
}

func (i *Index) text() []byte {
	members := map[string]any{}
	for name, member := range i.members {
		members[name] = member
	}
	members["manifests"] = i.entries
	if i.entries == nil {
		members["manifests"] = []any{}
	}
	return wit.AppendAny(nil, members)
}

// Len is how many entries there are.
func (i *Index) Len() int { return len(i.entries) }

// Entry is an entry as a descriptor.
func (i *Index) Entry(position int) (Descriptor, error) {
	var entry Descriptor
	err := json.Unmarshal(wit.AppendAny(nil, i.entries[position]), &entry)
	if err != nil {
		err = layerwise.Failed(layerwise.FailureCodeCorrupt, "an entry of the index is not a descriptor: %v", err)
	}
	return entry, err
}

// Positions are where the entries with a digest are.
func (i *Index) Positions(digest string) (positions []int) {
	for position, entry := range i.entries {
		if members, ok := entry.(map[string]any); ok && members["digest"] == digest {
			positions = append(positions, position)
		}
	}
	return positions
}

// Push adds an entry at the end and returns its position.
func (i *Index) Push(mediaType, digest string, size uint64) int {
	number, _ := json.Marshal(size)
	i.entries = append(i.entries, map[string]any{"mediaType": mediaType, "digest": digest, "size": json.Number(number)})
	return len(i.entries) - 1
}

// Remove takes an entry away.
func (i *Index) Remove(position int) {
	i.entries = append(i.entries[:position:position], i.entries[position+1:]...)
}

// Annotation reads an annotation of an entry.
func (i *Index) Annotation(position int, key string) (string, bool) {
	entry, _ := i.entries[position].(map[string]any)
	annotations, _ := entry["annotations"].(map[string]any)
	text, ok := annotations[key].(string)
	return text, ok
}

// Annotate sets an annotation of an entry.
func (i *Index) Annotate(position int, key, value string) {
	entry, ok := i.entries[position].(map[string]any)
	if !ok {
		return
	}
	annotations, ok := entry["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		entry["annotations"] = annotations
	}
	annotations[key] = value
}

// Unannotate takes an annotation of an entry away.
func (i *Index) Unannotate(position int, key string) {
	entry, _ := i.entries[position].(map[string]any)
	if annotations, ok := entry["annotations"].(map[string]any); ok {
		delete(annotations, key)
	}
}

// Name gives the entries at some positions a name, and takes it from all
// others. When none of them has it, the first without a name gets it, or the
// one that add makes.
func (i *Index) Name(name string, own []int, add func() int) {
	mine := map[int]bool{}
	for _, position := range own {
		mine[position] = true
	}
	named := false
	for position := range i.entries {
		if has, _ := i.Annotation(position, RefName); has == name {
			if mine[position] {
				named = true
			} else {
				i.Unannotate(position, RefName)
			}
		}
	}
	if named {
		return
	}
	for _, position := range own {
		if _, has := i.Annotation(position, RefName); !has {
			i.Annotate(position, RefName, name)
			return
		}
	}
	i.Annotate(add(), RefName, name)
}

// Index reads index.json. Other tools write it in place: one that ends early is
// looked at again.
func (l *Layout) Index() (*Index, []byte, error) {
	for try := 1; ; try++ {
		data, err := l.root.Read("index.json", LongestDocument)
		if err != nil {
			return nil, nil, err
		}
		if !bytes.HasSuffix(bytes.TrimRight(data, " \t\r\n"), []byte("}")) {
			if try < 5 {
				time.Sleep(20 * time.Millisecond)
				continue
			}
			return nil, nil, layerwise.Failed(layerwise.FailureCodeTruncated, "index.json in %q ends early", l.Path())
		}
		index, err := parseIndex(data)
		return index, data, err
	}
}

// Update makes a change of index.json and writes it, unless it changes nothing.
// The change runs again when another program wrote the file in between.
func (l *Layout) Update(ctx context.Context, change func(*Index) error) error {
	return l.locked(ctx, func() error {
		for range attempts {
			index, text, err := l.Index()
			if err != nil {
				return err
			}
			before, err := parseIndex(text)
			if err != nil {
				return err
			}
			if err := change(index); err != nil {
				return err
			}
			if reflect.DeepEqual(before, index) {
				return nil
			}
			now, err := l.root.Read("index.json", LongestDocument)
			if err != nil {
				return err
			}
			if bytes.Equal(now, text) {
				return l.replace("index.json", index.text())
			}
		}
		return layerwise.Failed(layerwise.FailureCodeConflict, "another program keeps changing index.json in %q", l.Path())
	})
}

// locked runs something while no other writer of this project writes.
func (l *Layout) locked(ctx context.Context, run func() error) error {
	file, err := l.root.Append(lockName, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := Lock(ctx, file, lockWait); err != nil {
		return err
	}
	return run()
}
