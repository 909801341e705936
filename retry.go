package cognitosync

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// How long the default retryer waits. The SDK's own defaults are another set, and
// differ from version to version; these do not.
const (
	baseDelay      = 50 * time.Millisecond
	throttledDelay = time.Second
	maxDelay       = 20 * time.Second
)

// maxServerDelay is how far the server may raise a delay above the backoff.
const maxServerDelay = 5 * time.Second

// defaultRetryer is the SDK's retryer for a mode, with our delays and with a 429
// counting as throttling whatever its code.
type defaultRetryer struct {
	aws.RetryerV2
	mode aws.RetryMode
}

func newRetryer(mode aws.RetryMode, maxAttempts int) *defaultRetryer {
	standard := func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts // 0: the SDK's own number, 3
		o.Retryables = append(o.Retryables, retry.RetryableHTTPStatusCode{
			Codes: map[int]struct{}{http.StatusTooManyRequests: {}},
		})
		o.Throttles = append(o.Throttles, retry.IsErrorThrottleFunc(isTooManyRequests))
		o.Backoff = backoff{throttles: o.Throttles, random: rand.Float64}
		o.RateLimiter = ratelimit.NewTokenRateLimit(retry.DefaultRetryRateTokens)
		o.RetryCost = retry.DefaultRetryCost
	}
	if mode != aws.RetryModeAdaptive {
		return &defaultRetryer{RetryerV2: retry.NewStandard(standard), mode: mode}
	}
	return &defaultRetryer{mode: mode, RetryerV2: retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, standard)
		o.Throttles = append(o.Throttles, retry.IsErrorThrottleFunc(isTooManyRequests))
	})}
}

// limitAttempts returns retryer with another number of attempts. Ours stays ours.
func limitAttempts(retryer aws.Retryer, limit int) aws.Retryer {
	if ours, ok := retryer.(*defaultRetryer); ok {
		return &defaultRetryer{RetryerV2: asRetryerV2(retry.AddWithMaxAttempts(ours.RetryerV2, limit)), mode: ours.mode}
	}
	return retry.AddWithMaxAttempts(retryer, limit)
}

// retryModeOf returns the mode of a retryer whose kind can be told, or "".
func retryModeOf(retryer aws.Retryer) aws.RetryMode {
	switch retryer := retryer.(type) {
	case *defaultRetryer:
		return retryer.mode
	case *retry.Standard:
		return aws.RetryModeStandard
	case *retry.AdaptiveMode:
		return aws.RetryModeAdaptive
	}
	return ""
}

// asRetryerV2 gives a retryer of the older kind the newer method.
func asRetryerV2(retryer aws.Retryer) aws.RetryerV2 {
	if newer, ok := retryer.(aws.RetryerV2); ok {
		return newer
	}
	return olderRetryer{retryer}
}

type olderRetryer struct{ aws.Retryer }

func (r olderRetryer) GetAttemptToken(context.Context) (func(error) error, error) {
	return r.GetInitialToken(), nil
}

// isTooManyRequests takes the status for throttling where no code says so.
func isTooManyRequests(err error) aws.Ternary {
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// backoff doubles the delay with each attempt and takes a random part of it.
type backoff struct {
	throttles retry.IsErrorThrottles
	random    func() float64 // in [0, 1)
}

// BackoffDelay returns how long to wait after the attempt of that number, the
// first being 1, has failed with err.
func (b backoff) BackoffDelay(attempt int, err error) (time.Duration, error) {
	delay := baseDelay
	if b.throttles.IsErrorThrottle(err) == aws.TrueTernary {
		delay = throttledDelay
	}
	for range attempt - 1 {
		if delay *= 2; delay >= maxDelay {
			delay = maxDelay
			break
		}
	}
	return time.Duration(b.random() * float64(delay)), nil
}

// serverDelay returns delay, raised to what the answer asks for within bounds:
// x-amz-retry-after in milliseconds, or Retry-After in seconds or as a date.
func serverDelay(delay time.Duration, header http.Header, now time.Time) time.Duration {
	asked, ok := retryAfter(header, now)
	if !ok || asked <= delay {
		return delay
	}
	return min(asked, delay+maxServerDelay)
}

func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	// Far more than is granted, and far from overflowing a Duration.
	const most = 1 << 31
	if ms, err := strconv.ParseInt(header.Get("X-Amz-Retry-After"), 10, 64); err == nil && ms >= 0 {
		return time.Duration(min(ms, most)) * time.Millisecond, true
	}
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, most)) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		// The server means its own clock, where it tells it.
		if serverNow, err := http.ParseTime(header.Get("Date")); err == nil {
			now = serverNow
		}
		return date.Sub(now), true
	}
	return 0, false
}

// reply is what one attempt came back with.
type reply struct {
	output   *DescribeIdentityPoolUsageOutput // non-nil if and only if err is nil
	metadata middleware.Metadata
	err      error
}

// outcome is all that the choice of what follows an attempt depends on.
type outcome struct {
	err         error
	attempt     int  // counted from 1
	maxAttempts int  // 0: as many as it takes
	retryable   bool // by the retryer
	callerDone  bool // the caller's context is done
	interrupted bool // and that is why the attempt failed
}

// verdict is what follows an attempt, in the words of a log record.
type verdict string

const (
	verdictDone         verdict = "success"
	verdictNotRetryable verdict = "not retryable"
	verdictExhausted    verdict = "attempts exhausted"
	verdictCanceled     verdict = "canceled by the caller"
	verdictRetry        verdict = "retry"
	verdictRetryNow     verdict = "retry at once"
	verdictTooLate      verdict = "the delay exceeds the deadline"
	verdictNoQuota      verdict = "retry quota exceeded"
	verdictNoDelay      verdict = "no delay from the retryer"
)

// decide says what follows an attempt. It is a pure function of the outcome: no
// clock, no chance, no quota.
func decide(o outcome) verdict {
	switch {
	case o.err == nil:
		return verdictDone
	case o.interrupted:
		return verdictCanceled
	case !o.retryable:
		return verdictNotRetryable
	case o.maxAttempts > 0 && o.attempt >= o.maxAttempts:
		return verdictExhausted
	case o.callerDone:
		return verdictCanceled
	case isPutRight(o.err):
		return verdictRetryNow
	}
	return verdictRetry
}

// isPutRight reports whether what caused err, the clock or the credentials, is no
// longer so: there is nothing to wait for.
func isPutRight(err error) bool {
	var (
		skew    *clockSkewError
		renewed *renewedCredentialsError
	)
	return errors.As(err, &skew) || errors.As(err, &renewed)
}

// attempts calls attempt until its reply is final. It is the one attempt loop: the
// retryer's tokens are taken and given back as in the SDK's.
func (c *call) attempts(ctx context.Context, attempt func(context.Context) reply) reply {
	c.maxAttempts = c.retryer.MaxAttempts()
	releaseRetry := func(error) error { return nil }
	var last error // of the attempt before

	for {
		releaseAttempt, err := c.takeAttemptToken(ctx)
		if err != nil {
			return reply{err: withLast(err, last)}
		}
		c.attempt++
		r := c.once(ctx, attempt)
		if err := errors.Join(releaseRetry(r.err), releaseAttempt(r.err)); err != nil && r.err != nil {
			r.err = fmt.Errorf("%w; release token: %w", r.err, err)
		}

		interrupted := ctx.Err() != nil && errors.Is(r.err, ctx.Err())
		if !interrupted {
			c.retryable = r.err != nil && c.retryer.IsErrorRetryable(r.err)
		}
		what := decide(outcome{
			err:         r.err,
			attempt:     c.attempt,
			maxAttempts: c.maxAttempts,
			retryable:   c.retryable,
			callerDone:  ctx.Err() != nil,
			interrupted: interrupted,
		})
		var delay time.Duration
		if what == verdictRetry || what == verdictRetryNow {
			delay, releaseRetry, what, err = c.takeRetryToken(ctx, r.err, what)
		}
		c.observe(ctx, &r, what, delay)

		switch what {
		case verdictDone, verdictNotRetryable:
			return r
		case verdictExhausted:
			r.err = &retry.MaxAttemptsError{Attempt: c.attempt, Err: r.err}
			return r
		case verdictCanceled:
			if !interrupted || apiErrorCode(r.err) != "" {
				last = r.err // it has an answer of the service
			}
			r.err = withLast(&smithy.CanceledError{Err: contextError(ctx)}, last)
			return r
		case verdictTooLate, verdictNoQuota, verdictNoDelay:
			r.err = err
			return r
		}
		last = r.err
		if c.client.sleep(ctx, delay) != nil {
			r.err = withLast(&aws.RequestCanceledError{Err: contextError(ctx)}, last)
			return r
		}
	}
}

// takeAttemptToken asks the retryer for leave to send. In adaptive mode it waits.
func (c *call) takeAttemptToken(ctx context.Context) (release func(error) error, err error) {
	if ctx.Err() == nil {
		release, err = c.retryer.GetAttemptToken(ctx)
	}
	switch {
	case ctx.Err() != nil && release == nil:
		return nil, &smithy.CanceledError{Err: contextError(ctx)}
	case err != nil:
		return nil, fmt.Errorf("get attempt token: %w", err)
	}
	return release, nil
}

// takeRetryToken asks the retryer for leave to try again after failure, and for
// how long to wait. Where the answer is no, what comes back changed, and err is
// failure with the reason.
func (c *call) takeRetryToken(ctx context.Context, failure error, what verdict) (
	delay time.Duration, release func(error) error, _ verdict, err error,
) {
	if what == verdictRetry {
		if delay, err = c.retryer.RetryDelay(c.attempt, failure); err != nil {
			return 0, nil, verdictNoDelay, fmt.Errorf("%w; get retry delay: %w", failure, err)
		}
		if c.response != nil {
			delay = serverDelay(delay, c.response.Header, time.Now())
		}
	}
	// Waiting out a deadline would only hide the failure behind it.
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < delay {
		return delay, nil, verdictTooLate, withLast(&aws.RequestCanceledError{Err: context.DeadlineExceeded}, failure)
	}
	if release, err = c.retryer.GetRetryToken(ctx, failure); err != nil {
		return delay, nil, verdictNoQuota, fmt.Errorf("%w; get retry token: %w", failure, err)
	}
	return delay, release, what, nil
}

// once makes one attempt in the time it has, and puts right what its failure shows
// to be wrong with the clock or the credentials.
func (c *call) once(ctx context.Context, attempt func(context.Context) reply) reply {
	c.response = nil
	started := time.Now()
	attemptCtx, endSpan := c.startAttemptSpan(ctx)
	attemptCtx, cancel := c.limitAttempt(attemptCtx)
	r := attempt(attemptCtx)
	cancel()
	c.elapsed = time.Since(started)
	endSpan(r.err)

	if skew, ok := awsmiddleware.GetAttemptSkew(r.metadata); ok {
		r.err = c.correctClock(skew, r.err)
	}
	r.err = c.renewCredentials(ctx, r.err)
	return r
}

// limitAttempt gives an attempt its AttemptTimeout.
func (c *call) limitAttempt(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.AttemptTimeout < 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, c.AttemptTimeout, c.attemptTimeout)
}

// noteAttempts puts in the metadata of a call what its attempts came to. A call that
// succeeded at once has it there already, from [oneAttempt].
func (c *call) noteAttempts(r *reply) {
	if len(c.results) > 1 || r.err != nil && len(c.results) > 0 {
		recordAttempts(&r.metadata, c.results)
	}
}

// recordAttempts puts results where retry.GetAttemptResults looks for them. Only
// the SDK's own loop knows the place, so it is run once over a script that makes
// as many attempts, and what it noted is overwritten.
func recordAttempts(metadata *middleware.Metadata, results []retry.AttemptResult) {
	script := &attemptScript{remaining: len(results), metadata: *metadata}
	loop := retry.NewAttemptMiddleware(script, func(request any) any { return request })
	// It cannot fail: the last scripted attempt succeeds.
	_, noted, _ := loop.HandleFinalize(context.Background(), middleware.FinalizeInput{}, script)
	if places, ok := retry.GetAttemptResults(noted); ok {
		copy(places.Results, results)
	}
	*metadata = noted
}

// oneAttempt is the metadata of a call that succeeded at once, but for what the
// answer adds to it.
var oneAttempt = sync.OnceValue(func() (metadata middleware.Metadata) {
	recordAttempts(&metadata, make([]retry.AttemptResult, 1))
	return metadata
})

// attemptScript fails all attempts but the last, and lets each failure be retried
// at once.
type attemptScript struct {
	aws.NopRetryer
	remaining int
	metadata  middleware.Metadata
}

var errScripted = errors.New("scripted failure")

func (*attemptScript) MaxAttempts() int                             { return 0 }
func (*attemptScript) IsErrorRetryable(error) bool                  { return true }
func (*attemptScript) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

func (s *attemptScript) HandleFinalize(context.Context, middleware.FinalizeInput) (middleware.FinalizeOutput, middleware.Metadata, error) {
	if s.remaining--; s.remaining > 0 {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, errScripted
	}
	return middleware.FinalizeOutput{}, s.metadata, nil
}
