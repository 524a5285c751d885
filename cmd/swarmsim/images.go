package main

import (
	"path"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// knownImages are the images that the simulated registry has: repository as
// written in a spec, and its tags.
func knownImages() map[string][]string {
	return map[string][]string{
		"redis": {
			"latest", "alpine", "6", "6.2", "7", "7-alpine", "7.0", "7.2", "7.2.4", "7.2.5", "7.4", "7.4-alpine",
			"7.4.0", "7.4.1", "7.4.2", "7.4.5", "7.4.6", "7.4.7", "8", "8-alpine", "8.0", "8.0.3", "8.2", "8.2.1", "8.2.2",
		},
		"valkey/valkey":         {"latest", "7.2", "8", "8.0", "8.1", "9.0"},
		"centrifugo/centrifugo": {"latest", "v5", "v5.4", "v5.4.9", "v6", "v6.0", "v6.2", "v6.5.0", "v6.9", "v6.9.0", "v6.9.1"},
		"nginx":                 {"latest", "alpine", "stable", "1.25", "1.26", "1.27", "1.27-alpine", "1.28", "1.29", "1.29-alpine"},
		"traefik":               {"latest", "v2.11", "v3", "v3.0", "v3.1", "v3.2", "v3.3", "v3.4", "v3.5", "v3.6", "v3.7"},
		"traefik/whoami":        {"latest", "v1.10", "v1.11"},
		"alpine":                {"latest", "3", "3.19", "3.20", "3.21", "3.22"},
		"busybox":               {"latest", "1", "1.36", "1.37", "stable"},
		"debian":                {"latest", "12", "13", "bookworm", "bookworm-slim", "trixie"},
		"ubuntu":                {"latest", "22.04", "24.04"},
		"hello-world":           {"latest"},
		"httpd":                 {"latest", "2.4", "alpine"},
		"caddy":                 {"latest", "2", "2-alpine"},
		"memcached":             {"latest", "1.6", "alpine"},
		"postgres":              {"latest", "15", "16", "17", "17-alpine"},
		"mariadb":               {"latest", "11"},
		"rabbitmq":              {"latest", "4", "4-management"},
		"registry":              {"latest", "2", "3"},
		"node":                  {"latest", "20", "22", "22-alpine"},
		"python":                {"latest", "3.12", "3.13", "3.13-slim"},
	}
}

// named is an image's name in full; false when it is none.
func named(image string) (reference.Named, bool) {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, false
	}
	return reference.TagNameOnly(ref), true
}

// familiar is an image as people write it, with its tag.
func familiar(image string) string {
	if ref, ok := named(image); ok {
		return reference.FamiliarString(ref)
	}
	return image
}

// repository is the last part of an image's name, without its tag.
func repository(image string) string {
	if ref, ok := named(image); ok {
		return path.Base(ref.Name())
	}
	return ""
}

// tagOf and digestOf are "" when an image is named without one.
func tagOf(ref reference.Named) string {
	if tagged, ok := ref.(reference.Tagged); ok {
		return tagged.Tag()
	}
	return ""
}

func digestOf(ref reference.Named) digest.Digest {
	if digested, ok := ref.(reference.Digested); ok {
		return digested.Digest()
	}
	return ""
}
