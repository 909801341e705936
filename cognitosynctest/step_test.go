package cognitosynctest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/cognitosynctest"
	"github.com/cognitosync/cognitosync-go/internal/clienttest"
)

const usage = `{"IdentityPoolUsage":{"DataStorage":null,"IdentityPoolId":"` + poolID + `","LastModifiedDate":null,"SyncSessionsCount":7}}`

// Steps that respond.
func TestStep_responses(t *testing.T) {
	t.Parallel()
	message := func(s string) string { return fmt.Sprintf(`{"message":%q}`, s) }
	tests := []struct {
		name   string
		step   cognitosynctest.Step
		status int
		code   string
		body   string
		header map[string]string // further headers; "" for an absent one
	}{
		{"OK", cognitosynctest.OK(), 200, "", usage, nil},
		{"throttle", cognitosynctest.Throttle(1), 429, "TooManyRequestsException", message("Rate exceeded"), nil},
		{"TooManyRequests", cognitosynctest.TooManyRequests(), 429, "TooManyRequestsException", message("Rate exceeded"), nil},
		{"InternalError", cognitosynctest.InternalError(), 500, "InternalErrorException", message("Internal error"), nil},
		{
			"InvalidParameter", cognitosynctest.InvalidParameter(), 400, "InvalidParameterException",
			message("1 validation error detected: Value '" + poolID + "' at 'identityPoolId' failed to satisfy constraint: " +
				`Member must satisfy regular expression pattern: [\w-]+:[0-9a-f-]+`), nil,
		},
		{"NotAuthorized", cognitosynctest.NotAuthorized(), 403, "NotAuthorizedException", message("These credentials are not valid for accessing this resource"), nil},
		{"ResourceNotFound", cognitosynctest.ResourceNotFound(), 404, "ResourceNotFoundException", message("IdentityPool '" + poolID + "' not found."), nil},
		{
			"AccessDenied", cognitosynctest.AccessDenied(), 403, "AccessDeniedException",
			message("User: arn:aws:sts::123456789012:assumed-role/cognitosynctest/AKIDCOGNITOSYNCTEST is not authorized to perform: " +
				"cognito-sync:DescribeIdentityPoolUsage on resource: arn:aws:cognito-sync:us-east-1:123456789012:identitypool/" + poolID +
				" because no identity-based policy allows the cognito-sync:DescribeIdentityPoolUsage action"), nil,
		},
		{"ExpiredToken", cognitosynctest.ExpiredToken(), 403, "ExpiredTokenException", message("The security token included in the request is expired"), nil},
		{
			"Error", cognitosynctest.Error(418, "Teapot", "short & \"stout\""), 418, "Teapot", message(`short & "stout"`),
			map[string]string{"Content-Type": "application/json"},
		},
		{
			"Reply", cognitosynctest.Reply(299, http.Header{"x-own": {"1"}}, "own"), 299, "", "own",
			map[string]string{"X-Own": "1", "Content-Length": "3", "Content-Type": "", "X-Amzn-Requestid": ""},
		},
		{"Reply without a header and body", cognitosynctest.Reply(200, nil, ""), 200, "", "", map[string]string{"Content-Length": "0"}},
		{"Reply with a status that allows no body", cognitosynctest.Reply(204, nil, "body"), 204, "", "", map[string]string{"Content-Length": ""}},
		{
			"Reply with a Content-Length that is too small", cognitosynctest.Reply(200, http.Header{"content-length": {"2"}}, "body"), 200, "", "bo",
			map[string]string{"Content-Length": "2"},
		},
		{
			"Reply with an invalid Content-Length", cognitosynctest.Reply(200, http.Header{"Content-Length": {"x"}}, "body"), 200, "", "body",
			map[string]string{"Content-Length": "4"},
		},
		{
			"Reply with a date", cognitosynctest.Reply(200, http.Header{"Date": {"yesterday"}}, ""), 200, "", "",
			map[string]string{"Date": "yesterday"},
		},
		{
			"BadGateway", cognitosynctest.BadGateway(), 502, "",
			"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n",
			map[string]string{"Content-Type": "text/html", "X-Amzn-Requestid": ""},
		},
		{"ServiceUnavailable", cognitosynctest.ServiceUnavailable(), 503, "", "", map[string]string{"Content-Length": "0", "Content-Type": ""}},
		{"Redirect", cognitosynctest.Redirect(302, "https://example.com/"), 302, "", "", map[string]string{"Location": "https://example.com/"}},
		{
			"Oversized", cognitosynctest.Oversized(104), 200, "",
			`{"IdentityPoolUsage":{"IdentityPoolId":"` + poolID + `"},"Padding":"xx"}`,
			map[string]string{"Content-Length": "104"},
		},
		{
			"Oversized, but small", cognitosynctest.Oversized(0), 200, "",
			`{"IdentityPoolUsage":{"IdentityPoolId":"` + poolID + `"},"Padding":""}`, nil,
		},
		{
			"WithHeader", cognitosynctest.OK().WithHeader("x-own", "1").WithHeader("X-Own", "2"), 200, "", usage,
			map[string]string{"X-Own": "2"},
		},
		{
			"WithHeader without a value",
			cognitosynctest.InternalError().WithHeader("Date", "").WithHeader("X-Amzn-ErrorType", "").WithHeader("X-Amzn-RequestId", ""),
			500, "", message("Internal error"),
			map[string]string{"Date": "", "X-Amzn-Requestid": ""},
		},
		{"After nothing", cognitosynctest.OK().After(0), 200, "", usage, nil},
		{"After a moment", cognitosynctest.OK().After(time.Nanosecond), 200, "", usage, nil},
		{"Drip", cognitosynctest.OK().Drip(time.Nanosecond), 200, "", usage, nil},
		{"several changes", cognitosynctest.InternalError().WithHeader("Age", "7").After(1).Drip(1), 500, "InternalErrorException", message("Internal error"), map[string]string{"Age": "7"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
				server.Script(poolID, test.step)
				client := httpClient(t, server)
				got := query(t, client, server, poolID)
				require.NoError(t, got.err)
				require.NoError(t, got.bodyErr)
				assert.Equal(t, test.status, got.status)
				assert.Equal(t, test.code, got.code())
				if strings.HasPrefix(test.body, "{") {
					assert.JSONEq(t, test.body, got.body)
				} else {
					assert.Equal(t, test.body, got.body)
				}
				for name, want := range test.header {
					assert.Equal(t, want, got.header.Get(name), name)
				}
				last := server.Requests().Last()
				assert.Equal(t, test.status, last.StatusCode)
				assert.Equal(t, test.code, last.ErrorCode)
				assert.Equal(t, got.header.Get("X-Amzn-Requestid"), last.RequestID)

				assert.Zero(t, server.Pending())
				assert.Equal(t, usage, query(t, client, server, poolID).body, "the step is consumed")
			})
		})
	}
}

// Steps that break the connection.
func TestStep_faults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		step     cognitosynctest.Step
		err      error  // instead of a response
		bodyErr  error  // instead of io.EOF
		body     string // up to the error
		anyShort bool   // the client may receive less of the body
	}{
		{name: "Hangup", step: cognitosynctest.Hangup(), err: io.EOF},
		{name: "Reset", step: cognitosynctest.Reset(), err: clienttest.ConnectionReset},
		{name: "CutAfter", step: cognitosynctest.OK().CutAfter(10), bodyErr: io.ErrUnexpectedEOF, body: usage[:10]},
		{name: "CutAfter nothing", step: cognitosynctest.OK().CutAfter(0), bodyErr: io.ErrUnexpectedEOF},
		{name: "CutAfter less than nothing", step: cognitosynctest.OK().CutAfter(-1), bodyErr: io.ErrUnexpectedEOF},
		{name: "CutAfter all", step: cognitosynctest.OK().CutAfter(len(usage)), bodyErr: io.ErrUnexpectedEOF, body: usage},
		{name: "CutAfter more than all", step: cognitosynctest.OK().CutAfter(1000), bodyErr: io.ErrUnexpectedEOF, body: usage},
		{name: "CutAfter the start of an endless body", step: cognitosynctest.Endless().CutAfter(5), bodyErr: io.ErrUnexpectedEOF, body: `{"Pad`},
		{name: "ResetAfter", step: cognitosynctest.OK().ResetAfter(10), bodyErr: clienttest.ConnectionReset, body: usage[:10], anyShort: true},
		{
			name: "Reply with a Content-Length that is too large", step: cognitosynctest.Reply(200, http.Header{"Content-Length": {"5"}}, "body"),
			bodyErr: io.ErrUnexpectedEOF, body: "body",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
				client := httpClient(t, server)
				// In the later rounds there is a connection to reuse, on which net/http would
				// silently send the request again.
				for round := range 3 {
					server.Script(poolID, test.step)
					got := query(t, client, server, poolID)
					if test.err != nil {
						require.ErrorIs(t, got.err, test.err)
						assert.Zero(t, server.Requests().Last().StatusCode)
						assert.Empty(t, server.Requests().Last().RequestID)
					} else {
						require.NoError(t, got.err)
						require.ErrorIs(t, got.bodyErr, test.bodyErr)
						if test.anyShort {
							assert.True(t, strings.HasPrefix(test.body, got.body), got.body)
						} else {
							assert.Equal(t, test.body, got.body)
						}
						assert.Equal(t, http.StatusOK, server.Requests().Last().StatusCode)
					}
					assert.Equal(t, usage, query(t, client, server, poolID).body)
					assert.Equal(t, 2*(round+1), server.Requests().Count(), "one request per step")
				}
			})
		})
	}
}

// Keep-alives are on again once all steps that break connections are consumed.
func TestStep_keepAlive(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t)
	server.Script("", cognitosynctest.OK(), cognitosynctest.Hangup())
	client := httpClient(t, server)
	var reused []bool
	for range 4 {
		used := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { used = info.Reused },
		})
		r := newRequest(t, ctx, server, poolID)
		sign(t, r)
		_ = do(client, r)
		reused = append(reused, used)
	}
	assert.Equal(t, []bool{false, false, false, true}, reused)
}

// The waits of a step end when the client gives up.
func TestStep_waits(t *testing.T) {
	t.Parallel()
	gaveUp := errors.New("gave up")
	tests := []struct {
		name     string
		step     cognitosynctest.Step
		body     string // sent before the wait
		responds bool   // the headers are sent before the wait
	}{
		{name: "Stall", step: cognitosynctest.Stall()},
		{name: "After", step: cognitosynctest.OK().After(time.Hour)},
		{name: "StallAfter", step: cognitosynctest.OK().StallAfter(10), responds: true, body: usage[:10]},
		{name: "StallAfter nothing", step: cognitosynctest.OK().StallAfter(0), responds: true},
		{name: "StallAfter all", step: cognitosynctest.OK().StallAfter(1000), responds: true, body: usage},
		{name: "Drip", step: cognitosynctest.OK().Drip(time.Hour), responds: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, mode := range modes {
				t.Run(mode.name, func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					server := cognitosynctest.NewServer(t, mode.option, func(o *cognitosynctest.Options) {
						if !test.responds {
							o.OnRequest = func(cognitosynctest.Request) { cancel(gaveUp) }
						}
					})
					server.SetPool(cognitosynctest.Pool{IdentityPoolId: poolID, SyncSessionsCount: aws.Int64(7)})
					server.Script(poolID, test.step)
					r := newRequest(t, ctx, server, poolID)
					sign(t, r)

					response, err := httpClient(t, server).Do(r)

					if !test.responds {
						require.ErrorIs(t, err, gaveUp)
						return
					}
					require.NoError(t, err)
					defer response.Body.Close()
					body := make([]byte, len(test.body))
					_, err = io.ReadFull(response.Body, body)
					require.NoError(t, err)
					assert.Equal(t, test.body, string(body))
					cancel(gaveUp)
					_, err = io.ReadFull(response.Body, make([]byte, 1))
					require.ErrorIs(t, err, gaveUp)
				})
			}
		})
	}
}

func TestStep_skewedClock(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		server.Script("", cognitosynctest.SkewedClock(2*time.Hour), cognitosynctest.InternalError().WithClock(-2*time.Hour))
		for _, test := range []struct {
			skew    time.Duration
			status  int
			message string
		}{{2 * time.Hour, 200, "Signature expired: "}, {-2 * time.Hour, 500, "Signature not yet current: "}} {
			for range 2 {
				got := query(t, client, server, poolID)
				assert.Equal(t, "InvalidSignatureException", got.code(), "a refused request does not reset the clock")
				assert.Contains(t, got.body, test.message)
				date, err := http.ParseTime(got.header.Get("Date"))
				require.NoError(t, err)
				assert.InDelta(t, test.skew.Hours(), time.Until(date).Hours(), 0.5)
			}
			got := query(t, client, server, poolID, func(s *signing) { s.at = s.at.Add(test.skew) })
			assert.Equal(t, test.status, got.status)
		}
		assert.Equal(t, http.StatusOK, query(t, client, server, poolID).status, "the clock is correct again")
	})
}

// Large bodies arrive in full, as far as the client reads them.
func TestStep_large(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		get := func(step cognitosynctest.Step) *http.Response {
			server.Script("", step)
			r := newRequest(t, t.Context(), server, poolID)
			sign(t, r)
			response, err := client.Do(r)
			require.NoError(t, err)
			t.Cleanup(func() { _ = response.Body.Close() })
			return response
		}

		response := get(cognitosynctest.Oversized(size))
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Len(t, body, size)
		assert.EqualValues(t, size, response.ContentLength)
		assert.True(t, json.Valid(body))

		response = get(cognitosynctest.Endless())
		assert.EqualValues(t, -1, response.ContentLength)
		n, err := io.CopyN(io.Discard, response.Body, size)
		require.NoError(t, err)
		assert.EqualValues(t, size, n)

		response = get(cognitosynctest.GzipBomb(size + 1))
		assert.True(t, response.Uncompressed)
		assert.Empty(t, response.Header.Get("Content-Encoding"))
		assert.EqualValues(t, -1, response.ContentLength)
		body, err = io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Len(t, body, 3<<20+len(`{"IdentityPoolUsage":{}}`))
		assert.True(t, json.Valid(body))

		r := newRequest(t, t.Context(), server, poolID)
		r.Header.Set("Accept-Encoding", "gzip")
		sign(t, r)
		server.Script("", cognitosynctest.GzipBomb(size))
		got := do(client, r)
		assert.Equal(t, "gzip", got.header.Get("Content-Encoding"))
		assert.Less(t, len(got.body), size/500)
	})
}

func TestStep_badStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{-1, 0, 100, 199, 1000} {
		text := fmt.Sprintf("cognitosynctest: invalid status %d: it must be between 200 and 999", status)
		assert.PanicsWithValue(t, text, func() { cognitosynctest.Error(status, "x", "x") })
		assert.PanicsWithValue(t, text, func() { cognitosynctest.Reply(status, nil, "") })
	}
}

// Methods of a Step do not modify it.
func TestStep_value(t *testing.T) {
	t.Parallel()
	header := http.Header{"X-Own": {"1"}}
	step := cognitosynctest.Reply(200, header, "body")
	header.Set("X-Own", "2")
	base := step.WithHeader("A", "1")
	_, _, _ = base.WithHeader("B", "1"), base.CutAfter(1), cognitosynctest.Forever(base)
	server := cognitosynctest.NewServer(t)
	server.Script("", base, base)
	for range 2 {
		got := query(t, httpClient(t, server), server, poolID)
		require.NoError(t, got.bodyErr)
		assert.Equal(t, "body", got.body)
		assert.Equal(t, "1", got.header.Get("X-Own"))
		assert.Equal(t, "1", got.header.Get("A"))
		assert.Empty(t, got.header.Get("B"))
	}
	assert.Zero(t, server.Pending())
}

func TestServer_Script(t *testing.T) {
	t.Parallel()
	status := func(n int) cognitosynctest.Step { return cognitosynctest.Reply(n, nil, "") }
	type script struct {
		poolID string
		steps  []cognitosynctest.Step
	}
	tests := []struct {
		name    string
		scripts []script
		want    []int // for poolID
		pending int
	}{
		{"none", nil, []int{200}, 0},
		{"in order", []script{{poolID, []cognitosynctest.Step{status(500), status(501)}}}, []int{500, 501, 200}, 0},
		{
			"two calls of Script",
			[]script{{poolID, []cognitosynctest.Step{status(500)}}, {poolID, []cognitosynctest.Step{status(501)}}},
			[]int{500, 501, 200}, 0,
		},
		{"another pool", []script{{otherID, []cognitosynctest.Step{status(500)}}}, []int{200}, 1},
		{
			"the script of the pool before that of any pool",
			[]script{{"", []cognitosynctest.Step{status(500)}}, {poolID, []cognitosynctest.Step{status(501)}}},
			[]int{501, 500, 200}, 0,
		},
		{"Throttle", []script{{"", []cognitosynctest.Step{cognitosynctest.Throttle(3)}}}, []int{429, 429, 429, 200}, 0},
		{"Throttle zero times", []script{{"", []cognitosynctest.Step{cognitosynctest.Throttle(0)}}}, []int{200}, 0},
		{"Throttle a negative number of times", []script{{"", []cognitosynctest.Step{cognitosynctest.Throttle(-1)}}}, []int{200}, 0},
		{
			"Repeat",
			[]script{{"", []cognitosynctest.Step{cognitosynctest.Repeat(2, status(500), cognitosynctest.Throttle(2)), status(501)}}},
			[]int{500, 429, 429, 500, 429, 429, 501, 200}, 0,
		},
		{
			"Sequence",
			[]script{{"", []cognitosynctest.Step{cognitosynctest.Sequence(status(500), cognitosynctest.OK(), status(501))}}},
			[]int{500, 200, 501, 200}, 0,
		},
		{"Forever", []script{{"", []cognitosynctest.Step{cognitosynctest.Forever(status(500))}}}, []int{500, 500, 500}, 0},
		{"Forever of another pool", []script{{otherID, []cognitosynctest.Step{cognitosynctest.Forever(status(500))}}}, []int{200}, 1},
		{
			"Forever the last",
			[]script{{"", []cognitosynctest.Step{cognitosynctest.Forever(cognitosynctest.Sequence(status(500), status(501)))}}},
			[]int{500, 501, 501, 501}, 0,
		},
		{
			"Forever, pending",
			[]script{{"", []cognitosynctest.Step{cognitosynctest.Forever(cognitosynctest.Sequence(status(500), status(501)))}}},
			[]int{500}, 1,
		},
		{"Forever nothing", []script{{"", []cognitosynctest.Step{cognitosynctest.Forever(cognitosynctest.Step{})}}}, []int{200}, 0},
		{"a modified sequence", []script{{"", []cognitosynctest.Step{cognitosynctest.Repeat(2, status(500), status(501)).After(1)}}}, []int{500, 501, 500, 501, 200}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
				client := httpClient(t, server)
				for _, s := range test.scripts {
					server.Script(s.poolID, s.steps...)
				}
				var got []int
				for range test.want {
					got = append(got, query(t, client, server, poolID).status)
				}
				assert.Equal(t, test.want, got)
				assert.Equal(t, test.pending, server.Pending())
				server.Reset()
				assert.Zero(t, server.Pending())
				assert.Zero(t, server.Requests().Count())
				assert.Equal(t, http.StatusOK, query(t, client, server, poolID).status)
			})
		})
	}
}

// Concurrent requests consume each step once.
func TestServer_Script_concurrent(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		server.Script("", cognitosynctest.Throttle(10), cognitosynctest.Repeat(5, cognitosynctest.InternalError()))
		client := httpClient(t, server)
		var requests []*http.Request
		for range 32 {
			r := newRequest(t, t.Context(), server, poolID)
			sign(t, r)
			requests = append(requests, r)
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := map[int]int{}
		for _, r := range requests {
			wg.Add(1)
			go func() {
				defer wg.Done()
				o := do(client, r)
				mu.Lock()
				defer mu.Unlock()
				got[o.status]++
			}()
		}
		wg.Wait()
		assert.Equal(t, map[int]int{429: 10, 500: 5, 200: 17}, got)
	})
}

func TestServer_ScriptEachCall(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, server *cognitosynctest.Server) {
		client := httpClient(t, server)
		attempt := func(call, id string) int {
			r := newRequest(t, t.Context(), server, id)
			if call != "" {
				r.Header.Set("Amz-Sdk-Invocation-Id", call)
			}
			sign(t, r)
			return do(client, r).status
		}
		server.ScriptEachCall("", cognitosynctest.Throttle(1), cognitosynctest.InternalError())
		server.ScriptEachCall(otherID, cognitosynctest.Forever(cognitosynctest.BadGateway()))
		assert.Equal(t, 3, server.Pending(), "no call has begun")

		// Two calls in turns.
		assert.Equal(t, 429, attempt("a", poolID))
		assert.Equal(t, 429, attempt("b", poolID))
		assert.Equal(t, 500, attempt("a", poolID))
		assert.Equal(t, 200, attempt("a", poolID))
		assert.Equal(t, 500, attempt("b", poolID))
		assert.Equal(t, 200, attempt("a", poolID))
		assert.Equal(t, 200, attempt("b", poolID))
		// Without an invocation ID, every request is a first attempt.
		assert.Equal(t, 429, attempt("", poolID))
		assert.Equal(t, 429, attempt("", poolID))
		// The steps for the pool come first, and among those the steps of Script.
		assert.Equal(t, 502, attempt("c", otherID))
		assert.Equal(t, 502, attempt("c", otherID))
		server.Script("", cognitosynctest.Reply(503, nil, ""))
		server.Script(otherID, cognitosynctest.Reply(504, nil, ""))
		assert.Equal(t, 504, attempt("c", otherID))
		assert.Equal(t, 502, attempt("c", otherID))
		assert.Equal(t, 503, attempt("d", poolID))
		assert.Equal(t, 429, attempt("d", poolID))
		assert.Equal(t, []cognitosynctest.PendingStep{
			{Call: "d", Step: "InternalError", Count: 1},
			{Step: "InternalError", Count: 2}, // of the calls without an ID
		}, server.PendingSteps())
		assert.Equal(t, 3, server.Pending())

		server.ScriptEachCall(otherID)
		assert.Equal(t, 429, attempt("e", otherID))
		server.ScriptEachCall("", cognitosynctest.InternalError())
		assert.Equal(t, 500, attempt("e", otherID), "new steps start from the first")
		server.Reset()
		assert.Equal(t, 404, attempt("f", otherID))
	})
}

func TestRequests(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t)
	client := httpClient(t, server)
	for _, r := range []struct{ call, sdk, pool string }{
		{"a", "attempt=1; max=3", poolID},
		{"b", "attempt=1; max=5", otherID},
		{"a", "ttl=20260730T120000Z; attempt=2; max=3", poolID},
		{"", "", poolID},
		{"", "attempt=x", otherID},
	} {
		request := newRequest(t, t.Context(), server, r.pool)
		for name, value := range map[string]string{"Amz-Sdk-Invocation-Id": r.call, "Amz-Sdk-Request": r.sdk} {
			if value != "" {
				request.Header.Set(name, value)
			}
		}
		sign(t, request)
		require.NoError(t, do(client, request).err)
	}
	r := request(t, http.MethodPost, server.URL()+"/some%2Fpath?b=1&a=2", "body")
	require.NoError(t, do(client, r).err)

	requests := server.Requests()
	assert.Equal(t, 6, requests.Count())
	assert.Equal(t, 3, requests.ByPool(poolID).Count())
	assert.Equal(t, 2, requests.ByPool(otherID).Count())
	assert.Equal(t, 1, requests.ByPool("").Count())
	assert.Zero(t, requests.Refused().Count())
	attempts := requests.Attempts("a")
	require.Equal(t, 2, attempts.Count())
	assert.Equal(t, []int{1, 3, 2, 3}, []int{
		attempts[0].Attempt, attempts[0].MaxAttempts, attempts[1].Attempt, attempts[1].MaxAttempts,
	})
	assert.Equal(t, "attempt=1; max=3", attempts[0].Header.Get("Amz-Sdk-Request"))
	assert.Zero(t, requests[4].Attempt)
	var calls []int
	for _, call := range requests.Calls() {
		calls = append(calls, call.Count())
	}
	assert.Equal(t, []int{2, 1, 1, 1, 1}, calls)
	assert.Equal(t, "b", requests.Calls()[1].Last().InvocationID)

	last := requests.Last()
	assert.Equal(t, http.MethodPost, last.Method)
	assert.Equal(t, "/some%2Fpath", last.Path)
	assert.Equal(t, "b=1&a=2", last.RawQuery)
	assert.Equal(t, strings.TrimPrefix(server.URL(), "http://"), last.Host)
	assert.Equal(t, []byte("body"), last.Body)
	assert.Equal(t, 404, last.StatusCode)

	requests[0].PoolID = "changed"
	assert.Equal(t, poolID, server.Requests()[0].PoolID, "the record is unchanged")

	var none cognitosynctest.Requests
	assert.Zero(t, none.Count())
	assert.Equal(t, cognitosynctest.Request{}, none.Last())
	assert.Empty(t, none.Calls())
	assert.Empty(t, none.ByPool(poolID))
}

// ErrorCode is the part of the header before the colon.
func TestRequest_errorCode(t *testing.T) {
	t.Parallel()
	server, client := newMemoryServer(t)
	for header, want := range map[string]string{"Odd": "Odd", "Odd:": "Odd", "Odd:http://example.com/": "Odd", "": ""} {
		server.Script("", cognitosynctest.Reply(400, http.Header{"X-Amzn-Errortype": {header}}, ""))
		query(t, client, server, poolID)
		assert.Equal(t, want, server.Requests().Last().ErrorCode)
	}
}

func TestServer_largeRequest(t *testing.T) {
	t.Parallel()
	server := cognitosynctest.NewServer(t, func(o *cognitosynctest.Options) { o.InMemory = true })
	r := newRequest(t, t.Context(), server, poolID)
	r.Body = io.NopCloser(bytes.NewReader(make([]byte, 1<<20+1)))
	sign(t, r)
	got := do(httpClient(t, server), r)
	assert.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	assert.Equal(t, "RequestEntityTooLargeException", got.code())
	assert.Empty(t, server.Requests().Last().Body)
}
