package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// The fake service of the demonstration.
const (
	demoPools = 200
	demoRate  = 20 // requests per second that each region accepts
)

// demo is the fake service, with the pools of two accounts.
type demo struct {
	targets []*target
	servers []*cognitosynctest.Server
}

// demoRegions are the regions of the pools. Their shares add up to 20.
var demoRegions = []struct {
	name  string
	share int
}{{"us-east-1", 9}, {"eu-west-1", 6}, {"ap-southeast-2", 3}, {"eu-central-1", 2}}

func newDemo(ctx context.Context) (*demo, error) {
	d := &demo{}
	random := rand.New(rand.NewPCG(2014, 6)) // the same pools in each run
	regions := make([]string, 0, 20)
	for _, region := range demoRegions {
		for range region.share {
			regions = append(regions, region.name)
		}
	}
	for i, name := range []string{"production", "staging"} {
		server, err := cognitosynctest.Start(func(o *cognitosynctest.Options) { o.AnyRegion = true })
		if err != nil {
			d.close()
			return nil, err
		}
		d.servers = append(d.servers, server)
		cfg := server.Config()
		cfg.Retryer = nil
		cfg.HTTPClient = &http.Client{Transport: &throttle{next: server.RoundTripper(), buckets: make(map[string]*bucket)}}
		a := newAccount(name, cfg, "")
		for n := i; n < demoPools; n += 2 {
			d.addPool(server, a, regions[random.IntN(len(regions))], n, random)
		}
	}
	return d, ctx.Err()
}

// addPool adds the nth pool. Some pools fail, or have unknown values.
func (d *demo) addPool(server *cognitosynctest.Server, a *account, region string, n int, random *rand.Rand) {
	id := fmt.Sprintf("%s:%08x-%04x-4%03x-8%03x-%012x", region, random.Uint32(), n, random.IntN(1<<12), random.IntN(1<<12), random.Uint64()>>16)
	apps := []string{"notes", "photos", "chess", "fitness", "recipes", "weather", "travel", "music"}
	pool := cognitosynctest.Pool{
		IdentityPoolId:    id,
		SyncSessionsCount: aws.Int64(int64(random.ExpFloat64() * 4000)),
		DataStorage:       aws.Int64(int64(random.ExpFloat64() * random.ExpFloat64() * 40e6)),
		LastModifiedDate:  aws.Time(time.Now().Add(-time.Duration(random.ExpFloat64() * 600 * 24 * float64(time.Hour))).Truncate(time.Millisecond)),
	}
	exists := true
	switch n % 40 {
	case 7:
		pool.SyncSessionsCount = nil
	case 11:
		pool.SyncSessionsCount, pool.DataStorage, pool.LastModifiedDate = nil, nil, nil
	case 16:
		server.Script(id, cognitosynctest.Forever(cognitosynctest.AccessDenied()))
	case 23:
		exists = false
	case 28:
		server.Script(id, cognitosynctest.InternalError(), cognitosynctest.BadGateway())
	}
	if exists {
		server.SetPool(pool)
	}
	d.targets = append(d.targets, &target{
		listedPool: listedPool{IdentityPoolID: id, IdentityPoolName: fmt.Sprintf("%s_%d", apps[random.IntN(len(apps))], n)},
		region:     region,
		accounts:   []*account{a},
	})
}

func (d *demo) close() {
	for _, server := range d.servers {
		server.Close()
	}
}

// throttle is a transport that limits the requests per second to each region.
type throttle struct {
	next http.RoundTripper

	mu      sync.Mutex
	buckets map[string]*bucket
}

// bucket holds tokens for the requests of one second.
type bucket struct {
	tokens float64
	last   time.Time
}

func (t *throttle) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.accept(regionIn(strings.ReplaceAll(lastSegment(r.URL.EscapedPath()), "%3A", ":"))) {
		return t.next.RoundTrip(r)
	}
	return &http.Response{
		Status:     "429 Too Many Requests",
		StatusCode: http.StatusTooManyRequests,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"X-Amzn-Errortype": {"TooManyRequestsException:"}},
		Body:    io.NopCloser(strings.NewReader(`{"message":"Rate exceeded"}`)),
		Request: r, ContentLength: -1,
	}, nil
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func (t *throttle) accept(region string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	b := t.buckets[region]
	if b == nil {
		b = &bucket{tokens: demoRate, last: now}
		t.buckets[region] = b
	}
	b.tokens = min(demoRate, b.tokens+demoRate*now.Sub(b.last).Seconds())
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
