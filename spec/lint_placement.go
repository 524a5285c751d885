package spec

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

func constraintsOf(s types.ServiceConfig) []string {
	if s.Deploy == nil {
		return nil
	}
	return s.Deploy.Placement.Constraints
}

func (t linter) placement(name string, s types.ServiceConfig) {
	at := []string{"services", name, "deploy", "placement", "constraints"}
	for i, c := range constraintsOf(s) {
		key, value := splitConstraint(c)
		if !knownConstraint(key) {
			t.warn("constraint-unknown", "no node matches a constraint with the key "+strconv.Quote(t.l.redact(key))+", and the tasks stay pending",
				didYouMean(strings.ToLower(key), constraintKeys, "write node.hostname, node.id, node.ip, node.role, node.labels.NAME, node.platform.os, node.platform.arch or engine.labels.NAME"),
				t.l.item(i, len(constraintsOf(s)), at...)...)
		}
		if strings.EqualFold(key, "node.role") && !strings.EqualFold(value, "manager") && !strings.EqualFold(value, "worker") {
			t.warn("constraint-unknown", "a node's role is manager or worker, and nothing else",
				didYouMean(strings.ToLower(value), []string{"manager", "worker"}, "write node.role == manager or node.role == worker"),
				t.l.item(i, len(constraintsOf(s)), at...)...)
		}
	}
	t.hostPorts(name, s)
	t.volumePlacement(name, s)
}

// splitConstraint is the key and value of a constraint; both operators mean
// that the key is compared.
func splitConstraint(c string) (key, value string) {
	for _, operator := range []string{"==", "!="} {
		if key, value, ok := strings.Cut(c, operator); ok {
			return strings.TrimSpace(key), strings.TrimSpace(value)
		}
	}
	return strings.TrimSpace(c), ""
}

var constraintKeys = []string{"node.hostname", "node.id", "node.ip", "node.role", "node.platform.os", "node.platform.arch"}

func knownConstraint(key string) bool {
	key = strings.ToLower(key)
	for _, prefix := range []string{"node.labels.", "engine.labels."} {
		if strings.HasPrefix(key, prefix) && len(key) > len(prefix) {
			return true
		}
	}
	return slices.Contains(constraintKeys, key)
}

// onOneNode reports whether the constraints leave a single node.
func onOneNode(s types.ServiceConfig) bool {
	return slices.ContainsFunc(constraintsOf(s), func(c string) bool {
		key, _ := splitConstraint(c)
		key = strings.ToLower(key)
		return strings.Contains(c, "==") && (key == "node.hostname" || key == "node.id")
	})
}

func replicated(s types.ServiceConfig) bool {
	return s.Deploy == nil || !strings.HasPrefix(s.Deploy.Mode, "global")
}

func replicas(s types.ServiceConfig) int {
	switch {
	case s.Deploy != nil && s.Deploy.Replicas != nil:
		return *s.Deploy.Replicas
	case s.Scale != nil:
		return *s.Scale
	}
	return 1
}

// hostPort is a port that is published in host mode.
func hostPort(s types.ServiceConfig) bool {
	return slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool {
		return p.Mode == "host" && p.Published != "" && p.Published != "0"
	})
}

func (t linter) hostPorts(name string, s types.ServiceConfig) {
	if replicated(s) && replicas(s) > 1 && hostPort(s) && onOneNode(s) {
		t.warn("host-port-replicas", "the replicas are pinned to one node and each wants the same port of it: all but one stay pending",
			"write replicas: 1, or remove the constraint and write max_replicas_per_node: 1", "services", name, "deploy", "replicas")
	}
}

// volumePlacement reports volumes that another node would not have.
func (t linter) volumePlacement(name string, s types.ServiceConfig) {
	if !replicated(s) || len(constraintsOf(s)) > 0 {
		return
	}
	for i, m := range s.Volumes {
		v, ok := t.project.Volumes[m.Source]
		if (m.Type != types.VolumeTypeVolume && m.Type != "") || !ok || !nodeLocal(v) || m.ReadOnly {
			continue
		}
		t.warn("volume-placement", "the volume "+m.Source+" lives on one node, and Swarm may start the task on another, where it is empty",
			"pin the service under deploy.placement.constraints, such as node.hostname == NAME", t.l.item(i, len(s.Volumes), "services", name, "volumes")...)
	}
}

// What a volume of the local driver mounts that every node sees.
var sharedFileSystem = regexp.MustCompile(`(?i)nfs|cifs|smb|gluster|ceph|lustre|sshfs|fuse|9p`)

func nodeLocal(v types.VolumeConfig) bool {
	if bool(v.External) || v.Driver != "" && v.Driver != "local" {
		return false
	}
	kind := v.DriverOpts["type"]
	return !sharedFileSystem.MatchString(kind) && kind != "tmpfs"
}

// mounts reports targets that are no absolute path.
func (t linter) mounts(name string, s types.ServiceConfig) {
	for i, m := range s.Volumes {
		drive := len(m.Target) > 1 && m.Target[1] == ':'
		if m.Target != "" && !drive && !path.IsAbs(m.Target) && !strings.HasPrefix(m.Target, `\`) {
			t.warn("mount-relative", "the target is no absolute path, and the Engine refuses the tasks one by one", "begin it with a slash",
				t.l.item(i, len(s.Volumes), "services", name, "volumes")...)
		}
	}
}

// Databases of which two on one folder destroy it, or refuse to start.
var singleWriter = []string{
	"redis", "valkey", "keydb", "postgres", "postgresql", "timescaledb", "postgis", "mysql", "mariadb", "percona", "mongo", "mongodb",
	"rabbitmq", "elasticsearch", "opensearch", "clickhouse-server", "influxdb", "prometheus", "etcd", "zookeeper", "kafka", "minio",
}

func (t linter) update(name string, s types.ServiceConfig) {
	if s.Deploy == nil || s.Deploy.UpdateConfig == nil {
		return
	}
	u := s.Deploy.UpdateConfig
	if u.FailureAction == "continue" {
		t.warn("update-continue", "the update carries on past failing tasks, and Swarm reports it as completed when all have failed",
			"write pause or rollback", "services", name, "deploy", "update_config", "failure_action")
	}
	if u.Order != "start-first" {
		return
	}
	at := []string{"services", name, "deploy", "update_config", "order"}
	base, _, _ := splitImage(s.Image)
	writes := slices.ContainsFunc(s.Volumes, func(m types.ServiceVolumeConfig) bool { return m.Source != "" && !m.ReadOnly })
	switch {
	case hostPort(s):
		t.warn("update-start-first", "the new task wants a port of the node that the old one still has: without a free node the update never ends",
			"write stop-first", at...)
	case writes && slices.Contains(singleWriter, base):
		t.warn("update-start-first", "for a while two servers write to one volume, which a database does not bear",
			"write stop-first", at...)
	}
}
