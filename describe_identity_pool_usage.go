package cognitosync

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyrand "github.com/aws/smithy-go/rand"
	"github.com/aws/smithy-go/tracing"
)

// DescribeIdentityPoolUsage returns how many sync sessions and how much data an
// identity pool holds, and when it was last modified. The output is non-nil if and
// only if the error is nil.
//
// The call needs developer credentials that allow the IAM action
// cognito-sync:DescribeIdentityPoolUsage. Option functions change the settings of this
// call only.
//
// Every error is a [*smithy.OperationError]. Use [errors.As] to find the cause in it:
//
//   - [smithy.InvalidParamsError]: the pool ID is missing, or cannot be sent as a
//     single path segment.
//   - [*ConfigurationError]: a setting is missing or invalid.
//   - [*RegionMismatchError]: the pool is in another region than the client's.
//   - [*NotAuthorizedException], [*InvalidParameterException],
//     [*ResourceNotFoundException], [*InternalErrorException] or
//     [*TooManyRequestsException], or [*smithy.GenericAPIError] for every other
//     unsuccessful response. Each is a [smithy.APIError] inside an
//     [*awshttp.ResponseError], which has the HTTP status and the request ID.
//   - [*smithy.DeserializationError]: the response was successful, but malformed.
//   - [*smithyhttp.RequestSendError]: no complete response was received. It wraps an
//     [*AttemptTimeoutError] if the attempt timed out.
//   - [*v4.SigningError]: the credentials provider failed or took too long, or the
//     request could not be signed.
//   - [*smithy.CanceledError] or [*aws.RequestCanceledError]: the context ended the
//     call. The error of the last attempt is in the same chain.
//
// A [*retry.MaxAttemptsError] wraps the last error when no attempts are left.
//
// With a smithy.InvalidParamsError, a ConfigurationError or a RegionMismatchError,
// nothing has been sent. There is one exception: the credentials provider may return
// unusable credentials for a later attempt, which is a ConfigurationError too.
// [InspectError] returns the details of any error; its Attempts is 0 if nothing has
// been sent because of the input or the settings.
//
// By default a call makes up to 3 attempts of up to 15 s each. The delays between them
// are at most 1 s and 2 s, and a Retry-After header can add up to 5 s to each. The time
// to retrieve credentials is not included: it is limited by the deadline of ctx, or to 5
// minutes if ctx has none. ctx bounds the whole call, even if the HTTP client or the
// credentials provider ignores it.
//
// See https://docs.aws.amazon.com/cognitosync/latest/APIReference/API_DescribeIdentityPoolUsage.html.
func (c *Client) DescribeIdentityPoolUsage(
	ctx context.Context, params *DescribeIdentityPoolUsageInput, optFns ...func(*Options),
) (*DescribeIdentityPoolUsageOutput, error) {
	call := c.newCall(params, optFns)
	ctx, begun := call.journal.startCall(ctx, call.poolID())

	run := call.run
	if call.settings.usesStack {
		run = call.runStack
	}
	output, metadata, err := run(ctx)
	err = ownError(ctx, err)

	call.journal.endCall(ctx, begun, call.finalRecord(err))
	if err != nil {
		return nil, call.wrap(err)
	}
	output.ResultMetadata = metadata
	return output, nil
}

// DescribeIdentityPoolUsageInput identifies the pool.
type DescribeIdentityPoolUsageInput struct {
	// IdentityPoolId is the pool's ID: its region, a colon and a GUID, such as
	// "us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE". It is required. AWS documents
	// 1 to 55 characters and a pattern. The client only rejects IDs that cannot be sent
	// as a single path segment, and leaves the rest to the service.
	IdentityPoolId *string
}

// DescribeIdentityPoolUsageOutput is the service's response.
type DescribeIdentityPoolUsageOutput struct {
	// IdentityPoolUsage is the pool's usage. It is nil if the response contains none.
	IdentityPoolUsage *IdentityPoolUsage

	// ResultMetadata works with the SDK's functions:
	//
	//   - [awsmiddleware.GetRequestIDMetadata] returns the request ID.
	//   - [retry.GetAttemptResults] returns the attempts and their errors. If the
	//     first attempt succeeded, the result is shared by calls and must not be
	//     modified, and its ResponseMetadata is empty: use ResultMetadata itself.
	//   - [awsmiddleware.GetRawResponse] returns the HTTP response.
	//   - [awsmiddleware.GetResponseAt] and [awsmiddleware.GetServerTime] return when
	//     it was received, and its Date.
	ResultMetadata middleware.Metadata
}

// DescribeIdentityPoolUsageAPIClient is the interface of the operation. Code that calls
// it should accept this interface, so that tests can replace the [Client].
type DescribeIdentityPoolUsageAPIClient interface {
	DescribeIdentityPoolUsage(context.Context, *DescribeIdentityPoolUsageInput, ...func(*Options)) (*DescribeIdentityPoolUsageOutput, error)
}

// DescribeIdentityPoolUsageFunc is an adapter that lets a function be a
// [DescribeIdentityPoolUsageAPIClient], for example in a test.
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

// call is one invocation of the operation. It is used by one goroutine.
type call struct {
	client       *Client
	settings     *settings
	input        *DescribeIdentityPoolUsageInput
	journal      journal
	region       string           // to call and to sign for; "" until chosen
	endpoint     *endpoint        // nil until resolved
	invocationID string           // shared by all attempts
	maxAttempts  int              // 0: unlimited
	try          tryFunc          // makes each attempt
	clock        signingClock     // for the next attempt
	renewed      *aws.Credentials // for the next attempt, instead of the provider's
	hasRenewed   bool             // the credentials have been renewed in this call
	last         *attempt         // nil before the first attempt
	first        attempt          // saves an allocation: most calls make only one attempt
	unnumbered   []*attempt       // made without the Retry step, because middleware replaced it
	checked      bool             // the endpoint has been resolved, or refusal is set
	refusal      error            // why nothing may be sent; middleware may still return a result
}

// attempt is one attempt of a call. Its fields are filled in as it proceeds.
type attempt struct {
	number      int // counted from 1
	previous    *attempt
	limit       timeLimit
	clock       signingClock // the request is signed by it
	credentials aws.Credentials
	request     *http.Request  // as sent; nil before
	response    *http.Response // nil until it is received
	metadata    middleware.Metadata
	output      *DescribeIdentityPoolUsageOutput // non-nil if and only if err is nil
	err         error
	elapsed     time.Duration
	decision    decision  // what followed the attempt
	ownHeaders  [3]string // backs the values of the headers that the client sets
}

func (c *Client) newCall(input *DescribeIdentityPoolUsageInput, optFns []func(*Options)) *call {
	if input == nil {
		input = &DescribeIdentityPoolUsageInput{}
	}
	call := &call{client: c, settings: c.settings, input: input}
	if len(optFns) > 0 {
		options := c.Options()
		for _, fn := range optFns {
			fn(&options)
		}
		call.settings = c.newSettings(&options)
	}
	call.journal.telemetry = &call.settings.telemetry
	if !call.settings.options.DisableClockSkewCorrection {
		call.clock.offset = c.clock.load()
	}
	return call
}

// run makes the call.
func (c *call) run(ctx context.Context) (*DescribeIdentityPoolUsageOutput, middleware.Metadata, error) {
	if err := validateInput(c.input); err != nil {
		return nil, middleware.Metadata{}, err
	}
	if err := c.resolveEndpoint(ctx); err != nil {
		return nil, middleware.Metadata{}, err
	}
	if err := c.newInvocationID(); err != nil {
		return nil, middleware.Metadata{}, err
	}
	last, err := c.runAttempts(ctx, (*call).tryDirectly)
	if err != nil {
		return nil, middleware.Metadata{}, err
	}
	return last.output, last.metadata, nil
}

// tryDirectly makes an attempt without a middleware stack.
func (c *call) tryDirectly(ctx context.Context, a *attempt) (*DescribeIdentityPoolUsageOutput, error) {
	if err := c.retrieveCredentials(ctx, a); err != nil {
		return nil, err
	}
	req := c.buildRequest(ctx, a)
	if err := c.sign(ctx, a, req, emptyPayloadHash, c.endpoint.scope); err != nil {
		return nil, err
	}
	c.journal.logRequest(req)
	resp, err := c.send(a, req)
	if err != nil {
		return nil, err
	}
	a.metadata = noteResponse(ctx, resp, c.settings.options.DisableClockSkewCorrection)
	noteRequestID(&a.metadata, resp)
	c.journal.logResponse(ctx, resp)
	output, err := c.readResponse(ctx, a, resp)
	if err != nil {
		return nil, c.wrapResponseError(resp, err)
	}
	return output, nil
}

// poolID returns the pool's ID, or "".
func (c *call) poolID() string { return aws.ToString(c.input.IdentityPoolId) }

// validateInput returns an error if the input cannot be sent.
func validateInput(input *DescribeIdentityPoolUsageInput) error {
	invalid := smithy.InvalidParamsError{Context: operationName + "Input"}
	if input == nil || input.IdentityPoolId == nil {
		invalid.Add(smithy.NewErrParamRequired("IdentityPoolId"))
		return invalid
	}
	if reason := unsafeID(*input.IdentityPoolId); reason != "" {
		invalid.Add(&invalidIDError{context: invalid.Context, reason: reason})
		return invalid
	}
	return nil
}

// unsafeID returns why an ID cannot be sent as a single path segment, or "". Proxies may
// resolve dots, slashes and control characters to another path, even if they are escaped.
// Everything else is left to the service.
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

// invalidIDError is the smithy.InvalidParamError of an ID that cannot be sent.
type invalidIDError struct {
	context string
	reason  string
}

func (e *invalidIDError) Error() string { return e.Field() + " " + e.reason + "." }

func (e *invalidIDError) Field() string { return e.context + ".IdentityPoolId" }

func (e *invalidIDError) SetContext(context string) { e.context = context }

func (e *invalidIDError) AddNestedContext(nested string) { e.context += "." + nested }

// resolveEndpoint chooses the region and resolves its endpoint. It returns an error if
// the settings are invalid or the pool is in a region that the client must not call.
func (c *call) resolveEndpoint(ctx context.Context) (err error) {
	defer startTimer(ctx, c.journal.instruments.resolveEndpoint)()
	if c.settings.err != nil {
		return c.settings.err
	}
	if c.region, err = c.settings.router.regionOf(c.poolID()); err != nil {
		return err
	}
	c.endpoint, err = c.settings.router.endpointOf(ctx, c.region)
	return err
}

// newInvocationID generates the ID that all attempts share.
func (c *call) newInvocationID() (err error) {
	if c.invocationID, err = smithyrand.NewUUID(rand.Reader).GetUUID(); err != nil {
		return fmt.Errorf("generate invocation ID: %w", err)
	}
	return nil
}

// tryFunc makes one attempt of a call.
type tryFunc func(*call, context.Context, *attempt) (*DescribeIdentityPoolUsageOutput, error)

// runAttempts makes attempts with try until one is final. It returns the last attempt, or
// nil if there was none.
func (c *call) runAttempts(ctx context.Context, try tryFunc) (*attempt, error) {
	retryer := c.settings.retryers.of(c.region)
	if c.refusal != nil {
		retryer = refusingRetryer{retryer, c.refusal}
	}
	c.maxAttempts = retryer.MaxAttempts()
	c.try = try
	err := retryLoop{
		retryer:     retryer,
		maxAttempts: c.maxAttempts,
		sleep:       c.client.sleep,
		attempts:    c,
	}.run(ctx)
	return c.last, err
}

func (c *call) newAttempt(number int) *attempt {
	a := &c.first
	if number > 1 {
		a = new(attempt)
	}
	a.number, a.previous, a.clock = number, c.last, c.clock
	c.last = a
	return a
}

// runAttempt makes one attempt within its time limit. If the attempt failed because of the
// clock or the credentials, it corrects them for the next one.
func (c *call) runAttempt(ctx context.Context, number int) attemptResult {
	a := c.newAttempt(number)
	started := time.Now()
	attemptCtx, span := ctx, tracing.Span(nil)
	if c.refusal == nil {
		attemptCtx, span = c.journal.startAttempt(ctx, a.number)
	}
	attemptCtx = a.limit.start(attemptCtx, c.settings.options.AttemptTimeout)
	a.output, a.err = c.try(c, attemptCtx, a)
	a.err = ownError(ctx, a.err)
	a.limit.stop()
	a.elapsed = time.Since(started)
	c.journal.endSpan(span, c.record(a))

	err := c.correctClock(a)
	if err == nil {
		return attemptResult{}
	}
	err = c.renewCredentials(ctx, a, err)
	if errors.Is(err, a.err) {
		a.err = err // now also contains the correction or the provider's error
	}
	if a.response == nil {
		return attemptResult{err: err}
	}
	return attemptResult{err: err, header: a.response.Header}
}

// retrieveCredentials gets the credentials for an attempt, then starts its timeout.
func (c *call) retrieveCredentials(ctx context.Context, a *attempt) (err error) {
	defer startTimer(ctx, c.journal.instruments.resolveIdentity)()
	if c.renewed != nil {
		a.credentials, c.renewed = *c.renewed, nil
	} else {
		a.credentials, err = retrieveCredentials(ctx, c.settings.options.Credentials)
	}
	c.journal.secrets.Add(a.credentials.SecretAccessKey, a.credentials.SessionToken)
	a.limit.startSending()
	return err
}

// buildRequest returns a new request for each attempt, because the transport may still be
// reading the previous one.
func (c *call) buildRequest(ctx context.Context, a *attempt) *http.Request {
	if a.number == 1 {
		defer startTimer(ctx, c.journal.instruments.serialization)()
	}
	a.ownHeaders = [...]string{c.settings.userAgent, c.invocationID, attemptOfMax(a.number, c.maxAttempts)}
	header := make(http.Header, 8) // the signer adds three more
	header["User-Agent"] = a.ownHeaders[0:1:1]
	header[invocationHeader] = a.ownHeaders[1:2:2]
	header[attemptHeader] = a.ownHeaders[2:3:3]
	req := (&http.Request{
		Method:     http.MethodGet,
		URL:        operationURL(c.poolID()),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     header,
	}).WithContext(ctx)
	c.endpoint.apply(req)
	if c.settings.inLambda {
		addTraceID(ctx, req)
	}
	return req
}

// operationURL returns the path of a pool's usage, with the ID as a single segment.
func operationURL(identityPoolID string) *url.URL {
	// The protocol escapes everything but letters, digits and "-._~". QueryEscape does
	// too, except that it turns a space into "+".
	escaped := strings.ReplaceAll(url.QueryEscape(identityPoolID), "+", "%20")
	const directory = "/identitypools/"
	both := directory + identityPoolID + directory + escaped // one allocation
	end := len(directory) + len(identityPoolID)
	return &url.URL{Path: both[:end], RawPath: both[end:]}
}

// attemptOfMax returns the value of the header that numbers the attempts.
func attemptOfMax(attempt, maxAttempts int) string {
	switch {
	case attempt == 1 && maxAttempts == retry.DefaultMaxAttempts:
		return "attempt=1; max=3" // the usual case, without an allocation
	case maxAttempts <= 0:
		return "attempt=" + strconv.Itoa(attempt)
	}
	return "attempt=" + strconv.Itoa(attempt) + "; max=" + strconv.Itoa(maxAttempts)
}

func (c *call) sign(ctx context.Context, a *attempt, req *http.Request, payloadHash string, scope scope) error {
	defer startTimer(ctx, c.journal.instruments.signing)()
	return signRequest(ctx, c.settings.options.HTTPSignerV4, req, a.credentials,
		payloadHash, scope, time.Now().Add(a.clock.offset), c.journal.signerOptions()...)
}

func (c *call) send(a *attempt, req *http.Request) (resp *http.Response, err error) {
	a.request = req
	if meter := c.journal.instruments.http; meter != nil {
		a.response, err = meter.measure(req, func(measured *http.Request) (*http.Response, error) {
			return sendRequest(c.settings.httpClient, measured, &a.limit)
		})
	} else {
		a.response, err = sendRequest(c.settings.httpClient, req, &a.limit)
	}
	return a.response, err
}

// correctClock compares the clock that signed the attempt with the Date of the response,
// and sets the clock for the next attempt. It returns the attempt's error, marked as a
// clock skew if the next attempt corrects it.
func (c *call) correctClock(a *attempt) (err error) {
	if c.settings.options.DisableClockSkewCorrection {
		return a.err
	}
	measured, known := awsmiddleware.GetAttemptSkew(a.metadata)
	c.clock, err = c.client.clock.correct(a.clock, measured, known, a.err)
	return err
}

// renewCredentials renews the credentials for the next attempt if failure reports that they
// have expired. It returns failure, marked as corrected if there are new credentials, or
// joined with the provider's error.
func (c *call) renewCredentials(ctx context.Context, a *attempt, failure error) error {
	isLast := c.maxAttempts > 0 && a.number >= c.maxAttempts
	if isLast || c.hasRenewed || !expiredTokenCodes[apiErrorCode(failure)] {
		return failure
	}
	c.hasRenewed = true
	renewed, err := c.client.renewals.renew(ctx, c.settings.options.Credentials, a.credentials)
	switch {
	case err != nil && ctx.Err() != nil:
		return failure
	case err != nil:
		return &renewalError{failure: failure, err: err}
	case sameKeys(renewed, a.credentials):
		return failure
	}
	if err := checkKeys(renewed); err != nil {
		return &renewalError{failure: failure, err: err}
	}
	c.renewed = &renewed
	return &renewedCredentialsError{failure}
}

// onDecision records and logs what follows the last attempt.
func (c *call) onDecision(ctx context.Context, d decision) {
	last := c.last
	last.decision = d
	if c.refusal != nil && errors.Is(last.err, c.refusal) {
		return // nothing was attempted
	}
	c.journal.attemptEnded(ctx, c.record(last))
	if last.number == 1 && last.err == nil {
		return // the metadata already contains the one result
	}
	results := make([]retry.AttemptResult, last.number)
	for a := last; a != nil; a = a.previous {
		results[a.number-1] = retry.AttemptResult{
			Err:              a.err,
			Retryable:        a.decision.retryable,
			Retried:          a.decision.retried(),
			ResponseMetadata: a.metadata,
		}
	}
	noteAttempts(&last.metadata, results)
}

// record returns what the logs and spans contain about an attempt.
func (c *call) record(a *attempt) record {
	r := record{
		poolID:      c.poolID(),
		region:      cmp.Or(c.region, c.settings.router.home),
		attempt:     a.number,
		maxAttempts: c.maxAttempts,
		elapsed:     a.elapsed,
		delay:       a.decision.delay,
		reason:      string(a.decision.verdict),
		err:         a.err,
	}
	switch {
	case a.request != nil: // middleware may have changed its host
		r.host = a.request.URL.Host
	case c.endpoint != nil:
		r.host = c.endpoint.url.Host
	}
	if a.response != nil {
		r.status, r.requestID = a.response.StatusCode, requestID(a.response)
	}
	return r
}

// finalRecord returns the record of the whole call, which ended with err.
func (c *call) finalRecord(err error) record {
	last := c.last
	if last == nil {
		last = &attempt{decision: decision{verdict: verdictRefused}}
	}
	r := c.record(last)
	r.err = err
	return r
}

// wrap returns the error of a call that failed with err.
func (c *call) wrap(err error) error {
	attempts, retryable := 0, false
	if c.last != nil {
		attempts, retryable = c.last.number, c.last.decision.retryable
	}
	if attempts == 1 && c.last.request == nil && isSettingsError(err) {
		attempts = 0 // nothing was sent
	}
	text := c.journal.errorText(err) + c.journal.secrets.Line(c.target(), maxTarget)
	return newCallError(err, text, attempts, retryable)
}

// target returns the pool, region and host for an error's text, or "" if the host is not
// known yet.
func (c *call) target() string {
	r := c.finalRecord(nil)
	if r.host == "" {
		return ""
	}
	return fmt.Sprintf(" (pool %s, region %s, host %s)", c.journal.secrets.Line(r.poolID, maxCode), cmp.Or(r.region, "none"), r.host)
}

// isSettingsError reports whether err was caused by the settings.
func isSettingsError(err error) bool {
	var setting *ConfigurationError
	return errors.As(err, &setting)
}
