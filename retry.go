package cognitosync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// maxServerDelay is how much the server can add to a backoff.
const maxServerDelay = 5 * time.Second

// newRetryer returns the SDK's retryer for a mode.
func newRetryer(mode aws.RetryMode) aws.Retryer {
	if mode == aws.RetryModeAdaptive {
		return retry.NewAdaptiveMode()
	}
	return retry.NewStandard()
}

// asRetryerV2 adapts a retryer that does not implement aws.RetryerV2.
func asRetryerV2(retryer aws.Retryer) aws.RetryerV2 {
	if v2, ok := retryer.(aws.RetryerV2); ok {
		return v2
	}
	return retryerV1{retryer}
}

type retryerV1 struct{ aws.Retryer }

func (r retryerV1) GetAttemptToken(context.Context) (func(error) error, error) {
	return r.GetInitialToken(), nil
}

// regionalRetryers has a retryer for each region, so that each has its own retry quota and
// adaptive rate. A retryer that the caller set is used for all regions.
type regionalRetryers struct {
	home   string
	first  aws.RetryerV2      // for home
	create func() aws.Retryer // nil: first is used for all regions

	// Set for a call that only changes the number of attempts. It uses the client's retryers.
	client      *regionalRetryers
	maxAttempts int

	mu     sync.Mutex
	others map[string]aws.RetryerV2
}

// maxRegionalRetryers limits the memory for retryers, because pool IDs can contain any
// number of regions. AWS has fewer.
const maxRegionalRetryers = 128

func newRegionalRetryers(home string, first aws.Retryer, create func() aws.Retryer) *regionalRetryers {
	return &regionalRetryers{home: home, first: asRetryerV2(first), create: create}
}

// limited returns retryers with the same quotas and rates, but with another maximum number
// of attempts.
func (r *regionalRetryers) limited(maxAttempts int) *regionalRetryers {
	return &regionalRetryers{client: r, maxAttempts: maxAttempts}
}

func (r *regionalRetryers) of(region string) aws.RetryerV2 {
	switch {
	case r.client != nil:
		return asRetryerV2(retry.AddWithMaxAttempts(r.client.of(region), r.maxAttempts))
	case r.create == nil || region == r.home:
		return r.first
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	retryer, known := r.others[region]
	switch {
	case known:
		return retryer
	case len(r.others) >= maxRegionalRetryers:
		return r.first
	case r.others == nil:
		r.others = make(map[string]aws.RetryerV2)
	}
	retryer = asRetryerV2(r.create())
	r.others[region] = retryer
	return retryer
}

// serverDelay returns delay or, if it is longer, the delay that the response requests, which
// can add up to maxServerDelay.
func serverDelay(delay time.Duration, header http.Header, now time.Time) time.Duration {
	requested, ok := retryAfter(header, now)
	if !ok || requested <= delay {
		return delay
	}
	return min(requested, delay+maxServerDelay)
}

// retryAfter returns the delay in X-Amz-Retry-After, which is in milliseconds, or in
// Retry-After, which is in seconds or a date.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	// More than serverDelay allows, but too little to overflow a Duration.
	const most = 1 << 31
	if ms, err := strconv.ParseInt(header.Get("X-Amz-Retry-After"), 10, 64); err == nil && ms >= 0 {
		return time.Duration(min(ms, most)) * time.Millisecond, true
	}
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, most)) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		// The date is by the server's clock.
		if serverNow, err := http.ParseTime(header.Get("Date")); err == nil {
			now = serverNow
		}
		return date.Sub(now), true
	}
	return 0, false
}

// outcome is the outcome of an attempt, as input of decide.
type outcome struct {
	err         error
	attempt     int  // counted from 1
	maxAttempts int  // 0: unlimited
	retryable   bool // according to the retryer
	callerDone  bool // the caller's context is done
	interrupted bool // the attempt failed because the caller's context is done
}

// verdict is what follows an attempt. Logs contain its text.
type verdict string

const (
	verdictDone             verdict = "success"
	verdictNotRetryable     verdict = "not retryable"
	verdictExhausted        verdict = "attempts exhausted"
	verdictCanceled         verdict = "canceled by the caller"
	verdictRetry            verdict = "retry"
	verdictRetryImmediately verdict = "retry immediately"
	verdictTooLate          verdict = "the delay exceeds the deadline"
	verdictNoQuota          verdict = "retry quota exceeded"
	verdictNoDelay          verdict = "no delay from the retryer"

	verdictRefused verdict = "refused before sending" // without an attempt
)

// decide returns what follows an attempt. It is a pure function and does not depend on a
// clock, randomness or a quota.
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
	case isCorrected(o.err):
		return verdictRetryImmediately
	}
	return verdictRetry
}

// isCorrected reports whether the cause of err, the clock or the credentials, has been
// corrected, so that the call can be retried immediately.
func isCorrected(err error) bool {
	var corrected interface{ retryImmediately() }
	return errors.As(err, &corrected)
}

// attemptResult is the result of an attempt, as the retry loop needs it.
type attemptResult struct {
	err    error
	header http.Header // of the response; nil if there is none
}

// decision is what follows an attempt.
type decision struct {
	verdict   verdict
	retryable bool
	delay     time.Duration // before the next attempt
}

func (d decision) retried() bool {
	return d.verdict == verdictRetry || d.verdict == verdictRetryImmediately
}

// retryLoop makes attempts until one is final. It acquires and releases the retryer's tokens
// like the SDK's loop.
type retryLoop struct {
	retryer     aws.RetryerV2
	maxAttempts int // 0: unlimited
	sleep       func(context.Context, time.Duration) error
	attempts    interface {
		runAttempt(ctx context.Context, number int) attemptResult
		onDecision(ctx context.Context, d decision) // called after each attempt
	}
}

// run returns nil if an attempt succeeded. Otherwise its error wraps that of the last
// attempt, if there was one, and contains why no other follows.
func (l retryLoop) run(ctx context.Context) error {
	releaseRetry := func(error) error { return nil }
	retryable := false
	var last error // of the previous attempt

	for number := 1; ; number++ {
		releaseAttempt, err := l.acquireAttemptToken(ctx, number)
		if err != nil {
			return withLast(err, last)
		}
		a := l.attempts.runAttempt(ctx, number)
		failure := a.err
		if err := errors.Join(releaseRetry(failure), releaseAttempt(failure)); err != nil && failure != nil {
			failure = fmt.Errorf("%w; release token: %w", failure, err)
		}

		interrupted := ctx.Err() != nil && errors.Is(failure, ctx.Err())
		if !interrupted {
			retryable = failure != nil && l.retryer.IsErrorRetryable(failure)
		}
		d := decision{retryable: retryable, verdict: decide(outcome{
			err:         failure,
			attempt:     number,
			maxAttempts: l.maxAttempts,
			retryable:   retryable,
			callerDone:  ctx.Err() != nil,
			interrupted: interrupted,
		})}
		if d.retried() {
			releaseRetry, err = l.acquireRetryToken(ctx, number, a, failure, &d)
		}
		l.attempts.onDecision(ctx, d)

		switch d.verdict {
		case verdictDone:
			return nil
		case verdictNotRetryable:
			return failure
		case verdictExhausted:
			return &retry.MaxAttemptsError{Attempt: number, Err: failure}
		case verdictCanceled:
			if !interrupted || apiErrorCode(failure) != "" {
				return withLast(&smithy.CanceledError{Err: contextError(ctx)}, failure) // failure is a response
			}
			return withLast(failure, last)
		case verdictTooLate, verdictNoQuota, verdictNoDelay:
			return err
		}
		last = failure
		if l.sleep(ctx, d.delay) != nil {
			return withLast(&aws.RequestCanceledError{Err: contextError(ctx)}, last)
		}
	}
}

// acquireAttemptToken acquires the token for an attempt. In adaptive mode it may wait.
func (l retryLoop) acquireAttemptToken(ctx context.Context, number int) (release func(error) error, err error) {
	if ctx.Err() == nil {
		release, err = l.retryer.GetAttemptToken(withAttemptNumber(ctx, number))
	}
	switch {
	case ctx.Err() != nil && release == nil:
		return nil, &smithy.CanceledError{Err: contextError(ctx)}
	case err != nil:
		return nil, fmt.Errorf("get attempt token: %w", err)
	}
	return release, nil
}

// acquireRetryToken sets the delay before the next attempt, and acquires a token for it. If
// there can be no next attempt, it changes the verdict and returns an error that wraps
// failure.
func (l retryLoop) acquireRetryToken(ctx context.Context, number int, a attemptResult, failure error, d *decision) (
	release func(error) error, err error,
) {
	if d.verdict == verdictRetryImmediately {
		return func(error) error { return nil }, nil // the service is not overloaded
	}
	if d.delay, err = l.retryer.RetryDelay(number, failure); err != nil {
		d.verdict, d.delay = verdictNoDelay, 0
		return nil, fmt.Errorf("%w; get retry delay: %w", failure, err)
	}
	d.delay = serverDelay(d.delay, a.header, time.Now())
	// There is no time for another attempt, so return the failure now.
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d.delay {
		d.verdict = verdictTooLate
		return nil, withLast(&aws.RequestCanceledError{Err: context.DeadlineExceeded}, failure)
	}
	if release, err = l.retryer.GetRetryToken(ctx, failure); err != nil {
		d.verdict = verdictNoQuota
		return nil, fmt.Errorf("%w; get retry token: %w", failure, err)
	}
	return release, nil
}

// withAttemptNumber returns a context that contains whether an attempt is the first. The
// SDK's retryers refill their quota accordingly.
func withAttemptNumber(ctx context.Context, number int) context.Context {
	if number == 1 {
		return ctx
	}
	return laterAttempt{ctx}
}

type laterAttempt struct{ context.Context }

func (c laterAttempt) Value(key any) any {
	if value := c.Context.Value(key); value != nil {
		return value
	}
	return secondAttempt().Value(key)
}

// secondAttempt returns the context of the second attempt of the SDK's own loop, because
// only that loop can set the number of an attempt in a context.
var secondAttempt = sync.OnceValue(func() context.Context {
	script := &attemptScript{remaining: 2}
	script.run()
	return script.ctx
})

// attemptScript runs the SDK's loop with attempts that do nothing. All but the last fail and
// are retried immediately.
type attemptScript struct {
	aws.NopRetryer
	remaining int
	ctx       context.Context     // of the last attempt
	metadata  middleware.Metadata // of the last attempt
}

var errScripted = errors.New("scripted failure")

func (*attemptScript) MaxAttempts() int                             { return 0 }
func (*attemptScript) IsErrorRetryable(error) bool                  { return true }
func (*attemptScript) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

// run returns the metadata that the loop returns.
func (s *attemptScript) run() middleware.Metadata {
	loop := retry.NewAttemptMiddleware(s, func(request any) any { return request })
	// There is no error, because the last attempt succeeds.
	_, metadata, _ := loop.HandleFinalize(context.Background(), middleware.FinalizeInput{}, s)
	return metadata
}

// HandleFinalize makes an attempt.
func (s *attemptScript) HandleFinalize(ctx context.Context, _ middleware.FinalizeInput) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	s.ctx = ctx
	if s.remaining--; s.remaining > 0 {
		return out, metadata, errScripted
	}
	return out, s.metadata, nil
}
