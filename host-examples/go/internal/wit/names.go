package wit

import "strings"

// initialisms are written in capitals.
var initialisms = map[string]string{
	"id": "ID", "ids": "IDs", "os": "OS", "uid": "UID", "gid": "GID", "oci": "OCI",
	"api": "API", "sha": "SHA", "shas": "SHAs", "sbom": "SBOM",
}

// Camel is the Go name for a name of the WIT: "DiffID" for "diff-id".
func Camel(name string) string {
	var out strings.Builder
	for _, word := range strings.Split(name, "-") {
		if capital, ok := initialisms[word]; ok {
			out.WriteString(capital)
		} else if word != "" {
			out.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return out.String()
}
