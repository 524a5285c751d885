package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// markdownFormat marks the verbs that write plans as Markdown: always, or with
// --dry-run.
const (
	markdownFormat = "markdown"
	withDryRun     = "dry-run"
)

// writesMarkdown gives a verb its own description of --output.
func (a *app) writesMarkdown(cmd *cobra.Command, when, usage string) {
	cmd.Annotations = map[string]string{markdownFormat: when}
	cmd.Flags().StringVarP(&a.output, "output", "o", "text", usage)
}

// formats that a verb writes its result in, with the flags it was given.
func formats(cmd *cobra.Command) []string {
	all := []string{"text", "json"}
	when, some := cmd.Annotations[markdownFormat]
	if !some {
		return all
	}
	if f := cmd.Flags().Lookup(withDryRun); when == withDryRun && f.Value.String() != "true" {
		return all
	}
	return append(all, markdownFormat)
}

// oneOf writes a list as people do: text, json or markdown.
func oneOf(list []string) string {
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}
