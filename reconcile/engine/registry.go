package engine

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

// A registry that does not answer costs this long, once for each of so many
// images at a time.
const (
	registryTimeout  = 10 * time.Second
	registryParallel = 8
)

// digests asks the registries which image each tag of the stack points at now,
// through the Engine, for a stack that wants to follow its tags. What cannot
// be asked is left out and told in unresolved.
func (e *Engine) digests(ctx context.Context, stack *spec.Stack) (digests, unresolved map[string]string) {
	if stack.Settings.Images.Resolve != "always" {
		return nil, nil
	}
	digests, unresolved = map[string]string{}, map[string]string{}
	seen := map[string]bool{}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(registryParallel)
	for _, s := range stack.Services {
		image := reconcile.ImageOf(s.Spec)
		if image == "" || seen[image] || pinned(image) {
			continue
		}
		seen[image] = true
		g.Go(func() error {
			digest, err := e.digest(ctx, image)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				unresolved[image] = err.Error()
			} else {
				digests[image] = digest
			}
			return nil
		})
	}
	_ = g.Wait() // every error is in unresolved
	return digests, unresolved
}

func (e *Engine) digest(ctx context.Context, image string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	in, err := e.api.DistributionInspect(ctx, image, e.registryAuth(ctx, image))
	if err != nil {
		return "", err
	}
	return in.Descriptor.Digest.String(), nil
}

// hasty gives a registry no more than a third of a call's time. The client asks
// it right before a service is written, in the time of that write, and a registry
// that swallows every packet would leave none.
type hasty struct {
	http.RoundTripper
	engine *Engine
}

func (h *hasty) RoundTrip(r *http.Request) (*http.Response, error) {
	if operation(r.Method, r.URL.Path) != "GET /distribution/{image}/json" {
		return h.RoundTripper.RoundTrip(r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(registryTimeout, h.engine.timeout()/3))
	defer cancel()
	res, err := h.RoundTripper.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body) // while ctx lasts
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

func pinned(image string) bool {
	ref, err := reference.ParseAnyReference(image)
	if err != nil {
		return false
	}
	_, ok := ref.(reference.Digested)
	return ok
}

// registryAuth is what the Docker config file (DOCKER_CONFIG, or ~/.docker) and
// its credential helpers have for the image's registry, as the Engine's API
// wants it; empty where they have nothing.
func (e *Engine) registryAuth(ctx context.Context, image string) string {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		e.log.Debug("no Docker config file", "error", err.Error())
		return ""
	}
	host := reference.Domain(ref)
	server := credentials.ServerAddressFromRegistry(host)
	c, err := store.Get(ctx, server)
	if err != nil {
		e.log.Warn("the credentials for a registry cannot be read", "registry", host, "error", err.Error())
		return ""
	}
	auth := registry.AuthConfig{
		Username: c.Username, Password: c.Password, IdentityToken: c.RefreshToken, RegistryToken: c.AccessToken,
		ServerAddress: server,
	}
	if auth == (registry.AuthConfig{ServerAddress: server}) {
		return ""
	}
	encoded, err := registry.EncodeAuthConfig(auth)
	if err != nil {
		return ""
	}
	return encoded
}
