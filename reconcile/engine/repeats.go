package engine

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// lasts are the last answers to lists, by what was asked.
type lasts struct {
	mu sync.Mutex
	of map[string]answer
}

// answer is what was decoded from a body. It is for all to read, and for nobody
// to change.
type answer struct {
	body    []byte
	decoded any
}

// mostLasts is more than there are lists of a look, for some stacks.
const mostLasts = 32

func (l *lasts) get(url string) (answer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.of[url]
	return a, ok
}

func (l *lasts) put(url string, a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil || len(l.of) >= mostLasts {
		l.of = map[string]answer{}
	}
	l.of[url] = a
}

// repeat is one list under way.
type repeat struct {
	lasts *lasts
	url   string
	body  []byte // nil: the answer is no list
	was   answer
	same  bool
}

type repeatKey struct{}

// again is a list that may be the last one. What it returns nobody may change.
func again[V any](ctx context.Context, e *Engine, list func(context.Context) ([]V, error)) ([]V, error) {
	if !e.Repeats {
		return list(ctx)
	}
	r := &repeat{lasts: &e.lasts}
	found, err := list(context.WithValue(ctx, repeatKey{}, r))
	switch {
	case err != nil:
		return nil, err
	case r.same:
		return r.was.decoded.([]V), nil
	case r.body != nil:
		e.lasts.put(r.url, answer{r.body, found})
	}
	return found, nil
}

// repeats answers a list that is the last one again with an empty one, which
// takes the client no time to decode.
type repeats struct{ http.RoundTripper }

func (t *repeats) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(req)
	r, ok := req.Context().Value(repeatKey{}).(*repeat)
	if err != nil || !ok || res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return res, err
	}
	r.url = req.URL.String()
	r.was, ok = r.lasts.get(r.url)
	body, same, err := compare(res.Body, r.was.body)
	if closed := res.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	if r.same = ok && same; r.same {
		body = []byte("[]")
	}
	r.body = body
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, nil
}

// compare reads all of a body, and keeps it only when it is another than was.
func compare(from io.Reader, was []byte) (body []byte, same bool, err error) {
	chunk := make([]byte, 32<<10)
	for n := 0; ; {
		m, err := from.Read(chunk)
		if !bytes.HasPrefix(was[n:], chunk[:m]) {
			rest, err := io.ReadAll(from)
			return slices.Concat(was[:n], chunk[:m], rest), false, err
		}
		n += m
		switch {
		case err == io.EOF && n == len(was):
			return nil, true, nil
		case err == io.EOF:
			return bytes.Clone(was[:n]), false, nil
		case err != nil:
			return nil, false, err
		}
	}
}
