package main

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errNo = errors.New("no")

// kept keeps the compiler from optimizing allocations away.
var kept []byte

// Not parallel, because it would count the allocations of other tests.
func TestMeasureCost(t *testing.T) {
	calls := 0
	c, err := measureCost(t.Context(), func(context.Context) error {
		calls++
		kept = make([]byte, 1<<12)
		return nil
	}, 10*time.Millisecond)

	require.NoError(t, err)
	assert.InDelta(t, 1, c.allocs, 0.5)
	assert.InDelta(t, 1<<12, c.bytes, 1<<11)
	assert.GreaterOrEqual(t, math.Round(c.nanoseconds*float64(calls-batch)), 10e6, "it runs for the given duration")
}

func TestMeasureCostFails(t *testing.T) {
	t.Parallel()
	for _, failing := range []int{1, batch, batch + 1} {
		calls := 0
		_, err := measureCost(t.Context(), func(context.Context) error {
			calls++
			if calls == failing {
				return errNo
			}
			return nil
		}, time.Nanosecond)
		require.ErrorIs(t, err, errNo)
		assert.Equal(t, failing, calls)
	}
}

func TestDrive(t *testing.T) {
	t.Parallel()
	const goroutines = 8
	var calls atomic.Int64
	f, err := drive(t.Context(), func(context.Context) error {
		calls.Add(1)
		return nil
	}, goroutines, time.Millisecond)

	require.NoError(t, err)
	// Each goroutine makes one call before the clock starts, and at least one after.
	assert.GreaterOrEqual(t, calls.Load(), int64(2*goroutines))
	assert.Positive(t, f.perSecond)
	assert.LessOrEqual(t, f.p50, f.p99)
}

func TestDriveFails(t *testing.T) {
	t.Parallel()
	for _, failing := range []int64{1, 2, 3, 10} {
		var calls atomic.Int64
		_, err := drive(t.Context(), func(context.Context) error {
			if calls.Add(1) >= failing {
				return errNo
			}
			return nil
		}, 2, time.Hour)
		require.ErrorIs(t, err, errNo)
	}
}

// The functions wait for one another, so the test only ends if they run concurrently.
func TestOnGoroutines(t *testing.T) {
	t.Parallel()
	const n = 16
	all := make(chan struct{})
	var started atomic.Int64
	var seen [n]atomic.Int64

	err := onGoroutines(t.Context(), n, func(_ context.Context, i int) error {
		seen[i].Add(1)
		if started.Add(1) == n {
			close(all)
		}
		<-all
		return nil
	})

	require.NoError(t, err)
	for i := range seen {
		assert.EqualValues(t, 1, seen[i].Load(), i)
	}
}

func TestOnGoroutinesFails(t *testing.T) {
	t.Parallel()
	err := onGoroutines(t.Context(), 4, func(ctx context.Context, i int) error {
		if i == 2 {
			return errNo
		}
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorIs(t, err, errNo)
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	tests := []struct {
		name   string
		sorted []time.Duration
		q      float64
		want   time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", []time.Duration{7}, 0.99, 7},
		{"median", hundred, 0.50, 50},
		{"p99", hundred, 0.99, 99},
		{"least", hundred, 0, 1},
		{"most", hundred, 1, 100},
		{"p99 of few", []time.Duration{1, 2, 3}, 0.99, 3},
		{"median of three", []time.Duration{1, 2, 3}, 0.50, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, quantile(test.sorted, test.q))
		})
	}
}

// hoard is the number of bytes that a call of hoarder holds. It is a variable to keep the memory off the stack.
var hoard = 64 << 10

// hoarder is a client whose calls hold memory while they wait.
var hoarder = client{name: "hoarder", construct: func(s settings) call {
	return func(ctx context.Context) error {
		held := make([]byte, hoard)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://example.com"+usagePath+poolID, nil)
		if err != nil {
			return err
		}
		resp, err := s.httpClient.Do(req)
		if err != nil {
			return err
		}
		runtime.KeepAlive(held)
		return resp.Body.Close()
	}
}}

// Not parallel, because it would count the memory of other tests.
func TestBytesInFlight(t *testing.T) {
	held, err := bytesInFlight(t.Context(), hoarder, 256)
	require.NoError(t, err)
	assert.InDelta(t, hoard+(16<<10), held, 16<<10) // plus a stack and a request
}

func TestBytesInFlightRejectsCallsThatDoNotWait(t *testing.T) {
	t.Parallel()
	hasty := client{construct: func(settings) call { return func(context.Context) error { return nil } }}
	_, err := bytesInFlight(t.Context(), hasty, 2)
	require.ErrorIs(t, err, errNotSent)
}

func TestMeasureInFlight(t *testing.T) {
	t.Parallel()
	for _, c := range clients {
		held, err := measureInFlight(t.Context(), c, 32)
		require.NoError(t, err, c.name)
		assert.Greater(t, held, 2048.0, c.name) // the minimum size of a stack
	}
}

func TestRunInFlightFails(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, runInFlight(strings.NewReader(`{"Client":"nobody","Calls":1}`), io.Discard), `unknown client "nobody"`)
	require.Error(t, runInFlight(strings.NewReader(`nonsense`), io.Discard))
}
