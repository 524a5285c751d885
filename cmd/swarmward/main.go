// Command swarmward keeps a Docker Swarm equal to a Compose file, and proves
// after every change that the stack works.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/swarmward/swarmward/reconcile"
	"github.com/swarmward/swarmward/reconcile/render"
)

// version is set by the linker.
var version = "dev"

func main() {
	// The collector is the process's, so that this is done here and not by the
	// verb. The controller lives long.
	if !slices.Contains(os.Args, "run") {
		collectLate()
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: it parses, wires, runs, and returns the exit
// code. The first SIGINT or SIGTERM asks the verb to finish; the second one
// kills.
func run(args []string, stdin *os.File, stdout, stderr *os.File) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	a := &app{in: stdin, out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if code := exitCode(0); errors.As(err, &code) {
		return int(code)
	}
	if err != nil {
		report(stderr, err)
		return reconcile.ExitError
	}
	return reconcile.ExitOK
}

// exitCode is an error that has already been told: only the code is left.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit %d", int(c)) }

// exit wraps a code other than 0.
func exit(code int) error {
	if code == reconcile.ExitOK {
		return nil
	}
	return exitCode(code)
}

func report(w io.Writer, err error) {
	fmt.Fprintf(w, "swarmward: %s\n", render.Printable(err.Error()))
}
