package cognitosynctest

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A Request is one request that a server got, with the answer it decided on. Its text
// form, with any verb of package fmt, is one line without headers, as they contain
// tokens.
type Request struct {
	Number   int       // 1 for the first request since the server was started
	Time     time.Time // when it was received, by the service's clock
	Method   string
	Path     string // as received, escaped
	RawQuery string // as received
	Host     string
	Header   http.Header
	Body     []byte

	PoolID string // the pool it asks for; "" if it asks for something else

	// Region is the region it is signed for. Empty if it was refused, or asks for
	// something else than a pool.
	Region string

	// InvocationID is the Amz-Sdk-Invocation-Id: all attempts of one call have the
	// same. Empty for a client that sends none.
	InvocationID string

	// Attempt and MaxAttempts are the numbers in Amz-Sdk-Request. Zero if not there.
	Attempt, MaxAttempts int

	// Refusal says why the request was refused for its signature; nil if it was
	// not.
	Refusal *Refusal

	// The response: its status, which is 0 if there is none, the error code from its
	// X-Amzn-Errortype, up to a colon, and its X-Amzn-Requestid.
	StatusCode int
	ErrorCode  string
	RequestID  string

	principal string // the ARN of the sender, if it is known
}

// clone returns a copy that shares nothing with r.
func (r Request) clone() Request {
	r.Header = r.Header.Clone()
	r.Body = bytes.Clone(r.Body)
	r.Refusal = clone(r.Refusal)
	return r
}

// String describes the request and its response in one line.
func (r Request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Method, r.Path)
	if r.PoolID != "" {
		fmt.Fprintf(&b, ", pool %s", printable(r.PoolID))
	}
	if r.Attempt > 0 {
		fmt.Fprintf(&b, ", attempt %d", r.Attempt)
	}
	if r.MaxAttempts > 0 {
		fmt.Fprintf(&b, " of %d", r.MaxAttempts)
	}
	if r.StatusCode == 0 {
		b.WriteString(": no response")
	} else {
		fmt.Fprintf(&b, ": %d %s", r.StatusCode, printable(cmp.Or(r.ErrorCode, http.StatusText(r.StatusCode))))
	}
	return strings.TrimRight(b.String(), " ")
}

// GoString is String, for the verb %#v.
func (r Request) GoString() string { return r.String() }

// printable returns s, quoted if it is empty or contains what cannot be printed.
func printable(s string) string {
	if s == "" || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strconv.Quote(s)
	}
	return s
}

// newRequest records what r has in itself. Paths of pools begin with prefix.
func newRequest(r *http.Request, prefix string, body []byte) Request {
	path, query := rawTarget(r)
	recorded := Request{
		Method:       r.Method,
		Path:         path,
		RawQuery:     query,
		Host:         r.Host,
		Header:       r.Header.Clone(),
		Body:         body,
		InvocationID: r.Header.Get("Amz-Sdk-Invocation-Id"),
	}
	if below, ok := strings.CutPrefix(path, prefix); ok {
		recorded.PoolID = poolID(r.Method, below)
	}
	for field := range strings.SplitSeq(r.Header.Get("Amz-Sdk-Request"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		n, _ := strconv.Atoi(value) // 0 for what is no number
		switch name {
		case "attempt":
			recorded.Attempt = n
		case "max":
			recorded.MaxAttempts = n
		}
	}
	return recorded
}

// poolID returns the pool that a request asks for, or "" if it is no
// DescribeIdentityPoolUsage.
func poolID(method, path string) string {
	label, ok := strings.CutPrefix(path, "/identitypools/")
	if !ok || method != http.MethodGet || strings.Contains(label, "/") {
		return ""
	}
	id, _ := url.PathUnescape(label) // "" for what cannot be unescaped
	return id
}

// Requests are recorded requests, in the order in which they came.
type Requests []Request

// Count returns how many requests there are.
func (rs Requests) Count() int { return len(rs) }

// Last returns the latest request, or a zero Request if there is none.
func (rs Requests) Last() Request {
	if len(rs) == 0 {
		return Request{}
	}
	return rs[len(rs)-1]
}

// ByPool returns the requests for one pool.
func (rs Requests) ByPool(id string) Requests {
	return rs.filter(func(r *Request) bool { return r.PoolID == id })
}

// Attempts returns the attempts of one call, by its invocation ID.
func (rs Requests) Attempts(invocationID string) Requests {
	return rs.filter(func(r *Request) bool { return r.InvocationID == invocationID })
}

// Refused returns the requests that were refused for their signature.
func (rs Requests) Refused() Requests {
	return rs.filter(func(r *Request) bool { return r.Refusal != nil })
}

// Calls returns the attempts of each call, in the order of their first attempts.
// A request without an invocation ID is a call of its own.
func (rs Requests) Calls() []Requests {
	var calls []Requests
	place := map[string]int{}
	for _, r := range rs {
		i, known := place[r.InvocationID]
		if !known || r.InvocationID == "" {
			i = len(calls)
			place[r.InvocationID] = i
			calls = append(calls, nil)
		}
		calls[i] = append(calls[i], r)
	}
	return calls
}

func (rs Requests) filter(keep func(*Request) bool) Requests {
	var kept Requests
	for i := range rs {
		if keep(&rs[i]) {
			kept = append(kept, rs[i])
		}
	}
	return kept
}
