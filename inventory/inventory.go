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
// [Run] queries pools concurrently, slows down in each region that throttles it and speeds up
// again, queries pools again that only throttling or an outage has failed, and takes memory
// that does not grow with the number of IDs.
//
// Where IDs come from is up to the caller. ListIdentityPools of Amazon Cognito Identity lists
// the pools of an account and region.
package inventory

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/cognitosync/cognitosync-go"
)

// Defaults of [Options].
const (
	DefaultConcurrency = 16
	DefaultMaxWait     = 10 * time.Minute
)

// Options are the settings of a [Run]. The zero value of each field stands for its default.
type Options struct {
	// Concurrency is the most calls at a time, over all regions. 0 or less means
	// [DefaultConcurrency].
	Concurrency int

	// MaxWait is how long a pool that fails only because of throttling or an outage is queried
	// again, counted from its first failure. A region that has not given a single good response
	// for as long is given up: each of its remaining pools fails with a
	// [RegionUnavailableError] and is not queried. 0 means [DefaultMaxWait]; with a negative value no
	// pool is queried again, and no region is given up.
	MaxWait time.Duration

	// MaxRate is the most requests a second to each region, evenly spaced. 0 or less
	// means as many as the service accepts, which Run finds out.
	MaxRate float64

	// OnRetry is called when a pool is going to be queried again. It is called by the goroutine
	// that ranges over the results, never during an iteration of the loop. nil means nothing is
	// called.
	OnRetry func(Retry)
}

// Result is what is known of one pool in the end.
type Result struct {
	IdentityPoolId string // as it was given
	Region         string // the region in the ID; "" if it contains none

	// Usage is the pool's usage; non-nil if and only if Err is nil. A member that is nil is
	// unknown, not zero.
	Usage *cognitosync.IdentityPoolUsage

	// Err is why the usage is unknown: the error of the last call, which
	// [cognitosync.InspectError] describes, a [RegionUnavailableError], or an error that wraps
	// the context's because the context ended the calls for this pool.
	Err error

	// Attempts is how many requests were sent for the pool, over all calls. A client other than
	// [cognitosync.Client] counts as one request a call.
	Attempts int
}

// Retry is a call that failed because of throttling or an outage and will be made again.
type Retry struct {
	IdentityPoolId string
	Region         string        // the region in the ID; "" if it contains none
	Err            error         // of the call
	Throttled      bool          // the service wants fewer requests; false means an outage
	Attempts       int           // requests for the pool so far
	Delay          time.Duration // the least time until the next call for the pool
	Rate           float64       // requests a second to the region from now on; 0: not limited
}

// RegionUnavailableError says that a pool was not queried because its region has given no good
// response for a long time.
type RegionUnavailableError struct {
	Region string        // "" for pools whose ID contains no region
	For    time.Duration // since the first failure
	Err    error         // the region's last failure, which was another pool's
}

// Error says for how long the region has been unavailable, and its last failure.
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
// become known. Nothing is sent until the sequence is ranged over; each time it is, all pools are
// queried anew.
//
// Every pool that was queried has exactly one Result, and so has every pool of a region that was
// given up. An ID that occurs twice is queried twice. Pools of different regions wait
// for each other only if more than 10,000 pools are waiting; IDs are taken from ids as there
// is room, so memory does not grow with their number.
//
// When ctx is done, the sequence ends without delay: pools with calls in flight or behind them
// have a Result with the error, and those that have not been queried have none. When the loop is
// left early, Run cancels the calls in flight and waits for them.
//
// The client may be any implementation that is safe for concurrent use and returns when its
// context is done. If it is a [cognitosync.Client], set Options.UseIdentityPoolRegion unless all
// pools are in its region. Run paces every request itself, so the client's retry
// quota, delays and adaptive mode do not apply to its calls; which errors can be retried
// remains up to its Retryer.
//
// Run iterates over ids in a goroutine of its own. After the end of the results it takes no
// further ID, but a sequence that blocks just then is not waited for.
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

// feed iterates over ids until ctx is done.
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
