package inventory

import (
	"container/heap"
	"math"
	"regexp"
	"strings"
	"time"
)

// The rate of a region follows what the service accepts, as TCP follows a network: it rises
// by a little every second and falls by a part when the service objects. Until it first does, there
// is no limit.
const (
	decrease    = 0.7 // what remains of the rate
	increase    = 0.1 // of the rate, each second
	minIncrease = 0.5 // requests a second, each second
	minRate     = 0.2 // requests a second: a region that is down is still queried now and then
	likelyRate  = 5   // requests a second that most services accept
)

// notReady is a duration after which to look again whether there is something to do.
const notReady = time.Hour

// region is a region's waiting pools and the pace at which it is queried.
type region struct {
	queue    queue   // not queried yet
	retries  retries // queried before
	inFlight int

	rate     float64   // requests a second; +Inf: not limited
	maxRate  float64   // bounds rate; +Inf: not at all
	nextCall time.Time // not earlier
	slowed   time.Time // when rate fell last

	hasAnswered bool
	outages     int       // in a row
	downSince   time.Time // the first failure since the last good response; zero if there is none
	lastErr     error     // of that time
	served      counter   // good responses
}

// regions are the regions of all IDs so far.
type regions struct {
	maxRate float64
	byName  map[string]*region
	all     []*region
	turn    int
}

// maxRegions is more than AWS has. IDs can name any number; the others share one.
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

// nextTurn returns each region in turn. There must be one.
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

// waiting returns how many pools wait for a call.
func (r *region) waiting() int { return len(r.queue) + len(r.retries) }

// untilReady returns how long no call may be made; 0 if one may be made now.
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

// next takes out the pool whose turn it is: one that has waited for its next call long enough,
// else a new one. One must be waiting.
func (r *region) next(now time.Time) *pool {
	if len(r.queue) == 0 || len(r.retries) > 0 && !r.retries[0].notBefore.After(now) {
		return r.retries.pop()
	}
	return r.queue.pop()
}

// maxInFlight returns how many calls may be in flight. A region that does not respond must not
// take the slots of the others: each call occupies one until it times out.
func (r *region) maxInFlight(concurrency int) int {
	switch {
	case r.isFailing():
		return 1
	case !r.hasAnswered:
		return max(1, concurrency/4)
	}
	return concurrency
}

// started accounts for the start of a call.
func (r *region) started(now time.Time) {
	r.inFlight++
	r.pause(now, r.interval())
}

// answered accounts for a good response: one that neither throttling nor an outage caused.
func (r *region) answered(started, now time.Time) {
	r.hasAnswered, r.outages, r.downSince, r.lastErr = true, 0, time.Time{}, nil
	r.served.add(now)
	if !math.IsInf(r.rate, 1) && started.After(r.slowed) {
		// At this rate there are so many good responses a second.
		r.rate = min(r.maxRate, r.rate+max(minIncrease, r.rate*increase)/r.rate)
	}
}

// failed accounts for throttling or an outage. The service may have asked for a pause.
func (r *region) failed(started, now time.Time, failure failure, err error, asked time.Duration) {
	if r.downSince.IsZero() {
		r.downSince = now
	}
	r.lastErr = err
	if failure == throttled {
		r.outages = 0
		r.pause(now, asked)
	} else {
		r.outages++
	}
	// Requests from before the rate fell prove nothing about the rate since.
	if (failure == throttled || r.isFailing()) && !started.Before(r.slowed) {
		r.slowDown(now)
	}
}

// isFailing reports whether the region has an outage. A failure or two may be those of single
// pools.
func (r *region) isFailing() bool { return r.outages >= 3 }

// slowDown lowers the rate below what the service seems to accept.
func (r *region) slowDown(now time.Time) {
	accepted := max(likelyRate, r.served.lastSecond(now)) // a run that has just begun has accepted little
	r.rate = max(min(minRate, r.maxRate), decrease*min(r.rate, accepted))
	r.slowed = now
	r.pause(now, r.interval())
}

// pause makes the next call wait.
func (r *region) pause(now time.Time, d time.Duration) {
	if next := now.Add(d); next.After(r.nextCall) {
		r.nextCall = next
	}
}

// interval returns the time between two requests.
func (r *region) interval() time.Duration {
	return time.Duration(float64(time.Second) / r.rate) // 0 for +Inf
}

// finiteRate returns the rate, 0 if it is not limited.
func (r *region) finiteRate() float64 {
	if math.IsInf(r.rate, 1) {
		return 0
	}
	return r.rate
}

// isDown reports whether there has been no good response for maxWait.
func (r *region) isDown(now time.Time, maxWait time.Duration) bool {
	return r.untilDown(now, maxWait) <= 0
}

// untilDown returns after what time without a good response the region counts as down.
func (r *region) untilDown(now time.Time, maxWait time.Duration) time.Duration {
	if r.downSince.IsZero() || maxWait < 0 {
		return notReady
	}
	return r.downSince.Add(maxWait).Sub(now)
}

// counter counts events of the last second, approximately: those of the second before the
// current one count as evenly spread.
type counter struct {
	second        int64 // the current one
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

// retries are pools in the order of their next call.
type retries []*pool

func (r *retries) push(p *pool) { heap.Push(r, p) }
func (r *retries) pop() *pool   { return heap.Pop(r).(*pool) }

// Len, Less, Swap, Push and Pop are for package heap.
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
