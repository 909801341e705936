package cognitosynctest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxTrackedCalls is how many calls a script of ScriptEachCall tracks by invocation ID.
const maxTrackedCalls = 1 << 12

// A script is the steps that each call goes through.
type script struct {
	acts      []act
	consumed  map[string]int // by invocation ID: how many of acts the call has consumed
	calls     []string       // the keys of consumed, in the order of their first requests
	untracked []int          // at i: how many calls not in consumed have consumed i of acts
	started   bool           // there has been a call
}

func newScript(acts []act) *script {
	return &script{acts: acts, consumed: map[string]int{}, untracked: make([]int, len(acts)+1)}
}

// next returns the next step of the call, if there is one.
func (s *script) next(invocationID string) (step act, ok bool) {
	last := len(s.acts) - 1
	switch consumed := s.consumed[invocationID]; {
	case consumed <= last:
		return s.acts[consumed], true
	default:
		return s.acts[last], s.acts[last].forever
	}
}

// consume moves the call past its next step. A call without an ID ends there.
func (s *script) consume(invocationID string) {
	s.started = true
	if invocationID == "" {
		s.untracked[1]++
		return
	}
	consumed, tracked := s.consumed[invocationID]
	s.consumed[invocationID] = min(consumed+1, len(s.acts))
	if tracked {
		return
	}
	s.calls = append(s.calls, invocationID)
	if len(s.calls) > maxTrackedCalls {
		s.untracked[s.consumed[s.calls[0]]]++
		delete(s.consumed, s.calls[0])
		s.calls = s.calls[1:]
	}
}

// pending returns the steps that each call has left or, before the first call, all steps.
func (s *script) pending(poolID string) []PendingStep {
	if !s.started {
		return pendingSteps(poolID, "", s.acts, 1)
	}
	var pending []PendingStep
	for _, id := range s.calls {
		pending = append(pending, pendingSteps(poolID, id, s.acts[s.consumed[id]:], 1)...)
	}
	for consumed, calls := range s.untracked {
		if calls > 0 {
			pending = append(pending, pendingSteps(poolID, "", s.acts[consumed:], calls)...)
		}
	}
	return pending
}

// A PendingStep is a step that no request has consumed. Several in a row with the same name
// are one PendingStep.
type PendingStep struct {
	PoolID string // the pool that it is scripted for; empty for any
	Call   string // for a step of ScriptEachCall: the invocation ID of the call, if known
	Step   string // name, such as "TooManyRequests" or "OK.CutAfter(10)"
	Count  int    // how often the step is pending
}

// String describes the step in one line.
func (p PendingStep) String() string {
	pool := "any pool"
	if p.PoolID != "" {
		pool = printable(p.PoolID)
	}
	if p.Call != "" {
		pool += ", call " + printable(p.Call)
	}
	if p.Count > 1 {
		return fmt.Sprintf("%s: %s (%d times)", pool, p.Step, p.Count)
	}
	return pool + ": " + p.Step
}

// pendingSteps returns acts as pending steps of the given number of calls.
func pendingSteps(poolID, call string, acts []act, calls int) []PendingStep {
	var pending []PendingStep
	for _, a := range acts {
		last := len(pending) - 1
		switch {
		case a.used:
		case last >= 0 && pending[last].Step == a.name:
			pending[last].Count += calls
		default:
			pending = append(pending, PendingStep{PoolID: poolID, Call: call, Step: a.name, Count: calls})
		}
	}
	return pending
}

// PendingSteps returns the steps of Script and ScriptEachCall that no request has consumed,
// sorted by pool ID. A step of [Forever] is pending until its first request. The steps of
// ScriptEachCall count for each call that has begun or, before the first call, once.
func (s *Server) PendingSteps() []PendingStep {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pending []PendingStep
	for poolID, acts := range s.scripts {
		pending = append(pending, pendingSteps(poolID, "", acts, 1)...)
	}
	for _, poolID := range slices.Collect(maps.Keys(s.eachCall)) {
		pending = append(pending, s.eachCall[poolID].pending(poolID)...)
	}
	slices.SortStableFunc(pending, func(a, b PendingStep) int { return cmp.Compare(a.PoolID, b.PoolID) })
	return pending
}

// Pending returns the number of pending steps: the sum of the Counts of PendingSteps.
func (s *Server) Pending() int { return total(s.PendingSteps()) }

func total(pending []PendingStep) int {
	n := 0
	for _, p := range pending {
		n += p.Count
	}
	return n
}

// Report returns the state of the server over several lines, for the log of a failed test:
// the latest requests with their responses, the pending steps, the known pools, and why
// requests were refused. It contains no session token.
func (s *Server) Report() string { return s.report(0, nil) }

// Watch logs a [Server.Report] if the test fails. The report covers requests since the call
// of Watch. With pool IDs, it is limited to the requests and steps for these pools, and to
// the steps for any pool. Watch is for servers that several tests share; [NewServer] logs
// the report by itself.
func (s *Server) Watch(tb TB, poolIDs ...string) {
	tb.Helper()
	s.mu.Lock()
	since := s.received
	s.mu.Unlock()
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("%s", s.report(since, poolIDs))
		}
	})
}

// maxReported limits each list in a report.
const maxReported = 100

// report returns the report on requests with a number above since, limited to poolIDs if
// there are any.
func (s *Server) report(since int, poolIDs []string) string {
	concerns := func(poolID string) bool { return len(poolIDs) == 0 || slices.Contains(poolIDs, poolID) }
	kept := s.Requests()
	requests := kept.filter(func(r *Request) bool { return r.Number > since && concerns(r.PoolID) })
	pending := slices.DeleteFunc(s.PendingSteps(), func(p PendingStep) bool { return p.PoolID != "" && !concerns(p.PoolID) })
	refused := requests.Refused()

	var b strings.Builder
	fmt.Fprintf(&b, "cognitosynctest: server %s\n", s.URL())
	fmt.Fprintf(&b, "requests: %d\n", len(requests))
	list(&b, requests, func(r Request) string { return fmt.Sprintf("%d. %s", r.Number, r) })
	if forgotten := s.Count() - len(kept); forgotten > 0 {
		fmt.Fprintf(&b, "\t(%d earlier requests not kept: see Options.KeepRequests)\n", forgotten)
	}
	fmt.Fprintf(&b, "pending steps: %d\n", total(pending))
	list(&b, pending, PendingStep.String)
	pools := s.knownPools()
	fmt.Fprintf(&b, "known pools: %d\n", len(pools))
	list(&b, pools, s.describePool)
	if len(refused) > 0 {
		fmt.Fprintf(&b, "refused requests: %d\n", len(refused))
		list(&b, refused, func(r Request) string {
			return fmt.Sprintf("%d. %s", r.Number, strings.ReplaceAll(r.Refusal.String(), "\n", "\n\t\t"))
		})
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// list writes the last maxReported items, one a line.
func list[T any](b *strings.Builder, items []T, line func(T) string) {
	if more := len(items) - maxReported; more > 0 {
		fmt.Fprintf(b, "\t(%d omitted)\n", more)
		items = items[more:]
	}
	for _, item := range items {
		fmt.Fprintf(b, "\t%s\n", line(item))
	}
}

func (s *Server) knownPools() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.pools))
}

// describePool returns the ID, with a note if the server cannot find the pool.
func (s *Server) describePool(poolID string) string {
	if s.options.AnyRegion || inRegion(poolID, s.options.Region) {
		return printable(poolID)
	}
	return printable(poolID) + " (not found: the server's region is " + s.options.Region + ")"
}
