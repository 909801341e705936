package cognitosynctest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Step is what the service does with one request, or with several in a row.
// Steps are made by the functions of this package, altered by their own methods,
// strung together by [Repeat], [Forever] and [Sequence], and played by
// [Server.Script]:
//
//	server.Script(poolID,
//		cognitosynctest.Throttle(2),
//		cognitosynctest.InternalError().WithHeader("Retry-After", "1"),
//		cognitosynctest.OK().After(time.Second),
//	)
//
// A Step is a value: methods return an altered copy, and the same Step may be
// used again and again.
type Step struct{ acts []act }

// An act is what is done with one request.
type act struct {
	name    string
	choose  func(Request) Step   // finds out what is done; nil: the rest says it
	steady  bool                 // choose never breaks a connection silently
	reply   func(*Request) reply // nil: the answer from the table of pools
	edits   []edit               // of the reply's header
	clock   time.Duration        // how far the service's clock is off
	latency time.Duration        // before the answer
	drip    time.Duration        // before each byte of the body
	fault   fault                // how the answer ends
	faultAt int64                // after so many bytes of the body; -1: before the answer
	forever bool                 // never used up
	met     bool                 // forever, and a request has met it
}

// breaksSilently reports whether a is, or may be, one for which connections must be
// new.
func (a act) breaksSilently() bool {
	return a.choose != nil && !a.steady || (a.fault == wasCut || a.fault == wasReset) && a.faultAt < 0
}

// An edit sets a header, or takes it out if the value is empty.
type edit struct{ name, value string }

// A fault is how an answer ends when it does not end well.
type fault int

const (
	noFault  fault = iota
	stalled        // silence
	wasCut         // the connection is closed
	wasReset       // the connection is reset
)

// chosen returns what a's function makes of r, with what was added to a itself.
func (a act) chosen(r Request) act {
	step := a.choose(r)
	if len(step.acts) > 1 {
		panic("cognitosynctest: a function of Func has returned more than one step")
	}
	var chosen act
	if len(step.acts) == 1 {
		chosen = step.acts[0]
	}
	chosen.clock = a.clock
	chosen.edits = append(slices.Clip(chosen.edits), a.edits...)
	chosen.latency += a.latency
	chosen.drip += a.drip
	if a.fault != noFault {
		chosen.fault, chosen.faultAt = a.fault, a.faultAt
	}
	return chosen
}

func say(name string, r func(*Request) reply) Step { return Step{acts: []act{{name: name, reply: r}}} }

func fail(name string, f fault) Step {
	return Step{acts: []act{{name: name, fault: f, faultAt: -1}}}
}

// edit returns a copy of s with each of its acts altered, and a method call added to
// its name.
func (s Step) edit(method string, alter func(*act)) Step {
	acts := slices.Clone(s.acts)
	for i := range acts {
		acts[i].name += "." + method
		alter(&acts[i])
	}
	return Step{acts}
}

// OK answers as if there were no script: with the usage of the pool, or with the
// error that the sender, or an unknown pool, gets. It is the step to alter, as in
// OK().After(time.Second), and to put between others.
func OK() Step { return say("OK", nil) }

// Throttle answers n requests with TooManyRequestsException, status 429.
func Throttle(n int) Step { return Repeat(n, TooManyRequests()) }

// TooManyRequests answers with TooManyRequestsException, status 429.
func TooManyRequests() Step {
	return named("TooManyRequests", Error(http.StatusTooManyRequests, "TooManyRequestsException", "Rate exceeded"))
}

// InternalError answers with InternalErrorException, status 500.
func InternalError() Step {
	return named("InternalError", Error(http.StatusInternalServerError, "InternalErrorException", "Internal error"))
}

// InvalidParameter answers with InvalidParameterException, status 400, in the words of
// AWS's validation of the pool's ID.
func InvalidParameter() Step {
	return say("InvalidParameter", func(r *Request) reply { return invalidParameter(r.PoolID) })
}

// NotAuthorized answers with NotAuthorizedException, status 403, as to a user of
// Cognito Identity.
func NotAuthorized() Step {
	return say("NotAuthorized", func(*Request) reply { return notAuthorized() })
}

// ResourceNotFound answers with ResourceNotFoundException, status 404, as if
// there were no such pool.
func ResourceNotFound() Step {
	return say("ResourceNotFound", func(r *Request) reply { return notFound(r.PoolID) })
}

// AccessDenied answers with AccessDeniedException, status 403, in IAM's words.
func AccessDenied() Step {
	return say("AccessDenied", func(r *Request) reply {
		return accessDenied(accessDeniedMessage(r.principal, r.Region, r.PoolID, noPolicyAllows))
	})
}

// ExpiredToken answers with ExpiredTokenException, status 403, whatever the
// credentials are.
func ExpiredToken() Step {
	return named("ExpiredToken", Error(http.StatusForbidden, expiredToken, expiredTokenMessage))
}

// Error answers with any error, modelled or not, in the service's format: the
// code, with a colon behind it, in the X-Amzn-ErrorType header; the message in a JSON
// body and, unless it has control characters, in the X-Amzn-ErrorMessage header. It
// panics if the status is not between 200 and 999.
func Error(status int, code, message string) Step {
	mustBeStatus(status)
	return say(fmt.Sprintf("Error(%d, %s)", status, code), func(*Request) reply { return errorReply(status, code, message) })
}

// Reply answers with exactly this status, header and body; only Content-Length
// and Date are added if they are not in the header. A Content-Length in the header may be
// wrong: a shorter body is then cut off, a longer one is not sent in full. The
// header may be nil. Reply panics if the status is not between 200 and 999.
func Reply(status int, header http.Header, body string) Step {
	mustBeStatus(status)
	given := header
	header = http.Header{}
	for name, values := range given {
		header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	return say(fmt.Sprintf("Reply(%d)", status), func(*Request) reply {
		r := reply{status, header.Clone(), strings.NewReader(body), int64(len(body)), true}
		if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
			r.length = n
		}
		return r
	})
}

func mustBeStatus(status int) {
	if status < 200 || status > 999 {
		panic(fmt.Sprintf("cognitosynctest: %d is not the status of an answer", status))
	}
}

// BadGateway answers with status 502 and a page of HTML, as a proxy does.
func BadGateway() Step {
	return named("BadGateway", Reply(http.StatusBadGateway, http.Header{"Content-Type": {"text/html"}},
		"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"+
			"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"))
}

// ServiceUnavailable answers with status 503 and nothing else, as a load
// balancer does.
func ServiceUnavailable() Step {
	return named("ServiceUnavailable", Reply(http.StatusServiceUnavailable, nil, ""))
}

// Redirect answers with the status, say 307, and the Location.
func Redirect(status int, location string) Step {
	return named(fmt.Sprintf("Redirect(%d)", status), Reply(status, http.Header{"Location": {location}}, ""))
}

// Oversized answers with the usage of an empty pool in a JSON document of at
// least size bytes.
func Oversized(size int64) Step {
	return long("Oversized", func(r *Request) (io.Reader, int64) {
		prefix := `{"IdentityPoolUsage":{"IdentityPoolId":` + quote(r.PoolID) + `},"Padding":"`
		const suffix = `"}`
		padding := max(size-int64(len(prefix)+len(suffix)), 0)
		body := io.MultiReader(strings.NewReader(prefix), io.LimitReader(endless('x'), padding), strings.NewReader(suffix))
		return body, int64(len(prefix)) + padding + int64(len(suffix))
	})
}

// Endless answers with a JSON document that never ends, of no announced length.
func Endless() Step {
	return long("Endless", func(*Request) (io.Reader, int64) {
		return io.MultiReader(strings.NewReader(`{"Padding":"`), endless('x')), -1
	})
}

// GzipBomb answers with a small gzip-encoded body that decompresses to a JSON document
// of at least size bytes.
func GzipBomb(size int64) Step {
	bomb := long("GzipBomb", func(*Request) (io.Reader, int64) {
		block, end := bombParts()
		blocks := (size + bombBlock - 1) / bombBlock
		readers := make([]io.Reader, 0, blocks+1)
		for range blocks {
			readers = append(readers, bytes.NewReader(block))
		}
		return io.MultiReader(append(readers, bytes.NewReader(end))...), blocks*int64(len(block)) + int64(len(end))
	}).WithHeader("Content-Encoding", "gzip")
	return named("GzipBomb", bomb)
}

const bombBlock = 1 << 20

// bombParts returns one gzip stream of bombBlock spaces and one of an empty
// output: streams that follow one another are one document when they are decompressed.
var bombParts = sync.OnceValues(func() (block, end []byte) {
	return zip(io.LimitReader(endless(' '), bombBlock)), zip(strings.NewReader(`{"IdentityPoolUsage":{}}`))
})

func zip(r io.Reader) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.Copy(w, r) // neither side can fail
	_ = w.Close()
	return b.Bytes()
}

// endless is a reader that gives one byte again and again.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	if len(p) > 0 {
		p[0] = byte(e)
	}
	for n := 1; n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	return len(p), nil
}

func long(name string, body func(*Request) (io.Reader, int64)) Step {
	return say(name, func(r *Request) reply {
		content, length := body(r)
		header := http.Header{"Content-Type": {"application/json"}}
		return reply{status: http.StatusOK, header: header, body: content, length: length}
	})
}

// Stall takes the request and never answers. It ends when the client gives up or
// the server is closed.
func Stall() Step { return fail("Stall", stalled) }

// Hangup takes the request and closes the connection without an answer. The
// client finds the end of the connection, [io.EOF].
func Hangup() Step { return fail("Hangup", wasCut) }

// Reset takes the request and resets the connection without an answer.
//
// Each step Reset or Hangup meets one attempt of the client: as long as there
// are any in the script, connections are not kept open for further requests,
// because net/http sends a request again by itself if a connection that it has
// used before breaks without an answer.
func Reset() Step { return fail("Reset", wasReset) }

// SkewedClock makes the service's clock be off by offset, for the check of the
// signature as for the Date header, until one request is accepted by that clock.
// It is OK().WithClock(offset).
func SkewedClock(offset time.Duration) Step { return OK().WithClock(offset) }

// After waits before each answer of s. The wait ends early when the client gives
// up or the server is closed. In a testing/synctest bubble it takes no time.
func (s Step) After(latency time.Duration) Step {
	return s.edit(fmt.Sprintf("After(%v)", latency), func(a *act) { a.latency = latency })
}

// WithClock makes the service's clock be off by offset for each answer of s. A
// request whose signature is not good by that clock is refused, and as ever a
// refused request does not use the step up: so a client that learns the time from
// the Date header gets the answer of s with its next attempt.
func (s Step) WithClock(offset time.Duration) Step {
	return s.edit(fmt.Sprintf("WithClock(%v)", offset), func(a *act) { a.clock = offset })
}

// WithHeader sets a header of each answer of s; an empty value takes the header
// out, even Date.
func (s Step) WithHeader(name, value string) Step {
	return s.edit(fmt.Sprintf("WithHeader(%s)", name), func(a *act) { a.edits = append(slices.Clip(a.edits), edit{name, value}) })
}

// CutAfter closes the connection after n bytes of the body of each answer of s.
// The answer's Content-Length is larger than n.
func (s Step) CutAfter(n int) Step { return s.end("CutAfter", wasCut, n) }

// ResetAfter resets the connection after n bytes of the body of each answer of s.
// The client may find the reset before it has read them all.
func (s Step) ResetAfter(n int) Step { return s.end("ResetAfter", wasReset, n) }

// StallAfter falls silent after n bytes of the body of each answer of s, until
// the client gives up or the server is closed.
func (s Step) StallAfter(n int) Step { return s.end("StallAfter", stalled, n) }

func (s Step) end(method string, f fault, n int) Step {
	return s.edit(fmt.Sprintf("%s(%d)", method, n), func(a *act) { a.fault, a.faultAt = f, int64(max(n, 0)) })
}

// Drip waits before each byte of the body of each answer of s.
func (s Step) Drip(every time.Duration) Step {
	return s.edit(fmt.Sprintf("Drip(%v)", every), func(a *act) { a.drip = every })
}

// Func is a step that fn chooses when a request meets it: fn gets the request, without
// a response yet, and returns what one step should be, the zero Step being OK. What is
// set on the step of Func itself, such as After, is added; WithClock is only taken from
// there, as the signature has been checked when fn is called. Fail every third request:
//
//	server.Script("", cognitosynctest.Forever(cognitosynctest.Func(func(r cognitosynctest.Request) cognitosynctest.Step {
//		if r.Number%3 == 0 {
//			return cognitosynctest.InternalError()
//		}
//		return cognitosynctest.OK()
//	})))
//
// fn may be called from several goroutines at once, may use the server and even close
// it, and is treated like OnRequest if it panics. It panics itself if fn returns
// several steps. While a step of Func is in the script, connections are not kept open;
// see [Reset].
func Func(fn func(Request) Step) Step { return Step{acts: []act{{name: "Func", choose: fn}}} }

// RateLimit is a step that is never used up: it answers as OK does as long as not more
// than perSecond requests were answered like that in the last second, by the service's
// clock, and otherwise with TooManyRequestsException, as [TooManyRequests] does. All
// scripts with the same RateLimit share the limit. RateLimit panics if perSecond is
// less than 1.
func RateLimit(perSecond int) Step {
	if perSecond < 1 {
		panic(fmt.Sprintf("cognitosynctest: a rate limit of %d is none", perSecond))
	}
	var mu sync.Mutex
	accepted := make([]time.Time, perSecond) // a ring
	oldest := 0
	limit := Func(func(r Request) Step {
		mu.Lock()
		defer mu.Unlock()
		if first := accepted[oldest]; !first.IsZero() && r.Time.Sub(first) < time.Second {
			return TooManyRequests()
		}
		accepted[oldest] = r.Time
		oldest = (oldest + 1) % perSecond
		return OK()
	})
	limit.acts[0].name, limit.acts[0].steady = fmt.Sprintf("RateLimit(%d)", perSecond), true
	return Forever(limit)
}

// named returns s, a step of one act, with another name.
func named(name string, s Step) Step {
	s.acts[0].name = name
	return s
}

// Sequence is the steps one after the other, as one. It panics if there are steps
// after one of [Forever], which would never be met.
func Sequence(steps ...Step) Step {
	var all Step
	for _, s := range steps {
		if n := len(all.acts); n > 0 && all.acts[n-1].forever && len(s.acts) > 0 {
			panic(fmt.Sprintf("cognitosynctest: %s comes after Forever(%s) and would never be met", s.acts[0].name, all.acts[n-1].name))
		}
		all.acts = append(all.acts, s.acts...)
	}
	return all
}

// Repeat is the steps n times over, one after the other. It panics like [Sequence].
func Repeat(n int, steps ...Step) Step {
	return Sequence(slices.Repeat([]Step{Sequence(steps...)}, max(n, 0))...)
}

// Forever is the step, the last part of which is never used up.
func Forever(s Step) Step {
	acts := slices.Clone(s.acts)
	if len(acts) > 0 {
		acts[len(acts)-1].forever = true
	}
	return Step{acts}
}
