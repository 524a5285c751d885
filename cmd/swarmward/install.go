package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile/serve"
	"github.com/swarmward/swarmward/reconcile/trigger"
)

type installFlags struct {
	lease leaseFlags // of --apply

	print      string
	apply, yes bool

	name, image, schedule string
	listen, publish       string
	access                serve.Access
	cert, key, webhook    string
	proxy, socket, group  string
	memory                string
	networks              []string
	replicas              int
}

func (a *app) installCmd() *cobra.Command {
	var f installFlags
	cmd := &cobra.Command{
		Use:   "install [-- RUN-FLAG...]",
		Short: "Print swarmward's own service for this Swarm, or apply it; print alerts",
		Long: `Print a Compose file with a service that runs swarmward for the specs of -f: the
specs as configs of the Swarm, what is secret as secrets, on a manager, with a
health check and two replicas of which one works. With --git the service reads
them from there by itself. Save it and apply it as any
spec, or let --apply do that: it creates the service, and later brings it up to
date with the specs, the flags and the files. What follows -- is given to run.

The file that is printed names others as seen from the folder that you are in.
--print alerts prints rules for Prometheus, made for the same --schedule.`,
		Example: `  swarmward install > swarmward.yaml && swarmward apply -f swarmward.yaml
  swarmward install --apply --image registry.example.com/swarmward:1.0
  swarmward install --git https://git.example.com/stacks.git --git-token-file token > swarmward.yaml
  swarmward install --print alerts > swarmward-alerts.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.install(cmd, f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.print, "print", "service", "`WHAT` to print: service or alerts")
	flags.BoolVar(&f.apply, "apply", false, "apply the service instead of printing it")
	flags.BoolVarP(&f.yes, "yes", "y", false, "with --apply: do not ask")
	flags.StringVar(&f.name, "name", "swarmward", "`NAME` of its stack; the service is NAME_controller")
	flags.StringVar(&f.image, "image", "swarmward:"+version, "`IMAGE` of swarmward")
	flags.StringVar(&f.schedule, "schedule", "@every 1m", "cron `SCHEDULE` of the passes")
	flags.StringVar(&f.listen, "listen", ":8080", "`ADDRESS` to serve HTTP on, inside; the health check asks there")
	flags.StringVar(&f.publish, "publish", "", "`PORT` of the nodes to publish that one at (default: none)")
	flags.StringVar(&f.access.TokenFile, "token-file", "", "`FILE` with the tokens that may ask for a pass")
	flags.StringVar(&f.access.ReadTokenFile, "read-token-file", "", "`FILE` with tokens that may only read; with it, reading takes a token")
	flags.BoolVar(&f.access.ProtectReads, "protect-reads", false, "reading takes a token too")
	flags.StringVar(&f.webhook, "webhook-secret-file", "", "`FILE` with the secrets that POST /webhook/git may be signed with")
	flags.StringVar(&f.cert, "tls-cert", "", "`FILE` with the certificate to serve HTTPS with")
	flags.StringVar(&f.key, "tls-key", "", "`FILE` with the key of --tls-cert")
	flags.StringVar(&f.proxy, "socket-proxy", "", "`HOST:PORT` of a socket proxy, in the place of the Docker socket")
	flags.StringVar(&f.socket, "socket", dockerSocket, "`PATH` of the Docker socket on the managers")
	flags.StringVar(&f.group, "socket-group", "", "`GID` of the Docker socket on the managers (default: that of the socket here)")
	flags.StringArrayVar(&f.networks, "network", nil, "`NETWORK` to be on, beside those that checks need")
	flags.StringVar(&f.memory, "memory", defaultMemory, "`LIMIT` of the memory")
	flags.IntVar(&f.replicas, "replicas", 2, "`HOW MANY` run; one of them works on a stack")
	f.lease.register(cmd, false)
	a.takesGit(cmd)
	return cmd
}

func (a *app) install(cmd *cobra.Command, f installFlags, runFlags []string) error {
	schedule, err := trigger.ParseSchedule(f.schedule)
	if err != nil {
		return err
	}
	switch f.print {
	case "alerts":
		if f.apply {
			return errors.New("--apply with --print alerts: alerts are Prometheus', nothing of them is in the Swarm")
		}
		return serve.Alerts(a.out, overdue(schedule))
	case "service":
	default:
		return fmt.Errorf("--print %q: must be service or alerts", f.print)
	}
	if err := errors.Join(f.check(), webhookCheck(f.webhook), runTakes(runFlags)); err != nil {
		return err
	}
	if !f.apply {
		here, err := os.Getwd()
		if err != nil {
			return err
		}
		text, err := a.ownService(cmd, f, runFlags, here)
		if err == nil {
			_, err = a.out.WriteString(text)
		}
		return err
	}
	text, err := a.ownService(cmd, f, runFlags, "")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "swarmward-install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, f.name+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	own := *a
	own.files, own.stack, own.envFiles, own.ageFiles, own.git = []string{file}, "", nil, nil, gitFlags{}
	return own.apply(cmd, applyFlags{yes: f.yes, lease: f.lease})
}

// overdue is how long after a pass the next one must have ended.
func overdue(s trigger.Schedule) time.Duration {
	return max(15*time.Minute, s.Longest(time.Now())*3).Round(time.Second)
}

func (f *installFlags) check() error {
	switch {
	case f.replicas < 1:
		return fmt.Errorf("--replicas %d: at least one has to run", f.replicas)
	case f.listen == "":
		return errors.New("--listen is empty: the health check has nobody to ask; give an address such as :8080")
	case f.proxy != "" && f.group != "":
		return errors.New("--socket-group with --socket-proxy: behind a proxy there is no socket to be in the group of")
	case (f.cert == "") != (f.key == ""):
		return errors.New("--tls-cert and --tls-key go together: give both")
	}
	return f.access.Check()
}

// runTakes says which of the flags run would end at, again and again.
func runTakes(flags []string) error {
	run, _, err := new(app).root().Find([]string{"run"})
	if err != nil {
		return err
	}
	if err := run.ParseFlags(flags); err != nil {
		return run.FlagErrorFunc()(run, err)
	}
	if rest := run.Flags().Args(); len(rest) > 0 {
		return fmt.Errorf("what follows -- is given to run, which takes no %s", rest[0])
	}
	return nil
}

func webhookCheck(file string) error {
	if file == "" {
		return nil
	}
	_, err := webhookSecrets(file)
	return err
}
