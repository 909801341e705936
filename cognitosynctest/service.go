package cognitosynctest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Pool is an identity pool and its usage. A member that is nil is null in the
// service's response.
type Pool struct {
	IdentityPoolId    string
	SyncSessionsCount *int64
	DataStorage       *int64
	LastModifiedDate  *time.Time // to the millisecond
}

// SetPool adds the pool, or replaces the one with the same ID. The pool is in the
// region that its ID begins with, and is not found in any other; if its ID begins with
// none, it is found everywhere.
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
// request's own pool come first. Script panics if there would be steps after one of
// [Forever], which are never met; see [Server.ClearScript].
//
// Concurrent requests share the steps in the order in which they come. When each
// of several concurrent calls has to meet the same, use [Server.ScriptEachCall].
func (s *Server) Script(poolID string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[poolID] = Sequence(Step{s.scripts[poolID]}, Sequence(steps...)).acts
	s.keepOrClose()
}

// ScriptEachCall sets steps that every call for the pool, or with "" for any pool,
// goes through from the first on: the first attempt of each call meets the first
// step, its second the second, whatever other calls do. Calls are told apart by
// their Amz-Sdk-Invocation-Id; a request without one is a call of its own. Steps
// of Script come first. Without steps, ScriptEachCall ends what it has set.
//
// A call counts as a new one again after 4,096 others for the same script have begun.
func (s *Server) ScriptEachCall(poolID string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if acts := Sequence(steps...).acts; len(acts) > 0 {
		s.eachCall[poolID] = newScript(acts)
	} else {
		delete(s.eachCall, poolID)
	}
	s.keepOrClose()
}

// ClearScript takes out all steps for the pool, or with "" those for any pool: an
// outage that was scripted with [Forever] is over.
func (s *Server) ClearScript(poolID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.scripts, poolID)
	delete(s.eachCall, poolID)
	s.keepOrClose()
}

// keepOrClose keeps connections open only if no step may be about to break one
// silently; see Reset. s.mu is held.
func (s *Server) keepOrClose() {
	breaks := false
	for _, acts := range s.scripts {
		breaks = breaks || slices.ContainsFunc(acts, act.breaksSilently)
	}
	for _, script := range s.eachCall {
		breaks = breaks || slices.ContainsFunc(script.acts, act.breaksSilently)
	}
	s.keepOpen(!breaks)
}

// Count returns how many requests there have been since the start, the last Reset or
// the last ForgetRequests, including those that KeepRequests does not keep.
func (s *Server) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record.count
}

// Requests returns the requests so far, as far as KeepRequests keeps them. They are
// copies that share nothing with the record.
func (s *Server) Requests() Requests {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record.all()
}

// ForgetRequests forgets the recorded requests. Scripts stay, as far as they are used
// up.
func (s *Server) ForgetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.clear()
}

// Reset forgets scripts and recorded requests. Pools and credentials stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.clear()
	s.peak = s.flying
	clear(s.scripts)
	clear(s.eachCall)
	s.keepOrClose()
}

// answer decides what r gets, and records it. It has run call what is the user's code.
func (s *Server) answer(r *http.Request, run func(code func())) *answer {
	verifier := s.verifierFor(r)
	// The costly part is done without the lock.
	from, now := verifier.authenticate(r), verifier.now()
	d := s.meet(r, from, now)
	for d.step.choose != nil && d.recorded.Refusal == nil {
		run(func() { d.step = d.step.chosen(d.recorded.clone()) })
	}
	a := s.decide(&d, from)
	if s.options.OnRequest != nil {
		run(func() { s.options.OnRequest(d.recorded.clone()) })
	}
	return a
}

// verifierFor returns what checks the signature of r: a server of all regions is, at
// AWS's host names, the service that the name says.
func (s *Server) verifierFor(r *http.Request) *Verifier {
	s.mu.Lock()
	verifier := s.verifier
	s.mu.Unlock()
	if at, ok := parseHost(hostOf(r)); ok && s.options.AnyRegion {
		verifier.Region, verifier.Service = at.region, at.service
	}
	return &verifier
}

// A decision is a request on its way to an answer.
type decision struct {
	recorded Request
	step     act   // that it meets
	reply    reply // if there is one already
	made     bool  // the reply
}

// meet goes through the first part of what AWS goes through: is there such an
// operation, and is the request signed. It finds the step that the request meets, of
// which a refused request only gets to see the clock.
func (s *Server) meet(r *http.Request, from *authentication, now time.Time) decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := s.options.PathPrefix
	if _, ok := parseHost(hostOf(r)); ok {
		prefix = ""
	}
	d := decision{recorded: newRequest(r, prefix, from.body)}
	s.answers++
	d.recorded.Number, d.recorded.Time = s.answers, now
	if d.recorded.PoolID == "" {
		d.reply, d.made = unknownOperation(), true
		return d
	}
	step, useUp := s.next(&d.recorded)
	d.recorded.Time = now.Add(step.clock)
	if refusal := from.refusalAt(d.recorded.Time); refusal != nil {
		d.recorded.Refusal = refusal
		d.step = act{clock: step.clock}
		d.reply, d.made = refusal.reply(), true
		return d
	}
	useUp()
	d.step = step
	d.recorded.Region, d.recorded.principal = from.region, from.credentials.principal(from.region)
	return d
}

// decide is the second part: what the service says. It completes the recorded request,
// and keeps it.
func (s *Server) decide(d *decision, from *authentication) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	recorded, step, rep := &d.recorded, d.step, d.reply
	switch {
	case d.made:
	case step.reply != nil:
		rep = step.reply(recorded)
	default:
		rep = s.lookUp(recorded, from.credentials)
	}
	if rep.header.Get("Date") == "" {
		rep.header.Set("Date", recorded.Time.UTC().Format(http.TimeFormat))
	}
	if !rep.raw {
		rep.header.Set("X-Amzn-Requestid", fmt.Sprintf("00000000-0000-4000-8000-%012x", recorded.Number))
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
		recorded.ErrorCode, _, _ = strings.Cut(rep.header.Get("X-Amzn-Errortype"), ":")
		recorded.RequestID = rep.header.Get("X-Amzn-Requestid")
	}
	s.record.add(*recorded)
	return a
}

// next returns the step that r meets, and a function that uses it up. s.mu is
// held, also when that is called.
func (s *Server) next(r *Request) (step act, useUp func()) {
	for _, poolID := range []string{r.PoolID, ""} {
		if acts := s.scripts[poolID]; len(acts) > 0 {
			return acts[0], func() { s.useUp(poolID) }
		}
		if script := s.eachCall[poolID]; script != nil {
			if step, ok := script.next(r.InvocationID); ok {
				return step, func() { script.useUp(r.InvocationID) }
			}
		}
	}
	return act{}, func() {}
}

// useUp takes the next step of Script from those for the pool, unless it is one of
// Forever. s.mu is held.
func (s *Server) useUp(poolID string) {
	acts := s.scripts[poolID]
	if acts[0].forever {
		acts[0].met = true
		return
	}
	s.scripts[poolID] = acts[1:]
	if acts[0].breaksSilently() {
		s.keepOrClose()
	}
}

// lookUp answers from the table of pools. s.mu is held.
func (s *Server) lookUp(r *Request, from *Credentials) reply {
	if from.CognitoIdentityUser {
		return notAuthorized()
	}
	if message := from.deny(r.Region, r.PoolID); message != "" {
		return accessDenied(message)
	}
	pool, registered := s.pools[r.PoolID]
	switch {
	case registered && inRegion(r.PoolID, r.Region):
		return usageReply(pool)
	case !registered && len(violations(r.PoolID)) > 0:
		return invalidParameter(r.PoolID)
	default:
		return notFound(r.PoolID)
	}
}

// inRegion reports whether a pool with the ID is in the region. An ID that begins with
// no region is that of a pool in all of them.
func inRegion(poolID, region string) bool {
	before, _, ok := strings.Cut(poolID, ":")
	return !ok || before == region || !regionName.MatchString(before)
}

// poolIDPattern and maxPoolID are the constraints that AWS documents for an
// IdentityPoolId.
const (
	poolIDPattern = `[\w-]+:[0-9a-f-]+`
	maxPoolID     = 55
)

var validPoolID = regexp.MustCompile("^" + poolIDPattern + "$")

// violations returns the constraints that the ID violates, in AWS's words. AWS's own
// example, us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE, violates one.
func violations(poolID string) []string {
	var violated []string
	if len(poolID) > maxPoolID {
		violated = append(violated, fmt.Sprintf("Member must have length less than or equal to %d", maxPoolID))
	}
	if !validPoolID.MatchString(poolID) {
		violated = append(violated, "Member must satisfy regular expression pattern: "+poolIDPattern)
	}
	return violated
}
