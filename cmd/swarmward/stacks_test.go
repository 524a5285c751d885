package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/spec"
	"github.com/swarmward/swarmward/spec/source"
)

// repository is a source that holds a folder at a commit.
type repository struct {
	dir    string
	commit int
	err    error
}

func (r *repository) Get(context.Context) (*source.Checkout, error) {
	files, err := filepath.Glob(filepath.Join(r.dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	c := &source.Checkout{Commit: &spec.Commit{ID: fmt.Sprintf("%040d", r.commit), Ref: "main"}, Seen: time.Unix(int64(r.commit), 0)}
	for _, f := range files {
		c.Inputs = append(c.Inputs, source.Input{Files: []string{f}})
	}
	return c, r.err
}

// Stacks come and go with what a source holds, and only those whose own files
// have changed are nudged for a new commit.
func TestStacksFollowTheirSource(t *testing.T) {
	r := &repository{dir: t.TempDir(), commit: 1}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(r.dir, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sound := func(name, image string) string {
		return fmt.Sprintf("name: %s\nservices: {web: {image: %q}}\n", name, image)
	}
	write("a", sound("a", "nginx:1"))
	write("b", sound("b", "nginx:1"))
	write("bad", "services: [\n")

	// A loop of the fleet loads, and a pass is what it makes of that.
	var mu sync.Mutex
	loads, passed := map[string]int{}, make(chan string, 100)
	var said []string
	fleet := &reconcile.Fleet{Loop: func(m reconcile.Member) *reconcile.Loop {
		return &reconcile.Loop{Load: func(ctx context.Context) (*spec.Stack, error) {
			stack, err := m.Load(ctx)
			name := strings.TrimSuffix(filepath.Base(m.Key), ".yaml")
			mu.Lock()
			loads[name]++
			mu.Unlock()
			if err == nil {
				passed <- name + " @ " + strings.TrimLeft(stack.Revision, "0")
			}
			return nil, errors.New("that was all")
		}}
	}}
	s := &stacks{source: r, fleet: fleet, log: slog.New(slog.DiscardHandler), told: func(seen time.Time, err error) {
		said = append(said, fmt.Sprint(seen.Unix(), " ", err))
	}}
	usable, err := s.begin(t.Context())
	if err != nil || len(usable) != 2 || s.count() != 3 || s.follows() != "main" {
		t.Fatalf("%d stacks of %d at %q: %v", len(usable), s.count(), s.follows(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); fleet.Wait() }()
	next := func(n int) []string {
		t.Helper()
		got := map[string]bool{}
		for len(got) < n {
			select {
			case p := <-passed:
				got[p] = true
			case <-t.Context().Done():
				t.Fatalf("passes: %v", got)
			}
		}
		return slices.Sorted(maps.Keys(got))
	}
	s.muster(ctx)
	if got := next(2); !cmp.Equal(got, []string{"a @ 1", "b @ 1"}) {
		t.Errorf("at first: %q", got)
	}

	r.commit = 2
	write("b", sound("b", "nginx:2"))
	write("c", sound("c", "nginx:1"))
	stale := func() []string {
		var out []string
		for _, key := range s.stale() {
			out = append(out, strings.TrimSuffix(filepath.Base(key), ".yaml"))
		}
		slices.Sort(out)
		return out
	}
	if got := stale(); !cmp.Equal(got, []string{"b"}) {
		t.Errorf("stale: %q", got)
	}
	s.refresh(ctx)
	for !slices.Contains(next(1), "c @ 2") {
	}
	if s.count() != 4 {
		t.Errorf("%d stacks", s.count())
	}

	// A source that fails keeps what it had, and says so.
	r.err = errors.New("no route to host")
	s.refresh(ctx)
	if s.count() != 4 || !strings.HasSuffix(said[len(said)-1], "no route to host") {
		t.Errorf("%d stacks; %q", s.count(), said)
	}
	r.err = nil
	if err := os.Remove(filepath.Join(r.dir, "c.yaml")); err != nil {
		t.Fatal(err)
	}
	s.refresh(ctx)
	if fleet.Has(filepath.Join(r.dir, "c.yaml")) || s.count() != 3 {
		t.Error("the stack of a file that is gone is still there")
	}
	if _, err := s.load(ctx, filepath.Join(r.dir, "c.yaml")); err == nil {
		t.Error("a spec that the source no longer has can be loaded")
	}
}

// Where nothing can be used from the start, that is the caller's mistake.
func TestStacksThatCannotBegin(t *testing.T) {
	r := &repository{dir: t.TempDir()}
	for _, name := range []string{"x", "y"} {
		if err := os.WriteFile(filepath.Join(r.dir, name+".yaml"), []byte("services: [\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &stacks{source: r, log: slog.New(slog.DiscardHandler), told: func(time.Time, error) {}}
	if _, err := s.begin(t.Context()); err == nil || !strings.Contains(err.Error(), "x.yaml") || !strings.Contains(err.Error(), "y.yaml") {
		t.Errorf("begins with %v", err)
	}
	s.source = source.Files{t.TempDir()}
	if _, err := s.begin(t.Context()); err == nil || !strings.Contains(err.Error(), "put a *.yaml file into it") {
		t.Errorf("begins with nothing: %v", err)
	}
}

// silent is a source whose server takes what is sent and never answers.
type silent struct {
	kept    *source.Checkout
	waits   []time.Duration
	patient bool // the last Get could wait for ever
}

func (s *silent) Get(ctx context.Context) (*source.Checkout, error) {
	began := time.Now()
	if _, bounded := ctx.Deadline(); !bounded {
		s.patient = true
		return s.kept, errors.New("nobody there")
	}
	<-ctx.Done()
	s.waits = append(s.waits, time.Since(began))
	return s.kept, context.Cause(ctx)
}

// With something from an earlier time a controller begins soon, whatever the
// server does; with nothing it waits for as long as a first fetch may take.
func TestStacksBeginWithoutTheServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(file, []byte("name: a\nservices: {web: {image: \"web:1\"}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		begin := func(r *silent) (*stacks, error) {
			s := &stacks{source: r, log: slog.New(slog.DiscardHandler), told: func(time.Time, error) {}}
			_, err := s.begin(t.Context())
			return s, err
		}
		r := &silent{kept: &source.Checkout{Inputs: []source.Input{{Files: []string{file}}}}}
		s, err := begin(r)
		if err != nil || r.patient || len(r.waits) != 1 || r.waits[0] != firstLook || !s.troubled() {
			t.Errorf("begins after %v with error %v", r.waits, err)
		}
		r = &silent{}
		if _, err := begin(r); err == nil || !r.patient {
			t.Errorf("with nothing it waits %v, error %v", r.waits, err)
		}
	})
}
