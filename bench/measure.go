package main

import (
	"context"
	"runtime"
	"time"
)

// A cost is the cost of a call when one goroutine makes one call after the other.
type cost struct {
	nanoseconds float64
	bytes       float64
	allocs      float64
}

// Functions that select a measurement.
func callTime(c cost) float64   { return c.nanoseconds }
func callBytes(c cost) float64  { return c.bytes }
func callAllocs(c cost) float64 { return c.allocs }

// batch is the number of calls between two readings of the clock, so that these do not affect the result.
const batch = 32

// measureCost makes calls for about d and returns the cost of one.
func measureCost(ctx context.Context, do call, d time.Duration) (cost, error) {
	// The first calls include one-time initialization and the growth of the stack.
	for range batch {
		if err := do(ctx); err != nil {
			return cost{}, err
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start, elapsed, calls := time.Now(), time.Duration(0), 0
	for elapsed < d {
		for range batch {
			if err := do(ctx); err != nil {
				return cost{}, err
			}
		}
		calls += batch
		elapsed = time.Since(start)
	}
	runtime.ReadMemStats(&after)
	n := float64(calls)
	return cost{
		nanoseconds: float64(elapsed.Nanoseconds()) / n,
		bytes:       float64(after.TotalAlloc-before.TotalAlloc) / n,
		allocs:      float64(after.Mallocs-before.Mallocs) / n,
	}, nil
}

// measureStub returns the cost of a call of c over the stub.
func measureStub(ctx context.Context, c client, d time.Duration) (cost, error) {
	s, err := loadSettings(ctx, "", newStub())
	if err != nil {
		return cost{}, err
	}
	return measureCost(ctx, c.construct(s), d)
}

// measureFirst returns the cost of constructing c from loaded settings and of its first call over the stub.
func measureFirst(ctx context.Context, c client, d time.Duration) (cost, error) {
	s, err := loadSettings(ctx, "", newStub())
	if err != nil {
		return cost{}, err
	}
	return measureCost(ctx, func(ctx context.Context) error { return c.construct(s)(ctx) }, d)
}
