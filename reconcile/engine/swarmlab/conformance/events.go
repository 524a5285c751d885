package conformance

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

const eventSection = "7 events"

// message is an event of one of the trial's objects.
type message struct {
	kind, action, name string
	attributes         map[string]string
}

// watch passes the events of the trial's objects while and after act is done,
// until one of them is the last.
func (t *trial) watch(act func(), last func(message) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, errs := t.Events(ctx, events.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))})
	// The client has no way to tell that the subscription has begun but an
	// event that comes through it.
	go t.knock(ctx)
	begun := false
	for {
		select {
		case err := <-errs:
			t.Fatal("events: ", err)
		case m := <-stream:
			name, mine := strings.CutPrefix(m.Actor.Attributes["name"], t.key+"-")
			switch {
			case !mine:
			case strings.HasPrefix(name, "knock"):
				if !begun {
					begun = true
					act()
				}
			case last(message{string(m.Type), string(m.Action), name, m.Actor.Attributes}):
				return
			}
		}
	}
}

// knock makes configs until the context ends or one has been heard of: the
// first few may come before the subscription.
func (t *trial) knock(ctx context.Context) {
	for i := range 20 {
		_, _ = t.ConfigCreate(ctx, t.configSpec("knock"+count(i), []byte("x")))
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// heard are the events that act leads to, in order.
func (t *trial) heard(act func()) string {
	t.Helper()
	var all []string
	t.watch(func() {
		act()
		_, err := t.SecretCreate(t.Context(), t.secretSpec("end", []byte("x")))
		t.must(err)
	}, func(m message) bool {
		if m.name == "end" {
			return true
		}
		all = append(all, m.kind+" "+m.action+attributes(m.attributes))
		return false
	})
	return strings.Join(all, ", ")
}

func attributes(all map[string]string) string {
	var out strings.Builder
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if k != "name" {
			out.WriteString(" " + k + "=" + all[k])
		}
	}
	return out.String()
}

func eventRows() []Row {
	event := func(name, want string, act func(*trial)) Row {
		return Row{Section: eventSection, Name: name, Want: is(want), try: func(t *trial) string {
			return t.heard(func() { act(t) })
		}}
	}
	return []Row{
		event("secret", "secret create, secret update, secret remove", func(t *trial) {
			s, _, err := t.SecretInspectWithRaw(t.Context(), t.secret("s"))
			t.must(err)
			t.must(t.SecretUpdate(t.Context(), s.ID, s.Version, s.Spec))
			t.must(t.SecretRemove(t.Context(), s.ID))
		}),
		event("config", "config create, config update, config remove", func(t *trial) {
			c, _, err := t.ConfigInspectWithRaw(t.Context(), t.config("c"))
			t.must(err)
			t.must(t.ConfigUpdate(t.Context(), c.ID, c.Version, c.Spec))
			t.must(t.ConfigRemove(t.Context(), c.ID))
		}),
		event("network: the allocator's update follows", "network create, network update, network remove", func(t *trial) {
			id := t.network("n")
			t.allocated(id)
			t.must(t.NetworkRemove(t.Context(), id))
		}),
		event("service with a port: the allocator's update follows", "service create, service update, service remove", func(t *trial) {
			s := t.create("a", at("EndpointSpec", `{"Ports":[{"TargetPort":80}]}`))
			t.sure("a port is allocated", func() bool { return len(t.live("a").Endpoint.Ports) > 0 })
			t.must(t.ServiceRemove(t.Context(), s.ID))
		}),
		event("service: labels are not told", "service create, service update", func(t *trial) {
			t.create("a")
			t.update("a", at("Labels", `{"a":"b"}`))
		}),
		event("service: replicas", "service create, service update replicas.new=3 replicas.old=0", func(t *trial) {
			t.create("a", nowhere)
			t.update("a", at("Mode.Replicated.Replicas", "3"))
		}),
		event("service: image", "service create, service update image.new=redis:2 image.old=redis:1", func(t *trial) {
			t.create("a", at(inContainer+"Image", `"redis:1"`))
			t.update("a", at(inContainer+"Image", `"redis:2"`))
		}),
		event("tasks are not told", "service create", func(t *trial) {
			t.create("a", at("Mode.Replicated.Replicas", "1"))
			t.awaitRunning("a")
		}),
		{Section: eventSection, Name: "what has happened is replayed", Want: is("secret create, secret remove"), try: func(t *trial) string {
			id := t.secret("s")
			t.must(t.SecretRemove(t.Context(), id))
			var seen []string
			t.sure("both events", func() bool {
				seen = nil
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				stream, errs := t.Events(ctx, events.ListOptions{Since: "1", Until: count(int(time.Now().Unix()) + 1), Filters: filters.NewArgs(filters.Arg("type", "secret"))})
				for {
					select {
					case <-errs:
						return len(seen) == 2
					case m := <-stream:
						if m.Actor.ID == id {
							seen = append(seen, string(m.Type)+" "+string(m.Action))
						}
					}
				}
			})
			return strings.Join(seen, ", ")
		}},
		{Section: eventSection, Name: "an event has the object's id and the Swarm's scope", Want: is("true swarm"), try: func(t *trial) string {
			var out string
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			id := t.secret("s")
			stream, errs := t.Events(ctx, events.ListOptions{Since: "1", Filters: filters.NewArgs(filters.Arg("type", "secret"))})
			for out == "" {
				select {
				case err := <-errs:
					t.Fatal(err)
				case m := <-stream:
					if m.Actor.Attributes["name"] == t.name("s") {
						out = compact(m.Actor.ID == id) + " " + m.Scope
					}
				}
			}
			return out
		}},
	}
}

// byName is the filter by name.
func byName(name string) filters.Args { return filters.NewArgs(filters.Arg("name", name)) }
