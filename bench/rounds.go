package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// results are the medians of all rounds. A slice has one element for each client, in their order.
type results struct {
	when     time.Time
	plan     plan
	machine  string
	versions []string
	clients  []client

	stub     []cost            // one call over the stub
	first    []cost            // constructing a client and its first call, over the stub
	http     map[int][]traffic // by number of goroutines, over plain HTTP
	tls      map[int][]traffic // likewise, over TLS
	inFlight map[int][]float64 // bytes of one call, by number of calls in flight
	size     []float64         // bytes of the smallest program; 0 for a client that shares another one's
}

// measureAll carries out the plan and returns the medians. It tells progress what it is at.
func measureAll(ctx context.Context, p plan, progress io.Writer) (results, error) {
	r := results{
		when:     time.Now(),
		plan:     p,
		machine:  describeMachine(),
		versions: describeVersions(),
		clients:  clients,
		http:     make(map[int][]traffic),
		tls:      make(map[int][]traffic),
		inFlight: make(map[int][]float64),
	}
	id, err := trustedIdentity()
	if err != nil {
		return results{}, err
	}

	fmt.Fprintln(progress, "a call over the stub")
	r.stub, err = interleaved(p.rounds, medianCost, func(c client) (cost, error) {
		return measureStub(ctx, c, p.cost)
	})
	if err != nil {
		return results{}, err
	}
	fmt.Fprintln(progress, "a client and its first call")
	r.first, err = interleaved(p.rounds, medianCost, func(c client) (cost, error) {
		return measureFirst(ctx, c, p.cost)
	})
	if err != nil {
		return results{}, err
	}
	for _, n := range p.inFlight {
		fmt.Fprintf(progress, "%d calls in flight\n", n)
		r.inFlight[n], err = interleaved(p.rounds, medianNumber, func(c client) (float64, error) {
			return measureInFlight(ctx, c, n)
		})
		if err != nil {
			return results{}, err
		}
	}
	for _, n := range p.goroutines {
		fmt.Fprintln(progress, count(n, "goroutine"), "over HTTP")
		r.http[n], err = interleaved(p.rounds, medianTraffic, func(c client) (traffic, error) {
			return measureTraffic(ctx, c, nil, n, p.traffic)
		})
		if err != nil {
			return results{}, err
		}
		fmt.Fprintln(progress, count(n, "goroutine"), "over TLS")
		r.tls[n], err = interleaved(p.rounds, medianTraffic, func(c client) (traffic, error) {
			return measureTraffic(ctx, c, id, n, p.traffic)
		})
		if err != nil {
			return results{}, err
		}
	}
	fmt.Fprintln(progress, "the smallest programs")
	r.size, err = interleaved(1, medianNumber, func(c client) (float64, error) {
		if c.program == "" {
			return 0, nil
		}
		return programSize(ctx, c)
	})
	return r, err
}

// interleaved measures every client once in each round, and returns the median of the rounds for each. What disturbs the
// machine for a while thus disturbs all clients, and each round begins with another one.
func interleaved[T any](rounds int, median func([]T) T, measure func(client) (T, error)) ([]T, error) {
	samples := make([][]T, len(clients))
	for round := range rounds {
		for turn := range clients {
			i := (round + turn) % len(clients)
			sample, err := measure(clients[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", clients[i].name, err)
			}
			samples[i] = append(samples[i], sample)
		}
	}
	medians := make([]T, len(clients))
	for i := range medians {
		medians[i] = median(samples[i])
	}
	return medians, nil
}

// medianNumber returns the median of the numbers, of which there must be one or more.
func medianNumber(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// medianOf returns the median of what get takes from the samples.
func medianOf[T any](samples []T, get func(T) float64) float64 {
	numbers := make([]float64, len(samples))
	for i, sample := range samples {
		numbers[i] = get(sample)
	}
	return medianNumber(numbers)
}

// medianCost returns the median of each member.
func medianCost(samples []cost) cost {
	return cost{
		nanoseconds: medianOf(samples, func(c cost) float64 { return c.nanoseconds }),
		bytes:       medianOf(samples, func(c cost) float64 { return c.bytes }),
		allocs:      medianOf(samples, func(c cost) float64 { return c.allocs }),
	}
}

// medianTraffic returns the median of each member.
func medianTraffic(samples []traffic) traffic {
	return traffic{
		perSecond:   medianOf(samples, func(t traffic) float64 { return t.perSecond }),
		p50:         medianOf(samples, func(t traffic) float64 { return t.p50 }),
		p99:         medianOf(samples, func(t traffic) float64 { return t.p99 }),
		connections: medianOf(samples, func(t traffic) float64 { return t.connections }),
		bytes:       medianOf(samples, func(t traffic) float64 { return t.bytes }),
		allocs:      medianOf(samples, func(t traffic) float64 { return t.allocs }),
	}
}
