package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

func transportOf(client httpclient.Doer) *http.Transport {
	return httpclient.HTTPClientOf(client).Transport.(*http.Transport)
}

func TestTransport(t *testing.T) {
	t.Parallel()
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		client := without(awshttp.NewBuildableClient())
		transport := transportOf(client)
		assert.Equal(t, 256, transport.MaxConnsPerHost)
		assert.Equal(t, 256, transport.MaxIdleConnsPerHost)
		assert.Equal(t, 1024, transport.MaxIdleConns)
		assert.EqualValues(t, 32<<10, transport.MaxResponseHeaderBytes)
		assert.Equal(t, awshttp.DefaultHTTPTransportTLSHandleshakeTimeout, transport.TLSHandshakeTimeout)
		assert.Zero(t, httpclient.HTTPClientOf(client).Timeout)
		require.NotNil(t, transport.HTTP2)
		assert.Positive(t, transport.HTTP2.SendPingTimeout)
		assert.Positive(t, transport.HTTP2.PingTimeout)
		assert.Less(t, transport.HTTP2.SendPingTimeout+transport.HTTP2.PingTimeout, 15*time.Second, "the default attempt timeout")
	})
	t.Run("of a mode", func(t *testing.T) {
		t.Parallel()
		transport := transportOf(new(httpclient.Set).WithoutRedirects(awshttp.NewBuildableClient(), aws.DefaultsModeInRegion))
		assert.Equal(t, 1100*time.Millisecond, transport.TLSHandshakeTimeout)
	})
	t.Run("the user's", func(t *testing.T) {
		t.Parallel()
		client := new(httpclient.Set).WithoutRedirects(awshttp.NewBuildableClient().WithTimeout(time.Hour).WithTransportOptions(func(tr *http.Transport) {
			tr.MaxConnsPerHost, tr.MaxIdleConnsPerHost, tr.MaxIdleConns, tr.MaxResponseHeaderBytes = 1, 2, 3, 4
			tr.TLSHandshakeTimeout = time.Minute
			tr.HTTP2 = &http.HTTP2Config{SendPingTimeout: time.Hour, MaxReadFrameSize: 1 << 20}
		}), aws.DefaultsModeInRegion)
		transport := transportOf(client)
		assert.Equal(t, 1, transport.MaxConnsPerHost)
		assert.Equal(t, 2, transport.MaxIdleConnsPerHost)
		assert.Equal(t, 3, transport.MaxIdleConns)
		assert.EqualValues(t, 4, transport.MaxResponseHeaderBytes)
		assert.Equal(t, time.Minute, transport.TLSHandshakeTimeout)
		assert.Equal(t, time.Hour, transport.HTTP2.SendPingTimeout)
		assert.Positive(t, transport.HTTP2.PingTimeout)
		assert.Equal(t, 1<<20, transport.HTTP2.MaxReadFrameSize)
		assert.Equal(t, time.Hour, httpclient.HTTPClientOf(client).Timeout)
	})
}

// TestConnectTimeout checks that the mode's dial timeout also applies to the user's dialer.
func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	for mode, limited := range map[aws.DefaultsMode]bool{aws.DefaultsModeLegacy: false, aws.DefaultsModeInRegion: true} {
		var deadline atomic.Bool
		client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				_, ok := ctx.Deadline()
				deadline.Store(ok)
				return nil, errBroken
			}
		})
		_, err := httpclient.Do(new(httpclient.Set).WithoutRedirects(client, mode), newRequest(t, "http://host.test/"))
		require.ErrorIs(t, err, errBroken)
		assert.Equal(t, limited, deadline.Load(), mode)
	}
}

// TestReadTimeout checks that a read times out, with and without the user's dialer.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"no dialer": nil, "dialer": (&net.Dialer{}).DialContext,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := awshttp.NewBuildableClient().WithReadTimeout(500 * time.Millisecond).
				WithTransportOptions(func(tr *http.Transport) { tr.DialContext = dial })
			_, err := httpclient.Do(without(client), newRequest(t, server.URL))
			requireURLError(t, err, server.URL)
			var timeout net.Error
			require.ErrorAs(t, err, &timeout)
			assert.True(t, timeout.Timeout())
		})
	}
}

// TestSet checks that there is one client for each buildable client and mode, and that it
// is forgotten with the buildable client.
func TestSet(t *testing.T) {
	t.Parallel()
	var set httpclient.Set
	a, b := awshttp.NewBuildableClient(), awshttp.NewBuildableClient()
	first := set.WithoutRedirects(a, legacy)
	assert.Same(t, first, set.WithoutRedirects(a, legacy))
	assert.NotSame(t, first, set.WithoutRedirects(a, aws.DefaultsModeStandard))
	assert.NotSame(t, first, set.WithoutRedirects(b, legacy))
	assert.NotSame(t, first, new(httpclient.Set).WithoutRedirects(a, legacy))
	none := set.WithoutRedirects((*awshttp.BuildableClient)(nil), legacy)
	assert.Same(t, none, set.WithoutRedirects((*awshttp.BuildableClient)(nil), legacy))
	assert.Equal(t, 256, transportOf(none).MaxConnsPerHost)

	forgotten := make(chan struct{})
	runtime.AddCleanup(httpclient.HTTPClientOf(first), func(struct{}) { close(forgotten) }, struct{}{})
	first = nil //nolint:ineffassign,wastedassign // removes the last reference
	runtime.KeepAlive(a)
	a = nil //nolint:ineffassign,wastedassign // removes the last reference
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		runtime.GC()
		select {
		case <-forgotten:
			runtime.KeepAlive(&set)
			return
		default:
			require.True(t, time.Now().Before(deadline), "not forgotten")
		}
	}
}

// TestDeadHTTP2Connection uses a network that silently forgets a connection. The health
// check detects that, and the next request uses a new connection.
func TestDeadHTTP2Connection(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	network := newForgetfulProxy(t, server.Listener.Addr().String())

	transport := httpclient.NewTransport(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		tr.TLSClientConfig.ServerName = "example.com"
	}), legacy, 200*time.Millisecond, 300*time.Millisecond)
	t.Cleanup(transport.CloseIdleConnections)
	client := without(&http.Client{Transport: transport})
	get := func() (string, error) {
		resp, err := httpclient.Do(client, newRequest(t, "https://"+network.Addr().String()))
		if err != nil {
			return "", err
		}
		body, err := httpclient.ReadBody(t.Context(), resp, 100, errTooLarge)
		return string(body), err
	}

	proto, err := get()
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0", proto)
	require.EqualValues(t, 1, network.accepted.Load())

	network.forgetAll()
	_, err = get() // only the health check ends it
	require.Error(t, err)
	require.NoError(t, t.Context().Err())

	proto, err = get()
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0", proto)
	assert.EqualValues(t, 2, network.accepted.Load())
}

// A forgetfulProxy forwards bytes between its clients and a server. After forgetAll, it
// drops all data of the existing connections.
type forgetfulProxy struct {
	net.Listener
	accepted   atomic.Int32
	generation atomic.Int32
}

func newForgetfulProxy(t *testing.T, target string) *forgetfulProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &forgetfulProxy{Listener: listener}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			server, err := net.Dial("tcp", target)
			if !assert.NoError(t, err) {
				return
			}
			generation := p.generation.Load()
			for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
				go func() {
					defer pair[1].Close()
					buffer := make([]byte, 32<<10)
					for {
						n, err := pair[0].Read(buffer)
						if err != nil {
							return
						}
						if p.generation.Load() == generation {
							_, _ = pair[1].Write(buffer[:n])
						}
					}
				}()
			}
		}
	}()
	return p
}

func (p *forgetfulProxy) forgetAll() { p.generation.Add(1) }

// TestLongTimeouts checks that timeouts that are long or unset do not fail a request.
func TestLongTimeouts(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "text") })
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"no dialer": nil, "dialer": (&net.Dialer{}).DialContext,
	} {
		for _, mode := range []aws.DefaultsMode{legacy, aws.DefaultsModeInRegion} {
			for _, readTimeout := range []time.Duration{0, time.Hour} {
				t.Run(fmt.Sprint(name, mode, readTimeout), func(t *testing.T) {
					t.Parallel()
					client := awshttp.NewBuildableClient().WithReadTimeout(readTimeout).
						WithTransportOptions(func(tr *http.Transport) { tr.DialContext, tr.DisableKeepAlives = dial, true })
					resp, err := httpclient.Do(new(httpclient.Set).WithoutRedirects(client, mode), newRequest(t, server.URL))
					require.NoError(t, err)
					body, err := httpclient.ReadBody(t.Context(), resp, 100, errTooLarge)
					require.NoError(t, err)
					assert.Equal(t, "text", string(body))
				})
			}
		}
	}
}

// TestDialerFails checks that the errors of the user's dialer and its connections are
// returned.
func TestDialerFails(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func() (net.Conn, error){
		"dial": func() (net.Conn, error) { return nil, errBroken },
		"deadline": func() (net.Conn, error) {
			ours, theirs := net.Pipe()
			return &connWithoutDeadline{Conn: ours, peer: theirs}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ended func() error
			client := awshttp.NewBuildableClient().WithReadTimeout(time.Hour).WithTransportOptions(func(tr *http.Transport) {
				tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					ended = ctx.Err
					return dial()
				}
			})
			resp, err := httpclient.Do(new(httpclient.Set).WithoutRedirects(client, aws.DefaultsModeInRegion), newRequest(t, "http://host.test/"))
			assert.Nil(t, resp)
			require.ErrorIs(t, err, errBroken)
			require.Error(t, ended(), "the context of the dial has not ended")
		})
	}
}

// connWithoutDeadline is a connection that does not support deadlines.
type connWithoutDeadline struct {
	net.Conn
	peer net.Conn
}

func (*connWithoutDeadline) SetReadDeadline(time.Time) error { return errBroken }

func (c *connWithoutDeadline) Write(p []byte) (int, error) { return len(p), nil }

func (c *connWithoutDeadline) Close() error { return errors.Join(c.Conn.Close(), c.peer.Close()) }

// TestHealthCheck checks that a connection is closed after 14 s of silence.
func TestHealthCheck(t *testing.T) {
	t.Parallel()
	transport := transportOf(without(awshttp.NewBuildableClient()))
	assert.Equal(t, 9*time.Second, transport.HTTP2.SendPingTimeout)
	assert.Equal(t, 14*time.Second, transport.HTTP2.SendPingTimeout+transport.HTTP2.PingTimeout)
}
