package spec

import (
	"path"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
)

func (t linter) image(name string, s types.ServiceConfig) {
	_, tag, digest := splitImage(s.Image)
	switch {
	case s.Image == "" || digest:
	case tag == "":
		t.warn("image-untagged", "the image has no tag, which means latest: what runs depends on the day it was pulled",
			"write a tag such as :1.2.3", "services", name, "image")
	case tag == "latest":
		t.warn("image-untagged", "the tag latest moves: what runs depends on the day it was pulled",
			"write a tag such as :1.2.3", "services", name, "image")
	}
}

// splitImage is the last word of an image's name, its tag, and whether it is
// pinned to a digest.
func splitImage(image string) (base, tag string, digest bool) {
	ref, err := reference.ParseAnyReference(image)
	if err != nil {
		return "", "", false
	}
	if named, ok := ref.(reference.Named); ok {
		base = path.Base(reference.Path(named))
	}
	if tagged, ok := ref.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	_, digest = ref.(reference.Digested)
	return base, tag, digest
}
