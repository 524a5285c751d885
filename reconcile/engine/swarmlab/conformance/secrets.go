package conformance

import (
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

const secretSection = "6 secrets and configs"

func (t *trial) secretSpec(suffix string, data []byte) swarm.SecretSpec {
	return swarm.SecretSpec{Annotations: swarm.Annotations{Name: t.name(suffix)}, Data: data}
}

func (t *trial) configSpec(suffix string, data []byte) swarm.ConfigSpec {
	return swarm.ConfigSpec{Annotations: swarm.Annotations{Name: t.name(suffix)}, Data: data}
}

// secret makes a secret and gives its id.
func (t *trial) secret(suffix string) string {
	t.Helper()
	r, err := t.SecretCreate(t.Context(), t.secretSpec(suffix, []byte("hidden")))
	t.must(err)
	return r.ID
}

func (t *trial) config(suffix string) string {
	t.Helper()
	r, err := t.ConfigCreate(t.Context(), t.configSpec(suffix, []byte("shown")))
	t.must(err)
	return r.ID
}

// secretRef is a list with one reference, as JSON.
func (t *trial) secretRef(id, suffix string) string {
	return `[{"SecretID":"` + id + `","SecretName":"` + t.name(suffix) + `","File":{"Name":"f","UID":"0","GID":"0","Mode":256}}]`
}

func (t *trial) configRef(id, suffix string) string {
	return `[{"ConfigID":"` + id + `","ConfigName":"` + t.name(suffix) + `","File":{"Name":"f","UID":"0","GID":"0","Mode":256}}]`
}

func secretRows() []Row {
	row := func(name, want string, try func(*trial) string) Row {
		return Row{Section: secretSection, Name: name, Want: is(want), try: try}
	}
	secretOf := func(name, want string, size int) Row {
		return row(name, want, func(t *trial) string {
			_, err := t.SecretCreate(t.Context(), t.secretSpec("s", make([]byte, size)))
			return t.outcome(err)
		})
	}
	configOf := func(name, want string, size int) Row {
		return row(name, want, func(t *trial) string {
			_, err := t.ConfigCreate(t.Context(), t.configSpec("c", make([]byte, size)))
			return t.outcome(err)
		})
	}
	named := func(name, object, want string) Row {
		return row(name, want, func(t *trial) string {
			s := t.secretSpec("", []byte("x"))
			s.Name = strings.ReplaceAll(object, "{key}", t.key)
			_, err := t.SecretCreate(t.Context(), s)
			return t.outcome(err)
		})
	}
	changed := func(name, want string, edit func(*swarm.ConfigSpec)) Row {
		return row(name, want, func(t *trial) string {
			c, _, err := t.ConfigInspectWithRaw(t.Context(), t.config("c"))
			t.must(err)
			edit(&c.Spec)
			out := t.outcome(t.ConfigUpdate(t.Context(), c.ID, c.Version, c.Spec))
			after, _, err := t.ConfigInspectWithRaw(t.Context(), c.ID)
			t.must(err)
			if after.Version.Index > c.Version.Index {
				out += ", version moved"
			}
			if after.Spec.Templating != nil {
				out += ", templating " + after.Spec.Templating.Name
			}
			return out + ", labels " + compact(after.Spec.Labels)
		})
	}
	const (
		secretSize = "400 InvalidArgument: rpc error: code = InvalidArgument desc = secret data must be larger than 0 and less than 512000 bytes"
		configSize = "400 InvalidArgument: rpc error: code = InvalidArgument desc = config data must be larger than 0 and less than 1024000 bytes"
		badName    = "400 InvalidArgument: rpc error: code = InvalidArgument desc = invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]"
		labelsOnly = "400 InvalidArgument: rpc error: code = InvalidArgument desc = only updates to Labels are allowed"
	)
	rows := []Row{
		secretOf("an empty secret", secretSize, 0),
		secretOf("the largest secret", "ok", 511999),
		secretOf("a secret too large", secretSize, 512000),
		configOf("an empty config", configSize, 0),
		configOf("the largest config", "ok", 1023999),
		configOf("a config too large", configSize, 1024000),
		named("a name of 64", "{key}"+strings.Repeat("a", 60), "ok"),
		named("a name of 65", "{key}"+strings.Repeat("a", 61), badName),
		named("dots and underscores", "{key}.r2_x", "ok"),
		named("a name with a space", "{key} a", badName),
		named("a name that ends in a dash", "{key}a-", badName),
		row("secret's name taken", "409 Conflict: rpc error: code = AlreadyExists desc = secret s already exists", func(t *trial) string {
			t.secret("s")
			_, err := t.SecretCreate(t.Context(), t.secretSpec("s", []byte("x")))
			return t.outcome(err)
		}),
		row("config's name taken", "409 Conflict: rpc error: code = AlreadyExists desc = config c already exists", func(t *trial) string {
			t.config("c")
			_, err := t.ConfigCreate(t.Context(), t.configSpec("c", []byte("x")))
			return t.outcome(err)
		}),
		changed("new labels", "ok, version moved, labels {\"a\":\"b\"}", func(s *swarm.ConfigSpec) { s.Labels = map[string]string{"a": "b"} }),
		changed("an identical update moves the version", "ok, version moved, labels {}", func(*swarm.ConfigSpec) {}),
		changed("other content is refused", labelsOnly+", labels {}", func(s *swarm.ConfigSpec) { s.Data = []byte("other") }),
		changed("other templating is ignored", "ok, version moved, labels {}", func(s *swarm.ConfigSpec) { s.Templating = &swarm.Driver{Name: "golang"} }),
		row("a secret's new labels without its content", "ok", func(t *trial) string {
			s, _, err := t.SecretInspectWithRaw(t.Context(), t.secret("s"))
			t.must(err)
			s.Spec.Labels = map[string]string{"a": "b"}
			return t.outcome(t.SecretUpdate(t.Context(), s.ID, s.Version, s.Spec))
		}),
		row("a secret's other content is refused", labelsOnly, func(t *trial) string {
			s, _, err := t.SecretInspectWithRaw(t.Context(), t.secret("s"))
			t.must(err)
			s.Spec.Data = []byte("other")
			return t.outcome(t.SecretUpdate(t.Context(), s.ID, s.Version, s.Spec))
		}),
		row("stale version of a secret", "500 Internal: rpc error: code = Unknown desc = update out of sequence", func(t *trial) string {
			s, _, err := t.SecretInspectWithRaw(t.Context(), t.secret("s"))
			t.must(err)
			t.must(t.SecretUpdate(t.Context(), s.ID, s.Version, s.Spec))
			return t.outcome(t.SecretUpdate(t.Context(), s.ID, s.Version, s.Spec))
		}),
		row("stale version of a config", "500 Internal: rpc error: code = Unknown desc = update out of sequence", func(t *trial) string {
			c, _, err := t.ConfigInspectWithRaw(t.Context(), t.config("c"))
			t.must(err)
			t.must(t.ConfigUpdate(t.Context(), c.ID, c.Version, c.Spec))
			return t.outcome(t.ConfigUpdate(t.Context(), c.ID, c.Version, c.Spec))
		}),
		row("a secret's content stays where it is", `"absent"`, func(t *trial) string {
			_, raw, err := t.SecretInspectWithRaw(t.Context(), t.secret("s"))
			t.must(err)
			return compact(t.field(raw, "Spec.Data"))
		}),
		row("a config's content can be read", "shown", func(t *trial) string {
			c, _, err := t.ConfigInspectWithRaw(t.Context(), t.config("c"))
			t.must(err)
			return string(c.Spec.Data)
		}),
		row("a config's content is in the list", "shown", func(t *trial) string {
			t.config("c")
			list, err := t.ConfigList(t.Context(), swarm.ConfigListOptions{Filters: byName(t.name("c"))})
			t.must(err)
			return string(list[0].Spec.Data)
		}),
		row("inspect finds a secret by name", "true", func(t *trial) string {
			id := t.secret("s")
			s, _, err := t.SecretInspectWithRaw(t.Context(), t.name("s"))
			t.must(err)
			return compact(s.ID == id)
		}),
		row("missing secret", "404 NotFound: secret s not found", func(t *trial) string {
			_, _, err := t.SecretInspectWithRaw(t.Context(), t.name("s"))
			return t.outcome(err)
		}),
		row("missing config", "404 NotFound: config c not found", func(t *trial) string {
			_, _, err := t.ConfigInspectWithRaw(t.Context(), t.name("c"))
			return t.outcome(err)
		}),
		row("removing a secret that is not there", "404 NotFound: secret s not found", func(t *trial) string {
			return t.outcome(t.SecretRemove(t.Context(), t.name("s")))
		}),
		row("another template driver is taken", "ok", func(t *trial) string {
			s := t.configSpec("c", []byte("x"))
			s.Templating = &swarm.Driver{Name: "bogus"}
			_, err := t.ConfigCreate(t.Context(), s)
			return t.outcome(err)
		}),
	}
	return append(rows, referenceRows()...)
}

// referenceRows are about services that use secrets and configs.
func referenceRows() []Row {
	row := func(name, want string, try func(*trial) string) Row {
		return Row{Section: secretSection, Name: name, Want: is(want), try: try}
	}
	return []Row{
		row("removing a secret in use", "400 InvalidArgument: rpc error: code = InvalidArgument desc = secret 's' is in use by the following service: a", func(t *trial) string {
			id := t.secret("s")
			t.create("a", at(inContainer+"Secrets", t.secretRef(id, "s")))
			return t.outcome(t.SecretRemove(t.Context(), id))
		}),
		row("removing a config that two services use", "400 InvalidArgument: rpc error: code = InvalidArgument desc = config 'c' is in use by the following services: …", func(t *trial) string {
			id := t.config("c")
			t.create("a", at(inContainer+"Configs", t.configRef(id, "c")))
			t.create("b", at(inContainer+"Configs", t.configRef(id, "c")))
			return t.outcome(t.ConfigRemove(t.Context(), id))
		}),
		row("removing a secret that only the previous spec uses", "ok", func(t *trial) string {
			id := t.secret("s")
			t.create("a", at(inContainer+"Secrets", t.secretRef(id, "s")))
			t.update("a", at(inContainer+"Secrets", `null`))
			return t.outcome(t.SecretRemove(t.Context(), id))
		}),
		row("a secret reference comes back", `[{"File":{"GID":"0","Mode":256,"Name":"f","UID":"0"},"SecretID":"<id>","SecretName":"s"}]`, func(t *trial) string {
			return t.cameBack(inContainer+"Secrets", at(inContainer+"Secrets", t.secretRef(t.secret("s"), "s")))
		}),
		row("a config reference comes back", `[{"ConfigID":"<id>","ConfigName":"c","File":{"GID":"0","Mode":256,"Name":"f","UID":"0"}}]`, func(t *trial) string {
			return t.cameBack(inContainer+"Configs", at(inContainer+"Configs", t.configRef(t.config("c"), "c")))
		}),
		row("a service with a secret that is missing", "400 InvalidArgument: rpc error: code = InvalidArgument desc = secret not found: n1", func(t *trial) string {
			return t.outcome(t.tryCreate(t.spec("a", at(inContainer+"Secrets", t.secretRef("nosuch", "n1")))))
		}),
		row("a service with a config that is missing", "400 InvalidArgument: rpc error: code = InvalidArgument desc = config not found: n1", func(t *trial) string {
			return t.outcome(t.tryCreate(t.spec("a", at(inContainer+"Configs", t.configRef("nosuch", "n1")))))
		}),
		row("a secret reference without its id", "400 InvalidArgument: rpc error: code = InvalidArgument desc = malformed secret reference", func(t *trial) string {
			t.secret("s")
			return t.outcome(t.tryCreate(t.spec("a", at(inContainer+"Secrets", t.secretRef("", "s")))))
		}),
		row("a secret reference without a file", "400 InvalidArgument: rpc error: code = InvalidArgument desc = malformed secret reference, no target provided", func(t *trial) string {
			return t.outcome(t.tryCreate(t.spec("a", at(inContainer+"Secrets", `[{"SecretID":"`+t.secret("s")+`","SecretName":"{name}s"}]`))))
		}),
		row("two secrets in one file", "400 InvalidArgument: rpc error: code = InvalidArgument desc = secret references '…' and '…' have a conflicting target: 'f'", func(t *trial) string {
			one, two := t.secretRef(t.secret("s"), "s"), t.secretRef(t.secret("r"), "r")
			return t.outcome(t.tryCreate(t.spec("a", at(inContainer+"Secrets", strings.TrimSuffix(one, "]")+","+strings.TrimPrefix(two, "[")))))
		}),
		row("a secret without an owner passes, and the task fails", `starting container failed: strconv.Atoi: parsing "": invalid syntax`, func(t *trial) string {
			return t.failure(at(inContainer+"Secrets", `[{"SecretID":"`+t.secret("s")+`","SecretName":"{name}s","File":{"Name":"f","Mode":256}}]`))
		}),
		row("a task with a secret and a config runs", "running", func(t *trial) string {
			t.create("a", at("Mode.Replicated.Replicas", "1"), at(inContainer+"Secrets", t.secretRef(t.secret("s"), "s")), at(inContainer+"Configs", t.configRef(t.config("c"), "c")))
			return string(t.awaitRunning("a").Status.State)
		}),
	}
}
