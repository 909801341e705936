package cognitosynctest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A reply is status, header and body of an answer.
type reply struct {
	status int
	header http.Header
	body   io.Reader
	length int64 // of the body, as announced; negative: not announced
	raw    bool  // not from the service itself: without its request id
}

func jsonReply(status int, body string) reply {
	header := http.Header{"Content-Type": {"application/json"}}
	return reply{status: status, header: header, body: strings.NewReader(body), length: int64(len(body))}
}

// errorReply renders an error as captures of the service show it: with a colon behind
// the code, and with the message in a header as well, where it fits into one.
func errorReply(status int, code, message string) reply {
	r := jsonReply(status, `{"message":`+quote(message)+`}`)
	if code != "" {
		r.header.Set("X-Amzn-ErrorType", code+":")
	}
	if !strings.ContainsFunc(message, unicode.IsControl) {
		r.header.Set("X-Amzn-ErrorMessage", message)
	}
	return r
}

func notAuthorized() reply {
	return errorReply(http.StatusForbidden, "NotAuthorizedException", "These credentials are not valid for accessing this resource")
}

func notFound(poolID string) reply {
	return errorReply(http.StatusNotFound, "ResourceNotFoundException", fmt.Sprintf("IdentityPool '%s' not found.", poolID))
}

// invalidParameter words AWS's validation of the ID. Whatever the ID is, there is an
// error.
func invalidParameter(poolID string) reply {
	violated := violations(poolID)
	if len(violated) == 0 {
		violated = []string{"Member must satisfy regular expression pattern: " + poolIDPattern}
	}
	for i, constraint := range violated {
		violated[i] = fmt.Sprintf("Value '%s' at 'identityPoolId' failed to satisfy constraint: %s", poolID, constraint)
	}
	count := "1 validation error"
	if len(violated) > 1 {
		count = fmt.Sprintf("%d validation errors", len(violated))
	}
	return errorReply(http.StatusBadRequest, "InvalidParameterException", count+" detected: "+strings.Join(violated, "; "))
}

func accessDenied(message string) reply {
	return errorReply(http.StatusForbidden, "AccessDeniedException", message)
}

func unknownOperation() reply {
	return errorReply(http.StatusNotFound, "UnknownOperationException", "The requested operation is not recognized by the service.")
}

// usageReply renders the pool as Cognito Sync does: all members are there, those
// without a value as null.
func usageReply(p Pool) reply {
	lastModified := "null"
	if p.LastModifiedDate != nil {
		lastModified = epochSeconds(*p.LastModifiedDate)
	}
	return jsonReply(http.StatusOK, fmt.Sprintf(
		`{"IdentityPoolUsage":{"DataStorage":%s,"IdentityPoolId":%s,"LastModifiedDate":%s,"SyncSessionsCount":%s}}`,
		count(p.DataStorage), quote(p.IdentityPoolId), lastModified, count(p.SyncSessionsCount)))
}

func count(n *int64) string {
	if n == nil {
		return "null"
	}
	return strconv.FormatInt(*n, 10)
}

// epochSeconds writes t, to the millisecond, the way the service writes numbers:
// 1.413231134115E9.
func epochSeconds(t time.Time) string {
	seconds := float64(t.UnixMilli()) / 1000
	if abs := math.Abs(seconds); abs < 1e7 {
		return withPoint(strconv.FormatFloat(seconds, 'f', -1, 64))
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(seconds, 'E', -1, 64), "E+")
	return withPoint(mantissa) + "E" + strings.TrimLeft(exponent, "0")
}

func withPoint(number string) string {
	if strings.Contains(number, ".") {
		return number
	}
	return number + ".0"
}

// quote returns s as a JSON string, in which "&", "<" and ">" are themselves.
func quote(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string can always be written
	return strings.TrimSuffix(b.String(), "\n")
}

// An answer is a reply and how it is given.
type answer struct {
	reply
	latency, drip time.Duration
	fault         fault
	faultAt       int64
}

// The errors that a client sees when a connection breaks.
var (
	errCut         = io.ErrUnexpectedEOF
	errReset error = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errnoReset)}
)

// begin waits until the answer begins. It returns an error if it never does.
func (a *answer) begin(ctx context.Context) error {
	if err := wait(ctx, a.latency); err != nil {
		return err
	}
	if a.fault == wasCut && a.faultAt < 0 {
		return io.EOF
	}
	if a.fault != noFault && a.faultAt < 0 {
		return a.breakOff(ctx)
	}
	return nil
}

// breakOff does what the fault says and returns what the client sees of it.
func (a *answer) breakOff(ctx context.Context) error {
	switch a.fault {
	case stalled:
		<-ctx.Done()
		return context.Cause(ctx)
	case wasReset:
		return errReset
	default:
		return errCut
	}
}

// announced returns the length of the body as the header says it, negative if it
// does not. A body that is going to break is announced to be longer.
func (a *answer) announced() int64 {
	if a.length >= 0 && a.fault != noFault {
		return max(a.length, a.faultAt+1)
	}
	return a.length
}

// A stream is the body of an answer in the time it takes. What Read returns at
// its end is what the client has to see there.
type stream struct {
	*answer
	ctx  context.Context
	sent int64
}

func (s *stream) Read(p []byte) (int, error) {
	if err := wait(s.ctx, 0); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	left := int64(math.MaxInt64)
	if s.fault != noFault {
		left = s.faultAt - s.sent
	} else if s.length >= 0 {
		left = s.length - s.sent
	}
	if s.drip > 0 {
		left = min(left, 1)
	}
	n := 0
	if left > 0 {
		if err := wait(s.ctx, s.drip); err != nil {
			return 0, err
		}
		n, _ = s.body.Read(p[:min(left, int64(len(p)))])
		s.sent += int64(n)
	}
	switch {
	case n > 0:
		return n, nil
	case s.fault != noFault:
		return 0, s.breakOff(s.ctx)
	case s.length >= 0 && s.sent < s.length:
		return 0, errCut
	default:
		return 0, io.EOF
	}
}

// wait waits for d. It returns early, with an error, when ctx is done.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writeTo gives the answer over HTTP. It calls complete just before the client can
// know that there is no more to come.
func (a *answer) writeTo(w http.ResponseWriter, r *http.Request, complete func()) {
	if err := a.begin(r.Context()); err != nil {
		complete()
		hangUp(w, err)
	}
	header := w.Header()
	// Not even net/http may add what the answer does not have.
	header["Date"], header["Content-Type"] = nil, nil
	maps.Copy(header, a.header)
	if n := a.announced(); n >= 0 && a.hasBody() {
		header.Set("Content-Length", strconv.FormatInt(n, 10))
	} else {
		header.Del("Content-Length")
	}
	if !a.hasBody() || a.announced() == 0 || r.Method == http.MethodHead {
		complete()
	}
	w.WriteHeader(a.status)
	if !a.hasBody() {
		return
	}
	flusher := http.NewResponseController(w)
	_ = flusher.Flush() // the same connection is written to below
	buffer := make([]byte, 32<<10)
	for body := (stream{answer: a, ctx: r.Context()}); ; {
		n, err := body.Read(buffer)
		if err == io.EOF {
			return
		}
		if err != nil {
			complete()
			hangUp(w, err)
		}
		if body.sent == a.announced() {
			complete()
		}
		if _, err := w.Write(buffer[:n]); err != nil {
			return // the client is gone
		}
		_ = flusher.Flush()
	}
}

// hasBody reports whether HTTP lets an answer of this status have a body.
func (a *answer) hasBody() bool {
	return a.status != http.StatusNoContent && a.status != http.StatusNotModified
}

// hangUp ends the handler, and the connection so that the client sees err.
func hangUp(w http.ResponseWriter, err error) {
	if errors.Is(err, errReset) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			reset(conn)
		}
	}
	panic(http.ErrAbortHandler)
}

// reset closes conn the hard way.
func reset(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn() // without TLS's own goodbye
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only on a connection that is gone
	}
	_ = conn.Close()
}
