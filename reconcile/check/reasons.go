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
	ReasonPermission         reconcile.Reason = "permission"           // NOPERM: an ACL forbids a command or the key
	ReasonReadOnly           reconcile.Reason = "readonly"             // READONLY: a replica
	ReasonLoading            reconcile.Reason = "loading"              // LOADING: the data set is being read from disk
	ReasonOutOfMemory        reconcile.Reason = "out_of_memory"        // OOM: maxmemory reached, nothing may be evicted
	ReasonMisconf            reconcile.Reason = "misconf"              // MISCONF: snapshots or the append-only file cannot be written
	ReasonMasterDown         reconcile.Reason = "master_down"          // MASTERDOWN: a replica without its master
	ReasonNoReplicas         reconcile.Reason = "no_replicas"          // NOREPLICAS: fewer replicas than min-replicas-to-write
	ReasonMaxClients         reconcile.Reason = "max_clients"          // no connection left
	ReasonProtectedMode      reconcile.Reason = "protected_mode"       // DENIED: only loopback is served without a password
	ReasonTLSMismatch        reconcile.Reason = "tls_mismatch"         // the port speaks TLS
	ReasonNotRedis           reconcile.Reason = "not_redis"            // something else answers
	ReasonMismatch           reconcile.Reason = "mismatch"             // another value came back than was written
	ReasonRedisError         reconcile.Reason = "redis_error"          // any other error reply
)

// Reasons of the centrifugo probe; all of them failures.
const (
	ReasonNotCentrifugo   reconcile.Reason = "not_centrifugo"   // something else answers
	ReasonHealthDisabled  reconcile.Reason = "health_disabled"  // the API works, /health is off
	ReasonKeyRefused      reconcile.Reason = "key_refused"      // 401: wrong API key, or the server has none
	ReasonAPIError        reconcile.Reason = "api_error"        // the API answers with an error
	ReasonWrongGeneration reconcile.Reason = "wrong_generation" // the service's environment is written for another major version
)

// Reasons of the http probe; all of them failures. The centrifugo probe shares
// bad_status for what a proxy in front of it answers.
const (
	ReasonBadStatus reconcile.Reason = "bad_status" // another status than expected
	ReasonBadBody   reconcile.Reason = "bad_body"   // another body than expected
	ReasonTLSError  reconcile.Reason = "tls_error"  // no TLS, or a certificate that is not trusted for the name
	ReasonNotHTTP   reconcile.Reason = "not_http"   // what answers does not speak HTTP
)
