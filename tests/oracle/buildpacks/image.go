package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apex/log"
	"github.com/buildpacks/imgutil"
	"github.com/buildpacks/imgutil/remote"
	"github.com/buildpacks/lifecycle/cache"
	"github.com/buildpacks/lifecycle/platform"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
)

type imageCase struct {
	head
	ImageName       string      `json:"image_name"`
	Original        *original   `json:"original"`
	DeletionEnabled bool        `json:"deletion_enabled"`
	Operations      []operation `json:"operations"`
	Expect          []object    `json:"expect"`
	ExpectFinal     object      `json:"expect_final"`
}

type original struct {
	Exists bool     `json:"exists"`
	Valid  bool     `json:"valid"`
	Label  *string  `json:"label"`
	Layers []string `json:"layers"`
	Digest string   `json:"digest"`
}

type operation struct {
	Op           string          `json:"op"`
	Metadata     json.RawMessage `json:"metadata,omitempty"`
	DiffID       *string         `json:"diff_id,omitempty"`
	SavedDigest  *string         `json:"saved_digest,omitempty"`
	CompareFault *string         `json:"compare_fault,omitempty"`
	DeleteFault  *string         `json:"delete_fault,omitempty"`
	Fault        *string         `json:"fault,omitempty"`
	FaultMessage *string         `json:"fault_message,omitempty"`
}

type object = map[string]any

const label = cache.MetadataLabel

// workshop is a registry and a few layers.
type workshop struct {
	host   string
	layers []string
	paths  map[string]string
	close  func()
}

func newWorkshop() (*workshop, error) {
	server := httptest.NewServer(registry.New(registry.Logger(stdlog.New(io.Discard, "", 0))))
	dir, err := os.MkdirTemp("", "tars")
	if err != nil {
		return nil, err
	}
	w := &workshop{strings.TrimPrefix(server.URL, "http://"), nil, map[string]string{}, func() {
		server.Close()
		os.RemoveAll(dir)
	}}
	for n := range 6 {
		var b bytes.Buffer
		t := tar.NewWriter(&b)
		if err := errors.Join(t.WriteHeader(&tar.Header{Name: fmt.Sprint(n), Mode: 0o644}), t.Close()); err != nil {
			return nil, err
		}
		id := fmt.Sprintf("sha256:%x", sha256.Sum256(b.Bytes()))
		w.layers = append(w.layers, id)
		w.paths[id] = filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(w.paths[id], b.Bytes(), 0o666); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func pointer[T any](v T) *T { return &v }

// drawImage draws a case; what it expects comes from running it.
func drawImage(seed int64, w *workshop, folded bool) imageCase {
	d := draw{rand.New(rand.NewSource(seed)), folded}
	c := imageCase{
		head: head{
			ID: fmt.Sprintf("image-%d", seed), Family: "cache-image", Name: "random", Source: "upstream run", VerifiedBy: []string{"newest"},
		},
		ImageName:       fmt.Sprintf("%s/%s", w.host, fmt.Sprintf(pick(d, []string{"c%d:cache", "team/app%d", "a/b/c%d:v1.2-x_Y"}), seed)),
		DeletionEnabled: d.chance(50),
	}
	// The last layer is kept for the one that is lost.
	layers := w.layers[:len(w.layers)-1]
	if d.chance(80) {
		o := &original{Exists: true, Valid: d.chance(85), Layers: []string{}}
		if d.chance(85) {
			o.Label = d.spoil(d.cache([]string{"a", "b"}))
			if d.chance(5) {
				o.Label = pointer("")
			}
		}
		for _, id := range layers {
			if d.chance(50) {
				o.Layers = append(o.Layers, id)
			}
		}
		c.Original = o
	} else {
		if d.chance(50) {
			c.Original = &original{false, d.chance(50), pointer(d.cache([]string{"a"})), layers[:d.Intn(3)], "sha256:" + strings.Repeat("1", 64)}
		}
		// Upstream would ask for the deletion of an image that is not there.
		c.DeletionEnabled = c.DeletionEnabled && folded
	}
	staged := map[string]bool{}
	for n := 1 + d.Intn(8); n > 0; n-- {
		op := operation{Op: pick(d, []string{
			"exists", "name", "retrieve-metadata", "retrieve-metadata", "set-metadata", "set-metadata", "add-layer", "add-layer", "reuse-layer", "reuse-layer",
			"retrieve-layer", "retrieve-layer", "verify-layer", "commit", "commit",
		})}
		id := pick(d, layers)
		malformed := false
		if d.chance(8) && op.Op != "add-layer" {
			malformed = true
			hex := strings.Repeat("a", 64)
			id = pick(d, []string{
				"", "x", "sha256:", "sha256:abc", "sha256:" + hex, "sha256:" + strings.ToUpper(hex), "md5:" + hex[:32], "SHA256:" + hex, hex, "sha256:" + hex + "a",
				"sha512:" + hex + hex, "sha256:" + hex[:63] + "g", "sha256" + hex, "sha256:" + hex[1:] + " ", "'", "sha256:é", "sha1:" + hex[:40],
			})
		}
		message := "words " + d.words()
		switch op.Op {
		case "set-metadata":
			plain := draw{d.Rand, false}
			op.Metadata = json.RawMessage(plain.cache([]string{"a", "b"}))
			var anything any
			if json.Unmarshal(op.Metadata, &anything) != nil || json.Unmarshal(op.Metadata, &platform.CacheMetadata{}) != nil {
				continue
			}
		case "add-layer", "reuse-layer":
			if staged[id] && !folded {
				continue
			}
			op.DiffID = &id
			if d.chance(15) && !malformed {
				faults := []string{"other"}
				if op.Op == "reuse-layer" {
					faults = []string{"other", "layer-not-found", "unexpected-eof"}
				}
				op.Fault, op.FaultMessage = pointer(pick(d, faults)), &message
			} else {
				staged[id] = true
			}
		case "retrieve-layer":
			op.DiffID = &id
			if d.chance(20) && !malformed {
				op.Fault, op.FaultMessage = pointer(pick(d, []string{"other", "layer-not-found", "unexpected-eof"})), &message
			}
		case "verify-layer":
			op.DiffID = &id
		case "commit":
			op.SavedDigest = pointer("sha256:" + strings.Repeat("0", 64))
			if d.chance(15) {
				op.Fault, op.FaultMessage = pointer("save-failed"), &message
			}
			if d.chance(10) && folded {
				op.CompareFault = pointer(pick(d, []string{"orig", "new"}))
			}
			if d.chance(15) {
				op.DeleteFault = &message
			}
		}
		c.Operations = append(c.Operations, op)
	}
	if c.Operations == nil {
		c.Operations = []operation{{Op: "exists"}}
	}
	return c
}

// faulty is an image that fails where the operation at hand says so.
type faulty struct {
	imgutil.Image
	side string
	at   **operation
}

func (f faulty) fault() error {
	op := *f.at
	if op == nil || op.Fault == nil {
		return nil
	}
	switch *op.Fault {
	case "layer-not-found":
		return fmt.Errorf("wrapped: %w", imgutil.ErrLayerNotFound{DiffID: *op.DiffID})
	case "unexpected-eof":
		return fmt.Errorf("wrapped: %w", io.ErrUnexpectedEOF)
	}
	return errors.New(*op.FaultMessage)
}

func (f faulty) AddLayerWithDiffID(path, id string) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Image.AddLayerWithDiffID(path, id)
}

func (f faulty) ReuseLayer(id string) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Image.ReuseLayer(id)
}

func (f faulty) GetLayer(id string) (io.ReadCloser, error) {
	if err := f.fault(); err != nil {
		return nil, err
	}
	return f.Image.GetLayer(id)
}

func (f faulty) Save(names ...string) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Image.Save(names...)
}

func (f faulty) Identifier() (imgutil.Identifier, error) {
	if op := *f.at; op != nil && op.CompareFault != nil && *op.CompareFault == f.side {
		return nil, errors.New("identifier unavailable")
	}
	return f.Image.Identifier()
}

func (f faulty) Delete() error {
	if op := *f.at; op != nil && op.DeleteFault != nil {
		return errors.New(*op.DeleteFault)
	}
	err := f.Image.Delete()
	if err != nil {
		(*f.at).DeleteFault = pointer(err.Error())
	}
	return err
}

func open(name string, options ...imgutil.ImageOption) (*remote.Image, error) {
	options = append(options, remote.WithDefaultPlatform(imgutil.Platform{OS: "linux"}))
	return remote.NewImage(name, authn.DefaultKeychain, options...)
}

func digest(image imgutil.Image) (string, error) {
	id, err := image.Identifier()
	if err != nil {
		return "", err
	}
	_, digest, _ := strings.Cut(id.String(), "@")
	return digest, nil
}

func (w *workshop) request(method, repository, path string) (int, error) {
	url := fmt.Sprintf("http://%s/v2/%s/%s", w.host, repository, path)
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// put stores the image the case starts with.
func (w *workshop) put(c *imageCase, repository string) error {
	image, err := open(c.ImageName)
	if err != nil {
		return err
	}
	if c.Original.Label != nil {
		err = image.SetLabel(label, *c.Original.Label)
	}
	layers := c.Original.Layers
	lost := w.layers[len(w.layers)-1]
	if !c.Original.Valid {
		layers = append(slices.Clone(layers), lost)
	}
	for _, id := range layers {
		err = errors.Join(err, image.AddLayer(w.paths[id]))
	}
	if err = errors.Join(err, image.Save()); err != nil {
		return err
	}
	if !c.Original.Valid {
		manifest, err := image.Manifest()
		if err != nil {
			return err
		}
		blob := manifest.Layers[len(manifest.Layers)-1].Digest.String()
		if status, err := w.request(http.MethodDelete, repository, "blobs/"+blob); err != nil || status >= 300 {
			return fmt.Errorf("deleting a blob: %d, %v", status, err)
		}
	}
	c.Original.Digest, err = digest(image)
	return err
}

// run lets upstream run a case and writes down what it did.
func (w *workshop) run(c *imageCase) error {
	repository, _, _ := strings.Cut(strings.TrimPrefix(c.ImageName, w.host+"/"), ":")
	exists := c.Original != nil && c.Original.Exists
	if exists {
		if err := w.put(c, repository); err != nil {
			return err
		}
	}
	var at *operation
	lines := []string{}
	logger := &log.Logger{Level: log.DebugLevel, Handler: log.HandlerFunc(func(entry *log.Entry) error {
		lines = append(lines, fmt.Sprintf("%s: %s", entry.Level, entry.Message))
		return nil
	})}
	before, err := open(c.ImageName, remote.FromBaseImage(c.ImageName))
	if err != nil {
		return err
	}
	after, err := open(c.ImageName, remote.WithPreviousImage(c.ImageName), remote.AddEmptyLayerOnSave())
	if err != nil {
		return err
	}
	deleter := cache.NewImageDeleter(cache.NewImageComparer(), logger, c.DeletionEnabled)
	session := cache.NewImageCache(faulty{before, "orig", &at}, faulty{after, "new", &at}, logger, deleter)
	committed := false
	current := before
	for n := range c.Operations {
		at = &c.Operations[n]
		var result object
		switch at.Op {
		case "exists":
			result = object{"exists": session.Exists()}
		case "name":
			result = object{"name": session.Name()}
		case "set-metadata":
			var metadata platform.CacheMetadata
			if err := json.Unmarshal(at.Metadata, &metadata); err != nil {
				return err
			}
			result = outcome(session.SetMetadata(metadata), "serialize")
		case "retrieve-metadata":
			metadata, err := session.RetrieveMetadata()
			if err != nil {
				return err
			}
			document, err := json.Marshal(metadata)
			if err != nil {
				return err
			}
			text, err := current.Label(label)
			if err != nil {
				return err
			}
			reason := "hit"
			switch {
			case !current.Found():
				reason = "image-not-found"
			case !current.Valid():
				reason = "image-corrupt"
			case text == "":
				reason = "label-missing"
			case json.Unmarshal([]byte(text), &platform.CacheMetadata{}) != nil:
				reason = "label-malformed"
			}
			result = object{"metadata_json": string(document), "reason": reason}
		case "add-layer":
			result = outcome(session.AddLayerFile(w.paths[*at.DiffID], *at.DiffID), "backend")
		case "reuse-layer":
			result = outcome(session.ReuseLayer(*at.DiffID), "other")
		case "retrieve-layer":
			reader, err := session.RetrieveLayer(*at.DiffID)
			if err == nil {
				_, err = io.Copy(io.Discard, reader)
			}
			result = outcome(err, "other")
		case "verify-layer":
			result = outcome(session.VerifyLayer(*at.DiffID), "other")
		case "commit":
			err := session.Commit()
			if err == nil {
				committed, current = true, after
				saved, err := digest(after)
				if err != nil {
					return err
				}
				at.SavedDigest = &saved
			}
			result = outcome(err, "save")
		}
		c.Expect = append(c.Expect, result)
	}
	at = nil
	config, err := after.ConfigFile()
	if err != nil {
		return err
	}
	layers := []string{}
	for _, id := range config.RootFS.DiffIDs {
		layers = append(layers, id.String())
	}
	var set any
	if text, there := config.Config.Labels[label]; there {
		set = text
	}
	deleted := false
	if exists {
		status, err := w.request(http.MethodHead, repository, "manifests/"+c.Original.Digest)
		if err != nil {
			return err
		}
		deleted = status == http.StatusNotFound
	}
	c.ExpectFinal = object{"committed": committed, "label": set, "layers": layers, "deleted_original": deleted, "logs": lines}
	return nil
}

func outcome(err error, class string) object {
	if err == nil {
		return object{"ok": true}
	}
	if isRead, _ := cache.IsReadErr(err); isRead {
		class = "read"
	} else if err.Error() == "cache cannot be modified after commit" {
		class = "committed"
	}
	return object{"error": class, "message": err.Error()}
}
