// Package limits says how much is read, unpacked and waited for: every limit with
// its name and default. The names are those of all hosts.
package limits

import (
	"time"

	"layerwise.dev/layerwise"
)

// Limits are the limits of a registry; zero stands for the default of each.
type Limits struct {
	// ManifestBytes are the bytes of a manifest, 4 MiB.
	ManifestBytes int64
	// LayerBytes are the bytes of a layer, uncompressed and as it is stored, 64 GiB.
	LayerBytes int64
	// SessionLayerBytes are the uncompressed bytes of all layers, 256 GiB.
	SessionLayerBytes int64
	// LayerRatio are the uncompressed bytes for each compressed one, 1,000, after the
	// first 256 MiB.
	LayerRatio int64
	// LayerEntries are the entries of a layer with their attributes, 1,000,000.
	LayerEntries int64
	// EntryInputBytes are the compressed bytes that each entry after the first 10,000
	// brings, 16.
	EntryInputBytes int64
	// LayerDirectories are the directories of a layer that no entry names, 10,000.
	LayerDirectories int64
	// PathDepth are the parts of a name in a layer, 256.
	PathDepth int64
	// HeaderBytes are the bytes of global and extended headers and long names of a
	// layer, 16 MiB beside 1 KiB for each entry. A single one has at most 1 MiB.
	HeaderBytes int64
	// LayerAttributeBytes are the bytes of extended attributes of a layer, 64 MiB.
	LayerAttributeBytes int64
	// EntryAttributeBytes are the bytes of extended attributes of an entry, 1 MiB.
	EntryAttributeBytes int64
	// TransferRate are the bytes a second that a transfer must have, 1 KiB, measured
	// over TransferRateTime of waiting for them, a minute.
	TransferRate     int64
	TransferRateTime time.Duration
	// TransferTime is the time of a transfer, an hour.
	TransferTime time.Duration
}

const (
	// FreeBytes are free before LayerRatio counts.
	FreeBytes = 256 << 20
	// FreeEntries are free before EntryInputBytes counts.
	FreeEntries = 10_000
	// HeaderOfAnEntry is what each entry may have beside HeaderBytes.
	HeaderOfAnEntry = 1 << 10
)

// WithDefaults are the limits with their defaults where none is set.
func (l Limits) WithDefaults() Limits {
	for _, one := range []struct {
		value *int64
		usual int64
	}{
		{&l.ManifestBytes, 4 << 20},
		{&l.LayerBytes, 64 << 30},
		{&l.SessionLayerBytes, 256 << 30},
		{&l.LayerRatio, 1000},
		{&l.LayerEntries, 1_000_000},
		{&l.EntryInputBytes, 16},
		{&l.LayerDirectories, 10_000},
		{&l.PathDepth, 256},
		{&l.HeaderBytes, 16 << 20},
		{&l.LayerAttributeBytes, 64 << 20},
		{&l.EntryAttributeBytes, 1 << 20},
		{&l.TransferRate, 1 << 10},
		{(*int64)(&l.TransferRateTime), int64(time.Minute)},
		{(*int64)(&l.TransferTime), int64(time.Hour)},
	} {
		if *one.value <= 0 {
			*one.value = one.usual
		}
	}
	return l
}

// Check refuses what exceeds a limit; name is that of the limit and thing what
// there is too much of.
func Check(name string, most, value int64, thing string) error {
	if value <= most {
		return nil
	}
	return Over(name, most, thing)
}

// Over is the failure for what exceeds a limit.
func Over(name string, most int64, thing string) error {
	return layerwise.Failed(layerwise.FailureCodeTooLarge, "%s is more than the limit %s of %d", thing, name, most)
}
