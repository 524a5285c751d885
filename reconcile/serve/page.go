package serve

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/swarmward/swarmward/reconcile"
)

//go:embed page.css
var pageCSS string

// pagePolicy lets a browser use the page's own style and nothing else, from
// nowhere.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// page shows what plans, checks and passes show elsewhere, which holds no
// secret.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	entries, rest := s.Board.entries(), s.Board.about()
	p := &sheet{now: time.Now()}
	c := rest.controller(entries)
	p.head(s.Version, entries, c)
	for _, e := range entries {
		p.stack(e, rest.standings[e.stack.Name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Unusable)) {
		p.put(`<section><h2><span class="bad">unusable</span> %v</h2><pre class="bad">%v</pre></section>`, name, c.Unusable[name])
	}
	if len(entries) == 0 {
		p.put(`<p>No pass has been made yet.</p>`)
	}
	p.put("</body>\n</html>\n")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	_, _ = w.Write([]byte(p.out.String()))
}

// sheet is a page in the making. It does without html/template: what that looks
// up by name keeps the linker from leaving anything out, which would make the
// program half as large again.
type sheet struct {
	out strings.Builder
	now time.Time
}

// put HTML, with each of the values as text in it: none is ever markup.
func (p *sheet) put(format string, values ...any) {
	for i, v := range values {
		values[i] = html.EscapeString(fmt.Sprint(v))
	}
	fmt.Fprintf(&p.out, format, values...)
}

func (p *sheet) ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return reconcile.Ago(t, p.now)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 MST") }

// class of a state, for its colour.
func class(state string) string {
	switch state {
	case string(reconcile.CheckPassed), "ok", string(reconcile.Converged):
		return "good"
	case string(reconcile.CheckUnknown), "stopped", "standby":
		return "warn"
	}
	return "bad"
}

func (p *sheet) head(version string, entries []entry, c controller) {
	title := "swarmward"
	var troubled []string
	for _, e := range entries {
		if class(result(e.outcome)) == "bad" {
			troubled = append(troubled, e.stack.Name)
		}
	}
	if len(troubled) > 0 {
		title += " – " + strings.Join(troubled, ", ")
	}
	p.put(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="15">
<title>%v</title>
<style>`, title)
	p.out.WriteString(pageCSS)
	p.put("</style>\n</head>\n<body>\n<header>\n<h1>swarmward</h1>\n<p>%v", version)
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		p.put(` · %v`, name)
		if s := c.Sources[name]; s.Error != "" {
			p.put(` <span class="bad">%v</span>`, s.Error)
		} else if !s.Seen.IsZero() {
			p.put(` seen %v`, p.ago(s.Seen))
		}
	}
	p.put(" · as of %v</p>\n</header>\n", clock(p.now))
}

func (p *sheet) stack(e entry, s Standing) {
	o := e.outcome
	p.put("<section>\n<h2><span class=\"%v\">%v</span> %v <small>@ %v</small></h2>\n", class(result(o)), result(o), e.stack.Name, o.Revision)
	if c := e.stack.Commit; c != nil {
		p.put("<p class=\"dim\">%v – %v</p>\n", c.Subject, c.Author)
	}
	p.standing(s)
	if o.Err != nil {
		p.put("<pre class=\"bad\">%v</pre>\n", o.Err)
	}
	p.conditions(s.Conditions)
	if e.plan != nil {
		p.drift(differing(e.plan))
	}
	p.services(o.Verdicts)
	p.checks(e)
	p.passes(e.passes)
	p.put("</section>\n")
}

func (p *sheet) standing(s Standing) {
	if l := s.Leader; l != nil && l.Here {
		p.put("<p class=\"dim\">Led from here: %v</p>\n", l.Holder)
	} else if l != nil {
		p.put("<p class=\"warn\">Led by %v; this controller stands by</p>\n", l.Holder)
	}
	if m := s.Suspended; m != nil {
		p.put("<p class=\"warn\">Suspended %v by %v: %v</p>\n", p.ago(m.Since), m.By, m.Why)
	}
	if m := s.Held; m != nil {
		p.put("<p class=\"bad\">Held %v: %v</p>\n", p.ago(m.Since), m.Why)
	}
	if s.SpecError != "" {
		p.put("<p class=\"bad\">The spec cannot be used, the last good one holds: %v</p>\n", s.SpecError)
	}
	if s.Failures > 0 {
		p.put(`<p class="warn">%v failed in a row`, s.Failures)
		if !s.Retry.IsZero() {
			p.put(`; the next try is at %v`, clock(s.Retry))
		}
		p.put("</p>\n")
	}
}
