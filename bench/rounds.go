package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// results are the measurements of all rounds.
type results struct {
	when     time.Time
	plan     plan
	machine  string
	versions []string
	clients  []client

	stub     samples[cost]            // one call over the stub
	first    samples[cost]            // constructing a client and its first call, over the stub
	http     map[int]samples[traffic] // by number of goroutines, over plain HTTP
	tls      map[int]samples[traffic] // likewise, over TLS
	inFlight map[int]samples[float64] // bytes of one call, by number of calls in flight
	size     samples[float64]         // bytes of the smallest program
}

// fullyMeasured returns the clients of which everything is measured.
func fullyMeasured(all []client) []client {
	return slices.DeleteFunc(slices.Clone(all), func(c client) bool { return c.stubOnly })
}

// samples are the measurements of each client by name, in the order of the rounds.
type samples[T any] map[string][]T

// values returns the measurement that get selects in each round of a client.
func (s samples[T]) values(name string, get func(T) float64) []float64 {
	all := make([]float64, len(s[name]))
	for round, sample := range s[name] {
		all[round] = get(sample)
	}
	return all
}

// median returns the median of a client's rounds.
func (s samples[T]) median(name string, get func(T) float64) float64 {
	return medianNumber(s.values(name, get))
}

// ratios returns the ratio of a client to another one in each round. Within a round, the two are measured shortly after one
// another, so a slower machine slows down both. The ratio of their medians could compare a fast round of one client with a
// slow round of the other.
func (s samples[T]) ratios(name, base string, get func(T) float64) []float64 {
	all := s.values(name, get)
	for round, value := range s.values(base, get) {
		all[round] /= value
	}
	return all
}

// differences returns the difference between a client and another one in each round.
func (s samples[T]) differences(name, base string, get func(T) float64) []float64 {
	all := s.values(name, get)
	for round, value := range s.values(base, get) {
		all[round] -= value
	}
	return all
}

// measureAll carries out the plan and writes progress messages to progress.
func measureAll(ctx context.Context, p plan, progress io.Writer) (results, error) {
	r := results{
		when:     time.Now(),
		plan:     p,
		machine:  describeMachine(),
		versions: describeVersions(),
		clients:  clients,
		http:     make(map[int]samples[traffic]),
		tls:      make(map[int]samples[traffic]),
		inFlight: make(map[int]samples[float64]),
	}
	id, err := trustedIdentity()
	if err != nil {
		return results{}, err
	}

	fmt.Fprintln(progress, "a call over the stub")
	r.stub, err = interleaved(p.costRounds, clients, func(c client) (cost, error) {
		return measureStub(ctx, c, p.cost)
	})
	if err != nil {
		return results{}, err
	}
	most := fullyMeasured(clients)
	fmt.Fprintln(progress, "a client and its first call")
	r.first, err = interleaved(p.costRounds, most, func(c client) (cost, error) {
		return measureFirst(ctx, c, p.cost)
	})
	if err != nil {
		return results{}, err
	}
	for _, n := range p.inFlight {
		fmt.Fprintf(progress, "%d calls in flight\n", n)
		r.inFlight[n], err = interleaved(p.rounds, most, func(c client) (float64, error) {
			return measureInFlight(ctx, c, n)
		})
		if err != nil {
			return results{}, err
		}
	}
	for _, n := range p.goroutines {
		fmt.Fprintln(progress, count(n, "goroutine"), "over HTTP")
		r.http[n], err = interleaved(p.rounds, most, func(c client) (traffic, error) {
			return measureTraffic(ctx, c, nil, n, p.traffic)
		})
		if err != nil {
			return results{}, err
		}
		fmt.Fprintln(progress, count(n, "goroutine"), "over TLS")
		r.tls[n], err = interleaved(p.rounds, most, func(c client) (traffic, error) {
			return measureTraffic(ctx, c, id, n, p.traffic)
		})
		if err != nil {
			return results{}, err
		}
	}
	fmt.Fprintln(progress, "the smallest programs")
	programs := slices.DeleteFunc(slices.Clone(clients), func(c client) bool { return c.program == "" })
	r.size, err = interleaved(1, programs, func(c client) (float64, error) {
		return programSize(ctx, c)
	})
	return r, err
}

// interleaved measures every client once in each round, so that a temporary load on the machine affects all of them. Each
// round begins with another client.
func interleaved[T any](rounds int, clients []client, measure func(client) (T, error)) (samples[T], error) {
	all := make(samples[T])
	for round := range rounds {
		for turn := range clients {
			c := clients[(round+turn)%len(clients)]
			sample, err := measure(c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			all[c.name] = append(all[c.name], sample)
		}
	}
	return all, nil
}

// medianNumber returns the median of one or more numbers.
func medianNumber(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
