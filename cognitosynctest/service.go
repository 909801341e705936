package cognitosynctest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Pool is an identity pool and its usage. A nil member is null in the response.
type Pool struct {
	IdentityPoolId    string
	SyncSessionsCount *int64
	DataStorage       *int64
	LastModifiedDate  *time.Time // sent with millisecond precision
}

// SetPool adds the pool or replaces the one with the same ID. The server finds it only in
// the region that the ID begins with, or in every region if the ID begins with none.
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

// RemovePool removes the pool. Requests for it then get ResourceNotFoundException.
func (s *Server) RemovePool(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pools, id)
}

// SetCredentials adds the credentials or replaces those with the same access key ID.
func (s *Server) SetCredentials(c Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	credentials := slices.DeleteFunc(slices.Clone(s.verifier.Credentials), func(other Credentials) bool {
		return other.AccessKeyID == c.AccessKeyID
	})
	credentials = append(credentials, c)
	s.verifier.Credentials = credentials
}

// Script appends steps to the script of the pool or, if poolID is empty, to the script of
// any pool. Each request with a valid signature consumes the next step, of its pool's script
// first. When no step is left, the response comes from the table of pools. Script panics if
// a step would follow a step of [Forever], because no request could reach it; see
// [Server.ClearScript].
//
// Concurrent requests consume the steps in the order of arrival. To run each of several
// concurrent calls through the same steps, use [Server.ScriptEachCall].
func (s *Server) Script(poolID string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[poolID] = Sequence(Step{s.scripts[poolID]}, Sequence(steps...)).acts
	s.updateKeepAlives()
}

// ScriptEachCall sets the steps that every call for the pool goes through or, if poolID is
// empty, every call for any pool. The first attempt of each call consumes the first step,
// its second attempt the second, whatever other calls do. Calls differ in their
// Amz-Sdk-Invocation-Id; a request without one is a call of its own. Steps of
// [Server.Script] for the same pool come first. Without steps, ScriptEachCall removes those
// that it has set.
//
// A call counts as new again once 4,096 others have begun with the same script.
func (s *Server) ScriptEachCall(poolID string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if acts := Sequence(steps...).acts; len(acts) > 0 {
		s.eachCall[poolID] = newScript(acts)
	} else {
		delete(s.eachCall, poolID)
	}
	s.updateKeepAlives()
}

// ClearScript removes all steps for the pool or, if poolID is empty, those for any pool. It
// ends an outage that is scripted with [Forever].
func (s *Server) ClearScript(poolID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.scripts, poolID)
	delete(s.eachCall, poolID)
	s.updateKeepAlives()
}

// updateKeepAlives turns keep-alives off while a step may break a connection without a
// response; see [Reset]. s.mu must be held.
func (s *Server) updateKeepAlives() {
	breaks := false
	for _, acts := range s.scripts {
		breaks = breaks || slices.ContainsFunc(acts, act.breaksWithoutResponse)
	}
	for _, script := range s.eachCall {
		breaks = breaks || slices.ContainsFunc(script.acts, act.breaksWithoutResponse)
	}
	s.setKeepAlives(!breaks)
}

// Count returns the number of requests since the start, the last Reset or the last
// ForgetRequests, including those that KeepRequests does not keep.
func (s *Server) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record.count
}

// Requests returns copies of the recorded requests, oldest first. KeepRequests in [Options]
// limits how many are recorded.
func (s *Server) Requests() Requests {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record.all()
}

// ForgetRequests removes the recorded requests. Scripts continue where they are.
func (s *Server) ForgetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.clear()
}

// Reset removes scripts and recorded requests, and resets MaxInFlight. Pools and credentials
// stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.clear()
	s.peak = s.current
	clear(s.scripts)
	clear(s.eachCall)
	s.updateKeepAlives()
}

// respond returns the response to r and records both. It calls run with each callback.
func (s *Server) respond(r *http.Request, run func(callback func())) *delivery {
	verifier := s.verifierFor(r)
	// Without s.mu, because this is the expensive part.
	auth, now := verifier.authenticate(r), verifier.now()
	d := s.receive(r, auth, now)
	for d.step.choose != nil && d.recorded.Refusal == nil {
		run(func() { d.step = d.step.chosen(d.recorded.clone()) })
	}
	delivery := s.decide(&d, auth)
	if s.options.OnRequest != nil {
		run(func() { s.options.OnRequest(d.recorded.clone()) })
	}
	return delivery
}

// verifierFor returns the verifier for r. With AnyRegion, an AWS host name determines the
// region and the service.
func (s *Server) verifierFor(r *http.Request) *Verifier {
	s.mu.Lock()
	verifier := s.verifier
	s.mu.Unlock()
	if at, ok := parseHost(hostOf(r)); ok && s.options.AnyRegion {
		verifier.Region, verifier.Service = at.region, at.service
	}
	return &verifier
}

// A decision is the state of a request before its response is sent.
type decision struct {
	recorded Request
	step     act // that the request consumes
	response response
	decided  bool // response is set
}

// receive checks that the operation exists and that the request is signed, and finds the
// step that the request consumes. A refused request consumes none, but the step's clock
// applies to it.
func (s *Server) receive(r *http.Request, auth *authentication, now time.Time) decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := s.options.PathPrefix
	if _, ok := parseHost(hostOf(r)); ok {
		prefix = ""
	}
	d := decision{recorded: newRequest(r, prefix, auth.body)}
	s.received++
	d.recorded.Number, d.recorded.Time = s.received, now
	if d.recorded.PoolID == "" {
		d.response, d.decided = unknownOperation(), true
		return d
	}
	step, consume := s.next(&d.recorded)
	d.recorded.Time = now.Add(step.clock)
	if refusal := auth.refusalAt(d.recorded.Time); refusal != nil {
		d.recorded.Refusal = refusal
		d.step = act{clock: step.clock}
		d.response, d.decided = refusal.response(), true
		return d
	}
	consume()
	d.step = step
	d.recorded.Region, d.recorded.principal = auth.region, auth.credentials.principal(auth.region)
	return d
}

// decide makes the response, unless receive has done so, and adds the request to the record.
func (s *Server) decide(d *decision, auth *authentication) *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	recorded, step, resp := &d.recorded, d.step, d.response
	switch {
	case d.decided:
	case step.respond != nil:
		resp = step.respond(recorded)
	default:
		resp = s.lookUp(recorded, auth.credentials)
	}
	if resp.header.Get("Date") == "" {
		resp.header.Set("Date", recorded.Time.UTC().Format(http.TimeFormat))
	}
	if !resp.raw {
		resp.header.Set("X-Amzn-Requestid", fmt.Sprintf("00000000-0000-4000-8000-%012x", recorded.Number))
	}
	for _, e := range step.edits {
		if e.value == "" {
			resp.header.Del(e.name)
		} else {
			resp.header.Set(e.name, e.value)
		}
	}
	if step.fault == noFault || step.faultAt >= 0 {
		recorded.StatusCode = resp.status
		recorded.ErrorCode, _, _ = strings.Cut(resp.header.Get("X-Amzn-Errortype"), ":")
		recorded.RequestID = resp.header.Get("X-Amzn-Requestid")
	}
	s.record.add(*recorded)
	return &delivery{response: resp, latency: step.latency, drip: step.drip, fault: step.fault, faultAt: step.faultAt}
}

// next returns the step for r, and a function that consumes it. s.mu must be held during
// both calls.
func (s *Server) next(r *Request) (step act, consume func()) {
	for _, poolID := range []string{r.PoolID, ""} {
		if acts := s.scripts[poolID]; len(acts) > 0 {
			return acts[0], func() { s.consume(poolID) }
		}
		if script := s.eachCall[poolID]; script != nil {
			if step, ok := script.next(r.InvocationID); ok {
				return step, func() { script.consume(r.InvocationID) }
			}
		}
	}
	return act{}, func() {}
}

// consume removes the next step from the script of the pool, unless it is a step of
// [Forever]. s.mu must be held.
func (s *Server) consume(poolID string) {
	acts := s.scripts[poolID]
	if acts[0].forever {
		acts[0].used = true
		return
	}
	s.scripts[poolID] = acts[1:]
	if acts[0].breaksWithoutResponse() {
		s.updateKeepAlives()
	}
}

// lookUp returns the response from the table of pools. s.mu must be held.
func (s *Server) lookUp(r *Request, sender *Credentials) response {
	if sender.CognitoIdentityUser {
		return notAuthorized()
	}
	if message := sender.deny(r.Region, r.PoolID); message != "" {
		return accessDenied(message)
	}
	pool, registered := s.pools[r.PoolID]
	switch {
	case registered && inRegion(r.PoolID, r.Region):
		return usageResponse(pool)
	case !registered && len(violations(r.PoolID)) > 0:
		return invalidParameter(r.PoolID)
	default:
		return notFound(r.PoolID)
	}
}

// inRegion reports whether a pool with the ID is in the region. A pool whose ID begins with
// no region is in every region.
func inRegion(poolID, region string) bool {
	before, _, ok := strings.Cut(poolID, ":")
	return !ok || before == region || !regionName.MatchString(before)
}

// The constraints that AWS documents for IdentityPoolId.
const (
	poolIDPattern   = `[\w-]+:[0-9a-f-]+`
	maxPoolIDLength = 55
)

var validPoolID = regexp.MustCompile("^" + poolIDPattern + "$")

// violations returns the constraints that the ID violates, in AWS's wording. The ID in AWS's
// own example, us-east-1:23EC4050-6AEA-7089-A2DD-08002EXAMPLE, violates one.
func violations(poolID string) []string {
	var violated []string
	if len(poolID) > maxPoolIDLength {
		violated = append(violated, fmt.Sprintf("Member must have length less than or equal to %d", maxPoolIDLength))
	}
	if !validPoolID.MatchString(poolID) {
		violated = append(violated, "Member must satisfy regular expression pattern: "+poolIDPattern)
	}
	return violated
}
