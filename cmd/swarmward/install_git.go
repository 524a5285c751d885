package main

import (
	"fmt"
	neturl "net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// gitCache is where the service keeps what it fetched, on a volume of the node.
const gitCache = "/var/cache/swarmward"

// What flags about git name files, and which of those are secret.
var (
	gitSecrets = []string{"git-token-file", "git-ssh-key-file"}
	gitConfigs = []string{"git-ca-file", "git-known-hosts", "allowed-signers", "allowed-gpg-keys", "revoked-signers"}
	gitPlain   = []string{"git", "git-ref", "git-path", "git-username", "git-max-size", "verify"}
)

// carryGit names the repository to the service as it is named here, and carries
// what it takes to read it.
func (o *own) carryGit(flags *pflag.FlagSet) error {
	url := flags.Lookup("git").Value.String()
	if filepath.IsAbs(url) || strings.HasPrefix(url, ".") || strings.HasPrefix(url, "file:") || !strings.Contains(url, ":") {
		return fmt.Errorf("--git %s: the service has no part in this machine's files; name a repository that it can reach", url)
	}
	if u, err := neturl.Parse(url); err == nil && u.User != nil {
		// A name with no token beside it is a token, for some forges.
		if _, password := u.User.Password(); password || strings.HasPrefix(u.Scheme, "http") && !flags.Changed("git-token-file") {
			return fmt.Errorf("--git: a password or token in the URL is shown to whoever may look at the service; give it with --git-token-file")
		}
	}
	if !strings.HasPrefix(url, "http") && !flags.Changed("git-known-hosts") {
		o.note("the service knows no SSH server's host key: give --git-known-hosts FILE, which `ssh-keyscan` can begin")
	}
	for _, name := range gitPlain {
		if !flags.Changed(name) {
			continue
		}
		values := []string{flags.Lookup(name).Value.String()}
		if many, ok := flags.Lookup(name).Value.(pflag.SliceValue); ok {
			values = many.GetSlice()
		}
		for _, v := range values {
			o.command = append(o.command, "--"+name, v)
		}
	}
	o.command = append(o.command, "--git-cache", gitCache)
	o.cached = true
	return o.carryFlagFiles(flags, slices.Concat(gitSecrets, gitConfigs))
}

// carryFlagFiles gives the service the files that such flags name.
func (o *own) carryFlagFiles(flags *pflag.FlagSet, names []string) error {
	for _, name := range names {
		if !flags.Changed(name) {
			continue
		}
		file, at := flags.Lookup(name).Value.String(), specsFolder+"/"+name
		if slices.Contains(gitSecrets, name) {
			key, err := o.secret(name, file, "")
			if err != nil {
				return err
			}
			at = secretsFolder + "/" + key
		} else {
			abs, err := filepath.Abs(file)
			if err != nil {
				return err
			}
			if err := o.config(abs, at); err != nil {
				return err
			}
		}
		o.command = append(o.command, "--"+name, at)
	}
	return nil
}

// carryIdentities are what opens files that are encrypted.
func (o *own) carryIdentities(files []string) error {
	for _, f := range files {
		key, err := o.secret("age_identity", f, "")
		if err != nil {
			return err
		}
		o.command = append(o.command, "--age-identity", secretsFolder+"/"+key)
	}
	return nil
}
