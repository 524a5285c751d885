package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/reconcile"
)

// Do makes the one write that w stands for, after the reads that it needs.
func (e *Engine) Do(ctx context.Context, w reconcile.Write) error {
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	switch w := w.(type) {
	case reconcile.CreateNetwork:
		r, err := e.api.NetworkCreate(ctx, w.Name, w.Options)
		e.learn(reconcile.KindNetwork, w.Name, r.ID)
		return e.explain("create", err)
	case reconcile.CreateVolume:
		_, err := e.api.VolumeCreate(ctx, w.Options)
		return e.explain("create", err)
	case reconcile.CreateSecret:
		r, err := e.api.SecretCreate(ctx, w.Spec)
		e.learn(reconcile.KindSecret, w.Spec.Name, r.ID)
		return e.explain("create", err)
	case reconcile.CreateConfig:
		r, err := e.api.ConfigCreate(ctx, w.Spec)
		e.learn(reconcile.KindConfig, w.Spec.Name, r.ID)
		return e.explain("create", err)
	case reconcile.LabelSecret:
		return e.explain("update labels", e.api.SecretUpdate(ctx, w.ID, w.Version, w.Spec))
	case reconcile.LabelConfig:
		return e.explain("update labels", e.api.ConfigUpdate(ctx, w.ID, w.Version, w.Spec))
	case reconcile.CreateService:
		return e.createService(ctx, w)
	case reconcile.UpdateService:
		return e.updateService(ctx, w)
	case reconcile.Remove:
		return e.remove(ctx, w)
	}
	return fmt.Errorf("engine: a write of type %T is unknown", w)
}

func (e *Engine) createService(ctx context.Context, w reconcile.CreateService) error {
	sp, err := e.identified(ctx, w.Spec)
	if err != nil {
		return err
	}
	r, err := e.api.ServiceCreate(ctx, sp, swarm.ServiceCreateOptions{
		QueryRegistry: w.Query, EncodedRegistryAuth: e.registryAuth(ctx, reconcile.ImageOf(sp)),
	})
	e.warn(w.Spec.Name, r.Warnings)
	return e.explain("create", err)
}

func (e *Engine) updateService(ctx context.Context, w reconcile.UpdateService) error {
	live, raw, err := e.api.ServiceInspectWithRaw(ctx, w.ID, swarm.ServiceInspectOptions{})
	if err != nil {
		return e.explain("inspect", err)
	}
	if live.Version.Index != w.Version.Index {
		return fmt.Errorf("update: %w", reconcile.ErrStale)
	}
	if err := holdsAll(raw); err != nil {
		return err
	}
	sp, err := e.identified(ctx, w.Spec)
	if err != nil {
		return err
	}
	r, err := e.api.ServiceUpdate(ctx, w.ID, w.Version, sp, swarm.ServiceUpdateOptions{
		QueryRegistry: w.Query, EncodedRegistryAuth: e.registryAuth(ctx, reconcile.ImageOf(sp)),
	})
	e.warn(w.Spec.Name, r.Warnings)
	return e.explain("update", err)
}

// holdsAll refuses a live spec with fields that this program's API types do not
// have: writing it back would erase them (API 1.52 has some that 1.51's types
// lack).
func holdsAll(raw []byte) error {
	var live struct{ Spec json.RawMessage }
	if err := json.Unmarshal(raw, &live); err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(live.Spec))
	d.DisallowUnknownFields()
	var sp swarm.ServiceSpec
	if err := d.Decode(&sp); err != nil {
		return fmt.Errorf("the live service uses something that this swarmward does not know (%s), and an update would erase it; use a newer swarmward, or remove it with `docker service update`",
			strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// warn logs what the Engine has to say about a write, such as an image whose
// digest the registry did not tell.
func (e *Engine) warn(service string, warnings []string) {
	for _, w := range warnings {
		e.log.Warn("the Engine warns", "service", service, "warning", strings.ReplaceAll(w, "\n", " "))
	}
}

// remove takes an object that is already gone for removed.
func (e *Engine) remove(ctx context.Context, w reconcile.Remove) error {
	var err error
	switch w.Kind {
	case reconcile.KindService:
		err = e.api.ServiceRemove(ctx, w.ID)
	case reconcile.KindNetwork:
		e.quit(w.ID)
		err = e.api.NetworkRemove(ctx, w.ID)
	case reconcile.KindSecret:
		err = e.api.SecretRemove(ctx, w.ID)
	case reconcile.KindConfig:
		err = e.api.ConfigRemove(ctx, w.ID)
	default:
		return fmt.Errorf("remove: a %s is never removed", w.Kind)
	}
	// The Engine's own copy of a network outlives it for some seconds, and what
	// is removed again meanwhile is a 500.
	if errdefs.IsNotFound(err) || err != nil && w.Kind == reconcile.KindNetwork && strings.HasSuffix(err.Error(), " not found") {
		return nil
	}
	return e.explain("remove", err)
}
