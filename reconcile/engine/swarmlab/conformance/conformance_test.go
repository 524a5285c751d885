package conformance

import (
	"flag"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

var printTable = flag.Bool("table", false, "print what each row has shown on each Engine")

// TestConformance tries every row on every Engine that this machine can have.
func TestConformance(t *testing.T) {
	rows := Rows()
	table := NewTable(rows, Simulated, Real)
	t.Cleanup(func() {
		if *printTable {
			table.Print(os.Stdout)
		}
	})
	t.Run(Simulated, func(t *testing.T) {
		t.Parallel()
		sim := swarmlab.StartSim(t)
		try(t, table, rows, &Engine{Kind: Simulated, Host: sim.Host, Image: "busybox:1.37"})
	})
	t.Run(Real, func(t *testing.T) {
		t.Parallel()
		if missing := swarmlab.Missing(); missing != "" {
			table.Lacks(Real, "this machine lacks "+missing)
		}
		lab := swarmlab.Start(t, swarmlab.Options{})
		const image = "swarmlab/conformance:1"
		if err := lab.LoadImage(t.Context(), image, nil); err != nil {
			t.Fatal(err)
		}
		try(t, table, rows, &Engine{Kind: Real, Host: lab.Nodes[0].Host, Image: image, Elsewhere: elsewhere(t)})
	})
}

// elsewhere starts further Engines when the first row asks for them: one by
// itself, and a Swarm whose manager is locked while its worker works on.
func elsewhere(t *testing.T) func(place string) (*Engine, error) {
	open := func(o swarmlab.Options) (*swarmlab.Lab, error) {
		lab, err := swarmlab.Open(t.Context(), "", o)
		if err == nil {
			t.Cleanup(func() {
				if err := lab.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		return lab, err
	}
	alone := sync.OnceValues(func() (*swarmlab.Lab, error) { return open(swarmlab.Options{NoSwarm: true}) })
	locked := sync.OnceValues(func() (*swarmlab.Lab, error) {
		lab, err := open(swarmlab.Options{Workers: 1, Autolock: true})
		if err == nil {
			err = lab.Nodes[0].Restart(t.Context())
		}
		return lab, err
	})
	return func(place string) (*Engine, error) {
		lab, node := locked, 0
		switch place {
		case Outside:
			lab = alone
		case Worker:
			node = 1
		}
		l, err := lab()
		if err != nil {
			return nil, err
		}
		e := &Engine{Kind: Real, Host: l.Nodes[node].Host}
		return e, e.connect(t)
	}
}

// connect finds the API version to speak.
func (e *Engine) connect(t *testing.T) error {
	c, err := client.NewClientWithOpts(client.WithHost(e.Host))
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := c.Ping(t.Context())
	if err != nil {
		return err
	}
	c.NegotiateAPIVersionPing(p)
	e.API = c.ClientVersion()
	e.dial()
	t.Cleanup(e.transport.CloseIdleConnections)
	return nil
}

func try(t *testing.T, table *Table, rows []Row, e *Engine) {
	if err := e.connect(t); err != nil {
		t.Fatal(err)
	}
	table.Has(e.Kind, e.API)
	for i, r := range rows {
		t.Run(r.Section+": "+r.Name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() { table.Record(e.Kind, i, !t.Failed()) })
			if r.only != "" && r.only != e.Kind {
				return // the table tells why
			}
			want, got := r.Try(t, e, i)
			t.Log(got)
			if !matches(want, got) {
				t.Errorf("want %s\n got %s", want, got)
			}
		})
	}
}

// TestRows: a row that cannot be told from another, or that takes anything,
// proves nothing.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rows() {
		name := r.Section + ": " + r.Name
		if seen[name] {
			t.Errorf("%s: there are two", name)
		}
		seen[name] = true
		for _, kind := range []string{Simulated, Real} {
			if r.only != "" && r.only != kind {
				continue
			}
			for _, api := range []string{"1.41", "1.51"} {
				if want := r.Want.of(kind, api); strings.Trim(want, "…") == "" {
					t.Errorf("%s: on %s %s it takes anything", name, kind, api)
				}
			}
		}
		if (r.only == "") != (r.why == "") {
			t.Errorf("%s: it is for one Engine alone and tells no reason, or the reverse", name)
		}
	}
}

func TestWant(t *testing.T) {
	w := is("new {api}").before("1.44", "old").sim("simulated", "a reason")
	for _, tt := range []struct{ kind, api, want string }{
		{Real, "1.51", "new 1.51"}, {Real, "1.44", "new 1.44"}, {Real, "1.43", "old"}, {Simulated, "1.51", "simulated"},
	} {
		if got := w.of(tt.kind, tt.api); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.kind, tt.api, got, tt.want)
		}
	}
	for _, tt := range []struct {
		want, got string
		is        bool
	}{
		{"ok", "ok", true}, {"ok", "okay", false}, {"ok", "not ok", false}, {"a…c", "abc", true}, {"a…c", "a\nc", true},
		{"a…c", "abcd", false}, {"a.c", "abc", false}, {"…c", "abc", true},
	} {
		if matches(tt.want, tt.got) != tt.is {
			t.Errorf("%q matches %q: %v", tt.want, tt.got, !tt.is)
		}
	}
}

func TestTable(t *testing.T) {
	rows := []Row{
		{Section: "1 a", Name: "same", Want: is("x")},
		{Section: "1 a", Name: "by version", Want: is("x").before("1.44", "y")},
		{Section: "2 b", Name: "simulated", Want: is("x").sim("z", "no Raft")},
		{Section: "2 b", Name: "real alone", Want: is("x")},
	}
	rows[3] = rows[3].on(Real, "no containers")
	table := NewTable(rows, Simulated, Real)
	table.Has(Real, "1.41")
	table.Has(Simulated, "1.51")
	for i := range rows {
		table.Record(Simulated, i, i != 0)
		table.Record(Real, i, true)
	}
	var got strings.Builder
	table.Print(&got)
	const want = `section  behaviour   | swarmsim 1.51 | dockerd 1.41 
1 a      same        | FAIL          | ok           
1 a      by version  | ok            | differs as expected: y
2 b      simulated   | differs as expected: z (no Raft) | ok           
2 b      real alone  | not here: no containers | ok           
4 rows; swarmsim 1.51: 1 ok, 1 differ as expected, 1 not here, 1 failed; dockerd 1.41: 3 ok, 1 differ as expected, 0 not here, 0 failed
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
