package cognitosync_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// An answer is what the recorded server sends for one request. See
// testdata/conformance/README.md for what each key means.
type answer struct {
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
	BodyBase64 []byte            `json:"body_b64"`
	BodyRepeat *struct {
		Prefix string `json:"prefix"`
		Unit   string `json:"unit"`
		Count  int    `json:"count"`
		Suffix string `json:"suffix"`
	} `json:"body_repeat"`

	Gzip        string `json:"gzip"`
	Chunked     bool   `json:"chunked"`
	NoLength    bool   `json:"no_length"`
	NoDate      bool   `json:"no_date"`
	DelayMS     int    `json:"delay_ms"`
	BodyDelayMS int    `json:"body_delay_ms"`
	TruncateAt  *int   `json:"truncate_at"`
	Reset       bool   `json:"reset"`
	ResetAt     *int   `json:"reset_at"`
}

// A clock says how far the server's clock is off, and how the server answers a
// request that was signed too far away from it.
type clock struct {
	OffsetS int     `json:"offset_s"`
	Refuse  *answer `json:"refuse"`
}

// maxSkew is how far from the server's clock a request may be signed.
const maxSkew = 5 * time.Minute

// A scriptedServer plays the answers of one case, and records what it was asked.
// It writes every answer by hand on the connection, because only so header names
// keep their case, lengths can lie and connections can break where the case says.
// Each answer is the last on its connection: net/http sends a request again by
// itself if a reused connection breaks, and the attempts would no longer be the
// client's own.
type scriptedServer struct {
	url    string
	dial   dialFunc
	client cognitosync.HTTPClient // nil: the server is reached over TCP

	script   []answer
	clock    clock
	verifier cognitosynctest.Verifier
	fill     func(header string) string // replaces the placeholders

	mu       sync.Mutex
	played   int      // how many answers of the script were given
	wires    []string // the path of each request, as received
	problems []string // what was wrong with the requests
}

// newScriptedServer starts the server for c, whose requests the verifier has to
// accept. It ends with the test.
func newScriptedServer(t *testing.T, c *testCase, verifier cognitosynctest.Verifier) *scriptedServer {
	t.Helper()
	s := &scriptedServer{script: c.Responses, clock: c.Clock, verifier: verifier}
	var other string // a second address, for redirects to another host
	if c.takesTime() {
		listener := newPipeListener()
		s.url, other = startServer(t, listener, s.serve), "http://other.test"
		s.dial = listener.dial
		s.client = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.DialContext = s.dial })
	} else {
		s.url, other = startServer(t, listenTCP(t), s.serve), startServer(t, listenTCP(t), s.serve)
		s.dial = new(net.Dialer).DialContext
	}
	s.fill = strings.NewReplacer("{{BASE}}", s.url, "{{OTHER}}", other, "{{CASE}}", c.Name).Replace
	return s
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}

// startServer serves until the test ends, and returns its URL.
func startServer(t *testing.T, listener net.Listener, handler http.HandlerFunc) string {
	t.Helper()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	var running sync.WaitGroup
	running.Add(1)
	go func() {
		defer running.Done()
		_ = server.Serve(listener) // it ends with ErrServerClosed
	}()
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		running.Wait()
	})
	return "http://" + listener.Addr().String()
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// A pipeListener accepts connections in memory, which can be in a synctest bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipeListener() *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.close()
	return nil
}

func (l *pipeListener) Addr() net.Addr { return l }
func (*pipeListener) Network() string  { return "pipe" }
func (*pipeListener) String() string   { return "service.test" }

// dial connects to the listener, whatever the address.
func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// requests returns the paths of the requests so far, and what was wrong with them.
func (s *scriptedServer) requests() (wires []string, problems []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wires), slices.Clone(s.problems)
}

func (s *scriptedServer) serve(w http.ResponseWriter, r *http.Request) {
	next := s.record(r)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.problem(err)
		return
	}
	defer conn.Close()
	if err := s.play(conn, next, r); err != nil {
		s.problem(err)
	}
}

// record notes the request and returns the answer that it gets.
func (s *scriptedServer) record(r *http.Request) answer {
	// A date that is missing or malformed is the verifier's to complain about.
	signed, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	verifier := s.verifier
	if s.clock.OffsetS != 0 {
		verifier.Now = func() time.Time { return signed } // clock.refuse is about the time
	}
	refusal := verifier.Verify(r)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.wires = append(s.wires, r.RequestURI)
	if refusal != nil {
		s.problems = append(s.problems, refusal.String())
	}
	if s.clock.Refuse != nil && s.now().Sub(signed).Abs() > maxSkew {
		return *s.clock.Refuse
	}
	if len(s.script) == 0 {
		s.problems = append(s.problems, "a request in a case without answers")
		return answer{Status: http.StatusTeapot}
	}
	next := s.script[min(s.played, len(s.script)-1)]
	s.played++
	return next
}

func (s *scriptedServer) problem(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, err.Error())
}

func (s *scriptedServer) now() time.Time {
	return time.Now().Add(time.Duration(s.clock.OffsetS) * time.Second)
}

// play sends the answer to r, or as much of it as the case wants to be sent.
func (s *scriptedServer) play(conn net.Conn, a answer, r *http.Request) error {
	if a.Reset {
		return reset(conn)
	}
	head, body, err := s.render(a, r)
	if err != nil {
		return err
	}
	if a.TruncateAt != nil {
		body = body[:*a.TruncateAt]
	}
	if a.ResetAt != nil {
		body = body[:*a.ResetAt]
	}
	if !clientStays(conn, milliseconds(a.DelayMS)) {
		return nil
	}
	_, _ = conn.Write(head) // may fail, for the client may go whenever it likes
	if !clientStays(conn, milliseconds(a.BodyDelayMS)) {
		return nil
	}
	_, _ = conn.Write(body)
	if a.ResetAt != nil {
		return reset(conn)
	}
	return nil
}

// render returns the bytes of the answer to r, up to and after the blank line.
func (s *scriptedServer) render(a answer, r *http.Request) (head, body []byte, err error) {
	header := http.Header{}
	if !a.NoDate {
		header.Set("Date", s.now().UTC().Format(http.TimeFormat))
	}
	for name, value := range a.Headers {
		header[name] = []string{s.fill(value)} // not Set: the name's case is part of the case
	}
	content := a.content()
	if a.Gzip == "always" || a.Gzip == "if-accepted" && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		if content, err = gzipped(content); err != nil {
			return nil, nil, err
		}
	}
	response := &http.Response{
		ProtoMajor:    1,
		ProtoMinor:    1,
		StatusCode:    a.Status,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(content)),
		ContentLength: int64(len(content)),
		Close:         true,
	}
	if a.Chunked {
		response.ContentLength = -1
		response.TransferEncoding = []string{"chunked"}
		response.Body = io.NopCloser(iotest.OneByteReader(bytes.NewReader(content)))
	}
	if a.NoLength {
		response.ContentLength = -1
	}
	var wire bytes.Buffer
	if err := response.Write(&wire); err != nil {
		return nil, nil, err
	}
	const blankLine = "\r\n\r\n"
	end := bytes.Index(wire.Bytes(), []byte(blankLine)) + len(blankLine)
	return wire.Bytes()[:end], wire.Bytes()[end:], nil
}

// content returns the body before it is compressed.
func (a answer) content() []byte {
	switch {
	case a.BodyBase64 != nil:
		return a.BodyBase64
	case a.BodyRepeat != nil:
		b := a.BodyRepeat
		return []byte(b.Prefix + strings.Repeat(b.Unit, b.Count) + b.Suffix)
	default:
		return []byte(a.Body)
	}
}

func gzipped(content []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(content)
	err = errors.Join(err, w.Close()) // before Bytes: Close writes the end
	return buf.Bytes(), err
}

// clientStays waits, and reports whether the client was there until the end. A
// client that waits for its answer sends nothing, so the read ends in time only
// if the client goes away.
func clientStays(conn net.Conn, d time.Duration) bool {
	if d == 0 {
		return true
	}
	err := conn.SetReadDeadline(time.Now().Add(d))
	if err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// reset closes the connection so that the client sees a reset, not an end.
func reset(conn net.Conn) error {
	return errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close())
}

// TestScriptedServer shows what the answers look like on the wire.
func TestScriptedServer(t *testing.T) {
	t.Parallel()
	const start = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	for _, test := range []struct {
		name   string
		answer string
		want   string // with DATE for a date
		reset  bool   // whether the connection is reset, instead of closed
	}{
		{"headers as written", `{"status": 425, "headers": {"x-ODD": "{{CASE}}"}, "body": "abc"}`,
			"HTTP/1.1 425 Too Early\r\nConnection: close\r\nContent-Length: 3\r\nDate: DATE\r\nx-ODD: headers as written\r\n\r\nabc", false},
		{"no date", `{"status": 200, "no_date": true, "body_b64": "/w=="}`, start + "Content-Length: 1\r\n\r\n\xff", false},
		{"no length", `{"status": 200, "no_date": true, "no_length": true, "body": "abc"}`, start + "\r\nabc", false},
		{"chunked", `{"status": 200, "no_date": true, "chunked": true, "body": "ab"}`,
			start + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", false},
		{"repeated", `{"status": 200, "no_date": true, "body_repeat": {"prefix": "<", "unit": "ab", "count": 2, "suffix": ">"}}`,
			start + "Content-Length: 6\r\n\r\n<abab>", false},
		{"not compressed unasked", `{"status": 200, "no_date": true, "gzip": "if-accepted", "body": "abc"}`,
			start + "Content-Length: 3\r\n\r\nabc", false},
		{"compressed", `{"status": 200, "no_date": true, "gzip": "always"}`,
			start + "Content-Length: 23\r\nContent-Encoding: gzip\r\n\r\n" + emptyGzip, false},
		{"delayed", `{"status": 200, "no_date": true, "delay_ms": 10, "body_delay_ms": 10, "body": "abc"}`,
			start + "Content-Length: 3\r\n\r\nabc", false},
		{"truncated", `{"status": 200, "no_date": true, "truncate_at": 2, "body": "abc"}`, start + "Content-Length: 3\r\n\r\nab", false},
		{"reset", `{"reset": true}`, "", true},
		{"reset in the body", `{"status": 200, "no_date": true, "reset_at": 2, "body": "abc"}`, start + "Content-Length: 3\r\n\r\nab", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &testCase{Name: test.name, Responses: make([]answer, 1)}
			require.NoError(t, decodeStrictly([]byte(test.answer), &c.Responses[0]))
			c.run(t, func(t *testing.T) {
				server := newScriptedServer(t, c, cognitosynctest.Verifier{})
				conn, err := server.dial(t.Context(), "tcp", strings.TrimPrefix(server.url, "http://"))
				require.NoError(t, err)
				defer conn.Close()
				_, err = conn.Write([]byte("GET /path HTTP/1.1\r\nHost: server\r\n\r\n"))
				require.NoError(t, err)

				wire, err := io.ReadAll(conn)
				if test.reset {
					// What was sent before a reset may or may not arrive.
					assert.ErrorIs(t, err, syscall.ECONNRESET)
					assert.True(t, strings.HasPrefix(test.want, string(wire)), "%q", wire)
				} else {
					assert.NoError(t, err)
					assert.Equal(t, test.want, string(httpDate.ReplaceAll(wire, []byte("DATE"))))
				}
				wires, problems := server.requests()
				assert.Equal(t, []string{"/path"}, wires)
				require.Len(t, problems, 1)
				assert.Contains(t, problems[0], "there is no Authorization header")
			})
		})
	}
}

// httpDate matches the value of a Date header.
var httpDate = regexp.MustCompile(`\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT`)

// emptyGzip is nothing, compressed.
const emptyGzip = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"
