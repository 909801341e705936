package cognitosynctest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Request is one request that a server got, with the answer it decided on.
type Request struct {
	Time     time.Time // when it was received, by the service's clock
	Method   string
	Path     string // as received, escaped
	RawQuery string // as received
	Host     string
	Header   http.Header
	Body     []byte

	PoolID string // the pool it asks for; "" if it asks for something else

	// InvocationID is the Amz-Sdk-Invocation-Id: all attempts of one call have the
	// same. Empty for a client that sends none.
	InvocationID string

	// Attempt and MaxAttempts are the numbers in Amz-Sdk-Request. Zero if not there.
	Attempt, MaxAttempts int

	// Refusal says why the request was refused for its signature; nil if it was
	// not.
	Refusal *Refusal

	// The answer: its status, which is 0 if there is none, its X-Amzn-Errortype and its
	// X-Amzn-Requestid.
	StatusCode int
	ErrorCode  string
	RequestID  string

	accessKeyID string // if it is known
	region      string // that the request is signed for
}

// newRequest records what r has in itself.
func newRequest(r *http.Request, body []byte) Request {
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
	recorded.PoolID = poolID(r.Method, path)
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

// Attempts returns the attempts of one call, by its invocation id.
func (rs Requests) Attempts(invocationID string) Requests {
	return rs.filter(func(r *Request) bool { return r.InvocationID == invocationID })
}

// Refused returns the requests that were refused for their signature.
func (rs Requests) Refused() Requests {
	return rs.filter(func(r *Request) bool { return r.Refusal != nil })
}

// Calls returns the attempts of each call, in the order of their first attempts.
// A request without an invocation id is a call of its own.
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
