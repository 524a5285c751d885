// Package swarmlab starts real Docker Engines in Swarm mode for tests.
//
// Every node is a dockerd of its own: own network, mount and UTS namespace, own
// data root, socket, cgroup and containerd. A lab neither talks to a Docker that
// already runs on the machine nor changes the machine's firewall; what it adds
// to the root network namespace is one veth with one address, by which the
// nodes' addresses and their host-mode ports are reached.
//
// The kernel may have no IPVS: tests rely on host-mode ports, dnsrr endpoints,
// tasks.<service> names and attachable overlays, not on ingress ports and
// virtual addresses.
package swarmlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// startTime bounds the start of a whole lab, on a machine that is busy too.
const startTime = 3 * time.Minute

// Options says what a lab consists of. The zero value is a Swarm of one manager.
type Options struct {
	Managers int  // at least 1
	Workers  int  // nodes that join as workers
	NoSwarm  bool // leave the Engines outside any Swarm
	Autolock bool // managers are locked after a restart
}

// Lab is a set of running Engines.
type Lab struct {
	// Nodes are node-1, node-2, … in this order: managers first, the one that
	// initialised the Swarm before all others.
	Nodes []*Node
	// Dir holds what the lab keeps on disk. Close removes it.
	Dir string

	slot *slot
}

// Start opens a lab for tb, which is skipped where none can run (see Require),
// and closes it when tb ends.
func Start(tb testing.TB, o Options) *Lab {
	tb.Helper()
	Require(tb)
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	lab, err := Open(ctx, "", o)
	if err != nil {
		tb.Fatalf("swarmlab: %v", err)
	}
	tb.Cleanup(func() {
		if err := lab.Close(); err != nil {
			tb.Errorf("swarmlab: close: %v", err)
		}
	})
	return lab
}

// Open starts a lab that keeps its data in a new folder of dir, or of
// os.TempDir when dir is empty. It first removes what labs of dead processes
// left behind. ctx bounds the start, not the life of the lab: the caller closes
// it. When the process dies first, its Engines stop by themselves.
func Open(ctx context.Context, dir string, o Options) (*Lab, error) {
	if o.Managers < 1 {
		o.Managers = 1
	}
	if dir == "" {
		dir = os.TempDir()
	}
	s, err := takeSlot()
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	lab := &Lab{slot: s}
	if err := lab.open(ctx, dir, o); err != nil {
		return nil, errors.Join(err, lab.Close())
	}
	return lab, nil
}

func (l *Lab) open(ctx context.Context, dir string, o Options) error {
	var err error
	if l.Dir, err = l.slot.prepare(dir); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	driver := storageDriver(l.Dir)
	for i := 1; i <= o.Managers+o.Workers; i++ {
		l.Nodes = append(l.Nodes, newNode(l, i, driver))
	}
	if err := l.connect(ctx); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	starts, sctx := errgroup.WithContext(ctx)
	for _, n := range l.Nodes {
		starts.Go(func() error { return n.start(sctx) })
	}
	if err := starts.Wait(); err != nil || o.NoSwarm {
		return err
	}
	return l.form(ctx, o)
}

// Close ends every process of the lab and removes all that it made: containers,
// namespaces, links, cgroups and data. It may be called more than once.
func (l *Lab) Close() error {
	err := l.slot.release()
	for _, n := range l.Nodes {
		n.forget()
	}
	return err
}

// imagesDir is where image contents are built, once for each lab.
func (l *Lab) imagesDir() string { return filepath.Join(l.Dir, "images") }
