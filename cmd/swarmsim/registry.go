package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/distribution/reference"
	"github.com/docker/distribution"
	"github.com/docker/distribution/manifest/manifestlist"
	"github.com/docker/distribution/registry/api/errcode"
	v2 "github.com/docker/distribution/registry/api/v2"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/errdefs"
	"github.com/opencontainers/go-digest"
)

// images is all registries in one: what it does not know does not exist. The
// digests are made up from the names and are always the same.
type images struct {
	mu   sync.Mutex
	away bool
	tags map[string]map[string]bool // by the repository's full name
}

func newImages() *images {
	r := &images{tags: map[string]map[string]bool{}}
	for repository, tags := range knownImages() {
		for _, tag := range tags {
			_ = r.add(repository + ":" + tag)
		}
	}
	return r
}

// add makes an image exist.
func (r *images) add(image string) error {
	ref, ok := named(image)
	if !ok || tagOf(ref) == "" {
		return errdefs.InvalidParameter(fmt.Errorf("image %q: it has no name and tag, such as app:1.0", image))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tags[ref.Name()] == nil {
		r.tags[ref.Name()] = map[string]bool{}
	}
	r.tags[ref.Name()][tagOf(ref)] = true
	return nil
}

// leave makes the registry unreachable, or reachable again.
func (r *images) leave(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// has tells whether an image can be pulled now.
func (r *images) has(image string) bool {
	ref, ok := named(image)
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return false
	}
	tag, wanted := tagOf(ref), digestOf(ref)
	if wanted == "" {
		return r.tags[ref.Name()][tag]
	}
	for known := range r.tags[ref.Name()] {
		if _, d := manifest(ref.Name(), known); d == wanted && (tag == "" || tag == known) {
			return true
		}
	}
	return false
}

// manifest of an image for the two usual platforms, and its digest.
func manifest(repository, tag string) (*manifestlist.DeserializedManifestList, digest.Digest) {
	var all []manifestlist.ManifestDescriptor
	for _, architecture := range []string{"amd64", "arm64"} {
		all = append(all, manifestlist.ManifestDescriptor{
			Descriptor: distribution.Descriptor{
				MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 1000,
				Digest: digest.FromString(repository + ":" + tag + "/" + architecture),
			},
			Platform: manifestlist.PlatformSpec{Architecture: architecture, OS: "linux"},
		})
	}
	list, err := manifestlist.FromDescriptors(all)
	if err != nil {
		return nil, ""
	}
	_, payload, err := list.Payload()
	if err != nil {
		return nil, ""
	}
	return list, digest.FromBytes(payload)
}

// GetRepositories is what the Engine's router asks for an image's manifest.
func (r *images) GetRepositories(_ context.Context, ref reference.Named, _ *registry.AuthConfig) ([]distribution.Repository, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		host := reference.Domain(ref)
		if host == "docker.io" {
			host = "registry-1.docker.io"
		}
		return nil, verbatim(`Get "https://%s/v2/": dial tcp: lookup %s: no such host`, host, host)
	}
	return []distribution.Repository{stocked{images: r, name: ref}}, nil
}

// stocked is one repository.
type stocked struct {
	images *images
	name   reference.Named
}

// Named is the repository's name.
func (s stocked) Named() reference.Named { return s.name }

// Tags looks tags up.
func (s stocked) Tags(context.Context) distribution.TagService { return stockedTags{stocked: s} }

// Manifests looks manifests up.
func (s stocked) Manifests(context.Context, ...distribution.ManifestServiceOption) (distribution.ManifestService, error) {
	return stockedManifests{stocked: s}, nil
}

// Blobs are not simulated; a manifest list refers to none.
func (s stocked) Blobs(context.Context) distribution.BlobStore { return nil }

type stockedTags struct {
	distribution.TagService // for what a reader does not use
	stocked
}

// Get is 404 for an unknown tag, as a registry answers.
func (t stockedTags) Get(_ context.Context, tag string) (distribution.Descriptor, error) {
	t.images.mu.Lock()
	defer t.images.mu.Unlock()
	if !t.images.tags[t.name.Name()][tag] {
		return distribution.Descriptor{}, unknownManifest()
	}
	list, d := manifest(t.name.Name(), tag)
	if list == nil {
		return distribution.Descriptor{}, errors.New("manifest: cannot be made")
	}
	mediaType, payload, err := list.Payload()
	return distribution.Descriptor{MediaType: mediaType, Size: int64(len(payload)), Digest: d}, err
}

type stockedManifests struct {
	distribution.ManifestService // for what a reader does not use
	stocked
}

// Get is 404 for an unknown digest, as a registry answers.
func (m stockedManifests) Get(_ context.Context, d digest.Digest, _ ...distribution.ManifestServiceOption) (distribution.Manifest, error) {
	m.images.mu.Lock()
	defer m.images.mu.Unlock()
	for tag := range m.images.tags[m.name.Name()] {
		if list, known := manifest(m.name.Name(), tag); known == d {
			return list, nil
		}
	}
	return nil, unknownManifest()
}

func unknownManifest() error {
	return errcode.Errors{v2.ErrorCodeManifestUnknown.WithMessage("manifest unknown")}
}
