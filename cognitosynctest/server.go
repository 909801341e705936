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
	// Region is where the service is: requests must be signed for it, and pools
	// whose ID begins with another region are not found. Empty means us-east-1.
	Region string

	// AnyRegion makes the server stand for the services of all regions: requests
	// may be signed for any, and a pool is only found in the region that its ID
	// begins with. A request for one of AWS's host names must be signed for the
	// region and the service in that name. Region is still the one that Config
	// hands out.
	AnyRegion bool

	// AWSHosts makes Config hand out no BaseEndpoint, so that the client's endpoint
	// rules and its check of a pool's region run as in production. The HTTPClient of
	// Config then takes requests for AWS's host names to the server and finds no
	// other host. A server in memory always works like this.
	AWSHosts bool

	// Hosts are further host names, with their port if they have one, at which
	// RoundTripper and the HTTPClient of AWSHosts reach the server, such as that of a
	// proxy. "*" stands for all.
	Hosts []string

	// Pools are the pools that exist from the start.
	Pools []Pool

	// Credentials are those that the service knows. Config hands out the first.
	// None means [DefaultCredentials].
	Credentials []Credentials

	// Addr is the address to listen on, such as "127.0.0.1:8080". Empty means a free
	// port of the loopback interface.
	Addr string

	// PathPrefix is a path below which the service is found, such as "/proxy/v1":
	// URL ends in it, and Config hands out a BaseEndpoint also in memory. A request
	// for one of AWS's host names goes without it. Empty means none.
	PathPrefix string

	// TLS makes the server speak HTTPS, with a certificate of its own, which the
	// HTTPClient that Config hands out trusts.
	TLS bool

	// InMemory makes the server do without a socket: it is only reached through
	// RoundTripper, which is what the HTTPClient that Config hands out uses. Config
	// hands out no BaseEndpoint then; see AWSHosts.
	//
	// In a testing/synctest bubble a server has to be in memory, as the clock of the
	// bubble stands still while a socket is waited for: start one with a socket there,
	// and Start returns an error. One from outside must not be called there with steps
	// or retries that wait.
	InMemory bool

	// KeepRequests is how many requests Requests returns, the latest ones: a server
	// that runs for long needs a bound. Zero means all, less than zero none.
	KeepRequests int

	// Now is the service's clock. nil means [time.Now].
	Now func() time.Time

	// OnRequest is called with each request when it has been recorded, before it
	// is answered: to cancel a call in flight, say, or to close the server. It may be
	// called from several goroutines at once. If it panics, the test of [NewServer]
	// fails with the stack; on a server of [Start] the program ends as with any panic.
	// nil means nothing is called.
	OnRequest func(Request)
}

// A Server is a fake Amazon Cognito Sync with the one operation
// DescribeIdentityPoolUsage. It is safe for concurrent use.
type Server struct {
	options  Options
	scheme   string
	host     string
	client   aws.HTTPClient // nil: the client's default
	certPEM  []byte
	provider aws.CredentialsProvider

	close       func()     // ends what serves a socket, and waits for it
	keepOpen    func(bool) // says whether connections may serve more than one request
	connections gauge      // goroutines of connections, less those in the user's code
	callbacks   gauge      // goroutines of connections in the user's code
	onPanic     func(value any, stack []byte)

	mu       sync.Mutex
	closed   bool
	pools    map[string]Pool
	verifier Verifier           // its Credentials are replaced, never changed
	scripts  map[string][]act   // by pool, "" for all
	eachCall map[string]*script // by pool, "" for all
	record   record
	answers  int // so many have been given
	flying   int // requests that are being answered
	peak     int // the most there have been at once
	inFlight map[*roundTrip]context.CancelCauseFunc
}

// NewServer starts a server that is closed when the test ends. If the test has
// failed then, what [Server.Report] returns is logged. A server that cannot be started
// fails the test, and so does a panic in OnRequest or in a function of [Func].
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

// panics are the panics of the user's code, in the goroutines of a server.
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
	return fmt.Sprintf("cognitosynctest: OnRequest or a function of Func panicked: %v\n\n%s", value, stack)
}

// endProgram panics where nobody can recover, as a panic in a goroutine of the user's
// own does.
func endProgram(value any, stack []byte) { go panic(panicText(value, stack)) }

// Start starts a server. Close ends it. It returns an error if the options
// contradict each other, if it cannot listen, or if it would listen in a
// testing/synctest bubble.
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
		onPanic:  endProgram,
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

// check returns what is wrong with the options.
func (o *Options) check() error {
	prefix, err := url.Parse(o.PathPrefix)
	switch {
	case o.InMemory && o.TLS:
		return errors.New("a server in memory has no use for TLS")
	case o.InMemory && o.Addr != "":
		return errors.New("a server in memory has no use for Addr")
	case o.PathPrefix != "" && o.AWSHosts:
		return errors.New("AWS's host names have no PathPrefix")
	case o.PathPrefix != "" && (o.PathPrefix[0] != '/' || err != nil || prefix.EscapedPath() != o.PathPrefix):
		return fmt.Errorf("the PathPrefix %q is not the path of a URL", o.PathPrefix)
	case !o.InMemory && inBubble():
		return errors.New("in a testing/synctest bubble the server must be in memory: set Options.InMemory")
	}
	return nil
}

// inBubble reports whether the calling goroutine is in a testing/synctest bubble. Only
// the header of a stack trace tells.
func inBubble() bool {
	header := make([]byte, 128)
	header = header[:runtime.Stack(header, false)]
	line, _, _ := strings.Cut(string(header), "\n")
	return strings.Contains(line, "synctest")
}

func (s *Server) start() error {
	if s.options.InMemory {
		// No such host can exist: a request that misses the RoundTripper ends there.
		s.scheme, s.host = "https", "cognitosynctest.invalid"
		s.client = &http.Client{Transport: s.RoundTripper(), CheckRedirect: keepRedirect}
		s.close = func() {}
		s.keepOpen = func(bool) {}
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
		s.client = &http.Client{Transport: rerouting{s, buildable.GetTransport()}, CheckRedirect: keepRedirect}
	}
	s.serve(listener)
	return nil
}

// listen returns a listener on addr or, if that is empty, on a free port of the
// loopback interface.
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

// hostOfListener returns where the listener is reached from the same machine.
func hostOfListener(listener net.Listener) string {
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listener.Addr().String()
}

// keepRedirect is for http.Client.CheckRedirect: as a client of AWS does, it
// returns a redirect instead of following it.
func keepRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// serve answers the requests that come through listener until close is called.
func (s *Server) serve(listener net.Listener) {
	ctx, cancel := context.WithCancelCause(context.Background())
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.enter()
			leave := sync.OnceFunc(s.leave)
			defer leave()
			s.answer(r, s.detached).writeTo(w, r, leave)
		}),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0), // broken connections are its business
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.connections.add(1) // in Serve's goroutine, so never after it has ended
			case http.StateClosed, http.StateHijacked:
				s.connections.add(-1)
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
	})
}

// detached runs code of the user's in a connection's goroutine. Close does not wait
// for that code, which may have called it, and net/http does not get to see its
// panics, which it would keep to itself.
func (s *Server) detached(code func()) {
	s.callbacks.add(1)
	s.connections.add(-1)
	defer func() {
		s.connections.add(1)
		s.callbacks.add(-1)
	}()
	defer func() {
		if value := recover(); value != nil {
			if value != http.ErrAbortHandler { //nolint:errorlint // it is any value
				s.onPanic(value, debug.Stack())
			}
			panic(http.ErrAbortHandler)
		}
	}()
	code()
}

// attached runs code of the user's in a goroutine of the user's.
func attached(code func()) { code() }

// enter counts a request that is in flight from here on, and leave one that no longer
// is.
func (s *Server) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying++
	s.peak = max(s.peak, s.flying)
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
}

// MaxInFlight returns the highest number of requests that were in flight at once since
// the start or the last Reset: each from when it was received until its response
// was complete.
func (s *Server) MaxInFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak
}

// Close ends the server and everything that is going on in it. It returns when
// its goroutines have ended, except for those that are in OnRequest or in a function
// of [Func]: Close may be called there. It may be called more than once.
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

// URL returns the endpoint of the server, such as http://127.0.0.1:40125. A server
// in memory has one that cannot be reached but through its RoundTripper.
func (s *Server) URL() string { return s.scheme + "://" + s.host + s.options.PathPrefix }

// Config returns a configuration that points at the server: region and credentials,
// the retryer of [NoWaitRetryer], the endpoint, and an HTTPClient if the server needs
// one. With InMemory or AWSHosts it has no BaseEndpoint but an HTTPClient that finds
// the server at AWS's host names, so that the client's endpoint rules run. For code
// that insists on an endpoint there is URL:
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

// NoWaitRetryer returns the SDK's standard retryer, which clients use by default, with
// the same rules, 3 attempts and quota, but without a wait between attempts. Further
// options apply after that. A delay that a response asks for is still waited for.
func NoWaitRetryer(optFns ...func(*retry.StandardOptions)) aws.Retryer {
	return retry.NewStandard(append([]func(*retry.StandardOptions){func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	}}, optFns...)...)
}

// Env returns environment variables, each as NAME=value, with which AWS SDKs and the
// AWS CLI in a child process call the server:
//
//	cmd := exec.Command("aws", "cognito-sync", "describe-identity-pool-usage", ...)
//	cmd.Env = append(os.Environ(), server.Env()...)
//
// They are the endpoint of the one service, region, keys, and no proxy for the loopback
// interface. For a server with TLS write [Server.CertificatePEM] to a file, and add
// AWS_CA_BUNDLE with its name. Env panics if the server is in memory, where no other
// process can reach it.
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

// CertificatePEM returns the certificate of a server with TLS, PEM encoded, for
// clients that are told by a file whom to trust. Without TLS it returns nil.
func (s *Server) CertificatePEM() []byte { return slices.Clone(s.certPEM) }
