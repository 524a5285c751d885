package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	daemonevents "github.com/docker/docker/daemon/events"
	goevents "github.com/docker/go-events"
	gogotypes "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/state"
)

// eventLog is the Engine's own, with its ring of 256 events.
type eventLog struct{ *daemonevents.Events }

// SubscribeToEvents gives the events in [since, until] that are still known,
// and a channel of the ones to come.
func (l eventLog) SubscribeToEvents(since, until time.Time, filter filters.Args) ([]events.Message, chan any) {
	return l.SubscribeTopic(since, until, daemonevents.NewFilter(filter))
}

// UnsubscribeFromEvents ends a subscription.
func (l eventLog) UnsubscribeFromEvents(listener chan any) { l.Evict(listener) }

// follow turns the changes of the store into events, as a manager's daemon does,
// until the context ends.
func (l eventLog) follow(ctx context.Context, changes <-chan goevents.Event) {
	for {
		select {
		case <-ctx.Done():
			return
		case change := <-changes:
			if m, ok := message(change); ok {
				l.PublishMessage(m)
			}
		}
	}
}

// watchedKinds are the changes that become events; tasks do not.
func watchedKinds() []api.Event {
	return []api.Event{
		api.EventCreateNode{}, api.EventUpdateNode{}, api.EventDeleteNode{},
		api.EventCreateService{}, api.EventUpdateService{}, api.EventDeleteService{},
		api.EventCreateNetwork{}, api.EventUpdateNetwork{}, api.EventDeleteNetwork{},
		api.EventCreateSecret{}, api.EventUpdateSecret{}, api.EventDeleteSecret{},
		api.EventCreateConfig{}, api.EventUpdateConfig{}, api.EventDeleteConfig{},
	}
}

func message(change any) (events.Message, bool) {
	switch c := change.(type) {
	case state.EventCommit:
		return events.Message{}, false
	case api.EventCreateNode:
		return announce(events.ActionCreate, events.NodeEventType, c.Node.ID, c.Node.Meta, nodeAttributes(c.Node, nil)), true
	case api.EventUpdateNode:
		return announce(events.ActionUpdate, events.NodeEventType, c.Node.ID, c.Node.Meta, nodeAttributes(c.Node, c.OldNode)), true
	case api.EventDeleteNode:
		return announce(events.ActionRemove, events.NodeEventType, c.Node.ID, c.Node.Meta, nodeAttributes(c.Node, nil)), true
	case api.EventCreateService:
		return announce(events.ActionCreate, events.ServiceEventType, c.Service.ID, c.Service.Meta, serviceAttributes(c.Service, nil)), true
	case api.EventUpdateService:
		return announce(events.ActionUpdate, events.ServiceEventType, c.Service.ID, c.Service.Meta, serviceAttributes(c.Service, c.OldService)), true
	case api.EventDeleteService:
		return announce(events.ActionRemove, events.ServiceEventType, c.Service.ID, c.Service.Meta, serviceAttributes(c.Service, nil)), true
	case api.EventCreateNetwork:
		return announce(events.ActionCreate, events.NetworkEventType, c.Network.ID, c.Network.Meta, nameOf(c.Network.Spec.Annotations)), true
	case api.EventUpdateNetwork:
		return announce(events.ActionUpdate, events.NetworkEventType, c.Network.ID, c.Network.Meta, nameOf(c.Network.Spec.Annotations)), true
	case api.EventDeleteNetwork:
		return announce(events.ActionRemove, events.NetworkEventType, c.Network.ID, c.Network.Meta, nameOf(c.Network.Spec.Annotations)), true
	}
	return dataMessage(change)
}

// dataMessage is for secrets and configs.
func dataMessage(change any) (events.Message, bool) {
	switch c := change.(type) {
	case api.EventCreateSecret:
		return announce(events.ActionCreate, events.SecretEventType, c.Secret.ID, c.Secret.Meta, nameOf(c.Secret.Spec.Annotations)), true
	case api.EventUpdateSecret:
		return announce(events.ActionUpdate, events.SecretEventType, c.Secret.ID, c.Secret.Meta, nameOf(c.Secret.Spec.Annotations)), true
	case api.EventDeleteSecret:
		return announce(events.ActionRemove, events.SecretEventType, c.Secret.ID, c.Secret.Meta, nameOf(c.Secret.Spec.Annotations)), true
	case api.EventCreateConfig:
		return announce(events.ActionCreate, events.ConfigEventType, c.Config.ID, c.Config.Meta, nameOf(c.Config.Spec.Annotations)), true
	case api.EventUpdateConfig:
		return announce(events.ActionUpdate, events.ConfigEventType, c.Config.ID, c.Config.Meta, nameOf(c.Config.Spec.Annotations)), true
	case api.EventDeleteConfig:
		return announce(events.ActionRemove, events.ConfigEventType, c.Config.ID, c.Config.Meta, nameOf(c.Config.Spec.Annotations)), true
	}
	return events.Message{}, false
}

func announce(action events.Action, kind events.Type, id string, meta api.Meta, attributes map[string]string) events.Message {
	at := time.Now() // the store has no time for what is removed
	switch action {
	case events.ActionCreate:
		at, _ = gogotypes.TimestampFromProto(meta.CreatedAt)
	case events.ActionUpdate:
		at, _ = gogotypes.TimestampFromProto(meta.UpdatedAt)
	}
	return events.Message{
		Action: action, Type: kind, Scope: "swarm", Time: at.Unix(), TimeNano: at.UnixNano(),
		Actor: events.Actor{ID: id, Attributes: attributes},
	}
}

func nameOf(a api.Annotations) map[string]string { return map[string]string{"name": a.Name} }

// changed notes an attribute that has an old and a new value.
func changed(attributes map[string]string, name, before, after string) {
	if before != after {
		attributes[name+".old"], attributes[name+".new"] = strings.ToLower(before), strings.ToLower(after)
	}
}

func nodeAttributes(n, old *api.Node) map[string]string {
	attributes := nameOf(n.Spec.Annotations)
	if attributes["name"] == "" && n.Description != nil {
		attributes["name"] = n.Description.Hostname
	}
	if old == nil {
		return attributes
	}
	changed(attributes, "availability", old.Spec.Availability.String(), n.Spec.Availability.String())
	changed(attributes, "role", old.Role.String(), n.Role.String())
	changed(attributes, "state", old.Status.State.String(), n.Status.State.String())
	if was, is := old.ManagerStatus, n.ManagerStatus; was != nil && is != nil {
		changed(attributes, "leader", strconv.FormatBool(was.Leader), strconv.FormatBool(is.Leader))
		changed(attributes, "reachability", was.Reachability.String(), is.Reachability.String())
	}
	return attributes
}

func serviceAttributes(s, old *api.Service) map[string]string {
	attributes := nameOf(s.Spec.Annotations)
	if old == nil {
		return attributes
	}
	if is, was := s.Spec.Task.GetContainer(), old.Spec.Task.GetContainer(); is != nil && was != nil && is.Image != was.Image {
		attributes["image.old"], attributes["image.new"] = was.Image, is.Image
	}
	if is, was := s.Spec.GetReplicated(), old.Spec.GetReplicated(); is != nil && was != nil {
		changed(attributes, "replicas", strconv.FormatUint(was.Replicas, 10), strconv.FormatUint(is.Replicas, 10))
	}
	switch {
	case s.UpdateStatus == nil:
	case old.UpdateStatus == nil:
		attributes["updatestate.new"] = strings.ToLower(s.UpdateStatus.State.String())
	default:
		changed(attributes, "updatestate", old.UpdateStatus.State.String(), s.UpdateStatus.State.String())
	}
	return attributes
}

// logContainer tells of a container, if it is on the node whose Engine answers.
func (e *Engine) logContainer(c *simulated, action events.Action, attributes map[string]string) {
	if c.node != e.local() {
		return
	}
	all := map[string]string{"image": familiar(c.spec.Image), "name": c.name()}
	for k, v := range c.labels() {
		all[k] = v
	}
	for k, v := range attributes {
		all[k] = v
	}
	e.events.Log(action, events.ContainerEventType, events.Actor{ID: c.id, Attributes: all})
}
