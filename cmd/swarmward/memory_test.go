package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// What keeps more than the limit leaves is collected as usual from then on:
// otherwise it would be collected all the time.
func TestCollectLate(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	percent := debug.SetGCPercent(100)
	limit := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	collectLate()
	if now := debug.SetMemoryLimit(-1); now != lateMemory {
		t.Fatalf("the limit is %d", now)
	}
	var kept [][]byte
	for debug.SetMemoryLimit(-1) != math.MaxInt64 {
		if len(kept) > 64 {
			t.Fatal("64 MB are kept, and the limit is still there")
		}
		kept = append(kept, make([]byte, 1<<20))
		collected := make(chan bool)
		afterCollection(func() bool { close(collected); return false })
		debug.FreeOSMemory()
		<-collected
	}
	if now := debug.SetGCPercent(100); now != 100 || len(kept) < lateLive>>20-8 {
		t.Errorf("GC percent %d, after %d MB were kept", now, len(kept))
	}
}
