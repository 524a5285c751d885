package source

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// httpRemote is a repository on a web server. A redirect that leads to another
// host takes no credentials there.
type httpRemote struct {
	session transport.UploadPackSession
	pool    *http.Transport
	adv     *packp.AdvRefs
}

func newHTTPRemote(ep *transport.Endpoint, a GitAccess) (remote, error) {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.ResponseHeaderTimeout = time.Minute
	if a.CAFile != "" {
		roots, err := authorities(a.CAFile)
		if err != nil {
			return nil, err
		}
		pool.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	auth := &githttp.BasicAuth{Username: cmp.Or(a.Username, ep.User, "git"), Password: ep.Password}
	if a.TokenFile != "" {
		token, err := os.ReadFile(a.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("--git-token-file: %w", err)
		}
		if auth.Password = strings.TrimSpace(string(token)); auth.Password == "" {
			return nil, fmt.Errorf("--git-token-file %s: the file is empty", a.TokenFile)
		}
	}
	anonymous := auth.Password == "" && a.Username == "" && ep.User == ""
	ep.User, ep.Password = "", "" // so that no error quotes them
	var method transport.AuthMethod
	if !anonymous {
		method = auth
	}
	client := githttp.NewClient(&http.Client{Transport: pool})
	session, err := client.NewUploadPackSession(ep, method)
	if err != nil {
		return nil, err
	}
	return &httpRemote{session: session, pool: pool}, nil
}

// authorities are the machine's and those of a file.
func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--git-ca-file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--git-ca-file %s: there is no certificate in it", file)
	}
	return roots, nil
}

const httpRefused = "give a token that may read it with --git-token-file FILE (and --git-username where it is not a token alone)"

func (h *httpRemote) refs(ctx context.Context) (gitRefs, error) {
	if h.adv == nil {
		adv, err := h.session.AdvertisedReferencesContext(ctx)
		var unknown x509.UnknownAuthorityError
		if errors.As(err, &unknown) {
			return gitRefs{}, fmt.Errorf("%w; give the authority that signed it with --git-ca-file", err)
		}
		if err != nil {
			return gitRefs{}, told(err, httpRefused)
		}
		h.adv = adv
	}
	return readRefs(h.adv), nil
}

func (h *httpRemote) fetch(ctx context.Context, w want, to io.Writer) error {
	if _, err := h.refs(ctx); err != nil {
		return err
	}
	req := request(h.adv, w)
	answer, err := h.session.UploadPack(ctx, req)
	if err != nil {
		return told(err, httpRefused)
	}
	return errors.Join(receive(req, answer, to), answer.Close())
}

func (h *httpRemote) close() {
	_ = h.session.Close()
	h.pool.CloseIdleConnections()
}
