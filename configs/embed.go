// Package configs holds what a person reads to configure Hearth, and what the programs need of it.
package configs

import (
	"embed"
	"io/fs"
)

//go:embed profiles/*.yaml
var profiles embed.FS

// Profiles returns the built-in device profiles, NAME.yaml each.
func Profiles() fs.FS {
	sub, err := fs.Sub(profiles, "profiles")
	if err != nil {
		panic(err) // only a folder name with a mistake in it fails
	}
	return sub
}
