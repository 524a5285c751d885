package spec

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// What Swarm takes at most, in bytes.
const (
	maxSecretSize = 511_999
	maxConfigSize = 1_023_999
)

// objects reports secrets and configs without usable content or name.
func (v validator) objects() {
	names := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(v.project.Secrets)) {
		v.object("secrets", key, types.FileObjectConfig(v.project.Secrets[key]), names)
	}
	names = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(v.project.Configs)) {
		v.object("configs", key, types.FileObjectConfig(v.project.Configs[key]), names)
	}
	for kind, keys := range map[string][]string{
		"networks": slices.Sorted(maps.Keys(v.project.Networks)), "volumes": slices.Sorted(maps.Keys(v.project.Volumes)),
	} {
		for _, key := range keys {
			name, _ := mapping(v.raw, kind, key)["name"].(string)
			if kind == "volumes" && strings.Contains(name, "{{") {
				continue // the Engine fills it in for each task
			}
			if name != "" && !objectName.MatchString(name) {
				v.fail("object-name", "the name is not one that Swarm accepts", "use letters, digits, dots, dashes and underscores", kind, key, "name")
			}
		}
	}
}

func (v validator) object(kind, key string, o types.FileObjectConfig, names map[string]string) {
	singular := strings.TrimSuffix(kind, "s")
	full := cmp.Or(o.Name, v.l.stack+"_"+key)
	if o.External {
		return
	}
	switch other := names[strings.ToLower(full)]; {
	case len(full) > 64:
		v.fail("object-name", fmt.Sprintf("the %s's name would be %s, %d characters long; Swarm takes 64", singular, full, len(full)), "shorten it, or give it a `name:`", kind, key)
	case !objectName.MatchString(full) && stackName.MatchString(v.l.stack):
		v.fail("object-name", "the "+singular+"'s name is not one that Swarm accepts",
			"use letters, digits, dots, dashes and underscores, and begin and end with a letter or digit", kind, key)
	case other != "":
		v.fail("object-name", "the name "+full+" is that of "+singular+" "+other+" already", "give it another `name:`", kind, key)
	}
	names[strings.ToLower(full)] = key
	if o.TemplateDriver != "" && o.TemplateDriver != "golang" {
		v.fail("template-driver", "Swarm knows one template driver, golang, and would leave this unexpanded", "write golang", kind, key, "template_driver")
	}
	v.content(kind, key, o)
}

// content reports an object whose content is missing or too large.
func (v validator) content(kind, key string, o types.FileObjectConfig) {
	singular := strings.TrimSuffix(kind, "s")
	limit, shown := maxSecretSize, "500 KB"
	if kind == "configs" {
		limit, shown = maxConfigSize, "1000 KB"
	}
	data, source := []byte(o.Content), "content"
	switch {
	case v.l.condemned(kind, key) || o.Driver != "":
		return
	case o.File != "" && o.Environment != "":
		v.fail("too-many-sources", "the "+singular+" has `file:` and `environment:`", "keep one of them", kind, key)
		return
	case o.File != "":
		source = "file"
		info, err := v.l.access.stat(o.File)
		if err == nil && info.Size() > 2*int64(limit) { // encrypted and armored it may be larger
			v.fail("too-large", "the "+singular+" is larger than the "+shown+" that Swarm takes", "make it smaller", kind, key, "file")
			return
		}
		if data, err = v.l.contentOf(kind, o.File); errors.Is(err, errUnread) {
			v.unread("the file "+v.l.shown(o.File)+" of the "+singular, kind, key, "file")
			return
		}
		if err != nil {
			rule, message, remedy := refusal(err, "missing-file", "cannot be read", "correct the path; it is relative to the spec's folder")
			v.fail(rule, "the file "+v.l.shown(o.File)+" of the "+singular+" "+message, remedy, kind, key, "file")
			return
		}
	case o.Environment != "":
		source = "environment"
		value, ok := v.l.env.get(o.Environment)
		if o.Content != "" {
			value, ok = o.Content, true // an included file may have an environment of its own
		}
		if !ok && v.l.sealed.unread {
			return
		}
		if data = []byte(value); !ok {
			v.fail("missing-value", "the variable "+o.Environment+" that holds the "+singular+" is not set", "set it in .env or in the environment", kind, key, source)
			return
		}
	case source == "content" && mapping(v.raw, kind, key)["content"] == nil:
		v.fail("no-content", "the "+singular+" has no content", "give it a `file:` or an `environment:`, or declare it `external: true`", kind, key)
		return
	}
	switch {
	case len(data) == 0 && source == "environment":
		v.fail("missing-value", "the variable "+o.Environment+" that holds the "+singular+" is empty", "set it in .env or in the environment", kind, key, source)
	case len(data) == 0:
		v.fail("empty-content", "the "+singular+" is empty, and Swarm takes no empty ones", "give it content", kind, key, source)
	case len(data) > limit:
		v.fail("too-large", "the "+singular+" is larger than the "+shown+" that Swarm takes", "make it smaller", kind, key, source)
	}
	v.l.contents[kind+"."+key] = data
}

// contentOf reads the file of a secret or config. Everybody who may look at
// the Swarm can read a config, so that what is encrypted cannot become one.
func (l *loading) contentOf(kind, path string) ([]byte, error) {
	if kind == "secrets" {
		return l.access.read(path)
	}
	if err := l.access.look(path); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if isSealed(data) {
		return nil, &Refused{"is encrypted, and a config can be read by everybody who may look at the Swarm", "make it a secret"}
	}
	return data, err
}

// unread tells of content that was not opened.
func (v validator) unread(what string, path ...string) {
	v.l.report.warn(ruleSealed, v.l.index.find(path...), dotted(path), what+" is encrypted, so its content is not checked", unreadRemedy)
}

// checks reports checks that name what the spec does not have.
func (v validator) checks(settings Settings) {
	for _, c := range settings.Checks {
		at := []string{settingsKey, "checks", c.Name, c.Kind()}
		v.checkedService(c.Target().Service, "name a service, or an address with connect:", append(at, "service"))
		if c.Redis != nil {
			v.credential(c.Redis.Password, append(at, "password", "secret"))
		}
		v.probe(c, at)
		if c.Centrifugo != nil {
			v.credential(c.Centrifugo.APIKey, append(at, "api_key", "secret"))
			v.credential(c.Centrifugo.TokenSecret, append(at, "token_secret", "secret"))
		}
		if c.Route != nil {
			v.route(c.Route, at)
		}
	}
}

func (v validator) checkedService(name, otherwise string, at []string) {
	services := slices.Sorted(maps.Keys(v.project.Services))
	if name == "" || slices.Contains(services, name) || v.l.condemned("services", name) {
		return
	}
	v.fail("unknown-service", "there is no service "+name+" in the spec", didYouMean(name, services, otherwise), at...)
}

func (v validator) credential(c Credential, at []string) {
	if c.Secret == "" || v.l.index.has("secrets", c.Secret) {
		return
	}
	v.fail("unknown-secret", "there is no secret "+c.Secret+" in the spec",
		didYouMean(c.Secret, slices.Sorted(maps.Keys(v.project.Secrets)), "declare it under `secrets:` at the top level"), slices.Clone(at)...)
}

// secretValues are the values of the variables that hold secrets.
func (l *loading) secretValues() map[string]string {
	out := map[string]string{}
	for _, d := range l.index.docs {
		for _, root := range d.roots {
			_, secrets := child(root, "secrets")
			if secrets == nil {
				continue
			}
			for _, e := range entries(secrets) {
				if _, n := child(e.value, "environment"); n != nil {
					name, _ := d.text(n)
					out[name] = d.env[name]
				}
			}
		}
	}
	return out
}
