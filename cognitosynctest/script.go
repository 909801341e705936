package cognitosynctest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// keptCalls is how many calls a script of ScriptEachCall remembers.
const keptCalls = 1 << 12

// A script is the steps that each call goes through.
type script struct {
	acts   []act
	met    map[string]int // by invocation ID: how many of acts the call has met
	begun  []string       // the invocation IDs in met, in the order of their first requests
	left   []int          // at i: how many calls that are no longer in met have met i of acts
	anyMet bool
}

func newScript(acts []act) *script {
	return &script{acts: acts, met: map[string]int{}, left: make([]int, len(acts)+1)}
}

// next returns the step that the call meets next, if there is one.
func (s *script) next(invocationID string) (step act, ok bool) {
	last := len(s.acts) - 1
	switch met := s.met[invocationID]; {
	case met <= last:
		return s.acts[met], true
	default:
		return s.acts[last], s.acts[last].forever
	}
}

// useUp notes that the call has met its next step. A call without an ID ends with
// that.
func (s *script) useUp(invocationID string) {
	s.anyMet = true
	if invocationID == "" {
		s.left[1]++
		return
	}
	met, known := s.met[invocationID]
	s.met[invocationID] = min(met+1, len(s.acts))
	if known {
		return
	}
	s.begun = append(s.begun, invocationID)
	if len(s.begun) > keptCalls {
		s.left[s.met[s.begun[0]]]++
		delete(s.met, s.begun[0])
		s.begun = s.begun[1:]
	}
}

// pending returns the steps that calls have not met or, before the first call, all.
func (s *script) pending(poolID string) []PendingStep {
	if !s.anyMet {
		return pendingSteps(poolID, "", s.acts, 1)
	}
	var pending []PendingStep
	for _, id := range s.begun {
		pending = append(pending, pendingSteps(poolID, id, s.acts[s.met[id]:], 1)...)
	}
	for met, calls := range s.left {
		if calls > 0 {
			pending = append(pending, pendingSteps(poolID, "", s.acts[met:], calls)...)
		}
	}
	return pending
}

// A PendingStep is a step that no request has met, or several of the same kind in a
// row.
type PendingStep struct {
	PoolID string // that it is scripted for; "" for any
	Call   string // the invocation ID of the call that has not met it, if it was one that began; see ScriptEachCall
	Step   string // what it is, such as "TooManyRequests" or "OK.CutAfter(10)"
	Count  int    // how often
}

// String describes the steps in one line.
func (p PendingStep) String() string {
	pool := "any pool"
	if p.PoolID != "" {
		pool = printable(p.PoolID)
	}
	if p.Call != "" {
		pool += ", call " + printable(p.Call)
	}
	if p.Count > 1 {
		return fmt.Sprintf("%s: %d times %s", pool, p.Count, p.Step)
	}
	return pool + ": " + p.Step
}

// pendingSteps names acts, each of which was not met by so many calls.
func pendingSteps(poolID, call string, acts []act, calls int) []PendingStep {
	var pending []PendingStep
	for _, a := range acts {
		last := len(pending) - 1
		switch {
		case a.met:
		case last >= 0 && pending[last].Step == a.name:
			pending[last].Count += calls
		default:
			pending = append(pending, PendingStep{PoolID: poolID, Call: call, Step: a.name, Count: calls})
		}
	}
	return pending
}

// PendingSteps returns the steps of Script and of ScriptEachCall that were not met, by
// pool. A step of [Forever] counts as met once one request has met it. The steps of
// ScriptEachCall count for each call that has begun or, before the first, once.
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

// Pending returns how many steps of Script and ScriptEachCall were not met, over all
// pools: the sum of the Counts of PendingSteps.
func (s *Server) Pending() int {
	n := 0
	for _, p := range s.PendingSteps() {
		n += p.Count
	}
	return n
}

// Report returns what a failed test should know of the server, over several lines: its
// latest requests with their responses, the steps that were not met, the pools, and why
// requests were refused for their signature. It contains no session token.
func (s *Server) Report() string { return s.report(0, nil) }

// Watch logs, if the test fails, what [Server.Report] returns: the requests since now,
// and with pool IDs only those and the steps for these pools. It is for servers that
// several tests share; the server of [NewServer] does it for its own.
func (s *Server) Watch(tb TB, poolIDs ...string) {
	tb.Helper()
	s.mu.Lock()
	since := s.answers
	s.mu.Unlock()
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("%s", s.report(since, poolIDs))
		}
	})
}

// maxReported is how many requests, steps or pools a report lists of each.
const maxReported = 100

// report is Report of the requests after the first since, for poolIDs or, without
// any, for all pools.
func (s *Server) report(since int, poolIDs []string) string {
	concerns := func(poolID string) bool { return len(poolIDs) == 0 || slices.Contains(poolIDs, poolID) }
	kept := s.Requests()
	requests := kept.filter(func(r *Request) bool { return r.Number > since && concerns(r.PoolID) })
	pending := slices.DeleteFunc(s.PendingSteps(), func(p PendingStep) bool { return p.PoolID != "" && !concerns(p.PoolID) })
	refused := requests.Refused()

	var b strings.Builder
	fmt.Fprintf(&b, "cognitosynctest: %s\n", s.URL())
	section(&b, "requests", requests, func(r Request) string { return fmt.Sprintf("%d. %s", r.Number, r) })
	if forgotten := s.Count() - len(kept); forgotten > 0 {
		fmt.Fprintf(&b, "\t(%d more were not kept)\n", forgotten)
	}
	section(&b, "steps never met", pending, PendingStep.String)
	section(&b, "pools", s.knownPools(), func(poolID string) string { return s.describe(poolID) })
	if len(refused) > 0 {
		section(&b, "refused for their signature", refused, func(r Request) string {
			return fmt.Sprintf("%d. %s", r.Number, strings.ReplaceAll(r.Refusal.String(), "\n", "\n\t"))
		})
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// section writes a list of the latest items under a title.
func section[T any](b *strings.Builder, title string, items []T, line func(T) string) {
	fmt.Fprintf(b, "%s: %d\n", title, len(items))
	if more := len(items) - maxReported; more > 0 {
		fmt.Fprintf(b, "\t(%d more)\n", more)
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

// describe returns the ID, with a remark if a pool with it cannot be found.
func (s *Server) describe(poolID string) string {
	if s.options.AnyRegion || inRegion(poolID, s.options.Region) {
		return printable(poolID)
	}
	return printable(poolID) + " (not found: the server is in " + s.options.Region + ")"
}
