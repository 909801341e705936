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

// failure is what the error of a call means for the calls to come.
type failure int

const (
	permanent failure = iota // another call would fail the same way
	throttled                // the service wants fewer requests
	outage                   // the service or the network is out of order
)

var (
	isThrottle  = retry.IsErrorThrottles(retry.DefaultThrottles)
	isRetryable = retry.IsErrorRetryables(retry.DefaultRetryables)
)

// classify returns what an error means. Whether it can be retried is the client's
// decision; an error of a client that does not tell is judged by the SDK's standard rules.
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

// backoff returns the least time before the next call for a pool, chosen at random so
// that pools that failed together do not meet again.
func backoff(failures int, failure failure) time.Duration {
	const first = 500 * time.Millisecond
	longest := 30 * time.Second
	if failure == throttled {
		longest = 4 * time.Second // the region's rate does the rest
	}
	delay := min(first<<min(failures-1, 10), longest)
	return delay/2 + rand.N(delay/2)
}

// maxRetryAfter bounds how long a server can make a pool wait.
const maxRetryAfter = time.Minute

// retryAfter returns what the response asks for: x-amz-retry-after in milliseconds or
// Retry-After in seconds; else 0.
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

// withoutRetries is an option function that leaves retries to the run, which paces them.
func withoutRetries(o *cognitosync.Options) { o.Retryer = unpaced{o.Retryer} }

// unpaced is a retryer that decides what can be retried, but takes no quota and grants no
// delayed retry. What the client retries immediately, with a corrected clock or renewed credentials, does
// not pass through it.
type unpaced struct{ aws.Retryer }

var errPaced = errors.New("left to the inventory")

// RetryDelay ends the call.
func (unpaced) RetryDelay(int, error) (time.Duration, error) { return 0, errPaced }

// GetAttemptToken does not wait, as that of an adaptive retryer would.
func (unpaced) GetAttemptToken(context.Context) (func(error) error, error) { return release, nil }

// GetInitialToken does not count.
func (unpaced) GetInitialToken() func(error) error { return release }

// GetRetryToken is not reached after RetryDelay.
func (unpaced) GetRetryToken(context.Context, error) (func(error) error, error) {
	return release, nil
}

func release(error) error { return nil }
