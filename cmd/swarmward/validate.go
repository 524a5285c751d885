package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

func (a *app) validateCmd() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Load and check the spec; needs no Swarm",
		Long: `Load the spec, report everything that is wrong with it, and lint it: what Swarm,
Traefik, Redis and Centrifugo take in silence and then do not do. Errors fail;
warnings fail with --strict. A warning ends with the name of its rule in
brackets, and x-swarmward.lint.off, a list of names, silences it.

What lint looks for:
` + lintRules(),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.validate(cmd, strict) },
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings fail too, those of lint included")
	a.takesGit(cmd)
	return cmd
}

// lintRules are the names of the rules, in lines of a terminal's width.
func lintRules() string {
	var out strings.Builder
	width := 0
	for i, r := range spec.LintRules() {
		switch {
		case i > 0 && width+len(r.Name) > 74:
			out.WriteString(",\n  ")
			width = 0
		case i > 0:
			out.WriteString(", ")
		default:
			out.WriteString("  ")
		}
		out.WriteString(r.Name)
		width += len(r.Name) + 2
	}
	return out.String()
}

func (a *app) validate(cmd *cobra.Command, strict bool) error {
	checkout, err := a.checkout(cmd.Context())
	if err != nil {
		return err
	}
	findings, ok := []spec.Finding{}, true
	var stacks []*spec.Stack
	for _, in := range checkout.Inputs {
		o := checkout.Options(in, a.options(in))
		o.Lint, o.SkipSealed = true, true
		s, err := spec.Load(cmd.Context(), o)
		var invalid *spec.Invalid
		switch {
		case errors.As(err, &invalid):
			findings, ok = append(findings, invalid.Findings...), false
		case err != nil:
			return err
		default:
			findings = append(append(findings, s.Warnings...), s.Lint...)
			stacks = append(stacks, s)
		}
	}
	if err := unique(stacks); err != nil {
		return err
	}
	if strict && len(findings) > 0 {
		ok = false
	}
	if a.output == "json" {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		if err := e.Encode(struct {
			SchemaVersion int            `json:"schemaVersion"`
			Valid         bool           `json:"valid"`
			Findings      []spec.Finding `json:"findings"`
		}{1, ok, findings}); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			fmt.Fprintf(a.err, "%s: %s%s\n", f.Severity, f, silencer(f))
		}
		for _, s := range stacks {
			fmt.Fprintf(a.out, "%s: stack %s is valid: %s\n", s.Files[0], s.Name, contents(s))
		}
	}
	if !ok {
		return exitCode(reconcile.ExitError)
	}
	return nil
}

// silencer is the name that switches a warning off.
func silencer(f spec.Finding) string {
	if f.Severity != spec.SeverityWarning {
		return ""
	}
	return " [" + f.Rule + "]"
}

func contents(s *spec.Stack) string {
	return fmt.Sprintf("%s, %s, %s, %s, %s, %s",
		count(len(s.Services), "service"), count(len(s.Networks), "network"), count(len(s.Volumes), "volume"),
		count(len(s.Secrets), "secret"), count(len(s.Configs), "config"), count(len(s.Settings.Checks), "check"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
