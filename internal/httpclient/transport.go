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
	// Up to 256 goroutines keep a connection each. The SDK keeps only 10 idle connections
	// per host, so most calls would start with a TLS handshake. It opens up to 2048, and
	// without a limit net/http would dial about twice as many as needed at the start.
	maxConnsPerHost     = 256
	maxIdleConnsPerHost = maxConnsPerHost
	maxIdleConns        = 4 * maxConnsPerHost // for clients that call several regions

	// The service's headers are smaller than 1 KiB. Go's limit is 10 MiB, and many small
	// fields need twenty times their length in memory.
	maxResponseHeaderBytes = 32 << 10
)

// healthCheck has the timeouts of http.HTTP2Config that close a dead connection. A network
// that drops a connection does not report it, and all HTTP/2 requests to a host share one.
// Without the check they would fail until the operating system gives up, which takes many
// minutes.
type healthCheck struct {
	sendPingTimeout time.Duration
	pingTimeout     time.Duration
}

// defaultHealthCheck closes a dead connection within the 15 s that an attempt has by
// default, so that the next attempt gets a new one.
var defaultHealthCheck = healthCheck{sendPingTimeout: 9 * time.Second, pingTimeout: 5 * time.Second}

// newTransport returns the transport for a buildable client. It replaces settings that have
// the SDK's defaults with this package's limits, the health check and the timeouts of mode.
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
		config = defaults.Configuration{} // the legacy mode has no configuration
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

// replace sets a setting that has its default value.
func replace[T comparable](setting *T, defaultValue, value T) {
	if *setting == defaultValue {
		*setting = value
	}
}

// dialer adds the timeouts of a defaults mode and of a buildable client to dial. Zero means
// no timeout.
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
	return &readTimeoutConn{Conn: conn, timeout: d.readTimeout}, nil
}

// readTimeoutConn fails a read that receives no data within the timeout, which implements
// awshttp.BuildableClient.WithReadTimeout.
type readTimeoutConn struct {
	net.Conn
	timeout time.Duration
}

func (c *readTimeoutConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
