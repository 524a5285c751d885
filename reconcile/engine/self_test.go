package engine

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestIDsIn(t *testing.T) {
	id := strings.Repeat("0a1b2c3d", 8)
	for name, c := range map[string]struct {
		where *regexp.Regexp
		text  string
		want  []string
	}{
		"cgroup v2, its own namespace": {mountedID,
			"612 590 254:0 /var/lib/docker/containers/" + id + "/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw\n" +
				"613 590 254:0 /var/lib/docker/containers/" + id + "/hosts /etc/hosts rw - ext4 /dev/vda rw\n", []string{id}},
		"another data root":  {mountedID, "613 590 0:1 /srv/docker/containers/" + id + "/hostname /etc/hostname rw - ext4 x rw", []string{id}},
		"cgroup v1":          {cgroupID, "12:pids:/docker/" + id + "\n", []string{id}},
		"cgroup v1, systemd": {cgroupID, "1:name=systemd:/system.slice/docker-" + id + ".scope\n", []string{id}},
		"a machine":          {mountedID, "24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n", nil},
		"a machine that has containers": {mountedID,
			"709 44 0:170 / /var/lib/docker/containers/" + id + "/mounts/secrets ro,relatime shared:36 - tmpfs tmpfs ro\n" +
				"710 44 0:171 / /var/lib/docker/containers/" + id + "/mounts/shm rw,relatime shared:37 - tmpfs shm rw\n", nil},
		"a machine's files in a container": {mountedID,
			"613 590 254:0 /var/lib/docker/containers/" + id + "/hosts /host/etc/hosts rw - ext4 /dev/vda rw\n", nil},
		"no cgroup of Docker's": {cgroupID, "0::/user.slice\n", nil},
		"too short for an id":   {mountedID, "613 590 254:0 /containers/0a1b2c3d/hosts /etc/hosts rw - ext4 /dev/vda rw\n", nil},
		"an image layer is not": {cgroupID, "/var/lib/docker/overlay2/" + id + "/merged", nil},
	} {
		if got := idsIn(c.where, c.text); !slices.Equal(got, c.want) {
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
