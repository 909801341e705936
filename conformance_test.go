package cognitosync_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

const conformanceDir = "testdata/conformance"

// testCaseCount is the number of cases. It ensures that none is lost.
const testCaseCount = 376

// deviations contains the cases that this client deliberately does not follow, with the
// reason and its own result.
var deviations = map[string]struct{ reason, want string }{
	"json-syntax.five-mib-1": {
		reason: "no response needs more than 1 MiB, and a client that reads more can be made to run out of memory",
		want:   `{"error": {"type": "ResponseTooLarge", "http_status": 200}, "attempts": 1}`,
	},
}

// decided contains the cases that leave a choice to the client, with what this client does.
// It is required in addition to what the case requires.
var decided = map[string]string{
	// A number must be a JSON number, and no part of it is dropped.
	"numbers.fraction-1":        `{"error": {"type": "Deserialization"}}`,
	"numbers.numeric-string-1":  `{"error": {"type": "Deserialization"}}`,
	"timestamps.epoch-string-1": `{"error": {"type": "Deserialization"}}`,
	"timestamps.epoch-string-2": `{"error": {"type": "Deserialization"}}`,
	"timestamps.date-string-1":  `{"error": {"type": "Deserialization"}}`,
	"timestamps.date-string-2":  `{"error": {"type": "Deserialization"}}`,
	"timestamps.date-string-3":  `{"error": {"type": "Deserialization"}}`,

	// A body of more than one JSON value is malformed, so the call is not retried.
	"json-syntax.trailing-garbage-1": `{"error": {"type": "Deserialization"}, "attempts": 1}`,
	"json-syntax.trailing-garbage-2": `{"error": {"type": "Deserialization"}, "attempts": 1}`,
	"json-syntax.trailing-garbage-3": `{"error": {"type": "Deserialization"}, "attempts": 1}`,

	// A body that is cut off is not a complete response, so the call is retried.
	"retry.reset-in-body-1":              `{"attempts": 2}`,
	"retry.body-cut-by-fin-1":            `{"attempts": 2}`,
	"retry.body-cut-by-fin-2":            `{"attempts": 2}`,
	"retry.body-cut-by-fin-whole-json-1": `{"error": {"type": "Transport"}, "attempts": 3}`,
	"retry.timeout-in-body-1":            `{"error": {"type": "Transport"}, "attempts": 1}`,

	// Without a code, the status means that the request was throttled.
	"retry.status-429-no-code-1": `{"attempts": 2}`,

	// All headers that may contain the request ID are read.
	"errors-misc.request-id-other-header-1": `{"error": {"request_id": "3f3e4515-c4d8-584f-bb0b-ca2d7cff6d49"}}`,
	"errors-misc.request-id-odd-header-1":   `{"error": {"request_id": "47aadaa5-b4ad-5c30-a27b-f2e28a9abb1e"}}`,
}

// A testCase is one recorded case: the responses of a server for a pool ID, and the result
// that a client must return for them.
type testCase struct {
	Name   string  `json:"name"`
	PoolID *string `json:"pool_id"`
	Region string  `json:"region"`
	Client struct {
		MaxAttempts  int    `json:"max_attempts"`
		RetryMode    string `json:"retry_mode"`
		SessionToken *bool  `json:"session_token"`
		TimeoutMS    int    `json:"timeout_ms"`
		BasePath     string `json:"base_path"`
		Calls        int    `json:"calls"`
	} `json:"client"`
	Clock     clock              `json:"clock"`
	Responses []recordedResponse `json:"responses"`
	Want      expectation        `json:"want"`
	decided   expectation

	// For the reader of the data only.
	Kind   string         `json:"kind"`
	Level  string         `json:"level"`
	Note   string         `json:"note"`
	Agree  []string       `json:"agree"`
	Differ map[string]any `json:"differ"`
}

// An expectation is the required result of a case. Only the fields that are given are
// compared.
type expectation struct {
	Usage     optional[usageText] `json:"usage"`
	Error     *errorText          `json:"error"`
	Attempts  *int                `json:"attempts"`
	Wire      *string             `json:"wire"`
	RequestID *string             `json:"request_id"`
	AnyOf     []expectation       `json:"any_of"`

	// How long the call takes. It is only compared if the server waits. In other cases, it is
	// the time of the retryer's delays, which the tests skip.
	MinMS int `json:"min_ms"`
	MaxMS int `json:"max_ms"`
}

// usageText is an IdentityPoolUsage in the format of the cases.
type usageText struct {
	IdentityPoolID    *string `json:"IdentityPoolId"`
	SyncSessionsCount *int64  `json:"SyncSessionsCount"`
	DataStorage       *int64  `json:"DataStorage"`
	LastModifiedDate  *string `json:"LastModifiedDate"`
}

type errorText struct {
	Type       *string          `json:"type"`
	Code       *string          `json:"code"`
	Message    *string          `json:"message"`
	HTTPStatus *int             `json:"http_status"`
	RequestID  optional[string] `json:"request_id"`
}

// optional distinguishes a value that is missing from one that is null.
type optional[T any] struct {
	given bool
	value *T
}

func (o *optional[T]) UnmarshalJSON(text []byte) error {
	o.given = true
	return decodeStrictly(text, &o.value)
}

// decodeStrictly returns an error for keys that v does not have. Otherwise a case that the
// tests do not understand would pass.
func decodeStrictly(text []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(v)
}

// takesTime reports whether the server waits before it sends something.
func (c *testCase) takesTime() bool {
	return slices.ContainsFunc(c.Responses, func(resp recordedResponse) bool { return resp.DelayMS != 0 || resp.BodyDelayMS != 0 })
}

// run runs a test of the case, in fake time if the server waits.
func (c *testCase) run(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if c.takesTime() {
		inBubble(t, test)
		return
	}
	test(t)
}

// TestConformance replays the recorded responses to a client over HTTP, and compares the
// result with that of the case. If the server waits, the case runs in memory and in fake
// time.
func TestConformance(t *testing.T) {
	t.Parallel()
	cases := readCases(t)
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					c.run(t, func(t *testing.T) { testConformanceCase(t, c, path) })
				})
			}
		})
	}
}

// readCases returns the cases of all kinds. Those in deviations have this client's results.
func readCases(t *testing.T) []*testCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(conformanceDir, "cases", "*.json"))
	require.NoError(t, err)
	var cases []*testCase
	byName := make(map[string]*testCase)
	for _, file := range files {
		var kind []*testCase
		readStrictly(t, file, &kind)
		for _, c := range kind {
			require.Nil(t, byName[c.Name], "two cases of one name: %s", c.Name)
			byName[c.Name] = c
			require.True(t, c.Want.wantsAnOutcome(), "%s wants neither a usage nor an error", c.Name)
		}
		cases = append(cases, kind...)
	}
	require.Len(t, cases, testCaseCount)
	for name, ours := range deviations {
		require.NotNil(t, byName[name], "no case is named %s", name)
		require.NotEmpty(t, ours.reason)
		byName[name].Want = expectation{}
		require.NoError(t, decodeStrictly([]byte(ours.want), &byName[name].Want))
	}
	for name, ours := range decided {
		require.NotNil(t, byName[name], "a decided case that is not there: %s", name)
		require.NoError(t, decodeStrictly([]byte(ours), &byName[name].decided))
	}
	return cases
}

// readStrictly decodes a JSON file.
func readStrictly(t *testing.T, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, decodeStrictly(text, v), file)
}

// An outcome is what a call returned, and what the server received.
type outcome struct {
	output *cognitosync.DescribeIdentityPoolUsageOutput
	err    error
	took   time.Duration
	wires  []string // the path of each request, as received
}

func testConformanceCase(t *testing.T, c *testCase, path string) {
	t.Helper()
	region := c.Region
	if region == "" {
		region = "us-east-1"
	}
	credentials := cognitosynctest.DefaultCredentials()
	if c.Client.SessionToken != nil && !*c.Client.SessionToken {
		credentials.SessionToken = ""
	}
	server := newScriptedServer(t, c, cognitosynctest.Verifier{
		Region:      region,
		Credentials: []cognitosynctest.Credentials{credentials},
	})
	options := cognitosync.Options{
		Region:           region,
		BaseEndpoint:     aws.String(server.url + c.Client.BasePath),
		HTTPClient:       server.client,
		Credentials:      credentials.Provider(),
		RetryMaxAttempts: c.Client.MaxAttempts,
		RetryMode:        aws.RetryMode(c.Client.RetryMode),
	}
	stackRuns := takePath(path, &options)
	client := cognitosync.New(options)
	cognitosync.SetSleep(client, doNotSleep)

	calls := max(c.Client.Calls, 1)
	outcomes := make([]outcome, calls)
	for i := range outcomes {
		outcomes[i] = makeCall(t, c, client)
	}

	wires, problems := server.requests()
	assert.Empty(t, problems, "requests that the service would reject")
	if path == stack {
		assert.EqualValues(t, calls, stackRuns.Load(), "calls through the smithy stack")
	}
	for _, got := range outcomes {
		got.wires = wires
		if c.Client.TimeoutMS != 0 && got.err != nil {
			assert.ErrorIs(t, got.err, context.DeadlineExceeded)
		}
		if c.takesTime() {
			assert.GreaterOrEqual(t, got.took, milliseconds(c.Want.MinMS))
		}
		assert.Empty(t, c.Want.differences(c, got))
		assert.Empty(t, c.decided.differences(c, got), "differences from what was decided")
	}
}

// makeCall makes one call of the case.
func makeCall(t *testing.T, c *testCase, client *cognitosync.Client) outcome {
	t.Helper()
	ctx := t.Context()
	if timeout := milliseconds(c.Client.TimeoutMS); timeout != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	input := &cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: c.PoolID}
	started := time.Now()
	output, err := client.DescribeIdentityPoolUsage(ctx, input)
	assertSound(t, output, err)
	return outcome{output: output, err: err, took: time.Since(started)} //nolint:forbidigo // some cases say how long a call takes
}

// differences returns the differences between an outcome and the expectation.
func (want expectation) differences(c *testCase, got outcome) differences {
	var d differences
	if want.MaxMS != 0 && got.took > milliseconds(want.MaxMS) {
		d.add("time", milliseconds(want.MaxMS), got.took)
	}
	if want.Usage.given {
		if got.output == nil {
			d.add("output", "one", got.err)
		} else {
			d.compare("usage", want.Usage.value, usageTextOf(got.output.IdentityPoolUsage))
		}
	}
	if want.Error != nil {
		want.Error.compare(&d, got.err)
	}
	if want.Attempts != nil {
		d.compare("attempts", *want.Attempts, len(got.wires))
	}
	if want.Wire != nil {
		path := strings.ReplaceAll(*want.Wire, "{escaped}", escapedID(aws.ToString(c.PoolID)))
		for _, wire := range got.wires {
			d.compare("wire", path, wire)
		}
	}
	if want.RequestID != nil && got.output != nil {
		id, _ := awsmiddleware.GetRequestIDMetadata(got.output.ResultMetadata)
		d.compare("request ID", *want.RequestID, id)
	}
	if len(want.AnyOf) > 0 {
		d = append(d, differencesFromAll(want.AnyOf, c, got)...)
	}
	return d
}

// wantsAnOutcome reports whether the expectation contains how the call ends.
func (want expectation) wantsAnOutcome() bool {
	return want.Usage.given || want.Error != nil || len(want.AnyOf) > 0
}

// differencesFromAll returns the differences between an outcome and each alternative, or
// nothing if the outcome meets one of them.
func differencesFromAll(alternatives []expectation, c *testCase, got outcome) differences {
	var all differences
	for i, want := range alternatives {
		d := want.differences(c, got)
		if len(d) == 0 {
			return nil
		}
		all = append(all, fmt.Sprintf("alternative %d: %s", i+1, strings.Join(d, "; ")))
	}
	return all
}

// errorTypes has a function for each error type of the cases that reports whether an error
// has the type.
var errorTypes = map[string]func(error) bool{
	"NotAuthorizedException":    isA[*cognitosync.NotAuthorizedException],
	"InvalidParameterException": isA[*cognitosync.InvalidParameterException],
	"ResourceNotFoundException": isA[*cognitosync.ResourceNotFoundException],
	"InternalErrorException":    isA[*cognitosync.InternalErrorException],
	"TooManyRequestsException":  isA[*cognitosync.TooManyRequestsException],
	"APIError":                  isA[*smithy.GenericAPIError],
	"Deserialization":           isA[*smithy.DeserializationError],
	"ParamValidation":           isA[smithy.InvalidParamsError],
	"Transport":                 isIncomplete,
	"ResponseTooLarge":          isA[*cognitosync.ResponseTooLargeError], // ours
}

// isIncomplete reports whether there was no complete response to decode.
func isIncomplete(err error) bool {
	return !isA[smithy.APIError](err) &&
		(isA[*smithyhttp.RequestSendError](err) ||
			errors.Is(err, context.DeadlineExceeded) ||
			errors.Is(err, io.ErrUnexpectedEOF))
}

// compare adds the differences between err and the expectation to d.
func (want *errorText) compare(d *differences, err error) {
	if err == nil {
		d.add("error", "one", nil)
		return
	}
	if want.Type != nil {
		if is := errorTypes[*want.Type]; is == nil || !is(err) {
			d.add("error type", *want.Type, err)
		}
	}
	var code, message string
	if apiError := smithy.APIError(nil); errors.As(err, &apiError) {
		code, message = apiError.ErrorCode(), apiError.ErrorMessage()
	}
	if want.Code != nil {
		d.compare("error code", *want.Code, code)
	}
	if want.Message != nil {
		d.compare("error message", *want.Message, message)
	}
	var status int
	var requestID string
	if response := (*awshttp.ResponseError)(nil); errors.As(err, &response) {
		status, requestID = response.HTTPStatusCode(), response.ServiceRequestID()
	}
	if want.HTTPStatus != nil {
		d.compare("HTTP status", *want.HTTPStatus, status)
	}
	if want.RequestID.given {
		d.compare("request ID of the error", aws.ToString(want.RequestID.value), requestID)
	}
}

// differences describes the differences from an expectation, one per line.
type differences []string

func (d *differences) compare(what string, want, got any) {
	if !reflect.DeepEqual(want, got) {
		d.add(what, want, got)
	}
}

func (d *differences) add(what string, want, got any) {
	*d = append(*d, fmt.Sprintf("%s: want %+v, got %+v", what, want, got))
}

// usageTextOf returns usage in the format of the cases, with dates in UTC and milliseconds.
func usageTextOf(usage *cognitosync.IdentityPoolUsage) *usageText {
	if usage == nil {
		return nil
	}
	text := &usageText{
		IdentityPoolID:    usage.IdentityPoolId,
		SyncSessionsCount: usage.SyncSessionsCount,
		DataStorage:       usage.DataStorage,
	}
	if date := usage.LastModifiedDate; date != nil {
		written := date.Format("2006-01-02T15:04:05.000Z07:00")
		if date.Location() != time.UTC {
			written += " in " + date.Location().String() // the offset may be that of UTC
		}
		text.LastModifiedDate = &written
	}
	return text
}

// String returns a readable text for differences.
func (u *usageText) String() string {
	text, err := json.Marshal(u)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestExpectation checks that every key of an expectation is compared.
func TestExpectation(t *testing.T) {
	t.Parallel()
	good := outcome{
		output: &cognitosync.DescribeIdentityPoolUsageOutput{IdentityPoolUsage: &cognitosync.IdentityPoolUsage{
			DataStorage:      aws.Int64(7),
			LastModifiedDate: aws.Time(time.UnixMilli(1_500).UTC()),
		}},
		wires: []string{"/identitypools/a%3Ab"},
	}
	awsmiddleware.SetRequestIDMetadata(&good.output.ResultMetadata, "id-1")
	bad := outcome{
		err: &awshttp.ResponseError{
			ResponseError: &smithyhttp.ResponseError{
				Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusForbidden}},
				Err:      &cognitosync.NotAuthorizedException{Message: aws.String("no")},
			},
			RequestID: "id-2",
		},
		wires: []string{"/identitypools/a%3Ab", "/identitypools/a%3Ab"},
	}
	const usage = `{"usage": {"DataStorage": 7, "LastModifiedDate": "1970-01-01T00:00:01.500Z"}}`
	for _, test := range []struct {
		name, want string
		fits       outcome
		differs    outcome
	}{
		{"usage", usage, good, bad},
		{"error", `{"error": {}}`, bad, good},
		{"type", `{"error": {"type": "NotAuthorizedException"}}`, bad, outcome{err: io.EOF}},
		{"code", `{"error": {"code": "NotAuthorizedException"}}`, bad, outcome{err: io.EOF}},
		{"message", `{"error": {"message": "no"}}`, bad, outcome{err: io.EOF}},
		{"status", `{"error": {"http_status": 403}}`, bad, outcome{err: io.EOF}},
		{"request ID of an error", `{"error": {"request_id": "id-2"}}`, bad, outcome{err: io.EOF}},
		{"no request ID", `{"error": {"request_id": null}}`, outcome{err: io.EOF}, bad},
		{"attempts", `{"attempts": 1}`, good, bad},
		{"wire", `{"wire": "/identitypools/{escaped}"}`, good, outcome{wires: []string{"/identitypools/a:b"}}},
		{"request ID", `{"request_id": "id-1"}`, good, outcome{output: &cognitosync.DescribeIdentityPoolUsageOutput{}}},
		{"time", `{"max_ms": 100}`, outcome{took: 100 * time.Millisecond}, outcome{took: 101 * time.Millisecond}},
		{"any of", `{"any_of": [{"error": {"type": "Transport"}}, ` + usage + `]}`, good, bad},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &testCase{PoolID: aws.String("a:b")}
			require.NoError(t, decodeStrictly([]byte(test.want), &c.Want))
			assert.Empty(t, c.Want.differences(c, test.fits))
			assert.NotEmpty(t, c.Want.differences(c, test.differs))
		})
	}
}

// TestUsageText checks that every member of a usage is compared, and that dates must be in
// UTC.
func TestUsageText(t *testing.T) {
	t.Parallel()
	local := time.Unix(1, 0).In(time.FixedZone("Z", 0))
	utc := local.UTC()
	for want, usage := range map[string]*cognitosync.IdentityPoolUsage{
		`null`:                     nil,
		`{}`:                       {},
		`{"IdentityPoolId": ""}`:   {IdentityPoolId: aws.String("")},
		`{"SyncSessionsCount": 0}`: {SyncSessionsCount: aws.Int64(0)},
		`{"DataStorage": 0}`:       {DataStorage: aws.Int64(0)},
		`{"LastModifiedDate": "1970-01-01T00:00:01.000Z"}`:      {LastModifiedDate: &utc},
		`{"LastModifiedDate": "1970-01-01T00:00:01.000Z in Z"}`: {LastModifiedDate: &local},
	} {
		var text *usageText
		require.NoError(t, decodeStrictly([]byte(want), &text))
		assert.Equal(t, text, usageTextOf(usage))
	}
}

// A recordedResponse is a response of the recorded server.
type recordedResponse struct {
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
	BodyBase64 []byte            `json:"body_b64"`
	BodyRepeat *struct {
		Prefix string `json:"prefix"`
		Unit   string `json:"unit"`
		Count  int    `json:"count"`
		Suffix string `json:"suffix"`
	} `json:"body_repeat"`

	Gzip        string `json:"gzip"`
	Chunked     bool   `json:"chunked"`
	NoLength    bool   `json:"no_length"`
	NoDate      bool   `json:"no_date"`
	DelayMS     int    `json:"delay_ms"`
	BodyDelayMS int    `json:"body_delay_ms"`
	TruncateAt  *int   `json:"truncate_at"`
	Reset       bool   `json:"reset"`
	ResetAt     *int   `json:"reset_at"`
}

// A clock has the offset of the server's clock, and the response to a request whose signature
// has another time.
type clock struct {
	OffsetS int               `json:"offset_s"`
	Refuse  *recordedResponse `json:"refuse"`
}

// maxSkew is the accepted difference between the server's clock and a signature.
const maxSkew = 5 * time.Minute

// A scriptedServer replays the responses of one case, and records the requests. It writes
// the bytes of a response itself, so that header names keep their case, lengths can be wrong
// and connections can break where the case requires it. Every response is the last on its
// connection, because net/http retries a request if a reused connection breaks, and then the
// attempts would not be the client's.
type scriptedServer struct {
	url    string
	dial   dialFunc
	client cognitosync.HTTPClient // nil: the server listens on TCP

	script   []recordedResponse
	clock    clock
	verifier cognitosynctest.Verifier
	fill     func(header string) string // replaces the placeholders

	mu       sync.Mutex
	played   int      // how many responses of the script were sent
	wires    []string // the path of each request, as received
	problems []string // what is wrong with the requests
}

// newScriptedServer starts the server for c. Its verifier checks the requests. The server
// runs until the test ends.
func newScriptedServer(t *testing.T, c *testCase, verifier cognitosynctest.Verifier) *scriptedServer {
	t.Helper()
	s := &scriptedServer{script: c.Responses, clock: c.Clock, verifier: verifier}
	var other string // a second address, for redirects to another host
	if c.takesTime() {
		listener := newPipeListener()
		s.url, other = startServer(t, listener, s.serve), "http://other.test"
		s.dial = listener.dial
		s.client = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.DialContext = s.dial })
	} else {
		s.url, other = startServer(t, listenTCP(t), s.serve), startServer(t, listenTCP(t), s.serve)
		s.dial = new(net.Dialer).DialContext
	}
	s.fill = strings.NewReplacer("{{BASE}}", s.url, "{{OTHER}}", other, "{{CASE}}", c.Name).Replace
	return s
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}

// startServer serves until the test ends, and returns its URL.
func startServer(t *testing.T, listener net.Listener, handler http.HandlerFunc) string {
	t.Helper()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	var running sync.WaitGroup
	running.Add(1)
	go func() {
		defer running.Done()
		_ = server.Serve(listener) // returns ErrServerClosed
	}()
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		running.Wait()
	})
	return "http://" + listener.Addr().String()
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// A pipeListener accepts connections in memory. They work in a synctest bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipeListener() *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.close()
	return nil
}

func (l *pipeListener) Addr() net.Addr { return l }

func (*pipeListener) Network() string { return "pipe" }

func (*pipeListener) String() string { return "service.test" }

// dial connects to the listener. It ignores the address.
func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// requests returns the paths of the requests so far, and what is wrong with them.
func (s *scriptedServer) requests() (wires []string, problems []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wires), slices.Clone(s.problems)
}

func (s *scriptedServer) serve(w http.ResponseWriter, r *http.Request) {
	next := s.record(r)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.problem(err)
		return
	}
	defer conn.Close()
	if err := s.play(conn, next, r); err != nil {
		s.problem(err)
	}
}

// record records the request and returns its response.
func (s *scriptedServer) record(r *http.Request) recordedResponse {
	// The verifier reports a missing or malformed date.
	signed, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	verifier := s.verifier
	if s.clock.OffsetS != 0 {
		verifier.Now = func() time.Time { return signed } // clock.refuse is about the time
	}
	refusal := verifier.Verify(r)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.wires = append(s.wires, r.RequestURI)
	if refusal != nil {
		s.problems = append(s.problems, refusal.String())
	}
	if s.clock.Refuse != nil && s.now().Sub(signed).Abs() > maxSkew {
		return *s.clock.Refuse
	}
	if len(s.script) == 0 {
		s.problems = append(s.problems, "a request in a case without responses")
		return recordedResponse{Status: http.StatusTeapot}
	}
	next := s.script[min(s.played, len(s.script)-1)]
	s.played++
	return next
}

func (s *scriptedServer) problem(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, err.Error())
}

func (s *scriptedServer) now() time.Time {
	return time.Now().Add(time.Duration(s.clock.OffsetS) * time.Second)
}

// play sends the response to r, or a part of it if the case requires that.
func (s *scriptedServer) play(conn net.Conn, resp recordedResponse, r *http.Request) error {
	if resp.Reset {
		return reset(conn)
	}
	headers, body, err := s.render(resp, r)
	if err != nil {
		return err
	}
	if resp.TruncateAt != nil {
		body = body[:*resp.TruncateAt]
	}
	if resp.ResetAt != nil {
		body = body[:*resp.ResetAt]
	}
	if !clientStays(conn, milliseconds(resp.DelayMS)) {
		return nil
	}
	_, _ = conn.Write(headers) // may fail, because the client may close the connection
	if !clientStays(conn, milliseconds(resp.BodyDelayMS)) {
		return nil
	}
	_, _ = conn.Write(body)
	if resp.ResetAt != nil {
		return reset(conn)
	}
	return nil
}

// render returns the bytes of the response to r: the status line with the headers, and the
// body.
func (s *scriptedServer) render(resp recordedResponse, r *http.Request) (headers, body []byte, err error) {
	header := http.Header{}
	if !resp.NoDate {
		header.Set("Date", s.now().UTC().Format(http.TimeFormat))
	}
	for name, value := range resp.Headers {
		header[name] = []string{s.fill(value)} // not Set, which would change the letter case
	}
	content := resp.content()
	if resp.Gzip == "always" || resp.Gzip == "if-accepted" && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		if content, err = gzipped(content); err != nil {
			return nil, nil, err
		}
	}
	response := &http.Response{
		ProtoMajor:    1,
		ProtoMinor:    1,
		StatusCode:    resp.Status,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(content)),
		ContentLength: int64(len(content)),
		Close:         true,
	}
	if resp.Chunked {
		response.ContentLength = -1
		response.TransferEncoding = []string{"chunked"}
		response.Body = io.NopCloser(iotest.OneByteReader(bytes.NewReader(content)))
	}
	if resp.NoLength {
		response.ContentLength = -1
	}
	var wire bytes.Buffer
	if err := response.Write(&wire); err != nil {
		return nil, nil, err
	}
	const blankLine = "\r\n\r\n"
	end := bytes.Index(wire.Bytes(), []byte(blankLine)) + len(blankLine)
	return wire.Bytes()[:end], wire.Bytes()[end:], nil
}

// content returns the uncompressed body.
func (resp recordedResponse) content() []byte {
	switch {
	case resp.BodyBase64 != nil:
		return resp.BodyBase64
	case resp.BodyRepeat != nil:
		b := resp.BodyRepeat
		return []byte(b.Prefix + strings.Repeat(b.Unit, b.Count) + b.Suffix)
	default:
		return []byte(resp.Body)
	}
}

func gzipped(content []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(content)
	err = errors.Join(err, w.Close()) // before Bytes: Close writes the end
	return buf.Bytes(), err
}

// clientStays waits, and reports whether the client kept the connection open. A client that
// waits for its response sends nothing, so the read only returns early if the client closes
// the connection.
func clientStays(conn net.Conn, d time.Duration) bool {
	if d == 0 {
		return true
	}
	err := conn.SetReadDeadline(time.Now().Add(d))
	if err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// TestScriptedServer checks the bytes of the responses.
func TestScriptedServer(t *testing.T) {
	t.Parallel()
	const start = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	for _, test := range []struct {
		name     string
		response string
		want     string // with DATE for a date
		reset    bool   // whether the connection is reset, instead of closed
	}{
		{"headers as written", `{"status": 425, "headers": {"x-ODD": "{{CASE}}"}, "body": "abc"}`,
			"HTTP/1.1 425 Too Early\r\nConnection: close\r\nContent-Length: 3\r\nDate: DATE\r\nx-ODD: headers as written\r\n\r\nabc", false},
		{"no date", `{"status": 200, "no_date": true, "body_b64": "/w=="}`, start + "Content-Length: 1\r\n\r\n\xff", false},
		{"no length", `{"status": 200, "no_date": true, "no_length": true, "body": "abc"}`, start + "\r\nabc", false},
		{"chunked", `{"status": 200, "no_date": true, "chunked": true, "body": "ab"}`,
			start + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", false},
		{"repeated", `{"status": 200, "no_date": true, "body_repeat": {"prefix": "<", "unit": "ab", "count": 2, "suffix": ">"}}`,
			start + "Content-Length: 6\r\n\r\n<abab>", false},
		{"compressed only if accepted", `{"status": 200, "no_date": true, "gzip": "if-accepted", "body": "abc"}`,
			start + "Content-Length: 3\r\n\r\nabc", false},
		{"compressed", `{"status": 200, "no_date": true, "gzip": "always"}`,
			start + "Content-Length: 23\r\nContent-Encoding: gzip\r\n\r\n" + emptyGzip, false},
		{"delayed", `{"status": 200, "no_date": true, "delay_ms": 10, "body_delay_ms": 10, "body": "abc"}`,
			start + "Content-Length: 3\r\n\r\nabc", false},
		{"truncated", `{"status": 200, "no_date": true, "truncate_at": 2, "body": "abc"}`, start + "Content-Length: 3\r\n\r\nab", false},
		{"reset", `{"reset": true}`, "", true},
		{"reset in the body", `{"status": 200, "no_date": true, "reset_at": 2, "body": "abc"}`, start + "Content-Length: 3\r\n\r\nab", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &testCase{Name: test.name, Responses: make([]recordedResponse, 1)}
			require.NoError(t, decodeStrictly([]byte(test.response), &c.Responses[0]))
			c.run(t, func(t *testing.T) {
				server := newScriptedServer(t, c, cognitosynctest.Verifier{})
				conn, err := server.dial(t.Context(), "tcp", strings.TrimPrefix(server.url, "http://"))
				require.NoError(t, err)
				defer conn.Close()
				_, err = conn.Write([]byte("GET /path HTTP/1.1\r\nHost: server\r\n\r\n"))
				require.NoError(t, err)

				wire, err := io.ReadAll(conn)
				if test.reset {
					// Data before a reset may be lost.
					assert.ErrorIs(t, err, clienttest.ConnectionReset)
					assert.True(t, strings.HasPrefix(test.want, string(wire)), "%q", wire)
				} else {
					assert.NoError(t, err)
					assert.Equal(t, test.want, string(httpDate.ReplaceAll(wire, []byte("DATE"))))
				}
				wires, problems := server.requests()
				assert.Equal(t, []string{"/path"}, wires)
				require.Len(t, problems, 1)
				assert.Contains(t, problems[0], "there is no Authorization header")
			})
		})
	}
}

// httpDate matches the value of a Date header.
var httpDate = regexp.MustCompile(`\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT`)

// emptyGzip is an empty body with gzip compression.
const emptyGzip = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"

// The numbers of rows. They ensure that none is lost.
const (
	endpointCount = 194
	configCount   = 42
)

// A destination is where, and how, a client must send its requests. Only the fields that are
// given are compared.
type destination struct {
	URL           string    `json:"url"`
	SigningRegion string    `json:"signing_region"`
	Attempts      int       `json:"attempts"`
	AppID         string    `json:"app_id"`
	Error         wantError `json:"error"` // instead of sending anything
	Any           bool      `json:"any"`   // the above or an error
}

// wantError is true for any error, or a text that the error must contain.
type wantError struct {
	wanted bool
	text   string
}

func (w *wantError) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &w.wanted) == nil {
		return nil
	}
	w.wanted = true
	return json.Unmarshal(text, &w.text)
}

// A trip is what a client did with a configuration: the requests it sent, or its error.
type trip struct {
	URL           string // up to the operation's own path
	SigningRegion string
	AppID         string
	Attempts      int // how many requests it sent
	Err           string
}

// assertReached compares a trip with a row.
func (want destination) assertReached(t *testing.T, got trip) {
	t.Helper()
	if want.Error.wanted || want.Any && got.Attempts == 0 {
		assert.Zero(t, got.Attempts, "requests sent in spite of the error")
		assert.NotEmpty(t, got.Err, "no error")
		assert.Contains(t, got.Err, want.Error.text)
		return
	}
	assert.Equal(t, want.URL, got.URL)
	if want.SigningRegion != "" {
		assert.Equal(t, want.SigningRegion, got.SigningRegion)
	}
	if want.Attempts != 0 {
		assert.Equal(t, want.Attempts, got.Attempts)
	}
	assert.Equal(t, want.AppID, got.AppID)
}

// follow makes one call with a client that uses the tap, and returns where it was sent.
func follow(t *testing.T, tap *clienttest.Tap, client *cognitosync.Client) trip {
	t.Helper()
	_, err := describe(t.Context(), t, client, anyPool)
	requests := tap.Take()
	got := trip{Attempts: len(requests)}
	if len(requests) > 0 {
		last := requests[len(requests)-1]
		got.URL = strings.TrimSuffix(last.URL.String(), "/identitypools/"+anyPool)
		got.SigningRegion = submatch(credentialScope, last.Header.Get("Authorization"))
		got.AppID = submatch(userAgentAppID, last.Header.Get("User-Agent"))
	}
	if err != nil {
		got.Err = err.Error()
	}
	return got
}

// endpointRow is the destination for a region and options.
type endpointRow struct {
	Name         string      `json:"name"`
	Region       string      `json:"region"` // null: none
	UseFIPS      bool        `json:"use_fips"`
	UseDualStack bool        `json:"use_dualstack"`
	Endpoint     *string     `json:"endpoint"`
	Want         destination `json:"want"`

	// For the reader of the data only.
	Source  string `json:"source"`
	Boto3   any    `json:"boto3"`
	Ruleset any    `json:"ruleset"`
	Note    string `json:"note"`
}

func TestConformanceEndpoints(t *testing.T) {
	t.Parallel()
	var rows []endpointRow
	readStrictly(t, filepath.Join(conformanceDir, "endpoints.json"), &rows)
	require.Len(t, rows, endpointCount)
	for _, path := range paths {
		for _, row := range rows {
			t.Run(path+"/"+row.Name, func(t *testing.T) {
				t.Parallel()
				sender := &clienttest.Tap{Transport: clienttest.Respond(http.StatusOK, nil, "")}
				got := follow(t, sender, newClient(configOf(sender), path, func(o *cognitosync.Options) {
					o.Region, o.BaseEndpoint = row.Region, row.Endpoint
					if row.UseFIPS {
						o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
					}
					if row.UseDualStack {
						o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
					}
				}))
				row.Want.assertReached(t, got)
				assert.Equal(t, got.Err == "", got.Attempts == 1, "one request, or an error: %+v", got)
			})
		}
	}
}

// configRow is the destination of a process with only this environment and this shared
// configuration file.
type configRow struct {
	Name   string            `json:"name"`
	Env    map[string]string `json:"env"`
	Config string            `json:"config"`
	Want   destination       `json:"want"`

	// For the reader of the data only.
	Boto3 any    `json:"boto3"`
	GoV2  any    `json:"go_v2"`
	Note  string `json:"note"`
}

func TestConformanceConfig(t *testing.T) {
	t.Parallel()
	var rows []configRow
	readStrictly(t, filepath.Join(conformanceDir, "config.json"), &rows)
	require.Len(t, rows, configCount)
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			row.Want.assertReached(t, tripOfProcess(t, row))
		})
	}
}

// tripFileEnv is the variable for the output file of TestConformanceConfigProcess.
const tripFileEnv = "COGNITOSYNC_TEST_TRIP_FILE"

// tripOfProcess runs TestConformanceConfigProcess in another process that only has the row's
// environment.
func tripOfProcess(t *testing.T, row configRow) trip {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{
		"GORACE":                      "atexit_sleep_ms=0", // else each process sleeps a second under -race
		tripFileEnv:                   filepath.Join(dir, "trip.json"),
		"AWS_CONFIG_FILE":             filepath.Join(dir, "config"),
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
		"AWS_ACCESS_KEY_ID":           "AKID",
		"AWS_SECRET_ACCESS_KEY":       "secret",
		"AWS_EC2_METADATA_DISABLED":   "true",
	}
	require.NoError(t, os.WriteFile(env["AWS_CONFIG_FILE"], []byte(row.Config), 0o600))
	require.NoError(t, os.WriteFile(env["AWS_SHARED_CREDENTIALS_FILE"], nil, 0o600))

	binary, err := os.Executable()
	require.NoError(t, err)
	process := exec.CommandContext(t.Context(), binary, "-test.run=^TestConformanceConfigProcess$")
	process.Env = []string{} // nil would inherit the environment
	for _, variables := range []map[string]string{env, row.Env} {
		for name, value := range variables {
			process.Env = append(process.Env, name+"="+value)
		}
	}
	printed, err := process.CombinedOutput()
	require.NoError(t, err, "%s", printed)

	text, err := os.ReadFile(env[tripFileEnv])
	require.NoError(t, err, "%s", printed)
	var got trip
	require.NoError(t, json.Unmarshal(text, &got))
	return got
}

// TestConformanceConfigProcess is the process that TestConformanceConfig runs. It creates a
// client from the environment and makes one call, which always fails.
func TestConformanceConfigProcess(t *testing.T) {
	file := os.Getenv(tripFileEnv)
	if file == "" {
		t.Skip("runs in the processes that TestConformanceConfig starts")
	}
	sender := &clienttest.Tap{Transport: clienttest.Respond(http.StatusInternalServerError, nil, "")}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithHTTPClient(sender))
	got := trip{}
	if err != nil {
		got.Err = err.Error()
	} else {
		client := cognitosync.NewFromConfig(cfg)
		cognitosync.SetSleep(client, doNotSleep)
		got = follow(t, sender, client)
	}
	text, err := json.Marshal(got)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
}
