package cognitosync

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"
	"weak"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/defaults"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// What the default transport keeps and takes.
const (
	// 256 goroutines each have a connection and find it again; more share them. The
	// SDK keeps 10 a host, which turns most calls into TLS handshakes, and opens up to
	// 2048: while the first 256 are being opened, net/http would start twice as many.
	maxConnsPerHost     = 256
	maxIdleConnsPerHost = maxConnsPerHost
	maxIdleConns        = 4 * maxConnsPerHost // for clients that ask several regions

	// The service's heads are under 1 KiB. Go's own bound is 10 MiB, and many small
	// fields take twenty times their length.
	maxResponseHeaderBytes = 32 << 10
)

// The most that is read of a body, after decompression. An answer of the service has
// a few hundred bytes; of an error that has more, the beginning will do.
const (
	maxResponseBody = 1 << 20
	maxErrorBody    = 64 << 10
)

// guardHTTPClient returns a client that does what client does but follow
// redirects, for the signature and the token would go along.
func guardHTTPClient(client HTTPClient, mode aws.DefaultsMode) HTTPClient {
	switch client := client.(type) {
	case *http.Client:
		if client == nil {
			client = http.DefaultClient // what its zero value would do
		}
		return guard(*client)
	case *awshttp.BuildableClient:
		return guard(http.Client{Transport: newTransport(client, mode), Timeout: client.GetTimeout()})
	}
	return client
}

func guard(client http.Client) HTTPClient {
	if client.Timeout == 0 && client.Jar == nil {
		// All that is left of the client is redirects: do without it.
		return roundTripper{cmp.Or(client.Transport, http.DefaultTransport)}
	}
	client.Transport = withoutLocation{cmp.Or(client.Transport, http.DefaultTransport)}
	return &locationClient{client}
}

// locationClient is an http.Client that does not see where a redirect points, and so
// has nothing to follow, and nothing to object to. Its answers have it all the same.
type locationClient struct{ http.Client }

// hiddenLocation is no name that a header field of an answer can have.
const hiddenLocation = "location, hidden"

func (c *locationClient) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.Client.Do(req)
	if resp != nil && resp.Header[hiddenLocation] != nil {
		resp.Header["Location"] = resp.Header[hiddenLocation]
		delete(resp.Header, hiddenLocation)
	}
	return resp, err
}

type withoutLocation struct{ http.RoundTripper }

func (t withoutLocation) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if resp != nil && resp.Header["Location"] != nil {
		resp.Header = resp.Header.Clone() // it may be the transport's for many answers
		resp.Header[hiddenLocation] = resp.Header["Location"]
		delete(resp.Header, "Location")
	}
	return resp, err
}

// roundTripper sends a request once, whatever the answer.
type roundTripper struct{ http.RoundTripper }

func (t roundTripper) Do(req *http.Request) (*http.Response, error) { return t.RoundTrip(req) }

// guardKey names a buildable client and the mode that its transport was made for.
type guardKey struct {
	client weak.Pointer[awshttp.BuildableClient]
	mode   aws.DefaultsMode
}

// withoutRedirects returns a client that does not follow redirects. A buildable client
// has one for as long as it lives, also if a call brings it: its connections are to be
// used again.
func (c *Client) withoutRedirects(client HTTPClient, mode aws.DefaultsMode) HTTPClient {
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok {
		return guardHTTPClient(client, mode)
	}
	key := guardKey{weak.Make(buildable), mode}
	guarded, known := c.guarded.Load(key)
	if !known {
		guarded, known = c.guarded.LoadOrStore(key, guardHTTPClient(client, mode))
	}
	if all := c.guarded; !known {
		runtime.AddCleanup(buildable, func(key guardKey) { all.Delete(key) }, key)
	}
	return guarded.(HTTPClient)
}

// newTransport returns the transport of a buildable client, with our numbers of
// connections and the timeouts of mode where it still has the SDK's own.
func newTransport(client *awshttp.BuildableClient, mode aws.DefaultsMode) *http.Transport {
	transport := client.GetTransport()
	if transport.MaxConnsPerHost == awshttp.DefaultHTTPTransportMaxConnsPerHost {
		transport.MaxConnsPerHost = maxConnsPerHost
	}
	if transport.MaxIdleConnsPerHost == awshttp.DefaultHTTPTransportMaxIdleConnsPerHost {
		transport.MaxIdleConnsPerHost = maxIdleConnsPerHost
	}
	if transport.MaxIdleConns == awshttp.DefaultHTTPTransportMaxIdleConns {
		transport.MaxIdleConns = maxIdleConns
	}
	if transport.MaxResponseHeaderBytes == 0 {
		transport.MaxResponseHeaderBytes = maxResponseHeaderBytes
	}

	config, err := defaults.GetModeConfiguration(mode)
	if err != nil {
		config = defaults.Configuration{} // the legacy mode has none
	}
	if timeout, ok := config.GetTLSNegotiationTimeout(); ok &&
		transport.TLSHandshakeTimeout == awshttp.DefaultHTTPTransportTLSHandleshakeTimeout {
		transport.TLSHandshakeTimeout = timeout
	}
	connectTimeout, limited := config.GetConnectTimeout()
	readTimeout, _ := client.GetReadTimeout()
	if limited || readTimeout > 0 {
		transport.DialContext = dialer{
			dial:           transport.DialContext,
			connectTimeout: connectTimeout,
			readTimeout:    readTimeout,
		}.DialContext
	}
	return transport
}

// dialer adds the timeouts of a defaults mode and of a buildable client to dial,
// which may be the caller's own. Zero means none.
type dialer struct {
	dial           func(ctx context.Context, network, address string) (net.Conn, error)
	connectTimeout time.Duration
	readTimeout    time.Duration
}

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.connectTimeout > 0 {
		limited, cancel := context.WithTimeout(ctx, d.connectTimeout)
		defer cancel()
		ctx = limited
	}
	dial := d.dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil || d.readTimeout <= 0 {
		return conn, err
	}
	return &impatientConn{Conn: conn, timeout: d.readTimeout}, nil
}

// impatientConn fails a read that yields nothing for the timeout: what
// awshttp.BuildableClient.WithReadTimeout asks for.
type impatientConn struct {
	net.Conn
	timeout time.Duration
}

func (c *impatientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// send sends a signed request and returns the answer with its body, never nil, still
// to be read.
func (c *call) send(req *http.Request) (*http.Response, error) {
	c.sent = true
	resp, err := c.httpClient.Do(req)
	if err != nil {
		return nil, sendError(req.Context(), err)
	}
	if resp == nil {
		return nil, sendError(req.Context(), errors.New("the HTTP client returned neither a response nor an error"))
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	c.response = resp
	return resp, nil
}

// sendError says why no whole answer came: the caller gave up, the attempt took
// too long, or the network failed.
func sendError(ctx context.Context, err error) error {
	if timeout := attemptTimeout(ctx); timeout != nil {
		return &smithyhttp.RequestSendError{Err: timeout}
	}
	if ctx.Err() != nil {
		return &smithy.CanceledError{Err: contextError(ctx)}
	}
	return &smithyhttp.RequestSendError{Err: err}
}

// attemptTimeout returns what an attempt fails with whose time is up, or nil if it is
// not. The caller's own deadline is something else.
func attemptTimeout(ctx context.Context) error {
	var timeout *AttemptTimeoutError
	if errors.As(context.Cause(ctx), &timeout) {
		return timeout
	}
	return nil
}

// boundedBody ends with a [ResponseTooLargeError] when there is more to read than
// anybody should.
type boundedBody struct {
	io.ReadCloser
	limit     int64
	remaining int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.remaining < 0 {
		return 0, &ResponseTooLargeError{Limit: b.limit}
	}
	// One byte more than allowed tells a body of just the limit from a longer one.
	if int64(len(p)) > b.remaining+1 {
		p = p[:b.remaining+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.remaining -= int64(n)
	if b.remaining < 0 {
		return n - 1, &ResponseTooLargeError{Limit: b.limit}
	}
	return n, err
}

// readBody reads a body to its end, so that the connection can be used again, and
// closes it. What was read comes back with the error, if any: a
// [ResponseTooLargeError] if there are more than limit bytes.
func readBody(resp *http.Response, limit int64) (body []byte, err error) {
	if resp.Body == nil {
		return nil, nil // an answer made by middleware
	}
	bounded := boundedBody{ReadCloser: resp.Body, limit: limit, remaining: limit}
	defer func() { _ = bounded.Close() }() // what has been read stays read
	// Mostly the first buffer is large enough. Growing in few and large steps keeps
	// the sum of all of them near the limit, for a body of any length.
	size := int64(512)
	if resp.ContentLength > 0 {
		size = min(resp.ContentLength, limit) + 1
	}
	body = make([]byte, 0, size)
	for {
		n, err := bounded.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, err
		case len(body) == cap(body):
			body = append(make([]byte, 0, min(64*int64(cap(body)), limit+1)), body...)
		}
	}
}
