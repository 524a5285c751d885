package check

import "github.com/swarmward/swarmward/reconcile"

// Reasons of every probe, beside those of package reconcile. Together they are
// the closed set: a result that did not pass carries exactly one of them.
const (
	ReasonInterrupted           reconcile.Reason = "interrupted"            // unknown: the caller gave up before the probe had an answer
	ReasonCredentialUnavailable reconcile.Reason = "credential_unavailable" // unknown: the spec does not hold the secret
	ReasonClosed                reconcile.Reason = "closed"                 // the connection was taken and closed without an answer
	ReasonInvalid               reconcile.Reason = "invalid"                // unknown: the check itself makes no sense
)

// Reasons of the redis probe; all of them failures.
const (
	ReasonAuthRequired       reconcile.Reason = "auth_required"        // NOAUTH: the spec gives no password
	ReasonAuthFailed         reconcile.Reason = "auth_failed"          // WRONGPASS: the spec's password is refused
	ReasonNoPasswordRequired reconcile.Reason = "no_password_required" // the spec has a password, the server takes anybody
	ReasonPermission         reconcile.Reason = "permission"           // NOPERM: an ACL forbids commands or the key
	ReasonReadOnly           reconcile.Reason = "readonly"             // READONLY: a replica
	ReasonLoading            reconcile.Reason = "loading"              // LOADING: the data set is being read from disk
	ReasonOutOfMemory        reconcile.Reason = "out_of_memory"        // OOM: maxmemory reached, nothing may be evicted
	ReasonMisconf            reconcile.Reason = "misconf"              // MISCONF: snapshots or the append-only file cannot be written
	ReasonMasterDown         reconcile.Reason = "master_down"          // MASTERDOWN: a replica without its master
	ReasonNoReplicas         reconcile.Reason = "no_replicas"          // NOREPLICAS: fewer replicas than min-replicas-to-write
	ReasonMaxClients         reconcile.Reason = "max_clients"          // no connection left
	ReasonProtectedMode      reconcile.Reason = "protected_mode"       // DENIED: only loopback is served without a password
	ReasonTLSMismatch        reconcile.Reason = "tls_mismatch"         // TLS on one side, plain TCP on the other
	ReasonMoved              reconcile.Reason = "moved"                // MOVED: a node of a Cluster, asked as a single server
	ReasonNotCluster         reconcile.Reason = "not_cluster"          // a single server, asked as a Cluster
	ReasonClusterDown        reconcile.Reason = "cluster_down"         // CLUSTERDOWN, or slots that nobody serves
	ReasonNotSentinel        reconcile.Reason = "not_sentinel"         // Redis, but no Sentinel
	ReasonSentinelAuth       reconcile.Reason = "sentinel_auth"        // Sentinel wants a password, or another one
	ReasonNoMaster           reconcile.Reason = "no_master"            // Sentinel knows no master of that name
	ReasonNotRedis           reconcile.Reason = "not_redis"            // something else answers
	ReasonMismatch           reconcile.Reason = "mismatch"             // another value came back than was written
	ReasonRedisError         reconcile.Reason = "redis_error"          // any other error reply
	ReasonWrongRole          reconcile.Reason = "wrong_role"           // expected: the other of master and replica
	ReasonReplicasMissing    reconcile.Reason = "replicas_missing"     // expected: more replicas online
	ReasonAppendOnly         reconcile.Reason = "append_only"          // expected: the append-only file on, or off
	ReasonSaveFailed         reconcile.Reason = "save_failed"          // expected: the last save to disk worked
	ReasonMemoryUnlimited    reconcile.Reason = "memory_unlimited"     // expected: memory below a share of a maxmemory that is not set
	ReasonMemoryHigh         reconcile.Reason = "memory_high"          // expected: memory below a share of maxmemory
)

// Reasons of every probe that can speak TLS; another is tls_error, below.
const (
	ReasonClientCertificate reconcile.Reason = "client_certificate" // the server wants one, and refuses the check's or misses it
)

// Reasons of the centrifugo probe; all of them failures.
const (
	ReasonNotCentrifugo   reconcile.Reason = "not_centrifugo"    // something else answers
	ReasonHealthDisabled  reconcile.Reason = "health_disabled"   // the API works, /health is off
	ReasonKeyRefused      reconcile.Reason = "key_refused"       // 401: another API key than the server's
	ReasonKeyMissing      reconcile.Reason = "key_missing"       // 401, and the spec gives the server no key
	ReasonAcceptsAnyKey   reconcile.Reason = "accepts_any_key"   // the API answers whoever asks
	ReasonAPIError        reconcile.Reason = "api_error"         // the API answers with an error
	ReasonEngineDown      reconcile.Reason = "engine_down"       // the API answers, and cannot publish: its Redis is away
	ReasonNodesMissing    reconcile.Reason = "nodes_missing"     // fewer nodes know one another than tasks run
	ReasonNoWebsocket     reconcile.Reason = "no_websocket"      // no websocket at /connection/websocket
	ReasonOriginRefused   reconcile.Reason = "origin_refused"    // the websocket refuses pages of the check's origin
	ReasonTokenRefused    reconcile.Reason = "token_refused"     // a token signed with the spec's secret is refused
	ReasonClocksDiffer    reconcile.Reason = "clocks_differ"     // a token made just now is called expired
	ReasonAcceptsBadToken reconcile.Reason = "accepts_bad_token" // a token signed with another secret is taken
	ReasonWrongGeneration reconcile.Reason = "wrong_generation"  // the service's environment is written for another major version
)

// Reasons of the route probe; all of them failures. That Traefik cannot be
// reached is refused, unreachable or timeout, as everywhere.
const (
	ReasonNoRouter             reconcile.Reason = "no_router"             // Traefik's 404: no router for this host and path
	ReasonNoServers            reconcile.Reason = "no_servers"            // 503: a router, and no server behind it
	ReasonBadGateway           reconcile.Reason = "bad_gateway"           // 502: nothing listens where the router leads
	ReasonGatewayTimeout       reconcile.Reason = "gateway_timeout"       // 504, or no answer at all
	ReasonDefaultCertificate   reconcile.Reason = "default_certificate"   // Traefik's own, made for want of a real one
	ReasonCertificateUntrusted reconcile.Reason = "certificate_untrusted" // expired, for another name, or signed by a stranger
	ReasonCertificateExpiring  reconcile.Reason = "certificate_expiring"  // valid, and not for long
	ReasonRedirectLoop         reconcile.Reason = "redirect_loop"         // redirects that come back to where they began
	ReasonWrongBackend         reconcile.Reason = "wrong_backend"         // 200, and not what this service says
	ReasonExposed              reconcile.Reason = "exposed"               // a path that must not answer does
)

// Reasons of the http probe; all of them failures. The centrifugo and route probes
// share those that fit what they met.
const (
	ReasonBadStatus reconcile.Reason = "bad_status" // another status than expected
	ReasonBadBody   reconcile.Reason = "bad_body"   // another body than expected
	ReasonTLSError  reconcile.Reason = "tls_error"  // no TLS, or a certificate that is not trusted for the name
	ReasonNotHTTP   reconcile.Reason = "not_http"   // what answers does not speak HTTP
)

// More reasons of the http probe, for what a check may ask of an answer; all of
// them failures.
const (
	ReasonBadJSON            reconcile.Reason = "bad_json"            // not JSON, or another value than expected in it
	ReasonSlow               reconcile.Reason = "slow"                // the answer is right, and took longer than max_latency
	ReasonTooManyRedirects   reconcile.Reason = "too_many_redirects"  // more than the check follows
	ReasonRedirectsElsewhere reconcile.Reason = "redirects_elsewhere" // to where the check's way does not lead
)

// Reasons of the tcp probe; all of them failures.
const (
	ReasonBadBanner reconcile.Reason = "bad_banner" // the server says something else than expected
)
