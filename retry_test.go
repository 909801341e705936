package cognitosync_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

func TestAttemptsExhausted(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.InternalError(), cognitosynctest.Reset(), cognitosynctest.TooManyRequests())

		err := tr.fails(t, t.Context())

		assert.Equal(t, 3, requireAs[*retry.MaxAttemptsError](t, err).Attempt)
		assert.Equal(t, 3, tr.requests())
		assert.Zero(t, tr.server.Pending())
		assertThrottled(t, err, tr.server.Requests().Last(), 3)
		assert.False(t, isA[*cognitosync.InternalErrorException](err), "only the last error is returned")
	})
}

func TestDecide(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	for _, test := range []struct {
		name    string
		outcome cognitosync.Outcome
		want    string
	}{
		{"success", cognitosync.Outcome{Attempt: 1, MaxAttempts: 3}, "success"},
		{"success on the last attempt", cognitosync.Outcome{Attempt: 3, MaxAttempts: 3}, "success"},
		{"success although the caller has canceled", cognitosync.Outcome{Attempt: 1, MaxAttempts: 3, CallerDone: true}, "success"},
		{"not retryable", cognitosync.Outcome{Err: failure, Attempt: 1, MaxAttempts: 3}, "not retryable"},
		{"not retryable on the last attempt", cognitosync.Outcome{Err: failure, Attempt: 3, MaxAttempts: 3}, "not retryable"},
		{"not retryable and the caller has canceled", cognitosync.Outcome{Err: failure, Attempt: 1, MaxAttempts: 3, CallerDone: true}, "not retryable"},
		{"retryable", cognitosync.Outcome{Err: failure, Attempt: 2, MaxAttempts: 3, Retryable: true}, "retry"},
		{"retryable on the last attempt", cognitosync.Outcome{Err: failure, Attempt: 3, MaxAttempts: 3, Retryable: true}, "attempts exhausted"},
		{"retryable beyond the last attempt", cognitosync.Outcome{Err: failure, Attempt: 4, MaxAttempts: 3, Retryable: true}, "attempts exhausted"},
		{"retryable on the last attempt and the caller has canceled", cognitosync.Outcome{Err: failure, Attempt: 3, MaxAttempts: 3, Retryable: true, CallerDone: true}, "attempts exhausted"},
		{"retryable without a limit", cognitosync.Outcome{Err: failure, Attempt: 1000, Retryable: true}, "retry"},
		{"retryable but the caller has canceled", cognitosync.Outcome{Err: failure, Attempt: 1, MaxAttempts: 3, Retryable: true, CallerDone: true}, "canceled by the caller"},
		{"interrupted", cognitosync.Outcome{Err: failure, Attempt: 1, MaxAttempts: 3, CallerDone: true, Interrupted: true}, "canceled by the caller"},
		{"interrupted on the last attempt", cognitosync.Outcome{Err: failure, Attempt: 3, MaxAttempts: 3, Retryable: true, CallerDone: true, Interrupted: true}, "canceled by the caller"},
		{"clock corrected", cognitosync.Outcome{Err: cognitosync.ClockCorrected(failure), Attempt: 1, MaxAttempts: 3, Retryable: true}, "retry immediately"},
		{"credentials renewed", cognitosync.Outcome{Err: cognitosync.CredentialsRenewed(failure), Attempt: 1, MaxAttempts: 3, Retryable: true}, "retry immediately"},
		{"clock corrected on the last attempt", cognitosync.Outcome{Err: cognitosync.ClockCorrected(failure), Attempt: 3, MaxAttempts: 3, Retryable: true}, "attempts exhausted"},
		{"clock corrected for a retryer that does not retry", cognitosync.Outcome{Err: cognitosync.ClockCorrected(failure), Attempt: 1, MaxAttempts: 3}, "not retryable"},
		{"credentials renewed but the caller has canceled", cognitosync.Outcome{Err: cognitosync.CredentialsRenewed(failure), Attempt: 1, MaxAttempts: 3, Retryable: true, CallerDone: true}, "canceled by the caller"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, cognitosync.Decide(test.outcome))
		})
	}
}

// responseError returns the error of a call that gets this response. The call is not
// retried.
func responseError(t *testing.T, step cognitosynctest.Step) error {
	t.Helper()
	tr := setup(t, direct)
	tr.script(step)
	return tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.RetryMaxAttempts = 1 })
}

// TestDefaultDelays draws many delays from the default retryer. They cover the whole range
// of full jitter, whatever the SDK's own defaults are.
func TestDefaultDelays(t *testing.T) { // not parallel: it sets an environment variable
	failed := responseError(t, cognitosynctest.InternalError())
	for _, newRetries := range []string{"", "false", "true"} {
		for _, mode := range []aws.RetryMode{"", aws.RetryModeStandard, aws.RetryModeAdaptive} {
			t.Run(fmt.Sprintf("AWS_NEW_RETRIES_2026=%s/%s", newRetries, mode), func(t *testing.T) {
				t.Setenv("AWS_NEW_RETRIES_2026", newRetries)
				retryer := cognitosync.New(cognitosync.Options{RetryMode: mode}).Options().Retryer
				assert.Equal(t, 3, retryer.MaxAttempts())
				for _, test := range []struct {
					name    string
					err     error
					attempt int
					most    time.Duration
				}{
					{"server error", failed, 1, 50 * time.Millisecond},
					{"server error", failed, 2, 100 * time.Millisecond},
					{"server error", failed, 3, 200 * time.Millisecond},
					{"server error", failed, 9, 12800 * time.Millisecond},
					{"server error", failed, 10, 20 * time.Second},
					{"server error", failed, 1000, 20 * time.Second},
					{"no response", &smithyhttp.RequestSendError{Err: io.EOF}, 2, 100 * time.Millisecond},
					{"throttled", &cognitosync.TooManyRequestsException{}, 1, time.Second},
					{"throttled", &cognitosync.TooManyRequestsException{}, 2, 2 * time.Second},
					{"throttled", &cognitosync.TooManyRequestsException{}, 5, 16 * time.Second},
					{"throttled", &cognitosync.TooManyRequestsException{}, 6, 20 * time.Second},
					{"throttled", &cognitosync.TooManyRequestsException{}, 1000, 20 * time.Second},
					{"throttled by another code", &smithy.GenericAPIError{Code: "ThrottlingException"}, 1, time.Second},
				} {
					assertFullJitter(t, retryer, test.attempt, test.err, test.most,
						fmt.Sprintf("%s, attempt %d", test.name, test.attempt))
				}
			})
		}
	}
}

// assertFullJitter checks that delays cover the range from zero to most. If they are
// uniformly distributed, 1,000 of them fail the check once in 10^22 runs.
func assertFullJitter(t *testing.T, retryer aws.Retryer, attempt int, err error, most time.Duration, what string) {
	t.Helper()
	delays := make([]time.Duration, 1000)
	for i := range delays {
		var drawErr error
		delays[i], drawErr = retryer.RetryDelay(attempt, err)
		require.NoError(t, drawErr)
	}
	least, greatest := slices.Min(delays), slices.Max(delays)
	assert.GreaterOrEqual(t, least, time.Duration(0), what)
	assert.Less(t, least, most/20, what)
	assert.Greater(t, greatest, most-most/20, what)
	assert.LessOrEqual(t, greatest, most, what)
}

// TestThrottledWithoutCode checks that a 429 without a throttling code is treated as
// throttling.
func TestThrottledWithoutCode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		step cognitosynctest.Step
		most time.Duration
	}{
		{"empty 429", cognitosynctest.Reply(http.StatusTooManyRequests, nil, ""), time.Second},
		{"HTML 429", cognitosynctest.Reply(http.StatusTooManyRequests, http.Header{"Content-Type": {"text/html"}}, "<p>slow down</p>"), time.Second},
		{"429 with an unknown code", cognitosynctest.Error(http.StatusTooManyRequests, "OddException", ""), time.Second},
		{"throttling code with another status", cognitosynctest.Error(http.StatusBadRequest, "TooManyRequestsException", ""), time.Second},
		{"empty 503", cognitosynctest.ServiceUnavailable(), 50 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := responseError(t, test.step)
			for _, mode := range []aws.RetryMode{aws.RetryModeStandard, aws.RetryModeAdaptive} {
				retryer := cognitosync.New(cognitosync.Options{RetryMode: mode}).Options().Retryer
				assert.True(t, retryer.IsErrorRetryable(err), mode)
				assertFullJitter(t, retryer, 1, err, test.most, string(mode))
			}
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path)
				tr.script(cognitosynctest.Repeat(2, test.step))
				tr.succeeds(t)
				assert.Len(t, tr.naps.all(), 2)
			})
		})
	}
}

// TestServerDelay checks that the client waits as long as the service requests, up to a
// limit.
func TestServerDelay(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	throttle, failure := cognitosynctest.TooManyRequests(), cognitosynctest.InternalError()
	for _, test := range []struct {
		name        string
		step        cognitosynctest.Step
		least, most time.Duration // of the delay; equal if it is not random
	}{
		{"milliseconds", throttle.WithHeader("X-Amz-Retry-After", "1500"), 1500 * ms, 1500 * ms},
		{"milliseconds after a server error", failure.WithHeader("X-Amz-Retry-After", "60"), 60 * ms, 60 * ms},
		{"milliseconds beyond the limit", failure.WithHeader("X-Amz-Retry-After", "60000"), 5 * s, 5*s + 50*ms},
		{"largest milliseconds", failure.WithHeader("X-Amz-Retry-After", "9223372036854775807"), 5 * s, 5*s + 50*ms},
		{"milliseconds that overflow", failure.WithHeader("X-Amz-Retry-After", "9223372036854775808"), 0, 50 * ms},
		{"zero milliseconds", throttle.WithHeader("X-Amz-Retry-After", "0"), 0, s},
		{"negative milliseconds", failure.WithHeader("X-Amz-Retry-After", "-1000"), 0, 50 * ms},
		{"invalid milliseconds", failure.WithHeader("X-Amz-Retry-After", "soon"), 0, 50 * ms},
		{"fraction of milliseconds", failure.WithHeader("X-Amz-Retry-After", "1500.5"), 0, 50 * ms},
		{"seconds", throttle.WithHeader("Retry-After", "3"), 3 * s, 3 * s},
		{"seconds after a server error", failure.WithHeader("Retry-After", "3"), 3 * s, 3 * s},
		{"seconds beyond the limit", throttle.WithHeader("Retry-After", "86400"), 5 * s, 6 * s},
		{"largest seconds", failure.WithHeader("Retry-After", "9223372036854775807"), 5 * s, 5*s + 50*ms},
		{"negative seconds", failure.WithHeader("Retry-After", "-3"), 0, 50 * ms},
		{"invalid seconds", failure.WithHeader("Retry-After", "3s"), 0, 50 * ms},
		{"date", failure.WithHeader("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), 5 * s, 5*s + 50*ms},
		{"date in the past", failure.WithHeader("Retry-After", "Mon, 13 Oct 2014 20:12:14 GMT"), 0, 50 * ms},
		{"invalid date", failure.WithHeader("Retry-After", "tomorrow"), 0, 50 * ms},
		{"both", failure.WithHeader("X-Amz-Retry-After", "1500").WithHeader("Retry-After", "3"), 1500 * ms, 1500 * ms},
		{"both, one of them invalid", failure.WithHeader("X-Amz-Retry-After", "soon").WithHeader("Retry-After", "3"), 3 * s, 3 * s},
		{"neither", failure, 0, 50 * ms},
		{"error page of a proxy", cognitosynctest.BadGateway().WithHeader("Retry-After", "2"), 2 * s, 2 * s},
		{"truncated response", cognitosynctest.OK().CutAfter(10).WithHeader("Retry-After", "2"), 2 * s, 2 * s},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path)
				tr.script(test.step)

				tr.succeeds(t)

				delays := tr.naps.all()
				require.Len(t, delays, 1)
				assert.GreaterOrEqual(t, delays[0], test.least)
				assert.LessOrEqual(t, delays[0], test.most)
			})
		})
	}
}

// TestServerDelayOfAnotherAttempt checks that a requested delay only applies to the next
// attempt.
func TestServerDelayOfAnotherAttempt(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.InternalError().WithHeader("Retry-After", "3"), cognitosynctest.Hangup())
		tr.succeeds(t)
		delays := tr.naps.all()
		require.Len(t, delays, 2)
		assert.Equal(t, 3*time.Second, delays[0])
		assert.LessOrEqual(t, delays[1], 100*time.Millisecond)
	})
}

// TestServerDelayFunction checks the limits of a requested delay exactly, without a random
// backoff.
func TestServerDelayFunction(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name, header, value string
		delay, want         time.Duration
	}{
		{"shorter than the backoff", "Retry-After", "1", 2 * time.Second, 2 * time.Second},
		{"longer", "Retry-After", "4", 2 * time.Second, 4 * time.Second},
		{"largest that is granted", "Retry-After", "7", 2 * time.Second, 7 * time.Second},
		{"too long by a millisecond", "X-Amz-Retry-After", "7001", 2 * time.Second, 7 * time.Second},
		{"date", "Retry-After", "Fri, 02 Jan 2026 03:04:08 GMT", time.Second, 3 * time.Second},
		{"date in the RFC 850 format", "Retry-After", "Friday, 02-Jan-26 03:04:08 GMT", time.Second, 3 * time.Second},
		{"date in the past, by a second", "Retry-After", "Fri, 02 Jan 2026 03:04:04 GMT", time.Second, time.Second},
		{"date far ahead", "Retry-After", "Fri, 02 Jan 9026 03:04:08 GMT", time.Second, 6 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, cognitosync.ServerDelay(test.delay, http.Header{test.header: {test.value}}, now))
		})
	}
}

// TestWhatIsRetried checks which failures are retried.
func TestWhatIsRetried(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		step    cognitosynctest.Step
		retried bool
	}{
		{"internal error", cognitosynctest.InternalError(), true},
		{"throttled", cognitosynctest.Throttle(1), true},
		{"bad gateway", cognitosynctest.BadGateway(), true},
		{"service unavailable", cognitosynctest.ServiceUnavailable(), true},
		{"gateway timeout", cognitosynctest.Reply(504, nil, ""), true},
		{"request timeout", cognitosynctest.Error(400, "RequestTimeout", ""), true},
		{"request timeout, exception", cognitosynctest.Error(408, "RequestTimeoutException", ""), true},
		{"hangup", cognitosynctest.Hangup(), true},
		{"reset", cognitosynctest.Reset(), true},
		{"truncated before the body", cognitosynctest.OK().CutAfter(0), true},
		{"truncated in the body", cognitosynctest.OK().CutAfter(20), true},
		{"reset in the body", cognitosynctest.OK().ResetAfter(20), true},
		{"truncated before the last byte", cognitosynctest.Reply(200, http.Header{"Content-Length": {"3"}}, "{}"), true},
		{"truncated gzip", cognitosynctest.GzipBomb(1).CutAfter(100), true},
		{"truncated body of a server error", cognitosynctest.InternalError().CutAfter(3), true},

		{"not authorized", cognitosynctest.NotAuthorized(), false},
		{"access denied", cognitosynctest.AccessDenied(), false},
		{"invalid parameter", cognitosynctest.InvalidParameter(), false},
		{"not found", cognitosynctest.ResourceNotFound(), false},
		{"status 501", cognitosynctest.Reply(501, nil, ""), false},
		{"status 408 without a code", cognitosynctest.Reply(408, nil, ""), false},
		{"status 407", cognitosynctest.Reply(407, nil, ""), false},
		{"truncated body of a client error", cognitosynctest.InvalidParameter().CutAfter(3), false},
		{"half a JSON document", cognitosynctest.Reply(200, nil, `{"IdentityPoolUsage":{`), false},
		{"not JSON", cognitosynctest.Reply(200, nil, "<html></html>"), false},
		{"invalid count", cognitosynctest.Reply(200, nil, `{"IdentityPoolUsage":{"DataStorage":"many"}}`), false},
		{"too long", cognitosynctest.Oversized(2 << 20), false},
		{"compressed according to its header", cognitosynctest.Reply(200, http.Header{"Content-Encoding": {"gzip"}}, `{"IdentityPoolUsage":{}}`), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				tr := setup(t, path)
				tr.script(test.step)
				if test.retried {
					tr.succeeds(t)
					assert.Equal(t, 2, tr.requests())
					assert.Len(t, tr.naps.all(), 1)
					return
				}
				err := tr.fails(t, t.Context())
				assert.Equal(t, 1, tr.requests())
				assert.Empty(t, tr.naps.all())
				assert.False(t, isA[*retry.MaxAttemptsError](err))
				assert.False(t, cognitosync.InspectError(err).Retryable)
			})
		})
	}
}

// TestRetryQuota uses up the 500 tokens that a client has for retries. The cost of a retry
// does not depend on the SDK's own defaults.
func TestRetryQuota(t *testing.T) { // not parallel: it sets an environment variable
	for _, newRetries := range []string{"", "true"} {
		for _, test := range []struct {
			name    string
			failure cognitosynctest.Step
			cost    int
		}{
			{"server error", cognitosynctest.InternalError(), retryCost},
			{"throttled", cognitosynctest.TooManyRequests(), 5},
			{"truncated", cognitosynctest.OK().CutAfter(10), retryCost},
		} {
			for _, path := range paths {
				t.Run(fmt.Sprintf("AWS_NEW_RETRIES_2026=%s/%s/%s", newRetries, test.name, path), func(t *testing.T) {
					t.Setenv("AWS_NEW_RETRIES_2026", newRetries)
					server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory = true })
					testRetryQuota(t, setupServer(t, path, server), test.failure, test.cost)
				})
			}
		}
	}
}

// retryCost is the number of tokens that a retry costs, except after throttling.
const retryCost = 14

// testRetryQuota uses up the quota of a client with a failure whose retry costs this many
// tokens. A retry that succeeds returns its tokens, and any other success returns one.
func testRetryQuota(t *testing.T, tr *trial, failure cognitosynctest.Step, cost int) {
	t.Helper()
	attempts := func() int { // of a call that fails
		before := tr.requests()
		err := tr.fails(t, t.Context())
		made := tr.requests() - before
		assert.Equal(t, made, cognitosync.InspectError(err).Attempts)
		assert.Equal(t, made == 3, isA[*retry.MaxAttemptsError](err))
		assert.Equal(t, made < 3, isA[ratelimit.QuotaExceededError](err), "%v", err)
		return made
	}

	for range 500/cost + 1 { // each returns its tokens
		tr.script(failure)
		tr.succeeds(t)
	}
	tr.script(cognitosynctest.Forever(failure))
	quota := 500
	for ; quota >= 2*cost; quota -= 2 * cost {
		require.Equal(t, 3, attempts())
	}
	if quota >= cost {
		quota -= cost
		require.Equal(t, 2, attempts(), "with quota for one retry")
	}
	require.Equal(t, 1, attempts(), "with no quota left")
	require.Equal(t, 1, attempts(), "with no quota left")

	tr.server.Reset()
	for range cost - 1 - quota {
		tr.succeeds(t)
	}
	tr.script(cognitosynctest.Forever(failure))
	require.Equal(t, 1, attempts(), "with too little quota")

	tr.server.Reset()
	tr.succeeds(t)
	tr.script(cognitosynctest.Forever(failure))
	require.Equal(t, 2, attempts(), "with quota for one retry")
	require.Equal(t, 1, attempts(), "with no quota left")
}

// TestNoQuota checks that the error contains the failure, and that the quota prevented a
// retry.
func TestNoQuota(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.RateLimiter = ratelimit.NewTokenRateLimit(4) })
		})
		tr.script(cognitosynctest.Throttle(1))

		err := tr.fails(t, t.Context())

		assert.Equal(t, uint(4), requireAs[ratelimit.QuotaExceededError](t, err).Available)
		assertThrottled(t, err, tr.server.Requests().Last(), 1)
		assert.Empty(t, tr.naps.all())
	})
}

// TestRetryerOfTheCaller uses retryers of the caller.
func TestRetryerOfTheCaller(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path)
		tr.script(cognitosynctest.InternalError())
		err := tr.fails(t, t.Context(), func(o *cognitosync.Options) { o.Retryer = aws.NopRetryer{} })
		assert.Equal(t, 1, tr.requests())
		requireAs[*cognitosync.InternalErrorException](t, err)
		assert.False(t, cognitosync.InspectError(err).Retryable)
	})
	bothPaths(t, func(t *testing.T, path string) {
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.Retryer = retry.AddWithErrorCodes(o.Retryer, (&cognitosync.ResourceNotFoundException{}).ErrorCode())
			o.Retryer = retry.AddWithMaxAttempts(o.Retryer, 5)
		})
		tr.script(cognitosynctest.Repeat(4, cognitosynctest.ResourceNotFound()))
		tr.succeeds(t)
		assert.Equal(t, 5, tr.requests())
	})
}

// TestQuotaOfARegion uses up the quota in a region that fails. Other regions have their own
// quota, unless the caller set the retryer.
func TestQuotaOfARegion(t *testing.T) {
	t.Parallel()
	const failing, healthy = "eu-west-1:1", "ap-southeast-2:1"
	for _, test := range []struct {
		name    string
		client  func(*cognitosync.Options)
		call    func(*cognitosync.Options)
		retried bool // in the healthy region
	}{
		{"default", nil, nil, true},
		{"limit of the client", func(o *cognitosync.Options) { o.RetryMaxAttempts = 4 }, nil, true},
		{"limit of the calls", nil, func(o *cognitosync.Options) { o.RetryMaxAttempts = 4 }, true},
		{"retryer of the caller", func(o *cognitosync.Options) { o.Retryer = retry.NewStandard() }, nil, false},
		{"wrapped by the caller", func(o *cognitosync.Options) { o.Retryer = retry.AddWithMaxAttempts(o.Retryer, 4) }, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				options := []func(*cognitosync.Options){usePoolRegion}
				if test.client != nil {
					options = append(options, test.client)
				}
				var optFns []func(*cognitosync.Options)
				if test.call != nil {
					optFns = append(optFns, test.call)
				}
				tr := setupWorld(t, path, "us-east-1", options...)
				tr.server.SetPool(cognitosynctest.Pool{IdentityPoolId: healthy})
				tr.server.Script(failing, cognitosynctest.Forever(cognitosynctest.InternalError()))
				var err error
				for range 100 {
					_, err = tr.callPool(t.Context(), failing, optFns...)
				}
				requireAs[ratelimit.QuotaExceededError](t, err)
				assert.Equal(t, 1, cognitosync.InspectError(err).Attempts)

				tr.server.Script(healthy, cognitosynctest.InternalError())
				_, err = tr.callPool(t.Context(), healthy, optFns...)
				if test.retried {
					assert.NoError(t, err)
				} else {
					requireAs[ratelimit.QuotaExceededError](t, err)
				}

				_, err = tr.callPool(t.Context(), failing, func(o *cognitosync.Options) { o.Region = "eu-west-1" })
				requireAs[ratelimit.QuotaExceededError](t, err)
			})
		})
	}
}

// A releasingRetryer records how its attempt tokens are returned. The functions that return
// tokens can fail.
type releasingRetryer struct {
	aws.RetryerV2
	attempt, retry error // of the functions that return the tokens
	released       []error
}

func (r *releasingRetryer) GetAttemptToken(context.Context) (func(error) error, error) {
	return func(err error) error { r.released = append(r.released, err); return r.attempt }, nil
}

func (r *releasingRetryer) GetRetryToken(context.Context, error) (func(error) error, error) {
	return func(error) error { return r.retry }, nil
}

// TestTokenCannotBeReturned checks that the error of a function that returns a token is
// added to a failure, and ignored after a success.
func TestTokenCannotBeReturned(t *testing.T) {
	t.Parallel()
	errAttempt, errRetry := errors.New("no attempt token returned"), errors.New("no retry token returned")
	for _, test := range []struct {
		name           string
		attempt, retry error
		steps          []cognitosynctest.Step
		requests       int
		fails          bool
	}{
		{"attempt token, success", errAttempt, nil, nil, 1, false},
		{"both tokens, success after a failure", errAttempt, errRetry, []cognitosynctest.Step{cognitosynctest.InternalError()}, 2, false},
		{"attempt token, failure", errAttempt, nil, []cognitosynctest.Step{cognitosynctest.ResourceNotFound()}, 1, true},
		{"retry token, failure", nil, errRetry, []cognitosynctest.Step{cognitosynctest.InternalError(), cognitosynctest.ResourceNotFound()}, 2, true},
		{"both tokens, failure", errAttempt, errRetry, []cognitosynctest.Step{cognitosynctest.InternalError(), cognitosynctest.ResourceNotFound()}, 2, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				retryer := &releasingRetryer{RetryerV2: retry.NewStandard(), attempt: test.attempt, retry: test.retry}
				tr := setup(t, path, func(o *cognitosync.Options) { o.Retryer = retryer })
				tr.script(test.steps...)

				output, err := tr.call(t.Context())

				assert.Equal(t, test.requests, tr.requests())
				assert.Len(t, retryer.released, test.requests)
				if !test.fails {
					require.NoError(t, err)
					assert.NoError(t, retryer.released[test.requests-1])
					return
				}
				requireFailure(t, output, err)
				requireAs[*cognitosync.ResourceNotFoundException](t, err)
				assert.True(t, isA[*cognitosync.ResourceNotFoundException](retryer.released[test.requests-1]))
				for _, reason := range []error{test.attempt, test.retry} {
					if reason != nil {
						require.ErrorIs(t, err, reason)
						assert.Contains(t, err.Error(), reason.Error())
					}
				}
			})
		})
	}
}

// A hookedRetryer replaces some methods of the embedded retryer.
type hookedRetryer struct {
	aws.RetryerV2
	attemptToken func(context.Context) (func(error) error, error)
	delay        func() (time.Duration, error)
}

func (r hookedRetryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	if r.attemptToken == nil {
		return r.RetryerV2.GetAttemptToken(ctx)
	}
	return r.attemptToken(ctx)
}

func (r hookedRetryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if r.delay == nil {
		return r.RetryerV2.RetryDelay(attempt, err)
	}
	return r.delay()
}

// TestNoAttemptToken checks that nothing is sent without an attempt token, and that the
// error still wraps an earlier failure.
func TestNoAttemptToken(t *testing.T) {
	t.Parallel()
	for allowed := range 2 { // attempts
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				asked := 0
				tr := setup(t, path, func(o *cognitosync.Options) {
					o.Retryer = hookedRetryer{RetryerV2: retry.NewStandard(), attemptToken: func(context.Context) (func(error) error, error) {
						if asked++; asked > allowed {
							return nil, errBroken
						}
						return func(error) error { return nil }, nil
					}}
				})
				tr.script(cognitosynctest.Repeat(allowed, cognitosynctest.InternalError()))

				err := tr.fails(t, t.Context())

				require.ErrorIs(t, err, errBroken)
				assert.Equal(t, allowed, tr.requests())
				assert.Equal(t, allowed, cognitosync.InspectError(err).Attempts)
				assert.Equal(t, allowed == 1, isA[*cognitosync.InternalErrorException](err))
			})
		})
	}
}

// TestAttemptTokenIsReturned checks that an attempt token is returned if the call is
// canceled while the retryer provides it.
func TestAttemptTokenIsReturned(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		var released []error
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.Retryer = hookedRetryer{RetryerV2: retry.NewStandard(), attemptToken: func(context.Context) (func(error) error, error) {
				cancel(errOwnCause)
				return func(err error) error { released = append(released, err); return nil }, nil
			}}
		})

		err := tr.fails(t, ctx)

		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errOwnCause)
		require.Len(t, released, 1)
		require.ErrorIs(t, released[0], context.Canceled)
		assert.Zero(t, tr.requests())
	})
}

// TestNoDelay checks that a call ends if the retryer returns an error instead of a delay.
func TestNoDelay(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		records := &clienttest.Records{}
		tr := setup(t, path, func(o *cognitosync.Options) {
			o.StructuredLogger = slog.New(records)
			o.Retryer = hookedRetryer{RetryerV2: retry.NewStandard(), delay: func() (time.Duration, error) { return time.Hour, errBroken }}
		})
		tr.script(cognitosynctest.InternalError())

		err := tr.fails(t, t.Context())

		require.ErrorIs(t, err, errBroken)
		requireAs[*cognitosync.InternalErrorException](t, err)
		assert.Equal(t, 1, tr.requests())
		assert.Empty(t, tr.naps.all())
		logged := records.Take()
		require.Len(t, logged, 1)
		assert.Equal(t, "no delay from the retryer", logged[0]["reason"])
		assert.Equal(t, time.Duration(0), logged[0]["delay"])
	})
}

// TestCancelWithTheResponse cancels the call just as a response arrives. The error is that
// of the response. It also wraps the context's if a retry was due.
func TestCancelWithTheResponse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status   int
		code     string
		canceled bool
	}{
		{http.StatusNotFound, "ResourceNotFoundException", false},
		{http.StatusInternalServerError, "InternalErrorException", true},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				ctx, cancel := context.WithCancelCause(t.Context())
				records := &clienttest.Records{}
				client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
					resp := clienttest.Response(req, test.status, http.Header{"X-Amzn-Errortype": {test.code}}, "")
					cancel(errOwnCause)
					return resp, nil
				})), path, func(o *cognitosync.Options) {
					o.HTTPClient = &http.Client{Transport: o.HTTPClient.(http.RoundTripper)} // does not drop the response when the context is done
					o.StructuredLogger = slog.New(records)
				})

				output, err := describe(ctx, t, client, poolID)

				requireFailure(t, output, err)
				assert.Equal(t, test.code, cognitosync.InspectError(err).Code)
				assert.Equal(t, test.canceled, errors.Is(err, context.Canceled))
				assert.Equal(t, test.canceled, errors.Is(err, errOwnCause))
				assert.Equal(t, test.canceled, isA[*smithy.CanceledError](err))
				logged := records.Take()
				require.Len(t, logged, 1)
				assert.Equal(t, map[bool]string{false: "not retryable", true: "canceled by the caller"}[test.canceled], logged[0]["reason"])
			})
		})
	}
}

// TestServerDelayOfOddNumbers checks that headers without a valid number are ignored.
func TestServerDelayOfOddNumbers(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	for _, test := range []struct {
		milliseconds, seconds string
		want                  time.Duration
	}{
		{"-1", "3", 3 * s},
		{"-1", "", 10 * ms},
		{"", "-1", 10 * ms},
		{"0", "3", 10 * ms},
		{"1", "3", 10 * ms},
		{"10", "3", 10 * ms},
		{"11", "3", 11 * ms},
		{"1e3", "3", 3 * s},
		{"1.5", "3", 3 * s},
		{"9223372036854775808", "3", 3 * s}, // exceeds int64
		{"9223372036854775807", "", 5*s + 10*ms},
		{"", "9223372036854775807", 5*s + 10*ms},
		{"", "5", 5 * s},
		{"", "6", 5*s + 10*ms},
		{"5010", "", 5*s + 10*ms},
		{"5011", "", 5*s + 10*ms},
	} {
		header := http.Header{}
		header.Set("X-Amz-Retry-After", test.milliseconds)
		header.Set("Retry-After", test.seconds)
		assert.Equal(t, test.want, cognitosync.ServerDelay(10*ms, header, time.Now()), "%q, %q", test.milliseconds, test.seconds)
	}
}

// TestQuotaOfTooManyRegions checks that at most 128 regions have their own quota. Any
// further region shares that of the client's region.
func TestQuotaOfTooManyRegions(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		failing := clienttest.Respond(http.StatusInternalServerError, http.Header{"X-Amzn-Errortype": {"InternalErrorException"}}, "")
		client := newClient(configOf(failing), path, usePoolRegion, func(o *cognitosync.Options) { o.RetryMaxAttempts = 2 })
		call := func(region string) error {
			_, err := describe(t.Context(), t, client, region+":1")
			return err
		}
		for exceeded := false; !exceeded; {
			exceeded = isA[ratelimit.QuotaExceededError](call("us-east-1"))
		}
		for i := range 128 {
			err := call(fmt.Sprintf("eu-moon-%d", i))
			require.False(t, isA[ratelimit.QuotaExceededError](err), i)
		}
		assert.True(t, isA[ratelimit.QuotaExceededError](call("eu-moon-128")))
		assert.False(t, isA[ratelimit.QuotaExceededError](call("eu-moon-127")), "this region has its own quota")
	})
}

// TestCancelDuringTheFirstAttempt checks that the log names the cancellation as the reason.
func TestCancelDuringTheFirstAttempt(t *testing.T) {
	t.Parallel()
	bothPaths(t, func(t *testing.T, path string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		records := &clienttest.Records{}
		client := newClient(configOf(clienttest.Doer(func(req *http.Request) (*http.Response, error) {
			cancel(errOwnCause)
			<-req.Context().Done()
			return nil, req.Context().Err()
		})), path, func(o *cognitosync.Options) { o.StructuredLogger = slog.New(records) })
		output, err := describe(ctx, t, client, poolID)
		requireFailure(t, output, err)
		require.ErrorIs(t, err, errOwnCause)
		logged := records.Take()
		require.Len(t, logged, 1)
		assert.Equal(t, "canceled by the caller", logged[0]["reason"])
	})
}

// A passingSigner cancels the call and returns a retryable error.
type passingSigner struct{ cancel func() }

func (s passingSigner) SignHTTP(context.Context, aws.Credentials, *http.Request, string, string, string, time.Time, ...func(*v4.SignerOptions)) error {
	s.cancel()
	return &passingError{}
}

// TestCancelDuringAFailure cancels the call while an attempt fails for another reason. The
// error wraps both.
func TestCancelDuringAFailure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		set  func(o *cognitosync.Options, cancel func())
		is   func(error) bool
	}{
		{"in the signer", func(o *cognitosync.Options, cancel func()) { o.HTTPSignerV4 = passingSigner{cancel} }, isA[*passingError]},
		{"when the token is returned", func(o *cognitosync.Options, cancel func()) {
			o.Retryer = hookedRetryer{RetryerV2: retry.NewStandard(), attemptToken: func(context.Context) (func(error) error, error) {
				return func(error) error { cancel(); return context.Canceled }, nil
			}}
		}, isA[*cognitosync.InternalErrorException]},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bothPaths(t, func(t *testing.T, path string) {
				ctx, cancel := context.WithCancelCause(t.Context())
				tr := setup(t, path, func(o *cognitosync.Options) { test.set(o, func() { cancel(errOwnCause) }) })
				tr.script(alwaysFailing)
				err := tr.fails(t, ctx)
				requireAs[*smithy.CanceledError](t, err)
				require.ErrorIs(t, err, errOwnCause)
				assert.True(t, test.is(err), err)
				assert.Equal(t, 1, cognitosync.InspectError(err).Attempts)
			})
		})
	}
}
