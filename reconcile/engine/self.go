package engine

import (
	"context"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/swarm"
)

// A container's id is in what the kernel tells of a process in it: Docker mounts
// the container's hosts file from a folder named by the id, and with cgroup v1
// names the cgroup by it. Other mounts in such folders, as of a container's secrets,
// are seen by the processes of the whole machine.
var (
	mountedID = regexp.MustCompile(`(?m)^\d+ \d+ \S+ \S*/containers/([0-9a-f]{64})/\S+ /etc/(?:hosts|hostname|resolv\.conf) `)
	cgroupID  = regexp.MustCompile(`/docker[/-]([0-9a-f]{64})\b`)
)

// ownContainers are the ids that the container of this process may have, best
// first; none when it runs outside any container. A hostname is a container's
// short id unless somebody changed it.
var ownContainers = sync.OnceValue(func() []string {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	cgroups, _ := os.ReadFile("/proc/self/cgroup")
	ids := append(idsIn(mountedID, string(mounts)), idsIn(cgroupID, string(cgroups))...)
	_, err := os.Stat("/.dockerenv")
	if host, herr := os.Hostname(); herr == nil && err == nil {
		ids = append(ids, host)
	}
	return ids
})

func idsIn(what *regexp.Regexp, text string) []string {
	var ids []string
	for _, m := range what.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(ids, m[1]) {
			ids = append(ids, m[1])
		}
	}
	return ids
}

// self is this process as a container of the Engine that it talks to.
type self struct {
	id       string          // empty when that Engine has no such container, or does not tell
	networks map[string]bool // ids of the networks that it is on, where id is known
	inside   bool            // this process runs in some container
}

func (e *Engine) self(ctx context.Context) self {
	ids := ownContainers()
	for _, id := range ids {
		c, err := e.api.ContainerInspect(ctx, id)
		if err != nil || c.ContainerJSONBase == nil || c.NetworkSettings == nil || !strings.HasPrefix(c.ID, id) {
			continue
		}
		s := self{id: c.ID, networks: map[string]bool{}, inside: true}
		for _, n := range c.NetworkSettings.Networks {
			s.networks[n.NetworkID] = true
		}
		return s
	}
	return self{inside: len(ids) > 0}
}

// labelService is Swarm's own label on the container of a task.
const labelService = "com.docker.swarm.service.name"

// OwnService is the full name of the service that this process is a task of;
// empty when it is none, or the Engine does not tell.
func (e *Engine) OwnService(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, e.timeout())
	defer cancel()
	for _, id := range ownContainers() {
		if c, err := e.api.ContainerInspect(ctx, id); err == nil && c.Config != nil {
			return c.Config.Labels[labelService]
		}
	}
	return ""
}

// on tells whether this process is on the network of a task's attachment. Where
// the Engine does not tell (it is another node's, or a proxy keeps containers
// to itself) an address of our own in the attachment's subnet does.
func (s self) on(a swarm.NetworkAttachment) bool {
	if s.id != "" || !s.inside {
		return s.networks[a.Network.ID]
	}
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(a.Addresses, func(addr string) bool { return sharesSubnet(own, addr) })
}

func sharesSubnet(own []net.Addr, addr string) bool {
	want, err := netip.ParsePrefix(addr)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		have, err := netip.ParsePrefix(a.String())
		return err == nil && have.Masked() == want.Masked()
	})
}
