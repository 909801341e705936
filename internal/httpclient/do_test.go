package httpclient_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cognitosync/cognitosync-go/internal/httpclient"
)

// TestDoErrors checks that every error wraps a *url.Error and the cause.
func TestDoErrors(t *testing.T) {
	t.Parallel()
	both := newTextBody("never read")
	already := &url.Error{Op: "Head", URL: "https://other.test", Err: errBroken}
	for _, test := range []struct {
		name string
		do   doFunc
		want string
		is   error
	}{
		{"error", func(*http.Request) (*http.Response, error) { return nil, errBroken },
			`Get "https://host.test/path": broken`, errBroken},
		{"url.Error", func(*http.Request) (*http.Response, error) { return nil, already },
			`Head "https://other.test": broken`, already},
		{"error and response", func(*http.Request) (*http.Response, error) { return response(200, both), errBroken },
			`Get "https://host.test/path": broken`, errBroken},
		{"neither", func(*http.Request) (*http.Response, error) { return nil, nil },
			`Get "https://host.test/path": the HTTP client returned neither a response nor an error`, nil},
	} {
		for _, client := range []struct {
			name string
			httpclient.Doer
		}{
			{"client", test.do},
			{"transport", without(&http.Client{Transport: roundTripFunc(test.do)})},
		} {
			for _, ctx := range []context.Context{t.Context(), context.Background()} {
				t.Run(test.name+"/"+client.name, func(t *testing.T) {
					t.Parallel()
					req := newRequest(t, "https://user:hunter2@host.test/path").WithContext(ctx)
					resp, err := httpclient.Do(client, req)
					assert.Nil(t, resp)
					require.EqualError(t, err, test.want)
					var withURL *url.Error
					require.ErrorAs(t, err, &withURL)
					if test.is != nil {
						require.ErrorIs(t, err, test.is)
					}
				})
			}
		}
	}
	t.Cleanup(func() { assert.True(t, waitFor(both.done), "body not closed") })
}

// TestDialError checks the error of a real transport.
func TestDialError(t *testing.T) {
	t.Parallel()
	client := without(&http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errBroken },
	}})
	_, err := httpclient.Do(client, newRequest(t, "http://host.test/"))
	requireURLError(t, err, "http://host.test/")
	require.ErrorIs(t, err, errBroken)
}

func TestNilBody(t *testing.T) {
	t.Parallel()
	resp, err := httpclient.Do(doFunc(func(*http.Request) (*http.Response, error) { return response(200, nil), nil }),
		newRequest(t, "https://host.test/"))
	require.NoError(t, err)
	assert.Equal(t, http.NoBody, resp.Body)
}

// TestSwitchingProtocols checks that Do does not wait for data after a 101.
func TestSwitchingProtocols(t *testing.T) {
	t.Parallel()
	t.Run("net/http", func(t *testing.T) {
		t.Parallel()
		closed := make(chan struct{})
		server, transport := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if !assert.NoError(t, err) {
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
			_, _ = bufio.NewReader(conn).ReadByte() // ends when the client closes
			close(closed)
		})
		resp, err := httpclient.Do(without(&http.Client{Transport: transport}), newRequest(t, server.URL))
		require.NoError(t, err)
		assert.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
		assert.Equal(t, http.NoBody, resp.Body)
		assert.True(t, waitFor(closed), "connection left open")
	})
	t.Run("another client", func(t *testing.T) {
		t.Parallel()
		body := newBody(readFunc(func([]byte) (int, error) { select {} }))
		resp, err := httpclient.Do(doFunc(func(*http.Request) (*http.Response, error) { return response(101, body), nil }),
			newRequest(t, "https://host.test/"))
		require.NoError(t, err)
		assert.Equal(t, http.NoBody, resp.Body)
		assert.True(t, waitFor(body.done), "body not closed")
	})
}

// TestDoInTime checks that Do returns when the context is done, even if the client does not,
// and that a late response is closed.
func TestDoInTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	release, late := make(chan struct{}), newTextBody("late")
	client := doFunc(func(*http.Request) (*http.Response, error) {
		cancel(errBroken)
		<-release
		return response(200, late), nil
	})
	resp, err := httpclient.Do(client, newRequest(t, "https://host.test/").WithContext(ctx))
	assert.Nil(t, resp)
	requireURLError(t, err, "https://host.test/")
	require.ErrorIs(t, err, errBroken)
	assert.False(t, late.closed.Load())
	close(release)
	assert.True(t, waitFor(late.done), "late body not closed")
}

// TestForeignPanic checks that the caller can recover a panic of the client.
func TestForeignPanic(t *testing.T) {
	t.Parallel()
	recovered := func(f func()) (value any) {
		defer func() { value = recover() }()
		f()
		return nil
	}
	for name, call := range map[string]func(){
		"client": func() {
			_, _ = httpclient.Do(doFunc(func(*http.Request) (*http.Response, error) { panic(errBroken) }), newRequest(t, "https://host.test/"))
		},
		"body": func() {
			_, _ = httpclient.ReadBody(t.Context(), response(200, newBody(readFunc(func([]byte) (int, error) { panic(errBroken) }))), 1, errTooLarge)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err, ok := recovered(call).(error)
			require.True(t, ok)
			require.ErrorIs(t, err, errBroken)
			assert.Contains(t, err.Error(), "TestForeignPanic", "the stack of the panic")
		})
	}
}

// TestForeignExit checks that the caller's goroutine ends if the client ends its own, as with
// t.FailNow.
func TestForeignExit(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(){
		"client": func() {
			_, _ = httpclient.Do(doFunc(func(*http.Request) (*http.Response, error) {
				runtime.Goexit()
				return nil, nil
			}), newRequest(t, "https://host.test/"))
		},
		"body": func() {
			_, _ = httpclient.ReadBody(t.Context(), response(200, newBody(readFunc(func([]byte) (int, error) {
				runtime.Goexit()
				return 0, nil
			}))), 1, errTooLarge)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended, returned := make(chan struct{}), false
			go func() {
				defer close(ended)
				call()
				returned = true
			}()
			require.True(t, waitFor(ended))
			assert.False(t, returned)
		})
	}
}

// TestCanceledBefore checks that nothing is sent if the context is already done.
func TestCanceledBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server, transport := newServer(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	for _, rt := range []http.RoundTripper{transport, roundTripFunc(transport.RoundTrip)} {
		_, err := httpclient.Do(without(&http.Client{Transport: rt}), newRequest(t, server.URL).WithContext(ctx))
		requireURLError(t, err, server.URL)
		require.ErrorIs(t, err, context.Canceled)
	}
}

// waitFor waits for a value, and fails the test if none comes.
func waitFor(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-time.After(10 * time.Second): //nolint:forbidigo // only if the test fails
		return false
	}
}

// TestErrorWithoutBody checks errors that come with a response without a body, or without a
// response.
func TestErrorWithoutBody(t *testing.T) {
	t.Parallel()
	for name, resp := range map[string]*http.Response{"no response": nil, "no body": response(200, nil), "empty": response(200, http.NoBody)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := httpclient.Do(doFunc(func(*http.Request) (*http.Response, error) { return resp, errBroken }), newRequest(t, "https://host.test/"))
			assert.Nil(t, got)
			require.ErrorIs(t, err, errBroken)
		})
	}
}

// TestCloseThatBlocks checks that Do does not wait until a body that is not read has been
// closed.
func TestCloseThatBlocks(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(io.ReadCloser) (*http.Response, error){
		"error":               func(body io.ReadCloser) (*http.Response, error) { return response(200, body), errBroken },
		"switching protocols": func(body io.ReadCloser) (*http.Response, error) { return response(101, body), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := &blockingCloser{closing: make(chan struct{}), release: make(chan struct{})}
			_, err := httpclient.Do(doFunc(func(*http.Request) (*http.Response, error) { return do(body) }), newRequest(t, "https://host.test/"))
			if name == "error" {
				require.ErrorIs(t, err, errBroken)
			} else {
				require.NoError(t, err)
			}
			assert.True(t, waitFor(body.closing), "not closed")
			close(body.release)
		})
	}
}

// blockingCloser is a body whose Close does not return until it is released.
type blockingCloser struct{ closing, release chan struct{} }

func (*blockingCloser) Read([]byte) (int, error) { return 0, io.EOF }

func (b *blockingCloser) Close() error {
	close(b.closing)
	<-b.release
	return nil
}

// TestErrorMethod checks that the error contains the method as in net/http.
func TestErrorMethod(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{"": "Get", http.MethodGet: "Get", http.MethodHead: "Head"} {
		req := newRequest(t, "https://host.test/")
		req.Method = method
		_, err := httpclient.Do(doFunc(func(*http.Request) (*http.Response, error) { return nil, errBroken }), req)
		var withURL *url.Error
		require.ErrorAs(t, err, &withURL)
		assert.Equal(t, want, withURL.Op)
	}
}
