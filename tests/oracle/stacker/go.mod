module layerwise.dev/oracle/stacker

go 1.26.3

require (
	github.com/mitchellh/hashstructure v1.1.0
	github.com/vbatts/go-mtree v0.5.4
)

require (
	github.com/sirupsen/logrus v1.9.3 // indirect
	golang.org/x/crypto v0.24.0 // indirect
	golang.org/x/sys v0.21.0 // indirect
)
