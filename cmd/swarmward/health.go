package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is less than any container health check waits.
const healthTimeout = 3 * time.Second

func (a *app) healthCmd() *cobra.Command {
	var listen, cert string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running controller whether it is alive (for HEALTHCHECK)",
		Long: `Ask GET /healthz of the swarmward run on this machine, on the address that its
--listen names, and exit with 0 when it answers. It takes at most 3 s.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return health(cmd.Context(), listen, cert != "") },
	}
	cmd.Flags().StringVar(&listen, "listen", ":8080", "`ADDRESS` that run listens on")
	cmd.Flags().StringVar(&cert, "tls-cert", "", "run's `FILE`, where it has one: ask with TLS")
	return cmd
}

func health(ctx context.Context, listen string, secure bool) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--listen %q: %w; write it as run's, such as :8080", listen, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, port) + "/healthz"
	client := &http.Client{}
	if secure {
		url = strings.Replace(url, "http:", "https:", 1)
		// It is this machine's own process, by an address that no certificate is for.
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("health: no controller answers: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s answered %s", url, res.Status)
	}
	return nil
}
