package reconcile

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
)

// listKind says what the order of a list means.
type listKind int

const (
	ordered listKind = iota // order is meaning: compared as one value
	keyed                   // elements have a key: compared one by one, order is none of our business
	set                     // order is none of our business: compared as a set
)

// field says how one field of swarm.ServiceSpec is compared and what it is
// called in a Compose file. The zero value compares by value under the field's
// own name in snake case.
type field struct {
	// name in the user's words: relative to the parent when it begins with a
	// dot, otherwise relative to the service. "." alone adds nothing.
	name string
	skip bool // not compared: Swarm's own, or not the spec's business
	list listKind
	// key of a list element; nil with list == keyed means the element itself.
	key func(reflect.Value) string
	// value of a list element as text, where the key is only a part of it.
	value func(reflect.Value) *string
	// def is what the Engine makes of the zero value or a nil pointer.
	def any
	// nilDef is the struct that a nil pointer stands for, where that is not
	// the zero struct.
	nilDef func() reflect.Value
	// equal overrides comparison of a leaf; canonical then is one text for all
	// that it finds equal.
	equal     func(live, want reflect.Value) bool
	canonical func(reflect.Value) string
	format    func(reflect.Value) string
	// fold: the Engine reads it without case.
	fold bool
	// since is the minor version of the API that first keeps the field; older
	// Engines drop it without a word.
	since int
	// unhashed: whoever writes the service may fill it in, and so its mark does
	// not cover it.
	unhashed bool
	// secretive: the value is hidden when its key sounds like a secret's.
	secretive bool
}

// fieldTable is the one table of what swarmward knows about a ServiceSpec's
// fields, by their Go names. Defaults are those that the Engine puts in place
// (swarmkit api/defaults, docker daemon/cluster/convert).
func fieldTable() map[string]field {
	m := serviceFields()
	maps.Copy(m, containerFields())
	maps.Copy(m, fileFields())
	maps.Copy(m, taskFields())
	for goName, name := range map[string]string{"UpdateConfig": "deploy.update_config", "RollbackConfig": "deploy.rollback_config"} {
		m[goName] = field{name: name, nilDef: defaultUpdateConfig}
		m[goName+".FailureAction"] = field{def: swarm.UpdateFailureActionPause}
		m[goName+".Order"] = field{def: swarm.UpdateOrderStopFirst}
		m[goName+".Monitor"] = field{def: 5 * time.Second}
	}
	return m
}

func serviceFields() map[string]field {
	return map[string]field{
		"Name":     {skip: true}, // a service cannot be renamed
		"Networks": {skip: true}, // deprecated; TaskTemplate.Networks holds them
		"Labels":   {name: "deploy.labels", secretive: true},

		"TaskTemplate":               {name: "."},
		"TaskTemplate.ForceUpdate":   {skip: true}, // a counter for `docker service update --force`: no state to go back to
		"TaskTemplate.Runtime":       {def: swarm.RuntimeContainer},
		"TaskTemplate.ContainerSpec": {name: "."},

		"Mode":                     {name: "deploy"},
		"Mode.Replicated":          {name: "."},
		"Mode.Replicated.Replicas": {name: "deploy.replicas", def: uint64(1)},
		"Mode.Global":              {name: "."},
		"Mode.ReplicatedJob":       {name: "."},
		// The second follows the first where only that is given, and the spec
		// gives both or none.
		"Mode.ReplicatedJob.MaxConcurrent":    {def: uint64(1)},
		"Mode.ReplicatedJob.TotalCompletions": {name: "deploy.replicas", def: uint64(1)},
		"Mode.GlobalJob":                      {name: "."},

		"EndpointSpec":                       {name: "."},
		"EndpointSpec.Mode":                  {name: "deploy.endpoint_mode", def: swarm.ResolutionModeVIP, fold: true},
		"EndpointSpec.Ports":                 {name: "ports", list: keyed, key: portKey},
		"EndpointSpec.Ports[].TargetPort":    {name: ".target"},
		"EndpointSpec.Ports[].PublishedPort": {name: ".published"},
		"EndpointSpec.Ports[].PublishMode":   {name: ".mode", def: swarm.PortConfigPublishModeIngress, fold: true},
		"EndpointSpec.Ports[].Protocol":      {def: swarm.PortConfigProtocolTCP, fold: true},
	}
}

func containerFields() map[string]field {
	const c = "TaskTemplate.ContainerSpec."
	return map[string]field{
		c + "Image":           {equal: sameImage, canonical: canonicalImage, format: formatImage},
		c + "Command":         {name: "entrypoint"},
		c + "Args":            {name: "command"},
		c + "Dir":             {name: "working_dir"},
		c + "Env":             {name: "environment", list: keyed, key: envKey, value: envValue, secretive: true},
		c + "Groups":          {name: "group_add", list: set},
		c + "Labels":          {name: "labels", secretive: true},
		c + "TTY":             {name: "tty"},
		c + "OpenStdin":       {name: "stdin_open"},
		c + "StopGracePeriod": {def: 10 * time.Second},
		c + "Isolation":       {def: container.IsolationDefault, fold: true},
		c + "Hosts":           {name: "extra_hosts", list: set},
		c + "CapabilityAdd":   {name: "cap_add", list: set},
		c + "CapabilityDrop":  {name: "cap_drop", list: set},
		c + "Ulimits":         {list: keyed, key: byField("Name")},
		c + "OomScoreAdj":     {since: 46},

		c + "Healthcheck.StartInterval":  {since: 44},
		c + "Privileges.NoNewPrivileges": {since: 44},
		c + "Privileges.Seccomp.Mode":    {since: 44, def: swarm.SeccompModeDefault},
		c + "Privileges.Seccomp.Profile": {since: 44, format: formatText},
		c + "Privileges.AppArmor":        {name: ".apparmor"},
		c + "Privileges.AppArmor.Mode":   {since: 44, def: swarm.AppArmorModeDefault},
		c + "Privileges.SELinuxContext":  {name: ".selinux_context"},
		c + "Privileges.CredentialSpec":  {name: "credential_spec"},

		c + "DNSConfig":             {name: "."},
		c + "DNSConfig.Nameservers": {name: "dns"},
		c + "DNSConfig.Search":      {name: "dns_search"},
		c + "DNSConfig.Options":     {name: "dns_opt"},
	}
}

// fileFields are what a container finds in its file system.
func fileFields() map[string]field {
	const c = "TaskTemplate.ContainerSpec."
	return map[string]field{
		c + "Mounts":                 {name: "volumes", list: keyed, key: byField("Target")},
		c + "Mounts[].Type":          {def: mount.TypeBind, fold: true},
		c + "Mounts[].Consistency":   {skip: true}, // dropped by the Engine
		c + "Mounts[].BindOptions":   {name: ".bind"},
		c + "Mounts[].VolumeOptions": {name: ".volume"},
		c + "Mounts[].TmpfsOptions":  {name: ".tmpfs"},
		// Dropped by every Engine, v29 included.
		c + "Mounts[].BindOptions.CreateMountpoint":       {skip: true},
		c + "Mounts[].BindOptions.ReadOnlyNonRecursive":   {skip: true},
		c + "Mounts[].BindOptions.ReadOnlyForceRecursive": {skip: true},
		c + "Mounts[].BindOptions.Propagation":            {def: mount.PropagationRPrivate, fold: true},
		c + "Mounts[].VolumeOptions.NoCopy":               {name: ".nocopy"},
		c + "Mounts[].VolumeOptions.Subpath":              {since: 45},
		c + "Mounts[].VolumeOptions.DriverConfig":         {name: "."},
		c + "Mounts[].VolumeOptions.DriverConfig.Name":    {name: ".driver"},
		c + "Mounts[].VolumeOptions.DriverConfig.Options": {name: ".driver_opts"},
		c + "Mounts[].TmpfsOptions.SizeBytes":             {name: ".size", format: formatBytes},
		c + "Mounts[].TmpfsOptions.Mode":                  {format: formatMode},
		c + "Mounts[].TmpfsOptions.Options":               {since: 46},

		c + "Secrets":              {list: keyed, key: fileTarget, value: fileText},
		c + "Secrets[].SecretID":   {skip: true}, // the name is what people mean
		c + "Secrets[].SecretName": {name: ".source"},
		c + "Secrets[].File":       {name: "."},
		c + "Secrets[].File.Name":  {name: ".target"},
		c + "Secrets[].File.Mode":  {format: formatMode},
		c + "Configs":              {list: keyed, key: fileTarget, value: fileText},
		c + "Configs[].ConfigID":   {skip: true},
		c + "Configs[].ConfigName": {name: ".source"},
		c + "Configs[].File":       {name: "."},
		c + "Configs[].File.Name":  {name: ".target"},
		c + "Configs[].File.Mode":  {format: formatMode},
	}
}

func taskFields() map[string]field {
	return map[string]field{
		"TaskTemplate.Networks":           {name: "networks", list: keyed, key: byField("Target")},
		"TaskTemplate.Networks[].Target":  {name: ".name"},
		"TaskTemplate.Networks[].Aliases": {list: set},

		"TaskTemplate.Resources":                               {name: "deploy.resources"},
		"TaskTemplate.Resources.Limits.NanoCPUs":               {name: ".cpus", format: formatCPUs},
		"TaskTemplate.Resources.Limits.MemoryBytes":            {name: ".memory", format: formatBytes},
		"TaskTemplate.Resources.Reservations.NanoCPUs":         {name: ".cpus", format: formatCPUs},
		"TaskTemplate.Resources.Reservations.MemoryBytes":      {name: ".memory", format: formatBytes},
		"TaskTemplate.Resources.Reservations.GenericResources": {list: set, key: genericResource},
		"TaskTemplate.RestartPolicy":                           {name: "deploy.restart_policy"},
		"TaskTemplate.RestartPolicy.Condition":                 {def: swarm.RestartPolicyConditionAny},
		"TaskTemplate.RestartPolicy.Delay":                     {def: 5 * time.Second},
		"TaskTemplate.RestartPolicy.MaxAttempts":               {def: uint64(0)},
		"TaskTemplate.RestartPolicy.Window":                    {def: time.Duration(0)},
		"TaskTemplate.Placement":                               {name: "deploy.placement"},
		"TaskTemplate.Placement.Constraints":                   {list: set, key: constraintKey},
		"TaskTemplate.Placement.MaxReplicas":                   {name: ".max_replicas_per_node"},
		"TaskTemplate.Placement.Preferences":                   {format: formatPreferences},
		"TaskTemplate.Placement.Platforms":                     {name: "platform", equal: samePlatforms, format: formatPlatforms, unhashed: true},
		"TaskTemplate.LogDriver":                               {name: "logging"},
		"TaskTemplate.LogDriver.Name":                          {name: ".driver"},
	}
}

// defaultUpdateConfig is what Swarm does without one: a present but empty one
// would mean unlimited parallelism.
func defaultUpdateConfig() reflect.Value {
	return reflect.ValueOf(swarm.UpdateConfig{Parallelism: 1})
}

func envKey(v reflect.Value) string {
	k, _, _ := strings.Cut(v.String(), "=")
	return k
}

// envValue is nil for a name alone, which takes a variable of the image away.
func envValue(v reflect.Value) *string {
	_, val, ok := strings.Cut(v.String(), "=")
	if !ok {
		return nil
	}
	return &val
}

func byField(name string) func(reflect.Value) string {
	return func(v reflect.Value) string { return reflect.Indirect(v).FieldByName(name).String() }
}

// constraintKey is a placement constraint without the spaces around its parts,
// which the Engine keeps and does not heed.
func constraintKey(v reflect.Value) string {
	for _, op := range []string{"==", "!="} { // in swarmkit's order
		if key, value, ok := strings.Cut(v.String(), op); ok {
			return strings.TrimSpace(key) + op + strings.TrimSpace(value)
		}
	}
	return v.String()
}

// samePlatforms: whoever asks the registry writes all that the image has, so
// that the wanted one is among them; without a wanted one any list will do.
func samePlatforms(live, want reflect.Value) bool {
	has := live.Interface().([]swarm.Platform)
	for _, p := range want.Interface().([]swarm.Platform) {
		if !slices.Contains(has, p) {
			return false
		}
	}
	return true
}

// fileTarget is where a secret or config reference is mounted.
func fileTarget(v reflect.Value) string {
	v = reflect.Indirect(v)
	if f := v.FieldByName("File"); !f.IsNil() {
		return f.Elem().FieldByName("Name").String()
	}
	if f := v.FieldByName("SecretName"); f.IsValid() {
		return f.String()
	}
	return v.FieldByName("ConfigName").String()
}

func portKey(v reflect.Value) string {
	p := v.Interface().(swarm.PortConfig)
	proto := strings.ToLower(string(p.Protocol))
	if proto == "" {
		proto = string(swarm.PortConfigProtocolTCP)
	}
	return strconv.FormatUint(uint64(p.TargetPort), 10) + "/" + proto
}
