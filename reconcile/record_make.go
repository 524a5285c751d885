package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// newRecord is what there is to keep of a stack that was just proved, without a
// number. plan was made from seen and has nothing left to do.
func newRecord(stack *spec.Stack, plan *Plan, seen *Observed, checks []CheckResult, d Differ) (Record, error) {
	f := d.Fingerprints
	r := Record{Schema: recordSchema, Of: stack.Name, Target: TargetOf(stack, f), Source: stack.Commit}
	for _, s := range stack.Services {
		r.Services = append(r.Services, RecordedService{Key: s.Key, Spec: asRan(s.Spec, seen), DependsOn: s.DependsOn})
	}
	r.Networks, r.Volumes = stack.Networks, stack.Volumes
	object := func(kind Kind, key, name string, external bool) RecordedObject {
		return RecordedObject{Key: key, Name: name, External: external, Object: plan.revision(kind, name)}
	}
	for _, s := range stack.Secrets {
		o := object(KindSecret, s.Key, s.Name, s.External)
		o.ID, o.Fingerprint = seen.Secrets[o.Object].ID, seen.Secrets[o.Object].Spec.Labels[LabelFingerprint]
		r.Secrets = append(r.Secrets, o)
	}
	for _, c := range stack.Configs {
		o := object(KindConfig, c.Key, c.Name, c.External)
		live := seen.Configs[o.Object]
		o.ID, o.Fingerprint = live.ID, contentSum(live.Spec.Data)
		r.Configs = append(r.Configs, o)
	}
	for _, c := range checks {
		r.Checks = append(r.Checks, RecordedCheck{Name: c.Name, Kind: c.Kind, Via: c.Via, Latency: c.Latency})
	}
	r.Settings = stack.Settings
	redact := Redactor(stack)
	r.Settings.Checks = nil
	for _, c := range stack.Settings.Checks {
		r.Settings.Checks = append(r.Settings.Checks, withheld(stack.Name, c, redact, f))
	}
	return r, d.Unchanged.digest(stack, &r)
}

// digest fills in the record's, which takes a while, unless it is that of the
// same stack with the same images once more.
func (u *Unchanged) digest(stack *spec.Stack, r *Record) error {
	if u == nil {
		_, err := r.digest()
		return err
	}
	var images strings.Builder
	for _, s := range r.Services {
		if c := s.Spec.TaskTemplate.ContainerSpec; c != nil {
			images.WriteString(c.Image + "\n")
		}
	}
	u.mu.Lock()
	last := u.digests[stack.Name]
	u.mu.Unlock()
	if last.stack == stack && last.images == images.String() {
		r.Digest = last.digest
		return nil
	}
	if _, err := r.digest(); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.digests == nil {
		u.digests = map[string]recordDigest{}
	}
	u.digests[stack.Name] = recordDigest{stack, images.String(), r.Digest}
	return nil
}

// recordDigest is what a stack, as it was loaded and nobody changes it, gives
// with such images.
type recordDigest struct {
	stack          *spec.Stack
	images, digest string
}

// asRan is the spec with the image's digest that the Engine had pinned.
func asRan(s swarm.ServiceSpec, seen *Observed) swarm.ServiceSpec {
	live, want := seen.Services[s.Name].Spec.TaskTemplate.ContainerSpec, s.TaskTemplate.ContainerSpec
	if live == nil || want == nil || !pinned(live) || pinned(want) || !SameImage(live.Image, want.Image) {
		return s
	}
	c := *want
	c.Image = live.Image
	s.TaskTemplate.ContainerSpec = &c
	return s
}

func contentSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// withheld is the check without the texts that hold a secret, and with a
// fingerprint of what it is with them; as it is when it has none. One that comes
// from a record stays what it was there.
func withheld(stack string, c spec.Check, redact func(string) (string, bool), f *Fingerprints) spec.Check {
	if c.Withheld != "" {
		c, _ = concealed(c, redact)
		return c
	}
	out, hid := concealed(c, redact)
	if hid {
		out.Withheld = f.Of("check "+c.Name+" of "+stack, checkText(c))
	}
	return out
}

// checkText is all that a check says.
func checkText(c spec.Check) []byte {
	c.Withheld = ""
	text, _ := json.Marshal(c) // plain values
	return text
}

// concealed is a copy of the check without the texts that hold a secret.
func concealed(c spec.Check, redact func(string) (string, bool)) (spec.Check, bool) {
	hid := false
	out := concealValue(reflect.ValueOf(c), func(s string) string {
		s, was := redact(s)
		hid = hid || was
		return s
	}).Interface().(spec.Check)
	if c.HTTP != nil {
		for i, h := range out.HTTP.Headers {
			if h.Value != "" && h.Secret.Secret == "" && (spec.SoundsSecret(h.Name) || strings.EqualFold(h.Name, "authorization") || strings.EqualFold(h.Name, "cookie")) {
				out.HTTP.Headers[i].Value, hid = "", true
			}
		}
	}
	return out, hid
}

// concealValue is a deep copy of v with every text passed through text.
func concealValue(v reflect.Value, text func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(text(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(concealValue(v.Elem(), text))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(concealValue(v.Index(i), text))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(concealValue(v.Field(i), text))
		}
	default:
		out.Set(v)
	}
	return out
}
