package httpclient_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

var (
	errBroken   = errors.New("broken")
	errTooLarge = errors.New("too large")
)

const legacy = aws.DefaultsModeLegacy

// doFunc lets a function be a client, and roundTripFunc a transport.
type (
	doFunc        func(*http.Request) (*http.Response, error)
	roundTripFunc func(*http.Request) (*http.Response, error)
)

func (f doFunc) Do(req *http.Request) (*http.Response, error)               { return f(req) }
func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// without returns a client that follows no redirects.
func without(client httpclient.Doer) httpclient.Doer {
	return new(httpclient.Set).WithoutRedirects(client, legacy)
}

func newRequest(t testing.TB, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return req
}

// newServer returns a server and a transport for it. The test closes their connections.
func newServer(t testing.TB, handler http.HandlerFunc) (*httptest.Server, *http.Transport) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return server, transport
}

func response(status int, body io.ReadCloser) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: body, ContentLength: -1}
}

// trackedBody is a body that records whether it was closed.
type trackedBody struct {
	io.Reader
	closed atomic.Bool
	done   chan struct{} // closed by the first Close
}

func newBody(r io.Reader) *trackedBody { return &trackedBody{Reader: r, done: make(chan struct{})} }

func newTextBody(text string) *trackedBody { return newBody(strings.NewReader(text)) }

func (b *trackedBody) Close() error {
	if !b.closed.Swap(true) {
		close(b.done)
	}
	return nil
}

// readFunc lets a function be an io.Reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
