//go:build go1.25

package inventory_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/inventory"
)

// With only the client's own retries, most of these pools would fail.
func TestRun_throttledService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pools := newPools("us-east-1", 200)
		limit := &limiter{rates: map[string]float64{"us-east-1": 5}}
		client := newClient(newServer(t, pools), limit)
		start := time.Now()

		got := collect(t, inventory.Run(t.Context(), client, slices.Values(idsOf(pools))))

		require.Len(t, got, len(pools))
		for _, pool := range pools {
			result := got[pool.IdentityPoolId]
			require.NoError(t, result.Err)
			assert.Equal(t, pool.DataStorage, result.Usage.DataStorage)
			assert.Equal(t, "us-east-1", result.Region)
			assert.GreaterOrEqual(t, result.Attempts, 1)
		}
		took := time.Since(start)
		t.Logf("0 of %d lost in %v; %d requests were throttled", len(pools), took, limit.throttled)
		assert.Less(t, took, 60*time.Second) // 39 s is the least
		assert.Less(t, limit.throttled, 60)
	})
}

// All faults at once, in four regions that each accept 5 requests a second.
func TestRun_manyPoolsAndEveryFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pools []cognitosynctest.Pool
		regions := []string{"us-east-1", "eu-west-1", "ap-southeast-2", "eu-central-1"}
		for _, region := range regions {
			pools = append(pools, newPools(region, 1250)...)
		}
		server := newServer(t, pools)
		transient := []cognitosynctest.Step{
			cognitosynctest.Throttle(3),
			cognitosynctest.Repeat(4, cognitosynctest.InternalError()),
			cognitosynctest.BadGateway(),
			cognitosynctest.ServiceUnavailable(),
			cognitosynctest.Reset(),
			cognitosynctest.Hangup(),
			cognitosynctest.Stall(),
			cognitosynctest.OK().CutAfter(10),
			cognitosynctest.OK().StallAfter(10),
			cognitosynctest.OK().After(3 * time.Second),
			cognitosynctest.TooManyRequests().WithHeader("Retry-After", "2"),
			cognitosynctest.Error(503, "ServiceUnavailableException", "later"),
			cognitosynctest.Error(400, "ThrottlingException", "slower"),
		}
		final := map[string]cognitosynctest.Step{
			"AccessDeniedException":     cognitosynctest.AccessDenied(),
			"NotAuthorizedException":    cognitosynctest.NotAuthorized(),
			"InvalidParameterException": cognitosynctest.InvalidParameter(),
			"ResourceNotFoundException": cognitosynctest.ResourceNotFound(),
			"OddException":              cognitosynctest.Error(418, "OddException", "odd"),
			"RedirectNotFollowed":       cognitosynctest.Redirect(307, "https://elsewhere.example/"),
		}
		codes := slices.Sorted(maps.Keys(final))
		want := make(map[string]string) // the code of each pool that cannot be read
		for i, pool := range pools {
			switch {
			case i%10 == 3:
				server.Script(pool.IdentityPoolId, transient[i/10%len(transient)])
			case i%50 == 7:
				code := codes[i/50%len(codes)]
				want[pool.IdentityPoolId] = code
				server.Script(pool.IdentityPoolId, cognitosynctest.Forever(final[code]))
			}
		}
		limit := &limiter{rates: map[string]float64{"": 5}}
		ids := idsOf(pools)
		slices.Sort(ids) // region by region: they overlap only because Run waits for several
		start := time.Now()

		got := collect(t, inventory.Run(t.Context(), newClient(server, limit), slices.Values(ids)))

		require.Len(t, got, len(pools))
		attempts := 0
		for _, pool := range pools {
			result := got[pool.IdentityPoolId]
			attempts += result.Attempts
			if code, ok := want[pool.IdentityPoolId]; ok {
				assert.Equal(t, code, cognitosync.InspectError(result.Err).Code)
				assert.Nil(t, result.Usage)
				continue
			}
			if assert.NoError(t, result.Err) {
				assert.Equal(t, pool.DataStorage, result.Usage.DataStorage)
			}
		}
		assert.Contains(t, []int{0, len(want)}, server.Pending(), "steps that were not met, with or without those that are repeated forever")
		assert.Equal(t, server.Requests().Count()+limit.throttled, attempts, "each request is counted")
		took := time.Since(start)
		t.Logf("%d of %d pools read in %v, the rest is denied, missing or odd; %d requests were throttled",
			len(pools)-len(want), len(pools), took, limit.throttled)
		assert.Less(t, took, 8*time.Minute) // 250 s is the least for 1250 pools
	})
}

func TestRun_throttledRegionDoesNotDelayOthers(t *testing.T) {
	t.Parallel()
	troubles := []struct {
		name string
		rate float64
		step cognitosynctest.Step
	}{
		{"throttled", 1, cognitosynctest.OK()},
		{"silent", 1000, cognitosynctest.Stall()},
	}
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				slow, fast := newPools("us-east-1", 100), newPools("eu-west-1", 400)
				server := newServer(t, slices.Concat(slow, fast))
				for _, pool := range slow {
					server.Script(pool.IdentityPoolId, trouble.step)
				}
				for _, pool := range fast {
					server.Script(pool.IdentityPoolId, cognitosynctest.OK().After(50*time.Millisecond))
				}
				limit := &limiter{rates: map[string]float64{"us-east-1": trouble.rate, "": 1000}}
				start := time.Now()
				var fastTook, took time.Duration

				read := 0
				for result := range inventory.Run(t.Context(), newClient(server, limit), slices.Values(idsOf(slices.Concat(slow, fast)))) {
					require.NoError(t, result.Err)
					if took = time.Since(start); result.Region == "eu-west-1" {
						fastTook = took
					}
					read++
				}

				assert.Equal(t, 500, read)
				t.Logf("the region without trouble took %v, the other %v", fastTook, took)
				assert.Less(t, fastTook, 4*time.Second)
				assert.Greater(t, took, 20*time.Second)
			})
		})
	}
}

// A region that stops responding must not occupy all slots.
func TestRun_regionFallsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent, fast := newPools("us-east-1", 300), newPools("eu-west-1", 4000)
		server := newServer(t, slices.Concat(silent, fast))
		for _, pool := range silent[20:] {
			server.Script(pool.IdentityPoolId, cognitosynctest.Forever(cognitosynctest.Stall()))
		}
		for _, pool := range fast {
			server.Script(pool.IdentityPoolId, cognitosynctest.OK().After(50*time.Millisecond))
		}
		start := time.Now()
		var fastTook time.Duration
		for result := range inventory.Run(t.Context(), newClient(server, nil), slices.Values(idsOf(slices.Concat(silent, fast))),
			func(o *inventory.Options) { o.MaxWait = time.Minute }) {
			if result.Region == "eu-west-1" {
				require.NoError(t, result.Err)
				fastTook = time.Since(start)
			}
		}
		t.Logf("the region that responds took %v", fastTook)
		assert.Less(t, fastTook, 31*time.Second) // 12.5 s, and one timeout of the calls to the silent region
	})
}

func TestRun_speedsUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pools := newPools("us-east-1", 3000)
		limit := &limiter{rates: map[string]float64{"us-east-1": 5}}
		client := newClient(newServer(t, pools), limit)
		time.AfterFunc(20*time.Second, func() {
			limit.mu.Lock()
			defer limit.mu.Unlock()
			limit.rates["us-east-1"] = 1000
		})
		start := time.Now()

		got := collect(t, inventory.Run(t.Context(), client, slices.Values(idsOf(pools))))

		assert.Len(t, got, len(pools))
		took := time.Since(start)
		t.Logf("took %v", took)
		assert.Less(t, took, 90*time.Second) // at 5 a second: 600 s
	})
}

func TestRun_maxRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pools []cognitosynctest.Pool
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			pools = append(pools, newPools(region, 20)...)
		}
		server := newServer(t, pools)
		server.Script(pools[5].IdentityPoolId, cognitosynctest.InternalError(), cognitosynctest.InternalError())
		limit := &limiter{rates: map[string]float64{"": 1000}}

		got := collect(t, inventory.Run(t.Context(), newClient(server, limit), slices.Values(idsOf(pools)),
			func(o *inventory.Options) { o.MaxRate = 4 }))

		assert.Len(t, got, len(pools))
		require.Len(t, limit.accepted, 2)
		for _, times := range limit.accepted {
			require.GreaterOrEqual(t, len(times), 20)
			for i := range times[1:] {
				assert.GreaterOrEqual(t, times[i+1].Sub(times[i]), 250*time.Millisecond)
			}
		}
	})
}

func TestRun_concurrency(t *testing.T) {
	t.Parallel()
	tests := []struct{ concurrency, want int }{{0, 16}, {-1, 16}, {1, 1}, {3, 3}, {40, 40}}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			var inFlight, most int
			sem := make(chan struct{}, 1)
			client := cognitosync.DescribeIdentityPoolUsageFunc(func(
				context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options),
			) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
				sem <- struct{}{}
				inFlight++
				most = max(most, inFlight)
				<-sem
				time.Sleep(time.Second)
				sem <- struct{}{}
				inFlight--
				<-sem
				return &cognitosync.DescribeIdentityPoolUsageOutput{}, nil
			})
			got := collect(t, inventory.Run(t.Context(), client, slices.Values(idsOf(newPools("us-east-1", 200))),
				func(o *inventory.Options) { o.Concurrency = test.concurrency }))
			assert.Len(t, got, 200)
			assert.Equal(t, test.want, most)
		})
	}
}

func TestRun_maxWait(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		maxWait time.Duration
		atLeast time.Duration
		atMost  time.Duration
		once    bool
	}{
		{"default", 0, 9 * time.Minute, inventory.DefaultMaxWait, false},
		{"a minute", time.Minute, 30 * time.Second, time.Minute, false},
		{"never again", -1, 0, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pools := newPools("us-east-1", 10)
				broken := pools[4].IdentityPoolId
				server := newServer(t, pools)
				server.Script(broken, cognitosynctest.Forever(cognitosynctest.InternalError()))
				start := time.Now()
				var retries []inventory.Retry

				got := collect(t, inventory.Run(t.Context(), newClient(server, nil), slices.Values(idsOf(pools)), func(o *inventory.Options) {
					o.MaxWait = test.maxWait
					o.OnRetry = func(r inventory.Retry) { retries = append(retries, r) }
				}))

				require.Len(t, got, len(pools))
				for id, result := range got {
					if id != broken {
						assert.NoError(t, result.Err)
					}
				}
				result := got[broken]
				require.ErrorAs(t, result.Err, new(*cognitosync.InternalErrorException))
				assert.Nil(t, result.Usage)
				assert.Equal(t, server.Requests().ByPool(broken).Count(), result.Attempts)
				assert.Equal(t, test.once, result.Attempts == 1)
				assert.Len(t, retries, result.Attempts-1)
				for i, retry := range retries {
					assert.Equal(t, broken, retry.IdentityPoolId)
					assert.Equal(t, "us-east-1", retry.Region)
					assert.Equal(t, i+1, retry.Attempts)
					assert.False(t, retry.Throttled)
					assert.Positive(t, retry.Delay)
					require.ErrorAs(t, retry.Err, new(*cognitosync.InternalErrorException))
				}
				assert.GreaterOrEqual(t, time.Since(start), test.atLeast)
				assert.LessOrEqual(t, time.Since(start), test.atMost)
			})
		})
	}
}

func TestRun_regionUnavailable(t *testing.T) {
	t.Parallel()
	steps := []struct {
		name string
		step cognitosynctest.Step
		code string
	}{
		{"outage", cognitosynctest.ServiceUnavailable(), "UnknownError"},
		{"throttled forever", cognitosynctest.TooManyRequests(), "TooManyRequestsException"},
		{"silence", cognitosynctest.Stall(), ""},
	}
	for _, test := range steps {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				down, up := newPools("us-east-1", 500), newPools("eu-west-1", 500)
				server := newServer(t, slices.Concat(down, up))
				for _, pool := range down {
					server.Script(pool.IdentityPoolId, cognitosynctest.Forever(test.step))
				}
				start := time.Now()

				got := collect(t, inventory.Run(t.Context(), newClient(server, nil), slices.Values(idsOf(slices.Concat(down, up))),
					func(o *inventory.Options) { o.MaxWait = 2 * time.Minute }))

				require.Len(t, got, 1000)
				notQueried := 0
				for _, result := range got {
					if result.Region == "eu-west-1" {
						require.NoError(t, result.Err)
						continue
					}
					require.Error(t, result.Err)
					assert.Nil(t, result.Usage)
					assert.Equal(t, test.code, cognitosync.InspectError(result.Err).Code)
					if unavailable := new(inventory.RegionUnavailableError); errors.As(result.Err, &unavailable) {
						notQueried++
						assert.Zero(t, result.Attempts)
						assert.Equal(t, "us-east-1", unavailable.Region)
						assert.GreaterOrEqual(t, unavailable.For, 2*time.Minute)
						assert.ErrorContains(t, result.Err, "not queried: no good response from us-east-1 for 2m")
					}
				}
				assert.Greater(t, notQueried, 300)
				assert.Less(t, time.Since(start), 3*time.Minute)
			})
		})
	}
}

// A region that comes back before MaxWait loses nothing.
func TestRun_outageEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pools := newPools("us-east-1", 300)
		server := newServer(t, pools)
		server.Script("", cognitosynctest.Forever(cognitosynctest.ServiceUnavailable()))
		time.AfterFunc(5*time.Minute, server.Reset)

		got := collect(t, inventory.Run(t.Context(), newClient(server, nil), slices.Values(idsOf(pools))))

		require.Len(t, got, len(pools))
		for _, result := range got {
			require.NoError(t, result.Err)
		}
	})
}

func TestRun_retryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		header, value string
		step          cognitosynctest.Step
		want          time.Duration
	}{
		{"seconds", "Retry-After", "20", cognitosynctest.TooManyRequests(), 20 * time.Second},
		{"milliseconds", "X-Amz-Retry-After", "15000", cognitosynctest.InternalError(), 15 * time.Second},
		{"bounded", "Retry-After", "86400", cognitosynctest.TooManyRequests(), time.Minute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pools := newPools("us-east-1", 1)
				server := newServer(t, pools)
				server.Script("", test.step.WithHeader(test.header, test.value))
				start := time.Now()
				got := collect(t, inventory.Run(t.Context(), newClient(server, nil), slices.Values(idsOf(pools))))
				result := got[pools[0].IdentityPoolId]
				require.NoError(t, result.Err)
				assert.Equal(t, 2, result.Attempts)
				assert.GreaterOrEqual(t, time.Since(start), test.want)
				assert.Less(t, time.Since(start), test.want+5*time.Second)
			})
		})
	}
}

// The client still corrects its clock within a call.
func TestRun_clockSkew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pools := newPools("us-east-1", 3)
		server := newServer(t, pools)
		server.Script("", cognitosynctest.Forever(cognitosynctest.SkewedClock(time.Hour)))
		got := collect(t, inventory.Run(t.Context(), newClient(server, nil), slices.Values(idsOf(pools)),
			func(o *inventory.Options) { o.Concurrency = 1 }))
		require.Len(t, got, len(pools))
		attempts := 0
		for _, result := range got {
			require.NoError(t, result.Err)
			attempts += result.Attempts
		}
		assert.Equal(t, 4, attempts)
	})
}

func TestRun_canceled(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	tests := []struct {
		name string
		end  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		{"canceled with a cause", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(5550*time.Millisecond, func() { cancel(cause) })
			return ctx, func() { timer.Stop(); cancel(nil) }
		}, context.Canceled},
		{"out of time", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 5550*time.Millisecond)
		}, context.DeadlineExceeded},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pools := newPools("us-east-1", 100)
				server := newServer(t, pools)
				silent, broken, both := pools[0].IdentityPoolId, pools[1].IdentityPoolId, pools[2].IdentityPoolId
				server.Script(silent, cognitosynctest.Forever(cognitosynctest.Stall()))
				server.Script(broken, cognitosynctest.Forever(cognitosynctest.InternalError()))
				server.Script(both, cognitosynctest.InternalError(), cognitosynctest.Forever(cognitosynctest.Stall()))
				ctx, cancel := test.end(t.Context())
				defer cancel()
				start := time.Now()

				got := collect(t, inventory.Run(ctx, newClient(server, nil), slices.Values(idsOf(pools)),
					func(o *inventory.Options) { o.MaxRate = 10 }))

				assert.Equal(t, 5550*time.Millisecond, time.Since(start))
				queried := make(map[string]bool)
				for _, request := range server.Requests() {
					queried[request.PoolID] = true
				}
				assert.ElementsMatch(t, slices.Collect(maps.Keys(queried)), slices.Collect(maps.Keys(got)))
				assert.Greater(t, len(got), 30)
				assert.Less(t, len(got), 60)
				for id, result := range got {
					switch id {
					case silent:
						require.ErrorIs(t, result.Err, test.want)
						assert.Equal(t, 1, result.Attempts)
					case broken, both:
						require.ErrorIs(t, result.Err, test.want)
						require.ErrorAs(t, result.Err, new(*cognitosync.InternalErrorException))
						assert.Equal(t, "InternalErrorException", cognitosync.InspectError(result.Err).Code)
					default:
						require.NoError(t, result.Err)
					}
				}
				if test.want == context.Canceled {
					require.ErrorIs(t, got[broken].Err, cause)
				}
			})
		})
	}
}

// When the context ends, Run does not wait for a sequence that blocks.
func TestRun_canceledWhileIDsBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		blocked := make(chan struct{})
		defer close(blocked)
		got := collect(t, inventory.Run(ctx, cognitosync.DescribeIdentityPoolUsageFunc(respond), func(yield func(string) bool) {
			if yield(poolID("us-east-1", 1)) {
				<-blocked
			}
		}))
		assert.Len(t, got, 1)
	})
}

func TestRun_breakEndsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pools := newPools("us-east-1", 1000)
		server := newServer(t, pools)
		for _, pool := range pools[10:] {
			server.Script(pool.IdentityPoolId, cognitosynctest.Forever(cognitosynctest.Stall()))
		}
		start, seen := time.Now(), 0
		for result := range inventory.Run(t.Context(), newClient(server, nil), slices.Values(idsOf(pools))) {
			require.NoError(t, result.Err)
			if seen++; seen == 3 {
				break
			}
		}
		assert.Equal(t, 3, seen)
		assert.Zero(t, time.Since(start))
		synctest.Wait()
		requests := server.Requests().Count()
		time.Sleep(time.Hour)
		assert.Equal(t, requests, server.Requests().Count())
	})
}

// The loop is left while Run yields the results of a canceled run or of a region that is down.
func TestRun_breakAtTheEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		timeout time.Duration
	}{
		{"canceled", 30 * time.Second},
		{"region given up", time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := newServer(t, nil)
				server.Script("", cognitosynctest.Forever(cognitosynctest.ServiceUnavailable()))
				ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
				defer cancel()
				for result := range inventory.Run(ctx, newClient(server, nil), slices.Values(idsOf(newPools("us-east-1", 50))),
					func(o *inventory.Options) { o.MaxWait = time.Minute }) {
					require.Error(t, result.Err)
					break
				}
			})
		})
	}
}

// A region that is down does not make Run take IDs without bound.
func TestRun_boundedWhileARegionIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken, seen, most := 0, 0, 0
		ids := func(yield func(string) bool) {
			for taken < 50_000 && yield(poolID("us-east-1", taken)) {
				taken++
			}
		}
		client := cognitosync.DescribeIdentityPoolUsageFunc(func(
			context.Context, *cognitosync.DescribeIdentityPoolUsageInput, ...func(*cognitosync.Options),
		) (*cognitosync.DescribeIdentityPoolUsageOutput, error) {
			return nil, &smithyhttp.RequestSendError{Err: io.ErrUnexpectedEOF}
		})
		for result := range inventory.Run(t.Context(), client, ids) {
			require.Error(t, result.Err)
			synctest.Wait()
			most = max(most, taken-seen)
			seen++
		}
		assert.Equal(t, 50_000, seen)
		assert.LessOrEqual(t, most, 10_002)
		assert.Greater(t, most, 9_000)
	})
}

// A slow source of IDs does not delay the results of the IDs before.
func TestRun_slowIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ids := func(yield func(string) bool) {
			for n := range 3 {
				if !yield(poolID("us-east-1", n)) {
					return
				}
				time.Sleep(time.Hour)
			}
		}
		var times []time.Duration
		for result := range inventory.Run(t.Context(), cognitosync.DescribeIdentityPoolUsageFunc(respond), ids) {
			assert.Equal(t, aws.Int64(1), result.Usage.DataStorage)
			times = append(times, time.Since(start))
		}
		assert.Equal(t, []time.Duration{0, time.Hour, 2 * time.Hour}, times)
	})
}
