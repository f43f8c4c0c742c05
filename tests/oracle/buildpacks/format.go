package main

import (
	"encoding/json"
	"io"
)

// The members of a vector file that are written here.

type file struct {
	Format      string `json:"format"`
	Description string `json:"description"`
	Cases       []any  `json:"cases"`
}

type head struct {
	ID         string   `json:"id"`
	Family     string   `json:"family"`
	Name       string   `json:"name"`
	Source     string   `json:"source"`
	VerifiedBy []string `json:"verified_by"`
}

type element struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	API     string `json:"api"`
}

type restoreCase struct {
	head
	PlatformAPI   string            `json:"platform_api"`
	SkipLayers    bool              `json:"skip_layers"`
	ShaStore      string            `json:"sha_store"`
	Group         []element         `json:"group"`
	AppLabel      *string           `json:"app_label"`
	CacheLabel    *string           `json:"cache_label"`
	ExistingFiles map[string]string `json:"existing_files"`
	Expect        restored          `json:"expect"`
}

type restored struct {
	Error     *string                      `json:"error"`
	Files     map[string]text              `json:"files"`
	ShaMap    map[string]map[string]string `json:"sha_map"`
	Decisions []decision                   `json:"decisions"`
}

type text struct {
	Text string `json:"text"`
}

type decision struct {
	Buildpack string `json:"buildpack"`
	Layer     string `json:"layer"`
	Source    string `json:"source"`
	Restored  bool   `json:"restored"`
	Reason    string `json:"reason"`
}

func write(out io.Writer, description string, cases []any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(file{"buildpacks-lifecycle-vectors/1", description, cases})
}
