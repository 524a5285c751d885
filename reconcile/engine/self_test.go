package engine

import (
	"net"
	"slices"
	"strings"
	"testing"
)

func TestIDsIn(t *testing.T) {
	id := strings.Repeat("0a1b2c3d", 8)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"cgroup v2, its own namespace": {
			"612 590 254:0 /var/lib/docker/containers/" + id + "/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw\n" +
				"613 590 254:0 /var/lib/docker/containers/" + id + "/hosts /etc/hosts rw - ext4 /dev/vda rw\n", []string{id}},
		"another data root":     {"613 590 0:1 /srv/docker/containers/" + id + "/hostname /etc/hostname rw - ext4 x rw", []string{id}},
		"cgroup v1":             {"12:pids:/docker/" + id + "\n", []string{id}},
		"cgroup v1, systemd":    {"1:name=systemd:/system.slice/docker-" + id + ".scope\n", []string{id}},
		"a machine":             {"24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n0::/user.slice\n", nil},
		"too short for an id":   {"/containers/0a1b2c3d/hosts", nil},
		"an image layer is not": {"/var/lib/docker/overlay2/" + id + "/merged", nil},
	} {
		if got := idsIn(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestSharesSubnet(t *testing.T) {
	ip, own, err := net.ParseCIDR("10.0.3.7/24")
	if err != nil {
		t.Fatal(err)
	}
	own.IP = ip
	for addr, want := range map[string]bool{
		"10.0.3.12/24": true,
		"10.0.4.12/24": false,
		"10.0.3.12/25": false, // another network that happens to begin there
		"nonsense":     false,
	} {
		if got := sharesSubnet([]net.Addr{own}, addr); got != want {
			t.Errorf("%s: %t", addr, got)
		}
	}
}
