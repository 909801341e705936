package cognitosynctest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// TB is the part of [testing.TB] that is needed. It keeps package testing out of
// programs that embed the fake.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Options say what a server is like.
type Options struct {
	// Region is where the service is: requests must be signed for it. Empty means
	// us-east-1.
	Region string

	// AnyRegion makes the server stand for the services of all regions: requests
	// may be signed for any, and a pool is only found in the region that its id
	// begins with. Region is still the one that Config hands out.
	AnyRegion bool

	// Pools are the pools that exist from the start.
	Pools []Pool

	// Credentials are those that the service knows. Config hands out the first.
	// None means [DefaultCredentials].
	Credentials []Credentials

	// TLS makes the server speak HTTPS, with a certificate of its own, which the
	// HTTPClient that Config hands out trusts.
	TLS bool

	// InMemory makes the server do without a socket: it is only reached through
	// RoundTripper, which is what the HTTPClient that Config hands out uses. It
	// may then be used in a testing/synctest bubble; start it there, too.
	InMemory bool

	// Now is the service's clock. nil means [time.Now].
	Now func() time.Time

	// OnRequest is called with each request when it has been recorded, before it
	// is answered: to cancel a call in flight, say. It may be called from several
	// goroutines at once. nil means nothing is called.
	OnRequest func(Request)
}

// A Server is a fake Amazon Cognito Sync with the one operation
// DescribeIdentityPoolUsage. It is safe for concurrent use.
type Server struct {
	options  Options
	url      string
	client   aws.HTTPClient // nil: the client's default
	certPEM  []byte
	provider aws.CredentialsProvider

	close    func()     // ends what serves a socket, and waits for it
	keepOpen func(bool) // says whether connections may serve more than one request

	mu       sync.Mutex
	closed   bool
	pools    map[string]Pool
	verifier Verifier         // its Credentials are replaced, never changed
	scripts  map[string][]act // by pool, "" for all
	eachCall map[string][]act // by pool, "" for all
	calls    map[callOf]int   // how far each call is in eachCall
	requests Requests
	answers  int // so many have been given
	inFlight map[*roundTrip]context.CancelCauseFunc
}

// NewServer starts a server that is closed when the test ends. If the test has
// failed then, each request that was refused for its signature is logged, with
// the reason. A server that cannot be started fails the test.
func NewServer(tb TB, optFns ...func(*Options)) *Server {
	tb.Helper()
	s, err := Start(optFns...)
	if err != nil {
		tb.Fatalf("%v", err)
		return nil
	}
	tb.Cleanup(func() {
		s.Close()
		if tb.Failed() {
			for _, r := range s.Requests().Refused() {
				tb.Logf("cognitosynctest: %s %s was refused: %v", r.Method, r.Path, r.Refusal)
			}
		}
	})
	return s
}

// Start starts a server. Close ends it. It returns an error if the options
// contradict each other or if there is no loopback interface to listen on.
func Start(optFns ...func(*Options)) (*Server, error) {
	o := Options{Region: "us-east-1"}
	for _, fn := range optFns {
		fn(&o)
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if len(o.Credentials) == 0 {
		o.Credentials = []Credentials{DefaultCredentials()}
	}
	s := &Server{
		options:  o,
		provider: o.Credentials[0].Provider(),
		pools:    map[string]Pool{},
		verifier: Verifier{Credentials: slices.Clone(o.Credentials), Now: o.Now},
		scripts:  map[string][]act{},
		eachCall: map[string][]act{},
		calls:    map[callOf]int{},
		inFlight: map[*roundTrip]context.CancelCauseFunc{},
	}
	if !o.AnyRegion {
		s.verifier.Region = o.Region
	}
	for _, pool := range o.Pools {
		s.SetPool(pool)
	}
	if err := s.start(); err != nil {
		return nil, fmt.Errorf("cognitosynctest: %w", err)
	}
	return s, nil
}

func (s *Server) start() error {
	if s.options.InMemory {
		if s.options.TLS {
			return errors.New("a server in memory has no use for TLS")
		}
		// No such host can exist: a request that misses the RoundTripper ends there.
		s.url = "https://cognitosynctest.invalid"
		s.client = &http.Client{Transport: s.RoundTripper(), CheckRedirect: keepRedirect}
		s.close = func() {}
		s.keepOpen = func(bool) {}
		return nil
	}
	listener, err := listen()
	if err != nil {
		return err
	}
	s.url = "http://" + listener.Addr().String()
	if s.options.TLS {
		certificate, err := newCertificate()
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		s.url = "https://" + listener.Addr().String()
		s.certPEM = certificate.pem
		s.client = certificate.client()
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate.pair}})
	}
	s.serve(listener)
	return nil
}

// listen returns a listener on a free port of the loopback interface.
func listen() (net.Listener, error) {
	v4, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		return v4, nil
	}
	v6, err6 := net.Listen("tcp", "[::1]:0")
	return v6, errors.Join(err, err6)
}

// keepRedirect is for http.Client.CheckRedirect: as a client of AWS does, it
// returns a redirect instead of following it.
func keepRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// serve answers the requests that come through listener until close is called.
func (s *Server) serve(listener net.Listener) {
	ctx, cancel := context.WithCancelCause(context.Background())
	var running sync.WaitGroup // the connections' goroutines
	server := &http.Server{
		Handler:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(r).writeTo(w, r) }),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0), // broken connections are its business
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				running.Add(1) // in Serve's goroutine, so never after it has ended
			case http.StateClosed, http.StateHijacked:
				running.Done()
			}
		},
	}
	s.keepOpen = server.SetKeepAlivesEnabled
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // always ends with ErrServerClosed
	}()
	s.close = sync.OnceFunc(func() {
		cancel(errCut) // ends the waits of handlers
		_ = server.Close()
		<-served
		running.Wait()
	})
}

// Close ends the server and everything that is going on in it. It returns when
// its goroutines have ended. It may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, cancel := range s.inFlight {
		cancel(errCut)
	}
	s.mu.Unlock()
	s.close()
}

// URL returns the endpoint of the server, such as http://127.0.0.1:40125. A server
// in memory has one that cannot be reached but through its RoundTripper.
func (s *Server) URL() string { return s.url }

// Config returns a configuration that points at the server: region, credentials
// and endpoint, a retryer that follows the SDK's standard rules with 3 attempts
// but does not wait between them, and an HTTPClient if the server needs one
// (TLS, InMemory).
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region:       s.options.Region,
		Credentials:  s.provider,
		BaseEndpoint: aws.String(s.url),
		HTTPClient:   s.client,
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
}

// CertificatePEM returns the certificate of a server with TLS, PEM encoded, for
// clients that are told by a file whom to trust. Without TLS it returns nil.
func (s *Server) CertificatePEM() []byte { return slices.Clone(s.certPEM) }
