package serve

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// pagePolicy lets a browser use the page's own style and nothing else, from
// nowhere.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"ago":   func(t time.Time) string { return reconcile.Ago(t, time.Now()) },
	"clock": func(t time.Time) string { return t.UTC().Format("15:04:05 MST") },
	"short": func(d time.Duration) string { return d.Round(100 * time.Microsecond).String() },
	"class": func(v any) string { return class(fmt.Sprint(v)) },
}).Parse(pageHTML))

// class of a state, for its colour.
func class(state string) string {
	switch state {
	case string(reconcile.CheckPassed), "ok", string(reconcile.Converged):
		return "good"
	case string(reconcile.CheckUnknown), "stopped":
		return "warn"
	}
	return "bad"
}

// onPage is what the page shows. It is made of what plans, checks and passes
// show elsewhere, which holds no secret.
type onPage struct {
	Version, Lease, Trouble string
	Style                   template.CSS
	Sources                 map[string]SourceState
	Now                     time.Time
	Stacks                  []stackOnPage
}

type stackOnPage struct {
	Name, Revision, Word, Class, Error string
	Commit                             *spec.Commit
	Standing                           Standing
	Drift                              []reconcile.Change
	Services                           []serviceOnPage
	Checks                             []reconcile.CheckResult
	Passes                             []PassNote
}

type serviceOnPage struct{ Key, State, Class, Message string }

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	rest := s.Board.about()
	c := rest.controller()
	p := onPage{Version: s.Version, Lease: c.Lease, Sources: c.Sources, Style: template.CSS(pageCSS), Now: time.Now()}
	var troubled []string
	for _, e := range s.Board.entries() {
		x := e.onPage(rest.standings[e.stack.Name])
		p.Stacks = append(p.Stacks, x)
		if x.Class != "good" {
			troubled = append(troubled, x.Name)
		}
	}
	p.Trouble = strings.Join(troubled, ", ")
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		s.Log.Error("the page cannot be shown", "error", err.Error())
		fail(w, http.StatusInternalServerError, "the page cannot be shown")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	_, _ = w.Write(out.Bytes())
}

func (e entry) onPage(s Standing) stackOnPage {
	word := result(e.outcome)
	x := stackOnPage{
		Name: e.stack.Name, Revision: e.outcome.Revision, Word: word, Class: class(word),
		Standing: s, Commit: e.stack.Commit, Passes: e.passes,
	}
	if e.outcome.Err != nil {
		x.Error = e.outcome.Err.Error()
	}
	if e.plan != nil {
		x.Drift = differing(e.plan)
	}
	for _, key := range slices.Sorted(maps.Keys(e.outcome.Verdicts)) {
		v := e.outcome.Verdicts[key]
		x.Services = append(x.Services, serviceOnPage{key, string(v.State), class(string(v.State)), v.Message})
	}
	for _, c := range e.stack.Settings.Checks {
		if r, ok := e.checks[c.Name]; ok {
			x.Checks = append(x.Checks, r)
		}
	}
	return x
}
