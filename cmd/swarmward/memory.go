package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What a verb may take before garbage is collected, all in all, and what may be
// left of it.
const (
	lateMemory = 38 << 20
	lateLive   = lateMemory * 2 / 3
)

// collectLate spares a process that lives for a moment most of its garbage
// collections. One that keeps more than fits is collected as usual from then
// on. GOGC and GOMEMLIMIT, where somebody sets them, hold.
func collectLate() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	percent := debug.SetGCPercent(-1)
	debug.SetMemoryLimit(lateMemory)
	afterCollection(func() bool {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		if metrics.Read(live); live[0].Value.Uint64() < lateLive {
			return true
		}
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(percent)
		return false
	})
}

// afterCollection calls f after a garbage collection, and again for as long as
// f says so.
func afterCollection(f func() bool) {
	type collected struct{ _ [64]byte }
	runtime.AddCleanup(new(collected), func(f func() bool) {
		if f() {
			afterCollection(f)
		}
	}, f)
}
