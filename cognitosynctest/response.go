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

// A response is the status, headers and body that a request gets.
type response struct {
	status int
	header http.Header
	body   io.Reader
	length int64 // for Content-Length; negative: none
	raw    bool  // not from the service itself, so without a request ID
}

func jsonResponse(status int, body string) response {
	header := http.Header{"Content-Type": {"application/json"}}
	return response{status: status, header: header, body: strings.NewReader(body), length: int64(len(body))}
}

// errorResponse returns an error in the format of recorded responses of the service: the
// code ends in a colon, and a message that is a valid header value is also in a header.
func errorResponse(status int, code, message string) response {
	r := jsonResponse(status, `{"message":`+quote(message)+`}`)
	if code != "" {
		r.header.Set("X-Amzn-ErrorType", code+":")
	}
	if !strings.ContainsFunc(message, unicode.IsControl) {
		r.header.Set("X-Amzn-ErrorMessage", message)
	}
	return r
}

func notAuthorized() response {
	return errorResponse(http.StatusForbidden, "NotAuthorizedException", "These credentials are not valid for accessing this resource")
}

func notFound(poolID string) response {
	return errorResponse(http.StatusNotFound, "ResourceNotFoundException", fmt.Sprintf("IdentityPool '%s' not found.", poolID))
}

// invalidParameter returns the error for a malformed ID. A valid ID gets the error about
// the pattern, because a script can ask for this response whatever the ID is.
func invalidParameter(poolID string) response {
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
	return errorResponse(http.StatusBadRequest, "InvalidParameterException", count+" detected: "+strings.Join(violated, "; "))
}

func accessDenied(message string) response {
	return errorResponse(http.StatusForbidden, "AccessDeniedException", message)
}

func unknownOperation() response {
	return errorResponse(http.StatusNotFound, "UnknownOperationException", "The requested operation is not recognized by the service.")
}

// usageResponse returns the pool as Cognito Sync does: members without a value are null.
func usageResponse(p Pool) response {
	lastModified := "null"
	if p.LastModifiedDate != nil {
		lastModified = epochSeconds(*p.LastModifiedDate)
	}
	return jsonResponse(http.StatusOK, fmt.Sprintf(
		`{"IdentityPoolUsage":{"DataStorage":%s,"IdentityPoolId":%s,"LastModifiedDate":%s,"SyncSessionsCount":%s}}`,
		count(p.DataStorage), quote(p.IdentityPoolId), lastModified, count(p.SyncSessionsCount)))
}

func count(n *int64) string {
	if n == nil {
		return "null"
	}
	return strconv.FormatInt(*n, 10)
}

// epochSeconds returns t in seconds, to the millisecond, in the service's number format:
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

// quote returns s as a JSON string without escaping "&", "<" and ">".
func quote(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // cannot fail for a string
	return strings.TrimSuffix(b.String(), "\n")
}

// A delivery is a response and how it is sent.
type delivery struct {
	response
	latency, drip time.Duration
	fault         fault
	faultAt       int64
}

// The errors that a client sees when a connection breaks.
var (
	errCut         = io.ErrUnexpectedEOF
	errReset error = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errnoReset)}
)

// begin waits until the response begins. It returns an error if it never does.
func (d *delivery) begin(ctx context.Context) error {
	if err := wait(ctx, d.latency); err != nil {
		return err
	}
	if d.fault == wasCut && d.faultAt < 0 {
		return io.EOF
	}
	if d.fault != noFault && d.faultAt < 0 {
		return d.breakOff(ctx)
	}
	return nil
}

// breakOff carries out the fault and returns the error that the client sees.
func (d *delivery) breakOff(ctx context.Context) error {
	switch d.fault {
	case stalled:
		<-ctx.Done()
		return context.Cause(ctx)
	case wasReset:
		return errReset
	default:
		return errCut
	}
}

// announced returns the Content-Length, or a negative number for none. It exceeds what a
// faulty delivery sends, so that the client notices.
func (d *delivery) announced() int64 {
	if d.length >= 0 && d.fault != noFault {
		return max(d.length, d.faultAt+1)
	}
	return d.length
}

// A stream is the body of a delivery, with its delays. Its final error is the one that the
// client sees.
type stream struct {
	*delivery
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

// wait waits for d. When ctx is done, it returns the cause immediately.
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

// writeTo sends the response over HTTP. It calls complete just before the client can see
// the end of the response.
func (d *delivery) writeTo(w http.ResponseWriter, r *http.Request, complete func()) {
	if err := d.begin(r.Context()); err != nil {
		complete()
		hangUp(w, err)
	}
	header := w.Header()
	// nil keeps net/http from adding its own.
	header["Date"], header["Content-Type"] = nil, nil
	maps.Copy(header, d.header)
	if n := d.announced(); n >= 0 && d.hasBody() {
		header.Set("Content-Length", strconv.FormatInt(n, 10))
	} else {
		header.Del("Content-Length")
	}
	if !d.hasBody() || d.announced() == 0 || r.Method == http.MethodHead {
		complete()
	}
	w.WriteHeader(d.status)
	if !d.hasBody() {
		return
	}
	flusher := http.NewResponseController(w)
	_ = flusher.Flush() // if it fails, so does the Write below
	buffer := make([]byte, 32<<10)
	for body := (stream{delivery: d, ctx: r.Context()}); ; {
		n, err := body.Read(buffer)
		if err == io.EOF {
			return
		}
		if err != nil {
			complete()
			hangUp(w, err)
		}
		if body.sent == d.announced() {
			complete()
		}
		if _, err := w.Write(buffer[:n]); err != nil {
			return // the client is gone
		}
		_ = flusher.Flush()
	}
}

// hasBody reports whether HTTP allows a body with this status.
func (d *delivery) hasBody() bool {
	return d.status != http.StatusNoContent && d.status != http.StatusNotModified
}

// hangUp ends the handler and closes the connection, in such a way that the client sees err.
func hangUp(w http.ResponseWriter, err error) {
	if errors.Is(err, errReset) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			reset(conn)
		}
	}
	panic(http.ErrAbortHandler)
}

// reset closes conn with a TCP reset.
func reset(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn() // skips TLS's close_notify
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only on a closed connection
	}
	_ = conn.Close()
}
