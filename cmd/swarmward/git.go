package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/swarmward/swarmward/spec/source"
)

// gitFlags say which repository the specs are in, and whose commits are taken.
type gitFlags struct {
	source.Git
	maxSize string
	source  *source.Git // once asked for
}

// the default of --git-max-size
const gitMaxSize = "1g"

// takesGit gives a verb the flags of specs that are in git.
func (a *app) takesGit(cmd *cobra.Command) {
	g, f := &a.git, cmd.Flags()
	f.StringVar(&g.URL, "git", "", "`URL` of the git repository that the specs are in, in place of -f: https://…, ssh://…, git@HOST:PATH or a path")
	f.StringVar(&g.Ref, "git-ref", "", "`BRANCH`, tag or full commit id to take (default: the repository's HEAD)")
	f.StringArrayVar(&g.Paths, "git-path", nil, "`PATH` in the repository, of a file or folder, as -f takes it; may be repeated (default: desired-state.yaml)")
	f.StringVar(&g.Access.TokenFile, "git-token-file", "", "`FILE` with the token or password for HTTPS")
	f.StringVar(&g.Access.Username, "git-username", "", "`NAME` that goes with the token (default: the one in the URL, or git)")
	f.StringVar(&g.Access.CAFile, "git-ca-file", "", "`FILE` of certificates that the HTTPS server may be signed by, beside the machine's")
	f.StringVar(&g.Access.SSHKeyFile, "git-ssh-key-file", "", "`FILE` with the private key for SSH (default: the SSH agent's)")
	f.StringVar(&g.Access.KnownHosts, "git-known-hosts", "", "`FILE` with the host keys of SSH servers; others are refused (default: ~/.ssh/known_hosts)")
	f.StringVar(&g.Cache, "git-cache", "", "`FOLDER` to keep fetched commits in (default: in the user's cache folder)")
	f.StringVar(&g.maxSize, "git-max-size", gitMaxSize, "how large a repository may be in the cache, a `SIZE` such as 500m")
	f.StringVar(&g.Verify.What, "verify", "", "take only what is signed: `head`, the commit, or tag, the tag that --git-ref names")
	f.StringVar(&g.Verify.AllowedSigners, "allowed-signers", "", "`FILE` with the SSH keys that may sign, as ssh-keygen's allowed_signers")
	f.StringVar(&g.Verify.AllowedKeys, "allowed-gpg-keys", "", "`FILE` with the OpenPGP public keys that may sign, armored")
	f.StringVar(&g.Verify.RevokedSigners, "revoked-signers", "", "`FILE` with keys that may sign no longer: SSH public keys or OpenPGP fingerprints, one a line")
}

// ofNoUseAlone are flags that somebody gave for nothing, and would rely on,
// where there is no --git.
var ofNoUseAlone = []string{
	"git-ref", "git-path", "git-token-file", "git-username", "git-ca-file", "git-ssh-key-file", "git-known-hosts",
	"verify", "allowed-signers", "allowed-gpg-keys", "revoked-signers",
}

// check says what does not go together.
func (g *gitFlags) check(f *pflag.FlagSet) error {
	if f.Lookup("git") == nil {
		return nil
	}
	if g.URL == "" {
		for _, name := range ofNoUseAlone {
			if f.Changed(name) {
				return fmt.Errorf("--%s says something about a git repository, and none is given; name one with --git URL", name)
			}
		}
		return nil
	}
	if f.Changed("file") {
		return errors.New("-f and --git: the specs are in files or in git; give one of the two (a path inside of the repository is --git-path)")
	}
	size, err := units.RAMInBytes(g.maxSize)
	if err != nil || size <= 0 {
		return fmt.Errorf("--git-max-size %q: must be a size, such as 500m or 1g", g.maxSize)
	}
	g.MaxSize = size
	return g.Verify.Check()
}

// from is where the specs are.
func (a *app) from() (source.Source, error) {
	if a.git.URL == "" {
		return source.Files(a.files), nil
	}
	if a.git.source == nil {
		if a.git.Cache == "" {
			dir, err := os.UserCacheDir()
			if err != nil {
				return nil, fmt.Errorf("there is no folder to keep the repository in: %w; name one with --git-cache", err)
			}
			a.git.Cache = source.DefaultCache(dir)
		}
		a.git.source = source.NewGit(a.git.Git)
	}
	return a.git.source, nil
}

// place is the source in a word.
func (a *app) place() string {
	if a.git.URL != "" {
		return source.Masked(a.git.URL)
	}
	return strings.Join(a.files, ", ")
}

// checkout is what the source holds. What it held earlier is not enough for
// somebody who looks now.
func (a *app) checkout(ctx context.Context) (*source.Checkout, error) {
	if a.git.URL == "" {
		inputs, err := source.Paths(a.files)
		return &source.Checkout{Inputs: inputs}, err
	}
	from, err := a.from()
	if err != nil {
		return nil, err
	}
	return from.Get(ctx)
}

// tellCommit logs which commit the specs are from now, when it is another one.
func tellCommit(log *slog.Logger, was, now *source.Checkout) {
	if now.Commit == nil || was != nil && was.Commit != nil && was.Commit.ID == now.Commit.ID {
		return
	}
	c := now.Commit
	args := []any{"commit", c.ID, "ref", c.Ref, "author", c.Author, "subject", c.Subject}
	if c.Signer != "" {
		args = append(args, "signed_by", c.Signer)
	}
	log.Info("the specs are from another commit now", args...)
}
