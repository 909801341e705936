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

// A Request is a request that a server received, with a summary of the response. Every verb
// of package fmt formats it as one line without headers, because these contain tokens.
type Request struct {
	Number   int       // 1 for the first request since the server started
	Time     time.Time // of receipt, by the service's clock
	Method   string
	Path     string // as received, escaped
	RawQuery string // as received
	Host     string
	Header   http.Header
	Body     []byte

	PoolID string // the pool that it queries; empty for any other operation

	// Region is the region that the request is signed for. It is empty if the request was
	// refused or is for another operation.
	Region string

	// InvocationID is the Amz-Sdk-Invocation-Id header, which all attempts of a call share.
	// It is empty if the client sends none.
	InvocationID string

	// Attempt and MaxAttempts are the numbers in the Amz-Sdk-Request header, or zero.
	Attempt, MaxAttempts int

	// Refusal says why the signature check refused the request. It is nil if it did not.
	Refusal *Refusal

	StatusCode int    // of the response; 0 if there is none
	ErrorCode  string // from the response's X-Amzn-Errortype header, up to the colon
	RequestID  string // from the response's X-Amzn-Requestid header

	principal string // the ARN of the sender, if known
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

// GoString returns r.String(), so that %#v does not print headers either.
func (r Request) GoString() string { return r.String() }

// printable returns s, quoted if it is empty or contains unprintable characters.
func printable(s string) string {
	if s == "" || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strconv.Quote(s)
	}
	return s
}

// newRequest returns the record of r, without a response. The paths of pools begin with
// prefix.
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
		n, _ := strconv.Atoi(value) // 0 if it is not a number
		switch name {
		case "attempt":
			recorded.Attempt = n
		case "max":
			recorded.MaxAttempts = n
		}
	}
	return recorded
}

// poolID returns the ID of the pool that a request queries, or "" if the request is not a
// DescribeIdentityPoolUsage.
func poolID(method, path string) string {
	label, ok := strings.CutPrefix(path, "/identitypools/")
	if !ok || method != http.MethodGet || strings.Contains(label, "/") {
		return ""
	}
	id, _ := url.PathUnescape(label) // "" for an invalid escape
	return id
}

// Requests are recorded requests in the order of receipt.
type Requests []Request

// Count returns the number of requests.
func (rs Requests) Count() int { return len(rs) }

// Last returns the latest request, or the zero Request if there is none.
func (rs Requests) Last() Request {
	if len(rs) == 0 {
		return Request{}
	}
	return rs[len(rs)-1]
}

// ByPool returns the requests that query the pool.
func (rs Requests) ByPool(id string) Requests {
	return rs.filter(func(r *Request) bool { return r.PoolID == id })
}

// Attempts returns the attempts of the call with the invocation ID.
func (rs Requests) Attempts(invocationID string) Requests {
	return rs.filter(func(r *Request) bool { return r.InvocationID == invocationID })
}

// Refused returns the requests that the signature check refused.
func (rs Requests) Refused() Requests {
	return rs.filter(func(r *Request) bool { return r.Refusal != nil })
}

// Calls groups the requests by call, in the order of the calls' first attempts. A request
// without an invocation ID is a call of its own.
func (rs Requests) Calls() []Requests {
	var calls []Requests
	index := map[string]int{}
	for _, r := range rs {
		i, known := index[r.InvocationID]
		if !known || r.InvocationID == "" {
			i = len(calls)
			index[r.InvocationID] = i
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
