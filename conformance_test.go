package cognitosync_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

const conformanceDir = "testdata/conformance"

// testCaseCount is how many cases there are: none may get lost unseen.
const testCaseCount = 376

// heldWrong names the cases whose answer this client takes otherwise, on purpose,
// and what it makes of them instead.
var heldWrong = map[string]struct{ reason, want string }{
	"json-syntax.five-mib-1": {
		reason: "no answer needs more than 1 MiB, and a client that reads more can be made to run out of memory",
		want:   `{"error": {"type": "ResponseTooLarge", "http_status": 200}, "attempts": 1}`,
	},
}

// decided names the cases that leave a choice to the client, and says what this one
// has chosen. It is wanted beside what the case wants.
var decided = map[string]string{
	// Where a number is due, only a JSON number will do; no part of one is dropped.
	"numbers.fraction-1":        `{"error": {"type": "Deserialization"}}`,
	"numbers.numeric-string-1":  `{"error": {"type": "Deserialization"}}`,
	"timestamps.epoch-string-1": `{"error": {"type": "Deserialization"}}`,
	"timestamps.epoch-string-2": `{"error": {"type": "Deserialization"}}`,
	"timestamps.date-string-1":  `{"error": {"type": "Deserialization"}}`,
	"timestamps.date-string-2":  `{"error": {"type": "Deserialization"}}`,
	"timestamps.date-string-3":  `{"error": {"type": "Deserialization"}}`,

	// A body that is more than one JSON value is malformed, and so not tried again.
	"json-syntax.trailing-garbage-1": `{"error": {"type": "Deserialization"}, "attempts": 1}`,
	"json-syntax.trailing-garbage-2": `{"error": {"type": "Deserialization"}, "attempts": 1}`,
	"json-syntax.trailing-garbage-3": `{"error": {"type": "Deserialization"}, "attempts": 1}`,

	// One that was cut off is no answer, and tried again.
	"retry.reset-in-body-1":              `{"attempts": 2}`,
	"retry.body-cut-by-fin-1":            `{"attempts": 2}`,
	"retry.body-cut-by-fin-2":            `{"attempts": 2}`,
	"retry.body-cut-by-fin-whole-json-1": `{"error": {"type": "Transport"}, "attempts": 3}`,
	"retry.timeout-in-body-1":            `{"error": {"type": "Transport"}, "attempts": 1}`,

	// Without a code the status says that it is throttling.
	"retry.status-429-no-code-1": `{"attempts": 2}`,

	// Every header that may have the request id is looked at.
	"errors-misc.request-id-other-header-1": `{"error": {"request_id": "3f3e4515-c4d8-584f-bb0b-ca2d7cff6d49"}}`,
	"errors-misc.request-id-odd-header-1":   `{"error": {"request_id": "47aadaa5-b4ad-5c30-a27b-f2e28a9abb1e"}}`,
}

// A testCase is one recorded case: the answers a server plays for a pool id, and
// what a client must make of them. See testdata/conformance/README.md.
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
	Clock     clock       `json:"clock"`
	Responses []answer    `json:"responses"`
	Want      expectation `json:"want"`
	decided   expectation

	// For the reader of the data only.
	Kind   string         `json:"kind"`
	Level  string         `json:"level"`
	Note   string         `json:"note"`
	Agree  []string       `json:"agree"`
	Differ map[string]any `json:"differ"`
}

// An expectation says what a client must make of a case. What is not given is not
// compared.
type expectation struct {
	Usage     optional[usageText] `json:"usage"`
	Error     *errorText          `json:"error"`
	Attempts  *int                `json:"attempts"`
	Wire      *string             `json:"wire"`
	RequestID *string             `json:"request_id"`
	AnyOf     []expectation       `json:"any_of"`

	// How long the call takes. Compared where the server waits; elsewhere the time is
	// that of the retryer's delays, which the tests leave out.
	MinMS int `json:"min_ms"`
	MaxMS int `json:"max_ms"`
}

// usageText is an IdentityPoolUsage as the cases write it.
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

// optional tells a value that is not given from one that is given as null.
type optional[T any] struct {
	given bool
	value *T
}

func (o *optional[T]) UnmarshalJSON(text []byte) error {
	o.given = true
	return decodeStrictly(text, &o.value)
}

// decodeStrictly refuses keys that v does not know: what the tests do not
// understand must not look as if it passed.
func decodeStrictly(text []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(v)
}

func milliseconds(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }

// takesTime reports whether the server waits before it sends something.
func (c *testCase) takesTime() bool {
	return slices.ContainsFunc(c.Responses, func(a answer) bool { return a.DelayMS != 0 || a.BodyDelayMS != 0 })
}

// run runs a test of the case, with fake time if it takes any.
func (c *testCase) run(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if c.takesTime() {
		inBubble(t, test)
		return
	}
	test(t)
}

// inBubble runs a test where time passes only when all goroutines wait, if there is
// package testing/synctest.
var inBubble = func(t *testing.T, test func(t *testing.T)) { test(t) }

// TestConformance plays the recorded answers to a client, over HTTP, and compares
// what it makes of them with what the case wants. Cases that take time run in memory,
// so that their time can be fake.
func TestConformance(t *testing.T) {
	t.Parallel()
	cases := readCases(t)
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					c.run(t, func(t *testing.T) { testConformanceCase(t, c, way) })
				})
			}
		})
	}
}

// readCases returns the cases of all kinds, those held wrong with what is wanted of
// them here.
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
	for name, ours := range heldWrong {
		require.NotNil(t, byName[name], "a case held wrong that is not there: %s", name)
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

// An outcome is what one call returned, and what the server got by the end of it.
type outcome struct {
	output *cognitosync.DescribeIdentityPoolUsageOutput
	err    error
	took   time.Duration
	wires  []string // the path of each request, as received
}

func testConformanceCase(t *testing.T, c *testCase, way string) {
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
	stackRuns := goThrough(way, &options)
	client := cognitosync.New(options)
	cognitosync.SetSleep(client, doNotSleep)

	calls := max(c.Client.Calls, 1)
	outcomes := make([]outcome, calls)
	for i := range outcomes {
		outcomes[i] = makeCall(t, c, client)
	}

	wires, problems := server.requests()
	assert.Empty(t, problems, "requests that the service would refuse")
	if way == stack {
		assert.EqualValues(t, calls, stackRuns.Load(), "calls through the smithy stack")
	}
	for _, got := range outcomes {
		got.wires = wires
		assertSound(t, got)
		if c.Client.TimeoutMS != 0 && got.err != nil {
			assert.ErrorIs(t, got.err, context.DeadlineExceeded)
		}
		if c.takesTime() {
			assert.GreaterOrEqual(t, got.took, milliseconds(c.Want.MinMS))
		}
		assert.Empty(t, c.Want.differences(c, got))
		assert.Empty(t, c.decided.differences(c, got), "other than decided")
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
	return outcome{output: output, err: err, took: time.Since(started)}
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

// differences returns how an outcome differs from what is wanted, and nothing if it
// does not.
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
		d.compare("request id", *want.RequestID, id)
	}
	if len(want.AnyOf) > 0 {
		d = append(d, differencesFromAll(want.AnyOf, c, got)...)
	}
	return d
}

// wantsAnOutcome reports whether the expectation says how the call ends.
func (want expectation) wantsAnOutcome() bool {
	return want.Usage.given || want.Error != nil || len(want.AnyOf) > 0
}

// differencesFromAll returns how an outcome differs from each alternative, and
// nothing if it is as one of them wants it.
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

// errorTypes says how each error type of the cases is recognised.
var errorTypes = map[string]func(error) bool{
	"NotAuthorizedException":    isA[*cognitosync.NotAuthorizedException],
	"InvalidParameterException": isA[*cognitosync.InvalidParameterException],
	"ResourceNotFoundException": isA[*cognitosync.ResourceNotFoundException],
	"InternalErrorException":    isA[*cognitosync.InternalErrorException],
	"TooManyRequestsException":  isA[*cognitosync.TooManyRequestsException],
	"APIError":                  isA[*smithy.GenericAPIError],
	"Deserialization":           isA[*smithy.DeserializationError],
	"ParamValidation":           isA[smithy.InvalidParamsError],
	"Transport":                 isNoAnswer,
	"ResponseTooLarge":          isA[*cognitosync.ResponseTooLargeError], // ours
}

func isA[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// isNoAnswer reports whether err says that there was no whole answer to decode.
func isNoAnswer(err error) bool {
	return !isA[smithy.APIError](err) &&
		(isA[*smithyhttp.RequestSendError](err) ||
			errors.Is(err, context.DeadlineExceeded) ||
			errors.Is(err, io.ErrUnexpectedEOF))
}

// compare adds to d how err differs from what is wanted of it.
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
	if answer := (*awshttp.ResponseError)(nil); errors.As(err, &answer) {
		status, requestID = answer.HTTPStatusCode(), answer.ServiceRequestID()
	}
	if want.HTTPStatus != nil {
		d.compare("HTTP status", *want.HTTPStatus, status)
	}
	if want.RequestID.given {
		d.compare("request id of the error", aws.ToString(want.RequestID.value), requestID)
	}
}

// differences describes, line by line, what is not as wanted.
type differences []string

func (d *differences) compare(what string, want, got any) {
	if !reflect.DeepEqual(want, got) {
		d.add(what, want, got)
	}
}

func (d *differences) add(what string, want, got any) {
	*d = append(*d, fmt.Sprintf("%s: want %+v, got %+v", what, want, got))
}

// usageTextOf writes usage as the cases do: dates in UTC, to the millisecond.
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
			written += " in " + date.Location().String() // which may look like UTC
		}
		text.LastModifiedDate = &written
	}
	return text
}

// String makes a usage readable where two differ.
func (u *usageText) String() string {
	text, err := json.Marshal(u)
	if err != nil {
		return err.Error()
	}
	return string(text)
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

// TestExpectation shows that every key of an expectation is compared.
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
		{"request id of an error", `{"error": {"request_id": "id-2"}}`, bad, outcome{err: io.EOF}},
		{"no request id", `{"error": {"request_id": null}}`, outcome{err: io.EOF}, bad},
		{"attempts", `{"attempts": 1}`, good, bad},
		{"wire", `{"wire": "/identitypools/{escaped}"}`, good, outcome{wires: []string{"/identitypools/a:b"}}},
		{"request id", `{"request_id": "id-1"}`, good, outcome{output: &cognitosync.DescribeIdentityPoolUsageOutput{}}},
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

// TestUsageText shows that every member of a usage is compared, and that a date has
// to be in UTC.
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
