package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// An inFlightRequest asks how much memory one of n calls holds while all of them wait for their responses.
type inFlightRequest struct {
	Client string
	Calls  int
}

type inFlightResult struct {
	Bytes float64 // heap and goroutine stack of one call
}

// measureInFlight returns how many bytes of heap and goroutine stack one call of c holds while n of them wait for their
// responses. It measures in a new process, because an old one would reuse the stacks of ended goroutines.
func measureInFlight(ctx context.Context, c client, n int) (float64, error) {
	process, err := startChild(ctx, inFlightRole)
	if err != nil {
		return 0, err
	}
	var result inFlightResult
	err = process.request(inFlightRequest{Client: c.name, Calls: n}, &result)
	return result.Bytes, errors.Join(err, process.end(nil))
}

// runInFlight is the role of that process. It reads an inFlightRequest from in and writes the result to out.
func runInFlight(in io.Reader, out io.Writer) error {
	if err := clearAWSEnvironment(); err != nil {
		return err
	}
	var request inFlightRequest
	if err := json.NewDecoder(in).Decode(&request); err != nil {
		return err
	}
	for _, c := range clients {
		if c.name != request.Client {
			continue
		}
		bytes, err := bytesInFlight(context.Background(), c, request.Calls)
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(inFlightResult{Bytes: bytes})
	}
	return fmt.Errorf("unknown client %q", request.Client)
}

// errNotSent is the error if a call returns without sending its request.
var errNotSent = errors.New("a call returned without sending its request")

// bytesInFlight blocks n calls of c in the transport, and returns how many bytes one of them holds.
func bytesInFlight(ctx context.Context, c client, n int) (float64, error) {
	gate := newGatedStub()
	s, err := loadSettings(ctx, "", gate)
	if err != nil {
		return 0, err
	}
	do := c.construct(s)
	// The first call includes one-time initialization.
	if err := do(ctx); err != nil {
		return 0, err
	}

	gate.shut()
	before := memoryHeld()
	errs := make(chan error, n)
	for range n {
		go func() { errs <- do(ctx) }()
	}
	for range n {
		select {
		case <-gate.arrived:
		case early := <-errs:
			gate.open()
			return 0, errors.Join(errNotSent, early)
		}
	}
	after := memoryHeld()
	gate.open()

	for range n {
		err = errors.Join(err, <-errs)
	}
	return (after - before) / float64(n), err
}

// memoryHeld returns the bytes of heap and goroutine stacks in use, after garbage collection.
func memoryHeld() float64 {
	// The second collection frees what the first leaves in pools and to finalizers.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) + float64(m.StackInuse)
}
