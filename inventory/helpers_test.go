package inventory_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/inventory"
)

// poolID returns the ID of the nth pool of a region.
func poolID(region string, n int) string {
	return fmt.Sprintf("%s:00000000-0000-4000-8000-%012x", region, n)
}

// newPools returns n pools of a region, the nth with storage n.
func newPools(region string, n int) []cognitosynctest.Pool {
	pools := make([]cognitosynctest.Pool, n)
	for i := range pools {
		pools[i] = cognitosynctest.Pool{IdentityPoolId: poolID(region, i), DataStorage: aws.Int64(int64(i))}
	}
	return pools
}

func idsOf(pools []cognitosynctest.Pool) []string {
	ids := make([]string, len(pools))
	for i, pool := range pools {
		ids[i] = pool.IdentityPoolId
	}
	return ids
}

// newServer starts an in-memory fake service for all regions.
func newServer(t *testing.T, pools []cognitosynctest.Pool) *cognitosynctest.Server {
	t.Helper()
	return cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) {
		o.AnyRegion = true
		o.InMemory = true
		o.Pools = pools
	})
}

// newClient returns a client with the SDK's defaults that reaches server at AWS's host names. Its
// requests pass through limit, if that is not nil.
func newClient(server *cognitosynctest.Server, limit *limiter) *cognitosync.Client {
	cfg := server.Config()
	cfg.Retryer = nil // the default
	cfg.BaseEndpoint = nil
	transport := server.RoundTripper()
	if limit != nil {
		limit.next = transport
		transport = limit
	}
	cfg.HTTPClient = &http.Client{Transport: transport}
	return cognitosync.NewFromConfig(cfg, func(o *cognitosync.Options) { o.UseIdentityPoolRegion = true })
}

// limiter throttles each region with a bucket that holds the tokens of one second.
type limiter struct {
	next  http.RoundTripper
	rates map[string]float64 // requests per second by region; "" is for all others; 0 throttles all

	mu        sync.Mutex
	buckets   map[string]*bucket
	throttled int
	accepted  map[string][]time.Time
}

type bucket struct {
	tokens float64
	last   time.Time
}

func (l *limiter) RoundTrip(r *http.Request) (*http.Response, error) {
	region := strings.Split(r.URL.Host, ".")[1]
	if l.allow(region) {
		return l.next.RoundTrip(r)
	}
	const body = `{"message":"Rate exceeded"}`
	return &http.Response{
		StatusCode:    http.StatusTooManyRequests,
		Header:        http.Header{"X-Amzn-Errortype": {"TooManyRequestsException:"}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}, nil
}

func (l *limiter) allow(region string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	rate, ok := l.rates[region]
	if !ok {
		rate = l.rates[""]
	}
	if l.buckets == nil {
		l.buckets, l.accepted = make(map[string]*bucket), make(map[string][]time.Time)
	}
	now := time.Now()
	b := l.buckets[region]
	if b == nil {
		b = &bucket{tokens: rate, last: now}
		l.buckets[region] = b
	}
	b.tokens = min(rate, b.tokens+rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.tokens < 1 {
		l.throttled++
		return false
	}
	b.tokens--
	l.accepted[region] = append(l.accepted[region], now)
	return true
}

// collect ranges over all results. It fails the test if a pool has two.
func collect(t *testing.T, results func(func(inventory.Result) bool)) map[string]inventory.Result {
	t.Helper()
	byID := make(map[string]inventory.Result)
	for result := range results {
		if _, ok := byID[result.IdentityPoolId]; ok {
			t.Errorf("two results for %s", result.IdentityPoolId)
		}
		byID[result.IdentityPoolId] = result
	}
	return byID
}

// respond is a client function that responds immediately.
func respond(context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options)) (
	*cognitosync.DescribeIdentityPoolUsageOutput, error,
) {
	return &cognitosync.DescribeIdentityPoolUsageOutput{
		IdentityPoolUsage: &cognitosync.IdentityPoolUsage{DataStorage: aws.Int64(1)},
	}, nil
}
