package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/swarmward/swarmward/reconcile/engine/swarmlab"
)

// Sessions with a Swarm, a swarmsim of its own for each. Beside testscript's
// own commands they have
//
//	exits CODE PROGRAM ARG...   the program exits with that code
//	until REGEXP PROGRAM ARG... the program is run until its output matches
//	json KEY.KEY.0.KEY VALUE    what the last command printed is JSON with that
//	                            value; KEY.len is the length of a list
//
// swarmsim ctl, and docker: the CLI of the machine, or the stand-in of
// byhand_test.go. A file swarmsim.flags has flags for swarmsim.
func TestSwarmSessions(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/swarm",
		RequireExplicitExec: true,
		Setup:               ownSwarm,
		Condition:           dockerCLI,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "until": until, "json": jsonValue, "post": post,
		},
	})
}

func ownSwarm(e *testscript.Env) error {
	flags, err := os.ReadFile(filepath.Join(e.WorkDir, "swarmsim.flags"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	sim := swarmlab.StartSim(e.T().(testing.TB), strings.Fields(string(flags))...)
	bin := filepath.Join(e.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	if err := os.Symlink(sim.Program, filepath.Join(bin, "swarmsim")); err != nil {
		return err
	}
	root, err := filepath.Abs("../..")
	e.Setenv("ROOT", root)
	e.Setenv("ESC", "\x1b")
	e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
	e.Setenv("DOCKER_HOST", sim.Host)
	// To listen on: nobody else has an address of its own, whatever its ports.
	e.Setenv("ADDRESS", fmt.Sprintf("127.%d.%d.%d:8080", 100+rand.N(100), rand.N(256), 1+rand.N(254)))
	e.Setenv("HOME", e.WorkDir) // the docker CLI complains of one that does not exist
	return err
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code, err := 0, ts.Exec(args[1], args[2:]...)
	var failure *exec.ExitError
	if errors.As(err, &failure) {
		code = failure.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
	for _, bad := range []string{"panic:", "goroutine ", ".go:"} {
		if strings.Contains(ts.ReadFile("stdout")+ts.ReadFile("stderr"), bad) {
			ts.Fatalf("it shows a stack trace")
		}
	}
}

// until is for what Swarm does in its own time. Half a minute is not for it,
// but for a test that would otherwise never end.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP PROGRAM ARG...")
	}
	matches, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(30 * time.Second); ; {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if matches.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not in half a minute: %s", args[0])
		}
		<-time.After(50 * time.Millisecond)
	}
}

// post BODY with headers, NAME: VALUE, and write the status and the answer.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: post URL BODY [NAME: VALUE]...")
	}
	r, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(args[1]))
	ts.Check(err)
	for _, h := range args[2:] {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s", answer.StatusCode, body)
}

func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] json KEY.KEY VALUE")
	}
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	var at any
	ts.Check(d.Decode(&at))
	for part := range strings.SplitSeq(args[0], ".") {
		next, ok := into(at, part)
		if !ok {
			ts.Fatalf("%s: there is no %s in %v", args[0], part, at)
		}
		at = next
	}
	if got := fmt.Sprint(at); (got == args[1]) == neg {
		ts.Fatalf("%s is %q", args[0], got)
	}
}

func into(at any, part string) (any, bool) {
	switch v := at.(type) {
	case map[string]any:
		next, ok := v[part]
		return next, ok
	case []any:
		if part == "len" {
			return len(v), true
		}
		i, err := strconv.Atoi(part)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}
