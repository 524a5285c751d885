package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/swarmward/swarmward/reconcile/engine"
	"github.com/swarmward/swarmward/reconcile/serve"
	"github.com/swarmward/swarmward/reconcile/trigger"
)

// serveFlags are those of run that say where it answers, and whom.
type serveFlags struct {
	listen        string
	access        serve.Access
	cert, key     string
	debug         string
	debugAnywhere bool
}

func (f *serveFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "", "`ADDRESS` to serve HTTP on, such as :8080 (default: none)")
	flags.StringVar(&f.access.TokenFile, "token-file", "", "`FILE` with the bearer tokens, one a line, that may ask for a pass (default: nobody may)")
	flags.StringVar(&f.access.ReadTokenFile, "read-token-file", "", "`FILE` with tokens that may only read; with it, reading takes a token")
	flags.BoolVar(&f.access.ProtectReads, "protect-reads", false, "reading takes a token too; only /healthz and /readyz do not")
	flags.StringVar(&f.cert, "tls-cert", "", "`FILE` with the certificate to serve HTTPS with; it is read again when it changes")
	flags.StringVar(&f.key, "tls-key", "", "`FILE` with the key of --tls-cert")
	flags.StringVar(&f.debug, "debug-listen", "", "`ADDRESS` to serve Go's profiles on, such as 127.0.0.1:6060 (default: none)")
	flags.BoolVar(&f.debugAnywhere, "debug-anywhere", false, "let --debug-listen be an address that other machines can reach")
}

// check the flags, and read what they name once.
func (f *serveFlags) check() error {
	switch {
	case f.listen == "" && (f.access != serve.Access{} || f.cert+f.key != ""):
		return errors.New("a token or a certificate is given and nothing is served: give --listen, such as :8080")
	case (f.cert == "") != (f.key == ""):
		return errors.New("--tls-cert and --tls-key go together: give both")
	}
	return f.access.Check()
}

// serve answers over HTTP.
func (c *controller) serve(ctx context.Context) error {
	f := c.flags.serveFlags
	if f.debug != "" {
		c.listen("--debug-listen "+f.debug, func() error { return serve.ListenDebug(ctx, f.debug, f.debugAnywhere, c.log) })
	}
	if f.listen == "" {
		return nil
	}
	server := &serve.Server{
		Board: c.board, Prober: c.domain.Prober, ReadOnly: c.flags.dryRun, Log: c.log, Version: version,
		Metrics: serve.NewMetrics(c.board, version), Access: f.access,
		Reconcile: trigger.Asked{Nudge: c.asked}, Webhook: c.webhook(), Records: c.records,
	}
	c.engine.Called = func(call engine.Call) { server.Metrics.EngineCall(call.Operation, call.Code, call.Took) }
	if f.cert != "" {
		var err error
		if server.Certificate, err = serve.NewCertificate(f.cert, f.key, c.log); err != nil {
			return err
		}
	}
	c.listen("--listen "+f.listen, func() error { return server.ListenAndServe(ctx, f.listen) })
	return nil
}

// listen is a part that ends everything when it cannot go on.
func (c *controller) listen(what string, serve func() error) {
	c.running.Go(func() {
		if err := serve(); err != nil {
			c.stop(fmt.Errorf("%s: %w", what, err))
		}
	})
}
