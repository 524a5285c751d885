package reconcile

import (
	"context"
	"fmt"
	"slices"

	"github.com/swarmward/swarmward/spec"
)

// credential is a secret of the stack that a check proves when it passes.
type credential struct {
	secret  string
	refused Reason // says that it is not what the server takes
}

func credentials(c spec.Check) []credential {
	var all []credential
	if c.Redis != nil {
		all = append(all, credential{c.Redis.Password.Secret, "auth_failed"})
	}
	if c.Centrifugo != nil {
		all = append(all, credential{c.Centrifugo.APIKey.Secret, "key_refused"})
		if !c.Centrifugo.SkipWebsocket {
			all = append(all, credential{c.Centrifugo.TokenSecret.Secret, "token_refused"})
		}
	}
	return keepOf(all, func(c credential) bool { return c.secret != "" })
}

// confirm takes the mark off adopted secrets that a check has now proved to be
// what the spec says, and tells what to do about one that was refused.
func (p *pass) confirm(ctx context.Context) {
	proved := map[string]bool{}
	for i, c := range p.stack.Settings.Checks {
		if i >= len(p.out.Checks) {
			return
		}
		res := &p.out.Checks[i]
		for _, used := range credentials(c) {
			switch key := used.secret; {
			case !p.unverified(key):
			case res.Status == CheckPassed && proves(c):
				proved[key] = true
			case res.Reason == used.refused:
				res.Remedy += fmt.Sprintf(" Secret %s was there before swarmward and holds something else than the spec says: `swarmward apply --rotate %s` replaces it by the spec's.", key, key)
			}
		}
	}
	if len(proved) == 0 {
		return
	}
	again := p.retries(PhaseVerify, "adopted secrets")
	err := p.unmark(ctx, proved)
	for err != nil && again.after(ctx, err) {
		err = p.unmark(ctx, proved)
	}
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

// unmark takes the mark off the secrets that have it.
func (p *pass) unmark(ctx context.Context, proved map[string]bool) error {
	seen, err := p.Engine.Observe(ctx, p.stack) // adopting them has moved their versions
	if err != nil {
		return err
	}
	live := indexRevisions(seen.Secrets)
	for _, s := range p.stack.Secrets {
		for _, n := range live.of(s.Name) {
			live := seen.Secrets[revisionName(s.Name, n)]
			if !proved[s.Key] || live.Spec.Labels[LabelUnverified] == "" {
				continue
			}
			sp := live.Spec
			sp.Labels = withLabels(live.Spec.Labels, nil)
			delete(sp.Labels, LabelUnverified)
			c := Change{Kind: KindSecret, Name: s.Key, Object: live.Spec.Name, Action: ActionAdopt, Impact: ImpactNone, Cause: "a check has proved that it is what the spec says"}
			if err := p.do(ctx, LabelSecret{ID: live.ID, Version: live.Version, Spec: sp}); err != nil {
				return fmt.Errorf("%s: %w", subject(c), err)
			}
			p.result(c, nil)
		}
	}
	return nil
}

// unverified says whether a secret is or becomes an adopted one in this pass.
func (p *pass) unverified(key string) bool {
	return slices.Contains(p.plan.Unverified, key)
}

// proves tells whether a check that passes has shown that its password is the
// right one: a server that takes anybody takes any password.
func proves(c spec.Check) bool {
	return c.Redis == nil || !c.Redis.PasswordOptional
}
