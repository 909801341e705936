package httpclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

// contexts are one that can be done and one that cannot. Only with the first is the body read
// on another goroutine.
func contexts(t *testing.T) map[string]context.Context {
	return map[string]context.Context{"goroutine": t.Context(), "direct": context.Background()}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 1000)
	for _, test := range []struct {
		name          string
		body          func() io.Reader
		contentLength int64
		limit         int64
		want          string
		err           error
	}{
		{"empty", func() io.Reader { return strings.NewReader("") }, -1, 10, "", nil},
		{"short", func() io.Reader { return strings.NewReader("text") }, 4, 10, "text", nil},
		{"unknown length", func() io.Reader { return strings.NewReader(text) }, -1, 1 << 20, text, nil},
		{"at the limit", func() io.Reader { return strings.NewReader(text) }, -1, 10_000, text, nil},
		{"at the limit, known", func() io.Reader { return strings.NewReader(text) }, 10_000, 10_000, text, nil},
		{"one too many", func() io.Reader { return strings.NewReader(text) }, -1, 9_999, text[:9_999], errTooLarge},
		{"zero limit", func() io.Reader { return strings.NewReader(text) }, -1, 0, "", errTooLarge},
		{"length too small", func() io.Reader { return strings.NewReader(text) }, 1, 1 << 20, text, nil},
		{"length too large", func() io.Reader { return strings.NewReader("text") }, 1 << 62, 1 << 20, "text", nil},
		{"length negative", func() io.Reader { return strings.NewReader("text") }, -1 << 62, 1 << 20, "text", nil},
		{"byte by byte", func() io.Reader { return iotest.OneByteReader(strings.NewReader(text)) }, -1, 1 << 20, text, nil},
		{"data with EOF", func() io.Reader { return iotest.DataErrReader(strings.NewReader(text)) }, -1, 1 << 20, text, nil},
		{"data with an error", func() io.Reader {
			return io.MultiReader(strings.NewReader("text"), iotest.ErrReader(errBroken))
		}, -1, 1 << 20, "text", errBroken},
		{"truncated", func() io.Reader {
			return iotest.DataErrReader(io.MultiReader(strings.NewReader("text"), iotest.ErrReader(io.ErrUnexpectedEOF)))
		},
			-1, 1 << 20, "text", io.ErrUnexpectedEOF},
		{"empty reads before the end", func() io.Reader {
			return io.MultiReader(emptyReads(99), strings.NewReader("te"), emptyReads(99), strings.NewReader("xt"))
		},
			-1, 1 << 20, "text", nil},
		{"endless empty reads", func() io.Reader {
			return io.MultiReader(strings.NewReader("text"), readFunc(func([]byte) (int, error) { return 0, nil }))
		}, -1, 1 << 20, "text", io.ErrNoProgress},
	} {
		for name, ctx := range contexts(t) {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				body := newBody(test.body())
				resp := response(200, body)
				resp.ContentLength = test.contentLength
				got, err := httpclient.ReadBody(ctx, resp, test.limit, errTooLarge)
				assert.Equal(t, test.want, string(got))
				if test.err == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, test.err)
				}
				assert.True(t, body.closed.Load(), "not closed")

				bounded := httpclient.Bound(io.NopCloser(test.body()), test.limit, errTooLarge)
				if !errors.Is(test.err, io.ErrNoProgress) {
					again, againErr := io.ReadAll(bounded)
					assert.Equal(t, string(got), string(again))
					assert.Equal(t, err, againErr)
				}
			})
		}
	}
}

// emptyReads is a reader that returns nothing a number of times before its end.
func emptyReads(n int) io.Reader {
	return readFunc(func([]byte) (int, error) {
		if n--; n < 0 {
			return 0, io.EOF
		}
		return 0, nil
	})
}

func TestNoBody(t *testing.T) {
	t.Parallel()
	for _, body := range []io.ReadCloser{nil, http.NoBody} {
		got, err := httpclient.ReadBody(t.Context(), response(204, body), 1, errTooLarge)
		require.NoError(t, err)
		assert.Empty(t, got)
	}
}

// TestReadBodyInTime checks that ReadBody returns when the context is done, with what was read
// before. The body is closed once, and late data are dropped.
func TestReadBodyInTime(t *testing.T) {
	t.Parallel()
	for name, endedBy := range map[string]string{
		"ignores everything":     "release",
		"ends when it is closed": "close",
	} {
		for _, bounded := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancelCause(t.Context())
				release, ended := make(chan struct{}), make(chan struct{})
				var body *trackedBody
				reads := 0
				body = newBody(readFunc(func(p []byte) (int, error) {
					if reads++; reads == 1 {
						return copy(p, "text"), nil
					}
					defer close(ended)
					cancel(errBroken)
					if endedBy == "close" {
						<-body.done
					} else {
						<-release
					}
					return copy(p, "late"), io.EOF
				}))
				resp := response(200, body)
				if bounded {
					resp.Body = httpclient.Bound(body, 100, errTooLarge)
				}

				got, err := httpclient.ReadBody(ctx, resp, 100, errTooLarge)

				assert.Equal(t, "text", string(got))
				require.ErrorIs(t, err, context.Canceled)
				require.NotErrorIs(t, err, errBroken)
				all := append(got, "mine"...) //nolint:gocritic // the caller may append to got
				close(release)
				require.True(t, waitFor(ended), "not closed")
				require.True(t, waitFor(body.done), "not closed")
				assert.Equal(t, "textmine", string(all))
			})
		}
	}
}

// TestReadBodyOfATransport checks that net/http ends the read only if the context is that of
// the request.
func TestReadBodyOfATransport(t *testing.T) {
	t.Parallel()
	server, transport := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "text")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for name, sameContext := range map[string]bool{"context of the request": true, "another context": false} {
		for _, bounded := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancelCause(t.Context())
				req := newRequest(t, server.URL)
				if sameContext {
					req = req.WithContext(ctx)
				}
				resp, err := httpclient.Do(without(&http.Client{Transport: transport}), req)
				require.NoError(t, err)
				if bounded {
					resp.Body = httpclient.Bound(resp.Body, 100, errTooLarge)
				}
				time.AfterFunc(10*time.Millisecond, func() { cancel(errBroken) })

				_, err = httpclient.ReadBody(ctx, resp, 100, errTooLarge)

				require.ErrorIs(t, err, context.Canceled)
				require.NotErrorIs(t, err, errBroken)
			})
		}
	}
}

// TestGoroutines checks that bodies whose reads end with the context are read on the caller's
// goroutine.
func TestGoroutines(t *testing.T) {
	t.Parallel()
	own := func(t *testing.T, ctx context.Context, body io.ReadCloser) bool {
		t.Helper()
		before := goroutineID()
		read := before
		resp := response(200, body)
		if foreign, ok := body.(*trackedBody); ok {
			inner := foreign.Reader
			foreign.Reader = readFunc(func(p []byte) (int, error) {
				read = goroutineID()
				return inner.Read(p)
			})
		}
		_, err := httpclient.ReadBody(ctx, resp, 100, errTooLarge)
		require.NoError(t, err)
		return read == before
	}
	assert.True(t, own(t, context.Background(), newTextBody("text")))
	assert.False(t, own(t, t.Context(), newTextBody("text")))
	assert.False(t, own(t, t.Context(), newBody(bytes.NewReader(nil))))
}

func goroutineID() string {
	id, _, _ := strings.Cut(string(debug.Stack()), " [")
	return id
}

// TestEndlessBody checks that the memory for an endless body is close to the limit.
func TestEndlessBody(t *testing.T) {
	for name, ctx := range contexts(t) {
		for _, contentLength := range []int64{-1, 1, 1 << 40} {
			resp := response(200, io.NopCloser(readFunc(func(p []byte) (int, error) { return len(p), nil })))
			resp.ContentLength = contentLength
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			body, err := httpclient.ReadBody(ctx, resp, 1<<20, errTooLarge)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, errTooLarge)
			assert.Len(t, body, 1<<20)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), name)
		}
	}
}

// FuzzReadBody compares ReadBody with io.ReadAll for bodies in pieces of any sizes.
func FuzzReadBody(f *testing.F) {
	f.Add([]byte("text"), int64(4), uint16(10), uint8(1), false)
	f.Add(bytes.Repeat([]byte("text"), 1000), int64(-1), uint16(4000), uint8(0), false)
	f.Add(bytes.Repeat([]byte("text"), 1000), int64(1<<62), uint16(3999), uint8(7), true)
	f.Fuzz(func(t *testing.T, text []byte, contentLength int64, limit uint16, piece uint8, broken bool) {
		end := io.EOF
		if broken {
			end = errBroken
		}
		rest := text
		source := readFunc(func(p []byte) (int, error) {
			if len(rest) == 0 {
				return 0, end
			}
			n := copy(p[:min(len(p), int(piece))], rest)
			if piece == 0 {
				n = copy(p, rest)
			}
			rest = rest[n:]
			return n, nil
		})
		want, wantErr := text, error(nil)
		switch {
		case len(text) > int(limit):
			want, wantErr = text[:limit], errTooLarge
		case broken:
			wantErr = errBroken
		}
		for _, ctx := range []context.Context{t.Context(), context.Background()} {
			rest = text
			resp := response(200, newBody(source))
			resp.ContentLength = contentLength
			got, err := httpclient.ReadBody(ctx, resp, int64(limit), errTooLarge)
			require.True(t, bytes.Equal(want, got), "%q %q", want, got)
			require.Equal(t, wantErr, err)
		}
	})
}

// TestEmptyReads checks that ReadBody fails after a hundred empty reads in a row.
func TestEmptyReads(t *testing.T) {
	t.Parallel()
	for name, ctx := range contexts(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads := 0
			_, err := httpclient.ReadBody(ctx, response(200, newBody(readFunc(func([]byte) (int, error) {
				reads++
				return 0, nil
			}))), 100, errTooLarge)
			require.ErrorIs(t, err, io.ErrNoProgress)
			assert.Equal(t, 100, reads)
		})
	}
}

// TestBoundAfterLimit checks reads after the limit was exceeded.
func TestBoundAfterLimit(t *testing.T) {
	t.Parallel()
	bounded := httpclient.Bound(newTextBody("text"), 3, errTooLarge)
	buffer := make([]byte, 100)
	n, err := bounded.Read(buffer)
	assert.Equal(t, 3, n)
	require.ErrorIs(t, err, errTooLarge)
	n, err = bounded.Read(buffer)
	assert.Zero(t, n)
	require.ErrorIs(t, err, errTooLarge)
}

// TestCanceledRead checks that ReadBody returns what was read before the context was done.
func TestCanceledRead(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan struct{})
	server, transport := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "text")
		_ = http.NewResponseController(w).Flush()
		close(sent)
		<-r.Context().Done()
	})
	resp, err := httpclient.Do(without(&http.Client{Transport: transport}), newRequest(t, server.URL).WithContext(ctx))
	require.NoError(t, err)
	<-sent
	resp.Body = &canceling{ReadCloser: resp.Body, cancel: cancel}

	body, err := httpclient.ReadBody(ctx, resp, 100, errTooLarge)

	assert.Equal(t, "text", string(body))
	require.ErrorIs(t, err, context.Canceled)
}

// canceling is a body that cancels the context once something has been read.
type canceling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *canceling) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 {
		c.cancel()
	}
	return n, err
}
