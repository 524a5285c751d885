package source

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// sshRemote is a repository behind an SSH server that is known. Each exchange
// has a connection of its own, which goes with the context.
type sshRemote struct {
	address, path string
	config        *ssh.ClientConfig
	agent         net.Conn // nil: a key from a file
	open          *sshExchange
}

const (
	sshConnect = 30 * time.Second
	sshRefused = "add the key to the repository's deploy keys, and name it with --git-ssh-key-file"
)

func newSSHRemote(ep *transport.Endpoint, a GitAccess) (remote, error) {
	host := net.JoinHostPort(ep.Host, strconv.Itoa(cmp.Or(ep.Port, 22)))
	known, err := knownHosts(a.KnownHosts)
	if err != nil {
		return nil, err
	}
	r := &sshRemote{address: host, path: ep.Path, config: &ssh.ClientConfig{
		User: cmp.Or(ep.User, a.Username, "git"), Timeout: sshConnect,
		HostKeyCallback: known.HostKeyCallback(), HostKeyAlgorithms: known.HostKeyAlgorithms(host),
	}}
	if a.SSHKeyFile == "" {
		return r, r.useAgent()
	}
	data, err := os.ReadFile(a.SSHKeyFile)
	if err != nil {
		return nil, fmt.Errorf("--git-ssh-key-file: %w", err)
	}
	key, err := ssh.ParsePrivateKey(data)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("--git-ssh-key-file %s: the key has a passphrase, and nobody is there to type it; use a deploy key without one, or the SSH agent", a.SSHKeyFile)
	case err != nil:
		return nil, fmt.Errorf("--git-ssh-key-file %s: this is no SSH private key", a.SSHKeyFile)
	}
	r.config.Auth = []ssh.AuthMethod{ssh.PublicKeys(key)}
	return r, nil
}

// knownHosts are those of a file, or those that ssh itself knows. Nobody else
// is trusted.
func knownHosts(file string) (*knownhosts.HostKeyDB, error) {
	files := []string{file}
	if file == "" {
		files = nil
		home, _ := os.UserHomeDir()
		for _, path := range []string{filepath.Join(home, ".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"} {
			if _, err := os.Stat(path); err == nil {
				files = append(files, path)
			}
		}
		if len(files) == 0 {
			return nil, errors.New("no known_hosts says which SSH server is the right one; give one with --git-known-hosts FILE")
		}
	}
	known, err := knownhosts.NewDB(files...)
	if err != nil {
		return nil, fmt.Errorf("--git-known-hosts: %w", err)
	}
	return known, nil
}

func (r *sshRemote) useAgent() error {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return errors.New("there is no SSH key to show the server; give one with --git-ssh-key-file FILE")
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return fmt.Errorf("the SSH agent does not answer: %w; give a key with --git-ssh-key-file FILE", err)
	}
	r.agent = conn
	r.config.Auth = []ssh.AuthMethod{ssh.PublicKeysCallback(agent.NewClient(conn).Signers)}
	return nil
}

// sshExchange is git-upload-pack at work on the server.
type sshExchange struct {
	client *ssh.Client
	stop   func() bool
	in     io.WriteCloser
	out    io.Reader
	stderr *firstBytes
	adv    *packp.AdvRefs
}

func (x *sshExchange) end() {
	x.stop()
	_ = x.client.Close()
}

// start connects and reads what the server advertises.
func (r *sshRemote) start(ctx context.Context) (*sshExchange, error) {
	dialer := net.Dialer{Timeout: sshConnect}
	conn, err := dialer.DialContext(ctx, "tcp", r.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(sshConnect)) // of the handshake
	c, channels, requests, err := ssh.NewClientConn(conn, r.address, r.config)
	if err != nil {
		stop()
		_ = conn.Close()
		return nil, r.handshake(err)
	}
	_ = conn.SetDeadline(time.Time{})
	x := &sshExchange{client: ssh.NewClient(c, channels, requests), stop: stop, stderr: &firstBytes{}}
	if err := x.upload(r.path); err != nil {
		x.end()
		return nil, err
	}
	return x, nil
}

func (x *sshExchange) upload(path string) error {
	session, err := x.client.NewSession()
	if err != nil {
		return err
	}
	if x.in, err = session.StdinPipe(); err != nil {
		return err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return err
	}
	x.out, session.Stderr = bufio.NewReader(out), x.stderr
	if err := session.Start("git-upload-pack '" + strings.ReplaceAll(strings.ReplaceAll(path, "'", `'\''`), "!", `'\!'`) + "'"); err != nil {
		return err
	}
	adv := packp.NewAdvRefs()
	switch err := adv.Decode(x.out); {
	case errors.Is(err, packp.ErrEmptyAdvRefs), err == nil && adv.IsEmpty():
		return errEmptyRepository
	case err != nil:
		_ = session.Wait() // until all is said
		return x.said(err)
	}
	transport.FilterUnsupportedCapabilities(adv.Capabilities)
	x.adv = adv
	return nil
}

// said is an error with what the server wrote about it.
func (x *sshExchange) said(err error) error {
	if text := x.stderr.text(); text != "" {
		return fmt.Errorf("the server says: %s; correct the path in --git, or %s", text, sshRefused)
	}
	return err
}

func (r *sshRemote) handshake(err error) error {
	switch {
	case knownhosts.IsHostKeyChanged(err):
		return fmt.Errorf("%s shows another host key than the one that is known: it was set up anew, or somebody stands in between; correct --git-known-hosts only if you know that it was", r.address)
	case knownhosts.IsHostUnknown(err):
		return fmt.Errorf("the host key of %s is not known; see it with ssh-keyscan, compare it with what its owner publishes, and add it to --git-known-hosts", r.address)
	case strings.Contains(err.Error(), "unable to authenticate"):
		return errors.New("the SSH server refuses the key; " + sshRefused)
	}
	return err
}

func (r *sshRemote) refs(ctx context.Context) (gitRefs, error) {
	if r.open == nil {
		x, err := r.start(ctx)
		if err != nil {
			return gitRefs{}, err
		}
		r.open = x
	}
	return readRefs(r.open.adv), nil
}

func (r *sshRemote) fetch(ctx context.Context, w want, to io.Writer) error {
	if _, err := r.refs(ctx); err != nil {
		return err
	}
	x := r.open
	r.open = nil // git-upload-pack answers once
	defer x.end()
	req := request(x.adv, w)
	if err := ask(x.in, req); err != nil {
		return err
	}
	answer := packp.NewUploadPackResponse(req)
	if err := answer.Decode(io.NopCloser(x.out)); err != nil {
		return err
	}
	return receive(req, answer, to)
}

func ask(in io.WriteCloser, req *packp.UploadPackRequest) error {
	if err := req.UploadRequest.Encode(in); err != nil {
		return err
	}
	if err := req.UploadHaves.Encode(in, false); err != nil {
		return err
	}
	if err := pktline.NewEncoder(in).EncodeString("done\n"); err != nil {
		return err
	}
	return in.Close()
}

func (r *sshRemote) close() {
	if r.open != nil {
		_ = pktline.NewEncoder(r.open.in).Flush() // nothing is wanted
		r.open.end()
	}
	if r.agent != nil {
		_ = r.agent.Close()
	}
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

func (f *firstBytes) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept.Write(p[:min(len(p), 500-min(f.kept.Len(), 500))])
	return len(p), nil
}

func (f *firstBytes) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(strings.Fields(f.kept.String()), " ")
}
