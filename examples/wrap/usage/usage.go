// Package usage is an example of an internal SDK. It wraps the cognitosync client so
// that all services of a company share one small interface, one policy for retries and
// timeouts, and the same errors and metrics:
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	...
//	pools := usage.New(cfg, func(ctx context.Context, o usage.Observation) {
//		reads.WithLabelValues(o.Outcome).Observe(o.Duration.Seconds())
//	})
//	pool, err := pools.Read(ctx, poolID)
//
// Its tests show how to test such a package. Tests of what depends on the wire use the
// fake service of package cognitosynctest; the others pass a function to [NewFromAPI].
package usage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/cognitosync/cognitosync-go"
)

// The policy for every read.
const (
	// MaxAttempts is the maximum number of requests that a read sends.
	MaxAttempts = 4

	// AttemptTimeout bounds each of these requests.
	AttemptTimeout = 2 * time.Second

	// ReadTimeout bounds the whole read, including the delays between requests. The
	// caller's context can end a read earlier.
	ReadTimeout = 5 * time.Second
)

// The errors that callers can act on. The chain of an error that wraps one of them also
// contains the client's error, with the request ID.
var (
	ErrNotFound    = errors.New("no such identity pool")
	ErrDenied      = errors.New("not allowed to read the identity pool")
	ErrUnavailable = errors.New("cognito sync is not available, try later")
)

// A Reader reads the usage of identity pools. Services accept this interface so that
// their tests can implement it.
type Reader interface {
	// Read returns the usage of the pool with the given ID. A failure wraps
	// [ErrNotFound], [ErrDenied] or [ErrUnavailable], or none of them if only an
	// operator can resolve it.
	Read(ctx context.Context, poolID string) (Usage, error)
}

// Usage is the usage of an identity pool.
type Usage struct {
	PoolID       string
	Sessions     Count
	Storage      Count     // AWS documents no unit
	LastModified time.Time // zero if unknown
}

// Count is a number that may be unknown. The zero value is unknown.
type Count struct {
	N     int64
	Known bool
}

// Observation describes a read for metrics.
type Observation struct {
	Outcome   string // "ok", "not_found", "denied", "unavailable" or "error"
	Attempts  int    // requests sent; 0 if none, or unknown
	Duration  time.Duration
	RequestID string // of the last response; "" if there is none
}

// Client is the [Reader] that calls AWS. It is safe for concurrent use.
type Client struct {
	api     cognitosync.DescribeIdentityPoolUsageAPIClient
	observe func(context.Context, Observation)
}

var _ Reader = (*Client)(nil)

// New returns a client with the settings of cfg and the policy of this package. It
// reads pools in all regions. It calls observe, if that is not nil, after each read.
// Concurrent reads call observe concurrently.
func New(cfg aws.Config, observe func(context.Context, Observation)) *Client {
	return NewFromAPI(cognitosync.NewFromConfig(cfg, applyPolicy), observe)
}

// NewFromAPI is like [New] for an existing client. Of the policy, only [ReadTimeout]
// applies to it.
func NewFromAPI(api cognitosync.DescribeIdentityPoolUsageAPIClient, observe func(context.Context, Observation)) *Client {
	if observe == nil {
		observe = func(context.Context, Observation) {}
	}
	return &Client{api: api, observe: observe}
}

func applyPolicy(o *cognitosync.Options) {
	o.Retryer = retry.AddWithMaxAttempts(o.Retryer, MaxAttempts)
	o.AttemptTimeout = AttemptTimeout
	o.UseIdentityPoolRegion = true
}

// Read returns the usage of the pool with the given ID. Its errors are those of
// [Reader].
func (c *Client) Read(ctx context.Context, poolID string) (Usage, error) {
	started := time.Now()
	limited, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()

	out, err := c.api.DescribeIdentityPoolUsage(limited, &cognitosync.DescribeIdentityPoolUsageInput{
		IdentityPoolId: &poolID,
	})
	kind := classify(ctx, err)
	c.observe(ctx, observation(out, err, kind, time.Since(started)))

	switch {
	case err == nil:
		return fromAPI(poolID, out.IdentityPoolUsage), nil
	case kind != nil:
		return Usage{}, fmt.Errorf("read pool %q: %w: %w", poolID, kind, err)
	}
	return Usage{}, fmt.Errorf("read pool %q: %w", poolID, err)
}

// classify returns the error of this package that err corresponds to, or nil. ctx is
// the caller's: if it is not done, a timeout is that of the policy.
func classify(ctx context.Context, err error) error {
	var notFound *cognitosync.ResourceNotFoundException
	switch {
	case err == nil:
		return nil
	case errors.As(err, &notFound):
		return ErrNotFound
	case cognitosync.IsDenied(err):
		return ErrDenied
	case ctx.Err() != nil:
		return nil // the caller gave up
	case cognitosync.InspectError(err).Retryable, errors.Is(err, context.DeadlineExceeded):
		return ErrUnavailable
	}
	return nil
}

// outcomes are the metric labels of the errors.
var outcomes = map[error]string{
	ErrNotFound:    "not_found",
	ErrDenied:      "denied",
	ErrUnavailable: "unavailable",
	nil:            "error",
}

func observation(out *cognitosync.DescribeIdentityPoolUsageOutput, err, kind error, duration time.Duration) Observation {
	if err != nil {
		details := cognitosync.InspectError(err)
		return Observation{
			Outcome:   outcomes[kind],
			Attempts:  details.Attempts,
			Duration:  duration,
			RequestID: details.RequestID,
		}
	}
	attempts, _ := retry.GetAttemptResults(out.ResultMetadata)
	requestID, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	return Observation{
		Outcome:   "ok",
		Attempts:  len(attempts.Results),
		Duration:  duration,
		RequestID: requestID,
	}
}

// fromAPI converts the usage in a response.
func fromAPI(poolID string, api *cognitosync.IdentityPoolUsage) Usage {
	if api == nil {
		return Usage{PoolID: poolID}
	}
	return Usage{
		PoolID:       poolID,
		Sessions:     newCount(api.SyncSessionsCount),
		Storage:      newCount(api.DataStorage),
		LastModified: aws.ToTime(api.LastModifiedDate),
	}
}

func newCount(n *int64) Count { return Count{N: aws.ToInt64(n), Known: n != nil} }
