package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// A controller is given no rest: services are changed and removed by hand, specs
// are edited, come, go and break, the Engine is away for a while, its streams
// are cut, and nudges come in storms. When that ends it has to be what it was:
// nothing is left to be done, and it has no more goroutines and no more memory.
//
// SWARMWARD_SOAK says for how long; make soak does it for half an hour.
func TestSoak(t *testing.T) {
	long, err := time.ParseDuration(cmp.Or(os.Getenv("SWARMWARD_SOAK"), "10s"))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("SWARMWARD_SOAK_SEED"), fmt.Sprint(time.Now().UnixNano())), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("SWARMWARD_SOAK_SEED=%d", seed)
	s := &soak{controlled: control(t, soakStacks, soakServices, 1), rand: rand.New(rand.NewPCG(seed, 0))}
	s.start()
	s.settled()
	for range 20 { // warm up: each kind of trouble has been met
		s.trouble()
	}
	s.calm()
	goroutines, heap := s.least()
	for end := time.Now().Add(long); time.Now().Before(end); {
		s.trouble()
	}
	s.calm()
	after, heapAfter := s.least()
	t.Logf("%d troubles, %d passes; goroutines: %d, then %d; heap: %d kB, then %d kB", s.troubles, s.log.of("pass done"), goroutines, after, heap>>10, heapAfter>>10)
	if after > goroutines+connected {
		t.Errorf("%d goroutines became %d\n%s", goroutines, after, s.profile("goroutine?debug=1"))
	}
	if heapAfter > heap+heap/4+2<<20 {
		t.Errorf("%d kB of heap became %d kB", heap>>10, heapAfter>>10)
	}
}

const (
	soakStacks   = 6
	soakServices = 2
	// connected are the goroutines of connections that are kept for a while.
	connected = 40
)

type soak struct {
	*controlled
	rand     *rand.Rand
	troubles int
	round    int
}

// trouble of some kind, and a moment for it to be noticed in, or not.
func (s *soak) trouble() {
	s.Helper()
	s.troubles++
	stack := s.rand.IntN(soakStacks)
	service := fmt.Sprintf("%s_web%d", stackName(stack), s.rand.IntN(soakServices))
	switch s.rand.IntN(9) {
	case 0, 1, 2:
		s.change(service)
	case 3:
		_ = s.api.ServiceRemove(s.Context(), service)
	case 4:
		s.round++
		s.write(stack, soakServices, s.round)
	case 5: // it goes, breaks, and comes back
		path := filepath.Join(s.dir, stackName(stack)+".yaml")
		_ = os.Remove(path)
		s.rest()
		_ = os.WriteFile(path, []byte("services: ["), 0o600)
		s.rest()
		s.write(stack, soakServices, s.round)
	case 6:
		s.gate.cut()
	case 7:
		s.gate.set(true)
		s.rest()
		s.gate.set(false)
	case 8:
		for range 1000 {
			_ = s.cmd.Process.Signal(syscall.SIGHUP)
		}
	}
	s.rest()
}

func (s *soak) rest() { <-time.After(time.Duration(s.rand.IntN(300)) * time.Millisecond) }

// change a service by hand, if nobody else does meanwhile.
func (s *soak) change(service string) {
	live, err := s.api.ServiceList(s.Context(), swarm.ServiceListOptions{Filters: filters.NewArgs(filters.Arg("name", service))})
	if err != nil || len(live) != 1 {
		return
	}
	sp := live[0].Spec
	switch s.rand.IntN(3) {
	case 0:
		sp.TaskTemplate.ContainerSpec.Env = append(sp.TaskTemplate.ContainerSpec.Env, fmt.Sprint("HAND=", s.troubles))
	case 1:
		sp.Labels["hand"] = fmt.Sprint(s.troubles)
	case 2:
		n := uint64(s.rand.IntN(4))
		sp.Mode.Replicated.Replicas = &n
	}
	_, _ = s.api.ServiceUpdate(s.Context(), live[0].ID, live[0].Version, sp, swarm.ServiceUpdateOptions{})
}

// calm waits until nothing is left to be done and every stack has been looked at
// since.
func (s *soak) calm() {
	s.Helper()
	for i := range soakStacks {
		s.write(i, soakServices, s.round)
	}
	s.settled()
}

// least are the fewest goroutines, and the least heap, of some looks: what is
// under way at the moment, such as idle connections, is not what is asked for.
func (s *soak) least() (goroutines int, heap int64) {
	s.Helper()
	for i := range 20 {
		g, h := s.inside()
		if i == 0 || g < goroutines {
			goroutines = g
		}
		if i == 0 || h < heap {
			heap = h
		}
		<-time.After(100 * time.Millisecond)
	}
	return goroutines, heap
}
