package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/swarmward/swarmward/spec/source/gittest"
)

// Two controllers keep a stack of a repository; one reads it over HTTPS, the
// other over SSH, and nothing makes a pass but what happens. What is pushed is
// deployed, what does not work is taken back and held, what is changed by hand is
// repaired, and when the leader is killed the other one does all that. Records,
// passes, metrics and status tell it.
func TestController(t *testing.T) {
	t.Parallel()
	p := newPushed(t)
	first := p.push("The stack as it should be", "1", "")
	a := p.controller("--git", p.https, "--git-token-file", "token", "--git-ca-file", "ca.pem")
	p.deployed(a, first, 1, "1")
	b := p.controller("--git", p.ssh, "--git-ssh-key-file", "key", "--git-known-hosts", "known_hosts")
	b.becomes(`lease_holder{stack="pushed"}`, "0")

	p.deployed(a, p.push("Another page", "2", "", a, b), 2, "2")
	p.takenBack(a, p.push("Redis is a replica", "3", "replicaof 127.0.0.1 6390", a, b))
	p.deployed(a, p.push("Redis takes more clients", "3", "maxclients 5000", a, b), 3, "3")
	t.Logf("changed by hand, repaired %s after the event", p.byHand("3"))
	p.counted(a)

	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
	t.Logf("changed by hand when the leader had just been killed, repaired %s after the event", p.byHand("0"))
	b.becomes(`lease_holder{stack="pushed"}`, "1")
	b.becomes(`changes_total{action="update",impact="none",kind="service",stack="pushed"}`, "1")
	p.deployed(b, p.push("One more page", "4", "maxclients 5000", b), 4, "4")
	p.remembered("One more page", "Redis takes more clients", "Another page", "The stack as it should be")
	p.kept(a, b)
}

// pushed is a stack in a repository, and who pushes to it.
type pushed struct {
	*operator
	api         *client.Client
	work        string
	gitEnv      []string
	https, ssh  string // URLs
	bare        string
	controllers int
}

const (
	pushToken   = "e2ePushToken55d0a7c1"
	pushWebhook = "e2eWebhookSecret2b9c4f"
)

func newPushed(t *testing.T) *pushed {
	t.Helper()
	lab := sharedLab(t)
	p := &pushed{operator: newOperator(t, lab.Nodes[0]), api: lab.Nodes[0].Client(t)}
	t.Cleanup(func() { p.clear("pushed") })
	home := t.TempDir()
	p.bare, p.work = filepath.Join(home, "origin.git"), filepath.Join(home, "work")
	p.gitEnv = append(os.Environ(), "HOME="+home, "GIT_CONFIG_NOSYSTEM=1", "GIT_SSL_CAINFO="+filepath.Join(p.dir, "ca.pem"),
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	p.git(home, "init", "-q", "--bare", "-b", "main", p.bare)
	p.git(p.bare, "config", "http.receivepack", "true")
	p.git(home, "init", "-q", "-b", "main", p.work)

	server := gittest.HTTPS(t, home, pushToken)
	p.https = server.URL + "/origin.git"
	p.git(p.work, "remote", "add", "origin", strings.Replace(p.https, "https://", "https://ann:"+pushToken+"@", 1))
	keyFile, key := gittest.Key(t)
	private, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	addr, known := gittest.SSH(t, key, p.gitEnv)
	p.ssh = "ssh://git@" + addr + p.bare
	for name, text := range map[string]string{
		"ca.pem": gittest.Certificate(server), "token": pushToken, "key": string(private), "known_hosts": known,
		"webhook": pushWebhook, ".env": dotenv(),
	} {
		p.write(name, text)
	}
	return p
}

func (p *pushed) git(dir string, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, p.gitEnv
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// spec of the stack, with a page and more of Redis' configuration.
func (p *pushed) spec(page, conf string) string {
	return fmt.Sprintf(`name: pushed
services:
  redis:
    image: redis:7.4.6
    command: [redis-server, /redis.conf]
    configs: [{source: conf, target: /redis.conf, uid: "999", gid: "999", mode: 0400}]
    secrets: [{source: password, uid: "999", gid: "999", mode: 0400}]
    ports: [{target: 6379, published: 6395, mode: host}]
    stop_grace_period: 2s
    deploy: {endpoint_mode: dnsrr, update_config: {order: stop-first, monitor: 1s}, restart_policy: {delay: 1s}}
  web:
    image: busybox:lab
    command: [sleep, "10000"]
    environment: {PAGE: %q}
    stop_signal: SIGKILL
    deploy: {update_config: {monitor: 1s}}
secrets: {password: {environment: REDIS_PASSWORD}}
configs:
  conf:
    template_driver: golang
    content: |
      requirepass {{ secret "password" }}
      %s
x-swarmward:
  on_check_failure: rollback
  checks: {redis: {redis: {service: redis, password: {secret: password}}, grace: 5s}}
`, page, conf)
}

// push the stack as a commit, as its subject says, and tell the controllers as a
// forge does; the commit's id.
func (p *pushed) push(subject, page, conf string, to ...*watched) string {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.work, "desired-state.yaml"), []byte(p.spec(page, conf)), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.git(p.work, "add", "-A")
	p.git(p.work, "commit", "-q", "-m", subject)
	p.git(p.work, "push", "-q", "origin", "HEAD:main")
	id := p.git(p.work, "rev-parse", "HEAD")
	body := fmt.Sprintf(`{"ref": "refs/heads/main", "after": %q}`, id)
	mac := hmac.New(sha256.New, []byte(pushWebhook))
	mac.Write([]byte(body))
	for _, w := range to {
		req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+w.addr+"/webhook/git", strings.NewReader(body))
		if err != nil {
			p.t.Fatal(err)
		}
		req.Header.Set("X-GitHub-Event", "push")
		req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			p.t.Fatal(err)
		}
		said, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusAccepted {
			p.t.Fatalf("the webhook is answered with %d: %s", res.StatusCode, said)
		}
	}
	return id
}

// controller of the stack, which looks for nothing by itself.
func (p *pushed) controller(args ...string) *watched {
	p.t.Helper()
	p.controllers++
	cache := filepath.Join(p.dir, fmt.Sprint("cache", p.controllers))
	return watch(p.t, p.node.Host, p.dir, "", append(args, "--git-cache", cache, "--git-poll", "0", "--schedule", "@every 24h",
		"--lease-ttl", "15s", "--env-file", ".env", "--webhook-secret-file", "webhook")...)
}

// told is what a controller says at /api/v1/history.
type told struct {
	Passes  []toldPass
	Records []struct {
		Number int
		Source struct{ Commit string }
		Checks []struct{ Name string }
	}
}

type toldPass struct {
	Revision, Result string
	WentBack         bool
}

func (p *pushed) told(w *watched) told {
	p.t.Helper()
	var all struct{ Stacks []told }
	code, body := w.ask("GET", "/api/v1/history?stack=pushed", "")
	if code == 0 || code == http.StatusNotFound {
		return told{} // it has just begun
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil || len(all.Stacks) != 1 {
		p.t.Fatalf("history: %d %v: %s", code, err, body)
	}
	return all.Stacks[0]
}

// status is what a person with a clone of the repository is told, once the pass
// that may be under way is over.
func (p *pushed) status(code int, texts ...string) {
	p.t.Helper()
	var r result
	eventually(p.t, fmt.Sprintf("status exits with %d", code), func() bool {
		r = p.run("status", "--git", p.bare, "--git-cache", "cache", "--env-file", ".env")
		if r.code != code {
			p.t.Logf("not yet:\n%s", r)
		}
		return r.code == code
	})
	for _, text := range texts {
		if !strings.Contains(r.stdout, text) {
			p.t.Errorf("does not say %q:\n%s", text, r)
		}
	}
}

// deployed is a commit that became a record: the Swarm has its page, and
// whoever asks is told that it works.
func (p *pushed) deployed(w *watched, id string, record int, page string) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("commit %s is record %d", id, record), func() bool {
		r := p.told(w).Records
		return len(r) > 0 && r[0].Number == record && r[0].Source.Commit == id && len(r[0].Checks) == 1
	})
	for series, want := range map[string]string{
		`lease_holder{stack="pushed"}`:        "1",
		`held{stack="pushed"}`:                "0",
		`drift{stack="pushed"}`:               "0",
		`last_pass_exit_code{stack="pushed"}`: "0",
		`check_result{check="redis",kind="redis",result="passed",stack="pushed"}`: "1",
	} {
		w.becomes(series, want)
	}
	p.has(page)
	p.status(0, "well: as it should be, running and verified", "Held        false")
}

func (p *pushed) has(page string) {
	p.t.Helper()
	if got := p.docker("service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Env}}", "pushed_web"); got != "[PAGE="+page+"]" {
		p.t.Errorf("the Swarm has %s, want page %s", got, page)
	}
}

// takenBack is a commit that runs and does not work: the Swarm is as the one
// before, and stays so.
func (p *pushed) takenBack(w *watched, id string) {
	p.t.Helper()
	w.becomes(`held{stack="pushed"}`, "1")
	w.becomes(`rollbacks_total{stack="pushed"}`, "1")
	w.becomes(`check_result{check="redis",kind="redis",result="passed",stack="pushed"}`, "1")
	p.has("2")
	p.status(5, "kept at record 2", "Held        true", "check redis failed:", "readonly")
	h := p.told(w)
	if h.Records[0].Number != 2 {
		p.t.Errorf("record %d was made of what does not work", h.Records[0].Number)
	}
	back := slices.IndexFunc(h.Passes, func(n toldPass) bool { return n.WentBack })
	if back < 0 || !strings.HasPrefix(id, h.Passes[back].Revision) || h.Passes[back].Result != "check_failed" {
		p.t.Errorf("no pass of %s went back: %+v", id, h.Passes)
	}
}

// byHand scales a service by hand and says how long after the Swarm's event of
// that the one of its repair came.
func (p *pushed) byHand(replicas string) time.Duration {
	p.t.Helper()
	since := time.Now()
	p.docker("service", "scale", "--detach", "pushed_web="+replicas)
	messages, errs := p.api.Events(p.t.Context(), events.ListOptions{
		Since:   fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()),
		Filters: filters.NewArgs(filters.Arg("type", "service"), filters.Arg("service", "pushed_web")),
	})
	var changed int64
	for late := time.After(90 * time.Second); ; {
		select {
		case m := <-messages:
			switch now := m.Actor.Attributes["replicas.new"]; {
			case now == replicas:
				changed = m.TimeNano
			case now == "1" && changed != 0:
				return time.Duration(m.TimeNano - changed)
			}
		case err := <-errs:
			p.t.Fatal(err)
		case <-late:
			p.t.Fatalf("scaled to %s by hand, it is not repaired in 90 s", replicas)
		}
	}
}

// counted is all of that in the leader's metrics.
func (p *pushed) counted(w *watched) {
	p.t.Helper()
	for series, want := range map[string]string{
		`changes_total{action="update",impact="none",kind="service",stack="pushed"}`: "1", // by hand
		`changes_total{action="create",impact="none",kind="service",stack="pushed"}`: "2",
		`rollbacks_total{stack="pushed"}`:                                            "1",
		`passes_total{result="check_failed",stack="pushed"}`:                         "1",
		`held{stack="pushed"}`:  "0",
		`drift{stack="pushed"}`: "0",
	} {
		w.becomes(series, want)
	}
}

// remembered are the subjects of the commits that worked, newest first.
func (p *pushed) remembered(subjects ...string) {
	p.t.Helper()
	said := p.want(0, []string{"history", "pushed"}, subjects...).stdout
	if strings.Contains(said, "Redis is a replica") {
		p.t.Errorf("what did not work is a record:\n%s", said)
	}
	at := -1
	for _, subject := range subjects {
		i := strings.Index(said, subject)
		if i < at {
			p.t.Errorf("%q is not in its place:\n%s", subject, said)
		}
		at = i
	}
}

// kept are secrets: nothing that was printed has one of them.
func (p *pushed) kept(all ...*watched) {
	p.t.Helper()
	text := p.said.String()
	for _, w := range all {
		text += w.said.String()
	}
	for _, secret := range []string{pushToken, pushWebhook, secrets["REDIS_PASSWORD"]} {
		if strings.Contains(text, secret) {
			p.t.Errorf("%s is in what was printed", secret)
		}
	}
}
