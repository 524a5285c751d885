package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// secrets are what the main job's .env holds; no other text has them in it.
var secrets = map[string]string{
	"REDIS_PASSWORD":            "e2eRedisPassword7f31c9d2",
	"CENTRIFUGO_API_KEY":        "e2eApiKey0c55a1b7e84d",
	"CENTRIFUGO_TOKEN_SECRET":   "e2eTokenSecret9a2f66e013",
	"CENTRIFUGO_ADMIN_PASSWORD": "e2eAdminPassword41bb8d70",
	"CENTRIFUGO_ADMIN_SECRET":   "e2eAdminSecretd09e3c5f22",
}

func dotenv() string {
	var b strings.Builder
	b.WriteString("REDIS_NODE=node-1\n")
	for k, v := range secrets {
		fmt.Fprintf(&b, "%s=%s\n", k, v)
	}
	return b.String()
}

// The main job: desired-state.yaml as it is in git, on a real Swarm.
func TestWhatrack(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	o := newOperator(t, lab.Nodes[0])
	spec, err := os.ReadFile("../../desired-state.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o.write("desired-state.yaml", string(spec))
	o.write(".env", dotenv())
	t.Cleanup(func() { o.clear("whatrack") })

	o.killedApply()
	o.firstPlanIsEmptyAfterApply()
	o.noOpWritesNothing()
	o.handChanges()
	o.applicationVariables()
	o.controller()
	o.closedPort()
	o.brokenRedis()
	o.threeMore()
	o.destroyedAndMadeAgain()
	o.goesBack()
	o.nothingLeaked()
}

// destroyedAndMadeAgain removes the stack and makes it again at once, under the
// names that have just been given back. The data is still there.
func (o *operator) destroyedAndMadeAgain() {
	o.t.Helper()
	in := func(command string) string {
		return o.docker("exec", o.docker("ps", "-q", "--filter", "name=whatrack_redis"), "sh", "-c", "REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli "+command)
	}
	in("SET kept yes")
	o.want(0, []string{"destroy", "--yes"}, "whatrack   destroyed, 12 removed, 1 kept", "docker volume rm redis_data")
	for _, kind := range []string{"service", "secret", "config", "network"} {
		if left := o.docker(kind, "ls", "-q", "--filter", "label=com.docker.stack.namespace=whatrack"); left != "" {
			o.t.Errorf("a %s is left: %s", kind, left)
		}
	}
	o.want(0, []string{"apply"}, "converged and verified, 10 written")
	if got := in("GET kept"); got != "yes" {
		o.t.Errorf("the data is gone: %q", got)
	}
}

// killedApply kills apply with SIGKILL at several moments of a first deploy;
// the last apply finishes the job with nothing doubled.
func (o *operator) killedApply() {
	o.t.Helper()
	objects := []string{"network redeinterna", "volume redis_data", "secret redis_password", "secret centrifugo_api_key",
		"secret centrifugo_token_secret", "secret centrifugo_admin_password", "secret centrifugo_admin_secret",
		"config redis_conf", "config centrifugo_json", "service redis", "service centrifugo"}
	o.want(2, []string{"plan"}, append(objects, "11 to create")...)
	for _, sign := range []string{"whatrack_redis_password", "redeinterna", "whatrack_redis"} {
		ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
		cmd := o.command(ctx, "apply")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			o.t.Fatal(err)
		}
		// The moment is an event, not a time: the object has just come to be.
		eventually(o.t, sign+" appears", func() bool {
			return strings.Contains(o.docker("network", "ls")+o.docker("secret", "ls")+o.docker("service", "ls"), sign)
		})
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		cancel()
	}
}

func (o *operator) firstPlanIsEmptyAfterApply() {
	o.t.Helper()
	o.want(0, []string{"apply"}, "converged and verified", "check   redis        passed", "check   centrifugo   passed")
	o.want(0, []string{"plan"}, "nothing to do, 11 objects are as the spec says")
	for _, c := range []struct {
		kind string
		want int
	}{{"service", 2}, {"secret", 5}, {"config", 2}, {"network", 1}} {
		got := strings.Fields(o.docker(c.kind, "ls", "-q", "--filter", "label=com.docker.stack.namespace=whatrack"))
		if len(got) != c.want {
			o.t.Errorf("%d of kind %s, want %d", len(got), c.kind, c.want)
		}
	}
	var p struct {
		SchemaVersion int
		Changes       []any
		Summary       map[string]int
	}
	r := o.want(0, []string{"plan", "-o", "json"})
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil || p.SchemaVersion != 1 || len(p.Changes) != 0 || p.Summary["create"] != 0 {
		o.t.Errorf("plan as JSON: %v\n%s", err, r.stdout)
	}
}

// versions of every object of the stack, as the Swarm counts them.
func (o *operator) versions() string {
	o.t.Helper()
	var out []string
	for _, kind := range []string{"service", "secret", "config"} {
		ids := o.ids(kind)
		out = append(out, o.docker(append([]string{kind, "inspect", "--format", kind + " {{.Spec.Name}} {{.Version.Index}}"}, ids...)...))
	}
	return strings.Join(append(out, o.docker("service", "ps", "-q", "whatrack_redis", "whatrack_centrifugo")), "\n")
}

// ids of the stack's objects: other tests use the same Swarm.
func (o *operator) ids(kind string) []string {
	o.t.Helper()
	return strings.Fields(o.docker(kind, "ls", "-q", "--filter", "label=com.docker.stack.namespace=whatrack"))
}

func (o *operator) noOpWritesNothing() {
	o.t.Helper()
	before := o.versions()
	for range 10 {
		o.want(0, []string{"apply"}, "nothing was written")
	}
	if after := o.versions(); after != before {
		o.t.Errorf("ten applies without a difference moved versions or tasks:\n%s\n---\n%s", before, after)
	}
}

// handChanges changes one field after another by hand; each shows in the plan
// by its name, and one apply, while the updates still roll, removes them all.
func (o *operator) handChanges() {
	o.t.Helper()
	for _, c := range []struct{ flag, value, path string }{
		{"--label-add", "by=hand", "deploy.labels.by"},
		{"--env-add", "BY=hand", "environment.BY"},
		{"--replicas", "2", "deploy.replicas"},
		{"--limit-memory", "128M", "deploy.resources.limits.memory"},
		{"--constraint-add", "node.role==manager", "deploy.placement.constraints"},
		{"--stop-grace-period", "11s", "stop_grace_period"},
	} {
		o.docker("service", "update", "--detach", "--quiet", c.flag, c.value, "whatrack_centrifugo")
		o.want(2, []string{"plan"}, c.path, "changed by hand", "1 to change")
	}
	o.want(0, []string{"apply"}, "changed by hand", "converged and verified, 1 written")
	o.want(0, []string{"plan"}, "nothing to do")
}

func (o *operator) applicationVariables() {
	o.t.Helper()
	want := fmt.Sprintf("REDIS_URL=\"redis://:%s@%s:6379\"\nCENTRIFUGO_URL=\"https://centrifugo.whatrack.com\"\nCENTRIFUGO_API_KEY=%q\nCENTRIFUGO_TOKEN_SECRET=%q\n",
		secrets["REDIS_PASSWORD"], o.node.Addr, secrets["CENTRIFUGO_API_KEY"], secrets["CENTRIFUGO_TOKEN_SECRET"])
	if r := o.want(0, []string{"env"}); r.stdout != want {
		o.t.Errorf("env printed\n%s\nwant\n%s", r.stdout, want)
	}
	o.want(0, []string{"env", "--host", "redis.example.com"}, "@redis.example.com:6379")
}

// controller runs swarmward as a daemon: it serves, repairs a change by hand,
// logs JSON, and stops within 10 s of SIGTERM.
func (o *operator) controller() {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := o.command(ctx, "run", "--schedule", "@every 2s", "--listen", ":8080")
	var logs bytes.Buffer
	cmd.Stderr = &logs
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	get := func(path string) (int, string) {
		res, err := http.Get("http://" + o.node.Addr + ":8080" + path)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	eventually(o.t, "/readyz answers 200", func() bool { code, _ := get("/readyz"); return code == 200 })
	code, body := get("/api/v1/health/redis")
	var health struct {
		Redis struct {
			Connected, TestPassed bool
			TestKey, TestValue    string
			Retrieved             *string
		}
	}
	if err := json.Unmarshal([]byte(body), &health); err != nil || code != 200 || !health.Redis.Connected || !health.Redis.TestPassed ||
		health.Redis.TestKey != "redis-health-check" || !strings.HasPrefix(health.Redis.TestValue, "ok-") ||
		health.Redis.Retrieved == nil || *health.Redis.Retrieved != health.Redis.TestValue {
		o.t.Errorf("health of redis: %d %s", code, body)
	}
	o.docker("service", "update", "--detach", "--quiet", "--label-add", "by=hand", "whatrack_redis")
	eventually(o.t, "the label that a person added is gone", func() bool {
		return !strings.Contains(o.docker("service", "inspect", "--format", "{{.Spec.Labels}}", "whatrack_redis"), "by:hand")
	})
	if code, body := get("/api/v1/status"); code != 200 || !strings.Contains(body, `"exitCode": 0`) {
		o.t.Errorf("status: %d %s", code, body)
	}
	began := time.Now()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || time.Since(began) > 10*time.Second {
		o.t.Errorf("SIGTERM: %v after %s", err, time.Since(began))
	}
	o.said.Write(logs.Bytes())
	for s := bufio.NewScanner(&logs); s.Scan(); {
		if !json.Valid(s.Bytes()) {
			o.t.Errorf("a log line that is no JSON: %s", s.Text())
		}
	}
}

// closedPort puts a firewall before Redis' published port: asked by both ways,
// the check tells that from a dead Redis.
func (o *operator) closedPort() {
	o.t.Helper()
	firewall := func(what string) {
		o.t.Helper()
		// Before the Engine's own rules turn the address into the container's.
		cmd := o.node.Command(context.WithoutCancel(o.t.Context()), "iptables", "-t", "raw", what, "OUTPUT",
			"-p", "tcp", "-d", o.node.Addr, "--dport", "6379", "-j", "DROP")
		if out, err := cmd.CombinedOutput(); err != nil {
			o.t.Fatalf("%v: %s", err, out)
		}
	}
	o.write("from.yaml", "x-swarmward: {checks: {redis: {from: [bridge, published], timeout: 2s}}}\n")
	both := []string{"check", "redis", "-f", "desired-state.yaml", "-f", "from.yaml"}
	o.want(0, both, "published "+o.node.Addr+":6379 on node-1")
	firewall("-I")
	o.want(3, both, "reason: port_closed", "from bridge: passed", "from published: timeout", "nc -zv "+o.node.Addr+" 6379",
		"Redis answers on the bridge of its node, and not on the published port "+o.node.Addr+":6379 on node-1: a firewall is between, or the port is not published.")
	firewall("-D")
	o.want(0, both)
}

// brokenRedis gives Redis another password by hand, then takes it away: both
// are told apart, and apply repairs them.
func (o *operator) brokenRedis() {
	o.t.Helper()
	o.write("other", "anotherPassword1234")
	o.docker("secret", "create", "by-hand", o.dir+"/other")
	o.docker("service", "update", "--quiet", "--detach=false", "--secret-rm", "whatrack_redis_password",
		"--secret-add", "source=by-hand,target=redis_password,uid=999,gid=999,mode=0400", "whatrack_redis")
	o.want(3, []string{"check", "redis"}, "reason: auth_failed",
		"service: whatrack_redis: 1 of 1 running", "ago: changed by hand: secrets.redis_password.source", "log: ",
		"docker service logs --tail 50 whatrack_redis", "nc -zv "+o.node.Addr+" 6379",
		`REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -h `+o.node.Addr+" -p 6379 -e ping")
	o.docker("service", "scale", "--detach", "whatrack_redis=0")
	eventually(o.t, "redis has stopped", func() bool { return o.docker("ps", "-q", "--filter", "name=whatrack_redis") == "" })
	o.want(3, []string{"check", "redis", "-o", "json"}, `"reason": "not_running"`, `"verdict": "scaled to zero"`, "deploy.replicas")
	o.want(1, []string{"check", "redsi"}, `check "redsi" is not in the spec; it has: centrifugo, redis`)
	o.want(0, []string{"apply"}, "secrets.redis_password.source  by-hand -> whatrack_redis_password", "deploy.replicas", "converged and verified")
	o.docker("secret", "rm", "by-hand")
}

// threeMore are faults that no count of running tasks shows: a Redis that is
// full, a Centrifugo that its Redis no longer takes, and one with another key.
// Each has an explanation of its own.
func (o *operator) threeMore() {
	o.t.Helper()
	redis := func(password, command string) {
		o.t.Helper()
		o.docker("exec", o.docker("ps", "-q", "--filter", "name=whatrack_redis"), "sh", "-c", "REDISCLI_AUTH="+password+" redis-cli -e "+command)
	}
	const own = "$(cat /run/secrets/redis_password)"
	redis(own, "CONFIG SET maxmemory 1")
	o.want(3, []string{"check", "redis"}, "reason: out_of_memory")
	redis(own, "CONFIG SET maxmemory 300mb")
	o.want(0, []string{"check"})

	// The password changes under a Redis that runs, and it lets go of everybody.
	redis(own, "CONFIG SET requirepass another")
	redis("another", "CLIENT KILL TYPE normal SKIPME yes")
	redis("another", "CLIENT KILL TYPE pubsub")
	o.want(3, []string{"check"}, "reason: auth_failed", "reason: engine_down")
	redis("another", "CONFIG SET requirepass "+own)
	eventually(o.t, "Centrifugo has found its Redis again", func() bool { return o.run("check").code == 0 })

	o.docker("service", "update", "--quiet", "--detach=false", "--secret-rm", "whatrack_centrifugo_api_key",
		"--secret-add", "source=whatrack_centrifugo_admin_secret,target=centrifugo_api_key", "whatrack_centrifugo")
	o.want(3, []string{"check", "centrifugo"}, "reason: key_refused", "changed by hand: secrets.centrifugo_api_key.")
	o.want(0, []string{"apply"}, "changed by hand", "converged and verified, 1 written")
}

// unpacked is a record as text, as docker config inspect has it and as it is
// within.
func unpacked(t *testing.T, inspected string) string {
	t.Helper()
	var configs []swarm.Config
	if err := json.Unmarshal([]byte(inspected), &configs); err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	for _, c := range configs {
		data.Write(c.Spec.Data)
	}
	z, err := gzip.NewReader(&data)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || !strings.Contains(string(text), "redis-health-check") {
		t.Fatalf("%v: this is no record: %s", err, text)
	}
	return inspected + string(text)
}

// nothingLeaked greps all that swarmward printed and all that the Engine tells
// about every object for the secrets.
func (o *operator) nothingLeaked() {
	o.t.Helper()
	all := map[string]string{"what swarmward printed": o.said.String()}
	all["nodes"] = o.docker("node", "inspect", "self")
	for _, kind := range []string{"service", "secret", "config", "network", "volume"} {
		for _, id := range o.ids(kind) {
			all[kind+" "+id] = o.docker(kind, "inspect", id)
			if kind == "config" {
				all[kind+" "+id+" data"] = o.docker("config", "inspect", "--pretty", id)
			}
		}
	}
	all["memory"] = o.docker("config", "inspect", "swarmward.whatrack.memory")
	kept := strings.Fields(o.docker("config", "ls", "-q", "--filter", "label=swarmward.stack=whatrack", "--filter", "label=swarmward.record"))
	for _, id := range kept {
		all["record "+id] = unpacked(o.t, o.docker("config", "inspect", id))
	}
	if len(kept) == 0 {
		o.t.Error("no record was kept")
	}
	for _, id := range strings.Fields(o.docker("ps", "-q", "--filter", "label=com.docker.stack.namespace=whatrack")) {
		all["container "+id] = o.docker("inspect", id)
	}
	for _, s := range []string{"whatrack_redis", "whatrack_centrifugo"} {
		all["tasks of "+s] = o.docker("inspect", strings.Fields(o.docker("service", "ps", "-q", s))[0])
		all["logs of "+s] = o.containerLogs("name=" + s)
		all["processes of "+s] = o.docker("top", strings.Fields(o.docker("ps", "-q", "--filter", "name="+s))[0], "-o", "pid,args")
	}
	if len(o.said.String()) < 1000 {
		o.t.Error("there is next to nothing to look through")
	}
	for where, text := range all {
		for name, secret := range secrets {
			if strings.Contains(text, secret) {
				o.t.Errorf("the value of %s is in %s", name, where)
			}
		}
	}
	environ := o.docker("exec", strings.Fields(o.docker("ps", "-q", "--filter", "name=whatrack_redis"))[0], "sh", "-c", "tr '\\0' '\\n' </proc/1/environ")
	if slices.ContainsFunc(strings.Fields(environ), func(s string) bool { return strings.Contains(s, secrets["REDIS_PASSWORD"]) }) {
		o.t.Error("the password is in the environment of redis-server")
	}
}
