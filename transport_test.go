package cognitosync_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// numbered returns header lines with different names.
func numbered(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%x:\r\n", i)
	}
	return b.String()
}

// TestHostileHeaders sends responses in which everything but the body is too long.
func TestHostileHeaders(t *testing.T) {
	xs := bytes.Repeat([]byte("x"), 64<<10)
	testHostile(t, paths, []hostileResponse{
		{"endless header", headersOK, []byte("X-A: xxxxxxxxxxxxxxxx\r\n"), endless, endsUnsent},
		{"endless line", headersOK + "X-A: ", xs, endless, endsUnsent},
		{"endless status", "HTTP/1.1 500 ", xs, endless, endsUnsent},
		{"endless garbage", "", xs, endless, endsUnsent},
		{"endless interim responses", "", []byte("HTTP/1.1 103 Early Hints\r\nX-A: x\r\n\r\n"), endless, endsUnsent},
		{"endless trailer", headersOK + headersChunked + "2\r\n{}\r\n0\r\n", []byte("X-A: xxxxxxxxxxxxxxxx\r\n"), endless, endsUnsent},
		{"endless chunk extension", headersOK + headersChunked + "2;", xs, endless, endsUnsent},
		{"huge header", headersServerError + "X-A: " + strings.Repeat("x", 200<<10) + "\r\n" + headersNoBody, nil, 0, endsSomehow},
		{"many headers", headersServerError + numbered(200<<10) + headersNoBody, nil, 0, endsSomehow},
		{"many headers of one name", headersServerError + strings.Repeat("a:\r\n", 50<<10) + headersNoBody, nil, 0, endsSomehow},
		{"huge code in the header", headersBadRequest + "X-Amzn-ErrorType: " + strings.Repeat("x", 20<<10) + "\r\n" + headersNoBody, nil, 0, endsAPIError},
		{"huge message in the header", headersBadRequest + "X-Amzn-ErrorMessage: " + strings.Repeat("x", 20<<10) + "\r\n" + headersNoBody, nil, 0, endsAPIError},
		{"huge request ID", headersBadRequest + "X-Amzn-RequestId: " + strings.Repeat("x", 20<<10) + "\r\n" + headersNoBody, nil, 0, endsAPIError},
		{"huge reason", "HTTP/1.1 400 " + strings.Repeat("x", 20<<10) + "\r\n" + headersNoBody, nil, 0, endsAPIError},
		{"huge Location", "HTTP/1.1 302 Found\r\nLocation: https://" + strings.Repeat("x", 20<<10) + "/\r\n" + headersNoBody, nil, 0, endsAPIError},
	})
}

// TestHostileHTTP sends responses that are not valid HTTP.
func TestHostileHTTP(t *testing.T) {
	testHostile(t, paths, []hostileResponse{
		{"not HTTP", "SSH-2.0-OpenSSH_9.9\r\n", nil, 0, endsUnsent},
		{"no status", "HTTP/1.1\r\n\r\n", nil, 0, endsUnsent},
		{"invalid status", "HTTP/1.1 abc OK\r\n" + headersNoBody, nil, 0, endsUnsent},
		{"negative status", "HTTP/1.1 -20 OK\r\n" + headersNoBody, nil, 0, endsUnsent},
		{"status 0", "HTTP/1.1 000 OK\r\n" + headersNoBody, nil, 0, endsAPIError},
		{"status 999", "HTTP/1.1 999 OK\r\n" + headersNoBody, nil, 0, endsAPIError},
		{"switched protocols", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", []byte("x"), 1, endsAPIError},
		{"negative length", headersOK + "Content-Length: -1\r\n\r\n", nil, 0, endsUnsent},
		{"two lengths", headersOK + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", []byte("{}"), 1, endsUnsent},
		{"chunk of wrong length", headersOK + headersChunked, []byte("2\r\n{}}\r\n0\r\n\r\n"), 1, endsUnsent},
		{"chunk of huge length", headersOK + headersChunked, []byte("ffffffffffffffffff\r\n{}"), 1, endsUnsent},
		{"invalid gzip", headersOK + headersGzip, []byte(stubBody), 1, endsDeserializing},
		{"gzip with a wrong sum", headersOK + headersGzip, []byte(emptyGzip[:len(emptyGzip)-1] + "x"), 1, endsDeserializing},
		{"gzip with rubbish inside", headersOK + headersGzip, append(zipped(t, 0)[:12], "\xff\xff\xff\xff\xff\xff\xff\xff"...), 1, endsDeserializing},
	})
}

// TestConnectionIsReused makes sequential calls. After a response that was read to its end,
// the next call uses the same connection, whatever the response was.
func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	const calls = 5
	for _, test := range []struct {
		name        string
		status      int
		body        string
		connections int
	}{
		{"success", 200, stubBody, 1},
		{"success with trailing spaces", 200, stubBody + strings.Repeat(" ", 100<<10), 1},
		{"success without a body", 204, "", 1},
		{"malformed", 200, `{"IdentityPoolUsage":[` + strings.Repeat("x", 100<<10), 1},
		{"client error", 404, `{"message":"m"}`, 1},
		{"client error without a body", 404, "", 1},
		{"long client error", 400, strings.Repeat("x", 60<<10), 1},
		{"server error", 500, `{"message":"m"}`, 1},
		{"throttled", 429, `{"message":"m"}`, 1},
		{"redirect", 302, "<a href='/'>elsewhere</a>", 1},
		{"too long", 200, strings.Repeat(" ", 2*mib), calls},
	} {
		for _, announced := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/announced=%v", test.name, announced), func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					var connections atomic.Int32
					server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						if announced && test.status != http.StatusNoContent {
							w.Header().Set("Content-Length", fmt.Sprint(len(test.body)))
						}
						w.Header().Set("Location", "/elsewhere")
						w.WriteHeader(test.status)
						if !announced {
							_ = http.NewResponseController(w).Flush() // a client that is gone fails the test
						}
						_, _ = io.WriteString(w, test.body) // the client may close the connection
					}))
					server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
						if state == http.StateNew {
							connections.Add(1)
						}
					}
					server.Start()
					t.Cleanup(server.Close)
					tr := setup(t, path, func(o *cognitosync.Options) {
						o.BaseEndpoint, o.RetryMaxAttempts = aws.String(server.URL), 1
					})
					for range calls {
						output, err := tr.call(t.Context())
						assert.NotEqual(t, output == nil, err == nil)
					}
					assert.EqualValues(t, test.connections, connections.Load())
				})
			})
		}
	}
}

// redirectNotFollowed is the code of a redirect that contains none.
const redirectNotFollowed = "RedirectNotFollowed"

// redirectStatuses are the statuses that net/http would follow.
var redirectStatuses = []int{
	http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
	http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
}

// A bystander is the target of a redirect, which must not receive a request. It would
// redirect one to a second host.
type bystander struct {
	*httptest.Server
	requests atomic.Int32
}

func newBystander(t *testing.T) *bystander {
	t.Helper()
	b := &bystander{}
	last := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.requests.Add(1) }))
	t.Cleanup(last.Close)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		http.Redirect(w, r, last.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(b.Close)
	return b
}

// host is the host that an error must contain.
func (b *bystander) host() string { return strings.TrimPrefix(b.URL, "http://") }

// followAll is a CheckRedirect that follows all redirects.
func followAll(*http.Request, []*http.Request) error { return nil }

// httpClients are the kinds of HTTP clients that a caller can set, with a function that
// creates each.
var httpClients = []struct {
	name string
	make func() cognitosync.HTTPClient
}{
	{"none", func() cognitosync.HTTPClient { return nil }},
	{"http.Client", func() cognitosync.HTTPClient { return &http.Client{} }},
	{"nil http.Client", func() cognitosync.HTTPClient { return (*http.Client)(nil) }},
	{"http.Client that follows", func() cognitosync.HTTPClient { return &http.Client{CheckRedirect: followAll} }},
	{"http.Client with a transport", func() cognitosync.HTTPClient {
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: followAll}
	}},
	{"http.Client with a timeout", func() cognitosync.HTTPClient {
		return &http.Client{Timeout: time.Hour, CheckRedirect: followAll}
	}},
	{"http.Client with a jar", func() cognitosync.HTTPClient {
		jar, _ := cookiejar.New(nil) // returns no error without options
		return &http.Client{Jar: jar, CheckRedirect: followAll}
	}},
	{"BuildableClient", func() cognitosync.HTTPClient { return awshttp.NewBuildableClient() }},
	{"BuildableClient with a timeout", func() cognitosync.HTTPClient {
		return awshttp.NewBuildableClient().WithTimeout(time.Hour)
	}},
	{"BuildableClient with options", func() cognitosync.HTTPClient {
		return awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.DisableKeepAlives = true })
	}},
	{"custom", func() cognitosync.HTTPClient { return clienttest.Doer(http.DefaultTransport.RoundTrip) }},
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, client := range httpClients {
		for _, status := range redirectStatuses {
			t.Run(fmt.Sprintf("%s/%d", client.name, status), func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					tr := setup(t, path, func(o *cognitosync.Options) { o.HTTPClient = client.make() })
					other := newBystander(t)
					tr.script(cognitosynctest.Redirect(status, other.URL+"/elsewhere").WithHeader("X-Amzn-RequestId", "id-1"))

					err := tr.fails(t, t.Context())

					assert.Zero(t, other.requests.Load(), "requests to the other host")
					assert.Equal(t, 1, tr.requests())
					assert.Empty(t, tr.naps.all())
					details := cognitosync.InspectError(err)
					assert.Equal(t, redirectNotFollowed, details.Code)
					assert.Equal(t, status, details.StatusCode)
					assert.Equal(t, "id-1", details.RequestID)
					assert.Contains(t, details.Message, other.host())
					requireAs[smithy.APIError](t, err)
					assert.Equal(t, status, requireAs[*awshttp.ResponseError](t, err).HTTPStatusCode())
				})
			})
		}
	}
}

// TestRedirectOfACall sets an HTTP client for one call.
func TestRedirectOfACall(t *testing.T) {
	t.Parallel()
	for _, client := range httpClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			tr := setup(t, direct)
			other := newBystander(t)
			tr.script(cognitosynctest.Redirect(http.StatusFound, other.URL))

			err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.HTTPClient = client.make() })

			assert.Zero(t, other.requests.Load(), "requests to the other host")
			assert.Equal(t, redirectNotFollowed, cognitosync.InspectError(err).Code)
		})
	}
}

func TestRedirectFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setupServer(t, path, cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.TLS = true }))
		other := newBystander(t)
		tr.script(cognitosynctest.Redirect(http.StatusTemporaryRedirect, other.URL))

		err := tr.fails(t, t.Context())

		assert.Zero(t, other.requests.Load(), "requests to the other host")
		details := cognitosync.InspectError(err)
		assert.Equal(t, redirectNotFollowed, details.Code)
		assert.Contains(t, details.Message, other.host())
	})
}

// TestRedirectLeavesTheCallersClient checks that the caller's HTTP client is unchanged and
// still follows redirects.
func TestRedirectLeavesTheCallersClient(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, time.Hour} {
		t.Run(timeout.String(), func(t *testing.T) {
			t.Parallel()
			given := &http.Client{Timeout: timeout}
			before := *given
			tr := setup(t, direct, func(o *cognitosync.Options) { o.HTTPClient = given })
			other := newBystander(t)
			tr.script(cognitosynctest.Redirect(http.StatusFound, other.URL))
			tr.fails(t, t.Context())

			assert.Equal(t, before, *given)
			resp, err := given.Get(other.URL)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.EqualValues(t, 2, other.requests.Load(), "the caller's own request, and its redirect")
		})
	}
}

// TestRedirectErrors checks the errors of unusual redirects.
func TestRedirectErrors(t *testing.T) {
	t.Parallel()
	clients := []struct {
		name   string
		client cognitosync.HTTPClient
	}{
		{"default", nil},
		{"http.Client with a timeout", &http.Client{Timeout: time.Hour}},
	}
	for _, test := range []struct {
		name     string
		status   int
		location string
		body     string
		headers  map[string]string
		code     string // "" for any
		message  string // what it must contain
		secret   string // what it must not contain
	}{
		{name: "no location", status: 302, code: "UnknownError"},
		{name: "not modified", status: 304, code: "UnknownError"},
		{name: "choices", status: 300, location: "https://other.example/", code: redirectNotFollowed, message: "other.example"},
		{name: "use proxy", status: 305, location: "https://other.example/", code: redirectNotFollowed, message: "other.example"},
		{name: "same host", status: 307, location: "/elsewhere", code: redirectNotFollowed},
		{name: "no scheme", status: 307, location: "//other.example/x", code: redirectNotFollowed, message: "other.example"},
		{name: "port", status: 307, location: "https://other.example:8443/x", code: redirectNotFollowed, message: "other.example:8443"},
		{name: "password", status: 307, location: "https://user:hunter2@other.example/x", code: redirectNotFollowed, message: "other.example", secret: "hunter2"},
		{name: "query", status: 307, location: "https://other.example/x?token=hunter2", code: redirectNotFollowed, message: "other.example", secret: "hunter2"},
		{name: "unreadable", status: 302, location: "http://[other.example"},
		{name: "invalid escape", status: 308, location: "http://other.example/%zz"},
		{name: "long", status: 302, location: "https://" + strings.Repeat("other.", 4000) + "example/", code: redirectNotFollowed, message: "other.other."},
		{name: "HTML", status: 301, location: "https://other.example/", body: `<a href="https://other.example/">Moved Permanently</a>.`,
			headers: map[string]string{"Content-Type": "text/html"}, code: redirectNotFollowed, message: "other.example"},
		{name: "with a message", status: 301, location: "https://other.example/", body: `{"message":"go there"}`, code: redirectNotFollowed, message: "other.example"},
		{name: "with a code", status: 307, location: "https://other.example/", body: `{"message":"go there"}`,
			headers: map[string]string{"X-Amzn-ErrorType": "TemporaryRedirect"}, code: "TemporaryRedirect", message: "other.example"},
		{name: "with a code only", status: 307, location: "https://other.example/",
			headers: map[string]string{"X-Amzn-ErrorType": "TemporaryRedirect"}, code: "TemporaryRedirect", message: "other.example"},
	} {
		for _, client := range clients {
			t.Run(test.name+"/"+client.name, func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					tr := setup(t, path, func(o *cognitosync.Options) { o.HTTPClient = client.client })
					step := cognitosynctest.Reply(test.status, nil, test.body).WithHeader("Location", test.location)
					for name, value := range test.headers {
						step = step.WithHeader(name, value)
					}
					tr.script(step)

					err := tr.fails(t, t.Context())

					details := cognitosync.InspectError(err)
					assert.Equal(t, test.status, details.StatusCode)
					if test.code != "" {
						assert.Equal(t, test.code, details.Code)
					}
					assert.NotEmpty(t, requireAs[smithy.APIError](t, err).ErrorCode())
					assert.Contains(t, details.Message, test.message)
					assert.Contains(t, err.Error(), test.message)
					if test.secret != "" {
						assert.NotContains(t, err.Error(), test.secret)
					}
					assert.Equal(t, 1, tr.requests())
				})
			})
		}
	}
}

// shortTimeout is the timeout of attempts that never end. Any duration would do.
const shortTimeout = 20 * time.Millisecond

// slowSteps are responses that never end.
var slowSteps = []struct {
	name string
	step cognitosynctest.Step
}{
	{"silent", cognitosynctest.Stall()},
	{"late", cognitosynctest.OK().After(time.Hour)},
	{"stalled body", cognitosynctest.OK().StallAfter(10)},
	{"no body", cognitosynctest.OK().StallAfter(0)},
	{"drip-fed body", cognitosynctest.OK().Drip(time.Minute)},
	{"endless drip", cognitosynctest.Endless().Drip(time.Millisecond)},
	{"compressed and stalled", cognitosynctest.GzipBomb(1).StallAfter(30)},
}

// requireAttemptTimeout checks the error of a call whose attempts all timed out.
func requireAttemptTimeout(t *testing.T, err error, timeout time.Duration) {
	t.Helper()
	assert.Equal(t, timeout, requireAs[*cognitosync.AttemptTimeoutError](t, err).AttemptTimeout)
	requireAs[*smithyhttp.RequestSendError](t, err)
	assert.True(t, requireAs[interface {
		error
		Timeout() bool
	}](t, err).Timeout())
	assert.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's deadline has not passed")
	assert.NotErrorIs(t, err, context.Canceled)
	assert.False(t, isA[interface {
		error
		CanceledError() bool
	}](err), "as if the caller had given up")
	assert.Contains(t, err.Error(), timeout.String())
}

func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	for _, slow := range slowSteps {
		t.Run(slow.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path, func(o *cognitosync.Options) { o.AttemptTimeout = shortTimeout })
				tr.script(cognitosynctest.Forever(slow.step))

				err := tr.fails(t, t.Context())

				requireAttemptTimeout(t, err, shortTimeout)
				assert.Equal(t, 3, requireAs[*retry.MaxAttemptsError](t, err).Attempt)
				assert.LessOrEqual(t, tr.requests(), 3) // fewer if an attempt timed out while connecting
				details := cognitosync.InspectError(err)
				assert.Equal(t, 3, details.Attempts)
				assert.True(t, details.Retryable)
			})
		})
	}
}

// TestAttemptTimeoutOfACall sets the timeout for one call only.
func TestAttemptTimeoutOfACall(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.Forever(cognitosynctest.Stall()))

		err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.AttemptTimeout = shortTimeout })

		requireAttemptTimeout(t, err, shortTimeout)
		assert.Equal(t, patience, tr.client.Options().AttemptTimeout, "the client's own")
	})
}

// TestAttemptTimeoutWhileConnecting uses a dial and a TLS handshake that never end.
func TestAttemptTimeoutWhileConnecting(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections but sends nothing
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, silent.Close()) })

	for _, test := range []struct {
		name     string
		endpoint string
		dial     func(ctx context.Context, network, address string) (net.Conn, error)
	}{
		{"dial", "http://127.0.0.1:1", func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}},
		{"handshake", "https://" + silent.Addr().String(), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				transport := &http.Transport{DialContext: test.dial}
				t.Cleanup(transport.CloseIdleConnections) // ends abandoned dials
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.AttemptTimeout = shortTimeout
					o.BaseEndpoint = aws.String(test.endpoint)
					o.HTTPClient = &http.Client{Transport: transport}
				})

				err := tr.fails(t, t.Context())

				requireAttemptTimeout(t, err, shortTimeout)
				assert.Equal(t, 3, cognitosync.InspectError(err).Attempts)
			})
		})
	}
}

// TestCallersDeadline uses a context whose deadline is earlier than the attempt timeout.
func TestCallersDeadline(t *testing.T) {
	t.Parallel()
	for _, slow := range slowSteps {
		t.Run(slow.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path)
				tr.script(cognitosynctest.Forever(slow.step))
				ctx, cancel := context.WithTimeoutCause(t.Context(), shortTimeout, errOwnCause)
				defer cancel()

				err := tr.fails(t, ctx)

				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorIs(t, err, errOwnCause)
				assert.False(t, isA[*cognitosync.AttemptTimeoutError](err))
				assert.LessOrEqual(t, tr.requests(), 1) // none if the deadline passed while connecting
				assert.Empty(t, tr.naps.all())
			})
		})
	}
}

// TestConnecting uses a dialer that fails in each way.
func TestConnecting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		failure error
		retried bool
	}{
		{"no such host", &net.DNSError{Err: "no such host", Name: "host", IsNotFound: true}, false},
		{"no response from DNS", &net.DNSError{Err: "timeout", Name: "host", IsTimeout: true}, true},
		{"DNS fails for now", &net.DNSError{Err: "server misbehaving", Name: "host", IsTemporary: true}, true},
		{"refused", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", clienttest.ConnectionRefused)}, true},
		{"reset", &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", clienttest.ConnectionReset)}, true},
		{"unreachable", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", clienttest.HostUnreachable)}, true},
		{"timed out", &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				var dials atomic.Int32
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.HTTPClient = &http.Client{Transport: &http.Transport{
						DialContext: func(context.Context, string, string) (net.Conn, error) {
							dials.Add(1)
							return nil, test.failure
						},
					}}
				})

				err := tr.fails(t, t.Context())

				assert.ErrorIs(t, err, test.failure)
				requireAs[*smithyhttp.RequestSendError](t, err)
				details := cognitosync.InspectError(err)
				assert.Equal(t, test.retried, details.Retryable)
				if test.retried {
					assert.EqualValues(t, 3, dials.Load())
					assert.Equal(t, 3, details.Attempts)
					assert.Len(t, tr.naps.all(), 2)
				} else {
					assert.EqualValues(t, 1, dials.Load())
					assert.Equal(t, 1, details.Attempts)
				}
				details.Attempts, details.Retryable, details.Message = 0, false, ""
				assert.Zero(t, details, "details of a response that was not received")
			})
		})
	}
}

// TestRefusedConnection dials a port without a listener.
func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		endpoint := "http://" + refusingAddress(t)
		tr := setup(t, path, func(o *cognitosync.Options) { o.BaseEndpoint = &endpoint })

		err := tr.fails(t, t.Context())

		assert.ErrorIs(t, err, clienttest.ConnectionRefused)
		assert.Equal(t, 3, requireAs[*retry.MaxAttemptsError](t, err).Attempt)
		assert.Len(t, tr.naps.all(), 2)
	})
}

// refusingAddress returns an address that refuses connections until the test ends. It is the
// local address of a connection, so no other process can listen on it.
func refusingAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return conn.LocalAddr().String()
}

// TestUntrustedCertificate checks that an untrusted certificate is rejected.
func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.TLS = true })
		tr := setupServer(t, path, server, func(o *cognitosync.Options) { o.HTTPClient = &http.Client{} })
		err := tr.fails(t, t.Context())
		requireAs[*smithyhttp.RequestSendError](t, err)
		requireAs[x509.UnknownAuthorityError](t, err)
		assert.Equal(t, 3, cognitosync.InspectError(err).Attempts)
		assert.Zero(t, tr.requests())
	})
}

// TestIdleConnectionClosed closes connections on the server just before they are reused. The
// transport handles that, without another attempt or a delay.
func TestIdleConnectionClosed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		end  func(net.Conn) error
	}{
		{"closed", net.Conn.Close},
		{"reset", reset},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				var (
					mu       sync.Mutex
					used     = map[net.Conn]bool{} // not by address: a port can be used again
					attempts []string
					dropped  int
				)
				type connKey struct{}
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					defer mu.Unlock()
					accepted := r.Context().Value(connKey{}).(net.Conn)
					if used[accepted] {
						dropped++
						conn, _, err := http.NewResponseController(w).Hijack()
						if assert.NoError(t, err) {
							assert.NoError(t, test.end(conn))
						}
						return
					}
					used[accepted] = true
					attempts = append(attempts, r.Header.Get("Amz-Sdk-Request"))
					_, _ = io.WriteString(w, stubBody) // a client that is gone has failed the test already
				}))
				server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
					return context.WithValue(ctx, connKey{}, conn)
				}
				server.Start()
				t.Cleanup(server.Close)
				tr := setup(t, path, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.URL) })

				const calls = 5
				for range calls {
					output, err := tr.call(t.Context())
					require.NoError(t, err)
					require.NotNil(t, output)
				}

				mu.Lock()
				defer mu.Unlock()
				assert.Equal(t, calls-1, dropped, "connections reused")
				assert.Equal(t, slices.Repeat([]string{"attempt=1; max=3"}, calls), attempts)
				assert.Empty(t, tr.naps.all())
			})
		})
	}
}

// TestSwitchedProtocols uses a server that responds with 101 and then sends nothing, like a
// tunnel.
func TestSwitchedProtocols(t *testing.T) {
	t.Parallel()
	host := serveConns(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\nX-Amzn-RequestId: id-1\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the client closes the connection
	})
	for _, client := range httpClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.BaseEndpoint, o.HTTPClient = aws.String("http://"+host), client.make()
				})
				details := cognitosync.InspectError(tr.fails(t, t.Context())) // the context has no deadline
				assert.Equal(t, http.StatusSwitchingProtocols, details.StatusCode)
				assert.Equal(t, "UnknownError", details.Code)
				assert.Equal(t, "id-1", details.RequestID)
				assert.Equal(t, 1, details.Attempts)
			})
		})
	}
}

// proxyPassword must not be contained in any error or log, not even in base64.
const proxyPassword = "hunter2-of-the-proxy"

// serveConns starts a server that reads a request from every connection and then calls a
// function.
func serveConns(t *testing.T, serve func(conn net.Conn, req *http.Request)) (host string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					serve(conn, req)
				}
				// Closing a connection with unread data would reset it.
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// TestProxy uses proxies of HTTP_PROXY and HTTPS_PROXY that fail in all ways.
func TestProxy(t *testing.T) {
	t.Parallel()
	say := func(text string) func(net.Conn, *http.Request) {
		return func(conn net.Conn, _ *http.Request) { _, _ = io.WriteString(conn, text) }
	}
	for _, test := range []struct {
		name     string
		serve    func(net.Conn, *http.Request)
		attempts map[string]int    // by scheme of the endpoint
		contains map[string]string // of the error
	}{
		{
			"407", say("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"),
			map[string]int{"http": 1, "https": 3}, map[string]string{"http": "UnknownError", "https": "Proxy Authentication Required"},
		},
		{
			"407 that repeats what it was sent", func(conn net.Conn, req *http.Request) {
				authorization := req.Header.Get("Proxy-Authorization")
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 407 Proxy-Authorization: %s\r\nX-Echo: Proxy-Authorization: %s\r\nX-Amzn-Errormessage: Proxy-Authorization: %s\r\nConnection: close\r\n\r\nProxy-Authorization: %s, http://user:%s@proxy.test/",
					authorization, authorization, authorization, authorization, proxyPassword)
			},
			map[string]int{"http": 1, "https": 3}, map[string]string{"http": "REDACTED", "https": "REDACTED"},
		},
		{"dies", func(net.Conn, *http.Request) {}, map[string]int{"http": 3, "https": 3}, map[string]string{"http": "EOF", "https": "EOF"}},
		{
			"dies after it has connected", say("HTTP/1.1 200 OK\r\n\r\n"),
			map[string]int{"https": 3}, map[string]string{"https": "EOF"},
		},
		{"resets", func(conn net.Conn, _ *http.Request) { _ = reset(conn) }, map[string]int{"http": 3, "https": 3}, map[string]string{"http": "reset", "https": "reset"}},
		{"not HTTP", say("SSH-2.0-OpenSSH_9.9\r\n"), map[string]int{"http": 3, "https": 3}, map[string]string{"http": "malformed", "https": "malformed"}},
		{
			"switches protocols", say("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
			map[string]int{"http": 1, "https": 3}, map[string]string{"http": "UnknownError", "https": "Switching"},
		},
	} {
		for scheme, attempts := range test.attempts {
			t.Run(test.name+" "+scheme, func(t *testing.T) {
				t.Parallel()
				bothPaths(t, func(t *testing.T, path string) {
					host := serveConns(t, test.serve)
					witness := newWitness()
					tr := setup(t, path, witness.watch, throughProxy(t, scheme+"://service.test", "http://user:"+proxyPassword+"@"+host))
					err := tr.fails(t, t.Context())
					assert.Equal(t, attempts, cognitosync.InspectError(err).Attempts)
					assert.ErrorContains(t, err, test.contains[scheme])
					encoded := base64.StdEncoding.EncodeToString([]byte("user:" + proxyPassword))
					witness.assertSilent(t, err, proxyPassword, encoded, encoded[:16])
				})
			})
		}
	}
}

// TestProxyAddress uses proxies that cannot be reached. Most of their addresses are malformed.
func TestProxyAddress(t *testing.T) {
	t.Parallel()
	closed := refusingAddress(t)
	for _, test := range []struct{ name, address, contains string }{
		{"refuses", "http://user:" + proxyPassword + "@" + closed, "refused"},
		{"slash in the password", "http://user:" + proxyPassword + "/x@" + closed, "invalid proxy address: check HTTP_PROXY and HTTPS_PROXY, or the transport's Proxy"},
		{"space in the password", "http://user:" + proxyPassword + " x@" + closed, "invalid proxy address: check HTTP_PROXY and HTTPS_PROXY, or the transport's Proxy"},
		{"no scheme", "user:" + proxyPassword + "/x@" + closed, "invalid proxy address: check HTTP_PROXY and HTTPS_PROXY, or the transport's Proxy"},
		{"port that is not a number", "http://user:" + proxyPassword + "@127.0.0.1:x", "invalid proxy address: check HTTP_PROXY and HTTPS_PROXY, or the transport's Proxy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				witness := newWitness()
				tr := setup(t, path, witness.watch, throughProxy(t, "https://service.test", test.address))
				err := tr.fails(t, t.Context())
				assert.ErrorContains(t, err, test.contains)
				witness.assertSilent(t, err, proxyPassword)
			})
		})
	}
}

// throughProxy makes a client use the proxy with this address, as an environment variable
// would. net/http reads the variables only once per process.
func throughProxy(t *testing.T, endpoint, address string) func(*cognitosync.Options) {
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		proxy, err := url.Parse(address)
		if err != nil || proxy.Host == "" {
			return nil, fmt.Errorf("invalid proxy address %q: %v", address, err) //nolint:errorlint // as net/http does
		}
		return proxy, nil
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return func(o *cognitosync.Options) {
		o.BaseEndpoint, o.HTTPClient = aws.String(endpoint), &http.Client{Transport: transport}
	}
}

// TestCutBodyNamesTheURL checks that the error of a truncated response contains the URL, as
// that of net/http does.
func TestCutBodyNamesTheURL(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.Forever(cognitosynctest.OK().CutAfter(10)))
		err := tr.fails(t, t.Context())
		named := requireAs[*url.Error](t, err)
		assert.Equal(t, "Get", named.Op)
		assert.Equal(t, tr.server.URL()+"/identitypools/"+escapedID(poolID), named.URL)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		requireAs[*smithyhttp.RequestSendError](t, err)
	})
}
