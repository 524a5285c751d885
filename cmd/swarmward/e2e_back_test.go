package main

import (
	"os"
	"path/filepath"
	"strings"
)

// goesBack gives Redis a config that makes it a replica of nobody: it runs, is
// healthy to Swarm, and takes no writes. The whole stack goes back, stays back
// whatever is typed, and goes on with a config that is right. A password is
// rotated in between, and a Redis that is killed at night is nobody's fault.
func (o *operator) goesBack() {
	o.t.Helper()
	o.write("back.yaml", `
services:
  redis: {deploy: {update_config: {monitor: 1s}, restart_policy: {delay: 1s}}}
  centrifugo: {deploy: {update_config: {monitor: 1s}}}
x-swarmward:
  on_check_failure: rollback
  checks: {redis: {grace: 5s}, centrifugo: {grace: 20s}}
`)
	with := func(verb ...string) []string { return append(verb, "-f", "desired-state.yaml", "-f", "back.yaml") }
	good, err := os.ReadFile(filepath.Join(o.dir, "desired-state.yaml"))
	if err != nil {
		o.t.Fatal(err)
	}
	conf := func(more string) {
		o.write("desired-state.yaml", strings.Replace(string(good), "appendfsync everysec\n", "appendfsync everysec\n      "+more+"\n", 1))
	}
	o.want(0, with("apply"), "converged and verified")
	o.rotated(with)

	conf("replicaof 127.0.0.1 6390")
	records := o.records()
	o.want(3, with("apply"), "check   redis        failed", "reason: readonly", "Going back to record ", "check redis failed: readonly",
		"converged and verified", "is held: it is not tried again until the spec changes")
	if got := o.records(); got != records {
		o.t.Errorf("records before %s, after %s", records, got)
	}
	o.want(5, with("apply"), "is held at record ", "check redis failed: readonly", "`swarmward resume whatrack`")
	o.want(5, with("status"), "running, and stopped for a person; kept at record ", "Held        true")
	if kept := o.redis("GET before"); kept != "yes" {
		o.t.Errorf("the data is gone: %q", kept)
	}

	conf("maxclients 5000")
	o.want(0, with("apply"), "converged and verified")
	o.want(0, with("status"), "well: as it should be, running and verified", "Held        false")
	o.atNight(with)

	o.write("desired-state.yaml", string(good))
	o.want(0, with("apply"), "converged and verified")
}

// rotated gives Redis another password, and its own back: each is a revision
// that works, and the old secrets stay for as long as a record needs them.
func (o *operator) rotated(with func(...string) []string) {
	o.t.Helper()
	o.redis("SET before yes")
	o.write(".env", strings.ReplaceAll(dotenv(), secrets["REDIS_PASSWORD"], secrets["REDIS_PASSWORD"]+"0"))
	o.want(0, with("apply"), "secret redis_password (whatrack_redis_password.r2)", "converged and verified")
	// The spec no longer holds what Redis takes then, so its check is unknown.
	o.want(6, with("rollback", "--yes"), "Back to record ", "whatrack_redis_password.r2", "reason: credential_unavailable", "of the spec is held")
	o.write(".env", dotenv())
	o.want(0, with("apply"), "converged and verified")
}

// atNight Redis is killed, and later it is full: both are told, and nothing is
// rolled back under a revision that worked.
func (o *operator) atNight(with func(...string) []string) {
	o.t.Helper()
	records := o.records()
	o.docker("kill", o.container("whatrack_redis"))
	o.want(3, with("check", "redis"))
	o.want(0, with("apply"), "converged and verified, nothing was written")
	o.redis("CONFIG SET maxmemory 1")
	o.want(3, with("apply"), "reason: out_of_memory", "Nothing is rolled back: the revision was there before", "nothing was written")
	o.want(3, with("status"), "a check fails", "Held        false")
	o.redis("CONFIG SET maxmemory 300mb")
	o.want(0, with("status"))
	if got := o.records(); got != records {
		o.t.Errorf("records before %s, after %s", records, got)
	}
}

// records are the names of the stack's.
func (o *operator) records() string {
	o.t.Helper()
	return o.docker("config", "ls", "--format", "{{.Name}}", "--filter", "label=swarmward.record", "--filter", "label=swarmward.stack=whatrack")
}

func (o *operator) container(service string) string {
	o.t.Helper()
	return o.docker("ps", "-q", "--filter", "name="+service)
}

// redis asks the stack's Redis, in its container.
func (o *operator) redis(command string) string {
	o.t.Helper()
	return o.docker("exec", o.container("whatrack_redis"), "sh", "-c", "REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli -e "+command)
}
