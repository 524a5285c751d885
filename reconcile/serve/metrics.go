package serve

import (
	"cmp"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/swarmward/swarmward/reconcile"
)

// Metrics counts what a controller does, and tells at each scrape what its board
// knows. Whatever is said of a stack ends with the stack.
type Metrics struct {
	board    *Board
	registry *prometheus.Registry

	passes   *prometheus.CounterVec
	duration *prometheus.HistogramVec
	changes  *prometheus.CounterVec
	back     *prometheus.CounterVec
	calls    *prometheus.HistogramVec
	failures *prometheus.CounterVec
	requests *prometheus.CounterVec
}

// NewMetrics counts what is posted on the board from now on.
func NewMetrics(board *Board, version string) *Metrics {
	m := &Metrics{
		board: board, registry: prometheus.NewRegistry(),
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swarmward_passes_total", Help: "Passes, by how they ended.",
		}, []string{"stack", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "swarmward_pass_duration_seconds", Help: "How long passes took, with the wait for convergence and the checks.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 900},
		}, []string{"stack"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swarmward_changes_total", Help: "Changes that were written to the Swarm.",
		}, []string{"stack", "kind", "action", "impact"}),
		back: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swarmward_rollbacks_total", Help: "Passes that went back to a revision that worked.",
		}, []string{"stack"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "swarmward_engine_request_duration_seconds", Help: "How long the Engine took to begin its answer; code is none where it gave none.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 30},
		}, []string{"operation", "code"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swarmward_engine_request_errors_total", Help: "Calls that the Engine did not answer, or with an error of its own (5xx).",
		}, []string{"operation"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swarmward_http_requests_total", Help: "Requests that were answered here.",
		}, []string{"route", "code"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "swarmward_build_info", Help: "1, with what this swarmward is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": goVersion()},
	})
	build.Set(1)
	m.registry.MustRegister(m.passes, m.duration, m.changes, m.back, m.calls, m.failures, m.requests, build, &gauges{board},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	board.mu.Lock()
	defer board.mu.Unlock()
	board.metrics = m
	return m
}

func goVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.GoVersion
	}
	return "unknown"
}

// Handler answers a scrape. A few at a time are enough for everybody.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second, Registry: m.registry})
}

// EngineCall counts a call to the Engine; code is 0 where no answer came.
func (m *Metrics) EngineCall(operation string, code int, took time.Duration) {
	text := "none"
	if code != 0 {
		text = strconv.Itoa(code)
	}
	m.calls.WithLabelValues(operation, text).Observe(took.Seconds())
	failed := m.failures.WithLabelValues(operation)
	if code == 0 || code >= 500 {
		failed.Inc()
	}
}

// request counts one that was answered; nil counts nothing.
func (m *Metrics) request(route string, code int) {
	if m != nil {
		m.requests.WithLabelValues(route, strconv.Itoa(code)).Inc()
	}
}

// pass counts one that ended.
func (m *Metrics) pass(o *reconcile.Outcome) {
	for _, r := range results { // a rate needs the zero before the one
		m.passes.WithLabelValues(o.Stack, r)
	}
	m.passes.WithLabelValues(o.Stack, resultStandby)
	m.passes.WithLabelValues(o.Stack, result(o)).Inc()
	if standby(o) {
		return
	}
	m.duration.WithLabelValues(o.Stack).Observe(o.Took.Seconds())
	back := m.back.WithLabelValues(o.Stack)
	applied := o.Applied
	if o.Back != nil {
		back.Inc()
		applied = slices.Concat(applied, o.Back.Applied)
	}
	for _, a := range applied {
		if c := a.Change; a.Err == nil {
			m.changes.WithLabelValues(o.Stack, string(c.Kind), string(c.Action), string(cmp.Or(c.Impact, reconcile.ImpactNone))).Inc()
		}
	}
}

// forget the series of a stack.
func (m *Metrics) forget(stack string) {
	of := prometheus.Labels{"stack": stack}
	m.passes.DeletePartialMatch(of)
	m.duration.DeletePartialMatch(of)
	m.changes.DeletePartialMatch(of)
	m.back.DeletePartialMatch(of)
}
