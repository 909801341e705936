package cognitosynctest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// newMemoryServer returns a server in memory that has the pool poolID, and a client for it.
func newMemoryServer(t *testing.T) (*cognitosynctest.Server, *http.Client) {
	t.Helper()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.InMemory = true
		o.Pools = []cognitosynctest.Pool{{IdentityPoolId: poolID}}
	})
	return server, &http.Client{Transport: server.RoundTripper()}
}

// The RoundTripper reaches the server at AWS's host name, even if the server has a socket.
func TestRoundTripper_awsHost(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := &http.Client{Transport: server.RoundTripper()}
		r := request(t, http.MethodGet, "https://cognito-sync.us-east-1.amazonaws.com/identitypools/"+poolID, "")
		sign(t, r)
		assert.Equal(t, usage, do(client, r).body)
		assert.Equal(t, "cognito-sync.us-east-1.amazonaws.com", server.Requests().Last().Host)
	})
}

// The server and the client see the same in memory as over HTTP.
func TestRoundTripper_fidelity(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		r := newRequest(t, t.Context(), server, poolID)
		r.Header.Set("X-Spaces", " a ")
		sign(t, r)
		response, err := httpClient(t, server).Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		_, err = response.Body.Read(make([]byte, 1))
		require.EqualError(t, err, "http: read on closed response body")
		require.NoError(t, response.Body.Close())

		assert.Equal(t, "200 OK", response.Status)
		assert.Equal(t, "HTTP/1.1", response.Proto)
		assert.True(t, response.ProtoAtLeast(1, 1))
		assert.EqualValues(t, len(usage), response.ContentLength)
		assert.Equal(t, r.URL, response.Request.URL)
		header := server.Requests().Last().Header
		assert.Equal(t, "a", header.Get("X-Spaces"))
		assert.Equal(t, "Go-http-client/1.1", header.Get("User-Agent"))
		assert.Equal(t, "gzip", header.Get("Accept-Encoding"))
		assert.Empty(t, r.Header.Get("Accept-Encoding"), "the caller's request is unchanged")
	})
}

func TestRoundTripper_gzip(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write([]byte("decompressed"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	encoded := http.Header{"Content-Encoding": {"gzip"}}
	tests := []struct {
		name   string
		header string // a request header
		body   string
		want   string
		err    error
	}{
		{name: "requested by the transport", body: packed.String(), want: "decompressed"},
		{name: "requested by the caller", header: "Accept-Encoding", body: packed.String(), want: packed.String()},
		{name: "a range", header: "Range", body: packed.String(), want: packed.String()},
		{name: "not gzip", body: "this is not gzip", err: gzip.ErrHeader},
		{name: "cut off", body: packed.String()[:packed.Len()-4], want: "decompressed", err: io.ErrUnexpectedEOF},
		{name: "empty", body: ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
				server.Script("", cognitosynctest.Reply(200, encoded, test.body))
				r := newRequest(t, t.Context(), server, poolID)
				if test.header != "" {
					r.Header.Set(test.header, "gzip")
				}
				sign(t, r)
				response, err := httpClient(t, server).Do(r)
				require.NoError(t, err)
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				require.ErrorIs(t, err, test.err)
				assert.Equal(t, test.want, string(body))
			})
		})
	}
}

func TestRoundTripper_neverSent(t *testing.T) {
	t.Parallel()
	gaveUp := errors.New("gave up")
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(gaveUp)
	tests := []struct {
		name   string
		change func(*http.Request) *http.Request
		err    error
		text   string
	}{
		{"cancelled", func(r *http.Request) *http.Request { return r.WithContext(cancelled) }, gaveUp, "gave up"},
		{
			"broken body", func(r *http.Request) *http.Request {
				r.Body = io.NopCloser(iotest.ErrReader(errors.New("broken")))
				return r
			}, nil, "broken",
		},
		{
			"unreadable path", func(r *http.Request) *http.Request {
				r.URL.Opaque = "/identitypools/%zz"
				return r
			}, nil, `cognitosynctest: parse the request: parse "/identitypools/%zz": invalid URL escape "%zz"`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, _ := newMemoryServer(t)
			r := test.change(request(t, http.MethodGet, usageURL, "body"))
			closed := false
			r.Body = closer{r.Body, &closed}
			response, err := server.RoundTripper().RoundTrip(r)
			if response != nil {
				_ = response.Body.Close()
			}
			assert.Nil(t, response)
			require.EqualError(t, err, test.text)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
			}
			assert.True(t, closed, "the body is closed")
			assert.Zero(t, server.Requests().Count())
		})
	}
}

// A closer records that it is closed.
type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return nil }

// Reading past the end of a body returns the same error again.
func TestRoundTripper_bodyEnd(t *testing.T) {
	t.Parallel()
	server, client := newMemoryServer(t)
	server.Script("", cognitosynctest.Reply(200, nil, "body").CutAfter(2))
	r := newRequest(t, t.Context(), server, poolID)
	sign(t, r)
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	n, err := response.Body.Read(nil)
	assert.Zero(t, n)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, "bo", string(body))
	_, err = response.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestServer_urlInMemory(t *testing.T) {
	t.Parallel()
	server, _ := newMemoryServer(t)
	// RFC 2606 reserves .invalid, so no request leaves the machine.
	assert.True(t, strings.HasSuffix(server.URL(), ".invalid"), server.URL())
}
