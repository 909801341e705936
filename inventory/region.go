package inventory

import (
	"container/heap"
	"math"
	"regexp"
	"strings"
	"time"
)

// The rate of a region adapts to what the service accepts, as TCP adapts to a network: it rises
// slowly, and drops to a fraction when the service throttles. Before that there is no limit.
const (
	decrease    = 0.7 // factor
	increase    = 0.1 // fraction of the rate, per second
	minIncrease = 0.5 // requests per second, per second
	minRate     = 0.2 // requests per second: a region that is down must still be probed
	likelyRate  = 5   // requests per second that a region is assumed to accept
)

// notReady is how long to wait when there is no known time for the next step.
const notReady = time.Hour

// region holds the waiting pools of a region and the rate at which it is queried.
type region struct {
	queue    queue   // not queried yet
	retries  retries // queried before
	inFlight int

	rate     float64   // requests per second; +Inf if unlimited
	maxRate  float64   // upper bound of rate; +Inf if there is none
	nextCall time.Time // the earliest time of the next call
	slowed   time.Time // when rate was last lowered

	hasResponded bool
	outages      int       // consecutive
	downSince    time.Time // the first failure since the last good response; zero if there is none
	lastErr      error     // the last one since then
	served       counter   // good responses
}

// regions holds the regions of all IDs so far.
type regions struct {
	maxRate float64
	byName  map[string]*region
	all     []*region
	turn    int
}

// maxRegions is more than AWS has. IDs can name any number of regions; those beyond the
// maximum share one.
const maxRegions = 128

func newRegions(maxRate float64) regions {
	if maxRate <= 0 {
		maxRate = math.Inf(1)
	}
	return regions{maxRate: maxRate, byName: make(map[string]*region)}
}

// of returns the region of a pool.
func (r *regions) of(id string) *region {
	name := regionOf(id)
	if known, ok := r.byName[name]; ok {
		return known
	}
	if len(r.all) >= maxRegions {
		return r.all[0]
	}
	created := &region{rate: r.maxRate, maxRate: r.maxRate}
	r.byName[name] = created
	r.all = append(r.all, created)
	return created
}

// nextTurn returns the regions in turn. There must be at least one.
func (r *regions) nextTurn() *region {
	r.turn = (r.turn + 1) % len(r.all)
	return r.all[r.turn]
}

var regionPattern = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,16}){1,3}-[0-9]{1,2}$`)

// regionOf returns the region in a pool ID, or "" if it contains none.
func regionOf(id string) string {
	before, _, found := strings.Cut(id, ":")
	if !found || !regionPattern.MatchString(before) {
		return ""
	}
	return before
}

// waiting returns the number of pools that are waiting for a call.
func (r *region) waiting() int { return len(r.queue) + len(r.retries) }

// untilReady returns the time until a call may be made, 0 if it may be made now.
func (r *region) untilReady(now time.Time) time.Duration {
	ready := r.nextCall
	switch {
	case len(r.queue) > 0:
	case len(r.retries) > 0:
		if first := r.retries[0].notBefore; first.After(ready) {
			ready = first
		}
	default:
		return notReady
	}
	return max(0, ready.Sub(now))
}

// next removes and returns the pool to query next: one whose delay has passed, or else a new
// one. At least one pool must be waiting.
func (r *region) next(now time.Time) *pool {
	if len(r.queue) == 0 || len(r.retries) > 0 && !r.retries[0].notBefore.After(now) {
		return r.retries.pop()
	}
	return r.queue.pop()
}

// maxInFlight returns how many calls to the region may be in flight. Calls to a region that
// does not respond occupy their slots until they time out, and must leave some to the others.
func (r *region) maxInFlight(concurrency int) int {
	switch {
	case r.isFailing():
		return 1
	case !r.hasResponded:
		return max(1, concurrency/4)
	}
	return concurrency
}

// started records the start of a call.
func (r *region) started(now time.Time) {
	r.inFlight++
	r.pause(now, r.interval())
}

// responded records a good response, that is, one that reports neither throttling nor an outage.
func (r *region) responded(started, now time.Time) {
	r.hasResponded, r.outages, r.downSince, r.lastErr = true, 0, time.Time{}, nil
	r.served.add(now)
	if !math.IsInf(r.rate, 1) && started.After(r.slowed) {
		// About rate responses arrive in a second, so each adds its share of the increase.
		r.rate = min(r.maxRate, r.rate+max(minIncrease, r.rate*increase)/r.rate)
	}
}

// failed records throttling or an outage. minDelay is the delay that the response requests.
func (r *region) failed(started, now time.Time, failure failure, err error, minDelay time.Duration) {
	if r.downSince.IsZero() {
		r.downSince = now
	}
	r.lastErr = err
	if failure == throttled {
		r.outages = 0
		r.pause(now, minDelay)
	} else {
		r.outages++
	}
	// Requests that were sent before the rate was lowered say nothing about the new rate.
	if (failure == throttled || r.isFailing()) && !started.Before(r.slowed) {
		r.slowDown(now)
	}
}

// isFailing reports whether the region seems to have an outage. One or two failures may concern
// single pools only.
func (r *region) isFailing() bool { return r.outages >= 3 }

// slowDown lowers the rate below the rate that the service seems to accept.
func (r *region) slowDown(now time.Time) {
	accepted := max(likelyRate, r.served.lastSecond(now)) // the first second of a run has few responses
	r.rate = max(min(minRate, r.maxRate), decrease*min(r.rate, accepted))
	r.slowed = now
	r.pause(now, r.interval())
}

// pause delays the next call by at least d from now.
func (r *region) pause(now time.Time, d time.Duration) {
	if next := now.Add(d); next.After(r.nextCall) {
		r.nextCall = next
	}
}

// interval returns the minimum time between two requests.
func (r *region) interval() time.Duration {
	return time.Duration(float64(time.Second) / r.rate) // 0 for +Inf
}

// finiteRate returns the rate, or 0 if it is unlimited.
func (r *region) finiteRate() float64 {
	if math.IsInf(r.rate, 1) {
		return 0
	}
	return r.rate
}

// isDown reports whether the region has sent no good response for maxWait.
func (r *region) isDown(now time.Time, maxWait time.Duration) bool {
	return r.untilDown(now, maxWait) <= 0
}

// untilDown returns the time until the region counts as down, if it sends no good response.
func (r *region) untilDown(now time.Time, maxWait time.Duration) time.Duration {
	if r.downSince.IsZero() || maxWait < 0 {
		return notReady
	}
	return r.downSince.Add(maxWait).Sub(now)
}

// counter counts the events of the last second approximately: it assumes that those of the
// previous full second were evenly spread.
type counter struct {
	second        int64 // the current second
	count, before float64
}

func (c *counter) add(now time.Time) {
	c.moveTo(now)
	c.count++
}

func (c *counter) lastSecond(now time.Time) float64 {
	c.moveTo(now)
	remaining := 1 - float64(now.Nanosecond())/float64(time.Second)
	return c.count + c.before*remaining
}

func (c *counter) moveTo(now time.Time) {
	switch second := now.Unix(); second - c.second {
	case 0:
		return
	case 1:
		c.second, c.count, c.before = second, 0, c.count
	default:
		c.second, c.count, c.before = second, 0, 0
	}
}

// queue is a first-in-first-out queue.
type queue []*pool

func (q *queue) push(p *pool) { *q = append(*q, p) }

func (q *queue) pop() *pool {
	first := (*q)[0]
	(*q)[0] = nil // for the garbage collector
	*q = (*q)[1:]
	return first
}

// retries is a heap of pools, ordered by the time of their next call.
type retries []*pool

func (r *retries) push(p *pool) { heap.Push(r, p) }
func (r *retries) pop() *pool   { return heap.Pop(r).(*pool) }

// Len, Less, Swap, Push and Pop implement [heap.Interface].
func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].notBefore.Before(r[j].notBefore) }
func (r retries) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *retries) Push(p any)        { *r = append(*r, p.(*pool)) }
func (r *retries) Pop() any {
	last := len(*r) - 1
	p := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return p
}
