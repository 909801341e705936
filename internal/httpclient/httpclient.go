package httpclient

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/defaults"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
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

type Doer interface {
	Do(*http.Request) (*http.Response, error)
}
type Set struct{}

func (s *Set) WithoutRedirects(client Doer, mode aws.DefaultsMode) Doer {
	switch client := client.(type) {
	case *http.Client:
		return &std{client}
	case *awshttp.BuildableClient:
		return &std{&http.Client{Transport: newTransport(client, mode), Timeout: client.GetTimeout()}}
	}
	return client
}

type std struct{ c *http.Client }

func (s *std) Do(req *http.Request) (*http.Response, error) {
	c := *s.c
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Transport = cmp.Or(c.Transport, http.DefaultTransport)
	return c.Do(req)
}

func Do(client Doer, req *http.Request) (*http.Response, error) {
	resp, err := client.Do(req)
	var u *url.Error
	if err == nil && resp == nil {
		err = errors.New("the HTTP client returned neither a response nor an error")
	}
	if err != nil && !errors.As(err, &u) {
		err = &url.Error{Op: "Get", URL: req.URL.Redacted(), Err: err}
	}
	if err != nil {
		return nil, err
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	return resp, nil
}

type bounded struct {
	io.ReadCloser
	remaining int64
	tooLarge  error
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.remaining < 0 {
		return 0, b.tooLarge
	}
	if int64(len(p)) > b.remaining+1 {
		p = p[:b.remaining+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.remaining -= int64(n)
	if b.remaining < 0 {
		return n - 1, b.tooLarge
	}
	return n, err
}

func Bound(body io.ReadCloser, limit int64, tooLarge error) io.ReadCloser {
	return &bounded{body, limit, tooLarge}
}

func ReadBody(ctx context.Context, resp *http.Response, limit int64, tooLarge error) ([]byte, error) {
	if resp.Body == nil {
		return nil, nil
	}
	b := bounded{resp.Body, limit, tooLarge}
	defer b.Close()
	return io.ReadAll(&b)
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
