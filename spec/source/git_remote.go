package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// remote is a repository somewhere else.
type remote interface {
	refs(ctx context.Context) (gitRefs, error)
	// fetch writes a pack with what is wanted: the commits, their folders, and
	// the files that are not larger than maxFile, where it knows how to leave out
	// others.
	fetch(ctx context.Context, w want, to io.Writer) error
	close()
}

// maxFile is the size of the largest file that is of any use: Swarm takes
// configs of up to 1,023,999 bytes, and encrypted and armored they are larger.
const maxFile = 2 << 20

// Where who one is stands in a URL: before the last @ of the host, as URLs are
// read, and before any @ where nobody can read it.
var (
	userInfo = regexp.MustCompile(`^([A-Za-z]+://)([^/]*)@`)
	unread   = regexp.MustCompile(`^([A-Za-z]+://)(.*)@`)
)

// Masked is a repository's URL without the credentials that may be in it.
func Masked(repo string) string {
	mask := userInfo
	if _, err := url.Parse(repo); err != nil {
		mask = unread
	}
	if m := mask.FindStringSubmatch(repo); m != nil && strings.EqualFold(m[1], "ssh://") && !strings.Contains(m[2], ":") {
		return repo // the name of a user tells nothing
	}
	return mask.ReplaceAllString(repo, "${1}***@")
}

func withoutUser(url string) string { return userInfo.ReplaceAllString(url, "${1}") }

// newRemote knows by the URL how to speak to it.
func newRemote(repo string, a GitAccess) (remote, error) {
	ep, err := transport.NewEndpoint(repo)
	if err != nil {
		return nil, errors.New("this is no URL of a repository; write https://HOST/PATH, ssh://git@HOST/PATH, git@HOST:PATH or a path")
	}
	switch ep.Protocol {
	case "http", "https":
		return newHTTPRemote(ep, a)
	case "ssh":
		return newSSHRemote(ep, a)
	case "file":
		if u, err := url.Parse(repo); err == nil && u.Scheme == "file" {
			ep.Path = u.Path
		}
		return openLocalRemote(ep.Path)
	}
	return nil, fmt.Errorf("%s:// is not spoken here; use https, ssh or a path", ep.Protocol)
}

// readRefs takes what a server advertises.
func readRefs(adv *packp.AdvRefs) gitRefs {
	out := gitRefs{byName: map[string]plumbing.Hash{}}
	for name, hash := range adv.References {
		out.byName[name] = hash
	}
	if adv.Head != nil {
		out.at = adv.Head.String()
	}
	for _, s := range adv.Capabilities.Get(capability.SymRef) {
		if branch, ok := strings.CutPrefix(s, "HEAD:"); ok {
			out.head = branch
		}
	}
	return out
}

// request asks for a pack in the words that the server understands.
func request(adv *packp.AdvRefs, w want) *packp.UploadPackRequest {
	req := packp.NewUploadPackRequestFromCapabilities(adv.Capabilities)
	req.Wants = w.hashes
	if adv.Capabilities.Supports(capability.NoProgress) {
		_ = req.Capabilities.Set(capability.NoProgress)
	}
	if adv.Capabilities.Supports(capability.Shallow) && !w.deep {
		_ = req.Capabilities.Set(capability.Shallow)
		req.Depth = packp.DepthCommits(1)
		req.Haves, req.Shallows = w.have, w.have
	}
	if adv.Capabilities.Supports(capability.Filter) {
		_ = req.Capabilities.Set(capability.Filter)
		req.Filter = packp.FilterBlobLimit(maxFile+1, packp.BlobLimitPrefixNone)
	}
	return req
}

// receive copies the pack out of a server's answer.
func receive(req *packp.UploadPackRequest, answer io.Reader, to io.Writer) error {
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		answer = sideband.NewDemuxer(sideband.Sideband64k, answer)
	case req.Capabilities.Supports(capability.Sideband):
		answer = sideband.NewDemuxer(sideband.Sideband, answer)
	}
	_, err := io.Copy(to, answer)
	return err
}

// told is an error of the transport in words that say what to do.
func told(err error, refused string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return errEmptyRepository
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return errors.New("there is no such repository, or these credentials may not see it; correct --git, or " + refused)
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return errors.New("the server refuses access; " + refused)
	}
	return err
}
