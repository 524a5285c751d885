package swarmlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const netnsDir = "/run/netns"

// connect makes the lab's network: a switch, which is a bridge in a network
// namespace of its own, with one cable to the root namespace and one to each
// node. The bridge is not in the root namespace because there the machine's own
// firewall may filter what a bridge forwards.
//
// Nodes have no default route: an image that is not there fails at once instead
// of after the time-outs of a registry.
func (l *Lab) connect(ctx context.Context) error {
	sw := l.slot.name()
	steps := [][]string{
		{"netns", "add", sw},
		{"-n", sw, "link", "add", "br0", "type", "bridge"},
		{"-n", sw, "link", "set", "br0", "up"},
		{"link", "add", sw, "type", "veth", "peer", "name", "up0", "netns", sw},
		{"-n", sw, "link", "set", "up0", "master", "br0", "up"},
		{"addr", "add", l.slot.addr(1) + "/24", "dev", sw},
		{"link", "set", sw, "up"},
	}
	for _, n := range l.Nodes {
		steps = append(steps, [][]string{
			{"netns", "add", n.Netns},
			{"-n", n.Netns, "link", "set", "lo", "up"},
			{"link", "add", n.Name, "netns", sw, "type", "veth", "peer", "name", "eth0", "netns", n.Netns},
			{"-n", sw, "link", "set", n.Name, "master", "br0", "up"},
			{"-n", n.Netns, "addr", "add", n.Addr + "/24", "dev", "eth0"},
			{"-n", n.Netns, "link", "set", "eth0", "up"},
		}...)
	}
	for _, step := range steps {
		if err := ip(ctx, step...); err != nil {
			return err
		}
	}
	return nil
}

// disconnect removes the slot's link and network namespaces, as many as exist.
func (s *slot) disconnect() error {
	ctx := context.Background()
	var errs []error
	// A namespace's links go some time after the namespace; this one has a name
	// that the next lab wants.
	if _, err := os.Lstat(filepath.Join("/sys/class/net", s.name())); err == nil {
		errs = append(errs, ip(ctx, "link", "del", s.name()))
	}
	for _, netns := range s.namespaces() {
		errs = append(errs, ip(ctx, "netns", "del", netns))
	}
	return errors.Join(errs...)
}

// namespaces are the names of the slot's network namespaces that exist.
func (s *slot) namespaces() []string {
	entries, _ := os.ReadDir(netnsDir) // absent until the first namespace is made
	var names []string
	for _, e := range entries {
		if s.owns(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

func ip(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Disconnect pulls the node's cable; what runs on the node goes
// on, and hears of no other.
func (n *Node) Disconnect(ctx context.Context) error {
	return ip(ctx, "-n", n.Netns, "link", "set", "eth0", "down")
}

// Reconnect plugs it in again.
func (n *Node) Reconnect(ctx context.Context) error {
	return ip(ctx, "-n", n.Netns, "link", "set", "eth0", "up")
}
