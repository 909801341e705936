// Package usage is an example of an internal SDK. It wraps the cognitosync client,
// so that all services of a company see one small interface in their own terms,
// and share the policy for retries and timeouts, the errors and the metrics:
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	...
//	pools := usage.New(cfg, func(ctx context.Context, o usage.Observation) {
//		reads.WithLabelValues(o.Outcome).Observe(o.Duration.Seconds())
//	})
//	pool, err := pools.Read(ctx, poolID)
//
// Its tests show how such a package is tested: against the fake service of
// cognitosynctest what depends on the wire, with a function in place of the client
// what does not.
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

// The policy: what a read may cost, whichever service makes it.
const (
	// MaxAttempts is the most requests that a read sends.
	MaxAttempts = 4

	// AttemptTimeout is how long one of them may take.
	AttemptTimeout = 2 * time.Second

	// ReadTimeout is how long they may take together, waits between them included.
	// A context of the caller can make it shorter.
	ReadTimeout = 5 * time.Second
)

// Why a read fails, as far as callers have a choice of what to do. The client's own
// error, with the request id, is in the chain beside it.
var (
	ErrNotFound    = errors.New("no such identity pool")
	ErrDenied      = errors.New("not allowed to read the identity pool")
	ErrUnavailable = errors.New("cognito sync is not available, try later")
)

// A Reader reads the usage of identity pools. Services ask for this interface, and
// bring one of their own to their tests.
type Reader interface {
	// Read returns the usage of the pool with that id. Its error is ErrNotFound,
	// ErrDenied, ErrUnavailable, or another that only an operator can help with.
	Read(ctx context.Context, poolID string) (Usage, error)
}

// Usage is how much an identity pool holds.
type Usage struct {
	PoolID       string
	Sessions     Count
	Storage      Count     // AWS documents no unit
	LastModified time.Time // zero if it is not known
}

// Count is a number that may not be known. The zero value is not.
type Count struct {
	N     int64
	Known bool
}

// Observation is what there is to measure about a read.
type Observation struct {
	Outcome   string // "ok", "not_found", "denied", "unavailable" or "error"
	Attempts  int    // how many requests were sent; 0 if none or not known
	Duration  time.Duration
	RequestID string // of the last answer; "" if there is none
}

// Client is the [Reader] that asks AWS. It is safe for concurrent use.
type Client struct {
	api     cognitosync.DescribeIdentityPoolUsageAPIClient
	observe func(context.Context, Observation)
}

var _ Reader = (*Client)(nil)

// New returns a client with the settings of cfg, ruled by the policy. It reads pools
// of all regions. observe is called after each read, at times from several
// goroutines at once; nil means nothing is called.
func New(cfg aws.Config, observe func(context.Context, Observation)) *Client {
	return NewFromAPI(cognitosync.NewFromConfig(cfg, applyPolicy), observe)
}

// NewFromAPI is New for a client that is already made. Of the policy only
// ReadTimeout holds for it.
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

// Read implements [Reader].
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

// classify returns which of this package's errors err is, or nil. ctx is the
// caller's: a timeout that is not theirs is ours.
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

// outcomes are the errors as the labels of a metric.
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

// fromAPI returns the service's answer in this package's terms.
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
