package main

import (
	"context"
	"runtime"
	"time"
)

// A cost is what one call takes, one after the other on one goroutine.
type cost struct {
	nanoseconds float64
	bytes       float64
	allocs      float64
}

// What a comparison takes from a cost.
func callTime(c cost) float64   { return c.nanoseconds }
func callBytes(c cost) float64  { return c.bytes }
func callAllocs(c cost) float64 { return c.allocs }

// batch is how many calls are made between two looks at the clock, so that these looks cost nothing.
const batch = 32

// measureCost makes calls for about d and returns what one of them took.
func measureCost(ctx context.Context, do call, d time.Duration) (cost, error) {
	// What a client does but once, and growing the stack, is no part of a call.
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

// measureStub returns what a call of c costs over the stub.
func measureStub(ctx context.Context, c client, d time.Duration) (cost, error) {
	s, err := loadSettings(ctx, "", newStub())
	if err != nil {
		return cost{}, err
	}
	return measureCost(ctx, c.construct(s), d)
}

// measureFirst returns what it costs to construct c from settings that are loaded already, and to make its first call
// over the stub.
func measureFirst(ctx context.Context, c client, d time.Duration) (cost, error) {
	s, err := loadSettings(ctx, "", newStub())
	if err != nil {
		return cost{}, err
	}
	return measureCost(ctx, func(ctx context.Context) error { return c.construct(s)(ctx) }, d)
}
