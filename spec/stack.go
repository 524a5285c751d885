// Package spec is the spec as data: it loads a Compose file with its
// x-swarmward extension, reports everything that is wrong with it, and lowers
// it to the Swarm API objects that `docker stack deploy` would create; Export is
// the way back.
//
// The package knows no Docker client. Lowered objects refer to networks,
// secrets and configs by name, never by id.
package spec

import (
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
)

// Labels that `docker stack deploy` writes, and ours. Ours are service-level
// (or object-level) labels only: a container label would restart tasks.
const (
	LabelNamespace = "com.docker.stack.namespace"
	LabelImage     = "com.docker.stack.image"
)

// Stack is one loaded spec. All lists are sorted by Key.
type Stack struct {
	Name string
	// Revision identifies the input: the full id of Commit where there is one,
	// otherwise Hash.
	Revision string
	// Hash is a short hash over every input file and variable used. A commit that
	// touches nothing of the stack leaves it as it is.
	Hash string `json:",omitempty"`
	// Commit that the stack was read from. Where it was read again after a commit
	// that touches none of its inputs, that one: the stack is as it says, too.
	// Nil: plain files.
	Commit *Commit  `json:",omitempty"`
	Files  []string // the files it was read from, as the user named them

	Services []Service
	Networks []Network
	Volumes  []Volume
	Secrets  []Secret
	Configs  []Config

	Settings Settings
	// SecretsPrint is a fingerprint of all secrets' contents together, of a stack
	// that was not loaded but comes from a record, which has no contents.
	SecretsPrint string `json:",omitempty"`
	// Partial lists the paths that a pass is limited to; nil for a whole stack.
	// What a partial stack does not name is somebody else's business for now:
	// nothing is removed.
	Partial []string `json:",omitempty"`
	// Sensitive are values from encrypted env files that must not be shown.
	Sensitive []Sensitive `json:"-"`
	Warnings  []Finding   // what validation found that does not stop the stack
	Lint      []Finding   `json:"-"` // what is valid and most likely not meant so, when Options asked for it
}

// Condition says what a dependent service waits for.
type Condition string

// The conditions of Compose's depends_on.
const (
	ServiceStarted               Condition = "service_started"
	ServiceHealthy               Condition = "service_healthy"
	ServiceCompletedSuccessfully Condition = "service_completed_successfully"
)

// Service is one service of the spec, lowered.
type Service struct {
	Key string // the name in the file; Spec.Name is "<stack>_<key>"
	// Spec refers to networks, secrets and configs by full name:
	// TaskTemplate.Networks[].Target, SecretReference.SecretName (SecretID is
	// empty) and ConfigReference.ConfigName (ConfigID is empty). For a secret or
	// config of this stack that is the name of its first revision.
	Spec      swarm.ServiceSpec
	DependsOn map[string]Condition // by service key
}

// Network is a top-level network of the spec.
type Network struct {
	Key, Name string
	External  bool // must exist; never created
	Explicit  bool // the spec gave a name: of its own
	Create    network.CreateOptions
}

// Volume is a top-level volume of the spec.
type Volume struct {
	Key, Name string
	External  bool
	Explicit  bool
	Create    volume.CreateOptions
	MountedBy []string // keys of the services that mount it, sorted
}

// Secret is a top-level secret of the spec with its content.
type Secret struct {
	Key, Name string           // Name is the first revision's
	External  bool             // must exist; Data is nil
	Spec      swarm.SecretSpec // Data is left empty: the content is in Data below
	Data      Sensitive
	Variable  string `json:",omitempty"` // name of the environment variable that holds it, if one does
	// Object is the full name of the one revision to use, whatever Data is; empty:
	// the one that holds Data. With it, a Data of nil is unknown.
	Object string `json:",omitempty"`
}

// Config is a top-level config of the spec; its content is Spec.Data.
type Config struct {
	Key, Name string // Name is the first revision's
	External  bool
	Spec      swarm.ConfigSpec
	Object    string `json:",omitempty"` // full name of the one revision to use; empty: the one that holds Spec.Data
}

// AllowPruneAll lifts the guard against plans that remove most of a stack.
const AllowPruneAll = "prune-all"

// Settings is the decoded x-swarmward extension, defaults filled in.
type Settings struct {
	Checks         []Check // sorted by name
	OnCheckFailure string  // report (default) or rollback
	Ignore         []string
	Images         Images
	Prune          bool          // default true
	Allow          []string      // of AllowPruneAll, each once
	Timeout        time.Duration // convergence, per service; 0: derived from its update config, 5m at least
	Lint           Lint
	Windows        Windows `json:",omitempty"` // none: the stack may be changed at all times
}

// Images says when a registry is asked for an image's digest.
type Images struct {
	Resolve string // changed (default), always or never
}

// Lint silences the warnings of rules; see SilenceableRules.
type Lint struct {
	Off []string
}

// Check is one functional check. Exactly one of Redis, Centrifugo, Route, HTTP
// and TCP is set.
type Check struct {
	Name     string
	Timeout  time.Duration // one try; default 5s
	Interval time.Duration // between passes; default 30s
	Grace    time.Duration // after a rollout, how long it may fail; default 30s
	Retries  int           // tries before it counts as failed outside the grace; default 1
	// From lists the ways that must each work: overlay, published, bridge,
	// explicit. Empty: the best one that takes a connection is enough.
	From []string `json:",omitempty"`

	Redis      *RedisCheck
	Centrifugo *CentrifugoCheck
	Route      *RouteCheck
	HTTP       *HTTPCheck
	TCP        *TCPCheck

	// Withheld is set where texts of the check held secrets and are not here, as
	// in a record: a fingerprint of what they are.
	Withheld string `json:",omitempty"`
}

// Kind is the name of the variant that is set, as the spec writes it.
func (c Check) Kind() string {
	switch {
	case c.Redis != nil:
		return "redis"
	case c.Centrifugo != nil:
		return "centrifugo"
	case c.Route != nil:
		return "route"
	case c.HTTP != nil:
		return "http"
	case c.TCP != nil:
		return "tcp"
	}
	return ""
}

// Target is where a check connects to: a port of a service of this stack, or
// an explicit host:port in Connect, which wins.
type Target struct {
	Service string // key of a service of this stack
	Port    int    // container port
	Connect string // host:port, explicit
}

// Target of the check, whatever its kind. That of a route check is the service
// whose route it is: the check itself connects to Traefik.
func (c Check) Target() Target {
	switch {
	case c.Redis != nil:
		return c.Redis.Target
	case c.Centrifugo != nil:
		return c.Centrifugo.Target
	case c.Route != nil:
		return Target{Service: c.Route.Service}
	case c.HTTP != nil:
		return c.HTTP.Target
	case c.TCP != nil:
		return c.TCP.Target
	}
	return Target{}
}

// RedisCheck writes a key with a fresh value, reads it back and compares.
type RedisCheck struct {
	Target   Target
	Username string
	Password Credential
	// PasswordOptional leaves out the proof that the server refuses a client
	// without the password.
	PasswordOptional bool
	Key              string // default redis-health-check
	Database         int
	TLS              *TLS      // nil: plain TCP
	Sentinel         *Sentinel // knows where the master is, when set
	Cluster          []string  // host:port of nodes of a Redis Cluster, when it is one
	Expect           RedisExpect
}

// Sentinel says who knows the master. Without a service or an address in
// Target the first of Addresses that answers is asked.
type Sentinel struct {
	Master    string
	Addresses []string
	Username  string
	Password  Credential
}

// RedisExpect is what must hold beside the round trip; the zero value is nothing.
type RedisExpect struct {
	Role        string // master or replica; a replica is only read from
	Replicas    int    // at least so many are connected
	AppendOnly  *bool
	LastSaveOK  bool
	MemoryBelow int // percent of maxmemory
}

// ReadOnly is the check without the parts that write anything anywhere; false
// when nothing is left of it.
func (c Check) ReadOnly() (Check, bool) {
	switch {
	case c.Redis != nil: // its round trip writes a key
		return Check{}, false
	case c.Centrifugo != nil:
		own := *c.Centrifugo
		own.SkipPublish = true
		c.Centrifugo = &own
	}
	return c, true
}

// CentrifugoCheck asks the health endpoint, and with APIKey the server API and
// a publication, with TokenSecret the websocket.
type CentrifugoCheck struct {
	Target        Target
	APIKey        Credential
	TokenSecret   Credential // what the application signs its tokens with
	SkipPublish   bool
	SkipWebsocket bool
	Origin        string // of the page that opens the websocket; empty: none is sent
}

// RouteCheck requests URL from Traefik, wherever its host leads to otherwise.
type RouteCheck struct {
	URL             string   // absolute
	Service         string   // key of the service whose route it is; may be empty
	Traefik         Target   // zero: where the URL's host leads to
	Body            string   // the trimmed body must equal it; this or Contains is set
	Contains        string   // must be in the body
	Refuse          []string // paths that must not answer
	CertificateDays int      // that the certificate must still be valid for; default 14
	CA              Material // who signs the certificate; zero: whom this machine trusts
	API             string   // URL of Traefik's own API, asked why there is no router; may be empty
}

// HTTPCheck requests URL and compares the answer.
type HTTPCheck struct {
	Target     Target
	URL        string // absolute; with Target set its host is only the Host header and SNI
	Method     string // default GET; POST with something to send
	Headers    []Header
	Send       string   // the request's body
	Status     []int    // default 200
	Body       string   // when set: the trimmed body must equal it
	Contains   []string // each must be in the body
	Regexp     string   // must match somewhere in the body
	JSON       []JSONValue
	TLS        *TLS          // options of an https URL; nil: the machine's roots
	MaxLatency time.Duration // from the request to the end of its answer; 0: no limit
	Redirects  int           // how many are followed; default 0: a redirect is an answer
}

// Header of a request; its value is Value followed by the content of Secret.
type Header struct {
	Name, Value string
	Secret      Credential
}

// JSONValue is what a place in a JSON document must hold: a text, number or
// truth value as JSON writes it, a text without its quotes.
type JSONValue struct {
	Path []string // keys, and indexes of lists
	Want string
}

// TCPCheck opens a connection and, where asked to, talks.
type TCPCheck struct {
	Target Target
	TLS    *TLS // nil: plain TCP
	Send   string
	Expect string // what the server's bytes begin with
}

// Credential names a secret of the stack. The zero value means none.
type Credential struct {
	Secret string // key of a top-level secret
}

// SecretData is the content of the secret with that key; false when the spec
// does not hold it (external, of a record, or no such key).
func (s *Stack) SecretData(key string) (Sensitive, bool) {
	for _, x := range s.Secrets {
		if x.Key == key && !x.External {
			return x.Data, x.Object == "" || x.Data != nil
		}
	}
	return nil, false
}

// Service returns the service with that key.
func (s *Stack) Service(key string) (Service, bool) {
	for _, x := range s.Services {
		if x.Key == key {
			return x, true
		}
	}
	return Service{}, false
}
