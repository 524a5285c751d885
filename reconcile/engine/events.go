package engine

import (
	"cmp"
	"context"
	"io"
	"strings"
	"sync/atomic"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/swarmward/swarmward/reconcile"
)

// Follow hears of every object that is made, changed or removed, until ctx ends
// or the stream breaks, which is the error. Once it is there, connected is
// called; what happened before is not heard of. hear must not block for long: an
// Engine drops events that it cannot get rid of.
func (e *Engine) Follow(ctx context.Context, connected func(), hear func(kind reconcile.Kind, name string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kinds := filters.NewArgs()
	for _, t := range []events.Type{events.ServiceEventType, events.NetworkEventType, events.SecretEventType, events.ConfigEventType, events.NodeEventType, events.VolumeEventType} {
		kinds.Add("type", string(t))
	}
	for _, a := range []events.Action{events.ActionCreate, events.ActionUpdate, events.ActionRemove, events.ActionDestroy} {
		kinds.Add("event", string(a))
	}
	var open atomic.Bool
	messages, errs := e.api.Events(context.WithValue(ctx, streamOpen{}, &open), events.ListOptions{Filters: kinds})
	if !open.Load() {
		return e.explain("events", cmp.Or(<-errs, io.EOF))
	}
	connected()
	for {
		select {
		case err := <-errs:
			return e.explain("events", cmp.Or(err, io.EOF))
		case m := <-messages:
			if kind, name := seenBy(m); kind != "" {
				hear(kind, name)
			}
		}
	}
}

// seenBy is what a pass may see of an event; nothing where that is certain.
func seenBy(m events.Message) (kind reconcile.Kind, name string) {
	name = m.Actor.Attributes["name"]
	switch m.Type {
	case events.NodeEventType:
		// A node reports its load of images and plugins all the time.
		for attribute := range m.Actor.Attributes {
			if strings.HasSuffix(attribute, ".new") {
				return reconcile.KindNode, name
			}
		}
		if m.Action != events.ActionUpdate {
			return reconcile.KindNode, name
		}
		return "", ""
	case events.NetworkEventType:
		// A node makes and removes its own copy of an overlay as tasks come and go.
		if m.Scope != "swarm" {
			return "", ""
		}
	case events.VolumeEventType:
		name = m.Actor.ID
	}
	return reconcile.Kind(m.Type), name
}
