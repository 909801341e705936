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
//   - *v4.SigningError: the credentials provider failed, or took too long;
//   - *smithy.CanceledError or *aws.RequestCanceledError: the context ended the
//     call; the last attempt's error stands beside it;
//   - *retry.MaxAttemptsError around the last error, when attempts were used up.
//
// For the first three nothing has been sent, with one exception: the provider can
// give unusable credentials when an attempt has been made with others, and that is a
// ConfigurationError, too. [InspectError] tells what is known of any error in one step;
// its Attempts are 0 if nothing has been sent because of the settings.
//
// Unless settings say otherwise there are at most 3 attempts of at most 15 s each,
// with delays of at most 1 s and 2 s between them, which a Retry-After of the
// service can lengthen by 5 s each. To get credentials is no part of that: it takes as
// long as the context of the call allows, or at most 5 minutes if that has no deadline.
// The context bounds the whole call, whatever the service, the network, the HTTP client
// or the credentials provider do.
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

// call is one invocation of the operation. It belongs to one goroutine.
type call struct {
	client       *Client
	settings     *settings
	input        *DescribeIdentityPoolUsageInput
	journal      journal
	region       string           // to call and to sign for; "" until chosen
	endpoint     *endpoint        // nil until resolved
	invocationID string           // all attempts have it
	maxAttempts  int              // 0: unlimited
	try          tryFunc          // makes each attempt
	clock        signingClock     // of the next attempt
	renewed      *aws.Credentials // of the next attempt, in place of the provider's
	hasRenewed   bool             // the credentials have been renewed in this call
	last         *attempt         // nil before the first
	first        attempt          // which most calls have no other than
	unnumbered   []*attempt       // made without the Retry step, which middleware has replaced
	checked      bool             // the endpoint has been resolved, or the call refused
	refusal      error            // why nothing may be sent, though middleware may have a result
}

// attempt is one attempt of a call: it begins empty and ends with an output or an error.
type attempt struct {
	number      int // counted from 1
	previous    *attempt
	limit       timeLimit
	clock       signingClock // that it is signed by
	credentials aws.Credentials
	request     *http.Request  // as sent; nil until then
	response    *http.Response // nil until there is one
	metadata    middleware.Metadata
	output      *DescribeIdentityPoolUsageOutput // non-nil if and only if err is nil
	err         error
	elapsed     time.Duration
	decision    decision // what followed it
	ownHeaders  [3]string
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

// run makes the call in a straight line of steps.
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

// tryDirectly makes an attempt in a straight line of steps.
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

// validateInput refuses what could not be sent.
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

// resolveEndpoint chooses the region and finds its endpoint. It refuses settings that no
// call can be made with, and pools that the client would look for in the wrong region.
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

// newInvocationID makes the ID that all attempts share.
func (c *call) newInvocationID() (err error) {
	if c.invocationID, err = smithyrand.NewUUID(rand.Reader).GetUUID(); err != nil {
		return fmt.Errorf("make an invocation ID: %w", err)
	}
	return nil
}

// tryFunc makes an attempt: a method of call.
type tryFunc func(*call, context.Context, *attempt) (*DescribeIdentityPoolUsageOutput, error)

// runAttempts makes attempts with try until one is final, and returns the last; nil if
// there was none.
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

// runAttempt makes one attempt in the time it has, and corrects what its failure shows to
// be wrong with the clock or the credentials.
func (c *call) runAttempt(ctx context.Context, number int) attempted {
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
		return attempted{}
	}
	err = c.renewCredentials(ctx, a, err)
	if errors.Is(err, a.err) {
		a.err = err // marked as corrected, or with the provider's error
	}
	if a.response == nil {
		return attempted{err: err}
	}
	return attempted{err: err, header: a.response.Header}
}

// retrieveCredentials gets the credentials of an attempt, then begins its time to send.
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

// buildRequest returns the request of an attempt. Each attempt has one of its own:
// the transport may still be reading the last one's.
func (c *call) buildRequest(ctx context.Context, a *attempt) *http.Request {
	if a.number == 1 {
		defer startTimer(ctx, c.journal.instruments.serialization)()
	}
	a.ownHeaders = [...]string{c.settings.userAgent, c.invocationID, attemptOfMax(a.number, c.maxAttempts)}
	header := make(http.Header, 8) // three are still to come from the signer
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

// operationURL returns the path of a pool's usage, with the id as one segment.
func operationURL(identityPoolID string) *url.URL {
	// All but letters, digits and "-._~" is escaped, as the protocol wants it. Of
	// what QueryEscape does, only the space is another matter.
	escaped := strings.ReplaceAll(url.QueryEscape(identityPoolID), "+", "%20")
	const directory = "/identitypools/"
	both := directory + identityPoolID + directory + escaped // one allocation
	end := len(directory) + len(identityPoolID)
	return &url.URL{Path: both[:end], RawPath: both[end:]}
}

// attemptOfMax returns which of how many attempts this is, as the service expects it.
func attemptOfMax(attempt, maxAttempts int) string {
	switch {
	case attempt == 1 && maxAttempts == retry.DefaultMaxAttempts:
		return "attempt=1; max=3" // nearly always so
	case maxAttempts <= 0:
		return "attempt=" + strconv.Itoa(attempt)
	}
	return "attempt=" + strconv.Itoa(attempt) + "; max=" + strconv.Itoa(maxAttempts)
}

// sign signs the request of an attempt.
func (c *call) sign(ctx context.Context, a *attempt, req *http.Request, payloadHash string, scope scope) error {
	defer startTimer(ctx, c.journal.instruments.signing)()
	return signRequest(ctx, c.settings.options.HTTPSignerV4, req, a.credentials,
		payloadHash, scope, time.Now().Add(a.clock.offset), c.journal.signerOptions()...)
}

// send sends the request of an attempt.
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

// correctClock compares the time that an attempt was signed at with the time of its
// response, and returns the attempt's error as it counts then.
func (c *call) correctClock(a *attempt) (err error) {
	if c.settings.options.DisableClockSkewCorrection {
		return a.err
	}
	measured, known := awsmiddleware.GetAttemptSkew(a.metadata)
	c.clock, err = c.client.clock.correct(a.clock, measured, known, a.err)
	return err
}

// renewCredentials has the next attempt signed with other credentials, if failure is that
// those of this one have expired. It returns failure, marked if there are others now, and
// with the provider's error if it has one.
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

// decided keeps and reports what follows the last attempt.
func (c *call) decided(ctx context.Context, d decision) {
	last := c.last
	last.decision = d
	if c.refusal != nil && errors.Is(last.err, c.refusal) {
		return // that was no attempt
	}
	c.journal.attemptEnded(ctx, c.record(last))
	if last.number == 1 && last.err == nil {
		return // its metadata is that of any call whose first attempt succeeded
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

// record returns what is known of an attempt.
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
	case a.request != nil: // whose target middleware may have changed
		r.host = a.request.URL.Host
	case c.endpoint != nil:
		r.host = c.endpoint.url.Host
	}
	if a.response != nil {
		r.status, r.requestID = a.response.StatusCode, requestID(a.response)
	}
	return r
}

// finalRecord returns what is known of the call when it ends, with err or without.
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
	if attempts == 1 && c.last.request == nil && isOfSettings(err) {
		attempts = 0 // nothing was sent in it
	}
	text := c.journal.errorText(err) + c.journal.secrets.Line(c.target(), maxTarget)
	return newCallError(err, text, attempts, retryable)
}

// target returns which pool was queried where, in parentheses; "" before that is known.
func (c *call) target() string {
	r := c.finalRecord(nil)
	if r.host == "" {
		return ""
	}
	return fmt.Sprintf(" (pool %s, region %s, host %s)", c.journal.secrets.Line(r.poolID, maxCode), cmp.Or(r.region, "none"), r.host)
}

// isOfSettings reports whether err was certain before anything could be sent.
func isOfSettings(err error) bool {
	var setting *ConfigurationError
	return errors.As(err, &setting)
}
