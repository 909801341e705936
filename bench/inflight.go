package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// An inFlightRequest asks what one of that many calls holds while all wait for their answers.
type inFlightRequest struct {
	Client string
	Calls  int
}

// An inFlightAnswer is a call's share.
type inFlightAnswer struct {
	Bytes float64 // heap and goroutine stack
}

// measureInFlight returns how many bytes of heap and goroutine stack one call of c holds while n of them wait for their
// answer. It asks a new process: in a used one, stacks that ended goroutines left behind would be taken for free.
func measureInFlight(ctx context.Context, c client, n int) (float64, error) {
	holder, err := startChild(ctx, inFlightRole)
	if err != nil {
		return 0, err
	}
	var answer inFlightAnswer
	err = holder.ask(inFlightRequest{Client: c.name, Calls: n}, &answer)
	return answer.Bytes, errors.Join(err, holder.end(nil))
}

// holdInFlight is that process: it answers the inFlightRequest that it reads from in.
func holdInFlight(in io.Reader, out io.Writer) error {
	if err := forgetAWS(); err != nil {
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
		bytes, err := heldBy(context.Background(), c, request.Calls)
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(inFlightAnswer{Bytes: bytes})
	}
	return fmt.Errorf("no client %q", request.Client)
}

// errEarlyEnd is reported when a call ended before it was sent.
var errEarlyEnd = errors.New("a call ended before it was sent")

// heldBy makes n calls of c wait in the transport, and returns how many bytes one of them holds.
func heldBy(ctx context.Context, c client, n int) (float64, error) {
	gate := newGatedStub()
	s, err := loadSettings(ctx, "", gate)
	if err != nil {
		return 0, err
	}
	do := c.construct(s)
	// What a client does but once is no part of a call.
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
			return 0, errors.Join(errEarlyEnd, early)
		}
	}
	after := memoryHeld()
	gate.open()

	for range n {
		err = errors.Join(err, <-errs)
	}
	return (after - before) / float64(n), err
}

// memoryHeld returns the bytes of heap and of goroutine stacks in use, without garbage.
func memoryHeld() float64 {
	// The first collection leaves what pools hold and what has a finalizer; the second takes it.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) + float64(m.StackInuse)
}
