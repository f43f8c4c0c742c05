// Command phases runs upstream's own restorer and the part of its exporter that
// writes caches, on a layers directory below a root that becomes `/`:
//
//	phases restore ROOT OPTIONS
//	phases export ROOT OPTIONS
//
// Options: -layers DIR, -group FILE, -analyzed FILE and -platform-api VERSION as
// the lifecycle has them; -cache-dir DIR or -cache-image NAME; -skip-layers;
// -uid and -gid. Paths are those inside of ROOT. Needs root, for the root to
// become `/`; -uid and -gid are the user that does the work then.
//
// It is what the lifecycle's own program does in these two phases but for
// extensions, whose dependencies are not available everywhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"

	"github.com/buildpacks/lifecycle/api"
	"github.com/buildpacks/lifecycle/cache"
	"github.com/buildpacks/lifecycle/cmd"
	"github.com/buildpacks/lifecycle/internal/layer"
	"github.com/buildpacks/lifecycle/layers"
	"github.com/buildpacks/lifecycle/phase"
	"github.com/buildpacks/lifecycle/platform/files"
	"github.com/google/go-containerregistry/pkg/authn"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: phases restore|export ROOT OPTIONS")
	}
	set := flag.NewFlagSet(args[0], flag.ContinueOnError)
	layersDir := set.String("layers", "/layers", "")
	groupPath := set.String("group", "/layers/group.toml", "")
	analyzedPath := set.String("analyzed", "/layers/analyzed.toml", "")
	platformAPI := set.String("platform-api", "0.14", "")
	cacheDir := set.String("cache-dir", "", "")
	cacheImage := set.String("cache-image", "", "")
	skipLayers := set.Bool("skip-layers", false, "")
	uid := set.Int("uid", 0, "")
	gid := set.Int("gid", 0, "")
	if err := set.Parse(args[2:]); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return syscall.Chroot(args[1]) },
		func() error { return os.Chdir("/") },
		func() error { return os.MkdirAll("/tmp", 0o1777) },
		func() error { return os.Chmod("/tmp", 0o1777) },
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setresgid(*gid, *gid, *gid) },
		func() error { return syscall.Setresuid(*uid, *uid, *uid) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	version, err := api.NewVersion(*platformAPI)
	if err != nil {
		return err
	}
	if !api.Platform.IsSupported(version) {
		return fmt.Errorf("platform api %s is not supported", version)
	}
	group, err := files.Handler.ReadGroup(*groupPath)
	if err != nil {
		return err
	}
	store, err := openCache(*cacheImage, *cacheDir, version)
	if err != nil {
		return err
	}
	if args[0] == "restore" {
		analyzed, err := files.Handler.ReadAnalyzed(*analyzedPath, cmd.DefaultLogger)
		if err != nil {
			return err
		}
		restorer := &phase.Restorer{
			LayersDir:             *layersDir,
			Buildpacks:            group.Group,
			Logger:                cmd.DefaultLogger,
			PlatformAPI:           version,
			LayerMetadataRestorer: layer.NewDefaultMetadataRestorer(*layersDir, *skipLayers, cmd.DefaultLogger, version),
			LayersMetadata:        analyzed.LayersMetadata,
			SBOMRestorer: layer.NewSBOMRestorer(layer.SBOMRestorerOpts{
				LayersDir: *layersDir,
				Logger:    cmd.DefaultLogger,
				Nop:       *skipLayers,
			}, version),
		}
		return restorer.Restore(store)
	}
	artifacts, err := os.MkdirTemp("", "lifecycle.exporter.layer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(artifacts)
	exporter := &phase.Exporter{
		Buildpacks: group.Group,
		LayerFactory: &layers.Factory{
			ArtifactsDir: artifacts,
			UID:          *uid,
			GID:          *gid,
			Logger:       cmd.DefaultLogger,
			Ctx:          context.Background(),
		},
		Logger:      cmd.DefaultLogger,
		PlatformAPI: version,
	}
	return exporter.Cache(*layersDir, store)
}

func openCache(image, dir string, version *api.Version) (phase.Cache, error) {
	switch {
	case image != "":
		deleter := cache.NewImageDeleter(cache.NewImageComparer(), cmd.DefaultLogger, version.LessThan("0.13"))
		return cache.NewImageCacheFromName(image, authn.DefaultKeychain, cmd.DefaultLogger, deleter)
	case dir != "":
		return cache.NewVolumeCache(dir, cmd.DefaultLogger)
	}
	return nil, errors.New("no cache is named")
}
