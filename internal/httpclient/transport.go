package httpclient

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/defaults"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// Up to 256 goroutines each keep a connection; more than that share them. The SDK
	// keeps 10 idle ones per host, so most calls would begin with a TLS handshake. It
	// opens up to 2048, and while the first 256 are being opened, net/http would start
	// twice as many.
	maxConnsPerHost     = 256
	maxIdleConnsPerHost = maxConnsPerHost
	maxIdleConns        = 4 * maxConnsPerHost // for clients that call several regions

	// The service's headers are under 1 KiB. Go's own bound is 10 MiB, and many small
	// fields take twenty times their length.
	maxResponseHeaderBytes = 32 << 10
)

// healthCheck has the timeouts of http.HTTP2Config after which a dead connection is
// closed. A network that has forgotten a connection does not report it, and all HTTP/2
// requests to a host share one. Without the check they fail until the operating system
// gives up, which takes many minutes.
type healthCheck struct {
	sendPingTimeout time.Duration
	pingTimeout     time.Duration
}

// defaultHealthCheck closes a dead connection within the 15 s that an attempt has by
// default, so that the next attempt gets a new one.
var defaultHealthCheck = healthCheck{sendPingTimeout: 9 * time.Second, pingTimeout: 5 * time.Second}

// newTransport returns the transport of a buildable client. Where the client still has
// the SDK's defaults, they are replaced with our limits, the health check and the
// timeouts of mode.
func newTransport(client *awshttp.BuildableClient, mode aws.DefaultsMode, check healthCheck) *http.Transport {
	transport := client.GetTransport()
	replace(&transport.MaxConnsPerHost, awshttp.DefaultHTTPTransportMaxConnsPerHost, maxConnsPerHost)
	replace(&transport.MaxIdleConnsPerHost, awshttp.DefaultHTTPTransportMaxIdleConnsPerHost, maxIdleConnsPerHost)
	replace(&transport.MaxIdleConns, awshttp.DefaultHTTPTransportMaxIdleConns, maxIdleConns)
	replace(&transport.MaxResponseHeaderBytes, 0, maxResponseHeaderBytes)
	if transport.HTTP2 == nil {
		transport.HTTP2 = &http.HTTP2Config{}
	}
	replace(&transport.HTTP2.SendPingTimeout, 0, check.sendPingTimeout)
	replace(&transport.HTTP2.PingTimeout, 0, check.pingTimeout)

	config, err := defaults.GetModeConfiguration(mode)
	if err != nil {
		config = defaults.Configuration{} // the legacy mode has none
	}
	if timeout, ok := config.GetTLSNegotiationTimeout(); ok {
		replace(&transport.TLSHandshakeTimeout, awshttp.DefaultHTTPTransportTLSHandleshakeTimeout, timeout)
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

// replace sets a setting that still has its default.
func replace[T comparable](setting *T, defaultValue, value T) {
	if *setting == defaultValue {
		*setting = value
	}
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

// impatientConn fails a read that gets no data within the timeout: what
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
