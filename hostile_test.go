package cognitosync_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go"
	"github.com/cognitosync/cognitosync-go/cognitosynctest"
)

// maxAllocated is the most that one call may allocate, all its attempts included,
// whatever the server sends.
const maxAllocated = 4_000_000

const mib = 1 << 20

// A rawServer answers each request with the same bytes, however wrong they are, and
// allocates next to nothing.
type rawServer struct {
	net.Listener
	head, body []byte
	times      int // that the body is sent; negative: until the client goes
	requests   atomic.Int32
}

// newRawServer starts a server that ends with the test. Each answer is the last on
// its connection.
func newRawServer(t *testing.T, head string, body []byte, times int) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawServer{Listener: listener, head: []byte(head), body: body, times: times}
	var running sync.WaitGroup
	running.Add(1)
	go func() {
		defer running.Done()
		for {
			conn, err := s.Accept()
			if err != nil {
				return // closed
			}
			running.Add(1)
			go func() {
				defer running.Done()
				s.serve(conn)
			}()
		}
	}()
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		running.Wait()
	})
	return s
}

func (s *rawServer) url() string { return "http://" + s.Addr().String() }

func (s *rawServer) serve(conn net.Conn) {
	defer conn.Close()
	for lines := bufio.NewReader(conn); ; {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	s.requests.Add(1)
	if _, err := conn.Write(s.head); err != nil {
		return
	}
	for i := 0; i != s.times; i++ {
		if _, err := conn.Write(s.body); err != nil {
			return // it was enough for the client
		}
	}
	// Closing with the client still sending, or its data unread, would be a reset.
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}

// filled returns prefix and suffix with as many units between them as make up size.
func filled(size int, prefix, unit, suffix string) []byte {
	count := (size - len(prefix) - len(suffix)) / len(unit)
	return []byte(prefix + strings.Repeat(unit, count) + suffix)
}

// zipped returns size spaces and a usage, gzip-encoded.
func zipped(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	spaces := bytes.Repeat([]byte(" "), mib)
	for range size / mib {
		_, err := w.Write(spaces)
		require.NoError(t, err)
	}
	_, err := io.WriteString(w, stubBody)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// numbered returns lines of headers with different names.
func numbered(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%x:\r\n", i)
	}
	return b.String()
}

// endless says that a body goes on for as long as the client reads it.
const endless = -1

// What a hostile answer ends in.
type ending string

const (
	endsWell          ending = "output"
	endsDeserializing ending = "smithy.DeserializationError"
	endsTooLarge      ending = "ResponseTooLargeError"
	endsAPIError      ending = "smithy.APIError"
	endsUnsent        ending = "smithyhttp.RequestSendError"
	endsSomehow       ending = "whatever is cheap"
)

// assertEnding checks the type of an error.
func assertEnding(t *testing.T, want ending, output *cognitosync.DescribeIdentityPoolUsageOutput, err error) {
	t.Helper()
	switch want {
	case endsSomehow:
		assertSound(t, outcome{output: output, err: err})
		return
	case endsWell:
		require.NoError(t, err)
		assert.NotNil(t, output)
		return
	}
	requireFailure(t, output, err)
	switch want {
	case endsDeserializing:
		requireAs[*smithy.DeserializationError](t, err)
	case endsTooLarge:
		requireAs[*smithy.DeserializationError](t, err)
		assert.EqualValues(t, mib, requireAs[*cognitosync.ResponseTooLargeError](t, err).Limit)
	case endsAPIError:
		assert.NotEmpty(t, requireAs[smithy.APIError](t, err).ErrorCode())
	case endsUnsent:
		requireAs[*smithyhttp.RequestSendError](t, err)
	}
}

// A hostileAnswer is one that no service would send.
type hostileAnswer struct {
	name  string
	head  string
	body  []byte
	times int // that the body is sent
	want  ending
}

// The beginnings and the ends of heads.
const (
	headOK          = "HTTP/1.1 200 OK\r\n"
	headBadRequest  = "HTTP/1.1 400 Bad Request\r\n"
	headServerError = "HTTP/1.1 500 Internal Server Error\r\n"
	headEnd         = "\r\n"
	headNoBody      = "Content-Length: 0\r\n\r\n"
	headChunked     = "Transfer-Encoding: chunked\r\n\r\n"
	headGzip        = "Content-Encoding: gzip\r\n\r\n"
)

// usageStart is how the JSON of a success begins.
const usageStart = `{"IdentityPoolUsage":{`

// testHostile makes a call that gets a hostile answer to each attempt, and measures
// what it costs. Tests that use it are not parallel, so that nothing else is measured.
func testHostile(t *testing.T, ways []string, answers []hostileAnswer) {
	t.Helper()
	for _, test := range answers {
		for _, way := range ways {
			t.Run(test.name+"/"+way, func(t *testing.T) {
				server := newRawServer(t, test.head, test.body, test.times)
				tr := newTrial(t, way, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.url()) })
				var (
					output *cognitosync.DescribeIdentityPoolUsageOutput
					err    error
				)
				allocated := allocatedBy(func() { output, err = tr.call(t.Context()) })
				assert.Less(t, allocated, uint64(maxAllocated), "bytes allocated")
				assertEnding(t, test.want, output, err)
				if isA[*smithy.DeserializationError](err) {
					assert.EqualValues(t, 1, server.requests.Load(), "tried again, with nothing to gain")
				}
			})
		}
	}
}

// TestHostileLength sends more than anybody should read.
func TestHostileLength(t *testing.T) {
	xs := bytes.Repeat([]byte("x"), 64<<10)
	chunk := []byte("8000\r\n" + strings.Repeat("x", 0x8000) + "\r\n")
	bomb := zipped(t, 64*mib)
	testHostile(t, ways, []hostileAnswer{
		{"endless", headOK + headEnd, xs, endless, endsTooLarge},
		{"endless in chunks", headOK + headChunked, chunk, endless, endsTooLarge},
		{"endless nothing", headOK + headEnd, bytes.Repeat([]byte(" "), 64<<10), endless, endsTooLarge},
		{"endless although announced", headOK + "Content-Length: 9223372036854775807\r\n\r\n", xs, endless, endsTooLarge},
		{"endless client error", headBadRequest + headEnd, xs, endless, endsAPIError},
		{"endless server error", headServerError + headEnd, xs, endless, endsAPIError},
		{"5 MiB of JSON", headOK + headEnd, filled(5*mib, usageStart+`"DataStorage":1},"Pad":"`, "x", `"}`), 1, endsTooLarge},
		{"1 MiB and a byte", headOK + headEnd, append(filled(mib, "{", " ", "}"), ' '), 1, endsTooLarge},
		{"1 MiB", headOK + headEnd, filled(mib, "{", " ", "}"), 1, endsWell},
		{"gzip bomb", headOK + headGzip, bomb, 1, endsTooLarge},
		{"gzip bomb as a client error", headBadRequest + headGzip, bomb, 1, endsAPIError},
		{"gzip bomb as a server error", headServerError + headGzip, bomb, 1, endsAPIError},
		{"cut at 1 MiB", headOK + "Content-Length: 1048576\r\n\r\n", filled(mib-1, "{", " ", ""), 1, endsUnsent},
	})
}

// TestHostileJSON sends successes that take pains to decode, which is done by the same
// function whichever way a call takes.
func TestHostileJSON(t *testing.T) {
	testHostile(t, []string{direct}, []hostileAnswer{
		{"deep arrays", headOK + headEnd, filled(mib, "", "[", ""), 1, endsDeserializing},
		{"deep objects", headOK + headEnd, filled(mib, "", `{"a":`, ""), 1, endsDeserializing},
		{"deep usages", headOK + headEnd, filled(mib, "", `{"IdentityPoolUsage":`, ""), 1, endsDeserializing},
		{"deep and whole", headOK + headEnd, []byte(`{"a":` + strings.Repeat("[", mib/4) + strings.Repeat("]", mib/4) + "}"), 1, endsDeserializing},
		{"huge count", headOK + headEnd, filled(mib, usageStart+`"DataStorage":`, "9", `}}`), 1, endsDeserializing},
		{"huge count of zeros", headOK + headEnd, filled(mib, usageStart+`"DataStorage":0.`, "0", `}}`), 1, endsSomehow},
		{"huge fraction", headOK + headEnd, filled(mib, usageStart+`"LastModifiedDate":0.`, "9", `}}`), 1, endsSomehow},
		{"huge exponent", headOK + headEnd, []byte(usageStart + `"DataStorage":1e1000000000}}`), 1, endsDeserializing},
		{"huge exponent of a date", headOK + headEnd, []byte(usageStart + `"LastModifiedDate":1e1000000000}}`), 1, endsDeserializing},
		{"huge exponent of nothing", headOK + headEnd, []byte(usageStart + `"DataStorage":0e1000000000}}`), 1, endsWell},
		{"small exponent", headOK + headEnd, []byte(usageStart + `"LastModifiedDate":1e-1000000000}}`), 1, endsWell},
		{"exponent of many digits", headOK + headEnd, filled(mib, usageStart+`"DataStorage":1e`, "9", `}}`), 1, endsDeserializing},
		{"huge id", headOK + headEnd, filled(mib, usageStart+`"IdentityPoolId":"`, "x", `"}}`), 1, endsWell},
		{"huge id of escapes", headOK + headEnd, filled(mib, usageStart+`"IdentityPoolId":"`, `\n`, `"}}`), 1, endsWell},
		{"many usages", headOK + headEnd, filled(mib, "{", `"IdentityPoolUsage":{},`, `"a":1}`), 1, endsSomehow},
		{"many usages of the wrong type", headOK + headEnd, filled(mib, "{", `"IdentityPoolUsage":1,`, `"a":1}`), 1, endsDeserializing},
		{"many counts", headOK + headEnd, filled(mib, usageStart, `"DataStorage":1,`, `"a":1}}`), 1, endsWell},
		{"many counts that are none", headOK + headEnd, filled(mib, usageStart, `"DataStorage":"x",`, `"a":1}}`), 1, endsDeserializing},
		{"many fractions", headOK + headEnd, filled(mib, usageStart, `"DataStorage":1.5,`, `"a":1}}`), 1, endsDeserializing},
		{"many dates", headOK + headEnd, filled(mib, usageStart, `"LastModifiedDate":1.5,`, `"a":1}}`), 1, endsWell},
		{"many ids", headOK + headEnd, filled(mib, usageStart, `"IdentityPoolId":null,"IdentityPoolId":"x",`, `"a":1}}`), 1, endsWell},
		{"many members", headOK + headEnd, filled(mib, usageStart, `"a":1,`, `"a":1}}`), 1, endsWell},
	})
}

// TestHostileErrors sends failures that take pains to decode.
func TestHostileErrors(t *testing.T) {
	testHostile(t, []string{direct}, []hostileAnswer{
		{"huge page", headBadRequest + headEnd, filled(mib, "<p>", "x", "</p>"), 1, endsAPIError},
		{"huge message", headBadRequest + headEnd, filled(mib, `{"message":"`, "x", `"}`), 1, endsAPIError},
		{"huge message of escapes", headBadRequest + headEnd, filled(mib, `{"message":"`, `\n`, `"}`), 1, endsAPIError},
		{"huge message not in ASCII", headBadRequest + headEnd, filled(mib, `{"message":"\n`, "é", `"}`), 1, endsAPIError},
		{"huge message of a server error", headServerError + headEnd, filled(mib, `{"message":"`, `\n`, `"}`), 1, endsAPIError},
		{"huge code", headBadRequest + headEnd, filled(mib, `{"code":"`, `\n`, `"}`), 1, endsAPIError},
		{"huge code and message", headBadRequest + headEnd,
			append(filled(mib/2, `{"__type":"\n`, "x", `",`), filled(mib/2, `"message":"\n`, "x", `"}`)...), 1, endsAPIError},
		{"huge message of the wrong type", headBadRequest + headEnd, filled(mib, `{"message":[`, "1,", `1]}`), 1, endsAPIError},
		{"many messages", headBadRequest + headEnd, filled(mib, `{`, `"message":"x",`, `"message":1}`), 1, endsAPIError},
		{"deep error", headServerError + headEnd, filled(mib, "", "[", ""), 1, endsAPIError},
	})
}

// TestHostileHeads sends all that can be too long but a body.
func TestHostileHeads(t *testing.T) {
	xs := bytes.Repeat([]byte("x"), 64<<10)
	testHostile(t, ways, []hostileAnswer{
		{"endless header", headOK, []byte("X-A: xxxxxxxxxxxxxxxx\r\n"), endless, endsUnsent},
		{"endless line", headOK + "X-A: ", xs, endless, endsUnsent},
		{"endless status", "HTTP/1.1 500 ", xs, endless, endsUnsent},
		{"endless garbage", "", xs, endless, endsUnsent},
		{"endless interim answers", "", []byte("HTTP/1.1 103 Early Hints\r\nX-A: x\r\n\r\n"), endless, endsUnsent},
		{"endless trailer", headOK + headChunked + "2\r\n{}\r\n0\r\n", []byte("X-A: xxxxxxxxxxxxxxxx\r\n"), endless, endsUnsent},
		{"endless chunk extension", headOK + headChunked + "2;", xs, endless, endsUnsent},
		{"huge header", headServerError + "X-A: " + strings.Repeat("x", 200<<10) + "\r\n" + headNoBody, nil, 0, endsSomehow},
		{"many headers", headServerError + numbered(200<<10) + headNoBody, nil, 0, endsSomehow},
		{"many headers of one name", headServerError + strings.Repeat("a:\r\n", 50<<10) + headNoBody, nil, 0, endsSomehow},
		{"huge code in the header", headBadRequest + "X-Amzn-ErrorType: " + strings.Repeat("x", 20<<10) + "\r\n" + headNoBody, nil, 0, endsAPIError},
		{"huge message in the header", headBadRequest + "X-Amzn-ErrorMessage: " + strings.Repeat("x", 20<<10) + "\r\n" + headNoBody, nil, 0, endsAPIError},
		{"huge request id", headBadRequest + "X-Amzn-RequestId: " + strings.Repeat("x", 20<<10) + "\r\n" + headNoBody, nil, 0, endsAPIError},
		{"huge reason", "HTTP/1.1 400 " + strings.Repeat("x", 20<<10) + "\r\n" + headNoBody, nil, 0, endsAPIError},
		{"huge Location", "HTTP/1.1 302 Found\r\nLocation: https://" + strings.Repeat("x", 20<<10) + "/\r\n" + headNoBody, nil, 0, endsAPIError},
	})
}

// TestHostileHTTP sends what is not HTTP, or none that makes sense.
func TestHostileHTTP(t *testing.T) {
	testHostile(t, ways, []hostileAnswer{
		{"no HTTP", "SSH-2.0-OpenSSH_9.9\r\n", nil, 0, endsUnsent},
		{"no status", "HTTP/1.1\r\n\r\n", nil, 0, endsUnsent},
		{"status that is none", "HTTP/1.1 abc OK\r\n" + headNoBody, nil, 0, endsUnsent},
		{"negative status", "HTTP/1.1 -20 OK\r\n" + headNoBody, nil, 0, endsUnsent},
		{"status 0", "HTTP/1.1 000 OK\r\n" + headNoBody, nil, 0, endsAPIError},
		{"status 999", "HTTP/1.1 999 OK\r\n" + headNoBody, nil, 0, endsAPIError},
		{"switched protocols", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", []byte("x"), 1, endsAPIError},
		{"negative length", headOK + "Content-Length: -1\r\n\r\n", nil, 0, endsUnsent},
		{"two lengths", headOK + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", []byte("{}"), 1, endsUnsent},
		{"chunk of wrong length", headOK + headChunked, []byte("2\r\n{}}\r\n0\r\n\r\n"), 1, endsUnsent},
		{"chunk of huge length", headOK + headChunked, []byte("ffffffffffffffffff\r\n{}"), 1, endsUnsent},
		{"gzip that is none", headOK + headGzip, []byte(stubBody), 1, endsDeserializing},
		{"gzip with a wrong sum", headOK + headGzip, []byte(emptyGzip[:len(emptyGzip)-1] + "x"), 1, endsDeserializing},
		{"gzip with rubbish inside", headOK + headGzip, append(zipped(t, 0)[:12], "\xff\xff\xff\xff\xff\xff\xff\xff"...), 1, endsDeserializing},
	})
}

// allocatedBy returns how many bytes f allocates.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC() // what is due from earlier tests is done before
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A watchedBody is the body of an answer that notes whether it was closed.
type watchedBody struct {
	io.ReadCloser
	closed atomic.Bool
}

func (b *watchedBody) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, errors.New("read after close")
	}
	return b.ReadCloser.Read(p)
}

// A watchingClient is an HTTP client that keeps the bodies it has handed out.
type watchingClient struct {
	http.RoundTripper
	afterHead func() // called when the head of an answer has come
	bodies    []*watchedBody
}

func (c *watchingClient) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body := &watchedBody{ReadCloser: resp.Body}
	resp.Body = body
	c.bodies = append(c.bodies, body)
	if c.afterHead != nil {
		c.afterHead()
	}
	return resp, nil
}

// assertClosed checks that so many bodies were handed out, and all closed.
func (c *watchingClient) assertClosed(t *testing.T, count int) {
	t.Helper()
	assert.Len(t, c.bodies, count)
	for _, body := range c.bodies {
		assert.True(t, body.closed.Load())
	}
}

// TestBodiesAreClosed ends calls in every way after the head of an answer has come.
func TestBodiesAreClosed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		status   int
		body     string
		attempts int
	}{
		{"success", 200, stubBody, 1},
		{"success without a body", 204, "", 1},
		{"malformed", 200, "{", 1},
		{"too long", 200, strings.Repeat(" ", mib+1), 1},
		{"client error", 404, `{"message":"m"}`, 1},
		{"long client error", 400, strings.Repeat("x", 2*mib), 1},
		{"server error", 500, `{"message":"m"}`, 3},
		{"redirect", 302, "elsewhere", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, test.body) // the client may have enough of it
				}))
				t.Cleanup(server.Close)
				client := &watchingClient{RoundTripper: &http.Transport{}}
				tr := newTrial(t, way, func(o *cognitosync.Options) {
					o.BaseEndpoint, o.HTTPClient = aws.String(server.URL), client
				})

				output, err := tr.call(t.Context())

				assert.NotEqual(t, output == nil, err == nil)
				client.assertClosed(t, test.attempts)
			})
		})
	}
}

// TestBodyIsClosedWhenTheCallerGoes ends a call in the midst of an answer.
func TestBodyIsClosedWhenTheCallerGoes(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		ctx, cancel := context.WithCancel(t.Context())
		client := &watchingClient{RoundTripper: &http.Transport{}, afterHead: cancel}
		tr := newTrial(t, way, func(o *cognitosync.Options) { o.HTTPClient = client })
		tr.script(cognitosynctest.Forever(cognitosynctest.OK().StallAfter(10)))

		err := tr.fails(t, ctx)

		assert.ErrorIs(t, err, context.Canceled)
		client.assertClosed(t, 1)
	})
}

// TestBodyThatCannotBeClosed has nothing to do with the answer.
func TestBodyThatCannotBeClosed(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, way string) {
		tr := newTrial(t, way, func(o *cognitosync.Options) {
			o.HTTPClient = doFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := stubTransport{}.RoundTrip(req)
				resp.Body = unclosable{resp.Body}
				return resp, err
			})
		})
		tr.succeeds(t)
	})
}

type unclosable struct{ io.Reader }

func (unclosable) Close() error { return errors.New("cannot be closed") }

// TestConnectionIsReused makes calls one after the other: after an answer that was
// read to its end they share a connection, whatever the answer was.
func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	const calls = 5
	for _, test := range []struct {
		name        string
		status      int
		body        string
		connections int
	}{
		{"success", 200, stubBody, 1},
		{"success with something after it", 200, stubBody + strings.Repeat(" ", 100<<10), 1},
		{"success without a body", 204, "", 1},
		{"malformed", 200, `{"IdentityPoolUsage":[` + strings.Repeat("x", 100<<10), 1},
		{"client error", 404, `{"message":"m"}`, 1},
		{"client error without a body", 404, "", 1},
		{"long client error", 400, strings.Repeat("x", 60<<10), 1},
		{"server error", 500, `{"message":"m"}`, 1},
		{"throttled", 429, `{"message":"m"}`, 1},
		{"redirect", 302, "<a href='/'>elsewhere</a>", 1},
		{"too long", 200, strings.Repeat(" ", 2*mib), calls},
	} {
		for _, announced := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/announced=%v", test.name, announced), func(t *testing.T) {
				t.Parallel()
				eachWay(t, func(t *testing.T, way string) {
					var connections atomic.Int32
					server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						if announced && test.status != http.StatusNoContent {
							w.Header().Set("Content-Length", fmt.Sprint(len(test.body)))
						}
						w.Header().Set("Location", "/elsewhere")
						w.WriteHeader(test.status)
						if !announced {
							_ = http.NewResponseController(w).Flush() // a client that is gone fails the test
						}
						_, _ = io.WriteString(w, test.body) // the client may have enough of it
					}))
					server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
						if state == http.StateNew {
							connections.Add(1)
						}
					}
					server.Start()
					t.Cleanup(server.Close)
					tr := newTrial(t, way, func(o *cognitosync.Options) {
						o.BaseEndpoint, o.RetryMaxAttempts = aws.String(server.URL), 1
					})
					for range calls {
						output, err := tr.call(t.Context())
						assert.NotEqual(t, output == nil, err == nil)
					}
					assert.EqualValues(t, test.connections, connections.Load())
				})
			})
		}
	}
}

// TestErrorTextIsClean has all that the service can say contain what must not be
// printed.
func TestErrorTextIsClean(t *testing.T) {
	t.Parallel()
	const dirty = "a\x00b\x1b[31mc\r\nd\u0085e\u202ef\u2028g\xffh\U000e0001i"
	printed := regexp.MustCompile(`[^\x20-\x7e]`)
	for _, test := range []struct {
		name, head, body string
	}{
		{"page", "HTTP/1.1 400 Bad Request\r\n\r\n", dirty},
		{"message", "HTTP/1.1 400 Bad Request\r\n\r\n", `{"message":"a\u0000b\u001b[31mc\r\nd\u0085e\u202ef\u2028g"}`},
		{"message of an exception", "HTTP/1.1 404 Not Found\r\nX-Amzn-ErrorType: ResourceNotFoundException\r\n\r\n", `{"message":"a\u0000b\u001b[31mc\r\nd\u0085e\u202ef\u2028g"}`},
		{"code", "HTTP/1.1 400 Bad Request\r\n\r\n", `{"code":"a\u0000b\u001b[31mc\r\nd\u0085e\u202ef\u2028g"}`},
		{"headers", "HTTP/1.1 400 Bad Request\r\nX-Amzn-RequestId: \u0085\u202e\u2028\r\nX-Amzn-ErrorType: \u0085a\u202e\u2028\r\nX-Amzn-ErrorMessage: \u0085\u202e\u2028\xff\r\n\r\n", ""},
		{"Location", "HTTP/1.1 302 Found\r\nLocation: https://a\u0085\u202e\u2028\xff/\r\n\r\n", ""},
		{"count", "HTTP/1.1 200 OK\r\n\r\n", `{"IdentityPoolUsage":{"DataStorage":"a\u001b` + "\u0085\u202e\u2028" + `"}}`},
		{"JSON", "HTTP/1.1 200 OK\r\n\r\n", dirty},
		{"no HTTP", dirty + "\r\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, way string) {
				server := newRawServer(t, test.head, []byte(test.body), 1)
				tr := newTrial(t, way, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.url()) })
				err := tr.fails(t, t.Context())
				assert.NotRegexp(t, printed, err.Error())
				if details := cognitosync.InspectError(err); details.StatusCode >= 300 {
					assert.NotRegexp(t, printed, details.Code)
					assert.NotRegexp(t, printed, details.RequestID)
				}
			})
		})
	}
}

// TestQuoteIsShort quotes no more than 512 bytes of what could not be parsed.
func TestQuoteIsShort(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body string }{
		{"text", strings.Repeat("x", 10_000)},
		{"not ASCII", strings.Repeat("é", 10_000)},
		{"runes of three bytes", strings.Repeat("€", 10_000)},
		{"nothing to print", strings.Repeat("\x00", 10_000)},
		{"broken UTF-8", strings.Repeat("\xff", 10_000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newRawServer(t, "HTTP/1.1 400 Bad Request\r\n\r\n", []byte(test.body), 1)
			tr := newTrial(t, direct, func(o *cognitosync.Options) { o.BaseEndpoint = aws.String(server.url()) })
			message := requireAs[*smithy.GenericAPIError](t, tr.fails(t, t.Context())).ErrorMessage()
			assert.LessOrEqual(t, len(message), 512)
			assert.Greater(t, len(message), 500)
			assert.True(t, strings.HasSuffix(message, "..."))
		})
	}
}
