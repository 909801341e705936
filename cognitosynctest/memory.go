package cognitosynctest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// RoundTripper returns a transport that takes requests to the server without a
// socket, also when the server has a URL that can be reached. It finds the server at
// the host of its URL, at AWS's host names of the service in the server's region, and
// at those in Options.Hosts. With AnyRegion it finds it at AWS's host names of every
// region and service. Any other host is not found.
//
// RoundTripper has no goroutines: all waiting is done in RoundTrip and in Read of the
// body. Like [http.Transport] it asks for gzip and decompresses it, and faults look the
// way they look there. After Close it refuses connections.
func (s *Server) RoundTripper() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := wait(r.Context(), 0); err != nil {
		closeBody(r)
		return nil, err
	}
	if !t.server.reaches(r.URL.Host) {
		closeBody(r)
		return nil, t.server.unreachable(r.URL.Host)
	}
	asksForGzip := r.Header.Get("Accept-Encoding") == "" && r.Header.Get("Range") == "" && r.Method != http.MethodHead
	received, err := overTheWire(r, asksForGzip)
	if err != nil {
		return nil, err
	}
	trip := &roundTrip{server: t.server}
	if err := trip.start(r.Context()); err != nil {
		return nil, err
	}
	a := trip.answer(received)
	if err := a.begin(trip.ctx); err != nil {
		trip.end()
		return nil, err
	}
	return trip.response(r, a, asksForGzip), nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // nobody will read it
	}
}

// overTheWire returns r as a server gets it: written out and read again.
func overTheWire(r *http.Request, asksForGzip bool) (*http.Request, error) {
	if asksForGzip {
		r = r.Clone(r.Context())
		r.Header.Set("Accept-Encoding", "gzip")
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		return nil, err
	}
	received, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, fmt.Errorf("cognitosynctest: the request cannot be read: %w", err)
	}
	return received, nil
}

// A roundTrip is a request in memory until its answer has been read.
type roundTrip struct {
	server *Server
	ctx    context.Context // done when the client gives up or the server is closed
	cancel context.CancelCauseFunc
}

// start puts the round trip among those that Close ends.
func (t *roundTrip) start(ctx context.Context) error {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	if t.server.closed {
		return &net.OpError{Op: "dial", Net: "tcp", Err: errnoRefused}
	}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	t.server.inFlight[t] = t.cancel
	t.server.flying++
	t.server.peak = max(t.server.peak, t.server.flying)
	return nil
}

// answer returns the server's answer. Whatever the user's code does there, the round
// trip does not stay in flight.
func (t *roundTrip) answer(r *http.Request) (a *answer) {
	defer func() {
		if a == nil { // a panic, or the end of the goroutine
			t.end()
		}
	}()
	return t.server.answer(r.WithContext(t.ctx), attached)
}

func (t *roundTrip) end() {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	if _, going := t.server.inFlight[t]; going {
		delete(t.server.inFlight, t)
		t.server.flying--
	}
	t.cancel(nil)
}

// response returns what http.Transport would for the answer a to r.
func (t *roundTrip) response(r *http.Request, a *answer, asksForGzip bool) *http.Response {
	response := &http.Response{
		Status:        strings.TrimSpace(fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header,
		ContentLength: a.announced(),
		Request:       r,
	}
	if !a.hasBody() || r.Method == http.MethodHead {
		t.end()
		response.Body = http.NoBody
		return response
	}
	var body io.ReadCloser = &memoryBody{stream: stream{answer: a, ctx: t.ctx}, trip: t}
	response.Header.Del("Content-Length")
	if n := response.ContentLength; n >= 0 {
		response.Header.Set("Content-Length", fmt.Sprint(n))
	}
	if asksForGzip && strings.EqualFold(response.Header.Get("Content-Encoding"), "gzip") {
		response.Header.Del("Content-Encoding")
		response.Header.Del("Content-Length")
		response.ContentLength = -1
		response.Uncompressed = true
		body = &gunzip{body: body}
	}
	response.Body = body
	return response
}

// A memoryBody is the body of an answer in memory.
type memoryBody struct {
	stream
	trip *roundTrip
	err  error // that ended it
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.stream.Read(p)
	if err != nil {
		b.err = err
		b.trip.end()
	}
	return n, err
}

// Close implements [io.Closer].
func (b *memoryBody) Close() error {
	if b.err == nil {
		b.trip.end()
	}
	b.err = errClosedBody
	return nil
}

// errClosedBody is worded as that of net/http, which is not exported.
var errClosedBody = errors.New("http: read on closed response body")

// A gunzip decompresses a body that is gzip-encoded.
type gunzip struct {
	body   io.ReadCloser
	reader *gzip.Reader
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.reader == nil {
		if g.reader, err = gzip.NewReader(g.body); err != nil {
			g.reader = nil
			return 0, err
		}
	}
	return g.reader.Read(p)
}

// Close implements [io.Closer].
func (g *gunzip) Close() error { return g.body.Close() }
