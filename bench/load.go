package main

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A traffic has the measurements of a client that several goroutines share.
type traffic struct {
	perSecond   float64
	p50, p99    float64 // nanoseconds per call
	connections float64 // opened in total
	bytes       float64 // allocated by the client's process per call
	allocs      float64 // likewise
}

// Functions that select a measurement.
func callsPerSecond(t traffic) float64    { return t.perSecond }
func openedConnections(t traffic) float64 { return t.connections }

// measureTraffic calls a new fake service on loopback for d, with c and its default HTTP client, from the given number of
// goroutines.
func measureTraffic(ctx context.Context, c client, id *identity, goroutines int, d time.Duration) (traffic, error) {
	s, err := startServer(ctx, id, goroutines)
	if err != nil {
		return traffic{}, err
	}
	t, err := driveEndpoint(ctx, c, s.endpoint, goroutines, d)
	connections, stopErr := s.stop()
	t.connections = float64(connections)
	return t, errors.Join(err, stopErr)
}

// driveEndpoint is drive with c and its default HTTP client at endpoint.
func driveEndpoint(ctx context.Context, c client, endpoint string, goroutines int, d time.Duration) (traffic, error) {
	s, err := loadSettings(ctx, endpoint, nil)
	if err != nil {
		return traffic{}, err
	}
	return drive(ctx, c.construct(s), goroutines, d)
}

// drive makes calls from the given number of goroutines for d, after each has made one call that does not count.
func drive(ctx context.Context, do call, goroutines int, d time.Duration) (traffic, error) {
	err := onGoroutines(ctx, goroutines, func(ctx context.Context, _ int) error { return do(ctx) })
	if err != nil {
		return traffic{}, err
	}

	// Allocated before the clock starts. No call over a socket is faster than this.
	const fastest = 10 * time.Microsecond
	durations := make([][]time.Duration, goroutines)
	for i := range durations {
		durations[i] = make([]time.Duration, 0, int(d/fastest)/goroutines)
	}

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	err = onGoroutines(ctx, goroutines, func(ctx context.Context, i int) error {
		for now := start; now.Sub(start) < d; {
			if err := do(ctx); err != nil {
				return err
			}
			done := time.Now()
			durations[i] = append(durations[i], done.Sub(now))
			now = done
		}
		return nil
	})
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	if err != nil {
		return traffic{}, err
	}

	all := slices.Concat(durations...)
	slices.Sort(all)
	n := float64(len(all))
	return traffic{
		perSecond: n / elapsed.Seconds(),
		p50:       float64(quantile(all, 0.50)),
		p99:       float64(quantile(all, 0.99)),
		bytes:     float64(after.TotalAlloc-before.TotalAlloc) / n,
		allocs:    float64(after.Mallocs-before.Mallocs) / n,
	}, nil
}

// onGoroutines runs f(ctx, 0) to f(ctx, n-1) concurrently and waits for all of them. It returns the first error, which also
// cancels ctx.
func onGoroutines(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f(ctx, i); err != nil {
				stop(err)
			}
		}()
	}
	wg.Wait()
	return context.Cause(ctx)
}

// quantile returns the smallest of the sorted values that is not exceeded by at least the fraction q of them, or 0 if there
// are none.
func quantile[T time.Duration | float64](sorted []T, q float64) T {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
