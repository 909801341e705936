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

// anyPool is a pool whose ID names no region, so that it fits all.
const anyPool = "pool-of-no-region"

// poolUsage is what every fake service knows of poolID, and stubBody a response that
// says the same.
var poolUsage = cognitosynctest.Pool{
	IdentityPoolId:    poolID,
	SyncSessionsCount: aws.Int64(17),
	DataStorage:       aws.Int64(40960),
	LastModifiedDate:  aws.Time(time.UnixMilli(1413231134115)),
}

const stubBody = `{"IdentityPoolUsage":{"DataStorage":40960,"IdentityPoolId":"us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE","LastModifiedDate":1.413231134115E9,"SyncSessionsCount":17}}`

// The two paths that a call can take: straight on, and as the steps of a smithy stack.
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

// takePath makes a client with these options take the path. For the smithy stack one
// middleware is enough, which only counts the calls that come through it.
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

// A trial is a client in front of a fake service that does what its script says. The
// client has its own retryer, but does not wait: how long it would have waited is
// recorded.
type trial struct {
	t      *testing.T
	server *cognitosynctest.Server
	client *cognitosync.Client
	naps   *naps
}

// setup returns a trial over HTTP whose calls take the path. The service knows poolID.
func setup(t *testing.T, path string, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	return setupServer(t, path, cognitosynctest.NewServer(t), optFns...)
}

// setupServer is setup with a server of the test's own.
func setupServer(t *testing.T, path string, server *cognitosynctest.Server, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	server.SetPool(poolUsage)
	cfg := server.Config()
	cfg.Retryer = nil // the client's own
	tr := &trial{t: t, server: server, client: newClient(cfg, path, optFns...), naps: &naps{}}
	cognitosync.SetSleep(tr.client, tr.naps.sleep)
	return tr
}

// setupWorld is setup in memory, with a server that is the service of all regions under
// their real names.
func setupWorld(t *testing.T, path, region string, optFns ...func(*cognitosync.Options)) *trial {
	t.Helper()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.AnyRegion, o.InMemory, o.Hosts = true, true, []string{"127.0.0.1:4566"}
	})
	world := func(o *cognitosync.Options) { o.Region, o.BaseEndpoint = region, nil }
	return setupServer(t, path, server, append([]func(*cognitosync.Options){world}, optFns...)...)
}

// patience is how long an attempt may take: long enough for the busiest machine.
const patience = 10 * time.Minute

// newClient returns a client whose calls take the path, do not wait between attempts,
// and have patience.
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

// script adds to what the service does.
func (tr *trial) script(steps ...cognitosynctest.Step) { tr.server.Script(poolID, steps...) }

// call queries poolID, whatever comes of it.
func (tr *trial) call(ctx context.Context, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	tr.t.Helper()
	return describe(ctx, tr.t, tr.client, poolID, optFns...)
}

// callPool queries any pool.
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

// fails makes a call that must fail, and returns how.
func (tr *trial) fails(t *testing.T, ctx context.Context, optFns ...func(*cognitosync.Options)) error {
	t.Helper()
	output, err := tr.call(ctx, optFns...)
	requireFailure(t, output, err)
	return err
}

// requests returns how many requests the server has received.
func (tr *trial) requests() int { return tr.server.Requests().Count() }

// describe queries a pool, and checks what holds for every call.
func describe(ctx context.Context, t *testing.T, client *cognitosync.Client, id string, optFns ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	t.Helper()
	output, err := client.DescribeIdentityPoolUsage(ctx, poolInput(id), optFns...)
	assertSound(t, output, err)
	return output, err
}

// poolInput names a pool.
func poolInput(id string) *cognitosync.DescribeIdentityPoolUsageInput {
	return &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: &id}
}

// assertSound checks what holds for every call, whatever the server does: no half
// results, errors that say where they come from, and an API error for every response
// that is not a success.
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

// requireFailure checks what holds for every call that fails: no output, and an error
// that says which operation it comes from, in one line of decent length.
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

// naps record how long a client would have waited.
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

// doNotSleep takes the place of the sleep between two attempts. What remains is the
// pacing of the adaptive mode, which is the SDK's: a second or two in the one case
// that has it.
func doNotSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// inBubble runs a test where time passes only when all goroutines wait, if there is
// package testing/synctest.
var inBubble = func(t *testing.T, test func(t *testing.T)) { test(t) }

var (
	// errBroken is an error that only the test can have made.
	errBroken = errors.New("broken on purpose")

	// errOwnCause is a caller's reason to end a call.
	errOwnCause = errors.New("the caller's own cause")

	// alwaysFailing is a service that is out of order.
	alwaysFailing = cognitosynctest.Forever(cognitosynctest.InternalError())
)

// assertClosed checks that so many responses had bodies, and that all are closed: at the
// latest when a read that the call did not wait for has returned.
func assertClosed(t *testing.T, client *clienttest.Tap, count int) {
	t.Helper()
	assert.Len(t, client.Bodies(), count)
	for _, body := range client.Bodies() {
		assert.Eventually(t, body.Closed, patience, time.Millisecond)
	}
}

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

const mib = 1 << 20

// A rawServer answers each request with the same bytes, however wrong they are, and
// allocates next to nothing.
type rawServer struct {
	net.Listener
	head, body []byte
	times      int // that the body is sent; negative: until the client goes
	requests   atomic.Int32
}

// newRawServer starts a server that ends with the test. Each response is the last on
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

func milliseconds(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }

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

// tireless returns a retryer that neither waits nor runs out of quota.
func tireless() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}

// A contextKey is a key of the caller's.
type contextKey struct{}

// A witness sees all that a client tells: logs of every kind, spans and metrics.
type witness struct {
	log     clienttest.Notes
	records clienttest.Records
	spans   clienttest.Spans
	meters  clienttest.Meters
}

func newWitness() *witness { return &witness{records: clienttest.Records{Level: slog.LevelDebug}} }

// watch has a client tell the witness everything.
func (w *witness) watch(o *cognitosync.Options) {
	o.ClientLogMode, o.Logger, o.StructuredLogger = allLogModes, &w.log, slog.New(&w.records)
	o.TracerProvider, o.MeterProvider = &w.spans, &w.meters
}

// told returns what the witness has seen and what err says, and forgets the former.
func (w *witness) told(err error) map[string]string {
	details := cognitosync.InspectError(err)
	told := map[string]string{
		"log":            strings.Join(w.log.Take(), "\n"),
		"structured log": fmt.Sprint(w.records.Take()),
		"spans":          w.spans.Text(),
		"metrics":        fmt.Sprint(w.meters.Take()),
		"details":        fmt.Sprint(details.Code, " ", details.Message, " ", details.RequestID),
	}
	if err != nil {
		told["error"] = err.Error()
	}
	return told
}

// assertSilent checks that none of the secrets was told, not even with other signs between
// its letters, and that no log has a control character.
func (w *witness) assertSilent(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for where, text := range w.told(err) {
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
