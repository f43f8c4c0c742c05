module layerwise.dev/layerwise

go 1.25.0
