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

// A Step says how the server handles one request, or several in a row. Functions of this
// package create steps, methods modify them, [Repeat], [Forever] and [Sequence] combine them,
// and [Server.Script] runs them:
//
//	server.Script(poolID,
//		cognitosynctest.Throttle(2),
//		cognitosynctest.InternalError().WithHeader("Retry-After", "1"),
//		cognitosynctest.OK().After(time.Second),
//	)
//
// A Step is an immutable value: methods return a modified copy, and a Step may be used any
// number of times. The zero Step is an empty sequence.
type Step struct{ acts []act }

// An act says how one request is handled.
type act struct {
	name             string
	choose           func(Request) Step      // the function of Func; nil for all other steps
	keepsConnections bool                    // choose returns no step that breaksWithoutResponse
	respond          func(*Request) response // nil: the response from the table of pools
	edits            []edit                  // to the headers of the response
	clock            time.Duration           // offset of the service's clock
	latency          time.Duration           // before the response
	drip             time.Duration           // before each byte of the body
	fault            fault                   // how the response breaks off
	faultAt          int64                   // after how many bytes of the body; -1: before the status line
	forever          bool                    // never consumed
	used             bool                    // forever, and there has been a request
}

// breaksWithoutResponse reports whether a may break the connection before the response. That
// requires a new connection; see [Reset].
func (a act) breaksWithoutResponse() bool {
	return a.choose != nil && !a.keepsConnections || (a.fault == wasCut || a.fault == wasReset) && a.faultAt < 0
}

// An edit sets a header, or removes it if the value is empty.
type edit struct{ name, value string }

// A fault is the way in which a response breaks off.
type fault int

const (
	noFault  fault = iota
	stalled        // no more data, and the connection stays open
	wasCut         // the connection is closed
	wasReset       // the connection is reset
)

// chosen returns the act that a's function chooses for r, modified like a itself.
func (a act) chosen(r Request) act {
	step := a.choose(r)
	if len(step.acts) > 1 {
		panic("cognitosynctest: the function of a Func step returned more than one step")
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

func respondWith(name string, r func(*Request) response) Step {
	return Step{acts: []act{{name: name, respond: r}}}
}

func fail(name string, f fault) Step {
	return Step{acts: []act{{name: name, fault: f, faultAt: -1}}}
}

// edit returns a copy of s with each act modified, and with the method call appended to its
// name.
func (s Step) edit(method string, alter func(*act)) Step {
	acts := slices.Clone(s.acts)
	for i := range acts {
		acts[i].name += "." + method
		alter(&acts[i])
	}
	return Step{acts}
}

// OK responds as if there were no script: with the usage of the pool, or with the error for
// an unknown pool or a sender without permission. Use it between other steps, or as a base to
// modify, as in OK().After(time.Second).
func OK() Step { return respondWith("OK", nil) }

// Throttle responds to n requests with TooManyRequestsException, status 429.
func Throttle(n int) Step { return Repeat(n, TooManyRequests()) }

// TooManyRequests responds with TooManyRequestsException, status 429.
func TooManyRequests() Step {
	return named("TooManyRequests", Error(http.StatusTooManyRequests, "TooManyRequestsException", "Rate exceeded"))
}

// InternalError responds with InternalErrorException, status 500.
func InternalError() Step {
	return named("InternalError", Error(http.StatusInternalServerError, "InternalErrorException", "Internal error"))
}

// InvalidParameter responds with InvalidParameterException, status 400. The message is that
// of a validation error of the pool ID.
func InvalidParameter() Step {
	return respondWith("InvalidParameter", func(r *Request) response { return invalidParameter(r.PoolID) })
}

// NotAuthorized responds with NotAuthorizedException, status 403.
func NotAuthorized() Step {
	return respondWith("NotAuthorized", func(*Request) response { return notAuthorized() })
}

// ResourceNotFound responds with ResourceNotFoundException, status 404, as if the pool did
// not exist.
func ResourceNotFound() Step {
	return respondWith("ResourceNotFound", func(r *Request) response { return notFound(r.PoolID) })
}

// AccessDenied responds with AccessDeniedException, status 403. The message is that of IAM
// when no policy allows the action.
func AccessDenied() Step {
	return respondWith("AccessDenied", func(r *Request) response {
		return accessDenied(accessDeniedMessage(r.principal, r.Region, r.PoolID, noPolicyAllows))
	})
}

// ExpiredToken responds with ExpiredTokenException, status 403, whatever the credentials.
func ExpiredToken() Step {
	return named("ExpiredToken", Error(http.StatusForbidden, expiredToken, expiredTokenMessage))
}

// Error responds with an error, modelled or not, in the service's format: the code followed
// by a colon in the X-Amzn-ErrorType header, and the message in a JSON body and, unless it
// contains control characters, in the X-Amzn-ErrorMessage header. Error panics if the status
// is not between 200 and 999.
func Error(status int, code, message string) Step {
	mustBeStatus(status)
	return respondWith(fmt.Sprintf("Error(%d, %s)", status, code), func(*Request) response { return errorResponse(status, code, message) })
}

// Reply responds with exactly this status, header and body, and adds only Content-Length and
// Date if the header lacks them. A Content-Length that differs from the length of the body is
// sent as it is: the connection breaks after a shorter body, and a longer body is truncated.
// The header may be nil. Reply panics if the status is not between 200 and 999.
func Reply(status int, header http.Header, body string) Step {
	mustBeStatus(status)
	given := header
	header = http.Header{}
	for name, values := range given {
		header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	return respondWith(fmt.Sprintf("Reply(%d)", status), func(*Request) response {
		r := response{status, header.Clone(), strings.NewReader(body), int64(len(body)), true}
		if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
			r.length = n
		}
		return r
	})
}

func mustBeStatus(status int) {
	if status < 200 || status > 999 {
		panic(fmt.Sprintf("cognitosynctest: invalid status %d: it must be between 200 and 999", status))
	}
}

// BadGateway responds with status 502 and an HTML page, as a proxy does.
func BadGateway() Step {
	return named("BadGateway", Reply(http.StatusBadGateway, http.Header{"Content-Type": {"text/html"}},
		"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"+
			"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"))
}

// ServiceUnavailable responds with status 503 and an empty body, as a load balancer does.
func ServiceUnavailable() Step {
	return named("ServiceUnavailable", Reply(http.StatusServiceUnavailable, nil, ""))
}

// Redirect responds with the status, such as 307, and a Location header.
func Redirect(status int, location string) Step {
	return named(fmt.Sprintf("Redirect(%d)", status), Reply(status, http.Header{"Location": {location}}, ""))
}

// Oversized responds with a usage without members besides the pool ID, in a JSON document of
// at least size bytes.
func Oversized(size int64) Step {
	return respondWithBody("Oversized", func(r *Request) (io.Reader, int64) {
		prefix := `{"IdentityPoolUsage":{"IdentityPoolId":` + quote(r.PoolID) + `},"Padding":"`
		const suffix = `"}`
		padding := max(size-int64(len(prefix)+len(suffix)), 0)
		body := io.MultiReader(strings.NewReader(prefix), io.LimitReader(endless('x'), padding), strings.NewReader(suffix))
		return body, int64(len(prefix)) + padding + int64(len(suffix))
	})
}

// Endless responds with a JSON document that never ends, without a Content-Length.
func Endless() Step {
	return respondWithBody("Endless", func(*Request) (io.Reader, int64) {
		return io.MultiReader(strings.NewReader(`{"Padding":"`), endless('x')), -1
	})
}

// GzipBomb responds with a small gzip-encoded body that decompresses to a JSON document of
// at least size bytes.
func GzipBomb(size int64) Step {
	bomb := respondWithBody("GzipBomb", func(*Request) (io.Reader, int64) {
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

// bombParts returns a gzip stream of bombBlock spaces, and one of a usage without members.
// Concatenated gzip streams decompress to a single document.
var bombParts = sync.OnceValues(func() (block, end []byte) {
	return gzipped(io.LimitReader(endless(' '), bombBlock)), gzipped(strings.NewReader(`{"IdentityPoolUsage":{}}`))
})

func gzipped(r io.Reader) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.Copy(w, r) // in memory, cannot fail
	_ = w.Close()
	return b.Bytes()
}

// endless is a reader that repeats one byte.
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

func respondWithBody(name string, body func(*Request) (io.Reader, int64)) Step {
	return respondWith(name, func(r *Request) response {
		content, length := body(r)
		header := http.Header{"Content-Type": {"application/json"}}
		return response{status: http.StatusOK, header: header, body: content, length: length}
	})
}

// Stall receives the request and never responds. It ends when the client gives up or the
// server is closed.
func Stall() Step { return fail("Stall", stalled) }

// Hangup receives the request and closes the connection without a response. The client's
// error is [io.EOF].
func Hangup() Step { return fail("Hangup", wasCut) }

// Reset receives the request and resets the connection without a response.
//
// Each Reset or Hangup affects one attempt of the client. To ensure that, the server turns
// keep-alives off while such a step is pending: net/http silently sends a request again if a
// reused connection breaks before the response.
func Reset() Step { return fail("Reset", wasReset) }

// SkewedClock shifts the service's clock by offset until a request has a valid signature by
// that clock. It is short for OK().WithClock(offset).
func SkewedClock(offset time.Duration) Step { return OK().WithClock(offset) }

// After delays each response of s. The wait ends early when the client gives up or the
// server is closed. In a testing/synctest bubble (Go 1.25 and later) it takes no real time.
func (s Step) After(latency time.Duration) Step {
	return s.edit(fmt.Sprintf("After(%v)", latency), func(a *act) { a.latency = latency })
}

// WithClock shifts the service's clock by offset for each request to s, both for the check
// of the signature and in the Date header. A request with a date too far from that clock is
// refused. Because refused requests do not consume the step, a client that corrects its clock
// from the Date header gets the response of s on its next attempt.
func (s Step) WithClock(offset time.Duration) Step {
	return s.edit(fmt.Sprintf("WithClock(%v)", offset), func(a *act) { a.clock = offset })
}

// WithHeader sets a header of each response of s. An empty value removes the header, even
// Date.
func (s Step) WithHeader(name, value string) Step {
	return s.edit(fmt.Sprintf("WithHeader(%s)", name), func(a *act) { a.edits = append(slices.Clip(a.edits), edit{name, value}) })
}

// CutAfter closes the connection after n bytes of the body of each response of s. The
// response's Content-Length is larger than n.
func (s Step) CutAfter(n int) Step { return s.end("CutAfter", wasCut, n) }

// ResetAfter resets the connection after n bytes of the body of each response of s. The
// client may see the reset before it has read them all.
func (s Step) ResetAfter(n int) Step { return s.end("ResetAfter", wasReset, n) }

// StallAfter stops sending after n bytes of the body of each response of s, until the client
// gives up or the server is closed.
func (s Step) StallAfter(n int) Step { return s.end("StallAfter", stalled, n) }

func (s Step) end(method string, f fault, n int) Step {
	return s.edit(fmt.Sprintf("%s(%d)", method, n), func(a *act) { a.fault, a.faultAt = f, int64(max(n, 0)) })
}

// Drip waits before each byte of the body of each response of s. The waits end like that of
// After.
func (s Step) Drip(every time.Duration) Step {
	return s.edit(fmt.Sprintf("Drip(%v)", every), func(a *act) { a.drip = every })
}

// Func is a step that fn chooses for each request. fn gets the request, which has no response
// yet, and returns a single step; the zero Step means [OK]. Modifications of the Func step
// itself, such as After, are added to those of the chosen step. WithClock has an effect only
// on the Func step, because the signature has been checked when fn is called. For example, to
// fail every third request:
//
//	server.Script("", cognitosynctest.Forever(cognitosynctest.Func(func(r cognitosynctest.Request) cognitosynctest.Step {
//		if r.Number%3 == 0 {
//			return cognitosynctest.InternalError()
//		}
//		return cognitosynctest.OK()
//	})))
//
// fn may be called from several goroutines at once, and may use the server and even close
// it. A panic of fn has the same effect as one of OnRequest in [Options], and so has a result
// of several steps. While a Func step is pending, keep-alives are off; see [Reset].
func Func(fn func(Request) Step) Step { return Step{acts: []act{{name: "Func", choose: fn}}} }

// RateLimit is a step of [Forever] that responds like [OK] to at most perSecond requests per
// second, by the service's clock, and like [TooManyRequests] to all others, which do not
// count towards the limit. Scripts that use the same RateLimit value share the limit.
// RateLimit panics if perSecond is less than 1.
func RateLimit(perSecond int) Step {
	if perSecond < 1 {
		panic(fmt.Sprintf("cognitosynctest: invalid rate limit %d: it must be at least 1", perSecond))
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
	limit.acts[0].name, limit.acts[0].keepsConnections = fmt.Sprintf("RateLimit(%d)", perSecond), true
	return Forever(limit)
}

// named sets the name of s, a step of one act.
func named(name string, s Step) Step {
	s.acts[0].name = name
	return s
}

// Sequence combines the steps into one that runs them in order. It panics if a step follows
// a step of [Forever], because no request could reach it.
func Sequence(steps ...Step) Step {
	var all Step
	for _, s := range steps {
		if n := len(all.acts); n > 0 && all.acts[n-1].forever && len(s.acts) > 0 {
			panic(fmt.Sprintf("cognitosynctest: %s follows Forever(%s), so no request could reach it", s.acts[0].name, all.acts[n-1].name))
		}
		all.acts = append(all.acts, s.acts...)
	}
	return all
}

// Repeat runs the sequence of the steps n times. It panics like [Sequence].
func Repeat(n int, steps ...Step) Step {
	return Sequence(slices.Repeat([]Step{Sequence(steps...)}, max(n, 0))...)
}

// Forever is a step that requests never consume: it handles all of them from then on. If s
// is a sequence, this applies to its last step.
func Forever(s Step) Step {
	acts := slices.Clone(s.acts)
	if len(acts) > 0 {
		acts[len(acts)-1].forever = true
	}
	return Step{acts}
}
