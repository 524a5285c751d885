// Package conformance holds what this repository relies on in a Docker Engine,
// one behaviour a row. Its test tries every row on swarmsim and on a real
// dockerd, so that neither the code nor swarmsim can be wrong about Swarm in a
// way that nobody sees.
//
// A row does something and puts what it saw in one line of text; what it wants
// is such a line too, as a function of the Engine's API version. Rows share a
// Swarm and no object in it.
package conformance

import (
	"context"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/versions"
)

// Row is one behaviour of the Engine.
type Row struct {
	Section string // what it is about
	Name    string // the behaviour
	Want    Want

	try func(*trial) string
	// only names the one Engine that has the behaviour; why tells the reason.
	only, why string
}

// Want is what a row expects to see. In its texts … stands for anything and
// {api} for the Engine's API version.
type Want struct {
	text              string
	since, older      string // before API version since, older holds
	simulated, reason string // swarmsim does this instead, for that reason
}

// is expects the same of every Engine.
func is(text string) Want { return Want{text: text} }

// before expects something else of an Engine below an API version.
func (w Want) before(version, text string) Want {
	w.since, w.older = version, text
	return w
}

// sim expects something else of swarmsim, whatever its API version.
func (w Want) sim(text, reason string) Want {
	w.simulated, w.reason = text, reason
	return w
}

// of is what is expected of an Engine.
func (w Want) of(kind, api string) string {
	text := w.text
	switch {
	case kind == Simulated && w.reason != "":
		text = w.simulated
	case w.since != "" && versions.LessThan(api, w.since):
		text = w.older
	}
	return strings.ReplaceAll(text, "{api}", api)
}

// wants is for a row of a list whose others want less.
func (r Row) wants(w Want) Row {
	r.Want = w
	return r
}

// matches compares what was seen with what is wanted.
func matches(want, got string) bool {
	parts := strings.Split(want, "…")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`).MatchString(got)
}

// The kinds of Engines.
const (
	Simulated = "swarmsim"
	Real      = "dockerd"
)

// Engine is a manager of a Swarm with one node, and with the image that rows
// run in containers.
type Engine struct {
	Kind  string // Simulated or Real
	API   string // the API version that it and the client speak
	Host  string // unix://…
	Image string
	// Elsewhere gives, for each place, an Engine that cannot answer for its
	// Swarm; nil where there is none.
	Elsewhere func(place string) (*Engine, error)

	transport *http.Transport
}

// dial has the trials share connections.
func (e *Engine) dial() {
	path := strings.TrimPrefix(e.Host, "unix://")
	e.transport = &http.Transport{
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}
}

// Rows are all rows, by section.
func Rows() []Row {
	var all []Row
	for _, section := range [][]Row{
		factRows(), sentRows(), distinctRows(), clientRows(), replacedRows(), updateRows(), statusRows(),
		networkRows(), volumeRows(), secretRows(), eventRows(), errorRows(), elsewhereRows(), filterRows(), validationRows(), taskRows(),
	} {
		all = append(all, section...)
	}
	return all
}

// ids are random: they are left out of what a row saw.
var ids = regexp.MustCompile(`\b([0-9a-z]{25}|[0-9a-f]{64})\b`)

func count(n int) string { return strconv.Itoa(n) }
