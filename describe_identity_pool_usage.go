package cognitosync

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyrand "github.com/aws/smithy-go/rand"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	operationName   = "DescribeIdentityPoolUsage"
	operationMethod = http.MethodGet
)

// attemptHeader tells the service which of how many attempts a request is.
const attemptHeader = "Amz-Sdk-Request"

// DescribeIdentityPoolUsage returns how many sync sessions and how much data an
// identity pool holds and when it was last changed. The output is non-nil if and
// only if the error is nil.
//
// It takes developer credentials with the IAM action
// cognito-sync:DescribeIdentityPoolUsage. An option function changes the settings
// of this call alone.
//
// Every error is a *smithy.OperationError. Inside, errors.As finds
//
//   - smithy.InvalidParamsError: no pool id, or one that could not be sent as one;
//   - [*ConfigurationError], [*RegionMismatchError]: the client's settings do not
//     allow the call;
//   - [*NotAuthorizedException], [*InvalidParameterException],
//     [*ResourceNotFoundException], [*InternalErrorException],
//     [*TooManyRequestsException], or *smithy.GenericAPIError for any other answer
//     that is no success: each a smithy.APIError inside a *awshttp.ResponseError,
//     which has the HTTP status and the request id;
//   - *smithy.DeserializationError: a success that could not be understood;
//   - *smithyhttp.RequestSendError: no whole answer came, [*AttemptTimeoutError]
//     if for lack of time;
//   - *v4.SigningError: the credentials provider failed;
//   - *smithy.CanceledError or *aws.RequestCanceledError: the context ended the
//     call; the last attempt's error stands beside it;
//   - *retry.MaxAttemptsError around the last error, when attempts were used up.
//
// For the first three nothing has been sent. [InspectError] tells what is known of
// any of them in one step.
//
// Unless settings say otherwise there are at most 3 attempts of at most 15 s each,
// with delays of at most 1 s and 2 s between them, which a Retry-After of the
// service can lengthen by 5 s each. To renew expired credentials may take 15 s more.
//
// See https://docs.aws.amazon.com/cognitosync/latest/APIReference/API_DescribeIdentityPoolUsage.html.
func (c *Client) DescribeIdentityPoolUsage(
	ctx context.Context, params *DescribeIdentityPoolUsageInput, optFns ...func(*Options),
) (*DescribeIdentityPoolUsageOutput, error) {
	call := c.newCall(params, optFns)
	ctx, end := call.startCallSpan(ctx) // telemetry.go

	var r reply
	if call.usesStack {
		r = call.runStack(ctx) // middleware.go
	} else {
		r = call.run(ctx)
	}

	end(r.err)
	r.err = call.wrap(r.err) // client.go
	if r.err != nil {
		return nil, r.err
	}
	r.output.ResultMetadata = r.metadata
	return r.output, nil
}

// DescribeIdentityPoolUsageInput names the pool.
type DescribeIdentityPoolUsageInput struct {
	// IdentityPoolId is the pool's id, such as
	// "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE": its region, a colon, a GUID.
	// It is required. AWS documents 1 to 55 characters of a certain form; only what
	// could not be sent as one segment of a path is refused here.
	IdentityPoolId *string
}

// DescribeIdentityPoolUsageOutput is the service's answer.
type DescribeIdentityPoolUsageOutput struct {
	// IdentityPoolUsage is the pool's usage; nil if the answer has none.
	IdentityPoolUsage *IdentityPoolUsage

	// ResultMetadata has what the SDK's functions look for in it: the request id
	// (awsmiddleware.GetRequestIDMetadata), the attempts with their errors
	// (retry.GetAttemptResults), the HTTP response (awsmiddleware.GetRawResponse), and
	// when it came (awsmiddleware.GetResponseAt, GetServerTime). The result of an attempt
	// that succeeded at once is the same for all such calls, not to be changed: what is
	// known of it stands here.
	ResultMetadata middleware.Metadata
}

// DescribeIdentityPoolUsageAPIClient is the operation as an interface: what code
// that makes the call should ask for, so that it can be tested with something else
// than a [Client].
type DescribeIdentityPoolUsageAPIClient interface {
	DescribeIdentityPoolUsage(context.Context, *DescribeIdentityPoolUsageInput, ...func(*Options)) (*DescribeIdentityPoolUsageOutput, error)
}

// DescribeIdentityPoolUsageFunc is a function as a
// [DescribeIdentityPoolUsageAPIClient]: the shortest mock.
type DescribeIdentityPoolUsageFunc func(context.Context, *DescribeIdentityPoolUsageInput, ...func(*Options)) (*DescribeIdentityPoolUsageOutput, error)

// DescribeIdentityPoolUsage calls f.
func (f DescribeIdentityPoolUsageFunc) DescribeIdentityPoolUsage(
	ctx context.Context, params *DescribeIdentityPoolUsageInput, optFns ...func(*Options),
) (*DescribeIdentityPoolUsageOutput, error) {
	return f(ctx, params, optFns...)
}

var (
	_ DescribeIdentityPoolUsageAPIClient = (*Client)(nil)
	_ DescribeIdentityPoolUsageAPIClient = DescribeIdentityPoolUsageFunc(nil)
)

// run makes the call in a straight line: each of its steps is a function below or
// in the file named beside it.
func (c *call) run(ctx context.Context) reply {
	if err := c.validate(); err != nil {
		return reply{err: err}
	}
	var err error
	if c.target, err = c.resolveEndpoint(ctx); err != nil { // endpoint.go
		return reply{err: err}
	}
	if c.invocationID, err = newInvocationID(); err != nil {
		return reply{err: err}
	}
	r := c.attempts(ctx, c.try) // retry.go
	c.noteAttempts(&r)
	return r
}

// try makes one attempt.
func (c *call) try(ctx context.Context) reply {
	if err := c.retrieveCredentials(ctx); err != nil { // signer.go
		return reply{err: err}
	}
	req := c.buildRequest(ctx)
	if err := c.sign(ctx, req, emptyPayloadHash, c.target.signingName, c.target.signingRegion); err != nil {
		return reply{err: err}
	}
	resp, metadata, err := c.exchange(ctx, req)
	if err != nil {
		return reply{err: err, metadata: metadata}
	}
	output, err := c.receive(ctx, resp)
	if err != nil {
		err = wrapResponseError(resp, err) // errors.go
	}
	return reply{output: output, metadata: metadata, err: err}
}

// validate refuses what could not be sent, settings that no call can be made with, and
// pools that the client would look for in the wrong region.
func (c *call) validate() error {
	invalid := smithy.InvalidParamsError{Context: operationName + "Input"}
	if c.input == nil || c.input.IdentityPoolId == nil {
		invalid.Add(smithy.NewErrParamRequired("IdentityPoolId"))
		return invalid
	}
	if reason := unsafeID(*c.input.IdentityPoolId); reason != "" {
		invalid.Add(&invalidIDError{context: invalid.Context, reason: reason})
		return invalid
	}
	if c.err != nil {
		return c.err
	}
	var err error
	c.region, err = c.chooseRegion() // endpoint.go
	return err
}

// unsafeID returns why an id cannot be sent as one segment of a path, or "". Dots,
// slashes and control characters could become another path on the way, even
// escaped. All else is for the service to judge.
func unsafeID(id string) string {
	switch {
	case strings.TrimSpace(id) == "":
		return "must not be blank"
	case id == "." || id == "..":
		return "must not be a dot segment"
	case strings.ContainsAny(id, `/\`):
		return "must not contain a slash or backslash"
	case strings.ContainsFunc(id, unicode.IsControl):
		return "must not contain a control character"
	}
	return ""
}

// invalidIDError is the smithy.InvalidParamError of an id that could not be sent.
type invalidIDError struct {
	context string
	reason  string
}

func (e *invalidIDError) Error() string { return e.Field() + " " + e.reason + "." }

func (e *invalidIDError) Field() string { return e.context + ".IdentityPoolId" }

func (e *invalidIDError) SetContext(context string) { e.context = context }

func (e *invalidIDError) AddNestedContext(nested string) { e.context += "." + nested }

// newInvocationID returns the id that all attempts of a call share.
func newInvocationID() (string, error) {
	id, err := smithyrand.NewUUID(rand.Reader).GetUUID()
	if err != nil {
		return "", fmt.Errorf("make an invocation id: %w", err)
	}
	return id, nil
}

// buildRequest returns the request of an attempt. Each attempt has one of its own:
// the transport may still be reading the last one's.
func (c *call) buildRequest(ctx context.Context) *http.Request {
	defer c.startTimerOnce(ctx, c.instruments.serialization)()
	values := [...]string{c.userAgent, c.invocationID, c.attemptOfMax()}
	header := make(http.Header, 8) // three are still to come from the signer
	header["User-Agent"] = values[0:1:1]
	header["Amz-Sdk-Invocation-Id"] = values[1:2:2]
	header[attemptHeader] = values[2:3:3]
	req := (&http.Request{
		Method:     operationMethod,
		URL:        operationURL(*c.input.IdentityPoolId),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     header,
	}).WithContext(ctx)
	c.target.apply(req)
	if c.inLambda {
		addTraceID(ctx, req)
	}
	return req
}

// operationURL returns the path of a pool's usage, with the id as one segment.
func operationURL(identityPoolID string) *url.URL {
	// All but letters, digits and "-._~" is escaped, as the protocol wants it. Of
	// what QueryEscape does, only the space is another matter.
	escaped := strings.ReplaceAll(url.QueryEscape(identityPoolID), "+", "%20")
	return &url.URL{
		Path:    "/identitypools/" + identityPoolID,
		RawPath: "/identitypools/" + escaped,
	}
}

// addTraceID tells the service which Lambda invocation it is called from, so that a
// function that calls itself is noticed.
func addTraceID(ctx context.Context, req *http.Request) {
	// It cannot fail: the request is of the type it expects, and nothing comes after.
	_, _, _ = (&awsmiddleware.RecursionDetection{}).HandleBuild(ctx,
		middleware.BuildInput{Request: &smithyhttp.Request{Request: req}}, endOfBuild)
}

// attemptOfMax says which of how many attempts this is.
func (c *call) attemptOfMax() string {
	switch {
	case c.attempt == 1 && c.maxAttempts == retry.DefaultMaxAttempts:
		return "attempt=1; max=3" // nearly always so
	case c.maxAttempts <= 0:
		return "attempt=" + strconv.Itoa(c.attempt)
	}
	return "attempt=" + strconv.Itoa(c.attempt) + "; max=" + strconv.Itoa(c.maxAttempts)
}

// exchange sends req. The SDK's own steps note the response and its time in the
// metadata, where the SDK's functions look for them: AddRawResponse calls
// timedSending, whose RecordResponseTiming calls sending, which sends.
func (c *call) exchange(ctx context.Context, req *http.Request) (*http.Response, middleware.Metadata, error) {
	c.request = req
	_, metadata, err := awsmiddleware.AddRawResponse{}.HandleDeserialize(ctx, middleware.DeserializeInput{}, (*timedSending)(c))
	if err != nil {
		return nil, metadata, err
	}
	noteRequestID(&metadata, c.response)
	return c.response, metadata, nil
}

func noteRequestID(metadata *middleware.Metadata, resp *http.Response) {
	if id := requestID(resp.Header); id != "" {
		awsmiddleware.SetRequestIDMetadata(metadata, id)
	}
}

// timedSending and sending are a call as what comes after one of the SDK's steps.
type (
	timedSending call
	sending      call
)

func (s *timedSending) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	step := awsmiddleware.RecordResponseTiming{DisableClockSkewCorrection: s.DisableClockSkewCorrection}
	return step.HandleDeserialize(ctx, in, (*sending)(s))
}

func (s *sending) HandleDeserialize(ctx context.Context, _ middleware.DeserializeInput) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	c := (*call)(s)
	c.logRequest(c.request)
	resp, err := c.send(c.request) // transport.go
	if err != nil {
		return out, metadata, err
	}
	c.logResponse(ctx, resp)
	out.RawResponse = &smithyhttp.Response{Response: resp}
	return out, oneAttempt().Clone(), nil
}

// receive reads an answer to its end and makes an output or an error of it.
func (c *call) receive(ctx context.Context, resp *http.Response) (*DescribeIdentityPoolUsageOutput, error) {
	c.response = resp
	success, limit := resp.StatusCode/100 == 2, int64(maxErrorBody)
	if success {
		limit = maxResponseBody
	}
	body, err := readBody(resp, limit) // transport.go
	defer c.startTimer(ctx, c.instruments.deserialization)()
	c.logResponseBody(ctx, body)

	if !success {
		return nil, decodeError(resp, body, c.secrets()) // errors.go
	}
	if err != nil {
		return nil, c.readError(ctx, err, body)
	}
	output, err := decodeOutput(body)
	if err != nil {
		return nil, c.deserializationError(err, body)
	}
	return output, nil
}

// readError says why a success was not read to its end. One that is too long, or
// compressed wrongly, is malformed; one that was cut off is a failure of the network.
func (c *call) readError(ctx context.Context, err error, body []byte) error {
	var (
		tooLarge *ResponseTooLargeError
		corrupt  flate.CorruptInputError
	)
	if errors.As(err, &tooLarge) || errors.As(err, &corrupt) ||
		errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return c.deserializationError(err, body)
	}
	return sendError(ctx, fmt.Errorf("read response body: %w", err))
}

func (c *call) deserializationError(err error, body []byte) error {
	return &smithy.DeserializationError{
		Err:      fmt.Errorf("decode response body: %w", err),
		Snapshot: []byte(c.secrets().quote(string(body[:min(len(body), maxErrorBody)]), maxQuote)),
	}
}

// decodeOutput makes an output of the body of a success. An empty one says nothing.
func decodeOutput(body []byte) (*DescribeIdentityPoolUsageOutput, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return &DescribeIdentityPoolUsageOutput{}, nil
	}
	var answer answerJSON
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.IdentityPoolUsage) == 0 || string(answer.IdentityPoolUsage) == "null" {
		return &answer.output, nil
	}
	if err := json.Unmarshal(answer.IdentityPoolUsage, &answer.usage); err != nil {
		return nil, err
	}
	answer.output.IdentityPoolUsage = answer.usage.result()
	return &answer.output, nil
}

// answerJSON and usageJSON are the answer on the wire, and where the output's parts
// stay: all is one piece of memory. encoding/json takes a member of another letter
// case for the field, unless another field comes first that is as near: that is what
// the lower-case fields are for, which keep nothing.
type answerJSON struct {
	OtherUsage        ignored `json:"identitypoolusage"`
	IdentityPoolUsage lastJSON

	usage  usageJSON
	output DescribeIdentityPoolUsageOutput
}

type usageJSON struct {
	OtherDataStorage       ignored `json:"datastorage"`
	OtherIdentityPoolID    ignored `json:"identitypoolid"`
	OtherLastModifiedDate  ignored `json:"lastmodifieddate"`
	OtherSyncSessionsCount ignored `json:"syncsessionscount"`

	DataStorage       wholeNumber
	IdentityPoolId    *string
	LastModifiedDate  epochSeconds
	SyncSessionsCount wholeNumber

	usage IdentityPoolUsage
}

// result returns the members as the caller sees them.
func (u *usageJSON) result() *IdentityPoolUsage {
	u.usage.IdentityPoolId = u.IdentityPoolId
	if u.DataStorage.present {
		u.usage.DataStorage = &u.DataStorage.value
	}
	if u.LastModifiedDate.present {
		u.usage.LastModifiedDate = &u.LastModifiedDate.value
	}
	if u.SyncSessionsCount.present {
		u.usage.SyncSessionsCount = &u.SyncSessionsCount.value
	}
	return &u.usage
}

// lastJSON is any JSON value, still to be decoded: so that a second usage in one
// answer replaces the first and is not mixed with it. It is not copied, for it is
// decoded while the body is still at hand.
type lastJSON []byte

func (l *lastJSON) UnmarshalJSON(text []byte) error {
	*l = text
	return nil
}

// ignored is any JSON value, passed over.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

// wholeNumber is a JSON number without a fraction, in whatever form, or null.
type wholeNumber struct {
	present bool
	value   int64
}

func (n *wholeNumber) UnmarshalJSON(text []byte) (err error) {
	*n = wholeNumber{present: string(text) != "null"}
	if !n.present {
		return nil
	}
	n.value, err = parseDecimal(text, 0, false)
	return err
}

// epochSeconds is a JSON number of seconds since 1970, or null.
type epochSeconds struct {
	present bool
	value   time.Time
}

func (s *epochSeconds) UnmarshalJSON(text []byte) error {
	*s = epochSeconds{present: string(text) != "null"}
	if !s.present {
		return nil
	}
	milliseconds, err := parseDecimal(text, 3, true)
	s.value = time.UnixMilli(milliseconds).UTC()
	return err
}

// parseDecimal returns the JSON number text times 10 to the power of shift. It goes
// by the digits, for a float64 holds neither all counts nor all milliseconds. A
// fraction that is left is rounded, or refused. text is valid JSON.
func parseDecimal(text []byte, shift int, round bool) (int64, error) {
	if text[0] != '-' && !isDigit(text[0]) {
		return 0, errors.New("not a number")
	}
	if shift == 0 && len(text) <= len("-9223372036854775808") {
		if value, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return value, nil
		}
	}

	mantissa, power := text, []byte(nil)
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		mantissa, power = text[:e], text[e+1:]
	}
	mantissa, negative := bytes.CutPrefix(mantissa, []byte("-"))
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := make([]byte, 0, 32)
	digits = bytes.TrimLeft(append(append(digits, whole...), fraction...), "0")
	point := len(digits) - len(fraction) + shift // how many digits stand before the point
	digits = bytes.TrimRight(digits, "0")
	if len(digits) == 0 {
		return 0, nil
	}
	if power != nil {
		point += parseExponent(power)
	}

	const zeros = "0000000000000000000" // as many as an int64 has digits
	up := int64(0)
	switch {
	case point > len(zeros):
		return 0, badNumber(text, "out of range")
	case len(digits) <= point:
		digits = append(digits, zeros[:point-len(digits)]...)
	case !round:
		return 0, badNumber(text, "not a whole number")
	case point < 0:
		return 0, nil
	default:
		if digits[point] >= '5' {
			up = 1
		}
		digits = digits[:point]
	}
	value, err := parseDigits(digits, negative)
	if negative {
		up = -up
	}
	if err != nil || value > 0 && value+up < 0 || value < 0 && value+up > 0 {
		return 0, badNumber(text, "out of range")
	}
	return value + up, nil
}

// parseExponent returns the number, or a billion for anything beyond: more than an
// answer has digits.
func parseExponent(text []byte) int {
	digits, negative := bytes.CutPrefix(text, []byte("-"))
	digits = bytes.TrimLeft(bytes.TrimPrefix(digits, []byte("+")), "0")
	exponent := 1_000_000_000
	if len(digits) <= 9 {
		exponent, _ = strconv.Atoi("0" + string(digits)) // nothing but digits
	}
	if negative {
		return -exponent
	}
	return exponent
}

// parseDigits returns the number that the digits make, with the sign; 0 for none.
func parseDigits(digits []byte, negative bool) (int64, error) {
	if len(digits) == 0 {
		return 0, nil
	}
	magnitude, err := strconv.ParseUint(string(digits), 10, 64)
	switch {
	case err != nil:
		return 0, err
	case negative && magnitude <= -math.MinInt64:
		return -int64(magnitude), nil // also right for the smallest, which has no positive
	case magnitude > math.MaxInt64:
		return 0, strconv.ErrRange
	}
	return int64(magnitude), nil
}

func badNumber(text []byte, reason string) error {
	return fmt.Errorf("%s is %s", printable(string(text[:min(len(text), 64)]), maxCode), reason)
}
