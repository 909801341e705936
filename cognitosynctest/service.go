package cognitosynctest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Pool is an identity pool and its usage. A member that is nil is null in the
// service's answer.
type Pool struct {
	IdentityPoolId    string
	SyncSessionsCount *int64
	DataStorage       *int64
	LastModifiedDate  *time.Time // to the millisecond
}

// SetPool adds the pool, or replaces the one with the same id.
func (s *Server) SetPool(pool Pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools[pool.IdentityPoolId] = pool.clone()
}

// clone returns a copy that shares nothing with p.
func (p Pool) clone() Pool {
	p.SyncSessionsCount = clone(p.SyncSessionsCount)
	p.DataStorage = clone(p.DataStorage)
	p.LastModifiedDate = clone(p.LastModifiedDate)
	return p
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// RemovePool makes the service forget the pool: asked for it, it answers with
// ResourceNotFoundException.
func (s *Server) RemovePool(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pools, id)
}

// SetCredentials adds the credentials, or replaces those with the same access
// key.
func (s *Server) SetCredentials(c Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	credentials := slices.DeleteFunc(slices.Clone(s.verifier.Credentials), func(other Credentials) bool {
		return other.AccessKeyID == c.AccessKeyID
	})
	credentials = append(credentials, c)
	s.verifier.Credentials = credentials
}

// Script adds steps for the requests for one pool, or with "" for those for any
// pool: each request that gets past the check of its signature uses up the next
// step, and when there is none left the table of pools answers. Steps for the
// request's own pool come first.
//
// Concurrent requests share the steps in the order in which they come. When each
// of several concurrent calls has to meet the same, use [Server.ScriptEachCall].
func (s *Server) Script(poolID string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[poolID] = append(s.scripts[poolID], Sequence(steps...).acts...)
	s.keepOrClose()
}

// keepOrClose keeps connections open only if no step is about to break one
// silently; see Reset. s.mu is held.
func (s *Server) keepOrClose() {
	for _, scripts := range []map[string][]act{s.scripts, s.eachCall} {
		for _, acts := range scripts {
			if slices.ContainsFunc(acts, act.breaksSilently) {
				s.keepOpen(false)
				return
			}
		}
	}
	s.keepOpen(true)
}

// ScriptEachCall sets steps that every call for the pool, or with "" for any pool,
// goes through from the first on: the first attempt of each call meets the first
// step, its second the second, whatever other calls do. Calls are told apart by
// their Amz-Sdk-Invocation-Id; a request without one is a call of its own. Steps
// of Script come first. Without steps, ScriptEachCall ends what it has set.
func (s *Server) ScriptEachCall(poolID string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eachCall[poolID] = Sequence(steps...).acts
	s.keepOrClose()
	maps.DeleteFunc(s.calls, func(c callOf, _ int) bool { return c.script == poolID })
}

// Pending returns how many steps of Script are left, over all pools.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, acts := range s.scripts {
		n += len(acts)
	}
	return n
}

// Requests returns all requests so far. They are kept until Reset.
func (s *Server) Requests() Requests {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Reset forgets scripts and recorded requests. Pools and credentials stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
	clear(s.scripts)
	clear(s.eachCall)
	clear(s.calls)
	s.keepOrClose()
}

// answer decides what r gets, and records it.
func (s *Server) answer(r *http.Request) *answer {
	s.mu.Lock()
	verifier := s.verifier
	s.mu.Unlock()
	// The costly part, and what is not ours, is done without the lock.
	recorded, a := s.decide(r, verifier.authenticate(r), verifier.now())
	if s.options.OnRequest != nil {
		s.options.OnRequest(recorded)
	}
	return a
}

// decide returns r as it is recorded, and the answer to it.
func (s *Server) decide(r *http.Request, from *authentication, now time.Time) (Request, *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	recorded := newRequest(r, from.body)
	step, rep := s.judge(&recorded, from, now)
	recorded.Time = now.Add(step.clock)

	s.answers++
	if rep.header.Get("Date") == "" {
		rep.header.Set("Date", recorded.Time.UTC().Format(http.TimeFormat))
	}
	if !rep.raw {
		rep.header.Set("X-Amzn-Requestid", fmt.Sprintf("00000000-0000-4000-8000-%012x", s.answers))
	}
	for _, e := range step.edits {
		if e.value == "" {
			rep.header.Del(e.name)
		} else {
			rep.header.Set(e.name, e.value)
		}
	}
	a := &answer{reply: rep, latency: step.latency, drip: step.drip, fault: step.fault, faultAt: step.faultAt}
	if a.fault == noFault || a.faultAt >= 0 {
		recorded.StatusCode = rep.status
		recorded.ErrorCode = rep.header.Get("X-Amzn-Errortype")
		recorded.RequestID = rep.header.Get("X-Amzn-Requestid")
	}
	s.requests = append(s.requests, recorded)
	return recorded, a
}

// judge goes through what AWS goes through: is there such an operation, is the
// request signed, and then what does the service say. It returns the step that
// the request meets, of which a refused request only gets to see the clock. s.mu
// is held.
func (s *Server) judge(r *Request, from *authentication, now time.Time) (act, reply) {
	if r.PoolID == "" {
		return act{}, unknownOperation()
	}
	step, useUp := s.next(r)
	r.Refusal = from.refusalAt(now.Add(step.clock))
	if r.Refusal != nil {
		return act{clock: step.clock}, r.Refusal.reply()
	}
	useUp()
	r.accessKeyID, r.region = from.credentials.AccessKeyID, from.region
	if step.reply != nil {
		return step, step.reply(r)
	}
	return step, s.lookUp(r, from.credentials)
}

// next returns the step that r meets, and a function that uses it up. s.mu is
// held, also when that is called.
func (s *Server) next(r *Request) (step act, useUp func()) {
	for _, script := range []string{r.PoolID, ""} {
		if acts := s.scripts[script]; len(acts) > 0 {
			return acts[0], func() {
				if acts[0].forever {
					return
				}
				s.scripts[script] = acts[1:]
				if acts[0].breaksSilently() {
					s.keepOrClose()
				}
			}
		}
		call := callOf{script, r.InvocationID}
		if acts := s.eachCall[script]; s.calls[call] < len(acts) {
			step := acts[s.calls[call]]
			return step, func() {
				if !step.forever && r.InvocationID != "" {
					s.calls[call]++
				}
			}
		}
	}
	return act{}, func() {}
}

// lookUp answers from the table of pools. s.mu is held.
func (s *Server) lookUp(r *Request, from *Credentials) reply {
	if from.CognitoIdentityUser {
		return notAuthorized()
	}
	if message := from.deny(r.region, r.PoolID); message != "" {
		return accessDenied(message)
	}
	pool, ok := s.pools[r.PoolID]
	if !ok || s.options.AnyRegion && !inRegion(r.PoolID, r.region) {
		return notFound(r.PoolID)
	}
	return usageReply(pool)
}

// inRegion reports whether the id is that of a pool in the region.
func inRegion(poolID, region string) bool {
	before, _, ok := strings.Cut(poolID, ":")
	return !ok || before == region
}

// A callOf is a call, by invocation id, for a script of eachCall.
type callOf struct{ script, invocationID string }
