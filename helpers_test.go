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
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

// poolID is the pool that tests query: AWS's own example.
const poolID = "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE"

// anyPool is a pool whose ID contains no region, so it may be in any.
const anyPool = "pool-of-no-region"

// poolUsage is the usage of poolID in every fake service. stubBody is a response with the
// same usage.
var poolUsage = cognitosynctest.Pool{
	IdentityPoolId:    poolID,
	SyncSessionsCount: aws.Int64(17),
	DataStorage:       aws.Int64(40960),
	LastModifiedDate:  aws.Time(time.UnixMilli(1413231134115)),
}

const stubBody = `{"IdentityPoolUsage":{"DataStorage":40960,"IdentityPoolId":"us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE","LastModifiedDate":1.413231134115E9,"SyncSessionsCount":17}}`

// The two paths that a call can take: directly, and as the steps of a smithy stack.
const (
	direct = "direct"
	stack  = "stack"
)

var paths = []string{direct, stack}

// bothPaths runs test as a subtest for each path that a call can take.
func bothPaths(t *testing.T, test func(t *testing.T, path string)) {
	t.Helper()
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			test(t, path)
		})
	}
}

// takePath makes a client with these options take the path. For the stack path it adds a
// middleware that only counts the calls.
func takePath(path string, options *cognitosync.Options) (stackRuns *atomic.Int64) {
	stackRuns = new(atomic.Int64)
	if path == direct {
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

// A trial is a client of a fake service with a script. The client uses its default retryer.
// It records the delays between attempts, but does not wait.
type trial struct {
	t      *testing.T
	server *cognitosynctest.Server
	client *cognitosync.Client
	naps   *naps
}

// setup returns a trial over HTTP whose calls take the path. The service has poolID.
func setup(t *testing.T, path string, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	return setupServer(t, path, cognitosynctest.NewServer(t), optFns...)
}

// setupServer is setup with the given server.
func setupServer(t *testing.T, path string, server *cognitosynctest.Server, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	server.SetPool(poolUsage)
	cfg := server.Config()
	cfg.Retryer = nil // use the client's default
	tr := &trial{t: t, server: server, client: newClient(cfg, path, optFns...), naps: &naps{}}
	cognitosync.SetSleep(tr.client, tr.naps.sleep)
	return tr
}

// setupWorld is setup in memory, with a server for the real host names of all regions.
func setupWorld(t *testing.T, path, region string, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.AnyRegion, o.InMemory, o.Hosts = true, true, []string{"127.0.0.1:4566"}
	})
	world := func(o *cognitosync.Options) { o.Region, o.BaseEndpoint = region, nil }
	return setupServer(t, path, server, append([]func(*cognitosync.Options){world}, optFns...)...)
}

// patience is the timeout of attempts that should not time out, even on a busy machine.
const patience = 10 * time.Minute

// newClient returns a client whose calls take the path and do not wait between attempts.
// Its attempt timeout is patience.
func newClient(cfg aws.Config, path string, optFns ...func(*cognitosync.Options)) *cognitosync.Client {
	first := func(o *cognitosync.Options) {
		takePath(path, o)
		o.AttemptTimeout = patience
	}
	client := cognitosync.NewFromConfig(cfg, append([]func(*cognitosync.Options){first}, optFns...)...)
	cognitosync.SetSleep(client, doNotSleep)
	return client
}

// configOf returns the configuration of a client in us-east-1 that sends through
// httpClient.
func configOf(httpClient cognitosync.HTTPClient) aws.Config {
	return aws.Config{
		Region:      "us-east-1",
		Credentials: cognitosynctest.DefaultCredentials().Provider(),
		HTTPClient:  httpClient,
	}
}

// script adds steps to the script of the service.
func (tr *trial) script(steps ...cognitosynctest.Step) { tr.server.Script(poolID, steps...) }

// call queries poolID. It may fail.
func (tr *trial) call(ctx context.Context, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	tr.t.Helper()
	return describe(ctx, tr.t, tr.client, poolID, optFns...)
}

// callPool queries the pool with this ID. It may fail.
func (tr *trial) callPool(ctx context.Context, id string, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	tr.t.Helper()
	return describe(ctx, tr.t, tr.client, id, optFns...)
}

// succeeds makes a call that must succeed.
func (tr *trial) succeeds(t *testing.T, optFns ...func(*cognitosync.Options)) {
	t.Helper()
	output, err := tr.call(t.Context(), optFns...)
	require.NoError(t, err)
	require.NotNil(t, output)
	require.NotNil(t, output.IdentityPoolUsage)
	require.Equal(t, poolUsage.DataStorage, output.IdentityPoolUsage.DataStorage)
}

// fails makes a call that must fail, and returns its error.
func (tr *trial) fails(t *testing.T, ctx context.Context, optFns ...func(*cognitosync.Options)) error {
	t.Helper()
	output, err := tr.call(ctx, optFns...)
	requireFailure(t, output, err)
	return err
}

// requests returns how many requests the server has received.
func (tr *trial) requests() int { return tr.server.Requests().Count() }

// describe queries a pool and checks the invariants of every call.
func describe(ctx context.Context, t *testing.T, client *cognitosync.Client, id string, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	t.Helper()
	output, err := client.DescribeIdentityPoolUsage(ctx, poolInput(id), optFns...)
	assertSound(t, output, err)
	return output, err
}

// poolInput returns the input for a pool.
func poolInput(id string) *cognitosync.DescribeIdentityPoolUsageInput {
	return &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id}
}

// assertSound checks the invariants of every call, whatever the server does: there is either
// an output or an error, an error contains the operation, and an unsuccessful response
// results in an API error.
func assertSound(t *testing.T, output *cognitosync.DescribeIdentityPoolUsageOutput, err error) {
	t.Helper()
	assert.NotEqual(t, output == nil, err == nil, "output and error, or neither")
	if err == nil {
		return
	}
	var operation *smithy.OperationError
	if assert.ErrorAs(t, err, &operation) {
		assert.Equal(t, cognitosync.ServiceID, operation.Service())
		assert.Equal(t, "DescribeIdentityPoolUsage", operation.Operation())
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode()/100 != 2 {
		var apiError smithy.APIError
		if assert.ErrorAs(t, err, &apiError) {
			assert.NotEmpty(t, apiError.ErrorCode())
		}
	}
}

// requireFailure checks the invariants of every call that fails: there is no output, and the
// error contains the operation and is one line of limited length.
func requireFailure(t *testing.T, output *cognitosync.DescribeIdentityPoolUsageOutput, err error) {
	t.Helper()
	require.Error(t, err)
	assert.Nil(t, output)
	assertSound(t, output, err)
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

func isA[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// naps records the delays of a client that does not wait.
type naps struct {
	mu   sync.Mutex
	list []time.Duration
}

// sleep replaces the sleep between two attempts.
func (n *naps) sleep(ctx context.Context, d time.Duration) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, d)
	return ctx.Err()
}

// all returns the delays so far.
func (n *naps) all() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}

// doNotSleep replaces the sleep between two attempts. It does not affect the SDK's adaptive
// mode, which waits a second or two in the one case that uses it.
func doNotSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// inBubble runs a test in a bubble of testing/synctest, if Go has that package.
var inBubble = func(t *testing.T, test func(t *testing.T)) { test(t) }

var (
	// errBroken is an error that only a test returns.
	errBroken = errors.New("broken on purpose")

	// errOwnCause is the cause of a context that a caller ends.
	errOwnCause = errors.New("the caller's own cause")

	// alwaysFailing makes the service fail every request.
	alwaysFailing = cognitosynctest.Forever(cognitosynctest.InternalError())
)

// assertClosed checks the number of responses with bodies, and that all bodies are closed
// eventually. A call does not wait for a read that blocks.
func assertClosed(t *testing.T, client *clienttest.Tap, count int) {
	t.Helper()
	assert.Len(t, client.Bodies(), count)
	for _, body := range client.Bodies() {
		assert.Eventually(t, body.Closed, patience, time.Millisecond)
	}
}

// assertThrottled checks that the error of a call that the caller ended contains the details
// of the 429 before it.
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

const mib = 1 << 20

// A rawServer responds to each request with the same bytes, which need not be valid HTTP. It
// allocates very little.
type rawServer struct {
	net.Listener
	headers, body []byte
	times         int // how often the body is sent; negative: until the client closes the connection
	requests      atomic.Int32
}

// newRawServer starts a server that ends with the test. Each response is the last on
// its connection.
func newRawServer(t *testing.T, headers string, body []byte, times int) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawServer{Listener: listener, headers: []byte(headers), body: body, times: times}
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
	if _, err := conn.Write(s.headers); err != nil {
		return
	}
	for i := 0; i != s.times; i++ {
		if _, err := conn.Write(s.body); err != nil {
			return // the client has closed the connection
		}
	}
	// Closing a connection with unread data would reset it.
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}

func milliseconds(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }

// escapedID returns id as one path segment. All characters but the unreserved ones of RFC
// 3986 are escaped.
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

// reset closes the connection with a reset.
func reset(conn net.Conn) error {
	return errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close())
}

var (
	credentialScope = regexp.MustCompile(`Credential=[^/]+/\d{8}/([^/]*)/cognito-sync/aws4_request`)
	userAgentAppID  = regexp.MustCompile(`(?:^| )app/(\S+)`)
)

// submatch returns what the first group of the expression matches, or "".
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

// resolveTo returns a resolver that always returns the same endpoint.
func resolveTo(host string) resolverFunc {
	return func(cognitosync.EndpointParameters) (smithyendpoints.Endpoint, error) {
		return smithyendpoints.Endpoint{URI: url.URL{Scheme: "https", Host: host}}, nil
	}
}

func usePoolRegion(o *cognitosync.Options) { o.UseIdentityPoolRegion = true }

// dialCounter returns an HTTP client whose dials fail and are counted.
func dialCounter() (client *http.Client, dials *atomic.Int32) {
	dials = new(atomic.Int32)
	return &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		},
	}}, dials
}

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

// tireless returns a retryer without delays and without a quota.
func tireless() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}

// A contextKey is the key of a caller's context value.
type contextKey struct{}

// A witness records the logs, spans and metrics of a client.
type witness struct {
	log     clienttest.Notes
	records clienttest.Records
	spans   clienttest.Spans
	meters  clienttest.Meters
}

func newWitness() *witness { return &witness{records: clienttest.Records{Level: slog.LevelDebug}} }

// watch makes a client write all its telemetry to the witness.
func (w *witness) watch(o *cognitosync.Options) {
	o.ClientLogMode, o.Logger, o.StructuredLogger = allLogModes, &w.log, slog.New(&w.records)
	o.TracerProvider, o.MeterProvider = &w.spans, &w.meters
}

// reported returns the texts of err and of the telemetry since the last call.
func (w *witness) reported(err error) map[string]string {
	details := cognitosync.InspectError(err)
	reported := map[string]string{
		"log":            strings.Join(w.log.Take(), "\n"),
		"structured log": fmt.Sprint(w.records.Take()),
		"spans":          w.spans.Text(),
		"metrics":        fmt.Sprint(w.meters.Take()),
		"details":        fmt.Sprint(details.Code, " ", details.Message, " ", details.RequestID),
	}
	if err != nil {
		reported["error"] = err.Error()
	}
	return reported
}

// assertSilent checks that neither err nor the telemetry contains any of the secrets, even
// with other signs between its letters, and that no log contains control characters.
func (w *witness) assertSilent(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for where, text := range w.reported(err) {
		letters := lettersOf(text)
		for _, secret := range secrets {
			assert.NotContains(t, text, secret, where)
			if len(secret) >= 12 && lettersOf(secret) == secret {
				assert.NotContains(t, letters, secret, where)
			}
		}
		if where == "log" || where == "structured log" {
			assertLoggable(t, text)
		}
	}
}

// lettersOf returns the letters and digits of a text.
func lettersOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return -1
	}, text)
}

// assertLoggable checks that a log entry can be printed on a terminal.
func assertLoggable(t *testing.T, text string) {
	t.Helper()
	assert.True(t, utf8.ValidString(text), "%q", text)
	for _, r := range strings.ReplaceAll(text, "\r\n", "\n") {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			assert.Fail(t, "not printable", "%q in %q", r, text)
			return
		}
	}
}
