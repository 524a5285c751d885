package main

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/swarmkit/v2/api"
)

// step is a part of what a container does.
type step struct {
	output  string
	sleep   time.Duration
	forever bool
	exits   bool // nothing comes after it
	code    int
}

// words are the command line of a container as far as its spec says.
func words(spec *api.ContainerSpec) []string {
	return slices.Concat(spec.Command, spec.Args)
}

// script understands the few commands that tests of a Swarm use: echo, sleep,
// true, false and exit, alone or in `sh -c`. Any other program runs until it is
// stopped. A program whose name says that it does not exist is an error, in the
// runtime's words.
func script(repository string, argv []string) ([]step, error) {
	if len(argv) == 0 {
		if slices.Contains([]string{"alpine", "busybox", "debian", "hello-world", "ubuntu"}, repository) {
			return []step{{exits: true}}, nil // a shell without a terminal ends at once
		}
		return []step{{forever: true}}, nil
	}
	if line, ok := shellLine(argv); ok {
		var steps []step
		for _, command := range strings.FieldsFunc(line, func(r rune) bool { return r == ';' || r == '\n' || r == '&' }) {
			if fields := strings.Fields(command); len(fields) > 0 {
				steps = append(steps, interpret(fields))
			}
		}
		return steps, nil
	}
	if name := argv[0]; strings.HasPrefix(name, "-") || strings.HasPrefix(name, "nosuch") || strings.HasPrefix(name, "no-such") {
		return nil, notExecutable(name)
	}
	return []step{interpret(argv)}, nil
}

// shellLine is what a shell is to do with `sh -c`.
func shellLine(argv []string) (string, bool) {
	if len(argv) >= 3 && slices.Contains([]string{"sh", "ash", "bash"}, path.Base(argv[0])) && strings.HasPrefix(argv[1], "-") && strings.HasSuffix(argv[1], "c") {
		return argv[2], true
	}
	return "", false
}

func notExecutable(name string) error {
	return fmt.Errorf("failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "+
		"unable to start container process: error during container init: exec: %q: executable file not found in $PATH", name)
}

func interpret(argv []string) step {
	if argv[0] == "exec" && len(argv) > 1 {
		argv = argv[1:]
	}
	argument := strings.Join(argv[1:], " ")
	switch path.Base(argv[0]) {
	case "echo":
		return step{output: strings.Trim(argument, `"'`)}
	case "true":
		return step{}
	case "false":
		return step{code: 1}
	case "exit":
		code, _ := strconv.Atoi(argument)
		return step{exits: true, code: code}
	case "sleep":
		if seconds, err := strconv.ParseFloat(argument, 64); err == nil {
			return step{sleep: time.Duration(seconds * float64(time.Second))}
		}
	}
	return step{forever: true}
}
