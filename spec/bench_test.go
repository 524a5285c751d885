package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manyServices writes a spec with n services of an ordinary kind.
func manyServices(tb testing.TB, n int) Options {
	tb.Helper()
	var b strings.Builder
	b.WriteString("name: many\nnetworks: {front: {}, back: {attachable: true}}\nvolumes: {data: {}}\n" +
		"secrets: {pw: {environment: PW}}\nconfigs: {conf: {content: x}}\nservices:\n  base: {image: base}\n")
	for i := range n {
		fmt.Fprintf(&b, `  web%d:
    image: "nginx:${TAG}"
    command: [nginx, -g, "daemon off;"]
    environment: {LOG_LEVEL: info, PORT: "8080", NUMBER: %d}
    networks: {front: , back: {aliases: [w]}}
    ports: ["%d:80"]
    volumes: ["data:/data", "/srv:/srv:ro"]
    secrets: [pw]
    configs: [{source: conf, target: /etc/conf}]
    extra_hosts: ["db:10.0.0.1"]
    healthcheck: {test: curl -f http://localhost, interval: 10s}
    depends_on: [base]
    deploy:
      replicas: 2
      labels: {traefik.enable: "true"}
      resources: {limits: {cpus: "0.5", memory: 64M}}
`, i, i, 10000+i)
	}
	file := filepath.Join(tb.TempDir(), "spec.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		tb.Fatal(err)
	}
	return Options{Files: []string{file}, Environ: []string{"TAG=1", "PW=x"}}
}

var sizes = []int{10, 100, 1000}

func BenchmarkLoad(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o := manyServices(b, n)
			before := cpuTime()
			for b.Loop() {
				if _, err := Load(b.Context(), o); err != nil {
					b.Fatal(err)
				}
			}
			reportCPU(b, before)
		})
	}
}

// BenchmarkLower is Load's last part, which docker/cli calls convert.
func BenchmarkLower(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, m, err := check(b.Context(), manyServices(b, n))
			if err != nil {
				b.Fatal(err)
			}
			before := cpuTime()
			for b.Loop() {
				lower(l, m)
			}
			reportCPU(b, before)
		})
	}
}

// reportCPU says what an operation took of the processors, which other work on
// the machine does not change as much as the time.
func reportCPU(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e6, "cpu-ms/op")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
