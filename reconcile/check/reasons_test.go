package check_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/swarmward/swarmward/reconcile"
)

// provoked are the reasons that the tests of this run have met.
var provoked reasons

type reasons struct {
	mu  sync.Mutex
	met map[reconcile.Reason]bool
}

func (r *reasons) add(reason reconcile.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.met == nil {
		r.met = map[reconcile.Reason]bool{}
	}
	r.met[reason] = true
}

// TestMain holds the closed set of reasons to what the tests provoke: where all
// of them run, each reason of the redis, http and tcp probes must have come up.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	_, err := exec.LookPath("redis-server")
	if code == 0 && err == nil && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		var missing []string
		for _, reason := range closedSet() {
			if !provoked.met[reason] {
				missing = append(missing, string(reason))
			}
		}
		if len(missing) > 0 {
			fmt.Println("FAIL: no test provokes", strings.Join(missing, ", "))
			code = 1
		}
	}
	os.Exit(code)
}

// The README says what each reason means.
func TestReadmeReasons(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| reason | |\n")
	if !ok {
		t.Fatal("no table of reasons")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for _, reason := range closedSet() {
		if !strings.Contains(table, "`"+string(reason)+"`") {
			t.Errorf("the README does not say what %s means", reason)
		}
	}
}

// closedSet reads the reasons where they are declared, those of the other
// probes aside.
func closedSet() []reconcile.Reason {
	out := []reconcile.Reason{reconcile.ReasonNoPath, reconcile.ReasonNotRunning, reconcile.ReasonRefused, reconcile.ReasonTimeout,
		reconcile.ReasonUnreachable, reconcile.ReasonPanic, reconcile.ReasonEngineError}
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, parser.ParseComments)
	if err != nil {
		panic(err)
	}
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST || slices.ContainsFunc([]string{"centrifugo", "route"}, func(probe string) bool {
			return strings.HasPrefix(block.Doc.Text(), "Reasons of the "+probe+" probe")
		}) {
			continue
		}
		for _, s := range block.Specs {
			text, err := strconv.Unquote(s.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				panic(err)
			}
			out = append(out, reconcile.Reason(text))
		}
	}
	return out
}
