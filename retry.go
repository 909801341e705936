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

// maxServerDelay is how far the server may raise a delay above the backoff.
const maxServerDelay = 5 * time.Second

// newRetryer returns the SDK's own retryer for a mode.
func newRetryer(mode aws.RetryMode) aws.Retryer {
	if mode == aws.RetryModeAdaptive {
		return retry.NewAdaptiveMode()
	}
	return retry.NewStandard()
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

// regionalRetryers gives each region a retry quota and an adaptive rate of its own, as if
// it had a client of its own. A retryer of the caller's serves all regions.
type regionalRetryers struct {
	home   string
	first  aws.RetryerV2      // of home
	create func() aws.Retryer // nil: first serves all

	// What a call has in place of these that changes nothing but how many attempts it makes.
	client      *regionalRetryers
	maxAttempts int

	mu     sync.Mutex
	others map[string]aws.RetryerV2
}

// maxRegionalRetryers is more than AWS has regions: pool ids can name any number.
const maxRegionalRetryers = 128

func newRegionalRetryers(home string, first aws.Retryer, create func() aws.Retryer) *regionalRetryers {
	return &regionalRetryers{home: home, first: asRetryerV2(first), create: create}
}

// limited returns retryers with the same quotas and rates, and another limit.
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

// serverDelay returns delay, raised to what the response asks for within bounds:
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

// outcome is all that the choice of what follows an attempt depends on.
type outcome struct {
	err         error
	attempt     int  // counted from 1
	maxAttempts int  // 0: unlimited
	retryable   bool // by the retryer
	callerDone  bool // the caller's context is done
	interrupted bool // and that is why the attempt failed
}

// verdict is what follows an attempt, as text of a log record.
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

// decide returns what follows an attempt. It is a pure function of the outcome: no
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
	case isCorrected(o.err):
		return verdictRetryImmediately
	}
	return verdictRetry
}

// isCorrected reports whether what caused err, the clock or the credentials, is no longer
// so: there is nothing to wait for.
func isCorrected(err error) bool {
	var corrected interface{ retryImmediately() }
	return errors.As(err, &corrected)
}

// attempted is what the retry loop needs to know of an attempt.
type attempted struct {
	err    error
	header http.Header // of the response; nil if there was none
}

// decision is what follows an attempt, and why.
type decision struct {
	verdict   verdict
	retryable bool
	delay     time.Duration // before the next attempt
}

func (d decision) retried() bool {
	return d.verdict == verdictRetry || d.verdict == verdictRetryImmediately
}

// retryLoop makes attempts until one of them is final. The retryer's tokens are taken and
// returned as in the SDK's loop.
type retryLoop struct {
	retryer     aws.RetryerV2
	maxAttempts int // 0: unlimited
	sleep       func(context.Context, time.Duration) error
	attempts    interface {
		runAttempt(ctx context.Context, number int) attempted
		decided(ctx context.Context, d decision) // is told what follows each attempt
	}
}

// run returns nil, or why there is no further attempt: the last attempt's error, in
// whatever that needs around it.
func (l retryLoop) run(ctx context.Context) error {
	releaseRetry := func(error) error { return nil }
	retryable := false
	var last error // of the attempt before

	for number := 1; ; number++ {
		releaseAttempt, err := l.takeAttemptToken(ctx, number)
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
			releaseRetry, err = l.takeRetryToken(ctx, number, a, failure, &d)
		}
		l.attempts.decided(ctx, d)

		switch d.verdict {
		case verdictDone:
			return nil
		case verdictNotRetryable:
			return failure
		case verdictExhausted:
			return &retry.MaxAttemptsError{Attempt: number, Err: failure}
		case verdictCanceled:
			if !interrupted || apiErrorCode(failure) != "" {
				return withLast(&smithy.CanceledError{Err: contextError(ctx)}, failure) // it has a response of the service
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

// takeAttemptToken asks the retryer for leave to send. In adaptive mode it waits.
func (l retryLoop) takeAttemptToken(ctx context.Context, number int) (release func(error) error, err error) {
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

// takeRetryToken asks the retryer for leave to try again after an attempt, and how long
// to wait. Where it refuses, the verdict changes, and err is the failure with the reason.
func (l retryLoop) takeRetryToken(ctx context.Context, number int, a attempted, failure error, d *decision) (
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
	// Sleeping past the deadline would only hide the failure behind it.
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

// withAttemptNumber tells the SDK's retryers, which refill their quota by it, whether an
// attempt is the first.
func withAttemptNumber(ctx context.Context, number int) context.Context {
	if number == 1 {
		return ctx
	}
	return furtherAttempt{ctx}
}

type furtherAttempt struct{ context.Context }

func (c furtherAttempt) Value(key any) any {
	if value := c.Context.Value(key); value != nil {
		return value
	}
	return secondAttempt().Value(key)
}

// secondAttempt is the context of a second attempt of the SDK's own loop: nothing else
// can put the number in a context.
var secondAttempt = sync.OnceValue(func() context.Context {
	script := &attemptScript{remaining: 2}
	script.run()
	return script.ctx
})

// attemptScript has the SDK's loop make attempts, of which all but the last fail and are
// retried immediately.
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

// run returns the metadata that the loop leaves.
func (s *attemptScript) run() middleware.Metadata {
	loop := retry.NewAttemptMiddleware(s, func(request any) any { return request })
	// It cannot fail: the last scripted attempt succeeds.
	_, metadata, _ := loop.HandleFinalize(context.Background(), middleware.FinalizeInput{}, s)
	return metadata
}

// HandleFinalize is an attempt.
func (s *attemptScript) HandleFinalize(ctx context.Context, _ middleware.FinalizeInput) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	s.ctx = ctx
	if s.remaining--; s.remaining > 0 {
		return out, metadata, errScripted
	}
	return out, s.metadata, nil
}
