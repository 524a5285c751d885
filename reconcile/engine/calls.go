package engine

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker/docker/client"
)

// Call is one request to the Engine and its answer, for those who count them.
type Call struct {
	// Operation is the request without what is different for each object:
	// GET /services/{id}. There are some fifty of them, whatever is asked for.
	Operation string
	Code      int           // the HTTP status; 0: no answer came
	Took      time.Duration // until the answer began
}

// observed lets the Engine hear of every request of the client that it is
// given to. It has to be the last option: the others may replace the HTTP
// client. The returned function completes it when there is a client.
func (e *Engine) observed() (last client.Opt, complete func()) {
	var own *http.Client
	last = func(c *client.Client) error {
		own = c.HTTPClient() // a copy, which from now on is the client's
		return client.WithHTTPClient(own)(c)
	}
	// Only now: while it is made the client looks for an *http.Transport.
	return last, func() { own.Transport = &hasty{&repeats{&observer{own.Transport, e}}, e} }
}

// streamOpen is the context key of what is to know that the stream of events is
// there: the client returns before it says that it is not.
type streamOpen struct{}

type observer struct {
	http.RoundTripper
	engine *Engine
}

func (o *observer) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	res, err := o.RoundTripper.RoundTrip(r)
	if open, ok := r.Context().Value(streamOpen{}).(*atomic.Bool); ok && err == nil && res.StatusCode < 300 && strings.HasSuffix(r.URL.Path, "/events") {
		open.Store(true)
	}
	if o.engine.Called == nil {
		return res, err
	}
	call := Call{Operation: operation(r.Method, r.URL.Path), Took: time.Since(began)}
	if err == nil {
		call.Code = res.StatusCode
	}
	o.engine.Called(call)
	return res, err
}

var pathVersion = regexp.MustCompile(`^/v1\.\d+/`)

// What a path may begin with, and what may follow an object, in the calls that
// are made here. Anything else is a name, or nothing of ours.
var (
	pathObjects = []string{"services", "tasks", "nodes", "networks", "secrets", "configs", "volumes", "containers", "distribution"}
	pathSingles = []string{"_ping", "info", "version", "swarm", "events"}
	pathVerbs   = []string{"update", "json", "logs", "connect", "disconnect", "data"}
)

// operation is a request's method and path with {id} in the place of a name.
func operation(method, path string) string {
	path = pathVersion.ReplaceAllString(path, "/")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	last := parts[len(parts)-1]
	switch {
	case len(parts) == 1 && slices.Contains(slices.Concat(pathObjects, pathSingles), parts[0]):
		return method + " /" + parts[0]
	case !slices.Contains(pathObjects, parts[0]) || len(parts) == 1:
		return "other"
	case parts[0] == "distribution" && last == "json": // an image's name has slashes
		return method + " /distribution/{image}/json"
	case len(parts) == 2 && last == "create":
		return method + " /" + parts[0] + "/create"
	case len(parts) == 2:
		return method + " /" + parts[0] + "/{id}"
	case len(parts) == 3 && slices.Contains(pathVerbs, last):
		return method + " /" + parts[0] + "/{id}/" + last
	}
	return "other"
}
