// Package inventory reads the usage of many identity pools: hundreds or hundreds of
// thousands, in many regions, from a service that throttles and sometimes fails.
//
//	for result := range inventory.Run(ctx, client, ids) {
//		if result.Err != nil {
//			...
//		}
//		...
//	}
//
// [Run] queries pools concurrently. It finds the rate that each region accepts and retries pools
// that fail because of throttling or an outage. The memory that it uses does not grow with the
// number of IDs.
//
// The caller supplies the IDs. ListIdentityPools of Amazon Cognito Identity lists the pools of
// an account in a region.
package inventory

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/cognitosync/cognitosync-go"
)

// The defaults of [Options].
const (
	DefaultConcurrency = 16
	DefaultMaxWait     = 10 * time.Minute
)

// Options configure a [Run]. The zero value of a field means its default.
type Options struct {
	// Concurrency is the maximum number of concurrent calls, over all regions. Zero or less
	// means [DefaultConcurrency].
	Concurrency int

	// MaxWait is how long Run retries a pool that fails because of throttling or an outage,
	// counted from its first failure. Run also gives up a region that has sent no good response
	// for this time: the region's remaining pools are not queried and fail with a
	// [*RegionUnavailableError]. Zero means [DefaultMaxWait]. If it is negative, Run queries
	// each pool once and gives up no region.
	MaxWait time.Duration

	// MaxRate is the maximum number of requests per second to each region, evenly spaced.
	// Zero or less means as many as the region accepts, which Run finds out.
	MaxRate float64

	// OnRetry, if not nil, is called each time Run schedules a retry of a pool. The goroutine
	// that ranges over the results calls it, between the iterations of the loop.
	OnRetry func(Retry)
}

// Result is the final outcome for one pool.
type Result struct {
	IdentityPoolId string // as given
	Region         string // the region in the ID; "" if it contains none

	// Usage is the pool's usage. It is non-nil if and only if Err is nil. A nil member is
	// unknown, not zero.
	Usage *cognitosync.IdentityPoolUsage

	// Err is the error of the last call, which [cognitosync.InspectError] describes. It is a
	// [*RegionUnavailableError] if the pool was not queried, and wraps the context's error if
	// the context ended the calls for this pool.
	Err error

	// Attempts is the number of requests sent for the pool, over all calls. For a client that
	// does not report its attempts, a call with a response counts as one.
	Attempts int
}

// Retry describes a failed call that will be repeated.
type Retry struct {
	IdentityPoolId string
	Region         string        // the region in the ID; "" if it contains none
	Err            error         // of the call
	Throttled      bool          // false means an outage
	Attempts       int           // requests sent for the pool so far
	Delay          time.Duration // the minimum time until the next call for the pool
	Rate           float64       // requests per second to the region from now on; 0 means unlimited
}

// RegionUnavailableError is the error of a pool that was not queried because its region has
// sent no good response for [Options.MaxWait].
type RegionUnavailableError struct {
	Region string        // "" for pools whose ID contains no region
	For    time.Duration // since the first failure
	Err    error         // the region's last failure, of another pool
}

// Error names the region and contains its last failure.
func (e *RegionUnavailableError) Error() string {
	region := e.Region
	if region == "" {
		region = "the client's region"
	}
	return fmt.Sprintf("not queried: no good response from %s for %v; the last failure: %v",
		region, e.For.Round(time.Second), e.Err)
}

// Unwrap returns Err.
func (e *RegionUnavailableError) Unwrap() error { return e.Err }

// Run queries the usage of each pool in ids and returns the results in the order in which they
// become known. It sends nothing until the sequence is ranged over. Each range over the sequence
// queries all pools anew.
//
// Every pool that was queried has exactly one Result, and so does every pool of a region that was
// given up. An ID that occurs twice is queried twice. Run takes IDs from ids as it needs them and
// holds at most 10,000 pools. A region that cannot keep up delays the others only when that many
// pools are waiting.
//
// When ctx is done, the sequence ends without delay. Each pool that has been queried but has no
// Result yet gets one with the context's error. Pools that have not been queried have no Result.
// If the loop is left early, Run cancels the calls in flight and waits for them.
//
// The client must be safe for concurrent use and return when its context is done. For a
// [*cognitosync.Client], set UseIdentityPoolRegion in [cognitosync.Options] unless all pools are
// in its region. Run paces every request itself: the client's Retryer decides which errors are
// retried, but its retry quota, delays and adaptive mode do not apply.
//
// Run iterates over ids in a separate goroutine. When the results end, it takes no further ID, but
// it does not wait for a sequence that is blocked.
func Run(
	ctx context.Context, client cognitosync.DescribeIdentityPoolUsageAPIClient, ids iter.Seq[string], optFns ...func(*Options),
) iter.Seq[Result] {
	var options Options
	for _, fn := range optFns {
		fn(&options)
	}
	if options.Concurrency <= 0 {
		options.Concurrency = DefaultConcurrency
	}
	if options.MaxWait == 0 {
		options.MaxWait = DefaultMaxWait
	}
	return func(yield func(Result) bool) {
		callCtx, cancel := context.WithCancel(ctx)
		defer cancel()
		r := &run{
			options: options,
			client:  client,
			ctx:     callCtx,
			regions: newRegions(options.MaxRate),
			done:    make(chan call, options.Concurrency),
		}
		defer r.wait()
		defer cancel()
		r.each(feed(callCtx, ids), yield)
	}
}

// feed sends the IDs until ctx is done.
func feed(ctx context.Context, ids iter.Seq[string]) <-chan string {
	fed := make(chan string)
	go func() {
		defer close(fed)
		for id := range ids {
			select {
			case fed <- id:
			case <-ctx.Done():
				return
			}
		}
	}()
	return fed
}
