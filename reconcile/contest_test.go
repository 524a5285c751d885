package reconcile

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmward/swarmward/spec"
)

// rival runs a loop for so long beside somebody who has it another way whenever
// the stack is as its spec says, and returns how often the loop wrote.
func rival(t *testing.T, d time.Duration, every time.Duration, edits int, asked <-chan struct{}, loads func(pass int) *spec.Stack) (writes int, log string) {
	t.Helper()
	f := applied(t)
	f.writes = nil
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	events := make(chan struct{}, 1)
	go func() {
		for range edits {
			if pause(ctx, every) != nil {
				return
			}
			f.mu.Lock()
			edit(f, "app_back", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Env = []string{"LOG_LEVEL=theirs"} })
			f.mu.Unlock()
			poke(events)
		}
	}()
	var buf bytes.Buffer
	passes := 0
	l := &Loop{
		Reconciler: &Reconciler{Engine: f, Prober: fakeProber(passing), Differ: Differ{Fingerprints: &Fingerprints{}}},
		Log:        slog.New(slog.NewTextHandler(&buf, nil)),
		Events:     events,
		Load:       func(context.Context) (*spec.Stack, error) { passes++; return loads(passes), nil },
	}
	l.Run(ctx, asked)
	for _, w := range f.writes {
		if w == "update service app_back" {
			writes++
		}
	}
	return writes, buf.String()
}

func same(int) *spec.Stack { return pair() }

// Another tool that undoes every write at once is answered ever more slowly, and
// told of once; what has been changed back by hand a few times is answered at
// once.
func TestContest(t *testing.T) {
	const told = "keeps changing this back"
	synctest.Test(t, func(t *testing.T) {
		writes, log := rival(t, 10*time.Minute, 500*time.Millisecond, 1200, nil, same)
		// Five at once, five that wait ever longer, and then two in a minute.
		if writes < 20 || writes > 32 {
			t.Errorf("%d writes in ten minutes", writes)
		}
		if strings.Count(log, told) != 1 || !strings.Contains(log, "services.back.environment.LOG_LEVEL") {
			t.Errorf("the log: %s", log)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if writes, log := rival(t, time.Minute, 10*time.Second, contestWrites-1, nil, same); writes != contestWrites-1 || strings.Contains(log, told) {
			t.Errorf("%d writes by hand: %s", writes, log)
		}
	})
	// Who asks for a pass gets it.
	synctest.Test(t, func(t *testing.T) {
		few, _ := rival(t, 9*time.Minute, 500*time.Millisecond, 1200, nil, same)
		asked := make(chan struct{}, 1)
		go func() {
			time.Sleep(9 * time.Minute)
			for range 30 {
				poke(asked)
				time.Sleep(time.Second)
			}
		}()
		more, _ := rival(t, 10*time.Minute, 500*time.Millisecond, 1200, asked, same)
		// A pass that writes watches its tasks for 2 s.
		if more < few+10 {
			t.Errorf("%d writes, and %d where somebody asked for passes for half a minute", few, more)
		}
	})
	// What is written is another thing each time: nobody changes it back.
	synctest.Test(t, func(t *testing.T) {
		writes, log := rival(t, 10*time.Minute, 30*time.Second, 20, nil, func(pass int) *spec.Stack {
			s := pair()
			for i := range s.Services {
				if s.Services[i].Key == "back" {
					c := *s.Services[i].Spec.TaskTemplate.ContainerSpec
					c.Env = []string{"LOG_LEVEL=" + strings.Repeat("x", pass)}
					s.Services[i].Spec.TaskTemplate.ContainerSpec = &c
				}
			}
			return s
		})
		if writes < 20 || strings.Contains(log, told) {
			t.Errorf("%d writes of new specs: %s", writes, log)
		}
	})
}
