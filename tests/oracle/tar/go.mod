module layerwise.dev/oracle/tar

go 1.26.6
