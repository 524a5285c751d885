package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/swarmward/swarmward/reconcile/render"
)

// app is what the verbs share: the streams and the flags that hold everywhere.
type app struct {
	in, out, err *os.File

	files     []string
	stack     string
	envFiles  []string
	ageFiles  []string
	git       gitFlags
	output    string
	logFormat string
	logLevel  string
}

const rootHelp = `swarmward keeps a Docker Swarm equal to a Compose file: it shows every
difference before it acts, makes the fewest changes that remove it, and then
proves that the stack works.

  swarmward validate       is the spec sound? (needs no Swarm)
  swarmward plan           what would change, and what would that cost?
  swarmward apply          change it, wait until it runs, check that it works
  swarmward run            do so again and again
  swarmward history        which revisions worked, and what did each change?
  swarmward status         how is it, and what is to be done?
  swarmward rollback       back to a revision that worked
  swarmward suspend        leave it alone, until swarmward resume
  swarmward export STACK   write a spec for a stack that has none
  swarmward install        run swarmward as a service of the Swarm

Exit codes:
  0  done, or nothing to do; verified
  1  error: input, Engine, I/O
  2  plan, status: there are changes, or blocked differences
  3  a check failed
  4  not converged in time, or rolled back by Swarm
  5  stopped for a person: a difference is blocked, somebody changed the same by
     hand meanwhile, a kept plan no longer holds, the stack is suspended, its
     revision is held, somebody else writes to it, it is outside of its windows, or
     apply was declined
  6  converged, but a check could not be tried

Every flag can also be given as an environment variable: --env-file as
SWARMWARD_ENV_FILE. The Engine is found as the docker CLI finds it: DOCKER_HOST,
DOCKER_TLS_VERIFY, DOCKER_CERT_PATH. NO_COLOR turns colours off.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "swarmward",
		Short:         "Keep a Docker Swarm equal to a Compose file, and prove that it works",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		Args:                       unknownVerb,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			if err := a.git.check(cmd.Flags()); err != nil {
				return err
			}
			return a.checkFlags(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := root.PersistentFlags()
	f.StringArrayVarP(&a.files, "file", "f", []string{"desired-state.yaml"}, "spec `FILE`; several are merged in order; a directory holds one stack per file")
	f.StringVar(&a.stack, "stack", "", "`NAME` of the stack, where the file has no name: of its own")
	f.StringArrayVar(&a.envFiles, "env-file", nil, "`FILE` with variables (default: .env beside the spec); the environment wins over it")
	f.StringArrayVar(&a.ageFiles, "age-identity", nil, "`FILE` with the age identity, or SSH private key, that opens encrypted secrets and env files; may be repeated")
	f.StringVarP(&a.output, "output", "o", "text", "`FORMAT` of results on stdout: text or json; plan also writes markdown")
	f.StringVar(&a.logFormat, "log-format", "", "`FORMAT` of logs on stderr: text or json (default: text on a terminal, json for run elsewhere)")
	f.StringVar(&a.logLevel, "log-level", "info", "lowest `LEVEL` that is logged: debug, info, warn or error")
	root.AddCommand(a.validateCmd(), a.planCmd(), a.applyCmd(), a.runCmd(), a.checkCmd(), a.destroyCmd(), a.exportCmd(), a.historyCmd(), a.statusCmd(), a.rollbackCmd(), a.suspendCmd(), a.resumeCmd(), a.envCmd(), a.healthCmd(), a.versionCmd())
	root.AddCommand(a.installCmd())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())
	})
	return root
}

func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q; see `swarmward --help`", args[0])
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		err = fmt.Errorf("unknown command %q; did you mean %s?", args[0], strings.Join(like, " or "))
	}
	return err
}

// fromEnvironment gives every flag that was not on the command line the value
// of SWARMWARD_<FLAG>, where that is not empty. A flag that may be given several times takes a list
// separated by colons, as PATH does.
func fromEnvironment(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "SWARMWARD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		v, ok := os.LookupEnv(name)
		if !ok || v == "" || f.Changed || f.Name == "help" || err != nil {
			return
		}
		values := []string{v}
		if _, many := f.Value.(pflag.SliceValue); many {
			values = strings.Split(v, string(os.PathListSeparator))
		}
		for _, v := range values {
			if e := flags.Set(f.Name, v); e != nil {
				err = fmt.Errorf("%s: %w", name, e)
			}
		}
	})
	return err
}

func (a *app) checkFlags(cmd *cobra.Command) error {
	if may := formats(cmd); !slices.Contains(may, a.output) {
		return fmt.Errorf("--output %q: %s writes %s", a.output, cmd.CommandPath(), oneOf(may))
	}
	if a.logFormat != "" && a.logFormat != "text" && a.logFormat != "json" {
		return fmt.Errorf("--log-format %q: must be text or json", a.logFormat)
	}
	if err := new(slog.Level).UnmarshalText([]byte(a.logLevel)); err != nil {
		return fmt.Errorf("--log-level %q: must be debug, info, warn or error", a.logLevel)
	}
	return nil
}

// logger writes to stderr: through tint on a terminal; elsewhere in the format
// asked for, or in otherwise.
func (a *app) logger(otherwise string) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(a.logLevel)) // checkFlags saw to it
	format := a.logFormat
	if format == "" && !isTerminal(a.err) {
		format = otherwise
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(a.err, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(tint.NewTextHandler(a.err, &tint.Options{
		Level: level, TimeFormat: time.TimeOnly, NoColor: !colored(a.err),
	}))
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// colored follows https://no-color.org, and spares terminals that know no
// escape sequences.
func colored(f *os.File) bool { return os.Getenv("NO_COLOR") == "" && isCapable(f) }

// isCapable says whether f is a terminal that understands escape sequences.
func isCapable(f *os.File) bool { return isTerminal(f) && os.Getenv("TERM") != "dumb" }

func (a *app) text() render.Text {
	width, _, err := term.GetSize(int(a.out.Fd()))
	if err != nil {
		width = 0 // no terminal
	}
	return render.Text{Color: colored(a.out), Width: width}
}
