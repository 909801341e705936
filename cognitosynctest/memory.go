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

// RoundTripper returns a transport that passes requests to the server in memory, even if
// the server also has a socket. It reaches the server at the host of its URL, at the hosts
// in Options.Hosts, and at the AWS host names of the service in the server's region or,
// with AnyRegion, at the AWS host names of every region and service. For any other host its
// error wraps a [*net.DNSError].
//
// The transport starts no goroutines: RoundTrip and Read on the body do all the waiting.
// Like [http.Transport] it requests gzip and decompresses it, and its errors are those of
// real connections. After Close, connections are refused.
func (s *Server) RoundTripper() http.RoundTripper { return memoryTransport{s} }

type memoryTransport struct{ server *Server }

// RoundTrip implements [http.RoundTripper].
func (t memoryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := wait(r.Context(), 0); err != nil {
		closeBody(r)
		return nil, err
	}
	if !t.server.reaches(r.URL.Host) {
		closeBody(r)
		return nil, t.server.unreachable(r.URL.Host)
	}
	addGzip := r.Header.Get("Accept-Encoding") == "" && r.Header.Get("Range") == "" && r.Method != http.MethodHead
	received, err := asReceived(r, addGzip)
	if err != nil {
		return nil, err
	}
	trip := &roundTrip{server: t.server}
	if err := trip.start(r.Context()); err != nil {
		return nil, err
	}
	d := trip.respond(received)
	if err := d.begin(trip.ctx); err != nil {
		trip.end()
		return nil, err
	}
	return trip.httpResponse(r, d, addGzip), nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // nobody will read it
	}
}

// asReceived returns r as a server receives it: written to a buffer and parsed again.
func asReceived(r *http.Request, addGzip bool) (*http.Request, error) {
	if addGzip {
		r = r.Clone(r.Context())
		r.Header.Set("Accept-Encoding", "gzip")
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		return nil, err
	}
	received, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, fmt.Errorf("cognitosynctest: parse the request: %w", err)
	}
	return received, nil
}

// A roundTrip is a request in memory until its response has been read.
type roundTrip struct {
	server *Server
	ctx    context.Context // done when the client gives up or the server is closed
	cancel context.CancelCauseFunc
}

// start registers the round trip with the server, so that Close ends it.
func (t *roundTrip) start(ctx context.Context) error {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	if t.server.closed {
		return &net.OpError{Op: "dial", Net: "tcp", Err: errnoRefused}
	}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	t.server.inFlight[t] = t.cancel
	t.server.current++
	t.server.peak = max(t.server.peak, t.server.current)
	return nil
}

// respond returns the server's response. The round trip does not stay in flight even if a
// callback panics or ends the goroutine.
func (t *roundTrip) respond(r *http.Request) (d *delivery) {
	defer func() {
		if d == nil { // a callback did so
			t.end()
		}
	}()
	return t.server.respond(r.WithContext(t.ctx), runDirectly)
}

func (t *roundTrip) end() {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	if _, going := t.server.inFlight[t]; going {
		delete(t.server.inFlight, t)
		t.server.current--
	}
	t.cancel(nil)
}

// httpResponse returns d, the response to r, as [http.Transport] would.
func (t *roundTrip) httpResponse(r *http.Request, d *delivery, addGzip bool) *http.Response {
	response := &http.Response{
		Status:        strings.TrimSpace(fmt.Sprintf("%d %s", d.status, http.StatusText(d.status))),
		StatusCode:    d.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        d.header,
		ContentLength: d.announced(),
		Request:       r,
	}
	if !d.hasBody() || r.Method == http.MethodHead {
		t.end()
		response.Body = http.NoBody
		return response
	}
	var body io.ReadCloser = &memoryBody{stream: stream{delivery: d, ctx: t.ctx}, trip: t}
	response.Header.Del("Content-Length")
	if n := response.ContentLength; n >= 0 {
		response.Header.Set("Content-Length", fmt.Sprint(n))
	}
	if addGzip && strings.EqualFold(response.Header.Get("Content-Encoding"), "gzip") {
		response.Header.Del("Content-Encoding")
		response.Header.Del("Content-Length")
		response.ContentLength = -1
		response.Uncompressed = true
		body = &gunzip{body: body}
	}
	response.Body = body
	return response
}

// A memoryBody is the body of a response in memory.
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

// errClosedBody has the text of net/http's own, which is not exported.
var errClosedBody = errors.New("http: read on closed response body")

// A gunzip decompresses a gzip-encoded body.
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
