package reconcile

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/swarmward/swarmward/spec"
)

// Stack is the record as a stack that goes through a pass like any other: its
// secrets and configs are the very objects that the record names. What only a
// spec holds (contents of secrets that checks use, files, texts with secrets in
// them) is taken from current, which may be nil, where that is still the same;
// without it, those checks are unknown. It fails, with all that is missing, when
// an object is gone that current does not hold either. f may be nil.
func (r Record) Stack(current *spec.Stack, seen *Observed, f *Fingerprints) (*spec.Stack, error) {
	if f == nil {
		f = &Fingerprints{}
	}
	if current == nil {
		current = &spec.Stack{}
	}
	r, err := r.whole()
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", r.Number, err)
	}
	b := &recalling{record: r, current: current, seen: seen, prints: f}
	b.allSame = r.Target.Secrets != "" && current.Name == r.Of && TargetOf(current, f).Secrets == r.Target.Secrets
	out := &spec.Stack{
		Name: r.Of, Revision: r.Revision, Hash: r.hash(), Commit: r.Source, SecretsPrint: r.Target.Secrets, Files: current.Files,
		Networks: r.Networks, Volumes: r.Volumes, Settings: r.Settings,
	}
	for _, s := range r.Services {
		out.Services = append(out.Services, spec.Service{Key: s.Key, Spec: s.Spec, DependsOn: s.DependsOn})
	}
	for _, o := range r.Secrets {
		out.Secrets = append(out.Secrets, b.secret(o))
	}
	for _, o := range r.Configs {
		out.Configs = append(out.Configs, b.config(o))
	}
	out.Settings.Checks = nil
	for _, c := range r.Settings.Checks {
		out.Settings.Checks = append(out.Settings.Checks, b.check(c))
	}
	return out, errors.Join(b.gone...)
}

// recalling is one Record.Stack under way.
type recalling struct {
	record  Record
	current *spec.Stack
	seen    *Observed
	prints  *Fingerprints
	allSame bool // current's secrets, all together, are the record's
	gone    []error
}

func (b *recalling) missing(kind Kind, name, why, remedy string) {
	b.gone = append(b.gone, fmt.Errorf("cannot roll back to %d: %s %s %s; %s", b.record.Number, kind, name, why, remedy))
}

// secret has the content that current gives it only where that is the record's.
func (b *recalling) secret(o RecordedObject) spec.Secret {
	live, there := b.seen.Secrets[o.Object]
	out := spec.Secret{Key: o.Key, Name: o.Name, External: o.External, Object: o.Object, Spec: live.Spec}
	if o.External {
		if !there {
			b.missing(KindSecret, o.Object, "is gone", "it is external: make it again")
		}
		return out
	}
	if own, ok := find(b.current.Secrets, func(s spec.Secret) bool { return s.Key == o.Key && !s.External && s.Object == "" }); ok && b.holds(o, own) {
		out.Data, out.Variable = own.Data, own.Variable
		if !there { // the content is here, so that it can be made again
			own.Name = o.Name
			return own
		}
	}
	switch {
	case !there:
		b.missing(KindSecret, o.Object, "is gone", "no Swarm gives a secret back: give the spec the content that it had then, or go back to another record")
	case live.ID != o.ID && (o.Fingerprint == "" || live.Spec.Labels[LabelFingerprint] != o.Fingerprint):
		b.missing(KindSecret, o.Object, "is another one than it was then, made since under the same name", "go back to another record")
	}
	return out
}

// holds says whether current's secret has the content that the record's had.
func (b *recalling) holds(o RecordedObject, own spec.Secret) bool {
	return b.allSame || o.Fingerprint != "" && b.prints.Match(o.Fingerprint, []byte(own.Data))
}

func (b *recalling) config(o RecordedObject) spec.Config {
	live, there := b.seen.Configs[o.Object]
	out := spec.Config{Key: o.Key, Name: o.Name, External: o.External, Object: o.Object, Spec: live.Spec}
	switch {
	case there && (o.External || contentSum(live.Spec.Data) == o.Fingerprint):
		return out
	case o.External:
		b.missing(KindConfig, o.Object, "is gone", "it is external: make it again")
		return out
	}
	if own, ok := find(b.current.Configs, func(c spec.Config) bool {
		return c.Key == o.Key && !c.External && contentSum(c.Spec.Data) == o.Fingerprint
	}); ok {
		own.Name = o.Name
		return own
	}
	why := "is gone"
	if there {
		why = "is another one than it was then, made since under the same name"
	}
	b.missing(KindConfig, o.Object, why, "give the spec the content that it had then, or go back to another record")
	return out
}

// check gets back from current what no record holds.
func (b *recalling) check(c spec.Check) spec.Check {
	own, ok := find(b.current.Settings.Checks, func(x spec.Check) bool { return x.Name == c.Name })
	if c.Withheld != "" && ok && own.Withheld == "" && b.prints.Match(c.Withheld, checkText(own)) {
		return own
	}
	files := map[string]spec.Sensitive{}
	for _, x := range b.current.Settings.Checks {
		eachMaterial(reflect.ValueOf(&x).Elem(), func(m *spec.Material) {
			if m.File != "" && m.Data != nil {
				files[m.File] = m.Data
			}
		})
	}
	out, _ := concealed(c, func(s string) (string, bool) { return s, false }) // a copy
	eachMaterial(reflect.ValueOf(&out).Elem(), func(m *spec.Material) {
		if m.File != "" {
			m.Data = files[m.File]
		}
	})
	return out
}

// eachMaterial calls f for every Material in v, which can be set.
func eachMaterial(v reflect.Value, f func(*spec.Material)) {
	if m, ok := v.Addr().Interface().(*spec.Material); ok {
		f(m)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachMaterial(v.Elem(), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			eachMaterial(v.Field(i), f)
		}
	}
}

func find[T any](list []T, is func(T) bool) (found T, ok bool) {
	for _, x := range list {
		if is(x) {
			return x, true
		}
	}
	return found, false
}
