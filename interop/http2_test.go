package interop_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const frameBody = `{"IdentityPoolUsage":{"DataStorage":7,"SyncSessionsCount":9}}`

// An h2Server sends HTTP/2 frame by frame, so that it can violate the protocol.
type h2Server struct {
	url      string
	roots    *x509.CertPool
	respond  func(stream h2Stream)
	conns    atomic.Int32
	requests atomic.Int32
}

// An h2Stream is a request. The first that the server receives has the number 1.
type h2Stream struct {
	*http2.Framer
	conn   net.Conn
	id     uint32
	number int32
}

func newH2Server(t *testing.T, respond func(h2Stream)) *h2Server {
	t.Helper()
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	certificate.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: certificate.TLS.Certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	s := &h2Server{
		url:     "https://" + listener.Addr().String(),
		roots:   x509.NewCertPool(),
		respond: respond,
	}
	s.roots.AddCert(certificate.Certificate())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			go s.serve(conn)
		}
	}()
	return s
}

// serve reads frames and responds to each request until the client closes the connection.
func (s *h2Server) serve(conn net.Conn) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	framer := http2.NewFramer(conn, conn)
	if framer.WriteSettings() != nil {
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = framer.WritePing(true, frame.Data)
			}
		case *http2.HeadersFrame:
			s.respond(h2Stream{framer, conn, frame.StreamID, s.requests.Add(1)})
		}
	}
}

// headers sends the headers. An error means that the client is gone.
func (s h2Stream) headers(end bool, fields ...string) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // cannot fail for a buffer
	}
	rest := block.Bytes()
	first := rest[:min(len(rest), 16<<10)]
	rest = rest[len(first):]
	err := s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: first, EndStream: end, EndHeaders: len(rest) == 0})
	for err == nil && len(rest) > 0 {
		next := rest[:min(len(rest), 16<<10)]
		rest = rest[len(next):]
		err = s.WriteContinuation(s.id, len(rest) == 0, next)
	}
	return err
}

// data sends a part of the body. An error means that the client is gone.
func (s h2Stream) data(end bool, text string) error { return s.WriteData(s.id, end, []byte(text)) }

func (s h2Stream) ok() {
	_ = s.headers(false, ":status", "200", "content-length", strconv.Itoa(len(frameBody)))
	_ = s.data(true, frameBody)
}

// begin sends the headers of a successful response and the first bytes of its body.
func (s h2Stream) begin() {
	_ = s.headers(false, ":status", "200", "content-length", strconv.Itoa(len(frameBody)))
	_ = s.data(false, frameBody[:20])
}

// once calls do for the first request, and responds successfully to all others.
func once(do func(h2Stream)) func(h2Stream) {
	return func(s h2Stream) {
		if s.number == 1 {
			do(s)
		} else {
			s.ok()
		}
	}
}

// An h2Outcome is the expected outcome of a call.
type h2Outcome string

const (
	succeeds     h2Outcome = "output"
	succeedsLate h2Outcome = "output after a timeout"
	unsent       h2Outcome = "smithyhttp.RequestSendError"
	timesOut     h2Outcome = "cognitosync.AttemptTimeoutError"
	anyError     h2Outcome = "" // any error
)

// TestHTTP2 runs calls against servers that misuse or violate HTTP/2. Every call must end, and
// none may take a partial response for a complete one.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	reset := func(code http2.ErrCode) func(h2Stream) {
		return func(s h2Stream) { _ = s.WriteRSTStream(s.id, code) }
	}
	goAway := func(last uint32, code http2.ErrCode) func(h2Stream) {
		return func(s h2Stream) {
			_ = s.WriteGoAway(last, code, []byte("go"))
			_ = s.conn.(*tls.Conn).CloseWrite()
		}
	}
	after := func(do func(h2Stream)) func(h2Stream) { // calls do in the middle of a response
		return func(s h2Stream) {
			s.begin()
			do(s)
		}
	}
	for _, test := range []struct {
		name     string
		respond  func(h2Stream)
		ends     h2Outcome
		attempts int // 0: any number
	}{
		{"good", h2Stream.ok, succeeds, 1},
		{"GOAWAY without error, once", once(goAway(0, http2.ErrCodeNo)), succeeds, 0},
		{"GOAWAY without error", goAway(0, http2.ErrCodeNo), timesOut, 3}, // net/http retries by itself
		{"GOAWAY for an error, once", once(goAway(0, http2.ErrCodeEnhanceYourCalm)), succeeds, 0},
		{"GOAWAY for an error", goAway(0, http2.ErrCodeEnhanceYourCalm), unsent, 3},
		{"GOAWAY within the response, once", once(after(goAway(1, http2.ErrCodeNo))), succeeds, 2},
		{"GOAWAY within the response", after(goAway(1, http2.ErrCodeNo)), unsent, 3},
		{"GOAWAY before a good response", func(s h2Stream) {
			_ = s.WriteGoAway(s.id, http2.ErrCodeNo, nil)
			s.ok()
		}, succeeds, 1},
		{"REFUSED_STREAM, once", once(reset(http2.ErrCodeRefusedStream)), succeeds, 1},
		{"REFUSED_STREAM", reset(http2.ErrCodeRefusedStream), timesOut, 3},
		{"INTERNAL_ERROR, once", once(reset(http2.ErrCodeInternal)), succeeds, 2},
		{"INTERNAL_ERROR", reset(http2.ErrCodeInternal), unsent, 3},
		{"INTERNAL_ERROR within the response, once", once(after(reset(http2.ErrCodeInternal))), succeeds, 2},
		{"INTERNAL_ERROR within the response", after(reset(http2.ErrCodeInternal)), unsent, 3},
		{"CANCEL within the response", after(reset(http2.ErrCodeCancel)), unsent, 3},
		{"NO_ERROR within the response", after(reset(http2.ErrCodeNo)), unsent, 3},
		{"NO_ERROR after a body without its end", func(s h2Stream) {
			_ = s.headers(false, ":status", "200")
			_ = s.data(false, frameBody)
			reset(http2.ErrCodeNo)(s)
		}, unsent, 3},
		{"cut body, once", once(after(func(s h2Stream) { _ = s.data(true, "") })), succeeds, 2},
		{"cut body", after(func(s h2Stream) { _ = s.data(true, "") }), unsent, 3},
		{"body longer than its length", func(s h2Stream) {
			_ = s.headers(false, ":status", "200", "content-length", "20")
			_ = s.data(true, frameBody)
		}, unsent, 3},
		{"connection lost within the body", after(func(s h2Stream) { _ = s.conn.Close() }), unsent, 3},
		{"silence, once", once(func(h2Stream) {}), succeedsLate, 2},
		{"silence", func(h2Stream) {}, timesOut, 3},
		{"slow body, once", once(h2Stream.begin), succeedsLate, 2},
		{"slow body", h2Stream.begin, timesOut, 3},
		{"empty frames without end", after(func(s h2Stream) {
			for s.data(false, "") == nil {
				time.Sleep(time.Millisecond) //nolint:forbidigo // keeps the client from using all of a processor
			}
		}), "", 3},
		{"a few interim responses", func(s h2Stream) {
			for range 4 {
				_ = s.headers(false, ":status", "103", "link", "</x>")
			}
			s.ok()
		}, succeeds, 1},
		{"interim responses without end", func(s h2Stream) {
			for s.headers(false, ":status", "103", "link", "</"+strings.Repeat("x", 1000)+">") == nil {
				continue
			}
		}, anyError, 3},
		{"101", func(s h2Stream) { _ = s.headers(false, ":status", "101") }, anyError, 0},
		{"huge headers", func(s h2Stream) {
			_ = s.headers(false, ":status", "200", "x-a", strings.Repeat("x", 200<<10))
			_ = s.data(true, frameBody)
		}, unsent, 3},
		{"continuation without end", func(s h2Stream) {
			err := s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id})
			for err == nil {
				err = s.WriteContinuation(s.id, false, make([]byte, 1000))
			}
		}, unsent, 3},
		{"no status", func(s h2Stream) { _ = s.headers(true, "x-a", "b") }, unsent, 3},
		{"no HTTP/2", func(s h2Stream) { _, _ = io.WriteString(s.conn, strings.Repeat("HTTP/1.1 200 OK\r\n\r\n", 1000)) }, unsent, 3},
		{"settings without end", func(s h2Stream) {
			for s.WriteSettings() == nil {
				time.Sleep(time.Millisecond) //nolint:forbidigo // likewise
			}
		}, anyError, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"direct", "stack"} {
				t.Run(path, func(t *testing.T) {
					t.Parallel()
					server := newH2Server(t, test.respond)
					timeout := time.Minute
					switch {
					case test.ends == timesOut || test.ends == anyError:
						timeout = 200 * time.Millisecond
					case test.ends == succeedsLate:
						timeout = 2 * time.Second // enough for the second attempt
					}
					output, err := server.client(path, timeout).DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)})
					if test.ends == succeeds || test.ends == succeedsLate {
						require.NoError(t, err)
						assert.EqualValues(t, 7, *output.IdentityPoolUsage.DataStorage)
						assert.EqualValues(t, 9, *output.IdentityPoolUsage.SyncSessionsCount)
						results, _ := retry.GetAttemptResults(output.ResultMetadata)
						if test.attempts > 0 {
							assert.Len(t, results.Results, test.attempts)
						}
						return
					}
					require.Error(t, err)
					assert.Nil(t, output)
					assert.Less(t, len(err.Error()), 4<<10)
					if test.attempts > 0 {
						assert.Equal(t, test.attempts, cognitosync.InspectError(err).Attempts, "%v", err)
					}
					var (
						send *smithyhttp.RequestSendError
						late *cognitosync.AttemptTimeoutError
						api  smithy.APIError
					)
					switch test.ends {
					case unsent:
						assert.ErrorAs(t, err, &send)
						assert.NotErrorAs(t, err, &late)
					case timesOut:
						assert.ErrorAs(t, err, &late)
					default:
						assert.True(t, errors.As(err, &send) || errors.As(err, &api), "%v", err)
					}
				})
			}
		})
	}
}

// TestHTTP2AfterGoAway runs calls against a server that ends the connection after each
// response. Every call succeeds.
func TestHTTP2AfterGoAway(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"direct", "stack"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			server := newH2Server(t, func(s h2Stream) {
				s.ok()
				_ = s.WriteGoAway(s.id, http2.ErrCodeNo, nil)
			})
			client := server.client(path, time.Minute)
			for i := range int32(5) {
				output, err := client.DescribeIdentityPoolUsage(t.Context(), &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(poolID)})
				require.NoError(t, err)
				require.NotNil(t, output)
				assert.GreaterOrEqual(t, server.requests.Load(), i+1)
			}
		})
	}
}

// client returns a client for s with the default transport.
func (s *h2Server) client(path string, timeout time.Duration) *cognitosync.Client {
	return cognitosync.New(cognitosync.Options{
		Region:         region,
		BaseEndpoint:   aws.String(s.url),
		Credentials:    cognitosynctest.DefaultCredentials().Provider(),
		AttemptTimeout: timeout,
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.Proxy = nil
			tr.TLSClientConfig = &tls.Config{RootCAs: s.roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
		}),
	}, func(o *cognitosync.Options) {
		o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, time.Millisecond)
		if path == "stack" {
			o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
				return s.Initialize.Add(middleware.InitializeMiddlewareFunc("Pass", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
					middleware.InitializeOutput, middleware.Metadata, error,
				) {
					return next.HandleInitialize(ctx, in)
				}), middleware.Before)
			})
		}
	})
}
