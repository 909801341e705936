package inventory

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/cognitosync/cognitosync-go"
)

// failure is the kind of a call's error.
type failure int

const (
	permanent failure = iota // another call would fail in the same way
	throttled                // the service wants fewer requests
	outage                   // the service or the network failed
)

var (
	isThrottle  = retry.IsErrorThrottles(retry.DefaultThrottles)
	isRetryable = retry.IsErrorRetryables(retry.DefaultRetryables)
)

// classify returns the kind of an error. The client decides whether it is retryable. If its
// errors do not contain that decision, the SDK's standard rules apply.
func classify(err error) failure {
	details := cognitosync.InspectError(err)
	retryable := details.Retryable || details.Attempts == 0 && (details.Fault == smithy.FaultServer ||
		isThrottle.IsErrorThrottle(err) == aws.TrueTernary || isRetryable.IsErrorRetryable(err) == aws.TrueTernary)
	switch {
	case !retryable:
		return permanent
	case details.StatusCode == http.StatusTooManyRequests, isThrottle.IsErrorThrottle(err) == aws.TrueTernary:
		return throttled
	}
	return outage
}

// isResponse reports whether the service has responded.
func isResponse(err error) bool { return cognitosync.InspectError(err).Code != "" }

// backoff returns the minimum delay before the next call for a pool. It is random so that
// pools that failed together are not queried together again.
func backoff(failures int, failure failure) time.Duration {
	const first = 500 * time.Millisecond
	longest := 30 * time.Second
	if failure == throttled {
		longest = 4 * time.Second // the region's rate does the rest
	}
	delay := min(first<<min(failures-1, 10), longest)
	return delay/2 + rand.N(delay/2)
}

// maxRetryAfter bounds the delay that a response can request.
const maxRetryAfter = time.Minute

// retryAfter returns the delay that the response requests with x-amz-retry-after, in
// milliseconds, or Retry-After, in seconds. It returns 0 if there is none.
func retryAfter(err error) time.Duration {
	var response *awshttp.ResponseError
	if !isResponse(err) || !errors.As(err, &response) || response.Response == nil {
		return 0
	}
	header := response.Response.Header
	for _, source := range []struct {
		name string
		unit time.Duration
	}{{"X-Amz-Retry-After", time.Millisecond}, {"Retry-After", time.Second}} {
		if n, err := strconv.ParseInt(header.Get(source.name), 10, 64); err == nil && n > 0 {
			return time.Duration(min(n, int64(maxRetryAfter/source.unit))) * source.unit
		}
	}
	return 0
}

// withoutRetries is an option function that disables the client's delayed retries: the run
// makes and paces them.
func withoutRetries(o *cognitosync.Options) { o.Retryer = unpaced{o.Retryer} }

// unpaced is a retryer that classifies errors but uses no quota and grants no delayed retry.
// The client's immediate retries, with a corrected clock or renewed credentials, bypass it.
type unpaced struct{ aws.Retryer }

var errPaced = errors.New("retries are up to package inventory")

// RetryDelay ends the call.
func (unpaced) RetryDelay(int, error) (time.Duration, error) { return 0, errPaced }

// GetAttemptToken does not wait, unlike that of an adaptive retryer.
func (unpaced) GetAttemptToken(context.Context) (func(error) error, error) { return release, nil }

// GetInitialToken uses no quota.
func (unpaced) GetInitialToken() func(error) error { return release }

// GetRetryToken uses no quota. The client does not call it, because RetryDelay fails first.
func (unpaced) GetRetryToken(context.Context, error) (func(error) error, error) {
	return release, nil
}

func release(error) error { return nil }
