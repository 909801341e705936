// Package clienttest records what a client does in tests: requests, log entries, spans and
// metrics. Its types are safe for concurrent use. It does not depend on a client.
package clienttest

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A Doer is an adapter that lets a function be an HTTP client or its transport.
type Doer func(*http.Request) (*http.Response, error)

// Do calls the function.
func (f Doer) Do(req *http.Request) (*http.Response, error) { return f(req) }

// RoundTrip calls the function.
func (f Doer) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Respond returns a Doer that returns the same response to every request.
func Respond(status int, header http.Header, body string) Doer {
	return func(req *http.Request) (*http.Response, error) { return Response(req, status, header, body), nil }
}

// Response returns a response like that of an HTTP client. It copies header.
func Response(req *http.Request, status int, header http.Header, body string) *http.Response {
	if header = header.Clone(); header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
}

// A Tap is an HTTP client that records the requests it sends, and the bodies of the
// responses that it returns.
type Tap struct {
	Transport    http.RoundTripper
	AfterHeaders func() // if not nil, called after the headers of each response

	mu       sync.Mutex
	requests []*http.Request
	bodies   []*Body
}

// Do sends req.
func (t *Tap) Do(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.requests = append(t.requests, req.Clone(req.Context()))
	t.mu.Unlock()

	resp, err := t.Transport.RoundTrip(req)
	if resp == nil || err != nil {
		return resp, err
	}
	body := &Body{ReadCloser: resp.Body}
	resp.Body = body
	t.mu.Lock()
	t.bodies = append(t.bodies, body)
	t.mu.Unlock()
	if t.AfterHeaders != nil {
		t.AfterHeaders()
	}
	return resp, nil
}

// Take returns the requests since the last Take.
func (t *Tap) Take() []*http.Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	requests := t.requests
	t.requests = nil
	return requests
}

// Bodies returns the bodies of all responses so far.
func (t *Tap) Bodies() []*Body {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.bodies)
}

// A Body is the body of a response. Read returns an error after Close.
type Body struct {
	io.ReadCloser
	closed atomic.Bool
}

// Closed reports whether the body has been closed.
func (b *Body) Closed() bool { return b.closed.Load() }

// Close closes the body.
func (b *Body) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}

func (b *Body) Read(p []byte) (int, error) {
	if b.Closed() {
		return 0, errors.New("read after close")
	}
	return b.ReadCloser.Read(p)
}
