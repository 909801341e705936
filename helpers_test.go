package cognitosync_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/tracing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// trialPool is the pool that trials ask for.
const trialPool = "us-east-1:6f0c2c2e-57f5-4bf4-9f0c-2c2e57f54bf4"

// A trial is a client before a fake service that misbehaves as its script says. The
// client has its own retryer, but does not wait: how long it would have waited is
// noted.
type trial struct {
	server *cognitosynctest.Server
	client *cognitosync.Client
	naps   *naps
}

// newTrial returns a trial over HTTP whose calls go the given way.
func newTrial(t *testing.T, way string, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	return trialOf(t, way, cognitosynctest.NewServer(t), optFns...)
}

// trialOf returns a trial with a server of the test's own making.
func trialOf(t *testing.T, way string, server *cognitosynctest.Server, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	server.SetPool(cognitosynctest.Pool{IdentityPoolId: trialPool, DataStorage: aws.Int64(40960)})
	cfg := server.Config()
	cfg.Retryer = nil // the client's own
	optFns = slices.Insert(optFns, 0, func(o *cognitosync.Options) { goThrough(way, o) })
	tr := &trial{server: server, client: cognitosync.NewFromConfig(cfg, optFns...), naps: &naps{}}
	cognitosync.SetSleep(tr.client, tr.naps.sleep)
	return tr
}

// script adds to what the service does.
func (tr *trial) script(steps ...cognitosynctest.Step) { tr.server.Script(trialPool, steps...) }

// call makes one call, whatever comes of it.
func (tr *trial) call(ctx context.Context, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	return tr.client.DescribeIdentityPoolUsage(ctx, poolInput(trialPool), optFns...)
}

// succeeds makes a call that must succeed.
func (tr *trial) succeeds(t *testing.T, optFns ...func(*cognitosync.Options)) {
	t.Helper()
	output, err := tr.call(t.Context(), optFns...)
	require.NoError(t, err)
	require.NotNil(t, output)
	require.NotNil(t, output.IdentityPoolUsage)
	require.Equal(t, aws.Int64(40960), output.IdentityPoolUsage.DataStorage)
}

// fails makes a call that must fail, and returns how.
func (tr *trial) fails(t *testing.T, ctx context.Context, optFns ...func(*cognitosync.Options)) error {
	t.Helper()
	output, err := tr.call(ctx, optFns...)
	requireFailure(t, output, err)
	return err
}

// requests returns how many requests the server has got.
func (tr *trial) requests() int { return tr.server.Requests().Count() }

// poolInput asks for a pool.
func poolInput(id string) *cognitosync.DescribeIdentityPoolUsageInput {
	return &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id}
}

// requireFailure checks what holds for every call that fails: no output, and an
// error that says which operation it comes from, in one line of decent length.
func requireFailure(t *testing.T, output *cognitosync.DescribeIdentityPoolUsageOutput, err error) {
	t.Helper()
	require.Error(t, err)
	assert.Nil(t, output)
	assertSound(t, outcome{output: output, err: err})
	text := err.Error()
	assert.Less(t, len(text), 4<<10, "length of the error's text")
	assert.NotRegexp(t, `[[:cntrl:]]`, text)
}

// requireAs returns the T in the chain of err, which must have one.
func requireAs[T error](t *testing.T, err error) T {
	t.Helper()
	var target T
	require.ErrorAs(t, err, &target)
	return target
}

// naps notes how long a client would have waited.
type naps struct {
	mu   sync.Mutex
	list []time.Duration
}

// sleep takes the place of the sleep between two attempts.
func (n *naps) sleep(ctx context.Context, d time.Duration) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, d)
	return ctx.Err()
}

// all returns the waits so far.
func (n *naps) all() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}

// eachWay runs a test for each way that a call can take.
func eachWay(t *testing.T, test func(t *testing.T, way string)) {
	t.Helper()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			test(t, way)
		})
	}
}

// errOwnCause is a caller's reason to end a call.
var errOwnCause = errors.New("the caller's own cause")

// assertThrottled checks that a call that the caller ended still tells of the 429
// that came before: what it was, and that it was the service's.
func assertThrottled(t *testing.T, err error, last cognitosynctest.Request, attempts int) {
	t.Helper()
	exception := requireAs[*cognitosync.TooManyRequestsException](t, err)
	assert.Equal(t, "Rate exceeded", exception.ErrorMessage())
	response := requireAs[*awshttp.ResponseError](t, err)
	assert.Equal(t, http.StatusTooManyRequests, response.HTTPStatusCode())
	assert.NotEmpty(t, last.RequestID)
	assert.Equal(t, last.RequestID, response.ServiceRequestID())
	assert.Equal(t, cognitosync.ErrorDetails{
		Code:       "TooManyRequestsException",
		Message:    "Rate exceeded",
		StatusCode: http.StatusTooManyRequests,
		RequestID:  last.RequestID,
		Attempts:   attempts,
		Retryable:  true,
		Fault:      smithy.FaultClient,
	}, cognitosync.InspectError(err))
}

// doFunc is a function as an HTTP client.
type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

const mib = 1 << 20

// A rawServer answers each request with the same bytes, however wrong they are, and
// allocates next to nothing.
type rawServer struct {
	net.Listener
	head, body []byte
	times      int // that the body is sent; negative: until the client goes
	requests   atomic.Int32
}

// newRawServer starts a server that ends with the test. Each answer is the last on
// its connection.
func newRawServer(t *testing.T, head string, body []byte, times int) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawServer{Listener: listener, head: []byte(head), body: body, times: times}
	var running sync.WaitGroup
	running.Add(1)
	go func() {
		defer running.Done()
		for {
			conn, err := s.Accept()
			if err != nil {
				return // closed
			}
			running.Add(1)
			go func() {
				defer running.Done()
				s.serve(conn)
			}()
		}
	}()
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		running.Wait()
	})
	return s
}

func (s *rawServer) url() string { return "http://" + s.Addr().String() }

func (s *rawServer) serve(conn net.Conn) {
	defer conn.Close()
	for lines := bufio.NewReader(conn); ; {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	s.requests.Add(1)
	if _, err := conn.Write(s.head); err != nil {
		return
	}
	for i := 0; i != s.times; i++ {
		if _, err := conn.Write(s.body); err != nil {
			return // it was enough for the client
		}
	}
	// Closing with the client still sending, or its data unread, would be a reset.
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}

// A watchedBody is the body of an answer that notes whether it was closed.
type watchedBody struct {
	io.ReadCloser
	closed atomic.Bool
}

func (b *watchedBody) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, errors.New("read after close")
	}
	return b.ReadCloser.Read(p)
}

// A watchingClient is an HTTP client that keeps the bodies it has handed out.
type watchingClient struct {
	http.RoundTripper
	afterHead func() // called when the head of an answer has come
	bodies    []*watchedBody
}

func (c *watchingClient) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body := &watchedBody{ReadCloser: resp.Body}
	resp.Body = body
	c.bodies = append(c.bodies, body)
	if c.afterHead != nil {
		c.afterHead()
	}
	return resp, nil
}

// assertClosed checks that so many bodies were handed out, and all closed.
func (c *watchingClient) assertClosed(t *testing.T, count int) {
	t.Helper()
	assert.Len(t, c.bodies, count)
	for _, body := range c.bodies {
		assert.True(t, body.closed.Load())
	}
}

func milliseconds(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }

// inBubble runs a test where time passes only when all goroutines wait, if there is
// package testing/synctest.
var inBubble = func(t *testing.T, test func(t *testing.T)) { test(t) }

// An outcome is what one call returned, and what the server got by the end of it.
type outcome struct {
	output *cognitosync.DescribeIdentityPoolUsageOutput
	err    error
	took   time.Duration
	wires  []string // the path of each request, as received
}

// assertSound checks what holds for every call, whatever the server does: no half
// answers, errors that say where they come from, and an API error for every answer
// that is not a success.
func assertSound(t *testing.T, got outcome) {
	t.Helper()
	assert.NotEqual(t, got.output == nil, got.err == nil, "output and error, or neither")
	if got.err == nil {
		return
	}
	var operation *smithy.OperationError
	if assert.ErrorAs(t, got.err, &operation) {
		assert.Equal(t, cognitosync.ServiceID, operation.Service())
		assert.Equal(t, "DescribeIdentityPoolUsage", operation.Operation())
	}
	var response *awshttp.ResponseError
	if errors.As(got.err, &response) && response.HTTPStatusCode()/100 != 2 {
		var apiError smithy.APIError
		if assert.ErrorAs(t, got.err, &apiError) {
			assert.NotEmpty(t, apiError.ErrorCode())
		}
	}
}

// The two ways that a call can take: straight on, and as the steps of a smithy stack.
const (
	direct = "direct"
	stack  = "stack"
)

var ways = []string{direct, stack}

// goThrough makes a client with these options take the given way. For the smithy
// stack one middleware is enough, which only counts the calls that come through it.
func goThrough(way string, options *cognitosync.Options) (stackRuns *atomic.Int64) {
	stackRuns = new(atomic.Int64)
	if way == direct {
		return stackRuns
	}
	count := middleware.InitializeMiddlewareFunc("CountRuns",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			stackRuns.Add(1)
			return next.HandleInitialize(ctx, in)
		})
	options.APIOptions = append(options.APIOptions, func(s *middleware.Stack) error {
		return s.Initialize.Add(count, middleware.Before)
	})
	return stackRuns
}

// doNotSleep takes the place of the sleep between two attempts. What remains is the
// pacing of the adaptive mode, which is the SDK's: a second or two in the one case
// that has it.
func doNotSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func isA[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// escapedID returns id as one path segment: all but RFC 3986's unreserved
// characters as %XX.
func escapedID(id string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	var b strings.Builder
	for _, c := range []byte(id) {
		if strings.IndexByte(unreserved, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// reset closes the connection so that the client sees a reset, not an end.
func reset(conn net.Conn) error {
	return errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close())
}

// The pool that the rows are tried with. Its id names no region, so it fits all.
const anyPool = "pool-of-no-region"

var (
	credentialScope = regexp.MustCompile(`Credential=[^/]+/\d{8}/([^/]*)/cognito-sync/aws4_request`)
	userAgentAppID  = regexp.MustCompile(`(?:^| )app/(\S+)`)
)

// submatch returns what is in the expression's first parentheses, or "".
func submatch(expression *regexp.Regexp, text string) string {
	if found := expression.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// resolverFunc is a function as an EndpointResolverV2.
type resolverFunc func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error)

func (f resolverFunc) ResolveEndpoint(_ context.Context, params cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
	return f(params)
}

// resolveTo returns a resolver that finds the same endpoint for everything.
func resolveTo(host string) resolverFunc {
	return func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
		return smithyendpoints.Endpoint{URI: url.URL{Scheme: "https", Host: host}}, nil
	}
}

// newWorld returns a server that stands for the services of all regions, and the
// options of a client that reaches them under their real names.
func newWorld(t *testing.T, way, region string, optFns ...func(*cognitosync.Options)) (*cognitosynctest.Server, *cognitosync.Client) {
	t.Helper()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.AnyRegion, o.InMemory = true, true })
	options := cognitosync.Options{
		Region:      region,
		Credentials: cognitosynctest.DefaultCredentials().Provider(),
		HTTPClient:  &http.Client{Transport: server.RoundTripper()},
	}
	goThrough(way, &options)
	client := cognitosync.New(options, optFns...)
	cognitosync.SetSleep(client, doNotSleep)
	return server, client
}

func usePoolRegion(o *cognitosync.Options) { o.UseIdentityPoolRegion = true }

// dialCounter is an HTTP client that counts its dials, all of which fail.
func dialCounter() (client *http.Client, dials *atomic.Int32) {
	dials = new(atomic.Int32)
	return &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		},
	}}, dials
}

// fixedResolver sends everything to one URL.
type fixedResolver struct{ host string }

func (r fixedResolver) ResolveEndpoint(context.Context, cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
	var endpoint smithyendpoints.Endpoint
	endpoint.URI.Scheme, endpoint.URI.Host = "https", r.host
	return endpoint, nil
}

// poolID is the pool that tests ask for: AWS's own example.
const poolID = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"

// poolUsage is what the fake service knows of poolID.
var poolUsage = cognitosynctest.Pool{
	IdentityPoolId:    poolID,
	SyncSessionsCount: aws.Int64(17),
	DataStorage:       aws.Int64(40960),
	LastModifiedDate:  aws.Time(time.UnixMilli(1413231134115)),
}

// bothWays runs test as a subtest for each way that a call can take.
func bothWays(t *testing.T, test func(t *testing.T, way string)) {
	t.Helper()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			test(t, way)
		})
	}
}

// setup starts a fake service that knows poolID, and returns it with a client of it
// whose calls take the given way and do not wait between attempts.
func setup(t *testing.T, way string, optFns ...func(*cognitosync.Options)) (*cognitosynctest.Server, *cognitosync.Client) {
	t.Helper()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.Pools = []cognitosynctest.Pool{poolUsage}
	})
	return server, newClient(server.Config(), way, optFns...)
}

// newClient returns a client whose calls take the given way and do not wait between
// attempts.
func newClient(cfg aws.Config, way string, optFns ...func(*cognitosync.Options)) *cognitosync.Client {
	through := func(o *cognitosync.Options) { goThrough(way, o) }
	client := cognitosync.NewFromConfig(cfg, append([]func(*cognitosync.Options){through}, optFns...)...)
	cognitosync.SetSleep(client, doNotSleep)
	return client
}

// describe asks for poolID, and checks what holds for every call.
func describe(t *testing.T, client *cognitosync.Client, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	t.Helper()
	return describePool(t.Context(), t, client, poolID, optFns...)
}

// describePool is describe for any context and pool.
func describePool(ctx context.Context, t *testing.T, client *cognitosync.Client, id string, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	t.Helper()
	output, err := client.DescribeIdentityPoolUsage(ctx, &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id}, optFns...)
	assertSound(t, outcome{output: output, err: err})
	return output, err
}

// errBroken is an error that only the test can have made.
var errBroken = errors.New("broken on purpose")

// alwaysFailing is a service that is out of order.
var alwaysFailing = cognitosynctest.Forever(cognitosynctest.InternalError())

// firstOf returns the first of the values that is not empty.
func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// firstWords returns the first n words of a text.
func firstWords(text string, n int) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(n, len(words))], " ")
}

// doerFunc is a function as an HTTPClient.
type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

// A tap is an HTTPClient that notes what it sends.
type tap struct {
	transport http.RoundTripper

	mu       sync.Mutex
	requests []*http.Request
}

func (t *tap) Do(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.requests = append(t.requests, req.Clone(req.Context()))
	t.mu.Unlock()
	return t.transport.RoundTrip(req)
}

// take returns what has been sent since it was last called.
func (t *tap) take() []*http.Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	requests := t.requests
	t.requests = nil
	return requests
}

// notes are lines that goroutines leave for the test.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

// take returns what has been noted since it was last called.
func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.lines
	n.lines = nil
	return lines
}

// Logf makes notes a logging.Logger.
func (n *notes) Logf(class logging.Classification, format string, args ...any) {
	n.add("%s %s", class, fmt.Sprintf(format, args...))
}

// A spanRecorder is a tracing.TracerProvider that keeps what it is told.
type spanRecorder struct {
	onStart func(name string) // nil: nothing is called

	mu    sync.Mutex
	spans []*recordedSpan
}

// A recordedSpan is one span, its properties by name.
type recordedSpan struct {
	recorder   *spanRecorder
	scope      string
	name       string
	parent     *recordedSpan
	kind       tracing.SpanKind
	properties map[any]any
	status     tracing.SpanStatus
	ended      int // how often End was called
}

func (r *spanRecorder) Tracer(scope string, _ ...tracing.TracerOption) tracing.Tracer {
	return recordingTracer{r, scope}
}

// named returns the spans of that name, in the order of their starts.
func (r *spanRecorder) named(name string) []*recordedSpan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.spans), func(s *recordedSpan) bool { return s.name != name })
}

// count returns how many spans there are.
func (r *spanRecorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.spans)
}

// text returns all that the spans say.
func (r *spanRecorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, s := range r.spans {
		fmt.Fprintln(&b, s.name, s.properties)
	}
	return b.String()
}

type recordingTracer struct {
	recorder *spanRecorder
	scope    string
}

func (t recordingTracer) StartSpan(ctx context.Context, name string, opts ...tracing.SpanOption) (context.Context, tracing.Span) {
	var options tracing.SpanOptions
	for _, opt := range opts {
		opt(&options)
	}
	span := &recordedSpan{
		recorder:   t.recorder,
		scope:      t.scope,
		name:       name,
		kind:       options.Kind,
		properties: options.Properties.Values(),
	}
	if span.properties == nil {
		span.properties = map[any]any{}
	}
	if t.recorder.onStart != nil {
		t.recorder.onStart(name)
	}
	active, _ := tracing.GetSpan(ctx)
	span.parent, _ = active.(*recordedSpan)

	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	t.recorder.spans = append(t.recorder.spans, span)
	return tracing.WithSpan(ctx, span), span
}

func (s *recordedSpan) Name() string { return s.name }

func (s *recordedSpan) Context() tracing.SpanContext { return tracing.SpanContext{} }

func (s *recordedSpan) AddEvent(string, ...tracing.EventOption) {}

func (s *recordedSpan) SetStatus(status tracing.SpanStatus) { s.set(func() { s.status = status }) }

func (s *recordedSpan) SetProperty(name, value any) { s.set(func() { s.properties[name] = value }) }

func (s *recordedSpan) End() { s.set(func() { s.ended++ }) }

func (s *recordedSpan) set(change func()) {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	change()
}

// A meterRecorder is a metrics.MeterProvider that keeps what it is told.
type meterRecorder struct {
	mu          sync.Mutex
	instruments []instrument
	points      []point
}

// An instrument is one that was asked for.
type instrument struct{ scope, kind, name, unit, description string }

// A point is one recorded value.
type point struct {
	name       string
	value      float64
	attributes map[any]any
}

func (r *meterRecorder) Meter(scope string, _ ...metrics.MeterOption) metrics.Meter {
	return recordingMeter{metrics.NopMeterProvider{}.Meter(scope), r, scope}
}

// created returns the instruments so far, by name.
func (r *meterRecorder) created() []instrument {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(slices.Values(r.instruments), func(a, b instrument) int { return strings.Compare(a.name, b.name) })
}

// take returns the points of each instrument since it was last called.
func (r *meterRecorder) take() map[string][]point {
	r.mu.Lock()
	defer r.mu.Unlock()
	points := map[string][]point{}
	for _, p := range r.points {
		points[p.name] = append(points[p.name], p)
	}
	r.points = nil
	return points
}

func (r *meterRecorder) create(scope, kind, name string, opts []metrics.InstrumentOption) recordingInstrument {
	var options metrics.InstrumentOptions
	for _, opt := range opts {
		opt(&options)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instruments = append(r.instruments, instrument{scope, kind, name, options.UnitLabel, options.Description})
	return recordingInstrument{r, name}
}

// recordingMeter records what the SDK's client metrics are made of.
type recordingMeter struct {
	metrics.Meter // of the other kinds, which record nothing
	recorder      *meterRecorder
	scope         string
}

func (m recordingMeter) Int64Counter(name string, opts ...metrics.InstrumentOption) (metrics.Int64Counter, error) {
	return recordingCounter{m.recorder.create(m.scope, "counter", name, opts)}, nil
}

func (m recordingMeter) Float64Histogram(name string, opts ...metrics.InstrumentOption) (metrics.Float64Histogram, error) {
	return recordingHistogram{m.recorder.create(m.scope, "histogram", name, opts)}, nil
}

type recordingInstrument struct {
	recorder *meterRecorder
	name     string
}

func (i recordingInstrument) record(value float64, opts []metrics.RecordMetricOption) {
	var options metrics.RecordMetricOptions
	for _, opt := range opts {
		opt(&options)
	}
	i.recorder.mu.Lock()
	defer i.recorder.mu.Unlock()
	i.recorder.points = append(i.recorder.points, point{i.name, value, options.Properties.Values()})
}

type recordingCounter struct{ recordingInstrument }

func (c recordingCounter) Add(_ context.Context, value int64, opts ...metrics.RecordMetricOption) {
	c.record(float64(value), opts)
}

type recordingHistogram struct{ recordingInstrument }

func (h recordingHistogram) Record(_ context.Context, value float64, opts ...metrics.RecordMetricOption) {
	h.record(value, opts)
}

const stubBody = `{"IdentityPoolUsage":{"DataStorage":40960,"IdentityPoolId":"us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE","LastModifiedDate":1.413231134115E9,"SyncSessionsCount":17}}`

// stubTransport answers every request at once with the same usage.
type stubTransport struct{}

func (stubTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		Status:     "200 OK",
		StatusCode: http.StatusOK,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header: http.Header{
			"Content-Type":     {"application/json"},
			"X-Amzn-Requestid": {"b1e5e2b2-9d3c-4f0e-8a9d-7d2f4f3b1c11"},
			"Date":             {"Mon, 13 Oct 2014 20:12:14 GMT"},
		},
		ContentLength: int64(len(stubBody)),
		Body:          io.NopCloser(strings.NewReader(stubBody)),
		Request:       req,
	}, nil
}

func stubClient(optFns ...func(*cognitosync.Options)) *cognitosync.Client {
	return cognitosync.New(cognitosync.Options{
		Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
		HTTPClient: &http.Client{Transport: stubTransport{}},
	}, optFns...)
}

// tireless returns a retryer that neither waits nor runs out of quota.
func tireless() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}

// A contextKey is a key of the caller's.
type contextKey struct{}

// A recordHandler is a slog.Handler that keeps records.
type recordHandler struct {
	slog.Handler
	level slog.Level // the lowest that is enabled

	mu      sync.Mutex
	records []slog.Record
	values  []any // of contextKey in the context of each record
}

func (h *recordHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *recordHandler) Handle(ctx context.Context, record slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, record.Clone())
	h.values = append(h.values, ctx.Value(contextKey{}))
	return nil
}

// take returns level and attributes of each record since it was last called.
func (h *recordHandler) take() []map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []map[string]any
	for _, record := range h.records {
		attributes := map[string]any{"level": record.Level, "message": record.Message}
		record.Attrs(func(a slog.Attr) bool {
			attributes[a.Key] = a.Value.Any()
			return true
		})
		all = append(all, attributes)
	}
	h.records = nil
	return all
}
