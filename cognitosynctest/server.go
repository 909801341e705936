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
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// TB is the subset of [testing.TB] that this package uses. It keeps package testing out of
// programs that embed the fake. No methods will be added to it.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Options configure a [Server].
type Options struct {
	// Region is the region of the service. Requests must be signed for it, and pools whose
	// ID begins with another region are not found. Empty means us-east-1.
	Region string

	// AnyRegion makes the server stand in for every region: requests may be signed for any,
	// and a pool is only found in the region that its ID begins with. A request for an AWS
	// host name must be signed for the region and the service in that name. Config still
	// returns Region.
	AnyRegion bool

	// AWSHosts makes Config return no BaseEndpoint, so that the client's endpoint rules
	// and its check of the pool's region run as in production. The HTTPClient of Config
	// redirects requests for AWS's host names to the server and finds no other host. A
	// server in memory always works this way.
	AWSHosts bool

	// Hosts are additional host names, with a port if it is not the default, at which
	// RoundTripper and the HTTPClient of AWSHosts reach the server. A proxy's is an
	// example. "*" matches every host.
	Hosts []string

	// Pools are the initial pools.
	Pools []Pool

	// Credentials are the credentials that the server accepts. Config returns the first.
	// None means [DefaultCredentials].
	Credentials []Credentials

	// Addr is the address to listen on, such as "127.0.0.1:8080". Empty means a free port
	// on the loopback interface.
	Addr string

	// PathPrefix is the path below which the service is served, such as "/proxy/v1". URL
	// ends in it, and Config returns a BaseEndpoint with it, even in memory. Requests for
	// AWS's host names go without it. Empty means none.
	PathPrefix string

	// TLS makes the server use HTTPS, with a self-signed certificate that the HTTPClient of
	// Config trusts.
	TLS bool

	// InMemory makes the server work without a socket: only RoundTripper, and the
	// HTTPClient of Config, which uses it, reach the server. Config returns no
	// BaseEndpoint; see AWSHosts.
	//
	// A server that is started in a testing/synctest bubble (Go 1.25 and later) must be in
	// memory, because a bubble's clock stands still while a goroutine waits for a socket.
	// For the same reason, a server with a socket from outside the bubble must not be
	// called inside it with steps or retries that wait.
	InMemory bool

	// KeepRequests is the number of requests that Requests returns, the latest ones. It
	// bounds the memory of a long-running server. Zero keeps all, a negative number none.
	KeepRequests int

	// Now is the service's clock. nil means [time.Now].
	Now func() time.Time

	// OnRequest, if not nil, is called with each request after it is recorded and before
	// the response is sent, from several goroutines at once if requests are concurrent. It
	// may cancel the call or close the server. If it panics, the test of [NewServer] fails
	// with the stack trace; a server of [Start] crashes the program. In memory, the panic
	// reaches the caller of RoundTrip instead.
	OnRequest func(Request)
}

// A Server is a fake Amazon Cognito Sync server with the operation
// DescribeIdentityPoolUsage. It is safe for concurrent use.
type Server struct {
	options  Options
	scheme   string
	host     string
	client   aws.HTTPClient // nil: the client's default
	certPEM  []byte
	provider aws.CredentialsProvider

	close         func()     // stops serving the socket, and waits until it has stopped
	setKeepAlives func(bool) // sets whether a connection may serve more than one request
	connections   gauge      // goroutines of connections, except in callbacks
	callbacks     gauge      // goroutines of connections in callbacks
	onPanic       func(value any, stack []byte)

	mu       sync.Mutex
	closed   bool
	pools    map[string]Pool
	verifier Verifier           // its Credentials are replaced, never modified
	scripts  map[string][]act   // by pool ID; "" for any pool
	eachCall map[string]*script // by pool ID; "" for any pool
	record   record
	received int // requests received since the start
	current  int // requests in flight
	peak     int // maximum of current
	inFlight map[*roundTrip]context.CancelCauseFunc
}

// NewServer starts a server and closes it when the test ends. If the test has failed by
// then, NewServer logs the [Server.Report]. The test fails if the server cannot start, or if
// OnRequest or the function of a [Func] panics.
func NewServer(tb TB, optFns ...func(*Options)) *Server {
	tb.Helper()
	s, err := Start(optFns...)
	if err != nil {
		tb.Fatalf("%v", err)
		return nil
	}
	var panics panics
	s.onPanic = panics.add
	tb.Cleanup(func() {
		s.Close()
		s.callbacks.wait() // they may use tb
		s.connections.wait()
		panicked := panics.String()
		if tb.Failed() || panicked != "" {
			tb.Logf("%s", s.Report())
		}
		if panicked != "" {
			tb.Fatalf("%s", panicked)
		}
	})
	return s
}

// panics are the panics of callbacks, which are the user's code, in a server's goroutines.
type panics struct {
	mu    sync.Mutex
	texts []string
}

func (p *panics) add(value any, stack []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts = append(p.texts, panicText(value, stack))
}

func (p *panics) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.texts, "\n")
}

func panicText(value any, stack []byte) string {
	return fmt.Sprintf("cognitosynctest: panic in OnRequest or in the function of a Func step: %v\n\n%s", value, stack)
}

// crash panics in a new goroutine, where nothing can recover.
func crash(value any, stack []byte) { go panic(panicText(value, stack)) }

// Start starts a server. The caller must close it. Start returns an error if the options
// conflict, if the server cannot listen, or if it would listen in a testing/synctest bubble.
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
	o.Hosts = slices.Clone(o.Hosts)
	o.PathPrefix = strings.TrimRight(o.PathPrefix, "/")
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("cognitosynctest: %w", err)
	}
	s := &Server{
		options:  o,
		provider: o.Credentials[0].Provider(),
		onPanic:  crash,
		pools:    map[string]Pool{},
		verifier: Verifier{Credentials: slices.Clone(o.Credentials), Now: o.Now},
		scripts:  map[string][]act{},
		eachCall: map[string]*script{},
		record:   record{limit: o.KeepRequests},
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

// check returns an error if the options conflict or are invalid.
func (o *Options) check() error {
	prefix, err := url.Parse(o.PathPrefix)
	switch {
	case o.InMemory && o.TLS:
		return errors.New("Options.InMemory and Options.TLS are mutually exclusive")
	case o.InMemory && o.Addr != "":
		return errors.New("Options.InMemory and Options.Addr are mutually exclusive")
	case o.PathPrefix != "" && o.AWSHosts:
		return errors.New("Options.AWSHosts and Options.PathPrefix are mutually exclusive")
	case o.PathPrefix != "" && (o.PathPrefix[0] != '/' || err != nil || prefix.EscapedPath() != o.PathPrefix):
		return fmt.Errorf("invalid Options.PathPrefix %q: it must be a URL path that begins with a slash", o.PathPrefix)
	case !o.InMemory && inBubble():
		return errors.New("a server with a socket hangs in a testing/synctest bubble: set Options.InMemory")
	}
	return nil
}

// inBubble reports whether the calling goroutine is in a testing/synctest bubble. There is
// no API for that, but the first line of a stack trace says so.
func inBubble() bool {
	header := make([]byte, 128)
	header = header[:runtime.Stack(header, false)]
	line, _, _ := strings.Cut(string(header), "\n")
	return strings.Contains(line, "synctest")
}

func (s *Server) start() error {
	if s.options.InMemory {
		// RFC 2606 reserves .invalid: a request that bypasses the RoundTripper cannot leave.
		s.scheme, s.host = "https", "cognitosynctest.invalid"
		s.client = &http.Client{Transport: s.RoundTripper(), CheckRedirect: noRedirects}
		s.close = func() {}
		s.setKeepAlives = func(bool) {}
		return nil
	}
	listener, err := listen(s.options.Addr)
	if err != nil {
		return err
	}
	s.scheme, s.host = "http", hostOfListener(listener)
	if s.options.TLS {
		certificate, err := newCertificate(s.host)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		s.scheme = "https"
		s.certPEM = certificate.pem
		s.client = certificate.client()
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate.pair}})
	}
	if s.options.AWSHosts {
		buildable, ok := s.client.(*awshttp.BuildableClient)
		if !ok {
			buildable = awshttp.NewBuildableClient()
		}
		s.client = &http.Client{Transport: reroutingTransport{s, buildable.GetTransport()}, CheckRedirect: noRedirects}
	}
	s.serve(listener)
	return nil
}

// listen returns a listener on addr or, if it is empty, on a free port of the loopback
// interface.
func listen(addr string) (net.Listener, error) {
	if addr != "" {
		return net.Listen("tcp", addr)
	}
	v4, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		return v4, nil
	}
	v6, err6 := net.Listen("tcp", "[::1]:0")
	return v6, errors.Join(err, err6)
}

// hostOfListener returns the host and port at which this machine reaches the listener.
func hostOfListener(listener net.Listener) string {
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listener.Addr().String()
}

// noRedirects is a CheckRedirect of [http.Client]. Like an AWS client, it returns redirects
// instead of following them.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// serve serves the listener until s.close is called.
func (s *Server) serve(listener net.Listener) {
	ctx, cancel := context.WithCancelCause(context.Background())
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.enter()
			leave := sync.OnceFunc(s.leave)
			defer leave()
			s.respond(r, s.runCallback).writeTo(w, r, leave)
		}),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0), // the server breaks connections on purpose
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.connections.add(1) // in the goroutine of Serve, so never after Serve returns
			case http.StateClosed, http.StateHijacked:
				s.connections.add(-1)
			}
		},
	}
	s.setKeepAlives = server.SetKeepAlivesEnabled
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // always returns ErrServerClosed
	}()
	s.close = sync.OnceFunc(func() {
		cancel(errCut) // wakes handlers that wait
		_ = server.Close()
		<-served
	})
}

// runCallback runs a callback in the goroutine of a connection. Close does not wait for
// callbacks, because they may call it. Panics go to s.onPanic, because net/http would only
// log them.
func (s *Server) runCallback(callback func()) {
	s.callbacks.add(1)
	s.connections.add(-1)
	defer func() {
		s.connections.add(1)
		s.callbacks.add(-1)
	}()
	defer func() {
		if value := recover(); value != nil {
			if value != http.ErrAbortHandler { //nolint:errorlint // value has type any
				s.onPanic(value, debug.Stack())
			}
			panic(http.ErrAbortHandler)
		}
	}()
	callback()
}

// runDirectly runs a callback in the caller's goroutine.
func runDirectly(callback func()) { callback() }

// enter counts a request as in flight, until leave.
func (s *Server) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current++
	s.peak = max(s.peak, s.current)
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current--
}

// MaxInFlight returns the highest number of requests in flight at once since the start or
// the last Reset. A request is in flight from its receipt until the end of its response.
func (s *Server) MaxInFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak
}

// Close shuts down the server and breaks all connections. It returns when the server's
// goroutines have ended, except for those in OnRequest or in the function of a [Func], which
// may call Close themselves. Calling Close again has no effect.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, cancel := range s.inFlight {
		cancel(errCut)
	}
	s.mu.Unlock()
	s.close()
	s.connections.wait()
}

// URL returns the endpoint of the server, such as http://127.0.0.1:40125. That of a server
// in memory only works with its RoundTripper.
func (s *Server) URL() string { return s.scheme + "://" + s.host + s.options.PathPrefix }

// Config returns a configuration for clients of the server: region, credentials,
// [NoWaitRetryer], BaseEndpoint, and an HTTPClient if the server needs one. With InMemory or
// AWSHosts there is no BaseEndpoint; the HTTPClient redirects requests for AWS's host names
// to the server, so that the client's endpoint rules run. Code that requires an endpoint can
// set it:
//
//	cfg.BaseEndpoint = aws.String(server.URL())
func (s *Server) Config() aws.Config {
	cfg := aws.Config{
		Region:      s.options.Region,
		Credentials: s.provider,
		HTTPClient:  s.client,
		Retryer:     func() aws.Retryer { return NoWaitRetryer() },
	}
	if atAWS := s.options.InMemory || s.options.AWSHosts; !atAWS || s.options.PathPrefix != "" {
		cfg.BaseEndpoint = aws.String(s.URL())
	}
	return cfg
}

// NoWaitRetryer returns a [retry.Standard], the SDK's default retryer, without backoff. It
// makes the same decisions, with up to 3 attempts and the same retry quota. A client still
// waits for as long as a response asks for. The option functions run last.
func NoWaitRetryer(optFns ...func(*retry.StandardOptions)) aws.Retryer {
	return retry.NewStandard(append([]func(*retry.StandardOptions){func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	}}, optFns...)...)
}

// Env returns environment variables, in the form NAME=value, that make AWS SDKs and the AWS
// CLI in a child process call the server:
//
//	cmd := exec.Command("aws", "cognito-sync", "describe-identity-pool-usage", ...)
//	cmd.Env = append(os.Environ(), server.Env()...)
//
// They set the endpoint of this service alone, the region and the credentials, and exempt
// the loopback interface from proxies. If the server uses TLS, write
// [Server.CertificatePEM] to a file and add AWS_CA_BUNDLE with the name of the file. Env
// panics if the server is in memory, where no other process can reach it.
func (s *Server) Env() []string {
	if s.options.InMemory {
		panic("cognitosynctest: no other process can reach a server in memory")
	}
	env := []string{
		"AWS_ENDPOINT_URL_COGNITO_SYNC=" + s.URL(),
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false",
		"AWS_REGION=" + s.options.Region,
		"AWS_DEFAULT_REGION=" + s.options.Region,
		"AWS_ACCESS_KEY_ID=" + s.options.Credentials[0].AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + s.options.Credentials[0].SecretAccessKey,
		"AWS_SESSION_TOKEN=" + s.options.Credentials[0].SessionToken,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		env = append(env, name+"="+strings.TrimPrefix(os.Getenv(name)+",127.0.0.1,::1,localhost", ","))
	}
	return env
}

// CertificatePEM returns the PEM-encoded certificate of a server with TLS, for clients that
// read trusted certificates from a file. Without TLS it returns nil.
func (s *Server) CertificatePEM() []byte { return slices.Clone(s.certPEM) }
