package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/cognitosync/cognitosync-go"
)

// maxHeld bounds the number of pools that are waiting or in flight.
const maxHeld = 10_000

// run is the state of one range over the results. Only the ranging goroutine uses it. Each
// call has its own goroutine, which sends its outcome to done.
type run struct {
	options Options
	client  cognitosync.DescribeIdentityPoolUsageAPIClient
	ctx     context.Context // of the calls
	regions regions

	held     int // pools waiting or in flight
	inFlight int
	done     chan call // has a buffer for all calls in flight
}

// pool is a pool that is waiting or in flight.
type pool struct {
	id           string
	region       *region
	attempts     int       // requests so far
	failures     int       // calls so far, all of which failed
	firstFailure time.Time // zero without failures
	lastErr      error     // of the last call
	notBefore    time.Time // the earliest time of the next call
}

// call is a call for a pool and, once it has ended, its outcome.
type call struct {
	pool    *pool
	started time.Time
	out     *cognitosync.DescribeIdentityPoolUsageOutput
	err     error
}

// each queries all pools and yields their results until yield returns false.
func (r *run) each(ids <-chan string, yield func(Result) bool) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		if r.ctx.Err() != nil {
			r.interrupt(yield)
			return
		}
		if !r.giveUp(now, yield) || ids == nil && r.held == 0 {
			return
		}
		r.startCalls(now)

		takeID := ids
		if r.held >= maxHeld {
			takeID = nil
		}
		timer.Reset(r.untilNext(now))
		select {
		case <-r.ctx.Done():
		case <-timer.C:
		case id, more := <-takeID:
			if !more {
				ids = nil
				continue
			}
			r.held++
			p := &pool{id: id, region: r.regions.of(id)}
			p.region.queue.push(p)
		case ended := <-r.done:
			if result, final := r.finish(ended, time.Now()); final && !yield(result) {
				return
			}
		}
	}
}

// giveUp yields the results of the pools that are waiting for a region that is down. It
// reports whether to continue.
func (r *run) giveUp(now time.Time, yield func(Result) bool) bool {
	for _, region := range r.regions.all {
		if !region.isDown(now, r.options.MaxWait) {
			continue
		}
		for region.waiting() > 0 {
			p := region.next(now)
			err := p.lastErr
			if err == nil {
				err = &RegionUnavailableError{Region: regionOf(p.id), For: now.Sub(region.downSince), Err: region.lastErr}
			}
			if !yield(r.failed(p, err)) {
				return false
			}
		}
	}
	return true
}

// startCalls starts all calls that can be made now. The regions take turns.
func (r *run) startCalls(now time.Time) {
	for skipped := 0; skipped < len(r.regions.all) && r.inFlight < r.options.Concurrency; {
		region := r.regions.nextTurn()
		if region.inFlight >= region.maxInFlight(r.options.Concurrency) || region.untilReady(now) > 0 {
			skipped++
			continue
		}
		skipped = 0
		p := region.next(now)
		region.started(now)
		r.inFlight++
		go r.call(call{pool: p, started: now})
	}
}

// untilNext returns the time until there may be something to do, if no call ends and no ID
// arrives before.
func (r *run) untilNext(now time.Time) time.Duration {
	wait := notReady
	for _, region := range r.regions.all {
		// Without a free slot, only the end of a call matters.
		if r.inFlight < r.options.Concurrency && region.inFlight < region.maxInFlight(r.options.Concurrency) {
			wait = min(wait, region.untilReady(now))
		}
		if region.waiting() > 0 {
			wait = min(wait, region.untilDown(now, r.options.MaxWait))
		}
	}
	return wait
}

// call makes the call c and sends its outcome to done.
func (r *run) call(c call) {
	c.out, c.err = r.client.DescribeIdentityPoolUsage(r.ctx,
		&cognitosync.DescribeIdentityPoolUsageInput{IdentityPoolId: aws.String(c.pool.id)}, withoutRetries)
	r.done <- c
}

// finish records a call that has ended and returns the pool's result. If it is not final, the
// pool waits for its next call.
func (r *run) finish(c call, now time.Time) (result Result, final bool) {
	p := c.pool
	r.inFlight--
	p.region.inFlight--
	p.attempts += c.attempts()

	failure := classify(c.err)
	switch {
	case c.err == nil:
		p.region.responded(c.started, now)
		return r.succeeded(p, c.out), true
	case r.ctx.Err() != nil && (failure != permanent || errors.Is(c.err, r.ctx.Err())):
		return r.interrupted(p, c.err), true
	case failure == permanent:
		if isResponse(c.err) {
			p.region.responded(c.started, now)
		}
		return r.failed(p, c.err), true
	}

	minDelay := retryAfter(c.err)
	p.region.failed(c.started, now, failure, c.err, minDelay)
	p.failures++
	p.lastErr = c.err
	if p.firstFailure.IsZero() {
		p.firstFailure = now
	}
	delay := max(minDelay, backoff(p.failures, failure))
	p.notBefore = now.Add(delay)
	if p.notBefore.Sub(p.firstFailure) > r.options.MaxWait {
		return r.failed(p, c.err), true
	}
	p.region.retries.push(p)
	if r.options.OnRetry != nil {
		r.options.OnRetry(Retry{
			IdentityPoolId: p.id,
			Region:         regionOf(p.id),
			Err:            c.err,
			Throttled:      failure == throttled,
			Attempts:       p.attempts,
			Delay:          delay,
			Rate:           p.region.finiteRate(),
		})
	}
	return Result{}, false
}

// succeeded returns the result of a pool that was read.
func (r *run) succeeded(p *pool, out *cognitosync.DescribeIdentityPoolUsageOutput) Result {
	r.held--
	usage := &cognitosync.IdentityPoolUsage{} // without usage in the response, all members are unknown
	if out != nil && out.IdentityPoolUsage != nil {
		usage = out.IdentityPoolUsage
	}
	return Result{IdentityPoolId: p.id, Region: regionOf(p.id), Usage: usage, Attempts: p.attempts}
}

// failed returns the result of a pool that will not be queried again.
func (r *run) failed(p *pool, err error) Result {
	r.held--
	return Result{IdentityPoolId: p.id, Region: regionOf(p.id), Err: err, Attempts: p.attempts}
}

// interrupt yields the results of the pools that have been queried when the context ends.
func (r *run) interrupt(yield func(Result) bool) {
	for r.inFlight > 0 {
		if result, _ := r.finish(<-r.done, time.Now()); !yield(result) {
			return
		}
	}
	for _, region := range r.regions.all {
		for region.retries.Len() > 0 {
			if !yield(r.interrupted(region.retries.pop(), nil)) {
				return
			}
		}
	}
}

// interrupted returns the result of a pool whose calls were ended by the context. err is the
// outcome of a call that was in flight, or nil.
func (r *run) interrupted(p *pool, err error) Result {
	last := p.lastErr
	if !errors.Is(err, r.ctx.Err()) { // no call was in flight, or it failed on its own
		if err != nil {
			last = err
		}
		err = context.Cause(r.ctx)
		if !errors.Is(err, r.ctx.Err()) {
			err = fmt.Errorf("%w: %w", r.ctx.Err(), err)
		}
	}
	if last != nil {
		err = fmt.Errorf("%w; the last failure: %w", err, last)
	}
	return r.failed(p, err)
}

// wait waits for all calls in flight.
func (r *run) wait() {
	for ; r.inFlight > 0; r.inFlight-- {
		<-r.done
	}
}

// attempts returns the number of requests that the call has sent.
func (c call) attempts() int {
	if c.err != nil {
		details := cognitosync.InspectError(c.err)
		if details.Attempts == 0 && details.Code != "" {
			return 1 // the service has responded, but the client does not report its attempts
		}
		return details.Attempts
	}
	if c.out != nil {
		if made, ok := retry.GetAttemptResults(c.out.ResultMetadata); ok {
			return len(made.Results)
		}
	}
	return 1
}
